"""Replays: how the bodies moved in the best, the median and the worst episode of an evaluation.

A few kB a second, in one safetensors file; whoever has the embodiment and the bundle can draw it, the
numbers alone need neither. Keeping it beside a score, and showing it, is a hub's business.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from envs.evaluate import Evaluation, run_episodes
from envs.task import Task
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop
from skills.container import Tensors, check_finite, check_shapes, pack, unpack
from skills.errors import ArtefactError
from skills.manifest import Digest, Name
from skills.messages.leaderboards import REPLAY_LIMIT
from skills.player import Player

__all__ = ["Episode", "Replay", "read_replay", "record"]

FRAMES_A_SECOND = 25.0
Kind = Literal["best", "median", "worst"]


class Episode(BaseModel):
    """One of the three; `number` counts the evaluation's episodes from 0."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(ge=0)
    gained: float = Field(allow_inf_nan=False)
    success: bool
    frames: int = Field(ge=1, le=100_000)


class Replay(BaseModel):
    """The header of the file.

    Each episode has tensors `<kind>.position` (frames, bodies, 3), m, and `<kind>.rotation`
    (frames, bodies, 4), quaternions, in the world of the scene, float16.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["zunft.replay/1"] = "zunft.replay/1"
    task: Name
    task_digest: Digest
    embodiment: str = Field(max_length=64)
    workshop: str = Field(max_length=64)
    seed: int
    frames_a_second: float = Field(gt=0, le=1000)
    bodies: tuple[str, ...] = Field(min_length=1, max_length=500)
    episodes: dict[Kind, Episode] = Field(min_length=1)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of its tensors."""
        sizes = {"position": 3, "rotation": 4}
        return {
            f"{kind}.{name}": (episode.frames, len(self.bodies), size)
            for kind, episode in self.episodes.items()
            for name, size in sizes.items()
        }


def record(
    policy: Player, task: Task, workshop: Workshop, episodes: int, seed: int
) -> tuple[Evaluation, bytes]:
    """Evaluate as `envs.evaluate.evaluate` does, with the same result, and keep three episodes.

    Raises:
        ContractError: Player, task and workshop do not fit together.
    """
    env = TaskVectorEnv(task, workshop, episodes, seed)
    positions, rotations = env.cells.body_poses()
    stride = max(1, round(task.file.control_hz / FRAMES_A_SECOND))
    frames: list[tuple[NDArray[np.float16], NDArray[np.float16]]] = []
    lengths, step = np.zeros(episodes, np.int64), 0

    def watch(running: NDArray[np.bool_]) -> None:
        nonlocal step
        if step % stride == 0:
            frames.append((positions.astype(np.float16), rotations.astype(np.float16)))
            lengths[running] = len(frames)
        step += 1

    success, returns = run_episodes(policy, env, watch)
    order = np.argsort(-returns, kind="stable")
    kinds: dict[Kind, int] = {"best": 0, "median": episodes // 2, "worst": episodes - 1}
    chosen = {kind: int(order[place]) for kind, place in kinds.items()}
    tensors: Tensors = {}
    for kind, number in chosen.items():
        for name, part in (("position", 0), ("rotation", 1)):
            tensors[f"{kind}.{name}"] = np.stack([each[part][number] for each in frames[: lengths[number]]])
    replay = Replay(
        task=task.name,
        task_digest=task.digest,
        embodiment=workshop.embodiment,
        workshop=workshop.name,
        seed=seed,
        frames_a_second=task.file.control_hz / stride,
        bodies=tuple(env.cells.model.body(number).name for number in range(env.cells.model.nbody)),
        episodes={
            kind: Episode(
                number=number,
                gained=float(returns[number]),
                success=bool(success[number]),
                frames=int(lengths[number]),
            )
            for kind, number in chosen.items()
        },
    )
    evaluation = Evaluation.count(int(success.sum()), episodes, float(returns.mean()))
    return evaluation, pack(replay.model_dump_json(), tensors)


def read_replay(data: bytes) -> tuple[Replay, Tensors]:
    """Header and tensors of a file from anybody.

    Raises:
        ArtefactError: It is too large, no replay, or its numbers are not those that it announces.
    """
    if len(data) > REPLAY_LIMIT:
        raise ArtefactError(f"{len(data)} bytes.", where="replay", remedy=f"At most {REPLAY_LIMIT} are read.")
    document, tensors = unpack(data, "replay")
    try:
        replay = Replay.model_validate_json(document)
    except ValidationError as error:
        raise ArtefactError(
            f"not a replay: {error}", where="replay", remedy="Record it with a recent Zunft."
        ) from error
    check_shapes(tensors, replay.shapes(), "replay")
    check_finite(tensors, "replay")
    return replay, tensors
