"""Cover: on which terms a member owes, and what it has put up for it, in one currency. Pure.

The terms are configuration, like a cap's: what eases them needs two persons. What was put up is money at the settlement
bank that the hub keeps for somebody: collateral for its own debts, a contribution to the default fund for everybody's,
liquidity to pay at once with, and what was recovered for it after a default. Amounts are in millionths.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from hub.points import share

WHOLE: Final = 1_000_000  # a haircut of all, in millionths of the collateral
DUE_DAYS: Final = 1  # after a window closed, where no terms say otherwise


class Pot(StrEnum):
    """What money at the settlement bank was put up for."""

    COLLATERAL = "COLLATERAL"
    FUND = "FUND"
    LIQUIDITY = "LIQUIDITY"  # to pay at once, where each act is
    RECOVERED = "RECOVERED"  # nobody puts it up: a debtor has paid later, to who had been cut


@dataclass(frozen=True, slots=True)
class CoverTerms:
    """``needed``: whether what worsens the exposure must be covered. ``line``: how much of it need not be. ``haircut``:
    what of the collateral does not count, in millionths. ``fund``: the agreed contribution to the default fund.
    ``due_days``: after how many days from the end of a window its net is due."""

    needed: bool = False
    line: int = 0
    haircut: int = 0
    fund: int = 0
    due_days: int = DUE_DAYS


@dataclass(frozen=True, slots=True)
class CoverProposal:
    """Easier terms, that wait for a second person."""

    id: int
    terms: CoverTerms
    person: str
    institution: int  # the person's
    at: datetime


@dataclass(frozen=True, slots=True)
class Cover:
    """The terms of one institution in one currency. ``set_by``: the person whose word brought them to what they are;
    None: nobody's yet. ``rejected``: why the last proposal was, if it was."""

    id: int
    institution: int
    currency: str
    terms: CoverTerms = CoverTerms()
    set_by: str | None = None
    proposal: CoverProposal | None = None
    rejected: str | None = None


NO_TERMS: Final = CoverTerms()


def eases(before: CoverTerms, after: CoverTerms) -> bool:
    """Whether terms allow more after a change than before it. A line and a haircut mean nothing as long as nothing need
    be covered."""
    weaker = not after.needed or after.line > before.line or after.haircut < before.haircut
    return (before.needed and weaker) or after.fund < before.fund or after.due_days > before.due_days


def reach(terms: CoverTerms, collateral: int) -> int:
    """How far an exposure may go: the line, and what is left of the collateral after the haircut, rounded down."""
    return terms.line + share(WHOLE - terms.haircut, WHOLE, collateral)


class EntryStatus(StrEnum):
    """The life of what is put into a pot or taken out of it."""

    PROPOSED = "PROPOSED"
    POSTED = "POSTED"
    REJECTED = "REJECTED"


class CoverEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the bank moved into a pot (``amount`` above zero) or out of it, as one person recorded it and another
    decided on it, by ``decision``. ``movement``: what was posted then."""

    id: int
    at: datetime
    credential: int
    institution: int
    pot: Pot
    currency: str
    amount: int
    value_date: str | None
    reference: str
    status: EntryStatus = EntryStatus.PROPOSED
    decision: int | None = None
    decided_by: int | None = None
    decided_at: datetime | None = None
    movement: int | None = None
