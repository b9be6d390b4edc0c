"""Two versions side by side, and why one fails, as pages."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hub.access.principal import THE_HUB
from hub.services import Services
from hub.storage.tables.skills import VersionRow
from hub.workers.comparing import distance, paired
from skills.messages.base import API
from skills.messages.causes import Cause, Explanation, Part
from skills.messages.comparisons import Comparison
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, ok, tiny_skill
from tests.hub.console.test_console import hub_with_pages, session_of


def view(score: float) -> dict[str, float]:
    return {"score": score, "low": max(score - 0.1, 0), "high": min(score + 0.1, 1), "episodes": 200}


def services_of(client: TestClient) -> Services:
    found: Services = cast("FastAPI", client.app).state.services
    return found


@pytest.mark.parametrize("address", ["/skills/reach/compare", "/skills/reach/compare?left=2&right=1"])
def test_two_versions_stand_side_by_side(tmp_path: Path, address: str) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        ok(client.post(f"{API}/skills", content=tiny_skill(version=2, seed=1).to_bytes()))
        eventually(lambda: services_of(client).catalogue.skills.skill("reach", THE_HUB).stable)
        with services_of(client).storage.database.write() as session:
            first, second = (session.get_one(VersionRow, ("reach", number)) for number in (1, 2))
            for row, arms in ((first, {"ur5e": 0.9, "panda": 0.5}), (second, {"ur5e": 0.6, "panda": 0.7})):
                scores = {arm: view(score) for arm, score in arms.items()}
                gate = {"passed": True, "reason": "", "candidate": view(0.7), "seconds": 1}
                row.score, row.gate = view(0.7), {**gate, "by_embodiment": scores}
            paired = {"reference": first.digest, "score": view(0.7), "jobs": 200, "wins": 12, "losses": 4}
            second.gate = {
                **(second.gate or {}),
                "compared": {**paired, "verdict": "not worse", "unseen": 0.03},
            }
        page = ok(client.get(address)).text
        for words in ("v1 and v2", "+20.0 %", "-30.0 %", "v2 alone succeeded in 12", "v1 alone in 4"):
            assert words in page


def test_what_a_worker_found_on_the_same_jobs_is_shown_arm_by_arm(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        ok(client.post(f"{API}/skills", content=tiny_skill(version=2, seed=1).to_bytes()))
        here = session_of(client, ADMIN)
        page = ok(client.get("/skills/reach/compare", headers=here)).text
        assert "/api/v1/skills/reach/versions/1/comparisons/2" in page
        assert "/comparisons/2" not in ok(client.get("/skills/reach/compare")).text
        catalogue = services_of(client).catalogue
        first, second = (catalogue.skills.version("reach", number, None) for number in "12")
        told = Comparison(
            skill="reach",
            left=1,
            right=2,
            left_digest=first.digest,
            right_digest=second.digest,
            task="reach",
            arms=(paired("ur5e", (False,) * 14 + (True,) * 86, (True,) * 14 + (False,) * 4 + (True,) * 82),),
            weights=distance({"a": np.array([3.0, 4.0])}, {"a": np.array([3.0, 5.0])}),
            seconds=1,
        )
        key = f"{first.digest}.{second.digest.removeprefix('sha256:')}"
        catalogue.comparisons.kept.keep(key, told)
        page = ok(client.get("/skills/reach/compare?left=2&right=1", headers=here)).text
        for words in ("+10.0 % (+1.4 % to +18.2 %)", "20.0 %", "86.0 %", "96.0 %"):
            assert words in page


def test_a_skill_with_one_version_can_be_looked_at(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        assert "No gate held v1 to v1" in ok(client.get("/skills/reach/compare")).text
        assert client.get("/skills/nothing/compare").status_code == 404
        assert client.get("/skills/reach/compare?left=7").status_code == 404


def test_what_goes_with_failure_is_shown_once_it_is_known(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        here = session_of(client, ADMIN)
        page = ok(client.get("/skills/reach/explain", headers=here)).text
        assert "Nobody has measured this yet." in page
        assert "/api/v1/skills/reach/versions/1/causes" in page
        assert "/versions/1/causes" not in ok(client.get("/skills/reach/explain")).text
        cause = Cause(
            figure="delay",
            where="is 2",
            unit="steps",
            episodes=100,
            success=0.2,
            elsewhere=0.9,
            effect=0.7,
            low=0.6,
            high=0.78,
            chance=1e-9,
            parts=(
                Part(where="0", episodes=300, success=0.95, low=0.92, high=0.97),
                Part(where="2", episodes=100, success=0.2, low=0.13, high=0.29),
            ),
        )
        kept = services_of(client).catalogue.explanations
        version = services_of(client).catalogue.skills.version("reach", "1", None)
        told = Explanation(
            skill="reach",
            version=1,
            digest=version.digest,
            task="reach",
            episodes=768,
            success=0.55,
            seconds=1,
            causes=(cause,),
        )
        kept.kept.keep(version.digest, told)
        page = ok(client.get("/skills/reach/explain?version=1", headers=here)).text
        for words in (
            "delay is 2 steps",
            "70.0 points (60.0 points to 78.0 points)",
            "under 0.1 %",
            "0: 95.0 %, 2: 20.0 %",
        ):
            assert words in page
