"""The demo of halls: sites of four robots each and the hall above them, against one guild of them all.

    1 a flat guild: one hub, all robots
    2 a hall of its own for each site, and one above; the sites join it, and hand up one delta a round
    3 both skills are scored in the same workshops, on the same seeds

Robots, seeds, campaign and rounds are the same in both: what differs is who merges. The main demo is
`zunft.demo.run`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from envs.evaluate import Evaluation, pool
from envs.task import load_task
from envs.workshop import fleet_workshops, fresh_workshop
from fleet.client import OperatorClient
from fleet.simulate import FleetPlan, RobotPlan, simulate
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from hub.services import open_services
from hub.settings import Settings
from skills.errors import ZunftError
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.halls import SharePlan
from skills.messages.plans import GatePlan, MergePlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.skill import Skill
from zunft.demo.plan import DemoPlan
from zunft.demo.run import LOOK_SECONDS, Screen
from zunft.demo.scoreboard import SCORE_SEED, Cell, measure
from zunft.halls.joining import HallFolder, join_hall
from zunft.hub_process import HubProcess, run_hub
from zunft.new_skill import new_skill

__all__ = ["HallsReport", "halls_order", "print_halls", "run_halls"]

ROBOTS_A_SITE = 4
MOST_ROUNDS = 8
"""Twice as many robots as in the main demo on as many cores: half the rounds."""
SITE_GATE = GatePlan(episodes=8, most=64, margin=0.25, arm_margin=0.6)
"""A site looks briefly: whether what is handed up, or came down, is clearly worse than what it has."""


class Way(BaseModel):
    """One way to learn together.

    Attributes:
        home: Success in all robots' workshops: score, low, high.
        away: The same in workshops in which nobody trained.
        deltas_above: That the hall which makes the skill took in; `received_above` are their bytes.
    """

    home: tuple[float, float, float]
    away: tuple[float, float, float]
    rounds: int
    published: int
    seconds: float
    deltas_above: int
    received_above: int


class HallsReport(BaseModel):
    """What came of it: success with its interval, and what it took."""

    task: str
    seed: int
    sites: int
    flat: Way
    halls: Way


@dataclass(frozen=True)
class _Learned:
    skill: Skill
    campaign: CampaignView
    seconds: float
    deltas: int
    received: int


def halls_order(plan: DemoPlan, sites: int) -> CampaignRequest:
    """The campaign of both guilds, but for how many bring a delta."""
    order, many = plan.order, ROBOTS_A_SITE * sites
    arms = tuple(dict.fromkeys(shop.embodiment for shop in fleet_workshops(load_task(plan.task).file, many)))
    merge = order.merge.model_copy(update={"momentum": 0.0})
    gate = order.gate.model_copy(update={"embodiments": arms})
    rounds = min(order.rounds, MOST_ROUNDS)
    return order.model_copy(update={"rounds": rounds, "then": (), "merge": merge, "gate": gate})


def run_halls(plan: DemoPlan, sites: int, folder: Path, screen: Screen) -> HallsReport:
    """Both ways, one after the other.

    Args:
        plan: Of the main demo: task, seed, campaign, episodes.
        sites: How many halls there are under the one above.
        folder: For hubs and robots.
        screen: Whom to tell.

    Raises:
        ZunftError: A robot, a worker or a campaign failed.
    """
    order, first = halls_order(plan, sites), new_skill(plan.task, seed=plan.seed)
    many = ROBOTS_A_SITE * sites
    screen.stage(f"{many} robots learn in one guild")
    with run_hub(folder / "flat") as hub:
        whole = order.model_copy(update={"quorum": many, "target": many})
        flat = _learn(plan, whole, hub, [(hub, range(many))], folder / "flat-robots", first, screen)
    screen.stage(f"{many} robots learn in {sites} halls under one")
    with ExitStack() as stack:
        upper = stack.enter_context(run_hub(folder / "upper"))
        lower = [stack.enter_context(run_hub(folder / f"site-{n}")) for n in range(sites)]
        for number, hub in enumerate(lower):
            _join(plan, order, folder / f"site-{number}", hub, upper)
        groups = [(hub, range(n * ROBOTS_A_SITE, (n + 1) * ROBOTS_A_SITE)) for n, hub in enumerate(lower)]
        above = order.model_copy(update={"quorum": sites, "target": sites})
        halls = _learn(plan, above, upper, groups, folder / "robots", first, screen)
    screen.stage("Both skills are scored on the same seeds")
    return _report(plan, sites, flat, halls, screen)


def _join(plan: DemoPlan, order: CampaignRequest, data_dir: Path, hub: HubProcess, upper: HubProcess) -> None:
    """As `zunft hub join` and `zunft hub share` do."""
    request = EnrolmentTokenRequest(hall_robots=ROBOTS_A_SITE)
    (token,) = OperatorClient.open(upper.url, upper.admin_token).create_tokens(request)
    share = SharePlan(
        skill=plan.task,
        quorum=ROBOTS_A_SITE,
        target=ROBOTS_A_SITE,
        merge=MergePlan(step=1.0, sample_cap=order.merge.sample_cap),
        gate=SITE_GATE.on(order.gate.embodiments),
    )
    settings = Settings.model_validate({"data_dir": data_dir, "admin_token": hub.admin_token})
    services = open_services(settings)
    try:
        memberships = services.halls.memberships
        folder = HallFolder(data_dir, memberships.key)
        join_hall(memberships, folder, upper.url, token.token, data_dir.name)
        memberships.share(share)
    finally:
        services.close()


def _learn(
    plan: DemoPlan,
    order: CampaignRequest,
    above: HubProcess,
    groups: Sequence[tuple[HubProcess, range]],
    home: Path,
    first: Skill,
    screen: Screen,
) -> _Learned:
    """A campaign at the hub above, with the robots of each group at the group's own."""
    started, operator = time.monotonic(), OperatorClient.open(above.url, above.admin_token)
    operator.publish_skill(first)
    campaign = operator.start_campaign(order)
    finished = _until_finished(operator, campaign, screen)
    shops = fleet_workshops(load_task(plan.task).file, sum(len(numbers) for _, numbers in groups))

    def work(group: tuple[HubProcess, range]) -> None:
        hub, numbers = group
        tokens = OperatorClient.open(hub.url, hub.admin_token).create_tokens(
            EnrolmentTokenRequest(count=len(numbers))
        )
        robots = tuple(
            RobotPlan(f"robot-{number}", shops[number], token.token)
            for number, token in zip(numbers, tokens, strict=True)
        )
        fleet = FleetPlan(
            hub=hub.url, skill=plan.task, robots=robots, home=home, seed=plan.seed + numbers.start
        )
        with Crew(Processes(max(1, plan.processes // len(groups)))) as crew:
            simulate(fleet, crew, screen.progress, until=finished)

    with ThreadPoolExecutor(len(groups)) as threads:
        list(threads.map(work, groups))
    seconds, campaign = time.monotonic() - started, operator.campaign(campaign.campaign_id)
    if campaign.state != "finished":
        raise ZunftError(f"the campaign is {campaign.state}: {campaign.reason}", where=campaign.campaign_id)
    skill = operator.fetch_skill(operator.version(plan.task, "base"), None, home / "guild.skill")
    rounds = campaign.rounds
    return _Learned(
        skill, campaign, seconds, sum(each.deltas for each in rounds), sum(each.bytes for each in rounds)
    )


def _until_finished(operator: OperatorClient, campaign: CampaignView, screen: Screen) -> Callable[[], bool]:
    """Asked by each group's own thread."""
    looked, over = [0.0], [False]

    def finished() -> bool:
        if not over[0] and time.monotonic() >= looked[0]:
            looked[0] = time.monotonic() + LOOK_SECONDS
            now = operator.campaign(campaign.campaign_id)
            screen.campaign(now)
            over[0] = now.state != "running"
        return over[0]

    return finished


def _report(plan: DemoPlan, sites: int, flat: _Learned, halls: _Learned, screen: Screen) -> HallsReport:
    file = load_task(plan.task).file
    home = fleet_workshops(file, ROBOTS_A_SITE * sites)
    arms = dict.fromkeys(shop.embodiment for shop in home)
    away = [
        fresh_workshop(file, arm, plan.seed + n, held_out=True) for arm in arms for n in range(plan.fresh)
    ]
    skills = {"flat": flat.skill, "halls": halls.skill}
    cells = [Cell(player, shop) for shop in (*home, *away) for player in skills]
    with Crew(Processes(plan.processes)) as crew:
        found = measure(
            crew,
            cells,
            skills,
            task=plan.task,
            episodes=plan.episodes,
            seed=SCORE_SEED,
            on_progress=screen.progress,
        )

    def way(player: str, learned: _Learned) -> Way:
        return Way(
            home=_figures([found[Cell(player, shop)] for shop in home]),
            away=_figures([found[Cell(player, shop)] for shop in away]),
            rounds=len(learned.campaign.rounds),
            published=sum(each.state == "published" for each in learned.campaign.rounds),
            seconds=learned.seconds,
            deltas_above=learned.deltas,
            received_above=learned.received,
        )

    return HallsReport(
        task=plan.task, seed=plan.seed, sites=sites, flat=way("flat", flat), halls=way("halls", halls)
    )


def _figures(scores: Sequence[Evaluation]) -> tuple[float, float, float]:
    pooled = pool(scores)
    return pooled.score, pooled.low, pooled.high


def print_halls(report: HallsReport, out: Console) -> None:
    """As a table."""
    many = ROBOTS_A_SITE * report.sites
    shown = Table(title=f"{many} robots on {report.task}")
    for column in ("", "in all their workshops", "where nobody trained", "published", "deltas above", "took"):
        shown.add_column(column)
    for name, way in (("one guild", report.flat), (f"{report.sites} halls under one", report.halls)):
        figures = [f"{score:.2f} ({low:.2f}-{high:.2f})" for score, low, high in (way.home, way.away)]
        sent = f"{way.deltas_above}, {way.received_above / 1e6:.2f} MB"
        shown.add_row(name, *figures, f"{way.published} of {way.rounds}", sent, f"{way.seconds:.0f} s")
    out.print(shown)
