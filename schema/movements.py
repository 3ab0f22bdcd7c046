"""Movements: a customer's statement, line by line, for those who see the customer's institution."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, statements
from hub.currencies import PointCurrency
from hub.points import render
from hub.statements import Entry
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.fields import field
from schema.inputs import After, CustomerInput, First
from schema.node import Node
from schema.scalars import Decimal

_N_BITS = 4  # a customer's legs come first in a movement


@strawberry.type(description="One line of a customer's statement.")
class Movement(Node):
    kind: str = strawberry.field(description="The act behind it: ISSUE, TRANSFER, REDEEM, CONVERT or REVERSE.")
    points: Points = strawberry.field(description="What was moved.")
    direction: str = strawberry.field(description="CREDIT: to the customer. DEBIT: from the customer.")
    balance_after: Decimal = strawberry.field(description="What the customer held of the currency afterwards.")
    posted_at: datetime = strawberry.field(description="When.")
    memo: str | None = strawberry.field(description="What was noted with it.")


@strawberry.type
class MovementQuery:
    @field("A customer's statement in one currency, the newest line first.")
    async def movements(
        self,
        info: Info,
        customer: Annotated[CustomerInput, strawberry.argument(description="The customer.")],
        currency: Annotated[str, strawberry.argument(description="The point currency's code.")],
        first: First = 50,
        after: After = None,
    ) -> Connection[Movement]:
        wanted = page(first, after, tuple[int, int])
        found: list[Entry] = []
        async with info.context.read() as reader:
            home, of = reader.configuration.institution(customer.institution), reader.configuration.currency(currency)
            if home is not None and of is not None and reader.sees(home.id):
                owner = await lookups.customer(reader, home.id, customer.reference)
                if owner is not None:
                    found = await statements.statement(reader, owner.id, of.code, wanted.after, wanted.rows)
            currencies = reader.configuration
        return connect(
            found,
            wanted,
            lambda entry: to_movement(entry, currencies.currencies[currencies.currency_codes[entry.currency]]),
            lambda entry: (entry.movement, entry.n),
        )


async def movement_by_id(context: Context, id: int) -> Movement | None:
    """A line of a statement, as far as the caller may see it."""
    movement, n, is_credit = id >> (_N_BITS + 1), (id >> 1) & ((1 << _N_BITS) - 1), bool(id & 1)
    async with context.read() as reader:
        found = await statements.entry(reader, movement, n, is_credit)
        if found is None:
            return None
        entry, owner = found
        home = (await lookups.customers(reader, {owner}))[owner].institution
        of = reader.configuration.currency(entry.currency)
        if of is None or not reader.sees(home):
            return None
    return to_movement(entry, of)


def to_movement(entry: Entry, of: PointCurrency) -> Movement:
    number = entry.movement << (_N_BITS + 1) | entry.n << 1 | entry.is_credit
    return Movement(
        id=strawberry.ID(ids.text(ids.ENTRY, number)),
        kind=entry.kind.name,
        points=to_points(entry.amount, of),
        direction="CREDIT" if entry.is_credit else "DEBIT",
        balance_after=Decimal(render(entry.balance, of.scale)),
        posted_at=entry.at,
        memo=entry.memo,
    )
