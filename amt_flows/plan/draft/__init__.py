"""A first spec, drafted from what a training script's source says of its arguments and of what it prints. The
script is read, and never run."""

from amt_flows.plan.draft.spec import Draft, Wanted, draft_of

__all__ = ["Draft", "Wanted", "draft_of"]
