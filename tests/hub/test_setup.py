"""Setting up: no hub is made whose first key nobody was shown."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from hub.db import Addresses, Database
from hub.ledger import journal
from hub.setup import KeyVoid, set_up

FAIL_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON journal_entry DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail()
"""


async def is_set_up(addresses: Addresses) -> bool:
    database = Database(addresses.server, connections=1)
    try:
        async with database.snapshot() as connection:
            return await journal.look(connection) is not None
    finally:
        await database.close()


async def owner_does(addresses: Addresses, statements: str) -> None:
    engine = create_async_engine(addresses.owner)
    async with engine.begin() as connection:
        for statement in statements.split(";\nCREATE"):
            await connection.execute(text(statement if statement.startswith("\nCREATE") else f"CREATE{statement}"))
    await engine.dispose()


async def test_a_key_that_could_not_be_shown_is_of_no_hub(addresses: Addresses) -> None:
    def show(institution: str, credential: int, secret: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await set_up(addresses, "Hub", "first", show)
    assert not await is_set_up(addresses)
    shown = list[tuple[str, int, str]]()
    made = await set_up(addresses, "Hub", "first", lambda *told: shown.append(told))
    assert shown == [made]
    assert await is_set_up(addresses)


async def test_a_key_that_was_shown_of_a_hub_that_was_not_made_is_said_to_be_void(addresses: Addresses) -> None:
    await owner_does(addresses, FAIL_AT_COMMIT)
    shown = list[tuple[str, int, str]]()
    with pytest.raises(KeyVoid) as told:
        await set_up(addresses, "Hub", "first", lambda *of: shown.append(of))
    assert isinstance(told.value.__cause__, SQLAlchemyError)
    assert len(shown) == 1
    assert not await is_set_up(addresses)
