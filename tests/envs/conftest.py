"""What tests of bundles share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.envs.bundles import TETRAHEDRON


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that belongs to no bundle, with all that one might ask for."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "m.obj").write_bytes(TETRAHEDRON)
    (folder / "parts.xml").write_text('<mujoco><worldbody><body name="part"/></worldbody></mujoco>')
    for name in ("t.png", "h.bin", "s.skn"):
        (folder / name).write_bytes(b"\x02\0\0\0\x02\0\0\0" + bytes(16))
    return folder
