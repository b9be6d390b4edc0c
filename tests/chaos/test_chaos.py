"""Every kind of fault once; `make chaos` is the long run. And: the verdict sees what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.access.principal import Principal
from hub.services import open_services
from hub.settings import Settings
from skills.messages.rounds import DeltaReceipt
from tests.chaos.faults import FAULTS
from tests.chaos.run import Plan, run
from tests.chaos.verdict import judge
from tests.fleet.small_robot import small_skill

THE_ADMIN = Principal("admin", "admin", "guild")


@pytest.mark.timeout(400)
def test_nothing_acknowledged_is_lost_and_nothing_counts_twice() -> None:
    result = run(Plan(faults=len(FAULTS), hubs=2, robots=3, rounds=10, seed=1))
    assert set(result.injected) == set(FAULTS)
    assert result.verdict.wrong == []
    assert result.verdict.acknowledged > 0
    assert result.verdict.merged_again > 0


def test_the_verdict_sees_a_lost_file_and_a_lost_delta(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "hub", console=False)
    hub = open_services(settings)
    skill = small_skill()
    with hub.storage.spool.file() as file:
        file.write(skill.to_bytes())
        hub.catalogue.skills.publish(file, by=THE_ADMIN)
    home = tmp_path / "robot"
    home.mkdir()
    assert judge(settings, [home]).wrong == []
    receipt = DeltaReceipt(round_id="c-1", digest=f"sha256:{'0' * 64}", status="admitted")
    (home / "receipts.jsonl").write_text(receipt.model_dump_json() + "\n")
    hub.storage.store.delete(skill.digest)
    hub.close()
    delta, version = judge(settings, [home]).wrong
    assert receipt.digest in delta
    assert "version 1" in version
