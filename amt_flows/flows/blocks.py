"""Block types: where training jobs run, where their records are kept, and a whole tuning job, to be kept on a
Prefect server and named in parameters."""

from __future__ import annotations

# Annotations are real types here, not text: Prefect reads a block's schema from them.
from typing import Any, ClassVar, Union

from prefect.blocks.abstract import JobBlock, JobRun
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from amt_flows.backends.home import home_directory
from amt_flows.backends.places import Place, open_backend, open_journal, open_place
from amt_flows.backends.quota import with_quota
from amt_flows.errors import BackendError
from amt_flows.names import made_up_name
from amt_flows.ports import Backend
from amt_flows.results import TuningResult
from amt_flows.results.result import finished_result
from amt_flows.spec import TuningSpec
from amt_flows.tracking.beside import Beside, onlooker_of
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import stop_jobs_on_breakdown
from amt_flows.tuning.loop import Stages, drive, fill_slots

DOCUMENTATION = HttpUrl("https://pypi.org/project/amt-flows/")
SHARED = (
    "Where training jobs have their directories, at the same path on all machines; by default "
    "$AMT_FLOWS_SHARED, $AMT_FLOWS_HOME or ~/.amt-flows."
)


class LocalTraining(Block):
    """Runs training jobs as processes of the machine that runs the flow.

    Example:
        ```python
        from amt_flows.flows.blocks import LocalTraining

        training = LocalTraining.load("BLOCK_NAME")
        backend = training.backend()
        ```
    """

    _block_type_name = "AMT Local Training"
    _block_type_slug = "amt-local-training"
    _description = "Runs training jobs as processes of the machine that runs the flow."
    _documentation_url = DOCUMENTATION

    directory: str | None = Field(
        default=None,
        title="Directory",
        description="Where training jobs have their directories; by default $AMT_FLOWS_HOME or ~/.amt-flows.",
    )

    def backend(self) -> Backend:
        """The backend for :func:`amt_flows.flows.run_tuning`."""
        from amt_flows.backends.local import LocalBackend

        return LocalBackend(home_directory(self.directory))


class SageMakerTraining(Block):
    """Runs each training job as a SageMaker training job.

    Example:
        ```python
        from amt_flows.flows.blocks import SageMakerTraining

        training = SageMakerTraining.load("BLOCK_NAME")
        backend = training.backend()
        ```
    """

    _block_type_name = "AMT SageMaker Training"
    _block_type_slug = "amt-sagemaker-training"
    _description = "Runs each training job as a SageMaker training job."
    _documentation_url = DOCUMENTATION

    region: str | None = Field(
        default=None,
        title="Region",
        description="AWS region; by default that of the credentials, the environment or the profile.",
    )
    credentials: str | None = Field(
        default=None,
        title="AWS Credentials block",
        description="Name of an `aws-credentials` block of prefect-aws; by default boto3's own chain.",
    )
    poll_seconds: float = Field(
        default=20.0, ge=1, le=3600, title="Poll every", description="Seconds between two looks at the jobs."
    )
    launch_seconds: float = Field(
        default=0.2, ge=0, le=60, title="Launch every", description="Seconds between two launches."
    )
    approximate_curves: bool = Field(
        default=False,
        title="Approximate curves",
        description="Judge by CloudWatch's averages of a minute where the logs may not be read.",
    )

    def backend(self) -> Backend:
        """The backend for :func:`amt_flows.flows.run_tuning`. Raises BackendError when the credentials' block
        can't be used."""
        from amt_flows.backends.sagemaker import SageMakerBackend

        return SageMakerBackend(
            self._session(),
            region=self.region,
            poll_seconds=self.poll_seconds,
            launch_seconds=self.launch_seconds,
            approximate_curves=self.approximate_curves,
        )

    def _session(self) -> Any:
        if self.credentials is None:
            return None
        name = self.credentials.rpartition("/")[2]
        try:
            block: Any = Block.load(f"aws-credentials/{name}")
            return block.get_boto3_session()
        except Exception as error:
            raise BackendError(
                f"The block aws-credentials/{name} can't be used: {error}",
                remedy="pip install prefect-aws, and save the block on the server that the flow runs with",
            ) from error


class RayTraining(Block):
    """Runs each training job on a Ray cluster.

    Example:
        ```python
        from amt_flows.flows.blocks import RayTraining

        training = RayTraining.load("BLOCK_NAME")
        backend = training.backend()
        ```
    """

    _block_type_name = "AMT Ray Training"
    _block_type_slug = "amt-ray-training"
    _description = "Runs each training job as a job of a Ray cluster."
    _documentation_url = DOCUMENTATION

    url: str = Field(title="URL", description="Of the cluster's head, e.g. http://head:8265.")
    directory: str | None = Field(default=None, title="Directory", description=SHARED)

    def backend(self) -> Backend:
        """The backend for :func:`amt_flows.flows.run_tuning`. Raises BackendError."""
        return open_backend(f"ray:{self.url}", home=self.directory)


class WorkPoolTraining(Block):
    """Runs each training job as a flow run of a Prefect work pool.

    Example:
        ```python
        from amt_flows.flows.blocks import WorkPoolTraining

        training = WorkPoolTraining.load("BLOCK_NAME")
        backend = training.backend()
        ```
    """

    _block_type_name = "AMT Work Pool Training"
    _block_type_slug = "amt-work-pool-training"
    _description = "Runs each training job as a flow run of a Prefect work pool."
    _documentation_url = DOCUMENTATION

    pool: str = Field(
        title="Work pool",
        description="Its name; `amt-flows register-work-pool` has given it what it needs.",
    )
    directory: str | None = Field(default=None, title="Directory", description=SHARED)

    def backend(self) -> Backend:
        """The backend for :func:`amt_flows.flows.run_tuning`. Raises BackendError."""
        return open_backend(f"work-pool:{self.pool}", home=self.directory)


class TuningRecords(Block):
    """Says where the records of tuning jobs are kept.

    Example:
        ```python
        from amt_flows.flows.blocks import TuningRecords

        records = TuningRecords.load("BLOCK_NAME")
        journal = records.journal("digits")
        ```
    """

    _block_type_name = "AMT Tuning Records"
    _block_type_slug = "amt-tuning-records"
    _description = "Says where the records of tuning jobs are kept: a directory, or a folder in S3."
    _documentation_url = DOCUMENTATION

    home: str = Field(
        title="Home", description="A directory, or s3://bucket/folder for records that any machine can reach."
    )

    def journal(self, name: str) -> Any:
        """The journal of the tuning job ``name``. Raises TuningJobNotFound for what can't be a name."""
        return open_journal(name, self.home)


class TuningRun(JobRun[TuningResult]):
    """A tuning job that was triggered, in this process."""

    def __init__(self, tuning: Tuning, onlooker: Beside) -> None:
        self.tuning = tuning
        self._onlooker = onlooker

    def wait_for_completion(self) -> None:  # type: ignore[override]
        """Drive it to its end: training jobs are stopped early and new ones are launched meanwhile only."""
        try:
            with stop_jobs_on_breakdown(self.tuning):
                drive(self.tuning)
            self._onlooker.conclude()
        finally:
            self._onlooker.close()

    def fetch_result(self) -> TuningResult:  # type: ignore[override]
        """Raises TuningJobFailed when it came to no model, RuntimeError while it runs."""
        if not self.tuning.ledger.finished:
            raise RuntimeError("the tuning job runs still: call wait_for_completion() first")
        return finished_result(self.tuning)


class TuningJob(JobBlock[TuningResult]):
    """A tuning job: what to tune, and where.

    Example:
        ```python
        from amt_flows.flows.blocks import TuningJob

        tuning_job = TuningJob.load("BLOCK_NAME")
        run = tuning_job.trigger()
        run.wait_for_completion()
        result = run.fetch_result()
        ```
    """

    _block_type_name = "AMT Tuning Job"
    _block_type_slug = "amt-tuning-job"
    _description = "A tuning job: what to tune, and where its training jobs run."
    _documentation_url = DOCUMENTATION
    _events_excluded_methods: ClassVar[list[str]] = [*Block._events_excluded_methods, "spec"]

    tuning: TuningSpec = Field(title="Tuning", description="What to tune, how one job is run, when to stop.")
    # Prefect reads unions of this kind.
    training: Union[LocalTraining, SageMakerTraining, RayTraining, WorkPoolTraining] = Field(  # noqa: UP007
        default_factory=LocalTraining, title="Training", description="Where training jobs run."
    )
    records: TuningRecords | None = Field(
        default=None, title="Records", description="Where records are kept; by default as without a block."
    )

    def trigger(self) -> TuningRun:  # type: ignore[override]
        """Open the tuning job and launch its first training jobs. A tuning without a name gets one; with one,
        it is gone on with. Raises SpecError before anything was launched, NameTaken, JournalError."""
        spec = self.tuning if self.tuning.name is not None else self.tuning.named(made_up_name())
        name = str(spec.name)
        journal = open_journal(name) if self.records is None else self.records.journal(name)
        onlooker = onlooker_of(spec)
        try:
            backend = onlooker.backend(with_quota(self.training.backend(), spec))
            tuning = Tuning.open(spec, backend, onlooker.journal(journal))
            with stop_jobs_on_breakdown(tuning):
                if not tuning.ledger.concluding:
                    fill_slots(tuning, Stages())
        except BaseException:
            onlooker.close()
            raise
        return TuningRun(tuning, onlooker)


TRAINING: tuple[type[Block], ...] = (LocalTraining, SageMakerTraining, RayTraining, WorkPoolTraining)


def training_block(name: str) -> Backend:
    """The backend of a block that is named as ``amt-sagemaker-training/prod``. Raises BackendError."""
    slugs = {kind.get_block_type_slug(): kind for kind in TRAINING}
    slug, _, document = name.partition("/")
    if slug not in slugs or not document:
        raise BackendError(
            f"{name!r} is no block of a place for training jobs.",
            remedy=f"write one of {', '.join(f'{slug}/<name>' for slug in slugs)}",
        )
    try:
        block: Any = slugs[slug].load(document)
    except ValueError as error:
        raise BackendError(
            f"The block {name} can't be loaded: {error}",
            remedy="save it first, in the UI or from a file; `prefect block ls` lists what there is",
        ) from error
    return block.backend()  # type: ignore[no-any-return]


def backend_for(backend: str, *, region: str | None, home: str | None, training: str | None) -> Place:
    """The backend that a flow's parameters ask for: the block, if one is named. Raises BackendError."""
    if training:
        return training_block(training)
    # A form sends an empty text for what was left empty, and hooks see the parameters as they were sent.
    return open_place(backend, home=home or None, region=region or None)
