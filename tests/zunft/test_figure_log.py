"""Figures of learning reach the files that TensorBoard reads, a run a robot, by the robot's steps."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from fleet.progress import Progress
from skills.errors import RequestError
from tests.eventually import eventually
from zunft.figure_log import figure_log


def events(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Name, step and value of all scalars in a run's folder: records of length, checksum, bytes, checksum."""
    for file in folder.glob("events.*"):
        data, place = file.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += 16 + length
            yield from ((each.tag, event.step, each.simple_value) for each in event.summary.value)


def told(robot: str, steps: int, **learning: float) -> Progress:
    return Progress(robot, "training", steps=steps, success=0.5, learning=learning)


def test_each_robot_has_a_run_with_its_figures(tmp_path: Path) -> None:
    log = figure_log(f"tensorboard:{tmp_path}")
    log(told("anna", 100, kl=0.25))
    log(told("bert", 100, kl=0.5))
    log(told("anna", 200, kl=0.125))
    log(Progress("anna", "pushed", steps=200))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anna", "bert"]
    wanted = [("kl", 100, 0.25), ("kl", 200, 0.125), ("success", 100, 0.5), ("success", 200, 0.5)]
    eventually(lambda: sorted(events(tmp_path / "anna")) == wanted)


def test_nowhere_is_a_place_too(tmp_path: Path) -> None:
    figure_log("")(told("anna", 100, kl=0.25))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["tensorboard", "tensorboard:", "wandb:here", "runs"])
def test_another_place_is_refused(target: str) -> None:
    with pytest.raises(RequestError, match="no place for figures"):
        figure_log(target)


def test_what_is_not_installed_is_named() -> None:
    try:
        import mlflow  # noqa: F401
    except ImportError:
        with pytest.raises(RequestError, match="mlflow is not installed here") as caught:
            figure_log("mlflow:http://127.0.0.1:1")
        assert "pip install" in caught.value.remedy
