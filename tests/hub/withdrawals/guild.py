"""A hub with a history: robots that brought deltas to rounds, and what is to be said of it afterwards."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from hub.storage.tables.attestations import AttestationRow
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.messages.withdrawals import WithdrawalView
from skills.skill import Skill
from tests.hub.conftest import Hall, Robot, StubGate, ok, random_tensors, tiny_skill

BASE = tiny_skill()


class GrowingGate(StubGate):
    """Later versions score higher; a network's return is the sum of its last tensor, so some deltas gain."""

    def __init__(self) -> None:
        super().__init__({number: 0.02 * number for number in range(1, 40)})

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        report = super().__call__(candidate, current, plan)
        found = {"mean_return": float(candidate.tensors["log_std"].sum())}
        return report.model_copy(update={"candidate": report.candidate.model_copy(update=found)})


def bring(robots: list[Robot], skill: str, seed: int) -> None:
    """A delta of each robot for the open round."""
    for number, robot in enumerate(robots):
        work = robot.assignment(skill)
        assert work is not None, (skill, robot.robot_id)
        tensors = random_tensors(BASE, 100 * seed + number)
        ok(robot.push(work.round_id, robot.delta(work, tensors, samples=100 + 50 * number)))


def train(hall: Hall, robots: list[Robot], *, skill: str = "reach", rounds: int = 3, **order: Any) -> str:
    """A campaign in which these robots bring a delta to every round."""
    campaign_id = hall.start(skill=skill, rounds=rounds, **{"quorum": 2, "target": len(robots), **order})
    hall.turn()
    for number in range(rounds):
        bring(robots, skill, number)
        hall.turn()
    return campaign_id


def forget(hall: Hall, robot: Robot, **request: Any) -> WithdrawalView:
    """Ask for it, and let the hub work until it is done."""
    answer = ok(hall.post(f"/robots/{robot.robot_id}/withdrawal", request))
    hall.services.withdrawals.worker.work()
    found = WithdrawalView.model_validate(answer.json())
    if found.state == "planned":
        return found
    return WithdrawalView.model_validate(hall.get(f"/withdrawals/{found.withdrawal_id}"))


def outcomes(found: WithdrawalView, skill: str = "reach") -> list[tuple[str, int | None, int | None]]:
    """Of each round: what became of it, the version before and the one after."""
    (change,) = (each for each in found.skills if each.skill == skill)
    return [(each.outcome, each.version_before, each.version_after) for each in change.rounds]


def must_be_sound(hall: Hall) -> None:
    """Blobs and rows fit: nothing is missing, nothing is left over for long, bytes are counted right."""
    hall.tidy()
    with hall.services.storage.database.read() as session:
        versions = session.scalars(select(VersionRow).where(VersionRow.purged_at.is_(None))).all()
        deltas = session.scalars(select(DeltaRow)).all()
        rounds = session.scalars(select(RoundRow)).all()
        stored = {each.digest for each in versions} | {each.digest for each in deltas}
        states = {each for row in rounds for each in (row.optimiser_before, row.optimiser_after)}
        stored |= {each for each in states if each is not None}
        stored |= set(session.scalars(select(AttestationRow.digest)))
        assert {digest.removeprefix("sha256:")[2:] for digest in stored} == hall.blobs()
        skills = select(SkillRow.name).where(SkillRow.organisation == "guild")
        of_versions = select(func.sum(VersionRow.size)).where(VersionRow.purged_at.is_(None))
        of_deltas = (
            select(func.sum(DeltaRow.size))
            .join(RoundRow, RoundRow.round_id == DeltaRow.round_id)
            .join(CampaignRow, CampaignRow.campaign_id == RoundRow.campaign_id)
        )
        counted = (session.scalar(of_versions.where(VersionRow.skill.in_(skills))) or 0) + (
            session.scalar(of_deltas.where(CampaignRow.skill.in_(skills))) or 0
        )
        assert session.get_one(OrganisationRow, "guild").stored_bytes == counted
        assert not session.scalars(select(SkillRow.name).where(SkillRow.held_by.is_not(None))).all()
