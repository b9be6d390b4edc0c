"""Task bundles: data that is checked at the border; each refusal names file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.bundle import bundle_names
from envs.task import load_task
from skills.errors import ContractError
from tests.envs.bundles import SMALL, copied, small_bundle, small_task

HAMMER = '[[action]]\nname = "velocity"\nof = "hammer"'


def test_the_contract_of_weld_seam_has_37_observations_and_5_actions_at_50_hz() -> None:
    contract = load_task("weld-seam").contract
    assert (contract.observation_size, contract.action_size, contract.control_hz) == (37, 5, 50)
    assert [channel.unit for channel in contract.action] == ["m/s", "rad/s"]


def test_a_copied_bundle_has_the_same_digest_and_any_change_another(tmp_path: Path) -> None:
    bundle = copied("weld-seam", tmp_path)
    original = load_task("weld-seam").digest
    assert load_task(bundle).digest == original
    (bundle / "scene.xml").write_text((bundle / "scene.xml").read_text() + "<!-- -->")
    assert load_task(bundle).digest != original
    (bundle / "scene.xml").rename(bundle / "other.xml")
    with pytest.raises(ContractError, match=r"no scene\.xml"):
        load_task(bundle)


@pytest.mark.parametrize("name", ["weld", "../tasks", "/nowhere"])
def test_an_unknown_task_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(ContractError, match="weld-seam"):
        load_task(name)


@pytest.mark.parametrize(
    ("old", "new", "line", "named"),
    [
        ("horizon = 20", "horizon = 0", "horizon = 0", "horizon"),
        ("horizon = 20", "horizon = 20\nbribe = 1", "bribe", "bribe"),
        ('format = "zunft.task/1"', 'format = "zunft.task/9"', "format", "zunft.task/1"),
        ('name = "small"\n', "", "format =", "name"),
        ('kind = "length"', 'kind = "magic"', "[quantities.high]", "axis-angle"),
        ("part = [2, 3]", "part = [3, 2]", "[quantities.high]", "empty"),
        ('of = "tool.position"\npart', 'of = "moon.position"\npart', "[quantities.high]", "tool.lead"),
        ('"velocity"\nof = "tool.velocity"', '"velocity"\nof = "gone"', 'of = "gone"', "high"),
        ("scale = 0.01", "scale = nan", "scale = nan", "finite"),
        ("scale = 0.01", 'scale = 0.01\nnoise = "dust"', "noise", "figure of the robots"),
        ('[[action]]\nname = "velocity"\nof = "tool.velocity"', HAMMER, "hammer", "tool.tilt"),
        ('  { of = "high", width', '  { of = "low", width', '{ of = "low"', "quantity 'low'"),
        ("width = 0.01", "width = 0.0", '{ of = "high", width', "greater than 0"),
        ("below = 0.01", "below = 0.01, within = 3.0", "steps =", "within"),
        ('of = "position", gain', 'of = "posture", gain', "velocity = [{", "posture"),
        ("gain = -4.0", "gain = [1.0, 2.0]", "velocity = [{", "2 gains"),
        ("low = -1.0, high = 1.0", "low = 1.0, high = -1.0", "heading", "above high"),
        ("low = -1.0, high = 1.0", "high = 1.0, nominal = 0.0", "heading", "low and high"),
        ('unit = "rad" }', 'unit = "rad", held_out = { low = 0.9, high = 2.0 } }', "heading", "overlaps"),
        ("heading = {", "delay = {", "delay = { low", "robots already"),
        ("values = [0, 1]", "values = [-1, 1]", "delay =", "within 0 and 20"),
        ("values = [0, 1]", 'values = ["late", "later"]', "delay =", "words are for jobs"),
        ("values = [0, 1]", 'values = [0], held_out = {values = ["a"]}', "delay =", "both numbers"),
        ("[success]\n", "[success]\ngrace = 20\n", "format", "no step of 20"),
    ],
)  # fmt: skip
def test_a_broken_bundle_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: str, named: str
) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    bundle = small_bundle(tmp_path / "Bundle", toml=text)
    with pytest.raises(ContractError) as caught:
        load_task(bundle)
    assert named in str(caught.value)
    assert caught.value.remedy
    number = int(caught.value.where.rpartition(":")[2])
    wanted = text.splitlines()
    assert wanted[number - 1].startswith(line) or line in wanted[number - 1], wanted[number - 1]


@pytest.mark.parametrize("text", ["[start", "= = =", "a" * 300_000, "\0", "x = [" * 2000])
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContractError, match=r"task\.toml"):
        load_task(small_bundle(tmp_path / "Bundle", toml=text))


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ('<mujoco><include file="../secret.xml"/></mujoco>', "outside"),
        ('<mujoco><include file="/etc/passwd"/></mujoco>', "outside"),
        ('<mujoco><include file="..\\\\secret.xml"/></mujoco>', "outside"),
        ('<mujoco><compiler meshdir="/tmp"/></mujoco>', "outside"),
        ('<mujoco><asset><mesh file="a/../../b.stl"/></asset></mujoco>', "outside"),
        ('<mujoco><extension><plugin plugin="x"/></extension></mujoco>', "extension"),
        ('<mujoco><asset><texture file="a.png"/></asset></mujoco>', "texture"),
        ('<!DOCTYPE m [<!ENTITY a "aa">]><mujoco>&a;</mujoco>', "entities"),
        ("<mujoco><worldbody></mujoco>", "not XML"),
    ],
)
def test_mjcf_that_reaches_outside_or_loads_code_is_refused_unread(
    tmp_path: Path, scene: str, said: str
) -> None:
    with pytest.raises(ContractError, match=said) as caught:
        load_task(small_bundle(tmp_path / "Bundle", scene=scene))
    assert "scene.xml" in caught.value.where


def test_a_bundle_holds_plain_files_of_known_kinds_only(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "Bundle")
    (bundle / "run.py").write_text("print('never')")
    with pytest.raises(ContractError, match=r"\.py"):
        load_task(bundle)
    (bundle / "run.py").unlink()
    (bundle / "README.md").symlink_to("/etc/passwd")
    with pytest.raises(ContractError, match="plain file"):
        load_task(bundle)


def test_a_part_of_a_quantity_is_a_channel_of_its_own(tmp_path: Path) -> None:
    change = ('of = "tool.position"\nscale', 'of = "tool.position"\npart = [0, 2]\nscale')
    task = small_task(tmp_path / "Bundle", change, ("gain = -4.0 }", "gain = -4.0, part = [0, 1] }"))
    assert [channel.size for channel in task.contract.observation] == [2, 3]


def test_every_bundle_of_the_package_has_a_card_and_a_controller() -> None:
    assert "weld-seam" in bundle_names()
    for name in bundle_names():
        task = load_task(name)
        assert task.name == name
        assert task.file.scripted
        assert Path(f"docs/tasks/{name}.md").is_file()
