"""Invoices and credit notes of billed months: each institution sees its own."""

from typing import Annotated

import strawberry

from hub import bills, ids
from hub import invoices as core
from hub.ledger import commands, records
from schema.amounts import Money, to_money, to_price
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.conversions import within
from schema.directory import Institution, to_institution
from schema.enums import publish
from schema.fee_schedules import FeeSchedule, to_fee_schedule
from schema.fields import field, mutation
from schema.inputs import KEY, After, First, decimal
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

publish(
    bills.Item,
    "InvoiceItem",
    "What a line of an invoice is for.",
    MEMBERSHIP="A month.",
    MOVEMENTS="Movements.",
    POINTS="Points that were moved.",
)


@strawberry.type(description="A line of an invoice, net or gross as the prices are.")
class InvoiceLine:
    record: strawberry.Private[bills.BillLine]
    money: strawberry.Private[str]
    item: bills.Item = strawberry.field(description="What it is for.")
    currency: str | None = strawberry.field(description="Which points, by their currency's code.")
    quantity: Decimal = strawberry.field(description="Months, movements, or points.")

    @field("For one of them.")
    def price(self) -> Money:
        return to_price(self.record.price, self.money)

    @field("Half up to the minor unit.")
    def amount(self) -> Money:
        return to_money(self.record.amount, self.money)


@strawberry.type(
    description="An invoice of the operator's for a month, or a credit note of one. It is owed like what acts come to, "
    "in the settlement window that was open when it was made."
)
class Invoice(Node):
    record: strawberry.Private[records.Invoice]
    number: int = strawberry.field(description="Of all invoices and credit notes of the hub, without gaps.")
    reference: str = strawberry.field(description="What it is called on paper, and in the lines of reports.")
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")

    @field("Who owes it, or gets it back.")
    def institution(self, info: Info) -> Institution:
        return to_institution(info.context.configuration.institutions[self.record.institution])

    @field("The prices.")
    def schedule(self, info: Info) -> FeeSchedule:
        return to_fee_schedule(info.context.configuration.fee_schedules[self.record.schedule])

    @field("The month, such as 2026-11; null for a credit note.")
    async def period(self, info: Info) -> str | None:
        if self.record.billing is None:
            return None
        found = await info.context.loaders.billings.load(self.record.billing)
        return None if found is None else found.period

    @field("The invoice that a credit note is of.")
    async def of(self, info: Info) -> "Invoice | None":
        if self.record.of is None:
            return None
        return await invoice_by_id(info.context, self.record.of)

    @field("Why a credit was given.")
    async def credit_reason(self, info: Info) -> str | None:
        return None if self.record.of is None else await info.context.loaders.memos.load(self.record.id)

    @field("Without tax.")
    def net(self) -> Money:
        return to_money(self.record.totals.net, self.record.money)

    @field("Value added tax: once on the sum of the lines, half up to the minor unit.")
    def vat(self) -> Money:
        return to_money(self.record.totals.vat, self.record.money)

    @field("With tax: what is owed, or given back.")
    def gross(self) -> Money:
        return to_money(self.record.totals.gross, self.record.money)

    @field("What credit notes have given back of it, with tax.")
    async def credited(self, info: Info) -> Money:
        found = await info.context.loaders.credited.load(self.record.id)
        return to_money(found, self.record.money)

    @field("Its lines; a credit note has none.")
    def lines(self, info: Info) -> list[InvoiceLine]:
        configuration = info.context.configuration
        found = []
        for line in self.record.lines:
            of = None if line.currency is None else configuration.currency(line.currency)
            quantity = bills.quantity_text(line, 0 if of is None else of.scale)
            found.append(
                InvoiceLine(
                    record=line,
                    money=self.record.money,
                    item=line.item,
                    currency=line.currency,
                    quantity=Decimal(quantity),
                )
            )
        return found


InvoiceResult = Annotated[
    Invoice | Refused, strawberry.union("InvoiceResult", description="The credit note, or why there is none.")
]


@strawberry.input(description="A part of an invoice that is given back.")
class CreditInvoiceInput:
    idempotency_key: str = strawberry.field(description=KEY)
    invoice_id: strawberry.ID = strawberry.field(description="The invoice.")
    amount: Decimal | None = strawberry.field(default=None, description="With tax. Default: what is left of it.")
    reason: str = strawberry.field(description="Why, for the record; not blank.")


@strawberry.type
class InvoiceQuery:
    @field(
        "Invoices and credit notes, the last first: those of the caller's institution and of those below it; the "
        "operator's: all."
    )
    async def invoices(
        self,
        info: Info,
        institution: Annotated[str | None, strawberry.argument(description="Only the institution's of this code.")] = (
            None
        ),
        period: Annotated[
            str | None, strawberry.argument(description="Only the invoices of this month, such as 2026-11.")
        ] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Invoice]:
        wanted = page(first, after, "invoices", tuple[int])
        async with info.context.read() as reader:
            open_to = within(reader.configuration, reader.viewer)
            if institution is not None:
                home = reader.configuration.institution(institution)
                is_open = home is not None and (open_to is None or home.id in open_to)
                open_to = {home.id} if home is not None and is_open else set()
            after_id = None if wanted.after is None else wanted.after[0]
            found = await core.page(reader, open_to, period, after_id, wanted.rows)
        return connect(list(found), wanted, to_invoice, lambda one: (one.id,))


@strawberry.type
class InvoiceMutation:
    @mutation(
        "Give back a part of an invoice, with its part of the tax, in the settlement window open now. By the operator."
    )
    async def credit_invoice(
        self, info: Info, input: Annotated[CreditInvoiceInput, strawberry.argument(description="What is given back.")]
    ) -> InvoiceResult:
        command = commands.CreditInvoice(
            actor=info.context.actor,
            key=input.idempotency_key,
            invoice=ids.number(input.invoice_id, ids.INVOICE),
            amount=decimal(input.amount),
            reason=input.reason,
        )
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_invoice(result_of(outcome, records.Invoice), outcome.replayed)


async def invoice_by_id(context: Context, id: int) -> Invoice | None:
    """The invoice or credit note with this identifier, if there is one for the caller."""
    async with context.read() as reader:
        found = (await core.by_ids(reader, {id})).get(id)
        if found is None or not reader.sees(found.institution):
            return None
    return to_invoice(found)


def to_invoice(invoice: records.Invoice, replayed: bool = False) -> Invoice:
    return Invoice(
        record=invoice,
        id=strawberry.ID(ids.text(ids.INVOICE, invoice.id)),
        number=invoice.number,
        reference=invoice.reference,
        replayed=replayed,
    )
