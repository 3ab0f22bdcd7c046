"""What the model's institutions have agreed: currencies and how their points are kept, rates, and limits."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from tests.properties.model.calendar import period


@dataclass(frozen=True)
class Currency:
    code: str
    issuer: str
    scale: int
    value: Fraction  # of one point, in money
    transferable: bool = True
    ends: str = "NEVER"
    months: int | None = None
    zone: str = "UTC"


@dataclass(frozen=True)
class Policy:
    """How a currency's points are kept now. ``owes``: what is missing becomes a debt; ``by_channel``: points that come
    over a channel are in a part of their own."""

    hold_days: int = 30
    honours: bool = True
    grace_days: int = 0
    keeps_age: bool = False
    owes: bool = True
    by_channel: bool = False


@dataclass(frozen=True)
class Bonus:
    percent: Fraction | None = None
    per_block: int | None = None  # target units
    block: int | None = None  # source units
    cap: int | None = None  # source units
    paid: bool = True


@dataclass(frozen=True)
class Rate:
    source: Currency
    target: Currency
    ratio: Fraction
    price: Fraction
    bonuses: tuple[Bonus, ...] = ()
    minimum: int | None = None
    step: int | None = None
    fee_fixed: Fraction = Fraction(0)
    fee_per_point: Fraction = Fraction(0)
    fee_percent: Fraction = Fraction(0)
    fee_cap: Fraction | None = None
    carried: bool = False


@dataclass
class Limit:
    """How much of an act there may be, in smallest units of the currency, or in millionths where it is of money."""

    code: str
    act: str
    currency: str
    subject: str
    period: str
    of_money: bool
    clips: bool
    zone: str
    target: str | None
    institution: str | None
    versions: list["Version"] = field(default_factory=list)

    def period_at(self, at: datetime) -> str:
        """The period that it counts in then."""
        return period(self.period, self.zone, at)

    def version(self, at: datetime) -> "Version | None":
        """What holds then."""
        begun = [version for version in self.versions if version.starts <= at]
        return max(begun, key=lambda version: version.starts) if begun else None


@dataclass(frozen=True)
class Version:
    """From when on which amount holds; None: none does."""

    number: int
    starts: datetime
    amount: int | None
