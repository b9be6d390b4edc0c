"""Extras: every package of one has its place in the table, light modules do without all of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from skills.extras import EXTRAS, installed, named

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIGHT = (
    "zunft.cli",
    "zunft.commands.robot",
    "zunft.commands.skill",
    "zunft.commands.campaign",
    "zunft.commands.task",
    "fleet.daemon",
    "fleet.own_code",
    "fleet.runtime.drive",
    "skills.delta",
    "skills.onnx_file",
    "skills.onnx_policy",
)


def distributions(requirements: list[str]) -> set[str]:
    return {_plain(re.split(r"[\[>=<;]", each)[0]) for each in requirements}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def importable(requirements: list[str]) -> set[str]:
    """Names by which one imports what is required."""
    wanted = distributions(requirements)
    return {
        name for name, found in packages_distributions().items() if wanted & {_plain(each) for each in found}
    }


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_table_names_what_the_extra_brings_and_nothing_else(extra: str) -> None:
    brought = importable(PROJECT["optional-dependencies"][extra])
    assert set(EXTRAS[extra]) <= brought | {"starlette"}  # FastAPI's, which we import ourselves
    known = {name for names in EXTRAS.values() for name in names}
    for each in distributions(PROJECT["optional-dependencies"][extra]):
        assert importable([each]) & (known | importable(PROJECT["dependencies"]) | {"httpcore"}), each


def test_the_table_names_nothing_that_a_robot_has() -> None:
    assert not {name for names in EXTRAS.values() for name in names} & importable(PROJECT["dependencies"])


def test_all_is_everything() -> None:
    everything = PROJECT["optional-dependencies"]["all"]
    assert everything == [f"zunft[{','.join(EXTRAS)}]"]


def test_here_all_are_installed() -> None:
    assert all(installed(extra) for extra in EXTRAS)


def test_what_is_missing_is_named_with_what_brings_it() -> None:
    for package, extra in (("mujoco.batch", "train"), ("sqlalchemy", "hub"), ("onnxruntime", "onnx")):
        found = named(ModuleNotFoundError(f"No module named {package!r}", name=package))
        assert str(found).endswith(f"needs zunft[{extra}]: pip install 'zunft[{extra}]'")
    assert named(ModuleNotFoundError("No module named 'my_cell'", name="my_cell")) is None
    assert named(ImportError("cannot import name 'x'")) is None


def test_what_a_robot_runs_imports_nothing_of_an_extra() -> None:
    heavy = [name for names in EXTRAS.values() for name in names]
    program = f"import sys; sys.modules.update(dict.fromkeys({heavy})); import {', '.join(LIGHT)}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
