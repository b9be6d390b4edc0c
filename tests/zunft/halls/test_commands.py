"""`zunft hub join`, `share`, `membership`, `keep` and `leave`, on a hub's own settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.hub.conftest import ADMIN, Hall
from tests.zunft.halls.sites import hall_token, upper_hall
from zunft.cli import app
from zunft.halls.loop import larger_hall

RUNNER = CliRunner()


@pytest.fixture
def upper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hall, str]]:
    monkeypatch.setenv("ZUNFT_ADMIN_TOKEN", ADMIN)
    monkeypatch.setenv("ZUNFT_DATA_DIR", str(tmp_path / "small"))
    with upper_hall(tmp_path / "upper") as found:
        yield found


def said(*words: str) -> Any:
    done = RUNNER.invoke(app, ["hub", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_hall_joins_shares_keeps_and_leaves(upper: tuple[Hall, str], tmp_path: Path) -> None:
    hall, address = upper
    joined = said("join", "--hub", address, "--token", hall_token(hall), "--name", "North Works")
    assert [each["name"] for each in hall.get("/robots")] == ["North Works"]
    assert said("membership")["shares"] == []
    shared = said("share", "reach", "--quorum", "3", "--digests")
    assert (shared["quorum"], shared["digests"], shared["private"]) == (3, True, False)
    shown = said("membership")
    assert shown["hall"] == joined["hall"]
    assert shown["above"] == [hall.services.halls.memberships.hall]
    assert [each["skill"] for each in shown["shares"]] == ["reach"]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"merge": {"rule": "median"}}))
    assert said("share", "reach", "--plan", str(plan))["merge"]["rule"] == "median"
    assert "median" in RUNNER.invoke(app, ["hub", "membership"]).stdout
    said("keep", "reach")
    assert "nothing leaves" in RUNNER.invoke(app, ["hub", "membership"]).stdout
    said("leave")
    assert said("membership")["hub"] is None


@pytest.mark.usefixtures("upper")
def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"merge": {"momentum": 0.5}}))
    assert "without momentum" in str(
        RUNNER.invoke(app, ["hub", "share", "reach", "--plan", str(plan)]).exception
    )
    assert "nothing leaves" in str(RUNNER.invoke(app, ["hub", "keep", "reach"]).exception)
    assert "joined no other" in str(RUNNER.invoke(app, ["hub", "leave"]).exception)


def test_the_loop_beside_a_hub_waits_for_a_membership(upper: tuple[Hall, str]) -> None:
    (work,) = larger_hall(upper[0].services).values()
    assert work() > 0
