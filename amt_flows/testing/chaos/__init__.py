"""Everything that can go wrong, on purpose: proof that no fault loses, doubles or orphans a training job.

    python -m amt_flows.testing.chaos                        # a minute or so
    python -m amt_flows.testing.chaos --minutes 60           # on new seeds
    python -m amt_flows.testing.chaos --only simulated --seeds 5000
    python -m amt_flows.testing.chaos --only simulated --seed 172    # one again, told line by line

Four kinds, each with its own truth to compare the ledger with:

- *simulated*: schedules of faults on the simulated backend in virtual time, tens in a second, a seed each.
  Controllers die, freeze and overlap at every touch of the journal and the backend (:mod:`.simulation`);
- *engines*: the same on an engine of others, Ray or a work pool, whose workers die, whose server is away and
  which forgets its jobs (:mod:`.engines`);
- *sagemaker*: the same on the simulated SageMaker with its record in S3, and the trouble of a cloud
  (:mod:`.cloud`; needs ``amt-flows[simulator]``);
- *real*: processes of this machine, killed by signals, on a full disk, after a power cut (:mod:`.kills`).
"""
