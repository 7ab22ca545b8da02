"""A training script of Syne Tune."""

from __future__ import annotations

import argparse

from syne_tune import Reporter

from benchmarks.peers.training import train

parser = argparse.ArgumentParser()
for name in ("x", "length"):
    parser.add_argument(f"--{name}", type=float)
parser.add_argument("--stamps")
given, _ = parser.parse_known_args()
Reporter()(loss=train(given.x, given.length, given.stamps))
