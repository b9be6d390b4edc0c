"""What a withdrawal has still to do, as it is kept in its row between two steps."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from skills.messages.withdrawals import RoundChange, SkillChange

__all__ = ["FROM_THE_START", "Blob", "Plan", "Remaining", "changed_round", "changed_skill"]


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Blob(_Plain):
    """A blob that goes, unless a row names it."""

    region: str
    digest: str


class Remaining(_Plain):
    """One step: take back what the robot gave, merge a round again, measure what came out, clear away."""

    kind: Literal["take back", "merge", "measure", "clear away"]
    skill: str = ""
    round_id: str = ""


class Plan(_Plain):
    """All that is left, in its order.

    Attributes:
        tasks: The first one is next.
        anchors: By skill, the last version before the robot: what merging begins from.
        tips: By skill, the last good version: the anchor, or what was merged again last.
        touched: Digests of all versions that contain the robot.
        blobs: What goes at the end.
        purge: Whether the files of the touched versions go, too.
    """

    tasks: tuple[Remaining, ...] = ()
    anchors: dict[str, str] = {}
    tips: dict[str, str] = {}
    touched: tuple[str, ...] = ()
    blobs: tuple[Blob, ...] = ()
    purge: bool = False

    def after(self, **tips: str) -> Plan:
        """The plan with its first task done, and perhaps a new tip."""
        return self.model_copy(update={"tasks": self.tasks[1:], "tips": {**self.tips, **tips}})


FROM_THE_START = Plan(tasks=(Remaining(kind="take back"),))


def changed_skill(skills: tuple[SkillChange, ...], name: str, **changes: object) -> tuple[SkillChange, ...]:
    """The report on all skills, with one changed."""
    return tuple(each.model_copy(update=changes) if each.skill == name else each for each in skills)


def changed_round(
    skills: tuple[SkillChange, ...], name: str, round_id: str, **changes: object
) -> tuple[SkillChange, ...]:
    """The report on all skills, with one round of one changed."""
    (skill,) = (each for each in skills if each.skill == name)
    rounds: tuple[RoundChange, ...] = tuple(
        each.model_copy(update=changes) if each.round_id == round_id else each for each in skill.rounds
    )
    return changed_skill(skills, name, rounds=rounds)
