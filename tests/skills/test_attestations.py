"""Statements that the reference libraries read, too, and that nobody can bend."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from skills.attestations import ENVELOPE_LIMIT, attest, read_attestation, vouched
from skills.container import digest_of
from skills.errors import ArtefactError, SignatureError, ZunftError
from skills.messages.leaderboards import BoardPlan
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.predicates import (
    Figures,
    Gate,
    Merge,
    MergedDelta,
    Predicate,
    Release,
    Rival,
    Score,
)
from skills.signing import SigningKey

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
VERSION, BASE = digest_of(b"version"), digest_of(b"base")
FIGURES = Figures(score=0.1 + 0.2, low=0.0, high=1.0, episodes=32)
GATE = Gate(
    reference=BASE,
    task="weld-seam",
    task_digest=digest_of(b"task"),
    plan=GatePlan(seed=2**63 - 1),
    minimum=None,
    reached=None,
    candidate=FIGURES,
    current=FIGURES,
    nothing=None,
    by_embodiment={"ur5e": FIGURES},
    decision="passed",
    reason="As good.",
    code="0.1.0",
)
MERGE = Merge(
    round_id="c-1-1",
    version=7,
    parents=(BASE,),
    deltas=(MergedDelta(digest=BASE, size=9, organisation="North", samples=64, staleness=1, weight=1 / 3),),
    training=TrainingPlan(),
    plan=MergePlan(rule="trimmed-mean", options={"trim": 0.2}),
    optimiser_before=None,
    optimiser_after=BASE,
    device="cpu",
    code="0.1.0",
)
RELEASE = Release(
    channel="stable",
    version=7,
    before=None,
    by="user:anna",
    reason="The newer one shakes.",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
)
SCORE = Score(
    task="weld-seam",
    task_digest=BASE,
    plan=BoardPlan(),
    score=FIGURES,
    by_embodiment={"ur5e": FIGURES},
    made_with="numpy 2",
    code="0.1.0",
)
EVERY: list[Predicate] = [GATE, MERGE, RELEASE, SCORE]


PAYLOAD = (
    "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJwcmVkaWNhdGUiOnsiYnlfZW1ib2RpbWVu"
    "dCI6eyJ1cjVlIjp7ImVwaXNvZGVzIjozMiwiaGlnaCI6MS4wLCJsb3ciOjAuOCwic2NvcmUiOjAuOX19LCJjYW5kaWRh"
    "dGUiOnsiZXBpc29kZXMiOjMyLCJoaWdoIjoxLjAsImxvdyI6MC44LCJzY29yZSI6MC45fSwiY29kZSI6IjAuMS4wIiwi"
    "Y3VycmVudCI6eyJlcGlzb2RlcyI6MzIsImhpZ2giOjEuMCwibG93IjowLjgsInNjb3JlIjowLjl9LCJkZWNpc2lvbiI6"
    "InBhc3NlZCIsIm1pbmltdW0iOm51bGwsIm5vdGhpbmciOm51bGwsInBsYW4iOnsiYWxwaGEiOjAuMDUsImFybV9tYXJn"
    "aW4iOjAuMjUsImVtYm9kaW1lbnRzIjpbXSwiZXBpc29kZXMiOjE2LCJtYXJnaW4iOjAuMDYsIm1vc3QiOjQ4MCwicG93"
    "ZXIiOjAuOSwic2VlZCI6MjAwMDB9LCJyZWFjaGVkIjpudWxsLCJyZWFzb24iOiJBcyBnb29kLiIsInJlZmVyZW5jZSI6"
    "InNoYTI1NjpjYWU2NjIxNzJmZDQ1MGJiMGNkNzEwYTc2OTA3OWMwNWJmYzVkOGUzNWVmYTY1NzZlZGM3ZDAzNzdhZmRk"
    "NGEyIiwidGFzayI6IndlbGQtc2VhbSIsInRhc2tfZGlnZXN0IjpudWxsfSwicHJlZGljYXRlVHlwZSI6InVybjp6dW5m"
    "dDpnYXRlOjEiLCJzdWJqZWN0IjpbeyJkaWdlc3QiOnsic2hhMjU2IjoiNWNhNGYzODUwY2NjMzMxYWFmOGEyNTdkNjA4"
    "NmU1MjZhM2I0MmE2M2UxOGNiMTFkMDIwODQ3OTg1YjMxZDE4OCJ9LCJuYW1lIjoid2VsZC1zZWFtQDcifV19"
)
FIRST_EDITION = json.dumps(
    {
        "payload": PAYLOAD,
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [
            {
                "keyid": "ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=",
                "sig": "zyOvHIpc3B/2bEU3kZuwoWMYz/5fZe5seVryPFxSvGPCmfJ+jiuxSHKTiSlCETxJ"
                "KGKzII0a4DG0fKMCMzstBw==",
            }
        ],
    }
)
"""The gate's word as it was written before it named the best version."""


def envelope(predicate: Predicate = GATE) -> bytes:
    return attest(KEY, "weld-seam@7", VERSION, predicate)


def changed(data: bytes, **fields: Any) -> bytes:
    """Another payload under the same signature."""
    document = json.loads(data)
    payload = json.loads(base64.b64decode(document["payload"])) | fields
    document["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize("predicate", EVERY, ids=lambda each: each.kind)
def test_what_is_attested_is_read_again_to_the_last_bit(predicate: Predicate) -> None:
    found = read_attestation(envelope(predicate))
    found.verify(KEY.public)
    assert (found.predicate, found.subject, found.kind) == (predicate, VERSION, predicate.kind)
    assert found.digest == digest_of(envelope(predicate))


@pytest.mark.parametrize("predicate", EVERY, ids=lambda each: each.kind)
def test_the_reference_libraries_read_and_verify_it(predicate: Predicate) -> None:
    found = Envelope.from_dict(json.loads(envelope(predicate)))
    raw = base64.b64decode(KEY.public.text.removeprefix("ed25519:")).hex()
    found.verify([SSlibKey(KEY.public.text, "ed25519", "ed25519", {"public": raw})], 1)
    statement = json_format.Parse(found.payload, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    assert statement.subject[0].digest["sha256"] == VERSION.removeprefix("sha256:")


def test_the_gates_word_of_before_is_read_and_verified() -> None:
    found = read_attestation(FIRST_EDITION.encode())
    found.verify(found.signer)
    assert isinstance(found.predicate, Gate)
    assert (found.predicate.best, found.predicate.kept, found.predicate.failed_on) == (None, {}, ())
    assert (found.subject, found.predicate.reference, found.predicate.decision) == (VERSION, BASE, "passed")


@pytest.mark.parametrize(
    ("losses", "told", "wrong"),
    [
        (2, {}, False),
        (9, {}, True),
        (9, {"decision": "rejected"}, False),
        (9, {"best": None}, False),
        (9, {"best": None, "kept": {"ur5e": None}}, True),
        (9, {"best": None, "kept": {"ur5e": None}, "failed_on": ("ur5e",)}, False),
    ],
)
def test_nothing_passes_that_lost_to_a_rival(losses: int, told: dict[str, Any], *, wrong: bool) -> None:
    rival = Rival(digest=BASE, score=FIGURES, jobs=100, wins=1, losses=losses)
    kept = dict.fromkeys(told.get("kept", ()), rival)
    said = GATE.model_copy(update={"best": rival, **told, "kept": kept})
    assert bool(said.contradiction()) == wrong


def test_only_the_keys_that_count_count() -> None:
    assert vouched(envelope(), Gate, VERSION, [OTHER.public, KEY.public]) == GATE
    with pytest.raises(SignatureError, match="does not count"):
        vouched(envelope(), Gate, VERSION, [OTHER.public])


def test_a_name_of_a_key_is_no_signature_of_it() -> None:
    document = json.loads(attest(OTHER, "weld-seam@7", VERSION, GATE))
    document["signatures"][0]["keyid"] = KEY.public.text
    with pytest.raises(SignatureError, match="does not fit"):
        vouched(json.dumps(document).encode(), Gate, VERSION, [KEY.public])


def test_it_speaks_of_one_version_and_of_one_thing() -> None:
    with pytest.raises(ArtefactError, match="not of"):
        vouched(envelope(), Gate, BASE, [KEY.public])
    with pytest.raises(ArtefactError, match="of the kind gate, not merge"):
        vouched(envelope(), Merge, VERSION, [KEY.public])


def test_a_changed_payload_is_not_what_was_signed() -> None:
    data = changed(envelope(), predicate={**GATE.model_dump(mode="json"), "reason": "Much better."})
    with pytest.raises(SignatureError):
        vouched(data, Gate, VERSION, [KEY.public])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "type"),
        ({"predicateType": "urn:zunft:gate:3"}, "no known type"),
        ({"predicateType": ["urn:zunft:gate:1"]}, "no known type"),
        ({"subject": []}, "subject"),
        ({"more": 1}, "more"),
        ({"predicate": {**GATE.model_dump(mode="json"), "more": 1}}, "predicate.more"),
        ({"predicate": {**GATE.model_dump(mode="json"), "decision": "perhaps"}}, "decision"),
        ({"predicate": {**GATE.model_dump(mode="json"), "minimum": float("nan")}}, "no statement"),
    ],
)
def test_what_is_not_to_the_letter_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ArtefactError, match=reason):
        read_attestation(changed(envelope(), **fields))


def test_no_more_is_read_than_anybody_may_send() -> None:
    with pytest.raises(ArtefactError, match="more than"):
        read_attestation(b"{" + b" " * ENVELOPE_LIMIT)


@given(st.binary(max_size=200) | st.integers(0, 10_000).map(lambda at: _flipped(envelope(), at)))
def test_whatever_comes_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ZunftError):
        vouched(data, Gate, VERSION, [KEY.public])


def _flipped(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
