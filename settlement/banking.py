"""Banking: a bank's statements of segregated accounts are looked at first, and then taken whole or not at all.

A file is known by its SHA-256 and taken once, in one transaction: whoever is killed in the middle of it has changed
nothing, and sends it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub import tables
from hub.expiry import day_of
from hub.ledger.commands import TakeBankFile
from hub.ledger.engine import Engine
from hub.reading import Reading
from settlement import bank_files, camt
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
    digest, balances = await bank_files.read(reading, actor, content, parse)
    async with reading.open(actor) as reader:
        if await bank_files.is_taken(reader, tables.bank_file, digest):
            return Banking(digest, (), taken=True, replayed=True)
        books = reader.configuration.books
        rows, said = look(balances, books, day_of(reader.at, books.time_zone), digest)
    if not apply or not rows or len(said) < len(rows):
        return Banking(digest, rows)
    await engine.ask(TakeBankFile(actor=actor, digest=digest, balances=said))
    return Banking(digest, rows, taken=True)


def parse(content: bytes) -> list[Balance]:
    """The balances of a file: camt.053, CSV or XLSX.

    Raises:
        FileRefused: it is none of them.
    """
    return bank_files.parse(content, camt.balances, COLUMNS, from_rows)
