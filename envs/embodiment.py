"""Embodiments: the robots that a task may admit, each one MJCF file.

`arms/<name>.xml` has joints, a site `tool` at the tip, a keyframe `home` and a custom text `product`; a
robot that is no arm says by a text `drive` how it is driven (`envs.drives`). A seventh arm is one more
file. Putting one into a task's scene is `envs.scene`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from skills.errors import ContractError

__all__ = ["Embodiment", "embodiment_names", "load_embodiment"]

ARMS = Path(__file__).parent / "arms"


@dataclass(frozen=True)
class Embodiment:
    """One kind of robot.

    Attributes:
        product: Maker and model, for people.
        drive: How it is driven: `impedance` or `flight`.
        home: Joint positions of the home pose.
        tool_position: Where the tool is at home, (3,), m from the base.
        tool_rotation: Its orientation there, quaternion (4,).
    """

    name: str
    product: str
    drive: str
    path: Path
    home: NDArray[np.float64]
    tool_position: NDArray[np.float64]
    tool_rotation: NDArray[np.float64]


def embodiment_names() -> tuple[str, ...]:
    """The robots of this package, sorted."""
    return tuple(sorted(path.stem for path in ARMS.glob("*.xml")))


@lru_cache(maxsize=64)
def load_embodiment(name: str) -> Embodiment:
    """Read a robot by name.

    Raises:
        ContractError: There is no such robot, or its file lacks the tool site or the home pose.
    """
    path = ARMS / f"{name}.xml"
    if re.fullmatch(r"[a-z0-9_-]+", name) is None or not path.is_file():
        raise ContractError(
            f"no robot {name!r}.",
            where="embodiment",
            remedy=f"Choose one of {', '.join(embodiment_names())}, or add a file to envs/arms.",
        )
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        model = spec.compile()
        data = mujoco.MjData(model)
        mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
        mujoco.mj_kinematics(model, data)
        tool = data.site("tool")
        rotation = np.zeros(4)
        mujoco.mju_mat2Quat(rotation, tool.xmat)
        texts = {text.name: text.data for text in spec.texts}
        product, drive = texts["product"], texts.get("drive", "impedance")
    except (ValueError, KeyError) as error:
        raise ContractError(
            f"not a robot: {error}",
            where=str(path),
            remedy="A robot has a site `tool`, a keyframe `home` and a custom text `product`.",
        ) from error
    return Embodiment(name, product, drive, path, data.qpos.copy(), tool.xpos.copy(), rotation)
