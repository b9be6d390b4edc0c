"""Organisations: made and changed by admins, seen by their own, and what that means for skills and robots."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skills.errors import RequestError
from skills.messages.base import API
from tests.hub.conftest import ADMIN, Hall, Headers, ok, tiny_skill
from tests.hub.running import running_hub
from zunft.cli import app


@pytest.fixture
def north(hall: Hall) -> Headers:
    hall.organisation("North", quotas={"robots": 5, "delta_bytes": 1000})
    return hall.user("nora", "operator", "North")


def test_an_organisation_says_what_it_may_use_and_uses(hall: Hall, north: Headers) -> None:
    hall.enrol("one", organisation="North")
    view = ok(hall.client.get(f"{API}/organisations/North", headers=north)).json()
    assert (view["region"], view["visibility"], view["users"]) == ("", "organisation", 1)
    assert view["quotas"]["robots"] == 5
    assert view["quotas"]["storage_bytes"] == hall.settings.quota_storage
    assert view["use"] == {"robots": 1, "storage_bytes": 0, "uploads_per_hour": 0, "campaigns": 0}


def test_its_users_see_their_own_and_admins_all(hall: Hall, north: Headers) -> None:
    own = ok(hall.client.get(f"{API}/organisations", headers=north)).json()["items"]
    assert [each["name"] for each in own] == ["North"]
    assert [each["name"] for each in hall.get("/organisations")] == ["North", "guild"]
    errors = [
        hall.error(hall.client.get(f"{API}/organisations/{name}", headers=north), 404)
        for name in ("guild", "nowhere")
    ]
    assert errors[0]["message"].replace("guild", "X") == errors[1]["message"].replace("nowhere", "X")


def test_the_guild_is_always_there(hall: Hall) -> None:
    assert [(each["name"], each["visibility"]) for each in hall.get("/organisations")] == [("guild", "guild")]


def test_a_name_is_taken_once(hall: Hall) -> None:
    hall.organisation("North")
    assert hall.error(hall.post("/organisations", {"name": "North"}), 409)["where"] == "name"
    hall.error(hall.post("/organisations", {"name": "-"}), 422)
    answer = hall.client.put(f"{API}/organisations/nowhere", json={}, headers=hall.operator)
    hall.error(answer, 404)


@pytest.mark.parametrize(
    "change", [{"quotas": {"robots": -1}}, {"quotas": {"robot": 1}}, {"region": "E U"}, {"visibility": "all"}]
)
def test_strange_settings_are_refused(hall: Hall, change: dict[str, object]) -> None:
    hall.error(hall.post("/organisations", {"name": "North", **change}), 422)


def test_members_belong_to_an_organisation_that_is_there(hall: Hall) -> None:
    request = {"name": "nora", "role": "operator", "organisation": "North"}
    assert hall.error(hall.post("/users", request), 404)["where"] == "organisation"
    hall.error(hall.post("/enrolment-tokens", {"organisation": "North"}), 404)


def test_an_operator_lets_robots_into_the_own_organisation(hall: Hall, north: Headers) -> None:
    made = hall.client.post(f"{API}/enrolment-tokens", json={}, headers=north)
    assert ok(made).json()[0]["organisation"] == "North"
    errors = []
    for name in ("guild", "nowhere"):
        request = {"organisation": name}
        answer = hall.client.post(f"{API}/enrolment-tokens", json=request, headers=north)
        errors.append(hall.error(answer, 403))
    assert errors[0]["message"] == errors[1]["message"]


def test_an_operator_sees_the_own_robots(hall: Hall, north: Headers) -> None:
    own, _ = hall.enrol("one", organisation="North"), hall.enrol("two")
    found = ok(hall.client.get(f"{API}/robots", headers=north)).json()["items"]
    assert [robot["robot_id"] for robot in found] == [own.robot_id]


def test_a_new_skill_is_its_publishers_and_seen_as_decided(hall: Hall, north: Headers) -> None:
    ok(hall.publish(tiny_skill(name="ours"), north))
    ok(hall.publish(tiny_skill(name="shared"), north, "guild"))
    ok(hall.publish(tiny_skill(name="theirs")))
    found = {each["name"]: (each["organisation"], each["visibility"]) for each in hall.get("/skills")}
    assert found == {
        "ours": ("North", "organisation"),
        "shared": ("North", "guild"),
        "theirs": ("guild", "guild"),
    }
    # A later version changes neither, whoever publishes it and whatever it asks for.
    ok(hall.publish(tiny_skill(name="ours", version=2, seed=1), hall.operator, "guild"))
    assert hall.get("/skills/ours")["organisation"] == "North"
    assert hall.get("/skills/ours")["visibility"] == "organisation"


def test_an_operator_says_who_sees_a_skill(hall: Hall, north: Headers) -> None:
    ok(hall.publish(tiny_skill(), north))
    assert hall.client.get(f"{API}/skills/reach").status_code == 404
    shown = {"visibility": "guild"}
    for _ in range(2):
        ok(hall.client.put(f"{API}/skills/reach/visibility", json=shown, headers=north))
    ok(hall.client.get(f"{API}/skills/reach"))
    entry = hall.get("/audit")[-1]
    assert (entry["action"], entry["subject"], entry["details"]) == (
        "skill.shown",
        "reach",
        {"visibility": "guild"},
    )
    guest = hall.user("olga", "operator")
    refused = hall.client.put(f"{API}/skills/reach/visibility", json=shown, headers=guest)
    error = hall.error(refused, 403)
    assert error["code"] == "not_yours"
    assert "North" in error["remedy"]


def test_a_researcher_sees_private_skills_that_it_published(hall: Hall, north: Headers) -> None:
    ada, bo = hall.user("ada", "researcher", "North"), hall.user("bo", "researcher", "North")
    ok(hall.publish(tiny_skill(), ada, "organisation"))
    ok(hall.publish(tiny_skill(version=2, seed=1), bo))
    ok(hall.publish(tiny_skill(name="other"), bo, "private"))
    hidden = {"visibility": "private"}
    ok(hall.client.put(f"{API}/skills/reach/visibility", json=hidden, headers=north))
    seen = {
        name: [each["name"] for each in ok(hall.client.get(f"{API}/skills", headers=headers)).json()["items"]]
        for name, headers in (("ada", ada), ("bo", bo), ("nora", north))
    }
    assert seen == {"ada": ["reach"], "bo": ["other", "reach"], "nora": ["other", "reach"]}


def test_the_audit_log_has_what_was_decided(hall: Hall, north: Headers) -> None:
    ok(
        hall.client.put(
            f"{API}/organisations/North", json={"quotas": {"campaigns": 2}}, headers=hall.operator
        )
    )
    entries = [entry for entry in hall.get("/audit") if entry["action"].startswith("organisation.")]
    usual = {
        "storage_bytes": hall.settings.quota_storage,
        "uploads_per_hour": hall.settings.quota_uploads,
    }
    assert [(entry["action"], entry["details"]) for entry in entries] == [
        (
            "organisation.created",
            {"region": "", "visibility": "organisation", "robots": 5, "delta_bytes": 1000, **usual},
        ),
        ("organisation.changed", {"region": "", "visibility": "organisation", "campaigns": 2}),
    ]
    assert north


def test_the_commands_make_list_show_and_set(tmp_path: Path) -> None:
    skill = tmp_path / "reach.skill"
    tiny_skill().save(skill)
    with running_hub(tmp_path / "hub") as hub:
        access = ["--hub", hub.address, "--token", ADMIN]

        def run(*words: str) -> str:
            result = CliRunner().invoke(app, [*words, *access])
            assert result.exit_code == 0, (result.output, result.exception)
            return result.stdout

        run("organisation", "create", "North", "--robots", "20", "--storage", "2.5GB")
        run("organisation", "set", "North", "--robots", "none", "--delta-size", "500kB")
        shown = json.loads(run("organisation", "show", "North", "--json"))
        assert shown["quotas"] == {
            "robots": None,
            "storage_bytes": 2_500_000_000,
            "uploads_per_hour": 10_000,
            "delta_bytes": 500_000,
            "skill_bytes": None,
            "campaigns": None,
        }
        assert shown["visibility"] == "organisation"
        assert "2.5 GB" in run("organisation", "show", "North")
        assert "North" in run("organisation", "list")
        run("skill", "publish", str(skill), "--visibility", "private")
        assert "private" in run("skill", "list")
        assert "organisation" in run("skill", "visibility", "reach", "organisation")
        wrong = CliRunner().invoke(app, ["organisation", "set", "North", "--storage", "much", *access])
        assert isinstance(wrong.exception, RequestError)
        assert "500MB" in wrong.exception.remedy
