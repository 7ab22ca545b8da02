"""What was written for the SageMaker Python SDK, as a :class:`~amt_flows.spec.TuningSpec`.

Tuners of SDK v3 (``sagemaker.train.tuner``) and v2 (``sagemaker.tuner``) are read by their shape: the SDK
is never imported, and the conversion makes no call to AWS. The spec, written back with
:func:`amt_flows.spec.amt_request.to_amt_request`, is the request that the SDK itself would send. What the
SDK's tuner leaves out of its request although it was asked for is kept: the modules ``tuner``,
``model_trainer`` and ``estimator`` list it.
"""

from amt_flows.sagemaker_sdk.prepare import prepare
from amt_flows.sagemaker_sdk.ranges import Ranges, ranges_from
from amt_flows.sagemaker_sdk.tuner import spec_from_tuner

__all__ = ["Ranges", "prepare", "ranges_from", "spec_from_tuner"]
