"""A tuning job as a report in markdown: what came of it, why it ended, and what to do with it.

Pure: from a ledger and its result to text. Its table is in :mod:`amt_flows.show.leaderboard_rows`, what a
terminal shows in :mod:`amt_flows.show.terminal`; both are offered here too.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from amt_flows.events import Judgement, Outcome, TuningStatus
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import count
from amt_flows.results import TrainingJobRecord, TuningResult
from amt_flows.results.amt_shapes import objective_status_counters, training_job_status_counters
from amt_flows.results.edges import edges
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.show.explanation import COLUMNS, importance_rows, reliability_line
from amt_flows.show.facts import front_line, none_launched, status
from amt_flows.show.leaderboard_rows import LOG, MODEL, leaderboard
from amt_flows.show.links import is_local, log_link, model_link
from amt_flows.show.markdown import cell, code, fenced, line_chart, link, table
from amt_flows.show.terminal import terminal_summary
from amt_flows.show.text import duration, hyperparameter, hyperparameters, last_lines, money, number, place

__all__ = ["best_so_far", "leaderboard", "report_markdown", "terminal_summary"]

LOG_LINES = 15
FAILURE_GROUPS = 5
STOPS_LISTED = 50
IMPORTANT = 12
FRONT_LISTED = 30


def report_markdown(
    ledger: Ledger,
    result: TuningResult,
    limit: int = 20,
    *,
    charts: bool = True,
    local_links: bool = False,
    leaderboard: bool = True,
) -> str:
    """The report of a tuning job as it stands: ended or running, with or without a best training job.
    ``charts``: with the one that markdown can draw. ``local_links``: files of this machine are links, which
    work in a page that is a file too; elsewhere a browser refuses to follow them, and a path says more.
    ``leaderboard``: with the ``limit`` best."""
    sections = (
        _headline(result),
        _reasons(result),
        best_section(result, local_links),
        _several_objectives(result),
        _chart(ledger) if charts else "",
        leaderboard_section(result, limit, local_links) if leaderboard else "",
        _what_mattered(ledger),
        _early_stopping(ledger, result),
        _failures(result, local_links),
        _consumed(ledger, result),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _headline(result: TuningResult) -> str:
    return f"# {cell(result.name)}: {status(result)}\n\n{cell(result.headline)}."


def _reasons(result: TuningResult) -> str:
    if not result.reasons:
        return ""
    rows = [
        (
            code(reason.rule),
            cell(reason.message),
            ", ".join(f"{cell(name)} {number(value)}" for name, value in reason.numbers.items()),
        )
        for reason in result.reasons
    ]
    title = "Why it failed" if result.status is TuningStatus.FAILED else "Why it ended"
    return f"## {title}\n\n" + table(["Rule", "What it saw", "Numbers"], rows)


# -- the best training job ------------------------------------------------------------------------


def best_section(result: TuningResult, local_links: bool) -> str:
    best = result.best
    if best is None:
        return (
            "## Best training job\n\nNone yet."
            if result.ended_at is None
            else "## Best training job\n\nNone."
        )
    goal = "larger" if result.objective_type == "Maximize" else "smaller"
    objective = f"{cell(result.objective_metric)} = **{number(best.objective_value)}** ({goal} is better)"
    lines = [
        "## Best training job",
        f"{code(best.name)}: {objective} after {_length(best)}.",
        table(
            ["Hyperparameter", "Value"],
            [(code(name), code(hyperparameter(value))) for name, value in best.hyperparameters.items()],
        ),
        *(f"{cell(str(edge))}." for edge in edges(result)),
        *_how_to_use(best, local_links),
    ]
    return "\n\n".join(lines)


def _several_objectives(result: TuningResult) -> str:
    line = front_line(result)
    if not line:
        return ""
    metrics = result.other_metrics()
    by_name = {job.name: job for job in result.jobs}
    shown = [by_name[name] for name in result.pareto_front[:FRONT_LISTED]]
    rows = [
        [
            code(job.name),
            number(job.objective_value),
            *(number(job.metrics.get(metric)) for metric in metrics),
            cell(hyperparameters(job.hyperparameters)),
        ]
        for job in shown
    ]
    columns = ["Training job", *map(cell, [result.objective_metric, *metrics]), "Hyperparameters"]
    more = len(result.pareto_front) - len(shown)
    best = f"The best training job is that of {cell(result.objective_metric)} alone."
    parts = [
        f"## Several objectives\n\nPareto front: {cell(line)}. {best}",
        table(columns, rows) if rows else "",
        f"{count(more, 'more training job')} of it are in the result." if more > 0 else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _length(job: TrainingJobRecord) -> str:
    return f"{count(job.epochs, 'epoch')} in {duration(job.training_seconds)}"


def _how_to_use(best: TrainingJobRecord, local_links: bool) -> Iterator[str]:
    if best.artifact is None:
        yield "It left no model."
    else:
        where = _where(best.artifact, model_link(best), local_links)
        yield f"Its model is at {where}. In a deploy step:"
        yield fenced("model = result.best.artifact\nsettings = result.best.hyperparameters", "python")
    if best.log is not None:
        yield f"Its output is at {_log_of(best, local_links)}."


def _where(address: str, opened_by: str | None, local_links: bool) -> str:
    """An address to read and to copy, with a link where one leads there."""
    shown = code(place(address))
    if opened_by is None or (is_local(opened_by) and not local_links):
        return shown
    return f"{shown} ({link('open', opened_by)})"


def _log_of(job: TrainingJobRecord, local_links: bool) -> str:
    opened_by = log_link(job)
    if opened_by is not None and not is_local(opened_by):
        return link("its log", opened_by)  # the console's address is long, and says nothing
    return _where(job.log or "", opened_by, local_links)


# -- how it went ----------------------------------------------------------------------------------


def best_so_far(ledger: Ledger) -> list[tuple[int, float]]:
    """After the n-th training job that ended: the best objective until then. Starts with the first one
    that may be the best."""
    points: list[tuple[int, float]] = []
    best: float | None = None
    for n, job in enumerate(ledger.ended, start=1):
        if ledger.eligible(job) and job.final_value is not None:
            better = best is None or ledger.loss(job.final_value) < ledger.loss(best)
            best = job.final_value if better else best
        if best is not None:
            points.append((n, best))
    return points


def _chart(ledger: Ledger) -> str:
    metric = ledger.leading_algorithm.metric_name
    chart = line_chart(f"Best {metric} so far", "training jobs ended", best_so_far(ledger))
    return f"## Best so far\n\n{chart}" if chart else ""


def leaderboard_section(result: TuningResult, limit: int, local_links: bool) -> str:
    rows = leaderboard(result, limit)
    if not rows:
        return f"## Training jobs\n\n{none_launched(result)}"
    # Of several algorithms each has hyperparameters of its own.
    columns = [*dict.fromkeys(name for row in rows for name in row if name not in (MODEL, LOG)), MODEL, LOG]
    jobs = result.jobs[:limit]
    base = None if local_links else _directory_of_all(jobs)
    cells = [
        [*(cell(row.get(name, "")) for name in columns[:-2]), *_opening(job, base)]
        for row, job in zip(rows, jobs, strict=True)
    ]
    notes = [f"Models and logs are below {code(base)}."] if base is not None else []
    notes.append("`amt-flows logs JOB` prints what a training job wrote.")
    more = len(result.jobs) - len(rows)
    if more:
        notes.append(f"{count(more, 'more training job')}: `amt-flows jobs {result.name}` lists all.")
    return f"## Leaderboard\n\n{table([cell(name) for name in columns], cells)}\n\n{' '.join(notes)}"


def _opening(job: TrainingJobRecord, base: str | None) -> Iterator[str]:
    """The cells of the model and the log: a link, or else the address. With a ``base``, files of this machine
    are told by their paths below it."""
    for word, address, opened_by in (
        ("model", job.artifact, model_link(job)),
        ("log", job.log, log_link(job)),
    ):
        if opened_by is not None and (base is None or not is_local(opened_by)):
            yield link(word, opened_by)
        elif address is None:
            yield ""
        else:
            local = base is not None and opened_by is not None
            yield code(os.path.relpath(place(address), base) if local else place(address))


def _directory_of_all(jobs: Sequence[TrainingJobRecord]) -> str | None:
    """The directory of this machine that has all models and logs of these training jobs: two paths of a
    hundred characters in every row leave no room for the rest. None when they are all elsewhere."""
    links = [opened_by for job in jobs for opened_by in (model_link(job), log_link(job)) if opened_by]
    parents = [PurePath(place(one)).parent for one in links if is_local(one)]
    return os.path.commonpath(parents) if parents else None


# -- what mattered --------------------------------------------------------------------------------


def _what_mattered(ledger: Ledger) -> str:
    """Only of a tuning job that has ended: a running one's report is renewed often, in the thread that
    launches its training jobs, and a model takes a while."""
    if not ledger.finished:
        return ""
    from amt_flows.results.explain import NothingToExplain

    try:
        found = importance_rows(ledger)[:IMPORTANT]
    except NothingToExplain:
        return ""
    rows = [(code(name), *map(cell, rest)) for name, *rest in found]
    return f"## What mattered\n\n{cell(reliability_line(ledger))}\n\n{table(COLUMNS, rows)}"


# -- early stopping -------------------------------------------------------------------------------


def _early_stopping(ledger: Ledger, result: TuningResult) -> str:
    if early_stopping_rule(ledger.spec) is None:
        return ""
    stops = _stops(ledger)
    judged = sum(job.judged for job in ledger.jobs.values())
    withheld = sum(job.let_pass for job in ledger.jobs.values())
    hyperband = ledger.spec.hyperband is not None
    text = (
        f"{count(judged - withheld, 'epoch').capitalize()} compared with the median; {withheld} passed "
        "unjudged, too early or with too few jobs to compare with."
    )
    if hyperband:
        text = f"{count(judged, 'rung').capitalize()} reached, by all jobs together."
    if not stops:
        return f"## Early stopping\n\nNo training job was stopped. {text}"
    saved = result.saved
    head = (
        f"{count(len(stops), 'training job')} of {len(ledger.jobs)} stopped early, which saved about "
        f"**{duration(saved.seconds)}** of training, {saved.share:.0%} of what it would have taken. {text}"
    )
    rows = [
        (
            code(stop.job),
            str(stop.epoch),
            number(stop.value),
            _rank(stop) if hyperband else number(stop.median),
            str(stop.compared),
        )
        for stop in stops[:STOPS_LISTED]
    ]
    columns = ["Training job", "At epoch", "Value", "Rank" if hyperband else "Median", "Jobs compared with"]
    return f"## Early stopping\n\n{head}\n\n{table(columns, rows)}"


def _rank(stop: Judgement) -> str:
    """Among the jobs at a rung of Hyperband: ``4 of 9``."""
    return f"{stop.numbers['rank']:g} of {stop.numbers['of']:g}"


def _stops(ledger: Ledger) -> list[Judgement]:
    """The judgement that stopped each job, in the order of the jobs."""
    return [
        job.verdict
        for job in ledger.jobs.values()
        if job.outcome is Outcome.STOPPED_EARLY and job.verdict is not None
    ]


# -- failures -------------------------------------------------------------------------------------


def failure_groups(result: TuningResult) -> list[list[TrainingJobRecord]]:
    """The failed training jobs, those that failed alike together, the largest group first."""
    groups: dict[str, list[TrainingJobRecord]] = {}
    for job in sorted(result.jobs, key=lambda job: job.launched_at):
        if job.failed:
            # Numbers differ from job to job (a line, a size, a loss) where the failure is the same.
            alike = re.sub(r"\d+", "0", f"{job.state}: {failure_line(job.failure)}")
            groups.setdefault(alike, []).append(job)
    return sorted(groups.values(), key=len, reverse=True)


def _failures(result: TuningResult, local_links: bool) -> str:
    groups = failure_groups(result)
    if not groups:
        return ""
    total = sum(len(group) for group in groups)
    parts = [f"## Failures\n\n{count(total, 'training job')} of {len(result.jobs)} failed."]
    metric = result.objective_metric
    parts += [_failure_group(group, metric, local_links) for group in groups[:FAILURE_GROUPS]]
    if len(groups) > FAILURE_GROUPS:
        parts.append(f"{count(len(groups) - FAILURE_GROUPS, 'other kind')} of failure not shown.")
    return "\n\n".join(parts)


def _failure_group(group: Sequence[TrainingJobRecord], metric: str, local_links: bool) -> str:
    job = group[-1]
    reason = failure_line(job.failure) or _no_value(job, metric)
    names = ", ".join(code(other.name) for other in group[:10]) + (" and others" if len(group) > 10 else "")
    parts = [f"### {len(group)} × {cell(job.state)}: {cell(reason)}", names]
    if job.failure and len(job.failure.strip().splitlines()) > 1:
        parts.append(f"The last of them said:\n\n{fenced(last_lines(job.failure, LOG_LINES))}")
    if job.log is not None:
        parts.append(f"All of its output: {_log_of(job, local_links)}")
    return "\n\n".join(parts)


def _no_value(job: TrainingJobRecord, metric: str) -> str:
    if job.latest_value is not None:
        return f"{metric} was {number(job.latest_value)}"
    return f"no value of {metric} was found in the output"


# -- what it took ---------------------------------------------------------------------------------


def _consumed(ledger: Ledger, result: TuningResult) -> str:
    over = count(len(result.jobs), "training job")
    lines = [
        f"- wall clock {duration(result.runtime_seconds)}",
        f"- training {duration(result.training_seconds)}, summed over {over}",
    ]
    if result.cost is not None:
        prices = {one.spec.training_job.price_per_hour or 0.0 for one in ledger.algorithms}
        each = " or ".join(money(price) for price in sorted(prices))
        lines.append(f"- cost {money(result.cost)}, at {each} an hour of training")
    lines += [
        f"- training jobs: {_counters(training_job_status_counters(ledger))}",
        f"- objective values: {_counters(objective_status_counters(ledger))}",
        f"- record: {code(place(result.journal))}",
    ]
    return "## What it took\n\n" + "\n".join(lines)


def _counters(counters: dict[str, int]) -> str:
    return ", ".join(f"{amount} {name}" for name, amount in counters.items() if amount) or "none"
