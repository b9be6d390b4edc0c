"""A hub that kills itself, as `kill -9` would, at the end of the transaction that takes a roll-out on.

`serve_until(EVENT, "before_commit" or "after_commit")` is what a process of `tests.hub.running` runs.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import event as happenings
from sqlalchemy.orm import Session

from hub.rollouts import engine, orders
from hub.rollouts.engine import RolloutEngine
from hub.server import serve
from hub.settings import Settings
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.skill import Skill
from tests.hub.idle import NOTHING, does_nothing
from tests.hub.replica import SCORE

__all__ = ["Moment", "serve_until"]

Moment = Literal["before_commit", "after_commit"]


def serve_until(event: str, when: Moment) -> None:
    """Be a hub, but for its gate, until a roll-out comes to this event; an empty one never comes."""
    listening, run_once = threading.Event(), RolloutEngine.run_once
    # Whoever started it waits until it listens: it does not die before that.
    RolloutEngine.run_once = lambda self: listening.is_set() and run_once(self)  # type: ignore[method-assign]

    def deadly(enter: Callable[..., Any], event_of: Callable[..., str]) -> Any:
        def entering(session: Session, *words: Any, **more: Any) -> Any:
            if event_of(*words) == event:
                happenings.listen(session, when, lambda _: os.kill(os.getpid(), signal.SIGKILL))
            return enter(session, *words, **more)

        return entering

    for module in (engine, orders):
        module.enter = deadly(module.enter, lambda *words: str(words[2]))  # type: ignore[attr-defined]
    orders.begin = deadly(orders.begin, lambda *_: "started")  # type: ignore[attr-defined]
    serve(Settings(), gate=finds_good, announce=lambda _: listening.set())


def finds_good(candidate: Skill, _: Skill | None, __: GatePlan) -> GateReport:
    """Every version but the one that does nothing."""
    if does_nothing(candidate):
        return NOTHING
    return GateReport(passed=True, reason="Passed.", candidate=SCORE, current=None, seconds=0.0)
