"""No hall is above itself: memberships that would make it so are refused, when they begin and later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from skills.errors import ConflictError, ForbiddenError, ZunftError
from skills.halls import check_path, hall_id
from skills.signing import SigningKey
from tests.hub.conftest import Hall
from tests.hub.serving import serving
from tests.zunft.halls.sites import SHARED, hall_token, lone
from zunft.halls.bridge import Bridge
from zunft.halls.joining import HallFolder, join_hall

Served = tuple[Hall, str]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Served]]:
    with ExitStack() as stack:
        halls = [lone(tmp_path / name) for name in ("a", "b", "c")]
        yield [(hall, stack.enter_context(serving(hall.app))) for hall in halls]
        for hall in halls:
            hall.client.close()


def folder_of(hall: Hall) -> HallFolder:
    return HallFolder(hall.settings.data_dir, hall.services.halls.memberships.key)


def joins(lower: Served, upper: Served) -> None:
    memberships = lower[0].services.halls.memberships
    join_hall(memberships, folder_of(lower[0]), upper[1], hall_token(upper[0]), "a hall")


def path_of(served: Served) -> tuple[str, ...]:
    path = served[0].services.halls.memberships.path()
    return (path.hall, *path.above)


def hears(served: Served) -> Bridge:
    """One look at who is above."""
    served[0].services.halls.memberships.share(SHARED)
    bridge = Bridge(served[0].services.halls, folder_of(served[0]), look_seconds=0)
    bridge.step()
    return bridge


def test_the_path_of_ids_travels_with_the_membership(three: list[Served]) -> None:
    a, b, c = three
    joins(b, c)
    joins(a, b)
    ids = [hall_id(each[0].services.halls.memberships.key.public) for each in three]
    assert path_of(a) == tuple(ids)


def test_a_hall_joins_neither_itself_nor_one_below_it(three: list[Served]) -> None:
    a, b, c = three
    with pytest.raises(ForbiddenError, match="above itself"):
        joins(a, a)
    joins(b, c)
    joins(a, b)
    for lower, upper in ((b, a), (c, a), (c, b)):
        with pytest.raises(ZunftError, match=r"above itself|has joined"):
            joins(lower, upper)
    assert c[0].services.halls.memberships.current() is None


def test_a_loop_that_came_about_later_is_refused_by_whoever_hears_of_it(three: list[Served]) -> None:
    a, b, c = three
    joins(b, c)
    joins(c, a)  # a heard of none above it, and joins b meanwhile
    memberships = a[0].services.halls.memberships
    stale = (path_of(b)[0],)
    join_unseen(a, b, stale)
    bridges = [hears(each) for each in (b, c, a, b, c, a)]
    rows = [each[0].services.halls.memberships.current() for each in three]
    assert any(row and "above itself" in row.refusal for row in rows)
    assert memberships.current() is not None
    for bridge in bridges:
        bridge.close()


def join_unseen(lower: Served, upper: Served, path: tuple[str, ...]) -> None:
    """As it is when both join at one moment: neither has heard of the other's membership."""
    memberships = lower[0].services.halls.memberships
    robot = upper[0].services.halls.memberships
    with upper[0].services.storage.database.write() as session:
        session.connection().exec_driver_sql("UPDATE membership SET path = '[\"sha256:" + "0" * 64 + "\"]'")
    assert robot.current() is not None
    joins_only = folder_of(lower[0])
    join_hall(memberships, joins_only, upper[1], hall_token(upper[0]), "a hall")
    assert path[0] == memberships.path().above[0]


def test_a_hall_has_joined_one_other(three: list[Served]) -> None:
    a, b, c = three
    joins(a, b)
    joins(a, b)  # said again
    with pytest.raises(ConflictError, match="has joined"):
        joins(a, c)


def test_the_pure_rule() -> None:
    ids = [hall_id(SigningKey.generate().public) for _ in range(3)]
    check_path(ids[0], ids[1:])
    with pytest.raises(ForbiddenError):
        check_path(ids[2], ids)
