"""Bank statements: what a bank's file says that segregated accounts held when days closed, looked at row by row. Pure.

A row is of an account that the operator has registered for its day. Only a file of which every row is so is taken, by
one command, which decides it all again under the journal's lock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from hub.books.banking import account_number
from hub.books.terms import Books
from hub.ledger.commands import BalanceText
from hub.money import InvalidMoney, UnknownMoney, minor_unit_millionths, parse_millionths
from settlement.uploads import Columns, Row

COLUMNS: Final = Columns(("account", "currency", "day", "amount"), ("statement",))


@dataclass(frozen=True, slots=True)
class Balance:
    """A row of a bank's file. ``amount``: as decimal text, below zero what the account is overdrawn by; ``wrong``: why
    it cannot be taken."""

    number: int
    account: str
    currency: str
    day: str
    amount: str
    statement: str = ""
    wrong: str | None = None


class Outcome(StrEnum):
    """What comes of a row."""

    TAKEN = "TAKEN"
    UNKNOWN = "UNKNOWN"  # no such account is registered for the day
    NOT_OVER = "NOT_OVER"
    DUPLICATE = "DUPLICATE"
    MALFORMED = "MALFORMED"


@dataclass(frozen=True, slots=True)
class Looked:
    """A row and its outcome."""

    row: int
    outcome: Outcome
    account: str
    currency: str
    day: str
    amount: str
    told: str = ""


def from_rows(rows: Iterable[Row]) -> list[Balance]:
    """The balances of a table."""
    return [
        Balance(
            number=row.number,
            account=row.cells.get("account", ""),
            currency=row.cells.get("currency", ""),
            day=row.cells.get("day", ""),
            amount=row.cells.get("amount", ""),
            statement=row.cells.get("statement", ""),
            wrong=row.wrong,
        )
        for row in rows
    ]


def look(
    balances: Iterable[Balance], books: Books, today: date, digest: str
) -> tuple[list[Looked], tuple[BalanceText, ...]]:
    """What comes of each row, and what is to be taken of those that can be. A statement without a name is called after
    its file."""
    rows: list[Looked] = []
    taken: list[BalanceText] = []
    seen: dict[tuple[str, str, str], int] = {}
    for one in balances:
        outcome, told = _outcome(one, books, today, seen)
        number = account_number(one.account) or one.account
        rows.append(Looked(one.number, outcome, number, one.currency, one.day, one.amount, told))
        if outcome is Outcome.TAKEN:
            day = date.fromisoformat(one.day)
            statement = one.statement or f"{digest[:16]}/{one.number}"
            taken.append(BalanceText(number, one.currency, day, one.amount, statement))
    return rows, tuple(taken)


def _outcome(one: Balance, books: Books, today: date, seen: dict[tuple[str, str, str], int]) -> tuple[Outcome, str]:
    number = account_number(one.account)
    wrong = one.wrong or ("is no account number, or its check digits are wrong" if number is None else None)
    day = _day(one.day)
    if wrong is None and day is None:
        wrong = f"{one.day} is no day such as 2026-01-31"
    if wrong is None:
        try:
            if parse_millionths(one.amount) % minor_unit_millionths(one.currency):
                wrong = f"{one.amount} is in no whole minor units"
        except (InvalidMoney, UnknownMoney) as error:
            wrong = str(error)
    if wrong is not None or number is None or day is None:
        return Outcome.MALFORMED, wrong or ""
    key = (number, one.currency, one.day)
    if key in seen:
        return Outcome.DUPLICATE, f"row {seen[key]} is of the same account and day"
    seen[key] = one.number
    if day >= today:
        return Outcome.NOT_OVER, f"today is {today.isoformat()}"
    if books.bank(number, one.currency, day) is None:
        return Outcome.UNKNOWN, "no such account is registered for the day"
    return Outcome.TAKEN, ""


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None
