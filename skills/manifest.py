"""What a skill says of itself: its task, its contract with the robot, its network, its lineage.

Data only. What a network is made of is left to `skills.networks`; scores belong to the catalogue, because
a skill is immutable and is measured after it was made.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from skills.document import Document, Parameters
from skills.networks.registry import AnyNetwork
from skills.parts import Carried, carried_shapes

__all__ = ["Channel", "Contract", "Digest", "Manifest", "Name"]

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]


class Channel(Document):
    """One named part of an observation or action vector; vector value = physical value / scale."""

    name: str = Field(min_length=1, max_length=64)
    size: int = Field(ge=1, le=4096)
    unit: str = Field(max_length=32)
    scale: float = Field(gt=0, allow_inf_nan=False)


class Contract(Document):
    """What a robot must sense and obey to run the skill: channels in order, and the control rate."""

    observation: tuple[Channel, ...] = Field(min_length=1, max_length=256)
    action: tuple[Channel, ...] = Field(min_length=1, max_length=256)
    control_hz: float = Field(gt=0, le=10_000, allow_inf_nan=False)

    @property
    def observation_size(self) -> int:
        """Numbers in one observation."""
        return sum(channel.size for channel in self.observation)

    @property
    def action_size(self) -> int:
        """Numbers in one action."""
        return sum(channel.size for channel in self.action)

    def differences(self, other: Contract) -> list[str]:
        """Say in words how `other` deviates; empty when a skill for one runs on the other."""
        found = []
        if self.control_hz != other.control_hz:
            found.append(f"control rate {other.control_hz} Hz instead of {self.control_hz} Hz")
        for side in ("observation", "action"):
            mine, theirs = getattr(self, side), getattr(other, side)
            found += [f"{side} {each}" for each in _channel_differences(mine, theirs)]
            if not found and mine != theirs:
                found.append(f"{side} channels are in another order")
        return found


def _channel_differences(mine: tuple[Channel, ...], theirs: tuple[Channel, ...]) -> list[str]:
    lacking, unknown = [c for c in mine if c not in theirs], [c for c in theirs if c not in mine]
    changed = {c.name for c in lacking} & {c.name for c in unknown}
    known = {c.name: c for c in lacking}
    return [
        *(f"lacks {c.name} ({c.size} x {c.unit})" for c in lacking if c.name not in changed),
        *(f"has unknown {c.name} ({c.size} x {c.unit})" for c in unknown if c.name not in changed),
        *(
            f"has {c.name} as {c.size} x {c.unit} over {c.scale:g} instead of "
            f"{known[c.name].size} x {known[c.name].unit} over {known[c.name].scale:g}"
            for c in unknown
            if c.name in changed
        ),
    ]


class Manifest(Document):
    """The header of a skill file.

    Attributes:
        name: The skill's name in the catalogue, such as `weld-seam`.
        version: Position in its lineage, from 1.
        task: The task it was trained for.
        task_digest: Digest of the task bundle, so that nobody compares scores of two tasks.
        parents: Digests of the versions it was made from; empty for a fresh start.
        origin: How it came to be: `initial`, `upload` or `merge`.
        samples: Environment steps that its last training or merge used.
        carries: What the file has beside the network, see `skills.parts`; not written where that is nothing.
    """

    format: Literal["zunft.skill/1"] = "zunft.skill/1"
    name: Name
    version: int = Field(ge=1, le=1_000_000_000)
    task: Name
    task_digest: Digest | None = None
    contract: Contract
    network: AnyNetwork
    parents: tuple[Digest, ...] = Field(default=(), max_length=1024)
    origin: Literal["initial", "upload", "merge"] = "upload"
    round_id: str | None = Field(default=None, max_length=64)
    contributors: int = Field(default=0, ge=0)
    samples: int = Field(default=0, ge=0)
    licence: str = Field(default="Apache-2.0", max_length=64)
    summary: str = Field(default="", max_length=2000, pattern=r"^[^\x00]*$")
    carries: tuple[Carried, ...] = Field(default=(), max_length=3, exclude_if=lambda parts: not parts)

    def shapes(self) -> Parameters:
        """Name and shape of every tensor of the skill."""
        network = self.network.shapes()
        return network | carried_shapes(network, self.carries)

    @model_validator(mode="after")
    def _network_fits_contract(self) -> Manifest:
        sizes = (self.contract.observation_size, self.contract.action_size)
        if (self.network.inputs, self.network.outputs) != sizes:
            msg = f"a network with {self.network.inputs} inputs does not fit a contract of {sizes}"
            raise ValueError(msg)
        return self
