"""Confirming: a bank's file is looked at first, and then taken whole or not at all.

A file is known by its SHA-256 and taken once. What is taken is one command in one transaction: whoever is killed in
the middle of it has changed nothing, and sends it again.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from hub import lookups, tables
from hub.access import Right, require
from hub.errors import Fault
from hub.ledger import window_rows
from hub.ledger.commands import ConfirmFile
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import WindowStatus
from hub.reading import Reader, Reading
from settlement import camt, uploads
from settlement.confirmations import COLUMNS, Due, Match, Payment, from_rows, match, obligations_of, windows_of


@dataclass(frozen=True, slots=True)
class Confirming:
    """What came of a file. ``taken``: it is applied, now or, if ``replayed``, before."""

    digest: str
    match: Match
    taken: bool = False
    replayed: bool = False


async def confirm(reading: Reading, engine: Engine, actor: int, content: bytes, *, apply: bool) -> Confirming:
    """Match a bank's file to the nets that are due, and with ``apply`` confirm them, if every row matches.

    Raises:
        FileRefused: it cannot be read.
        Fault: the actor is not the operator's.
        Refusal: what was due has changed since it was looked at; nothing is done.
    """
    async with reading.open(actor) as reader:
        tree = reader.configuration
        require(reader.viewer, Right.OPERATE, tree.institutions, tree.operator.id, reader.at)
    payments = await asyncio.to_thread(parse, content)
    digest = hashlib.sha256(content).hexdigest()
    async with reading.open(actor) as reader:
        file = tables.confirmation_file.c
        known = await reader.connection.scalar(
            select(file.id).where(file.journal_id == JOURNAL_ID, file.digest == digest)
        )
        if known is not None:
            return Confirming(digest, Match((), ()), taken=True, replayed=True)
        found = match(payments, await _due(reader, payments))
    if not apply or not found.is_whole:
        return Confirming(digest, found)
    [answer] = await engine.submit([ConfirmFile(actor=actor, digest=digest, payments=found.payments)])
    if isinstance(answer, Fault):
        raise answer
    if answer.refusal is not None:
        raise answer.refusal
    return Confirming(digest, found, taken=True)


def parse(content: bytes) -> list[Payment]:
    """The payments of a file: camt.054, CSV or XLSX.

    Raises:
        FileRefused: it is none of them.
    """
    if len(content) > uploads.BYTES_MAX:
        raise uploads.FileRefused(uploads.Wrong.TOO_LARGE, f"it is larger than {uploads.BYTES_MAX:,} octets")
    if content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return camt.read(content)
    return from_rows(uploads.read(content, COLUMNS))


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
