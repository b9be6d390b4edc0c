"""Do the names in a `task.toml` lead somewhere, and do the sizes fit? What pydantic cannot see.

Each complaint is a place in the file and what is wrong there; making an error of it is `envs.task`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from envs.controllers.check import controller_complaints, estimate_complaints
from envs.controllers.controller import full
from envs.figures import hull
from envs.format import TaskFile
from envs.late import DELAY, MOST_DELAY
from envs.names import unknown
from envs.values import Outputs
from envs.variation import Variation
from skills.manifest import Channel, Contract

__all__ = ["complaints"]

Place = tuple[str | int, ...]
Complaint = tuple[Place, str]


def complaints(
    file: TaskFile, outputs: Outputs, contract: Contract | None, twin: Sequence[Channel] = ()
) -> Iterator[Complaint]:
    """Everything that refers to nothing or does not fit."""
    yield from _actions(file)
    yield from _quantities(file, outputs)
    yield from _references(file, outputs)
    yield from _figures(file)
    yield from _observations(file, outputs)
    yield from _known(file, outputs)
    if contract is not None:
        yield from _controllers(file, contract, twin)


def _actions(file: TaskFile) -> Iterator[Complaint]:
    known = file.control.channels
    for number, channel in enumerate(file.action):
        if channel.of not in known:
            yield ("action", number, "of"), unknown("thing to drive", channel.of, known)
    yield from _twice("action", [channel.name for channel in file.action])
    yield from _twice("action", [channel.of for channel in file.action])
    yield from _twice("observation", [channel.name for channel in file.observation])


def _twice(side: str, names: list[str]) -> Iterator[Complaint]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield (side, number), f"{name!r} is there twice"


def _quantities(file: TaskFile, outputs: Outputs) -> Iterator[Complaint]:
    later: set[str] = set()
    for name, term in file.quantities.items():
        later |= {f"{name}.{key}" if key else name for key in term.outputs()}
    for name, term in file.quantities.items():
        for reference in term.references():
            if reference not in outputs:
                yield ("quantities", name), unknown("quantity", reference, outputs)
            elif reference in later:
                yield ("quantities", name), f"it reads {reference!r}, which must stand before it"
        later -= {f"{name}.{key}" if key else name for key in term.outputs()}


def _references(file: TaskFile, outputs: Outputs) -> Iterator[Complaint]:
    lists: dict[Place, Iterable[object]] = {
        ("observation",): file.observation,
        ("reward", "tolerance"): file.reward.tolerance,
        ("reward", "cost"): file.reward.cost,
        ("success", "steps"): file.success.steps,
        ("success", "end"): file.success.end,
        ("failure",): file.failure,
    }
    for place, entries in lists.items():
        for number, entry in enumerate(entries):
            of = getattr(entry, "of")  # noqa: B009 - six models share this field
            if of not in outputs:
                yield (*place, number, "of"), unknown("quantity", of, outputs)


def _figures(file: TaskFile) -> Iterator[Complaint]:
    both = {**file.robots, **file.jobs}
    for name in file.robots.keys() & file.jobs.keys():
        yield ("jobs", name), "it is a figure of the robots already"
    for name, term in file.quantities.items():
        for figure in term.figures():
            if figure not in both:
                yield ("quantities", name), unknown("figure", figure, both)
    yield from _sensor_figures(file)
    yield from _change_figures(file)
    yield from _robot_figures(file)
    yield from _job_figures(file)
    yield from _control_figures(file)


def _sensor_figures(file: TaskFile) -> Iterator[Complaint]:
    for number, channel in enumerate(file.observation):
        for key in ("noise", "offset", "turn"):
            figure = getattr(channel, key)
            if isinstance(figure, str) and figure not in file.robots:
                yield ("observation", number, key), unknown("figure of the robots", figure, file.robots)
        if isinstance(channel.delay, str):
            yield from _delay(("observation", number, "delay"), channel.delay, {**file.robots, **file.jobs})


def _change_figures(file: TaskFile) -> Iterator[Complaint]:
    both = {**file.robots, **file.jobs}
    for number, change in enumerate(file.changes):
        variation = both.get(change.by)
        if variation is None:
            yield ("changes", number, "by"), unknown("figure", change.by, both)
        elif _wordy(variation) or variation.size != (2 if change.what == "tilt" else 1):
            wanted = "two numbers: a tilt about x and one about y" if change.what == "tilt" else "one number"
            yield ("changes", number, "by"), f"{change.by!r} is not {wanted}"
        elif change.what == "tilt":
            continue
        elif change.what == "position":
            if change.by not in file.jobs:
                yield (
                    ("changes", number, "by"),
                    "where a joint stands when a job begins is a figure of the jobs",
                )
        elif change.what == "centre":
            continue  # which may lie on either side
        elif hull(variation)[0] < 0 or (change.what == "length" and hull(variation)[0] == 0):
            yield ("changes", number, "by"), f"{change.what} is not as little as {hull(variation)[0]:g}"


def _delay(place: Place, name: str, figures: Mapping[str, Variation]) -> Iterator[Complaint]:
    variation = figures.get(name)
    if variation is None:
        yield place, unknown("figure", name, figures)
    elif (
        _wordy(variation)
        or variation.size != 1
        or not 0 <= hull(variation)[0] <= hull(variation)[1] <= MOST_DELAY
    ):
        yield place, f"a delay is one number within 0 and {MOST_DELAY}"


def _wordy(variation: Variation) -> bool:
    held_out = variation.held_out.values if variation.held_out else ()
    return any(isinstance(value, str) for value in (*variation.values, *held_out))


def _job_figures(file: TaskFile) -> Iterator[Complaint]:
    if DELAY in file.jobs:
        yield from _delay(("jobs", DELAY), DELAY, file.jobs)


def _robot_figures(file: TaskFile) -> Iterator[Complaint]:
    read = file.control.bounds
    for name, variation in file.robots.items():
        if variation.window:
            yield ("robots", name), "a window is for figures of the jobs"
        elif _wordy(variation):
            yield ("robots", name), "figures of the robots are numbers; words are for jobs"
        elif name in read:
            low, high = read[name]
            least, most = hull(variation)
            if variation.size != 1 or not low <= least <= most <= high:
                yield ("robots", name), f"the robot's drive needs one number within {low:g} and {high:g}"


def _control_figures(file: TaskFile) -> Iterator[Complaint]:
    for entry, message in file.control.complaints(file.robots, file.jobs):
        yield ("control", entry), message
    for name, size in (("heading", 1), ("offset", 3)):
        if name in file.jobs and file.jobs[name].size != size:
            yield ("jobs", name), f"it has {file.jobs[name].size} components instead of {size}"


def _observations(file: TaskFile, outputs: Outputs) -> Iterator[Complaint]:
    for number, channel in enumerate(file.observation):
        if channel.of not in outputs:
            continue
        size = outputs[channel.of].size
        if channel.part and not 0 <= channel.part[0] < channel.part[1] <= size:
            yield ("observation", number, "part"), f"{channel.of} has {size} components"
        seen = channel.part[1] - channel.part[0] if channel.part else size
        if channel.turn and seen % 3:
            yield ("observation", number, "turn"), "only vectors of three can be turned"
        if channel.offset in file.robots and file.robots[str(channel.offset)].size != seen:
            yield ("observation", number, "offset"), f"it needs {seen} components"


def _known(file: TaskFile, outputs: Outputs) -> Iterator[Complaint]:
    sizes = {name: each.size for name, each in {**file.robots, **file.jobs}.items() if not _wordy(each)}
    sizes |= {name: output.size for name, output in outputs.items()}
    names = [channel.name for channel in file.observation] + [each.name for each in file.twin]
    for number, each in enumerate(file.twin):
        if each.name in names[: len(file.observation) + number]:
            yield ("twin", number), f"{each.name!r} is there twice"
        if each.of not in sizes:
            yield ("twin", number, "of"), unknown("quantity or figure", each.of, sizes)
        elif each.part and not 0 <= each.part[0] < each.part[1] <= sizes[each.of]:
            yield ("twin", number, "part"), f"{each.of} has {sizes[each.of]} components"


def _controllers(file: TaskFile, contract: Contract, twin: Sequence[Channel]) -> Iterator[Complaint]:
    seen = {channel.name: channel.size for channel in contract.observation}
    told = {channel.name: channel.size for channel in twin}
    actions = {channel.name: channel.size for channel in contract.action}
    dt = 1 / file.control_hz
    for name, given in file.scripted.items():
        for place, message in controller_complaints(given, seen, actions, dt):
            yield ("scripted", name, *place), message
        for place, message in estimate_complaints(given, file.oracle, seen, told):
            yield ("scripted", name, *place), message
    for place, message in controller_complaints(file.oracle, seen | told, actions, dt):
        yield ("oracle", *place), message
    if file.oracle and not told:
        yield ("oracle",), "there is no [[twin]] that could tell it anything"
    if full(file.oracle).oracle:
        yield ("oracle", "oracle"), "the oracle is told by the twin itself"
