"""Where a curve goes on that was broken off: the epochs of a script that was started again from a checkpoint.

The n-th value is epoch n; but a script that goes on with its eighth epoch prints that first. What its lines
call their epochs tells, compared with what they were called before. A script that calls them nothing, or by
numbers that are no epochs, is taken to begin anew.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence


def epochs_before(called: Mapping[int, int], told: int) -> int:
    """After how many epochs a script goes on whose first line calls its epoch ``told``; 0 when it begins
    anew, or nobody can tell. ``called``: what the epochs so far were called.

    It is the last epoch that was called by a smaller number. What is missing between the two (a process
    that is killed loses the lines it has not flushed) counts as epochs without a value.
    """
    epochs = sorted(called)
    names = [called[epoch] for epoch in epochs]
    if names != sorted(names):
        return 0  # a number that goes up and down is no epoch
    before = bisect.bisect_left(names, told)
    if before == 0:
        return 0
    if before < len(names):
        return epochs[before - 1]
    return epochs[-1] + _missing(epochs, names, told)


def _missing(epochs: Sequence[int], names: Sequence[int], told: int) -> int:
    """How many epochs lie between the last one and the one that is called ``told``; no more than there
    were."""
    rise, length = names[-1] - names[0], epochs[-1] - epochs[0]
    step = rise // length if length and rise and rise % length == 0 else 1
    missing, rest = divmod(told - names[-1] - step, step)
    return missing if rest == 0 and 0 < missing <= len(epochs) else 0
