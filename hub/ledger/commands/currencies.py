"""Point currencies, their policies and their partners."""

import msgspec

from hub.currencies import AccountMode, ExpiryKind, HeldExpiry, PartnerState, RateConsent, Shortfall
from hub.ledger.commands.command import Command, Connection


class MoneyText(msgspec.Struct, frozen=True):
    amount: str
    currency: str


class PolicyTerms(msgspec.Struct, frozen=True):
    """What is left out stays as it is; for a new currency, as ``hub.currencies.Policy`` has it."""

    hold_days_max: int | None = None
    held_expiry: HeldExpiry | None = None
    grace_days: int | None = None
    shortfall: Shortfall | None = None
    notice_days: int | None = None
    keeps_age: bool | None = None
    accounts: AccountMode | None = None
    groups: tuple[str, ...] | None = None
    needs_terms: bool | None = None


class RegisterPointCurrency(Command, frozen=True, kw_only=True):
    code: str
    name: str
    issuer: str
    scale: int
    unit_value: MoneyText
    expiry: ExpiryKind
    expiry_months: int | None
    transferable: bool
    cashable: bool
    rate_consent: RateConsent
    adapter: str
    time_zone: str = "UTC"
    policy: PolicyTerms = PolicyTerms()
    connection: Connection | None = None  # of an adapter; where the hub keeps the balances there is none


class SetAdapterConfig(Command, frozen=True, kw_only=True):
    currency: str
    connection: Connection
    instead_of: str | None = None  # SHA-256, in hexadecimal, of the text that it replaces; None: of whichever


class SetPartnerState(Command, frozen=True, kw_only=True):
    currency: str
    state: PartnerState
    reason: str


class SetPointsPolicy(Command, frozen=True, kw_only=True):
    currency: str
    policy: PolicyTerms
