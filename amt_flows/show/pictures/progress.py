"""What the tuning job has found so far: every training job's value in the order of their ends, and the best
until then. The axis is where the progress is: values far from it are drawn at its edge."""

from __future__ import annotations

from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.show.pictures.colours import COLOURS, INK, MARKERS
from amt_flows.show.pictures.jobs import job_of, state_of
from amt_flows.show.pictures.plot import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    Scale,
    label,
    legend,
    padded,
    picture,
)
from amt_flows.show.report import best_so_far
from amt_flows.show.text import number

HEIGHT = 300.0
FEW = 8
"""Of so few training jobs all values are on the axis."""
SHOWN = 0.7
"""... of more the better ones, so many of them."""
MOST_MARKS = 1000
"""In a picture that is drawn while a tuning job runs; the line has all."""


def progress_picture(ledger: Ledger, *, told: bool = True) -> str | None:
    """None while no training job has a value. ``told``: each mark tells its training job, which takes most of
    the time; without, of very many only some are marked."""
    ended = [
        (n, float(job.final_value), job)
        for n, job in enumerate(ledger.ended, start=1)
        if job.has_usable_value and job.final_value is not None
    ]
    if not ended:
        return None
    steps = best_so_far(ledger)
    target = ledger.spec.completion.target_objective_metric_value
    low, high = _ends(ledger, [(value, job) for _, value, job in ended], target)
    most = len(ledger.ended)
    plot = Plot(Scale(0.0, most + 0.5, LEFT, WIDTH - RIGHT), Scale(low, high, HEIGHT - BOTTOM, TOP + 14))
    # Whole numbers only: there is no half of a training job.
    every = max(1, round(most / 8))
    ticks = {float(n): str(n) for n in range(every, most + 1, every)}
    plot.axes("training jobs ended", ledger.leading_algorithm.metric_name, x_ticks=ticks)
    if steps:
        # The last value holds until the last job, which need not have had one.
        line = [*steps, (most, steps[-1][1])]
        plot.line([(float(n), value) for n, value in line], COLOURS["best"], width=2, step=True)
    if target is not None and low <= target <= high:
        plot.line([(0.0, target), (most + 0.5, target)], INK, width=1, dashed=True)
    every = 1 if told else max(1, round(len(ended) / MOST_MARKS))
    for n, value, job in [*ended[::every], *(one for one in ended if every > 1 and one[2] is ledger.best)]:
        state = state_of(ledger, job)
        plot.mark(float(n), value, MARKERS[state], COLOURS[state], job=job_of(ledger, job) if told else None)
    beyond = sum(not low <= value <= high for _, value, _ in ended)
    if beyond:
        text = f"at the edge: {beyond} beyond it"
        plot.parts.append(label(WIDTH - RIGHT, HEIGHT - 9, text, anchor="end", longest=60))
    states = dict.fromkeys(state_of(ledger, job) for _, _, job in ended)
    entries = [(MARKERS[state], COLOURS[state], state) for state in COLOURS if state in states]
    entries.append(("-", COLOURS["best"], "best so far"))
    if target is not None:
        entries.append((":", INK, "target"))
        if not low <= target <= high:
            plot.parts.append(label(WIDTH - RIGHT, 12, f"(it is {number(target)})", anchor="end"))
    return picture([legend(entries), *plot.parts], HEIGHT)


def _ends(
    ledger: Ledger, ended: list[tuple[float, TrainingJob]], target: float | None
) -> tuple[float, float]:
    """Those of the axis: so that the better values are told apart, whatever the others are. What was stopped
    early is far from them: that is why."""
    values = [value for value, job in ended if job.outcome is not Outcome.STOPPED_EARLY or job is ledger.best]
    if len(values) < FEW:
        values = sorted((value for value, _ in ended), key=ledger.loss)[: max(FEW, len(values))]
    elif len(values) > FEW:
        values = sorted(values, key=ledger.loss)[: max(FEW, round(SHOWN * len(values)))]
    low, high = padded(values)
    if target is not None and low - (high - low) <= target <= high + (high - low):
        low, high = padded([*values, target])
    return low, high
