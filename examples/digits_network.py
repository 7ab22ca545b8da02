"""Train a small neural network on scikit-learn's handwritten digits.

A training script as a tuning job wants it: hyperparameters come in as ``--name value``, the validation
accuracy goes out once an epoch, the model is saved in ``$SM_MODEL_DIR``. Nothing here knows who started
it, so the same file runs by hand, in a tuning job on this machine, and in a SageMaker container:

    python examples/digits_network.py --epochs 3
    python examples/digits_network.py --learning_rate 0.05 --optimizer adam

The network is plain numpy. So a job starts in a fraction of a second, its checkpoint holds the whole
state of the optimizer, and the model is a file of arrays that is read back without pickle.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

try:
    from amt_flows.reporting import channel, checkpoint_dir, model_dir, report
except ImportError:  # in an image without amt-flows, put a copy of its reporting.py beside this script
    from reporting import channel, checkpoint_dir, model_dir, report  # type: ignore[import-not-found,no-redef]

Array = npt.NDArray[np.float64]
Digits = npt.NDArray[np.int64]

DATA_FILE = "digits.npz"
MODEL_FILE = "model.npz"
CHECKPOINT_FILE = "checkpoint.npz"
SIDE = 8
PIXELS = SIDE * SIDE
CLASSES = 10
BRIGHTEST = 16.0
OPTIMIZERS = ("sgd", "nag", "rmsprop", "adam")


@dataclass(frozen=True)
class Settings:
    """The hyperparameters, each an argument of the same name."""

    learning_rate: float = 0.02
    batch_size: int = 32
    hidden_units: int = 64
    optimizer: str = "nag"
    alpha: float = 1e-4
    epochs: int = 30
    seed: int = 0


# -- data -----------------------------------------------------------------------------------------


class Data(NamedTuple):
    """Images as rows of 64 numbers in 0...1, and the digits they show."""

    images: Array
    digits: Digits
    validation_images: Array
    validation_digits: Digits


def load_data(place: Path) -> Data:
    """The digits in the directory ``place`` (a job's ``train`` channel), or else those of scikit-learn.

    Half of them are held out: with 899 the accuracy moves in steps of 0.1 %.
    """
    file = place / DATA_FILE
    if file.is_file():
        with np.load(file, allow_pickle=False) as arrays:
            images, digits = arrays["images"], arrays["digits"]
    else:
        images, digits = _digits_of_sklearn()
    order = np.random.default_rng(0).permutation(len(images))
    images, digits = images[order], digits[order]
    half = len(images) // 2
    return Data(*_shifted(images[:half], digits[:half]), images[half:], digits[half:])


def prepare_channel(directory: Path) -> Path:
    """Write the digits where training jobs can read them as their ``train`` channel.

    Importing scikit-learn takes about a second, which is worth paying once and not in every job.
    """
    file = directory / DATA_FILE
    if not file.exists():
        images, digits = _digits_of_sklearn()
        save_arrays(file, {"images": images, "digits": digits})
    return directory


def _digits_of_sklearn() -> tuple[Array, Digits]:
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    return images / BRIGHTEST, digits.astype(np.int64)


def _shifted(images: Array, digits: Digits) -> tuple[Array, Digits]:
    """Each image nine times: as it is, and moved by one pixel in each of eight directions."""
    square = np.pad(images.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    corners = [(y, x) for y in range(3) for x in range(3)]
    copies = [square[:, y : y + SIDE, x : x + SIDE].reshape(-1, PIXELS) for y, x in corners]
    return np.concatenate(copies), np.tile(digits, len(corners))


def save_arrays(file: Path, arrays: Mapping[str, Any]) -> None:
    """Write a ``.npz`` as a whole or not at all: the job may be stopped at any moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{os.getpid()}-{file.name}")
    with scratch.open("wb") as out:
        np.savez(out, **arrays)
    scratch.replace(file)


# -- the network ----------------------------------------------------------------------------------


class Network:
    """64 pixels, one hidden layer of rectified units, ten classes.

    All weights are views of one vector, so that an optimizer is a few lines of vector arithmetic. Double
    precision is the faster one here: squares of small gradients underflow in single, which is slow.
    """

    def __init__(self, hidden_units: int) -> None:
        self.hidden_units = hidden_units
        sizes = [PIXELS * hidden_units, hidden_units, hidden_units * CLASSES, CLASSES]
        self.parameters: Array = np.zeros(sum(sizes))
        self.gradient: Array = np.zeros_like(self.parameters)
        self._weights = self._views(self.parameters, sizes)
        self._gradients = self._views(self.gradient, sizes)

    def _views(self, vector: Array, sizes: list[int]) -> list[Array]:
        first, bias, second, last = np.split(vector, np.cumsum(sizes)[:-1])
        return [first.reshape(PIXELS, self.hidden_units), bias, second.reshape(-1, CLASSES), last]

    def initialise(self, rng: np.random.Generator) -> None:
        for weights in (self._weights[0], self._weights[2]):
            weights[:] = rng.standard_normal(weights.shape) * np.sqrt(2 / len(weights))

    def probabilities(self, images: Array) -> Array:
        return self._forward(images)[1]

    def accuracy(self, images: Array, digits: Digits) -> float:
        return float(np.mean(self.probabilities(images).argmax(axis=1) == digits))

    def _forward(self, images: Array) -> tuple[Array, Array]:
        first, bias, second, last = self._weights
        hidden = np.maximum(images @ first + bias, 0)
        scores = hidden @ second + last
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return hidden, scores

    def backward(self, images: Array, digits: Digits, alpha: float) -> Array:
        """The gradient of the mean cross-entropy plus ``alpha`` / 2 times the squared weights."""
        hidden, error = self._forward(images)
        error[np.arange(len(digits)), digits] -= 1
        error /= len(digits)
        behind = (error @ self._weights[2].T) * (hidden > 0)
        first, bias, second, last = self._gradients
        np.matmul(images.T, behind, out=first)
        np.sum(behind, axis=0, out=bias)
        np.matmul(hidden.T, error, out=second)
        np.sum(error, axis=0, out=last)
        self.gradient += alpha * self.parameters
        return self.gradient


@dataclass
class Optimizer:
    """The four optimizers of the launch post's image classifier, with their usual constants."""

    kind: str
    learning_rate: float
    average: Array
    """Of the gradients (adam), or the velocity (nag)."""
    square: Array
    """Of the squared gradients (adam, rmsprop)."""
    steps: int = 0

    def step(self, gradient: Array) -> Array:
        """What to add to the parameters."""
        rate = self.learning_rate
        self.steps += 1
        if self.kind == "sgd":
            return -rate * gradient
        if self.kind == "nag":
            self.average = 0.9 * self.average - rate * gradient
            return 0.9 * self.average - rate * gradient
        if self.kind == "rmsprop":
            self.square = 0.9 * self.square + 0.1 * gradient**2
            return -rate * gradient / (np.sqrt(self.square) + 1e-8)
        self.average = 0.9 * self.average + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        rate *= math.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        return -rate * self.average / (np.sqrt(self.square) + 1e-8)


# -- training -------------------------------------------------------------------------------------


class Training:
    """A network, its optimizer and how many epochs they have behind them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.network = Network(settings.hidden_units)
        self.network.initialise(np.random.default_rng([settings.seed, 0]))
        zeros = np.zeros_like(self.network.parameters)
        self.optimizer = Optimizer(settings.optimizer, settings.learning_rate, zeros, zeros)
        self.epoch = 0

    def run_epoch(self, data: Data) -> float:
        """One pass over the data; answers with the validation accuracy."""
        self.epoch += 1
        # Keyed by the epoch, so that a resumed training sees the batches it would have seen.
        order = np.random.default_rng([self.settings.seed, self.epoch]).permutation(len(data.digits))
        for start in range(0, len(order), self.settings.batch_size):
            batch = order[start : start + self.settings.batch_size]
            gradient = self.network.backward(data.images[batch], data.digits[batch], self.settings.alpha)
            self.network.parameters += self.optimizer.step(gradient)
        return self.network.accuracy(data.validation_images, data.validation_digits)

    def save_checkpoint(self, file: Path) -> None:
        optimizer = self.optimizer
        save_arrays(
            file,
            {
                "settings": np.array(_identity(self.settings)),
                "epoch": np.array(self.epoch),
                "steps": np.array(optimizer.steps),
                "parameters": self.network.parameters,
                "average": optimizer.average,
                "square": optimizer.square,
            },
        )

    def resume(self, file: Path) -> bool:
        """Go on from a checkpoint of the same settings; False if there is none."""
        if not file.is_file():
            return False
        with np.load(file, allow_pickle=False) as saved:
            # Jobs that share a place for checkpoints must not go on with each other's network.
            if str(saved["settings"]) != _identity(self.settings):
                return False
            self.network.parameters[:] = saved["parameters"]
            self.optimizer.average, self.optimizer.square = saved["average"], saved["square"]
            self.optimizer.steps, self.epoch = int(saved["steps"]), int(saved["epoch"])
        return True


def _identity(settings: Settings) -> str:
    """What two trainings must have in common for one to go on from the other's checkpoint."""
    return json.dumps({**asdict(settings), "epochs": None}, sort_keys=True)


def train(settings: Settings, checkpoint: Path) -> Network:
    """Train to the last epoch, reporting each; from the checkpoint if one exists."""
    data, training = load_data(Path(channel("train"))), Training(settings)
    if training.resume(checkpoint):
        print(f"going on after epoch {training.epoch} from {checkpoint}")
    # A learning rate that is far too high makes the weights overflow; the accuracy says so.
    with np.errstate(all="ignore"):
        while training.epoch < settings.epochs:
            accuracy = training.run_epoch(data)
            report({"validation:accuracy": accuracy}, epoch=training.epoch)
            training.save_checkpoint(checkpoint)
    return training.network


# -- the model ------------------------------------------------------------------------------------


def save_model(network: Network, directory: Path) -> Path:
    file = directory / MODEL_FILE
    save_arrays(file, {"hidden_units": np.array(network.hidden_units), "parameters": network.parameters})
    return file


def load_model(directory: Path) -> Network:
    """The network that a training job saved."""
    with np.load(directory / MODEL_FILE, allow_pickle=False) as saved:
        network = Network(int(saved["hidden_units"]))
        network.parameters[:] = saved["parameters"]
    return network


def predict(directory: Path, images: Array) -> Digits:
    """The digits that the model saved in ``directory`` sees in the images."""
    return np.asarray(load_model(directory).probabilities(images).argmax(axis=1))


def main() -> None:
    settings = Settings(**vars(_parser().parse_args()))
    checkpoint = Path(checkpoint_dir()) / CHECKPOINT_FILE
    network = train(settings, checkpoint)
    print(f"the model is in {save_model(network, Path(model_dir()))}")
    # It has done its work; the next training by hand shall start from the beginning.
    checkpoint.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        description="Train a small neural network on handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--learning_rate", type=float, default=default.learning_rate, help="step of the optimizer")
    add("--batch_size", type=int, default=default.batch_size, help="images per step")
    add("--hidden_units", type=int, default=default.hidden_units, help="width of the hidden layer")
    add("--optimizer", choices=OPTIMIZERS, default=default.optimizer, help="how steps are taken")
    add("--alpha", type=float, default=default.alpha, help="weight decay")
    add("--epochs", type=int, default=default.epochs, help="passes over the data")
    add("--seed", type=int, default=default.seed, help="of the first weights and the batches")
    return parser


if __name__ == "__main__":
    main()
