"""Batches that fail: nothing is lost, nothing is done twice, and only what fails by itself is answered so."""

import asyncio
import itertools
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.db import Database
from hub.errors import Unexpected
from hub.institutions import Kind
from hub.ledger import commands, decide, engine, journal, store
from hub.ledger.commands import Party
from hub.ledger.load import load as load_book
from tests.concurrency.world import bank, code, convert, found, gathered, issue, passed, redeem, transfer, two
from tests.conftest import Hub, driver_url
from tests.properties import invariants

Superuser: TypeAlias = "asyncpg.Connection[Any]"


async def kill_own(connection: AsyncConnection, superuser: Superuser) -> None:
    """End the backend under ``connection``, from another one."""
    pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    await kill(superuser, pid)


async def kill(superuser: Superuser, pid: int) -> None:
    await superuser.execute("SELECT pg_terminate_backend($1, 2000)", pid)


def before_lock(monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[AsyncConnection], Any]) -> None:
    original = journal.lock

    async def lock(connection: AsyncConnection, *rest: Any) -> Any:
        await sabotage(connection)
        return await original(connection, *rest)

    monkeypatch.setattr(journal, "lock", lock)


def after_lock(monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[AsyncConnection], Any]) -> None:
    original = journal.lock

    async def lock(connection: AsyncConnection, *rest: Any) -> Any:
        head = await original(connection, *rest)
        await sabotage(connection)
        return head

    monkeypatch.setattr(journal, "lock", lock)


def before_load(monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[AsyncConnection], Any]) -> None:
    original = load_book

    async def load(connection: AsyncConnection, *rest: Any) -> Any:
        await sabotage(connection)
        return await original(connection, *rest)

    monkeypatch.setattr("hub.ledger.engine.load", load)


def after_load(monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[AsyncConnection], Any]) -> None:
    original = load_book

    async def load(connection: AsyncConnection, *rest: Any) -> Any:
        loaded = await original(connection, *rest)
        await sabotage(connection)
        return loaded

    monkeypatch.setattr("hub.ledger.engine.load", load)


def before_commit(monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[AsyncConnection], Any]) -> None:
    original = Database.write

    @asynccontextmanager
    async def write(self: Database) -> AsyncIterator[AsyncConnection]:
        async with original(self) as connection:
            yield connection
            await sabotage(connection)

    monkeypatch.setattr(Database, "write", write)


HANDLERS: dict[Any, Any] = decide.HANDLERS
MOMENTS = [before_lock, after_lock, before_load, after_load, before_commit]


@pytest.mark.parametrize("kills", [1, 3])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_batch_whose_connection_is_killed_is_done_once(
    hub: Hub, superuser: Superuser, monkeypatch: pytest.MonkeyPatch, moment: Callable[..., None], kills: int
) -> None:
    await found(hub, 3, "1000")
    left = kills

    async def sabotage(connection: AsyncConnection) -> None:
        nonlocal left
        if left:
            left -= 1
            await kill_own(connection, superuser)

    moment(monkeypatch, sabotage)
    answers = await hub.batch(
        [
            transfer(hub, "1", 0, 1, 100),
            redeem(hub, "2", 1, 50),
            convert(hub, "3", 2, 25),
            transfer(hub, "4", 0, 1, 5000),
        ]
    )
    assert left == 0
    assert [code(one) for one in answers] == ["OK", "OK", "OK", "INSUFFICIENT_POINTS"]
    assert not any(getattr(one, "replayed", None) for one in answers)
    assert [await hub.balance("BP", "BANK", f"u{number}") for number in range(3)] == [900, 1050, 975]
    assert len(await hub.sql("SELECT 1 FROM outcome WHERE key IN ('1', '2', '3', '4')")) == 4
    monkeypatch.undo()
    again = await hub.batch([transfer(hub, "1", 0, 1, 100), transfer(hub, "4", 0, 1, 5000)])
    assert [(code(one), getattr(one, "replayed", None)) for one in again] == [
        ("OK", True),
        ("INSUFFICIENT_POINTS", True),
    ]
    await invariants.check(hub)


LOST = [
    ConnectionResetError("the answer to COMMIT was lost"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    RuntimeError("something after the commit"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("losses", [1, 2, 5])
async def test_a_commit_whose_answer_was_lost_is_recognised_and_answered_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, error: Exception, losses: int
) -> None:
    await found(hub, 2, "1000")
    original, left = Database.write, losses

    @asynccontextmanager
    async def write(self: Database) -> AsyncIterator[AsyncConnection]:
        nonlocal left
        async with original(self) as connection:
            yield connection
        if left:  # it has committed
            left -= 1
            raise error

    monkeypatch.setattr(Database, "write", write)
    for number in range(losses):
        made, moved, refused = await hub.batch(
            [
                commands.CreateInstitution(
                    actor=hub.admin,
                    code=f"NEW{number}",
                    name="N",
                    kind=Kind.STORE,
                    parent=None,
                    zones=(),
                    auto_enroll=True,
                ),
                transfer(hub, f"t{number}", 0, 1, 10),
                transfer(hub, f"r{number}", 0, 1, 5000),
            ]
        )
        # A second try would have found a duplicate, and a replay.
        assert [code(one) for one in (made, moved, refused)] == ["OK", "OK", "INSUFFICIENT_POINTS"]
        assert not any(getattr(one, "replayed", None) for one in (made, moved, refused))
    assert left == 0
    assert await hub.balance("BP", "BANK", "u0") == 1000 - 10 * losses
    await invariants.check(hub)


@pytest.mark.parametrize("moment", [before_lock, before_load, before_commit])
async def test_a_failure_first_and_a_lost_commit_then_are_still_one_effect(
    hub: Hub, superuser: Superuser, monkeypatch: pytest.MonkeyPatch, moment: Callable[..., None]
) -> None:
    """The retry's own commit may be lost as well."""
    await found(hub, 2, "1000")
    kills = 1

    async def sabotage(connection: AsyncConnection) -> None:
        nonlocal kills
        if kills:
            kills -= 1
            await kill_own(connection, superuser)

    moment(monkeypatch, sabotage)
    current, losses = Database.write, 1

    @asynccontextmanager
    async def write(self: Database) -> AsyncIterator[AsyncConnection]:
        nonlocal losses
        async with current(self) as connection:
            yield connection
        if losses:
            losses -= 1
            raise RuntimeError("the answer to COMMIT was lost")

    monkeypatch.setattr(Database, "write", write)
    answers = await hub.batch([transfer(hub, "t", 0, 1, 10), issue(hub, "i", "u0", "1")])
    assert [(code(one), getattr(one, "replayed", None)) for one in answers] == [("OK", False), ("OK", False)]
    assert (kills, losses) == (0, 0)
    assert await hub.balance("BP", "BANK", "u0") == 991  # 1,000 - 10 + 1


async def test_commits_lost_again_and_again_are_recognised_at_the_last_try_too(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two failures before, and then a commit whose answer is lost: the last try before a batch is halved."""
    await found(hub, 2, "1000")
    original, turn = Database.write, 0

    @asynccontextmanager
    async def write(self: Database) -> AsyncIterator[AsyncConnection]:
        nonlocal turn
        turn += 1
        mine = turn
        async with original(self) as connection:
            yield connection
            if mine <= 2:
                raise RuntimeError("before the commit")
        if mine == 3:
            raise RuntimeError("after the commit")

    monkeypatch.setattr(Database, "write", write)
    answers = await hub.batch([transfer(hub, "t", 0, 1, 10), issue(hub, "i", "u0", "1")])
    assert [(code(one), getattr(one, "replayed", None)) for one in answers] == [("OK", False), ("OK", False)]
    assert await hub.balance("BP", "BANK", "u0") == 991


async def test_a_commit_that_is_still_under_way_when_its_answer_is_given_up_is_waited_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found(hub, 2, "1000")
    original, first = Database.write, True
    later: list[asyncio.Task[Any]] = []

    @asynccontextmanager
    async def write(self: Database) -> AsyncIterator[AsyncConnection]:
        nonlocal first
        transaction = original(self)
        connection = await transaction.__aenter__()
        try:
            yield connection
        except BaseException:
            await transaction.__aexit__(*sys.exc_info())
            raise
        if not first:
            await transaction.__aexit__(None, None, None)
            return

        async def commit() -> None:
            await asyncio.sleep(0.6)
            await transaction.__aexit__(None, None, None)

        first = False
        later.append(asyncio.create_task(commit()))
        raise ConnectionResetError("nothing was heard of it")

    monkeypatch.setattr(Database, "write", write)
    enroll = commands.EnrollCustomer(actor=hub.admin, customer=Party("BANK", "new"))
    answers = await hub.batch([transfer(hub, "t", 0, 1, 10), enroll])
    await asyncio.gather(*later)
    assert [(code(one), getattr(one, "replayed", None)) for one in answers] == [("OK", False), ("OK", False)]
    assert await hub.balance("BP", "BANK", "u0") == 990


async def test_a_command_that_crashes_fails_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await found(hub, 2, "1000")
    original = HANDLERS[commands.Redeem]

    def crash(book: Any, command: commands.Redeem) -> Any:
        if command.amount == "13":
            raise ZeroDivisionError
        return original(book, command)

    monkeypatch.setitem(HANDLERS, commands.Redeem, crash)
    before = await hub.sql("SELECT batch FROM journal_head")
    answers = await hub.batch([transfer(hub, "1", 0, 1, 10), redeem(hub, "2", 0, 13), redeem(hub, "3", 0, 12)])
    assert [code(one) for one in answers] == ["OK", "Unexpected", "OK"]
    assert await hub.sql("SELECT batch FROM journal_head") == [(before[0][0] + 1,)]  # one batch
    assert await hub.balance("BP", "BANK", "u0") == 978  # 1,000 - 10 - 12
    monkeypatch.undo()
    assert passed(await hub.try_(redeem(hub, "2", 0, 13)))  # its key was kept nowhere
    await invariants.check(hub)


async def test_a_row_that_the_database_refuses_fails_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await found(hub, 2, "1000")
    monkeypatch.setattr(engine, "TRIES_MAX", 1)
    original = store.Batch._movement

    def broken(self: store.Batch, moved: Any) -> None:
        original(self, moved)
        if moved.amount == 13:
            rows = self.rows["movement"]
            rows[-1] = (*rows[-1][:4], None, *rows[-1][5:])  # a movement without a currency

    monkeypatch.setattr(store.Batch, "_movement", broken)
    amounts = [10, 11, 13, 12, 14]
    answers = await hub.batch([transfer(hub, str(amount), 0, 1, amount) for amount in amounts])
    assert [code(one) for one in answers] == ["OK", "OK", "Unexpected", "OK", "OK"]
    assert await hub.balance("BP", "BANK", "u0") == 953  # 1,000 - 10 - 11 - 12 - 14
    monkeypatch.undo()
    again = await hub.batch([transfer(hub, str(amount), 0, 1, amount) for amount in amounts])
    assert [getattr(one, "replayed", None) for one in again] == [True, True, False, True, True]
    await invariants.check(hub)


async def test_random_kills_under_load_lose_nothing_and_double_nothing(hub: Hub, superuser: Superuser) -> None:
    await found(hub, 10, "100000")
    name = make_url(hub.addresses.server).database
    dice = random.Random(11)
    over = asyncio.Event()
    killed = 0

    async def killer() -> None:
        """Kills at any moment, up to three times in a row; then something has to have passed, or on a slow machine
        nothing ever would."""
        nonlocal killed
        eyes = await asyncpg.connect(driver_url(hub.addresses.owner))
        last, row = 0, 0
        while not over.is_set():
            await asyncio.sleep(dice.uniform(0.005, 0.15))
            head = await eyes.fetchval("SELECT batch FROM journal_head")
            last, row = head, row + 1 if head == last else 1
            if row <= 3:
                killed += await superuser.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = $1 AND usename = 'points_hub'",
                    name,
                )
        await eyes.close()

    async with two(hub, batch_max=20) as doors:
        murderer = asyncio.create_task(killer())
        asked: list[tuple[Hub, Any]] = []
        outcomes = []
        for wave in itertools.count():
            batch = [
                (doors[place % 2], transfer(hub, f"t{wave}-{place}", place % 10, (place * 7 + 3) % 10, 1 + place % 50))
                for place in range(60)
            ]
            asked += batch
            outcomes += await gathered(door.try_(command) for door, command in batch)
            if wave >= 4 and killed > 3:
                break
        over.set()
        await murderer
    assert Counter(map(code, outcomes)) == {"OK": len(asked)}
    assert not any(one.replayed for one in outcomes)
    expected = dict.fromkeys(range(10), 100_000)
    for _, command in asked:
        expected[int(command.source.reference[1:])] -= int(command.amount)
        expected[int(command.target.reference[1:])] += int(command.amount)
    assert {number: await hub.balance("BP", "BANK", f"u{number}") for number in range(10)} == expected
    await invariants.check(hub)


async def test_while_the_database_is_away_commands_wait_and_then_pass(
    hub: Hub, superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found(hub, 2, "1000")
    name = make_url(hub.addresses.server).database
    await superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    await superuser.execute("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = $1", name)
    call = asyncio.create_task(hub.batch([transfer(hub, "a", 0, 1, 1), transfer(hub, "b", 0, 1, 2)]))
    await asyncio.sleep(1.2)
    assert not call.done()
    await superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert [code(one) for one in await call] == ["OK", "OK"]
    # When it stays away, nobody is told that a key was used.
    monkeypatch.setattr(engine, "OUTAGE_S_MAX", 0.5)
    await superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    await superuser.execute("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = $1", name)
    unkeyed = commands.EnrollCustomer(actor=hub.admin, customer=Party("BANK", "new"))
    answers = await hub.batch([transfer(hub, "c", 0, 1, 3), unkeyed])
    assert [code(one) for one in answers] == ["RETRY_LATER", "Unexpected"]
    await superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert passed(await hub.try_(transfer(hub, "c", 0, 1, 3)))
    assert await hub.balance("BP", "BANK", "u0") == 994  # 1,000 - 1 - 2 - 3


async def test_a_long_batch_is_one_entry_though_it_is_written_in_parts(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found(hub, 3, "1000")
    monkeypatch.setattr(engine, "STRETCH", 4)
    [before] = await hub.sql("SELECT batch FROM journal_head")
    seven = [transfer(hub, f"k{number}", number % 2, 2, 1) for number in range(7)]
    others = [convert(hub, "c", 2, 25), transfer(hub, "too much", 0, 1, 5_000), transfer(hub, "k0", 0, 2, 1)]
    answers = await hub.batch([*seven, *others])
    assert [code(one) for one in answers] == ["OK"] * 8 + ["INSUFFICIENT_POINTS", "OK"]
    [after] = await hub.sql("SELECT batch FROM journal_head")
    assert after["batch"] == before["batch"] + 1
    assert await hub.balance("BP", "BANK", "u2") == 982  # 1,000 + 7 - 25
    await invariants.check(hub)


async def test_what_was_written_ahead_of_a_failure_is_not_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch fails with its first rows sent; it is done again whole, and once."""
    await found(hub, 2, "1000")
    monkeypatch.setattr(engine, "STRETCH", 4)
    original, taken = store.Batch._movement, Counter[str]()

    def broken(self: store.Batch, moved: Any) -> None:
        taken["movements"] += 1
        if taken["movements"] == 6:
            raise RuntimeError("broken")
        original(self, moved)

    monkeypatch.setattr(store.Batch, "_movement", broken)
    answers = await hub.batch([transfer(hub, f"k{number}", 0, 1, 1) for number in range(10)])
    assert all(passed(answer) for answer in answers)
    assert taken["movements"] == 16  # 6, then all 10
    assert await hub.balance("BP", "BANK", "u1") == 1_010
    await invariants.check(hub)


async def test_an_act_too_large_for_a_counter_is_refused_and_the_rest_of_the_batch_is_not(hub: Hub) -> None:
    await found(hub, 2, "1000")
    [row] = await hub.sql("SELECT customer_id FROM customer_reference WHERE reference = 'u1'")
    near = 2**63 - 1 - 5
    await hub.sql(
        "UPDATE account SET credits_posted = $1::bigint, debits_posted = $1 - 1000 WHERE owner_id = $2", near, row[0]
    )
    answers = await hub.batch([transfer(hub, "a", 0, 1, 6), transfer(hub, "b", 0, 1, 5), transfer(hub, "c", 0, 1, 1)])
    assert [code(one) for one in answers] == ["INVALID_AMOUNT", "OK", "INVALID_AMOUNT"]
    again = await hub.try_(transfer(hub, "a", 0, 1, 6))
    assert (code(again), again.replayed) == ("INVALID_AMOUNT", True)


async def test_an_act_whose_legs_together_are_too_large_for_a_counter_is_refused(hub: Hub) -> None:
    """A conversion debits its issuer's position twice: for the settlement and for the fee."""
    await found(hub, 1, "1000")
    await hub.do(convert(hub, "first", 0, 25))  # 1 MILE: 0.05 and 1 % of it
    issuer = hub.engine.configuration.institution_codes["BANK"]
    # The next one's legs are 50,000 and 500: each fits into what is left, not both.
    near = 2**63 - 1 - 50_100
    await hub.sql("UPDATE account SET debits_posted = $1 WHERE owner_id = $2 AND kind = 4", near, issuer)
    answers = await hub.batch([convert(hub, "second", 0, 25), issue(hub, "i", "u0", "1")])
    assert [code(one) for one in answers] == ["INVALID_AMOUNT", "OK"]


async def test_unexpected_is_no_refusal(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await found(hub, 1)

    def crash(book: Any, command: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setitem(HANDLERS, commands.Transfer, crash)
    with pytest.raises(Unexpected) as fault:
        await hub.try_(
            commands.Transfer(
                actor=hub.admin, key="k", currency="BP", source=bank(0), target=bank(1), amount="1", memo=None
            )
        )
    assert "secret" not in str(fault.value)
    assert await hub.sql("SELECT 1 FROM outcome WHERE key = 'k'") == []
