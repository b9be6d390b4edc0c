"""Scores of many players: everybody in a workshop faces the same episodes, each workshop its own."""

from __future__ import annotations

from envs.workshop import FLEET, load_workshop
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from tests.zunft.samples import untrained
from zunft.demo.scoreboard import Cell, episodes_seed, measure


def test_each_workshop_has_episodes_of_its_own_and_keeps_them() -> None:
    seeds = [episodes_seed(load_workshop(name), 1) for name in FLEET]
    assert len(set(seeds)) == len(FLEET)
    assert seeds == [episodes_seed(load_workshop(name), 1) for name in FLEET]
    assert episodes_seed(load_workshop(FLEET[0]), 2) != seeds[0]


def test_a_scripted_controller_beats_an_untrained_skill_in_worker_processes() -> None:
    home = load_workshop("vessel-heads")
    cells = [Cell("ada", home), Cell("pd-look-ahead", home)]
    told: list[str] = []
    with Crew(Processes(2)) as crew:
        scores = measure(
            crew,
            cells,
            {"ada": untrained()},
            task="weld-seam",
            episodes=8,
            seed=1,
            on_progress=lambda progress: told.append(progress.robot),
        )
    assert scores[cells[0]].score < 0.5 < scores[cells[1]].score
    assert sorted(told) == ["ada", "pd-look-ahead"]
