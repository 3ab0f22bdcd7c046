"""Logs: what is written to stderr, one event a line: JSON in production, readable text in development.

Every line written while a request is served carries its ``request_id``, which the answer's ``X-Request-Id`` shows too.
Requests are counted (``/metrics``) rather than listed: answered ones are logged at DEBUG only, the client's mistakes at
INFO, the hub's own failures at WARNING. At thousands of requests a second a line for each would cost as much as
serving it. Libraries log through the standard library and come out the same way.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from hub.errors import Failure

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class UnknownLevel(Failure):
    """There is no such level of logging."""

    def __init__(self, level: str) -> None:
        super().__init__(f"HUB_LOG_LEVEL is {level!r}; choose {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")


def configure(level: str, *, development: bool) -> None:
    """Send everything of ``level`` and above to stderr; nothing ever goes to stdout, which belongs to results.

    Raises:
        UnknownLevel: ``level`` is not one of LEVELS.
    """
    if level.upper() not in LEVELS:
        raise UnknownLevel(level)
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Processor] = (
        # Tracebacks without the values of variables: these hold keys and partners' secrets.
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if development
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def is_debugging() -> bool:
    """Whether DEBUG is logged."""
    return structlog.get_logger().is_enabled_for(logging.DEBUG) is True
