"""What a promotion shows in Prefect: a page that says what was compared, what is at work and how to go back,
and the model as an asset."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.assets import Asset, AssetProperties, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from amt_flows.deploy.champion import Comparison
from amt_flows.deploy.promotion import Promotion
from amt_flows.deploy.target import Place, Target
from amt_flows.flows.promotion.outcome import Outcome
from amt_flows.flows.tuning.artifacts import artifact_key

RECORDS = "record model"
"""The task by which Prefect hears of a model that was promoted."""
_RESTRICTED = str.maketrans(dict.fromkeys("\n\r\t\x00 #?&%\"'<>[]{}|\\^`", "_"))


def publish(outcome: Outcome, target: Target) -> None:
    """Publish the page, and the asset of a model that was promoted. Never fails the flow: the model is at
    work either way."""
    try:
        create_markdown_artifact(
            page(outcome, target),
            key=artifact_key("promotion", outcome.tuning_job),
            description=headline(outcome),
        )
        if outcome.promotion is not None:
            _materialize(outcome, outcome.promotion)
    except Exception as error:
        get_run_logger().warning("The promotion's page can't be published: %r", error)


def headline(outcome: Outcome) -> str:
    """What was decided comes first: a list of artifacts has room for a few words."""
    decision = outcome.decision.value.capitalize()
    return outcome.sentence if outcome.sentence.startswith(decision) else f"{decision}: {outcome.sentence}"


def page(outcome: Outcome, target: Target) -> str:
    """Markdown."""
    lines = [
        f"# {outcome.decision.value.capitalize()}: {outcome.training_job}",
        "",
        outcome.sentence,
        "",
        comparison_table(outcome.comparison),
        "",
        f"Target: {target.shown}. Tuning job: {outcome.tuning_job}.",
        "",
        _see(outcome.tuning_job),
    ]
    made = outcome.promotion
    if made is None:
        at_work = outcome.comparison.champion
        lines += ["", f"Nothing was changed; {f'`{at_work}`' if at_work else 'no model'} is at work."]
    else:
        lines += ["", f"At work now: `{made.live}`"]
        lines += [f"Model package: `{made.model_package}`"] if made.model_package else []
        if made.roll_back:
            lines += ["", "To go back:", "", "```python", *_calls(made.roll_back), "```"]
    return "\n".join(lines)


def _calls(roll_back: str) -> list[str]:
    calls = roll_back.split("; ")
    names = ", ".join(call.partition("(")[0] for call in calls)
    return [f"from amt_flows.deploy import {names}", "", *calls]


def comparison_table(comparison: Comparison) -> str:
    """Champion against challenger, as a Markdown table."""
    metric = f"{comparison.objective_metric} ({comparison.objective_type})"
    champion = "none yet" if comparison.champion is None else f"`{comparison.champion}`"
    value = "-" if comparison.champion_value is None else f"{comparison.champion_value:g}"
    rows = [
        f"| | model | {metric} |",
        "|---|---|---|",
        f"| challenger | `{comparison.challenger}` | {comparison.challenger_value:g} |",
        f"| champion | {champion} | {value} |",
    ]
    if comparison.better_by is not None:
        rows.append(f"| better by | wanted: {comparison.min_improvement:g} | {comparison.better_by:+g} |")
    return "\n".join(rows)


def request_for_approval(
    comparison: Comparison, target: Target, tuning_job: str, *, timeout_seconds: float
) -> str:
    """What a person who is to approve reads above the form."""
    until = datetime.now(timezone.utc) + timedelta(seconds=timeout_seconds)
    return "\n".join(
        [
            f"**Promote {comparison.challenger} to {target.shown}?**",
            "",
            comparison.sentence,
            "",
            comparison_table(comparison),
            "",
            _see(tuning_job),
            "",
            f"Without an answer until {until:%Y-%m-%d %H:%M} UTC, nothing is changed.",
        ]
    )


def _see(tuning_job: str) -> str:
    report = _link("the report with its plots", artifact_key("report", tuning_job))
    leaderboard = _link("all training jobs", artifact_key("leaderboard", tuning_job))
    return f"See {report} and {leaderboard}."


def _link(text: str, key: str) -> str:
    """A link from the page of a flow run or of an artifact. It is relative, so that its reader stays in the
    UI that they came from, wherever that is served; a key's own page shows no content."""
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )
        if found:
            return f"[{text}](../../artifacts/artifact/{found[0].id})"
    return f"{text} (artifact `{key}`)"


def asset_key(made: Promotion) -> str:
    """The asset that a promotion makes, the same for every version of one model."""
    if made.place == Place.MLFLOW.value:
        place = f"mlflow://{made.live.removeprefix('models:/').rpartition('@')[0]}"
    elif made.endpoint is not None:
        place = f"sagemaker://{made.live.split(':')[3]}/endpoint/{made.endpoint}"
    elif made.model_package is not None:
        place = f"sagemaker://{made.live.split(':')[3]}/{made.live.split(':')[5].rpartition('/')[0]}"
    else:
        # .../versions/<version>/model: the directory around the versions is what stays.
        place = f"file://{made.live.rsplit('/', 3)[0]}"
    return place.translate(_RESTRICTED)[:512]


def _materialize(outcome: Outcome, made: Promotion) -> None:
    asset = Asset(
        key=asset_key(made),
        properties=AssetProperties(
            name=made.endpoint or outcome.tuning_job, description=outcome.sentence[:500]
        ),
    )

    @materialize(
        asset,
        by="amt_flows",
        name=RECORDS,
        task_run_name=f"record-{outcome.training_job}",
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def record() -> None:
        asset.add_metadata(
            {
                "tuning_job": outcome.tuning_job,
                "training_job": outcome.training_job,
                "objective_metric": made.objective_metric,
                "objective_value": made.objective_value,
                "version": made.version or made.model_package or made.configuration or "",
            }
        )

    record()
