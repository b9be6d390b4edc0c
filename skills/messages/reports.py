"""What a robot says of itself with its questions for work, and how operators see it: claims, none believed.

It says which version it works with, how jobs went with each, what its guards did, and nothing else: no data
of a job, no place, no person. What it would not take is `skills.messages.robots.Refusal`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from skills.manifest import Name
from skills.messages.base import Message
from skills.messages.robots import Refusal

__all__ = ["FIRST_JOBS", "Adoption", "FleetRobot", "Report", "Tag", "TagsChange", "Tally", "Use"]

FIRST_JOBS = 64
"""Outcomes of so many jobs are told one by one, the first ones of each version; of later ones the count."""
MANY = 1_000_000_000
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]


class Tally(Message):
    """How jobs went with one version; those whose outcome nobody knows are not in it.

    Attributes:
        version: Which.
        done: Jobs.
        failed: Jobs, those among them in which a guard stopped the robot.
        first: The first ones in order: `1` done, `0` failed.
    """

    version: int = Field(ge=1, le=MANY)
    done: int = Field(default=0, ge=0, le=MANY)
    failed: int = Field(default=0, ge=0, le=MANY)
    first: str = Field(default="", max_length=FIRST_JOBS, pattern="^[01]*$")

    @model_validator(mode="after")
    def _agrees(self) -> Tally:
        done, failed = self.first.count("1"), self.first.count("0")
        if len(self.first) != min(FIRST_JOBS, self.jobs) or done > self.done or failed > self.failed:
            msg = "the first jobs are not among those that were done or failed"
            raise ValueError(msg)
        return self

    @property
    def jobs(self) -> int:
        """All of them."""
        return self.done + self.failed

    def counting(self, *, done: bool) -> Tally:
        """With one more job."""
        return Tally(
            version=self.version,
            done=self.done + done,
            failed=self.failed + (not done),
            first=(self.first + ("1" if done else "0"))[:FIRST_JOBS],
        )


class Report(Message):
    """A robot's word on itself and one skill.

    Attributes:
        version: In use; 0: none.
        since: When that was taken into use, by the robot's clock.
        busy: Whether it is driven now.
        stopped: Whether it is stopped until a person releases it.
        tallies: Of the version in use and the ones before.
        guards: How often each guard objected since the robot was made.
    """

    skill: Name
    version: int = Field(default=0, ge=0, le=MANY)
    since: datetime | None = None
    busy: bool = False
    stopped: bool = False
    tallies: tuple[Tally, ...] = Field(default=(), max_length=3)
    guards: dict[Name, Annotated[int, Field(ge=0, le=MANY)]] = Field(default_factory=dict, max_length=16)

    def tally(self, version: int) -> Tally:
        """How jobs went with a version; none, where it says nothing of it."""
        return next((each for each in self.tallies if each.version == version), Tally(version=version))


class TagsChange(Message):
    """What an operator calls a robot by, in place of all before."""

    tags: tuple[Tag, ...] = Field(max_length=16)


class Adoption(Message):
    """How many robots say that they use a version, and how their jobs with it went; 0: they use none.

    Attributes:
        drifting: Of these, how many are to use another one.
        done: Jobs with it, also of robots that use another one by now.
        failed: The same.
    """

    version: int
    robots: int = 0
    drifting: int = 0
    done: int = 0
    failed: int = 0

    @property
    def success(self) -> float | None:
        """Share of the jobs that were done."""
        jobs = self.done + self.failed
        return self.done / jobs if jobs else None


class Use(Message):
    """What a robot says of a skill that it asks for, beside what it is to use; fields as in `FleetRobot`."""

    skill: str = ""
    wanted: int | None = None
    heard_at: datetime | None = None
    report: Report | None = None

    @property
    def drifts(self) -> bool:
        """Whether it says that it uses another version than it is to use."""
        return self.report is not None and self.wanted is not None and self.report.version != self.wanted

    @property
    def tally(self) -> Tally | None:
        """How its jobs with the version in use went; None where it uses none."""
        return self.report.tally(self.report.version) if self.report and self.report.version else None

    @property
    def success(self) -> float | None:
        """Share of its jobs that were done with the version in use, as it says."""
        tally = self.tally
        return tally.done / tally.jobs if tally and tally.jobs else None


class FleetRobot(Use):
    """A robot that asks for a skill, as operators see it.

    Attributes:
        wanted: The version that it is to use now; None where nothing is stable.
        ring: Its place in the roll-out that was asked about, or that is under way, from 1; None: in no ring.
        heard_at: When it last reported anything new.
        report: What it said then, as a claim.
        lost_at: Since when it is missed, while it is.
        refusal: What it would not take last.
    """

    robot_id: str
    name: str
    organisation: str
    embodiment: str
    tags: tuple[str, ...] = ()
    ring: int | None = None
    last_seen_at: datetime | None = None
    lost_at: datetime | None = None
    refusal: Refusal | None = None
