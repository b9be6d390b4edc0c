"""Lists as they travel over HTTP: what may be asked of each, and the one shape of the answers, a page.

A page ends with a cursor, to ask for the next one. It is the hub's own: clients send it back as it came.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, StringConstraints

from skills.manifest import Name
from skills.messages.base import Message
from skills.messages.robots import RobotState
from skills.messages.rollouts import RolloutState
from skills.messages.rounds import RoundState
from skills.messages.skills import ChannelName, Visibility
from skills.messages.tasks import TaskState
from skills.messages.users import UserRole
from skills.messages.withdrawals import WithdrawalState

__all__ = [
    "LARGEST_PAGE",
    "AtWorkQuery",
    "AuditQuery",
    "BoardQuery",
    "CampaignQuery",
    "EventQuery",
    "FitQuery",
    "FleetQuery",
    "ListQuery",
    "OrganisationQuery",
    "Page",
    "RobotQuery",
    "RolloutQuery",
    "RoundQuery",
    "SkillQuery",
    "TaskQuery",
    "TaskVersionQuery",
    "UserQuery",
    "VersionQuery",
    "WithdrawalQuery",
]

LARGEST_PAGE = 200
T = TypeVar("T")
Words = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$")]
Arm = Annotated[str, StringConstraints(max_length=64, pattern="^[a-z0-9-]*$")]


class Page(Message, Generic[T]):
    """Part of a list; `next` is the cursor of the part behind it, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


class ListQuery(Message):
    """What every list takes; an empty filter is none.

    Attributes:
        limit: Entries on a page.
        cursor: `next` of the page before, with the same filters and sort; empty: the first page.
    """

    limit: int = Field(default=50, ge=1, le=LARGEST_PAGE, description="Entries on a page.")
    cursor: str = Field(
        default="", max_length=1024, pattern="^[A-Za-z0-9_-]*$", description="`next` of the page before."
    )


class SkillQuery(ListQuery):
    """Which skills, and in what order."""

    text: Words = Field(
        default="",
        description=(
            "Beginnings of words of name, task, summary, sensors and motions, in any case; where no skill "
            "has all of them, some. Those whose names have them come first."
        ),
    )
    task: Words = ""
    embodiment: Arm = Field(default="", description="The stable version was measured on this one.")
    organisation: Words = ""
    channel: ChannelName | None = Field(default=None, description="Only skills that have this channel.")
    lowest_score: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="Of the stable version, at least."
    )
    robot: Words = Field(default="", description="Id of a robot that can run the stable version.")
    sort: Literal["name", "updated", "score"] = Field(
        default="name",
        description=(
            "`updated`: the last one first; `score`: by the lower end of stable's interval, on the arm that "
            "is asked for or the robot's."
        ),
    )


class VersionQuery(ListQuery):
    """Which versions of a skill."""

    origin: Literal["initial", "upload", "merge"] | None = None
    withdrawn: bool | None = None
    sort: Literal["oldest", "newest"] = "oldest"


class FitQuery(ListQuery):
    """Which robots' fits, in the order in which they joined."""

    text: Words = Field(default="", description="Part of id or name, in any case.")
    organisation: Words = ""
    embodiment: Arm = ""


class RobotQuery(FitQuery):
    """Which robots, in the order in which they joined."""

    state: RobotState | None = None
    refusing: bool | None = Field(default=None, description="Whether it would not take something last.")


class FleetQuery(ListQuery):
    """Which robots that ask for a skill, in the order in which they joined."""

    skill: Name
    text: Words = Field(default="", description="Part of id or name, in any case.")
    organisation: Words = ""
    embodiment: Arm = ""
    tag: Words = ""
    version: int | None = Field(
        default=None, ge=0, le=1_000_000_000, description="That they say they use; 0: none."
    )
    lost: bool | None = None
    refused: bool = Field(default=False, description="Only those that would not take a version of it.")
    drifts: bool = Field(default=False, description="Only those that use another version than they are to.")
    rollout: Words = Field(default="", description="Whose rings are told; else of the one under way.")
    ring: int | None = Field(default=None, ge=1, le=10, description="Only robots in this ring.")


class RolloutQuery(ListQuery):
    """Which roll-outs, newest first."""

    skill: Words = ""
    state: RolloutState | None = None


class CampaignQuery(ListQuery):
    """Which campaigns, newest first."""

    skill: Words = ""
    state: Literal["running", "finished", "stopped", "failed"] | None = None


class RoundQuery(ListQuery):
    """Which rounds of a campaign, newest first."""

    state: RoundState | None = None


class AtWorkQuery(ListQuery):
    """Which robots of a campaign's newest round, or of an older one, by their ids."""

    round: int | None = Field(default=None, ge=1, le=1_000_000)


class TaskQuery(ListQuery):
    """Which tasks, by name."""

    text: Words = Field(default="", description="Part of the name, in any case.")
    organisation: Words = ""
    visibility: Visibility | None = None


class TaskVersionQuery(ListQuery):
    """Which versions of a task, newest first."""

    state: TaskState | None = None


class UserQuery(ListQuery):
    """Which users, by name."""

    text: Words = Field(default="", description="Part of the name, in any case.")
    organisation: Words = ""
    role: UserRole | None = None


class OrganisationQuery(ListQuery):
    """Which organisations, by name."""

    text: Words = Field(default="", description="Part of the name, in any case.")


class WithdrawalQuery(ListQuery):
    """Which withdrawals, newest first."""

    state: WithdrawalState | None = None
    robot: Words = Field(default="", description="Only that of this robot.")


class AuditQuery(ListQuery):
    """Which entries of the audit log, in order."""

    actor: Words = Field(default="", description="As the log has it, such as `user:maria`.")
    action: Words = ""
    subject: Words = ""
    sort: Literal["oldest", "newest"] = "oldest"


class EventQuery(ListQuery):
    """Which past events, newest first."""

    kind: Words = ""
    skill: Words = ""
    robot: Words = Field(default="", description="Only what happened to this robot.")


class BoardQuery(ListQuery):
    """Which scores of a task, best first."""

    skill: Arm = Field(default="", description="All scored versions of this skill instead of one of each.")
