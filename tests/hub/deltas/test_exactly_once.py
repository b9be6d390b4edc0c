"""The same delta, over and over, on several connections at once: it counts once, and its blob stays."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from hub.access.principal import THE_HUB
from hub.settings import Settings
from hub.storage.discards import GRACE
from hub.storage.regions import HOME
from skills.container import digest_of
from skills.messages.rounds import DeltaReceipt
from tests.hub.bringing import Yard, open_yard
from tests.hub.conftest import Collecting, Hands, Robot, ok, random_tensors
from tests.hub.serving import serving

CONNECTIONS, TIMES = 3, 10


def test_ten_times_from_three_connections_counts_once(on_both: Settings, clock: Hands) -> None:
    yard = open_yard(on_both, clock)
    data = yard.delta()
    digest = digest_of(data)
    together = threading.Barrier(CONNECTIONS)

    def bring(yard: Yard, number: int) -> DeltaReceipt:
        if number < CONNECTIONS:
            together.wait()
        if number % 2:
            return DeltaReceipt.model_validate_json(ok(yard.robot.push(yard.work.round_id, data)).content)
        view = yard.view(data)
        yard.bring(data, view)
        return DeltaReceipt.model_validate_json(ok(yard.complete(view)).content)

    def connect(address: str, number: int) -> list[DeltaReceipt]:
        with httpx.Client(base_url=address, timeout=60) as client:
            robot = Robot(client, clock, yard.robot.robot_id, yard.robot.key, first_nonce=1000 * (number + 1))
            mine = replace(yard, robot=robot)
            return [bring(mine, turn) for turn in range(number, TIMES, CONNECTIONS)]

    with serving(yard.hall.app) as address, ThreadPoolExecutor(CONNECTIONS) as threads:
        lists = list(threads.map(connect, [address] * CONNECTIONS, range(CONNECTIONS)))
        receipts = [receipt for each in lists for receipt in each]
        assert len(receipts) == TIMES
        assert {receipt.digest for receipt in receipts} == {digest}
        assert sorted(receipt.status for receipt in receipts) == ["admitted"] + ["duplicate"] * (TIMES - 1)
        with yard.hall.services.storage.database.read() as session:
            events = session.execute(text("SELECT data FROM events WHERE kind = 'delta.admitted'")).all()
        assert len(events) == 1
        assert yard.hall.services.rounds.campaigns.round(yard.work.round_id, THE_HUB).deltas == 1
        assert yard.hall.services.storage.store.get(digest) == data
        assert [path for path in yard.stored() if path.endswith(digest[9:])] == [
            f"sha256/{digest[7:9]}/{digest[9:]}"
        ]
        assert not any(path.startswith("incoming") for path in yard.stored())


def test_a_blob_that_another_connection_removed_is_put_back(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, robot = collecting.hall.services.storage.store, collecting.robots[0]
    data = robot.delta(collecting.work, random_tensors(collecting.base, 1))
    put = store.put_file
    calls = []

    def put_and_lose(digest: str, file: Path) -> None:
        put(digest, file)
        calls.append(digest)
        if len(calls) == 1:
            store.delete(digest)  # refused there, between two rounds, while it was welcome here

    monkeypatch.setattr(store, "put_file", put_and_lose)
    ok(robot.push(collecting.work.round_id, data))
    assert store.get(digest_of(data)) == data


def test_a_refusal_does_not_remove_what_was_admitted_meanwhile(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    data = robot.delta(collecting.work, random_tensors(collecting.base, 1))
    ok(robot.push(collecting.work.round_id, data))
    hall.services.storage.discards.add(HOME, digest_of(data))
    hall.clock.advance(2 * GRACE.total_seconds())
    hall.services.storage.discards.sweep()
    assert hall.services.storage.store.get(digest_of(data)) == data


def test_a_row_whose_blob_was_lost_is_mended_by_the_next_push(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    data = robot.delta(collecting.work, random_tensors(collecting.base, 1))
    ok(robot.push(collecting.work.round_id, data))
    hall.services.storage.store.delete(digest_of(data))
    assert ok(robot.push(collecting.work.round_id, data)).json()["status"] == "duplicate"
    assert hall.services.storage.store.get(digest_of(data)) == data
