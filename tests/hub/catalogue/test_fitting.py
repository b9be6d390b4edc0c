"""Skills that a robot can run, set by set: those of which `skills.fits` says so, best on its arm first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.access.principal import Principal
from hub.settings import Settings
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.skills import ChannelRow, VersionRow
from skills.errors import NotFoundError
from skills.fits import Abilities, Ability, fit_of
from skills.messages.lists import SkillQuery
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.hub.conftest import CONTRACT, Hall, Hands, StubGate, ok, tiny_skill

ADMIN = Principal("admin", "admin", "guild")
MINE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
FASTER = CONTRACT.model_copy(update={"control_hz": 100.0})
TURNED = CONTRACT.model_copy(update={"observation": CONTRACT.action, "action": CONTRACT.observation})
SKILLS = [
    tiny_skill(name="same"),
    tiny_skill(name="same-bundle", task_digest=MINE),
    tiny_skill(name="other-bundle", task_digest=OTHER),
    tiny_skill(name="other-task", task="weld"),
    tiny_skill(name="faster", contract=FASTER),
    tiny_skill(name="turned", contract=TURNED, network=Mlp(inputs=2, outputs=3)),
]
SAID = {
    "nothing": None,
    "no task": Abilities(),
    "one": Abilities(abilities=(Ability(task="reach", contract=CONTRACT, task_digest=MINE),)),
    "any bundle": Abilities(abilities=(Ability(task="reach", contract=CONTRACT),)),
    "two": Abilities(
        abilities=(Ability(task="reach", contract=FASTER), Ability(task="weld", contract=CONTRACT))
    ),
    "no network": Abilities(abilities=(Ability(task="reach", contract=CONTRACT),), networks=("spiking",)),
}


@pytest.fixture
def hall(on_both: Settings) -> Iterator[Hall]:
    found = Hall(on_both, StubGate(), Hands())
    for skill in SKILLS:
        ok(found.publish(skill))
        make_stable(found, skill)
    yield found
    found.close()


def make_stable(hall: Hall, skill: Skill, **arms: float) -> None:
    name = skill.manifest.name
    scores = {arm: {"score": it, "low": it, "high": it, "episodes": 9} for arm, it in arms.items()}
    with hall.services.storage.database.write() as session:
        if session.get(ChannelRow, (name, "stable")) is None:
            session.add(ChannelRow(skill=name, name="stable", number=1, counter=1, lowest=0))
        if scores:
            any_score = next(iter(scores.values()))
            report = {"passed": True, "reason": "", "seconds": 1, "candidate": any_score}
            version = session.get_one(VersionRow, (name, 1))
            version.score, version.gate = any_score, {**report, "by_embodiment": scores}


def say(hall: Hall, robot_id: str, said: Abilities | None) -> None:
    with hall.services.storage.database.write() as session:
        words = None if said is None else said.model_dump(mode="json")
        session.get_one(RobotRow, robot_id).abilities = words


def fitting(hall: Hall, robot_id: str, by: Principal = ADMIN, **asked: object) -> list[str]:
    query = SkillQuery.model_validate({"robot": robot_id, **asked})
    return [each.name for each in hall.services.catalogue.skills.skills(by, query).items]


def test_skills_are_those_that_fit_one_by_one(hall: Hall) -> None:
    robot = hall.enrol("one").robot_id
    counts = []
    for said in SAID.values():
        say(hall, robot, said)
        wanted = [each for each in SKILLS if fit_of(each.manifest, said, "ur5e").fits == "yes"]
        assert fitting(hall, robot) == sorted(each.manifest.name for each in wanted)
        counts.append(len(wanted))
    assert counts == [0, 0, 2, 3, 2, 0]


def test_the_best_on_the_robot_s_arm_comes_first(hall: Hall) -> None:
    for skill, arms in zip(
        SKILLS[:3], ({"ur5e": 0.5, "panda": 0.9}, {"ur5e": 0.7}, {"panda": 1.0}), strict=True
    ):
        make_stable(hall, skill, **arms)
    ur5e, panda = hall.enrol("one", "ur5e").robot_id, hall.enrol("two", "panda").robot_id
    for robot in (ur5e, panda):
        say(hall, robot, SAID["any bundle"])
    assert fitting(hall, ur5e, sort="score") == ["same-bundle", "same", "other-bundle"]
    assert fitting(hall, panda, sort="score") == ["other-bundle", "same", "same-bundle"]
    assert fitting(hall, ur5e, sort="score", text="bundle") == ["same-bundle", "other-bundle"]


def test_nobody_asks_for_a_robot_that_they_do_not_see(hall: Hall) -> None:
    robot = hall.enrol("one").robot_id
    for by in (Principal("r", "researcher", "guild"), Principal("o", "operator", "North")):
        with pytest.raises(NotFoundError, match="no robot"):
            fitting(hall, robot, by)
    with pytest.raises(NotFoundError, match="no robot"):
        fitting(hall, "nobody")
