"""A real hub that scores in the background, is killed in the middle, and goes on."""

from __future__ import annotations

import os
from pathlib import Path

from envs.replay import read_replay
from envs.task import load_task
from fleet.client import OperatorClient
from hub.workers.scoring import score_skill, score_view
from skills.messages.leaderboards import BOARD, Leaderboard
from skills.messages.lists import BoardQuery
from tests.eventually import eventually
from tests.hub.api.test_web_process import heavy_libraries
from tests.hub.conftest import ADMIN
from tests.hub.running import running_hub
from tests.hub.workers.test_gate import weld_skill
from tests.hub.workers.test_processes import workers_of

HUB = {"ZUNFT_LEADERBOARDS": "true", "ZUNFT_LEASE_SECONDS": "0.5"}


def board_of(address: str) -> Leaderboard:
    return OperatorClient.open(address, ADMIN).leaderboard("weld-seam", BoardQuery())


def test_a_hub_killed_while_it_scores_goes_on_and_its_digits_are_everybody_s(tmp_path: Path) -> None:
    skill = weld_skill(0)
    with running_hub(tmp_path, **HUB) as hub:
        operator = OperatorClient.open(hub.address, ADMIN)
        operator.publish_skill(skill)
        operator.change_minimum("weld-seam", 0.0)
        operator.move_channel("weld-seam", "stable", 1)
        own = os.getpriority(os.PRIO_PROCESS, hub.pid)
        eventually(lambda: [pid for pid in workers_of(hub.pid) if os.getpriority(os.PRIO_PROCESS, pid) > own])
        assert board_of(hub.address).entries == ()
        hub.kill()
    with running_hub(tmp_path, **HUB) as hub:
        eventually(lambda: board_of(hub.address).entries)
        board = board_of(hub.address)
        (entry,) = board.entries
        assert board.plan == BOARD
        expected = score_skill(skill, load_task("weld-seam"), board.seeds).by_embodiment
        assert entry.by_embodiment == {robot: score_view(score) for robot, score in expected.items()}
        replay, _ = read_replay(OperatorClient.open(hub.address, "").replay("weld-seam", "weld-seam"))
        assert replay.task_digest == board.task_digest
        assert heavy_libraries(hub.pid) == set()
        hub.stop()
