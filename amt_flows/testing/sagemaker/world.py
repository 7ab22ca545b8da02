"""The simulated SageMaker as a whole: what a test makes, enters and looks into."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.models import MockAWS

from amt_flows.backends.simulated import Script, VirtualClock
from amt_flows.ports import Clock
from amt_flows.testing.sagemaker import refusals
from amt_flows.testing.sagemaker.async_inference import AsyncInvocation, Promised
from amt_flows.testing.sagemaker.calls import Answer, Call, Place
from amt_flows.testing.sagemaker.clocks import AcceleratedClock
from amt_flows.testing.sagemaker.commands import Command, Commands, find_command
from amt_flows.testing.sagemaker.credentials import Credentials, made_up
from amt_flows.testing.sagemaker.endpoint_operations import EndpointOperations
from amt_flows.testing.sagemaker.endpoints import pace
from amt_flows.testing.sagemaker.faults import Fault, Faults, When
from amt_flows.testing.sagemaker.hosting import Hosting
from amt_flows.testing.sagemaker.inference import Inference, Invocation
from amt_flows.testing.sagemaker.job import Driver, SimulatedTrainingJob
from amt_flows.testing.sagemaker.lags import Lags
from amt_flows.testing.sagemaker.moto_patches import plant, uproot
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.real import RealTraining
from amt_flows.testing.sagemaker.refusals import Refusal
from amt_flows.testing.sagemaker.scripted import ScriptedTraining
from amt_flows.testing.sagemaker.scripts import JobScript
from amt_flows.testing.sagemaker.sdk_settings import write_settings
from amt_flows.testing.sagemaker.server import serve
from amt_flows.testing.sagemaker.service import Service
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.throttling import Throttle, Throttles
from amt_flows.testing.sagemaker.tuner import Tuner
from amt_flows.testing.sagemaker.tuning import SimulatedTuningJob
from amt_flows.testing.sagemaker.tuning_operations import OnCreate
from amt_flows.testing.sagemaker.twins import Tagged


@contextmanager
def _fresh_moto() -> Iterator[None]:
    """Moto's backends empty at both ends, unless somebody else mocks with them."""
    shared = getattr(MockAWS, "_nested_count", 0) > 0
    if not shared:
        BackendDict.reset()
    yield
    if not shared:
        BackendDict.reset()


Scripts = Script | JobScript
Train = Scripts | Callable[[Mapping[str, str]], Scripts]
Behaviour = Scripts | Command
Behave = Callable[[Mapping[str, Any]], Behaviour]


class SimulatedSageMaker:
    """A SageMaker on moto in which training jobs live. Use it as a context manager; boto3 clients made
    inside talk to it, and to moto's other services.

    What a training job does is said in one of three ways:

    - ``train``: a script for all jobs, or a function from a job's hyperparameters to its script, the same
      that :class:`~amt_flows.backends.simulated.SimulatedBackend` takes;
    - ``commands``: the commands that really run for training images (``{"my-image:1": ["python",
      "train.py"]}``; patterns as of file names are allowed), or ``{}`` to run what the requests say;
    - ``behave``: a function from the request to a script or a :class:`Command`, for everything else.

    Time is virtual, and stands still until :meth:`advance` or ``tick_seconds`` moves it, unless there are
    ``commands`` or a ``clock`` is given. ``stop_grace_seconds`` is the time from SIGTERM to SIGKILL.
    ``tick_seconds`` is how long every API call takes, for code that polls and can't be told of the clock.
    ``endpoint_seconds`` is how long it takes until an endpoint is in service, or has been updated.
    ``throttles`` and ``seed`` are those of :class:`~.throttling.Throttles`. With ``create_buckets`` a model's
    bucket is made where there is none, else such a job fails.

    With ``tunes``, tuning jobs tune: amt-flows' own engine proposes configurations, launches training jobs,
    stops poor ones early, and ends when a completion criterion holds. Without it they keep state, for tests
    that launch training jobs themselves or bring an engine of their own (``on_create_tuning_job``, see
    :mod:`~.tuning`).

    A world is entered once. Several may be open at a time: the newest answers.
    """

    def __init__(
        self,
        train: Train | None = None,
        *,
        commands: Commands | None = None,
        behave: Behave | None = None,
        clock: Clock | None = None,
        quotas: Quotas | None = None,
        throttles: Mapping[str, Throttle] | None = None,
        lags: Lags | None = None,
        stop_grace_seconds: float = 120.0,
        tick_seconds: float = 0.0,
        create_buckets: bool = True,
        seed: int = 0,
        endpoint_seconds: float = 240.0,
        tunes: bool = False,
        on_create_tuning_job: OnCreate | None = None,
    ) -> None:
        if sum(given is not None for given in (train, commands, behave)) > 1:
            raise ValueError("give one of train, commands and behave")
        if tunes and on_create_tuning_job is not None:
            raise ValueError("give one of tunes and on_create_tuning_job")
        self.clock: Clock = clock or (VirtualClock() if commands is None else AcceleratedClock())
        if tick_seconds and not isinstance(self.clock, VirtualClock):
            raise ValueError("tick_seconds moves a virtual clock; this world has another one")
        self.calls: Counter[str] = Counter()
        """How often each operation was called, of all services, refused calls included."""
        self.actions: Counter[str] = Counter()
        """The same by the action that a policy must allow, such as ``logs:GetLogEvents``."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """How often an operation was refused with an error code."""
        self._commands = commands
        self._behave = behave
        self._train = train
        self._tick_seconds = tick_seconds
        self._faults, self._throttles = Faults(seed), Throttles(throttles or {}, seed)
        self._shared = SharedState(
            clock=self.clock,
            lags=lags or Lags(),
            stop_grace_seconds=stop_grace_seconds,
            create_buckets=create_buckets,
            directory=self._make_directory,
        )
        self._tuner = Tuner(self._shared)
        on_create = self._tuner if tunes else on_create_tuning_job
        self._service = Service(self._shared, self._driver, quotas or Quotas(), on_create)
        self._service.endpoints.deploy = pace(endpoint_seconds)
        self._hosting = Hosting(self._shared, self._service.endpoints, commands is not None, seed)
        self._open = ExitStack()
        self._entered = False
        self._directory: Path | None = None

    # -- life ------------------------------------------------------------------------------------

    def __enter__(self) -> SimulatedSageMaker:
        self._enter(mock=True)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def _enter(self, *, mock: bool) -> None:
        if self._entered:
            raise RuntimeError("a world is entered once; make a new one")
        self._entered = True
        with ExitStack() as opening:
            opening.enter_context(mock_aws() if mock else _fresh_moto())
            opening.callback(self._remove_directory)
            opening.callback(self._abandon)
            opening.callback(self._hosting.close)
            plant(self)
            opening.callback(uproot, self)
            self._open = opening.pop_all()

    @contextmanager
    def serve(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        credentials: Credentials | None = None,
        allowed_hosts: Sequence[str] = (),
    ) -> Iterator[str]:
        """Serve over HTTP, on a free port by default, until the block is left. Yields the URL for
        ``AWS_ENDPOINT_URL``. A world that was not entered is, without mocking this process's own clients:
        they need the URL and the credentials like everybody else.

        Only requests that are signed with ``credentials`` are answered, made up if not given; while it is
        served, :attr:`environment` has the variables for clients. No web page is answered, nor anybody who
        calls this machine by a name that is neither its own nor one of ``allowed_hosts``.
        """
        credentials = credentials or made_up()
        with ExitStack() as serving:
            if not self._entered:
                self._enter(mock=False)
                serving.callback(self._open.close)
            url = serving.enter_context(serve(host, port, credentials, allowed_hosts))
            before = self._shared.environment
            settings = write_settings(self._make_directory())
            self._shared.environment = {"AWS_ENDPOINT_URL": url, **credentials.environment(), **settings}
            try:
                yield url
            finally:
                self._shared.environment = before

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which AWS's clients in any process find this world while it is served: endpoint,
        credentials, and the settings of SageMaker's SDK. Empty when it isn't."""
        return dict(self._shared.environment)

    def _abandon(self, place: tuple[str, str] | None = None) -> None:
        """End all that runs, or what runs in one account and region."""
        jobs = [job for job in self.jobs if place in (None, (job.account, job.region))]
        with self._shared.lock:
            self._tuner.abandon(place)
            for job in jobs:
                if job.driver is not None:
                    job.driver.abandon()
        self._tuner.join()
        for job in jobs:
            if isinstance(job.driver, RealTraining):
                job.driver.join()

    def forget(self, account: str, region: str) -> None:
        """Drop all jobs of an account and region, as moto does when it is reset."""
        self._abandon((account, region))
        with self._shared.lock:
            self._service.forget((account, region))

    def adopt(self, account: str, region: str) -> None:
        """Take over what moto has made by itself, as by CloudFormation."""
        with self._shared.lock:
            self._service.adopt((account, region))

    def tagged(self, account: str, region: str, arn: str) -> Tagged | None:
        """What is simulated here and has this ARN."""
        with self._shared.lock:
            self._service.adopt((account, region))
            return self._service.tagged((account, region), arn)

    def _make_directory(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="simulated-sagemaker-"))
        return self._directory

    def _remove_directory(self) -> None:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _driver(self, job: SimulatedTrainingJob) -> Driver:
        behaviour = self._behaviour(job)
        if isinstance(behaviour, (Script, JobScript)):
            return ScriptedTraining(job, JobScript.of(behaviour), self._shared)
        number = len(self._service.training.jobs)
        directory = self._shared.directory() / f"{number:05d}-{job.name.lower()}"
        return RealTraining(job, behaviour, self._shared, directory)

    def _behaviour(self, job: SimulatedTrainingJob) -> Scripts | Callable[[], Command]:
        if self._commands is not None:
            commands = self._commands
            return lambda: find_command(job.request, commands, job.algorithm.get("TrainingImage"))
        if self._behave is not None:
            chosen = self._behave(job.request)
            return (lambda: chosen) if isinstance(chosen, Command) else chosen
        if self._train is None:
            return JobScript()
        return self._train(job.hyperparameters) if callable(self._train) else self._train

    @property
    def empty_log_pages(self) -> int:
        return self._shared.lags.empty_log_pages

    # -- calls, from moto ------------------------------------------------------------------------

    def admit(self, service: str, operation: str, params: Mapping[str, Any]) -> Fault | None:
        """Count a call and let time pass. Raises Refusal; a fault that is returned loses the answer."""
        with self._shared.lock:
            self.calls[operation] += 1
            self.actions[f"{service}:{operation}"] += 1
            if self._tick_seconds:
                self.advance(self._tick_seconds)
            self._shared.settle()
            try:
                fault = self._faults.strikes(operation, params)
                if fault is not None and not fault.after:
                    raise fault.refusal
                if not self._throttles.admits(operation, self.clock.now()):
                    raise refusals.throttled()
            except Refusal as refusal:
                self.refused[operation, refusal.code] += 1
                raise
        return fault

    def answer(self, call: Call) -> Answer | None:
        if not self._service.serves(call):
            return None
        try:
            return self._service.answer(call)
        except Refusal as refusal:
            with self._shared.lock:
                self.refused[call.operation, refusal.code] += 1
            raise

    def invoke(self, place: Place, endpoint: str, asked: Invocation, target: str | None) -> Inference:
        return self._hosting.invoke(place, endpoint, asked, target)

    def invoke_async(self, place: Place, endpoint: str, asked: AsyncInvocation) -> Promised:
        return self._hosting.invoke_async(place, endpoint, asked)

    # -- what a test does ------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        if not isinstance(self.clock, VirtualClock):
            raise TypeError("this world's clock is real: wait for it")
        with self._shared.lock:
            self.clock.advance(seconds)
            self._shared.settle()

    def sleep(self, seconds: float) -> None:
        """Let time pass: to be given to code in the place of ``time.sleep``. Returns at once when time is
        virtual, and takes as long as its clock says when it isn't."""
        if isinstance(self.clock, VirtualClock):
            self.advance(max(0.0, seconds))
        else:
            time.sleep(max(0.0, seconds) / getattr(self.clock, "speed", 1.0))

    def run(self, seconds: float = float("inf")) -> None:
        """Let virtual time pass until no job lives and no tuning job tunes, nothing is going to happen any
        more, or ``seconds`` are over. Jobs that hang run into their time limit."""
        until = self.clock.now() + seconds
        # The newest first: they live longest, and one that lives is enough.
        while self._tuner.busy or any(job.live for job in reversed(self._service.training.jobs)):
            due = self.next_event()
            if due is None or due > until:
                break
            self.advance(max(0.0, due - self.clock.now()))

    def next_event(self) -> float | None:
        """When the next thing is going to happen, in seconds since the epoch: to :meth:`advance` from one to
        the next. What was planned and has been overtaken counts, too. None: nothing happens by itself."""
        with self._shared.lock:
            return self._shared.agenda.next_time()

    def inject(
        self,
        operation: str,
        refusal: Refusal,
        *,
        times: int | None = None,
        when: When | None = None,
        rate: float = 1.0,
        after: bool = False,
    ) -> Fault:
        """Order a fault; see :meth:`~.faults.Faults.order`. Operations are those of any service, ``when``
        sees parameters of SageMaker's only, and nothing can be done ``after`` in S3."""
        with self._shared.lock:
            return self._faults.order(operation, refusal, times=times, when=when, rate=rate, after=after)

    def expire_credentials(self) -> Fault:
        """Refuse every call from now on; ``remove()`` the answer to renew them."""
        return self.inject("*", refusals.expired_credentials())

    def interrupt(self, name: str) -> None:
        """Take the spot instances of a job that is training. Raises KeyError, ValueError."""
        job = self.job(name)
        if not job.spot:
            raise ValueError(f"{name} is not a managed spot training job")
        with self._shared.lock:
            self._shared.settle()
            assert job.driver is not None
            job.driver.interrupt(self.clock.now())

    # -- what a test sees ------------------------------------------------------------------------

    @property
    def jobs(self) -> Sequence[SimulatedTrainingJob]:
        """Every training job that was ever created here, in order: the proof that none was twice."""
        return tuple(self._service.training.jobs)

    @property
    def launches(self) -> Sequence[str]:
        """The names of ``jobs``."""
        return tuple(job.name for job in self.jobs)

    @property
    def endpoints(self) -> EndpointOperations:
        """Models, endpoint configurations and endpoints. Set its ``deploy`` to say what becomes of what is
        deployed; by default all goes well."""
        return self._service.endpoints

    @property
    def tuning_jobs(self) -> Sequence[SimulatedTuningJob]:
        return tuple(self._service.tuning.jobs)

    @property
    def live(self) -> Sequence[SimulatedTrainingJob]:
        """The jobs that hold instances now."""
        self._shared.settle()
        return tuple(job for job in self.jobs if job.live)

    def job(self, name: str) -> SimulatedTrainingJob:
        """The newest training job of a name. Raises KeyError."""
        self._shared.settle()
        for job in reversed(self.jobs):
            if job.name.lower() == name.lower():
                return job
        raise KeyError(name)

    @property
    def processes(self) -> Sequence[int]:
        """The numbers of the training processes that run now."""
        return tuple(job.pid for job in self.jobs if job.pid is not None)
