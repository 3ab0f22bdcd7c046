"""Storing: signed reports and public keys where all processes find them. What is stored is never changed."""

import json
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.errors import Failure
from hub.ledger import journal
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Window
from settlement import report, signing

_stored = tables.settlement_report
_window = tables.settlement_window


class NotClosed(Failure):
    """Reports are of closed windows only."""

    def __init__(self, window_id: int) -> None:
        super().__init__(f"{self.__doc__} ({ids.text(ids.WINDOW, window_id)})")


@dataclass(frozen=True, slots=True)
class StoredReport:
    """One institution's report of one window, as it was signed."""

    window: int
    institution: int
    payload: bytes
    jws: str
    digest: str
    previous_digest: str | None


async def keep_key(connection: AsyncConnection, key: signing.SigningKey) -> None:
    """Have the public half where all hosts find it."""
    await connection.execute(
        insert(tables.signing_key)
        .values(
            kid=key.kid,
            jwk=json.dumps(key.public_jwk(), sort_keys=True),
            published_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
    )


async def find(connection: AsyncConnection, window_id: int, institution_id: int) -> StoredReport | None:
    found = (
        await connection.execute(
            select(_stored).where(
                _stored.c.journal_id == JOURNAL_ID,
                _stored.c.window_id == window_id,
                _stored.c.institution_id == institution_id,
            )
        )
    ).first()
    if found is None:
        return None
    return StoredReport(window_id, institution_id, bytes(found.payload), found.jws, found.digest, found.previous_digest)


async def is_published(connection: AsyncConnection, window_id: int, operator: int) -> bool:
    """Whether the window's reports are stored: the summary is never missing where another is."""
    found = await connection.scalar(
        select(_stored.c.digest).where(
            _stored.c.journal_id == JOURNAL_ID, _stored.c.window_id == window_id, _stored.c.institution_id == operator
        )
    )
    return found is not None


async def previous_digests(connection: AsyncConnection, window: Window) -> dict[int, str]:
    """The digest of each institution's latest report before this window."""
    found = await connection.execute(
        select(_stored.c.institution_id, _stored.c.digest)
        .ext(distinct_on(_stored.c.institution_id))
        .join(_window, and_(_window.c.journal_id == _stored.c.journal_id, _window.c.id == _stored.c.window_id))
        .where(_stored.c.journal_id == JOURNAL_ID, _window.c.model == window.model, _window.c.number < window.number)
        .order_by(_stored.c.institution_id, _window.c.number.desc())
    )
    return {row.institution_id: row.digest for row in found}


async def closing(connection: AsyncConnection, window: Window) -> report.JournalHead:
    """The journal's entry in which the window closed."""
    entry = None if window.closed_in is None else await journal.entry_hash(connection, window.closed_in)
    if window.closed_in is None or entry is None:
        raise NotClosed(window.id)
    return report.JournalHead(window.closed_in, entry.hex())
