"""Drives are sections of a `task.toml`: checked by their kind, and added by packages as terms are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from envs.drives.base import Drive
from envs.drives.impedance import Impedance
from envs.drives.registry import OWN, known_drives
from envs.embodiment import ARMS
from envs.format import task_file
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet
from skills.errors import ContractError
from tests.envs.bundles import small_task

HEAD = "horizon = 20\n"


class Gentle(Impedance):
    """An arm's impedance with an entry of its own: all stiffness is scaled by it.

    Attributes:
        softness: What the stiffness is divided by.
    """

    kind: Literal["gentle"] = "gentle"  # type: ignore[assignment]
    softness: float = 1.0

    def add_actuators(self, scene: Any) -> None:
        """As an arm's, softer."""
        soft = self.model_copy(update={"stiffness": self.stiffness / self.softness})
        super(Gentle, soft).add_actuators(scene)


class _Point:
    def __init__(self, drive: type[Drive]) -> None:
        self.load = lambda: drive


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[type[Drive]]]:
    """Drives that installed packages name, to be filled."""
    found: list[type[Drive]] = []

    def points(group: str) -> list[Any]:
        return [_Point(drive) for drive in found] if group == "zunft.drives" else []

    monkeypatch.setattr("skills.kinds.entry_points", points)
    known_drives.cache_clear()
    task_file.cache_clear()
    yield found
    known_drives.cache_clear()
    task_file.cache_clear()


def test_a_drive_of_an_installed_package_moves_a_robot(
    offered: list[type[Drive]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offered.append(Gentle)
    text = (ARMS / "ur5e.xml").read_text()
    assert "<custom>" in text
    (tmp_path / "soft_arm.xml").write_text(
        text.replace("<custom>", '<custom><text name="drive" data="gentle"/>', 1)
    )
    monkeypatch.setenv("ZUNFT_EMBODIMENTS", str(tmp_path))
    section = f'{HEAD}[control]\nkind = "gentle"\nsoftness = 2.0\n'
    task = small_task(tmp_path / "Soft", ('["ur5e", "panda"]', '["soft_arm", "ur5e"]'), (HEAD, section))
    env = TaskVectorEnv(task, data_sheet(task.file, "soft_arm"), 2, seed=0)
    assert env.cells.model.actuator_gainprm[0, 0] == pytest.approx(1500.0)
    env.reset()
    for _ in range(10):
        env.step(np.ones((2, 3), np.float32))
    assert env.quantities.view("tool.position")[:, 2].min() > 0.005
    with pytest.raises(ContractError, match="ur5e is driven by impedance, not by gentle"):
        TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 1)


def test_each_kind_has_one_class_and_stands_in_the_schema(offered: list[type[Drive]]) -> None:
    assert list(known_drives()) == ["flight", "impedance"]
    offered.append(Gentle)
    known_drives.cache_clear()
    assert "softness" in str(task_file().model_json_schema())
    offered.append(OWN[0])
    known_drives.cache_clear()
    with pytest.raises(ValueError, match="two drives are called 'flight'"):
        known_drives()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('kind = "levitation"', "control: Input tag 'levitation' found using 'kind' does not match"),
        ('kind = "impedance"\nstifness = 1.0', "control.stifness: Extra inputs are not permitted"),
        ('kind = "impedance"\nfeed = "pace"', "control.feed: there is no figure of the jobs 'pace'"),
        ('kind = "flight"', "action.0.of: there is no thing to drive 'tool.velocity'"),
    ],
)
def test_what_is_wrong_in_the_section_is_named(section: str, said: str, tmp_path: Path) -> None:
    task = small_task(tmp_path)
    path = task.folder / "task.toml"
    path.write_text(path.read_text().replace(HEAD, f"{HEAD}[control]\n{section}\n"))
    with pytest.raises(ContractError) as caught:
        load_task(task.folder)
    assert said in caught.value.message
