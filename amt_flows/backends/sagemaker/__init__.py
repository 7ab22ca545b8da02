"""Training jobs on SageMaker, one ``CreateTrainingJob`` each. Needs the extra ``amt-flows[sagemaker]``."""

from amt_flows.backends.sagemaker.backend import SageMakerBackend

__all__ = ["SageMakerBackend"]
