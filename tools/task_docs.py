"""The pages about tasks: their format from the models that check it, their cards from the bundles.

`tools.make_docs` writes them. Scores come from docs/tasks/results, written by `zunft task try`; here
nothing is trained.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from envs.bundle import bundle_names
from envs.controllers.controller import BLOCKS, Controller, Phase
from envs.defaults import Training
from envs.drives.base import Acted
from envs.drives.flight import Wind
from envs.drives.registry import known_drives
from envs.examine import EPISODES, LEAST_SCRIPTED, LEAST_STEPS, MOST_IDLE, REWARD_LIMIT, SIZE_LIMITS
from envs.format import (
    Change,
    Condition,
    Cost,
    Feedback,
    Known,
    Observed,
    Reward,
    Schedule,
    Success,
    TaskFile,
    Tolerance,
    task_file,
)
from envs.scripted import controllers
from envs.senses import LIMIT
from envs.task import Task, load_task
from envs.terms.registry import known_terms
from envs.variation import Range, Variation
from skills.messages.campaigns import CampaignPlan
from skills.messages.plans import MergePlan, TrainingPlan
from zunft.trial import Trial

__all__ = ["DOCS", "TASK_PAGES", "filled", "section"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
SECTIONS: tuple[type[BaseModel], ...] = (
    TaskFile, *known_drives().values(), Wind, Variation, Range, Change, Observed, Known, Acted, Reward,
    Tolerance, Cost, Success, Condition, Training, CampaignPlan, TrainingPlan, MergePlan, Feedback, Schedule,
    Controller, Phase,
)  # fmt: skip
BEGIN, END = "<!-- {}: made by `python -m tools.make_docs` -->", "<!-- end of {} -->"


def tasks_page() -> str:
    """docs/tasks.md with its tables made anew."""
    blocks = {
        "tasks": _overview(),
        "sections": _sections(),
        "terms": _terms(),
        "blocks": _blocks(),
        "drives": _drives(),
        "thresholds": _thresholds(),
    }
    return filled((DOCS / "tasks.md").read_text(), blocks)


def schema_page() -> str:
    """The JSON schema of task.toml, for editors."""
    schema = task_file().model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1) + "\n"


def card_page(name: str) -> str:
    """A task's card with its tables made anew."""
    task = load_task(name)
    blocks = {"bundle": _bundle(task), "scores": _scores(name)}
    return filled((DOCS / "tasks" / f"{name}.md").read_text(), blocks)


def filled(page: str, blocks: dict[str, str]) -> str:
    """A page with its blocks, by name, made anew."""
    for name, text in blocks.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = page.split(begin)
        page = f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}"
    return page


def _overview() -> str:
    rows = []
    for name in bundle_names():
        task = load_task(name)
        sizes = f"{task.contract.observation_size} / {task.contract.action_size}"
        rows.append((f"[`{name}`](tasks/{name}.md)", task.bundle.summary or task.title,
                     ", ".join(task.bundle.embodiments), sizes, f"{task.horizon * task.dt:g} s"))  # fmt: skip
    return _table(("task", "what is asked", "robots", "observed / acted", "episode"), rows)


def _sections() -> str:
    return "\n\n".join(section(each) for each in SECTIONS)


def _terms() -> str:
    return "\n\n".join(section(term, title=f"`{kind}`") for kind, term in known_terms().items())


def _blocks() -> str:
    kinds = {str(block.model_fields["kind"].annotation.__args__[0]): block for block in BLOCKS}
    return "\n\n".join(section(block, title=f"`{kind}`") for kind, block in kinds.items())


def section(model: type[BaseModel], title: str | None = None) -> str:
    """What a section of a file or message says, as a table of its entries."""
    text, attributes = _docstring(model)
    rows = []
    for name, field in model.model_fields.items():
        needed = (
            "needed" if field.is_required() else f"`{_default(field.get_default(call_default_factory=True))}`"
        )
        rows.append((f"`{name}`", needed, attributes.get(name, "")))
    return f"#### {title or f'`{model.__name__}`'}\n\n{text}\n\n{_table(('entry', 'default', ''), rows)}"


def _docstring(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """Text, and what each attribute is: of the classes that it derives from as well."""
    attributes: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base.__doc__ and base is not object and issubclass(base, BaseModel):
            part = inspect.cleandoc(base.__doc__).partition("Attributes:\n")[2]
            entries = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", part, re.MULTILINE)
            attributes |= {name: " ".join(text.split()) for name, text in entries}
    return inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[0].strip(), attributes


def _default(value: object) -> str:
    if isinstance(value, BaseModel):
        return type(value).__name__
    return "-" if value in (None, "", (), {}) else str(value)


def _drives() -> str:
    parts = []
    for kind, drive in known_drives().items():
        channels = ", ".join(f"`{name}` ({size} x {unit})" for name, (size, unit) in drive.channels.items())
        known = ", ".join(f"`{name}` ({size} x {unit})" for name, (size, unit) in drive.quantities.items())
        parts.append(f'**`kind = "{kind}"`**: an action may drive {channels}. Always known: {known}.')
    parts.append(
        "Of every robot: `action.last`, `action.before`, `action.change` (as many as it has actions) and "
        "`clock.left` (share of the time that is left)."
    )
    return "\n\n".join(parts)


def _thresholds() -> str:
    sizes = ", ".join(f"`{name}` {most:,}" for name, most in SIZE_LIMITS.items())
    both = f"{EPISODES} episodes as its data sheet says and {EPISODES} held out"
    rows = [
        ("sizes", f"at most {sizes}"),
        ("start", "on each robot everything lies still and apart"),
        ("finite", "every observation is a finite number"),
        ("reward", f"between -{REWARD_LIMIT:g} and {REWARD_LIMIT:g} a step"),
        ("informative", f"each observation varies, and is seldom cut off at {LIMIT:g} times its scale"),
        ("speed", f"{LEAST_STEPS:g} control steps a second, all copies together"),
        ("repeats", "same seed, same numbers"),
        ("held out", "nothing that is held out is drawn for training"),
        ("figures", "only advice: each figure changes something that is sensed, measured or rewarded"),
        ("asks for skill", f"doing nothing, and random actions, succeed in at most {MOST_IDLE:.0%}"),
        (
            "solvable",
            f"on each robot the last controller succeeds in at least {LEAST_SCRIPTED:.0%} of {both}",
        ),
        ("controllers", "only told, where there are several: what each does on the first robot"),
    ]
    return _table(("check", "what is asked"), rows)


def _bundle(task: Task) -> str:
    file = task.bundle
    observed = [
        (f"`{c.name}`", str(c.size), f"{c.scale:g} {c.unit}", f"`{o.of}`{_sensing(o)}")
        for c, o in zip(task.contract.observation, file.observation, strict=True)
    ]
    acted = [
        (f"`{c.name}`", str(c.size), f"{c.scale:g} {c.unit}", f"`{a.of}`")
        for c, a in zip(task.contract.action, file.action, strict=True)
    ]
    varied = [
        (f"`{name}`", side, _range(each), _held_out(each), each.unit)
        for side, group in (("robot to robot", file.robots), ("job to job", file.jobs))
        for name, each in group.items()
    ]
    return "\n\n".join(
        [
            f"Admits {', '.join(file.embodiments)}; {file.control_hz:g} Hz, {task.horizon} steps.",
            "**Success**: " + _success(file),
            "**Controllers**: "
            + ", ".join(f"`{each.name}` ({each.kind})" for each in controllers(task).values()),
            _table(("observed", "numbers", "1 means", "of"), observed),
            _table(("acted", "numbers", "1 means", "drives"), acted),
            _table(("varies", "from", "within", "held out", "unit"), varied),
            *_told(task),
        ]
    )


def _told(task: Task) -> Iterable[str]:
    if task.twin:
        rows = [
            (f"`{c.name}`", str(c.size), f"{c.scale:g} {c.unit}", f"`{each.of}`")
            for c, each in zip(task.twin, task.bundle.twin, strict=True)
        ]
        yield _table(("only the twin knows", "numbers", "1 means", "of"), rows)


def _sensing(channel: Observed) -> str:
    facts = [f"{key} {getattr(channel, key)}" for key in ("part", "noise", "lever", "offset", "turn", "delay")
             if getattr(channel, key)]  # fmt: skip
    return f" ({', '.join(facts)})" if facts else ""


def _success(file: TaskFile) -> str:
    parts = []
    if file.success.steps:
        counted = f"{file.success.share:.0%} of the steps after the first {file.success.grace}"
        parts.append(f"in {counted}, all at once: {_conditions(file.success.steps)}")
    if file.success.end:
        parts.append(f"at the end: {_conditions(file.success.end)}")
    if file.failure:
        parts.append(f"it fails at once where {_conditions(file.failure, ' or ')}")
    return "; ".join(parts) + "."


def _conditions(conditions: Iterable[Condition], glue: str = ", ") -> str:
    return glue.join(each.words for each in conditions)


def _range(variation: Variation) -> str:
    if variation.drawn is None:
        return f"always {_numbers(variation.nominal)}"
    window = f" (each workshop {variation.window:.0%} of it)" if variation.window else ""
    return f"{_interval(variation.drawn)}{window}"


def _held_out(variation: Variation) -> str:
    return _interval(variation.held_out) if variation.held_out else ""


def _interval(given: Range) -> str:
    if given.values:
        return ", ".join(str(value) for value in given.values)
    return f"{_numbers(given.low)} to {_numbers(given.high)}"


def _numbers(value: object) -> str:
    return "(" + ", ".join(f"{x:g}" for x in value) + ")" if isinstance(value, tuple) else f"{value:g}"


def _scores(name: str) -> str:
    path = DOCS / "tasks" / "results" / f"{name}.json"
    if not path.is_file():
        return "Nobody has tried it yet."
    trial = Trial.model_validate_json(path.read_text())
    rows = []
    for player, home in trial.home.items():
        kept = trial.held_out[player]
        rows.append((player, *(f"{s.score:.2f} [{s.low:.2f}, {s.high:.2f}]" for s in (home, kept))))
    table = _table(("who", f"at home, `{trial.workshop}`", "held-out robots"), rows)
    episodes = (trial.home["trained"].episodes, trial.held_out["trained"].episodes)
    stale = "" if trial.task_digest == load_task(name).digest else " The bundle has changed since."
    return (
        f"{table}\n\n`zunft task try {name} --iterations {len(trial.curve)} --seed {trial.seed}`: "
        f"{trial.curve[-1].steps:,} steps of one robot in {trial.seconds:.0f} s, then {episodes[0]} and "
        f"{episodes[1]} episodes; Wilson 95 % intervals.{stale}"
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join(
        lines + [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    )


TASK_PAGES: dict[str, Callable[[], str]] = {
    "tasks.md": tasks_page,
    "task.schema.json": schema_page,
    **{f"tasks/{name}.md": partial(card_page, name) for name in bundle_names()},
}
