"""The robot's daemon: what a robot does for its guild, step by step.

    1 ask      what there is to do
    2 pull     the round's base
    3 verify   digest, the hub's signature, the contract
    4 practise in the robot's own workshop
    5 keep     the delta on disk
    6 push     it until the hub has it, or will not have it
    7 take     a new stable version: verify it, try it in the twin, use it - or keep the old one and say why

A robot may lose its hub or its power between any two steps: what is owed is on disk, and every
request may be repeated. Decisions are `fleet.sync`'s, training and trying are the `Ground`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from fleet.client import HubClient
from fleet.progress import Phase, Progress
from fleet.sync import Drop, Push, Train, backoff, check_fit, decide, judge
from fleet.workbench import Identity, Pending, SkillInUse, Workbench
from skills.container import digest_of
from skills.delta import Delta
from skills.errors import (
    ForbiddenError,
    HubUnreachableError,
    NotFoundError,
    SignatureError,
    UnauthorizedError,
    ZunftError,
)
from skills.manifest import Contract, Digest
from skills.messages import Assignment, VersionView
from skills.skill import Skill

__all__ = ["Agent", "AgentSettings", "Ground", "Iteration", "take_turns"]


class Iteration(Protocol):
    """What the robot hears of one iteration of its training."""

    @property
    def steps(self) -> int:
        """Environment steps."""

    @property
    def success_rate(self) -> float | None:
        """Share of successful episodes."""


class Ground(Protocol):
    """Where a robot practises and tries skills: its own environment, or its simulated twin."""

    contract: Contract
    task_digest: str | None

    def practise(
        self, base: Skill, assignment: Assignment, robot_id: str, on_iteration: Callable[[Iteration], None]
    ) -> Delta:
        """Train for a round; what `on_iteration` raises ends it."""

    def rehearse(self, skill: Skill) -> float:
        """Share of episodes in which the skill succeeds, the same episodes for every skill."""


@dataclass(frozen=True)
class AgentSettings:
    """How a robot behaves towards its hub.

    Attributes:
        poll_seconds: Pause between two questions when there is nothing to do.
        look_seconds: Pause between two looks for a new stable version.
        backoff_seconds: Ceiling of the first pause after the hub did not answer; it doubles each time.
        backoff_cap: Longest pause.
        tolerance: How much worse than the version in use a new one may do in the twin.
        adopts: Whether the robot takes new stable versions into use.
    """

    poll_seconds: float = 2.0
    look_seconds: float = 10.0
    backoff_seconds: float = 1.0
    backoff_cap: float = 300.0
    tolerance: float = 0.1
    adopts: bool = True


class _StoppedError(Exception):
    """Ends a training between two iterations; never leaves this module."""


class Agent:
    """One robot and one skill. `step` does one thing; nothing is held in memory that a restart needs."""

    def __init__(
        self,
        skill: str,
        identity: Identity,
        workbench: Workbench,
        client: HubClient,
        ground: Ground,
        settings: AgentSettings,
        *,
        rng: np.random.Generator,
        report: Callable[[Progress], None],
        stopped: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._skill = skill
        self._identity = identity
        self._bench = workbench
        self._client = client
        self._ground = ground
        self._settings = settings
        self._rng = rng
        self._report = report
        self._stopped = stopped
        self._clock = clock
        self._failures = 0
        self._failed: dict[str, str] = {}
        self._scores: dict[Digest, float] = {}
        self._steps = 0
        self._round = 0
        self._next_look = 0.0
        self._last_said = ""

    def step(self) -> float:
        """Do the next thing there is to do.

        Returns:
            Seconds after which to call again.

        Raises:
            UnauthorizedError, ForbiddenError, SignatureError: The hub does not take this robot for
                what it is; waiting will not mend it.
        """
        try:
            wait = self._step()
        except _StoppedError:
            return 0.0
        except HubUnreachableError as error:
            wait = backoff(
                self._failures, self._rng, base=self._settings.backoff_seconds, cap=self._settings.backoff_cap
            )
            self._failures += 1
            self._say("offline", f"{error} Asking again in {wait:.1f} s.")
            return wait
        self._failures = 0
        return wait

    def look(self) -> None:
        """Take the newest stable version at once, as when there is nothing else to do.

        Raises:
            HubUnreachableError: No answer.
        """
        while self._settings.adopts and self._take_stable():
            pass

    def _step(self) -> float:
        owed = self._bench.pending()
        assignment = self._client.assignment(self._skill)  # 1
        now = datetime.fromtimestamp(self._clock(), UTC)
        match decide(owed[0] if owed else None, assignment, now, self._failed):
            case Push() if owed:
                self._push(*owed)
            case Drop(reason):
                self._give_up(reason)
            case Train(order):
                self._work(order)
            case waiting:
                return self._wait(getattr(waiting, "reason", ""))
        return 0.0

    def _wait(self, reason: str) -> float:
        if self._settings.adopts and self._clock() >= self._next_look:
            self._next_look = self._clock() + self._settings.look_seconds
            if self._take_stable():  # 7
                return 0.0
        if reason != self._last_said:
            self._say("waiting", reason)
        return self._settings.poll_seconds

    def _work(self, order: Assignment) -> None:
        self._round = order.number
        try:
            base = self._pull(order.base)  # 2, 3
            delta = self._practise(base, order)  # 4
            data = delta.to_bytes()
        except HubUnreachableError:
            raise
        except ZunftError as error:
            self._failed[order.round_id] = str(error)
            self._say("failed", str(error))
            return
        owed = Pending(
            skill=self._skill,
            campaign_id=order.campaign_id,
            round_id=order.round_id,
            number=order.number,
            digest=digest_of(data),
            deadline=order.deadline,
        )
        self._bench.keep_pending(owed, data)  # 5
        self._say("kept", f"{len(data)} bytes", iteration=order.training.iterations)
        self._push(owed, data)  # 6

    def _pull(self, version: VersionView) -> Skill:
        skill = self._bench.skill(version.digest)
        if skill is None:
            self._say("pulling", f"version {version.version}")
            skill = self._client.fetch_skill(version)
            self._bench.keep_skill(skill, self._bench.memory(self._skill).in_use)
        check_fit(
            skill.manifest,
            skill=self._skill,
            contract=self._ground.contract,
            task_digest=self._ground.task_digest,
        )
        return skill

    def _practise(self, base: Skill, order: Assignment) -> Delta:
        done = 0

        def tell(iteration: Iteration) -> None:
            nonlocal done
            done += 1
            self._steps += iteration.steps
            self._say("training", success=iteration.success_rate, iteration=done)
            if self._stopped() and done < order.training.iterations:
                raise _StoppedError

        self._say("training", f"round {order.number} of {order.rounds}")
        return self._ground.practise(base, order, self._identity.robot_id, tell)

    def _push(self, owed: Pending, data: bytes) -> None:
        try:
            receipt = self._client.push_delta(owed.round_id, data)
        except (HubUnreachableError, UnauthorizedError, ForbiddenError, SignatureError):
            raise  # the work is kept: it may still be wanted once this is mended
        except ZunftError as error:
            self._give_up(f"the hub refused it: {error}")
            self._failed[owed.round_id] = str(error)
            return
        self._bench.drop_pending()
        self._say("pushed", receipt.status)

    def _give_up(self, reason: str) -> None:
        self._bench.drop_pending()
        self._say("dropped", reason)

    def _take_stable(self) -> bool:
        """Whether there was a new stable version, taken or not."""
        memory = self._bench.memory(self._skill)
        try:
            version = self._client.version(self._skill, "stable")
        except NotFoundError:
            return False
        if version.digest in memory.refused or _uses(memory.in_use, version.digest):
            return False
        try:
            candidate = self._pull(version)
            verdict = judge(self._score(candidate), self._score_in_use(), self._settings.tolerance)
        except HubUnreachableError:
            raise
        except ZunftError as error:
            accepted, reason = False, str(error)
        else:
            accepted, reason = verdict.accepted, verdict.reason
        if accepted:
            memory = memory.use(version.digest, version.version)
        else:
            memory = memory.refuse(version.digest, reason)
        self._bench.keep_memory(self._skill, memory)
        score = self._scores.get(version.digest)
        self._say("adopted" if accepted else "refused", f"version {version.version}: {reason}", success=score)
        return True

    def _score(self, skill: Skill) -> float:
        if skill.digest not in self._scores:
            self._scores[skill.digest] = self._ground.rehearse(skill)
        return self._scores[skill.digest]

    def _score_in_use(self) -> float | None:
        in_use = self._bench.memory(self._skill).in_use
        skill = self._bench.skill(in_use.digest) if in_use else None
        return None if skill is None else self._score(skill)

    def _say(self, phase: Phase, text: str = "", *, success: float | None = None, iteration: int = 0) -> None:
        self._last_said = text
        traffic = self._client.connection.traffic
        self._report(
            Progress(
                robot=self._identity.name,
                phase=phase,
                round=self._round,
                iteration=iteration,
                steps=self._steps,
                success=success,
                sent=traffic.sent,
                received=traffic.received,
                text=text,
            )
        )


def take_turns(
    agents: Sequence[Agent],
    stopped: Callable[[], bool],
    sleep: Callable[[float], object],
    timer: Callable[[], float] = time.monotonic,
) -> None:
    """Let each agent do a step whenever it is due, until stopped."""
    due = [0.0] * len(agents)
    while not stopped():
        for place, agent in enumerate(agents):
            if timer() >= due[place] and not stopped():
                due[place] = timer() + agent.step()
        sleep(max(0.0, min(due) - timer()))


def _uses(in_use: SkillInUse | None, digest: Digest) -> bool:
    return in_use is not None and in_use.digest == digest
