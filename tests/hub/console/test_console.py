"""The console on the hub's app: which paths are its own, whose skills it shows, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from typer.testing import CliRunner

from hub.access.principal import Principal
from hub.app import create_app
from hub.settings import Settings
from skills.fits import Abilities, Ability
from skills.messages.base import API
from skills.signing import SigningKey
from tests.hub.conftest import ADMIN, CONTRACT, Headers, StubGate, ok, tiny_skill
from zunft.cli import app


@contextmanager
def hub_with_pages(folder: Path, *names: str, public: bool = True) -> Iterator[TestClient]:
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "admin_token": ADMIN,
            "console": True,
            "leaderboards": False,
            "public_catalogue": public,
        }
    )
    with TestClient(create_app(settings, gate=StubGate()), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN}"
        for name in names:
            ok(client.post(f"{API}/skills", content=tiny_skill(name=name).to_bytes()))
        yield client


def test_hubs_in_one_process_show_their_own_skills(tmp_path: Path) -> None:
    for name in ("reach", "grasp"):
        with hub_with_pages(tmp_path / name, name) as client:
            page = ok(client.get("/skills"))
            assert page.headers["content-type"].startswith("text/html")
            assert f"/skills/{name}" in page.text
            assert page.text.count("/skills/") == 1


def test_a_second_hub_says_that_the_first_has_the_pages_open(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path / "a", "reach") as first, hub_with_pages(tmp_path / "b") as second:
        ok(first.get("/"))
        assert second.get("/").status_code == 503
        assert ok(second.get(f"{API}/skills")).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{API}/nothing", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/skills/reach", 404),
        ("POST", "/", 404),
        ("DELETE", f"{API}/skills", 405),
    ],
)
def test_other_paths_keep_the_one_error_shape(tmp_path: Path, method: str, path: str, status: int) -> None:
    with hub_with_pages(tmp_path) as client:
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["code"]


@pytest.mark.parametrize("path", ["/skills/unknown", "/campaigns/unknown"])
def test_an_unknown_thing_is_a_page_that_says_so(tmp_path: Path, path: str) -> None:
    with hub_with_pages(tmp_path) as client:
        answer = client.get(path)
        assert answer.status_code == 404
        assert "unknown" in answer.text
        assert "Traceback" not in answer.text


def test_an_empty_hub_says_what_to_do_next(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path) as client:
        assert "zunft skill publish weld-seam.skill --hub http://testserver" in ok(client.get("/skills")).text


def test_commands_on_the_pages_are_commands_of_the_program(tmp_path: Path) -> None:
    found: set[str] = set()
    with hub_with_pages(tmp_path / "empty") as client:
        found |= commands_in(client, "/skills") | commands_in(client, "http://127.0.0.1/login")
    with hub_with_pages(tmp_path / "reach", "reach") as client:
        found |= commands_in(client, "/skills/reach")
    assert len(found) == 7
    for line in found:
        # With --help the program parses the whole line, refuses what it does not know, and runs nothing.
        answer = CliRunner().invoke(app, [*line.split()[1:], "--help"])
        assert answer.exit_code == 0, line


def commands_in(client: TestClient, path: str) -> set[str]:
    return set(re.findall(r'"(zunft [^"]+)"', ok(client.get(path)).text))


def test_a_private_catalogue_asks_who_looks_and_tells_strangers_nothing(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach", public=False) as client:
        for path in ("/", "/skills/reach", "/skills/unknown", "/campaigns/unknown"):
            answer = client.get(path, follow_redirects=False)
            assert answer.status_code == 303
            assert answer.headers["location"] == f"/login?next={quote(path, safe='')}"
            assert "reach" not in answer.text
        assert "reach" not in ok(client.get("/login")).text


def session_of(client: TestClient, token: str) -> Headers:
    hub: Any = client.app
    secret, _ = hub.state.services.access.sign_in.with_token(token)
    return {"Cookie": f"zunft-session={secret}"}


def test_a_session_opens_the_pages(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach", public=False) as client:
        here = session_of(client, ADMIN)
        page = ok(client.get("/skills", headers=here))
        assert "/skills/reach" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert client.get("/skills/unknown", headers=here).status_code == 404
        there = client.get("/login?next=/skills/reach", headers=here, follow_redirects=False)
        assert there.headers["location"] == "/skills/reach"
        over = {"Cookie": "zunft-session=zs_of-nobody"}
        assert client.get("/", headers=over, follow_redirects=False).status_code == 303


def test_a_token_in_a_header_opens_no_page(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach", public=False) as client:
        assert client.get("/", follow_redirects=False, headers={"Authorization": ADMIN}).status_code == 303


@pytest.mark.parametrize("visibility", ["private", "organisation"])
def test_pages_show_what_anybody_may_see(tmp_path: Path, visibility: str) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        hidden = tiny_skill(name="secret").to_bytes()
        ok(client.post(f"{API}/skills?visibility={visibility}", content=hidden))
        campaign = ok(client.post(f"{API}/campaigns", json={"skill": "secret"})).json()["campaign_id"]
        assert "secret" not in ok(client.get("/skills")).text + ok(client.get("/")).text
        for path, nowhere in (
            ("/skills/secret", "/skills/nothing"),
            (f"/campaigns/{campaign}", "/campaigns/c-1"),
        ):
            answers = [client.get(where) for where in (path, nowhere)]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert ok(client.get(path, headers=session_of(client, ADMIN))).text.count("secret")


def test_a_skill_s_page_names_robots_to_their_own_operators_alone(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        hub: Any = client.app
        services = hub.state.services
        ok(client.post(f"{API}/organisations", json={"name": "South"}))
        people = {}
        for role, place in (("operator", "guild"), ("researcher", "guild"), ("operator", "South")):
            user = {"name": f"{role} of {place}", "role": role, "organisation": place}
            people[role, place] = session_of(
                client, ok(client.post(f"{API}/users", json=user)).json()["token"]
            )
        for name in ("welder-able", "welder-silent"):
            token = ok(client.post(f"{API}/enrolment-tokens", json={})).json()[0]["token"]
            key = SigningKey.generate().public.text
            wanted = {"token": token, "name": name, "embodiment": "ur5e", "public_key": key}
            robot = Principal(
                ok(client.post(f"{API}/robots", json=wanted)).json()["robot_id"], "robot", "guild"
            )
            if name == "welder-able":
                said = Abilities(abilities=(Ability(task="reach", contract=CONTRACT),))
                services.robots.fits.tell(said, robot)
        shown = ok(client.get("/skills/reach", headers=people["operator", "guild"])).text
        assert "1 of 2 robots of yours can run v1" in shown
        assert "it has not said what it serves" in shown
        for headers in (people["researcher", "guild"], people["operator", "South"], {}):
            hidden = ok(client.get("/skills/reach", headers=headers)).text
            assert "welder" not in hidden
            assert "of yours" not in hidden or "0 of 0 robots" in hidden


def test_a_campaign_s_page_says_how_robots_train_in_each_phase(tmp_path: Path) -> None:
    lessons = {"learner": {"algorithm": "imitation", "master_iterations": 6}, "variates": True}
    order = {"skill": "reach", "rounds": 2, "training": lessons, "then": [{"rounds": 3}]}
    with hub_with_pages(tmp_path, "reach") as client:
        campaign = ok(client.post(f"{API}/campaigns", json=order)).json()["campaign_id"]
        shown = ok(client.get(f"/campaigns/{campaign}")).text
    assert "0 of 5" in shown
    assert re.search("Rounds 1 to 2.*by imitation, master iterations 6.*control variates", shown, re.DOTALL)
    assert re.search("Rounds 3 to 5.*as the task advises", shown, re.DOTALL)


def test_pages_hold_no_token(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        for path in ("/", "/skills/reach"):
            assert ADMIN not in ok(client.get(path)).text


def test_nicegui_is_not_loaded_before_a_page_is_asked_for() -> None:
    program = (
        "import sys; from types import SimpleNamespace as Space; from fastapi import FastAPI;"
        "from hub.console import mount_console; from hub.console.here import PagesHere;"
        "from hub.settings import Settings;"
        "mount_console(FastAPI(), Space(settings=Settings()), PagesHere); sys.exit('nicegui' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


PAIR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
STYLE = (files("hub.console") / "theme.css").read_text("utf-8")
COLOURS = {name: (light, dark) for name, light, dark in PAIR.findall(STYLE)}
ON_GROUND = [*product(("ink", "muted", "accent"), ("ground", "surface", "sunken"))]
ON_BADGE = [
    ("accent", "accent-soft"),
    ("ember", "ember-soft"),
    ("wrong", "wrong-soft"),
    ("wrong", "surface"),
    ("surface", "accent"),
]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), [*ON_GROUND, *ON_BADGE])
def test_text_can_be_read(text: str, ground: str, mode: int) -> None:
    pale, deep = sorted((luminance(COLOURS[text][mode]), luminance(COLOURS[ground][mode])), reverse=True)
    assert (pale + 0.05) / (deep + 0.05) >= 4.5


SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"

ASSET = re.compile(r'href="/_nicegui/([^"]+)"')
UPGRADE = {"upgrade": "websocket", "connection": "upgrade"}


def is_opened(client: TestClient, **headers: str) -> bool:
    try:
        with client.websocket_connect(SOCKET, headers={**UPGRADE, **headers}) as opened:
            return opened.receive_text().startswith("0{")  # engine.io's greeting
    except WebSocketDisconnect:
        return False


def test_a_socket_comes_from_a_page_of_this_hub(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        ok(client.get("/"))
        assert is_opened(client, origin="http://testserver")
        assert not is_opened(client)
        for origin in ("null", "http://evil.example", "http://testserver.evil.example", "testserver"):
            assert not is_opened(client, origin=origin), origin
        asked = client.get(SOCKET.replace("websocket", "polling"), headers={"origin": "http://testserver"})
        assert asked.status_code == 403


@pytest.mark.parametrize("limit", ["ZUNFT_CONSOLE_SOCKETS", "ZUNFT_CONSOLE_SOCKETS_PER_ADDRESS"])
def test_no_more_sockets_than_a_hub_can_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv(limit, "2")
    ours = {**UPGRADE, "origin": "http://testserver"}
    with hub_with_pages(tmp_path, "reach") as client:
        ok(client.get("/"))
        with client.websocket_connect(SOCKET, headers=ours), client.websocket_connect(SOCKET, headers=ours):
            assert not is_opened(client, **ours)
        assert is_opened(client, **ours)


def test_one_address_takes_no_socket_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUNFT_CONSOLE_SOCKETS_PER_ADDRESS", "1")
    ours = {**UPGRADE, "origin": "http://testserver"}
    with hub_with_pages(tmp_path, "reach") as client:
        elsewhere = TestClient(client.app, client=("192.0.2.7", 1))
        ok(client.get("/"))
        with client.websocket_connect(SOCKET, headers=ours):
            assert not is_opened(client, **ours)
            elsewhere.portal = client.portal  # the pages live in that loop
            assert is_opened(elsewhere, **ours)


def test_an_address_that_asks_for_too_many_pages_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZUNFT_PAGE_RATE_LIMIT", "0.001")
    monkeypatch.setenv("ZUNFT_PAGE_RATE_BURST", "3")
    with hub_with_pages(tmp_path, "reach") as client:
        answers = [client.get("/") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429]
        assert 900 < int(answers[-1].headers["retry-after"]) <= 1000
        ok(client.get("/_nicegui/" + ASSET.findall(answers[0].text)[0]))
        ok(client.get(f"{API}/skills"))
        elsewhere = TestClient(client.app, client=("192.0.2.7", 1))
        elsewhere.portal = client.portal
        ok(elsewhere.get("/"))
