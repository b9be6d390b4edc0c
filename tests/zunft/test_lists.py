"""Every command that lists: pages and filters as the hub has them, and all of it page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.lists_filling import TASK, Size, fill
from fleet.client import OperatorClient
from hub.access.principal import THE_HUB, Principal
from hub.storage.tables.webhooks import UndeliveredRow
from hub.tasks.sources import board_task
from skills.errors import RequestError
from skills.messages.lists import (
    LARGEST_PAGE,
    AuditQuery,
    BoardQuery,
    CampaignQuery,
    EventQuery,
    FitQuery,
    ListQuery,
    OrganisationQuery,
    RobotQuery,
    RolloutQuery,
    SkillQuery,
    TaskQuery,
    TaskVersionQuery,
    UserQuery,
    VersionQuery,
    WithdrawalQuery,
)
from skills.messages.robots import EnrolmentTokenRequest
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, small_settings
from tests.zunft.test_campaign import _Within
from tools.make_docs import leaf_commands
from zunft.cli import app

LISTS: dict[str, tuple[type[ListQuery], str]] = {
    "skill list": (SkillQuery, ""),
    "skill versions": (VersionQuery, "skill-1001"),
    "skill fits": (FitQuery, "skill-1001@1"),
    "task list": (TaskQuery, "--hub http://hub"),
    "task leaderboard": (BoardQuery, TASK),
    "task versions": (TaskVersionQuery, "task-1"),
    "event list": (EventQuery, ""),
    "robot list": (RobotQuery, ""),
    "robot withdrawals": (WithdrawalQuery, ""),
    "rollout list": (RolloutQuery, ""),
    "campaign list": (CampaignQuery, ""),
    "organisation list": (OrganisationQuery, ""),
    "user list": (UserQuery, ""),
    "user token list": (ListQuery, "--user user-1"),
    "webhook list": (ListQuery, ""),
    "token list": (ListQuery, ""),
    "webhook dead": (ListQuery, "w-1"),
    "audit show": (AuditQuery, ""),
}
SIZE = Size(skills=6, versions=15, rounds=9, robots=7, events=12)
ASKING = (
    *("skill", "campaign", "event", "organisation", "rollout", "token", "user", "webhook"),
    *("robot.operator", "task.published", "task.scores"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a hub that has some of everything, at which all commands ask."""
    hall = Hall(small_settings(tmp_path_factory.mktemp("hub")), StubGate(), Hands())
    database = hall.services.storage.database
    with database.read() as session:
        found = board_task(session, TASK, THE_HUB)
    fill(database, SIZE, found[0] if found else None)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write() as session:
        for event in range(1, 6):
            row = {"webhook_id": "w-1", "event_id": event, "attempts": 1, "last_attempt_at": at}
            session.add(UndeliveredRow(**row, due_at=None, reason="It answered with status 500."))
    admin = Principal("admin", "admin", "guild")
    hall.services.robots.enrolment.create_tokens(EnrolmentTokenRequest(count=5), by=admin)
    with pytest.MonkeyPatch.context() as patch:
        for name in ASKING:
            patch.setattr(
                f"zunft.commands.{name}.connect",
                lambda _hub, token: OperatorClient.open("http://hub", token, _Within(hall)),
            )
        patch.setenv("ZUNFT_TOKEN", ADMIN)
        yield hall.settings.data_dir
    hall.close()


def shown(*words: str) -> str:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "80"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def words_of(command: str, folder: Path) -> list[str]:
    words = [*command.split(), *LISTS[command][1].split()]
    return [*words, "--data-dir", str(folder)] if command == "audit show" else words


def page(*words: str) -> tuple[list[Any], str | None]:
    document = json.loads(shown(*words, "--json"))
    return document["entries" if "leaderboard" in words else "items"], document["next"]


def test_no_command_that_lists_is_forgotten() -> None:
    listing = {path.removeprefix("zunft ") for path in leaf_commands() if path.endswith(" list")}
    assert listing - LISTS.keys() == {"embodiment list"}  # those of the package, on this machine


@pytest.mark.parametrize("command", LISTS)
def test_a_list_takes_what_the_hub_takes(command: str) -> None:
    options = {name for each in leaf_commands()[f"zunft {command}"].params for name in each.opts}
    fields = LISTS[command][0].model_fields
    assert {"--all", *(f"--{name.replace('_', '-')}" for name in fields)} <= options


@pytest.mark.parametrize("command", LISTS)
def test_the_pages_of_a_list_are_all_of_it(command: str, folder: Path) -> None:
    words = words_of(command, folder)
    whole, end = page(*words, "--all")
    assert len(whole) > 2
    assert end is None
    limit = str(min(LARGEST_PAGE, len(whole) // 2))
    found, cursor = page(*words, "--limit", limit)
    assert cursor
    assert len(found) == int(limit)
    said = shown(*words, "--limit", limit)
    assert f"--cursor {cursor}, or --all." in said
    while cursor:
        more, cursor = page(*words, "--limit", limit, "--cursor", cursor)
        found += more
    assert found == whole
    assert "There are more" not in shown(*words, "--all")


@pytest.mark.parametrize(
    ("line", "field", "values"),
    [
        ("skill list --organisation North --limit 2", "organisation", {"North"}),
        ("skill list --text ILL-1003", "name", {"skill-1003"}),
        ("skill versions skill-1001 --origin initial", "version", set()),
        ("skill versions skill-1001 --limit 1", "version", {15}),
        ("skill versions skill-1001 --limit 1 --sort oldest", "version", {1}),
        ("skill fits skill-1001@1 --text r-3", "name", {"cell 3"}),
        ("robot list --organisation guild", "organisation", {"guild"}),
        ("robot list --text r-3", "name", {"cell 3"}),
        ("campaign list --state running", "state", {"running"}),
        ("user list --role admin", "name", {"admin"}),
        ("organisation list --text ORTH", "name", {"North"}),
        (f"task leaderboard {TASK} --skill skill-1001", "version", {4, 9, 14}),
        ("task list --hub http://hub --text SK-2", "name", {"task-2"}),
        ("task versions task-1 --state refused", "version", set()),
        ("event list --kind delta.admitted --limit 2", "kind", {"delta.admitted"}),
        ("robot withdrawals --state failed", "state", set()),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_filter_leaves_out_what_was_not_asked_for(line: str, field: str, values: set[Any]) -> None:
    assert {each[field] for each in page(*line.split())[0]} == values


def test_the_audit_log_is_filtered_and_sorted(folder: Path) -> None:
    words = words_of("audit show", folder)
    assert {each["actor"] for each in page(*words, "--actor", "user:rita")[0]} == {"user:rita"}
    numbers = [each["number"] for each in page(*words, "--sort", "newest")[0]]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.usefixtures("folder")
def test_what_is_no_filter_is_one_sentence() -> None:
    refused = CliRunner().invoke(app, ["campaign", "list", "--skill", "x" * 129])
    assert isinstance(refused.exception, RequestError)
    assert refused.exception.where == "skill"


def test_the_tasks_of_this_machine_have_neither_filters_nor_pages() -> None:
    refused = CliRunner().invoke(app, ["task", "list", "--text", "weld"])
    assert isinstance(refused.exception, RequestError)
    assert "--hub" in refused.exception.remedy
