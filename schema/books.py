"""The books: trial balances by business days, the locked period, and the general ledger's accounts. The operator's."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from hub.access import Right
from hub.books import balances
from hub.books.export import check_mapped
from hub.books.terms import Books as Terms
from hub.books.terms import LedgerAccount as Account
from hub.books.terms import PeriodLock as Lock
from hub.configuration import Configuration
from hub.expiry import day_of
from hub.ledger import commands
from hub.ledger.records import OF_POINTS, AccountKind
from hub.money import format_millionths
from hub.points import render
from hub.reading import Reader
from schema.bank_accounts import BankAccount, BankAccountInput, to_bank_account
from schema.context import Info
from schema.enums import publish
from schema.faults import BadInput, Forbidden
from schema.fields import field, mutation
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal

PATH = "/books/{day}.csv"
Day = Annotated[str, strawberry.argument(description="A day of the books, such as 2026-01-31.")]

publish(
    AccountKind,
    "AccountKind",
    "What an account of the ledger is for. The first three, debts, partner and transit are of points.",
    CUSTOMER="A customer's points.",
    ISSUANCE="The contra account of a point currency, owned by its issuer.",
    BREAKAGE="Points that expired.",
    DEBT="Points that a customer owes.",
    PARTNER="What came out of, less what went into, the system of a currency's partner.",
    TRANSIT="Points that a partner has taken, and that are not yet anything else.",
    POSITION="What the hub owes an institution in the open window.",
    SETTLEMENT="An institution's nets of closed windows, until they are paid.",
    INTERNAL="Through which a node's nets go to its parent.",
    BANK="The settlement bank.",
    ROUNDING="What rounding nets leaves.",
    COLLATERAL="What an institution has put up for its own debts.",
    FUND="What it has put up for everybody's.",
    RECOVERED="What a debtor has paid later, to who had been cut.",
    RECEIVABLE="Nets that were declared unpaid, and not paid since.",
    CLAIM="What an institution bears of such nets.",
    FX="Through which nets of several currencies become one; empty after each closing.",
    LIQUIDITY="What an institution has put up to pay at once with, where each act is.",
)


@strawberry.type(description="What the ledger's accounts of a kind are called in the operator's general ledger.")
class LedgerAccount:
    kind: AccountKind = strawberry.field(description="The kind of the ledger's accounts.")
    currency: str | None = strawberry.field(description="Of this currency alone; null: of all that have none named.")
    code: str = strawberry.field(description="The account's code there.")
    name: str = strawberry.field(description="Its name there.")


@strawberry.input(description="What the ledger's accounts of a kind are called in the operator's general ledger.")
class LedgerAccountInput:
    kind: AccountKind = strawberry.field(description="The kind of the ledger's accounts.")
    currency: str | None = strawberry.field(
        default=None, description="Of this currency alone, a point currency's code or ISO 4217. Default: of all."
    )
    code: str = strawberry.field(description="The account's code there.")
    name: str = strawberry.field(description="Its name there.")


@strawberry.type(description="The books of every day up to one were closed.")
class PeriodLock:
    through: str = strawberry.field(description="The last day of the locked period.")
    locked_at: datetime = strawberry.field(description="When.")
    locked_by: str = strawberry.field(description="The person.")


@strawberry.type(description="The terms of the books.")
class Books:
    time_zone: str = strawberry.field(description="Whose days are those of the books (IANA).")
    today: str = strawberry.field(description="The day of the books that it is now.")
    locks: list[PeriodLock] = strawberry.field(description="The periods that were locked, the last one first.")
    accounts: list[LedgerAccount] = strawberry.field(description="The general ledger's accounts.")
    bank_accounts: list[BankAccount] = strawberry.field(description="The segregated bank accounts.")


@strawberry.type(
    description="The accounts of one kind and currency over a day of the books. Balances are credits less debits."
)
class TrialBalanceLine:
    kind: AccountKind = strawberry.field(description="The kind of the accounts.")
    currency: str = strawberry.field(description="A point currency's code, or ISO 4217.")
    account: LedgerAccount | None = strawberry.field(description="What they are called in the general ledger.")
    opening: Decimal = strawberry.field(description="The balance when the day began.")
    debits: Decimal = strawberry.field(description="What was debited in the books of the day.")
    credits: Decimal = strawberry.field(description="What was credited.")
    closing: Decimal = strawberry.field(description="The balance when it ended, or as it is today.")


@strawberry.type(
    description="The trial balance of a day of the books: in each currency debits are credits and balances sum to zero."
)
class TrialBalance:
    day: str = strawberry.field(description="The day.")
    locked: bool = strawberry.field(description="Whether it is in the locked period, so that it stays as it is.")
    balanced: bool = strawberry.field(description="Whether every currency sums to zero, as it must.")
    lines: list[TrialBalanceLine] = strawberry.field(description="By currency and kind.")
    csv_url: str | None = strawberry.field(
        description="Where each line of the day is served for the general ledger, with the same key; null: it is not "
        "over."
    )


BooksResult = Annotated[
    Books | Refused, strawberry.union("BooksResult", description="The terms as they are, or why not.")
]


@strawberry.input(description="The terms of the books; what is left out stays as it is.")
class SetBooksInput:
    time_zone: str | None = strawberry.field(
        default=None, description="Whose days are those of the books (IANA); not after a period was locked."
    )
    accounts: list[LedgerAccountInput] | None = strawberry.field(
        default=None, description="All of the general ledger's accounts."
    )
    bank_accounts: list[BankAccountInput] | None = strawberry.field(
        default=None, description="All segregated bank accounts, also those that ended."
    )


@strawberry.type
class BooksQuery:
    @field("The terms of the books. For the operator.")
    async def books(self, info: Info) -> Books:
        async with info.context.read() as reader:
            check_operator(reader)
            return to_books(reader.configuration.books, reader.at)

    @field(
        "The trial balance of a day of the books that is not yet to come. A payment counts on its value date, if that "
        "is not after its posting and its period was not locked by then; all else on the day of posting. For the "
        "operator."
    )
    async def trial_balance(self, info: Info, day: Day) -> TrialBalance:
        wanted = parse_day(day)
        async with info.context.read() as reader:
            check_operator(reader)
            configuration, books = reader.configuration, reader.configuration.books
            today = day_of(reader.at, books.time_zone)
            if wanted > today:
                raise BadInput(f"The day is yet to come: today is {today.isoformat()}.")
            found = await balances.trial_balance(reader, wanted)
        sums = {line.currency: 0 for line in found}
        for line in found:
            sums[line.currency] += line.closing
        return TrialBalance(
            day=day,
            locked=books.locked is not None and wanted <= books.locked,
            balanced=not any(sums.values()),
            lines=[to_line(configuration, line) for line in found],
            csv_url=PATH.format(day=day) if wanted < today else None,
        )


@strawberry.type
class BooksMutation:
    @mutation(
        "Say whose days are those of the books, what accounts are called in the general ledger, and which bank "
        "accounts are segregated. By the operator."
    )
    async def set_books(
        self, info: Info, input: Annotated[SetBooksInput, strawberry.argument(description="The terms.")]
    ) -> BooksResult:
        named = None
        if input.accounts is not None:
            named = tuple(
                commands.LedgerAccountText(one.kind.name, one.currency, one.code, one.name) for one in input.accounts
            )
        banks = None if input.bank_accounts is None else tuple(_bank_text(one) for one in input.bank_accounts)
        command = commands.SetBooks(actor=info.context.actor, time_zone=input.time_zone, accounts=named, banks=banks)
        return await _configure(info, command)

    @mutation(
        "Close the books of every day up to one that is over, for ever: what comes to be known of these days later is "
        "in the books of the first day after them. By the operator."
    )
    async def lock_period(
        self,
        info: Info,
        through: Annotated[str, strawberry.argument(description="The last day of the period, such as 2026-01-31.")],
    ) -> BooksResult:
        return await _configure(info, commands.LockPeriod(actor=info.context.actor, through=parse_day(through)))


async def _configure(info: Info, command: commands.Command) -> Books | Refused:
    context = info.context
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    async with context.read() as reader:
        return to_books(result_of(outcome, Terms), reader.at)


def check_operator(reader: Reader) -> None:
    """Pass if the viewer sees all of the hub.

    Raises:
        Forbidden: it does not.
    """
    if not reader.viewer.sees_all:
        raise Forbidden(right=Right.OPERATE.value)


async def check_exportable(reader: Reader, text: str) -> date:
    """The day that a path names, for the operator, if it is over and all that moved on it has a place.

    Raises:
        Forbidden, BadInput: see above.
        NotMapped: an account has no place.
    """
    check_operator(reader)
    day = parse_day(text)
    check_over(reader, day)
    await check_mapped(reader, day)
    return day


def check_over(reader: Reader, day: date) -> None:
    """Pass if a day of the books is over.

    Raises:
        BadInput: it is not.
    """
    today = day_of(reader.at, reader.configuration.books.time_zone)
    if day >= today:
        raise BadInput(f"The day is not over: today is {today.isoformat()}.")


def parse_day(text: str) -> date:
    """A day as it is written.

    Raises:
        BadInput: it is none.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # Python reads 20260131 and 2026-W05-6 too
        raise BadInput("A day is written as 2026-01-31.")
    return day


def to_books(terms: Terms, at: datetime) -> Books:
    return Books(
        time_zone=terms.time_zone,
        today=day_of(at, terms.time_zone).isoformat(),
        locks=[to_lock(lock) for lock in reversed(terms.locks)],
        accounts=[to_account(account) for account in terms.accounts],
        bank_accounts=[to_bank_account(account) for account in terms.banks],
    )


def _bank_text(one: BankAccountInput) -> commands.BankAccountText:
    since, until = (None if day is None else parse_day(day) for day in (one.since, one.until))
    return commands.BankAccountText(one.number, one.currency, one.purpose, one.name, since, until, one.institution)


def to_lock(lock: Lock) -> PeriodLock:
    return PeriodLock(through=lock.through.isoformat(), locked_at=lock.at, locked_by=lock.person)


def to_account(account: Account) -> LedgerAccount:
    return LedgerAccount(
        kind=AccountKind[account.kind], currency=account.currency, code=account.code, name=account.name
    )


def to_line(configuration: Configuration, line: balances.Line) -> TrialBalanceLine:
    named = configuration.books.account(line.kind.name, line.currency)
    of = configuration.currency(line.currency) if line.kind in OF_POINTS else None

    def amount(units: int) -> Decimal:
        return Decimal(format_millionths(units, line.currency) if of is None else render(units, of.scale))

    return TrialBalanceLine(
        kind=line.kind,
        currency=line.currency,
        account=None if named is None else to_account(named),
        opening=amount(line.opening),
        debits=amount(line.debits),
        credits=amount(line.credits),
        closing=amount(line.closing),
    )
