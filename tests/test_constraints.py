"""constraints.txt has the hash of all that is installed by it, and what is not that file is not installed."""

from __future__ import annotations

import hashlib
import re
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools.install import LOCK, PROJECT, Pin, canonical, held, install_group, pins_of, wanted
from tools.lock import BUILDS, EXTRAS, written

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / LOCK).read_text()
PINS = pins_of(TEXT)
ASKED = tomllib.loads((ROOT / PROJECT).read_text())


def test_every_pin_has_its_hashes() -> None:
    without = [
        each.plain
        for each in PINS
        if not each.hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in each.hashes)
    ]
    assert without == []
    assert len(PINS) > 150


def test_it_is_what_make_writes_and_names_no_place() -> None:
    assert written(PINS) == TEXT
    assert "://" not in TEXT
    pinned = {(each.name, each.version) for each in PINS}
    assert set(BUILDS) <= pinned, "the hash of a build of another version is of no use"


@pytest.mark.parametrize("extra", [*EXTRAS, "all"])
def test_all_that_is_asked_for_is_pinned(extra: str) -> None:
    asked = {canonical(re.split(r"[\[<>=!~; ]", each)[0]) for each in wanted(ASKED, extra)}
    assert asked <= {each.name for each in PINS}


def test_groups_are_pinned_to_what_they_say() -> None:
    for group in ASKED["dependency-groups"].values():
        assert held((tuple(each.split("==")) for each in group), PINS).count("\n") == len(group) - 1


def test_what_is_not_pinned_is_named() -> None:
    with pytest.raises(ValueError, match=r"does not pin numpy 0\.1"):
        held([("numpy", "0.1")], PINS)
    with pytest.raises(ValueError, match="pins nothing here: numpy>=2"):
        pins_of("numpy>=2\n")


def test_a_build_for_another_machine_counts_as_its_version() -> None:
    pin = Pin("torch", "2.13.0", "", ("sha256:" + 64 * "0",))
    assert held([("torch", "2.13.0+cpu")], [pin]) == pin.hashed


def test_a_file_that_is_another_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("toy.py", "")
        file.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        file.writestr(
            "toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr("toy-1.0.dist-info/RECORD", "toy.py,,\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    project = {"dependency-groups": {"toys": ["toy==1.0"]}}
    where = "--no-index", f"--find-links={tmp_path}", f"--target={tmp_path / 'here'}"
    with pytest.raises(SystemExit):
        install_group(project, "toys", [Pin("toy", "1.0", "", ("sha256:" + 64 * "0",))], tmp_path, *where)
    assert not (tmp_path / "here" / "toy.py").exists()
    true = f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    install_group(project, "toys", [Pin("toy", "1.0", "", (true,))], tmp_path, *where)
    assert (tmp_path / "here" / "toy.py").exists()
