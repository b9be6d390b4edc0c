"""Task bundles and workshops: data that is checked at the border."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from envs.task import BUNDLES, load_task
from envs.workshop import FLEET, Workshop, fresh_workshop, load_workshop
from skills.errors import ContractError

MINIMAL = 'name = "mine"\nembodiment = "ur5e"\n'


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / "weld-seam", tmp_path / "Bundle"))


def test_the_contract_has_37_observations_and_5_actions_at_50_hz() -> None:
    contract = load_task("weld-seam").contract
    assert (contract.observation_size, contract.action_size, contract.control_hz) == (37, 5, 50)


def test_a_copied_bundle_has_the_same_digest_and_any_change_another(bundle: Path) -> None:
    original = load_task("weld-seam").digest
    assert load_task(bundle).digest == original
    load_task.cache_clear()
    (bundle / "scene.xml").write_text((bundle / "scene.xml").read_text() + "<!-- -->")
    assert load_task(bundle).digest != original
    load_task.cache_clear()
    (bundle / "scene.xml").rename(bundle / "other.xml")
    with pytest.raises(ContractError, match="no task bundle"):
        load_task(bundle)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("horizon = 100", "horizon = 0", "horizon"),
        ("grace = 20", "grace = 100", "grace"),
        ("jerk = 0.05", "jerk = nan", "jerk"),
        ("share = 0.9", "share = 0.9\nbribe = 1", "bribe"),
        ("[start]", "[start", "task.toml"),
        ('name = "weld-seam"', "", "name"),
    ],
)
def test_a_broken_bundle_is_refused_and_the_figure_named(
    bundle: Path, old: str, new: str, named: str
) -> None:
    text = (bundle / "task.toml").read_text()
    assert old in text
    (bundle / "task.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ContractError, match=named):
        load_task(bundle)


@pytest.mark.parametrize("name", ["weld", "../tasks", "/nowhere"])
def test_an_unknown_task_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(ContractError, match="weld-seam"):
        load_task(name)


def test_the_fleet_has_four_different_arms_seams_and_speeds() -> None:
    shops = [load_workshop(name) for name in FLEET]
    assert len({shop.embodiment for shop in shops}) == 4
    assert len({shop.seams for shop in shops}) == 4
    assert len({shop.speed for shop in shops}) == 4
    assert {shop.delay for shop in shops} == {0, 1}
    assert [shop.name for shop in shops] == list(FLEET)


def test_a_fresh_workshop_repeats_with_its_seed_and_differs_without() -> None:
    assert fresh_workshop("sawyer", 3) == fresh_workshop("sawyer", 3)
    drawn = {fresh_workshop(arm, seed).yaw_error for arm in ("sawyer", "kinova3") for seed in range(20)}
    assert len(drawn) == 40


def test_fresh_workshops_have_every_seam_and_stay_within_the_stated_ranges() -> None:
    for seed in range(50):
        shop = fresh_workshop("kinova3", seed)
        assert len(shop.seams) == 5
        assert 0.8 <= shop.impedance <= 1.3
        assert 1 <= shop.damping <= 2
        assert 0 <= shop.friction <= 0.5
        assert 0 <= shop.payload <= 1.2
        assert abs(shop.yaw_error) <= 0.07
        assert max(map(abs, shop.tool_offset)) <= 0.0005
        assert shop.delay == seed % 2


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('seams = ["zigzag"]', "seams"),
        ("speed = [0.1, 0.05]", "speed"),
        ("speed = [0.0, 0.05]", "speed"),
        ("delay = -1", "delay"),
        ("friction = inf", "friction"),
        ("mood = 1", "mood"),
        ("heading = [1.0, 0.0]", "heading"),
        ("= = =", "mine.toml"),
    ],
)
def test_a_broken_workshop_is_refused_and_the_figure_named(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + line)
    with pytest.raises(ContractError, match=named):
        load_workshop(path)


def test_a_workshop_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    assert load_workshop(path) == Workshop(name="mine", embodiment="ur5e")


def test_an_unknown_workshop_is_named_with_the_known_ones() -> None:
    with pytest.raises(ContractError, match="frame-corners"):
        load_workshop("nowhere")
