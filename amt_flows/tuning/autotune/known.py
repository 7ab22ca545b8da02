"""Ranges of hyperparameters whose meaning is known from their names.

==========================  =====================================================  ==================
meaning (names, e.g.)       range for the hint h                                   scaling
==========================  =====================================================  ==================
learning rate               h/100 to 10 h, at most 1                               Logarithmic
momentum, beta, decay rate  1 - 10 (1-h) to 1 - (1-h)/10, at least 0               ReverseLogarithmic
weight decay                h/1000 to 100 h, at most 1 if h is; 0: 1e-6 to 0.1     Logarithmic
regularisation (l1, alpha)  h/1000 to 1000 h; for 0: 1e-4 to 10                    Logarithmic
dropped share (dropout)     0 to h + (1-h)/2, at least 0.5 (h at most 0.9)          Linear
kept share (subsample)      h/2, at most 0.5, to 1                                 Linear
ratio (l1_ratio)            0 to 1                                                 Linear
batch size                  h/4 to 4 h, whole                                      Logarithmic
width (units, leaves)       h/4 to 4 h, whole                                      Logarithmic
depth (layers, max depth)   h/2 to 2 h, at least up to h + 2, whole                Linear
rounds (trees, iterations)  h/4 to 4 h, whole                                      Logarithmic
training length (epochs)    h/4 to 2 h, whole                                      Logarithmic
least leaf (child weight)   h/10 to 10 h, at least 1 if whole                      Logarithmic
clipping, scale             h/10 to 10 h                                           Logarithmic
neighbours                  1 to 4 h, whole                                        Logarithmic
==========================  =====================================================  ==================

They cover what is usually searched: the ranges of the SageMaker guide's pages on tuning its built-in
algorithms, and of the public benchmarks that tune networks and boosted trees, lie within them around the
usual values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from amt_flows.space.space import Scaling
from amt_flows.tuning.autotune.hints import Hint, Range, continuous, integer

LOG: Final = Scaling.LOGARITHMIC


class Unusual(ValueError):
    """The hint can't be a value of a hyperparameter of that meaning."""


@dataclass(frozen=True)
class Usual:
    """A meaning, the names that have it, and the range for a name and a hint. ``exact`` names are too short
    to be looked for within longer ones."""

    meaning: str
    names: tuple[str, ...]
    range: Callable[[str, Hint], Range]
    exact: tuple[str, ...] = ()


def usual(name: str) -> Usual | None:
    """The meaning of a hyperparameter's name, or None. The longest known name that it begins or ends with
    decides: ``encoder_dropout_2`` is a dropout."""
    words = in_words(name)
    # The number of a layer says nothing; that of beta_1 is a part of the name.
    written = {words, re.sub(r"_\d+$", "", words)}
    found: list[tuple[int, Usual]] = []
    for one in USUAL:
        found += [(len(known), one) for known in (*one.exact, *one.names) if known in written]
        for known in one.names:
            around = f"{known}_", f"_{known}"
            if any(text.startswith(around[0]) or text.endswith(around[1]) for text in written):
                found.append((len(known), one))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def in_words(name: str) -> str:
    """``minChildWeight`` and ``min-child-weight`` as ``min_child_weight``."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


# --- the rows of the table -------------------------------------------------------------------------------


def _learning_rate(name: str, hint: Hint) -> Range:
    h = _positive(hint)
    if h > 1:
        raise Unusual("a learning rate is at most 1")
    return continuous(name, h / 100, min(10 * h, 1.0), LOG)


def _momentum(name: str, hint: Hint) -> Range:
    h = hint.value
    away = 1 - h
    if h < 0 or away < 1e-6:
        raise Unusual("must be at least 0 and less than 1")
    # More digits than elsewhere: near 1 it is the distance to 1 that matters.
    low, high = max(0.0, 1 - 10 * away), 1 - away / 10
    if h < 0.5:
        low, high = 0.0, 0.99
    return continuous(name, low, high, Scaling.REVERSE_LOGARITHMIC).model_copy(
        update={"min_value": round(low, 9), "max_value": round(high, 9)}
    )


def _weight_decay(name: str, hint: Hint) -> Range:
    h = _not_negative(hint)
    if h == 0:
        return continuous(name, 1e-6, 0.1, LOG)
    return continuous(name, h / 1000, 100 * h if h > 1 else min(100 * h, 1.0), LOG)


def _regularisation(name: str, hint: Hint) -> Range:
    h = _not_negative(hint)
    return continuous(name, 1e-4, 10.0, LOG) if h == 0 else continuous(name, h / 1000, 1000 * h, LOG)


def _dropped(name: str, hint: Hint) -> Range:
    h = hint.value
    if not 0 <= h <= 0.9:
        raise Unusual("must lie within 0 to 0.9")
    return continuous(name, 0.0, max(0.5, h + (1 - h) / 2))


def _kept(name: str, hint: Hint) -> Range:
    h = _positive(hint)
    if h > 1:
        raise Unusual("must be at most 1")
    return continuous(name, min(0.5, h / 2), 1.0)


def _ratio(name: str, hint: Hint) -> Range:
    if not 0 <= hint.value <= 1:
        raise Unusual("must lie within 0 to 1")
    return continuous(name, 0.0, 1.0)


def _fourfold(name: str, hint: Hint) -> Range:
    h = _count(hint)
    return integer(name, max(1, h // 4), 4 * h, LOG)


def _depth(name: str, hint: Hint) -> Range:
    h = _count(hint)
    return integer(name, max(1, h // 2), max(2 * h, h + 2))


def _length(name: str, hint: Hint) -> Range:
    h = _count(hint)
    return integer(name, max(1, h // 4), 2 * h, LOG)


def _least_leaf(name: str, hint: Hint) -> Range:
    h = _positive(hint)
    return (
        integer(name, max(1, h // 10), 10 * h, LOG) if hint.whole else continuous(name, h / 10, 10 * h, LOG)
    )


def _scale(name: str, hint: Hint) -> Range:
    h = _positive(hint)
    return continuous(name, h / 10, 10 * h, LOG)


def _neighbours(name: str, hint: Hint) -> Range:
    return integer(name, 1, 4 * _count(hint), LOG)


def _positive(hint: Hint) -> float:
    if hint.value <= 0:
        raise Unusual("must be greater than 0")
    return hint.value


def _not_negative(hint: Hint) -> float:
    if hint.value < 0:
        raise Unusual("must be at least 0")
    return hint.value


def _count(hint: Hint) -> int:
    if hint.value < 1 or not hint.value.is_integer():
        raise Unusual("must be a whole number of at least 1")
    return int(hint.value)


USUAL: Final = (
    Usual(
        "a learning rate",
        ("learning_rate", "lr", "step_size", "base_lr", "initial_lr", "max_lr", "learning_rate_init"),
        _learning_rate,
        ("eta", "eta0"),
    ),
    Usual(
        "a momentum or decay rate",
        (
            *("momentum", "beta1", "beta2", "beta_1", "beta_2", "ema_decay"),
            *("lr_decay", "learning_rate_decay", "decay_rate"),
        ),
        _momentum,
        ("rho", "ema", "discount", "discount_factor"),
    ),
    Usual("a weight decay", ("weight_decay",), _weight_decay, ("wd",)),
    Usual(
        "a regularisation",
        ("l1", "l2", "reg_alpha", "reg_lambda", "lambda_l1", "lambda_l2", "l2_leaf_reg", "regularization"),
        _regularisation,
        ("alpha", "lambda", "gamma", "min_split_loss", "min_split_gain", "c", "tol", "ridge"),
    ),
    Usual(
        "a share that is dropped",
        ("dropout", "drop_rate", "drop_path", "rate_drop", "skip_drop", "label_smoothing", "max_dropout"),
        _dropped,
        ("mixup", "cutmix", "warmup_ratio", "warmup_fraction"),
    ),
    Usual(
        "a share that is kept",
        (
            *("subsample", "colsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"),
            *("bagging_fraction", "feature_fraction", "sample_rate"),
        ),
        _kept,
        ("rsm", "sampling_rate"),
    ),
    Usual("a ratio", ("l1_ratio",), _ratio),
    Usual("a batch size", ("batch_size", "mini_batch_size", "minibatch_size"), _fourfold, ("batch",)),
    Usual(
        "a width",
        (
            *("units", "hidden_units", "hidden_size", "hidden_dim", "embedding_dim", "embedding_size"),
            *("num_leaves", "max_leaves", "max_leaf_nodes", "filters", "channels", "neurons", "max_units"),
            *("num_factors", "num_topics", "max_bin"),
        ),
        _fourfold,
        ("width", "dim"),
    ),
    Usual(
        "a depth",
        ("layers", "num_layers", "n_layers", "max_depth", "depth", "num_blocks", "num_stages"),
        _depth,
        ("degree",),
    ),
    Usual(
        "a number of rounds",
        (
            *("n_estimators", "num_round", "num_rounds", "num_boost_round", "n_rounds", "num_trees"),
            *("num_iterations", "max_iter", "iterations", "n_trees", "trees"),
        ),
        _fourfold,
    ),
    Usual(
        "a length of training",
        ("epochs", "num_epochs", "n_epochs", "max_epochs", "num_steps", "max_steps", "train_steps"),
        _length,
        ("steps",),
    ),
    Usual(
        "a least size of a leaf",
        (
            *("min_child_weight", "min_child_samples", "min_data_in_leaf", "min_samples_leaf"),
            *("min_samples_split", "min_sum_hessian_in_leaf"),
        ),
        _least_leaf,
    ),
    Usual("a scale", ("clip_gradient", "max_grad_norm", "gradient_clip", "clip_norm", "temperature"), _scale),
    Usual("a number of neighbours", ("n_neighbors", "num_neighbors"), _neighbours, ("k",)),
)
