"""Terms: versions of the price of a currency's points with an institution, and who sees them."""

from datetime import datetime
from typing import Any

import strawberry

from hub import acceptance_terms, grant_terms, terms, unit_values
from hub.registry.terms import is_visible
from schema.amounts import Money, to_money, to_percent, to_price
from schema.context import Context, Info
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.enums import publish
from schema.fields import field
from schema.node import Node
from schema.scalars import Decimal
from schema.versions import VersionStatus

publish(
    terms.Step,
    "TermsStep",
    "Whose word proposed terms still need.",
    ISSUER="The issuer accepts them.",
    MERCHANT="The merchant, or the institution below which the points are taken, accepts them.",
    GRANTOR="Who is to grant the points accepts them.",
    OPERATOR="Another person than the proposer approves them for the operator.",
)


@strawberry.interface(description="One version of terms between a point currency's issuer and an institution.")
class Terms(Node):
    record: strawberry.Private[terms.Terms]
    version: int = strawberry.field(description="Numbered from 1 for each currency and institution.")
    status: VersionStatus = strawberry.field(description="Where it is in its life.")
    awaiting: list[terms.Step] = strawberry.field(description="Whose word it still needs.")
    effective_from: datetime | None = strawberry.field(
        description="When it starts; null until it is approved, if that is when it is to start."
    )
    effective_until: datetime | None = strawberry.field(description="The first instant at which it is over.")
    proposed_by: str = strawberry.field(description="The person who proposed it.")
    accepted_by: list[str] = strawberry.field(description="The persons who accepted it for the parties.")
    decided_by: str | None = strawberry.field(description="The person who approved, rejected or withdrew it.")

    @field("The points.")
    def currency(self, info: Info) -> PointCurrency:
        return to_currency(info.context.configuration.currencies[self.record.currency])

    @field("What one point is worth by it.")
    def price(self) -> Money:
        return to_price(self.record.price, self.record.money)


@strawberry.type(
    description="The terms on which a currency's points are taken at a merchant, or at all below an institution. The "
    "nearest institution's rule; where there are none, the unit value is paid without a fee."
)
class AcceptanceTerms(Terms):
    fee_percent: Decimal | None = strawberry.field(description="The fee's part in percent of the value; 30 means 30 %.")

    @field("The merchant, or the institution at all below which the points are taken.")
    def merchant(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.node)

    @field(
        "The fee's fixed part. The fee is charged to the merchant: fixed + per point + percent of the value, then the "
        "cap; rounded half up to the millionth."
    )
    def fee_fixed(self) -> Money | None:
        return _money(self._terms.fee_fixed, self._terms.money)

    @field("The fee's part per point.")
    def fee_per_point(self) -> Money | None:
        value = self._terms.fee_per_point
        return None if value is None else to_price(value, self._terms.money)

    @field("The most that the fee comes to.")
    def fee_cap(self) -> Money | None:
        return _money(self._terms.fee_cap, self._terms.money)

    @property
    def _terms(self) -> acceptance_terms.AcceptanceTerms:
        if not isinstance(self.record, acceptance_terms.AcceptanceTerms):
            raise TypeError(type(self.record).__name__)
        return self.record


@strawberry.type(
    description="The terms on which an institution other than the issuer issues a currency's points, and all below it; "
    "it pays the issuer the price for each that it has not prepaid. The nearest institution's rule."
)
class GrantTerms(Terms):
    prepaid_only: bool = strawberry.field(
        description="Whether nothing is granted beyond the prepaid blocks of whom they are agreed with."
    )

    @field("Who may issue the points.")
    def grantor(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.node)


@strawberry.type(description="What one point of a currency is worth, instead of what it was registered with.")
class UnitValue(Terms):
    pass


async def terms_by_id(context: Context, id: int) -> Terms | None:
    """Terms, for those for whom they exist."""
    async with context.read() as reader:
        found = reader.configuration.terms.get(id)
        if found is None or not is_visible(reader.configuration, reader.viewer, found):
            return None
    return to_terms(found)


def seen(info: Info, id: int | None) -> terms.Terms | None:
    """The terms of an act, if they exist for the viewer."""
    configuration = info.context.configuration
    found = configuration.terms.get(id or 0)
    return found if found is not None and is_visible(configuration, info.context.viewer, found) else None


def to_terms(found: terms.Terms) -> AcceptanceTerms | GrantTerms | UnitValue:
    """The node that a version of terms is.

    Raises:
        LookupError: it is none.
    """
    match found:
        case acceptance_terms.AcceptanceTerms():
            return to_acceptance(found)
        case grant_terms.GrantTerms():
            return to_grant(found)
        case unit_values.UnitValue():
            return to_unit_value(found)
        case _:
            raise LookupError(type(found).__name__)


def to_acceptance(found: acceptance_terms.AcceptanceTerms) -> AcceptanceTerms:
    percent = None if found.fee_percent is None else to_percent(found.fee_percent)
    return AcceptanceTerms(fee_percent=percent, **_common(found))


def to_grant(found: grant_terms.GrantTerms) -> GrantTerms:
    return GrantTerms(prepaid_only=found.prepaid_only, **_common(found))


def to_unit_value(found: unit_values.UnitValue) -> UnitValue:
    return UnitValue(**_common(found))


def _common(found: terms.Terms) -> dict[str, Any]:
    return {
        "record": found,
        "id": strawberry.ID(found.name),
        "version": found.version,
        "status": found.status,
        "awaiting": list(found.awaiting),
        "effective_from": found.starts,
        "effective_until": found.ends,
        "proposed_by": found.proposed_by,
        "accepted_by": list(found.accepted_by),
        "decided_by": found.decided_by,
    }


def _money(millionths: int | None, currency: str) -> Money | None:
    return None if millionths is None else to_money(millionths, currency)
