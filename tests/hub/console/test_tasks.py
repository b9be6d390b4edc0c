"""The pages of published tasks: what is shown, to whom, and that nothing of a bundle becomes HTML."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import cast

from fastapi import FastAPI
from fastapi.testclient import TestClient

from envs.archive import pack
from hub.console.words import finding_in_words
from skills.messages.base import API, BLOB
from skills.messages.tasks import FindingView
from tests.envs.bundles import SMALL, small_bundle
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, ok
from tests.hub.console.test_console import hub_with_pages
from tests.hub.tasks.samples import small_archive

HOSTILE = "<script>document.title=1</script>"


def hostile_archive() -> bytes:
    """Too easy a task, whose publisher writes HTML wherever there is room."""
    toml = SMALL.replace("Hold still over the work", HOSTILE)
    with tempfile.TemporaryDirectory() as folder:
        bundle = small_bundle(Path(folder) / "Bundle", toml=toml)
        (bundle / "README.md").write_text(f"# About\n\n{HOSTILE}")
        return pack(bundle)


def send(client: TestClient, archive: bytes, visibility: str = "guild") -> None:
    target = f"{API}/tasks?visibility={visibility}"
    ok(client.post(target, content=archive, headers={"Content-Type": BLOB}))


def sign_in(client: TestClient) -> None:
    """As a browser on the hub's own machine would."""
    app = cast("FastAPI", client.app)
    secret, _ = app.state.services.access.sign_in.with_token(ADMIN)
    del client.headers["Authorization"]
    client.headers["Cookie"] = f"zunft-session={secret}"


def test_a_refused_task_is_shown_to_its_own_with_findings_and_contract(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path) as client:
        send(client, hostile_archive())
        eventually(lambda: client.get(f"{API}/tasks").json()["items"][0]["state"] == "refused")
        assert "/tasks/small" not in ok(client.get("/tasks")).text  # nobody is signed in
        assert client.get("/tasks/small").status_code == 404
        sign_in(client)
        assert "/tasks/small" in ok(client.get("/tasks")).text
        page = ok(client.get("/tasks/small")).text
        for shown in ("asks for skill", "Tighten success.", "Apache-2.0", "ur5e, panda", "m/s", "# About"):
            assert shown in page
        assert HOSTILE not in page
        assert "Tasks" in ok(client.get("/")).text


def test_a_check_that_passed_with_advice_says_so() -> None:
    found = [
        FindingView(check="reads", passed=passed, text="", remedy=remedy)
        for passed, remedy in ((True, ""), (True, "Say less."), (False, "Say more."))
    ]
    assert [finding_in_words(each) for each in found] == ["passed", "passed, with advice", "failed"]


def test_an_empty_hub_says_how_to_publish(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path) as client:
        assert "zunft task publish" in ok(client.get("/tasks")).text


def test_an_unknown_task_is_a_page_that_says_so(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path) as client:
        send(client, small_archive("other"), "private")
        assert client.get("/tasks/other").status_code == 404
