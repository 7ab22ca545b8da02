"""``python -m amt_flows`` is the command line."""

from amt_flows.cli import main

main()
