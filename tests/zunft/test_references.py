"""NAME@VERSION, wherever a command takes it: what is wrong is one sentence, for scripts one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.conftest import Hall, Hands, StubGate, ok, small_settings, tiny_skill
from tests.hub.serving import serving
from zunft.cli import main

NOBODY = "http://127.0.0.1:9"
COMMANDS = {
    "show": "skill show {0}",
    "pull": "skill pull {0} -o {1}/x.skill",
    "fits": "skill fits {0}",
    "versions": "skill versions {0}",
    "score": "task score {0}",
    "fetch": "task fetch {0} --folder {1}",
}
ASK_FOR_NUMBERS = set(COMMANDS) - {"versions"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    hall = Hall(small_settings(tmp_path_factory.mktemp("hub")), StubGate(), Hands())
    ok(hall.publish(tiny_skill()))
    hall.release()
    with serving(hall.app) as found:
        yield found


def refused(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int | str | None, str]:
    """The exit status and what is on standard error; nothing is on standard output."""
    monkeypatch.setattr(sys, "argv", ["zunft", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert said.out == ""
    return ended.value.code, said.err


@pytest.mark.parametrize(
    "reference",
    [
        "nothing",
        "nothing@7",
        "reach@7",
        "reach@v7",
        "reach@blue",
        "reach@99999999999999999999",
        "@7",
        "gone.skill",
    ],
)
@pytest.mark.parametrize("command", sorted(ASK_FOR_NUMBERS))
def test_what_is_not_there_is_one_sentence(
    command: str,
    reference: str,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ZUNFT_HUB", address)
    status, said = refused(COMMANDS[command].format(reference, tmp_path), monkeypatch, capsys)
    assert status == 1
    assert said.startswith("error ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_hub_that_does_not_answer_or_refuses_the_token_is_one_sentence(
    command: str,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = COMMANDS[command].format("reach", tmp_path)
    for hub, token, words in ((NOBODY, "", "did not answer"), (address, "zt_wrong", "token")):
        status, said = refused(f"{line} --hub {hub} --token={token}", monkeypatch, capsys)
        assert status == 1
        assert words in said
        assert (said.count("\n"), said[:6]) == (1, "error ")


def test_an_error_is_a_document_for_scripts(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for line, status, code, word in (
        (f"skill show reach@7 --hub {address} --json", 1, "not_found", "7"),
        (f"skill show reach --hub {NOBODY} --json", 1, "hub_unreachable", "did not answer"),
        ("skill show /no/where.skill --json", 1, "file", "No such file"),
        ("skill show --json", 2, "usage", "Missing argument"),
        ("campaign list --colour red --json", 2, "usage", "--colour"),
        ("skill lst --json", 2, "usage", "lst"),
    ):
        ended, said = refused(line, monkeypatch, capsys)
        error = json.loads(said)["error"]
        assert (ended, error["code"]) == (status, code)
        assert word in error["message"] + error["where"]
        assert {"message", "where", "remedy"} <= error.keys()


@pytest.mark.parametrize("reference", ["reach", "reach@stable", "reach@1", "reach@v1"])
def test_a_version_of_a_hub_is_shown_without_its_file(
    reference: str, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["zunft", "skill", "show", reference, "--hub", address])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    shown = "".join(capsys.readouterr().out.split())
    assert "reachv1" in shown
    assert tiny_skill().digest in shown
