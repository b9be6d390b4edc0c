"""A cell behind a PLC as a robot, over OPC UA: an extra, `zunft[opcua]`; docs/opcua.md.

Each number is a variable. The PLC does the motion, has a watchdog of its own, and is told by a counter that
whoever drives it is alive; safety is its and the hardware's business, never this module's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.place import RobotError
from fleet.runtime.loop import Clock, Monotonic
from fleet.runtime.robot import Numbers, Observed, failures_named
from skills.errors import ContractError
from skills.manifest import Channel, Contract

__all__ = ["Nodes", "OpcUaRobot"]


@dataclass(frozen=True)
class Nodes:
    """Node ids, such as `ns=2;s=cell.x`.

    Attributes:
        observation: A Double for each observed number, in physical units.
        action: A Double for each number of an action, in physical units.
        enable: Boolean; false: the PLC holds.
        alive: UInt32 that grows with each command, for the PLC's watchdog.
        over: Boolean; the job is over. Empty: never.
        success: Boolean, read where it is over. Empty: not known.
        busy: Boolean. Empty: never.
    """

    observation: Sequence[str]
    action: Sequence[str]
    enable: str
    alive: str
    over: str = ""
    success: str = ""
    busy: str = ""


class OpcUaRobot:
    """Drives what a server exposes.

    Args:
        url: `opc.tcp://...`.
        nodes: What is what.
        contract: Scales the numbers.
        clock: The loop's.
        today: UTC, held against the server's source timestamps, so clocks must agree (NTP, PTP).
        patience: Seconds that the server may take to answer.

    Raises:
        ContractError: There are not as many nodes as numbers.
    """

    def __init__(
        self,
        url: str,
        nodes: Nodes,
        contract: Contract,
        clock: Clock | None = None,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: float = 0.5,
    ) -> None:
        given = len(nodes.observation), len(nodes.action)
        wanted = contract.observation_size, contract.action_size
        if given != wanted:
            raise ContractError(f"{given} nodes instead of {wanted}.", where="nodes", remedy="Name one each.")
        self._url, self._nodes, self._patience = url, nodes, patience
        self._scales = _scales(contract.observation), _scales(contract.action)
        self._clock, self._today = clock or Monotonic(), today
        self._client: Any = None
        self._alive = 0

    def connect(self) -> None:
        """Open the session; the PLC holds."""
        from asyncua.sync import Client  # noqa: PLC0415 - an extra

        with _named():
            self._client = Client(self._url, timeout=self._patience)
            self._client.connect()
        self.hold()

    def observe(self) -> Observed:
        """All numbers in one request; as old as the oldest of them, by their source timestamps."""
        nodes = self._nodes
        flags = [each for each in (nodes.over, nodes.success, nodes.busy) if each]
        with _named():
            asked = self._clock.now()
            found = self._read([*nodes.observation, *flags])
            values = [each.Value.Value for each in found]
            numbers = np.array(values[: len(nodes.observation)], np.float64) / self._scales[0]
            age = self._age(found[: len(nodes.observation)])
        said = dict(zip(flags, values[len(nodes.observation) :], strict=True))
        over = bool(said.get(nodes.over, False))
        success = bool(said[nodes.success]) if over and nodes.success else None
        return Observed(
            numbers.astype(np.float32), asked - age, over, success, bool(said.get(nodes.busy, False))
        )

    def send(self, action: Numbers) -> NDArray[Any]:
        """The action, a living counter and the enabling, in one request."""
        self._alive = (self._alive + 1) % 2**32
        with _named():
            self._write(np.asarray(action, np.float64) * self._scales[1], enable=True)
        return action

    def hold(self) -> None:
        """Zeros, and not enabled."""
        self._alive = (self._alive + 1) % 2**32
        with _named():
            self._write(np.zeros(len(self._nodes.action)), enable=False)

    def disconnect(self) -> None:
        """Hold, and close the session."""
        client, self._client = self._client, None
        if client is None:
            return
        self._client = client
        try:
            self.hold()
        finally:
            self._client = None
            with _named():
                client.disconnect()

    def _read(self, ids: list[str]) -> list[Any]:
        from asyncua import ua  # noqa: PLC0415 - an extra

        client, wanted = self._session(), [ua.NodeId.from_string(each) for each in ids]
        # Its own way to read many values leaves out when they were taken.
        reading = client.aio_obj.uaclient.read_attributes(wanted, ua.AttributeIds.Value)
        found = client.tloop.post(reading)
        for name, each in zip(ids, found, strict=True):
            if not each.StatusCode.is_good():
                raise RobotError(
                    f"{name} is {each.StatusCode.name}.", where="opcua", remedy="Look at the PLC."
                )
        return list(found)

    def _age(self, values: list[Any]) -> float:
        stamps = [each.SourceTimestamp for each in values]
        if None in stamps:
            raise RobotError(
                "an observation without a source timestamp.", where="opcua", remedy="Turn them on."
            )
        oldest = min(each if each.tzinfo else each.replace(tzinfo=UTC) for each in stamps)
        return float((self._today() - oldest).total_seconds())

    def _write(self, numbers: NDArray[np.float64], *, enable: bool) -> None:
        from asyncua import ua  # noqa: PLC0415 - an extra

        kinds = ua.VariantType
        said = [
            (name, float(each), kinds.Double) for name, each in zip(self._nodes.action, numbers, strict=True)
        ]
        said += [(self._nodes.alive, self._alive, kinds.UInt32), (self._nodes.enable, enable, kinds.Boolean)]
        nodes = [self._session().get_node(name) for name, _, _ in said]
        values = [ua.DataValue(ua.Variant(value, kind)) for _, value, kind in said]
        self._session().write_values(nodes, values)

    def _session(self) -> Any:
        if self._client is None:
            raise RobotError("there is no session.", where="opcua", remedy="Connect first.")
        return self._client


def _scales(channels: tuple[Channel, ...]) -> NDArray[np.float64]:
    return np.concatenate([np.full(each.size, each.scale) for each in channels])


def _named() -> AbstractContextManager[None]:
    return failures_named("the OPC UA server", where="opcua", remedy="Look at the PLC.")
