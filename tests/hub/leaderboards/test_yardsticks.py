"""A task's own controllers stand beside its skills: measured once on the same jobs, anew if it changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from envs.bundle import BUNDLES
from envs.evaluate import evaluate_held_out, pool
from envs.scripted import controller
from envs.task import load_task
from hub.leaderboards.yardsticks import Yardsticks
from hub.settings import Settings
from hub.storage.tables.scores import ControllersRow
from hub.workers.job import never
from hub.workers.scoring import score_view
from skills.messages.leaderboards import BoardPlan, ControllerScore
from skills.messages.lists import BoardQuery
from tests.hub.conftest import Hall, Hands, StubGate
from tests.hub.leaderboards.samples import SMALL, enter_score
from tests.hub.leaderboards.test_scorer import board_of, renamed
from tests.hub.workers.test_gate import weld_skill

TASK = "weld-seam"


def on_board(hall: Hall, name: str = TASK, task: str = TASK) -> None:
    """A skill of the task that has its score."""
    skill = renamed(weld_skill(0), name, task=task)
    hall.publish(skill)
    enter_score(hall, skill, plan=SMALL)


def yardsticks(hall: Hall, plan: BoardPlan = SMALL) -> Yardsticks:
    storage, jobs = hall.services.storage, hall.services.workers.background
    return Yardsticks(storage.database, jobs, plan, hall.clock, 10, never)


def beside(hall: Hall, task: str = TASK) -> dict[str, ControllerScore]:
    return {each.name: each for each in board_of(hall, task).controllers}


def state(hall: Hall, task: str = TASK) -> tuple[str, str]:
    with hall.services.storage.database.read() as session:
        row = session.get_one(ControllersRow, task)
        return row.state, row.reason


def test_they_are_measured_once_on_the_jobs_of_the_skills(yard: Hall) -> None:
    mine = yard.services.leaderboards.yardsticks
    assert not mine.step()  # nobody has a skill for anything
    yard.clock.advance(61)
    on_board(yard)
    assert beside(yard) == {}
    mine.work()
    found, task = beside(yard), load_task(TASK)
    assert set(found) == set(task.file.scripted)
    for name, each in found.items():
        own = evaluate_held_out(controller(name, task), task, SMALL.draws())
        assert each.score == score_view(pool(own.values()))
        assert each.by_embodiment == {robot: score_view(score) for robot, score in own.items()}
        assert each.kind == "fixed"
    scores = [each.score.score for each in found.values()]
    assert scores == sorted(scores, reverse=True)
    yard.clock.advance(61)
    assert not mine.step()


def test_another_plan_or_a_changed_task_has_them_measured_anew(
    yard: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tasks" / "my-seam"
    shutil.copytree(BUNDLES / TASK, folder)
    file = folder / "task.toml"
    file.write_text(file.read_text().replace(f'name = "{TASK}"', 'name = "my-seam"', 1))
    monkeypatch.setenv("ZUNFT_TASKS", str(folder.parent))
    on_board(yard, "mine", "my-seam")
    yardsticks(yard).work()
    assert beside(yard, "my-seam")
    file.write_text(file.read_text() + "\n# another digest\n")
    assert beside(yard, "my-seam") == {}
    yardsticks(yard).work()
    assert beside(yard, "my-seam")
    yardsticks(yard, BoardPlan(seed=7, episodes=1)).work()
    assert beside(yard, "my-seam") == {}


def test_a_task_that_went_away_says_so(yard: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tasks" / "my-seam"
    shutil.copytree(BUNDLES / TASK, folder)
    file = folder / "task.toml"
    file.write_text(file.read_text().replace(f'name = "{TASK}"', 'name = "my-seam"', 1))
    monkeypatch.setenv("ZUNFT_TASKS", str(folder.parent))
    on_board(yard, "mine", "my-seam")
    mine = yardsticks(yard)
    mine.work()
    monkeypatch.delenv("ZUNFT_TASKS")
    yard.clock.advance(61)
    mine.work()
    assert state(yard, "my-seam") == ("failed", "This hub has no such task any more.")
    yard.clock.advance(61)
    assert not mine.step()


def test_on_either_database(on_both: Settings, clock: Hands) -> None:
    hall = Hall(on_both, StubGate(), clock)
    on_board(hall)
    mine, other = yardsticks(hall), yardsticks(hall)
    assert mine.step()
    assert not other.step()
    boards = hall.services.leaderboards.boards
    own = type(boards)(boards.database, boards.stores, SMALL)
    assert own.board(TASK, None, BoardQuery(), hub="").controllers
    hall.close()
