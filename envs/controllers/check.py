"""Do the names in a controller lead somewhere, and do the sizes fit? What pydantic cannot see.

Each complaint is a place in the controller and what is wrong there; making an error of it is `envs.task`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envs.controllers.controller import CLOCKS, Controller, Sides, full
from envs.controllers.parts import wrong_conditions, wrong_part
from envs.names import unknown

__all__ = ["controller_complaints", "estimate_complaints", "outputs_of"]

Complaint = tuple[tuple[str | int, ...], str]


def controller_complaints(
    given: Sides | Controller, seen: Mapping[str, int], actions: Mapping[str, int], dt: float
) -> Iterator[Complaint]:
    """Everything that refers to nothing or does not fit.

    Args:
        given: The controller, in either form.
        seen: Components of what it observes, by channel.
        actions: Components of each action.
        dt: Of a control step, s.
    """
    controller = full(given)
    sizes = {**dict.fromkeys(CLOCKS, 1), **seen}
    for name, block in controller.blocks.items():
        if name in seen:
            yield ("blocks", name), "an observation has that name"
        for message in block.wrong(sizes, dt):
            yield ("blocks", name), message
        sizes |= outputs_of(name, block.outputs(sizes))
    for place, message in _sums(controller, sizes, actions):
        yield place if given is controller else place[1:], message
    for name, phase in controller.phases.items():
        for message in wrong_conditions(phase.until, sizes):
            yield ("phases", name, "until"), message
        yield from _limits(("phases", name), phase.limits, actions)
    yield from _limits((), controller.limits, actions)


def estimate_complaints(
    given: Sides | Controller, oracle: Sides | Controller, seen: Mapping[str, int], told: Mapping[str, int]
) -> Iterator[Complaint]:
    """What is wrong where a controller acts as the oracle would, who is told what it reads instead.

    Args:
        given: The controller.
        oracle: The bundle's.
        seen: Components of what both observe.
        told: And of what only the twin knows.
    """
    estimates = full(given).oracle
    if not estimates:
        return
    if not oracle or full(oracle).remembers:
        yield ("oracle",), "there is no oracle, without a memory of its own, that could be told"
        return
    sizes = {**dict.fromkeys(CLOCKS, 1), **seen}
    for name, block in full(given).blocks.items():
        sizes |= outputs_of(name, block.outputs(sizes))
    for name, signal in estimates.items():
        if name not in told:
            yield ("oracle", name), unknown("thing that the twin knows", name, told)
        elif signal not in sizes:
            yield ("oracle", name), unknown("observation", signal, sizes)
        elif sizes[signal] != told[name]:
            yield ("oracle", name), f"{signal!r} has {sizes[signal]} components, {name!r} {told[name]}"
    reads = {name for _, parts in full(oracle).all_sides() for part in parts for name in part.reads()}
    for name in sorted(reads & {*told} - {*estimates}):
        yield ("oracle",), f"the oracle reads {name!r}, too: say what it is told"


def outputs_of(name: str, outputs: Mapping[str, int]) -> dict[str, int]:
    """Components of what a block gives, as others read it."""
    return {f"{name}.{key}" if key else name: size for key, size in outputs.items()}


def _sums(
    controller: Controller, sizes: Mapping[str, int], actions: Mapping[str, int]
) -> Iterator[Complaint]:
    for place, parts in controller.all_sides():
        action = place[-1]
        if action not in actions:
            yield place, unknown("action", action, actions)
            continue
        for number, part in enumerate(parts):
            for message in wrong_part(part, sizes, actions[action]):
                yield (*place, number), message


def _limits(
    place: tuple[str, ...], limits: Mapping[str, float], actions: Mapping[str, int]
) -> Iterator[Complaint]:
    for action in limits:
        if action not in actions:
            yield (*place, "limits", action), unknown("action", action, actions)
