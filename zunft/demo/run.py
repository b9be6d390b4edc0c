"""The main job: four different robots learn a task together over real HTTP between real processes.

    1 a hub starts in a process of its own
    2 four robots enrol, each in its own workshop and of another kind where the task admits so many
    3 a campaign runs: robots train and push, the hub merges, gates and republishes
    4 robots that never trained pull the skill and use it, without torch or Ray
    5 each robot tunes the guild's skill at home
    6 each also trains alone, with as many own steps; everything is scored on the same seeds

Measuring, drawing and showing are `zunft.demo.scoreboard`, `zunft.demo.picture` and `zunft.demo.screen`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from envs.changed import changed_workshop
from envs.evaluate import Evaluation
from envs.scripted import controller_names
from envs.task import Task, load_task
from envs.workshop import Workshop, fleet_workshops, fresh_workshop
from fleet.client import OperatorClient
from fleet.fetch import Needs, pull_skill
from fleet.local_training import train_all_alone, tune_all
from fleet.membership import connect
from fleet.personal import Tuning
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from fleet.simulate import FleetPlan, RobotPlan, simulate
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from skills.errors import ZunftError
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.plans import GatePlan, TrainingPlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.skill import Skill
from zunft.demo.newcomer import Newcomer, visit
from zunft.demo.report import FleetRow, Report, Score, UnseenRow
from zunft.demo.scoreboard import Cell, measure
from zunft.hub_process import HubProcess
from zunft.new_skill import new_skill

__all__ = ["DemoPlan", "Screen", "fast_plan", "full_plan", "run_demo"]

ROBOTS = ("ada", "bela", "cleo", "dora")
UNSEEN = 2
CHANGE_SEED = 59_900  # of homes after they changed, which nobody trained in
SCORE_SEED = 90_000  # apart from the gate's and the twins', so that nobody was chosen on these episodes
LOOK_SECONDS = 0.5  # between two looks at the campaign


@dataclass(frozen=True)
class DemoPlan:
    """What the demo runs.

    Attributes:
        order: The campaign.
        episodes: Scored in each cell of the fleet's table, and over all fresh workshops of a newcomer.
        fresh: Fresh workshops a newcomer is scored in.
        tuning: Of the guild's skill by each robot at home.
        processes: Worker processes that the robots share.
        seed: Of the first network, of training and of the fresh workshops.
    """

    order: CampaignRequest
    episodes: int
    fresh: int
    tuning: Tuning
    processes: int
    seed: int


class Screen:
    """What the demo tells whoever watches; this one tells nobody."""

    def stage(self, title: str) -> None:
        """A new part begins."""

    def progress(self, progress: Progress) -> None:
        """A robot or a worker did something."""

    def campaign(self, campaign: CampaignView) -> None:
        """The campaign as it stands."""


def full_plan(task: str, *, seed: int, processes: int = 2) -> DemoPlan:
    """Some minutes on two cores."""
    order = CampaignRequest(
        skill=task,
        quorum=len(ROBOTS),
        target=len(ROBOTS),
        gate=GatePlan(embodiments=_fleet_robots(task)),
    )
    return DemoPlan(order, episodes=96, fresh=4, tuning=Tuning(), processes=processes, seed=seed)


def fast_plan(task: str, *, seed: int, processes: int = 2) -> DemoPlan:
    """The same path in half a minute; too short to learn anything."""
    order = CampaignRequest(
        skill=task,
        rounds=2,
        quorum=len(ROBOTS),
        target=len(ROBOTS),
        training=TrainingPlan(iterations=1),
        gate=GatePlan(embodiments=_fleet_robots(task), episodes=4, tolerance=0.5),
    )
    tuning = Tuning(iterations=1, episodes=4)
    return DemoPlan(order, episodes=8, fresh=1, tuning=tuning, processes=processes, seed=seed)


def run_demo(plan: DemoPlan, hub: HubProcess, home: Path, screen: Screen) -> Report:
    """Run steps 2 to 6 against a running hub.

    Args:
        plan: What to run.
        hub: Where.
        home: Folder for the robots' own folders and the skill files.
        screen: Whom to tell.

    Raises:
        ZunftError: A robot, a worker or the campaign failed.
    """
    start = time.monotonic()
    task = plan.order.skill
    operator = OperatorClient.open(hub.url, hub.admin_token)
    first = new_skill(task, seed=plan.seed)
    with Crew(Processes(plan.processes)) as crew:
        screen.stage("Four robots learn together")
        operator.publish_skill(first)
        fleet = _enrol(plan, operator, hub.url, home)
        campaign, last = _learn_together(plan.order, fleet, operator, crew, screen)
        screen.stage("Robots that never trained pull the skill")
        newcomers = _newcomers(plan)
        tokens = operator.create_tokens(EnrolmentTokenRequest(count=len(newcomers)))
        visits = visit(
            newcomers,
            tokens,
            hub=hub.url,
            skill=task,
            home=home,
            episodes=_share(plan),
            seed=SCORE_SEED,
            processes=plan.processes,
        )
        screen.stage("Each robot tunes the guild's skill at home")
        guild = _fetch(RobotFolder(home / ROBOTS[0]), task)
        tuned = tune_all(crew, fleet, guild, plan.tuning, on_progress=screen.progress)
        screen.stage("Each robot learns alone, with as many own steps")
        training = (plan.order.training, plan.order.rounds)
        lone = train_all_alone(crew, fleet, first, *training, on_progress=screen.progress)
        screen.stage("Everybody is scored on the same seeds")
        own = {_tuned(robot): skill for robot, skill in zip(ROBOTS, tuned, strict=True)}
        skills = {"guild": guild, **dict(zip(ROBOTS, lone, strict=True)), **own}
        _save(skills, home)
        fleet_rows, unseen_rows = _score(plan, crew, skills, newcomers, visits, screen)
    closing = list(last.values())
    return Report(
        task=task,
        seed=plan.seed,
        fleet=fleet_rows,
        unseen=unseen_rows,
        rounds=len(campaign.rounds),
        seconds=time.monotonic() - start,
        steps_per_robot=sum(each.steps for each in closing) // len(closing),
        bytes_sent_per_robot=sum(each.sent for each in closing) // len(closing),
        bytes_received_per_robot=sum(each.received for each in closing) // len(closing),
        hub_peak_mb=hub.peak_memory_mb(),
        guild_by_round=[round_.gate.candidate.score for round_ in campaign.rounds if round_.gate],
        published_by_round=[round_.state == "published" for round_ in campaign.rounds if round_.gate],
    )


def _save(skills: Mapping[str, Skill], home: Path) -> None:
    for name, skill in skills.items():
        skill.save(home / f"{name}.skill")


def _enrol(plan: DemoPlan, operator: OperatorClient, url: str, home: Path) -> FleetPlan:
    tokens = operator.create_tokens(EnrolmentTokenRequest(count=len(ROBOTS)))
    robots = tuple(
        RobotPlan(name, workshop, token.token)
        for name, workshop, token in zip(ROBOTS, _workshops(plan.order.skill), tokens, strict=True)
    )
    return FleetPlan(hub=url, skill=plan.order.skill, robots=robots, home=home, seed=plan.seed)


def _learn_together(
    order: CampaignRequest, fleet: FleetPlan, operator: OperatorClient, crew: Crew, screen: Screen
) -> tuple[CampaignView, dict[str, Progress]]:
    campaign = operator.start_campaign(order)
    last = simulate(fleet, crew, screen.progress, until=_until_finished(operator, campaign, screen))
    campaign = operator.campaign(campaign.campaign_id)
    if campaign.state != "finished":
        raise ZunftError(f"the campaign is {campaign.state}: {campaign.reason}", where=campaign.campaign_id)
    return campaign, last


def _until_finished(operator: OperatorClient, campaign: CampaignView, screen: Screen) -> Callable[[], bool]:
    next_look = 0.0

    def finished() -> bool:
        nonlocal next_look
        if time.monotonic() < next_look:
            return False
        next_look = time.monotonic() + LOOK_SECONDS
        now = operator.campaign(campaign.campaign_id)
        screen.campaign(now)
        return now.state != "running"

    return finished


def _score(
    plan: DemoPlan,
    crew: Crew,
    skills: dict[str, Skill],
    newcomers: list[Newcomer],
    visits: dict[Workshop, Evaluation],
    screen: Screen,
) -> tuple[list[FleetRow], list[UnseenRow]]:
    homes = _workshops(plan.order.skill)
    task = plan.order.skill
    scripted = controller_names(load_task(task))
    players = (*ROBOTS, "guild", *scripted)
    at_home = [Cell(player, shop) for shop in homes for player in players]
    at_home += [Cell(_tuned(robot), home) for robot, home in zip(ROBOTS, homes, strict=True)]
    scores = measure(
        crew, at_home, skills, task=task, episodes=plan.episodes, seed=SCORE_SEED, on_progress=screen.progress
    )
    away = [
        Cell(player, shop)
        for newcomer in newcomers
        for shop in newcomer.workshops
        for player in (*ROBOTS, *scripted)
    ]
    changed = dict(zip(ROBOTS, (_changed(plan, home) for home in homes), strict=True))
    away += [Cell(player, shop) for robot in ROBOTS for shop in changed[robot] for player in (robot, "guild")]
    scores |= measure(
        crew, away, skills, task=task, episodes=_share(plan), seed=SCORE_SEED, on_progress=screen.progress
    )
    scores |= {Cell("guild", shop): score for shop, score in visits.items()}
    fleet = [
        _fleet_row(scores, robot, home, homes, changed[robot], scripted)
        for robot, home in zip(ROBOTS, homes, strict=True)
    ]
    return fleet, [_unseen_row(scores, newcomer, scripted) for newcomer in newcomers]


def _fleet_row(
    scores: dict[Cell, Evaluation],
    robot: str,
    home: Workshop,
    homes: list[Workshop],
    changed: list[Workshop],
    scripted: tuple[str, ...],
) -> FleetRow:
    def at_home(player: str) -> Score:
        return Score.of(scores[Cell(player, home)])

    return FleetRow(
        robot=robot,
        embodiment=home.embodiment,
        alone_home=at_home(robot),
        alone_elsewhere=Score.of(*(scores[Cell(robot, shop)] for shop in homes if shop != home)),
        alone_changed=Score.of(*(scores[Cell(robot, shop)] for shop in changed)),
        guild=at_home("guild"),
        guild_changed=Score.of(*(scores[Cell("guild", shop)] for shop in changed)),
        tuned=at_home(_tuned(robot)),
        scripted={name: at_home(name) for name in scripted},
    )


def _changed(plan: DemoPlan, home: Workshop) -> list[Workshop]:
    """A home as it may be one day: other payload, sensors, friction."""
    file = load_task(plan.order.skill).file
    return [changed_workshop(file, home, CHANGE_SEED + number) for number in range(plan.fresh)]


def _tuned(robot: str) -> str:
    """A robot as the player of what it tuned."""
    return f"{robot}-tuned"


def _unseen_row(scores: dict[Cell, Evaluation], newcomer: Newcomer, scripted: tuple[str, ...]) -> UnseenRow:
    def of(*players: str) -> Score:
        return Score.of(*(scores[Cell(player, shop)] for player in players for shop in newcomer.workshops))

    return UnseenRow(
        embodiment=newcomer.embodiment,
        alone=of(*ROBOTS),
        guild=of("guild"),
        scripted={name: of(name) for name in scripted},
    )


def _workshops(task: str) -> list[Workshop]:
    return fleet_workshops(load_task(task).file, len(ROBOTS))


def _fleet_robots(task: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shop.embodiment for shop in _workshops(task)))


def _newcomers(plan: DemoPlan) -> list[Newcomer]:
    task = load_task(plan.order.skill)
    shops = {
        arm: tuple(_unseen_workshop(task, arm, plan.seed + number) for number in range(plan.fresh))
        for arm in _unseen_robots(plan.order.skill)
    }
    return [Newcomer(*each) for each in shops.items()]


def _unseen_robots(task: str) -> tuple[str, ...]:
    """Robots that do not train; where the task admits no others, one of its own in workshops kept apart."""
    admitted = load_task(task).file.embodiments
    return tuple(robot for robot in admitted if robot not in _fleet_robots(task))[:UNSEEN] or admitted[:1]


def _unseen_workshop(task: Task, robot: str, seed: int) -> Workshop:
    return fresh_workshop(task.file, robot, seed, held_out=True)


def _share(plan: DemoPlan) -> int:
    return max(1, plan.episodes // plan.fresh)


def _fetch(bench: RobotFolder, skill: str) -> Skill:
    client, task = connect(bench), load_task(skill)
    version = client.version(skill, "base")
    return pull_skill(bench, client, version, Needs(skill, task.contract, task.digest))
