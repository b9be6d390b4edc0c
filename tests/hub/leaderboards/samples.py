"""A board of few episodes, and scores that a test enters by hand."""

from __future__ import annotations

from hub.access.principal import THE_HUB
from hub.storage.tables.scores import ControllersRow, ScoreRow
from hub.tasks.sources import board_task
from hub.workers.job import Scored, ScoredControllers
from skills.container import digest_of
from skills.messages.leaderboards import BOARD, BoardPlan, ControllerScore
from skills.messages.skills import ScoreView
from skills.skill import Skill
from tests.hub.conftest import Hall

SMALL = BoardPlan(episodes=2)


def enter_score(hall: Hall, skill: Skill, score: float = 0.5, plan: BoardPlan = BOARD) -> None:
    """As if the hub had measured this stable version, with a replay that is none."""
    view = ScoreView(score=score, low=0, high=1, episodes=2, mean_return=1.0)
    replay = f"replay of {skill.manifest.name}".encode()
    hall.services.storage.store.put(digest_of(replay), replay)
    scored = Scored(
        score=view,
        by_embodiment={"ur5e": view, "panda": view},
        replay=digest_of(replay),
        replay_size=len(replay),
        made_with="a test",
        seconds=1.0,
    )
    with hall.services.storage.database.read() as session:
        is_wanted = session.get(ScoreRow, skill.digest) is not None
    if not is_wanted:
        hall.release(skill.manifest.version, skill.manifest.name)
    with hall.services.storage.database.write() as session:
        row = session.get_one(ScoreRow, skill.digest)
        row.state, row.plan, row.report = "done", plan.model_dump_json(), scored.model_dump(mode="json")
        found = board_task(session, row.task, THE_HUB)
        row.task_digest = found[0] if found else None
        row.replay, row.scored_at = scored.replay, hall.clock()


def enter_controllers(hall: Hall, task: str, *scores: ControllerScore) -> None:
    """As if the hub had measured the task's controllers."""
    with hall.services.storage.database.write() as session:
        digest, _ = board_task(session, task, THE_HUB) or (None, None)
        report = ScoredControllers(controllers=scores).model_dump(mode="json")
        plan = BOARD.model_dump_json()
        session.add(
            ControllersRow(task=task, state="done", reason="", task_digest=digest, plan=plan, report=report)
        )
