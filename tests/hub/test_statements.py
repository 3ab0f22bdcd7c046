"""Statements: what an account held at any past instant, and what moved on it over any past period."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, statements
from hub.errors import NotPast
from hub.ledger import commands, journal
from hub.ledger.records import MovementKind, Phase
from hub.statements import Balance, Entry, Span, Statement, Total
from tests.concurrency.world import convert, found, issue, redeem, transfer
from tests.conftest import Hub, driver_url

TICK = timedelta(microseconds=1)
ALL = Span()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def account_of(hub: Hub, reference: str, currency: str = "BP") -> int:
    [row] = await hub.sql(
        "SELECT a.id FROM account a JOIN customer_reference r ON r.customer_id = a.owner_id"
        " WHERE r.reference = $1 AND a.currency = $2",
        reference,
        currency,
    )
    return int(row[0])


async def times(hub: Hub) -> list[datetime]:
    """Of all batches, in order."""
    return [row[0] for row in await hub.sql("SELECT at FROM journal_entry ORDER BY batch")]


async def last(hub: Hub) -> datetime:
    """When the last batch was."""
    return (await times(hub))[-1]


async def balance(hub: Hub, account: int | None, at: datetime) -> Balance:
    async with hub.reading.open(hub.admin, past=at) as reader:
        return await statements.balance(reader.connection, account, at)


async def statement(hub: Hub, account: int | None, starts: datetime, until: datetime) -> tuple[Statement, list[Total]]:
    async with hub.reading.open(hub.admin, past=until) as reader:
        made = await statements.statement(reader.connection, account, starts, until)
        return made, await statements.totals(reader.connection, account, made.span)


async def entries(hub: Hub, account: int | None, span: Span = ALL, *, newest_first: bool = False) -> list[Entry]:
    async with hub.reading.open(hub.admin) as reader:
        return await statements.entries(reader.connection, account, span, None, 1000, newest_first=newest_first)


@pytest.fixture
async def lively(hub: Hub) -> list[datetime]:
    """u0 gets 1000, gives u1 100 (of which u1 gives 30 back), converts 50, spends 20, and half of that is undone; the
    times of these acts."""
    await found(hub, 2)
    acts: list[commands.Command] = [
        transfer(hub, "t1", 0, 1, 100),
        transfer(hub, "t2", 1, 0, 30),
        convert(hub, "c", 0, 50),
        redeem(hub, "r", 0, 20),
    ]
    at = [await last(hub)]
    for act in acts:
        done = await hub.do(act)
        at.append(await last(hub))
    await hub.do(commands.Reverse(actor=hub.admin, key="v", id=done.id, amount="10", reason="returned"))
    return [*at, await last(hub)]


# 1000; -100; +30; -50; -20; +10
AFTER = [1000, 900, 930, 880, 860, 870]
KINDS = ["ISSUE", "TRANSFER", "TRANSFER", "CONVERT", "REDEEM", "REVERSE"]


async def test_a_balance_of_any_past_instant_is_the_one_after_all_that_was_posted_by_then(
    hub: Hub, lively: list[datetime]
) -> None:
    account = await account_of(hub, "u0")
    for at, (before, after) in zip(lively, pairwise([0, *AFTER]), strict=True):
        assert await balance(hub, account, at - TICK) == Balance(before, 0)
        assert await balance(hub, account, at) == Balance(after, 0)
    assert (await balance(hub, account, EPOCH)).total == 0
    assert await balance(hub, None, lively[-1]) == Balance(0, 0)


async def test_a_statement_opens_and_closes_with_the_balances_around_what_it_counts(
    hub: Hub, lively: list[datetime]
) -> None:
    account = await account_of(hub, "u0")
    found, totals = await statement(hub, account, lively[1], lively[5])  # without the first act and the last
    assert (found.opening, found.closing) == (1000, 860)
    assert totals == [
        Total(MovementKind.TRANSFER, credits=30, debits=100, entries=2),
        Total(MovementKind.REDEEM, credits=0, debits=20, entries=1),
        Total(MovementKind.CONVERT, credits=0, debits=50, entries=1),
    ]
    assert 1000 + 30 - (100 + 20 + 50) == 860
    listed = await entries(hub, account, found.span)
    assert [one.balance for one in listed] == AFTER[1:5]
    assert [one.at for one in listed] == lively[1:5]
    assert [one.kind.name for one in await entries(hub, account)] == KINDS
    assert await entries(hub, account, newest_first=True) == [*reversed(await entries(hub, account))]


async def test_for_every_period_opening_and_what_came_less_what_went_is_closing(
    hub: Hub, lively: list[datetime]
) -> None:
    account = await account_of(hub, "u0")
    bounds = [EPOCH, *(at + step for at in lively for step in (-TICK, TICK * 0, TICK)), lively[-1] + 2 * TICK]
    for place, starts in enumerate(bounds):
        for until in bounds[place:]:
            made, totals = await statement(hub, account, starts, until)
            came, went = sum(one.credits for one in totals), sum(one.debits for one in totals)
            assert made.opening + came - went == made.closing
            counted = [after for at, after in zip(lively, AFTER, strict=True) if starts <= at < until]
            assert [one.balance for one in await entries(hub, account, made.span)] == counted
            assert sum(one.entries for one in totals) == len(counted)
            assert counted[-1:] in ([], [made.closing])


async def test_before_anything_and_without_an_account_all_is_zero(hub: Hub, lively: list[datetime]) -> None:
    account = await account_of(hub, "u0")
    for of, until in ((account, EPOCH + TICK), (None, lively[-1])):
        made, totals = await statement(hub, of, EPOCH, until)
        assert (made.opening, made.closing, totals) == (0, 0, [])
        assert await entries(hub, of, made.span) == []


async def test_of_a_leg_each_side_is_an_entry_of_its_own_account_alone(hub: Hub, lively: list[datetime]) -> None:
    [given, back] = (await entries(hub, await account_of(hub, "u1")))[1:]
    [gave, got] = (await entries(hub, await account_of(hub, "u0")))[1:3]
    assert (given.place, back.place) == (gave.place, got.place)
    assert (given.is_credit, gave.is_credit, back.is_credit, got.is_credit) == (True, False, False, True)
    async with hub.reading.open(hub.admin) as reader:
        [owner] = [row[0] for row in await hub.sql("SELECT customer_id FROM customer_reference WHERE reference = 'u1'")]
        found = await statements.entry(reader.connection, *given.place, is_credit=True)
        assert found == (given, owner, "BP")
        assert await statements.entry(reader.connection, given.movement, 15, is_credit=True) is None
        issued = (await entries(hub, await account_of(hub, "u1")))[0]
        assert await statements.entry(reader.connection, *issued.place, is_credit=False) is None  # the issuer's side


async def test_instants_fall_where_the_journal_was(hub: Hub) -> None:
    await found(hub, 1)
    for number in range(9):
        await hub.do(issue(hub, f"more-{number}", "u0", "1"))
    moments = await times(hub)
    async with hub.reading.open(hub.admin) as reader:
        for batch, at in enumerate(moments, 1):
            for instant, first in ((at - TICK, batch), (at, batch), (at + TICK, batch + 1)):
                assert await statements.span(reader.connection, instant, None) == Span(first=ids.first_of(first))
                assert await statements.span(reader.connection, None, instant) == Span(end=ids.first_of(first))
        assert await statements.span(reader.connection, None, None) == Span()
        both = await statements.span(reader.connection, EPOCH, datetime(9999, 1, 1, tzinfo=UTC))
        assert both == Span(ids.first_of(1), ids.first_of(len(moments) + 1))


async def test_legs_that_are_not_posted_are_held_and_are_no_entries(hub: Hub) -> None:
    """Holds of 30 and 20, of the first 10 taken back, then all of it; the balance stays 1000."""
    await found(hub, 1)
    account = await account_of(hub, "u0")
    [contra] = [row[0] for row in await hub.sql("SELECT id FROM account WHERE kind = 2 AND currency = 'BP'")]
    moments = [await last(hub)]
    steps = [(Phase.PENDING, 30), (Phase.PENDING, 20), (Phase.VOIDED, 10), (Phase.VOIDED, 20)]
    for number, (phase, amount) in enumerate(steps):
        # A batch of its own for each, at whose time the leg is written behind it.
        await hub.do(issue(hub, f"tick-{number}", "other", "1"))
        await hub.sql("INSERT INTO movement SELECT 1, (batch << 20) + 1000, 2, 1, 1, 'BP', 1 FROM journal_head")
        await hub.sql(
            "INSERT INTO leg SELECT 1, (batch << 20) + 1000, 0, $1, 1, $2, $3, $4, 1000, 0 FROM journal_head",
            phase.value,
            account,
            contra,
            amount,
        )
        moments.append(await last(hub))
    held = [0, 30, 50, 40, 20]
    for at, units in zip(moments, held, strict=True):
        assert await balance(hub, account, at) == Balance(1000, units)
        assert (await balance(hub, account, at)).available == 1000 - units
    made, totals = await statement(hub, account, EPOCH, moments[-1] + TICK)
    assert (made.closing, [one.kind for one in totals]) == (1000, [MovementKind.ISSUE])
    assert [one.kind.name for one in await entries(hub, account)] == ["ISSUE"]


# --- the past ---------------------------------------------------------------------------------------------------------


async def test_the_future_has_no_statement(hub: Hub) -> None:
    with pytest.raises(NotPast):
        async with hub.reading.open(hub.admin, past=datetime.now(UTC) + timedelta(hours=1)):
            pass


async def test_a_batch_that_is_being_committed_is_waited_for_and_no_other(hub: Hub) -> None:
    await found(hub, 1)
    before = await last(hub)
    eyes = await asyncpg.connect(driver_url(hub.addresses.owner))
    try:
        batch = eyes.transaction()
        await batch.start()
        await eyes.execute("SELECT * FROM journal_head FOR UPDATE")
        at = await eyes.fetchval("SELECT clock_timestamp()")
        assert (await balance(hub, await account_of(hub, "u0"), before - TICK)).total == 0  # not waited for
        async with hub.reading.open(hub.admin, past=before):
            pass
        asked = asyncio.create_task(balance(hub, await account_of(hub, "u0"), at))
        await asyncio.sleep(0.2)
        assert not asked.done()
        await batch.rollback()
        assert (await asked).total == 1000
    finally:
        await eyes.close()


async def test_whoever_waits_for_the_lock_while_a_read_passes_is_later_than_the_read(hub: Hub) -> None:
    """A batch reads the clock, and only then waits: it must read it again."""
    await found(hub, 1)
    async with hub.database.write() as passing:
        await journal.catch_up(passing)
        coming = asyncio.create_task(hub.do(issue(hub, "late", "u0", "5")))
        await asyncio.sleep(0.2)
        assert not coming.done()
        now = (await passing.execute(text("SELECT clock_timestamp()"))).scalar_one()
    await coming
    assert await last(hub) > now


async def test_the_lock_is_taken_once_for_all_who_ask_meanwhile(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await found(hub, 1)
    account, taken = await account_of(hub, "u0"), 0
    catch_up = journal.catch_up

    async def counted(connection: AsyncConnection) -> None:
        nonlocal taken
        taken += 1
        await catch_up(connection)

    monkeypatch.setattr(journal, "catch_up", counted)
    now = (await hub.sql("SELECT clock_timestamp()"))[0][0]
    told = await asyncio.gather(*(balance(hub, account, now - number * TICK) for number in range(8)))
    assert {one.total for one in told} == {1000}
    assert taken == 1
    await balance(hub, account, now)
    assert taken == 1  # it is past for good
    await hub.do(issue(hub, "more", "u0", "5"))
    assert (await balance(hub, account, await last(hub))).total == 1005
    assert taken == 1  # the journal has gone past it by itself
    assert (await balance(hub, account, (await hub.sql("SELECT clock_timestamp()"))[0][0])).total == 1005
    assert taken == 2


async def test_what_was_answered_of_the_past_stays_so_while_much_is_posted(hub: Hub) -> None:
    await found(hub, 2)
    account = await account_of(hub, "u0")
    told: dict[datetime, Balance] = {}

    async def post() -> None:
        """Until much was answered meanwhile, however fast that goes."""
        for number in range(2_000):
            if number >= 40 and len(set(told.values())) > 3:
                break
            await hub.do(transfer(hub, f"t{number}", number % 2, 1 - number % 2, 10 + number % 40))

    async def ask() -> None:
        while not posting.done():
            at = (await hub.sql("SELECT clock_timestamp()"))[0][0]
            told[at] = await balance(hub, account, at)

    posting = asyncio.create_task(post())
    await asyncio.gather(posting, ask(), ask())
    assert len(set(told.values())) > 3
    for at, figure in told.items():
        assert await balance(hub, account, at) == figure


# --- much -------------------------------------------------------------------------------------------------------------


async def fill(hub: Hub, others: int, legs: int) -> None:
    """So many accounts with as many transfers among them, and for each of these one from account 1 to account 2; they
    are written where no batch writes: before the first."""
    await hub.sql(
        "INSERT INTO account SELECT 1, n, 1, n, 'BP', 0, 1000, 0, 0, 0, 0 FROM generate_series(1, $1) n", others
    )
    await hub.sql(
        "INSERT INTO leg SELECT 1, 100000 + n, side, 1, 1,"
        " CASE side WHEN 0 THEN 3 + n % $1 ELSE 1 END, CASE side WHEN 0 THEN 3 + (n + 1) % $1 ELSE 2 END, 5, 5, 5"
        " FROM generate_series(1, $2) n, generate_series(0, 1) side",
        others - 2,
        legs,
    )
    await hub.sql("INSERT INTO movement SELECT 1, 100000 + n, 2, 1, 1, 'BP', 5 FROM generate_series(1, $1) n", legs)
    await hub.sql("INSERT INTO journal_entry SELECT 1, 0, $1, '', '', '', 0", EPOCH)


READ = text(
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_all_tables"
    " WHERE relname LIKE 'leg%' OR relname IN ('movement', 'memo', 'account', 'journal_entry')"
)


@pytest.mark.parametrize("analysed", [False, True])
async def test_an_account_among_many_is_read_by_its_own_legs_alone(hub: Hub, analysed: bool) -> None:
    await found(hub, 2)
    for number in range(20):
        await hub.do(transfer(hub, f"t{number}", 0, 1, 1))
    await fill(hub, 500, 15_000)
    if analysed:
        await hub.sql("ANALYZE")
    account, now = await account_of(hub, "u0"), await last(hub)
    async with hub.reading.open(hub.admin, past=now) as reader:
        connection = reader.connection
        made = await statements.statement(connection, account, EPOCH, now)
        await statements.totals(connection, account, made.span)
        await statements.balance(connection, account, now)
        newest = await statements.entries(connection, account, Span(), None, 50, newest_first=True)
        oldest = await statements.entries(connection, account, Span(), newest[10].place, 50)
        read = (await connection.execute(READ)).scalar_one()
    assert (len(newest), len(oldest)) == (21, 10)
    assert 0 < read < 1_000, "of 30,000 legs"


@pytest.mark.parametrize("analysed", [False, True])
async def test_of_an_account_with_many_legs_a_page_is_read_and_for_a_balance_the_last(hub: Hub, analysed: bool) -> None:
    await found(hub, 1)
    await fill(hub, 500, 15_000)
    if analysed:
        await hub.sql("ANALYZE")
    middle = (107_500, 1)
    async with hub.reading.open(hub.admin) as reader:
        connection = reader.connection
        made = await statements.statement(connection, 1, EPOCH, reader.at)
        assert (made.opening, made.closing) == (5, 5)
        balances = (await connection.execute(READ)).scalar_one()
        for newest_first in (False, True):
            for account in (1, 2):
                page = await statements.entries(connection, account, Span(), middle, 50, newest_first=newest_first)
                step = -1 if newest_first else 1
                assert [one.movement for one in page] == [107_500 + step * n for n in range(1, 51)]
        pages = (await connection.execute(READ)).scalar_one() - balances
    assert 0 < balances < 30
    assert 0 < pages < 1_000, "of 15,000 legs, for 200 entries"


async def test_pages_follow_one_another_without_a_gap_and_hold_nothing(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found(hub, 1)
    await hub.batch([issue(hub, f"more-{number}", "u0", "1") for number in range(1_499)])
    account, now = await account_of(hub, "u0"), await last(hub)
    made, _ = await statement(hub, account, EPOCH, now + TICK)
    sizes, seen = [], []
    async for page in statements.pages(hub.database, made):
        sizes.append(len(page))
        seen += [one.balance for one in page]
        await hub.do(issue(hub, f"meanwhile-{len(sizes)}", "u0", "1"))  # after the period: in no page
        assert hub.database._readers.pool.status().endswith("Current Checked out connections: 0")
    assert sizes == [500, 500, 500]
    assert seen == [1000, *range(1001, 2500)]
    assert [page async for page in statements.pages(hub.database, Statement(None, Span(), 0, 0))] == []
