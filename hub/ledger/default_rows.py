"""Default rows: nets that were not paid as the database has them, and what a batch must know of them.

Who bears a default is told by the legs of its movements: out of which account each gave, and into which it got back.
What the operator bears in place of those who had been paid out before is the part of a step that has no leg.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.configuration import Configuration
from hub.cover import Pot
from hub.defaults import Borne, Default, DefaultStatus, DefaultStep, DefaultStepKind, ordered
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.records import AccountKind, MovementKind, WindowStatus
from hub.ledger.rows import with_time
from hub.waterfall import Source

_default, _step, _window, _entry = (
    tables.settlement_default,
    tables.default_step,
    tables.settlement_window,
    tables.cover_entry,
)
_SOURCES = {
    AccountKind.COLLATERAL: Source.COLLATERAL,
    AccountKind.FUND: Source.FUND,
    AccountKind.SETTLEMENT: Source.CUT,
    AccountKind.RECOVERED: Source.CUT,
}


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The defaults that the batch names, and those of windows that are not settled or that it names, and of currencies
    in which some are borne; with everybody who bears them, or may have to."""
    live = select(_window.c.id).where(
        _window.c.journal_id == JOURNAL_ID, _window.c.status != WindowStatus.SETTLED.value
    )
    wanted = or_(
        _default.c.id.in_(needs.defaults),
        _default.c.window_id.in_(needs.windows),
        _default.c.window_id.in_(live),
        _default.c.currency.in_(needs.default_currencies),
    )
    book.defaults = await defaults(connection, book.configuration, wanted)
    for id in needs.defaults & book.defaults.keys():
        default = book.defaults[id]
        needs.windows.add(default.window)
        needs.institutions.add(default.institution)
        needs.owners.update(one.institution for one in default.borne)
    if needs.default_currencies:
        put_up = select(_entry.c.institution_id).where(
            _entry.c.journal_id == JOURNAL_ID,
            _entry.c.pot == Pot.FUND.value,
            _entry.c.currency.in_(needs.default_currencies),
        )
        needs.owners.update(await connection.scalars(put_up.distinct()))
        net = tables.window_net
        in_them = select(net.c.institution_id).where(
            net.c.journal_id == JOURNAL_ID,
            net.c.window_id.in_(needs.windows),
            net.c.currency.in_(needs.default_currencies),
        )
        needs.institutions.update(await connection.scalars(in_them.distinct()))
        exchanged = tables.net_exchange
        into_them = select(exchanged.c.institution_id).where(
            exchanged.c.journal_id == JOURNAL_ID,
            exchanged.c.window_id.in_(needs.windows),
            exchanged.c.into_currency.in_(needs.default_currencies),
        )
        needs.institutions.update(await connection.scalars(into_them.distinct()))


async def defaults(
    connection: AsyncConnection,
    configuration: Configuration,
    where: ColumnElement[bool],
    *,
    most: int | None = None,
    before: int | None = None,
) -> dict[int, Default]:
    """Defaults that meet a condition on their table, the newest first; as they stood before the identifier ``before``,
    without those that were made later."""
    end = (1 << 63) - 1 if before is None else before
    where = where & (_default.c.id < end)
    statement = with_time(_default).where(where).order_by(_default.c.id.desc()).limit(most)
    found = (await connection.execute(statement)).mappings().all()
    if not found:
        return {}
    ids = [row["id"] for row in found]
    steps: dict[int, list[Any]] = {id: [] for id in ids}
    for row in await connection.execute(
        select(_step)
        .where(_step.c.journal_id == JOURNAL_ID, _step.c.default_id.in_(ids), _step.c.id < end)
        .order_by(_step.c.id)
    ):
        steps[row.default_id].append(row)
    legs = await _legs(connection, ids, end)
    operator = configuration.operator.id
    return {row["id"]: _default_of(row, steps[row["id"]], legs.get(row["id"], []), operator) for row in found}


async def steps(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[DefaultStep]]:
    """What was done about defaults, by default, in order."""
    statement = with_time(_step).where(_step.c.default_id.in_(of)).order_by(_step.c.id)
    found: dict[int, list[DefaultStep]] = {}
    for row in (await connection.execute(statement)).mappings():
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


def _default_of(row: Any, steps: list[Any], legs: list[Any], operator: int) -> Default:
    amounts: Counter[str] = Counter()
    references, repaid_since = [], 0
    for step in steps:
        amounts[step.kind] += step.amount
        if step.kind == DefaultStepKind.REPAID:
            references.append(step.reference)
            repaid_since += step.amount if DefaultStepKind.COVERED in amounts else 0
    repaid = amounts[DefaultStepKind.REPAID]
    status = DefaultStatus.PROPOSED
    for possible in (DefaultStatus.REJECTED, DefaultStatus.DECLARED, DefaultStatus.COVERED):
        if possible.value in amounts:
            status = possible
    if status is DefaultStatus.COVERED and repaid == row["amount"]:
        status = DefaultStatus.REPAID
    return Default(
        id=row["id"],
        at=row["at"],
        credential=row["credential_id"],
        window=row["window_id"],
        institution=row["institution_id"],
        currency=row["currency"],
        amount=row["amount"],
        status=status,
        repaid=repaid,
        borne=_borne(row["institution_id"], legs, operator, amounts[DefaultStepKind.CUT], repaid_since),
        references=tuple(references),
    )


def _borne(debtor: int, legs: list[Any], operator: int, cut: int, repaid: int) -> tuple[Borne, ...]:
    given: Counter[tuple[Source, int]] = Counter()
    back: Counter[tuple[Source, int]] = Counter()
    for leg in legs:
        bearing = leg.credit_kind == AccountKind.CLAIM
        source = _SOURCES[AccountKind(leg.debit_kind if bearing else leg.credit_kind)]
        if source is Source.FUND and leg.owner_id == debtor:
            source = Source.OWN_FUND
        (given if bearing else back)[source, leg.owner_id] += int(leg.amount)  # sums are numeric
    borne = [Borne(*key, amount, back[key]) for key, amount in given.items()]
    advanced = cut - sum(one.amount for one in borne if one.source is Source.CUT)
    if advanced:
        borne.append(Borne(Source.CUT, operator, advanced, repaid - back.total(), advanced=True))
    return ordered(borne)


async def _legs(connection: AsyncConnection, of: Collection[int], end: int) -> dict[int, list[Any]]:
    """The legs into claims and out of them before ``end``, by default."""
    movement, leg = tables.movement, tables.leg
    debit, credit = tables.account.alias("d"), tables.account.alias("c")
    claims = (MovementKind.DRAW_COLLATERAL, MovementKind.DRAW_FUND, MovementKind.CUT, MovementKind.REPAY)
    found = await connection.execute(
        select(
            movement.c.subject_id,
            debit.c.kind.label("debit_kind"),
            credit.c.kind.label("credit_kind"),
            debit.c.owner_id,
            func.sum(leg.c.amount).label("amount"),
        )
        .join(leg, and_(leg.c.journal_id == movement.c.journal_id, leg.c.movement_id == movement.c.id))
        .join(debit, and_(debit.c.journal_id == leg.c.journal_id, debit.c.id == leg.c.debit_account_id))
        .join(credit, and_(credit.c.journal_id == leg.c.journal_id, credit.c.id == leg.c.credit_account_id))
        .where(
            movement.c.journal_id == JOURNAL_ID,
            movement.c.subject_id.in_(of),
            movement.c.id < end,
            movement.c.kind.in_(claims),
            or_(debit.c.kind == AccountKind.CLAIM, credit.c.kind == AccountKind.CLAIM),
        )
        .group_by(movement.c.subject_id, debit.c.kind, credit.c.kind, debit.c.owner_id)
    )
    legs: dict[int, list[Any]] = {}
    for row in found:
        legs.setdefault(row.subject_id, []).append(row)
    return legs
