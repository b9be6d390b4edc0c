"""The robot's daemon: what a robot does for its guild, step by step.

    0 tell     what this robot serves, once: so operators see which skills it can run
    1 ask      what there is to do
    2 pull     the round's base
    3 verify   what the guild vouches for, digest, the contract
    4 practise in the robot's own workshop; or first train a master, where lessons ask for one
    5 keep     the delta on disk
    6 push     it until the hub has it, or will not have it
    7 take     a new stable version: verify it, try it in the twin, use it - or keep the old one and say why
    8 tune     the version in use for this robot's home, where its owner wants that

A robot may lose its hub or its power between any two steps: what is owed is on disk, and every
request may be repeated. Decisions are `fleet.sync`'s, step 7 is `fleet.adoption`'s, step 8 `fleet.tuning`'s,
training and trying are the `Place`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

from fleet.adoption import Adoption
from fleet.client import HubClient
from fleet.fetch import DistrustError, Needs, pull_skill
from fleet.health.sharing import HealthSharer
from fleet.personal import Tuning
from fleet.place import Iteration, Place, RobotError, StoppedError, Work
from fleet.progress import Phase, Progress, Voice
from fleet.reporting import Reporter
from fleet.robot_folder import Identity, Pending, RobotFolder
from fleet.sync import Drop, Push, Train, Wait, backoff, decide
from fleet.trust import Vouching
from fleet.tuning import HomeTuning
from fleet.updates import Updates
from skills.container import digest_of
from skills.errors import (
    ForbiddenError,
    HubUnreachableError,
    SignatureError,
    UnauthorizedError,
    ZunftError,
)
from skills.files import Blob
from skills.fits import Abilities
from skills.messages.robots import Refusal
from skills.messages.rounds import Assignment
from skills.skill import Skill

__all__ = ["Agent", "AgentSettings", "take_turns"]


@dataclass(frozen=True)
class AgentSettings:
    """How a robot behaves towards its hub.

    Attributes:
        poll_seconds: How long the hub may hold the question when there is nothing to do.
        look_seconds: Pause between two looks for a new stable version.
        backoff_seconds: Ceiling of the first pause after the hub did not answer; it doubles each time.
        backoff_cap: Longest pause.
        tolerance: How much worse than the version in use a new one may do in the twin.
        adopts: Whether the robot takes new stable versions into use.
        reports: Whether it tells its hub which version it uses and how jobs go with it.
        tells_health: Whether it tells its hub sums of what its joints need, and when it wears.
        tuning: How it tunes the version in use at home; None: not at all.
    """

    poll_seconds: float = 2.0
    look_seconds: float = 10.0
    backoff_seconds: float = 1.0
    backoff_cap: float = 300.0
    tolerance: float = 0.1
    adopts: bool = True
    reports: bool = True
    tells_health: bool = False
    tuning: Tuning | None = None


class Agent:
    """One robot and one skill. `step` does one thing; nothing is held in memory that a restart needs.

    Attributes:
        is_idle: Whether the hub had nothing to do for it when it last asked.
    """

    def __init__(
        self,
        skill: str,
        identity: Identity,
        workbench: RobotFolder,
        client: HubClient,
        place: Place,
        settings: AgentSettings,
        *,
        abilities: Abilities,
        rng: np.random.Generator,
        report: Callable[[Progress], None],
        stopped: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._skill = skill
        self._identity = identity
        self._bench = workbench
        self._client = client
        self._place = place
        self._settings = settings
        self._untold: Abilities | None = abilities
        self._rng = rng
        self._stopped = stopped
        self._clock = clock
        self._voice = Voice(identity.name, client.connection.traffic, report)
        self._needs = Needs(skill, place.contract, place.task_digest)
        self._adoption = Adoption(
            skill,
            workbench,
            client,
            place,
            self._voice,
            self._needs,
            Vouching.by_owner(workbench, client, tries=place.trains),
            settings.tolerance,
            workbench.policy("update", Updates),
            lambda: datetime.fromtimestamp(clock(), UTC).astimezone(),
        )
        self._reporter = Reporter(workbench, skill) if settings.reports else None
        self._health = HealthSharer(workbench, skill, client, tells=settings.tells_health)
        tuning = settings.tuning
        self._tuning = tuning and HomeTuning(skill, workbench, place, self._voice, tuning)
        self._failures = 0
        self._told: tuple[int, str] | None = None
        self._failed: dict[str, str] = {}
        self._next_look = 0.0
        self.is_idle = False

    @property
    def waits(self) -> bool:
        """Whether it waits for an answer of its hub: a signal may then end that with StoppedError."""
        return self._client.connection.waiting

    def step(self) -> float:
        """Do the next thing there is to do.

        Returns:
            Seconds after which to call again.

        Raises:
            UnauthorizedError, ForbiddenError, SignatureError: The hub does not take this robot for
                what it is; waiting will not mend it.
        """
        self.is_idle = False
        try:
            wait = self._step()
        except StoppedError:
            return 0.0
        except HubUnreachableError as error:
            return self._back_off("offline", error, error.retry_after)
        except DistrustError as error:
            self._tell(error)
            return self._back_off("refused", error)
        except RobotError as error:
            return self._back_off("failed", error)
        self._failures = 0
        return wait

    def hears(self, seconds: float) -> bool:
        """Let the hub hold the question for so long at most; whether there is something to do now."""
        with suppress(StoppedError, ZunftError):  # whatever it is, the next step meets it, too
            asked = self._client.assignment(self._skill, wait_seconds=seconds, trains=self._place.trains)
            return asked is not None
        return False

    def look(self) -> None:
        """Take the newest stable version now; not where there is no answer, or no trustworthy one."""
        with suppress(HubUnreachableError, DistrustError, RobotError):
            while self._settings.adopts and self._adoption.look():
                pass

    def _step(self) -> float:
        if self._untold is not None:  # 0
            self._client.tell_abilities(self._untold)
            self._untold = None
        owed = self._bench.pending()
        assignment = self._ask()  # 1
        now = datetime.fromtimestamp(self._clock(), UTC)
        match decide(owed[0] if owed else None, assignment, now, self._failed):
            case Push() if owed:
                self._push(*owed)
            case Drop(reason):
                self._give_up(reason)
            case Train(order):
                self._work(order)
            case Wait(reason):
                self.is_idle = assignment is None
                return self._wait(reason)
        return 0.0

    def _ask(self) -> Assignment | None:
        """What there is to do; what is new of the robot goes with the question."""
        report = self._reporter.news(self._clock()) if self._reporter else None
        self._client.news = report
        assignment = self._client.assignment(self._skill, trains=self._place.trains)
        if self._reporter and report:
            self._reporter.heard(report, self._clock())
        self._health.share(self._clock())
        return assignment

    def _back_off(self, phase: Phase, error: Exception, asked: float = 0.0) -> float:
        settings = self._settings
        wait = backoff(self._failures, self._rng, base=settings.backoff_seconds, cap=settings.backoff_cap)
        # Beyond what the hub asks for, so that robots do not all come back at that moment.
        wait += min(asked, settings.backoff_cap)
        self._failures += 1
        self._voice.say(phase, f"{error} Asking again in {wait:.1f} s.")
        return wait

    def _tell(self, error: DistrustError) -> None:
        """Have the hub know what was refused, once as long as it stays the same."""
        told = Refusal(skill=self._skill, version=error.version, code=error.kind, reason=str(error)[:300])
        if (told.version, told.code) != self._told:
            self._told = (told.version, told.code)
            self._client.untold = told

    def _wait(self, reason: str) -> float:
        if self._settings.adopts and self._clock() >= self._next_look:
            self._next_look = self._clock() + self._settings.look_seconds
            if self._adoption.look():  # 7
                return 0.0
        if self._tuning and self._tuning.look():  # 8
            return 0.0
        if reason != self._voice.last_text:
            self._voice.say("waiting", reason)
        return self._settings.poll_seconds

    def _work(self, order: Assignment) -> None:
        self._voice.round = order.number
        try:
            tell = partial(self._voice.say, "pulling")
            base = pull_skill(self._bench, self._client, order.base, self._needs, tell)  # 2, 3
            if self._place.lacks_master(order.training):
                self._train_master(base, order)
                return  # and ask again: the round may be over by now
            work = self._practise(base, order)  # 4
            data = self._bench.write_delta(work.delta)
            self._bench.keep_private(_owner(order), work.private)
        except (DistrustError, HubUnreachableError, RobotError):
            raise  # it may pass: the round is done again
        except ZunftError as error:
            self._failed[order.round_id] = str(error)
            self._voice.say("failed", str(error))
            return
        owed = Pending(
            skill=self._skill,
            campaign_id=order.campaign_id,
            round_id=order.round_id,
            number=order.number,
            digest=digest_of(data),
            deadline=order.deadline,
        )
        self._bench.keep_pending(owed)  # 5
        self._voice.say("kept", f"{len(data)} bytes", iteration=order.training.iterations)
        self._push(owed, data)  # 6

    def _train_master(self, base: Skill, order: Assignment) -> None:
        plan = order.training
        self._voice.say("training", f"a master first, {plan.master_iterations} iterations")
        self._place.train_master(base, plan, self._teller(plan.master_iterations, "a master"))
        self._voice.say("mastered", "this robot has a master now and joins the lessons.")

    def _practise(self, base: Skill, order: Assignment) -> Work:
        self._voice.say("training", f"round {order.number} of {order.rounds}")
        private, tell = self._bench.private(_owner(order)), self._teller(order.training.iterations)
        return self._place.practise(base, order, self._identity.robot_id, private, tell)

    def _teller(self, iterations: int, text: str = "") -> Callable[[Iteration], None]:
        """Says each of so many iterations, and leaves off before the last where the robot is to end."""
        done = 0

        def tell(iteration: Iteration) -> None:
            nonlocal done
            done += 1
            self._voice.steps += iteration.steps
            success, figures = iteration.success_rate, iteration.learning
            self._voice.say("training", text, success=success, iteration=done, learning=figures)
            if self._stopped() and done < iterations:
                raise StoppedError

        return tell

    def _push(self, owed: Pending, data: Blob) -> None:
        try:
            receipt = self._client.push_delta(owed.round_id, data)
        except (HubUnreachableError, UnauthorizedError, ForbiddenError, SignatureError):
            raise  # the work is kept: it may still be wanted once this is mended
        except ZunftError as error:
            self._give_up(f"the hub refused it: {error}")
            self._failed[owed.round_id] = str(error)
            return
        self._bench.drop_pending()
        late = f", {receipt.staleness} rounds late" if receipt.staleness else ""
        self._voice.say("pushed", f"{receipt.status}{late}")

    def _give_up(self, reason: str) -> None:
        self._bench.drop_pending()
        self._voice.say("dropped", reason)


def _owner(order: Assignment) -> str:
    """Whose what training keeps is: a campaign's, and within that a learner's; no other knows of it."""
    learner = order.training.learner
    return f"{order.campaign_id} {learner.model_dump_json()}" if learner else order.campaign_id


def take_turns(
    agents: Sequence[Agent],
    stopped: Callable[[], bool],
    sleep: Callable[[float], object],
    timer: Callable[[], float] = time.monotonic,
) -> None:
    """Let each agent do a step whenever it is due, until stopped.

    Where none has anything to do, one of them asks the hub to say when there is: they serve the same skill.
    """
    due = [0.0] * len(agents)
    while not stopped():
        for place, agent in enumerate(agents):
            if timer() >= due[place] and not stopped():
                due[place] = timer() + agent.step()
        pause = max(0.0, min(due) - timer())
        if pause and not stopped() and all(agent.is_idle for agent in agents):
            if agents[due.index(min(due))].hears(pause):
                due = [0.0] * len(agents)
            pause = max(0.0, min(due) - timer())
        if not stopped():
            sleep(pause)
