"""What docs/deploy-a-skill.md shows does what the skill does: run as it stands there, Python and C++."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from skills.onnx_file import onnx_file
from skills.policy import Policy
from skills.skill import Skill
from tests.skills.test_onnx import KINDS, loud, words

PAGE = Path(__file__).parents[2] / "docs" / "deploy-a-skill.md"
HEADER = "onnxruntime_c_api.h"
PLACES = (
    os.environ.get("ONNXRUNTIME_INCLUDE", ""),
    "/usr/include/onnxruntime",
    "/usr/local/include/onnxruntime",
)
SEEN, DONE = np.array([0.01, 0.01, 0.01, 1, 1], np.float32), np.float32(0.1)  # scales of the small contract


def shown(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(block)


def exported(skill: Skill, folder: Path) -> Path:
    file = folder / "weld-seam.onnx"
    file.write_bytes(onnx_file(skill))
    return file


def numbers(text: str) -> list[list[float]]:
    return [[float(each) for each in line.split()] for line in text.splitlines()]


@pytest.mark.parametrize("network", KINDS, ids=words)
def test_the_python_acts_as_the_skill(tmp_path: Path, network: object) -> None:
    skill = loud(network)  # type: ignore[arg-type]
    exported(skill, tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", shown("python")], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    policy = Policy(skill).begin()
    expected = [policy.act(np.zeros(5)) * DONE for _ in range(3)]
    np.testing.assert_allclose(numbers(run.stdout), expected, atol=1e-6)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++") or shutil.which("clang++")
    headers = next((place for place in PLACES if place and (Path(place) / HEADER).is_file()), None)
    if compiler is None or headers is None:
        pytest.skip("no C++ compiler, or no headers of ONNX Runtime (ONNXRUNTIME_INCLUDE names their folder)")
    folder = tmp_path_factory.mktemp("cpp")
    (folder / "drive.cpp").write_text(shown("cpp"))
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):  # by which it is linked, and found
        (folder / name).symlink_to(library)
    flags = ["-std=c++17", "-Wall", "-Werror", f"-I{headers}", f"-L{folder}", f"-Wl,-rpath,{folder}"]
    subprocess.run([compiler, *flags, "drive.cpp", "-lonnxruntime", "-o", "drive"], cwd=folder, check=True)
    return folder / "drive"


@pytest.mark.parametrize("network", KINDS, ids=words)
def test_the_cpp_acts_as_the_skill(tmp_path: Path, network: object, compiled: Path) -> None:
    skill = loud(network)  # type: ignore[arg-type]
    sensed = np.random.default_rng(1).standard_normal((50, 5)).astype(np.float32) * SEEN
    told = "\n".join(" ".join(f"{each:.9g}" for each in row) for row in sensed)
    run = subprocess.run(
        [compiled, exported(skill, tmp_path)], input=told, capture_output=True, text=True, check=True
    )
    policy = Policy(skill).begin()
    expected = [policy.act(row / SEEN) * DONE for row in sensed]
    np.testing.assert_allclose(numbers(run.stdout), expected, atol=2e-7)


def test_the_cpp_moves_nothing_by_a_number_that_is_none(tmp_path: Path, compiled: Path) -> None:
    run = subprocess.run(
        [compiled, exported(loud(KINDS[0]), tmp_path)],
        input="0 0 nan 0 0",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (3, "")
