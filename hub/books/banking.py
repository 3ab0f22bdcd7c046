"""Segregated bank accounts: where the money is that the hub keeps for its members, and what a bank says of it. Pure.

An account is for one purpose in one currency: the collateral of everybody or of one institution, the default fund, or
what was paid ahead for points. There is one for each, so that a day's figure of the books stands against one balance of
a bank's. Amounts are in millionths.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import msgspec

_NUMBER = re.compile(r"[0-9A-Z][0-9A-Z.\-/]{0,33}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")


class BankPurpose(StrEnum):
    """What the money of a segregated account is for."""

    COLLATERAL = "COLLATERAL"  # put up for one's own debts, and what was recovered for who had been cut
    FUND = "FUND"
    LIQUIDITY = "LIQUIDITY"  # put up to pay with where each act is paid at once
    PREPAID = "PREPAID"


@dataclass(frozen=True, slots=True)
class BankAccount:
    """``number``: an IBAN or an account number as the bank spells it, without spaces. ``institution``: whose money
    alone it is; None: that of all who have no account of their own. It is compared from the day ``since`` on, and up to
    the last day ``until``."""

    number: str
    currency: str
    purpose: BankPurpose
    name: str
    since: date
    until: date | None = None
    institution: int | None = None

    def holds(self, day: date) -> bool:
        """Whether the account is compared on a day."""
        return self.since <= day and (self.until is None or day <= self.until)

    def overlaps(self, other: "BankAccount") -> bool:
        """Whether there is a day on which both are compared."""
        first, second = sorted((self, other), key=lambda one: one.since)
        return first.holds(second.since)

    @property
    def subject(self) -> tuple[BankPurpose, str, int | None]:
        """What of the books it is compared with."""
        return self.purpose, self.currency, self.institution


class BankBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank says that an account held at the end of a day. ``statement``: the bank's own identifier."""

    id: int
    file: int
    number: str
    currency: str
    day: date
    amount: int
    statement: str


class BankFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a bank's statements that was taken; ``digest``: its SHA-256."""

    id: int
    credential: int
    digest: str
    balances: int


def account_number(text: str) -> str | None:
    """An account number in its one spelling; None: it is none, or an IBAN whose check digits are wrong (ISO 7064,
    MOD 97-10)."""
    number = "".join(text.split()).upper()
    if not _NUMBER.fullmatch(number):
        return None
    if _IBAN.fullmatch(number):
        digits = "".join(str(int(one, 36)) for one in number[4:] + number[:4])
        if int(digits) % 97 != 1:
            return None
    return number
