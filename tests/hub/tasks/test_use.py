"""A stranger's task in use: measured by the hub's workers, fetched and verified by robots."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.archive import pack
from fleet.client import OperatorClient
from fleet.membership import connect, join
from fleet.robot_folder import RobotFolder
from fleet.tasks import fetch_task, find_task, listed_version
from skills.errors import ArtefactError, SignatureError, ZunftError
from skills.messages.campaigns import CampaignRequest
from skills.messages.plans import GatePlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.signing import SigningKey
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, tiny_skill
from tests.hub.running import running_hub
from tests.hub.tasks.samples import template_bundle
from zunft.new_skill import new_skill


def test_a_published_task_is_measured_by_the_hub_and_fetched_by_robots(tmp_path: Path) -> None:
    bundle = template_bundle(tmp_path / "Bundle", "stack-bricks")
    with running_hub(tmp_path / "hub") as hub:
        operator = OperatorClient.open(hub.address, ADMIN)
        operator.publish_skill(new_skill(str(bundle), seed=0))
        order = CampaignRequest(
            skill="stack-bricks", gate=GatePlan(embodiments=("ur5e",), episodes=2, most=2)
        )
        with pytest.raises(ZunftError, match="zunft task publish") as refused:
            operator.start_campaign(order)
        assert refused.value.code == "unknown_task"
        operator.publish_task(pack(bundle), "guild")
        eventually(lambda: operator.task("stack-bricks").latest == 1)
        campaign = operator.start_campaign(order).campaign_id
        eventually(
            lambda: operator.campaign(campaign).rounds,
            lambda: operator.campaign(campaign).reason,
            alive=lambda: operator.campaign(campaign).state == "running",
        )
        score = operator.version("stack-bricks", "base").score
        assert score is not None
        assert score.episodes == 2
        bench = _join(operator, hub.address, tmp_path / "robot")
        task = find_task(bench, connect(bench), "stack-bricks")
        assert task.digest == operator.task_version("stack-bricks", 1).bundle
        assert task.folder.is_relative_to(bench.home)
        _check_distrust(operator, tmp_path)
        _check_limits(operator, tmp_path)
        hub.kill()
    again = find_task(bench, connect(bench), "stack-bricks")  # the hub is away: the robot keeps it
    assert again.digest == task.digest


def _join(operator: OperatorClient, address: str, home: Path) -> RobotFolder:
    bench = RobotFolder(home)
    (token,) = operator.create_tokens(EnrolmentTokenRequest())
    join(bench, address, token=token.token, name="one", embodiment="ur5e")
    return bench


def _check_distrust(operator: OperatorClient, folder: Path) -> None:
    version = listed_version(operator.connection, "stack-bricks")
    with pytest.raises(SignatureError):
        fetch_task(operator.connection, version, SigningKey.generate().public, folder / "other")
    other = version.model_copy(update={"digest": tiny_skill().digest})
    with pytest.raises(ArtefactError):
        fetch_task(operator.connection, other, None, folder / "other")
    assert not (folder / "other").exists()


def _check_limits(operator: OperatorClient, folder: Path) -> None:
    """What needs more than this robot gives is not taken, and does not come so far as to be loaded by it."""
    version = listed_version(operator.connection, "stack-bricks")
    with pytest.MonkeyPatch.context() as small:
        small.setenv("ZUNFT_CHECK_MEMORY", str(2**28))
        with pytest.raises(ArtefactError, match="ZUNFT_CHECK_MEMORY"):
            fetch_task(operator.connection, version, None, folder / "other")
    assert not (folder / "other").exists()


def test_a_task_that_a_person_has_configured_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template_bundle(tmp_path / "own" / "stack-bricks", "stack-bricks")
    monkeypatch.setenv("ZUNFT_TASKS", str(tmp_path / "own"))
    bench = RobotFolder(tmp_path / "robot")
    nobody = None  # is not asked
    task = find_task(bench, nobody, "stack-bricks")  # type: ignore[arg-type]
    assert task.folder == tmp_path / "own" / "stack-bricks"
