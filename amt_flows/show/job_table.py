"""All training jobs as a table of a page that sorts without a script.

Each column has two radio buttons; the one that is chosen decides, by the style sheet, which of its row's
places each row takes. So a page may forbid scripts altogether, whatever stands in a log or a hyperparameter.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from amt_flows.names import count
from amt_flows.results import TuningResult
from amt_flows.show.facts import none_launched
from amt_flows.show.html import text
from amt_flows.show.leaderboard_rows import LOG, MODEL, MOST_ROWS, leaderboard
from amt_flows.show.links import log_link, model_link
from amt_flows.show.pictures.plot import Job
from amt_flows.show.text import number, place

MOST_COLUMNS = 40
LONGEST_CELL = 60
STATUS = "Status"


def job_table(result: TuningResult) -> str:
    """HTML: the best ``MOST_ROWS`` training jobs with their hyperparameters, each with the id that the
    pictures lead to."""
    rows = leaderboard(result, MOST_ROWS)
    if not rows:
        return f"<h2>Training jobs</h2><p>{none_launched(result)}</p>"
    names = list(dict.fromkeys(name for row in rows for name in row if name not in (MODEL, LOG)))
    names = names[:MOST_COLUMNS]
    places = [_places([row.get(name, "") for row in rows]) for name in names]
    body = "".join(
        _row(result, at, row, names, [column[at] for column in places]) for at, row in enumerate(rows)
    )
    head = "".join(_head(k, name) for k, name in enumerate(names))
    more = len(result.jobs) - len(rows)
    note = f"<p>{count(more, 'more training job')}: <code>amt-flows jobs {text(result.name)}</code>.</p>"
    columns = len(names) + 2
    return (
        f'<h2>Training jobs</h2><div class="scrolled"><form class="jobs" style="--columns:{columns}">'
        f'<div class="row head">{head}<div>Model</div><div>Log</div></div>{body}</form></div>'
        f"{note if more else ''}"
    )


def table_style(result: TuningResult) -> str:
    """The rules by which the table sorts."""
    rows = leaderboard(result, 1)
    names = [name for name in (rows[0] if rows else {}) if name not in (MODEL, LOG)]
    # Of several algorithms the rows have further columns.
    columns = min(MOST_COLUMNS, max(len(names), 1) + 3 * len(result.tuned()))
    return "".join(
        f".jobs:has(#up{k}:checked) .job{{order:var(--c{k})}}"
        f".jobs:has(#down{k}:checked) .job{{order:calc(-1*var(--c{k}))}}"
        for k in range(columns)
    )


def _head(k: int, name: str) -> str:
    buttons = "".join(
        f'<input type="radio" name="by" id="{way}{k}"><label for="{way}{k}" '
        f'title="{text(name)}, {words}">{arrow}</label>'
        for way, arrow, words in (("up", "▲", "the smallest first"), ("down", "▼", "the largest first"))
    )
    return f"<div><b>{text(name, LONGEST_CELL)}</b> {buttons}</div>"


def _row(
    result: TuningResult, at: int, row: dict[str, object], names: Sequence[str], places: Sequence[int]
) -> str:
    job = result.jobs[at]
    style = ";".join(f"--c{k}:{place}" for k, place in enumerate(places))
    cells = "".join(_cell(name, row.get(name, "")) for name in names)
    links = "".join(f"<div>{link}</div>" for link in _links(result, at))
    kind = html.escape(job.state.replace(" ", "-"))
    anchor = Job(job.name, "").anchor
    return f'<div class="row job {kind}" id="{anchor}" style="{style}">{cells}{links}</div>'


def _cell(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        whole = str(value)
        title = f' title="{text(whole, 1000)}"' if len(whole) > LONGEST_CELL else ""
        return f"<div{title}>{text(whole, LONGEST_CELL)}</div>"
    shown = str(value) if isinstance(value, int) else number(value, 6)
    return f'<div class="number">{text(shown)}</div>'


def _links(result: TuningResult, at: int) -> Iterator[str]:
    job = result.jobs[at]
    for word, address, opened_by in (
        ("model", job.artifact, model_link(job)),
        ("log", job.log, log_link(job)),
    ):
        if opened_by is not None:
            yield f'<a href="{html.escape(opened_by)}">{word}</a>'
        else:
            yield "" if address is None else f"<code>{text(place(address), LONGEST_CELL)}</code>"


def _places(values: Sequence[object]) -> list[int]:
    """The place of each in the order of all: numbers by size, then texts, and what is empty last."""

    keys = [_size(value) for value in values]
    found = [0] * len(values)
    for rank, at in enumerate(sorted(range(len(values)), key=keys.__getitem__)):
        found[at] = rank
    return found


def _size(value: object) -> tuple[int, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return (2 if value == "" else 1), 0.0, str(value)
