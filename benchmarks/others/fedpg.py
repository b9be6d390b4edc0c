"""Federated policy gradients on CartPole, as FedPG-BR (Fan et al., NeurIPS 2021), with the hub's rules.

Robots play; the merged gradient anchors steps of variance-reduced policy gradients at the server (SCSG),
which plays a little too. Knobs are the authors' (github.com/flint-xf-fan/Byzantine-Federated-RL). Their
filter is not built: what merges is `hub.merging`, and its robust rules stand in the filter's place.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import numpy as np

from benchmarks.others.cartpole import How, Weights, first_weights, gradient, join, log_chances, play
from benchmarks.others.experiment import Claim, Experiment, Of, Run
from hub.merging import make_chain, merge
from hub.merging.cpu import CpuEngine

__all__ = ["FEDPG"]

RATE, SMALLEST, LARGEST, OWN = 1e-3, 12, 20, 4  # Adam's; trajectories a robot and round; the server's own
ROUGHLY_SAME = 0.005  # mean importance ratio from 1, beyond which the anchor is too old
TRIED, GOOD, LOOKS = 10, 450.0, 3  # trajectories with the likeliest actions a look; aim of so many looks
MOST, MOST_ATTACKED = 5000, 2000  # trajectories a robot; the first as theirs
LIARS = 3

Liar = Callable[[Weights, np.random.Generator], Weights]


def noisy(honest: Weights, rng: np.random.Generator) -> Weights:
    """A uniform vector three times as wide as the gradient."""
    return {
        name: each + rng.uniform(-3, 3, each.shape) * (each.max() - each.min())
        for name, each in honest.items()
    }


def flipped(honest: Weights, _: np.random.Generator) -> Weights:
    """The gradient the wrong way round, and longer."""
    return {name: -2.5 * each for name, each in honest.items()}


ATTACKS: dict[str, Liar | None] = {"random noise": noisy, "random action": None, "sign flipping": flipped}
RULES = ("mean", "multi-krum", "geometric-median")


class Adam:
    """The server's, kept from first to last."""

    def __init__(self, weights: Weights) -> None:
        self._mean = {name: np.zeros_like(each) for name, each in weights.items()}
        self._square = {name: np.zeros_like(each) for name, each in weights.items()}
        self._steps = 0

    def step(self, weights: Weights, slope: Weights) -> Weights:
        """Weights a step down."""
        self._steps += 1
        moved = {}
        for name, each in slope.items():
            self._mean[name] += 0.1 * (each - self._mean[name])
            self._square[name] += 0.001 * (each**2 - self._square[name])
            mean = self._mean[name] / (1 - 0.9**self._steps)
            square = self._square[name] / (1 - 0.999**self._steps)
            moved[name] = weights[name] - RATE * mean / (np.sqrt(square) + 1e-8)
        return moved


def campaign(robots: int, rule: str = "mean", attack: str = "", most: int = MOST) -> Run:
    """Trajectories a robot until the policy is good; `most` where it never is."""

    def run(seed: int, quick: bool) -> dict[str, float]:
        rng = np.random.default_rng([seed, robots])
        weights, looks, played = first_weights(rng), list[float](), 0
        adam, limit = Adam(weights), 100 if quick else most
        while played < limit and (len(looks) < LOOKS or fmean(looks[-LOOKS:]) < GOOD):
            batch = int(rng.integers(SMALLEST, LARGEST + 1))
            anchor = _merged(_sent(weights, robots, batch, attack, rng), rule)
            weights, own = _reduced(weights, anchor, batch, adam, rng)
            # Counted as theirs: the mean over robots and server, for one robot the sum.
            played += round((batch * robots + own) / (1 + robots)) if robots > 1 else batch + own
            looks.append(fmean(float(each.lengths[0]) for each in play(weights, TRIED, rng, "likeliest")))
        last = fmean(looks[-LOOKS:])
        return {"trajectories": played, "return": last, "good": float(last >= GOOD)}

    return run


def _sent(weights: Weights, robots: int, batch: int, attack: str, rng: np.random.Generator) -> list[Weights]:
    """Each robot's gradient, the first of them liars' where there is an attack."""
    liars = LIARS if attack else 0
    honest = play(weights, batch * (robots - liars), rng)
    how: How = "drawn" if ATTACKS.get(attack) else "any"
    bad = play(weights, batch * liars, rng, how) if liars else []
    every = [*bad, *honest]
    sent = [gradient(weights, join(every[place * batch :][:batch])) for place in range(robots)]
    if lie := ATTACKS.get(attack):
        sent = [*(lie(each, rng) for each in sent[:liars]), *sent[liars:]]
    return sent


def _merged(sent: list[Weights], rule: str) -> Weights:
    options = {} if rule == "mean" else {"byzantine": LIARS}
    return merge(sent, None, make_chain(rule, options), engine=CpuEngine(1)).tensors


def _reduced(
    weights: Weights, anchor: Weights, batch: int, adam: Adam, rng: np.random.Generator
) -> tuple[Weights, int]:
    """Steps from the anchor with the server's own small batches (SCSG); how many trajectories these took."""
    old, steps = weights, int(rng.geometric(OWN / (batch + OWN)))
    for number in range(steps):
        seen = join(play(weights, OWN, rng))
        ratios = np.exp(log_chances(old, seen) - log_chances(weights, seen))
        if abs(ratios.mean() - 1) > ROUGHLY_SAME:
            return weights, OWN * number
        new, then = gradient(weights, seen), gradient(old, seen, ratios)
        weights = adam.step(weights, {name: new[name] - then[name] + anchor[name] for name in anchor})
    return weights, OWN * steps


def _attacked(attack: str, rule: str) -> str:
    return f"K = 10, 3 liars, {attack}: {rule}"


def _near(case: str) -> Claim:
    low, high = AROUND[case]
    return Claim(
        f"{case}: trajectories within a fifth of theirs",
        lambda of: 0.8 * low <= of(case, "trajectories") <= 1.2 * high,
    )


def _still_better_than_alone(of: Of) -> bool:
    alone = of("K = 1", "trajectories")
    return all(
        max(of(_attacked(attack, rule), "trajectories") for attack in ATTACKS) < alone for rule in RULES[1:]
    )


AROUND = {"K = 1": (2500, 3000), "K = 3": (750, 750), "K = 10": (650, 650)}
"""What they report, from where to where."""

FEDPG = Experiment(
    title="FedPG-BR: more robots need fewer trajectories each, liars or not",
    source="Fan, Ma, Dai, Jing, Tan, Low: Fault-tolerant federated reinforcement learning with theoretical "
    "guarantee, NeurIPS 2021.",
    theirs="on CartPole the return reaches 450 after 2,500-3,000, 750 and 650 trajectories a robot with 1, "
    "3 and 10 robots (Figure 1); on HalfCheetah ten of which three lie still do better than one (Figure 2).",
    ours="their network, knobs and way of counting, on CartPole-v1 of gymnasium; a policy is good once its "
    "likeliest actions, tried ten times a round, return 450 in the mean of three rounds. In place of their "
    "filter the hub's rules merge the gradients. A run ends after "
    f"{MOST:,} trajectories, with liars after {MOST_ATTACKED:,}, and then counts as so many.",
    cases={
        "K = 10": campaign(10),
        "K = 3": campaign(3),
        "K = 1": campaign(1),
        **{
            _attacked(attack, rule): campaign(10, rule, attack, MOST_ATTACKED)
            for attack in ATTACKS
            for rule in RULES
        },
    },
    figures={"trajectories": ",.0f", "return": ".0f", "good": ".2f"},
    reported={"K = 10": "650", "K = 3": "750", "K = 1": "2,500-3,000"},
    claims=(
        *(_near(case) for case in AROUND),
        Claim(
            "three robots need less than half as many each as one",
            lambda of: of("K = 3", "trajectories") < of("K = 1", "trajectories") / 2,
        ),
        Claim(
            "ten need fewer each than three",
            lambda of: of("K = 10", "trajectories") < of("K = 3", "trajectories"),
        ),
        Claim(
            "with three liars of ten, each robust rule needs fewer than one robot alone, whatever the lie",
            _still_better_than_alone,
        ),
    ),
)
