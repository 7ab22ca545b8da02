"""Training jobs that somebody else's engine starts, on machines that share a directory with us: a Ray
cluster, a Prefect work pool.

What such an engine knows of a job is little, late and lossy (a state, a log, no metric). So it is asked for
one thing only: to run our worker on the job's directory. All else goes through that directory, as on one
machine: who runs the job, its values, each once and in order whatever the engine's server does meanwhile, its
end, the wish that it stop, its model. A worker that can't be seen from here is known by its lease.

Between the engine and the worker stands the attendant (:mod:`amt_flows.backends.local_worker.attendant`),
which passes the output on to the engine's log, and with which the worker ends.
"""
