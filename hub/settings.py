"""Every knob of the hub, read from the environment (`ZUNFT_...`) or passed in by code.

What a setting does is said beside it; a test holds docker-compose.yml to these names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.addresses import issuer_fault, parse_networks, store_place
from skills.lines import is_protected
from skills.messages.base import Label
from skills.messages.organisations import REGION
from skills.messages.users import UserRole
from skills.skill import SIZE_LIMIT

__all__ = ["KEY_FILE", "SPOOL_FOLDER", "Settings", "StoreKeys"]

MEBIBYTE = 2**20
SHORTEST_TOKEN = 16
KEY_FILE = "hub-key.pem"
GATE_KEY_FILE = "gate-key.pem"
AUDIT_FILE = "audit-heads.jsonl"
Region = Annotated[str, StringConstraints(pattern=f"^{REGION}$")]


class StoreKeys(BaseModel):
    """Credentials of an S3 store."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    access_key: SecretStr
    secret_key: SecretStr
    direct_url: str = ""


class Settings(BaseSettings):
    """The hub's configuration. An empty database or store address means: inside `data_dir`."""

    model_config = SettingsConfigDict(env_prefix="ZUNFT_", extra="ignore", frozen=True)

    data_dir: Path = Field(
        default=Path("zunft-data"),
        description="Folder of the hub's signing key and, unless set otherwise, its database and store.",
    )
    signing_key_file: Path | None = Field(
        default=None,
        description="File of the key that signs the guild's skills, the same for all processes of a hub; "
        "empty: data_dir/hub-key.pem, which is made with a new hub.",
    )
    gate_key_file: Path | None = Field(
        default=None,
        description="File of the key with which workers sign what the gate found, on the machine where they "
        "run; empty: gate-key.pem beside the hub's key, which is made with a new hub.",
    )
    gate_key: str = Field(
        default="",
        max_length=128,
        description="Public half of the gate's key, ed25519:..., where that lies on other machines only; "
        "another one than before takes its place. Empty: of the key in gate_key_file.",
    )
    audit_heads: str = Field(
        default="",
        description="Where the audit log's head is noted: a file, which is only appended to, or an https "
        "address, which takes POST and answers GET with the same lines; empty: data_dir/audit-heads.jsonl.",
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy address, such as postgresql+psycopg://user@host/zunft; empty: SQLite.",
    )
    store_url: str = Field(
        default="",
        description="Object store: file:///folder or s3://bucket/prefix?endpoint=host:port; empty: files.",
    )
    s3_access_key: SecretStr = Field(default=SecretStr(""), description="Access key of the S3 store.")
    s3_secret_key: SecretStr = Field(default=SecretStr(""), description="Secret key of the S3 store.")
    s3_direct_url: str = Field(
        default="",
        description="Address under which robots reach the S3 store, such as https://s3.example.com: large "
        "files then pass the hub by, in both directions; empty: all bytes go through the hub.",
    )
    regions: dict[Region, str] = Field(
        default={},
        description='Stores by region, as JSON: {"eu": "s3://bucket?endpoint=host"}; blobs of an '
        "organisation that is pinned to a region lie there and nowhere else.",
    )
    region_keys: dict[Region, StoreKeys] = Field(
        default={},
        description="Keys of regions that have their own, and where robots reach them: "
        '{"eu": {"access_key": "...", "secret_key": "...", "direct_url": "https://s3.eu.example"}}.',
    )
    merge_device: str = Field(
        default="auto",
        pattern="^(auto|cpu|cuda|ray)$",
        description="What merges: cpu, cuda, ray (a cluster), or auto: a GPU where there is one.",
    )
    jobs: str = Field(
        default="processes",
        pattern="^(processes|ray)$",
        description="Where merging and gating run: in worker processes beside the hub, or on a Ray cluster.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Merges and gates at the same time; each has a process, also to speak to a Ray cluster.",
    )
    worker_idle_seconds: float = Field(
        default=300,
        gt=0,
        description="A worker process without work ends after so long, and gives its memory back.",
    )
    lease_seconds: float = Field(
        default=10,
        ge=0.1,
        le=3600,
        description="A hub process that works on a campaign or a score and is not heard of for so long is "
        "succeeded by another one; the same for all processes of a hub.",
    )
    leaderboards: bool = Field(
        default=True,
        description="Whether every version that becomes stable is scored for the leaderboard of its task, in "
        "a worker process of its own that gives way to all others.",
    )
    core_watts: float = Field(
        default=3.5,
        gt=0,
        le=1000,
        description="Watts of a busy processor (a thread of the hardware), by which energy is estimated "
        "where no counter can be read, and robots' always; the default is explained in docs/costs.md.",
    )
    ray_address: str = Field(
        default="",
        description="Ray cluster for jobs and merge_device ray, such as ray://head:10001; "
        "empty: one is started here.",
    )
    ray_pool_label: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$",
        description="Label of that cluster's nodes which says what jobs they do: merging, or rendering, "
        "which is all that plays episodes; empty: any node does any job.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    admin_token: SecretStr = Field(
        default=SecretStr(""),
        description="Token of the user `admin`; empty: one is made and kept in data_dir/admin-token.",
    )
    public_catalogue: bool = Field(
        default=True, description="Whether skills and their files may be read without a login."
    )
    console: bool = Field(default=True, description="Whether the hub serves its web pages.")
    metrics: bool = Field(default=True, description="Whether the hub counts and times, for GET /metrics.")
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="Token that reads GET /metrics and nothing else; empty: only operators' tokens do.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^/?#\s]+)?$",
        description="Where browsers reach this hub, such as https://hub.example; empty: as they ask for it.",
    )
    session_seconds: int = Field(default=43_200, ge=60, description="How long one sign-in lasts at most.")
    session_idle_seconds: int = Field(
        default=3_600, ge=60, description="How long it lasts while nobody asks for a page or clicks."
    )
    oidc_issuer: str = Field(
        default="",
        description="OpenID Connect issuer at which people sign in, such as https://login.example/realms/x, "
        "below which its discovery document lies; empty: people sign in with their token.",
    )
    oidc_client_id: str = Field(default="", description="This hub's client id at the issuer.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="Its secret there; empty: a public client, with PKCE alone."
    )
    oidc_scopes: str = Field(
        default="openid profile email", description="What is asked of the issuer; openid must be among it."
    )
    oidc_name_claim: str = Field(
        default="preferred_username", description="Claim of the ID token that becomes the user's name."
    )
    oidc_groups_claim: str = Field(
        default="groups",
        description="Claim that lists a person's groups; dots lead inwards, as in realm_access.roles.",
    )
    oidc_roles: dict[str, UserRole] = Field(
        default={},
        description='Role by group as JSON, such as {"welders": "operator"}; of several the highest counts.',
    )
    oidc_default_role: UserRole | Literal[""] = Field(
        default="", description="Role of who is in none of these groups; empty: they are refused."
    )
    oidc_organisations: dict[str, Label] = Field(
        default={},
        description="Organisation of the hub by group as JSON; of several the first named here counts.",
    )
    oidc_default_organisation: Label | Literal[""] = Field(
        default="guild",
        description="Organisation of who is in none of these groups; empty: they are refused.",
    )
    oidc_email_domains: tuple[str, ...] = Field(
        default=(),
        description='Domains as JSON, such as ["north.example"], in one of which the verified e-mail address '
        "must lie; empty: any.",
    )
    head_seconds: float = Field(
        default=10,
        gt=0,
        description="Seconds within which a request's head must be there.",
    )
    body_seconds: float = Field(
        default=30,
        gt=0,
        description="Seconds in each of which `body_bytes` of a body must come.",
    )
    body_bytes: int = Field(default=4096, ge=1, description="Bytes of that; slower bodies are broken off.")
    connections_per_address: int = Field(
        default=512,
        ge=0,
        description="Open connections that each address may have, for each hub process; 0: any number. "
        "Addresses of FORWARDED_ALLOW_IPS, which are proxies, are not counted.",
    )
    console_sockets: int = Field(
        default=200, ge=1, description="Pages of the console that may be open at once; others stand still."
    )
    console_sockets_per_address: int = Field(
        default=30, ge=1, description="Of these so many for one address; IPv6 counts by /64."
    )
    page_rate_limit: float = Field(
        default=2,
        ge=0,
        allow_inf_nan=False,
        description="Pages of the console a second that each address may ask for over time; 0: no limit.",
    )
    page_rate_burst: int = Field(default=60, ge=1, description="The same at once.")
    message_limit: int = Field(
        default=MEBIBYTE, ge=1024, description="Largest JSON body, in bytes; larger ones are not read."
    )
    delta_limit: int = Field(
        default=64 * MEBIBYTE, ge=1024, description="Largest delta file, in bytes; larger ones are not read."
    )
    skill_limit: int = Field(
        default=256 * MEBIBYTE,
        ge=1024,
        le=SIZE_LIMIT,
        description="Largest skill file, in bytes, up to 2 GiB; larger ones are not read.",
    )
    part_size: int = Field(
        default=16 * MEBIBYTE,
        ge=1024,
        description="Bytes of a part of a file that is brought in parts; larger ones are not read.",
    )
    upload_seconds: float = Field(
        default=86_400,
        ge=60,
        allow_inf_nan=False,
        description="How long the parts of an unfinished upload are kept after it was last announced.",
    )
    quota_uploads: int = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="Deltas and published versions an hour that a new organisation may bring, unless its "
        "admin says otherwise; 0: any number. What organisations have stays.",
    )
    quota_storage: int = Field(
        default=100 * 1024 * MEBIBYTE,
        ge=0,
        le=2**62,
        description="Bytes that a new organisation may store, unless its admin says otherwise; 0: no limit.",
    )
    check_seconds: float = Field(
        default=300,
        gt=0,
        le=3600,
        description="How long the check of a published task may take; one that takes longer is refused.",
    )
    check_cpu_seconds: int = Field(
        default=600, ge=1, description="Processor time that it may use, of all threads together."
    )
    check_memory: int = Field(
        default=4096 * MEBIBYTE, ge=1, description="Bytes of memory (address space) that it may take."
    )
    check_file_size: int = Field(
        default=64 * MEBIBYTE, ge=1024, description="Bytes of the largest file that it may write."
    )
    rate_limit: float = Field(
        default=100,
        ge=0,
        allow_inf_nan=False,
        description="Requests a second that each user or robot may make over time; 0: no limit. "
        "Each hub process counts for itself.",
    )
    rate_burst: int = Field(
        default=1000, ge=1, description="Requests that each user or robot may make at once."
    )
    stranger_rate_limit: float = Field(
        default=100,
        ge=0,
        allow_inf_nan=False,
        description="The same for each address, of requests with no credentials or wrong ones; 0: no limit.",
    )
    stranger_rate_burst: int = Field(default=2000, ge=1, description="The same at once.")
    keep_events_days: float = Field(
        default=90,
        ge=0,
        allow_inf_nan=False,
        description="How many days the event log is kept; 0: for ever. What webhooks have still to be told "
        "of stays, and so does the audit log.",
    )
    keep_presence_days: float = Field(
        default=90,
        ge=0,
        allow_inf_nan=False,
        description="How many days it is kept which robot asked for which skill and was given which round "
        "that is over; 0: for ever. Who contributed to a version stays.",
    )
    clock_skew_seconds: float = Field(
        default=300, gt=0, description="How far a robot's clock may differ from the hub's."
    )
    robot_active_seconds: float = Field(
        default=120,
        gt=0,
        description="A round without a target waits for robots that asked for this skill so lately.",
    )
    robot_lost_seconds: float = Field(
        default=900, gt=0, description="A robot at work that is silent for so long is recorded as lost."
    )
    health_robots: int = Field(
        default=4,
        ge=3,
        description="Robots of a kind that must have told sums of their jobs before what is usual for it is "
        "given out: docs/health.md.",
    )
    webhook_networks: str = Field(
        default="",
        description="Private networks that webhooks may reach, such as 10.1.0.0/16,fd00::/8; empty: none.",
    )
    webhook_plain_http: bool = Field(
        default=False, description="Whether webhooks may go to http addresses; otherwise https only."
    )
    webhook_seconds: float = Field(
        default=10, gt=0, le=60, description="How long one message of a webhook may take, answer included."
    )
    webhook_retry_seconds: float = Field(
        default=5,
        gt=0,
        description="First wait after a message that was not taken; each next is 3 times longer.",
    )
    webhook_attempts: int = Field(
        default=10, ge=1, le=20, description="Attempts after which a message is a dead letter."
    )
    shutdown_seconds: int = Field(
        default=10, ge=1, description="How long requests may take to finish when the hub is stopped."
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR; logs are one JSON document a line on standard error.",
    )

    @field_validator("admin_token", "metrics_token")
    @classmethod
    def _is_no_password(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < SHORTEST_TOKEN:
            msg = f"a token has {SHORTEST_TOKEN} characters or more; `openssl rand -hex 32` makes one"
            raise ValueError(msg)
        return token

    @field_validator("audit_heads")
    @classmethod
    def _is_no_open_line(cls, place: str) -> str:
        if place.startswith("http") and not is_protected(place):
            msg = "heads go to an https address or a file; plain http is for this machine only"
            raise ValueError(msg)
        return place

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_networks(text)
        return text

    @model_validator(mode="after")
    def _regions_are_apart(self) -> Self:
        places = {store_place(url) for url in (self.store, *self.regions.values())}
        if len(places) < 1 + len(self.regions):
            msg = "two regions, or a region and the hub's own store, have one place; give each its own"
            raise ValueError(msg)
        if unknown := self.region_keys.keys() - self.regions.keys():
            msg = f"region_keys names {', '.join(sorted(unknown))}, which regions does not"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _can_sign_people_in(self) -> Self:
        roles = bool(self.oidc_roles or self.oidc_default_role)
        fault = issuer_fault(self.oidc_issuer, self.oidc_client_id, self.oidc_scopes, has_roles=roles)
        if fault:
            raise ValueError(fault)
        return self

    @property
    def key_path(self) -> Path:
        """Where the signing key is, the default resolved."""
        return self.signing_key_file or self.data_dir / KEY_FILE

    @property
    def gate_key_path(self) -> Path:
        """Where workers find the gate's key, the default resolved."""
        return self.gate_key_file or self.key_path.with_name(GATE_KEY_FILE)

    @property
    def audit_place(self) -> str:
        """Where the audit log's head is noted, the default resolved."""
        return self.audit_heads or str(self.data_dir.absolute() / AUDIT_FILE)

    @property
    def database(self) -> str:
        """The database's address, the default resolved."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'hub.sqlite'}"

    @property
    def store(self) -> str:
        """The object store's address, the default resolved."""
        return self.store_url or (self.data_dir.absolute() / "blobs").as_uri()

    def place(self, region: str) -> tuple[str, StoreKeys]:
        """Address and keys of a region's store; of the hub's own for the empty region."""
        if region in self.region_keys:
            return self.regions[region], self.region_keys[region]
        keys = StoreKeys(access_key=self.s3_access_key, secret_key=self.s3_secret_key)
        if region in self.regions:
            return self.regions[region], keys
        return self.store, keys.model_copy(update={"direct_url": self.s3_direct_url})


SPOOL_FOLDER = "spool"
