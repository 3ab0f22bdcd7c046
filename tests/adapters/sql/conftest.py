"""A partner's database, in the tests' PostgreSQL: the guide's tables, and a relay that makes it listen on loopback."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import make_url

from adapters.sql.configuration import Configuration
from adapters.sql.partner import SqlPartner
from hub import postgres
from hub.partners import Operation, Order
from tests.conftest import driver_url

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "connect-a-partner.md").read_text()
SECTION = GUIDE.partition("## A partner's own database\n")[2].partition("\n## ")[0]
[DDL] = re.findall(r"```sql\n(.*?)```", SECTION, re.S)
TABLE, PROCEDURE = re.findall(r"```json\n(.*?)```", SECTION, re.S)
MEMBERS = """
CREATE TABLE member (
    number text PRIMARY KEY, family_name text NOT NULL DEFAULT 'Li', balance numeric(20, 2) NOT NULL,
    is_blocked boolean NOT NULL DEFAULT false
)
"""
PROCEDURES = (Path(__file__).parent / "procedures.sql").read_text()
_numbers = itertools.count(1)
_roles = itertools.count(1)


@dataclass
class Books:
    """A partner's database: ``owner`` sees and does everything in it."""

    owner: "asyncpg.Connection[Any]"
    url: str
    port: int
    database: str
    partners: list[SqlPartner] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def connect(self, port: int | None = None, text: str = TABLE, **changes: Any) -> SqlPartner:
        """The adapter by a configuration of the guide's, with other settings, through ``port``."""
        return self.opened({**msgspec.json.decode(text), "answersWithinS": 2, **changes}, port)

    def opened(self, told: dict[str, Any], port: int | None = None) -> SqlPartner:
        """The adapter by a configuration; it is closed with the database."""
        url = make_url(self.url).set(host=told.pop("host", "127.0.0.1"), port=port or self.port)
        told = {"allowPlain": True, **told, "url": url.render_as_string(hide_password=False)}
        made = SqlPartner(Configuration.model_validate(told))
        self.partners.append(made)
        return made

    async def member(self, balance: str = "100.00", **more: Any) -> str:
        """A new member."""
        number = f"M-{next(self.numbers)}"
        values: dict[str, Any] = {"number": number, "balance": Decimal(balance), **more}
        places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        await self.owner.execute(f"INSERT INTO member ({', '.join(values)}) VALUES ({places})", *values.values())
        return str(values["number"])

    async def balance(self, member: str) -> str:
        """What a member has."""
        return str(await self.owner.fetchval("SELECT balance FROM member WHERE number = $1", member))

    async def rows(self) -> list[tuple[Any, ...]]:
        """What is written down."""
        found = await self.owner.fetch("SELECT reference, status, reason, reversed FROM points_hub_order ORDER BY at")
        return [tuple(row) for row in found]

    def order(self, member: str, amount: int = 1_000, operation: str = "DEBIT", **more: Any) -> Order:
        """A new order, of 10.00 unless told otherwise."""
        usual = {"reference": f"PH-{next(self.numbers)}", "currency": "MILE", "scale": 2, "asked_at": datetime.now(UTC)}
        return Order(**{**usual, "operation": Operation(operation), "member": member, "amount": amount, **more})


@pytest.fixture
async def books(postgres_server: postgres.Server, superuser: "asyncpg.Connection[Any]") -> AsyncIterator[Books]:
    """A fresh database of a partner's, made as the guide says."""
    name, role = f"partner_{next(_numbers)}", f"points_hub_partner_{next(_roles)}"
    await superuser.execute(f"CREATE DATABASE {name}")
    owner = await asyncpg.connect(driver_url(postgres_server.url(postgres.SUPERUSER, name)))
    relay = await _relay(postgres_server)
    try:
        await owner.execute(MEMBERS)
        await owner.execute(DDL.replace("points_hub LOGIN", f"{role} LOGIN").replace("TO points_hub;", f"TO {role};"))
        url = make_url(postgres_server.url(postgres.SERVER, name)).set(username=role, password="a-password", query={})
        text = url.render_as_string(hide_password=False)
        made = Books(owner, text, int(relay.sockets[0].getsockname()[1]), name)
        yield made
        for partner in made.partners:
            await partner.close()
    finally:
        relay.close()
        await owner.close()
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await superuser.execute(f"DROP ROLE IF EXISTS {role}")


async def _relay(server: postgres.Server) -> asyncio.Server:
    """Lets the server, which has a socket in a folder only, be reached on loopback."""
    socket = f"{server.socket_dir}/.s.PGSQL.{server.port}"

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(socket)
        await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))

    return await asyncio.start_server(accept, "127.0.0.1", 0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
