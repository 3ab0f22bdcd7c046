"""A table of members, and the orders that are kept in a table beside it, in the same transaction.

An order is written down first: its reference is the key, so of two sendings at once the second waits for the first and
then finds it done. Points are taken only where there are enough, and what is undone is counted on the order that it
undoes, so no order is undone twice, whatever runs at the same time. Locks are taken in one order: one's own order, the
earlier one, the member.

Invariant: an order that SUCCEEDED has changed the balance by exactly its amount; one that was REFUSED, by nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    MetaData,
    Select,
    String,
    TableClause,
    bindparam,
    column,
    insert,
    select,
    table,
    true,
    update,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.parts import LookupField
from adapters.sql.configuration import Table
from adapters.sql.line import Undone
from adapters.sql.values import Misfit, exact, instant, no
from hub.partners import REFERENCE_MAX, Answer, Echo, Entry, Member, Operation, Order, Reason, Status

_UTC: Final = ZoneInfo("UTC")


class Repeated(Undone):
    """The reference was written down before."""


class Tables:
    """What an order does in these tables."""

    operations = frozenset({Operation.DEBIT, Operation.CREDIT, Operation.REVERSE})
    partial = frozenset({Operation.REVERSE})
    echoes = frozenset({Echo.REFERENCE, Echo.AMOUNT, Echo.TIME})
    tells_status = True
    lists = True
    idempotent = True

    def __init__(self, names: Table, unit: str, scale: int) -> None:
        self._names, self._unit, self._scale = names, unit, scale
        self._orders = _orders(names.orders)
        self._members = _members(names)
        self.fields: tuple[LookupField, ...] = names.lookup

    async def perform(self, connection: AsyncConnection, order: Order, units: int) -> Answer:
        """Do an order of ``units``, or write down that it is refused. The caller commits.

        Raises:
            Repeated: its reference is known; nothing was done.
            Misfit: the tables are not what they should be; roll back.
        """
        member = self._names.naming.key(order.member)
        if member is None:  # nor could it be written down
            return Answer(status=Status.REFUSED, reason=Reason.NO_SUCH_MEMBER)
        written = {
            "operation": order.operation.value,
            "member": order.member,
            "amount": units,
            "of_reference": order.of,
        }
        begun = {"reference": order.reference, "reversed": 0, "status": Status.SUCCEEDED.value, "at": datetime.now(UTC)}
        try:
            await connection.execute(insert(self._orders).values(**written, **begun))
        except IntegrityError as error:
            raise Repeated from error
        reason = await self._move(connection, order, member, units)
        if reason is not None:
            refused = {"status": Status.REFUSED.value, "reason": reason.value}
            mine = self._orders.c.reference == order.reference
            await connection.execute(update(self._orders).where(mine).values(**refused))
        return await self.status(connection, order, units)

    async def status(self, connection: AsyncConnection, order: Order, units: int) -> Answer:
        """What is written down of an order; its amount is in smallest units of the partner's scale."""
        found = await connection.execute(select(self._orders).where(self._orders.c.reference == order.reference))
        row = found.mappings().one_or_none()
        if row is None:
            return Answer(status=Status.ABSENT)
        written = (row["operation"], row["member"], row["amount"], row["of_reference"])
        if written != (order.operation.value, order.member, units, order.of):
            told = "Another order was written down under this reference."
            return Answer(status=Status.UNKNOWN, code="CONFLICT", message=told, halts=True)
        return Answer(
            status=_status(row["status"]),
            reference=row["reference"],
            amount=row["amount"],
            at=instant(row["at"], _UTC),
            reason=None if row["reason"] is None else Reason(row["reason"]),
        )

    async def find(self, connection: AsyncConnection, fields: Mapping[str, str]) -> Member | None:
        """The only member whose columns have these values, or None."""
        asked: Any = true()
        for field in self._names.lookup:
            if field.name in fields:
                key = field.naming.key(fields[field.name])
                if key is None:
                    return None
                asked &= self._members.c[field.column] == bindparam(None, key, type_=field.naming.type)
        found = (await connection.execute(self._read().where(asked).limit(2))).mappings().all()
        if len(found) != 1:
            return None
        [row] = found
        may = "blocked" not in row or no(row["blocked"])
        available = max(0, self._names.amounts.units(row["balance"], self._scale))
        return Member(reference=str(row["member"]), available=available, may_spend=may, may_earn=may)

    def day(self, start: datetime, until: datetime) -> tuple[Select[Any], dict[str, Any]]:
        """The statement that lists a day, and its values."""
        orders = self._orders
        within = (orders.c.at >= start, orders.c.at < until)
        return select(orders).where(*within).order_by(orders.c.at, orders.c.reference), {}

    def entry(self, row: Mapping[str, Any]) -> Entry:
        """A line of the day."""
        return Entry(
            reference=row["reference"],
            partner_reference=None,
            operation=Operation(row["operation"]),
            member=row["member"],
            amount=row["amount"],
            unit=self._unit,
            status=_status(row["status"]),
            at=instant(row["at"], _UTC),
        )

    async def _move(self, connection: AsyncConnection, order: Order, member: Any, units: int) -> Reason | None:
        if order.operation is not Operation.REVERSE:
            gives = order.operation is Operation.CREDIT
            return await self._change(connection, member, units if gives else -units, may_be_blocked=False)
        orders = self._orders
        is_original = (orders.c.reference == order.of) & (orders.c.member == order.member)
        is_done = (orders.c.status == Status.SUCCEEDED.value) & orders.c.operation.in_(("DEBIT", "CREDIT"))
        original = await connection.scalar(select(orders.c.operation).where(is_original, is_done))
        if original is None:
            return Reason.OTHER
        left = orders.c.amount - orders.c.reversed >= units
        counted = update(orders).where(is_original, left).values(reversed=orders.c.reversed + units)
        if (await connection.execute(counted)).rowcount != 1:
            return Reason.EXCEEDS_ORIGINAL
        gives = original == Operation.DEBIT.value
        # What was done is undone of blocked members too: the points would be lost.
        reason = await self._change(connection, member, units if gives else -units, may_be_blocked=True)
        if reason is not None:
            await connection.execute(update(orders).where(is_original).values(reversed=orders.c.reversed - units))
        return reason

    async def _change(
        self, connection: AsyncConnection, member: Any, change: int, *, may_be_blocked: bool
    ) -> Reason | None:
        """Change a member's balance, or say why not; what is seen of it before and after is locked and exact."""
        names = self._names
        is_member = self._members.c[names.member] == bindparam(None, member, type_=names.naming.type)
        balance = self._members.c[names.balance]
        found = (await connection.execute(self._read().where(is_member).with_for_update())).mappings().all()
        if not found:
            return Reason.NO_SUCH_MEMBER
        if len(found) > 1:
            raise Misfit("Several members have one name.")
        [row] = found
        if not may_be_blocked and "blocked" in row and not no(row["blocked"]):
            return Reason.MEMBER_BLOCKED
        before, by = exact(row["balance"]), names.amounts.counted(change, self._scale)
        amount = bindparam(None, names.amounts.bound(abs(change), self._scale), type_=names.amounts.type(self._scale))
        changed = update(self._members).where(is_member).values({balance: balance + amount})
        if change < 0:
            if before < -by:
                return Reason.INSUFFICIENT_POINTS
            changed = update(self._members).where(is_member, balance >= amount).values({balance: balance - amount})
        await connection.execute(changed)
        after = exact(await connection.scalar(select(balance).where(is_member)))
        if after - before != by:  # a column of fewer digits rounds, and a trigger may do anything
            raise Misfit(f"The balance changed by {after - before} instead of {by}.")
        return None

    def _read(self) -> Select[Any]:
        names = self._names
        columns = self._members.c
        read = [columns[names.member].label("member"), columns[names.balance].label("balance")]
        if names.blocked is not None:
            read.append(columns[names.blocked].label("blocked"))
        return select(*read)


def _status(found: str) -> Status:
    return Status(found) if found in (Status.SUCCEEDED, Status.REFUSED) else Status.UNKNOWN


def _members(names: Table) -> TableClause:
    """The partner's table, its columns without types: what is in them shows itself."""
    schema, _, name = names.members.rpartition(".")
    wanted = [names.member, names.balance, names.blocked, *(field.column for field in names.lookup)]
    return table(name, *(column(one) for one in dict.fromkeys(wanted) if one is not None), schema=schema or None)


def _orders(named: str) -> SqlTable:
    schema, _, name = named.rpartition(".")
    return SqlTable(
        name,
        MetaData(),
        Column("reference", String(REFERENCE_MAX), primary_key=True),
        Column("operation", String(10)),
        Column("member", String),
        Column("amount", BigInteger),
        Column("of_reference", String(REFERENCE_MAX)),
        Column("reversed", BigInteger),
        Column("status", String(10)),
        Column("reason", String(30)),
        Column("at", DateTime(timezone=True)),
        schema=schema or None,
    )
