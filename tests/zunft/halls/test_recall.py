"""A robot that leaves a small hall leaves the larger one, too: what it had a part in is made anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from skills.delta import apply
from tests.eventually import eventually
from tests.hub.conftest import Tensors, ok
from tests.zunft.halls.sites import mean_of, newest, order, two_sites


def test_a_withdrawal_goes_up_and_comes_back_as_a_version(tmp_path: Path) -> None:
    with two_sites(tmp_path, [2, 2]) as (upper, sites):
        order(upper, rounds=1, quorum=1, target=2, deadline_seconds=600)
        brought: list[list[Tensors]] = []
        for place, site in enumerate(sites):
            site.move("working")
            brought.append(site.train(place))
            site.move("handed")
        second = eventually(lambda: upper.skill(2) if upper.version("stable").version == 2 else None, "v2")
        for site in sites:
            site.comes_down(second.digest)

        first = sites[0]
        ok(first.hall.post(f"/robots/{first.robots[0].robot_id}/withdrawal", {}))
        first.hall.services.withdrawals.worker.work()
        first.bridge.step()
        row = newest(first.hall)
        assert row is not None
        assert row.state == "recalled"
        third = eventually(
            lambda: upper.skill(3) if upper.version("stable").version == 3 else None,
            lambda: upper.get("/withdrawals"),
        )
        # As if the first site had brought nothing: what its other robot brought went with it.
        expected = apply(upper.skill(1).tensors, mean_of([(10 + n, it) for n, it in enumerate(brought[1])]))
        for name, tensor in third.tensors.items():
            np.testing.assert_allclose(tensor, expected[name], rtol=2e-7, atol=1e-9)
        for site in sites:
            site.comes_down(third.digest)
            withdrawn = [
                each
                for each in site.hall.get("/skills/reach/versions")
                if each["manifest"]["parents"] == [second.digest]
            ]
            assert [each["withdrawn"] for each in withdrawn] == [True]
        assert upper.get("/robots")[0]["withdrawn"] is False  # the hall itself stays

        first.bridge.step()  # asked again, nothing is left to take back
        assert len(upper.get("/withdrawals")) == 1


def test_a_robot_takes_back_nothing_by_itself(tmp_path: Path) -> None:
    with two_sites(tmp_path, [1]) as (upper, _):
        robot = upper.enrol("one")
        asked = json.dumps({"rounds": ["c-1"]}).encode()
        answer = robot.request("POST", "/halls/recalls", asked, **{"Content-Type": "application/json"})
        assert upper.error(answer, 409)["code"] == "no_hall"
