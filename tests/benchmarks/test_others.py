"""Others' experiments: rows that survive, worlds and learners that are what they say, a page of the rows."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from benchmarks.others.cartpole import first_weights, gradient, join, log_chances, play
from benchmarks.others.experiment import Claim, Experiment
from benchmarks.others.experiments import EXPERIMENTS
from benchmarks.others.fedpg import ATTACKS, campaign
from benchmarks.others.qavg import alone, together, unlike_kernels, worth
from benchmarks.others.record import FILE, Row, append, read
from benchmarks.others.report import PAGE, write_report
from benchmarks.others.sarsa import World
from benchmarks.others.wire import relay


def row(case: str, error: float, seed: int = 0) -> Row:
    return Row(experiment="one", case=case, seed=seed, seconds=1.5, figures={"error": error})


def experiment() -> Experiment:
    def run(seed: int, quick: bool) -> dict[str, float]:
        return {"error": float(seed + quick)}

    return Experiment(
        title="Who errs less?",
        source="Nobody, 2000.",
        theirs="many err less than one.",
        ours="the same.",
        cases={"one": run, "many": run},
        figures={"error": ".1f"},
        reported={"one": "3"},
        claims=(
            Claim("many err less", lambda of: of("many", "error") < of("one", "error")),
            Claim("one errs by less than 1", lambda of: of("one", "error") < 1),
            Claim("all err less", lambda of: of("all", "error") < 1),
        ),
    )


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [row("one", 0.25), row("many, all of them; at once", 1e-6, seed=1)]
    for each in rows:
        append(tmp_path / "others.csv", each)
    assert read(tmp_path / "others.csv") == rows
    assert len({each.key for each in rows}) == 2
    assert read(tmp_path / "none.csv") == []


def test_the_page_says_of_each_claim_whether_we_agree(tmp_path: Path) -> None:
    rows = [row("one", 2.0), row("one", 4.0, seed=1), row("many", 1.0)]
    write_report({"one": experiment()}, rows, tmp_path / "others.md")
    page = (tmp_path / "others.md").read_text()
    assert "| one | 2 | 3.0 (2.0-4.0) | 3 |" in page
    assert "| many | 1 | 1.0 | - |" in page
    assert "many err less: **we agree**" in page
    assert "one errs by less than 1: **we do not agree**" in page
    assert "all err less: not run yet" in page


def test_the_page_is_what_the_rows_say(tmp_path: Path) -> None:
    write_report(EXPERIMENTS, read(FILE), tmp_path / "others.md")
    assert (tmp_path / "others.md").read_text() == PAGE.read_text()


def test_kept_rows_belong_to_cases_that_there_are() -> None:
    for each in read(FILE):
        assert each.case in EXPERIMENTS[each.experiment].cases
        assert EXPERIMENTS[each.experiment].figures.keys() <= each.figures.keys()


def test_a_gradient_points_uphill_for_what_was_done() -> None:
    rng = np.random.default_rng(0)
    weights = first_weights(rng)
    batch = join(play(weights, 8, rng))
    slope = gradient(weights, batch)

    def loss(step: float) -> float:
        moved = {name: each - step * slope[name] for name, each in weights.items()}
        return float(-(log_chances(moved, batch) * batch.worth).mean())

    squares = sum(float((each**2).sum()) for each in slope.values())
    assert (loss(-1e-4) - loss(1e-4)) / 2e-4 == pytest.approx(squares, rel=1e-3)


def test_trajectories_are_whole_and_equal_seeds_give_equal_ones() -> None:
    weights = first_weights(np.random.default_rng(0))
    first, again = (play(weights, 6, np.random.default_rng(1)) for _ in range(2))
    assert [each.lengths[0] for each in first] == [each.lengths[0] for each in again]
    for each in first:
        assert len(each.seen) == len(each.done) == len(each.worth) == each.lengths[0]
        assert (np.diff(each.worth) < 0).all()
        # The pole stood until the last step.
        assert (np.abs(each.seen[:, 2]) < 0.21).all()


@pytest.mark.parametrize("attack", ["", *ATTACKS])
def test_a_campaign_counts_trajectories_and_says_whether_it_was_good(attack: str) -> None:
    found = campaign(7, "median", attack, most=20)(0, False)
    assert 20 <= found["trajectories"] < 45
    assert found["good"] == 0
    assert found["return"] > 5


def test_actions_shift_the_kernel_of_a_world() -> None:
    rng = np.random.default_rng(0)
    world = World.drawn(rng)
    kernel = np.diff(world.cumulated, axis=1, prepend=0)
    states, action = np.full(40_000, 7), 0.2310  # rows by 23, columns by 10
    next_ = world.follow(states, np.full(40_000, action), rng)
    found = np.bincount(next_, minlength=100) / len(next_)
    assert np.corrcoef(found, np.roll(kernel[(7 - 23) % 100], 10))[0, 1] > 0.9


def test_like_worlds_have_one_policy_and_unlike_ones_kernels_of_their_own() -> None:
    rng = np.random.default_rng(0)
    reward = rng.random((5, 5))
    alike = unlike_kernels(0.0, rng)
    assert np.array_equal(alike[0], alike[4])
    assert together(alike, reward) == pytest.approx(alone(alike, reward)[0])
    unlike = unlike_kernels(1.0, rng)
    assert unlike.sum(axis=3) == pytest.approx(np.ones((5, 5, 5)))
    assert not (unlike[0] * unlike[1]).any()


def test_a_policys_worth_is_what_its_discounted_rewards_sum_up_to() -> None:
    rng = np.random.default_rng(0)
    kernels, reward = unlike_kernels(0.5, rng), rng.random((5, 5))
    policy = np.array([0, 1, 2, 3, 4])
    values = np.zeros((5, 5))
    for _ in range(300):
        values = reward[range(5), policy] + 0.9 * np.einsum(
            "ist,it->is", kernels[:, range(5), policy], values
        )
    assert worth(policy[None], kernels, reward)[0] == pytest.approx(values.mean())


def test_a_relay_passes_everything_on_and_counts_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as line:
                line.sendall(line.recv(100).upper())

        thread = Thread(target=answer)
        thread.start()
        with (
            relay(server.getsockname()[1]) as wire,
            socket.create_connection(("127.0.0.1", wire.port)) as line,
        ):
            line.sendall(b"hello")
            assert line.recv(100) == b"HELLO"
            assert line.recv(100) == b""
        thread.join()
        assert wire.passed == 10
