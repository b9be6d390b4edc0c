"""A loop and a cell behind a real socket: whatever fails in the cell, the robot holds, then stops."""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from fleet.cell.faults import FAULTS
from fleet.cell.frames import LIMIT, Frames, Kind, pack
from fleet.cell.server import CellServer
from fleet.place import RobotError
from fleet.runtime.cell import CellRobot, order_fault, place_of
from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Job, Loop
from skills.errors import RequestError
from tests.fleet.cells import Line, cell_process, serving
from tests.fleet.runtime.robots import CONTRACT, PERIOD, Always, Hands


@pytest.fixture
def env() -> Line:
    return Line(length=300)


@pytest.fixture
def server(env: Line) -> Iterator[CellServer]:
    with serving(env, CONTRACT) as found:
        yield found


def robot_of(server: CellServer, clock: Hands, patience: float = 5.0) -> CellRobot:
    return CellRobot(("127.0.0.1", server.port), CONTRACT, clock, patience)


class Rig:
    """A loop that drives a cell, in virtual time."""

    def __init__(self, server: CellServer, patience: float = 5.0) -> None:
        self.clock, self.counters, self.place = Hands(), Counters(), ("127.0.0.1", server.port)
        self.robot = robot_of(server, self.clock, patience)
        self.robot.connect()
        self.loop = Loop(self.robot, CONTRACT, Limits(), self.clock, self.counters)

    def fault(self, kind: str, value: float = 1.0, after: float = 0.0) -> None:
        order_fault(self.place, kind, value, after)

    def job(self, longest: int = 1000) -> Job:
        return self.loop.do_job(Always(), longest)


def test_a_job_is_done_in_a_cell_and_another_one_begins(server: CellServer, env: Line) -> None:
    rig = Rig(server)
    assert [rig.job().outcome for _ in range(2)] == ["done", "done"]
    assert env.resets == 2
    assert env.told[:300] == [0.5] * 300


@pytest.mark.parametrize(
    ("kind", "value", "guard"),
    [
        ("frozen", 1.0, "fresh"),
        ("stuck", 1.0, "repeated"),
        ("late", 0.5, "fresh"),
        ("nan", 1.0, "finite"),
        ("noisy", 1e6, "sensed"),
        ("lost", 1.0, "observation"),
    ],
)
def test_a_sensor_that_fails_has_the_robot_hold_and_then_stop(
    server: CellServer, env: Line, kind: str, value: float, guard: str
) -> None:
    rig = Rig(server)
    rig.fault(kind, value, after=100 * PERIOD)
    job = rig.job()
    assert (job.outcome, job.reason.partition(":")[0]) == ("stopped", guard)
    assert np.isfinite(env.told).all()
    assert env.told[:100] == [0.5] * 100
    assert env.told[-4:] == [0.0] * 4  # held before it was stopped, and from then on
    rig.fault("clear")
    sent = len(env.told)
    assert rig.job().outcome == "stopped"  # that it is well again releases nobody
    assert all(each == 0.0 for each in env.told[sent:])


def test_a_sensor_that_comes_back_in_time_is_no_reason_to_stop(server: CellServer, env: Line) -> None:
    rig = Rig(server)
    rig.fault("nan", after=10 * PERIOD)
    count = 0

    def wanted(_: object) -> float:
        nonlocal count
        count += 1
        return 0.5

    player = Always()
    player.wanted = wanted
    hold = rig.robot.hold

    def holds() -> None:
        hold()
        if env.told.count(0.0) >= 3:
            rig.fault("clear")

    rig.robot.hold = holds  # type: ignore[method-assign]
    assert rig.loop.do_job(player, 1000).outcome == "done"
    assert env.told.count(0.0) in {3, 4}
    assert count == len(env.told) - env.told.count(0.0)


@pytest.mark.parametrize("kind", ["silent", "disconnected", "killed"])
def test_a_cell_that_is_lost_stops_the_robot_at_once(server: CellServer, env: Line, kind: str) -> None:
    rig = Rig(server, patience=0.3 if kind == "silent" else 5.0)
    rig.fault(kind, after=50 * PERIOD)
    job = rig.job()
    assert (job.outcome, "lost" in job.reason) == ("stopped", True)
    assert env.told == [0.5] * 50


def test_a_cell_says_that_it_is_busy(server: CellServer) -> None:
    rig = Rig(server)
    assert not rig.job().busy
    rig.fault("busy")
    assert rig.job().busy


def test_one_drives_and_another_is_refused_until_it_left(server: CellServer, env: Line) -> None:
    clock = Hands()
    first, second = (robot_of(server, clock) for _ in range(2))
    first.connect()
    first.observe()
    with pytest.raises(RobotError, match="somebody else drives"):
        second.connect()
    first.disconnect()
    second = robot_of(server, clock)
    second.connect()
    second.observe()
    assert env.resets == 2  # the first one's job is left


def test_a_cell_for_another_contract_is_not_driven(server: CellServer) -> None:
    other = CONTRACT.model_copy(update={"control_hz": 100.0})
    with pytest.raises(RobotError, match="same task"):
        CellRobot(("127.0.0.1", server.port), other, Hands()).connect()


@pytest.mark.parametrize("action", [[np.nan], [0.1, 0.2], []])
def test_what_is_no_action_never_moves_a_cell(server: CellServer, env: Line, action: list[float]) -> None:
    robot = robot_of(server, Hands())
    robot.connect()
    robot.observe()
    robot.send(np.array([0.5], np.float32))
    with pytest.raises(RobotError, match="does not understand"):
        robot.send(np.array(action, np.float32))
    robot.hold()
    assert env.told == [0.5, 0.0]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack("<BH", Kind.SEND, LIMIT + 1),
        struct.pack("<BH", 99, 0),
        pack(Kind.ORDER, [len(FAULTS), 0, 0]),
        pack(Kind.ORDER, [float("nan"), 0, 0]),
        pack(Kind.ANSWER, [1.0] * LIMIT),
    ],
)
def test_rubbish_does_no_harm(server: CellServer, rubbish: bytes) -> None:
    rig = Rig(server)
    with socket.create_connection(rig.place, 5) as stranger:
        stranger.sendall(rubbish)
        said = stranger.recv(64)
        assert said == b"" or said[0] == Kind.REFUSED
    assert rig.job().outcome == "done"


def test_frames_come_in_pieces_and_keep_their_numbers() -> None:
    frames = Frames()
    data = pack(Kind.SEND, [1.5, -2.25]) + pack(Kind.HOLD)
    found = []
    for byte in data:
        frames.feed(bytes([byte]))
        if frame := frames.take():
            found.append(frame)
    assert found == [(Kind.SEND, (1.5, -2.25)), (Kind.HOLD, ())]


@pytest.mark.parametrize(
    "address", ["cell://", "cell://host", "cell://host:x", "http://host:1", "cell://h:99999"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(RequestError, match="no cell's address"):
        place_of(address)
    assert place_of("cell://127.0.0.1:7000") == ("127.0.0.1", 7000)


def test_a_fault_that_is_none_is_refused(server: CellServer) -> None:
    with pytest.raises(RequestError, match="no fault 'tired'"):
        Rig(server).fault("tired")


def test_a_process_that_is_killed_stops_the_robot() -> None:
    from envs.task import load_task

    contract, clock = load_task("weld-seam").contract, Hands()
    player = Always()
    player.act = lambda _: np.zeros(contract.action_size, np.float32)  # type: ignore[assignment,method-assign]
    with cell_process("weld-seam", "--embodiment", "ur5e", "--lockstep") as (address, process):
        robot = CellRobot(place_of(address), contract, clock, patience=60.0)
        robot.connect()
        loop = Loop(robot, contract, Limits(), clock, Counters())
        assert loop.do_job(player, 10).outcome == "too long"
        order_fault(place_of(address), "killed", 1.0, 5 / contract.control_hz)
        job = loop.do_job(player, 1000)
        assert (job.outcome, job.periods) == ("stopped", 5)
        assert process.wait() == 137


def test_a_cell_ends_when_it_is_told() -> None:
    with cell_process("weld-seam") as (_, process):
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
