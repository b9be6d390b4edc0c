"""Why a trial learned nothing, as far as its figures tell, and what to change.

Pure: a trial in, sentences out. Training and scoring are `zunft.trial`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skills.messages.training import Algorithm
from zunft.trial import Trial

__all__ = ["advice"]

LEARNED = 0.5
"""Share of the jobs at home from which on nothing is said."""
FLAT = 0.05
"""A return that changed by less than so much of itself did not change."""
AHEAD = 3
"""An episode may be so many times longer than what the discount looks ahead."""


def advice(trial: Trial, learner: Algorithm, horizon: int) -> list[str]:
    """What to look at first where hardly a job is done after training; nothing where it went well.

    Args:
        trial: What was found.
        learner: What it learned with.
        horizon: Control steps of an episode.
    """
    done = trial.home["trained"].score
    return [] if done >= LEARNED else list(_reasons(trial, learner, horizon))


def _reasons(trial: Trial, learner: Algorithm, horizon: int) -> Iterator[str]:
    returns = [point.mean_return for point in trial.curve if point.mean_return is not None]
    if not returns:
        yield f"No episode of {horizon} steps ended in {trial.curve[-1].steps:,}: give it more --iterations."
        return
    ahead = 1 / (1 - learner.discount) if learner.discount < 1 else float("inf")
    if ahead * AHEAD < horizon:
        better = 1 - AHEAD / horizon
        yield (
            f"The discount {learner.discount:g} looks {ahead:.0f} steps ahead, an episode has {horizon}: "
            f"where the reward comes late, try --knob discount={better:.2g}."
        )
    first, last = _ends(returns)
    if abs(last - first) < FLAT * max(abs(first), abs(last), 1e-9):
        yield (
            f"The return stayed at {last:.3g}: where exploration gets to, the reward says nothing. "
            "Widen a tolerance under [reward] or give it a slope; zunft task trace shows what is reached."
        )
    elif last > first and _rises(returns):
        yield f"The return still rises ({first:.3g} to {last:.3g}): give it more --iterations."
    else:
        yield _settled(first, last)


def _settled(first: float, last: float) -> str:
    if last < first:
        return (
            f"The return fell from {first:.3g} to {last:.3g}: lower the rate, or look for numbers that jump."
        )
    return (
        f"The return rose from {first:.3g} to {last:.3g} and stays, and few jobs are done: the reward "
        "pays for something else than [success] asks. zunft task trace with -o shows both over time."
    )


def _ends(returns: Sequence[float]) -> tuple[float, float]:
    """Means of the first and the last tenth."""
    tenth = max(1, len(returns) // 10)
    return sum(returns[:tenth]) / tenth, sum(returns[-tenth:]) / tenth


def _rises(returns: Sequence[float]) -> bool:
    """Whether the last quarter gained a tenth of all that was gained, or more."""
    quarter = returns[-max(2, len(returns) // 4) :]
    first, last = _ends(returns)
    return quarter[-1] - quarter[0] > 0.1 * (last - first)
