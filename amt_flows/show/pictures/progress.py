"""The best objective so far, over the training jobs as they ended."""

from __future__ import annotations

from amt_flows.ledger.ledger import Ledger
from amt_flows.show.pictures.drawing import COLOURS, INK, MARKERS, new_figure, svg
from amt_flows.show.report import best_so_far


def progress_picture(ledger: Ledger) -> str | None:
    """None while no training job has a value."""
    steps = best_so_far(ledger)
    ended = [
        (n, job.final_value, job.standing)
        for n, job in enumerate(ledger.ended, start=1)
        if job.has_usable_value and job.final_value is not None
    ]
    if not ended:
        return None
    figure, (axes,) = new_figure(3.2)
    for state in COLOURS:
        points = [(n, value) for n, value, its in ended if its == state]
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=22, color=COLOURS[state], marker=MARKERS[state], label=state, zorder=3)
    if steps:
        # The last value holds until the last job, which need not have had one.
        steps = [*steps, (len(ledger.ended), steps[-1][1])]
        axes.step(
            *zip(*steps, strict=True),
            where="post",
            color=COLOURS["best"],
            linewidth=1.8,
            label="best so far",
            zorder=2,
        )
    target = ledger.spec.completion.target_objective_metric_value
    if target is not None:
        axes.axhline(target, color=INK, linewidth=0.8, linestyle=":", label="target")
    axes.set_xlabel("training jobs ended", fontsize=9)
    axes.locator_params(axis="x", integer=True)
    axes.set_ylabel(ledger.leading_algorithm.metric_name, fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return svg(figure)
