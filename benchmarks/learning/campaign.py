"""A campaign without its wires: the product's own code from practising to the merged version.

HTTP, signatures, codecs and the gate are left out. What is compared with a campaign is left to
`benchmarks.learning.methods`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.learning.setting import Setting
from envs.task import load_task
from envs.workshop import Workshop
from fleet.masters import bring_skill
from fleet.practice import practise
from fleet.robot_folder import RobotFolder
from fleet.twin import TwinPlace
from fleet.workers.crew import Crew, Line
from hub.merging.cpu import CpuEngine
from hub.workers.merge_round import Received, write_candidate
from skills.container import Tensors
from skills.delta import norm
from skills.messages.rounds import Assignment
from skills.messages.skills import VersionView
from skills.parts import network_of
from skills.skill import Skill

__all__ = ["campaign", "run_all"]

PLACES: dict[tuple[Any, ...], TwinPlace] = {}
"""Of this process, by campaign, home, seed and master; those of one campaign."""
FOLDERS: list[TemporaryDirectory[str]] = []
"""Of its robots that have a master."""


def campaign(
    crew: Crew,
    setting: Setting,
    tell: Callable[[str], None],
    skill: Skill,
    masters: Sequence[Skill] = (),
    enough: Callable[[Skill], bool] = lambda _: False,
) -> tuple[Skill, int]:
    """Rounds from a skill on; the last version, and how many there were.

    Args:
        crew: Who computes.
        setting: Homes, training and merging.
        tell: How far it is.
        skill: The first version.
        masters: One a robot, where there are lessons.
        enough: Asked after each round.
    """
    homes, state = setting.places().homes, None
    private: list[Tensors] = [{} for _ in homes]
    for number in range(1, setting.rounds + 1):
        tell(f"round {number} of {setting.rounds}")
        order = _order(skill, setting, number)
        jobs = [
            (skill, order, home, setting.seed + place, private[place], masters[place] if masters else None)
            for place, home in enumerate(homes)
        ]
        done = run_all(crew, _practise, jobs)
        private = [kept for _, kept in done]
        skill, state = _merged(skill, setting, number, [delta for delta, _ in done], state)
        if enough(skill):
            return skill, number
    return skill, setting.rounds


def run_all(crew: Crew, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What a function gives for each of several arguments, in their order."""
    return crew.run(function, arguments, labels=[""] * len(arguments), on_progress=lambda _: None)


def _practise(
    _: Line,
    base: Skill,
    order: Assignment,
    home: Workshop,
    seed: int,
    private: Tensors,
    master: Skill | None,
) -> tuple[Received, Tensors]:
    place = _place(base.manifest.task, order.campaign_id, home, seed, master)
    trainer = place.trainer(base.manifest.network, order.training, order.campaign_id)
    work = practise(base, order, trainer, home.name, private)
    tensors = {name: work.delta.tensors[name] for name in work.delta.tensors}
    header = work.delta.header
    received = Received(header.samples, header.metrics.get("success"), norm(network_of(tensors)), 0, tensors)
    return received, work.private


def _place(task: str, campaign_id: str, home: Workshop, seed: int, master: Skill | None) -> TwinPlace:
    """A robot's simulation; it lives as long as the campaign."""
    if any(key[0] != campaign_id for key in PLACES):
        PLACES.clear()
    key = (campaign_id, home, seed, None if master is None else master.digest)
    if key not in PLACES:
        loaded, bench = load_task(task), None
        if master is not None:
            FOLDERS.append(TemporaryDirectory())
            bench = RobotFolder(Path(FOLDERS[-1].name))
            bring_skill(bench, loaded, master)
        PLACES[key] = TwinPlace(loaded, home, seed=seed, bench=bench)
    return PLACES[key]


def _merged(
    base: Skill, setting: Setting, number: int, deltas: Sequence[Received], state: bytes | None
) -> tuple[Skill, bytes]:
    skill_file, state_file = BytesIO(), BytesIO()
    write_candidate(
        skill_file,
        state_file,
        base,
        {f"robot {place:03d}": delta for place, delta in enumerate(deltas)},
        setting.training,
        setting.merge,
        version=base.manifest.version + 1,
        round_id=f"r-{number}",
        optimiser_state=state,
        engine=CpuEngine(1),
    )
    return Skill.from_bytes(skill_file.getvalue()), state_file.getvalue()


def _order(base: Skill, setting: Setting, number: int) -> Assignment:
    """What a hub would have sent."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    view = VersionView(
        skill=base.manifest.name,
        version=base.manifest.version,
        digest=base.digest,
        size=base.size,
        origin=base.manifest.origin,
        task=base.manifest.task,
        created_at=now,
        signature="",
        manifest=base.manifest,
    )
    return Assignment(
        campaign_id=sha256(repr(setting).encode()).hexdigest(),
        round_id=f"r-{number}",
        number=number,
        rounds=setting.rounds,
        base=view,
        deadline=now,
        training=setting.training,
        learning_rate=setting.training.rate_of_round(number, setting.rounds),
    )
