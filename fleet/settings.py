"""Every knob of a robot, read from the environment (`ZUNFT_ROBOT_...`) or the command line.

What a setting does is said beside it. The trainer's own knobs are `skills.messages.training`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet.agent import AgentSettings
from fleet.personal import Tuning

__all__ = ["RobotSettings"]


class RobotSettings(BaseSettings):
    """One robot's configuration."""

    model_config = SettingsConfigDict(env_prefix="ZUNFT_ROBOT_", extra="ignore", frozen=True)

    hub: str = Field(default="", description="The hub's address, such as http://hub.example:8080.")
    token: SecretStr = Field(default=SecretStr(""), description="One-time token that enrols this robot.")
    name: str = Field(default="", description="What operators call this robot.")
    embodiment: str = Field(default="", description="Which arm it is, such as ur5e.")
    workshop: str = Field(
        default="",
        description="Its workshop: a name or a TOML file; empty: one drawn from the robot's id.",
    )
    home: Path = Field(
        default=Path("zunft-robot"), description="Folder of the robot's key, identity, skills and owed work."
    )
    skill: str = Field(default="weld-seam", description="Which skill it works on.")
    env: str = Field(
        default="",
        description="The robot's own environment, package.module:make_env; empty: its simulated twin.",
    )
    driver: str = Field(
        default="",
        description="What drives it: cell://HOST:PORT, or package.module:make_robot with the five methods.",
    )
    seed: int = Field(default=0, ge=0, description="Of its training, beside a number drawn from its id.")
    batch_steps: int | None = Field(
        default=None,
        ge=64,
        description="Environment steps of a training iteration; else as ordered. 3200 are 64 s at 50 Hz.",
    )
    poll_seconds: float = Field(
        default=2.0, gt=0, description="How long the hub may hold the question when there is nothing to do."
    )
    look_seconds: float = Field(
        default=10.0, ge=0, description="Pause between two looks for a new stable version."
    )
    backoff_seconds: float = Field(
        default=1.0,
        gt=0,
        description="Longest first pause after the hub did not answer; it doubles each time.",
    )
    backoff_cap_seconds: float = Field(default=300.0, gt=0, description="Longest pause after many failures.")
    rehearsal_episodes: int = Field(
        default=32, ge=1, description="Episodes in which a new version is tried before it is used."
    )
    tolerance: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="How much lower a new version's success may be than that of the one in use.",
    )
    adopt: bool = Field(default=True, description="Whether the robot takes new stable versions into use.")
    report: bool = Field(
        default=True,
        description="Whether the robot tells its hub which version it uses and how jobs go with it: "
        "docs/rollouts.md has all that it tells.",
    )
    health: bool = Field(
        default=False,
        description="Whether the robot tells its hub sums of what its joints need in its jobs, and when it "
        "wears; without, it asks what is usual and tells nothing: docs/health.md.",
    )

    tune_iterations: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Training iterations in which the robot tunes each version that it takes into use for "
        "its own home, between rounds; 0: none.",
    )
    tune_rate: float = Field(default=Tuning.rate, gt=0, le=1, description="Learning rate of that.")
    tune_episodes: int = Field(
        default=Tuning.episodes,
        ge=1,
        description="Episodes in which each mix of the guild's and the tuned weights is tried; as many fresh "
        "ones decide.",
    )

    def for_tuning(self) -> Tuning:
        """How the robot tunes, where it does."""
        iterations = self.tune_iterations or Tuning.iterations
        return Tuning(iterations, self.tune_rate, self.tune_episodes)

    def for_agent(self) -> AgentSettings:
        """What the agent needs of them."""
        return AgentSettings(
            poll_seconds=self.poll_seconds,
            look_seconds=self.look_seconds,
            backoff_seconds=self.backoff_seconds,
            backoff_cap=self.backoff_cap_seconds,
            tolerance=self.tolerance,
            adopts=self.adopt,
            reports=self.report,
            tells_health=self.health,
            tuning=self.for_tuning() if self.tune_iterations else None,
        )
