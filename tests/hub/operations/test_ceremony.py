"""The key-theft drill of docs/security.md with a real hub and robots; and keys that never come near a hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from fleet.membership import connect
from fleet.robot_folder import RobotFolder
from fleet.trust import Vouching
from hub.attestations.gate_key import replace_gate_key
from hub.operations.backup import back_up
from hub.operations.ceremony import hold_ceremony, install_signed, rotate, show_root, sign_draft
from hub.operations.restore import restore
from hub.services import open_services
from hub.settings import KEY_FILE, Settings
from hub.storage.database import SettingsError
from hub.tuf.keys import ROOT_KEYS, online_signers
from skills.errors import ConflictError
from skills.predicates import Gate
from skills.signing import SigningKey
from skills.targets import GATE_KEY_FIELD
from tests.eventually import eventually
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.hub.conftest import Hall, Hands, StubGate, ok, small_settings
from tests.hub.serving import serving


@contextmanager
def running(settings: Settings) -> Iterator[tuple[Hall, str]]:
    clock = Hands()
    clock.now = datetime.now(UTC)
    hall = Hall(settings.model_copy(update={"clock_skew_seconds": 10**9}), StubGate(), clock)
    with serving(hall.app) as url:
        yield hall, url
    hall.client.close()


def joined(hall: Hall, url: str, home: Path) -> SmallRobot:
    token = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    return make_robot(home, url, name=home.name, token=token, place=SmallPlace())


def again(home: Path, url: str) -> SmallRobot:
    """The robot after a restart; its hub has another address only because this is a test."""
    bench = RobotFolder(home)
    bench.keep_identity(bench.identity().model_copy(update={"hub": url}))
    return make_robot(home, url, name=home.name, place=SmallPlace())


def in_use(robot: SmallRobot) -> int:
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


def test_the_drill_online_keys_are_stolen_and_robots_follow_the_new_root(tmp_path: Path) -> None:
    settings = small_settings(tmp_path / "hub")
    with running(settings) as (hall, url):
        ok(hall.publish(small_skill(1)))
        hall.release(1, "follow")
        robots = [joined(hall, url, tmp_path / name) for name in ("here", "away")]
        for robot in robots:
            robot.agent.step()
            assert in_use(robot) == 1
    done = rotate(
        settings,
        datetime.now(UTC),
        root_keys=[settings.data_dir / ROOT_KEYS],
        draft=tmp_path / "draft.json",
        new_hub_key=True,
    )
    assert (done.version, done.missing) == (2, 0)
    assert done.old_hub_key is not None
    state, stolen = show_root(settings), online_signers(SigningKey.load_or_create(done.old_hub_key))
    named = {keyid for keys in state.keys.values() for keyid in keys}
    assert named.isdisjoint(signer.public_key.keyid for signer in stolen.values())
    with running(settings) as (hall, url):
        ok(hall.publish(small_skill(2)))
        hall.release(2, "follow")
        for name in ("here", "away"):
            robot = again(tmp_path / name, url)
            robot.agent.step()
            assert in_use(robot) == 2, robot.said[-1]


def test_the_drill_the_gates_key_is_stolen_and_robots_follow_the_root(tmp_path: Path) -> None:
    settings = small_settings(tmp_path / "hub")
    with running(settings) as (hall, url):
        ok(hall.publish(small_skill(1)))
        hall.release(1, "follow")
        for name in ("here", "away"):
            robot = joined(hall, url, tmp_path / name)
            robot.agent.step()
            assert in_use(robot) == 1
    old = replace_gate_key(settings, datetime.now(UTC))
    assert old is not None
    thief = SigningKey.load_or_create(old)
    keys, draft = [settings.data_dir / ROOT_KEYS], tmp_path / "draft.json"
    assert rotate(settings, datetime.now(UTC), root_keys=keys, draft=draft).missing == 0
    with running(settings) as (hall, url):
        anew = eventually(lambda: signers(hall, 1) - {thief.public.text}, "the new word on what is stable")
        ok(hall.publish(small_skill(2)))
        hall.release(2, "follow")
        assert signers(hall, 2) == anew
        for name in ("here", "away"):
            robot = again(tmp_path / name, url)
            robot.agent.step()
            assert in_use(robot) == 2, robot.said[-1]
        vouching = Vouching.by_owner(robot.bench, connect(robot.bench))
        vouching.client.guild.refresh()
        assert [key.text for key in vouching._keys(Gate)] == [*anew]


def signers(hall: Hall, number: int) -> set[str]:
    listed = hall.get(f"/skills/follow/versions/{number}/attestations")
    return {each["signer"] for each in listed if each["kind"] == "gate"}


def test_a_gates_key_that_the_root_does_not_name_stops_the_hub(tmp_path: Path, settings: Settings) -> None:
    stick, now, draft = tmp_path / "stick", datetime.now(UTC), tmp_path / "next.json"
    open_services(settings).close()
    (settings.data_dir / ROOT_KEYS).rename(stick)
    replace_gate_key(settings, now)
    with pytest.raises(SettingsError, match="or its gate's"):
        open_services(settings)
    assert rotate(settings, now, root_keys=[stick], draft=draft).missing == 0
    open_services(settings).close()


def test_root_keys_that_never_lay_beside_the_hub_sign_elsewhere(tmp_path: Path, settings: Settings) -> None:
    stick, draft, now = tmp_path / "stick", tmp_path / "next.json", datetime.now(UTC)
    assert hold_ceremony(settings, stick, now).beside == ()
    with pytest.raises(ConflictError, match="has a root"):
        hold_ceremony(settings, tmp_path / "other", now)
    services = open_services(settings)
    first = Metadata[Root].from_bytes(services.tuf.repository.first_root().root.encode()).signed
    assert first.unrecognized_fields[GATE_KEY_FIELD] == services.attestations.vouchers.gate_key.text
    services.close()
    assert not (settings.data_dir / ROOT_KEYS).exists()
    assert rotate(settings, now, root_keys=[], draft=draft).missing == 2
    with pytest.raises(ConflictError, match="2 more"):
        install_signed(settings, draft, now)
    sign_draft(draft, stick / "root-1.pem")
    sign_draft(draft, stick / "root-1.pem")  # one key twice is one
    with pytest.raises(ConflictError, match="1 more"):
        install_signed(settings, draft, now)
    sign_draft(draft, stick / "root-3.pem")
    assert install_signed(settings, draft, now).version == 2
    with pytest.raises(ConflictError, match="has 2"):
        install_signed(settings, draft, now)
    open_services(settings).close()


def test_a_root_that_holds_at_once_can_be_installed_again_after_a_restore(
    tmp_path: Path, settings: Settings
) -> None:
    open_services(settings).close()
    now, draft = datetime.now(UTC), tmp_path / "next.json"
    backup, _ = back_up(settings, tmp_path, now, with_key=True, progress=lambda *_: None)
    done = rotate(settings, now, root_keys=[settings.data_dir / ROOT_KEYS], draft=draft)
    assert (done.missing, done.file) == (0, draft)
    known = show_root(settings)
    again = small_settings(tmp_path / "again")
    restore(again, backup, hub_key=None, progress=lambda *_: None)
    assert show_root(again).version == 1
    assert install_signed(again, draft, now).version == 2
    assert show_root(again).digest == known.digest


def test_new_keys_of_the_root_need_two_old_and_two_new(tmp_path: Path, settings: Settings) -> None:
    open_services(settings).close()
    old, new, now = settings.data_dir / ROOT_KEYS, tmp_path / "new", datetime.now(UTC)
    draft = tmp_path / "next.json"
    one = rotate(settings, now, root_keys=[old / "root-1.pem"], draft=draft, new_root_keys=new)
    assert one.missing == 1
    sign_draft(draft, old / "root-2.pem")
    install_signed(settings, draft, now)
    assert rotate(settings, now, root_keys=[old], draft=draft).missing == 2
    assert rotate(settings, now, root_keys=[new], draft=draft).missing == 0


def test_a_hub_whose_key_the_root_does_not_name_does_not_start(tmp_path: Path, settings: Settings) -> None:
    hold_ceremony(settings, tmp_path / "stick", datetime.now(UTC))
    done = rotate(settings, datetime.now(UTC), root_keys=[], draft=tmp_path / "next.json", new_hub_key=True)
    assert done.missing == 2
    with pytest.raises(SettingsError, match="names other keys") as caught:
        open_services(settings)
    assert "zunft keys rotate" in caught.value.remedy
    assert (settings.data_dir / KEY_FILE).exists()
