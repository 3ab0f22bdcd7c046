"""Migrations make the tables that the code names, and the server's role cannot rewrite what is append-only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from hub import ids, tables
from hub.db import Addresses
from hub.ledger import commands, journal
from hub.ledger.commands import Party
from hub.migrate import configuration, differences, migrate, newest
from hub.postgres import OWNER, SERVER, Server
from hub.setup import AlreadySetUp, set_up
from tests.conftest import Hub, driver_url

LISTS = (tables.FIXED, tables.APPEND_ONLY, tables.UPDATABLE, tables.DERIVED, tables.ERASABLE)
GROUPS = {table.name for group in LISTS for table in group}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(driver_url(url))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def upgraded(
    superuser: "asyncpg.Connection[Any]", server: Server, before: str, history: list[str]
) -> AsyncIterator[Addresses]:
    """A database that was migrated to a revision, has a history from then, and is migrated to the newest."""
    name = "points_hub_upgraded"
    addresses = Addresses(server.url(SERVER, name), server.url(OWNER, name))
    await superuser.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    try:
        engine = create_async_engine(addresses.owner)
        async with engine.begin() as connection:
            await connection.run_sync(lambda one: command.upgrade(configuration(one), before))
        await engine.dispose()
        async with connected(addresses.owner) as owner:
            for statement in history:
                await owner.execute(statement)
        await migrate(addresses)
        yield addresses
    finally:
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def of_owner(addresses: Addresses, look: "Any") -> Any:
    engine = create_async_engine(addresses.owner)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)
    finally:
        await engine.dispose()


CATALOGUE = """
SELECT 'column', attrelid::regclass::text, attname, format_type(atttypid, atttypmod) || attnotnull
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE c.relnamespace = 'public'::regnamespace AND attnum > 0
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'table', relname, coalesce(reloptions::text, ''), coalesce(relacl::text, '')
FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
UNION ALL SELECT 'function', proname, coalesce(proacl::text, ''), prosrc
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'version', version_num, '', '' FROM alembic_version
"""


async def catalogue(addresses: Addresses) -> list[tuple[str, ...]]:
    async with connected(addresses.owner) as owner:
        return sorted(tuple(str(value) for value in row) for row in await owner.fetch(CATALOGUE))


def ours(connection: Connection) -> list[object]:
    return differences(connection)


async def test_migrations_make_what_the_tables_say(addresses: Addresses) -> None:
    assert await of_owner(addresses, ours) == []


async def test_a_difference_would_be_seen(addresses: Addresses) -> None:
    async with connected(addresses.owner) as owner:
        await owner.execute("ALTER TABLE outcome DROP COLUMN details")
        await owner.execute("ALTER TABLE memo ALTER COLUMN text TYPE varchar(10)")
        await owner.execute("CREATE TABLE stray (id bigint)")
    assert len(await of_owner(addresses, ours)) == 3


async def test_checks_and_fill_factors_are_those_of_the_tables(addresses: Addresses) -> None:
    """What Alembic's comparison does not look at."""
    found = await catalogue(addresses)
    checks = {name for kind, _, name, definition in found if kind == "constraint" and definition.startswith("CHECK")}
    named = {
        str(check.name)
        for table in tables.metadata.sorted_tables
        for check in table.constraints
        if type(check).__name__ == "CheckConstraint"
    }
    assert checks == named
    factors = {table: options for kind, table, options, _ in found if kind == "table" and "fillfactor" in options}
    asked = {
        table.name: f"{{fillfactor={table.dialect_options['postgresql']['with']['fillfactor']}}}"
        for table in tables.metadata.sorted_tables
        if table.dialect_options["postgresql"]["with"]
    }
    assert factors == asked


async def test_migrating_again_changes_nothing(addresses: Addresses) -> None:
    before = await catalogue(addresses)
    await migrate(addresses)
    assert await catalogue(addresses) == before
    assert ("version", newest(), "", "") in before


async def test_migrating_a_hub_that_is_in_use_keeps_everything(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "7")
    await migrate(hub.addresses)
    await hub.issue("BP", "BANK", "alice", "5")
    assert await hub.balance("BP", "BANK", "alice") == 12


async def test_every_table_is_in_one_group_of_grants() -> None:
    assert sorted(GROUPS) == sorted(tables.metadata.tables)
    assert len(GROUPS) == sum(len(group) for group in LISTS)


APPEND_ONLY = [table.name for table in (*tables.FIXED, *tables.APPEND_ONLY)]


@pytest.mark.parametrize("name", [*APPEND_ONLY, "leg_p0", "leg_rest"])
async def test_the_servers_role_cannot_rewrite_what_is_append_only(hub: Hub, name: str) -> None:
    column = "journal_id" if name != "signing_key" else "kid"
    async with connected(hub.addresses.server) as server:
        for statement in (
            f"UPDATE {name} SET {column} = {column}",
            f"DELETE FROM {name}",
            f"TRUNCATE {name}",
            f"TRUNCATE {name} CASCADE",
            f"ALTER TABLE {name} DISABLE TRIGGER ALL",
            f"ALTER TABLE {name} OWNER TO points_hub",
            f"DROP TABLE {name}",
            f"CREATE TRIGGER mine BEFORE INSERT ON {name} EXECUTE FUNCTION refuse_rewriting()",
            f"CREATE RULE mine AS ON INSERT TO {name} DO INSTEAD NOTHING",
            f"INSERT INTO {name} SELECT * FROM {name}"
            f" ON CONFLICT ON CONSTRAINT {name}_pkey DO UPDATE SET {column} = excluded.{column}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await server.execute(statement)


@pytest.mark.parametrize("name", APPEND_ONLY)
async def test_not_even_the_owner_rewrites_what_is_append_only_by_mistake(hub: Hub, name: str) -> None:
    column = "journal_id" if name != "signing_key" else "kid"
    async with connected(hub.addresses.owner) as owner:
        for statement in (f"UPDATE {name} SET {column} = {column}", f"DELETE FROM {name}", f"TRUNCATE {name}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(statement)


async def test_the_servers_role_can_still_append(addresses: Addresses) -> None:
    async with connected(addresses.server) as server:
        await server.execute("INSERT INTO customer VALUES (1, 2, 3)")
        await server.execute("INSERT INTO signing_key VALUES ('kid', '{}', now())")
        await server.execute("INSERT INTO leg VALUES (1, 5, 0, 1, 1, 10, 11, 100, -100, 100, NULL)")
        assert await server.fetchval("SELECT tableoid::regclass::text FROM leg") == "leg_p0"


async def test_the_servers_role_does_not_say_from_when_on_lots_are_kept(addresses: Addresses) -> None:
    async with connected(addresses.server) as server:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await server.execute("INSERT INTO lots_since VALUES (1, 1000)")


async def test_the_servers_role_makes_no_tables_or_functions(addresses: Addresses) -> None:
    async with connected(addresses.server) as server:
        for statement in (
            "CREATE TABLE mine (id bigint)",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "UPDATE alembic_version SET version_num = '0'",
            "DELETE FROM account",
            "DELETE FROM journal_head",
            "TRUNCATE position",
            "UPDATE memo SET text = ''",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await server.execute(statement)


async def test_a_customers_account_below_zero_is_refused_by_the_database_as_well(addresses: Addresses) -> None:
    row = "INSERT INTO account VALUES (1, $1, $2, $1, 'BP', $3, $4, $5, 0, 0, 0)"
    async with connected(addresses.server) as server:
        await server.execute(row, 1, 1, 100, 100, 0)  # a customer's, down to nothing
        with pytest.raises(asyncpg.CheckViolationError):
            await server.execute(row, 2, 1, 101, 100, 0)
        with pytest.raises(asyncpg.CheckViolationError):
            await server.execute(row, 3, 1, 60, 100, 41)  # what is held counts
        await server.execute(row, 4, 2, 100, 0, 0)  # issuance is what goes below


async def test_the_server_has_every_table_analysed(hub: Hub) -> None:
    async with connected(hub.addresses.server) as server:
        await server.execute("SELECT refresh_statistics()")
        unknown = await server.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND reltuples < 0"
        )
    assert unknown == []


# --- a hub with a history ---------------------------------------------------------------------------------------------

HEAD_AT_500 = "INSERT INTO journal_head VALUES (1, 500, '\\x00', now(), 0)"
LOT_IN_490 = f"INSERT INTO lot_entry VALUES (1, {ids.first_of(490)}, 0, 0, 7, now(), '', now(), 5, 0)"
LOT_IN_495 = f"INSERT INTO lot_entry VALUES (1, {ids.first_of(495)}, 0, 0, 7, now(), '', now(), 5, 0)"


@pytest.mark.parametrize(
    ("before", "history", "since"),
    [
        ("0001", [HEAD_AT_500], [501]),
        ("0002", [HEAD_AT_500], [501]),
        ("0002", [HEAD_AT_500, LOT_IN_495, LOT_IN_490], [490]),
        ("0002", [], []),
    ],
)
async def test_an_upgrade_records_from_which_batch_on_lots_are_kept(
    superuser: "asyncpg.Connection[Any]", postgres_server: Server, before: str, history: list[str], since: list[int]
) -> None:
    async with (
        upgraded(superuser, postgres_server, before, history) as addresses,
        connected(addresses.server) as server,
    ):
        assert [row["batch"] for row in await server.fetch("SELECT batch FROM lots_since")] == since


async def test_an_upgrade_to_several_models_keeps_windows_in_their_order_and_what_had_been_paid(
    superuser: "asyncpg.Connection[Any]", postgres_server: Server
) -> None:
    states = ("SETTLED", "SETTLING", "CLOSED", "OPEN")
    history = [
        "INSERT INTO settlement_window (journal_id, id, model, number, status, opened_at, changed_in, levels)"
        f" VALUES (1, {number * 100}, 'default', {number}, '{status}', now(), {number}, true)"
        for number, status in enumerate(states, start=1)
    ]
    async with (
        upgraded(superuser, postgres_server, "0016", history) as addresses,
        connected(addresses.server) as server,
    ):
        rows = await server.fetch("SELECT ordinal, together FROM settlement_window ORDER BY number")
        assert [tuple(row) for row in rows] == [(1, False), (2, False), (3, True), (4, True)]


# --- partitions of the legs -------------------------------------------------------------------------------------------


async def partitions(hub: Hub) -> dict[str, int]:
    rows = await hub.sql("SELECT tableoid::regclass::text, count(*) FROM leg GROUP BY 1 ORDER BY 1")
    return {row[0]: row[1] for row in rows}


async def jump_to(hub: Hub, batch: int) -> None:
    await hub.sql("UPDATE journal_head SET batch = $1", batch)


async def test_the_next_partition_is_opened_half_way_and_filled_when_its_batches_come(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "1")
    assert await partitions(hub) == {"leg_p0": 1}
    size = journal.PARTITION_BATCHES
    await jump_to(hub, size // 2 - 1)
    await hub.issue("BP", "BANK", "alice", "1")  # the batch half way: by the server's role
    assert await hub.sql("SELECT to_regclass('leg_p1')::text") == [("leg_p1",)]
    await jump_to(hub, size - 2)
    await hub.issue("BP", "BANK", "alice", "1")  # the last batch of the first partition
    await hub.issue("BP", "BANK", "alice", "1")  # the first of the second
    assert await partitions(hub) == {"leg_p0": 3, "leg_p1": 1}
    await jump_to(hub, size + size // 2 - 1)
    await hub.issue("BP", "BANK", "alice", "1")
    await jump_to(hub, 3 * size - 2)
    await hub.issue("BP", "BANK", "alice", "1")
    assert await partitions(hub) == {"leg_p0": 3, "leg_p1": 2, "leg_p2": 1}
    assert await hub.sql("SELECT * FROM leg_rest") == []
    assert await hub.balance("BP", "BANK", "alice") == 6


async def test_a_batch_half_way_that_writes_nothing_leaves_the_number_to_the_next(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    await jump_to(hub, journal.PARTITION_BATCHES // 2 - 1)
    for amount in ("1", "2"):
        outcome = await hub.try_(
            commands.RequestQuote(
                actor=hub.admin,
                source=Party("BANK", "a"),
                target=Party("BANK", "b"),
                source_currency="NONE",
                target_currency="BP",
                amount=amount,
                ttl_seconds=9,
            )
        )
        assert outcome.refusal is not None
    await hub.issue("BP", "BANK", "alice", "1")
    assert await hub.sql("SELECT batch FROM journal_head") == [(journal.PARTITION_BATCHES // 2,)]


# --- setting up -------------------------------------------------------------------------------------------------------


async def test_a_hub_is_set_up_once(hub: Hub) -> None:
    before = await hub.sql("SELECT * FROM journal_entry ORDER BY batch")
    with pytest.raises(AlreadySetUp):
        await set_up(hub.addresses, "Another", "somebody")
    assert await hub.sql("SELECT * FROM journal_entry ORDER BY batch") == before
