"""A skill that its organisation's key releases: a real robot, and a hub that lies with all of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fleet.fetch import vouched_version
from fleet.membership import connect
from fleet.updater import DistrustError
from hub.tuf.metadata import target
from skills import release_keys
from skills.container import digest_of
from skills.release_keys import read_release, sign_release, tuf_key
from skills.rings import RingNote, RolloutNote, ring_name
from skills.signing import SigningKey
from skills.targets import ROLLOUT, HandedOn, NamedKey, Pointer, channel_target, hidden_name
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.signed_guild import online_of

OURS, THIEF = SigningKey.generate(), SigningKey.generate()


def in_use(robot: SmallRobot) -> int:
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


def signed(
    hub: LyingHub, number: int, key: SigningKey = OURS, old: SigningKey | None = None, counter: int = 0
) -> bytes:
    """What a key signs of a version: also a thief's, who is held to nothing."""
    before = read_release(hub.guild.own, "follow").keys if hub.guild.own else ()
    if before and before[-1].key != key.public.text and old is None:
        before = (*before, HandedOn(key=key.public.text, signature=before[-1].signature or "AAAA"))
    counter = counter or hub.guild.counter + 1
    pointer = Pointer(version=number, counter=counter, lowest=1, fixed={number: hub.versions[number].digest})
    return sign_release(
        key, "follow", pointer, version=hub.guild.number + 1, now=datetime.now(UTC), before=before, old=old
    )


def serve(hub: LyingHub, own: bytes, key: SigningKey | None = OURS, stable: int = 1, **lies: object) -> None:
    hub.guild.own, hub.guild.own_key = own, tuf_key(key.public) if key else None
    hub.frozen = True
    hub.guild.publish(hub.versions, stable, **lies)  # type: ignore[arg-type] # as the lie says


@pytest.fixture
def robot(hub: LyingHub, tmp_path: Path) -> SmallRobot:
    """It has taken version 1, released by the organisation's own key; version 2 is there."""
    hub.publish(small_skill(1))
    hub.publish(small_skill(2))
    robot = make_robot(tmp_path, hub.url, place=SmallPlace())
    serve(hub, signed(hub, 1))
    robot.agent.step()
    seen = robot.bench.memory("follow").seen
    assert (in_use(robot), seen and seen.key) == (1, OURS.public.text)
    return robot


def moves_it(hub: LyingHub) -> None:
    serve(hub, hub.guild.own, stable=2, hub_moves=True, counter=2**40)


def puts_its_own_key(hub: LyingHub) -> None:
    serve(hub, signed(hub, 2, THIEF), THIEF, stable=2)


def removes_the_role(hub: LyingHub) -> None:
    serve(hub, hub.guild.own, None, stable=2, hub_moves=True, counter=2**40)


def forgets_the_role(hub: LyingHub) -> None:
    serve(hub, b"", None, stable=2, counter=2**40)


def calls_another_file_that_version(hub: LyingHub) -> None:
    hub.versions[1] = hub.versions[1].model_copy(update={"digest": "sha256:" + "0" * 64})
    serve(hub, hub.guild.own)


def removes_it_under_new_keys(hub: LyingHub) -> None:
    hub.guild.rotate(online_of(2))  # a root for another reason, which names no key of the skill
    serve(hub, b"", None, stable=2, counter=2**40)


@pytest.mark.parametrize(
    "lie",
    [
        moves_it,
        puts_its_own_key,
        removes_the_role,
        forgets_the_role,
        calls_another_file_that_version,
        removes_it_under_new_keys,
    ],
)
def test_what_the_key_did_not_sign_moves_nothing(
    hub: LyingHub, robot: SmallRobot, lie: Callable[[LyingHub], None]
) -> None:
    lie(hub)
    robot.agent.step()
    assert (robot.phases[-1], in_use(robot)) == ("refused", 1), robot.said[-1]
    with pytest.raises(DistrustError):  # nor by hand
        vouched_version(connect(robot.bench), "follow", seen=robot.bench.memory("follow").seen)


def test_what_the_key_signs_is_taken_and_no_refusal_is_for_ever(hub: LyingHub, robot: SmallRobot) -> None:
    true = hub.guild.own
    moves_it(hub)
    robot.agent.step()
    assert in_use(robot) == 1
    serve(hub, true)
    serve(hub, signed(hub, 2), stable=2)
    robot.agent.step()
    assert in_use(robot) == 2


def test_an_old_release_is_not_taken_again_also_under_new_keys_of_the_hub(
    hub: LyingHub, robot: SmallRobot
) -> None:
    old = hub.guild.own
    serve(hub, signed(hub, 2), stable=2)
    robot.agent.step()
    assert in_use(robot) == 2
    serve(hub, old)
    robot.agent.step()
    assert robot.phases[-1] == "refused"
    hub.guild.rotate(online_of(2))  # The Update Framework begins to count anew; what the key said holds
    serve(hub, old)
    robot.agent.step()
    assert "of the channel, and" in robot.said[-1].text
    assert in_use(robot) == 2


def test_a_ring_by_the_hub_is_refused(hub: LyingHub, robot: SmallRobot) -> None:
    notes = {
        ROLLOUT: RolloutNote(rollout="o-1", rings=(RingNote(),)),
        ring_name(0): Pointer(version=2, counter=2**40, lowest=1),
    }
    targets = [
        target(channel_target("follow", name), digest_of(b""), 0, note.model_dump(mode="json"))
        for name, note in notes.items()
    ]
    serve(hub, hub.guild.own, more=targets)
    robot.agent.step()
    assert "rings for follow" in robot.said[-1].text
    assert in_use(robot) == 1


def test_the_key_hands_on_to_another_also_for_a_robot_that_was_away(hub: LyingHub, robot: SmallRobot) -> None:
    new, newest, first = SigningKey.generate(), SigningKey.generate(), hub.guild.own
    hub.guild.own = signed(hub, 1, new, OURS)  # which this robot never hears of
    serve(hub, signed(hub, 2, newest, new), newest, stable=2)
    robot.agent.step()
    seen = robot.bench.memory("follow").seen
    assert (in_use(robot), seen and seen.key) == (2, newest.public.text)
    hub.guild.own = first  # the old key was stolen, and hands on to the thief's
    serve(hub, signed(hub, 1, THIEF, OURS), THIEF)
    robot.agent.step()
    assert (robot.phases[-1], in_use(robot)) == ("refused", 2)


@pytest.mark.parametrize("to_the_hub", [False, True])
def test_a_lost_key_is_replaced_by_the_root(hub: LyingHub, robot: SmallRobot, to_the_hub: bool) -> None:
    new = SigningKey.generate()
    named = NamedKey(key="" if to_the_hub else new.public.text, since=2)
    hub.guild.own = b""
    own = b"" if to_the_hub else signed(hub, 2, new)
    hub.guild.rotate(online_of(2), {hidden_name("follow"): named})
    serve(hub, own, None if to_the_hub else new, stable=2)
    robot.agent.step()
    seen = robot.bench.memory("follow").seen
    assert (in_use(robot), seen and seen.key) == (2, named.key), robot.said[-1]


def test_a_release_ends_after_a_year(hub: LyingHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish(small_skill(1))
    robot = make_robot(tmp_path, hub.url, place=SmallPlace())
    monkeypatch.setattr(release_keys, "LIFETIME", timedelta(seconds=-1))
    serve(hub, signed(hub, 1))
    robot.agent.step()
    assert (robot.phases[-1], in_use(robot)) == ("refused", 0)
    monkeypatch.undo()
    serve(hub, signed(hub, 1))
    robot.agent.step()
    assert in_use(robot) == 1
