"""Pictures of a tuning job, as SVG. Needs the extra ``amt-flows[plots]`` (matplotlib)."""

from amt_flows.show.pictures.overview import Picture, overview, pictures

__all__ = ["Picture", "overview", "pictures"]
