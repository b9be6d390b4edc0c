"""Which halls vouch for a version that came from a larger hall, each verified from the numbers themselves.

A hall's word (`skills.predicates.Hall`) has the larger hall's manifest in it. With the version's own numbers
that makes the larger hall's file, whose digest is what that hall's gate and key speak of; and so on upwards.
So no hall can hand on a word about other numbers. Nobody's robots are named in any of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from skills.attestations import Attested, read_attestation
from skills.container import Tensors, digest_of, pack
from skills.errors import ArtefactError, SignatureError
from skills.halls import hall_id
from skills.manifest import Digest, Manifest
from skills.predicates import Gate, Hall, Release
from skills.signing import VerifyKey
from skills.skill import Skill

__all__ = ["HallWord", "chain_of"]

DEEPEST = 64
"""Halls above one another; no membership has a longer path."""


@dataclass(frozen=True)
class HallWord:
    """What one hall above says of the same numbers.

    Attributes:
        hall: Its id.
        version: Its number there.
        gate: What its gate found; None: nothing is handed on.
        released: Whether it made that its stable version.
        complaint: What does not hold; empty where all does.
    """

    hall: Digest
    version: int
    gate: Gate | None = None
    released: bool = False
    complaint: str = ""

    def in_words(self) -> str:
        """On one line: `v7 of hall sha256:0a1b..: passed, 0.95 in 480 episodes, released`."""
        found = "not measured"
        if self.gate is not None:
            figures = self.gate.candidate
            found = f"{self.gate.decision}, {figures.score:.2f} in {figures.episodes} episodes"
        return f"v{self.version} of hall {self.hall[:19]}: {found}{', released' * self.released}"


def chain_of(tensors: Tensors, word: Hall) -> list[HallWord]:
    """The halls above, the nearest first; the last has a complaint where the chain does not hold.

    Args:
        tensors: Of the version that the word is about.
        word: Whose signature was verified already, as the own hall's.
    """
    found: list[HallWord] = []
    left: list[Hall] = [word]
    while left and len(found) < DEEPEST:
        here = left.pop()
        try:
            said, left = _looked_at(tensors, here)
        except (ArtefactError, SignatureError) as error:
            said = HallWord(here.hall, here.upper_version, complaint=error.message)
        found.append(said)
    return found


def _looked_at(tensors: Tensors, word: Hall) -> tuple[HallWord, list[Hall]]:
    """What a hall says, and the word that it has from above, if any."""
    hub_key, gate_key = VerifyKey(word.hub_key).canonical(), VerifyKey(word.gate_key).canonical()
    if hall_id(hub_key) != word.hall:
        raise _broken(f"the key of hall {word.hall[:19]} is not the one that it is called by")
    if _digest(tensors, word.manifest) != word.upper:
        raise _broken(f"v{word.upper_version} of hall {word.hall[:19]} has other numbers")
    gate: Gate | None = None
    above: list[Hall] = []
    released = False
    for envelope in word.vouched:
        each = read_attestation(envelope.encode())
        if each.subject != word.upper:
            raise _broken(f"what hall {word.hall[:19]} hands on speaks of {each.subject}")
        _verify(each, gate_key if isinstance(each.predicate, Gate) else hub_key)
        match each.predicate:
            case Gate() as found:
                gate = gate or found  # the newest comes first
            case Release() as release:
                released = released or release.channel == "stable"
            case Hall() as found:
                above = [found]
    return HallWord(word.hall, word.upper_version, gate, released), above


def _verify(attested: Attested, key: VerifyKey) -> None:
    if attested.signer != key:
        raise SignatureError("another key than the one whose word counts there.", where="signature")
    attested.verify(key)


def _digest(tensors: Tensors, manifest: str) -> Digest:
    """Of the file with these numbers and this manifest, as it stands there."""
    try:
        Skill(Manifest.model_validate_json(manifest), tensors)
        return digest_of(pack(manifest, tensors))
    except ValidationError as error:
        raise _broken("its manifest cannot be read") from error


def _broken(what: str) -> ArtefactError:
    return ArtefactError(f"{what}.", where="attestation", code="bad_attestation")
