"""Attestations: who vouches for what of a version, as in-toto Statements v1 in DSSE envelopes, by Ed25519.

Four predicates of our own, described in docs/format.md: how a version was merged, what the gate measured, who
moved a channel, and what somebody scored. An envelope is named by the SHA-256 of its bytes; what is signed is
the statement's bytes as they stand in it, so that nothing is ever written anew before it is verified.

The predicates are read strictly: an unknown field is an error, and whoever needs another one writes a later
edition; earlier ones are read as that. Whose key counts for what is decided by whoever reads: `fleet.trust`
for robots, `hub.attestations` for hubs.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature

from skills.container import digest_of
from skills.errors import ArtefactError, SignatureError
from skills.files import Blob
from skills.manifest import Digest, Name
from skills.messages.leaderboards import BoardPlan
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.skills import ChannelName, ScoreView
from skills.signing import SigningKey, VerifyKey

__all__ = [
    "ENVELOPE_LIMIT",
    "ENVELOPE_TYPE",
    "Attested",
    "Decision",
    "Figures",
    "Gate",
    "Kind",
    "Merge",
    "MergedDelta",
    "Predicate",
    "Release",
    "Rival",
    "Score",
    "attest",
    "read_attestation",
    "vouched",
]

ENVELOPE_LIMIT = 16 * 1024 * 1024
"""Bytes of the largest envelope: the merge of some 40,000 deltas."""
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SHA256 = "sha256:"

Kind = Literal["merge", "gate", "release", "score"]
Decision = Literal["passed", "rejected", "unjudged"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Predicate(_Strict):
    """What is said of a version; each kind has a type of its own in the statement."""

    kind: ClassVar[Kind]
    edition: ClassVar[int] = 1

    @classmethod
    def type_uri(cls, edition: int | None = None) -> str:
        """How the statement names it."""
        return f"urn:zunft:{cls.kind}:{edition or cls.edition}"


class MergedDelta(_Strict):
    """One delta of a merge.

    Attributes:
        organisation: Of the robot that sent it.
        samples: Environment steps behind it.
        staleness: Rounds that it came late.
        weight: What it counted before the rule.
        trust: How far the gate's own rollouts trusted it; None where the rule does not ask.
    """

    digest: Digest
    size: int = Field(ge=1)
    organisation: str
    samples: int = Field(ge=0)
    staleness: int = Field(ge=0)
    weight: float = Field(ge=0)
    trust: float | None = Field(default=None, ge=0)


class Merge(Predicate):
    """How a version was merged: all that is needed to merge it again, bit for bit.

    Attributes:
        parents: The version that the update was added to.
        deltas: In the order in which they were merged.
        plan: Rule, options and server optimiser.
        optimiser_before: Digest of the optimiser's state; None: none.
        optimiser_after: The same after this merge.
        device: What merged.
        code: Version of Zunft that merged.
    """

    kind = "merge"
    round_id: str
    version: int = Field(ge=1)
    parents: tuple[Digest, ...] = Field(min_length=1, max_length=1)
    deltas: tuple[MergedDelta, ...] = Field(min_length=1)
    training: TrainingPlan
    plan: MergePlan
    optimiser_before: Digest | None
    optimiser_after: Digest
    device: str
    code: str


class Figures(_Strict):
    """A success rate with its 95 % interval."""

    score: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    episodes: int = Field(ge=1)

    @classmethod
    def of(cls, view: ScoreView) -> Figures:
        """The same of a message."""
        return cls(score=view.score, low=view.low, high=view.high, episodes=view.episodes)


class Rival(_Strict):
    """Another version that a candidate was held to, in the same jobs.

    Attributes:
        score: The rival's.
        wins: Jobs in which the candidate alone succeeded.
        losses: In which the rival alone did.
    """

    digest: Digest
    score: Figures
    jobs: int = Field(ge=1)
    wins: int = Field(ge=0)
    losses: int = Field(ge=0)


class Gate(Predicate):
    """What the gate measured, and what it decided.

    Attributes:
        reference: Digest of the version that the candidate was compared with; None: with none.
        best: The best version of the lineage, which it was held to as well; None: that was the reference, or
            it did not come to that.
        kept: By embodiment, the version that robots of it still use, and that it was held to there.
        task_digest: Of the bundle that was measured on; None where a hub measures by a gate of its own.
        plan: Seed, episodes and tolerance.
        minimum: Success that it was held to; None: more than `nothing`, or not held to anything.
        reached: Whether it reached that; None: it was not held to it.
        decision: `passed`: not worse than any of these, and it reached what it was held to; `unjudged`:
            there was nothing to hold it to.
        failed_on: Embodiments on which it was not seen to be as good: it passed for the others.
        code: Version of Zunft that measured.
    """

    kind = "gate"
    edition = 2
    reference: Digest | None
    best: Rival | None = None
    kept: dict[Name, Rival] = Field(default_factory=dict)
    task: Name
    task_digest: Digest | None
    plan: GatePlan
    minimum: float | None
    reached: bool | None
    candidate: Figures
    current: Figures | None
    nothing: Figures | None
    by_embodiment: dict[str, Figures]
    decision: Decision
    failed_on: tuple[Name, ...] = ()
    reason: str
    code: str

    def contradiction(self) -> str:
        """What of it cannot be true; empty where nothing is.

        Nothing passes that lost to a rival by the plan's margin or more: no evidence comes of such counts.
        """
        rivals = {arm: rival for arm, rival in self.kept.items() if arm not in self.failed_on}
        for rival in (*([self.best] if self.best else []), *rivals.values()):
            if self.decision == "passed" and rival.wins - rival.losses <= -self.plan.margin * rival.jobs:
                return (
                    f"the gate says that it passed, and that it lost {rival.losses} of {rival.jobs} jobs to "
                    f"{rival.digest} and won {rival.wins}"
                )
        return ""


class Release(Predicate):
    """Who moved a channel to this version, and why.

    Attributes:
        before: Digest of the version that the channel pointed at; None: at none.
        by: As in the audit log: `hub`, or who asked for it.
        reason: What a person typed, or for the hub what the gate found.
    """

    kind = "release"
    channel: ChannelName
    version: int = Field(ge=1)
    before: Digest | None
    by: str
    reason: str
    at: datetime


class Score(Predicate):
    """What somebody scored by the plan of the leaderboard, on each embodiment of the task.

    Attributes:
        by: Who measured, as in the audit log of the hub that was handed it; empty in the first edition.
        plan: All jobs follow from its seed.
    """

    kind = "score"
    edition = 2
    by: str = Field(default="", max_length=128)
    task: Name
    task_digest: Digest
    plan: BoardPlan
    score: Figures
    by_embodiment: dict[str, Figures]
    made_with: str
    code: str


P = TypeVar("P", bound=Predicate)


@dataclass(frozen=True)
class Attested:
    """An envelope that was read. Whether its signature holds is not known before `verify`.

    Attributes:
        digest: The envelope's name.
        name: What the statement calls its subject, such as `weld-seam@7`.
        subject: Digest of the version that it speaks of.
        signer: The key that claims to have signed.
    """

    digest: Digest
    name: str
    subject: Digest
    predicate: Predicate
    signer: VerifyKey
    signature: str
    signed: bytes

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return self.predicate.kind

    def verify(self, key: VerifyKey) -> None:
        """Hold the signature to a key.

        Raises:
            SignatureError: Another key signed it, or it signed something else.
        """
        key.verify(self.signature, self.signed)


def attest(key: SigningKey, name: str, subject: Digest, predicate: Predicate) -> bytes:
    """The envelope in which a key says something of a version.

    Args:
        key: Whose word it is.
        name: What people call the version, such as `weld-seam@7`.
        subject: Digest of its file.
        predicate: What is said.

    Raises:
        ArtefactError: It would be larger than anybody reads.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": subject.removeprefix(SHA256)}}],
        "predicateType": predicate.type_uri(),
        "predicate": predicate.model_dump(mode="json"),
    }
    envelope = Envelope(_canonical(statement), PAYLOAD_TYPE, {})
    signature = base64.b64decode(key.sign(envelope.pae())).hex()
    envelope.signatures[key.public.text] = Signature(key.public.text, signature)
    data = _canonical(envelope.to_dict())
    _check_size(data)
    return data


def read_attestation(data: Blob) -> Attested:
    """Read an envelope; nothing of it is verified but its form.

    Raises:
        ArtefactError: Too large, or not an envelope with one statement of a kind that is known here.
    """
    _check_size(data)
    envelope = _parsed(_Envelope, bytes(data))
    signature, payload = envelope.signatures[0], _decoded(envelope.payload)
    _decoded(signature.sig)
    try:
        told = from_json(payload, allow_inf_nan=False)
        uri = told["predicateType"]
    except (ValueError, KeyError, TypeError) as error:
        raise _refusal("its payload is no statement") from error
    if not isinstance(uri, str) or uri not in _STATEMENTS:
        raise _refusal(f"its predicate {str(uri)[:80]!r} is of no known type")
    statement = _parsed(_STATEMENTS[uri], payload)
    subject = statement.subject[0]
    return Attested(
        digest=digest_of(data),
        name=subject.name,
        subject=SHA256 + subject.digest.sha256,
        predicate=statement.predicate,
        signer=VerifyKey(signature.keyid),
        signature=signature.sig,
        signed=Envelope(payload, envelope.payloadType, {}).pae(),
    )


def vouched(data: Blob, kind: type[P], subject: Digest, keys: Iterable[VerifyKey]) -> P:
    """What one of these keys says of a version, or an error that says why it does not.

    Raises:
        ArtefactError: Not an attestation, of another kind, or of another version.
        SignatureError: None of the keys signed it.
    """
    found = read_attestation(data)
    if not isinstance(found.predicate, kind):
        raise _refusal(f"it is of the kind {found.kind}, not {kind.kind}")
    if found.subject != subject:
        raise _refusal(f"it speaks of {found.subject}, not of {subject}")
    if all(found.signer != key for key in keys):
        raise SignatureError(
            f"the {kind.kind} attestation is signed by {found.signer.text}, which does not count here.",
            where="signature",
        )
    found.verify(found.signer)
    return found.predicate


class _Signature(_Strict):
    keyid: str = Field(max_length=128)
    sig: str = Field(max_length=128)


class _Envelope(_Strict):
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815 - DSSE's own spelling
    payload: str
    signatures: tuple[_Signature, ...] = Field(min_length=1, max_length=1)


class _DigestSet(_Strict):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Subject(_Strict):
    name: str = Field(min_length=1, max_length=256)
    digest: _DigestSet


class _Statement(_Strict, Generic[P]):
    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[_Subject, ...] = Field(min_length=1, max_length=1)
    predicateType: str  # noqa: N815 - in-toto's own spelling
    predicate: P


def _editions(kind: type[P]) -> dict[str, type[_Statement[Any]]]:
    return {kind.type_uri(edition): _Statement[kind] for edition in range(1, kind.edition + 1)}  # type: ignore[valid-type] # made here


_STATEMENTS: dict[str, type[_Statement[Any]]] = {
    **_editions(Merge),
    **_editions(Gate),
    **_editions(Release),
    **_editions(Score),
}
M = TypeVar("M", bound=BaseModel)


def _parsed(kind: type[M], data: bytes) -> M:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise _refusal(f"{place or 'it'}: {first['msg'][:200]}") from error


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("it is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise _refusal("its base64 has a second spelling")  # one statement, one envelope, one name
    return data


def _check_size(data: Blob) -> None:
    if len(data) > ENVELOPE_LIMIT:
        raise _refusal(f"it has {len(data)} bytes, more than {ENVELOPE_LIMIT}")


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _refusal(what: str) -> ArtefactError:
    return ArtefactError(
        f"this is no attestation that counts here: {what}.", where="attestation", code="bad_attestation"
    )
