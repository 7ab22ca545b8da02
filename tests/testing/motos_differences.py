"""In what the simulated SageMaker differs from moto, by moto's own tests (see :mod:`testing.motos_world`)."""

from __future__ import annotations

from typing import Final

VERSION: Final = "5.2.5"
"""Of moto, whose tests these are. With another one a difference that isn't listed here fails the test all the
same; one that is listed may be gone."""

VALUES: Final = frozenset(
    {
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_endpoint_config_update",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_endpoint_update",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_get_attr[test_config2]",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_get_attr[test_config3]",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_get_attr[test_config4]",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_model_update",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_notebook_instance_delete[test_config2]",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_notebook_instance_delete[test_config3]",
        "test_sagemaker_cloudformation.py::test_sagemaker_cloudformation_notebook_instance_delete[test_config4]",
        "test_sagemaker_endpoint.py::test_list_endpoint_configs_filters",
        "test_sagemaker_endpoint.py::test_list_endpoints_filters",
        "test_sagemaker_endpoint.py::test_list_tags_endpoint",
        "test_sagemaker_model_package_groups.py::test_delete_tags_model_package_group",
        "test_sagemaker_model_package_groups.py::test_list_tags_model_package_group",
        "test_sagemaker_model_packages.py::test_update_model_package_given_additional_inference_specifications_to_add",
        "test_sagemaker_models.py::test_add_tags_to_model",
        "test_sagemaker_models.py::test_create_model",
        "test_sagemaker_models.py::test_delete_model",
        "test_sagemaker_models.py::test_delete_tags_from_model",
        "test_sagemaker_models.py::test_describe_model",
        "test_sagemaker_models.py::test_list_models",
        "test_sagemaker_models.py::test_list_models_multiple",
        "test_sagemaker_search.py::test_search_model_package_groups_with_filter",
        "test_sagemaker_search.py::test_search_model_packages",
        "test_sagemaker_training.py::test_list_training_jobs",
        "test_sagemaker_training.py::test_list_training_jobs_multiple",
        "test_sagemaker_training.py::test_list_training_jobs_paginated",
        "test_sagemaker_training.py::test_list_training_jobs_paginated_with_fragmented_targets",
        "test_sagemaker_training.py::test_list_training_jobs_paginated_with_target_in_middle",
        "test_sagemaker_training.py::test_list_training_jobs_with_name_filters",
    }
)
"""Stricter: role ARNs that are none, names with an underscore, digests that are none, keys of 100 characters
and other values that the service's own model refuses."""

CASE: Final = frozenset(
    {
        "test_sagemaker_endpoint.py::test_add_tags_endpoint",
        "test_sagemaker_endpoint.py::test_create_endpoint",
        "test_sagemaker_endpoint.py::test_create_endpoint_config",
        "test_sagemaker_endpoint.py::test_create_endpoint_config_async",
        "test_sagemaker_endpoint.py::test_create_endpoint_config_serverless",
        "test_sagemaker_endpoint.py::test_delete_endpoint",
        "test_sagemaker_endpoint.py::test_delete_endpoint_config",
        "test_sagemaker_endpoint.py::test_delete_tags_endpoint",
        "test_sagemaker_endpoint.py::test_list_endpoint_configs_filters",
        "test_sagemaker_endpoint.py::test_list_endpoints_filters",
        "test_sagemaker_endpoint.py::test_list_tags_endpoint",
        "test_sagemaker_endpoint.py::test_update_endpoint_weights_and_capacities_one_variant",
        "test_sagemaker_endpoint.py::test_update_endpoint_weights_and_capacities_should_throw_clienterror_no_endpoint",
        "test_sagemaker_endpoint.py::test_update_endpoint_weights_and_capacities_should_throw_clienterror_no_variant",
        "test_sagemaker_endpoint.py::test_update_endpoint_weights_and_capacities_should_throw_clienterror_nonunique_variant",
        "test_sagemaker_endpoint.py::test_update_endpoint_weights_and_capacities_two_variants",
        "test_sagemaker_models.py::test_create_model",
        "test_sagemaker_models.py::test_list_models",
    }
)
"""Stricter: an ARN has a name in small letters."""

TAGS: Final = frozenset(
    {
        "test_sagemaker_endpoint.py::test_list_tags_endpoint",
        "test_sagemaker_model_package_groups.py::test_delete_tags_model_package_group",
        "test_sagemaker_model_package_groups.py::test_list_tags_model_package_group",
    }
)
"""Stricter: a resource has 50 tags at most."""

STRICTER: Final = {"values": VALUES, "case": CASE, "tags": TAGS}

DIFFERENT: Final = {
    "the newest training jobs come first, as the command line shows it": frozenset(
        {
            "test_sagemaker_training.py::test_list_training_jobs_paginated",
        }
    ),
    "a page is cut before the status is looked at, as the reference warns": frozenset(
        {
            "test_sagemaker_training.py::test_list_training_jobs_paginated_with_fragmented_targets",
            "test_sagemaker_training.py::test_list_training_jobs_paginated_with_target_in_middle",
        }
    ),
    "the service names the member by its path, and an enumeration in its model's order": frozenset(
        {
            "test_sagemaker_endpoint.py::test_create_endpoint_invalid_instance_type",
            "test_sagemaker_training.py::test_list_training_jobs_should_validate_input",
        }
    ),
    "a package was made by nobody's profile of Studio": frozenset(
        {
            "test_sagemaker_model_packages.py::test_describe_model_package_default",
            "test_sagemaker_model_packages.py::test_update_model_package_should_update_last_modified_information",
        }
    ),
    "the newest come first, by the reference of the list": frozenset(
        {
            "test_sagemaker_endpoint.py::test_list_endpoint_configs",
            "test_sagemaker_endpoint.py::test_list_endpoints",
        }
    ),
    "Search is descending, by its reference": frozenset(
        {
            "test_sagemaker_model_package_groups.py::test_search_model_package_groups",
        }
    ),
    "a tuning job is in progress until its training jobs have ended": frozenset(
        {
            "test_sagemaker_hyper_parameter_tuning_job.py::test_delete_hyper_parameter_tuning_job",
            "test_sagemaker_hyper_parameter_tuning_job.py::test_describe_hyper_parameter_tuning_job_defaults",
            "test_sagemaker_hyper_parameter_tuning_job.py::test_list_hyper_parameter_tuning_jobs",
            "test_sagemaker_hyper_parameter_tuning_job.py::test_list_hyper_parameter_tuning_jobs_filters",
        }
    ),
    "the service adds the name of the objective, which SageMaker's SDK reads": frozenset(
        {
            "test_sagemaker_hyper_parameter_tuning_job.py::test_describe_hyper_parameter_tuning_job",
        }
    ),
    "a name is taken once": frozenset(
        {
            "test_sagemaker_model_packages.py::test_list_model_packages",
        }
    ),
    "a slash at the end of S3OutputPath is not doubled": frozenset(
        {
            "test_sagemaker_training.py::test_create_training_job",
        }
    ),
    "an ARN of another account names nothing of this one": frozenset(
        {
            "test_sagemaker_training.py::test_add_tags_to_training_job",
            "test_sagemaker_training.py::test_delete_tags_from_training_job",
        }
    ),
    "what the service says of a job that isn't there was quoted by many, and not so": frozenset(
        {
            "test_sagemaker_training.py::test_describe_unknown_training_job",
        }
    ),
}
"""Otherwise than moto has it, by reason."""
