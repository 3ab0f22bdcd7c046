"""Movements: a customer's statement, line by line, for those who see the customer's institution."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, statements
from hub.currencies import PointCurrency
from hub.ledger.records import Customer
from hub.points import render
from hub.reading import Reader
from hub.statements import Entry
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import owner_of
from schema.fields import field
from schema.inputs import After, CustomerInput, First
from schema.node import Node
from schema.scalars import Decimal

_N_BITS = 4  # a customer's legs come first in a movement

Of = Annotated[CustomerInput, strawberry.argument(description="The customer.")]
Code = Annotated[str, strawberry.argument(description="The point currency's code.")]


@strawberry.type(description="One line of a customer's statement.")
class Movement(Node):
    kind: str = strawberry.field(
        description="The act behind it: ISSUE, TRANSFER, REDEEM, CONVERT, REVERSE, CAPTURE, REMOVE, EXPIRE, CLEAR, "
        "CONTRIBUTE, WITHDRAW or RELOCATE. A debt is repaid by the act that credits."
    )
    points: Points = strawberry.field(description="What was moved.")
    direction: str = strawberry.field(description="CREDIT: to the customer. DEBIT: from the customer.")
    balance_after: Decimal = strawberry.field(description="What the customer held of the currency afterwards.")
    posted_at: datetime = strawberry.field(description="When.")
    memo: str | None = strawberry.field(description="What was noted with it.")
    sequence: str = strawberry.field(description="Its act's place in the order of all acts, as a decimal number.")


@strawberry.type
class MovementQuery:
    @field("A customer's statement in one currency, the newest line first; of a period, if its bounds are given.")
    async def movements(
        self,
        info: Info,
        customer: Of,
        currency: Code,
        starts: Annotated[
            datetime | None, strawberry.argument(name="from", description="Lines from this instant on.")
        ] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Lines before this instant.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Movement]:
        wanted = page(first, after, "movements", tuple[int, int])
        lines: list[tuple[Entry, PointCurrency]] = []
        async with info.context.read() as reader:
            found = await visible(reader, customer, currency)
            if found is not None:
                owner, of = found
                connection = reader.connection
                account = await statements.account(connection, owner.id, of.code)
                span = await statements.span(connection, starts, until)
                rows = await statements.entries(connection, account, span, wanted.after, wanted.rows, newest_first=True)
                lines = [(row, of) for row in rows]
        return connect(lines, wanted, lambda line: to_movement(*line), lambda line: line[0].place)


async def visible(reader: Reader, customer: CustomerInput, currency: str) -> tuple[Customer, PointCurrency] | None:
    """The customer and the currency that were asked for; None: one of them does not exist for the caller."""
    of = reader.configuration.currency(currency)
    owner = None if of is None else await owner_of(reader, customer)
    return None if of is None or owner is None else (owner, of)


async def movement_by_id(context: Context, id: int) -> Movement | None:
    """A line of a statement, as far as the caller may see it."""
    movement, n, is_credit = id >> (_N_BITS + 1), (id >> 1) & ((1 << _N_BITS) - 1), bool(id & 1)
    async with context.read() as reader:
        found = await statements.entry(reader.connection, movement, n, is_credit)
        if found is None:
            return None
        entry, owner, currency = found
        home = (await lookups.customers(reader, {owner}))[owner].institution
        of = reader.configuration.currency(currency)
        if of is None or not reader.sees(home):
            return None
    return to_movement(entry, of)


def entry_id(entry: Entry) -> str:
    """The opaque identifier of a line."""
    return ids.text(ids.ENTRY, entry.movement << (_N_BITS + 1) | entry.n << 1 | entry.is_credit)


def direction(entry: Entry) -> str:
    """As seen by the customer."""
    return "CREDIT" if entry.is_credit else "DEBIT"


def to_movement(entry: Entry, of: PointCurrency) -> Movement:
    return Movement(
        id=strawberry.ID(entry_id(entry)),
        kind=entry.kind.name,
        points=to_points(entry.amount, of),
        direction=direction(entry),
        balance_after=Decimal(render(entry.balance, of.scale)),
        posted_at=entry.at,
        memo=entry.memo,
        sequence=str(entry.movement),
    )
