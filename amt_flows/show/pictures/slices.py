"""The objective over each hyperparameter: where the good values are."""

from __future__ import annotations

from collections.abc import Sequence

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.show.pictures.colours import COLOURS, MARKERS
from amt_flows.show.pictures.grid import grid, height_of, on_its_axis
from amt_flows.show.pictures.jobs import job_of, state_of
from amt_flows.show.pictures.plot import RIGHT, WIDTH, Plot, label, picture
from amt_flows.space.space import Parameter

MOST = 12
MOST_MARKS = 500


def slices_picture(ledger: Ledger) -> str | None:
    """None when no training job has a value."""
    ledger = ledger.of_one_algorithm()
    jobs, space = valued(ledger), ledger.spec.space()
    parameters = space.parameters[:MOST]
    if not jobs or not parameters:
        return None
    shown = _shown(ledger, jobs)
    values = [float(job.final_value or 0.0) for job in jobs]
    parts: list[str] = []
    for parameter, plot in grid(space, parameters, values, ledger.spec.objective.metric_name):
        # Those that have it: of the others it isn't known what it would have done.
        having = [job for job in shown if parameter.name in ledger.trials[job.trial].configuration]
        _marks(plot, ledger, parameter, having)
        if not having:
            plot.note("used by no job yet")
        parts += plot.parts
    height = height_of(len(parameters))
    if len(shown) < len(jobs):
        text = f"the best {MOST_MARKS} of {len(jobs)}"
        parts.append(label(WIDTH - RIGHT, height - 6, text, anchor="end", longest=60))
    return picture(parts, height)


def _shown(ledger: Ledger, jobs: Sequence[TrainingJob]) -> Sequence[TrainingJob]:
    """The better ones, of very many: where the good values are is the question."""
    if len(jobs) <= MOST_MARKS:
        return jobs
    return sorted(jobs, key=lambda job: ledger.loss(job.final_value or 0.0))[:MOST_MARKS]


def _marks(plot: Plot, ledger: Ledger, parameter: Parameter, jobs: Sequence[TrainingJob]) -> None:
    # The best one last, above the others.
    for job in sorted(jobs, key=lambda one: one is ledger.best):
        value, state = ledger.trials[job.trial].configuration[parameter.name], state_of(ledger, job)
        size = 4.2 if state == "best" else 3.0
        plot.mark(
            on_its_axis(parameter, value),
            float(job.final_value or 0.0),
            MARKERS[state],
            COLOURS[state],
            size=size,
            job=job_of(ledger, job),
        )


def valued(ledger: Ledger) -> list[TrainingJob]:
    """Those with a value and a configuration of this space: a mirrored tuning job may have others."""
    space = ledger.spec.space()
    return [
        job
        for job in ledger.ended
        if job.has_usable_value and space.contains(ledger.trials[job.trial].configuration)
    ]
