"""One message over real HTTP and TLS: what is taken, what is not, and what is not even tried."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.webhooks.envelope import new_secret, signed_headers
from hub.webhooks.sending import AddressError, Sender
from skills.messages.webhooks import DeliveryReport
from tests.hub.webhooks.receiver import Answer, Receiver, answer, hang_up, receiving

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HERE = Sender(LOOPBACK, plain_http=True, seconds=20)
HASTY = Sender(LOOPBACK, plain_http=True, seconds=0.5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        found.secret = new_secret()
        yield found


def send(sender: Sender, receiver: Receiver) -> DeliveryReport:
    body = b'{"id": "1", "type": "zunft.test"}'
    return sender.send(receiver.address, signed_headers(receiver.secret, "m-1", 1_700_000_000, body), body)


def test_a_message_is_taken_once_and_its_signature_holds(receiver: Receiver) -> None:
    report = send(HERE, receiver)
    assert (report.delivered, report.status, report.reason) == (True, 204, "")
    (told,) = receiver.told
    assert told.genuine
    assert told.content_type.startswith("application/cloudevents+json")


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 410, 500, 503])
def test_any_other_answer_is_none_and_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [answer(status, location=receiver.address)]
    report = send(HERE, receiver)
    assert (report.delivered, report.status) == (False, status)
    assert len(receiver.told) == 1


def silent(_: BaseHTTPRequestHandler) -> None:
    time.sleep(2)


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(40):
        handler.wfile.write(f"x-drip-{number}: 1\r\n".encode())
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [silent, drip])
def test_the_whole_time_is_limited_also_where_something_comes_now_and_then(
    receiver: Receiver, slow: Answer
) -> None:
    receiver.answers = [slow]
    report = send(HASTY, receiver)
    assert (report.delivered, report.reason) == (False, "no answer within 0.5 s.")


def endless(handler: BaseHTTPRequestHandler) -> None:
    answer(200, length=2**40)(handler)
    while True:
        handler.wfile.write(bytes(65_536))


def endless_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"x-more: " + b"x" * 1000 + b"\r\n")


def test_of_an_endless_answer_only_the_start_is_read(receiver: Receiver) -> None:
    receiver.answers = [endless, endless_headers]
    assert send(HERE, receiver).delivered
    assert send(HERE, receiver).reason == "what answered does not speak HTTP."


def test_a_receiver_that_hangs_up_or_is_not_there_has_not_taken_it(receiver: Receiver) -> None:
    receiver.answers = [hang_up]
    assert not send(HERE, receiver).delivered
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiver.address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert send(HERE, receiver).reason == "it cannot be reached, or hung up."


def test_a_name_is_judged_by_where_it_leads_when_it_is_used(receiver: Receiver) -> None:
    closed = Sender((), plain_http=True)
    closed.check(receiver.address)  # `localhost` is a name like any other until it is looked up
    report = send(closed, receiver)
    assert (report.delivered, report.status) == (False, None)
    assert "private network" in report.reason
    assert receiver.told == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.1:8443/",
        "https://user:pw@example.com/",
        "https://example.com/#x",
        "https:///x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://[::1",
        "",
    ],
)
def test_what_can_never_be_sent_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(AddressError) as refusal:
        Sender().check(url)
    assert refusal.value.remedy


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/"])
def test_other_spellings_of_a_private_address_come_out_when_they_are_used(url: str) -> None:
    report = Sender().send(url, {}, b"{}")
    assert not report.delivered
    assert report.status is None


def test_tls_is_spoken_with_whom_the_system_trusts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path, "localhost")
    with receiving(certificate) as receiver:
        receiver.secret = new_secret()
        secure = Sender(LOOPBACK, seconds=20)
        assert send(secure, receiver).reason == "its certificate is not trusted."
        assert receiver.told == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert send(secure, receiver).delivered
        receiver.address = receiver.address.replace("localhost", "127.0.0.1")
        assert send(secure, receiver).reason == "its certificate is not trusted."  # another name


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(encoding))
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@contextmanager
def silent_port() -> Iterator[int]:
    """A port at which connections are accepted by nobody."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        yield listener.getsockname()[1]


def test_a_receiver_that_accepts_and_says_nothing_costs_the_time_that_is_allowed(receiver: Receiver) -> None:
    with silent_port() as port:
        receiver.address = f"http://127.0.0.1:{port}/"
        threads = [threading.Thread(target=send, args=(HASTY, receiver)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
