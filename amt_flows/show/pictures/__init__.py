"""Pictures of a tuning job, as SVG."""

from amt_flows.show.pictures.overview import Picture, overview, pictures

__all__ = ["Picture", "overview", "pictures"]
