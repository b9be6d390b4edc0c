"""Every experiment by its name, in the order of the page."""

from __future__ import annotations

from benchmarks.others.experiment import Experiment
from benchmarks.others.fedpg import FEDPG
from benchmarks.others.guild import GUILD
from benchmarks.others.qavg import QAVG
from benchmarks.others.sarsa import SARSA

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: dict[str, Experiment] = {"fedpg": FEDPG, "sarsa": SARSA, "qavg": QAVG, "flower": GUILD}
