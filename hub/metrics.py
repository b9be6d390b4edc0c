"""What a hub counts and times while it works, in a registry of its own: two hubs never share a number.

Labels are words of the code (routes, states, rules, error codes), never names that somebody chose. What the
database knows is read when it is asked for, see `hub.operations.gauges`; requests are counted by
`hub.api.traffic`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

__all__ = ["Metrics"]

ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WORK_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """One attribute a metric; the memory, processor time and files of the process come with them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "zunft_http_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.open_requests = Gauge(
            "zunft_http_open_requests",
            "Requests that are not at their end, event streams among them.",
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "zunft_http_answer_seconds",
            "Seconds from a request's arrival to the start of its answer.",
            ("route", "method"),
            buckets=ANSWER_BUCKETS,
            registry=self.registry,
        )
        self.received = Counter(
            "zunft_http_received_bytes", "Bytes of request bodies.", ("route",), registry=self.registry
        )
        self.sent = Counter(
            "zunft_http_sent_bytes", "Bytes of answer bodies.", ("route",), registry=self.registry
        )
        self.refusals = Counter(
            "zunft_http_refusals",
            "Refused requests by route and error code.",
            ("route", "code"),
            registry=self.registry,
        )
        self.deltas_admitted = Counter(
            "zunft_deltas_admitted", "Deltas that count in a round.", registry=self.registry
        )
        self.deltas_repeated = Counter(
            "zunft_deltas_repeated",
            "Deltas that were sent again and count once.",
            registry=self.registry,
        )
        self.deltas_refused = Counter(
            "zunft_deltas_refused", "Refused deltas by error code.", ("code",), registry=self.registry
        )
        self.merge_seconds = Histogram(
            "zunft_merge_seconds",
            "Seconds to make a candidate of a round's deltas, by rule.",
            ("rule",),
            buckets=WORK_BUCKETS,
            registry=self.registry,
        )
        self.gate_seconds = Histogram(
            "zunft_gate_seconds",
            "Seconds of one measurement by the gate.",
            buckets=WORK_BUCKETS,
            registry=self.registry,
        )
        self.score_seconds = Histogram(
            "zunft_score_seconds",
            "Seconds to score one version for its task's leaderboard.",
            buckets=WORK_BUCKETS,
            registry=self.registry,
        )
        self.workers_died = Counter(
            "zunft_workers_died", "Worker processes that died in mid-job.", registry=self.registry
        )
        self.background_failures = Counter(
            "zunft_background_failures",
            "Errors that a loop in the background met and outlived, by loop.",
            ("loop",),
            registry=self.registry,
        )
        self.webhook_deliveries = Counter(
            "zunft_webhook_deliveries",
            "Messages to webhooks by outcome: delivered, failed, dead.",
            ("outcome",),
            registry=self.registry,
        )
