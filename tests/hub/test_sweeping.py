"""Sweeping: what is over is settled once, by however many, in as many chunks as it takes, and nothing else is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hub import sweeping
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import HoldStatus
from hub.sweeping import NotYet, Size, sweep
from tests.conftest import Hub, Pass

CUSTOMERS = 25
TINY = Size(accounts=4, lots=6)


def now() -> datetime:
    return datetime.now(UTC)


def issue(hub: Hub, reference: str, amount: int, ends: datetime | None = None) -> commands.Issue:
    return commands.Issue(
        actor=hub.admin,
        key=f"{reference}-{amount}-{ends}",
        currency="BP",
        to=Party("BANK", reference),
        amount=str(amount),
        earned_at=None,
        expires_at=ends,
        memo=None,
    )


def hold(hub: Hub, reference: str, amount: int, until: datetime) -> commands.HoldPoints:
    return commands.HoldPoints(
        actor=hub.admin,
        key=f"hold-{reference}",
        currency="BP",
        customer=Party("BANK", reference),
        amount=str(amount),
        expires_at=until,
        memo=None,
    )


@pytest.fixture
async def bank(hub: Hub) -> Hub:
    """A bank whose customers have three lots each that end soon (10 + 20 + 30), and 100 points that never end."""
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    soon = now() + timedelta(seconds=2)
    ends = [soon, soon + timedelta(microseconds=1), soon + timedelta(milliseconds=1)]
    rows = [
        issue(hub, f"c{number}", 10 * place, end)
        for number in range(CUSTOMERS)
        for place, end in enumerate(ends, start=1)
    ]
    await hub.batch([*rows, *(issue(hub, f"c{number}", 100) for number in range(CUSTOMERS))])
    return hub


async def over(hub: Hub) -> None:
    await hub.sql("SELECT pg_sleep_until((SELECT max(expires_at) FROM lot WHERE expires_at < '9000-01-01') + '1 ms')")


async def breakage(hub: Hub) -> int:
    rows = await hub.sql("SELECT coalesce(sum(credits_posted - debits_posted), 0)::bigint FROM account WHERE kind = 3")
    return int(rows[0][0])


async def batches(hub: Hub) -> int:
    return int((await hub.sql("SELECT batch FROM journal_head"))[0][0])


async def test_what_is_over_goes_to_breakage_in_chunks_and_a_second_run_finds_nothing(bank: Hub) -> None:
    await over(bank)
    at, before, told = now(), await batches(bank), list[int]()
    assert await sweeping.due(bank.database, at) == 3 * CUSTOMERS
    tally = await sweep(bank.database, bank.engine, at, size=TINY, told=told.append)
    swept = tally.by_currency["BP"]
    assert (swept.lots, swept.units, swept.holds) == (3 * CUSTOMERS, 60 * CUSTOMERS, 0)
    assert sum(told) == 3 * CUSTOMERS
    assert await batches(bank) - before >= CUSTOMERS * 3 / 6  # six lots in a transaction
    assert await breakage(bank) == 60 * CUSTOMERS
    assert await bank.balance("BP", "BANK", "c7") == 100
    movements = await bank.sql("SELECT count(*), sum(amount) FROM movement WHERE kind = 11")
    assert tuple(movements[0]) == (CUSTOMERS, 60 * CUSTOMERS)  # one of each customer
    after = await batches(bank)
    assert (await sweep(bank.database, bank.engine, now())).by_currency == {}
    assert await sweeping.due(bank.database, now()) == 0
    assert await batches(bank) == after


async def test_a_sweep_picks_accounts_by_its_instant(bank: Hub) -> None:
    first = (await bank.sql("SELECT min(expires_at) FROM lot"))[0][0]
    await over(bank)
    assert (await sweep(bank.database, bank.engine, first - timedelta(microseconds=1))).by_currency == {}
    tally = await sweep(bank.database, bank.engine, first)
    assert tally.by_currency["BP"].lots == 3 * CUSTOMERS  # what is over by now on those accounts goes too
    assert await sweeping.instant(bank.database, first) == first
    with pytest.raises(NotYet):
        await sweeping.instant(bank.database, now() + timedelta(minutes=1))


async def test_two_sweeps_at_once_settle_everything_once(bank: Hub) -> None:
    await over(bank)
    other = bank.beside()
    try:
        await other.reading.refresh()
        at = now()
        tallies = await asyncio.gather(
            sweep(bank.database, bank.engine, at, size=TINY), sweep(other.database, other.engine, at, size=TINY)
        )
    finally:
        await other.close()
    assert sum(one.by_currency["BP"].lots for one in tallies if one.by_currency) == 3 * CUSTOMERS
    assert sum(one.by_currency["BP"].units for one in tallies if one.by_currency) == 60 * CUSTOMERS
    assert await breakage(bank) == 60 * CUSTOMERS


async def test_a_sweep_that_was_stopped_has_lost_nothing(bank: Hub) -> None:
    await over(bank)

    async def once(_: float) -> bool:
        return False

    stopped = await sweep(bank.database, bank.engine, now(), size=TINY, rest=once)
    assert 0 < stopped.by_currency["BP"].lots < 3 * CUSTOMERS
    assert await breakage(bank) == stopped.by_currency["BP"].units
    rest = await sweep(bank.database, bank.engine, now())
    assert stopped.by_currency["BP"].lots + rest.by_currency["BP"].lots == 3 * CUSTOMERS
    assert await breakage(bank) == 60 * CUSTOMERS


async def test_held_points_are_honoured_until_the_hold_ends(bank: Hub, pass_: Pass) -> None:
    kept = (await bank.do(hold(bank, "c1", 25, now() + timedelta(days=1)))).hold
    hour = timedelta(hours=1)
    brief = (await bank.do(hold(bank, "c2", 25, now() + hour))).hold
    await over(bank)
    await sweep(bank.database, bank.engine, now())
    assert await breakage(bank) == 60 * CUSTOMERS - 50  # 10 + 15 of each are pinned
    again = await batches(bank)
    assert (await sweep(bank.database, bank.engine, now())).by_currency == {}
    assert await batches(bank) == again
    pass_(hour)
    tally = (await sweep(bank.database, bank.engine, now() + hour)).by_currency["BP"]
    assert (tally.lots, tally.units, tally.holds) == (2, 25, 1)
    statuses = dict(await bank.sql("SELECT id, status FROM hold"))
    assert statuses == {kept.id: HoldStatus.HELD, brief.id: HoldStatus.EXPIRED}
    taken = await bank.do(
        commands.CaptureHold(actor=bank.admin, key="take", hold=kept.id, amount=None, target=None, merchant=None)
    )
    assert taken.hold.captured == 25


async def test_ten_thousand_lots_are_spent_in_the_order_of_their_ends(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    far, lots = now() + timedelta(days=100), 10_000
    await hub.batch([issue(hub, "many", 1, far + timedelta(minutes=number)) for number in range(lots)])

    async def spend(amount: int) -> tuple[int, datetime | None]:
        """How many lots are left, and the first end of them."""
        command = commands.Transfer(
            actor=hub.admin,
            key=f"spend-{amount}",
            currency="BP",
            source=Party("BANK", "many"),
            target=Party("BANK", "taker"),
            amount=str(amount),
            memo=None,
        )
        await hub.do(command)
        [row] = await hub.sql(
            "SELECT count(*), min(expires_at) FROM lot WHERE account_id = (SELECT a.id FROM account a"
            " JOIN customer_reference r ON r.customer_id = a.owner_id WHERE r.reference = 'many')"
        )
        return row[0], row[1]

    assert await spend(5) == (9_995, far + timedelta(minutes=5))  # of the first 64
    assert await spend(100) == (9_895, far + timedelta(minutes=105))  # the next 1,024 are read
    assert await spend(5_000) == (4_895, far + timedelta(minutes=5_105))  # and the next 16,384
    assert await spend(4_895) == (0, None)
    assert await hub.balance("BP", "BANK", "taker") == lots
