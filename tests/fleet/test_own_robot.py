from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envs.scripted import controller
from envs.task import load_task
from fleet.own_robot import load_env, rehearse
from skills.errors import ContractError
from skills.policy import Policy
from tests.fleet import own_robots
from zunft.new_skill import new_skill

HERE = "tests.fleet.own_robots"
TASK = load_task("weld-seam")


def test_an_environment_that_fits_is_loaded() -> None:
    assert load_env(f"{HERE}:make_good", TASK).action_space.shape == (TASK.contract.action_size,)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("", "does not name a function"),
        (HERE, "does not name a function"),
        (":make_good", "does not name a function"),
        ("no.such.module:make", "ModuleNotFoundError: No module named 'no'"),
        (f"{HERE}:make_nothing", "has no function 'make_nothing'"),
        (f"{HERE}:nothing_to_call", "has no function 'nothing_to_call'"),
        (f"{HERE}:make_a_dictionary", "it returned dict, not a gymnasium.Env"),
        (f"{HERE}:make_trouble", "OSError: the controller does not answer"),
        (f"{HERE}:make_with_a_sensor_missing", r"shape \(36,\) instead of \(37,\)"),
        (f"{HERE}:make_with_joint_commands", r"shape \(6,\) instead of \(5,\)"),
        (f"{HERE}:make_blind", "is not finite"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(reference: str, words: str) -> None:
    with pytest.raises(ContractError, match=words) as caught:
        load_env(reference, TASK)
    assert caught.value.remedy


def test_a_module_that_breaks_on_import_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_cell.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ContractError, match="RuntimeError: no licence"):
        load_env("broken_cell:make_env", TASK)


def test_a_module_beside_which_the_command_starts_is_found_but_shadows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_cell.py").write_text("from tests.fleet.own_robots import make_good as make_env\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_env("my_cell:make_env", TASK).unwrapped is not None
    assert sys.path[-1] == str(tmp_path)


def test_a_rehearsal_counts_successes() -> None:
    env = own_robots.make_good()
    good = rehearse(env, controller("pd-look-ahead", TASK), TASK, episodes=6, seed=0)
    untrained = rehearse(env, Policy(new_skill("weld-seam", seed=0)), TASK, episodes=6, seed=0)
    assert good.successes > untrained.successes
    assert (good.episodes, good.low < good.score <= good.high) == (6, True)


def test_an_environment_that_does_not_say_whether_it_succeeded_is_refused() -> None:
    policy = Policy(new_skill("weld-seam", seed=0))
    with pytest.raises(ContractError, match="whether it succeeded"):
        rehearse(own_robots.make_silent(), policy, TASK, episodes=1, seed=0)
