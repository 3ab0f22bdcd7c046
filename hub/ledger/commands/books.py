"""The terms of the books: their days, their locked period, and the general ledger's accounts."""

from datetime import date

import msgspec

from hub.books.banking import BankPurpose
from hub.ledger.commands.command import Command


class LedgerAccountText(msgspec.Struct, frozen=True):
    kind: str
    currency: str | None
    code: str
    name: str


class BankAccountText(msgspec.Struct, frozen=True):
    """``since`` None: today; ``institution``: a code."""

    number: str
    currency: str
    purpose: BankPurpose
    name: str
    since: date | None
    until: date | None
    institution: str | None


class BalanceText(msgspec.Struct, frozen=True):
    number: str
    currency: str
    day: date
    amount: str
    statement: str


class SetBooks(Command, frozen=True, kw_only=True):
    """Each as it is from now on; None: as it was."""

    time_zone: str | None
    accounts: tuple[LedgerAccountText, ...] | None
    banks: tuple[BankAccountText, ...] | None = None


class LockPeriod(Command, frozen=True, kw_only=True):
    """``through``: the last day whose books are closed."""

    through: date


class TakeBankFile(Command, frozen=True, kw_only=True):
    """``digest``: the file's SHA-256, by which it is known."""

    digest: str
    balances: tuple[BalanceText, ...]
