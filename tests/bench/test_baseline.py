"""pgbench's words are read as it writes them."""

import pytest

from bench.baseline import BaselineFailed, parse_failures, parse_log, parse_report

REPORT = """\
transaction type: transfer.sql
number of transactions actually processed: 29870
number of failed transactions: 3 (0.010%)
latency average = 4.262 ms
initial connection time = 52.917 ms
tps = 7505.113204 (without initial connection time)
"""


def test_rate_and_count_are_read() -> None:
    assert parse_report(REPORT, "") == (7505.113204, 29870)


def test_failed_transactions_are_read() -> None:
    assert parse_failures(REPORT) == {"failed transactions": 3}


def test_a_report_without_figures_says_what_pgbench_complained_of() -> None:
    with pytest.raises(BaselineFailed, match="connection to server failed"):
        parse_report("", "pgbench: error: connection to server failed\n")


def test_latencies_are_milliseconds_and_leave_out_what_failed() -> None:
    assert parse_log("0 199 2241 0 1175850568 995598\n1 7 failed 0 1175850568 998079\n") == [2.241]
