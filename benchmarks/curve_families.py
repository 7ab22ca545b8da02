"""Learning curves to try stopping rules on: families of made-up ones, and surrogates of real ones.

Constants of a rule may be chosen on the curves for ``choosing``; the ``unseen`` ones are other shapes, of
other lengths, with other noise, and other data sets, and only judge. Between two variants of a rule they have
decided once, so the ones kept ``aside`` are others again, that nothing was chosen by. A tuning draws its
configurations' curves from one family, with what is common to all of them (length, how rates and ends go
together) drawn once, as the jobs of a tuning have a script in common. Losses; smaller is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Rng: TypeAlias = np.random.Generator
# The curves (shape ``(jobs, epochs)``) of one tuning.
Family: TypeAlias = Callable[[Rng, int], Floats]

# LCBench's data sets; the public ones of the benchmark (7593, 168868) are for choosing.
DATA_SETS: Mapping[str, tuple[str, ...]] = {
    "choosing": ("7593", "126025", "146212", "167104", "167161", "167184", "168868", "168330", "189354"),
    "unseen": (
        *("3945", "34539", "126026", "167149", "167168"),
        *("167190", "168331", "168908", "189862", "189906"),
    ),
    "aside": (
        *("126029", "167083", "167152", "167181", "167185", "167200", "167201", "168329"),
        *("168335", "168910", "189865", "189866", "189873", "189905", "189908"),
    ),
}


def _ends(rng: Rng, jobs: int, skill: float = 2.0) -> Floats:
    """Where jobs end: a few good, many middling."""
    return np.asarray(0.05 + 0.6 * rng.beta(skill, 3.0, jobs))


def _after(waits: Floats, epochs: Floats, rng: Rng, rates: tuple[float, float], noise: float) -> Floats:
    """Curves that fall as others do once they have waited: ``waits`` has a share of training for each job."""
    progress = np.maximum(0.0, epochs[None, :] / len(epochs) - waits[:, None])
    jobs = len(waits)
    return _noisy(rng, _falling(progress, _ends(rng, jobs), rng.uniform(*rates, jobs)), noise)


def _noisy(rng: Rng, curves: Floats, spread: float) -> Floats:
    return np.asarray(curves + spread * rng.standard_normal(curves.shape))


def _falling(progress: Floats, ends: Floats, rates: Floats, start: float = 1.0) -> Floats:
    """Exponential, from ``start`` to ``ends`` (``(jobs,)``), which are reached as far as rates allow."""
    return np.asarray(ends[:, None] + (start - ends[:, None]) * np.exp(-rates[:, None] * progress))


def _epochs(rng: Rng, lengths: tuple[int, ...]) -> Floats:
    return np.arange(1, int(rng.choice(lengths)) + 1, dtype=np.float64)


# -- for choosing ----------------------------------------------------------------------------------


def exponential(rng: Rng, jobs: int) -> Floats:
    epochs = _epochs(rng, (20, 50, 100))
    rates = rng.uniform(2, 12, jobs)
    return _noisy(rng, _falling(epochs / len(epochs), _ends(rng, jobs), rates), 0.004)


def crossing(rng: Rng, jobs: int) -> Floats:
    """Slow learners end better, as small learning rates do."""
    epochs, ends = _epochs(rng, (20, 50, 100)), _ends(rng, jobs)
    rates = 2.5 + 10 * (ends - 0.05) / 0.6 + rng.uniform(0, 3, jobs)
    return _noisy(rng, _falling(epochs / len(epochs), ends, rates), 0.006)


def warm_up(rng: Rng, jobs: int) -> Floats:
    """The learning rate rises for a tenth to a fifth of training."""
    epochs, rises = _epochs(rng, (20, 50, 100)), rng.uniform(0.1, 0.2, jobs)[:, None]
    progress = epochs[None, :] / len(epochs)
    driven = np.where(progress < rises, progress**2 / (2 * rises), progress - rises / 2)
    return _noisy(rng, _falling(driven, _ends(rng, jobs), rng.uniform(3, 12, jobs)), 0.005)


def plateau(rng: Rng, jobs: int) -> Floats:
    """Flat for up to a quarter of training before anything is learnt."""
    epochs, waits = _epochs(rng, (20, 50, 100)), rng.uniform(0, 0.25, jobs)
    return _after(waits, epochs, rng, (4, 14), 0.005)


def late(rng: Rng, jobs: int) -> Floats:
    """One job in six begins to learn at a third of training or later."""
    epochs = _epochs(rng, (20, 50, 100))
    waits = np.where(rng.random(jobs) < 1 / 6, rng.uniform(0.3, 0.5, jobs), rng.uniform(0, 0.05, jobs))
    return _after(waits, epochs, rng, (6, 14), 0.005)


def noisy(rng: Rng, jobs: int) -> Floats:
    epochs = _epochs(rng, (20, 50, 100))
    curves = _falling(epochs / len(epochs), _ends(rng, jobs), rng.uniform(2, 10, jobs))
    return _noisy(rng, curves, 0.04)


def drops(rng: Rng, jobs: int) -> Floats:
    """The learning rate is divided at a half and three quarters; some gain much by it."""
    epochs = _epochs(rng, (20, 50, 100))
    progress, ends = epochs / len(epochs), _ends(rng, jobs)
    above = rng.uniform(0.02, 0.2, jobs)
    curves = _falling(progress, ends + above, rng.uniform(6, 14, jobs))
    fallen = 0.7 * (progress >= 0.5) + 0.3 * (progress >= 0.75)
    return _noisy(rng, curves - above[:, None] * fallen, 0.005)


# -- unseen ----------------------------------------------------------------------------------------


def power(rng: Rng, jobs: int) -> Floats:
    epochs = _epochs(rng, (12, 30, 80))
    ends, powers = _ends(rng, jobs, 1.5), rng.uniform(0.3, 1.5, jobs)
    return _noisy(rng, ends[:, None] + (0.9 - ends[:, None]) * epochs ** -powers[:, None], 0.004)


def slow_and_good(rng: Rng, jobs: int) -> Floats:
    """Power laws whose steepness is bought with a worse end."""
    epochs, ends = _epochs(rng, (12, 30, 80)), _ends(rng, jobs)
    powers = 0.5 + 1.2 * (ends - 0.05) / 0.6 + rng.uniform(0, 0.3, jobs)
    return _noisy(rng, 0.7 * ends[:, None] + 0.8 * epochs ** -powers[:, None], 0.005)


def sigmoids(rng: Rng, jobs: int) -> Floats:
    """Learning sets in anywhere in the first two fifths, more or less suddenly."""
    epochs = _epochs(rng, (12, 30, 80))
    progress, turns = epochs / len(epochs), rng.uniform(0.0, 0.4, jobs)
    risen = 1 / (1 + np.exp(-(progress - turns[:, None]) * rng.uniform(8, 25, jobs)[:, None]))
    ends = _ends(rng, jobs)
    return _noisy(rng, 1.0 - (1.0 - ends[:, None]) * risen, 0.006)


def cosine(rng: Rng, jobs: int) -> Floats:
    """A rate that falls as a cosine: most is gained in the middle, and some at the very end."""
    epochs = _epochs(rng, (12, 30, 80))
    progress, ends = epochs / len(epochs), _ends(rng, jobs)
    heat = rng.uniform(0.02, 0.25, jobs)[:, None] * (1 + np.cos(np.pi * progress)) / 2
    return _noisy(rng, _falling(progress, ends, rng.uniform(3, 14, jobs)) + heat, 0.005)


def restarts(rng: Rng, jobs: int) -> Floats:
    """A linear warm-up of up to a quarter, then one or two drops at places of each job's own."""
    epochs, ends = _epochs(rng, (12, 30, 80)), _ends(rng, jobs)
    progress, rises = epochs[None, :] / len(epochs), rng.uniform(0.02, 0.25, jobs)[:, None]
    driven = np.where(progress < rises, progress**2 / (2 * rises), progress - rises / 2)
    above, places = rng.uniform(0.0, 0.15, jobs)[:, None], rng.uniform(0.35, 0.85, jobs)[:, None]
    curves = _falling(driven, ends + above[:, 0], rng.uniform(5, 14, jobs))
    return _noisy(rng, curves - above * (progress >= places), 0.006)


def wandering(rng: Rng, jobs: int) -> Floats:
    """Noise that lasts for some epochs, larger for quick learners."""
    epochs = _epochs(rng, (12, 30, 80))
    rates = rng.uniform(2, 12, jobs)
    curves = _falling(epochs / len(epochs), _ends(rng, jobs), rates)
    kicks = rng.standard_normal(curves.shape) * (0.008 + 0.025 * rates[:, None] / 12)
    noise = np.zeros_like(curves)
    for at in range(curves.shape[1]):
        noise[:, at] = 0.7 * noise[:, at - 1] * (at > 0) + kicks[:, at]
    return curves + noise


def overfitting(rng: Rng, jobs: int) -> Floats:
    """The quick ones get worse again."""
    epochs = _epochs(rng, (12, 30, 80))
    progress, rates = epochs / len(epochs), rng.uniform(2, 14, jobs)
    rise = np.maximum(0.0, rates - 7)[:, None] / 7 * 0.25 * np.maximum(0.0, progress - 0.4)
    return _noisy(rng, _falling(progress, _ends(rng, jobs), rates) + rise, 0.006)


# -- aside -----------------------------------------------------------------------------------------


def setting_in(rng: Rng, jobs: int) -> Floats:
    """Gompertz curves: learning sets in by itself, in the first third, and then goes on quickly."""
    epochs = _epochs(rng, (15, 40, 60))
    progress, turns = epochs / len(epochs), rng.uniform(0.0, 0.33, jobs)[:, None]
    risen = np.exp(-np.exp(-rng.uniform(6, 18, jobs)[:, None] * (progress - turns)))
    return _noisy(rng, 1.0 - (1.0 - _ends(rng, jobs)[:, None]) * risen, 0.005)


def lagging(rng: Rng, jobs: int) -> Floats:
    """Power laws of the epochs and a lag, which stretches the beginning."""
    epochs, lags = _epochs(rng, (15, 40, 60)), rng.uniform(0.5, 8, jobs)[:, None]
    ends, powers = _ends(rng, jobs, 1.5)[:, None], rng.uniform(0.5, 2.0, jobs)[:, None]
    return _noisy(rng, ends + (1.0 - ends) * ((epochs + lags) / (1 + lags)) ** -powers, 0.004)


def few_late(rng: Rng, jobs: int) -> Floats:
    """One job in eight begins to learn between a quarter and two fifths of training."""
    epochs = _epochs(rng, (15, 40, 60))
    waits = np.where(rng.random(jobs) < 1 / 8, rng.uniform(0.25, 0.4, jobs), rng.uniform(0, 0.1, jobs))
    return _after(waits, epochs, rng, (5, 14), 0.006)


def stalling(rng: Rng, jobs: int) -> Floats:
    """Half of what there is to learn comes at once, the rest after a rest in the middle of training."""
    epochs = _epochs(rng, (15, 40, 60))
    progress, ends = epochs[None, :] / len(epochs), _ends(rng, jobs)
    rests = rng.uniform(0.2, 0.5, jobs)[:, None]
    first = np.exp(-rng.uniform(10, 25, jobs)[:, None] * progress)
    then = np.exp(-rng.uniform(6, 14, jobs)[:, None] * np.maximum(0.0, progress - rests))
    return _noisy(rng, ends[:, None] + (1.0 - ends[:, None]) * (first + then) / 2, 0.005)


def long_warm_up(rng: Rng, jobs: int) -> Floats:
    """The rate rises as a cosine for up to three tenths of training, and falls to nothing by its end."""
    epochs, rises = _epochs(rng, (15, 40, 60)), rng.uniform(0.05, 0.3, jobs)[:, None]
    progress = epochs[None, :] / len(epochs)
    rising, falling = (1 - np.cos(np.pi * progress / rises)) / 2, (1 - progress) / (1 - rises)
    rate = np.where(progress < rises, rising, falling)
    driven = np.cumsum(rate, axis=1) / len(epochs)
    return _noisy(rng, _falling(driven, _ends(rng, jobs), rng.uniform(5, 16, jobs)), 0.005)


def outliers(rng: Rng, jobs: int) -> Floats:
    """Most epochs are quiet, some are far off, either way (noise with heavy tails)."""
    epochs = _epochs(rng, (15, 40, 60))
    curves = _falling(epochs / len(epochs), _ends(rng, jobs), rng.uniform(2, 12, jobs))
    return np.asarray(curves + 0.012 * rng.standard_t(2.5, curves.shape))


def quieter_drops(rng: Rng, jobs: int) -> Floats:
    """The learning rate falls at a third and at two thirds, and with it the noise and what it costs."""
    epochs = _epochs(rng, (15, 40, 60))
    progress, above = epochs / len(epochs), rng.uniform(0.02, 0.25, jobs)[:, None]
    heat = np.where(progress < 1 / 3, 1.0, np.where(progress < 2 / 3, 0.3, 0.05))
    curves = _falling(progress, _ends(rng, jobs), rng.uniform(6, 16, jobs)) + above * heat
    return np.asarray(curves + 0.2 * above * heat * rng.standard_normal(curves.shape))


FAMILIES: Mapping[str, tuple[Family, ...]] = {
    "choosing": (exponential, crossing, warm_up, plateau, late, noisy, drops),
    "unseen": (power, slow_and_good, sigmoids, cosine, restarts, wandering, overfitting),
    "aside": (setting_in, lagging, few_late, stalling, long_warm_up, outliers, quieter_drops),
}


def made_up(family: Family, seed: int, jobs: int) -> list[tuple[list[float], list[float]]]:
    """Losses and seconds of each epoch, of so many jobs of one tuning. Epochs take equally long."""
    number = [one.__name__ for part in FAMILIES.values() for one in part].index(family.__name__)
    curves = family(np.random.default_rng([number, seed]), jobs)
    return [(curve.tolist(), [1.0] * len(curve)) for curve in curves]


def of_lcbench(tasks: Any, data_set: str) -> Any:
    """The benchmark's surrogate of a data set's learning curves."""
    return tasks.get(f"yahpo:lcbench:{data_set}")
