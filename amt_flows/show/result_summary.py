"""A result as a person reads it where a program keeps it."""

from __future__ import annotations

from amt_flows.results import TuningResult
from amt_flows.show.facts import facts, status
from amt_flows.show.markdown import cell, code, table
from amt_flows.show.report import best_section, leaderboard_section

LISTED = 10


def result_summary(result: TuningResult) -> str:
    """Markdown: how it ended, the best training job and how to use its model, the ten best, and how another
    flow gets all of it."""
    return "\n\n".join(
        (
            f"# {cell(result.name)}: {status(result)}",
            f"{cell(result.headline)}.",
            table(["", ""], [(cell(name), cell(value)) for name, value in facts(result)]),
            best_section(result, local_links=False),
            leaderboard_section(result, LISTED, local_links=False),
            f"Another flow gets all of it by {code(f'amt_flows.flows.load_result({result.name!r})')}.",
        )
    )
