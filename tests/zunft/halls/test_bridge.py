"""Two halls under one over real HTTP: a base comes down, one delta each goes up, and a version comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skills.delta import apply
from tests.eventually import eventually
from tests.zunft.halls.sites import mean_of, order, two_sites


def test_two_halls_and_the_one_above_make_what_all_robots_at_once_would(tmp_path: Path) -> None:
    with two_sites(tmp_path) as (upper, sites):
        campaign = order(upper, rounds=1, quorum=2, deadline_seconds=600)
        brought = []
        for place, site in enumerate(sites):
            site.move("working")
            found = site.train(place)
            brought += [(10 + n, each) for n, each in enumerate(found)]
            handed = site.move("handed")
            assert (handed.robots, handed.samples) == (len(found), sum(range(10, 10 + len(found))))
        ended = eventually(
            lambda: view if (view := upper.campaign(campaign)).state == "finished" else None,
            lambda: upper.campaign(campaign),
        )
        assert ended.rounds[-1].state == "published"
        made = upper.skill(2)
        expected = apply(upper.skill(1).tensors, mean_of(brought))
        for name, tensor in made.tensors.items():
            np.testing.assert_allclose(tensor, expected[name], rtol=2e-7, atol=1e-9)
        assert made.manifest.contributors == 5

        for site in sites:  # it comes back down, and the hall's own gate lets it pass
            site.comes_down(made.digest)
            here = site.hall.skill("stable")
            assert {name: each.tobytes() for name, each in here.tensors.items()} == {
                name: each.tobytes() for name, each in made.tensors.items()
            }
            drafts = [
                each
                for each in site.hall.get("/skills/reach/versions")
                if each["manifest"]["origin"] == "merge"
            ]
            assert len(drafts) == 1  # the hall's own, which became nobody's stable version
