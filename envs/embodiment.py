"""Embodiments: the robots that a task may admit, each one MJCF file.

`<name>.xml` has joints, a site `tool` at the tip, a keyframe `home` and a custom text `product`; a robot
that is no arm says by a text `drive` how it is driven (`envs.drives`). The package's own lie in
`envs/arms`, a site's own in the folder that ZUNFT_EMBODIMENTS names. Putting one into a task's scene is
`envs.scene`, making such a file of somebody's URDF `envs.embodiment_import`.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skills.errors import ContractError

__all__ = ["Embodiment", "embodiment_names", "load_embodiment", "own_embodiments", "read_embodiment"]

ARMS = Path(__file__).parent / "arms"
OWN_FOLDER = "ZUNFT_EMBODIMENTS"


@dataclass(frozen=True)
class Embodiment:
    """One kind of robot.

    Attributes:
        product: Maker and model, for people.
        drive: How it is driven: `impedance` or `flight`.
        digest: Of its file.
        home: Joint positions of the home pose.
        tool_position: Where the tool is at home, (3,), m from the base.
        tool_rotation: Its orientation there, quaternion (4,).
    """

    name: str
    product: str
    drive: str
    path: Path
    digest: str
    home: NDArray[np.float64]
    tool_position: NDArray[np.float64]
    tool_rotation: NDArray[np.float64]


def embodiment_names() -> tuple[str, ...]:
    """The robots of this package, sorted."""
    return tuple(sorted(path.stem for path in ARMS.glob("*.xml")))


def own_embodiments() -> dict[str, Path]:
    """The files of whoever runs this, by name; the package's names are not theirs to take."""
    folder = os.environ.get(OWN_FOLDER, "")
    files = sorted(Path(folder).glob("*.xml")) if folder else []
    return {path.stem: path for path in files if path.stem not in embodiment_names()}


def load_embodiment(name: str) -> Embodiment:
    """Read a robot by name.

    Raises:
        ContractError: There is no such robot, or its file is none; see `read_embodiment`.
    """
    path = own_embodiments().get(name, ARMS / f"{name}.xml")
    if re.fullmatch(r"[a-z0-9_-]+", name) is None or not path.is_file():
        known = (*embodiment_names(), *own_embodiments())
        raise ContractError(
            f"no robot {name!r}.",
            where="embodiment",
            remedy=f"Choose one of {', '.join(known)}, or put a file into the folder {OWN_FOLDER}.",
        )
    return read_embodiment(path)


def read_embodiment(path: Path) -> Embodiment:
    """Read a robot's file.

    Raises:
        ContractError: It does not compile, or lacks the tool site, the home pose or the product.
    """
    return _read(path, path.read_bytes())


@lru_cache(maxsize=64)
def _read(path: Path, content: bytes) -> Embodiment:
    import mujoco  # noqa: PLC0415 - names are known without it

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
    return Embodiment(
        path.stem,
        product,
        drive,
        path,
        hashlib.sha256(content).hexdigest(),
        data.qpos.copy(),
        tool.xpos.copy(),
        rotation,
    )
