from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from fleet.membership import join
from fleet.robot_folder import Memory, RobotFolder
from fleet.settings import RobotSettings
from tests.eventually import eventually
from tests.fleet.conftest import Guild
from tests.fleet.lying_hub import LyingHub
from tests.signed_guild import TOKEN
from zunft.cli import main

ENV = {name: value for name, value in os.environ.items() if not name.startswith("ZUNFT_")}


def zunft(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zunft", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=ENV | {"COLUMNS": "200", "NO_COLOR": "1"} | (env or {}),
    )


@pytest.fixture(scope="module")
def home(guild: Guild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robot")
    (token,) = guild.tokens(1)
    options = f"--hub {guild.url} --name cell-4 --embodiment kinova3 --home {folder}"
    joined = zunft("robot", "join", *options.split(), env={"ZUNFT_ROBOT_TOKEN": token})
    assert joined.returncode == 0, joined.stderr
    assert "cell-4" in joined.stdout
    return folder


def test_joining_again_changes_nothing_and_needs_no_token(guild: Guild, home: Path) -> None:
    before = (home / "identity.json").read_bytes()
    assert zunft("robot", "join", "--hub", guild.url, "--home", str(home)).returncode == 0
    assert (home / "identity.json").read_bytes() == before


def test_status_is_readable_by_programs(guild: Guild, home: Path) -> None:
    facts = json.loads(zunft("robot", "status", "--home", str(home), "--json").stdout)
    assert (facts["name"], facts["hub"], facts["owes"]) == ("cell-4", guild.url, None)
    assert not any("key.pem" in str(value) or "PRIVATE" in str(value) for value in facts.values())


def test_a_skill_is_used_without_the_training_stack(home: Path) -> None:
    code = (
        "import sys; from zunft.cli import app\n"
        f"app(['robot','use','weld-seam@1','--episodes','4','--json','--home',{str(home)!r}], "
        "standalone_mode=False)\n"
        "print(sorted({'torch', 'ray'} & sys.modules.keys()))"
    )
    used = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=ENV)
    text, _, loaded = used.stdout.rstrip().rpartition("\n")
    result = json.loads(text)
    assert loaded == "[]"
    assert (result["skill"], result["version"], result["episodes"]) == ("weld-seam", 1, 4)
    assert result["low"] <= result["score"] <= result["high"]


def test_a_skill_is_used_on_a_robots_own_environment(home: Path) -> None:
    own = "--env tests.fleet.own_robots:make_good"
    used = zunft(*f"robot use weld-seam@base --episodes 2 --home {home} {own}".split())
    assert used.returncode == 0, used.stderr
    assert "of 2 jobs done" in used.stdout


def test_one_round_is_worked_in_a_robots_own_environment(guild: Guild, home: Path) -> None:
    campaign = guild.start_campaign(1)
    eventually(lambda: guild.operator.campaign(campaign.campaign_id).rounds)
    ran = zunft(
        *f"robot run --once --home {home} --env tests.fleet.own_robots:make_good".split(),
        env={"ZUNFT_ROBOT_BATCH_STEPS": "200"},
    )
    assert ran.returncode == 0, ran.stderr
    assert "pushed" in ran.stdout
    assert 150 < guild.operator.campaign(campaign.campaign_id).rounds[0].samples <= 200


def test_all_that_a_robots_commands_write_is_for_its_owners_eyes_only(home: Path) -> None:
    written = list(home.rglob("*"))
    assert {".lock", "key.pem", "identity.json", "skills"} <= {path.name for path in written}
    for path in written:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_running_robot_ends_gracefully_on_sigterm(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "zunft", "robot", "run", "--home", str(home)],
        stdout=subprocess.PIPE,
        text=True,
        env=ENV | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert "cell-4" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_a_robot_that_waits_for_an_answer_of_its_hub_ends_without_it(hub: LyingHub, tmp_path: Path) -> None:
    join(RobotFolder(tmp_path), hub.url, token=TOKEN, name="anna", embodiment="ur5e")
    hub.faults.append(("/abilities", "silent"))
    process = subprocess.Popen(
        [sys.executable, "-m", "zunft", "robot", "run", "--home", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=ENV,
    )
    eventually(lambda: "PUT /robots/me/abilities" in hub.requests or process.poll() is not None)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")  # it would say that the hub did not answer


def in_process(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Run the command here: it costs no second interpreter."""
    monkeypatch.setattr(sys, "argv", ["zunft", *words])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("robot status --home /nonexistent/robot", 1, "has not joined a hub"),
        ("robot join --home /nonexistent/robot", 2, "give --hub or set ZUNFT_ROBOT_HUB"),
        ("robot run --env no.such:make", 1, "cannot be imported"),
        ("robot run --env tests.fleet.own_robots:make_with_joint_commands", 1, "(6,) instead of (5,)"),
        ("robot use weld-seam@99", 1, "99"),
        ("robot use no-such-skill", 1, "no-such-skill"),
        ("robot use weld-seam --episodes 0", 2, "--episodes"),
        ("fleet simulate --robots 2 --hub nowhere --token x", 1, "not a hub's address"),
        ("fleet simulate", 2, "Missing option"),
    ],
)
def test_what_is_wrong_is_said_in_one_place_without_a_traceback(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    status: int,
    text: str,
) -> None:
    monkeypatch.setenv("ZUNFT_ROBOT_HOME", str(home))
    assert in_process(line.split(), monkeypatch) == status
    said = capsys.readouterr()
    assert text in " ".join(said.err.split())
    assert "Traceback" not in said.err + said.out


def test_refused_versions_are_tried_again_when_their_owner_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, digests = RobotFolder(tmp_path), [f"sha256:{number}" + "0" * 63 for number in "12"]
    memory = Memory().use(digests[0], 1).refuse(digests[1], "worse by more than 0.10.")
    bench.keep_memory("weld-seam", memory)
    words = ["robot", "retry", "--home", str(tmp_path)]
    assert in_process(words, monkeypatch) == 0
    assert "worse by more than 0.10" in capsys.readouterr().out
    assert bench.memory("weld-seam") == Memory().use(digests[0], 1)
    assert in_process(words, monkeypatch) == 0
    assert "nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "robot join",
        "robot run",
        "robot status",
        "robot use",
        "robot personalise",
        "robot master",
        "robot record",
        "robot retry",
        "fleet simulate",
    ],
)
def test_help_shows_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert in_process([*line.split(), "--help"], monkeypatch) == 0
    assert f"zunft {line}" in capsys.readouterr().out.split("Example")[1]


def test_a_wrong_setting_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZUNFT_ROBOT_TOLERANCE", "seven")
    assert in_process(["robot", "status"], monkeypatch) == 2
    assert "ZUNFT_ROBOT_TOLERANCE" in capsys.readouterr().err


def test_every_setting_says_what_it_does_and_hides_the_token() -> None:
    assert all(field.description for field in RobotSettings.model_fields.values())
    assert "ze_secret" not in repr(RobotSettings(token=SecretStr("ze_secret")))
