"""Every knob of the hub, read from the environment (`ZUNFT_...`) or passed in by code.

What a setting does is said beside it; a test holds docker-compose.yml to these names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

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

from skills.organisations import REGION

__all__ = ["KEY_FILE", "Settings", "StoreKeys"]

MEBIBYTE = 2**20
SHORTEST_TOKEN = 16
KEY_FILE = "hub-key.pem"
Region = Annotated[str, StringConstraints(pattern=f"^{REGION}$")]


class StoreKeys(BaseModel):
    """Credentials of an S3 store."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    access_key: SecretStr
    secret_key: SecretStr


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
    regions: dict[Region, str] = Field(
        default={},
        description='Stores by region, as JSON: {"eu": "s3://bucket?endpoint=host"}; blobs of an '
        "organisation that is pinned to a region lie there and nowhere else.",
    )
    region_keys: dict[Region, StoreKeys] = Field(
        default={},
        description="Keys of regions that have their own: "
        '{"eu": {"access_key": "...", "secret_key": "..."}}.',
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
        description="A hub process that works on a campaign and is not heard of for so long is succeeded by "
        "another one; the same for all processes of a hub.",
    )
    ray_address: str = Field(
        default="",
        description="Ray cluster for jobs and merge_device ray, such as ray://head:10001; "
        "empty: one is started here.",
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
    message_limit: int = Field(
        default=MEBIBYTE, ge=1024, description="Largest JSON body, in bytes; larger ones are not read."
    )
    delta_limit: int = Field(
        default=64 * MEBIBYTE, ge=1024, description="Largest delta file, in bytes; larger ones are not read."
    )
    skill_limit: int = Field(
        default=256 * MEBIBYTE, ge=1024, description="Largest skill file, in bytes; larger ones are not read."
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
    clock_skew_seconds: float = Field(
        default=300, gt=0, description="How far a robot's clock may differ from the hub's."
    )
    robot_active_seconds: float = Field(
        default=120,
        gt=0,
        description="A round without a target waits for robots that asked for this skill so lately.",
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

    @model_validator(mode="after")
    def _regions_are_apart(self) -> Settings:
        places = {_place(url) for url in (self.store, *self.regions.values())}
        if len(places) < 1 + len(self.regions):
            msg = "two regions, or a region and the hub's own store, have one place; give each its own"
            raise ValueError(msg)
        if unknown := self.region_keys.keys() - self.regions.keys():
            msg = f"region_keys names {', '.join(sorted(unknown))}, which regions does not"
            raise ValueError(msg)
        return self

    @property
    def key_path(self) -> Path:
        """Where the signing key is, the default resolved."""
        return self.signing_key_file or self.data_dir / KEY_FILE

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
        keys = StoreKeys(access_key=self.s3_access_key, secret_key=self.s3_secret_key)
        return self.regions.get(region, self.store), self.region_keys.get(region, keys)


def _place(url: str) -> tuple[str, ...]:
    """What two addresses of one store have in common."""
    parts = urlsplit(url)
    endpoint = parse_qs(parts.query).get("endpoint", [""])
    return parts.scheme, parts.netloc, parts.path.strip("/"), *endpoint
