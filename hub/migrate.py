"""Migrating: bring a database to the newest schema, as the role that owns it.

What the serving role may do is granted here after every migration, from the lists in ``hub.tables``, so that no table
can be forgotten: append-only tables are for reading and inserting only.
"""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from hub import tables
from hub.db import Addresses

FOLDER = Path(__file__).parent / "migrations"


async def migrate(where: Addresses) -> None:
    """Bring the database to the newest schema; nothing changes if it is there. Two at once wait for each other."""
    engine = create_async_engine(where.owner)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('points_hub_migrate'))"))
            await connection.run_sync(_upgrade)
            server, owner = make_url(where.server).username, make_url(where.owner).username
            if server is not None and server != owner:
                await connection.run_sync(_grant, server)
    finally:
        await engine.dispose()


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def newest() -> str | None:
    """The newest migration."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def differences(connection: Connection) -> list[object]:
    """What differs between the database and ``hub.tables``; partitions of the legs are the database's own."""

    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return not (kind == "table" and name is not None and (name.startswith("leg_") or name == "alembic_version"))

    context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
    return list(compare_metadata(context, tables.metadata))


def _upgrade(connection: Connection) -> None:
    command.upgrade(configuration(connection), "head")


def _grant(connection: Connection, role: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    for group, rights in (
        (tables.FIXED, "SELECT"),
        (tables.APPEND_ONLY, "SELECT, INSERT"),
        (tables.UPDATABLE, "SELECT, INSERT, UPDATE"),
        (tables.DERIVED, "SELECT, INSERT, UPDATE, DELETE"),
        (tables.ERASABLE, "SELECT, INSERT, DELETE"),
    ):
        for table in group:
            connection.execute(text(f"GRANT {rights} ON {table.name} TO {quoted}"))
    connection.execute(text(f"GRANT SELECT ON alembic_version TO {quoted}"))
    for function in ("open_leg_partition(bigint)", "refresh_statistics()"):
        connection.execute(text(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC"))
        connection.execute(text(f"GRANT EXECUTE ON FUNCTION {function} TO {quoted}"))
