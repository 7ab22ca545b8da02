"""Training jobs as flow runs of a Prefect work pool, by Prefect's REST API; what a flow run does stands in
:mod:`amt_flows.flows.training_job`."""
