"""The figures of one measurement and of all its rounds. Pure.

Rates count answered rows (a batch of 500 is 500) and latencies whole requests. A percentile is the nearest rank: a
value that was really seen, never one between two.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Measurement:
    """One workload in one round; ``cpu_s`` per group of processes, ``client_cpu`` in shares of one core."""

    name: str
    rows: int
    seconds: float
    latencies_ms: Sequence[float]
    failures: Counter[str]
    client_cpu: float = 0.0
    cpu_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate_per_s(self) -> float:
        """Rows answered rightly per second."""
        return self.rows / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians over a workload's rounds, and the total of its failures."""

    name: str
    rounds: int
    rate_per_s: float
    rate_min_per_s: float
    rate_max_per_s: float
    p50_ms: float
    p99_ms: float
    failures: Counter[str]
    client_cpu: float
    cores: Mapping[str, float]

    @property
    def failed(self) -> int:
        """Rows without a right answer, over all rounds."""
        return self.failures.total()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least ``share`` of all do not exceed; of none, NaN."""
    if not 0 < share <= 1:
        raise ValueError(f"share must be over 0 and at most 1, not {share}")
    if not values:
        return math.nan
    return sorted(values)[math.ceil(share * len(values)) - 1]


def summarise(rounds: Sequence[Measurement]) -> Summary:
    """The medians of one workload's rounds; the median of each round's own percentile, not the percentile of all."""
    if not rounds or len({one.name for one in rounds}) != 1:
        raise ValueError("a summary is of at least one round, all of the same workload")
    rates = [one.rate_per_s for one in rounds]
    groups = sorted({group for one in rounds for group in one.cpu_s})
    return Summary(
        name=rounds[0].name,
        rounds=len(rounds),
        rate_per_s=median(rates),
        rate_min_per_s=min(rates),
        rate_max_per_s=max(rates),
        p50_ms=median(percentile(one.latencies_ms, 0.50) for one in rounds),
        p99_ms=median(percentile(one.latencies_ms, 0.99) for one in rounds),
        failures=sum((one.failures for one in rounds), Counter[str]()),
        client_cpu=median(one.client_cpu for one in rounds),
        cores={group: median(one.cpu_s.get(group, 0.0) / one.seconds for one in rounds) for group in groups},
    )
