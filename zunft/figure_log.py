"""Figures of robots' learning, to where people look at such curves: TensorBoard or MLflow, where installed.

What robots say is `fleet.progress`'s; the hub hears the same figures with each delta.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet.progress import Progress
from skills.errors import RequestError

__all__ = ["figure_log"]

EXPERIMENT = "zunft"
Log = Callable[[Progress], None]
Write = Callable[[dict[str, float], int], None]
"""Figures of one robot, and its steps by then."""


def figure_log(target: str) -> Log:
    """What writes the figures of each iteration down, by the robot's steps; a run a robot.

    Args:
        target: `tensorboard:FOLDER`, `mlflow:ADDRESS`, or nothing for nowhere.

    Raises:
        RequestError: Another target, or its package is not installed.
    """
    if not target:
        return lambda _progress: None
    kind, colon, where = target.partition(":")
    makers = {"tensorboard": _tensorboard, "mlflow": _mlflow}
    if kind not in makers or not colon or not where:
        raise RequestError(
            f"{target!r} is no place for figures.",
            where="--figures",
            remedy="Write tensorboard:FOLDER or mlflow:ADDRESS.",
        )
    try:
        open_run = makers[kind](where)
    except ImportError as error:
        raise RequestError(
            f"{kind} is not installed here ({error}).",
            where="--figures",
            remedy=f"Install it: pip install {'mlflow-skinny' if kind == 'mlflow' else 'tensorboardX'}.",
        ) from error
    runs: dict[str, Write] = {}

    def log(progress: Progress) -> None:
        if progress.phase != "training" or not progress.learning:
            return
        if progress.robot not in runs:
            runs[progress.robot] = open_run(progress.robot)
        figures = dict(progress.learning)
        if progress.success is not None:
            figures["success"] = progress.success
        runs[progress.robot](figures, progress.steps)

    return log


def _tensorboard(folder: str) -> Callable[[str], Write]:
    from tensorboardX import SummaryWriter  # noqa: PLC0415 - where it is asked for

    def open_run(robot: str) -> Write:
        # It writes from a thread of its own, a second late; what is left at the end, at the end.
        writer: Any = SummaryWriter(str(Path(folder) / robot), flush_secs=1)
        atexit.register(writer.close)

        def write(figures: dict[str, float], steps: int) -> None:
            for name, value in figures.items():
                writer.add_scalar(name, value, steps)

        return write

    return open_run


def _mlflow(address: str) -> Callable[[str], Write]:
    from mlflow import MlflowClient  # noqa: PLC0415 - where it is asked for

    client: Any = MlflowClient(tracking_uri=address)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)

    def open_run(robot: str) -> Write:
        run = client.create_run(experiment, run_name=robot).info.run_id

        def write(figures: dict[str, float], steps: int) -> None:
            for name, value in figures.items():
                client.log_metric(run, name, value, step=steps)

        return write

    return open_run
