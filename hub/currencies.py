"""Point currencies: what a point is, who owes it, what it is worth and what may be done with it.

A currency's code, issuer and scale never change. Its code is never that of money (ISO 4217), because a ledger that
holds both must not confuse them.
"""

from dataclasses import dataclass
from enum import StrEnum


class ExpiryKind(StrEnum):
    """When points end; the months count from the day they were earned."""

    NEVER = "NEVER"
    MONTHS_AFTER_EARNING = "MONTHS_AFTER_EARNING"
    END_OF_MONTH = "END_OF_MONTH"
    END_OF_YEAR = "END_OF_YEAR"


class RateConsent(StrEnum):
    """Who agrees to a rate for the issuer: the issuer itself, or the operator to whom it left that."""

    ISSUER = "ISSUER"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Expiry:
    """A currency's expiry policy; ``months`` for MONTHS_AFTER_EARNING, else None or how many periods are added."""

    kind: ExpiryKind
    months: int | None


@dataclass(frozen=True, slots=True)
class PointCurrency:
    """One point currency. ``unit_value`` is in 10^-12 of ``money`` (ISO 4217) per whole point."""

    id: int
    code: str
    name: str
    issuer: int
    scale: int
    unit_value: int
    money: str
    expiry: Expiry
    transferable: bool
    cashable: bool
    rate_consent: RateConsent
    adapter: str


HOSTED = "hosted"  # the hub itself keeps the balances
