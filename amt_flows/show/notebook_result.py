"""A result as a notebook shows it: what came of the tuning job, its best training jobs, and two pictures.

One piece of HTML without a script that needs nothing from outside, of at most some 250 kB whatever the
number of training jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from amt_flows.events import TuningStatus
from amt_flows.names import count
from amt_flows.results import TrainingJobRecord, TuningResult
from amt_flows.results.edges import edges
from amt_flows.results.from_result import ledger_of
from amt_flows.show import html
from amt_flows.show.facts import none_launched, spendings, status, tally, took
from amt_flows.show.leaderboard_rows import tuned_in, why
from amt_flows.show.links import log_link, model_link
from amt_flows.show.text import NOTHING, duration, hyperparameter, hyperparameters, number, place

logger = logging.getLogger("amt_flows")

ROWS: Final = 10
COLUMNS: Final = 6
"""So many hyperparameters have a column each; more of them share one."""
REASONS: Final = 5
PARAMETERS: Final = 40
CELL: Final = 60
PICTURES_KB: Final = 200
_NUMBERS: Final = (0, 2, 4, 5)
"""The places of the columns whose cells are aligned to the right."""


def result_html(result: TuningResult) -> str:
    """The result, or where it stands, as HTML for a notebook's cell."""
    parts = (_headline(result), _best(result), _what_it_took(result), _leaderboard(result), _pictures(result))
    return html.block(parts)


def _headline(result: TuningResult) -> str:
    colours = {TuningStatus.COMPLETED: html.GREEN, TuningStatus.FAILED: html.RED}
    name = html.styled(html.text(result.name), "font-weight:600;font-size:115%")
    words = html.styled(
        html.text(status(result)), f"font-weight:600;color:{colours.get(result.status, html.AMBER)}"
    )
    because = "; ".join(reason.message for reason in result.reasons[:REASONS])
    line = f"{took(result)}: {because or 'it still runs'}"
    return f"<div>{name} {words} {html.text(line, 600)}.</div>"


def _best(result: TuningResult) -> str:
    best = result.best
    if best is None:
        return (
            html.heading("Best training job")
            + "<div>None"
            + (" yet" if result.ended_at is None else "")
            + ".</div>"
        )
    goal = "larger" if result.objective_type == "Maximize" else "smaller"
    value = html.styled(number(best.objective_value), f"font-weight:600;color:{html.GREEN}")
    head = (
        f"<div>{html.text(result.objective_metric)} {value} ({goal} is better) by {html.code(best.name)}, "
        f"after {count(best.epochs, 'epoch')} in {duration(best.training_seconds)}.</div>"
    )
    shown = list(best.hyperparameters.items())[:PARAMETERS]
    rows = [(name, html.code(hyperparameter(setting), CELL)) for name, setting in shown]
    model = "none was left" if best.artifact is None else html.code(place(best.artifact), 300)
    rows += [("on an edge", html.text(str(edge), 300)) for edge in edges(result)]
    rows += [("its model", _with_link(model, model_link(best))), ("its output", _output(best))]
    return html.heading("Best training job") + head + html.pairs(rows)


def _with_link(shown: str, address: str | None) -> str:
    return shown if address is None else f"{shown} {html.link('open', address)}"


def _output(job: TrainingJobRecord) -> str:
    return _with_link(html.code(f"amt-flows logs {job.name}"), log_link(job))


def _what_it_took(result: TuningResult) -> str:
    rows = [
        ("training jobs", tally(result)),
        ("wall clock", duration(result.runtime_seconds)),
        *spendings(result),
    ]
    return html.heading("What it took") + html.pairs((what, html.text(value, 300)) for what, value in rows)


# -- the leaderboard ------------------------------------------------------------------------------


def _leaderboard(result: TuningResult) -> str:
    jobs = result.jobs[:ROWS]
    if not jobs:
        return html.heading("Training jobs") + f"<div>{none_launched(result)}</div>"
    names = tuned_in(result, jobs)
    apart = names if len(names) <= COLUMNS else []
    others = result.other_metrics()
    columns = ["#", "training job", result.objective_metric, "status", "epochs", "time", "", ""]
    columns += [*others, "Pareto front"] if others else []
    columns += apart or ["hyperparameters"]
    told = ["why it stopped"] if any(map(why, jobs)) else []
    rows = [
        [
            str(rank) if job.has_usable_value else "",
            # They all begin with the name of the tuning job.
            html.text(job.name.removeprefix(f"{result.name}-")),
            number(job.latest_value),
            _state(job),
            str(job.epochs or NOTHING),
            duration(job.training_seconds),
            *_links(job),
            *(number(job.metrics.get(metric)) for metric in others),
            *(["yes" if job.name in result.pareto_front else ""] if others else []),
            *_settings(job, apart),
            *(html.text(why(job)) for _ in told),
        ]
        for rank, job in enumerate(jobs, start=1)
    ]
    whole = html.table([*columns, *told], rows, numbers=_NUMBERS, prose=(len(columns),))
    more = len(result.jobs) - len(jobs)
    rest = (
        f"and {count(more, 'more training job')}: <code>result.to_frame()</code> has all of them"
        if more
        else ""
    )
    return html.heading("Leaderboard") + whole + html.styled(rest, html.FAINT, "div")


def _state(job: TrainingJobRecord) -> str:
    words = html.text(job.state)
    if job.failed:
        return html.styled(words, f"color:{html.RED}")
    return words if job.outcome in (None, "completed") else html.styled(words, f"color:{html.AMBER}")


def _settings(job: TrainingJobRecord, apart: list[str]) -> list[str]:
    given = job.hyperparameters
    if not apart:
        return [html.text(hyperparameters(given), 4 * CELL)]
    return [html.text(hyperparameter(given[name]), CELL) if name in given else "" for name in apart]


def _links(job: TrainingJobRecord) -> Iterator[str]:
    for word, address, opened_by in (
        ("model", job.artifact, model_link(job)),
        ("log", job.log, log_link(job)),
    ):
        yield "" if opened_by is None or address is None else html.link(word, opened_by, place(address))


# -- pictures -------------------------------------------------------------------------------------


def _pictures(result: TuningResult) -> str:
    from amt_flows.show.pictures.plot import still
    from amt_flows.show.pictures.progress import progress_picture
    from amt_flows.show.pictures.slices import slices_picture

    shown, budget = [], PICTURES_KB * 1024
    try:
        ledger = ledger_of(result)
        for title, draw in (("Best so far", progress_picture), ("Each hyperparameter", slices_picture)):
            svg = draw(ledger)
            if svg is not None:
                picture = html.heading(title) + html.image(still(svg), title)
                budget -= len(picture)
                shown.append(picture if budget > 0 else "")
    except Exception as error:
        # A result of another version, or a value that can't be drawn: what was found is still worth showing.
        logger.debug("the pictures of %s were left out: %r", result.name, error)
    return "".join(shown)
