"""A robot that shares no line with ours: what docs/format.md and the API description say is enough."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fleet.conftest import Guild

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="no Node.js here, in which the other robot is written")
def test_a_robot_in_another_language_joins_and_takes_part(guild: Guild) -> None:
    campaign = guild.start_campaign(1)
    (token,) = guild.tokens(1)
    script = Path(__file__).parent / "robot.mjs"
    ran = subprocess.run(
        [str(NODE), str(script), guild.url, token, "weld-seam"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "joined": 201,
        "told": 204,
        "assigned": 200,
        "fetched": 200,
        "digest": True,
        "pushed": [201, "admitted"],
        "again": [401, "replayed_request"],
        "forged": [401, "bad_signature"],
    }
    guild.operator.stop_campaign(campaign.campaign_id)
