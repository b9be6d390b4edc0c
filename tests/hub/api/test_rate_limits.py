from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.api.rate_limits import address_key
from hub.buckets import Buckets
from hub.settings import Settings
from hub.storage.spool import SpoolFile
from skills.messages.base import API
from skills.signing import SigningKey
from tests.hub.conftest import Hall, Hands, Robot, StubGate, ok


class Timer:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def slow_hall(settings: Settings, clock: Hands) -> Iterator[Hall]:
    limits = {"rate_limit": 1e-3, "rate_burst": 12, "stranger_rate_limit": 1e-3, "stranger_rate_burst": 4}
    found = Hall(settings.model_copy(update=limits), StubGate(), clock)
    yield found
    found.close()


def test_a_bucket_gives_its_burst_at_once_and_its_rate_over_time() -> None:
    timer = Timer()
    buckets = Buckets(rate=10, burst=1000, timer=timer)
    assert [buckets.take("a") for _ in range(1000)] == [0.0] * 1000
    assert buckets.take("a") == pytest.approx(0.1)
    assert buckets.take("b") == 0.0
    timer.now += 0.05
    assert buckets.take("a") == pytest.approx(0.05)
    timer.now += 0.0500001
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    timer.now += 50
    assert sum(buckets.take("a") == 0 for _ in range(2000)) == 500
    timer.now += 1e5
    assert sum(buckets.take("a") == 0 for _ in range(2000)) == 1000


def test_callers_of_long_ago_take_no_memory() -> None:
    timer = Timer()
    buckets = Buckets(rate=10, burst=20, timer=timer)
    for number in range(20_000):
        timer.now += 0.01
        buckets.take(str(number))
    assert len(buckets) <= 1024


def test_a_caller_who_is_refused_is_taken_at_the_same_moment_as_one_who_waits() -> None:
    timer = Timer()
    buckets = Buckets(rate=1, burst=1, timer=timer)
    assert buckets.take("a") == 0
    assert [buckets.take("a") for _ in range(5)] == [pytest.approx(1.0)] * 5
    timer.now += 1.000001
    assert buckets.take("a") == 0


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("testclient", "testclient", True),
    ],
)
def test_one_subscriber_counts_once(one: str, other: str, together: bool) -> None:
    assert (address_key(one) == address_key(other)) == together


def test_who_asks_too_often_is_told_when_to_ask_again(slow_hall: Hall) -> None:
    answers = [slow_hall.client.get(f"{API}/robots", headers=slow_hall.operator) for _ in range(13)]
    assert [answer.status_code for answer in answers] == [200] * 12 + [429]
    error = slow_hall.error(answers[-1], 429)
    assert error["code"] == "too_many_requests"
    assert 900 < int(answers[-1].headers["retry-after"]) <= 1000
    assert "Ask again in" in error["remedy"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/skills", {}, 200),
        ("GET", "/campaigns", {}, 401),
        ("GET", "/skills", {"Authorization": "Bearer zt_guessed"}, 401),
        ("POST", "/robots", {}, 422),
        ("GET", "/robots/me", {"Signature-Input": "x"}, 401),
    ],
)
def test_strangers_share_the_bucket_of_their_address(
    slow_hall: Hall, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    statuses = [
        slow_hall.client.request(method, API + path, json={}, headers=headers).status_code for _ in range(5)
    ]
    assert statuses == [status] * 4 + [429]
    # Whoever proves who it is does not pay for strangers behind the same address; health is for everybody.
    ok(slow_hall.client.get(f"{API}/robots", headers=slow_hall.operator))
    ok(slow_hall.client.get("/healthz"))


def test_guesses_at_enrolment_write_nothing_and_keep_nobody_out_who_has_a_token(
    slow_hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ok(slow_hall.post("/enrolment-tokens", {})).json()[0]["token"]
    key = SigningKey.generate().public.text
    guess = {"token": "ze_guessed-and-long-enough", "name": "a", "embodiment": "ur5e", "public_key": key}
    with monkeypatch.context() as nothing_written:
        nothing_written.setattr(slow_hall.services.storage.database, "write", None)
        answers = [slow_hall.client.post(f"{API}/robots", json=guess) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429]
    for _ in range(6):  # repeated with the same key it is the same robot, and nobody's guess
        ok(slow_hall.client.post(f"{API}/robots", json={**guess, "token": token}))


def test_robots_have_buckets_of_their_own(slow_hall: Hall) -> None:
    one, two = slow_hall.enrol("one"), slow_hall.enrol("two")
    assert [one.request("GET", "/robots/me").status_code for _ in range(13)] == [200] * 12 + [429]
    ok(two.request("GET", "/robots/me"))
    forger = Robot(slow_hall.client, slow_hall.clock, two.robot_id, one.key, first_nonce=100)
    for _ in range(20):
        forger.request("GET", "/robots/me")
    ok(two.request("GET", "/robots/me"))


def test_a_rate_of_zero_is_none(settings: Settings, clock: Hands) -> None:
    free = {"rate_limit": 0, "rate_burst": 1, "stranger_rate_limit": 0, "stranger_rate_burst": 1}
    hall = Hall(settings.model_copy(update=free), StubGate(), clock)
    for _ in range(3):
        ok(hall.client.get(f"{API}/skills"))
        ok(hall.client.get(f"{API}/robots", headers=hall.operator))
    hall.close()


def test_who_asks_too_often_costs_no_nonce_and_no_file(
    slow_hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body of a request that is over the limit is not read, and nothing is written for it."""
    robot = slow_hall.enrol("one")
    while robot.request("GET", "/robots/me").status_code == 200:
        pass
    written: list[object] = []
    read: list[int] = []
    monkeypatch.setattr(slow_hall.services.storage.database, "write", written.append)
    monkeypatch.setattr(SpoolFile, "write", lambda _, piece: read.append(len(piece)))
    answers = [robot.request("GET", "/robots/me"), robot.push("c-0000000000-1", b"d" * 100_000)]
    assert [slow_hall.error(answer, 429)["code"] for answer in answers] == ["too_many_requests"] * 2
    assert written == []
    assert read == []


def test_who_asks_too_often_in_the_name_of_another_keeps_it_not_out(slow_hall: Hall) -> None:
    """A claim that is not proven is not counted as the one's whom it names, however large its body."""
    robot, forger = slow_hall.enrol("one"), slow_hall.enrol("two")
    forged = Robot(slow_hall.client, slow_hall.clock, robot.robot_id, forger.key, first_nonce=100)
    for _ in range(20):
        assert forged.push("c-0000000000-1", b"d" * 1000).status_code in {401, 403, 429}
    ok(robot.request("GET", "/robots/me"))
