"""A robot as a process for chaos: `python -m tests.chaos.robot HOME HUB TOKEN NAME`, until it is killed.

The real agent with a workshop that takes no time. It brings every third delta three times from three
connections at once, and writes each receipt, once it has it, into HOME/receipts.jsonl: what the hub has
acknowledged is what it must never lose.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fleet.agent import Agent, AgentSettings, take_turns
from fleet.client import HubClient
from fleet.membership import connect, join
from fleet.robot_folder import RobotFolder
from skills.errors import HubUnreachableError, ZunftError
from skills.files import Blob
from skills.fits import Abilities
from skills.messages.rounds import DeltaReceipt
from tests.fleet.small_robot import SmallPlace, SmallWork

SETTINGS = AgentSettings(poll_seconds=0.05, look_seconds=0.5, backoff_seconds=0.1, backoff_cap=1.0)
OFTEN = 3


@dataclass
class NotingClient(HubClient):
    """Notes every receipt on disk before anything else is done with it."""

    bench: RobotFolder
    pushed: int = 0

    def push_delta(self, round_id: str, delta: Blob) -> DeltaReceipt:
        """Once, or three times at once."""
        self.pushed += 1
        times = OFTEN if self.pushed % OFTEN == 0 else 1
        with ThreadPoolExecutor(times) as pool:
            tries = [pool.submit(self._push_once, round_id, delta) for _ in range(times)]
        receipts = [each.result() for each in tries if each.exception() is None]
        if not receipts:
            return tries[0].result()
        return receipts[0]

    def _push_once(self, round_id: str, delta: Blob) -> DeltaReceipt:
        line = connect(self.bench)
        try:
            receipt = line.push_delta(round_id, delta)
        finally:
            line.connection.close()
        with (self.bench.home / "receipts.jsonl").open("a") as file:
            file.write(receipt.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
        return receipt


class DrawnGround(SmallPlace):
    """Deltas that differ from robot to robot and round to round."""

    def practise(self, *arguments: Any) -> SmallWork:
        work = super().practise(*arguments)
        rng = np.random.default_rng()
        drawn = {name: rng.normal(size=t.shape) for name, t in work.delta.tensors.items()}
        return replace(work, delta=replace(work.delta, tensors=drawn))


def main() -> None:
    """Join, then work until the end."""
    home, hub, token, name = sys.argv[1:]
    bench = RobotFolder(Path(home))
    while True:
        try:
            identity = join(bench, hub, token=token, name=name, embodiment="ur5e")
            break
        except HubUnreachableError:
            time.sleep(0.2)
    line = connect(bench)
    client = NotingClient(line.connection, line.key, line.guild, bench)
    agent = Agent(
        "follow",
        identity,
        bench,
        client,
        DrawnGround(),
        SETTINGS,
        abilities=Abilities(),
        rng=np.random.default_rng(),
        report=lambda _: None,
        stopped=lambda: False,
    )
    while True:
        try:
            take_turns([agent], lambda: False, time.sleep)
        except ZunftError as error:  # a clock that jumped too far: a real robot is started again by its init
            print(error, file=sys.stderr, flush=True)  # noqa: T201
            time.sleep(0.2)


if __name__ == "__main__":
    main()
