"""When each training job ran, and what early stopping saved of it."""

from __future__ import annotations

from amt_flows.ledger.ledger import Ledger
from amt_flows.results.result import saved_seconds
from amt_flows.show.pictures.colours import COLOURS, INK
from amt_flows.show.pictures.jobs import job_of, state_of
from amt_flows.show.pictures.plot import (
    BOTTOM,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    Scale,
    label,
    legend,
    linked,
    nice_ticks,
    picture,
    titled,
    told_apart,
)

MOST_JOBS = 200
NARROWEST = 2.0
"""A training job that was over at once is still seen, on a phone too."""
MINUTE, HOUR = 60.0, 3600.0
HATCH = (
    '<defs><pattern id="saved" width="5" height="5" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><path d="M0 0V5" stroke="#e07a2f" stroke-width="1.5"/></pattern></defs>'
)


def timeline_picture(ledger: Ledger) -> str | None:
    """None before the first training job was launched. Those that run have a bar until now, and those that
    never came to run one from their launch on. What a job that was stopped early would have gone on to train,
    by the estimate that ``TuningResult.saved`` sums up, is hatched."""
    jobs = list(ledger.jobs.values())[-MOST_JOBS:]
    if not jobs:
        return None
    unit, seconds = _unit(ledger.last_at - ledger.opened_at)
    saved_by = saved_seconds(ledger)
    spans = []
    for job in jobs:
        end = ledger.last_at if job.ended_at is None else job.ended_at
        start = (job.began_at - ledger.opened_at) / seconds
        spans.append((start, max(end - job.began_at, 0.0) / seconds, saved_by.get(job.name, 0.0) / seconds))
    each = min(16.0, max(2.0, 420.0 / len(jobs)))
    thick = each * 0.75
    height = TOP + 10 + each * len(jobs) + BOTTOM
    finish = (ledger.finished_at or ledger.opened_at) - ledger.opened_at
    latest = max(finish / seconds, *(start + width + saved for start, width, saved in spans))
    plot = Plot(
        Scale(0.0, latest or 1.0, 24.0, WIDTH - RIGHT),
        Scale(0.0, float(len(jobs)), TOP + 10, height - BOTTOM),
    )
    parts, hatched = [], False
    for row, (job, (start, width, saved)) in enumerate(zip(jobs, spans, strict=True)):
        top, state, said = plot.y(float(row)), state_of(ledger, job), job_of(ledger, job)
        left, right = plot.x(start), plot.x(start + width)
        wide = max(right - left, NARROWEST)
        bar = (
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{thick:.1f}" '
            f'fill="{COLOURS[state]}">{titled(said)}</rect>'
        )
        parts.append(linked(said, bar))
        if saved > 0:
            hatched = True
            reach = plot.x(start + width + saved) - right
            parts.append(
                f'<rect x="{right:.1f}" y="{top:.1f}" width="{reach:.1f}" height="{thick:.1f}" '
                f'fill="url(#saved)" opacity="0.6"/>'
            )
    if ledger.concluding and ledger.finished_at is not None:
        at = plot.x(finish / seconds)
        parts.append(
            f'<path d="M{at:.1f} {TOP + 10}V{height - BOTTOM:.1f}" class="axis" stroke="{INK}" '
            'stroke-dasharray="2 3"/>'
        )
    axis = height - BOTTOM + 4
    marks = nice_ticks(0.0, latest, 8)
    ticks = [
        label(plot.x(at), axis + 12, text, anchor="middle")
        for at, text in zip(marks, told_apart(marks), strict=True)
    ]
    note = "; hatched: saved by early stopping" if hatched else ""
    among = len(ledger.jobs)
    some = f"; the newest {len(jobs)} of {among} training jobs" if len(jobs) < among else ""
    since = f"{unit} since the tuning job began{note}{some}"
    below = label(WIDTH / 2, axis + 29, since, anchor="middle", longest=110)
    states = dict.fromkeys(state_of(ledger, job) for job in jobs)
    entries = [("s", COLOURS[state], state) for state in COLOURS if state in states]
    head = [HATCH] if hatched else []
    return picture([*head, legend(entries, left=34.0), *parts, *ticks, below], height)


def _unit(seconds: float) -> tuple[str, float]:
    if seconds > 3 * HOUR:
        return "hours", HOUR
    return ("minutes", MINUTE) if seconds > 3 * MINUTE else ("seconds", 1.0)
