"""What is between two halls breaks: answers are lost, a side is away, late, or restored from a backup."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx

from hub.operations.backup import back_up
from hub.operations.restore import restore
from hub.settings import GATE_KEY_FILE, KEY_FILE
from hub.storage.tables.rounds import DeltaRow
from tests.hub.conftest import Hall, ok
from tests.zunft.halls.sites import Site, joined, lone, order, two_sites, upper_hall
from zunft.halls.bridge import Bridge
from zunft.halls.joining import HallFolder


class BadLine(httpx.HTTPTransport):
    """Loses the first answer to each question, after the request was done; and all while it is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str]] = set()
        self.is_cut = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("cut", request=request)
        answer = super().handle_request(request)
        question = request.method, str(request.url)
        if question not in self.asked:
            self.asked.add(question)
            answer.close()
            raise httpx.ReadError("lost", request=request)
        return answer


def over(site: Site, line: httpx.BaseTransport) -> Site:
    """The same site on another line."""
    site.bridge.close()
    folder = HallFolder(site.hall.settings.data_dir, site.halls.memberships.key)
    return Site(site.hall, site.robots, Bridge(site.halls, folder, transport=line, look_seconds=0))


def deltas_of(upper: Hall) -> list[str]:
    with upper.services.storage.database.read() as session:
        return [each.digest for each in session.query(DeltaRow)]


def test_a_delta_counts_once_where_each_first_answer_is_lost(tmp_path: Path) -> None:
    with two_sites(tmp_path, [2]) as (upper, sites):
        site = over(sites[0], BadLine())
        order(upper, quorum=1, rounds=1)
        site.move("working")
        site.train(0)
        row = site.move("handed")
        assert deltas_of(upper) == [row.delta]
        site.bridge.close()


def test_a_hall_works_on_while_the_larger_one_is_away(tmp_path: Path) -> None:
    line = BadLine()
    with two_sites(tmp_path, [2]) as (upper, sites):
        site = over(sites[0], line)
        order(upper, quorum=1, rounds=1)
        site.move("working")
        line.is_cut = True
        site.train(0)
        for _ in range(3):
            assert site.bridge.step() >= 0
            site.hall.turn()
        assert site.hall.get("/campaigns")[0]["state"] == "finished"
        assert deltas_of(upper) == []
        line.is_cut = False
        assert site.move("handed").delta in deltas_of(upper)
        assert len(deltas_of(upper)) == 1
        site.bridge.close()


def test_what_comes_after_the_end_is_dropped_and_said(tmp_path: Path) -> None:
    with two_sites(tmp_path, [1]) as (upper, sites):
        campaign = order(upper, quorum=1, rounds=1)
        sites[0].move("working")
        sites[0].train(0)
        ok(upper.post(f"/campaigns/{campaign}/stop"))
        assert "did not take it" in sites[0].move("dropped").reason
        assert deltas_of(upper) == []


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def test_a_restored_hall_is_known_above_and_counts_no_round_twice(tmp_path: Path) -> None:
    with upper_hall(tmp_path / "upper") as (upper, address):
        site = joined(lone(tmp_path / "site"), address, upper, 1)
        order(upper, quorum=2, rounds=1)
        site.move("working")
        file, _ = back_up(site.hall.settings, tmp_path, datetime.now(UTC), progress=silent)
        site.train(0)
        first = site.move("handed").delta
        old = site.hall.settings.data_dir
        robots = site.robots
        site.bridge.close()
        site.hall.close()

        settings = site.hall.settings.model_copy(update={"data_dir": tmp_path / "new"})
        restore(settings, file, hub_key=None, progress=silent)
        for key in (KEY_FILE, GATE_KEY_FILE):
            (settings.data_dir / key).write_bytes((old / key).read_bytes())
        hall = lone(settings.data_dir)
        for robot in robots:
            robot.client = hall.client
        folder = HallFolder(settings.data_dir, hall.services.halls.memberships.key)
        again = Site(hall, robots, Bridge(hall.services.halls, folder, look_seconds=0))
        assert not folder.joined()  # its folder is lost; the membership is in the database
        again.train(7)  # other numbers than before
        assert "is in already" in again.move("dropped").reason
        assert deltas_of(upper) == [first]
        again.bridge.close()
        hall.close()
