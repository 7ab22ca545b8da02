"""Training jobs as processes of this machine."""

from amt_flows.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
