"""A skill's ONNX file run by ONNX Runtime, in place of `skills.policy`: the same actions, the same refusals.

For robots whose other software runs ONNX anyway, and to hold the exported file to its skill.
Needs the package `onnxruntime`; how the file is made is `skills.onnx_file`'s.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.errors import ArtefactError, ContractError
from skills.onnx_file import onnx_file
from skills.skill import Skill

__all__ = ["OnnxPolicy"]

Array = NDArray[np.float32]


class OnnxPolicy:
    """A policy on one thread of the processor; see `skills.policy.Policy` for what `begin` and `act` mean.

    Args:
        data: The file.

    Raises:
        ModuleNotFoundError: `onnxruntime` is not installed.
    """

    def __init__(self, data: bytes) -> None:
        import onnxruntime  # noqa: PLC0415 - an extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        sizes = {each.name: int(each.shape[1]) for each in self._session.get_inputs()}
        self._size, self._memory_size = sizes["observation"], sizes.get("memory", 0)
        self._memory: Array | None = None

    @classmethod
    def of_skill(cls, skill: Skill) -> OnnxPolicy:
        """Of a skill, by way of its ONNX file; raises what `onnx_file` does, too."""
        return cls(onnx_file(skill))

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def begin(self) -> OnnxPolicy:
        """The same policy with an empty memory of its own."""
        fresh = copy(self)
        fresh._memory = None  # noqa: SLF001 - of its own class
        return fresh

    def act(self, observation: NDArray[Any]) -> Array:
        """Action for one observation (size,) or many (n, size); float32, each number in [-1, 1].

        Raises:
            ContractError: The observation has another size than the contract's, or there are more or fewer of
                them than in the step before.
            ArtefactError: Something that was seen, remembered or computed is no finite number.
        """
        seen = np.asarray(observation, dtype=np.float32)
        if seen.ndim > 2 or seen.shape[-1:] != (self._size,):
            raise ContractError(
                f"observation of shape {seen.shape} instead of {self._size} numbers.",
                where="observation",
                remedy="Compare the robot's sensors with the contract in the file's metadata.",
            )
        rows = np.atleast_2d(seen)
        action, *after = self._session.run(None, {"observation": rows, **self._remembered(len(rows))})
        if not np.isfinite(action).all():
            raise ArtefactError(
                "the action has NaN: the observation or what the network makes of it is not finite.",
                where="action",
                remedy="Look at the robot's sensors; it was not told to move.",
                code="not_finite",
            )
        self._memory = after[0] if after else None
        found: Array = action.reshape(*seen.shape[:-1], -1)
        return found

    def _remembered(self, count: int) -> dict[str, Array]:
        if not self._memory_size:
            return {}
        if self._memory is None:
            return {"memory": np.zeros((count, self._memory_size), dtype=np.float32)}
        if len(self._memory) != count:
            raise ContractError(
                f"{count} observations after {len(self._memory)} in the step before.",
                where="observation",
                remedy="Begin new jobs with `policy.begin()`.",
            )
        return {"memory": self._memory}
