"""A plan as a terminal shows it."""

from __future__ import annotations

import json
import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from amt_flows.plan.dry_run import Existing, Plan
from amt_flows.plan.estimate import Estimate
from amt_flows.plan.first_jobs import PlannedJob
from amt_flows.render.text import count, duration, hyperparameters, money


def plan_text(plan: Plan) -> RenderableType:
    """The whole plan: what is wrong with it first, what is asked for, what it would do."""
    parts: list[RenderableType] = [_head(plan)]
    parts += _bullets("It can't run here", [str(problem) for problem in plan.problems], "red")
    parts += _bullets("Worth a look", plan.warnings, "yellow")
    if plan.existing is not None:
        parts += _bullets("The name is known", _existing(plan.existing), "yellow")
    parts += [_title("Space", _size(plan)), _space(plan)]
    parts += _bullets("Chosen for you", plan.chosen)
    parts += _bullets("It starts from", plan.inherited)
    parts += _bullets("It ends at the first of these", plan.criteria)
    parts += _bullets("Early stopping", [plan.early_stopping])
    parts += _bullets("How much", [*_amounts(plan), *_estimate(plan.estimate)])
    if plan.first_jobs:
        parts.append(_title("First training jobs", ""))
        parts += [line for job in plan.first_jobs for line in _job(job)]
        parts += _request(plan.first_jobs[0])
    if plan.amt_request is not None:
        body = json.dumps(plan.amt_request, indent=2, default=str)
        parts += [_title("CreateHyperParameterTuningJob", ""), Text(body, overflow="fold")]
    parts += [Text(""), Text("Nothing was launched and nothing written.", style="dim")]
    return Group(*parts)


def _head(plan: Plan) -> Text:
    name = plan.name or "A tuning job without a name (it gets one when it is run)"
    return Text.assemble((name, "bold"), f": {plan.objective}, {plan.strategy}, {_parallel(plan)}")


def _parallel(plan: Plan) -> str:
    return "one training job at a time" if plan.parallel == 1 else f"{plan.parallel} training jobs at once"


def _title(title: str, rest: str) -> Text:
    return Text.assemble("\n", (title, "bold"), f" {rest}" if rest else "")


def _bullets(title: str, lines: list[str] | tuple[str, ...], style: str = "") -> list[RenderableType]:
    if not lines:
        return []
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row(Text("  -"), Text(line, style=style))
    return [_title(title, ""), grid]


def _existing(existing: Existing) -> list[str]:
    jobs = count(existing.jobs, "training job")
    if existing.differences:
        head = f"a tuning job of this name has another spec ({existing.status}, {jobs}): choose another name"
        return [head, *existing.differences]
    if existing.status in ("InProgress", "Stopping"):
        return [f"running it goes on with the tuning job of this name and spec ({jobs} so far)"]
    return [f"running it returns the result there is ({existing.status}, {jobs})"]


def _size(plan: Plan) -> str:
    return "" if plan.configurations is None else f"({count(plan.configurations, 'configuration')})"


def _space(plan: Plan) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("  hyperparameter", "kind", "range", "scaling"):
        table.add_column(title, overflow="fold")
    table.add_column("values", justify="right")
    for row in plan.ranges:
        values = "any" if row.values is None else str(row.values)
        cells = (f"  {row.name}", row.kind, row.range, row.scaling, values)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _amounts(plan: Plan) -> list[str]:
    if plan.most_jobs is None:
        lines = ["no limit to the number of training jobs is known beforehand"]
    else:
        lines = [f"at most {count(plan.most_jobs, 'training job')}"]
    cost = plan.worst_case_cost
    if cost is None:
        lines.append("cost unknown: training_job.price_per_hour is not given")
    elif math.isinf(cost):
        lines.append("cost without a bound: give training_job.max_runtime_seconds or limits.max_cost")
    else:
        lines.append(f"cost at most {money(cost)}")
    return lines


def _estimate(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return []
    each = f"if each training job takes {duration(estimate.job_seconds)} and none is stopped early"
    took = f"{duration(estimate.runtime_seconds)} ({duration(estimate.training_seconds)} of training)"
    cost = "" if estimate.cost is None else f" and costs {money(estimate.cost)}"
    jobs = count(estimate.jobs, "training job")
    if estimate.is_cut_short:
        return [f"{each}: more than {jobs}, more than {took}; it was followed no further"]
    return [f"{each}: {jobs} in {took}{cost}; then {estimate.ends_because}"]


def _job(job: PlannedJob) -> list[RenderableType]:
    lines: list[RenderableType] = [Text.assemble("  ", (job.name, "cyan"), (f"  {job.source}", "dim"))]
    if job.command:
        lines.append(Text(f"    {job.command}", overflow="fold"))
    unseen = {name: text for name, text in job.hyperparameters.items() if name not in job.command}
    if unseen:
        lines.append(Text(f"    hyperparameters: {hyperparameters(unseen)}", style="dim", overflow="fold"))
    if job.environment:
        lines.append(Text(f"    environment: {', '.join(job.environment)}", style="dim"))
    return lines


def _request(first: PlannedJob) -> list[RenderableType]:
    """Of one only: the others differ from it in the name and the hyperparameters."""
    if first.request is None:
        return []
    body = json.dumps(first.request, indent=2, default=str)
    return [_title("CreateTrainingJob of the first", ""), Text(body, overflow="fold")]
