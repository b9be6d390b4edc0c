"""Every endpoint as everybody on a real hub, about things of each visibility, compared with docs/security.md.

The page has two tables: who sees what, and which role and scope pass an endpoint and what it answers about
things that one does not see or only sees. Together they say what each of these requests must get.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from hub.access.principal import THE_HUB, Principal
from hub.access.visibility import VISIBILITIES
from hub.settings import Settings
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.lists import ListQuery, OrganisationQuery
from skills.messages.robots import EnrolmentTokenRequest
from skills.messages.tokens import EVERY_SCOPE
from skills.messages.webhooks import WebhookRequest
from skills.messages.withdrawals import WithdrawalRequest
from skills.signing import delta_statement
from tests.hub.conftest import Hall, Hands, Headers, Robot, StubGate, ok, tiny_skill
from tests.hub.leaderboards.samples import enter_score
from tests.hub.tasks.samples import list_all, publish, small_archive
from tools.make_docs import DOCS, DOORS_BEGIN, DOORS_END, SIGHT_BEGIN, SIGHT_END, VIEWERS

Row = dict[str, str]
TASK = "weld-seam"
SKILL_PATHS = (
    "/skills",
    "/tasks",
    "/campaigns",
    "/rollouts",
    "/fleet",
    "/rounds",
    "/robots/me/assignment",
    "/events",
)
NOWHERE = {
    "skill": "nothing-here",
    "campaign": "c-0000000000",
    "round": "c-0000000000-1",
    "webhook": "w-000000000000",
    "join token": "0" * 16,
    "robot": "r-000000000000",
    "withdrawal": "x-000000000000",
    "release": "r-111111111111",
    "rollout": "o-000000000000",
    "attestation": "sha256:" + "0" * 64,
    "task": TASK,
}


def documented(begin: str, end: str) -> list[Row]:
    """A table of docs/security.md."""
    lines = (DOCS / "security.md").read_text().split(begin)[1].split(end)[0].strip().splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


Door = tuple[str, str]


def door_of(row: Row) -> Door:
    method, path = row["endpoint"].strip("`").split(" ")
    return method, path


DOORS = {door_of(row): row for row in documented(DOORS_BEGIN, DOORS_END)}
SIGHT = {row["whoever looks"]: row for row in documented(SIGHT_BEGIN, SIGHT_END)}


@dataclass(frozen=True)
class Caller:
    """One line of the table of who sees what, on the hub."""

    name: str
    role: str
    robot: Robot | None = None
    headers: Headers | None = None
    in_browser: bool = False

    def sees(self, visibility: str) -> bool:
        return SIGHT[self.name][f"{visibility} thing"] == "yes"

    @property
    def changes(self) -> bool:
        return SIGHT[self.name]["changes it, if the role may"] == "yes"


@dataclass(frozen=True)
class Scene:
    """North owns a skill of each visibility with a campaign for it; whoever is called own is of North."""

    hall: Hall
    callers: tuple[Caller, ...]
    campaigns: dict[str, str]
    releases: dict[str, str]
    attestations: dict[str, str]
    rollouts: dict[str, str]
    withdrawal: str = ""

    def things(self, visibility: str, path: str) -> dict[str, str]:
        """What a path may name; what one request can use up is made anew for a path that does."""
        campaign = self.campaigns[visibility]
        return {
            "skill": f"of-{visibility}",
            "campaign": campaign,
            "round": f"{campaign}-1",
            "webhook": webhook_of(self.hall, "North") if "webhook" in path else NOWHERE["webhook"],
            "join token": join_token_of(self.hall, "North") if "token_id" in path else NOWHERE["join token"],
            "robot": next((each.robot.robot_id for each in self.callers if each.robot is not None), "r-1"),
            "withdrawal": self.withdrawal,
            "release": self.releases[visibility],
            "rollout": self.rollouts[visibility],
            "attestation": self.attestations[visibility],
            "task": TASK,
            "root": self.hall.services.tuf.repository.root_digest(),
        }

    def ask(self, caller: Caller, door: Door, things: dict[str, str], visibility: str) -> httpx.Response:
        method, path = door
        target, body = _target(path, things), _body(door, things, visibility)
        headers = {"Zunft-Delta-Signature": "x", "Content-Type": "application/json"}
        headers |= self._session(caller) if caller.in_browser else caller.headers or {}
        if caller.robot is not None:
            headers |= caller.robot.headers(method, target, body)
            headers["Zunft-Delta-Signature"] = caller.robot.key.sign(delta_statement(digest_of(body)))
        return self.hall.client.request(method, target, content=body, headers=headers)

    def _session(self, caller: Caller) -> Headers:
        """Of a session that begins with the caller's token; one request may end it."""
        assert caller.headers is not None
        token = caller.headers["Authorization"].removeprefix("Bearer ")
        secret, _ = self.hall.services.access.sign_in.with_token(token)
        return {"Sec-Fetch-Site": "same-origin", "Cookie": f"zunft-session={secret}"}


def webhook_of(hall: Hall, organisation: str) -> str:
    """Its one webhook, made again where it was removed; nobody is ever told."""
    operator = Principal("nora", "operator", organisation)
    found = hall.services.webhooks.registry.webhooks(operator, ListQuery()).items
    request = WebhookRequest(url="https://localhost:1/")
    return (found[0] if found else hall.services.webhooks.registry.add(request, operator).webhook).webhook_id


def join_token_of(hall: Hall, organisation: str) -> str:
    """What a token is called with which robots could join it; a new one where none is left."""
    operator = Principal("nora", "operator", organisation)
    robots, known = hall.services.robots, hall.services.organisations.registry
    if organisation not in {each.name for each in known.organisations(THE_HUB, OrganisationQuery()).items}:
        return NOWHERE["join token"]
    if not robots.join_tokens.tokens(operator, ListQuery()).items:
        robots.enrolment.create_tokens(EnrolmentTokenRequest(), by=operator)
    return robots.join_tokens.tokens(operator, ListQuery()).items[0].token_id


def _target(path: str, things: dict[str, str]) -> str:
    place = {
        "round_id": things["round"],
        "campaign_id": things["campaign"],
        "ref": "1",
        "other": "1",
        "channel": "candidate",
        "token": "none",
        "token_id": things["join token"],
        "webhook_id": things["webhook"],
        "robot_id": things["robot"],
        "withdrawal_id": things["withdrawal"],
        "release_id": things["release"],
        "rollout_id": things["rollout"],
        "upload_id": "u-1",
        "number": "1",
        "name": things["skill"],
        "skill": things["skill"],
        "file": "timestamp.json",
        "embodiment": "ur5e",
        "digest": things["attestation"] if "/attestations/" in path else things.get("root", "none"),
    }
    if "/leaderboard" in path:
        place["name"] = things["task"]
    if "/organisations/" in path:
        place["name"] = "North"
    if "/users/" in path:
        place["name"] = "nobody" if path.endswith("{name}") else "me"
    target = re.sub(r"\{(\w+)\}", lambda match: place[match[1]], path)
    return target + (f"?skill={things['skill']}" if path.endswith(("/assignment", "/fleet")) else "")


def _body(door: Door, things: dict[str, str], visibility: str) -> bytes:
    """What the endpoint takes, or nothing that does harm."""
    method, path = door[0], door[1].removeprefix(API)
    match method, path:
        case "POST", "/skills":
            return tiny_skill(name=things["skill"], version=2, seed=1, task=TASK).to_bytes()
        case "POST", "/tasks":
            return small_archive(things["skill"], title="Another title")
    messages: dict[Door, dict[str, object]] = {
        ("POST", "/campaigns"): {"skill": things["skill"]},
        ("POST", "/rollouts"): {"skill": things["skill"], "version": 2},
        ("POST", "/rollouts/{rollout_id}/orders"): {"order": "pause"},
        ("PUT", "/robots/{robot_id}/tags"): {"tags": ["a"]},
        ("POST", "/robots/{robot_id}/withdrawal"): {"dry_run": True},
        ("POST", "/enrolment-tokens"): {"organisation": "North"},
        ("POST", "/qr-codes"): {"text": "zunft robot join"},
        ("PUT", "/skills/{name}/channels/{channel}"): {"version": 1},
        ("POST", "/skills/{name}/versions/{ref}/attestations"): {"envelope": "{}"},
        ("PUT", "/skills/{name}/minimum"): {"minimum": 0.5},
        ("PUT", "/skills/{name}/visibility"): {"visibility": visibility},
    }
    return json.dumps(messages.get((method, path), {})).encode()


@pytest.fixture
def scene(hall: Hall) -> Scene:
    for name in ("North", "South"):
        hall.organisation(name)
    ours, theirs = "North", "South"
    robots = {place: hall.enrol(f"of {place}", organisation=place) for place in (ours, theirs)}
    callers = []
    for name, (viewer, _) in VIEWERS.items():
        role = viewer.role if viewer else "anonymous"
        place = theirs if "other" in name else ours
        if role == "robot":
            callers.append(Caller(name, role, robot=robots[place]))
        elif viewer is None:
            callers.append(Caller(name, role))
        else:
            user = hall.user(viewer.name + " of the test", role, "guild" if role == "admin" else place)
            callers.append(Caller(name, role, headers=user))
    (publisher,) = (caller for caller in callers if caller.name.endswith("published"))
    campaigns: dict[str, str] = {}
    releases: dict[str, str] = {}
    attestations: dict[str, str] = {}
    rollouts: dict[str, str] = {}
    for visibility in VISIBILITIES:
        skill = tiny_skill(name=f"of-{visibility}", task=TASK)
        ok(hall.publish(skill, publisher.headers, visibility))
        releases[visibility] = hall.release(name=skill.manifest.name).release_id
        listed = hall.get(f"/skills/{skill.manifest.name}/versions/1/attestations")
        attestations[visibility] = listed[0]["digest"]
        enter_score(hall, skill)
        campaigns[visibility] = hall.start(skill=f"of-{visibility}")
        ok(hall.publish(tiny_skill(name=f"of-{visibility}", version=2, seed=1, task=TASK), publisher.headers))
        order = {"skill": f"of-{visibility}", "version": 2}
        rollouts[visibility] = ok(hall.post("/rollouts", order)).json()["rollout_id"]
        ok(publish(hall, small_archive(f"of-{visibility}"), publisher.headers, visibility))
    list_all(hall)
    hall.turn()
    gone = hall.enrol("gone", organisation="North").robot_id
    withdrawn = hall.services.withdrawals.registry.withdraw(gone, WithdrawalRequest(), THE_HUB)
    hall.services.close_streams()  # so that the event stream ends
    return Scene(hall, tuple(callers), campaigns, releases, attestations, rollouts, withdrawn.withdrawal_id)


def expected(caller: Caller, door: Door, visibility: str) -> str:
    row = DOORS[door]
    cell = row[caller.role].replace("if public", "yes")
    if cell != "yes" or row["unseen"] == "-":
        return cell
    if not door[1].removeprefix(API).startswith(SKILL_PATHS):  # about North itself, or about oneself
        return "yes" if caller.changes or "/users/" in door[1] else row["unseen"]
    if not caller.sees(visibility):
        return row["unseen"]
    return "yes" if caller.changes else row["other's"]


def test_the_table_has_every_endpoint(hall: Hall) -> None:
    description: dict[str, Any] = hall.client.get("/openapi.json").json()["paths"]
    found = {(method.upper(), path) for path, methods in description.items() for method in methods}
    assert found == set(DOORS)


def test_every_endpoint_about_a_thing_says_what_others_get() -> None:
    about_nothing = {
        ("GET", "/metrics"),
        ("GET", f"{API}/gate-key"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", f"{API}/robots"),
        ("GET", f"{API}/robots/counts"),
        ("GET", f"{API}/rollouts/counts"),  # test_reports has what others are not told
        ("GET", f"{API}/overview"),  # test_overview has what others may not read
        ("POST", f"{API}/qr-codes"),
        ("POST", f"{API}/colleagues"),  # into one's own organisation alone
        ("POST", f"{API}/skills/untrained"),  # of a name that is free
        *(door for door in DOORS if "/tuf/" in door[1]),  # test_repository has what others may not read
        ("GET", f"{API}/robots/me"),
        ("POST", f"{API}/webhooks"),
        *(door for door in DOORS if "/uploads" in door[1]),  # one's own: test_uploads has the others
        ("GET", "/login/issuer"),
        ("GET", "/login/callback"),
        ("POST", f"{API}/sessions"),
        ("DELETE", f"{API}/sessions/current"),
        ("GET", f"{API}/users/me"),
    }
    silent = {door for door, row in DOORS.items() if row["unseen"] == "-" and row["operator"] == "yes"}
    assert silent <= about_nothing


def test_every_door_answers_everybody_as_the_tables_say(scene: Scene) -> None:
    asked = 0
    for door in DOORS:
        for visibility in VISIBILITIES:
            for caller in scene.callers:
                things = scene.things(visibility, door[1])
                answer = scene.ask(caller, door, things, visibility)
                check(scene, caller, door, visibility, answer, things)
                asked += 1
    assert asked == len(DOORS) * len(VISIBILITIES) * len(SIGHT)


def test_a_session_opens_what_its_user_s_token_opens(scene: Scene) -> None:
    by_role = {caller.role: replace(caller, in_browser=True) for caller in scene.callers if caller.headers}
    users = list(by_role.values())  # whose things are whose, the test above has
    assert len(users) == 3
    for door in DOORS:
        for caller in users:
            things = scene.things("organisation", door[1])
            answer = scene.ask(caller, door, things, "organisation")
            check(scene, caller, door, "organisation", answer, things)


def check(
    scene: Scene, caller: Caller, door: Door, visibility: str, answer: httpx.Response, things: dict[str, str]
) -> None:
    wanted, context = expected(caller, door, visibility), (door, visibility, caller.name, answer.text)
    about_things = DOORS[door]["unseen"] != "-" and "{token}" not in door[1]
    if wanted in {"yes", "left out"}:
        assert answer.status_code != 500, context
        assert answer.status_code not in ({401, 403, 404} if about_things else {401, 403}), context
        assert "name_taken" not in answer.text, context
    else:
        assert str(answer.status_code) == wanted, context
    if wanted == "404":
        nowhere = scene.ask(caller, door, NOWHERE, visibility)
        assert _without_names(answer, things) == _without_names(nowhere, NOWHERE), context
    if door[1].endswith("/assignment") and wanted == "yes":
        assert answer.status_code == 200, context
    if DOORS[door]["unseen"] == "left out" and not door[1].endswith("/events"):
        listed = {"/skills": things["skill"], "/tasks": things["skill"], "/campaigns": things["campaign"]}
        listed["/rollouts"] = things["rollout"]
        listed["/tasks/{name}/leaderboard"] = listed["/events/past"] = things["skill"]
        name = listed.get(door[1].removeprefix(API), "North")
        assert (name in answer.text) == (wanted == "yes"), context


def _without_names(answer: httpx.Response, things: dict[str, str]) -> tuple[int, str]:
    """Status and body of an error, without what the caller itself has said."""
    error = {**answer.json()["error"], "request_id": ""}
    text = json.dumps(error)
    for kind, name in sorted(things.items(), key=lambda pair: -len(pair[1])):
        text = text.replace(name, kind)
    return answer.status_code, text


def test_without_a_public_catalogue_nobody_comes_in_without_a_login(settings: Settings, clock: Hands) -> None:
    hall = Hall(settings.model_copy(update={"public_catalogue": False}), StubGate(), clock)
    ok(hall.publish(tiny_skill(name="of-guild")))
    scene = Scene(
        hall, (), {"guild": "c-1"}, {"guild": "r-1"}, {"guild": f"sha256:{64 * '0'}"}, {"guild": "o-1"}
    )
    anonymous = Caller("anonymous", "anonymous")
    for door, row in DOORS.items():
        answer = scene.ask(anonymous, door, scene.things("guild", door[1]), "guild")
        assert (answer.status_code == 401) == (row["anonymous"] != "yes"), (door, answer.text)
    hall.close()


def test_a_token_opens_what_its_scope_opens_and_no_more(scene: Scene) -> None:
    hall, (admin,) = scene.hall, [caller for caller in scene.callers if caller.role == "admin"]
    for scope in EVERY_SCOPE:
        request = {"name": f"only {scope}", "scopes": [scope]}
        made = ok(hall.client.post(f"{API}/users/me/tokens", json=request, headers=admin.headers)).json()
        limited = Caller(admin.name, "admin", headers={"Authorization": f"Bearer {made['token']}"})
        for caller in (limited, replace(limited, in_browser=True)) if scope == "read" else (limited,):
            for door, row in DOORS.items():
                answer = scene.ask(caller, door, scene.things("guild", door[1]), "guild")
                if row["admin"] == "yes" and row["scope"] != "-":
                    refused = answer.status_code == 403 and answer.json()["error"]["code"] == "token_scope"
                    assert refused == (row["scope"] != scope), (scope, door, answer.text)
