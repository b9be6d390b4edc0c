"""The hub's own process stays small: what merges and measures is in its workers."""

from __future__ import annotations

import re
from pathlib import Path

from fleet.client import OperatorClient
from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.notify import Bell
from hub.storage.tables.rounds import CampaignRow
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.plans import GatePlan
from tests.eventually import eventually
from tests.hub.conftest import ADMIN
from tests.hub.running import running_hub
from tests.hub.workers.test_gate import weld_skill
from tests.hub.workers.test_processes import workers_of

MOST_MEGABYTES = 300
COMMAND = "import sys; from zunft.cli import app; sys.argv[1:] = ['hub']; app()"
HEAVY = re.compile(r"/(torch|ray|mujoco|numba|llvmlite|scipy|pyarrow)/")


def heavy_libraries(pid: int) -> set[str]:
    """Heavy packages of which a process has mapped a library."""
    return set(HEAVY.findall(Path(f"/proc/{pid}/maps").read_text()))


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def test_a_hub_that_has_measured_a_skill_holds_no_simulator_and_little_memory(tmp_path: Path) -> None:
    with running_hub(tmp_path, start=COMMAND, ZUNFT_CONSOLE="true") as hub:
        operator = OperatorClient.open(hub.address, ADMIN)
        operator.publish_skill(weld_skill(0))
        order = CampaignRequest(
            skill="weld-seam", gate=GatePlan(embodiments=("ur5e",), episodes=1, margin=1, most=1)
        )
        campaign = operator.start_campaign(order).campaign_id
        eventually(lambda: operator.campaign(campaign).rounds, lambda: operator.campaign(campaign))
        _check_open(operator.campaign(campaign))
        assert operator.version("weld-seam", "base").score is not None
        assert heavy_libraries(hub.pid) == set()
        assert resident_megabytes(hub.pid) < MOST_MEGABYTES
        (worker,) = workers_of(hub.pid)
        assert {"mujoco", "llvmlite"} <= heavy_libraries(worker)
        hub.stop()
        eventually(lambda: not Path(f"/proc/{worker}").exists())


def test_a_hub_that_is_stopped_in_mid_job_ends_it_and_lets_others_go_on(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        operator = OperatorClient.open(hub.address, ADMIN)
        operator.publish_skill(weld_skill(0))
        order = CampaignRequest(skill="weld-seam", gate=GatePlan(embodiments=("ur5e",), episodes=10_000))
        campaign = operator.start_campaign(order).campaign_id
        eventually(lambda: workers_of(hub.pid))
        assert "being measured, for" in operator.campaign(campaign).waiting_for
        (worker,) = workers_of(hub.pid)
        hub.stop()
        eventually(lambda: not Path(f"/proc/{worker}").exists())
    database = Database(Settings(data_dir=tmp_path).database, Bell())
    with database.read() as session:
        row = session.get_one(CampaignRow, campaign)
        assert (row.lease_holder, row.lease_number) == ("", 1)
        assert row.state == "running"
    database.close()


def _check_open(campaign: CampaignView) -> None:
    assert [each.state for each in campaign.rounds] == ["open"], campaign
