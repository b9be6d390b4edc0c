"""The same guild twice: by a hub with robots over HTTP, and by Flower's FedAvg with the same trainer.

Robots, homes, first skill, learner, steps and rates are equal. What is not: the hub measures each version
before it publishes it, signs, keeps a journal and takes a step of 1.5; Flower's server takes the mean as it
is. Flower's ends are `benchmarks.others.flower`; the bytes are counted by `benchmarks.others.wire`.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean
from urllib.parse import urlsplit

from benchmarks.others.experiment import Claim, Experiment, Run
from benchmarks.others.flower import by_flower
from benchmarks.others.setting import MEGABYTE, ROBOTS, ROUNDS, TASK, Figures, common
from benchmarks.others.wire import relay
from benchmarks.transfer import watching
from envs.evaluate import evaluate_many
from fleet.client import OperatorClient
from fleet.fetch import Needs, pull_skill, vouched_version
from fleet.membership import connect
from fleet.robot_folder import RobotFolder
from fleet.simulate import FleetPlan, RobotPlan, simulate
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from skills.messages.campaigns import CampaignRequest
from skills.messages.plans import GatePlan, MergePlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.policy import Policy
from skills.skill import Skill
from zunft.hub_process import run_hub
from zunft.new_skill import new_skill

__all__ = ["GUILD"]

SCORE_SEED = 71_000
STEPPED = f"Flower, steps of {MergePlan().step:g}"
LOOK_SECONDS = 0.5  # between two looks at the campaign


def measured(campaign: Callable[[int, bool, Path, Figures], Skill]) -> Run:
    """A run of a campaign: time, memory and bytes of all its processes, then what its skill is worth."""

    def run(seed: int, quick: bool) -> Figures:
        setting = common(seed, quick)
        figures: Figures = {}
        with tempfile.TemporaryDirectory(prefix="zunft-others-") as folder, timed(figures):
            skill = campaign(seed, quick, Path(folder), figures)
        places = setting.places()
        for name, shops in (("unseen", places.unseen), ("home", places.homes)):
            found = evaluate_many(Policy(skill), setting.loaded(), shops, setting.episodes, SCORE_SEED)
            figures[name] = fmean(each.score for each in found)
        return figures

    return run


@contextmanager
def timed(figures: Figures) -> Iterator[None]:
    """Wall time of the block, and processor time of the processes that ended in it."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    begun, before = time.perf_counter(), spent()
    yield
    figures["s"] = time.perf_counter() - begun
    figures["processor s"] = spent() - before


def by_hub(seed: int, quick: bool, folder: Path, figures: Figures) -> Skill:
    """A hub, four robots in processes of their own, a campaign with a gate."""
    setting = common(seed, quick)
    homes = setting.places().homes
    gate = GatePlan(embodiments=tuple(dict.fromkeys(home.embodiment for home in homes)))
    order = CampaignRequest(
        skill=TASK, rounds=setting.rounds, quorum=ROBOTS, target=ROBOTS, training=setting.training, gate=gate
    )
    with (
        run_hub(folder / "hub") as hub,
        relay(urlsplit(hub.url).port or 0) as wire,
        Crew(Processes(ROBOTS)) as crew,
    ):
        operator = OperatorClient.open(hub.url, hub.admin_token)
        operator.publish_skill(new_skill(TASK, seed=setting.seed))
        tokens = operator.create_tokens(EnrolmentTokenRequest(count=ROBOTS))
        robots = tuple(
            RobotPlan(f"robot-{number}", home, token.token)
            for number, (home, token) in enumerate(zip(homes, tokens, strict=True))
        )
        fleet = FleetPlan(f"http://127.0.0.1:{wire.port}", TASK, robots, folder, seed=setting.seed)
        campaign = operator.start_campaign(order).campaign_id
        with watching(*(each.pid or 0 for each in multiprocessing.active_children())) as watches:
            simulate(fleet, crew, lambda _: None, until=_until_ended(operator, campaign))
        if operator.campaign(campaign).state != "finished":
            raise RuntimeError(operator.campaign(campaign).reason)
        figures["MB sent"] = wire.passed / MEGABYTE
        figures["server MB"] = hub.peak_memory_mb()
        figures["robot MB"] = max(each.resident for each in watches) / MEGABYTE
        bench, task = RobotFolder(folder / robots[0].name), setting.loaded()
        client = connect(bench)
        return pull_skill(
            bench, client, vouched_version(client, TASK, "base"), Needs(TASK, task.contract, task.digest)
        )


def _until_ended(operator: OperatorClient, campaign: str) -> Callable[[], bool]:
    next_look = 0.0

    def ended() -> bool:
        nonlocal next_look
        if time.monotonic() < next_look:
            return False
        next_look = time.monotonic() + LOOK_SECONDS
        return operator.campaign(campaign).state != "running"

    return ended


GUILD = Experiment(
    title="The same guild through Flower",
    source="Beutel et al.: Flower, a friendly federated learning framework, 2020; version 1.42.",
    theirs="a server with FedAvg and clients over gRPC.",
    ours=f"`{TASK}`, {ROBOTS} robots, {ROUNDS} rounds by default settings, the same trainer in both, each "
    "robot a process, begun and ended within the time, on two busy cores and in turns. Otherwise than "
    "Flower's server the hub measures each version before it publishes it (its gate, in its time), signs, "
    "journals, and takes 1.5 of the mean; robots send half-precision deltas where clients send float32 "
    "weights. Bytes are all that passed between robots and server, both ways. Other work came and went on "
    "the machine: compare processor time sooner than seconds.",
    cases={
        "Zunft": measured(by_hub),
        "Flower": measured(by_flower),
        STEPPED: measured(partial(by_flower, step=MergePlan().step)),
    },
    figures={
        "unseen": ".2f",
        "home": ".2f",
        "s": ".0f",
        "processor s": ".0f",
        "server MB": ".0f",
        "robot MB": ".0f",
        "MB sent": ".1f",
    },
    claims=(
        Claim(
            "success in unseen workshops at least Flower's - .02, with its steps and with ours",
            lambda of: of("Zunft", "unseen") >= max(of("Flower", "unseen"), of(STEPPED, "unseen")) - 0.02,
        ),
        Claim("no more processor time", lambda of: of("Zunft", "processor s") <= of("Flower", "processor s")),
        Claim("no more bytes", lambda of: of("Zunft", "MB sent") <= of("Flower", "MB sent")),
    ),
    words=("so it is", "it is not"),
)
