"""What a tuning job shows in Prefect: progress, leaderboard, report, pictures and result, as artifacts.

Each is made once for a flow run and then renewed in place, so that hours of tuning leave five artifacts
and not thousands. Publishing never fails the tuning job and never holds up a launch.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.exceptions import PrefectException

from amt_flows.events import number_to_json
from amt_flows.flows.api import BRIEF_SECONDS, Api, Recurrence
from amt_flows.flows.tuning.actions import actions, forms
from amt_flows.flows.tuning.run_log import standing
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import RunningTuningJob
from amt_flows.names import count
from amt_flows.results import TrainingJobRecord, TuningResult, result_of
from amt_flows.show.leaderboard_rows import MOST_ROWS, leaderboard
from amt_flows.show.progress.panel import done_share
from amt_flows.show.report import report_markdown
from amt_flows.show.result_summary import result_summary
from amt_flows.show.text import number

PUBLISH_SECONDS = 10.0
# ... but no oftener than each hundredth of a long tuning job's time.
SHARE_OF_RUNTIME = 0.01

LARGEST_TABLE = 1_000_000
"""Characters. Prefect's server takes more; a browser that draws it every few seconds should not have to."""

CONTENT = "[amt-result]: data:application/zlib;base64,"
"""What begins the last line of a result's artifact: the JSON of it, compressed, which makes that of 10,000
training jobs one of 650,000 characters. Prefect's lists of artifacts have their contents in them."""
PACKED = "packed"
# Of the flow's time: what is drawn there keeps it from launching,
SHARE_OF_DRAWING = 0.05
# and so long at most at a time, but for the one artifact that is drawn just then.
DRAW_SECONDS = 0.05

LARGEST_PICTURE = 400_000
"""Characters, of one that is renewed as often."""
SMALL = 1e-3

JOURNAL = "journal"
"""What an artifact's metadata call the URI of the tuning job's journal."""
LONGEST_METADATA = 500
"""Prefect cuts longer ones."""


KINDS = ("progress", "leaderboard", "report", "curves", "pictures", "result")


@dataclass(frozen=True)
class Page:
    """One artifact's content. ``kind`` is one of the ``KINDS``; the description is what the list of artifacts
    shows, so it has the news."""

    kind: str
    type: str
    data: Any
    description: str


def artifact_key(kind: str, name: str) -> str:
    """A tuning job's name has letters, digits and hyphens; a key has the same but no capitals."""
    return f"amt-{kind}-{name.lower()}"


def pages(
    ledger: Ledger, result: TuningResult, now: float, addresses: Mapping[str, str] | None = None
) -> Iterator[Page]:
    """What is shown of a tuning job that runs or has ended. ``addresses``: of the forms that act on it."""
    offered = actions(ledger.name, addresses or {}, ended=ledger.finished)
    headline = result.headline if ledger.finished else standing(ledger)
    share = done_share(ledger, now)
    percent = round(100 * share, 1) if share is not None else 0.0
    # Of one that has ended the description is what came of it, and no more.
    news = headline if ledger.finished else f"{headline}\n\n{offered}"
    yield Page("progress", "progress", percent, news)
    yield leaderboard_page(result, headline, first=most_important(ledger))
    # The picture is an artifact of its own: one of the two UIs shows a chart in markdown as its text.
    head, _, rest = report_markdown(ledger, result, charts=False).partition("\n\n## ")
    yield Page("report", "markdown", f"{head}\n\n{offered}\n\n## {rest}", headline)
    if (drawn := live_page(ledger, headline)) is not None:
        yield drawn


def live_page(ledger: Ledger, headline: str) -> Page | None:
    """The best so far and the learning curves, those of running training jobs too. None before the first
    value."""
    from amt_flows.show.pictures.overview import live_overview

    image = live_overview(ledger)
    if image is None or len(image) > LARGEST_PICTURE:
        return None
    return Page("curves", "image", image, headline)


def most_important(ledger: Ledger) -> list[str]:
    """The hyperparameters in the order in which they mattered, once a tuning job has ended and that can be
    told: it takes a model, for which a running one has no time."""
    if not ledger.finished:
        return []
    # Below: scipy, which this loads, takes seconds of a busy machine, in which nothing is launched.
    from amt_flows.results.explain import NothingToExplain, importance

    try:
        return [one.name for one in importance(ledger.of_one_algorithm())]
    except NothingToExplain:
        return []


def leaderboard_page(
    result: TuningResult,
    headline: str,
    largest: int = LARGEST_TABLE,
    first: Sequence[str] = (),
    most: int = MOST_ROWS,
) -> Page:
    """Every training job, best first; of more than ``most``, or than a table of ``largest`` characters can
    hold, the best, and then what is left out and where it is."""
    rows = plain(_readable(leaderboard(result, most, first)))
    texts = [json.dumps(row, allow_nan=False) for row in rows]
    # Two characters go between a row and the next.
    room = list(itertools.accumulate(len(text) + 2 for text in texts))
    shown = sum(size <= largest for size in room)
    left_out = len(result.jobs) - shown
    if left_out:
        where = f"amt-flows jobs {result.name}, or the artifact of the result"
        note = f"{count(left_out, 'more training job')}: {where}"
        columns = dict.fromkeys(json.loads(texts[0]), "")
        texts = [*texts[:shown], json.dumps({**columns, "Training job": f"and {note}"})]
        headline = f"{headline}. Left out are {note}"
    return Page("leaderboard", "table", f"[{', '.join(texts)}]", headline)


def _readable(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Small numbers as people write them: a browser would write 2.8e-06 as 0.0000028."""
    return [{name: _short(value) for name, value in row.items()} for row in rows]


def _short(value: object) -> object:
    small = isinstance(value, float) and 0 < abs(value) < SMALL
    return number(value, 6) if small and isinstance(value, float) else value


def pictures_page(ledger: Ledger, result: TuningResult) -> Page | None:
    """All pictures as one image; None when there is none. It needs a model of the objective, so it is for the
    end."""
    from amt_flows.show.pictures.overview import overview

    image = overview(ledger)
    return None if image is None else Page("pictures", "image", image, result.headline)


def result_page(result: TuningResult) -> Page:
    """The whole result, for :func:`amt_flows.flows.load_result`: below what a person reads, in a definition
    of a link that nothing refers to, which no reader of markdown shows."""
    text = json.dumps(plain(result.model_dump(mode="json")))
    packed = base64.b64encode(zlib.compress(text.encode("ascii"))).decode("ascii")
    return Page("result", "markdown", f"{result_summary(result)}\n\n{CONTENT}{packed}", result.headline)


def content_of(data: object) -> dict[str, Any]:
    """What :func:`result_page` made of a result; empty for anything else. Earlier versions kept the content
    as JSON, a large one packed in a member of it."""
    packed = None
    if isinstance(data, str) and CONTENT in data:
        packed = data.rpartition(CONTENT)[2].split("\n", 1)[0]
    else:
        try:
            found = json.loads(data) if isinstance(data, str) else data
        except (ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        packed = found.get(PACKED)
        if packed is None:
            return found
    try:
        whole = json.loads(zlib.decompress(base64.b64decode(packed)))
    except (TypeError, ValueError, RecursionError, zlib.error):
        return {}
    return whole if isinstance(whole, dict) else {}


def plain(value: Any) -> Any:
    """``value`` with words for NaN and the infinities: Prefect writes an infinity as something that is
    not JSON, and its UI then shows no table."""
    if isinstance(value, float):
        return number_to_json(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def metadata(tuning: RunningTuningJob) -> dict[str, str] | None:
    """By which whoever knows only the tuning job's name finds its record."""
    location = tuning.journal.location
    return {JOURNAL: location} if len(location) <= LONGEST_METADATA else None


class Publisher:
    """Publishes the artifacts of one flow run. They are drawn in the flow's thread, to which the ledger
    belongs, and sent in the background."""

    def __init__(self, api: Api, flow_run_id: UUID, name: str, again: Recurrence | None = None) -> None:
        self._api = api
        self._flow_run_id = flow_run_id
        self._name = name
        self._metadata: dict[str, str] | None = None
        self._again = again or Recurrence(PUBLISH_SECONDS, first=BRIEF_SECONDS)
        self._made: dict[str, UUID] | None = None
        """By their kind; None while it isn't known which the flow run has."""
        self._sending: Future[None] | None = None
        self._drawn_at = -math.inf
        self._drawing: Iterator[Page] | None = None
        self._drawn: list[Page] = []
        self._took = self._pause = 0.0
        self._records: dict[str, TrainingJobRecord] = {}
        self._warned = False
        self._addresses: dict[str, str] | None = None
        self._preparing = api.soon(self._prepare)

    def tick(self, tuning: RunningTuningJob) -> None:
        """Publish where the tuning job stands, if there is news and it is time to."""
        self._metadata = metadata(tuning)
        if not self._preparing.done():
            return
        if self._sending is not None:
            if not self._sending.done():
                return
            self._take_note(self._sending)
        if tuning.ledger.finished:
            return
        if self._drawing is None:
            if tuning.ledger.last_at <= self._drawn_at or not self._again.due():
                return
            self._drawing, self._drawn, self._took = self._pages(tuning), [], 0.0
            self._drawn_at = tuning.ledger.last_at
        try:
            done = self._draw(self._drawing)
        except Exception as error:
            self._drawing = None
            self._fail(error)
            return
        if done:
            self._drawing, drawn = None, self._drawn
            age = tuning.now() - tuning.ledger.opened_at
            self._pause = max(SHARE_OF_RUNTIME * age, self._took / SHARE_OF_DRAWING)
            self._sending = self._api.soon(lambda client: self._put(client, drawn))

    def _pages(self, tuning: RunningTuningJob) -> Iterator[Page]:
        now = tuning.now()
        result = result_of(tuning.ledger, tuning.journal.location, now, self._records)
        yield from pages(tuning.ledger, result, now, self._addresses)

    def _draw(self, drawing: Iterator[Page]) -> bool:
        """Draw what can be drawn in a moment: the rest is for the next ticks. Whether that was all."""
        began = time.thread_time()
        try:
            while time.thread_time() - began < DRAW_SECONDS:
                page = next(drawing, None)
                if page is None:
                    return True
                self._drawn.append(page)
            return False
        finally:
            self._took += time.thread_time() - began

    def _take_note(self, sent: Future[None]) -> None:
        self._sending = None
        error = sent.exception()
        if error is not None:
            self._fail(error)
        else:
            self._warned = False
            self._again.done(at_least=self._pause)

    def _fail(self, error: BaseException) -> None:
        self._again.failed()
        if not self._warned:
            # Once: the same again says nothing new.
            get_run_logger().warning("The artifacts can't be published; the tuning goes on: %r", error)
        self._warned = True

    def conclude(self, tuning: RunningTuningJob, told: Callable[[], None] = lambda: None) -> None:
        """Publish the end, the result first: another flow may be waiting for it. Nothing is held up by it,
        so it may take the time of a few retries. Until all is drawn the server may be told something else,
        which ``told`` waits for."""
        wait([self._preparing])
        if self._sending is not None:
            wait([self._sending])
            self._take_note(self._sending)
        self._metadata, self._drawing = metadata(tuning), None
        on_its_way: list[Callable[[], None]] = []
        drawn: list[Page] = []
        with self._failures_noted():
            result = result_of(tuning.ledger, tuning.journal.location, tuning.now())
            first = result_page(result)
            on_its_way.append(self._api.meanwhile(lambda client: self._put(client, [first])))
            for page in self._last_pages(tuning, result):
                drawn.append(page)  # one by one: what was drawn before a failure is published
        told()
        with self._failures_noted():
            for sent in on_its_way:
                sent()
            self._api.now(lambda client: self._put(client, drawn))

    def _last_pages(self, tuning: RunningTuningJob, result: TuningResult) -> Iterator[Page]:
        yield from pages(tuning.ledger, result, tuning.now(), self._addresses)
        if (drawn := pictures_page(tuning.ledger, result)) is not None:
            yield drawn

    @contextlib.contextmanager
    def _failures_noted(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._fail(error)

    def _prepare(self, client: SyncPrefectClient) -> None:
        """Load what draws, and ask what will be needed, where nothing waits for it."""
        import amt_flows.show.pictures.overview  # noqa: F401

        with contextlib.suppress(PrefectException, httpx.HTTPError):
            self._made = self._made_before(client)
            self._addresses = forms(client)

    def _put(self, client: SyncPrefectClient, drawn: Iterable[Page]) -> None:
        # Forgotten until it has worked: an artifact that somebody deleted is made anew, and one whose making
        # had no answer is found.
        made, self._made = self._made, None
        if made is None:
            made = self._made_before(client)
        for page in drawn:
            if page.kind in made:
                news = ArtifactUpdate(data=page.data, description=page.description, metadata_=self._metadata)
                client.update_artifact(made[page.kind], news)
            else:
                made[page.kind] = client.create_artifact(self._artifact(page)).id
        self._made = made
        if self._addresses is None:
            with contextlib.suppress(PrefectException, httpx.HTTPError):
                self._addresses = forms(client)

    def _made_before(self, client: SyncPrefectClient) -> dict[str, UUID]:
        """The flow run's artifacts: this may be a retry."""
        kinds = {artifact_key(kind, self._name): kind for kind in KINDS}
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                key=ArtifactFilterKey(any_=list(kinds)),
                flow_run_id=ArtifactFilterFlowRunId(any_=[self._flow_run_id]),
            )
        )
        return {kinds[one.key]: one.id for one in found if one.key in kinds}

    def _artifact(self, page: Page) -> ArtifactCreate:
        # The flow run is named, for there is no run context in the background.
        return ArtifactCreate(
            key=artifact_key(page.kind, self._name),
            type=page.type,
            data=page.data,
            description=page.description,
            metadata_=self._metadata,
            flow_run_id=self._flow_run_id,
        )
