"""What the simulated SageMaker says without knowing that AWS says it, as questions that an account can
answer.

Each is taken from a document that leaves it open, from issues that quote it once, or from moto. The answers
are found by :mod:`.compare`; docs/simulator.md lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.testing.sagemaker.asking import Asker, members

Ask = Callable[[Asker], Any]


@dataclass(frozen=True)
class Question:
    """One question. ``seconds`` is how long its training jobs may run at most, all together: 0 costs
    nothing."""

    name: str
    text: str
    source: str
    """Where the simulator's answer is from."""
    ask: Ask
    seconds: int = 0

    def dollars(self, asker: Asker) -> float:
        """The most that it can cost."""
        return self.seconds / 3600 * asker.place.dollars_per_hour


def _unknown_training_job(asker: Asker) -> Any:
    return asker.refusal("describe_training_job", TrainingJobName=asker.name("none"))


def _unknown_tuning_job(asker: Asker) -> Any:
    name = asker.name("none")
    return asker.refusal("describe_hyper_parameter_tuning_job", HyperParameterTuningJobName=name)


def _unknown_deployed(asker: Asker) -> Any:
    none = asker.name("none")
    return {
        kind: asker.refusal(f"describe_{kind}", **{f"{member}Name": none})
        for kind, member in (
            ("model", "Model"),
            ("endpoint_config", "EndpointConfig"),
            ("endpoint", "Endpoint"),
            ("model_package_group", "ModelPackageGroup"),
            ("model_package", "ModelPackage"),
            ("algorithm", "Algorithm"),
        )
    }


def _taken_name(asker: Asker) -> Any:
    name = asker.model("taken")
    return [
        asker.refusal(
            "create_model",
            ModelName=given,
            PrimaryContainer={"Image": asker.place.image},
            ExecutionRoleArn=asker.place.role,
        )
        for given in (name, name.upper())
    ]


def _case_of_names(asker: Asker) -> Any:
    name = asker.model("Mixed-Case")
    told = asker.sagemaker.describe_model(ModelName=name)
    found = asker.sagemaker.list_models(NameContains=asker.name("mixed-case").upper())["Models"]
    return {"arn": told["ModelArn"], "found in the other case": [one["ModelName"] for one in found]}


def _order_of_lists(asker: Asker) -> Any:
    names = [asker.model(f"order-{number}") for number in (1, 2)]
    first = asker.sagemaker.describe_model(ModelName=names[0])["CreationTime"]
    part = {"NameContains": asker.name("order")}
    found = asker.sagemaker.list_models(**part)["Models"]
    later = asker.sagemaker.list_models(**part, CreationTimeAfter=first, SortOrder="Ascending")["Models"]
    return {
        "by default": [one["ModelName"] for one in found],
        "created after the first": [one["ModelName"] for one in later],
    }


def _strange_token(asker: Asker) -> Any:
    return [
        asker.refusal(operation, NextToken="c3RyYW5nZQ==")
        for operation in ("list_training_jobs", "list_models", "list_hyper_parameter_tuning_jobs")
    ]


def _tags(asker: Asker) -> Any:
    name = asker.model("tags")
    arn = asker.sagemaker.describe_model(ModelName=name)["ModelArn"]
    given = [{"Key": key, "Value": key} for key in ("b", "c", "a")]
    added = asker.sagemaker.add_tags(ResourceArn=arn, Tags=given)["Tags"]
    listed = asker.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(48)]
    return {
        "added": [tag["Key"] for tag in added],
        "listed": [tag["Key"] for tag in listed],
        "51": asker.refusal("add_tags", ResourceArn=arn, Tags=many),
        "of nothing": asker.refusal("list_tags", ResourceArn=f"{arn}-none"),
    }


def _serverless_memory(asker: Asker) -> Any:
    variant = {
        "VariantName": "a",
        "ModelName": asker.model("memory"),
        "ServerlessConfig": {"MemorySizeInMB": 1111, "MaxConcurrency": 1},
    }
    name = asker.name("memory")
    return asker.refusal("create_endpoint_config", EndpointConfigName=name, ProductionVariants=[variant])


def _configuration_without_model(asker: Asker) -> Any:
    variant = {
        "VariantName": "a",
        "ModelName": asker.name("none"),
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    name = asker.name("no-model")
    return asker.refusal("create_endpoint_config", EndpointConfigName=name, ProductionVariants=[variant])


def _wrong_requests(asker: Asker) -> Any:
    """Each breaks one rule, and is refused before it costs anything."""
    algorithm = {"TrainingImage": asker.place.image, "TrainingInputMode": "File"}
    metric = {"Name": "loss", "Regex": "loss=(.*)"}
    right: dict[str, Any] = {
        "RoleArn": asker.place.role,
        "AlgorithmSpecification": algorithm,
        "OutputDataConfig": {"S3OutputPath": f"s3://{asker.place.bucket}/{asker.run}"},
        "ResourceConfig": asker.instances(),
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    wrong: dict[str, dict[str, Any]] = {
        "neither image nor algorithm": {"AlgorithmSpecification": {"TrainingInputMode": "File"}},
        "a metric twice": {"AlgorithmSpecification": {**algorithm, "MetricDefinitions": [metric, metric]}},
        "no instances": {"ResourceConfig": {"VolumeSizeInGB": 1}},
        "too long": {"StoppingCondition": {"MaxRuntimeInSeconds": 2_419_201}},
        "no waiting time": {"EnableManagedSpotTraining": True},
        "a tag twice": {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]},
    }
    told = {}
    for number, (what, change) in enumerate(wrong.items()):
        name = asker.name(f"wrong-{number}")
        told[what] = asker.refusal("create_training_job", TrainingJobName=name, **{**right, **change})
        if told[what] == "not refused":
            asker.sagemaker.stop_training_job(TrainingJobName=name)
    return told


def _stop_what_has_ended(asker: Asker) -> Any:
    told = asker.train("ended", "true", seconds=60)
    name = {"TrainingJobName": told["TrainingJobName"]}
    return {
        "ended": told["TrainingJobStatus"],
        "stopped again": asker.refusal("stop_training_job", **name),
        "not there": asker.refusal("stop_training_job", TrainingJobName=asker.name("none")),
        "tuning job not there": asker.refusal(
            "stop_hyper_parameter_tuning_job", HyperParameterTuningJobName=asker.name("none")
        ),
    }


def _batches_of_logs(asker: Asker) -> Any:
    asker.train("batches", "for n in 1 2 3 4 5 6; do echo line $n; sleep 2; done; echo", seconds=300)
    logs, group = asker.client("logs"), {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    streams = logs.describe_log_streams(**group, logStreamNamePrefix=f"{asker.name('batches')}/")
    (stream,) = streams["logStreams"]
    asked = {**group, "logStreamName": stream["logStreamName"], "startFromHead": True}
    found = logs.get_log_events(**asked)["events"]
    return {
        "messages": [event["message"] for event in found],
        "batches": len({event["ingestionTime"] for event in found}),
    }


def _packages(asker: Asker) -> Any:
    group = asker.name("group")
    asker.make("create_model_package_group", ModelPackageGroupName=group)
    inference = {
        "Containers": [{"Image": asker.place.image}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = asker.sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=inference)[
        "ModelPackageArn"
    ]
    asker.afterwards(lambda: asker.sagemaker.delete_model_package(ModelPackageName=arn))
    told = asker.sagemaker.describe_model_package(ModelPackageName=arn)
    listed = asker.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return {
        "members": members(told),
        "members in a list": members(listed[0]),
        "approval": told.get("ModelApprovalStatus"),
        "group that has some": asker.refusal("delete_model_package_group", ModelPackageGroupName=group),
        "group that isn't there": asker.refusal(
            "create_model_package", ModelPackageGroupName=asker.name("none"), InferenceSpecification=inference
        ),
        "neither name nor group": asker.refusal("create_model_package", InferenceSpecification=inference),
    }


def _search(asker: Asker) -> Any:
    def with_filter(name: str) -> Any:
        one = {"Name": name, "Operator": "Equals", "Value": "1"}
        return asker.refusal("search", Resource="TrainingJob", SearchExpression={"Filters": [one]})

    return {
        "unknown property": with_filter("Colour"),
        "unknown part": with_filter("ResourceConfig.Colour"),
    }


def _invalid_bucket(asker: Asker) -> Any:
    told = asker.refusal("head_bucket", "s3", Bucket=f"{asker.run}-none")
    return {"none": told.partition(":")[0]}


def _odd_output(asker: Asker) -> Any:
    script = (
        r"printf 'tab\there\n\033[31mred\033[0m\n\none\rtwo\n\x01\x7f\n  spaces  \n\xff\xfe no text\n';"
        r""" python3 -c 'print("x" * 300000)'; printf 'no newline'"""
    )
    asker.train("output", script, seconds=300)
    logs, group = asker.client("logs"), {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    streams = logs.describe_log_streams(**group, logStreamNamePrefix=f"{asker.name('output')}/")
    texts = []
    for stream in streams["logStreams"]:
        asked = {**group, "logStreamName": stream["logStreamName"], "startFromHead": True}
        texts += [event["message"] for event in logs.get_log_events(**asked)["events"]]
    return [text if len(text) < 100 else f"{len(text.encode())} bytes" for text in texts]


def _final_metrics(asker: Asker) -> Any:
    printed = ("0.9", "1e3", "nan", "inf", "1,234.5", "-0.0", "5 and loss=6")
    pause = min(1.0, asker.poll_seconds)  # CloudWatch keeps whole seconds
    script = "; ".join(f"echo loss={value}; sleep {pause}" for value in printed)
    algorithm = {"MetricDefinitions": [{"Name": "loss", "Regex": "loss=([^ ]+)"}]}
    told = asker.train("metrics", script, seconds=300, algorithm=algorithm)
    return [one["Value"] for one in told.get("FinalMetricDataList", ())]


def _failure(asker: Asker) -> Any:
    script = "echo why > ${SAGEMAKER_BASE_DIR:-/opt/ml}/output/failure; exit 137"
    told = asker.train("failure", script, seconds=300)
    return {
        "reason": told.get("FailureReason"),
        "statuses": [one["Status"] for one in told["SecondaryStatusTransitions"]],
    }


def _resources_of_a_tuning_job(asker: Asker) -> Any:
    name = asker.name("hpo")[:32]
    ranges = {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0", "MaxValue": "1"}]}
    asker.sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": ranges,
        },
        TrainingJobDefinition={
            "AlgorithmSpecification": {
                "TrainingImage": asker.place.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([^ ]+)"}],
            },
            "RoleArn": asker.place.role,
            "OutputDataConfig": {"S3OutputPath": f"s3://{asker.place.bucket}/{asker.run}"},
            "HyperParameterTuningResourceConfig": asker.instances(),
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )
    named = {"HyperParameterTuningJobName": name}
    told = asker.sagemaker.describe_hyper_parameter_tuning_job(**named)["TrainingJobDefinition"]
    asker.refusal("stop_hyper_parameter_tuning_job", **named)  # it may have ended
    return {name: told.get(name) for name in ("HyperParameterTuningResourceConfig", "ResourceConfig")} | {
        "added": sorted(told.get("StaticHyperParameters", {}))
    }


QUESTIONS: Final = (
    Question(
        "unknown-training-job",
        "What does Describe say of a training job that isn't there?",
        "quoted in public issues",
        _unknown_training_job,
    ),
    Question(
        "unknown-tuning-job",
        "What does Describe say of a tuning job that isn't there?",
        "the reference has the code, ResourceNotFound; the words are from an issue",
        _unknown_tuning_job,
    ),
    Question(
        "unknown-deployed",
        "And of a model, a configuration, an endpoint, a group, a package and an algorithm?",
        "issues of Terraform and Airflow; for packages and algorithms by analogy",
        _unknown_deployed,
    ),
    Question(
        "taken-name",
        "How is a name refused that is taken, and is it taken in the other case?",
        "an issue; that case doesn't count is the reference's for training jobs",
        _taken_name,
    ),
    Question(
        "case-of-names",
        "Are ARNs in small letters for every kind, and does NameContains mind case?",
        "ARNs as people quote them for training jobs; NameContains is a guess",
        _case_of_names,
    ),
    Question(
        "order-of-lists",
        "Do lists show the newest first, and does CreationTimeAfter include the very moment?",
        "the reference of ListModels: Descending, and greater than or equal to",
        _order_of_lists,
    ),
    Question("strange-token", "How is a NextToken refused that nobody gave?", "a guess", _strange_token),
    Question(
        "tags",
        "In which order are tags listed, and how are more than 50 refused?",
        "50 is the reference's; order and words are guesses",
        _tags,
    ),
    Question(
        "serverless-memory",
        "How is the memory of a serverless variant refused that is no whole gigabyte?",
        "moto",
        _serverless_memory,
    ),
    Question(
        "configuration-without-model",
        "How is a configuration of a model refused that isn't there?",
        "an issue of Terraform",
        _configuration_without_model,
    ),
    Question(
        "packages",
        "Has a version of a group a ModelPackageName, and how are wrong requests refused?",
        "the model of the service says that it must; the refusals are moto's",
        _packages,
    ),
    Question(
        "wrong-requests",
        "How does CreateTrainingJob refuse what breaks a rule between members?",
        "the rules are the reference's; the words about times are from issues, all others guesses",
        _wrong_requests,
        seconds=360,
    ),
    Question("search", "How does Search refuse a property that it doesn't know?", "moto", _search),
    Question("no-bucket", "With which code is a bucket missed?", "S3's reference", _invalid_bucket),
    Question(
        "odd-output",
        "What becomes of tabs, colours, empty lines, no text, 300 kB and no newline in CloudWatch Logs?",
        "the escapes are quoted in issues; the rest is CloudWatch's reference and a guess",
        _odd_output,
        seconds=300,
    ),
    Question(
        "batches-of-logs",
        "In how many batches are lines of twelve seconds handed over, and is an empty line a blank?",
        "CloudWatch's agent and Docker's driver take 5 s; that SageMaker's does, and the blank, are guesses",
        _batches_of_logs,
        seconds=300,
    ),
    Question(
        "stop-what-has-ended",
        "How is a stop refused of what has ended, or isn't there?",
        "issues for training jobs; for tuning jobs by analogy",
        _stop_what_has_ended,
        seconds=60,
    ),
    Question(
        "final-metrics",
        "What is the final value after 0.9, 1e3, nan, inf and 1,234.5, and of a line with two?",
        "the reference says that a Float is kept; the rest is a guess",
        _final_metrics,
        seconds=300,
    ),
    Question(
        "failure",
        "What is the failure reason of a script that wrote its failure and was killed?",
        "issues quote AlgorithmError with exit codes",
        _failure,
        seconds=300,
    ),
    Question(
        "resources-of-a-tuning-job",
        "Is HyperParameterTuningResourceConfig told as ResourceConfig too, and what else is added?",
        "version 2 of the SDK reads ResourceConfig and _tuning_objective_metric where it attaches",
        _resources_of_a_tuning_job,
        seconds=120,
    ),
)
