"""Segregated accounts beside the books: what is kept for members when a day ended, and what banks say."""

import strawberry

from hub.books import segregated
from hub.books.banking import BankPurpose
from hub.money import format_millionths
from schema.bank_accounts import BankAccount, to_bank_account
from schema.books import Day, check_operator, check_over, parse_day
from schema.context import Info
from schema.directory import Institution, institution_of
from schema.fields import field
from schema.scalars import Decimal


@strawberry.type(description="What the books and a bank say of the same money when a day ended.")
class SegregatedBalance:
    record: strawberry.Private[segregated.Comparison]
    purpose: BankPurpose = strawberry.field(description="What the money is for.")
    currency: str = strawberry.field(description="ISO 4217.")
    account: BankAccount | None = strawberry.field(description="The account; null: none is registered for it.")
    booked: Decimal = strawberry.field(description="What the books say.")
    stated: Decimal | None = strawberry.field(description="What the bank says; null: no statement was taken.")
    difference: Decimal | None = strawberry.field(
        description="What the bank has more than the books, exactly; below zero: less. Null: it has said nothing."
    )
    statement: str | None = strawberry.field(description="The bank's identifier of its statement.")

    @field("Whose money alone it is; null: that of all who have no account of their own.")
    def institution(self, info: Info) -> Institution | None:
        number = self.record.institution
        return None if number is None else institution_of(info.context.configuration, number)


@strawberry.type(
    description="The segregated accounts of a day beside the books: collateral with what was recovered, the default "
    "fund, and what was paid ahead for points in windows that are settled."
)
class SegregatedDay:
    day: str = strawberry.field(description="The day.")
    reconciled: bool = strawberry.field(
        description="Whether all money has an account, and of each the bank says what the books say."
    )
    balances: list[SegregatedBalance] = strawberry.field(description="By purpose, currency and institution.")


@strawberry.type
class SegregatedQuery:
    @field(
        "What is kept for members when a day ended, as the books say, beside what banks say of segregated accounts "
        "(sent to /books/bank-statements.json). The day has to be over. For the operator."
    )
    async def segregated_accounts(self, info: Info, day: Day) -> SegregatedDay:
        wanted = parse_day(day)
        async with info.context.read() as reader:
            check_operator(reader)
            check_over(reader, wanted)
            found = await segregated.compare(reader, wanted)
        return SegregatedDay(
            day=day,
            reconciled=all(one.difference == 0 for one in found),
            balances=[to_balance(one) for one in found],
        )


def to_balance(found: segregated.Comparison) -> SegregatedBalance:
    def amount(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, found.currency))

    said, difference = found.said, found.difference
    return SegregatedBalance(
        record=found,
        purpose=found.purpose,
        currency=found.currency,
        account=None if found.account is None else to_bank_account(found.account),
        booked=amount(found.booked),
        stated=None if said is None else amount(said.amount),
        difference=None if difference is None else amount(difference),
        statement=None if said is None else said.statement,
    )
