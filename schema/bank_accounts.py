"""Segregated bank accounts: where the money is that the hub keeps for its members."""

import strawberry

from hub.books import banking
from hub.books.banking import BankPurpose
from schema.context import Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field

publish(
    BankPurpose,
    "BankPurpose",
    "What the money of a segregated bank account is for.",
    COLLATERAL="Put up for one's own debts, or recovered for who had been cut.",
    FUND="The default fund.",
    LIQUIDITY="Put up to pay with where each act is paid at once.",
    PREPAID="Paid ahead for points, of which the issuers still owe some.",
)


@strawberry.type(description="A segregated bank account: where money is that the hub keeps for its members.")
class BankAccount:
    record: strawberry.Private[banking.BankAccount]
    number: str = strawberry.field(description="Its IBAN, or its number as the bank spells it.")
    currency: str = strawberry.field(description="ISO 4217.")
    purpose: BankPurpose = strawberry.field(description="What its money is for.")
    name: str = strawberry.field(description="What people call it.")
    since: str = strawberry.field(description="The first day on which it is compared with the books.")
    until: str | None = strawberry.field(description="The last such day; null: it is compared on and on.")

    @field("Whose money alone it is; null: that of all who have no account of their own.")
    def institution(self, info: Info) -> Institution | None:
        number = self.record.institution
        return None if number is None else institution_of(info.context.configuration, number)


@strawberry.input(
    description="A segregated bank account. On one day there is one for a purpose, a currency and an institution."
)
class BankAccountInput:
    number: str = strawberry.field(description="Its IBAN, whose check digits are verified, or its number.")
    currency: str = strawberry.field(description="ISO 4217.")
    purpose: BankPurpose = strawberry.field(description="What its money is for.")
    name: str = strawberry.field(description="What people call it.")
    since: str | None = strawberry.field(
        default=None, description="The first day on which it is compared with the books. Default: today."
    )
    until: str | None = strawberry.field(default=None, description="The last such day. Default: none.")
    institution: str | None = strawberry.field(
        default=None,
        description="Whose money alone it is, by code, for collateral and the fund. Default: that of all who have no "
        "account of their own.",
    )


def to_bank_account(account: banking.BankAccount) -> BankAccount:
    return BankAccount(
        record=account,
        number=account.number,
        currency=account.currency,
        purpose=account.purpose,
        name=account.name,
        since=account.since.isoformat(),
        until=None if account.until is None else account.until.isoformat(),
    )
