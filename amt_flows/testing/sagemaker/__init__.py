"""A SageMaker in which training jobs live, for tests: on moto, without a cloud, in no time.

Moto alone completes every training job at once and stops none. Here jobs start, download, train, upload and
end; they print, fail, hang, are stopped, run into time limits and lose their spot instances; the service
checks requests as strictly as AWS, knows names that are taken, quotas, rate limits and expired credentials,
and tells some things late. Logs are in CloudWatch Logs, metrics in CloudWatch, models in S3. It needs the
extra ``amt-flows[simulator]``.

**A test of your own pipeline.** Scripted jobs follow a script on a virtual clock:

    import boto3
    import pytest
    from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker, throttled

    def train(hyperparameters):  # what a job does, from its hyperparameters
        rate = float(hyperparameters["rate"])
        return JobScript([rate * epoch for epoch in range(1, 11)], seconds_per_epoch=60)

    @pytest.fixture
    def world():
        with SimulatedSageMaker(train, tick_seconds=30) as world:  # a call takes half a minute
            yield world

    def test_the_pipeline_trains_once_and_survives_throttling(world):
        world.inject("CreateTrainingJob", throttled(), times=2)
        my_pipeline(boto3.client("sagemaker", region_name="eu-west-1"))
        [job] = world.jobs
        assert job.status == "Completed"
        assert world.calls["CreateTrainingJob"] == 3

Code that sleeps between its polls can be given ``world.sleep``; a test moves time itself by
``world.advance(seconds)`` or ``world.run()``.

**Running the training for real**, each job as a process in SageMaker's container layout:

    with SimulatedSageMaker(commands={"my-image:1": ["python", "train.py"]}) as world:
        ...

**Tuning jobs** keep state, for tests that move them on themselves, or with ``tunes=True`` are tuned by
amt-flows' own engine: what CreateHyperParameterTuningJob asks for is what happens, in scripted time and with
real training, and Describe, List, Search, Stop and Delete tell of it and act on it as on AWS.

    with SimulatedSageMaker(train, tunes=True) as world:
        sagemaker.create_hyper_parameter_tuning_job(**request)
        world.run()
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=...)["BestTrainingJob"]

**Behind a URL**, for other processes, which find it by the variables of ``world.environment``:

    world = SimulatedSageMaker(train)
    with world.serve() as url:
        subprocess.run(["my-program"], env={**os.environ, **world.environment})

or from a shell, where the command prints them:

    python -m amt_flows.testing.sagemaker --port 5000 --command 'my-image:*' 'python train.py'

Whoever can call it can run programs, so only requests that are signed with its credentials are answered, and
none that a web page makes.

There tuning jobs tune unless told ``--no-tune``, so that SageMaker's own SDK tunes on one's own machine.

**Endpoints** answer by the inference script of their model where programs run, else by something made up that
says so. What isn't simulated, by moto neither, is refused with an error that names it.

What is not simulated: what roles and policies allow (moto can, by its ``set_initial_no_auth_action_count``),
VPCs, keys, data sources other than S3, more than one host (the first of several runs), and Pipe mode.
"""

try:
    import moto.sagemaker  # noqa: F401
except ImportError as error:
    raise ImportError(
        "the simulated SageMaker stands on moto, which is not installed: pip install 'amt-flows[simulator]'"
    ) from error

from amt_flows.testing.sagemaker.clocks import AcceleratedClock
from amt_flows.testing.sagemaker.commands import Command
from amt_flows.testing.sagemaker.credentials import Credentials
from amt_flows.testing.sagemaker.faults import Fault
from amt_flows.testing.sagemaker.job import Emission, Line, SimulatedTrainingJob, Start, Transition
from amt_flows.testing.sagemaker.lags import Lags
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.refusals import (
    Refusal,
    access_denied,
    connection_lost,
    expired_credentials,
    internal_failure,
    limit_exceeded,
    service_unavailable,
    throttled,
    validation,
)
from amt_flows.testing.sagemaker.scripts import End, JobScript
from amt_flows.testing.sagemaker.throttling import Chance, TokenBucket
from amt_flows.testing.sagemaker.tuning import SimulatedTuningJob, TuningEngine
from amt_flows.testing.sagemaker.world import SimulatedSageMaker

__all__ = [
    "AcceleratedClock",
    "Chance",
    "Command",
    "Credentials",
    "Emission",
    "End",
    "Fault",
    "JobScript",
    "Lags",
    "Line",
    "Quotas",
    "Refusal",
    "SimulatedSageMaker",
    "SimulatedTrainingJob",
    "SimulatedTuningJob",
    "Start",
    "TokenBucket",
    "Transition",
    "TuningEngine",
    "access_denied",
    "connection_lost",
    "expired_credentials",
    "internal_failure",
    "limit_exceeded",
    "service_unavailable",
    "throttled",
    "validation",
]
