"""`zunft merge`: files into one, and a hub's round done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner, Result

from hub.settings import Settings
from skills.container import Tensors
from skills.errors import ZunftError
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, random_tensors, tiny_skill
from zunft.cli import app

RUNNER = CliRunner()


def run(*arguments: object) -> Result:
    return RUNNER.invoke(app, ["merge", *map(str, arguments)])


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, ZunftError), result.output
    return str(result.exception)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.skill" for name in "abc"]
    for seed, path in enumerate(paths):
        related(seed).save(path)
    return paths


def related(seed: int) -> Skill:
    """A skill that learned something of its own, from a start that all of them have."""
    start, other = tiny_skill(version=seed + 1), tiny_skill(seed=seed)
    return Skill(
        start.manifest, {n: t + np.float32(0.1) * other.tensors[n] for n, t in start.tensors.items()}
    )


def merged(tmp_path: Path, *arguments: object) -> Skill:
    output = tmp_path / "out" / "merged.skill"
    result = run(*arguments, "-o", output)
    assert result.exit_code == 0, result.output
    return Skill.load(output)


def tensors(path: Path) -> Tensors:
    return Skill.load(path).tensors


def test_the_mean_is_the_default_and_does_not_depend_on_the_base(files: list[Path], tmp_path: Path) -> None:
    a, b, c = files
    found = merged(tmp_path, a, b, "--weight", 3, "--weight", 1)
    other = merged(tmp_path, "files", a, b, "--weight", 3, "--weight", 1, "--base", c, "--rule", "mean")
    for name, tensor in found.tensors.items():
        expected = 0.75 * tensors(a)[name] + 0.25 * tensors(b)[name]
        np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(tensor, other.tensors[name], rtol=1e-5, atol=1e-7)


def test_task_arithmetic_adds_what_was_learned_since_the_base(files: list[Path], tmp_path: Path) -> None:
    a, b, c = files
    found = merged(tmp_path, a, b, "--base", c, "--rule", "task-arithmetic", "--option", "scale=.5")
    for name, tensor in found.tensors.items():
        learned = tensors(a)[name] + tensors(b)[name] - 2 * tensors(c)[name]
        np.testing.assert_allclose(tensor, tensors(c)[name] + 0.5 * learned, rtol=1e-5, atol=1e-6)


def test_skills_of_unrelated_lineages_are_merged_only_by_force(files: list[Path], tmp_path: Path) -> None:
    stranger, output = tmp_path / "stranger.skill", tmp_path / "out.skill"
    tiny_skill(seed=1).save(stranger)
    said = refused(files[0], stranger, "-o", output)
    assert "file 2" in said
    assert "began from another network" in said
    assert not output.exists()
    found = merged(tmp_path, files[0], stranger, "--force")
    for name, tensor in found.tensors.items():
        expected = (tensors(files[0])[name] + tensors(stranger)[name]) / 2
        np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-7)


def test_the_result_says_where_it_comes_from(files: list[Path], tmp_path: Path) -> None:
    a, _, c = files
    output = tmp_path / "ties.skill"
    result = run(a, c, "--rule", "ties", "--json", "-o", output)
    shown = json.loads(result.output)
    skill = Skill.load(output)
    assert shown["digest"] == skill.digest
    assert shown["manifest"] == skill.manifest.model_dump(mode="json")
    manifest = skill.manifest
    assert (manifest.origin, manifest.version, manifest.round_id) == ("upload", 4, None)
    assert manifest.parents == (Skill.load(a).digest, Skill.load(c).digest)


def test_what_a_skill_carries_is_left_behind(files: list[Path], tmp_path: Path) -> None:
    a, b, _ = files
    plain = merged(tmp_path, a, b)
    bare = Skill.load(b)
    manifest = bare.manifest.model_copy(update={"carries": ("variate",)})
    variate = {name: np.ones(shape, np.float32) for name, shape in manifest.shapes().items()}
    Skill(manifest, variate | bare.tensors).save(b)
    found = merged(tmp_path, a, b)
    assert found.manifest.carries == ()
    assert {name: each.tobytes() for name, each in found.tensors.items()} == {
        name: each.tobytes() for name, each in plain.tensors.items()
    }


def test_skills_that_do_not_belong_together_are_refused(files: list[Path], tmp_path: Path) -> None:
    a, out = files[0], ("-o", tmp_path / "x.skill")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"network": Mlp(inputs=3, outputs=2, hidden=(5,))}, r"its network is 3 -> (5,) -> 2, tanh"),
        ({"task": "weld"}, "its task is weld, not reach"),
        (
            {"contract": tiny_skill().manifest.contract.model_copy(update={"control_hz": 10.0})},
            "control rate",
        ),
    ]
    for changes, words in cases:
        tiny_skill(**changes).save(tmp_path / "other.skill")
        message = refused(a, tmp_path / "other.skill", *out)
        assert message.startswith("file 2: ")
        assert words in message
    assert "no such file" in refused(a, tmp_path / "gone.skill", *out)
    assert "Write NAME=NUMBER" in refused(a, a, "--option", "trim", *out)
    assert "has no option 'trim'" in refused(a, a, "--option", "trim=.2", *out)
    assert "byzantine" in refused(a, a, "--rule", "krum", "--option", "byzantine=1", *out)
    assert "gate" in refused(a, a, "--rule", "fltrust", *out)
    assert not (tmp_path / "x.skill").exists()


def test_a_hubs_merge_is_done_again_from_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    settings = Settings.model_validate({"data_dir": folder, "admin_token": ADMIN, "console": False})
    hall = Hall(settings, StubGate(), Hands())
    ok(hall.publish(tiny_skill()))
    robots = [hall.enrol(name) for name in ("one", "two")]
    hall.start(merge={"rule": "median"})
    hall.turn()
    for seed, robot in enumerate(robots):
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, random_tensors(tiny_skill(), seed))))
    hall.turn()
    digest = hall.version(2).digest
    hall.close()

    for ref in ("reach@v2", "reach@2", "reach@stable", "reach"):
        result = run("rebuild", ref, "--data-dir", folder)
        assert result.exit_code == 0
        words = f"OK reach v2, median of 2 deltas on cpu: {digest} The hub's attestation of the merge: holds."
        assert result.output.split() == words.split()
    shown = json.loads(run("rebuild", "reach@2", "--data-dir", folder, "--json").stdout)
    assert (shown["same"], shown["found"], shown["deltas"]) == (True, digest, 2)

    database = create_engine(f"sqlite:///{folder / 'hub.sqlite'}")
    with database.begin() as connection:
        connection.execute(text("UPDATE rounds SET device = 'cuda'"))
        connection.execute(text("DELETE FROM deltas WHERE robot_id = :robot"), {"robot": robots[0].robot_id})
    database.dispose()
    differing = run("rebuild", "reach@2", "--data-dir", folder)
    assert differing.exit_code == 1
    assert "DIFFERS reach v2" in differing.output
    assert "manifest: differs" in differing.output
    assert "log_std: differs by up to" in differing.output
    assert "It was merged on cuda" in differing.output
    assert "not merged here" in refused("rebuild", "reach@1", "--data-dir", folder)
