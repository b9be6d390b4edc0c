"""What a hub counts and times while it works, in a registry of its own: two hubs never share a number.

Labels are words of the code (routes, states, rules, error codes), never names that somebody chose. What the
database knows is read when it is asked for, see `hub.operations.gauges`; requests are counted by
`hub.api.traffic`.
"""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

__all__ = ["Metrics"]

ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WORK_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """One attribute a metric; the memory, processor time and files of the process come with them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.requests = counter(
            "zunft_http_requests", "Requests by route, method and status.", ("route", "method", "status")
        )
        self.open_requests = gauge(
            "zunft_http_open_requests", "Requests that are not at their end, event streams among them."
        )
        self.answer_seconds = histogram(
            "zunft_http_answer_seconds",
            "Seconds from a request's arrival to the start of its answer.",
            ("route", "method"),
            buckets=ANSWER_BUCKETS,
        )
        self.received = counter("zunft_http_received_bytes", "Bytes of request bodies.", ("route",))
        self.sent = counter("zunft_http_sent_bytes", "Bytes of answer bodies.", ("route",))
        self.refusals = counter(
            "zunft_http_refusals", "Refused requests by route and error code.", ("route", "code")
        )
        self.deltas_admitted = counter("zunft_deltas_admitted", "Deltas that count in a round.")
        self.deltas_repeated = counter("zunft_deltas_repeated", "Deltas that were sent again and count once.")
        self.deltas_refused = counter("zunft_deltas_refused", "Refused deltas by error code.", ("code",))
        self.merge_seconds = histogram(
            "zunft_merge_seconds",
            "Seconds to make a candidate of a round's deltas, by rule.",
            ("rule",),
            buckets=WORK_BUCKETS,
        )
        self.gate_seconds = histogram(
            "zunft_gate_seconds", "Seconds of one measurement by the gate.", buckets=WORK_BUCKETS
        )
        self.score_seconds = histogram(
            "zunft_score_seconds",
            "Seconds to score one version for its task's leaderboard.",
            buckets=WORK_BUCKETS,
        )
        self.workers_died = counter("zunft_workers_died", "Worker processes that died in mid-job.")
        self.background_failures = counter(
            "zunft_background_failures",
            "Errors that a loop in the background met and outlived, by loop.",
            ("loop",),
        )
        self.webhook_deliveries = counter(
            "zunft_webhook_deliveries",
            "Messages to webhooks by outcome: delivered, failed, dead.",
            ("outcome",),
        )
