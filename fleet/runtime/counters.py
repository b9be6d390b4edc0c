"""What a robot's loop counts, in a registry of its own: for Prometheus as text, for scripts as JSON."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from skills.messages.health import HealthState

__all__ = ["Counters"]

BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Upper ends, seconds."""


class Counters:
    """Periods, jobs and guards of one robot, and how its machine fares."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._periods = Counter("zunft_robot_periods", "Periods of the loop.", registry=self._registry)
        self._late = Counter(
            "zunft_robot_late",
            "Periods that began a period late or more, and were left out.",
            registry=self._registry,
        )
        self._guards = Counter(
            "zunft_robot_guards", "Objections and shortened actions.", ["guard"], registry=self._registry
        )
        self._jobs = Counter("zunft_robot_jobs", "Jobs by outcome.", ["outcome"], registry=self._registry)
        self._jitter = Histogram(
            "zunft_robot_jitter_seconds", "How late periods begin.", buckets=BUCKETS, registry=self._registry
        )

        self._health = {
            name: Gauge(f"zunft_robot_health_{name}", said, registry=self._registry)
            for name, said in (
                ("distance", "How far the last job was from what is usual, standard deviations."),
                ("height", "CUSUM of the machine's wear; above the limit it is worn."),
                ("limit", "Where that alarms; 0: what is usual is not known yet."),
                ("worn", "Whether the machine is worn, until somebody has looked after it."),
            )
        }

    def period(self, late: float) -> None:
        """One began so many seconds after its time."""
        self._periods.inc()
        self._jitter.observe(max(0.0, late))

    def left_out(self, count: int) -> None:
        """So many periods passed before anything could be done in them."""
        self._late.inc(count)

    def guard(self, name: str) -> None:
        """A guard objected, or shortened an action."""
        self._guards.labels(name).inc()

    def job(self, outcome: str) -> None:
        """A job ended."""
        self._jobs.labels(outcome).inc()

    def health(self, state: HealthState) -> None:
        """How the machine fares after a job."""
        for name in ("distance", "height", "limit"):
            self._health[name].set(getattr(state, name))
        self._health["worn"].set(state.worn_since is not None)

    def guards(self) -> dict[str, int]:
        """How often each guard objected."""
        samples = [each for family in self._guards.collect() for each in family.samples]
        return {each.labels["guard"]: int(each.value) for each in samples if each.name.endswith("_total")}

    def text(self) -> str:
        """As Prometheus reads it."""
        return generate_latest(self._registry).decode()

    def as_dict(self) -> dict[str, float]:
        """By name, with labels in braces as Prometheus writes them; without the time of creation."""
        found = {}
        for family in self._registry.collect():
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
                if not sample.name.endswith("_created"):
                    found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found
