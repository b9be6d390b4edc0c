"""Whom a robot trusts for what: the policy that its owner wrote, and whether a version is vouched for by it.

The policy is the table `[trust]` of `settings.toml` in the robot's folder; without one it demands that the
gate saw the version pass, by the gate's key that the root of trust names or that was pinned. Signatures are
`skills.attestations`', the bytes `fleet.client`'s; whether the skill is any good here is `fleet.adoption`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from fleet.client import HubClient
from fleet.robot_folder import RobotFolder
from skills.attestations import ENVELOPE_LIMIT, vouched
from skills.errors import ArtefactError, NotFoundError, SignatureError, ZunftError
from skills.messages.skills import VersionView
from skills.predicates import Gate, Merge, Predicate, Release
from skills.signing import VerifyKey

__all__ = ["Trust", "UnvouchedError", "Vouching"]

MOST_LISTED = 64
"""Attestations of a kind that are looked at: a hub that lists more wants a robot to be busy."""
GATE_LIMIT = 256 * 1024
"""Bytes of what the gate, or who released, says; a merge lists its deltas and may be longer."""
Demand = Literal["gate", "merge", "release"]
P = TypeVar("P", bound=Predicate)


class UnvouchedError(ZunftError):
    """Nobody whose word counts here vouches for a version. Somebody may yet: it stands against no version."""

    code = "not_vouched_for"
    status = 502


class Trust(BaseModel):
    """A robot's policy.

    Attributes:
        demand: What has to be vouched for: what the gate found, how it was merged (asked of merged versions),
            who released it. Nothing: whatever the hub signed is tried in the twin.
        gate_keys: Whose word on what the gate found counts; none: the key that the root of trust names, or
            else the one that was pinned at enrolment.
        hub_keys: Whose word on merges and releases counts; none: the hub's pinned key.
        rejected_with_reason: Whether a version that the gate rejected is taken where a person released it
            and said why.
        least_success: Success at which the gate must have seen it.
        least_episodes: In so many episodes.
        untried: Whether a robot that cannot try a version, for it has no simulator, takes it on the gate's
            word, which is then asked for whatever else is demanded. Else it keeps the version that it has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    demand: frozenset[Demand] = frozenset({"gate"})
    gate_keys: tuple[str, ...] = ()
    hub_keys: tuple[str, ...] = ()
    rejected_with_reason: bool = False
    least_success: float = Field(default=0.0, ge=0, le=1)
    least_episodes: int = Field(default=1, ge=1)
    untried: bool = True


@dataclass(frozen=True)
class Vouching:
    """Holds versions to a robot's policy."""

    bench: RobotFolder
    client: HubClient
    trust: Trust
    tries: bool = True

    @classmethod
    def by_owner(cls, bench: RobotFolder, client: HubClient, *, tries: bool = True) -> Vouching:
        """By what the owner wrote into the robot's folder; `tries`: whether it tries versions itself.

        Raises:
            ArtefactError: It cannot be read.
        """
        return cls(bench, client, bench.policy("trust", Trust), tries)

    def check(self, version: VersionView) -> None:
        """Hold a version to the policy, before a byte of it is asked for.

        Raises:
            UnvouchedError: It is not vouched for as the owner demands.
            HubUnreachableError: No answer.
        """
        if not (self.tries or self.trust.untried):
            raise UnvouchedError(
                f"v{version.version} cannot be tried here, and this robot's owner takes nothing untried.",
                where="[trust] untried",
                remedy="Give the robot a simulator: pip install 'zunft[train]'",
            )
        try:
            if "gate" in self.trust.demand or not self.tries:
                self._check_gate(version)
            if "release" in self.trust.demand and not self._is_released(version):
                raise _unvouched(version, "nobody released it as the stable version")
            if "merge" in self.trust.demand and version.manifest.origin == "merge":
                next(self._all(version, Merge))
        except (ArtefactError, SignatureError, NotFoundError) as error:
            raise _unvouched(version, str(error)) from error

    def _check_gate(self, version: VersionView) -> None:
        why = ""
        for gate in self._all(version, Gate):
            why = self._complaint(gate, version)
            if not why:
                return
            if gate.decision == "rejected" and self._released_all_the_same(version):
                return
        raise _unvouched(version, why)

    def _complaint(self, gate: Gate, version: VersionView) -> str:
        """Why a gate's word is not enough; empty where it is."""
        told, found = version.manifest.task_digest, gate.candidate
        if gate.task != version.manifest.task or (told is not None and gate.task_digest != told):
            return f"the gate measured it at another task, {gate.task} {gate.task_digest or 'of its own'}"
        if gate.decision != "passed":
            return f"the gate's decision is {gate.decision}: {gate.reason}"
        if self.bench.identity().embodiment in gate.failed_on:
            return f"the gate saw it fail on this robot's arm: {gate.reason}"
        if impossible := gate.contradiction():
            return impossible
        if found.score < self.trust.least_success or found.episodes < self.trust.least_episodes:
            return f"the gate saw {found.score:.2f} in {found.episodes} episodes, and the owner asks for more"
        return ""

    def _is_released(self, version: VersionView) -> bool:
        return any(_is_stable(each) for each in self._all(version, Release))

    def _released_all_the_same(self, version: VersionView) -> bool:
        """Whether a person released it and said why, and the owner takes that."""
        if not self.trust.rejected_with_reason:
            return False
        try:
            releases = list(self._all(version, Release))
        except UnvouchedError:
            return False
        return any(_is_stable(each) and each.by != "hub" and each.reason for each in releases)

    def _all(self, version: VersionView, kind: type[P]) -> Iterator[P]:
        """What counts of this kind, the newest first; at least one.

        Raises:
            UnvouchedError: None counts, and why the last one does not.
        """
        keys, why = self._keys(kind), f"it has no {kind.kind} attestation"
        limit = ENVELOPE_LIMIT if kind is Merge else GATE_LIMIT
        listed = [each for each in self.client.attestations(version) if each.kind == kind.kind]
        counted = False
        for each in listed[:MOST_LISTED]:
            try:
                data = self.client.envelope(version, each.digest, min(each.size, limit))
                said = vouched(data, kind, version.digest, keys)
            except (ArtefactError, SignatureError, NotFoundError) as error:
                why = str(error)
                continue
            counted = True
            yield said
        if not counted:
            raise _unvouched(version, why)

    def _keys(self, kind: type[P]) -> list[VerifyKey]:
        if kind is Gate:
            named = self.trust.gate_keys or (self.client.guild.gate_key() or self._pinned_gate_key(),)
        else:
            named = self.trust.hub_keys or (self.bench.identity().hub_key,)
        return [VerifyKey(text).canonical() for text in named]

    def _pinned_gate_key(self) -> str:
        """Pinned when the robot joined; one that joined earlier learns it once, under the hub's key."""
        identity = self.bench.identity()
        if not identity.gate_key:
            learned = self.client.learn_gate_key(identity.pinned_key)
            identity = identity.model_copy(update={"gate_key": learned.text})
            self.bench.keep_identity(identity)
        return identity.gate_key


def _is_stable(release: Release) -> bool:
    return release.channel == "stable"


def _unvouched(version: VersionView, why: str) -> UnvouchedError:
    return UnvouchedError(
        f"v{version.version} is not vouched for as this robot's owner demands: {why}.",
        where="[trust]",
        remedy="Have the hub measure and release it; docs/security.md says what a robot demands.",
    )
