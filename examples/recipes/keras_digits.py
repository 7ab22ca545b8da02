"""A Keras network reads the digits; it goes on from its checkpoint when its machine was taken away."""

import argparse
from typing import Any

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from amt_flows.reporting import checkpoint_dir, model_dir, report


class EachEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        report(epoch=epoch + 1, val_accuracy=logs["val_accuracy"])
        # Whole or not at all: whenever SIGTERM comes, the last epoch's model is there.
        scratch = model_dir() / ".scratch.keras"
        self.model.save(scratch)
        scratch.replace(model_dir() / "model.keras")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--hidden_units", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=15)
    arguments = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(
        images / 16, digits, random_state=0, stratify=digits
    )
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(arguments.hidden_units, activation="relu"),
            keras.layers.Dropout(arguments.dropout),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        keras.optimizers.Adam(arguments.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        train_x,
        train_y,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        validation_data=(valid_x, valid_y),
        verbose=0,
        callbacks=[EachEpoch(), keras.callbacks.BackupAndRestore(checkpoint_dir() / "backup")],
    )


if __name__ == "__main__":
    main()
