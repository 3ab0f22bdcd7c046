"""Confirming: a bank's file is looked at first, and then taken whole or not at all.

A file is known by its SHA-256 and taken once. What is taken is one command in one transaction: whoever is killed in
the middle of it has changed nothing, and sends it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from hub import lookups, tables
from hub.ledger import window_rows
from hub.ledger.commands import ConfirmFile
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import WindowStatus
from hub.reading import Reader, Reading
from settlement import bank_files, camt
from settlement.confirmations import COLUMNS, Due, Match, Payment, from_rows, match, obligations_of, windows_of
from settlement.publish import Reports


@dataclass(frozen=True, slots=True)
class Confirming:
    """What came of a file. ``taken``: it is applied, now or, if ``replayed``, before."""

    digest: str
    match: Match
    taken: bool = False
    replayed: bool = False


async def confirm(
    reading: Reading, engine: Engine, reports: Reports, actor: int, content: bytes, *, apply: bool
) -> Confirming:
    """Match a bank's file to the nets that are due, and with ``apply`` confirm them, if every row matches; what is paid
    was reported before.

    Raises:
        FileRefused: it cannot be read.
        Fault: the actor is not the operator's.
        Refusal: what was due has changed since it was looked at; nothing is done.
        NetsMismatch, ReportsGone, SigningError: the reports of a window cannot be made; nothing is done.
    """
    digest, payments = await bank_files.read(reading, actor, content, parse)
    async with reading.open(actor) as reader:
        if await bank_files.is_taken(reader, tables.confirmation_file, digest):
            return Confirming(digest, Match((), ()), taken=True, replayed=True)
        found = match(payments, await _due(reader, payments))
    if not apply or not found.is_whole:
        return Confirming(digest, found)
    for window in sorted({one.window for one in found.payments}):
        await reports.have(window)
    await engine.ask(ConfirmFile(actor=actor, digest=digest, payments=found.payments))
    return Confirming(digest, found, taken=True)


def parse(content: bytes) -> list[Payment]:
    """The payments of a file: camt.054, CSV or XLSX.

    Raises:
        FileRefused: it is none of them.
    """
    return bank_files.parse(content, camt.read, COLUMNS, from_rows)


async def _due(reader: Reader, payments: Sequence[Payment]) -> Due:
    window, owed = tables.settlement_window.c, tables.obligation.c
    obliged = select(owed.window_id).where(owed.journal_id == JOURNAL_ID, owed.id.in_(obligations_of(payments)))
    found = await window_rows.windows(
        reader.connection,
        or_(
            window.id.in_(windows_of(payments)),
            window.id.in_(obliged),
            window.status.in_([WindowStatus.CLOSED, WindowStatus.SETTLING]),
        ),
    )
    codes = {node.id: node.code for node in reader.configuration.institutions.values()}
    return Due(found, await lookups.nets(reader, list(found)), codes)
