"""Holdings: what customers have of a currency at an instant, whether or not a sweep has posted what time has done.

Points whose lot is over are gone, and holds whose time is over hold nothing, from that very instant on; the ledger
posts it when it next touches the account (``hub.ledger.lapse``).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select

from hub import tables
from hub.expiry import NEVER
from hub.ledger import rows
from hub.ledger.journal import JOURNAL_ID, batch_of
from hub.ledger.lots import MAIN, LotKey, part_of
from hub.ledger.records import Account, AccountKind, Hold, HoldKind, HoldStatus, Mark
from hub.reading import Reader

_account, _lot, _hold, _entry = tables.account, tables.lot, tables.hold, tables.lot_entry


@dataclass(frozen=True, slots=True)
class Holding:
    """What a customer has of a currency, in its smallest units. ``frozen``: what must not be spent until somebody
    decides. ``debt``: what the customer owes of it. ``account``: as it was last posted."""

    account: Account
    total: int
    held: int
    frozen: int
    debt: int

    @property
    def available(self) -> int:
        """What may be spent."""
        return self.total - self.held - self.frozen


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Points that end together; ``expires_at`` None: they do not end. ``part``: which of the customer's accounts of the
    currency they are in (``hub.ledger.parts``); ``held``: what of them must not be spent."""

    amount: int
    earned_at: datetime
    expires_at: datetime | None
    part: str = MAIN
    held: int = 0


async def holdings(reader: Reader, of: Collection[int]) -> dict[int, list[Holding]]:
    """What customers hold, by customer, ordered by currency."""
    if not of:
        return {}
    found = await reader.connection.execute(
        select(_account)
        .where(
            _account.c.journal_id == JOURNAL_ID,
            _account.c.owner_id.in_(of),
            _account.c.kind.in_((AccountKind.CUSTOMER, AccountKind.DEBT)),
        )
        .order_by(_account.c.currency)
    )
    accounts, debts = [], dict[tuple[int, str], int]()
    for row in found:
        account = Account(
            row.id,
            row.kind,
            row.owner_id,
            row.currency,
            row.debits_posted,
            row.credits_posted,
            row.debits_pending,
            row.credits_pending,
            row.aged,
            row.marks,
        )
        if account.kind == AccountKind.DEBT:
            debts[account.owner, account.currency] = -account.balance
        else:
            accounts.append(account)
    over = await _over(reader, [account.id for account in accounts if account.aged])
    pending = await _pending(reader, {account.owner for account in accounts if account.pending_debits})
    by_owner: dict[int, list[Holding]] = {}
    for account in accounts:
        total = account.balance - over.get(account.id, 0)
        held, frozen, exchanged = (pending.get((account.owner, account.currency, kind), 0) for kind in HoldKind)
        held += exchanged  # on their way to a partner
        if account.marks & (Mark.FROZEN | Mark.CUSTOMER_FROZEN):
            frozen = total - held
        debt = debts.get((account.owner, account.currency), 0)
        by_owner.setdefault(account.owner, []).append(Holding(account, total, held, frozen, debt))
    return by_owner


async def _over(reader: Reader, accounts: Collection[int]) -> dict[int, int]:
    """What is over of accounts and was not posted: in lots that have ended, what no live hold pins."""
    if not accounts:
        return {}
    ended = (_lot.c.journal_id == JOURNAL_ID, _lot.c.account_id.in_(accounts), _lot.c.expires_at <= reader.at)
    free = await reader.connection.execute(
        select(_lot.c.account_id, func.sum(_lot.c.amount - _lot.c.held)).where(*ended).group_by(_lot.c.account_id)
    )
    over = {account: int(units) for account, units in free}
    for (account, expires_at, _), units in (await _late_pins(reader, accounts)).items():
        if expires_at <= reader.at:
            over[account] = over.get(account, 0) + units
    return over


async def _late_pins(reader: Reader, accounts: Collection[int]) -> dict[LotKey, int]:
    """What lots count as held for holds whose time is over, which hold nothing."""
    found = await reader.connection.execute(
        select(_entry.c.account_id, _entry.c.expires_at, _entry.c.origin, func.sum(_entry.c.held))
        .select_from(_entry)
        .join(_hold, and_(_hold.c.journal_id == _entry.c.journal_id, _hold.c.id == _entry.c.movement_id))
        .join(_account, and_(_account.c.journal_id == _entry.c.journal_id, _account.c.id == _entry.c.account_id))
        .where(
            _hold.c.journal_id == JOURNAL_ID,
            _hold.c.customer_id == _account.c.owner_id,
            _account.c.id.in_(accounts),
            _hold.c.status == HoldStatus.HELD.value,
            _hold.c.expires_at <= reader.at,
        )
        .group_by(_entry.c.account_id, _entry.c.expires_at, _entry.c.origin)
    )
    return {(account, expires_at, origin): int(units) for account, expires_at, origin, units in found}


async def _pending(reader: Reader, owners: Collection[int]) -> dict[tuple[int, str, HoldKind], int]:
    """What live holds and freezes keep of customers' points."""
    if not owners:
        return {}
    found = await reader.connection.execute(
        select(_hold.c.customer_id, _hold.c.currency, _hold.c.kind, func.sum(_hold.c.amount))
        .where(
            _hold.c.journal_id == JOURNAL_ID,
            _hold.c.customer_id.in_(owners),
            _hold.c.status == HoldStatus.HELD.value,
            _hold.c.expires_at > reader.at,
        )
        .group_by(_hold.c.customer_id, _hold.c.currency, _hold.c.kind)
    )
    return {(owner, currency, HoldKind(kind)): int(units) for owner, currency, kind, units in found}


async def lots(reader: Reader, accounts: Collection[Account]) -> dict[int, list[OpenLot]]:
    """The open lots of accounts, by account, the earliest end first; points that never end come last, those without a
    lot as one that was earned when the account was opened."""
    found = (
        await reader.connection.execute(
            select(_lot)
            .where(
                _lot.c.journal_id == JOURNAL_ID,
                _lot.c.account_id.in_([account.id for account in accounts if account.aged]),
                or_(_lot.c.expires_at > reader.at, _lot.c.held > 0),
            )
            .order_by(_lot.c.account_id, _lot.c.expires_at, _lot.c.earned_at, _lot.c.id)
        )
    ).all()
    pinned = {row.account_id for row in found if row.held}
    late = await _late_pins(reader, pinned) if pinned else {}
    by_account: dict[int, list[OpenLot]] = {}
    for row in found:
        held = row.held - late.get((row.account_id, row.expires_at, row.origin), 0)
        # Of a lot that is over only what a live hold pins is still there.
        amount = row.amount if row.expires_at > reader.at else held
        ends = None if row.expires_at == NEVER else row.expires_at
        if amount:
            lot = OpenLot(amount, row.earned_at, ends, part_of(row.origin), held)
            by_account.setdefault(row.account_id, []).append(lot)
    rest = {account.id: account.balance - account.aged for account in accounts if account.balance > account.aged}
    pending = await _pending(
        reader, {account.owner for account in accounts if account.pending_debits and account.id in rest}
    )
    held_in_all = {
        account.id: sum(pending.get((account.owner, account.currency, kind), 0) for kind in HoldKind)
        for account in accounts
    }
    if rest:
        journal_entry = tables.journal_entry
        opened = await reader.connection.execute(
            select(_account.c.id, journal_entry.c.at)
            .select_from(_account)
            .join(
                journal_entry,
                and_(journal_entry.c.journal_id == JOURNAL_ID, journal_entry.c.batch == batch_of(_account.c.id)),
            )
            .where(_account.c.journal_id == JOURNAL_ID, _account.c.id.in_(rest))
        )
        for id, at in opened:
            mine = by_account.setdefault(id, [])
            mine.append(OpenLot(rest[id], at, None, MAIN, held_in_all[id] - sum(lot.held for lot in mine)))
    return by_account


async def holds(
    reader: Reader, kind: HoldKind, customer: int, currency: str | None, after: int | None, rows_max: int
) -> list[Hold]:
    """A customer's holds or freezes, the newest first, from before ``after`` on."""
    conditions = [_hold.c.customer_id == customer, _hold.c.kind == kind]
    if currency is not None:
        conditions.append(_hold.c.currency == currency)
    if after is not None:
        conditions.append(_hold.c.id < after)
    page = (
        select(_hold.c.id)
        .where(_hold.c.journal_id == JOURNAL_ID, *conditions)
        .order_by(_hold.c.id.desc())
        .limit(rows_max)
    )
    found = await rows.holds(reader.connection, _hold.c.id.in_(page))
    return sorted(found.values(), key=lambda one: -one.id)


async def hold(reader: Reader, kind: HoldKind, id: int) -> Hold | None:
    """A hold, or a freeze."""
    found = (await rows.holds(reader.connection, _hold.c.id == id)).get(id)
    return found if found is not None and found.kind is kind else None
