"""Percentiles are values that were seen; medians are over rounds."""

import math
from collections import Counter

import pytest

from bench.figures import Measurement, percentile, summarise


def a_round(rows: int, latencies_ms: list[float], failed: int = 0) -> Measurement:
    failures = Counter({"refused: FROZEN": failed}) if failed else Counter[str]()
    return Measurement("single", rows, 2.0, latencies_ms, failures, client_cpu=0.5, cpu_s={"hub": 3.0})


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [float(number) for number in range(100, 0, -1)]  # 1 .. 100 in no order
    assert percentile(values, 0.50) == 50  # rank ceil(0.50 * 100) = 50
    assert percentile(values, 0.99) == 99  # rank ceil(0.99 * 100) = 99
    assert percentile(values, 1.00) == 100
    assert percentile([3.0, 1.0, 2.0], 0.50) == 2  # rank ceil(1.5) = 2
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3  # rank ceil(2.97) = 3
    assert percentile([7.0], 0.50) == 7


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


@pytest.mark.parametrize("share", [0.0, 1.01, 99.0])
def test_a_share_is_no_percentage(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], share)


def test_a_summary_is_the_median_of_its_rounds_and_the_sum_of_their_failures() -> None:
    told = summarise([a_round(100, [1.0], failed=2), a_round(400, [9.0]), a_round(200, [2.0], failed=1)])
    assert told.rate_per_s == 100  # the middle of 50, 100 and 200 rows a second
    assert (told.rate_min_per_s, told.rate_max_per_s) == (50, 200)
    assert told.p50_ms == told.p99_ms == 2
    assert told.failed == 3
    assert told.cores == {"hub": 1.5}  # 3 CPU seconds in 2 s


def test_a_summary_needs_rounds_of_one_workload() -> None:
    with pytest.raises(ValueError, match="at least one round"):
        summarise([])
