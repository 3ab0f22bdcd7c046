"""Metrics: what several workers count is one page; that they share it, ``test_app`` shows with real ones."""

import pytest

from hub.errors import REFUSALS
from hub.ledger.commands import EnrollCustomer, Party
from hub.ledger.engine import Engine
from hub.metrics import KINDS, Board
from tests.conftest import Hub


def value(page: bytes, name: str) -> float:
    """One sample of the page."""
    [line] = [line for line in page.decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


def test_the_page_sums_what_all_workers_counted() -> None:
    board = Board(2)
    for row, times in zip(board.rows, (3, 4), strict=True):
        for _ in range(times):
            row.answered("mutation", 200)
        row.refused("INSUFFICIENT_POINTS", times)
        row.waiting(times)
    page = board.page()
    assert value(page, 'points_hub_http_requests_total{kind="mutation",status="200"}') == 7  # 3 + 4
    assert value(page, 'points_hub_refusals_total{reason="INSUFFICIENT_POINTS"}') == 7
    assert value(page, "points_hub_queue_commands") == 7


def test_a_successor_goes_on_counting_and_forgets_the_queue() -> None:
    board = Board(1)
    row = board.rows[0]
    row.answered("query", 200)
    row.waiting(50)
    row.begin()
    row.answered("query", 200)
    assert value(board.page(), 'points_hub_http_requests_total{kind="query",status="200"}') == 2
    assert value(board.page(), "points_hub_queue_commands") == 0


def test_batches_fall_into_the_bucket_that_bounds_them() -> None:
    board = Board(1)
    for commands, seconds in ((1, 0.0005), (10, 0.01), (11, 30.0)):
        board.rows[0].committed(commands, seconds)
    page = board.page()
    for bound, count in (("1.0", 1), ("5.0", 1), ("10.0", 2), ("20.0", 3), ("+Inf", 3)):
        assert value(page, f'points_hub_batch_commands_bucket{{le="{bound}"}}') == count
    assert value(page, "points_hub_batch_commands_sum") == 22  # 1 + 10 + 11
    for bound, count in (("0.001", 1), ("0.01", 2), ("10.0", 2), ("+Inf", 3)):
        assert value(page, f'points_hub_commit_seconds_bucket{{le="{bound}"}}') == count
    assert value(page, "points_hub_commit_seconds_count") == 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_status_has_a_place_of_its_own(kind: str) -> None:
    board = Board(1)
    for status in (101, 200, 504, 418):  # the last is none that the hub answers
        board.rows[0].answered(kind, status)
    lines = [line for line in board.page().decode().splitlines() if line.startswith("points_hub_http_requests_total{")]
    assert len(lines) == 4
    assert all(f'kind="{kind}"' in line and line.endswith(" 1.0") for line in lines)
    assert 'status="other"' in lines[-1]


def test_every_reason_can_be_counted() -> None:
    board = Board(1)
    for code in REFUSALS:
        board.rows[0].refused(code, 1)
    page = board.page().decode()
    assert all(f'points_hub_refusals_total{{reason="{code}"}} 1.0' in page for code in REFUSALS)


async def test_what_the_engine_refuses_before_any_batch_is_counted(hub: Hub) -> None:
    board = Board(1)
    engine = Engine(hub.database, queue_max=1, observer=board.rows[0])
    good = EnrollCustomer(actor=hub.admin, customer=Party("HUB", "a"))
    bad = EnrollCustomer(actor=hub.admin, customer=Party("HUB", "\x00"))
    await engine.submit([good, good])  # two where one has room
    await engine.submit([bad])
    await engine.submit([good])
    await engine.close()
    page = board.page()
    assert value(page, 'points_hub_refusals_total{reason="RETRY_LATER"}') == 2
    assert value(page, 'points_hub_refusals_total{reason="INVALID_INPUT"}') == 1
    assert value(page, "points_hub_batch_commands_sum") == 1
    assert value(page, "points_hub_queue_commands") == 0


def test_what_webhooks_come_to_is_summed_and_what_waits_is_forgotten_with_who_counted_it() -> None:
    board = Board(2)
    board.rows[0].webhooks_waiting(7)
    for row in board.rows:
        row.webhooks_sent(3, 2, 1)
    page = board.page()
    for name, count in (("queue", 7), ("delivered_total", 6), ("failed_total", 4), ("dead_total", 2)):
        assert value(page, f"points_hub_webhooks_{name}") == count
    board.rows[0].begin()
    assert value(board.page(), "points_hub_webhooks_queue") == 0
