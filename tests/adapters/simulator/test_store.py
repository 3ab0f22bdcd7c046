"""The simulator's books: once for each reference, all or nothing, and still there after a restart."""

import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.simulator.orders import Order
from adapters.simulator.problems import Conflict
from adapters.simulator.rules import Asked, Programme, units_of
from adapters.simulator.script import Behaviour, Play, Question, Script
from adapters.simulator.store import JOURNAL_PAGE, Store
from hub.partners import Operation, Reason
from tests.adapters.conftest import Clock


def opened(path: Path | None = None, programme: Programme | None = None, *, tells: bool = False) -> tuple[Store, Clock]:
    clock = Clock()
    store = Store(programme or Programme(), path, tells=tells, clock=clock)
    if store.member("M-1") is None:
        store.set_member("M-1", "Li", 100_000)
    return store, clock


def order(reference: str, operation: Operation = Operation.DEBIT, amount: str = "10", of: str | None = None) -> Asked:
    return Asked(reference, operation, "M-1", amount, units_of(amount, Programme()), of)


def done(store: Store, asked: Asked) -> Order:
    performed = store.perform(asked)
    assert performed.order is not None
    return performed.order


def available(store: Store) -> int:
    member = store.member("M-1")
    assert member is not None
    return member.available


def test_an_order_is_done_once_however_often_it_is_sent() -> None:
    store, clock = opened()
    first = done(store, order("PH-1"))
    clock.at += timedelta(days=3)
    assert done(store, order("PH-1", amount="10.00")) == first
    assert available(store) == 99_000  # 100,000 - 1,000
    store.close()


@pytest.mark.parametrize(
    "other", [order("PH-1", amount="10.01"), order("PH-1", Operation.CREDIT), order("PH-1", Operation.REVERSE, of="X")]
)
def test_a_reference_is_one_order_s_for_ever(other: Asked) -> None:
    store, _ = opened()
    done(store, order("PH-1"))
    with pytest.raises(Conflict):
        store.perform(other)
    assert available(store) == 99_000
    store.close()


def test_a_refused_order_stays_refused() -> None:
    store, _ = opened()
    refused = done(store, order("PH-1", amount="1000.01"))
    assert (refused.status, refused.code) == ("REFUSED", "INSUFFICIENT_POINTS")
    store.set_member("M-1", "Li", 10**9)
    assert done(store, order("PH-1", amount="1000.01")) == refused
    store.close()


def test_all_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    store, _ = opened(path, tells=True)
    taken = done(store, order("PH-1"))
    store.scripts.add(Script(play=Play(Behaviour.PENDING_THEN_SUCCESS), next=2))
    pending = done(store, order("PH-2"))
    store.close()
    store, clock = opened(path, tells=True)
    assert store.find("PH-1") == taken
    assert store.find("PH-2") == pending
    assert [left for _, left, _ in store.scripts.standing()] == [1]
    clock.at += timedelta(seconds=3)
    assert store.settle_due() == 1
    assert available(store) == 98_000
    assert [callback.reference for callback in store.callbacks.due()] == ["PH-2"]
    store.close()


def test_a_transaction_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = opened()
    store.scripts.add(Script(play=Play(Behaviour.ERROR_DONE)))
    with monkeypatch.context() as patch:
        patch.setattr(store, "_finish", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")))
        with pytest.raises(sqlite3.OperationalError):
            store.perform(order("PH-1"))
    assert store.find("PH-1") is None
    assert available(store) == 100_000
    assert len(store.scripts.standing()) == 1
    assert store.latest(10) == ([], [], [])
    store.close()


def test_captures_and_releases_of_a_hold_share_what_it_holds() -> None:
    store, clock = opened()
    done(store, order("PH-1", Operation.HOLD, "100"))
    assert available(store) == 90_000
    done(store, order("PH-2", Operation.CAPTURE, "30", "PH-1"))
    done(store, order("PH-3", Operation.RELEASE, "20", "PH-1"))
    assert available(store) == 92_000  # 100,000 - 3,000 taken - 5,000 still held
    assert done(store, order("PH-4", Operation.CAPTURE, "50.01", "PH-1")).code == "EXCEEDS_ORIGINAL"
    clock.at += timedelta(days=7)
    assert available(store) == 97_000  # the hold has ended
    assert done(store, order("PH-5", Operation.CAPTURE, "50", "PH-1")).code == "EXCEEDS_ORIGINAL"
    store.close()


def test_reversals_are_never_more_than_the_original() -> None:
    store, _ = opened()
    chance = random.Random(7)
    done(store, order("PH-0", Operation.DEBIT, "100"))
    back = 0
    for number in range(1, 60):
        amount = chance.randrange(1, 2_500)
        answer = done(store, order(f"PH-{number}", Operation.REVERSE, f"{amount / 100:.2f}", "PH-0"))
        assert (answer.status == "SUCCEEDED") is (back + amount <= 10_000)
        back += amount if answer.status == "SUCCEEDED" else 0
        assert available(store) == 90_000 + back
    assert back > 9_000
    store.close()


def test_what_is_held_stays_held_when_a_member_is_changed() -> None:
    store, _ = opened()
    done(store, order("PH-1", Operation.HOLD, "100"))
    store.set_member("M-1", "Li", 500)
    assert available(store) == 500
    done(store, order("PH-2", Operation.RELEASE, "100", "PH-1"))
    assert available(store) == 10_500
    store.close()


def test_a_night_does_what_is_pending_in_its_order() -> None:
    store, _ = opened(programme=Programme(nightly="asked"))
    for reference, operation, of in (("1", "HOLD", None), ("2", "CAPTURE", "1"), ("3", "REVERSE", "2")):
        assert done(store, order(reference, Operation(operation), "5", of)).status == "PENDING"
    assert available(store) == 100_000
    assert store.next_due() is None
    assert store.night() == 3
    assert [store.find(reference).status for reference in "123"] == ["SUCCEEDED", "SUCCEEDED", "REFUSED"]  # type: ignore[union-attr]
    assert available(store) == 99_500
    assert store.night() == 0
    store.close()


def test_a_night_comes_by_the_clock() -> None:
    store, clock = opened(programme=Programme(nightly="02:00"))
    assert done(store, order("PH-1")).status == "PENDING"
    night = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    assert store.next_due() == night
    clock.at = night - timedelta(microseconds=1)
    assert store.settle_due() == 0
    clock.at = night
    assert store.settle_due() == 1
    assert available(store) == 99_000
    store.close()


def test_the_journal_lists_what_succeeded_on_a_day_page_by_page() -> None:
    store, clock = opened()
    clock.at = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    count = JOURNAL_PAGE + 3
    for number in range(count):
        done(store, order(f"PH-{number}", amount="1"))
    done(store, order("PH-BIG", amount="5000"))  # refused
    clock.at += timedelta(microseconds=1)
    done(store, order("PH-NEXT", amount="1"))
    page, more = store.journal("2026-03-01", 0)
    assert len(page) == JOURNAL_PAGE
    assert more is not None
    rest, end = store.journal("2026-03-01", more)
    assert end is None
    assert [one.reference for one in (*page, *rest)] == [f"PH-{number}" for number in range(count)]
    assert [one.reference for one in store.journal("2026-03-02", 0)[0]] == ["PH-NEXT"]
    store.close()


def test_a_script_is_taken_by_what_fits_and_so_often() -> None:
    store, _ = opened()
    refuse = Play(Behaviour.REFUSED, Reason.LIMIT_EXCEEDED)
    store.scripts.add(Script(play=refuse, next=2, member="M-1", operation="CREDIT"))
    store.scripts.add(Script(play=Play(Behaviour.BUSY), operation="STATUS"))
    codes = [
        done(store, order(f"PH-{n}", one)).code for n, one in enumerate((Operation.DEBIT, *[Operation.CREDIT] * 3))
    ]
    assert codes == ["00", "LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "00"]
    assert store.scripts.play_question(Question.LOOKUP) is None
    assert store.scripts.play_question(Question.STATUS) == Play(Behaviour.BUSY)
    assert store.scripts.play_question(Question.STATUS) is None
    assert [row["kind"] for row in store.latest(10)[1]] == ["BUSY", "REFUSED", "REFUSED"]
    store.close()


def test_a_script_without_an_operation_is_for_orders_only() -> None:
    store, _ = opened()
    store.scripts.add(Script(play=Play(Behaviour.DOWN)))
    assert store.scripts.play_question(Question.STATUS, "M-1") is None
    assert store.perform(order("PH-1")).order is None
    store.close()


def test_a_magic_amount_strikes_the_first_time_only() -> None:
    store, _ = opened()
    first = store.perform(order("PH-1", amount="9.52"))
    assert first.order is None
    assert first.play == Play(Behaviour.DOWN)
    assert done(store, order("PH-1", amount="9.52")).status == "SUCCEEDED"
    assert store.perform(order("PH-2", amount="19.52")).order is None
    store.close()


def test_without_magic_an_amount_is_an_amount() -> None:
    store, _ = opened(programme=Programme(magic=False))
    assert done(store, order("PH-1", amount="9.52")).status == "SUCCEEDED"
    store.close()
