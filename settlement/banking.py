"""Banking: a bank's statements of segregated accounts are looked at first, and then taken whole or not at all.

A file is known by its SHA-256 and taken once, in one transaction: whoever is killed in the middle of it has changed
nothing, and sends it again.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from hub import tables
from hub.access import Right, require
from hub.errors import Fault
from hub.expiry import day_of
from hub.ledger.commands import TakeBankFile
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.reading import Reading
from settlement import camt, uploads
from settlement.bank_statements import COLUMNS, Balance, Looked, from_rows, look


@dataclass(frozen=True, slots=True)
class Banking:
    """What came of a file. ``taken``: it is kept, now or, if ``replayed``, before."""

    digest: str
    rows: Sequence[Looked]
    taken: bool = False
    replayed: bool = False


async def take(reading: Reading, engine: Engine, actor: int, content: bytes, *, apply: bool) -> Banking:
    """Look at what a bank says of segregated accounts, and with ``apply`` keep it, if every row can be taken.

    Raises:
        FileRefused: it cannot be read.
        Fault: the actor is not the operator's.
        Refusal: what is registered has changed since it was looked at; nothing is done.
    """
    async with reading.open(actor) as reader:
        tree = reader.configuration
        require(reader.viewer, Right.OPERATE, tree.institutions, tree.operator.id, reader.at)
    balances = await asyncio.to_thread(parse, content)
    digest = hashlib.sha256(content).hexdigest()
    async with reading.open(actor) as reader:
        file, books = tables.bank_file.c, reader.configuration.books
        known = await reader.connection.scalar(
            select(file.id).where(file.journal_id == JOURNAL_ID, file.digest == digest)
        )
        if known is not None:
            return Banking(digest, (), taken=True, replayed=True)
        rows, said = look(balances, books, day_of(reader.at, books.time_zone), digest)
    if not apply or not rows or len(said) < len(rows):
        return Banking(digest, rows)
    [answer] = await engine.submit([TakeBankFile(actor=actor, digest=digest, balances=said)])
    if isinstance(answer, Fault):
        raise answer
    if answer.refusal is not None:
        raise answer.refusal
    return Banking(digest, rows, taken=True)


def parse(content: bytes) -> list[Balance]:
    """The balances of a file: camt.053, CSV or XLSX.

    Raises:
        FileRefused: it is none of them.
    """
    if len(content) > uploads.BYTES_MAX:
        raise uploads.FileRefused(uploads.Wrong.TOO_LARGE, f"it is larger than {uploads.BYTES_MAX:,} octets")
    if content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return camt.balances(content)
    return from_rows(uploads.read(content, COLUMNS))
