"""All experiments by the names that `python -m benchmarks.learning` takes."""

from __future__ import annotations

from benchmarks.learning.experiment import Experiment
from benchmarks.learning.many import LIKE
from benchmarks.learning.tasks import TASKS
from benchmarks.learning.unlike import PARTS, UNLIKE, WORKSHOPS

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: dict[str, Experiment] = {
    "unlike": UNLIKE,
    "workshops": WORKSHOPS,
    "like": LIKE,
    **TASKS,
    "parts": PARTS,
}
