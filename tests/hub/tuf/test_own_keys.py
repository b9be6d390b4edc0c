"""A skill that its organisation's own key releases, with a real hub: by the command line, to a real robot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hub.operations.ceremony import rotate
from hub.settings import Settings
from hub.tuf.keys import ROOT_KEYS
from skills.messages.base import API
from skills.messages.skills import ReleaseView
from skills.release_keys import sign_release
from skills.signing import SigningKey
from skills.targets import channel_target
from tests.fleet.small_robot import small_skill
from tests.hub.conftest import ADMIN, Hall, ok, small_settings
from tests.hub.operations.test_ceremony import again, in_use, joined, running
from tests.hub.tuf.test_repository import roles, targets
from zunft.cli import app

RUNNER = CliRunner()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return small_settings(tmp_path / "hub")


@pytest.fixture
def guild(settings: Settings) -> Iterator[tuple[Hall, str]]:
    with running(settings) as found:
        for number in (1, 2, 3):
            ok(found[0].publish(small_skill(number)))
        yield found


def run(url: str, *arguments: str) -> Result:
    line = ["skill", "release", "follow", *arguments, "--hub", url, "--token", ADMIN]
    return RUNNER.invoke(app, line, env={"COLUMNS": "300"})


def made(path: Path) -> str:
    done = RUNNER.invoke(app, ["keys", "make", str(path), "--json"])
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["key"])


def test_a_skill_is_released_with_a_key_and_from_then_on_with_no_other(
    guild: tuple[Hall, str], tmp_path: Path
) -> None:
    (hall, url), key, other = guild, tmp_path / "release.pem", tmp_path / "other.pem"
    text = made(key)
    made(other)
    robot = joined(hall, url, tmp_path / "robot")
    assert run(url, "1", "--key", str(key)).exit_code == 0
    robot.agent.step()
    seen = robot.bench.memory("follow").seen
    assert (in_use(robot), seen and seen.key) == (1, text)
    without = run(url, "2")
    assert (without.exit_code, "--key FILE" in without.stdout) == (1, True)
    wrong = run(url, "2", "--key", str(other))
    assert wrong.exit_code == 1
    assert "--old-key" in str(wrong.exception)
    robot.agent.step()
    assert (hall.version("stable", "follow").version, in_use(robot)) == (1, 1)
    assert run(url, "2", "--key", str(other), "--old-key", str(key), "--lowest", "2").exit_code == 0
    robot.agent.step()
    assert in_use(robot) == 2
    below = run(url, "1", "--key", str(other))
    assert "below v2" in str(below.exception)
    assert "unsigned" not in [each["state"] for each in hall.get("/skills/follow/releases")]


def test_the_hub_signs_no_pointer_of_its_own(guild: tuple[Hall, str], tmp_path: Path) -> None:
    hall, url = guild
    hall.release(1, "follow")
    assert len([each for each in targets(hall) if each.endswith("/stable")]) == 1
    made(tmp_path / "release.pem")
    assert run(url, "1", "--key", str(tmp_path / "release.pem")).exit_code == 0
    holders = [
        role for role in roles(hall) if any(path.endswith("/stable") for path in getattr(role, "targets", {}))
    ]
    assert len(holders) == 1
    assert "x-zunft-keys" in holders[0].unrecognized_fields
    hidden = hall.client.put(
        f"{API}/skills/follow/visibility", json={"visibility": "organisation"}, headers=hall.operator
    )
    ok(hidden)
    hall.organisation("Elsewhere")
    stranger = hall.user("rosa", "researcher", "Elsewhere")
    assert not any(path.endswith("/stable") for path in targets(hall, stranger))


@pytest.mark.parametrize(
    ("wrong", "code"), [("version", 409), ("digest", 409), ("counter", 409), ("signature", 401)]
)
def test_what_was_signed_of_something_else_is_refused(guild: tuple[Hall, str], wrong: str, code: int) -> None:
    hall, key = guild[0], SigningKey.generate()
    hall.release(1, "follow")
    hall.release(2, "follow")
    path, move = f"{API}/skills/follow/channels/stable", {"version": 2, "key": key.public.text}
    asked = ok(hall.client.put(path, json=move, headers=hall.operator))
    draft = ReleaseView.model_validate(asked.json()).draft
    assert draft is not None
    pointer = draft.pointer
    lies: dict[str, dict[str, Any]] = {
        "version": {"version": 1, "fixed": {1: hall.version(1, "follow").digest}},
        "digest": {"fixed": {2: "sha256:" + "0" * 64}},
        "counter": {"counter": pointer.counter + 10**6},
    }
    lying = pointer.model_copy(update=lies.get(wrong, {}))
    body = sign_release(key, "follow", lying, version=draft.version, now=datetime.now(UTC))
    if wrong == "signature":
        body = body.replace(b'"lowest":1', b'"lowest":2')
    before = targets(hall)[channel_target("follow", "stable")]
    answer = hall.client.put(path, json={"version": 2, "signed": body.decode()}, headers=hall.operator)
    assert hall.error(answer, code)["code"]
    assert targets(hall)[channel_target("follow", "stable")] == before


def test_no_roll_out_of_a_skill_that_is_released_with_a_key(guild: tuple[Hall, str], tmp_path: Path) -> None:
    hall, url = guild
    made(tmp_path / "release.pem")
    assert run(url, "1", "--key", str(tmp_path / "release.pem")).exit_code == 0
    said = hall.error(hall.post("/rollouts", {"skill": "follow", "version": 2}), 409)
    assert "--key FILE" in said["remedy"]


def test_a_lost_key_is_replaced_by_the_root(settings: Settings, tmp_path: Path) -> None:
    first, new = tmp_path / "release.pem", tmp_path / "new.pem"
    made(first)
    text = made(new)
    with running(settings) as (hall, url):
        for number in (1, 2, 3):
            ok(hall.publish(small_skill(number)))
        robot = joined(hall, url, tmp_path / "robot")
        assert run(url, "1", "--key", str(first)).exit_code == 0
        robot.agent.step()
    for named, number in ((text, 2), ("", 3)):
        done = rotate(
            settings,
            datetime.now(UTC),
            root_keys=[settings.data_dir / ROOT_KEYS],
            draft=tmp_path / "draft.json",
            release_keys={"follow": named},
        )
        assert done.missing == 0
        with running(settings) as (hall, url):
            assert run(url, str(number), *(["--key", str(new)] if named else [])).exit_code == 0
            robot = again(tmp_path / "robot", url)
            robot.agent.step()
            seen = robot.bench.memory("follow").seen
            assert (in_use(robot), seen and seen.key) == (number, named), robot.said[-1]
