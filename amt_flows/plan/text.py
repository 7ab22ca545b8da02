"""A plan as a terminal shows it."""

from __future__ import annotations

import json
import math
import re

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from amt_flows.names import count
from amt_flows.plan.dry_run import Existing, Plan
from amt_flows.plan.first_jobs import PlannedJob
from amt_flows.plan.prices import Price
from amt_flows.plan.space_text import space_text
from amt_flows.show.text import duration, hyperparameters, money, number


def plan_text(plan: Plan) -> RenderableType:
    """The whole plan: what is wrong with it first, what is asked for, what it would do."""
    parts: list[RenderableType] = [_head(plan)]
    parts += _bullets("It can't run here", [str(problem) for problem in plan.problems], "red")
    parts += _bullets("Worth a look", plan.warnings, "yellow")
    if plan.existing is not None:
        parts += _bullets("The name is known", _existing(plan.existing), "yellow")
    parts += [_title("Space", _size(plan)), *_space(plan)]
    parts += _bullets("Chosen for you", plan.chosen)
    parts += _bullets("It starts from", [*plan.inherited, *plan.starts])
    parts += _bullets("Known before", plan.known_before)
    parts += _bullets("It ends at the first of these", plan.criteria)
    parts += _bullets("Early stopping", [plan.early_stopping])
    parts += _bullets("How much", [*_amounts(plan), *_estimate(plan)])
    if plan.first_jobs:
        parts.append(_title("First training jobs", ""))
        if plan.seed_is_drawn:
            again = f"`--seed {plan.seed}` tries these"
            why = f"  No seed is given: each run draws its own, and tries others; {again}."
            parts.append(Text(why, style="yellow"))
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
    notes = []
    if plan.configurations is not None:
        notes.append(count(plan.configurations, "configuration"))
    if len(plan.first_jobs) > 1:
        notes.append(f"1 to {len(plan.first_jobs)}: the first training jobs")
    return f"({'; '.join(notes)})" if notes else ""


def _space(plan: Plan) -> list[RenderableType]:
    names = list(dict.fromkeys(row.algorithm for row in plan.ranges))
    parts: list[RenderableType] = []
    for name in names:
        if len(names) > 1:
            parts.append(Text(f"  {name}", style="italic"))
        parts.append(space_text([row for row in plan.ranges if row.algorithm == name], len(plan.first_jobs)))
    return [*parts, *(Text(f"  only where {constraint}") for constraint in plan.constraints)]


def _amounts(plan: Plan) -> list[str]:
    if plan.most_jobs is None:
        lines = ["no limit to the number of training jobs is known beforehand"]
    else:
        lines = [f"at most {count(plan.most_jobs, 'training job')}"]
    lines += plan.room
    if plan.worst_case_runtime_seconds is not None:
        lines.append(
            f"over after {duration(plan.worst_case_runtime_seconds)} at most, waiting for machines aside"
        )
    if plan.compute_seconds is not None and plan.max_runtime_seconds is not None:
        factors = [duration(plan.max_runtime_seconds), _parallel(plan), count(plan.instances, "instance")]
        compute = f"{plan.compute_seconds:.0f} s ({duration(plan.compute_seconds)})"
        lines.append(f"at most about {compute} of compute, by AMT's formula: {' x '.join(factors)}")
    if plan.price is not None:
        lines.append(f"an hour of a training job costs {_rate(plan.price)} ({plan.price.source})")
    cost = plan.worst_case_cost
    if cost is None:
        if plan.price is None:
            note = plan.price_note or "give training_job.price_per_hour, or a price table (--prices)"
            lines.append(f"cost unknown: {note}")
    elif math.isinf(cost):
        lines.append("cost without a bound: give training_job.max_runtime_seconds or limits.max_cost")
    else:
        lines.append(f"cost at most {_money(plan, cost)}, all limits reached")
    return lines


def _rate(price: Price) -> str:
    """To the digit: prices of an hour have three decimals and more."""
    amount = price.per_hour
    text = money(amount) if round(amount, 2) == amount else number(amount, 6)
    return f"{text} {price.currency}".rstrip()


def _money(plan: Plan, amount: float) -> str:
    currency = plan.price.currency if plan.price is not None else ""
    return f"{money(amount)} {currency}".rstrip()


def _estimate(plan: Plan) -> list[str]:
    estimate, length = plan.estimate, plan.job_length
    if length is None:
        return ["how long it takes is not known: give --job-seconds, or --like an earlier tuning job"]
    if estimate is None:
        if plan.problems or plan.most_jobs == 0:
            return []
        return ["how long it takes can't be told: only its own results end it"]
    jobs = count(estimate.jobs, "training job")
    startup = f", after {duration(length.startup_seconds)} to start" if length.startup_seconds >= 1 else ""
    each = f"if each training job takes {duration(length.seconds)} ({length.source}){startup}"
    each += " and none is stopped early"
    took = f"{duration(estimate.runtime_seconds)} ({duration(estimate.training_seconds)} of training)"
    if estimate.is_cut_short:
        return [f"{each}: more than {jobs}, more than {took}; it was followed no further"]
    cost = "" if estimate.cost is None else f" and costs {_money(plan, estimate.cost)}"
    lines = [f"{each}: {jobs} in {took}{cost}; then {estimate.ends_because}"]
    likely = plan.likely
    if likely is not None and not likely.is_cut_short:
        jobs = count(likely.jobs, "training job")
        took = f"{duration(likely.runtime_seconds)} ({duration(likely.training_seconds)} of training)"
        cost = "" if likely.cost is None else f" and {_money(plan, likely.cost)}"
        lines.append(
            f"more likely {jobs} in {took}{cost}, assuming that {' and that '.join(likely.assumptions)}"
        )
    return lines


def _job(job: PlannedJob) -> list[RenderableType]:
    lines: list[RenderableType] = [Text.assemble("  ", (job.name, "cyan"), (f"  {job.source}", "dim"))]
    if job.command:
        lines.append(Text(f"    {job.command}", overflow="fold"))
    unseen = {name: text for name, text in job.hyperparameters.items() if not _is_seen(name, job.command)}
    if unseen:
        lines.append(Text(f"    hyperparameters: {hyperparameters(unseen)}", style="dim", overflow="fold"))
    if job.environment:
        lines.append(Text(f"    environment: {', '.join(job.environment)}", style="dim"))
    return lines


def _is_seen(name: str, command: str) -> bool:
    """Whether a command line has ``--name``, or a call ``name=``."""
    return re.search(rf"(^|\s)--{re.escape(name)}(\s|$)|[(\s]{re.escape(name)}=", command) is not None


def _request(first: PlannedJob) -> list[RenderableType]:
    """Of one only: the others differ from it in the name and the hyperparameters."""
    if first.request is None:
        return []
    body = json.dumps(first.request, indent=2, default=str)
    return [_title("CreateTrainingJob of the first", ""), Text(body, overflow="fold")]
