"""Point currencies: what a point is, who owes it, what it is worth and what may be done with it.

A currency's code, issuer and scale never change. Its code is never that of money (ISO 4217), because a ledger that
holds both must not confuse them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.points import MONEY_SCALE, PRICE_SCALE, half_up


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


class HeldExpiry(StrEnum):
    """What becomes of held points whose lot ends: they are good until the hold ends, or they are gone like others."""

    HONOUR = "HONOUR"
    EXPIRE = "EXPIRE"


class Shortfall(StrEnum):
    """What becomes of points that are to be taken away and have been spent: a debt of the customer's, or nothing."""

    DEBT = "DEBT"
    WRITE_OFF = "WRITE_OFF"


class AccountMode(StrEnum):
    """How many accounts of the currency a customer has: one, or one for each channel over which points come, for each
    type that the customer has been of, or for each of the currency's groups."""

    UNIFIED = "UNIFIED"
    CHANNEL = "CHANNEL"
    TYPE = "TYPE"
    GROUP = "GROUP"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a currency's points are kept. Days are days of its time zone.

    ``hold_days_max``: how long a hold may last. ``grace_days``: how long points stay that come back after their lot has
    ended; 0: they are gone at once. ``notice_days``: how long before their end customers are told. ``keeps_age``:
    whether points are kept apart by the day on which they were earned, so that they can be cleared by it; without it,
    those that never end have no age, and of others it is known by their end. ``accounts``: into which of a customer's
    accounts points go. ``groups``: for GROUP those that have an account, the first that a customer is in decides.
    ``needs_terms``: whether only merchants with acceptance terms take the points; otherwise all do, at the unit value.
    """

    hold_days_max: int = 30
    held_expiry: HeldExpiry = HeldExpiry.HONOUR
    grace_days: int = 0
    shortfall: Shortfall = Shortfall.DEBT
    notice_days: int = 30
    keeps_age: bool = False
    accounts: AccountMode = AccountMode.UNIFIED
    groups: tuple[str, ...] = ()
    needs_terms: bool = False


class PartnerState(StrEnum):
    """How things stand with the partner who keeps a currency: it takes part; it is about to leave, so that nothing new
    is begun and what was begun ends; or nothing is asked of it either, until somebody has looked."""

    ACTIVE = "ACTIVE"
    LEAVING = "LEAVING"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True)
class Relocating:
    """A relocation of a currency's balances that has not ended. ``halts_at``: from then on nothing new is begun; None:
    it is not approved yet. ``fixed``: no balance changes any more until it has ended."""

    id: int
    halts_at: datetime | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class PointCurrency:
    """One point currency. ``unit_value`` is in 10^-12 of ``money`` (ISO 4217) per whole point; ``time_zone`` (IANA) is
    that of the programme's calendar. ``adapter`` keeps the balances, and changes by a relocation alone; ``connection``
    is its configuration with the secrets sealed (``adapters/registry.py``), empty where the hub keeps them itself.
    ``operations`` and ``partial``: what the partner declared when it was connected that it does, and of which of these
    it does a part (``hub.partners.Operation``)."""

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
    time_zone: str = "UTC"
    policy: Policy = Policy()
    connection: str = ""
    partner: PartnerState = PartnerState.ACTIVE
    partner_reason: str = ""  # of a state other than ACTIVE
    operations: tuple[str, ...] = ("CREDIT", "DEBIT", "REVERSE")
    partial: tuple[str, ...] = ()
    relocation: Relocating | None = None


def halts(of: PointCurrency, at: datetime) -> bool:
    """Whether nothing new is begun with a currency at ``at``, because its balances are moving to another keeper."""
    moving = of.relocation
    return moving is not None and moving.halts_at is not None and moving.halts_at <= at


def worth(of: PointCurrency, units: int) -> int:
    """``units`` smallest units at the unit value, in millionths of ``of.money``, HALF_UP."""
    return half_up(of.unit_value * units, 10 ** (of.scale + PRICE_SCALE - MONEY_SCALE))


HOSTED = "hosted"  # the hub itself keeps the balances
