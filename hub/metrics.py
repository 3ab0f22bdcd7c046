"""Metrics: what the worker processes count, in memory that they share, and the page that Prometheus reads.

The parent makes one board before it forks. Each worker writes a row of its own and any worker can sum all of them, so
``/metrics`` says the same whoever answers. A row has one writer and a cell is one aligned number: nothing is locked,
nothing is on disk, and a killed worker's counts stay, for its successor goes on from them. Counting is a few
additions for a request or a batch, never for a row of one.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.errors import REFUSALS
from hub.partners import Status

CONTENT_TYPE = CONTENT_TYPE_LATEST

# What a request asked for. "none": a GraphQL request that was refused before its operation was known.
KINDS = (
    *("query", "mutation", "subscription", "none", "lines", "statements", "answers", "keys", "health", "metrics"),
    *("analysis", "books"),
    "other",
)
STATUSES = (101, 200, 304, 400, 401, 403, 404, 405, 406, 413, 415, 500, 503, 504)
_STATUS_LABELS = (*(str(status) for status in STATUSES), "other")
_CODES = tuple(sorted(REFUSALS))
BATCH_COMMANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
COMMIT_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

_KIND = {kind: place * len(_STATUS_LABELS) for place, kind in enumerate(KINDS)}
_STATUS = {status: place for place, status in enumerate(STATUSES)}
_ANSWERS = {status: place for place, status in enumerate(Status)}
_CODE = {code: place for place, code in enumerate(_CODES)}

# A row's cells, in this order; a histogram is its buckets, the one without a bound, and the sum.
_REQUESTS = 0
_REFUSALS = _REQUESTS + len(KINDS) * len(_STATUS_LABELS)
_BATCHES = _REFUSALS + len(_CODES)
_COMMITS = _BATCHES + len(BATCH_COMMANDS) + 2
_WAITING = _COMMITS + len(COMMIT_SECONDS) + 2
_CLOSED = _WAITING + 1
_LOTS = _CLOSED + 1
_HOLDS = _LOTS + 1
_NOTICES = _HOLDS + 1
_CALLS = _NOTICES + 1
_EVENTS = _CALLS + len(Status)
_DELIVERED = _EVENTS + 1
_FAILED = _DELIVERED + 1
_DEAD = _FAILED + 1
_CELLS = _DEAD + 1


class Row:
    """One worker's counts: its only writer is that worker, which gives it to its engine as the observer."""

    def __init__(self, cells: "memoryview[float]") -> None:
        self._cells = cells

    def begin(self) -> None:
        """A new process takes the row over: counts go on, and what its predecessor had waiting is gone."""
        self._cells[_WAITING] = 0.0
        self._cells[_EVENTS] = 0.0

    def answered(self, kind: str, status: int) -> None:
        """A request of one of ``KINDS`` was answered."""
        self._cells[_REQUESTS + _KIND[kind] + _STATUS.get(status, len(STATUSES))] += 1.0

    def waiting(self, commands: int) -> None:
        """So many commands are in the engine's queue now."""
        self._cells[_WAITING] = commands

    def committed(self, commands: int, seconds: float) -> None:
        """A batch has committed."""
        cells = self._cells
        cells[_BATCHES + bisect_left(BATCH_COMMANDS, commands)] += 1.0
        cells[_BATCHES + len(BATCH_COMMANDS) + 1] += commands
        cells[_COMMITS + bisect_left(COMMIT_SECONDS, seconds)] += 1.0
        cells[_COMMITS + len(COMMIT_SECONDS) + 1] += seconds

    def refused(self, code: str, commands: int) -> None:
        """So many commands were refused for this reason."""
        self._cells[_REFUSALS + _CODE[code]] += commands

    def lapsed(self, lots: int, holds: int) -> None:
        """A batch has ended lots and holds whose time was over."""
        self._cells[_LOTS] += lots
        self._cells[_HOLDS] += holds

    def noticed(self, notices: int) -> None:
        """So many notices of points that will end were made."""
        self._cells[_NOTICES] += notices

    def called(self, status: Status) -> None:
        """A partner was asked for something, and this is known of it now."""
        self._cells[_CALLS + _ANSWERS[status]] += 1.0

    def webhooks_waiting(self, events: int) -> None:
        """So many events wait to be sent, at all endpoints; told by the one worker that follows the journal."""
        self._cells[_EVENTS] = events

    def webhooks_sent(self, delivered: int, failed: int, dead: int) -> None:
        """So many attempts have delivered their event, have failed, and have failed for the last time."""
        self._cells[_DELIVERED] += delivered
        self._cells[_FAILED] += failed
        self._cells[_DEAD] += dead

    def closed(self) -> None:
        """A connection was closed."""
        self._cells[_CLOSED] += 1.0

    @property
    def connections_closed(self) -> int:
        """Connections closed so far, by every process that had this row."""
        return int(self._cells[_CLOSED])


class Board(Collector):
    """All workers' rows."""

    def __init__(self, workers: int) -> None:
        # Anonymous and shared: forked children write where their parent and siblings read.
        self._cells = memoryview(mmap.mmap(-1, workers * _CELLS * 8)).cast("d")
        self.rows = [Row(self._cells[worker * _CELLS : (worker + 1) * _CELLS]) for worker in range(workers)]
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def page(self) -> bytes:
        """The sums over all workers in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The sums as metrics; a combination of labels that never occurred is left out."""
        sums = [sum(self._cells[cell::_CELLS]) for cell in range(_CELLS)]
        requests = CounterMetricFamily(
            "points_hub_http_requests", "Requests answered, by what they asked for.", labels=("kind", "status")
        )
        for place, value in enumerate(sums[_REQUESTS:_REFUSALS]):
            if value:
                kind, status = divmod(place, len(_STATUS_LABELS))
                requests.add_metric((KINDS[kind], _STATUS_LABELS[status]), value)
        yield requests
        refusals = CounterMetricFamily(
            "points_hub_refusals", "Commands refused, by reason; answered again counts again.", labels=("reason",)
        )
        for code, value in zip(_CODES, sums[_REFUSALS:_BATCHES], strict=True):
            if value:
                refusals.add_metric((code,), value)
        yield refusals
        yield GaugeMetricFamily("points_hub_queue_commands", "Commands waiting for a batch.", value=sums[_WAITING])
        yield GaugeMetricFamily("points_hub_webhooks_queue", "Events that wait to be sent.", value=sums[_EVENTS])
        yield _histogram(
            "points_hub_batch_commands", "Commands in a committed batch.", BATCH_COMMANDS, sums[_BATCHES:_COMMITS]
        )
        yield _histogram(
            "points_hub_commit_seconds",
            "From taking the journal's lock to the end of the commit.",
            COMMIT_SECONDS,
            sums[_COMMITS:_WAITING],
        )
        for name, text, cell in (
            ("points_hub_lots_expired", "Lots whose points were over and went to breakage.", _LOTS),
            ("points_hub_holds_expired", "Holds whose time was over, released.", _HOLDS),
            ("points_hub_expiry_notices", "Notices made of points that will end.", _NOTICES),
            ("points_hub_webhooks_delivered", "Events that endpoints have taken in.", _DELIVERED),
            ("points_hub_webhooks_failed", "Attempts at sending events that have failed.", _FAILED),
            ("points_hub_webhooks_dead", "Events that were given up after the last attempt.", _DEAD),
        ):
            yield CounterMetricFamily(name, text, value=sums[cell])
        called = CounterMetricFamily(
            "points_hub_partner_calls", "Calls of partners, by what was known after them.", labels=("status",)
        )
        for answer, place in _ANSWERS.items():
            called.add_metric((answer.value,), sums[_CALLS + place])
        yield called


def _histogram(name: str, text: str, bounds: Iterable[float], cells: Sequence[float]) -> Metric:
    *counts, total = cells
    labels = (*(str(float(bound)) for bound in bounds), "+Inf")
    return HistogramMetricFamily(
        name, text, buckets=list(zip(labels, accumulate(counts), strict=True)), sum_value=total
    )
