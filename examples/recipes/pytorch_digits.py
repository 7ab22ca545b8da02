"""A PyTorch network reads the digits; it goes on from its checkpoint when its machine was taken away."""

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from amt_flows.reporting import checkpoint_dir, model_dir, report


def save(content: Any, file: Path) -> None:
    """Whole or not at all: SIGTERM may come at any moment."""
    scratch = file.with_name(f".{file.name}")
    torch.save(content, scratch)
    scratch.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--weight_decay", type=float, default=0.01)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--hidden_units", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    split = train_test_split(images / 16, digits, random_state=0, stratify=digits)
    train_x, valid_x = (torch.tensor(part, dtype=torch.float32) for part in split[:2])
    train_y, valid_y = (torch.tensor(part) for part in split[2:])

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, arguments.hidden_units),
        nn.ReLU(),
        nn.Dropout(arguments.dropout),
        nn.Linear(arguments.hidden_units, 10),
    )
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=arguments.learning_rate, weight_decay=arguments.weight_decay
    )
    checkpoint, done = checkpoint_dir() / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["epoch"]

    for epoch in range(done + 1, arguments.epochs + 1):
        torch.manual_seed(epoch)  # so that a resumed training sees the batches it would have seen
        model.train()
        for batch in torch.randperm(len(train_x)).split(arguments.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train_x[batch]), train_y[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(valid_x).argmax(1) == valid_y).double().mean()
        report({"validation:accuracy": accuracy}, epoch=epoch)
        save(model.state_dict(), model_dir() / "model.pt")
        save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, checkpoint)


if __name__ == "__main__":
    main()
