"""Episodes of a robot: remembered whole, read again bit for bit, damaged or strange ones refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.task import load_task
from fleet.episodes import Episode, Episodes, Recorded, load_episodes, save_episodes
from fleet.masters import bring_controller, bring_episodes, master_of
from fleet.robot_folder import RobotFolder
from skills.container import pack
from skills.errors import ArtefactError, ContractError
from tests.fleet.toys import ACTION, OBSERVATION, Point

RNG = np.random.default_rng(0)


def episode(length: int, *, inputs: int = 3, outputs: int = 2, success: bool | None = True) -> Episode:
    return Episode(
        RNG.normal(size=(length, inputs)).astype(np.float32),
        RNG.uniform(-1, 1, (length, outputs)).astype(np.float32),
        RNG.normal(size=length).astype(np.float32),
        terminated=length % 2 == 0,
        success=success,
    )


def recording(*, task: str = "reach", inputs: int = 3, outputs: int = 2) -> Episodes:
    kinds = zip((4, 1, 7), (True, False, None), strict=True)
    made = [episode(length, inputs=inputs, outputs=outputs, success=success) for length, success in kinds]
    return Episodes(task, tuple(made))


def test_what_is_written_is_read_again_and_only_its_owner_may(tmp_path: Path) -> None:
    mine = recording()
    file = tmp_path / "mine.episodes"
    save_episodes(file, mine)
    found = load_episodes(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (found.task, found.steps) == ("reach", 12)
    for own, read in zip(mine.episodes, found.episodes, strict=True):
        assert (own.success, own.terminated) == (read.success, read.terminated)
        for name in ("observations", "actions", "rewards"):
            assert np.array_equal(getattr(own, name), getattr(read, name))
    save_episodes(tmp_path / "again", found)
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_an_empty_one_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no episode came to its end"):
        save_episodes(tmp_path / "none", Episodes("reach", ()))
    assert not list(tmp_path.iterdir())


HEADER = '{"format": "zunft.episodes/1", "task": "reach"}'


def arrays(**changes: object) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    sound: dict[str, object] = {
        "observations": np.zeros((3, 2)),
        "actions": np.zeros((3, 1)),
        "rewards": np.zeros(3),
        "lengths": np.array([1.0, 2.0]),
        "terminated": np.zeros(2),
        "successes": np.ones(2),
    }
    return {name: np.asarray(each) for name, each in (sound | changes).items() if each is not None}


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ("{}", {}),
        ('{"format": "zunft.episodes/9", "task": "reach"}', {}),
        (HEADER, {"actions": None}),
        (HEADER, {"lengths": np.array([1.0, 3.0])}),
        (HEADER, {"lengths": np.array([-1.0, 4.0])}),
        (HEADER, {"lengths": np.zeros(0)}),
        (HEADER, {"lengths": np.array([3.0])}),
        (HEADER, {"observations": np.zeros((3, 2, 1))}),
        (HEADER, {"rewards": np.array([0.0, np.nan, 0.0])}),
    ],
)
def test_what_is_no_recording_is_refused(header: str, changes: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "bad"
    file.write_bytes(pack(HEADER, arrays()))
    assert load_episodes(file).steps == 3
    file.write_bytes(pack(header, arrays(**changes)))
    with pytest.raises(ArtefactError):
        load_episodes(file)
    file.write_bytes(pack(HEADER, arrays())[:-3])
    with pytest.raises(ArtefactError):
        load_episodes(file)


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_episodes(tmp_path / "mine", recording())
    monkeypatch.setattr("fleet.episodes.FILE_LIMIT", 100)
    with pytest.raises(ArtefactError, match="more than 100 bytes"):
        load_episodes(tmp_path / "mine")


def test_an_environment_remembers_whole_episodes_and_what_was_sent() -> None:
    env = Recorded(Point(0), "reach")
    env.reset(seed=1)
    for _ in range(3):  # broken off: forgotten
        env.step(np.zeros(ACTION, np.float32))
    assert not env.episodes.episodes
    begin, _ = env.reset(seed=3)
    gained, over, sent = [], False, []
    while not over:
        sent.append(RNG.uniform(-1, 1, ACTION).astype(np.float32))
        _, reward, terminated, truncated, _ = env.step(sent[-1])
        gained.append(float(reward))
        over = terminated or truncated
    (found,) = env.episodes.episodes
    assert found.observations.shape == (len(sent), OBSERVATION)
    assert np.array_equal(found.observations[0], begin)
    assert np.array_equal(found.actions, np.stack(sent))
    assert found.rewards.tolist() == pytest.approx(gained)


def test_a_recording_is_a_master_until_another_takes_its_place(tmp_path: Path) -> None:
    bench, task = RobotFolder(tmp_path), load_task("weld-seam")
    sizes = {"inputs": task.contract.observation_size, "outputs": task.contract.action_size}
    bring_controller(bench, task, "p")
    for wrong in (recording(), recording(task="insert-peg", **sizes), recording(task=task.name)):
        with pytest.raises(ContractError, match="does not teach weld-seam"):
            bring_episodes(bench, task, wrong)
    assert not isinstance(master_of(bench, task), Episodes)
    bring_episodes(bench, task, recording(task=task.name, **sizes))
    found = master_of(bench, task)
    assert isinstance(found, Episodes)
    assert [file.name for file in tmp_path.iterdir()] == ["weld-seam.master.episodes"]
    bring_controller(bench, task, "p")
    assert [file.name for file in tmp_path.iterdir()] == ["weld-seam.master.txt"]
