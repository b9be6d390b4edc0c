"""The package as it is published: a wheel, built from a copy of the tree, where building leaves things."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def build_wheel(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build it into a folder; whether that went well is for the caller to look at."""
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "benchmarks", "tests", "docs", "demo-output")
    shutil.copytree(ROOT, source, ignore=left_out)
    command = [*PIP, "wheel", "--no-deps", *options, "--wheel-dir", str(folder), str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
