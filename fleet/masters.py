"""A robot's master: who shows the guild's apprentice how the work is done here, and never leaves the robot.

Either a skill, trained at home or brought along, a controller that the task has as data, or episodes that
were recorded here. It is named once and kept in the robot's folder; how it teaches is
`fleet.training.imitation`'s, when a robot trains one without being told by its owner is `fleet.agent`'s.
"""

from __future__ import annotations

from pathlib import Path

from envs.scripted import Scripted, controller, controller_names
from envs.task import Task
from fleet.episodes import Episodes, load_episodes, save_episodes
from fleet.robot_folder import RobotFolder
from skills.container import Tensors
from skills.errors import ContractError
from skills.files import write_atomically
from skills.player import Player
from skills.policy import Policy
from skills.skill import Skill

__all__ = [
    "bring_controller",
    "bring_episodes",
    "bring_skill",
    "master_from",
    "master_of",
    "robots_controller",
]

CONTROLLER_LIMIT = 1024  # bytes of a controller's name


def bring_skill(bench: RobotFolder, task: Task, skill: Skill) -> None:
    """Make a skill this robot's master of a task.

    Raises:
        ContractError: It is for something else.
    """
    differences = task.contract.differences(skill.manifest.contract)
    if differences:
        raise ContractError(
            f"the skill does not fit the task {task.name}: {'; '.join(differences)}.",
            where="manifest.contract",
            remedy="Train a master here: zunft robot master --train.",
        )
    write_atomically(_skill_file(bench, task), skill.blob, mode=0o600)
    _keep_only(bench, task, _skill_file(bench, task))


def bring_controller(bench: RobotFolder, task: Task, name: str) -> None:
    """Make one of the task's controllers this robot's master.

    Raises:
        ContractError: The task has none of that name, or it is told what no robot knows.
    """
    robots_controller(task, name)
    write_atomically(_name_file(bench, task), name.encode(), mode=0o600)
    _keep_only(bench, task, _name_file(bench, task))


def robots_controller(task: Task, name: str) -> Scripted:
    """One of the task's controllers that a robot could have.

    Raises:
        ContractError: The task has none of that name, or it is told what no robot knows.
    """
    found = controller(name, task)
    if found.told:
        raise ContractError(
            f"the controller {name!r} is told what no robot knows.",
            where="controller",
            remedy=f"Choose one of {', '.join(controller_names(task)) or 'none'}.",
        )
    return found


def bring_episodes(bench: RobotFolder, task: Task, recording: Episodes) -> None:
    """Make what was recorded on this robot its master of a task.

    Raises:
        ContractError: It is of something else.
    """
    recording.check(task)
    save_episodes(_episodes_file(bench, task), recording)
    _keep_only(bench, task, _episodes_file(bench, task))


def master_from(base: Skill, weights: Tensors, steps: int) -> Skill:
    """The master whose weights came of training at home from a version of the guild's, for so many steps."""
    changes = {
        "parents": (base.digest,),
        "origin": "upload",
        "round_id": None,
        "contributors": 1,
        "samples": steps,
        "carries": (),
        "summary": "A master, trained at home",
    }
    return Skill(base.manifest.model_copy(update=changes), weights)


def master_of(bench: RobotFolder, task: Task) -> Player | Episodes | None:
    """This robot's master of a task, or its recording; None where it has none.

    Raises:
        ArtefactError: The master's file is damaged.
        ContractError: The task has no such controller any more, or has changed since the recording.
    """
    if _episodes_file(bench, task).exists():
        recording = load_episodes(_episodes_file(bench, task))
        recording.check(task)
        return recording
    if _skill_file(bench, task).exists():
        return Policy(Skill.load(_skill_file(bench, task)))
    try:
        with _name_file(bench, task).open(encoding="utf-8") as file:
            return controller(file.read(CONTROLLER_LIMIT), task)
    except FileNotFoundError:
        return None


def _skill_file(bench: RobotFolder, task: Task) -> Path:
    return bench.home / f"{task.name}.master.skill"


def _name_file(bench: RobotFolder, task: Task) -> Path:
    return bench.home / f"{task.name}.master.txt"


def _episodes_file(bench: RobotFolder, task: Task) -> Path:
    return bench.home / f"{task.name}.master.episodes"


def _keep_only(bench: RobotFolder, task: Task, chosen: Path) -> None:
    for file in (_skill_file(bench, task), _name_file(bench, task), _episodes_file(bench, task)):
        if file != chosen:
            file.unlink(missing_ok=True)
