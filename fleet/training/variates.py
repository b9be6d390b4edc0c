"""Control variates in a robot's training: what its own gradient has that the guild's has not is taken out.

SCAFFOLD (Karimireddy et al. 2020), with gradients clipped and fed to a local Adam: each step uses
g - c_i + c, where c_i is the mean of this robot's clipped gradients in its last round, and c the mean of all
robots'. How c comes about is the hub's; what travels is named in `skills.parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor, nn

from skills.container import Tensors

__all__ = ["Correction", "OwnVariates"]

LAST, BEGUN = "own-variate.", "own-variate-with"
REMEMBERED = 2
"""Of the versions that its last rounds began from: one round may begin before the last one is decided."""


class Correction:
    """The control variates of one round of one robot.

    Args:
        weights: The parameters that are corrected, by tensor name.
        own: c_i, of this robot's last round; None where it has none: nothing is corrected.
        guild: c, of all robots' last round; None in the first.

    Attributes:
        parameters: What is corrected.
        count: Gradients noted so far.
    """

    def __init__(
        self, weights: Mapping[str, nn.Parameter], own: Tensors | None, guild: Tensors | None
    ) -> None:
        self.parameters = list(weights.values())
        self._names = list(weights)
        self._shift: list[Tensor] | None = None
        if own is not None and guild is not None:
            self._shift = [
                torch.from_numpy((guild[name] - own[name]).astype(np.float32)) for name in self._names
            ]
        self._sums = [torch.zeros_like(weight) for weight in self.parameters]
        self.count = 0

    def apply(self) -> None:
        """Note the clipped gradients, then correct them."""
        gradients = [weight.grad for weight in self.parameters if weight.grad is not None]
        torch._foreach_add_(self._sums, gradients)
        self.count += 1
        if self._shift is not None:
            torch._foreach_add_(gradients, self._shift)

    def noted(self) -> Tensors:
        """The mean of the clipped gradients so far, float32, by tensor name: this round's c_i."""
        return {
            name: (total / max(1, self.count)).numpy().astype(np.float32)
            for name, total in zip(self._names, self._sums, strict=True)
        }


class OwnVariates:
    """This robot's c_i: that of its last round, and those with which its last rounds began.

    A round whose version does not pass leaves c where it was, and the next round begins from there again.
    Only the c_i of before go with that c, for their mean is c. Later ones would push all robots the same way,
    step after step, and the round after such a refusal would be refused for it.

    Attributes:
        last: Of the last round; None before any.
    """

    def __init__(self, last: Tensors | None = None, begun: Mapping[str, Tensors] | None = None) -> None:
        self.last = last
        self._begun = dict(begun or {})

    def begin(self, guild: Tensors) -> Tensors | None:
        """The one for a round from a version that carries this c; None where this robot has none yet."""
        digest = sha256()
        for name in sorted(guild):
            digest.update(np.ascontiguousarray(guild[name]).tobytes())
        version = digest.hexdigest()[:16]
        own = self._begun.pop(version, self.last)
        if own is not None:
            kept = list(self._begun.items())[1 - REMEMBERED :]
            self._begun = {**dict(kept), version: own}
        return own

    def tensors(self, last: Tensors | None) -> Tensors:
        """All of it, with the last round's, as a robot keeps it."""
        found = {LAST + name: tensor for name, tensor in (last or {}).items()}
        for place, (version, own) in enumerate(self._begun.items()):
            found |= {f"{BEGUN}.{place}.{version}.{name}": tensor for name, tensor in own.items()}
        return found

    @classmethod
    def of(cls, kept: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> OwnVariates:
        """From what was kept; what does not belong to these parameters is left aside."""
        found: dict[str, dict[str, Tensors]] = {LAST: {"": {}}, BEGUN: {}}
        for name in sorted(kept):
            if name.startswith(LAST):
                found[LAST][""][name.removeprefix(LAST)] = kept[name]
            elif name.startswith(BEGUN):
                _, _, version, tensor = name.split(".", 3)
                found[BEGUN].setdefault(version, {})[tensor] = kept[name]

        def fits(own: Tensors) -> bool:
            return {name: tensor.shape for name, tensor in own.items()} == dict(shapes)

        last = found[LAST][""]
        begun = {version: own for version, own in found[BEGUN].items() if fits(own)}
        return cls(last if fits(last) else None, begun)
