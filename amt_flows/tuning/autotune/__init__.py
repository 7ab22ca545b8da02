"""What a user leaves to us to choose: ranges from value hints (``AutoParameters``), and the settings of a
tuning job (``Autotune``)."""

from amt_flows.tuning.autotune.choose import Chosen, chosen

__all__ = ["Chosen", "chosen"]
