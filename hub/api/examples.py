"""Examples of request bodies for the API's documentation; a test sends each one to a hub."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body
from fastapi.openapi.models import Example
from pydantic import BaseModel

from skills.fits import Abilities, Ability
from skills.manifest import Channel, Contract
from skills.messages.attestations import ScoreAttestation
from skills.messages.campaigns import CampaignRequest
from skills.messages.halls import Recall
from skills.messages.health import HealthReport, HealthState, JobSums
from skills.messages.organisations import OrganisationRequest, OrganisationSettings, Quotas, VisibilityChange
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.reports import TagsChange
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest, QrRequest
from skills.messages.rollouts import RingPlan, RolloutOrder, RolloutRequest
from skills.messages.skills import ChannelMove, MinimumChange, UntrainedRequest
from skills.messages.tokens import SessionRequest, TokenRequest
from skills.messages.uploads import SkillPurpose, UploadRequest
from skills.messages.users import InvitationRequest, UserRequest
from skills.messages.webhooks import RedeliverRequest, WebhookRequest
from skills.messages.withdrawals import WithdrawalRequest

__all__ = [
    "AbilitiesBody",
    "CampaignBody",
    "EnrolmentBody",
    "HealthBody",
    "InvitationBody",
    "MinimumBody",
    "MoveBody",
    "OrganisationBody",
    "QrBody",
    "RecallBody",
    "RedeliverBody",
    "RolloutBody",
    "RolloutOrderBody",
    "ScoreAttestationBody",
    "SessionBody",
    "SettingsBody",
    "TagsBody",
    "TokenBody",
    "TokensBody",
    "UntrainedBody",
    "UploadBody",
    "UserBody",
    "VisibilityBody",
    "WebhookBody",
    "WithdrawalBody",
]

PUBLIC_KEY = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8032, section 7.1, test 1


def _example(name: str, summary: str, message: BaseModel) -> dict[str, Example]:
    return {name: {"summary": summary, "value": message.model_dump(mode="json", exclude_unset=True)}}


QrBody = Annotated[
    QrRequest,
    Body(
        openapi_examples=_example(
            "join",
            "The line with which a robot joins",
            QrRequest(text="zunft robot join --hub https://hub.example --token ze_0000000000000000"),
        )
    ),
]

TokensBody = Annotated[
    EnrolmentTokenRequest,
    Body(
        openapi_examples=_example(
            "fleet",
            "Tokens for four robots, good for an hour",
            EnrolmentTokenRequest(count=4, valid_seconds=3600),
        )
    ),
]

EnrolmentBody = Annotated[
    EnrolmentRequest,
    Body(
        openapi_examples=_example(
            "robot",
            "A UR5e joins",
            EnrolmentRequest(
                token="ze_3q2-7wXkqk1bJt0a5VYc9J0m6mJf1kq0G2sJd4nT8xE",  # noqa: S106 - an example
                name="cell 7",
                embodiment="ur5e",
                public_key=PUBLIC_KEY,
            ),
        )
    ),
]

POINTING = Contract(
    observation=(Channel(name="error", size=3, unit="m", scale=0.004),),
    action=(Channel(name="velocity", size=3, unit="m/s", scale=0.1),),
    control_hz=50,
)

RecallBody = Annotated[
    Recall,
    Body(openapi_examples=_example("one", "What came of one round", Recall(rounds=("c-5f0c2a91b3-1",)))),
]

HealthBody = Annotated[
    HealthReport,
    Body(
        openapi_examples=_example(
            "one",
            "A robot that tells of its last ten jobs",
            HealthReport(
                skill="point-at",
                figures=("friction-1", "lag"),
                sums=JobSums(after=30, upto=40, count=10, mean=(0.01, -0.02), scatter=(0.2, 0.01, 0.4)),
                state=HealthState(jobs=10, distance=1.4, height=0.0, limit=17.3),
            ),
        )
    ),
]

AbilitiesBody = Annotated[
    Abilities,
    Body(
        openapi_examples=_example(
            "one",
            "A robot with one task",
            Abilities(
                abilities=(Ability(task="point-at", task_digest="sha256:" + "5b" * 32, contract=POINTING),),
                networks=("mlp",),
            ),
        )
    ),
]

MoveBody = Annotated[
    ChannelMove, Body(openapi_examples=_example("rollback", "Back to version 6", ChannelMove(version=6)))
]

ScoreAttestationBody = Annotated[
    ScoreAttestation,
    Body(
        openapi_examples=_example(
            "score",
            "A DSSE envelope, as zunft task score --attest makes it",
            ScoreAttestation(
                envelope='{"payload": "...", "payloadType": "application/vnd.in-toto+json", '
                '"signatures": [{"keyid": "ed25519:...", "sig": "..."}]}'
            ),
        )
    ),
]

MinimumBody = Annotated[
    MinimumChange,
    Body(openapi_examples=_example("half", "Every other time at least", MinimumChange(minimum=0.5))),
]

InvitationBody = Annotated[
    InvitationRequest,
    Body(openapi_examples=_example("colleague", "A colleague who publishes", InvitationRequest(name="rita"))),
]

UntrainedBody = Annotated[
    UntrainedRequest,
    Body(openapi_examples=_example("push", "To push parts", UntrainedRequest(task="push-part"))),
]

CampaignBody = Annotated[
    CampaignRequest,
    Body(
        openapi_examples=_example(
            "weld",
            "Twelve rounds for weld-seam, examined on three arms",
            CampaignRequest(
                skill="weld-seam",
                rounds=12,
                quorum=3,
                deadline_seconds=900,
                training=TrainingPlan(iterations=5, codec="int8+zstd"),
                gate=GatePlan(embodiments=("ur5e", "panda", "iiwa"), episodes=64),
            ),
        )
        | _example(
            "strangers",
            "Robots of strangers, of which one in five may lie; late deltas count, too",
            CampaignRequest(
                skill="weld-seam",
                quorum=5,
                target=10,
                merge=MergePlan(
                    rule="trimmed-mean", options={"trim": 0.2, "byzantine": 1}, clip=3.0, max_staleness=2
                ),
            ),
        )
    ),
]

UploadBody = Annotated[
    UploadRequest,
    Body(
        openapi_examples=_example(
            "skill",
            "A version of 200 MB for the catalogue",
            UploadRequest(digest="sha256:" + "5b" * 32, size=200_000_000, purpose=SkillPurpose(kind="skill")),
        )
    ),
]

UserBody = Annotated[
    UserRequest,
    Body(
        openapi_examples=_example(
            "researcher", "A researcher who publishes skills", UserRequest(name="ada", role="researcher")
        )
    ),
]

TokenBody = Annotated[
    TokenRequest,
    Body(
        openapi_examples=_example(
            "reader",
            "A token for a dashboard that only looks",
            TokenRequest(name="dashboard", scopes=("read",), valid_days=90),
        )
    ),
]

SessionBody = Annotated[
    SessionRequest,
    Body(
        openapi_examples=_example(
            "token",
            "With an operator's token",
            SessionRequest(token="zt_3q2-7wXkqk1bJt0a5VYc9J0m6mJf1kq0G2sJd4nT8xE"),  # noqa: S106 - an example
        )
    ),
]

VisibilityBody = Annotated[
    VisibilityChange,
    Body(
        openapi_examples=_example(
            "narrow", "Only our own organisation", VisibilityChange(visibility="organisation")
        )
    ),
]

ORDINARY = Quotas(robots=20, storage_bytes=50 * 10**9, uploads_per_hour=2000, campaigns=3)

OrganisationBody = Annotated[
    OrganisationRequest,
    Body(
        openapi_examples=_example(
            "works", "A site with limits", OrganisationRequest(name="North Works", quotas=ORDINARY)
        )
    ),
]

SettingsBody = Annotated[
    OrganisationSettings,
    Body(
        openapi_examples=_example(
            "works", "More robots, smaller deltas", OrganisationSettings(visibility="guild", quotas=ORDINARY)
        )
    ),
]

WebhookBody = Annotated[
    WebhookRequest,
    Body(
        openapi_examples=_example(
            "mes",
            "Tell the plant's MES of new versions and of robots that are missing",
            WebhookRequest(
                url="https://mes.example.com/zunft",
                kinds=("version.published", "robot.lost", "robot.returned"),
            ),
        )
    ),
]

RedeliverBody = Annotated[
    RedeliverRequest,
    Body(openapi_examples=_example("two", "Two of the dead letters", RedeliverRequest(events=(311, 320)))),
]

WithdrawalBody = Annotated[
    WithdrawalRequest,
    Body(openapi_examples=_example("look", "Only say what would change", WithdrawalRequest(dry_run=True))),
]

RolloutBody = Annotated[
    RolloutRequest,
    Body(
        openapi_examples=_example(
            "careful",
            "Three robots' cells first, then a tenth, then all",
            RolloutRequest(
                skill="weld-seam",
                version=12,
                rings=(
                    RingPlan(tags=("test-cell",), least_jobs=20, approval=True),
                    RingPlan(share=0.1),
                    RingPlan(),
                ),
            ),
        )
    ),
]

RolloutOrderBody = Annotated[
    RolloutOrder,
    Body(
        openapi_examples=_example(
            "abort", "Roll back", RolloutOrder(order="abort", reason="Seams on cell 7 are too wide.")
        )
    ),
]

TagsBody = Annotated[
    TagsChange, Body(openapi_examples=_example("cell", "A test cell", TagsChange(tags=("test-cell",))))
]
