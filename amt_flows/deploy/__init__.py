"""From a finished tuning job to a model at work: on this machine, on SageMaker, and in MLflow.

Everything here is a plain function that may be called again after it was interrupted, at any point: it finds
what is there already, and goes on. As steps of a Prefect flow they are in :mod:`amt_flows.flows`.
"""

from amt_flows.deploy.attempt import EndpointProgress
from amt_flows.deploy.candidate import Candidate, candidate_of
from amt_flows.deploy.champion import Champion, Comparison, compare
from amt_flows.deploy.endpoints import LiveEndpoint, deploy_endpoint, roll_back_endpoint
from amt_flows.deploy.ensuring import Made
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.local import (
    LocalPromotion,
    current_version,
    local_champion,
    promote_local,
    roll_back_local,
    versions,
)
from amt_flows.deploy.local_layout import Version
from amt_flows.deploy.mlflow_registry import (
    MlflowPromotion,
    mlflow_champion,
    promote_mlflow,
    roll_back_mlflow,
)
from amt_flows.deploy.models import create_endpoint_configuration, create_model
from amt_flows.deploy.promotion import Promotion, champion_at, promote
from amt_flows.deploy.registry import (
    Registered,
    approve_model_package,
    register_model,
    registry_champion,
)
from amt_flows.deploy.settings import EndpointSettings, ModelSettings, PackageSettings, Waiting
from amt_flows.deploy.target import Place, Target, check_target

__all__ = [
    "Candidate",
    "Champion",
    "Comparison",
    "EndpointProgress",
    "EndpointSettings",
    "Hosting",
    "LiveEndpoint",
    "LocalPromotion",
    "Made",
    "MlflowPromotion",
    "ModelSettings",
    "PackageSettings",
    "Place",
    "Promotion",
    "Registered",
    "Target",
    "Version",
    "Waiting",
    "approve_model_package",
    "candidate_of",
    "champion_at",
    "check_target",
    "compare",
    "create_endpoint_configuration",
    "create_model",
    "current_version",
    "deploy_endpoint",
    "local_champion",
    "mlflow_champion",
    "promote",
    "promote_local",
    "promote_mlflow",
    "register_model",
    "registry_champion",
    "roll_back_endpoint",
    "roll_back_local",
    "roll_back_mlflow",
    "versions",
]
