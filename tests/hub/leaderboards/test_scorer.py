"""What becomes stable is scored, once, newest first; what cannot be says why; processes share the work."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select

from envs.bundle import BUNDLES
from envs.replay import read_replay
from envs.task import load_task
from hub.clock import utc_now
from hub.leaderboards.boards import Leaderboards
from hub.leaderboards.scorer import Scorer
from hub.settings import Settings
from hub.storage.objects import StoreError
from hub.storage.tables.scores import ScoreRow
from hub.storage.tables.skills import VersionRow
from hub.workers.job import JobAbandonedError, Jobs, Scored, ScoreJob, never
from hub.workers.scoring import score_skill, score_view
from skills.messages.base import API
from skills.messages.leaderboards import BoardPlan, Leaderboard
from skills.messages.lists import BoardQuery
from skills.skill import Skill
from tests.hub.conftest import Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.leaderboards.samples import SMALL
from tests.hub.workers.test_gate import weld_skill


def board_of(hall: Hall, task: str = "weld-seam", **query: str) -> Leaderboard:
    answer = hall.client.get(f"{API}/tasks/{task}/leaderboard", params=query)
    return Leaderboard.model_validate_json(ok(answer).content)


def renamed(skill: Skill, name: str, **changes: object) -> Skill:
    return Skill(skill.manifest.model_copy(update={"name": name, **changes}), skill.tensors)


def rows(hall: Hall) -> dict[str, str]:
    """State by skill and version."""
    with hall.services.storage.database.read() as session:
        return {f"{row.skill}@{row.number}": row.state for row in session.scalars(select(ScoreRow))}


class Through:
    """The hub's own jobs, with something that happens before each."""

    def __init__(self, hall: Hall, before: Callable[[], None]) -> None:
        self._hall, self._before = hall, before

    def run(self, job: ScoreJob, stopped: Callable[[], bool] = never) -> Scored:
        self._before()
        if stopped():
            raise JobAbandonedError("stopped")
        return self._hall.services.workers.background.run(job)


def publish(hall: Hall, skill: Skill) -> None:
    """A version that becomes stable."""
    ok(hall.publish(skill))
    assert hall.release(skill.manifest.version, skill.manifest.name).state == "released"


def scorer(
    hall: Hall,
    before: Callable[[], None],
    plan: BoardPlan = SMALL,
    stopping: Callable[[], bool] = never,
) -> Scorer:
    jobs = cast("Jobs", Through(hall, before))
    return Scorer(
        hall.services.storage.database, hall.services.storage.stores, jobs, plan, hall.clock, 10, stopping
    )


def test_a_stable_version_is_scored_once_and_its_replay_has_the_digits_of_the_score(yard: Hall) -> None:
    skill = weld_skill(0)
    publish(yard, skill)
    assert [each.state for each in board_of(yard).unscored] == ["waiting"]
    yard.services.leaderboards.scorer.work()
    board = board_of(yard)
    (entry,) = board.entries
    assert (board.unscored, board.plan, board.seeds) == ((), SMALL, SMALL.draws())
    task = load_task("weld-seam")
    expected = score_skill(skill, task, board.seeds).by_embodiment
    assert entry.by_embodiment == {robot: score_view(score) for robot, score in expected.items()}
    assert tuple(entry.by_embodiment) == task.file.embodiments
    assert (entry.digest, board.task_digest, entry.score.episodes) == (skill.digest, task.digest, 12)
    assert entry.command == "zunft task score weld-seam@1 --hub http://testserver"
    data = ok(yard.client.get(f"{API}/tasks/weld-seam/leaderboard/weld-seam/replay")).content
    replay, _ = read_replay(data)
    first = expected[replay.embodiment]
    gained = [replay.episodes["best"].gained, replay.episodes["worst"].gained]
    assert sum(gained) / 2 == pytest.approx(first.mean_return)
    assert (replay.seed, replay.embodiment) == (board.seeds[0].jobs, task.file.embodiments[0])
    assert len(data) == entry.replay_size
    assert not yard.services.leaderboards.scorer.step()


def test_the_newest_is_first_and_the_best_version_of_each_skill_is_the_stable_one(yard: Hall) -> None:
    taken: list[str] = []
    publish(yard, renamed(weld_skill(0), "first"))
    yard.clock.advance(1)
    publish(yard, renamed(weld_skill(1), "second"))
    yard.clock.advance(1)
    publish(yard, renamed(weld_skill(2), "first", version=2, origin="upload"))
    mine = scorer(
        yard, lambda: taken.extend(name for name, state in rows(yard).items() if state == "working")
    )
    mine.work()
    assert taken == ["first@2", "second@1", "first@1"]
    entries = board_of(yard).entries
    assert {(each.skill, each.version) for each in entries} == {("first", 2), ("second", 1)}
    keys = [(each.score.score, each.score.mean_return or 0.0) for each in entries]
    assert keys == sorted(keys, reverse=True)
    assert {each.version for each in board_of(yard, skill="first").entries} == {1, 2}
    ok(yard.client.put(f"{API}/skills/first/channels/stable", json={"version": 1}, headers=yard.operator))
    assert {(each.skill, each.version) for each in board_of(yard).entries} == {("first", 1), ("second", 1)}
    assert not mine.step()


def test_what_cannot_be_measured_says_why_until_the_task_is_another(
    yard: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(yard, tiny_skill())
    yard.services.leaderboards.scorer.work()
    (failed,) = board_of(yard, "reach").unscored
    assert (failed.state, failed.reason) == ("failed", "This hub has no task reach.")
    assert not yard.services.leaderboards.scorer.step()
    shutil.copytree(BUNDLES / "weld-seam", tmp_path / "tasks" / "reach")
    file = tmp_path / "tasks" / "reach" / "task.toml"
    file.write_text(file.read_text().replace('name = "weld-seam"', 'name = "reach"', 1))
    monkeypatch.setenv("ZUNFT_TASKS", str(tmp_path / "tasks"))
    yard.clock.advance(61)
    yard.services.leaderboards.scorer.work()
    (failed,) = board_of(yard, "reach").unscored
    assert "does not fit the task reach" in failed.reason
    assert not yard.services.leaderboards.scorer.step()


def test_another_plan_or_task_is_scored_anew_and_the_old_replay_goes(yard: Hall) -> None:
    publish(yard, weld_skill(0))
    yard.services.leaderboards.scorer.work()
    before = yard.blobs()
    assert len(before) == 4  # the file, its replay, what the gate found, and the release
    other = scorer(yard, lambda: None, BoardPlan(seed=7, episodes=1))
    other.work()
    assert board_of(yard).entries == ()
    assert [each.state for each in board_of(yard).unscored] == ["waiting"]
    after = yard.blobs()
    assert len(after) == 4
    assert len(before & after) == 3  # all but the replay


def test_a_withdrawn_version_is_on_no_board_and_is_not_measured(yard: Hall) -> None:
    publish(yard, weld_skill(0))
    publish(yard, renamed(weld_skill(1), "second"))
    yard.services.leaderboards.scorer.step()
    with yard.services.storage.database.write() as session:
        for version in session.scalars(select(VersionRow)):
            version.withdrawn_at = yard.clock()
    board = board_of(yard)
    assert (board.entries, board.unscored) == ((), ())
    for skill in ("weld-seam", "second"):
        answer = yard.client.get(f"{API}/tasks/weld-seam/leaderboard/{skill}/replay")
        assert yard.error(answer, 404)["code"] == "no_replay"
    assert not yard.services.leaderboards.scorer.step()


def test_a_version_withdrawn_while_it_is_measured_leaves_nothing(yard: Hall) -> None:
    publish(yard, weld_skill(0))
    before = yard.blobs()

    def withdraw() -> None:
        with yard.services.storage.database.write() as session:
            session.delete(session.scalars(select(ScoreRow)).one())

    scorer(yard, withdraw).work()
    assert rows(yard) == {}
    assert yard.blobs() == before


def test_of_two_processes_one_measures_and_a_late_result_is_let_go(yard: Hall) -> None:
    publish(yard, weld_skill(0))
    seen: list[bool] = []
    second = scorer(yard, lambda: None)

    def meanwhile() -> None:
        seen.append(second.step())  # the lease is the first one's
        yard.clock.advance(11)
        seen.append(second.step())

    first = scorer(yard, meanwhile)
    assert not first.step()  # asked whether it still waits, it finds its lease gone
    assert seen == [False, True]
    assert rows(yard) == {"weld-seam@1": "done"}


def test_scores_and_replays_on_either_database_and_store(on_both: Settings, clock: Hands) -> None:
    hall = Hall(on_both, StubGate(), clock)
    publish(hall, weld_skill(0))
    busy = scorer(hall, lambda: None)
    assert busy.step()
    assert not busy.step()
    own = Leaderboards(hall.services.storage.database, hall.services.storage.stores, SMALL)
    assert len(own.board("weld-seam", None, BoardQuery(), hub="").entries) == 1
    assert read_replay(own.replay("weld-seam", "weld-seam", None, version=1))[0].task == "weld-seam"
    hall.close()


def test_a_lease_is_renewed_at_work(yard: Hall) -> None:
    publish(yard, weld_skill(0))
    ends: set[datetime | None] = set()

    class Long(Through):
        def run(self, job: ScoreJob, stopped: Callable[[], bool] = never) -> Scored:
            while len(ends) < 5:
                assert not stopped()
                assert not second.step()
                with yard.services.storage.database.read() as session:
                    ends.update(session.scalars(select(ScoreRow.lease_expires_at)))
            return super().run(job, stopped)

    jobs = cast("Jobs", Long(yard, lambda: None))
    first, second = (
        Scorer(yard.services.storage.database, yard.services.storage.stores, jobs, SMALL, utc_now, 1.5, never)
        for _ in range(2)
    )
    assert first.step()
    assert len(board_of(yard).entries) == 1


def test_a_store_that_is_away_or_a_hub_that_stops_loses_nothing(yard: Hall) -> None:
    publish(yard, weld_skill(0))

    def away() -> None:
        raise StoreError("away")

    assert scorer(yard, away).step()
    assert not scorer(yard, lambda: None).step()  # it was only just tried
    yard.clock.advance(11)
    assert not scorer(yard, lambda: None, stopping=lambda: True).step()
    assert rows(yard) == {"weld-seam@1": "working"}
    yard.services.leaderboards.scorer.work()
    assert len(board_of(yard).entries) == 1


def test_an_error_of_the_hub_itself_tells_nobody_what_it_was(yard: Hall) -> None:
    publish(yard, weld_skill(0))

    def broken() -> None:
        raise RuntimeError("/secret/path")

    scorer(yard, broken).work()
    (failed,) = board_of(yard).unscored
    assert failed.reason == "An internal error; the hub's log says more."
