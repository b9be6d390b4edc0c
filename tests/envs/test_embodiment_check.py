"""One's own robot: imported from a URDF or MJCF, checked, found by name and admitted where its drive fits."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from envs.embodiment import ARMS, embodiment_names, load_embodiment, own_embodiments
from envs.embodiment_check import check_embodiment
from envs.embodiment_import import import_robot
from envs.evaluate import evaluate
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import Workshop
from skills.errors import ContractError

PANDA_HOME = (0.0, -0.16771, 0.0, -2.40156, 0.0, 2.23384, 0.785)
URDF = """\
<robot name="two">
  <link name="base"/>
  <link name="upper"><inertial><mass value="3"/><origin xyz="0 0 .1"/>
    <inertia ixx=".02" iyy=".02" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="lower"><inertial><mass value="2"/><origin xyz="0 0 .1"/>
    <inertia ixx=".02" iyy=".02" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/><origin xyz="0 0 .1"/>
    <axis xyz="0 1 0"/><limit lower="-3" upper="3" effort="100" velocity="2"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0 0 .3"/>
    <axis xyz="0 1 0"/><limit lower="-3" upper="3" effort="50" velocity="2"/></joint>
</robot>
"""


def failures(path: Path) -> dict[str, str]:
    return {finding.check: finding.remedy for finding in check_embodiment(path) if not finding.passed}


@pytest.mark.parametrize("name", embodiment_names())
def test_the_packages_own_robots_pass(name: str) -> None:
    assert failures(ARMS / f"{name}.xml") == {}


def test_an_imported_arm_passes_is_found_and_does_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "my-panda.xml"
    path.write_text(
        import_robot(ARMS / "panda.xml", tool_body="torch", home=PANDA_HOME, product="Mine", reach=0.16)
    )
    assert failures(path) == {}
    with pytest.raises(ContractError, match="my-panda"):
        load_embodiment("my-panda")
    monkeypatch.setenv("ZUNFT_EMBODIMENTS", str(tmp_path))
    assert list(own_embodiments()) == ["my-panda"]
    task = load_task("weld-seam")
    shop = Workshop(name="own", task="weld-seam", embodiment="my-panda")
    assert evaluate(controller("pd-look-ahead", task), task, shop, 12, seed=0).score > 0.8
    drone = Workshop(name="own", task="hover-inspect", embodiment="my-panda")
    with pytest.raises(ContractError, match="driven by impedance"):
        evaluate(controller("pd", load_task("hover-inspect")), load_task("hover-inspect"), drone, 1, seed=0)


def test_a_urdf_becomes_an_embodiment_with_its_limits(tmp_path: Path) -> None:
    source = tmp_path / "two.urdf"
    source.write_text(URDF)
    xml = import_robot(source, tool_body="lower", home=(0.3, 0.4), product="Two", reach=0.2)
    path = tmp_path / "two-arm.xml"
    path.write_text(xml)
    robot = load_and_check(path)
    assert robot == {"follows"}  # two joints cannot follow a circle in space
    assert 'actuatorfrcrange="-50 50"' in xml
    assert 'gravcomp="1"' in xml


def load_and_check(path: Path) -> set[str]:
    return set(failures(path))


@pytest.mark.parametrize("name", [name for name in embodiment_names() if name != "quadrotor"])
def test_robosuites_models_of_the_arms_are_read_where_that_package_is_installed(
    name: str, tmp_path: Path
) -> None:
    package = find_spec("robosuite")
    if package is None or package.origin is None:
        pytest.skip("robosuite is not installed")
    source = Path(package.origin).parent / "models/assets/robots" / name / "robot.xml"
    path = tmp_path / f"rs-{name}.xml"
    home = load_embodiment(name).home.tolist()
    path.write_text(import_robot(source, tool_body="right_hand", home=home, product=name, reach=0.1))
    assert failures(path) == {}


@pytest.mark.parametrize(
    ("link", "home", "said"),
    [("hand", (0.3, 0.4), "no link 'hand'"), ("lower", (0.3,), "1 angles for 2 joints")],
)
def test_an_import_that_does_not_fit_says_what_there_is(
    tmp_path: Path, link: str, home: tuple[float, ...], said: str
) -> None:
    source = tmp_path / "two.urdf"
    source.write_text(URDF)
    with pytest.raises(ContractError, match=said) as caught:
        import_robot(source, tool_body=link, home=home, product="Two")
    assert "upper" in caught.value.remedy or "elbow" in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('angle="radian"', 'angle="degree"', "joint limits"),
        (' gravcomp="1">', ">", "gravity"),
        ("actuatorfrcrange", "frictionloss='0' actuatorfrcrange", None),
        ('<site name="tool"', '<site name="tip"', "reads"),
        ('damping="8"', 'damping="800"', "follows"),
    ],
)
def test_what_is_wrong_is_found_with_a_remedy(tmp_path: Path, old: str, new: str, check: str | None) -> None:
    path = tmp_path / "wrong.xml"
    path.write_text((ARMS / "ur5e.xml").read_text().replace(old, new))
    found = failures(path)
    assert (check in found and bool(found[check])) if check else found == {}
