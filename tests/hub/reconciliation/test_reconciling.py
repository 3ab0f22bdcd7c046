"""A day over a real wire: a simulator's journal, its books changed behind the hub's back, and a file."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.errors import InvalidInput, PartnerUnavailable
from hub.ledger import commands
from hub.partners import Status
from hub.reconciliation import reconciling
from hub.reconciliation.breaks import BreakType, Ending, Run, Source
from hub.reconciliation.files import FileRefused, Wrong
from tests.conftest import Pass
from tests.exchange.world import AL, ALICE, eventually
from tests.hub.ledger.test_exchanges import conversion
from tests.hub.reconciliation.conftest import Day
from tests.hub.reconciliation.writing import Row, write


def counts(run: Run) -> tuple[int, int, int, int, int]:
    return run.matched, run.opened, run.unchanged, run.settled, run.vanished


async def types(day: Day) -> dict[str, str]:
    return {reference: row["type"] for reference, row in (await day.breaks()).items()}


async def test_each_difference_in_the_partner_s_books_is_a_break_of_its_type(day: Day) -> None:
    agreed, gone, other, whose, when = [await day.credit(10) for _ in range(5)]
    await day.airline.script("REFUSED", operation="CREDIT", reason="OTHER")
    refused = await day.credit(10)
    day.plant("DELETE FROM orders WHERE reference = ?", gone)
    day.plant("UPDATE orders SET amount = '9.00' WHERE reference = ?", other)
    day.plant("UPDATE orders SET member = 'M-2' WHERE reference = ?", whose)
    then = (datetime.now(UTC) - timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    day.plant("UPDATE orders SET at = ? WHERE reference = ?", then, when)  # before midnight
    day.plant("UPDATE orders SET status = 'SUCCEEDED', done = 99 WHERE reference = ?", refused)
    theirs = await day.airline.order("CREDIT", "3")
    run = await day.run()
    stranger = theirs.json()["reference"]
    assert await types(day) == {
        gone: "MISSING_THERE",
        other: "AMOUNT",
        whose: "MEMBER",
        when: "DATE",
        refused: "STATUS",
        stranger: "MISSING_HERE",
    }
    assert counts(run) == (1, 6, 0, 0, 0)
    assert [(side.source, side.rows, side.given) for side in run.sides] == [
        (Source.HUB, 6, 5_000),  # 5 × 10.00 were done
        (Source.JOURNAL, 5, 4_200),  # 10.00 + 9.00 + 10.00 + 10.00 + 3.00; one is of the day before
    ]
    assert agreed not in await day.breaks()


async def test_a_file_is_the_third_side_and_shows_duplicates_and_units(day: Day) -> None:
    agreed, twice, counted, lost = [await day.credit(10) for _ in range(4)]
    now = datetime.now(UTC)
    rows = [Row(agreed, now), Row(twice, now), Row(twice, now), Row(counted, now, unit="KM")]
    run = await day.run(rows)
    assert await types(day) == {twice: "DUPLICATE", counted: "UNIT", lost: "MISSING_THERE"}
    assert counts(run) == (1, 3, 0, 0, 0)
    [side] = [side for side in run.sides if side.source is Source.FILE]
    assert (side.rows, side.given) == (4, 4_000)
    with pytest.raises(InvalidInput) as refused:  # the journal alone would let three breaks go
        await day.run()
    assert refused.value.details["lacking"] == "FILE"


async def test_a_day_that_is_run_again_changes_nothing_but_what_has_changed(day: Day) -> None:
    agreed, mended, wrong, accepted = [await day.credit(10) for _ in range(4)]
    for reference, amount in ((mended, "9.00"), (wrong, "8.00"), (accepted, "7.00")):
        day.plant("UPDATE orders SET amount = ? WHERE reference = ?", amount, reference)
    assert counts(await day.run()) == (1, 3, 0, 0, 0)
    before = await day.breaks()
    await day.hub.do(commands.AssignBreak(actor=day.hub.admin, id=before[wrong]["id"], owner="second"))
    await day.end(accepted, Ending.ACCEPT)
    day.plant("UPDATE orders SET amount = '10.00' WHERE reference = ?", mended)
    assert counts(await day.run()) == (2, 0, 1, 1, 1)
    assert counts(await day.run()) == (2, 0, 1, 1, 0)
    after = await day.breaks()
    assert {reference: row["status"] for reference, row in after.items()} == {
        mended: "MATCHED_LATER",
        wrong: "OPEN",
        accepted: "ACCEPTED",
    }
    assert {reference: row["id"] for reference, row in after.items()} == {r: row["id"] for r, row in before.items()}
    assert after[wrong]["owner_id"] == day.hub.second
    assert await day.history(wrong) == ["FOUND", "ASSIGNED"]
    day.plant("UPDATE orders SET amount = '6.00' WHERE reference = ?", accepted)  # not what was accepted
    day.plant("UPDATE orders SET amount = '9.00' WHERE reference = ?", mended)
    assert counts(await day.run()) == (1, 2, 1, 0, 0)
    assert await day.history(accepted) == ["FOUND", "PROPOSED", "APPROVED", "CHANGED"]
    assert await day.history(mended) == ["FOUND", "MATCHED", "CHANGED"]
    assert agreed not in after


async def test_a_correction_makes_the_hub_s_books_say_what_the_partner_s_say(day: Day) -> None:
    less = await day.credit(10)
    day.plant("UPDATE orders SET amount = '8.00' WHERE reference = ?", less)
    theirs = (await day.airline.order("CREDIT", "3")).json()["reference"]
    await day.run()
    assert (await day.stands(9), await day.stands(2), await day.stands(3)) == (1_000, -1_000, 0)
    corrected = await day.end(less, Ending.CORRECTION)
    assert corrected.status.value == "CORRECTED"
    assert (await day.stands(9), await day.stands(2), await day.stands(3)) == (800, -800, 0)  # 8.00 - 10.00 = -2.00
    await day.end(theirs, Ending.WRITE_OFF)
    assert (await day.stands(9), await day.stands(2), await day.stands(3)) == (1_100, -800, -300)  # 0 + 3.00
    assert counts(await day.run()) == (1, 0, 0, 0, 0)
    day.plant("UPDATE orders SET amount = '10.00' WHERE reference = ?", less)  # the partner mends it all the same
    assert counts(await day.run()) == (0, 1, 0, 0, 0)
    again = await day.end(less, Ending.CORRECTION)
    assert again.figures.difference == 200
    assert await day.stands(9) == 1_300  # 10.00 + 3.00, as the partner has it


async def test_a_reversal_that_the_partner_did_not_do_is_corrected_by_what_it_would_have_moved(day: Day) -> None:
    given, taken = await day.credit(40), await day.debit(30)
    back, again = await day.reverse(given), await day.reverse(taken)
    assert await day.stands(9) == 0
    run = await day.run()
    assert counts(run) == (4, 0, 0, 0, 0)
    assert {(side.taken, side.given) for side in run.sides} == {(7_000, 7_000)}  # 40.00 + 30.00 each way
    day.plant("DELETE FROM orders WHERE reference = ?", back)
    day.plant("DELETE FROM orders WHERE reference = ?", again)
    run = await day.run()
    assert [(side.source, side.taken, side.given) for side in run.sides] == [
        (Source.HUB, 7_000, 7_000),
        (Source.JOURNAL, 3_000, 4_000),
    ]
    assert await types(day) == {back: "MISSING_THERE", again: "MISSING_THERE"}
    corrected = await day.end(back, Ending.CORRECTION)
    assert (corrected.figures.sides[0].amount, corrected.figures.difference) == (-4_000, 4_000)
    assert await day.stands(9) == 4_000  # as the partner has it
    corrected = await day.end(again, Ending.CORRECTION)
    assert (corrected.figures.sides[0].amount, corrected.figures.difference) == (3_000, -3_000)
    assert await day.stands(9) == 1_000
    assert counts(await day.run()) == (4, 0, 0, 0, 0)


async def test_what_is_in_doubt_goes_on_by_the_partner_s_word(day: Day) -> None:
    await day.airline.script("ERROR_DONE", operation="CREDIT")
    await day.airline.script("BUSY", operation="STATUS", next=10_000)
    asked = await day.hub.do(conversion(day.hub, ALICE, AL, "BP>MILE", "250"))
    reference = f"PH-{asked.id:X}-C"

    async def in_doubt() -> bool | None:
        return True if await day.hub.sql("SELECT 1 FROM exchange WHERE in_doubt") else None

    await eventually(in_doubt)
    assert counts(await day.run()) == (0, 1, 0, 0, 0)
    found = (await day.breaks())[reference]
    assert (found["type"], '"difference":null' in found["figures"]) == ("STATUS", True)
    with pytest.raises(InvalidInput):  # nothing was posted that could be written off
        await day.propose(reference, Ending.WRITE_OFF)
    ended = await day.end(reference, Ending.CORRECTION)
    assert ended.status.value == "CORRECTED"
    [exchange] = await day.hub.sql("SELECT state, in_doubt FROM exchange")
    assert dict(exchange) == {"state": "COMPLETED", "in_doubt": False}
    assert await day.stands(9) == 1_000
    assert counts(await day.run()) == (1, 0, 0, 0, 0)
    said = await day.hub.sql("SELECT kind FROM exchange_evidence ORDER BY id")
    assert [row["kind"] for row in said] == ["PROPOSAL", "APPROVAL"]


def moved(by: timedelta) -> str:
    return (datetime.now(UTC) + by).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_what_was_known_days_later_is_looked_for_until_then(day: Day, pass_: Pass) -> None:
    await day.airline.script("ERROR_DONE", operation="CREDIT")
    await day.airline.script("BUSY", operation="STATUS", next=10_000)
    asked = await day.hub.do(conversion(day.hub, ALICE, AL, "BP>MILE", "250"))
    reference, when = f"PH-{asked.id:X}-C", day.day

    async def in_doubt() -> bool | None:
        return True if await day.hub.sql("SELECT 1 FROM exchange WHERE in_doubt") else None

    await eventually(in_doubt)
    pass_(timedelta(days=3))
    await day.answered(reference, Status.SUCCEEDED)
    day.plant("UPDATE orders SET at = ? WHERE reference = ?", moved(timedelta(days=3)), reference)
    at = datetime.now(UTC) + timedelta(days=5)
    door = (day.hub.database, day.hub.engine, day.registry, "MILE")
    assert counts(await reconciling.reconcile(*door, when, {}, at=at)) == (1, 0, 0, 0, 0)
    assert counts(await reconciling.reconcile(*door, when + timedelta(days=3), {}, at=at)) == (0, 0, 0, 0, 0)


async def test_what_is_done_days_after_it_was_known_is_of_another_date_and_not_missing_here(day: Day) -> None:
    reference, when = await day.credit(10), day.day + timedelta(days=3)
    day.plant("UPDATE orders SET at = ? WHERE reference = ?", moved(timedelta(days=3)), reference)
    at = datetime.now(UTC) + timedelta(days=5)
    door = (day.hub.database, day.hub.engine, day.registry, "MILE")
    assert counts(await reconciling.reconcile(*door, when, {}, at=at)) == (0, 1, 0, 0, 0)
    assert await types(day) == {reference: "DATE"}


async def test_two_at_once_keep_one_run(day: Day) -> None:
    day.plant("UPDATE orders SET amount = '9.00' WHERE reference = ?", await day.credit(10))
    other = day.hub.beside()
    await other.reading.refresh()
    one, two = await asyncio.gather(day.run(), day.run(door=other))
    await other.close()
    assert one.id == two.id
    assert len(await day.hub.sql("SELECT 1 FROM reconciliation")) == 1
    assert await day.history(next(iter(await day.breaks()))) == ["FOUND"]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("stage", reconciling.STAGES)
async def test_whoever_is_killed_has_changed_nothing(day: Day, stage: str) -> None:
    day.plant("UPDATE orders SET amount = '9.00' WHERE reference = ?", await day.credit(10))

    def die(begun: str) -> None:
        if begun == stage:
            raise Killed

    with pytest.raises(Killed):
        await day.run(told=die)
    assert await day.hub.sql("SELECT 1 FROM reconciliation UNION ALL SELECT 1 FROM break_step") == []
    assert counts(await day.run()) == (0, 1, 0, 0, 0)


async def test_a_file_that_is_not_believed_leaves_nothing_behind(day: Day) -> None:
    reference = await day.credit(10)
    path = write(day.folder / "other.csv", [Row(reference, datetime.now(UTC))], "STAY", day.day)
    at = datetime.now(UTC) + timedelta(days=1)
    door = (day.hub.database, day.hub.engine, day.registry, "MILE", day.day)
    with pytest.raises(FileRefused) as refused:
        await reconciling.reconcile(*door, {day.day: path}, at=at)
    assert refused.value.wrong is Wrong.OTHER_CURRENCY
    assert await day.hub.sql("SELECT 1 FROM reconciliation") == []


async def test_a_day_that_is_not_over_is_not_compared(day: Day) -> None:
    door = (day.hub.database, day.hub.engine, day.registry)
    wrong: list[tuple[Any, Any]] = [("MILE", day.day), ("BP", day.day - timedelta(days=1)), ("NONE", day.day)]
    for currency, when in wrong:
        with pytest.raises(InvalidInput):
            await reconciling.reconcile(*door, currency, when, {})


async def test_a_partner_that_cannot_be_asked_is_no_day_without_breaks(day: Day) -> None:
    await day.airline.script("BUSY", operation="JOURNAL")
    with pytest.raises(PartnerUnavailable):
        await day.run()
    assert await day.hub.sql("SELECT 1 FROM reconciliation") == []


async def test_orders_of_the_days_beside_it_are_no_breaks(day: Day) -> None:
    """What is done at the partner shortly before midnight and known here after it is of one day, and of one run."""
    reference = await day.credit(10)
    late = day.day + timedelta(days=1)
    at = datetime.now(UTC) + timedelta(days=2)
    door = (day.hub.database, day.hub.engine, day.registry, "MILE")
    assert counts(await reconciling.reconcile(*door, late, {}, at=at)) == (0, 0, 0, 0, 0)
    assert counts(await reconciling.reconcile(*door, day.day, {}, at=at)) == (1, 0, 0, 0, 0)
    assert reference not in await day.breaks()
    assert BreakType.DATE not in await types(day)
