"""What receivers are told, whatever they answer and whoever sends; over real HTTP, on both databases."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler

from sqlalchemy import text

from hub.storage.record import record
from hub.storage.tables.events import HubRow
from hub.storage.tables.webhooks import WebhookRow
from skills.signing import SigningKey
from tests.hub.conftest import ADMIN, Hall, Hands, ok, tensors_like, tiny_skill
from tests.hub.webhooks.conftest import OpenHall, listen, on_both, publish, tell
from tests.hub.webhooks.receiver import Receiver, answer, hang_up, receiving


def subjects(receiver: Receiver) -> list[str]:
    return [each.event["subject"].partition("/")[0] for each in receiver.told]


@on_both
def test_a_webhook_is_told_in_order_of_what_it_asked_for_and_of_nothing_before(
    hall: Hall, receiver: Receiver
) -> None:
    publish(hall, "before")
    listen(hall, receiver, "version.published", "campaign.failed")
    publish(hall, "one", "two")
    hall.enrol("unasked")
    publish(hall, "three")
    tell(hall)
    assert subjects(receiver) == ["one", "two", "three"]
    assert all(each.genuine for each in receiver.told)
    assert receiver.numbers() == sorted(receiver.numbers())
    assert receiver.told[0].event["data"]["digest"] == hall.version("1", "one").digest
    tell(hall)
    assert len(receiver.told) == 3


def test_rounds_and_campaigns_are_told_of(hall: Hall, receiver: Receiver, clock: Hands) -> None:
    publish(hall, "reach")
    listen(hall, receiver)
    hall.gate.scores = {2: 0.1}
    robots = [hall.enrol("one"), hall.enrol("two")]
    hall.start(rounds=2, quorum=2)
    hall.turn()
    for robot in robots:
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, tensors_like(tiny_skill(), 1.0))))
    hall.turn()
    clock.advance(61)
    hall.turn()
    tell(hall)
    assert receiver.kinds() == ["round.rejected", "round.failed", "campaign.finished"]


@on_both
def test_what_was_not_taken_is_put_aside_and_does_not_hold_up_the_rest(
    hall: Hall, receiver: Receiver, clock: Hands
) -> None:
    listen(hall, receiver)
    receiver.answers = [answer(500)]
    publish(hall, "one", "two")
    tell(hall)
    assert subjects(receiver) == ["one"]
    (view,) = hall.get("/webhooks")
    assert (view["waiting"], view["dead"]) == (1, 0)
    assert view["trouble"] == "it answered with status 500."
    clock.advance(10)
    tell(hall)
    assert sorted(subjects(receiver)) == ["one", "one", "two"]
    assert len({each.message_id for each in receiver.told}) == 2
    (view,) = hall.get("/webhooks")
    assert (view["waiting"], view["trouble"], view["resting_until"]) == (0, "", None)


def test_a_receiver_in_trouble_is_left_alone_for_longer_and_longer(
    hall: Hall, receiver: Receiver, clock: Hands
) -> None:
    listen(hall, receiver)
    receiver.otherwise = hang_up
    publish(hall, *(f"skill-{number}" for number in range(12)))
    waits: list[float] = []
    for told in range(1, 10):
        tell(hall)
        assert len(receiver.told) == told
        until = datetime.fromisoformat(hall.get("/webhooks")[0]["resting_until"])
        waits.append((until - clock.now).total_seconds())
        clock.now = until
    assert waits[0] <= 7.5
    assert min(waits[4:]) >= 30
    assert max(waits) <= 90


def test_a_receiver_that_is_left_alone_hears_of_a_trial_and_of_nothing_else(
    hall: Hall, receiver: Receiver
) -> None:
    webhook_id = listen(hall, receiver)
    receiver.answers = [answer(500)]
    publish(hall, "one", "two")
    tell(hall)
    ok(hall.post(f"/webhooks/{webhook_id}/test"))
    tell(hall)
    assert receiver.kinds() == ["version.published", "webhook.test"]
    assert hall.get(f"/webhooks/{webhook_id}/test")["report"]["delivered"]
    (view,) = hall.get("/webhooks")
    assert (view["waiting"], view["trouble"]) == (1, "it answered with status 500.")


def test_after_so_many_attempts_a_message_is_a_dead_letter_until_somebody_sends_it_again(
    hall: Hall, receiver: Receiver, clock: Hands
) -> None:
    webhook_id = listen(hall, receiver)
    receiver.answers = [answer(500)] * 3
    publish(hall, "one")
    for _ in range(5):
        tell(hall)
        clock.advance(60)
    assert len(receiver.told) == 3
    publish(hall, "two")
    tell(hall)
    assert subjects(receiver)[-1] == "two"
    (letter,) = hall.get(f"/webhooks/{webhook_id}/dead")
    assert (letter["kind"], letter["attempts"], letter["event"]) == (
        "version.published",
        3,
        receiver.numbers()[0],
    )
    assert letter["reason"] == "it answered with status 500."
    for events, queued in ([letter["event"] + 1], 0), ([letter["event"]], 1), ([], 0):
        answered = ok(hall.post(f"/webhooks/{webhook_id}/redeliver", {"events": events})).json()
        assert answered == {"queued": queued}
    tell(hall)
    assert subjects(receiver)[-1] == "one"
    assert hall.get(f"/webhooks/{webhook_id}/dead") == []


def test_a_receiver_that_disappears_hears_everything_once_it_is_back(hall: Hall, clock: Hands) -> None:
    with receiving() as receiver:
        port = int(receiver.address.rsplit(":", 1)[1].partition("/")[0])
        listen(hall, receiver)
        secret = receiver.secret
        publish(hall, "one")
        tell(hall)
    publish(hall, "two", "three")
    tell(hall)
    clock.advance(9)
    tell(hall)
    with receiving(port=port) as receiver:
        receiver.secret = secret
        for _ in range(6):
            clock.advance(60)
            tell(hall)
        assert sorted(subjects(receiver)) == ["three", "two"]
        assert all(each.genuine for each in receiver.told)


@on_both
def test_only_one_of_several_hubs_sends_at_a_time(open_hall: OpenHall, receiver: Receiver) -> None:
    one, two = open_hall(), open_hall()
    listen(one, receiver)
    publish(one, "one", "two")
    reached, go_on = threading.Event(), threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        go_on.wait(30)
        answer(200)(handler)

    receiver.answers = [hold]
    sending = threading.Thread(target=tell, args=(one,))
    sending.start()
    assert reached.wait(30)
    assert two.services.webhooks.dispatcher.due() == []
    for webhook in two.get("/webhooks"):
        two.services.webhooks.dispatcher.serve(webhook["webhook_id"])
    assert subjects(receiver) == ["one"]
    go_on.set()
    sending.join(30)
    assert subjects(receiver) == ["one", "two"]


@on_both
def test_who_sends_and_dies_is_followed_by_another_hub_when_its_lease_ends(
    open_hall: OpenHall, receiver: Receiver, clock: Hands
) -> None:
    one, two = open_hall(), open_hall()
    webhook_id = listen(one, receiver)
    publish(one, "one", "two")

    def meanwhile(handler: BaseHTTPRequestHandler) -> None:
        """It is thought to be dead, and was only slow: what it brings is too late to change anything."""
        assert two.services.webhooks.dispatcher.due() == []
        with two.services.storage.database.write() as session:
            session.get_one(WebhookRow, webhook_id).lease_expires_at = clock.now - timedelta(days=1)
        tell(two)
        assert subjects(receiver) == ["one", "one", "two"]
        answer(500)(handler)

    receiver.answers = [meanwhile]
    tell(one)
    assert subjects(receiver) == ["one", "one", "two"]
    (view,) = one.get("/webhooks")
    assert (view["waiting"], view["trouble"]) == (0, "")


@on_both
def test_hubs_that_work_at_once_lose_nothing_and_send_nothing_twice(
    open_hall: OpenHall, receiver: Receiver
) -> None:
    halls = [open_hall(), open_hall()]
    listen(halls[0], receiver)
    names = [f"skill-{number}" for number in range(10)]
    for name in names[:3]:
        publish(halls[0], name)
    threads = [threading.Thread(target=tell, args=(hall,)) for hall in halls]
    for thread in threads:
        thread.start()
    for number, name in enumerate(names[3:]):
        publish(halls[number % 2], name)
    for thread in threads:
        thread.join(30)
    tell(halls[0])
    assert subjects(receiver) == names


def test_what_belongs_to_one_organisation_is_told_to_no_other(hall: Hall, receiver: Receiver) -> None:
    listen(hall, receiver)
    for organisation in ("North Works", "guild"):
        with hall.services.storage.database.write() as session:
            record(session, "robot.lost", hall.clock(), organisation=organisation, robot_id=organisation)
    tell(hall)
    assert subjects(receiver) == ["guild"]


@on_both
def test_what_is_hidden_before_it_is_sent_again_is_not_sent_again(
    hall: Hall, receiver: Receiver, clock: Hands
) -> None:
    hall.organisation("North")
    listen(hall, receiver, **hall.user("nora", "operator", "North"))
    receiver.answers = [answer(500)]
    publish(hall, "hidden", "seen")
    tell(hall)
    assert subjects(receiver) == ["hidden"]
    hide = {"visibility": "organisation"}
    ok(hall.client.put("/api/v1/skills/hidden/visibility", json=hide, headers=hall.operator))
    for _ in range(3):
        clock.advance(60)
        tell(hall)
    assert subjects(receiver) == ["hidden", "seen"]


def test_a_webhook_that_is_removed_while_it_is_told_is_told_nothing_more(
    hall: Hall, receiver: Receiver
) -> None:
    webhook_id = listen(hall, receiver)
    publish(hall, "one", "two")

    def remove(handler: BaseHTTPRequestHandler) -> None:
        hall.services.webhooks.registry.remove(webhook_id, hall.services.access.authenticator.user(ADMIN))
        answer(500)(handler)

    receiver.answers = [remove]
    tell(hall)
    assert subjects(receiver) == ["one"]
    assert hall.get("/webhooks") == []


def test_events_of_no_interest_are_passed_over_for_good(hall: Hall, receiver: Receiver) -> None:
    listen(hall, receiver, "robot.lost")
    with hall.services.storage.database.write() as session:
        session.execute(
            text("INSERT INTO events (id, kind, at, data) VALUES (5000, 'delta.admitted', :at, '{}')"),
            {"at": hall.clock()},
        )
    tell(hall)
    with hall.services.storage.database.read() as session:
        assert session.scalar(text("SELECT position FROM webhooks")) == 5000
    assert receiver.told == []


def change_key(hall: Hall, pem: bytes) -> None:
    """As if the database had been another hub's."""
    path = hall.settings.key_path
    path.write_bytes(pem)
    with hall.services.storage.database.write() as session:
        session.get_one(HubRow, 1).public_key = SigningKey.load_or_create(path).public.text


def test_a_secret_opens_with_the_hubs_own_key_only(
    open_hall: OpenHall, receiver: Receiver, clock: Hands
) -> None:
    first = open_hall()
    webhook_id = listen(first, receiver)
    own = first.settings.key_path.read_bytes()
    change_key(first, SigningKey.generate().to_pem())
    other = open_hall()
    publish(other, "one")
    tell(other)
    assert receiver.told == []
    assert other.get("/webhooks")[0]["trouble"] == "this secret was sealed with another hub key."
    assert other.error(other.post(f"/webhooks/{webhook_id}/test"), 409)["code"] == "sealed_elsewhere"
    change_key(first, own)
    clock.advance(60)
    tell(open_hall())
    assert subjects(receiver) == ["one"]
    assert receiver.told[0].genuine
