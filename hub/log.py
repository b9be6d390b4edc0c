"""How the hub's processes log: one JSON document a line on standard error, also of libraries."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable

import structlog

from hub.buckets import Buckets

__all__ = ["LineBudget", "configure_logging"]

LONGEST = 2000
"""Characters of a library's message, and of each end of its traceback."""
OWN_HANDLERS = ("engineio.server", "socketio.server")
"""Loggers that give themselves a handler, past this hub's, where nobody has set their level."""


class LineBudget(logging.Filter):
    """Of each library so many lines at once and so many a second over time, none of them long.

    What strangers send makes libraries complain; so much of that fits on a disk.
    """

    def __init__(
        self, rate: float = 1.0, burst: int = 50, timer: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._lines = Buckets(rate, burst, timer)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        message = record.getMessage()
        if len(message) > LONGEST:
            record.msg, record.args = message[:LONGEST] + " ...", ()
        if record.exc_info and record.exc_info[0]:
            trace = "".join(traceback.format_exception(*record.exc_info))
            if len(trace) > 2 * LONGEST:
                cut = f"{trace[:LONGEST]} ... {trace[-LONGEST:]}"
                record.msg, record.args, record.exc_info = f"{message[:LONGEST]}\n{cut}", (), None
        return self._lines.take(record.name) == 0


def configure_logging(level: str) -> None:
    """One JSON document a line on standard error, for the hub's own lines and those of libraries."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        # A line and its end in one piece: several processes may share the pipe, and one may die on the way.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LineBudget())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelName(level)), force=True
    )
    for name in OWN_HANDLERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)  # a line of their own, too
