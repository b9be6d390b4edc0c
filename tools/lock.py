"""Make constraints.txt: every version, and the hash of every file that there is of it; `make lock`.

uv resolves for all platforms and keeps the versions that are pinned already; `make lock UPGRADE=--upgrade`
takes newer ones. Installing by it is left to `tools.install`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools.install import LOCK, PROJECT, Pin, pins_of

__all__ = ["written"]

HEAD = """\
# Every version that is installed here, with the hashes of all its files. Made by `make lock`; installed by
# `python -m tools.install`, which `make` and the Dockerfile call.
"""
EXTRAS = ("dev", "benchmarks", "fuzz", "mcap", "opcua")
"""All but `lerobot`, which asks for other versions than these."""
BUILDS = {
    ("torch", "2.13.0"): (
        "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",  # x86-64
        "sha256:84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",  # aarch64
    )
}
"""Files in an index of their own: torch for Linux machines without a GPU, and Python 3.11 as in the image."""


def written(pins: list[Pin]) -> str:
    """The file."""
    lines = []
    for each in pins:
        hashes = {*each.hashes, *BUILDS.get((each.name, each.version), ())}
        lines.append(" \\\n".join([each.plain, *(f"    --hash={one}" for one in sorted(hashes))]))
    return HEAD + "\n".join(lines) + "\n"


def main(uv: str, *options: str) -> None:
    """Resolve, and write.

    Args:
        uv: The program.
        options: For it.
    """
    project = tomllib.loads(PROJECT.read_text())
    how = [
        "--universal",
        "--python-version=3.11",
        "--generate-hashes",
        "--quiet",
        "--no-annotate",
        "--no-header",
    ]
    with tempfile.TemporaryDirectory() as folder:
        found, alone = Path(folder) / "found.txt", Path(folder) / "alone.txt"
        found.write_text("\n".join(each.plain for each in pins_of(LOCK.read_text())))
        _run(
            uv,
            *how,
            *options,
            *(f"--extra={each}" for each in EXTRAS),
            str(PROJECT),
            f"--output-file={found}",
        )
        groups = (f"--group={each}" for each in project["dependency-groups"])
        _run(uv, *how, "--no-deps", *groups, f"--output-file={alone}")
        pins = pins_of(found.read_text()) + pins_of(alone.read_text())
    LOCK.write_text(written(sorted(pins, key=lambda pin: (pin.name, pin.version, pin.marker))))


def _run(uv: str, *arguments: str) -> None:
    subprocess.run([uv, "pip", "compile", *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours


if __name__ == "__main__":
    main(*sys.argv[1:])
