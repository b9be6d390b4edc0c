"""How often the gate is wrong, and what that costs: `python -m benchmarks.gate`, some minutes.

Simulated outcomes go through the gate's own rule (`hub.workers.paired_test.verdicts`) with the figures of
a plan; nothing is trained and no robot moves. `alike` is how far the same jobs are hard for two versions: 0
is the worst case, in which these share nothing but their rate of success.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.workers.paired_test import Limits, verdicts
from skills.messages.plans import GatePlan

__all__ = ["Campaign", "Gates", "campaign", "gates", "table"]

ARMS = 4
CHUNK = 500
NORMAL = NormalDist()
WHEREABOUTS = [(0.8, 0.0), (0.85, 0.0), (0.95, 0.0), (0.85, 0.5), (0.95, 0.5), (0.95, 0.9)]
"""Success of the reference, and how alike: of two versions of the demo in a row that was .87 to .99."""
CHANGES = {
    -0.08: "8 points worse",
    -0.06: "6 points worse",
    -0.03: "3 points worse",
    0.0: "equal",
    0.05: "5 points better",
}
ROUNDS = 16
Flags = NDArray[np.bool_]
Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Gates:
    """Many gates of the same kind: share that was published, and mean episodes of the candidate."""

    published: float
    episodes: float


@dataclass(frozen=True)
class Campaign:
    """Many campaigns.

    Attributes:
        loss: By how much less often the last version succeeds than the first, on average.
        most: What one campaign of twenty loses, or more.
        published: Share of the candidates.
        episodes: Of a candidate, on average.
    """

    loss: float
    most: float
    published: float
    episodes: float


def gates(plan: GatePlan, before: float, after: float, alike: float, trials: int, seed: int = 0) -> Gates:
    """Candidates that succeed with probability `after`, and references that do with `before`."""
    rng = np.random.default_rng(seed)
    passed, episodes = 0.0, 0.0
    for count in _chunks(trials):
        hardness = _hardness(rng, count, plan)
        theirs, mine = (_played(rng, hardness, np.full(count, rate), alike) for rate in (before, after))
        good, stop = _match(mine, theirs, plan)
        passed += good.sum()
        episodes += ((stop + 1) * ARMS * plan.episodes).sum()
    return Gates(passed / trials, episodes / trials)


def campaign(
    plan: GatePlan, start: float, change: float, alike: float, trials: int, seed: int = 0
) -> Campaign:
    """Campaigns in which each candidate is `change` better than the version that it was made from."""
    rng = np.random.default_rng(seed)
    losses, published, episodes = [], 0.0, 0.0
    for count in _chunks(trials):
        found = _campaigns(plan, np.full(count, start), change, alike, rng)
        losses.append(start - found[0])
        published += found[1] / trials
        episodes += found[2] / trials
    lost = np.concatenate(losses)
    return Campaign(float(lost.mean()), float(np.quantile(lost, 0.95)), published, episodes)


def fixed_plan(plan: GatePlan, rate: float, alike: float, power: float) -> float:
    """Episodes of a gate of fixed size that has this power and the plan's alpha, were the variance known.

    Normal approximation: (z(1 - alpha) + z(power))^2 * variance of a pair's difference / margin^2.
    """
    rng = np.random.default_rng(1)
    hardness = rng.standard_normal((1, 1, 1, 200_000))
    one, two = (_played(rng, hardness, np.full(1, rate), alike) for _ in range(2))
    quantiles = NORMAL.inv_cdf(1 - plan.alpha) + NORMAL.inv_cdf(min(power, 0.9999))
    return float(quantiles**2 * np.mean(one ^ two) / plan.margin**2)


def table(trials: int, plan: GatePlan) -> str:
    """Both tables as Markdown."""
    return "\n".join([*_gate_lines(trials, plan), "", *_campaign_lines(trials, plan)])


def _gate_lines(trials: int, plan: GatePlan) -> list[str]:
    heads = [f"{rate:.2f}, {alike:g}" for rate, alike in WHEREABOUTS]
    lines = [_line("success before, how alike", *heads), _line(*["---"] * (1 + len(heads)))]
    for change, words in CHANGES.items():
        found = [gates(plan, rate, min(0.999, rate + change), alike, trials) for rate, alike in WHEREABOUTS]
        lines.append(_line(words, *(f"{each.published:.3f}, {each.episodes:.0f}" for each in found)))
        if not change:
            at = zip(WHEREABOUTS, found, strict=True)
            fixed = [fixed_plan(plan, rate, alike, each.published) for (rate, alike), each in at]
            lines.append(_line("a fixed plan of that power", *(f"{each:.0f}" for each in fixed)))
    return lines


def _campaign_lines(trials: int, plan: GatePlan) -> list[str]:
    heads = ("success before, how alike", "each candidate", "lost in all", "one of twenty loses")
    lines = [_line(*heads, "published", "episodes a round"), _line(*["---"] * 6)]
    for rate, alike in ((0.95, 0.0), (0.85, 0.0), (0.95, 0.5)):
        for change in (-0.03, 0.0):
            found = campaign(plan, rate, change, alike, trials)
            figures = f"{100 * found.loss:.1f} points", f"{100 * found.most:.0f}", f"{found.published:.2f}"
            lines.append(_line(f"{rate:.2f}, {alike:g}", CHANGES[change], *figures, f"{found.episodes:.0f}"))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _campaigns(
    plan: GatePlan, stable: Numbers, change: float, alike: float, rng: np.random.Generator
) -> tuple[Numbers, float, float]:
    """As `hub.rounds.round_steps` does it: rates of success at the end, sums of published and played."""
    hardness = _hardness(rng, len(stable), plan)
    rate, theirs = stable.copy(), _played(rng, hardness, stable, alike)
    best, score = theirs.copy(), theirs[:, 0].mean((1, 2))
    is_best, published, episodes = np.ones(len(stable), bool), 0.0, 0.0
    for _ in range(ROUNDS):
        candidate = np.clip(rate + change, 0.001, 0.999)
        mine = _played(rng, hardness, candidate, alike)
        passed, stop = _match(mine, theirs, plan)
        passed_best, stop_best = _match(mine, best, plan)
        asked = passed & ~is_best
        passed &= is_best | passed_best
        seen = np.where(asked, np.maximum(stop, stop_best), stop) + 1
        episodes += float(seen.sum()) * ARMS * plan.episodes / ROUNDS
        published += float(passed.sum()) / ROUNDS
        told = np.take_along_axis(mine.mean((2, 3)).cumsum(1), stop[:, None], 1)[:, 0] / (stop + 1)
        better = passed & (told >= score)
        is_best = np.where(passed, better, is_best)
        score = np.where(better, told, score)
        rate, theirs = np.where(passed, candidate, rate), np.where(_wide(passed), mine, theirs)
        best = np.where(_wide(better), mine, best)
    return rate, published, episodes


def _match(mine: Flags, theirs: Flags, plan: GatePlan) -> tuple[Flags, NDArray[np.int_]]:
    """Who passes, and the batch, from 0, in which that was clear or the last one: (trials,)."""
    wins, losses = ((one & ~other).sum(3).cumsum(1) for one, other in ((mine, theirs), (theirs, mine)))
    jobs = np.broadcast_to(plan.episodes * np.arange(1, plan.batches + 1)[:, None], wins.shape)
    limits = Limits(plan.margin, plan.arm_margin, plan.alpha, plan.power)
    found = verdicts(wins, losses, jobs, limits)
    stop = np.where((found != 0).any(1), (found != 0).argmax(1), plan.batches - 1)
    return np.take_along_axis(found, stop[:, None], 1)[:, 0] == 1, stop


def _hardness(rng: np.random.Generator, trials: int, plan: GatePlan) -> Numbers:
    return rng.standard_normal((trials, plan.batches, ARMS, plan.episodes), dtype=np.float32)


def _played(rng: np.random.Generator, hardness: Numbers, rates: Numbers, alike: float) -> Flags:
    """Which jobs succeed, (trials, batches, arms, episodes): some are hard for every version."""
    own = rng.standard_normal(hardness.shape, dtype=np.float32)
    limit = np.array([NORMAL.inv_cdf(rate) for rate in rates])[:, None, None, None]
    found: Flags = np.sqrt(alike) * hardness + np.sqrt(1 - alike) * own < limit
    return found


def _wide(flags: Flags) -> Flags:
    return flags[:, None, None, None]


def _chunks(trials: int) -> list[int]:
    return [min(CHUNK, trials - start) for start in range(0, trials, CHUNK)]


def main() -> None:
    """Print the tables, and write them where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--most", type=int, default=GatePlan().most)
    parser.add_argument("--write", type=Path, help="also into a page, between its marks")
    wanted = parser.parse_args()
    made = table(wanted.trials, GatePlan(most=wanted.most))
    print(made)
    if wanted.write:
        page = wanted.write.read_text(encoding="utf-8")
        before, _, rest = page.partition(START)
        wanted.write.write_text(
            f"{before}{START}\n\n{made}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8"
        )


START, END = "<!-- gate: made by `python -m benchmarks.gate --write docs/rounds.md` -->", "<!-- /gate -->"

if __name__ == "__main__":
    main()
