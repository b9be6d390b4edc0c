"""Replays: the same score as without, three episodes, small, and read with care."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.evaluate import evaluate
from envs.replay import read_replay, record
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import data_sheet
from skills.container import pack, unpack
from skills.errors import ArtefactError


@pytest.mark.parametrize(
    ("name", "player"), [("weld-seam", "p"), ("place-part", "soft"), ("hover-inspect", "pd")]
)
def test_three_episodes_are_kept_and_the_score_is_that_of_an_evaluation(name: str, player: str) -> None:
    task = load_task(name)
    home = data_sheet(task.file, task.file.embodiments[0])
    score, data = record(controller(player, task), task, home, 5, seed=2)
    assert score == evaluate(controller(player, task), task, home, 5, seed=2)
    replay, tensors = read_replay(data)
    gained = [replay.episodes[kind].gained for kind in ("best", "median", "worst")]
    assert gained == sorted(gained, reverse=True)
    assert (replay.task_digest, replay.frames_a_second) == (task.digest, 25)
    seconds = sum(episode.frames for episode in replay.episodes.values()) / 25
    assert len(data) / seconds < 6000  # bytes a second
    rotation = tensors["best.rotation"].astype(np.float64)
    assert np.allclose(np.linalg.norm(rotation, axis=2), 1, atol=2e-3)
    moved = np.ptp(tensors["best.position"].astype(np.float64), axis=0).max(axis=1)
    assert moved[0] == 0  # the world
    assert moved[-1] > 0.01


class Away:
    """Up and aside, as fast as it goes."""

    def begin(self) -> Away:
        return self

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return np.tile(np.array([0, 1, 1, 0, 0], np.float32), (len(observation), 1))


def test_an_episode_that_fails_early_is_kept_only_as_long_as_it_lasted() -> None:
    task = load_task("weld-seam")
    _, data = record(Away(), task, data_sheet(task.file, "ur5e"), 8, seed=0)
    replay, _ = read_replay(data)
    assert max(episode.frames for episode in replay.episodes.values()) < 40
    assert not any(episode.success for episode in replay.episodes.values())


def test_a_file_from_anybody_is_read_with_care() -> None:
    task = load_task("weld-seam")
    _, data = record(controller("p", task), task, data_sheet(task.file, "ur5e"), 1, seed=0)
    document, tensors = unpack(data, "replay")
    with pytest.raises(ArtefactError):
        read_replay(data[:-1])
    with pytest.raises(ArtefactError, match="not a replay"):
        read_replay(pack("{}", tensors))
    with pytest.raises(ArtefactError, match=r"best\.position"):
        read_replay(pack(document, {**tensors, "best.position": tensors["best.position"][1:]}))
    broken = {name: tensor.copy() for name, tensor in tensors.items()}
    broken["best.position"][0, 0, 0] = np.nan
    with pytest.raises(ArtefactError, match="finite"):
        read_replay(pack(document, broken))
    with pytest.raises(ArtefactError, match="bytes"):
        read_replay(bytes(5 * 1024 * 1024))
