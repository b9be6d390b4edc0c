"""A real OPC UA server, and a loop that drives what it exposes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.sync import Server

from fleet.place import RobotError
from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Loop
from fleet.runtime.opcua import Nodes, OpcUaRobot
from skills.errors import ContractError
from tests.fleet.runtime.robots import CONTRACT, Always, Hands

METRES = CONTRACT.model_copy(
    update={
        "observation": (CONTRACT.observation[0].model_copy(update={"scale": 0.5}),),
        "action": (CONTRACT.action[0].model_copy(update={"scale": 0.25}),),
    }
)
NODES = Nodes(
    ["ns=2;s=place"],
    ["ns=2;s=speed"],
    "ns=2;s=enable",
    "ns=2;s=alive",
    "ns=2;s=over",
    "ns=2;s=success",
    "ns=2;s=busy",
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Plc:
    """A server with the variables; what it measured is set by the test, with a time of its own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"opc.tcp://127.0.0.1:{port}"
        self.server = Server()
        self.server.set_endpoint(self.url)
        self.server.register_namespace("urn:zunft:test")
        kinds = ua.VariantType
        start: dict[str, tuple[Any, ua.VariantType]] = {
            "place": (0.0, kinds.Double),
            "speed": (9.0, kinds.Double),
            "enable": (True, kinds.Boolean),
            "alive": (0, kinds.UInt32),
            "over": (False, kinds.Boolean),
            "success": (False, kinds.Boolean),
            "busy": (False, kinds.Boolean),
        }
        folder = self.server.nodes.objects
        self.nodes = {
            name: folder.add_variable(ua.NodeId(name, 2), name, value, kind)
            for name, (value, kind) in start.items()
        }
        for node in self.nodes.values():
            node.set_writable()
        self.measure(0.0)

    def measure(self, place: float, at: datetime = NOW) -> None:
        value = ua.DataValue(
            ua.Variant(place, ua.VariantType.Double), SourceTimestamp=at.replace(tzinfo=None)
        )
        self.nodes["place"].write_value(value)

    def read(self, name: str) -> Any:
        return self.nodes[name].read_value()


@pytest.fixture
def plc() -> Iterator[Plc]:
    found = Plc()
    with found.server:
        yield found


def robot_of(plc: Plc, clock: Hands) -> OpcUaRobot:
    return OpcUaRobot(plc.url, NODES, METRES, clock, lambda: NOW, patience=10.0)


def test_numbers_are_in_their_units_and_as_old_as_the_plc_says(plc: Plc) -> None:
    clock = Hands()
    robot = robot_of(plc, clock)
    robot.connect()
    assert (plc.read("enable"), plc.read("speed")) == (False, 0.0)
    plc.measure(0.1, NOW - timedelta(seconds=0.25))
    seen = robot.observe()
    assert seen.numbers.tolist() == pytest.approx([0.2])
    assert (clock.time - seen.taken_at, seen.over, seen.success, seen.busy) == (0.25, False, None, False)
    robot.send(np.array([0.5], np.float32))
    assert (plc.read("speed"), plc.read("enable"), plc.read("alive")) == (0.125, True, 2)
    robot.hold()
    assert (plc.read("speed"), plc.read("enable"), plc.read("alive")) == (0.0, False, 3)
    for name in ("over", "success", "busy"):
        plc.nodes[name].write_value(True)
    seen = robot.observe()
    assert (seen.over, seen.success, seen.busy) == (True, True, True)
    robot.send(np.array([0.5], np.float32))
    robot.disconnect()
    assert plc.read("enable") is False


def test_a_plc_whose_measurements_stop_is_held_and_then_stopped(plc: Plc) -> None:
    clock = Hands()
    robot = robot_of(plc, clock)
    plc.measure(0.1, NOW - timedelta(seconds=1))
    robot.connect()
    job = Loop(robot, METRES, Limits(), clock, Counters()).do_job(Always(), 100)
    assert (job.outcome, job.reason.partition(":")[0]) == ("stopped", "fresh")
    assert plc.read("enable") is False
    robot.disconnect()


def test_a_server_that_is_gone_is_a_robot_that_failed(plc: Plc) -> None:
    robot = OpcUaRobot("opc.tcp://127.0.0.1:1", NODES, METRES, Hands(), patience=1.0)
    with pytest.raises(RobotError, match="OPC UA server failed"):
        robot.connect()
    with pytest.raises(RobotError, match="no session"):
        OpcUaRobot(plc.url, NODES, METRES).observe()


def test_there_is_a_node_for_each_number() -> None:
    with pytest.raises(ContractError, match="nodes instead"):
        OpcUaRobot("opc.tcp://x", Nodes([], ["a"], "b", "c"), METRES)
