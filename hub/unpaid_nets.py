"""Unpaid nets: what people ask of nets that were not paid, and of who bears them."""

from collections.abc import Collection

from sqlalchemy import and_, exists, or_, select

from hub import tables
from hub.defaults import Default, DefaultStep, DefaultStepKind
from hub.ledger import default_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind
from hub.ledger.rows import with_time
from hub.reading import Reader

_default, _step, _movement, _leg, _account = (
    tables.settlement_default,
    tables.default_step,
    tables.movement,
    tables.leg,
    tables.account,
)


async def defaults(
    reader: Reader, window: int | None, of: Collection[int] | None, before: int | None, rows_max: int
) -> list[Default]:
    """Defaults, the newest first, from before ``before`` on; those of one window if it is named, and of debtors or of
    who bears them among ``of`` (None: all)."""
    where = _default.c.journal_id == JOURNAL_ID
    if window is not None:
        where &= _default.c.window_id == window
    if before is not None:
        where &= _default.c.id < before
    if of is not None:
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
        where &= or_(_default.c.institution_id.in_(of), exists(claims))
    found = await default_rows.defaults(reader.connection, reader.configuration, where, most=rows_max)
    return list(found.values())


async def steps(reader: Reader, of: Collection[int]) -> dict[int, list[DefaultStep]]:
    """What was done about defaults, by default, in order."""
    statement = with_time(_step).where(_step.c.default_id.in_(of)).order_by(_step.c.id)
    found: dict[int, list[DefaultStep]] = {}
    for row in (await reader.connection.execute(statement)).mappings():
        found.setdefault(row["default_id"], []).append(
            DefaultStep(
                id=row["id"],
                of=row["default_id"],
                kind=DefaultStepKind(row["kind"]),
                credential=row["credential_id"],
                amount=row["amount"],
                value_date=row["value_date"],
                reference=row["reference"],
                movement=row["movement_id"],
                at=row["at"],
            )
        )
    return found
