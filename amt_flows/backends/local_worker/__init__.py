"""The child process that runs one training job on this machine.

Started by path (``python -I -S __main__.py JOBDIR``) with a directory that the backend prepared.
Standard library only, few modules of it, and nothing else of amt-flows, because every training job waits
for this start. It outlives the controller: all that a controller needs to know is in files.

    command         read: what to start, with what environment, where
    share           read, if it is there: variables of the job's share of the machine
    warm            read by controllers, if it is there: the modules to import before its script
    starter.json    read by controllers, if it is there: the process that was told to start its worker
    request.json    read: what else the job is, with its metrics and limits
    claim           made first, exclusively: who runs this job; locked for as long as the worker lives
    process.json    the training process, so that somebody else can end it when the worker is gone
    output.log      its output, capped
    metrics.jsonl   the values found in it, one JSON object a line
    stop, kill      made by a controller: end the job, with or without its grace time
    evicted         made by an attendant: the same, because its machine is to go
    lease           a number that grows for as long as the worker is at work
    end.json        made last: how it ended
    ../../wake/*    FIFOs of controllers that wait: a byte in each says that there is something new

It is two processes: the worker, and its parent, which ends all that it started should the worker be killed.
Regexes are searched for in a third one, which can be ended when a search takes too long.

Exit status: 0 when end.json was written, 3 when another worker has the job, 74 when no end could be written,
70 when the worker was killed.
"""
