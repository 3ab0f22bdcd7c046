"""Unpaid nets: what people ask of nets that were not paid, and of who bears them."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, or_, select

from hub import tables
from hub.defaults import Default, DefaultStep
from hub.ledger import default_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind
from hub.reading import Reader

_default, _movement, _leg, _account = (
    tables.settlement_default,
    tables.movement,
    tables.leg,
    tables.account,
)


async def defaults(
    reader: Reader, window: int | None, of: Collection[int] | None, before: int | None, rows_max: int
) -> list[Default]:
    """Defaults, the newest first, from before ``before`` on; those of one window if it is named, and of debtors or of
    who bears them among ``of`` (None: all)."""
    where = _concerns(of)
    if window is not None:
        where &= _default.c.window_id == window
    if before is not None:
        where &= _default.c.id < before
    found = await default_rows.defaults(reader.connection, reader.configuration, where, most=rows_max)
    return list(found.values())


async def of_windows(reader: Reader, windows: Collection[int], of: Collection[int] | None) -> dict[int, list[Default]]:
    """The same by window, in the order in which they were proposed."""
    where = _concerns(of) & _default.c.window_id.in_(windows)
    found: dict[int, list[Default]] = {}
    for one in reversed((await default_rows.defaults(reader.connection, reader.configuration, where)).values()):
        found.setdefault(one.window, []).append(one)
    return found


def _concerns(of: Collection[int] | None) -> ColumnElement[bool]:
    """Of debtors, or borne by somebody, among ``of``; None: all."""
    where = _default.c.journal_id == JOURNAL_ID
    if of is None:
        return where
    claims = (
        select(_movement.c.id)
        .join(_leg, and_(_leg.c.journal_id == _movement.c.journal_id, _leg.c.movement_id == _movement.c.id))
        .join(_account, and_(_account.c.journal_id == _leg.c.journal_id, _account.c.id == _leg.c.credit_account_id))
        .where(
            _movement.c.journal_id == JOURNAL_ID,
            _movement.c.subject_id == _default.c.id,
            _account.c.kind == AccountKind.CLAIM,
            _account.c.owner_id.in_(of),
        )
    )
    return where & or_(_default.c.institution_id.in_(of), exists(claims))


async def steps(reader: Reader, of: Collection[int]) -> dict[int, list[DefaultStep]]:
    """What was done about defaults, by default, in order."""
    return await default_rows.steps(reader.connection, of)
