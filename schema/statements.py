"""Statements: what a customer held at a past instant, and what came and went over a past period.

They are for those who see the customer's institution from within; for anybody else, and for a customer that does not
exist, there is none. A customer that never had points of the currency has a statement of zeros.
"""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import strawberry

from hub import ids, statements
from hub.currencies import PointCurrency as Currency
from hub.ledger import records
from hub.points import render
from schema.connection import Connection, connect, page
from schema.context import Info
from schema.customers import Customer, to_customer
from schema.directory import PointCurrency, to_currency
from schema.faults import BadInput
from schema.fields import field
from schema.inputs import After, First
from schema.labels import label
from schema.messages import Language
from schema.movements import Code, Movement, Of, to_movement, visible
from schema.scalars import Decimal, show_datetime

PATH = "/statements/{customer}/{currency}.csv"


@strawberry.type(description="What a customer held of a currency at a past instant.")
class AsOfBalance:
    at: datetime = strawberry.field(description="The instant; what was posted at it counts.")
    total: Decimal = strawberry.field(description="All of it.")
    held: Decimal = strawberry.field(description="What was promised and not yet spent.")
    available: Decimal = strawberry.field(description="What could be spent: the total less what was held.")


@strawberry.type(description="What the acts of one kind brought and took over a period.")
class StatementTotal:
    kind: str = strawberry.field(description="As the lines' `kind`.")
    label: str = strawberry.field(description="The kind in the language of Accept-Language, for people.")
    credits: Decimal = strawberry.field(description="What they brought.")
    debits: Decimal = strawberry.field(description="What they took.")
    count: int = strawberry.field(description="Their lines.")


@strawberry.type(
    description="A customer's statement of a past period: `opening` + `credits` - `debits` = `closing`, in every "
    "language and whenever it is asked for."
)
class Statement:
    record: strawberry.Private[statements.Statement]
    owner: strawberry.Private[records.Customer]
    of: strawberry.Private[Currency]
    starts: datetime = strawberry.field(name="from", description="The first instant that counts.")
    until: datetime = strawberry.field(description="The first instant that does not count any more.")
    opening: Decimal = strawberry.field(description="What the customer held before it.")
    credits: Decimal = strawberry.field(description="What came over it.")
    debits: Decimal = strawberry.field(description="What went over it.")
    closing: Decimal = strawberry.field(description="What the customer held at its end.")
    by_kind: list[StatementTotal] = strawberry.field(description="What came and went, by kind of act.")
    csv_url: str = strawberry.field(
        description="Where it is served as CSV, with the same key; `&labels=zh` or `&labels=en` puts it into words."
    )

    @field("The customer.")
    def customer(self) -> Customer:
        return to_customer(self.owner)

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("Its lines, the oldest first.")
    async def entries(self, info: Info, first: First = 50, after: After = None) -> Connection[Movement]:
        wanted = page(first, after, "entries", tuple[int, int])
        found: list[statements.Entry] = []
        async with info.context.read() as reader:
            if reader.sees(self.owner.institution):
                found = await statements.entries(
                    reader.connection, self.record.account, self.record.span, wanted.after, wanted.rows
                )
        return connect(found, wanted, lambda entry: to_movement(entry, self.of), lambda entry: entry.place)


@strawberry.type
class StatementQuery:
    @field("A customer's statement of a past period; null if there is no such customer or currency.")
    async def statement(
        self,
        info: Info,
        customer: Of,
        currency: Code,
        starts: Annotated[datetime, strawberry.argument(name="from", description="The first instant that counts.")],
        until: Annotated[datetime, strawberry.argument(description="The first that does not; not in the future.")],
    ) -> Statement | None:
        check_order(starts, until)
        async with info.context.read(past=until) as reader:
            found = await visible(reader, customer, currency)
            if found is None:
                return None
            owner, of = found
            connection = reader.connection
            account = await statements.account(connection, owner.id, of.code)
            record = await statements.statement(connection, account, starts, until)
            totals = await statements.totals(connection, account, record.span)
        public_url = info.context.settings.public_url
        return Statement(
            record=record,
            owner=owner,
            of=of,
            starts=starts,
            until=until,
            opening=_units(record.opening, of),
            credits=_units(sum(total.credits for total in totals), of),
            debits=_units(sum(total.debits for total in totals), of),
            closing=_units(record.closing, of),
            by_kind=[to_total(total, of, info.context.incoming.language) for total in totals],
            csv_url=csv_url(public_url, owner.id, of.code, starts, until),
        )

    @field("What a customer held at a past instant; null if there is no such customer or currency.")
    async def balance_at(
        self,
        info: Info,
        customer: Of,
        currency: Code,
        at: Annotated[datetime, strawberry.argument(description="The instant; what was posted at it counts.")],
    ) -> AsOfBalance | None:
        async with info.context.read(past=statements.just_after(at)) as reader:
            found = await visible(reader, customer, currency)
            if found is None:
                return None
            owner, of = found
            account = await statements.account(reader.connection, owner.id, of.code)
            balance = await statements.balance(reader.connection, account, at)
        return AsOfBalance(
            at=at,
            total=_units(balance.total, of),
            held=_units(balance.held, of),
            available=_units(balance.available, of),
        )


def check_order(starts: datetime, until: datetime) -> None:
    """Refuse a period that ends before it begins.

    Raises:
        BadInput: it does.
    """
    if until < starts:
        raise BadInput("A period does not end before it begins: until is earlier than from.")


def csv_url(public_url: str, customer: int, currency: str, starts: datetime, until: datetime) -> str:
    """Where the application serves a statement as CSV. The customer's reference is not in it: addresses are logged."""
    path = PATH.format(customer=ids.text(ids.CUSTOMER, customer), currency=currency)
    return f"{public_url.rstrip('/')}{path}?{urlencode({'from': show_datetime(starts), 'until': show_datetime(until)})}"


def to_total(total: statements.Total, of: Currency, language: Language) -> StatementTotal:
    return StatementTotal(
        kind=total.kind.name,
        label=label(total.kind.name, language),
        credits=_units(total.credits, of),
        debits=_units(total.debits, of),
        count=total.entries,
    )


def _units(units: int, of: Currency) -> Decimal:
    return Decimal(render(units, of.scale))
