"""A fuzzed bundle is loaded or refused with a place and a remedy; nothing else may happen."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs.bundle import BUNDLES, bundle_names
from envs.task import Task, load_task
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet, fresh_workshop
from skills.errors import ContractError
from tests.envs.bundles import SCENE, SMALL, small_bundle

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["tool.position", "high", "path", "../x", "a.b.c", "speed", "1"]),
    st.lists(st.floats(-2, 2), max_size=4),
    st.dictionaries(st.sampled_from(["of", "kind", "low", "high", "values"]), st.floats(-2, 2), max_size=3),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def toml(value: Any) -> str:
    """TOML in one line; JSON's strings are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value) if isinstance(value, str | bool | int) else '"none"'


def replaced(document: dict[str, Any], place: tuple[Any, ...], value: Any, *, delete: bool) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    inner: Any = copy
    for key in place[:-1]:
        inner = inner[key]
    if delete:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return copy


def use(task: Task) -> None:
    """What a worker would do next, in small."""
    robot = task.file.embodiments[0]
    for shop in (data_sheet(task.file, robot), fresh_workshop(task.file, robot, 0, held_out=True)):
        env = TaskVectorEnv(task, shop, 1, seed=0)
        env.reset()
        env.step(env.action_space.sample())


def try_out(folder: Path, text: str, scene: str = SCENE, *, run: bool = True) -> None:
    try:
        task = load_task(small_bundle(folder / "Bundle", toml=text, scene=scene))
        if run and task.horizon <= 1000 and len(task.outputs) < 100:
            use(task)
    except ContractError as error:
        complete = bool(error.where and error.remedy)
    else:
        complete = True
    assert complete, "a refusal says where, and what would be right"


DOCUMENTS = {"small": tomllib.loads(SMALL)} | {
    name: tomllib.loads((BUNDLES / name / "task.toml").read_text()) for name in bundle_names()
}


@quick
@given(st.data())
def test_one_entry_replaced_by_junk(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DOCUMENTS)))
    document = DOCUMENTS[name]
    place = data.draw(st.sampled_from(places(document)[1:]))
    changed = replaced(document, place, data.draw(junk), delete=data.draw(st.booleans()))
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in changed.items())
    try_out(tmp_path, text, run=name == "small")


@quick
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_random_text_as_toml(tmp_path: Path, text: str) -> None:
    try_out(tmp_path, text)
    try_out(tmp_path, SMALL + "\n" + text)


@quick
@given(st.integers(0, len(SCENE) - 1), st.integers(1, 30), st.text(max_size=10))
def test_a_damaged_scene(tmp_path: Path, begin: int, length: int, text: str) -> None:
    damaged = SCENE[:begin] + text + SCENE[begin + length :]
    if re.search(r"[\ud800-\udfff]", damaged):
        return
    try_out(tmp_path, SMALL, damaged)


@pytest.mark.parametrize("name", bundle_names())
def test_every_line_that_is_left_out_is_taken_or_complained_about(name: str, tmp_path: Path) -> None:
    lines = (BUNDLES / name / "task.toml").read_text().splitlines()
    for number in range(0, len(lines), 5):
        try_out(tmp_path, "\n".join(lines[:number] + lines[number + 1 :]), run=False)
