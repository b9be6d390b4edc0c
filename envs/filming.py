"""Episodes filmed: stepped again with their seed, with the way of each body and the traces that decide.

Which jobs are filmed is for the caller; drawing is a browser's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.recording import Recording, record
from envs.scene import build_model
from envs.scripted import controllers
from envs.task import Task
from envs.trace import Trace, trace_of
from envs.workshop import Workshop, fresh_workshop
from skills.errors import ContractError
from skills.messages.leaderboards import Draw
from skills.messages.replays import Episode, Shape, TraceLine
from skills.player import Player

__all__ = ["chosen", "episodes_of", "film", "script", "shapes_of", "stride_of"]

FRAMES_A_SECOND = 20.0
FAILED = 3
"""So many failed episodes at most, beside the worst."""
KINDS = {
    int(mujoco.mjtGeom.mjGEOM_PLANE): "plane",
    int(mujoco.mjtGeom.mjGEOM_SPHERE): "sphere",
    int(mujoco.mjtGeom.mjGEOM_CAPSULE): "capsule",
    int(mujoco.mjtGeom.mjGEOM_ELLIPSOID): "ellipsoid",
    int(mujoco.mjtGeom.mjGEOM_CYLINDER): "cylinder",
    int(mujoco.mjtGeom.mjGEOM_BOX): "box",
}


def film(player: Player, task: Task, embodiment: str, draw: Draw) -> Recording:
    """A draw's episodes on one embodiment, with poses.

    Raises:
        ContractError: The task has no scene, or does not admit the embodiment.
    """
    if embodiment not in task.file.embodiments:
        raise ContractError(
            f"{task.name} does not admit {embodiment[:64]!r}.",
            where="embodiment",
            remedy=f"Name one of {', '.join(task.file.embodiments)}.",
        )
    return record(player, task, _workshop(task, embodiment, draw), draw.episodes, draw.jobs, filmed=True)


def chosen(recorded: Recording) -> dict[int, tuple[str, ...]]:
    """Best, median, worst and some that failed: numbers of episodes with what each of them is."""
    order = np.argsort(-recorded.gained, kind="stable").tolist()
    found: dict[int, list[str]] = {}
    for kind, place in (("best", 0), ("median", len(order) // 2), ("worst", -1)):
        found.setdefault(order[place], []).append(kind)
    failed = [number for number in reversed(order) if not recorded.success[number]]
    for number in failed[: FAILED + 1]:
        found.setdefault(number, []).append("failed")
    return {number: tuple(kinds) for number, kinds in found.items()}


def episodes_of(recorded: Recording, task: Task, wanted: dict[int, tuple[str, ...]]) -> tuple[Episode, ...]:
    """These episodes, made plain."""
    return tuple(_episode(recorded, task, number, kinds) for number, kinds in wanted.items())


def stride_of(task: Task) -> int:
    """Steps from one frame to the next."""
    return max(1, round(1 / (task.dt * FRAMES_A_SECOND)))


def script(task: Task) -> tuple[str, Player] | None:
    """A controller of the task that is told nothing that no robot knows; None where there is none."""
    return next(((name, each) for name, each in controllers(task).items() if not each.told), None)


def shapes_of(task: Task, embodiment: str, draw: Draw) -> tuple[Shape, ...]:
    """What is to be seen of the scene; meshes as boxes around them."""
    model = build_model(task, _workshop(task, embodiment, draw), drawn=True)
    return tuple(shape for number in range(model.ngeom) if (shape := _shape(model, number)).colour[3] > 0)


def _workshop(task: Task, embodiment: str, draw: Draw) -> Workshop:
    return fresh_workshop(task.file, embodiment, draw.workshop, held_out=True)


def _shape(model: mujoco.MjModel, number: int) -> Shape:
    kind, position = KINDS.get(int(model.geom_type[number]), "box"), model.geom_pos[number].copy()
    size, rotation = model.geom_size[number], model.geom_quat[number]
    if model.geom_type[number] == mujoco.mjtGeom.mjGEOM_MESH:
        centre, size = model.geom_aabb[number][:3], model.geom_aabb[number][3:]
        moved = np.zeros(3)
        mujoco.mju_rotVecQuat(moved, centre, rotation)
        position += moved
    material = model.geom_matid[number]
    colour = model.mat_rgba[material] if material >= 0 else model.geom_rgba[number]
    return Shape.model_validate(
        {
            "body": int(model.geom_bodyid[number]),
            "kind": kind,
            "size": _rounded(size),
            "position": _rounded(position),
            "rotation": _rounded(rotation),
            "colour": _rounded(colour),
        }
    )


def _episode(recorded: Recording, task: Task, number: int, kinds: tuple[str, ...]) -> Episode:
    trace, lasted = trace_of(recorded, task, number), int(recorded.lasted[number])
    frames = recorded.poses[: lasted : stride_of(task), number]
    return Episode(
        place=number,
        kinds=kinds,
        success=bool(recorded.success[number]),
        gained=float(recorded.gained[number]),
        poses=tuple(_rounded(each.ravel()) for each in frames),
        lines=tuple(_lines(trace)),
    )


def _lines(trace: Trace) -> list[TraceLine]:
    return [
        TraceLine(
            name=each.of,
            unit=trace.quantities[each.of].unit,
            values=tuple(
                None if value is None else round(value, 5) for value in trace.quantities[each.of].values
            ),
            low=each.low,
            high=each.high,
            words=each.words.replace("`", ""),  # Markdown is for documents
            decided=each.decided,
            broken_at=_broken(trace, each.held, is_failure=each.role == "failure") if each.decided else None,
        )
        for each in trace.conditions
    ]


def _broken(trace: Trace, held: Sequence[tuple[float, float]], *, is_failure: bool) -> float:
    """The moment of failure: when what ends a job began, or when what should hold was last let go."""
    if is_failure:
        return held[-1][0] if held else trace.times[-1]
    if not held:
        return trace.counted_from
    last = held[-1][1]
    return last if last < trace.times[-1] else held[-1][0]


def _rounded(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(np.round(values.astype(np.float64), 4).tolist())
