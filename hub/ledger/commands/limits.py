"""Limits on acts and balances."""

from datetime import datetime

import msgspec

from hub.ledger.commands.command import Command
from hub.limits import Act, Measure, Mode, Period, Subject


class LimitTerms(msgspec.Struct, frozen=True):
    """What all versions of a limit have in common."""

    name: str
    act: Act
    target: str | None
    institution: str | None
    subject: Subject
    period: Period
    measure: Measure
    mode: Mode
    zone: str
    notice_days: int


class SetLimit(Command, frozen=True, kw_only=True):
    """``terms``: of a new limit; None: a version of the one with this code. ``starts`` None: as soon as it may."""

    currency: str
    code: str
    amount: str
    starts: datetime | None
    terms: LimitTerms | None


class LiftLimit(Command, frozen=True, kw_only=True):
    id: int | None
    starts: datetime | None
