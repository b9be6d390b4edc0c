"""The law of visibility: whatever organisations, users and skills there are, no call shows more."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import update

from hub.access.principal import Principal, Viewer
from hub.access.tokens import Tokens
from hub.access.visibility import VISIBILITIES, may_change, may_see, may_see_robots
from hub.catalogue.catalogue import Catalogue
from hub.catalogue.releases import Releases
from hub.events.log import EventLog
from hub.leaderboards.boards import Leaderboards
from hub.organisations.registry import Organisations
from hub.robots.enrolment import Enrolment
from hub.rounds.campaigns import Campaigns
from hub.services import Services
from hub.settings import Settings
from hub.storage.stored_file import StoredFile
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.errors import ZunftError
from skills.messages.campaigns import CampaignRequest
from skills.messages.lists import (
    BoardQuery,
    CampaignQuery,
    EventQuery,
    ListQuery,
    OrganisationQuery,
    RobotQuery,
    RoundQuery,
    SkillQuery,
    VersionQuery,
)
from skills.messages.skills import Visibility
from skills.messages.users import Role
from tests.hub.conftest import (
    ADMIN,
    Collecting,
    Hall,
    Hands,
    StubGate,
    ok,
    publish_file,
    random_tensors,
    tiny_skill,
)

PLACES = ("North", "South", "guild")
NAMES = ("anvil", "basin", "crane")
ROLES: tuple[Role, ...] = ("researcher", "researcher", "operator", "admin")
USERS = [
    Principal(f"{role} {number} of {place}", role, place)
    for place in PLACES
    for number, role in enumerate(ROLES)
]


@dataclass(frozen=True)
class Guild:
    """A hub with a skill of each name, a campaign with an open round for each, and a robot a place."""

    hub: Services
    campaigns: dict[str, str]
    robots: tuple[Principal, ...]


@dataclass(frozen=True)
class World:
    """Whose each skill is, who sees it, and who published it."""

    owners: dict[str, str]
    visibilities: dict[str, Visibility]
    publishers: dict[str, str]

    def shows(self, name: str, viewer: Viewer) -> bool:
        return may_see(viewer, self.owners[name], self.visibilities[name], {self.publishers[name]})


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guild]:
    folder = tmp_path_factory.mktemp("hub")
    wanted = Settings.model_validate({"data_dir": folder, "admin_token": ADMIN, "console": False})
    hall = Hall(wanted, StubGate(), Hands())
    for place in PLACES[:2]:
        hall.organisation(place)
    robots = [Principal(hall.enrol(place, organisation=place).robot_id, "robot", place) for place in PLACES]
    campaigns = {}
    for name in NAMES:
        ok(hall.publish(tiny_skill(name=name, task=f"task-of-{name}")))
        campaigns[name] = hall.start(skill=name, quorum=9)
    hall.turn()
    yield Guild(hall.services, campaigns, tuple(robots))
    hall.close()


def each(values: Sequence[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: st.sampled_from(values) for name in NAMES})


WORLDS = st.builds(
    World,
    owners=each(PLACES),
    visibilities=each(VISIBILITIES),
    publishers=each(["hub", *(user.actor for user in USERS if user.role == "researcher")]),
)


def enter(guild: Guild, world: World) -> None:
    with guild.hub.storage.database.write() as session:
        for name in NAMES:
            its = {"organisation": world.owners[name], "visibility": world.visibilities[name]}
            session.execute(update(SkillRow).where(SkillRow.name == name).values(its))
            mark = update(VersionRow).where(VersionRow.skill == name)
            session.execute(mark.values(published_by=world.publishers[name]))


def answer_of(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """What a call returns, or the class of its refusal."""
    try:
        return call(*args, **named)
    except ZunftError as error:
        return type(error)


def everything_told(guild: Guild, viewer: Viewer) -> str:
    """All that reading calls say to a viewer, asked for by every name and id there is, as one text."""
    hub, told = guild.hub, []
    told += [
        hub.catalogue.skills.skills(viewer, SkillQuery()),
        hub.robots.roster.robots(viewer, RobotQuery()),
    ]
    told += [
        hub.rounds.campaigns.campaigns(viewer, CampaignQuery()),
        hub.events.log.past(viewer, EventQuery()),
    ]
    told += [
        answer_of(hub.leaderboards.boards.board, f"task-of-{name}", viewer, BoardQuery(), hub="")
        for name in NAMES
    ]
    told += [
        hub.events.log.after(0, viewer).events,
        hub.organisations.registry.organisations(viewer, OrganisationQuery()),
    ]
    for name, campaign in guild.campaigns.items():
        calls: list[tuple[Callable[..., Any], tuple[str, ...]]] = [
            (hub.catalogue.skills.skill, (name,)),
            (hub.catalogue.skills.version, (name, "stable")),
            (hub.catalogue.releases.releases, (name,)),
            (hub.catalogue.releases.release, (name, "r-1")),
            (hub.rounds.campaigns.campaign, (campaign,)),
            (hub.rounds.campaigns.round, (f"{campaign}-1",)),
        ]
        told += [
            answer_of(call, *args, viewer) for call, args in calls if viewer or call.__name__[:3] != "own"
        ]
        told.append(answer_of(hub.catalogue.skills.versions, name, viewer, VersionQuery()))
        told.append(answer_of(hub.rounds.campaigns.rounds, campaign, viewer, RoundQuery()))
    told += [answer_of(hub.robots.roster.robot, robot.name, viewer) for robot in guild.robots]
    told += [
        answer_of(hub.robots.roster.contributions, robot.name, viewer, ListQuery()) for robot in guild.robots
    ]
    return json.dumps(told, default=_plain)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLDS, number=st.integers(0, len(USERS) + len(PLACES)))
def test_no_reading_call_shows_what_the_rule_denies(guild: Guild, world: World, number: int) -> None:
    enter(guild, world)
    viewer = ([None, *USERS, *guild.robots])[number]
    hub, shown = guild.hub, {name for name in NAMES if world.shows(name, viewer)}
    told = everything_told(guild, viewer)
    for name in NAMES:
        traces = (f'"{name}"', guild.campaigns[name], f"task-of-{name}")
        assert [trace in told for trace in traces] == [name in shown] * len(traces), (name, viewer)
        found = hub.catalogue.skills.version(name, "1", USERS[3])
        file = answer_of(hub.catalogue.skills.file, found, viewer)
        assert isinstance(file, StoredFile) == (name in shown)
    for robot in guild.robots:
        is_seen = viewer == robot or may_see_robots(viewer, robot.organisation)
        assert (robot.name in told) == is_seen, (robot, viewer)
    for place in PLACES[:2]:
        its_own = viewer is not None and may_change(viewer, place)
        assert (
            any(
                each.name == place
                for each in hub.organisations.registry.organisations(viewer, OrganisationQuery()).items
            )
            == its_own
        )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLDS, place=st.sampled_from(range(len(PLACES))))
def test_a_robot_is_sent_to_what_it_sees_and_counted_nowhere_else(
    guild: Guild, world: World, place: int
) -> None:
    enter(guild, world)
    robot, hub = guild.robots[place], guild.hub
    for name in NAMES:
        work = hub.rounds.assignments.assignment(robot, name)
        assert (work is not None) == world.shows(name, robot)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLDS, user=st.sampled_from(USERS))
def test_whoever_acts_meets_the_same_answers_for_everything_unseen(
    guild: Guild, world: World, user: Principal
) -> None:
    enter(guild, world)
    hub = guild.hub
    for name, campaign in guild.campaigns.items():
        if not world.shows(name, user):
            refusal, at_publishing = "NotFoundError", "ConflictError"
        elif not may_change(user, world.owners[name]):
            refusal, at_publishing = "ForbiddenError", "ForbiddenError"
        else:
            continue
        order = CampaignRequest(skill=name)
        assert answer_of(hub.rounds.campaigns.start, order, by=user).__name__ == refusal
        assert answer_of(hub.rounds.campaigns.stop, campaign, by=user).__name__ == refusal
        assert answer_of(hub.catalogue.skills.set_minimum, name, 0.5, by=user).__name__ == refusal
        assert answer_of(hub.catalogue.releases.move, name, "stable", 1, by=user).__name__ == refusal
        assert answer_of(hub.catalogue.skills.show_to, name, "guild", by=user).__name__ == refusal
        for version in (1, 2, 7):
            data = tiny_skill(name=name, version=version, task=f"task-of-{name}").to_bytes()
            assert answer_of(publish_file, hub, data, user).__name__ == at_publishing


def test_every_call_that_reads_or_acts_must_be_told_for_whom() -> None:
    """Without a default, so that none can forget it. What is left is the hub's own business."""
    own = {
        "sign",
        "record_report",
        "last",
        "enrol",
        "ensure_guild",
        "body_limit",
        "body_limit_async",
        "close",
        "region",
        "told",
        "open_round",
    }
    for service in (Catalogue, Campaigns, Enrolment, EventLog, Leaderboards, Organisations, Releases, Tokens):
        for name, call in inspect.getmembers(service, inspect.isfunction):
            if name.startswith("_") or name in own:
                continue
            told = [
                parameter
                for parameter in inspect.signature(call).parameters.values()
                if parameter.name in {"viewer", "by", "robot"}
            ]
            assert [parameter.default for parameter in told] == [inspect.Parameter.empty], (service, name)


def test_an_unseen_name_answers_the_same_whatever_is_sent(hall: Hall) -> None:
    for place in PLACES[:2]:
        hall.organisation(place)
    ada, bo = hall.user("ada", "researcher", "North"), hall.user("bo", "researcher", "South")
    skill = tiny_skill()
    ok(hall.publish(skill, ada, "private"))
    blobs = hall.blobs()
    sent = [
        skill,
        tiny_skill(seed=1),
        tiny_skill(version=2, seed=1),
        tiny_skill(version=7),
        tiny_skill(task="x"),
    ]
    errors = [hall.error(hall.publish(each, bo), 409) for each in sent]
    assert {(error["code"], error["message"], error["where"]) for error in errors} == {
        ("name_taken", "the name reach is taken.", "manifest.name")
    }
    assert hall.blobs() == blobs
    ok(hall.publish(skill, ada))


def test_a_parent_that_one_does_not_see_is_none(hall: Hall) -> None:
    hall.organisation("North")
    secret = tiny_skill(name="secret")
    ok(hall.publish(secret, hall.user("ada", "researcher", "North"), "private"))
    errors = []
    for parent in (secret.digest, "sha256:" + "0" * 64):
        child = tiny_skill(version=1, parents=(parent,), origin="upload")
        error = hall.error(hall.publish(child, hall.user(f"bo {parent[7:9]}", "researcher")), 422)
        errors.append((error["code"], error["message"].replace(parent, "X"), error["where"], error["remedy"]))
    assert errors[0] == errors[1]


def test_a_round_waits_no_longer_for_robots_that_may_not_see_it(collecting: Collecting) -> None:
    hall = collecting.hall
    hall.organisation("North")
    stranger = hall.enrol("of the north", "iiwa", "North")
    assert stranger.assignment() is not None
    assert "iiwa" in hall.round(collecting.work.round_id).waiting_for
    hall.services.catalogue.skills.show_to("reach", "organisation", by=Principal("olga", "operator", "guild"))
    assert stranger.assignment() is None
    assert "iiwa" not in hall.round(collecting.work.round_id).waiting_for
    refused = stranger.push(collecting.work.round_id, b"x")
    assert hall.error(refused, 404)["code"] == "unknown_round"


def test_the_gate_examines_arms_of_robots_that_may_take_part(hall: Hall) -> None:
    hall.organisation("North")
    hall.enrol("one", "panda", "North")
    hall.enrol("two", "ur5e")
    ok(hall.publish(tiny_skill(), visibility="organisation"))
    assert hall.campaign(hall.start()).order.gate.embodiments == ("ur5e",)


def test_events_hide_whose_robot_sent_a_delta(hall: Hall) -> None:
    hall.organisation("North")
    base = tiny_skill()
    ok(hall.publish(base))
    robot, other = hall.enrol("one", organisation="North"), hall.enrol("two")
    hall.start()
    hall.turn()
    work = robot.assignment()
    assert work is not None
    ok(robot.push(work.round_id, robot.delta(work, random_tensors(base, 1))))
    listeners = {
        "its operator": Principal("nora", "operator", "North"),
        "itself": Principal(robot.robot_id, "robot", "North"),
        "another operator": Principal("olga", "operator", "guild"),
        "another robot": Principal(other.robot_id, "robot", "guild"),
        "a researcher": Principal("rita", "researcher", "North"),
    }
    heard = {name: hall.services.events.log.after(0, listener).events for name, listener in listeners.items()}
    told = {name: json.dumps([event.data for event in events]) for name, events in heard.items()}
    assert {name for name in told if robot.robot_id in told[name]} == {"its operator", "itself"}
    assert all("delta.admitted" in {event.kind for event in events} for events in heard.values())


def test_a_listener_passes_over_what_it_may_not_hear(hall: Hall) -> None:
    hall.organisation("North")
    stranger = Principal("olga", "operator", "guild")
    for number in range(3):
        ok(hall.publish(tiny_skill(name=f"secret-{number}"), hall.user(f"u{number}", "operator", "North")))
    heard = hall.services.events.log.after(0, stranger)
    assert (heard.events, heard.last) == ((), hall.services.events.log.last())
    ok(hall.publish(tiny_skill()))
    later = hall.services.events.log.after(heard.last, stranger)
    assert {event.data["skill"] for event in later.events} == {"reach"}
    assert later.last == hall.services.events.log.last()
