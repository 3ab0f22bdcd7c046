"""Configuring the books: their time zone, the general ledger's accounts, and the period that is locked. Pure."""

from dataclasses import replace
from datetime import date

from hub.books.banking import BankAccount, BankPurpose, account_number
from hub.books.terms import Books, LedgerAccount, PeriodLock
from hub.errors import Duplicate, InvalidInput
from hub.expiry import day_of, is_zone
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind
from hub.registry import checks

ACCOUNTS_MAX = 1_000
BANKS_MAX = 1_000


def set_books(book: Book, command: commands.SetBooks) -> Draft:
    """Say whose days are those of the books, what accounts are called in the general ledger, and which bank accounts
    are segregated. By the operator.

    Raises:
        InvalidInput: there is no such time zone, or a period is locked, whose days would be others; or an account is of
            no kind, or has no code or name; or a bank account has no number, or ends before it begins.
        Duplicate: two accounts are of the same kind and currency; or two bank accounts are one, or for the same, on one
            day.
        UnknownCurrency, NotFound: a bank account is in no money, or for no institution.
    """
    known = _known(book, command.actor)
    made = known
    if command.time_zone is not None and command.time_zone != known.time_zone:
        if known.locked is not None:
            raise InvalidInput(timeZone=command.time_zone, lockedThrough=known.locked.isoformat())
        if not is_zone(command.time_zone):
            raise InvalidInput(timeZone=command.time_zone[:60])
        made = replace(made, time_zone=command.time_zone)
    if command.accounts is not None:
        made = replace(made, accounts=_accounts(book, command.accounts))
    if command.banks is not None:
        made = replace(made, banks=_banks(book, command.banks, day_of(book.at, made.time_zone)))
    return _take(book, made)


def _banks(book: Book, said: tuple[commands.BankAccountText, ...], today: date) -> tuple[BankAccount, ...]:
    if len(said) > BANKS_MAX:
        raise InvalidInput(bankAccounts=len(said), maximum=BANKS_MAX)
    found: list[BankAccount] = []
    for one in said:
        number, currency = account_number(one.number), resolve.money(one.currency)
        if number is None:
            raise InvalidInput(number=one.number[:60])
        node = None if one.institution is None else resolve.institution(book, one.institution)
        if node is not None and one.purpose is BankPurpose.PREPAID:
            raise InvalidInput(institution=node.code, purpose=one.purpose.value)
        account = BankAccount(
            number=number,
            currency=currency,
            purpose=one.purpose,
            name=checks.name("name", one.name),
            since=one.since or today,
            until=one.until,
            institution=None if node is None else node.id,
        )
        if account.until is not None and account.until < account.since:
            raise InvalidInput(until=account.until.isoformat())
        for other in found:
            same = (other.number, other.currency) == (number, currency) or other.subject == account.subject
            if same and account.overlaps(other):
                raise Duplicate(number=number, currency=currency, purpose=one.purpose.value)
        found.append(account)
    return tuple(found)


def _accounts(book: Book, said: tuple[commands.LedgerAccountText, ...]) -> tuple[LedgerAccount, ...]:
    if len(said) > ACCOUNTS_MAX:
        raise InvalidInput(accounts=len(said), maximum=ACCOUNTS_MAX)
    found: dict[tuple[str, str | None], LedgerAccount] = {}
    for one in said:
        if one.kind not in AccountKind.__members__:
            raise InvalidInput(kind=one.kind[:60])
        if one.currency is not None and book.configuration.currency(one.currency) is None:
            resolve.money(one.currency)
        if (one.kind, one.currency) in found:
            raise Duplicate(kind=one.kind, currency=one.currency or "")
        account = LedgerAccount(one.kind, one.currency, checks.code("code", one.code), checks.name("name", one.name))
        found[one.kind, one.currency] = account
    return tuple(found.values())


def lock(book: Book, command: commands.LockPeriod) -> Draft:
    """Close the books of every day up to one that is over: what comes to be known of these days later is in the books
    of the first day after them. Never taken back. By the operator.

    Raises:
        InvalidInput: the day is not over, or was locked before.
    """
    known = _known(book, command.actor)
    today = day_of(book.at, known.time_zone)
    if command.through >= today:
        raise InvalidInput(through=command.through.isoformat(), today=today.isoformat())
    if known.locked is not None and command.through <= known.locked:
        raise InvalidInput(through=command.through.isoformat(), lockedThrough=known.locked.isoformat())
    asking = resolve.credential(book, command.actor)
    return _take(
        book, replace(known, locks=(*known.locks, PeriodLock(command.through, book.batch, book.at, asking.person)))
    )


def _known(book: Book, actor: int) -> Books:
    """The books as they are, for the operator."""
    resolve.operating(book, actor)
    return book.configuration.books


def _take(book: Book, made: Books) -> Draft:
    draft = Draft(book)
    made = made if made.id else replace(made, id=draft.new_id())
    draft.nouns.append(made)
    draft.result = made
    return draft
