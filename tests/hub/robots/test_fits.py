"""Which robots can run a version: told by robots, answered to those who see them, from manifests alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.access.principal import THE_HUB
from hub.settings import Settings
from skills.fits import Abilities, Ability, RobotFit
from skills.manifest import Contract
from skills.messages.withdrawals import WithdrawalRequest
from tests.hub.conftest import CONTRACT, Hall, Hands, Headers, Robot, StubGate, ok, tiny_skill

FASTER = CONTRACT.model_copy(update={"control_hz": 100.0})


def tell(robot: Robot, contract: Contract, task: str = "reach") -> None:
    said = Abilities(abilities=(Ability(task=task, contract=contract),))
    body = said.model_dump_json().encode()
    answer = robot.request("PUT", "/robots/me/abilities", body, **{"Content-Type": "application/json"})
    assert (answer.status_code, answer.content) == (204, b"")


def ask(hall: Hall, by: Headers, ref: str = "1") -> dict[str, RobotFit]:
    answer = ok(hall.client.get(f"/api/v1/skills/reach/versions/{ref}/fits", headers=by))
    return {each.name: each for each in map(RobotFit.model_validate, answer.json()["items"])}


def test_each_robot_fits_or_not_and_the_reason_is_said(on_both: Settings, clock: Hands) -> None:
    hall = Hall(on_both, StubGate(), clock)
    ok(hall.publish(tiny_skill()))
    able, faster, silent = (hall.enrol(name) for name in ("able", "faster", "silent"))
    tell(able, CONTRACT)
    tell(faster, FASTER)
    found = ask(hall, hall.operator)
    assert {name: each.fits for name, each in found.items()} == {
        "able": "yes",
        "faster": "no",
        "silent": "unknown",
    }
    assert found["faster"].differences == ("control rate 50.0 Hz instead of 100.0 Hz",)
    assert found["silent"].robot_id == silent.robot_id
    hall.close()


def test_the_last_word_counts(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    robot = hall.enrol("one")
    tell(robot, FASTER)
    tell(robot, CONTRACT)
    assert ask(hall, hall.operator)["one"].fits == "yes"
    tell(robot, CONTRACT, task="other")
    assert "it serves other" in ask(hall, hall.operator)["one"].differences[0]


def test_nobody_hears_of_another_organisation_s_robots(hall: Hall) -> None:
    for place in ("North", "South"):
        hall.organisation(place)
        tell(hall.enrol(f"of {place}", organisation=place), CONTRACT)
    ok(hall.publish(tiny_skill()))
    assert set(ask(hall, hall.user("nora", "operator", "North"))) == {"of North"}
    assert set(ask(hall, hall.operator)) == {"of North", "of South"}
    refused = hall.client.get(
        "/api/v1/skills/reach/versions/1/fits", headers=hall.user("rita", "researcher", "North")
    )
    hall.error(refused, 403)


def test_a_withdrawn_robot_is_not_listed_and_what_it_said_is_gone(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    for name in ("stays", "goes"):
        tell(hall.enrol(name), CONTRACT)
    gone = ask(hall, hall.operator)["goes"].robot_id
    hall.services.withdrawals.registry.withdraw(gone, WithdrawalRequest(), THE_HUB)
    assert set(ask(hall, hall.operator)) == {"stays"}


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-Infinity", '"\\u0000"'])
def test_strange_values_in_unknown_fields_do_no_harm(on_both: Settings, clock: Hands, wrong: str) -> None:
    hall = Hall(on_both, StubGate(), clock)
    ok(hall.publish(tiny_skill()))
    robot = hall.enrol("one")
    contract = CONTRACT.model_dump_json()[:-1] + f',"extra":{wrong}}}'
    body = f'{{"abilities": [{{"task": "reach", "contract": {contract}}}]}}'.encode()
    answer = robot.request("PUT", "/robots/me/abilities", body, **{"Content-Type": "application/json"})
    assert answer.status_code in {204, 422}, answer.text
    assert ask(hall, hall.operator)["one"].fits in {"yes", "unknown"}
    hall.close()


@pytest.mark.parametrize(
    "said", [{"abilities": [{"task": "Reach", "contract": {}}]}, {"networks": "mlp"}, {"other": 1}, []]
)
def test_what_is_no_word_of_a_robot_is_refused(hall: Hall, said: Any) -> None:
    robot = hall.enrol("one")
    body = json.dumps(said).encode()
    answer = robot.request("PUT", "/robots/me/abilities", body, **{"Content-Type": "application/json"})
    hall.error(answer, 422)
