"""Install what constraints.txt pins, each file held to its hash; `python -m tools.install dev`.

pip takes hashes only of a list of everything. So it downloads what it resolves from the pins, as wheels, of
which nothing is run; the list of what came, with the pinned hashes, is what it then installs of these files.
Needs nothing but pip, as it comes first. Who makes constraints.txt is `tools.lock`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["LOCK", "PROJECT", "Pin", "canonical", "held", "pins_of", "wanted"]

LOCK, PROJECT = Path("constraints.txt"), Path("pyproject.toml")
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@dataclass(frozen=True)
class Pin:
    """One line of constraints.txt: name and version, for which platforms, and the hashes of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def plain(self) -> str:
        """As pip's `--constraint` takes it: without hashes."""
        return f"{self.name}=={self.version}{self.marker and f' ; {self.marker}'}"

    @property
    def hashed(self) -> str:
        """As pip's `--requirement` takes it."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)])


def canonical(name: str) -> str:
    """A package's name as all indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_of(text: str) -> list[Pin]:
    """What constraints.txt says.

    Raises:
        ValueError: A line pins nothing.
    """
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        said = line.partition("#")[0].strip()
        if not said:
            continue
        pin = re.fullmatch(r"([\w.-]+)==([^\s;]+)(?:\s*;\s*(.*?))?((?:\s+--hash=\S+)*)", said)
        if pin is None:
            raise ValueError(f"constraints.txt pins nothing here: {said[:80]}")
        name, version, marker, hashes = pin.groups()
        found.append(Pin(canonical(name), version, marker or "", tuple(re.findall(r"--hash=(\S+)", hashes))))
    return found


def wanted(project: Mapping[str, Any], extra: str) -> list[str]:
    """What an extra asks for, with what the package itself and its building do."""
    own, extras = project["project"], project["project"]["optional-dependencies"]
    found, left = [*project["build-system"]["requires"], *own["dependencies"]], [extra]
    while left:
        for each in extras[left.pop()]:
            inner = re.fullmatch(rf"{own['name']}\[(.*)\]", each)
            left += inner[1].split(",") if inner else []
            found += [] if inner else [each]
    return found


def held(named: Iterable[tuple[str, str]], pins: Sequence[Pin]) -> str:
    """A list for pip with the hashes of these names and versions.

    Raises:
        ValueError: One of them is not pinned.
    """
    known = {(each.name, each.version): each for each in pins}
    found = []
    for name, version in named:
        pin = known.get((canonical(name), version.partition("+")[0]))  # +cpu and the like are builds of one
        if pin is None:
            raise ValueError(f"constraints.txt does not pin {name} {version}: run make lock")
        found.append(pin.hashed)
    return "\n".join(sorted(found))


def install_extra(project: Mapping[str, Any], extra: str, pins: Sequence[Pin], folder: Path) -> None:
    """What pip resolves for an extra, into the environment."""
    plain, wheels = folder / "plain.txt", folder / "wheels"
    plain.write_text("\n".join(each.plain for each in pins))
    asked = wanted(project, extra)
    _pip("download", "--only-binary=:all:", f"--constraint={plain}", f"--dest={wheels}", *asked)
    came = (each.name.split("-") for each in wheels.iterdir())
    _install(
        held(((each[0], each[1]) for each in came), pins), folder, "--no-index", f"--find-links={wheels}"
    )


def install_group(
    project: Mapping[str, Any], group: str, pins: Sequence[Pin], folder: Path, *how: str
) -> None:
    """The packages of a group; one that comes as source is built by what the environment has."""
    named = (each.partition("==") for each in project["dependency-groups"][group])
    _install(
        held(((name, version) for name, _, version in named), pins), folder, "--no-build-isolation", *how
    )


def main() -> None:
    """Install an extra, or a group of packages without what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("extra", nargs="?", help="of pyproject.toml")
    what.add_argument("--group", help="of its dependency groups, without dependencies")
    parser.add_argument("--target", help="a folder for a group, instead of the environment")
    said = parser.parse_args()
    project, pins = tomllib.loads(PROJECT.read_text()), pins_of(LOCK.read_text())
    with tempfile.TemporaryDirectory() as folder:
        if said.extra:
            install_extra(project, said.extra, pins, Path(folder))
        else:
            where = ["--upgrade", f"--target={said.target}"] if said.target else []
            install_group(project, said.group, pins, Path(folder), *where)


def _install(listed: str, folder: Path, *how: str) -> None:
    hashed = folder / "hashed.txt"
    hashed.write_text(listed)
    _pip("install", "--no-compile", "--no-deps", "--require-hashes", f"--requirement={hashed}", *how)


def _pip(*arguments: str) -> None:
    done = subprocess.run([*PIP, *arguments], check=False)  # noqa: S603 - what pyproject.toml names
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
