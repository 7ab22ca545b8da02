"""``python -m amt_flows.testing.sagemaker.compare``: what AWS says, and what the simulated SageMaker says.

Asks the questions of :mod:`.questions` of a real account and of a simulated one, and prints where the answers
differ. Nothing that costs is asked beyond the cap, and what was made is removed.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from amt_flows.testing.sagemaker.asking import Asker, Place
from amt_flows.testing.sagemaker.credentials import made_up
from amt_flows.testing.sagemaker.questions import QUESTIONS, Question
from amt_flows.testing.sagemaker.world import SimulatedSageMaker

SIMULATED_ROLE = "arn:aws:iam::123456789012:role/compare"


@dataclass(frozen=True)
class Comparison:
    """One question's answers. ``not_asked`` says why there are none."""

    question: Question
    real: Any = None
    simulated: Any = None
    not_asked: str | None = None

    @property
    def differs(self) -> bool:
        return self.not_asked is None and self.real != self.simulated


def compare(
    questions: Sequence[Question], real: Asker, simulated: Asker, dollars: float
) -> Iterator[Comparison]:
    """Ask both, one question after another, while all that was asked can't cost more than ``dollars``."""
    spent = 0.0
    for question in questions:
        cost = question.dollars(real)
        if spent + cost > dollars:
            reason = f"may cost ${cost:.2f}, and ${dollars - spent:.2f} of the cap of ${dollars:.2f} is left"
            yield Comparison(question, not_asked=reason)
            continue
        spent += cost
        yield Comparison(question, *(_answer(question, asker) for asker in (real, simulated)))


def _answer(question: Question, asker: Asker) -> Any:
    try:
        return asker.plain(question.ask(asker))
    except (ClientError, BotoCoreError) as error:
        # That it can't be asked is an answer, too, and no reason to leave the others unasked.
        return asker.plain({"can't be asked": f"{type(error).__name__}: {error}"})


def asker_of(session: Any, place: Place, url: str | None = None, *, poll_seconds: float = 5.0) -> Asker:
    @lru_cache(maxsize=16)
    def client(service: str) -> Any:
        config = Config(retries={"mode": "standard", "total_max_attempts": 8})
        return session.client(service, endpoint_url=url, config=config)

    return Asker(client, place, f"amt-flows-compare-{secrets.token_hex(3)}", poll_seconds)


@contextmanager
def simulation(place: Place, region: str) -> Iterator[Asker]:
    """A simulated SageMaker in which programs run."""
    credentials = made_up()
    world = SimulatedSageMaker(commands={}, endpoint_seconds=0, tunes=True)
    with world.serve(credentials=credentials) as url:
        session = boto3.Session(*credentials.environment().values(), region_name=region)
        yield asker_of(session, replace(place, role=SIMULATED_ROLE), url, poll_seconds=0.2)


@click.command()
@click.option("--role", help="A role that SageMaker may assume, to train with.")
@click.option("--bucket", help="A bucket for models, in the same region.")
@click.option("--image", help="A training image in ECR that has bash and python3.")
@click.option("--region", help="By default the one of your settings.")
@click.option("--profile", help="Of your AWS settings.")
@click.option("--instance-type", default="ml.m5.large", show_default=True)
@click.option(
    "--price", default=0.25, show_default=True, help="Dollars an hour of it; no less than it really costs."
)
@click.option(
    "--cost-cap",
    default=0.0,
    show_default=True,
    help="Dollars that all questions together may cost at most. With 0 none is asked that costs anything.",
)
@click.option("--question", "names", multiple=True, help="This one only. May be given more than once.")
@click.option("--list", "listing", is_flag=True, help="Show the questions, and ask nothing.")
@click.option("--yes", is_flag=True, help="Don't ask before anything is made in the account.")
def main(
    role: str | None,
    bucket: str | None,
    image: str | None,
    region: str | None,
    profile: str | None,
    instance_type: str,
    price: float,
    cost_cap: float,
    names: Sequence[str],
    listing: bool,
    yes: bool,
) -> None:
    """Ask AWS what the simulated SageMaker doesn't know, and print in what the two differ.

    Makes models, groups, packages and, below the cost cap, training jobs, all named amt-flows-compare-...,
    and removes them. Training jobs can't be removed: they stay listed, ended. Exits with 1 if answers differ.
    """
    asked = _chosen(names)
    if listing:
        for question in asked:
            click.echo(f"{question.name} ({question.seconds} s of training at most): {question.text}")
        return
    if not role or not bucket or not image:
        raise click.UsageError("--role, --bucket and --image are needed to ask anything (--list shows what)")
    if not re.fullmatch(r"arn:[^:]+:iam::\d{12}:role/.+", role):
        raise click.BadParameter(f"{role} is no ARN of a role", param_hint="--role")
    place = Place(role, bucket, image, instance_type, price)
    try:
        real = asker_of(boto3.Session(profile_name=profile, region_name=region), place)
        account = str(real.client("sts").get_caller_identity()["Account"])
        url, real_region = str(real.sagemaker.meta.endpoint_url), str(real.sagemaker.meta.region_name)
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"there is no account to ask: {error}") from None
    click.echo(f"Account {account}, at {url}; at most ${cost_cap:.2f}.")
    if not yes:
        click.confirm(f"Make things named {real.run}-... there, and remove them?", abort=True)
    differing = 0
    with simulation(place, real_region) as simulated:
        try:
            for found in compare(asked, real, simulated, cost_cap):
                differing += found.differs
                _show(found, click.echo)
        finally:
            for left in real.clean_up():
                click.echo(f"Could not be removed: {left}", err=True)
    click.echo(f"{differing} of {len(asked)} differ.")
    sys.exit(1 if differing else 0)


def _chosen(names: Sequence[str]) -> list[Question]:
    unknown = set(names) - {question.name for question in QUESTIONS}
    if unknown:
        known = ", ".join(question.name for question in QUESTIONS)
        raise click.BadParameter(
            f"no such question: {', '.join(sorted(unknown))}; there are {known}", param_hint="--question"
        )
    return [question for question in QUESTIONS if not names or question.name in names]


def _show(found: Comparison, write: Callable[[str], None]) -> None:
    if found.not_asked is not None:
        write(f"not asked  {found.question.name}: {found.not_asked}")
    elif not found.differs:
        write(f"same       {found.question.name}")
    else:
        write(f"DIFFERS    {found.question.name}: {found.question.text}")
        write(f"  AWS:       {json.dumps(found.real, ensure_ascii=False)}")
        write(f"  simulated: {json.dumps(found.simulated, ensure_ascii=False)}")


if __name__ == "__main__":
    main(prog_name="python -m amt_flows.testing.sagemaker.compare")
