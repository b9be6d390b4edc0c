"""The main job: four different robots learn a task together over real HTTP between real processes.

    1 a hub starts in a process of its own
    2 four robots enrol, each in its own workshop and of another kind where the task admits so many
    3 a campaign runs: robots train and push, the hub merges, gates and republishes
    4 robots that never trained pull the skill and use it, without torch or Ray
    5 each robot tunes the guild's skill at home
    6 each also trains alone, with as many own steps; everything is scored on the same seeds

Where the task advises masters who teach, 6 comes before 3: whoever learned alone is the robot's master then.
The plan is `zunft.demo.plan`; measuring, drawing and showing are `zunft.demo.rows`, `zunft.demo.picture` and
`zunft.demo.screen`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from envs.evaluate import Evaluation
from envs.scripted import controllers
from envs.task import load_task
from envs.workshop import Workshop
from fleet.client import OperatorClient
from fleet.fetch import Needs, pull_skill, vouched_version
from fleet.local_training import train_all_alone, tune_all
from fleet.masters import bring_skill
from fleet.membership import connect
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from fleet.simulate import FleetPlan, RobotPlan, simulate
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from skills.errors import ZunftError
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.robots import EnrolmentTokenRequest
from skills.skill import Skill
from zunft.demo.newcomer import visit
from zunft.demo.plan import ROBOTS, DemoPlan
from zunft.demo.report import Report
from zunft.demo.rows import score_all, tuned_player
from zunft.demo.scoreboard import SCORE_SEED
from zunft.hub_process import HubProcess
from zunft.new_skill import new_skill

__all__ = ["Screen", "run_demo"]

LOOK_SECONDS = 0.5  # between two looks at the campaign


class Screen:
    """What the demo tells whoever watches; this one tells nobody."""

    def stage(self, title: str) -> None:
        """A new part begins."""

    def progress(self, progress: Progress) -> None:
        """A robot or a worker did something."""

    def campaign(self, campaign: CampaignView) -> None:
        """The campaign as it stands."""


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
    operator = OperatorClient.open(hub.url, hub.admin_token)
    first = new_skill(plan.task, seed=plan.seed)
    with Crew(Processes(plan.processes)) as crew:
        operator.publish_skill(first)
        fleet = _enrol(plan, operator, hub.url, home)
        lone = _train_masters(plan, fleet, first, crew, screen) if plan.teaches else []
        screen.stage("Four robots learn together")
        campaign, last = _learn_together(plan.order, fleet, operator, crew, screen)
        screen.stage("Robots that never trained pull the skill")
        visits = _visits(plan, operator, hub.url, home)
        screen.stage("Each robot tunes the guild's skill at home")
        guild = _fetch(RobotFolder(home / ROBOTS[0]), plan.task)
        tuned = tune_all(crew, fleet, guild, plan.tuning, on_progress=screen.progress)
        if not lone:
            screen.stage("Each robot learns alone, with as many own steps")
            lone = train_all_alone(crew, fleet, first, *plan.alone, on_progress=screen.progress)
        screen.stage("Everybody is scored on the same seeds")
        own = {tuned_player(robot): skill for robot, skill in zip(ROBOTS, tuned, strict=True)}
        skills = {"guild": guild, **dict(zip(ROBOTS, lone, strict=True)), **own}
        _save(skills, home)
        fleet_rows, unseen_rows = score_all(plan, crew, skills, visits, screen.progress)
    closing = list(last.values())
    return Report(
        task=plan.task,
        seed=plan.seed,
        fleet=fleet_rows,
        unseen=unseen_rows,
        told=tuple(name for name, each in controllers(load_task(plan.task)).items() if each.told),
        rounds=len(campaign.rounds),
        seconds=time.monotonic() - start,
        steps_per_robot=sum(each.steps for each in closing) // len(closing),
        master_steps=sum(skill.manifest.samples for skill in lone) // len(lone) if plan.teaches else 0,
        bytes_sent_per_robot=sum(each.sent for each in closing) // len(closing),
        bytes_received_per_robot=sum(each.received for each in closing) // len(closing),
        hub_peak_mb=hub.peak_memory_mb(),
        guild_by_round=[round_.gate.candidate.score for round_ in campaign.rounds if round_.gate],
        published_by_round=[round_.state == "published" for round_ in campaign.rounds if round_.gate],
    )


def _visits(plan: DemoPlan, operator: OperatorClient, hub: str, home: Path) -> dict[Workshop, Evaluation]:
    """What robots that never trained do with the skill."""
    newcomers = plan.newcomers()
    return visit(
        newcomers,
        operator.create_tokens(EnrolmentTokenRequest(count=len(newcomers))),
        hub=hub,
        skill=plan.task,
        home=home,
        episodes=plan.share,
        seed=SCORE_SEED,
        processes=plan.processes,
    )


def _save(skills: Mapping[str, Skill], home: Path) -> None:
    for name, skill in skills.items():
        skill.save(home / f"{name}.skill")


def _enrol(plan: DemoPlan, operator: OperatorClient, url: str, home: Path) -> FleetPlan:
    tokens = operator.create_tokens(EnrolmentTokenRequest(count=len(ROBOTS)))
    robots = tuple(
        RobotPlan(name, workshop, token.token)
        for (name, workshop), token in zip(plan.homes().items(), tokens, strict=True)
    )
    return FleetPlan(hub=url, skill=plan.task, robots=robots, home=home, seed=plan.seed)


def _train_masters(plan: DemoPlan, fleet: FleetPlan, first: Skill, crew: Crew, screen: Screen) -> list[Skill]:
    """What each robot learns alone, and keeps in its folder as its master."""
    screen.stage("Each robot learns alone, to be a master")
    lone = train_all_alone(crew, fleet, first, *plan.alone, on_progress=screen.progress)
    for robot, skill in zip(fleet.robots, lone, strict=True):
        bring_skill(RobotFolder(fleet.home / robot.name), load_task(plan.task), skill)
    return lone


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


def _fetch(bench: RobotFolder, skill: str) -> Skill:
    client, task = connect(bench), load_task(skill)
    version = vouched_version(client, skill, "base")
    return pull_skill(bench, client, version, Needs(skill, task.contract, task.digest))
