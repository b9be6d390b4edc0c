"""Attacks on published tasks: a hub lies about which bundle a skill's task is to a robot that fetches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from envs.archive import pack
from envs.bundle import digest_folder
from fleet.membership import connect, join
from fleet.robot_folder import RobotFolder
from fleet.tasks import find_task
from skills.container import digest_of
from skills.errors import ZunftError
from skills.messages.tasks import TaskVersionView
from tests.envs.bundles import SMALL, small_bundle
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import small_skill
from tests.signed_guild import TOKEN


@dataclass
class Told:
    """A hub with two versions of a task, the second of which a skill names."""

    hub: LyingHub
    bundles: dict[int, str]

    def tell(self, number: int, **lies: object) -> None:
        """From now on say this of a version; it stays signed as it was."""
        self.hub.frozen = True
        self.hub.tasks[number] = self.hub.tasks[number].model_copy(update=lies)


@pytest.fixture
def told(hub: LyingHub, tmp_path: Path) -> Told:
    bundles = {}
    for number, words in ((1, "Hold still over the work"), (2, "Hold still above the work")):
        text = SMALL.replace("Hold still over the work", words)
        bundle = small_bundle(tmp_path / f"Bundle{number}", toml=text)
        hub.archives[number], bundles[number] = pack(bundle), digest_folder(bundle)
        hub.tasks[number] = TaskVersionView(
            task="small",
            version=number,
            digest=digest_of(hub.archives[number]),
            bundle=bundles[number],
            size=len(hub.archives[number]),
            title=words,
            summary="",
            licence="Apache-2.0",
            state="listed",
            created_at=datetime.now(UTC),
            signature="",
        )
    hub.publish(small_skill(1, name="small", task="small", task_digest=bundles[2]))
    hub.metadata("timestamp.json")
    return Told(hub, bundles)


def serves_the_older_bundle_under_the_signed_name(told: Told) -> None:
    told.hub.archives[2] = told.hub.archives[1].ljust(told.hub.tasks[2].size, b"\0")


def says_that_the_older_bundle_is_the_newer_version(told: Told) -> None:
    old = told.hub.tasks[1]
    told.tell(2, digest=old.digest, size=old.size)
    told.hub.archives[2] = told.hub.archives[1]


def says_that_the_older_version_is_what_the_skill_names(told: Told) -> None:
    told.tell(1, bundle=told.bundles[2])
    del told.hub.tasks[2]


def lists_the_older_one_alone(told: Told) -> None:
    told.hub.frozen = True
    del told.hub.tasks[2]


def says_that_the_skill_names_the_older_one(told: Told) -> None:
    told.hub.frozen = True
    version = told.hub.versions[1]
    manifest = version.manifest.model_copy(update={"task_digest": told.bundles[1]})
    told.hub.versions[1] = version.model_copy(update={"manifest": manifest})


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (serves_the_older_bundle_under_the_signed_name, "another digest"),
        (says_that_the_older_bundle_is_the_newer_version, "not what the guild vouches for"),
        (says_that_the_older_version_is_what_the_skill_names, "not what the guild vouches for"),
        (lists_the_older_one_alone, "lists no version"),
        (says_that_the_skill_names_the_older_one, "not what the guild vouches for"),
    ],
)
def test_no_other_bundle_is_taken_than_the_one_that_is_signed(
    told: Told, tmp_path: Path, lie: Callable[[Told], None], said: str
) -> None:
    bench, other = RobotFolder(tmp_path / "robot"), RobotFolder(tmp_path / "other")
    for folder in (bench, other):
        join(folder, told.hub.url, token=TOKEN, name=folder.home.name, embodiment="ur5e")
    assert find_task(bench, connect(bench), "small").digest == told.bundles[2]
    lie(told)
    with pytest.raises(ZunftError, match=said):
        find_task(other, connect(other), "small")
    assert not list((other.home / "tasks").glob("[!.]*"))
    kept = bench.home / "tasks" / "small"
    assert digest_folder(kept) == told.bundles[2]
