"""What the scene's own sensors and the joints say: touch, force, torque and so on; joint velocities."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from envs.context import CompileContext
from envs.terms.base import Term
from envs.terms.geometry import Stateless
from envs.values import Output, Outputs

__all__ = ["JointVelocity", "Sensor"]


class Sensor(Term):
    """A sensor of the MJCF by its name: touch (N), force (N) and torque (N m) at a site, and so on.

    The engine's own sensors need no simulation beyond the step; those that MuJoCo computes from
    accelerations (touch, force, torque, accelerometer) are as old as the last physics step.

    Attributes:
        sensor: Its name; one of the tool's file is found by its own name as well.
        size: Its components, as MuJoCo defines them.
        gain: What it is multiplied with, -1 to turn its sign.
        into_job: Its axes are the tool's; give it in those of the job (vectors of three, small tilts).
    """

    kind: Literal["sensor"]
    sensor: Annotated[str, Field(min_length=1, max_length=64)]
    unit: str = Field(max_length=16)
    size: int = Field(default=1, ge=1, le=6)
    gain: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    into_job: bool = False

    @model_validator(mode="after")
    def _only_vectors_turn(self) -> Sensor:
        if self.into_job and self.size != 3:
            raise ValueError("into_job needs size = 3")
        return self

    def outputs(self) -> Outputs:
        """The sensor's numbers."""
        return {"": Output(self.size, self.unit)}

    def compile(self, name: str, context: CompileContext) -> _LiveSensor:
        """Find the sensor."""
        return _LiveSensor(self, name, context)


class _LiveSensor(Stateless):
    def __init__(self, term: Sensor, name: str, context: CompileContext) -> None:
        self._read = context.cells.sensor(term.sensor, term.size)
        self._gain, self._out = term.gain, context.quantities.view(name)
        self._frame = context.frame if term.into_job else None

    def update(self) -> None:
        self._out[:] = self._frame.into_job(self._read) if self._frame else self._read
        self._out *= self._gain


class JointVelocity(Term):
    """Speed of the robot's joints together: the root of the mean square, rad/s."""

    kind: Literal["joint-velocity"]

    def outputs(self) -> Outputs:
        """One number; joints themselves are no part of a contract that any arm can have."""
        return {"": Output(1, "rad/s")}

    def compile(self, name: str, context: CompileContext) -> _LiveJointVelocity:
        """Find the joints."""
        return _LiveJointVelocity(name, context)


class _LiveJointVelocity(Stateless):
    def __init__(self, name: str, context: CompileContext) -> None:
        self._joints = context.cells.joint_velocities()
        self._out = context.quantities.view(name)[:, 0]

    def update(self) -> None:
        self._out[:] = (self._joints**2).mean(axis=1) ** 0.5
