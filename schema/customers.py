"""Customers: who they are, and what they hold. Of a customer of others only institution and reference show."""

from collections import Counter
from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, notices
from hub.clock import now
from hub.currencies import PointCurrency as Currency
from hub.holdings import Holding
from hub.ledger import commands, records
from hub.points import render
from hub.registry.currencies import DAYS_MAX
from schema.amounts import Points, to_points
from schema.context import Info
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.fields import field, mutation
from schema.inputs import CustomerInput, party
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal


@strawberry.type(description="Points that were earned together and end together.")
class Lot:
    amount: Decimal = strawberry.field(description="What is left of them.")
    earned_at: datetime = strawberry.field(description="When they were earned, the oldest of them.")
    expires_at: datetime | None = strawberry.field(
        description="The first instant at which they are gone; null: they do not end."
    )


@strawberry.type(description="What a customer holds of one currency.")
class Balance:
    of: strawberry.Private[Currency]
    account: strawberry.Private[records.Account]
    total: Decimal = strawberry.field(description="All of it; points that are over are not there any more.")
    available: Decimal = strawberry.field(description="What may be spent: the total less what is held and frozen.")
    held: Decimal = strawberry.field(description="What is promised and not yet spent.")
    frozen: Decimal = strawberry.field(description="What must not be spent until somebody decides.")
    debt: Decimal = strawberry.field(description="What the customer owes of it; not part of the total.")

    @field("The currency.")
    def currency(self) -> PointCurrency:
        return to_currency(self.of)

    @field("The open lots, the earliest expiry first; held and frozen points are in theirs.")
    async def lots(self, info: Info) -> list[Lot]:
        found = await info.context.loaders.lots.load(self.account)
        return [
            Lot(amount=Decimal(render(lot.amount, self.of.scale)), earned_at=lot.earned_at, expires_at=lot.expires_at)
            for lot in found
        ]


@strawberry.type(description="A card, number or telephone that names a customer now.")
class BoundIdentifier:
    identifier: str = strawberry.field(description="Its last four characters; of a short one none.")
    since: datetime = strawberry.field(description="Since when.")


@strawberry.type(description="Points of a customer that will end together.")
class ExpiringPoints:
    points: Points = strawberry.field(description="What is left of them, with what of it is held or frozen.")
    expires_at: datetime = strawberry.field(description="The first instant at which they are gone.")


@strawberry.type(description="A customer, as its institution knows it.")
class Customer(Node):
    record: strawberry.Private[records.Customer]
    reference: str = strawberry.field(description="What the institution calls the customer; empty once it was erased.")

    @field("The customer's institution.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)

    @field("What the customer holds, by currency; empty for whoever does not see the institution from within.")
    async def balances(self, info: Info) -> list[Balance]:
        found = await info.context.loaders.balances.load((self.record.id, self.record.institution))
        configuration = info.context.configuration
        return [
            to_balance(holding, of)
            for holding in found
            if (of := configuration.currency(holding.account.currency)) is not None
        ]

    @field(
        "The cards, numbers and telephones that name the customer now, in place of the reference; empty for whoever "
        "does not see the institution from within."
    )
    async def identifiers(self, info: Info) -> list[BoundIdentifier]:
        found = await info.context.loaders.identifiers.load((self.record.id, self.record.institution))
        return [BoundIdentifier(identifier=one.identifier.masked, since=one.made.at) for one in found]

    @field("What will end soon, the earliest first; empty for whoever does not see the institution from within.")
    async def expiring(
        self,
        info: Info,
        within: Annotated[
            int, strawberry.argument(description="How many days at most, of each currency's calendar; 0: today.")
        ],
    ) -> list[ExpiringPoints]:
        holdings = await info.context.loaders.balances.load((self.record.id, self.record.institution))
        at, days = now(), min(max(within, 0), DAYS_MAX)
        found: list[ExpiringPoints] = []
        for holding in holdings:
            of = info.context.configuration.currency(holding.account.currency)
            if of is None:
                continue
            horizon, ends = notices.horizon(of, at, days), Counter[datetime]()
            for lot in await info.context.loaders.lots.load(holding.account):
                if lot.expires_at is not None and at < lot.expires_at <= horizon:
                    ends[lot.expires_at] += lot.amount
            found.extend(ExpiringPoints(points=to_points(units, of), expires_at=end) for end, units in ends.items())
        return sorted(found, key=lambda one: (one.expires_at, one.points.currency))


CustomerResult = Annotated[
    Customer | Refused, strawberry.union("CustomerResult", description="The customer, or why there is none.")
]


@strawberry.type
class CustomerQuery:
    @field(
        "The customer that an institution knows by this reference; or, for whoever sees the institution from within, "
        "whom an identifier names now."
    )
    async def customer(
        self,
        info: Info,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
        reference: Annotated[str, strawberry.argument(description="What the institution calls the customer.")],
    ) -> Customer | None:
        async with info.context.read() as reader:
            home = reader.configuration.institution(institution)
            found = None if home is None else await lookups.customer(reader, home.id, reference)
        return None if found is None else to_customer(found)


@strawberry.type
class CustomerMutation:
    @mutation("Enroll a customer of an institution. By a trader of it or of one above it, or by the operator.")
    async def enroll_customer(
        self, info: Info, input: Annotated[CustomerInput, strawberry.argument(description="The customer.")]
    ) -> CustomerResult:
        command = commands.EnrollCustomer(actor=info.context.actor, customer=party(input))
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_customer(result_of(outcome, records.Customer))


def to_customer(customer: records.Customer) -> Customer:
    return Customer(
        record=customer, id=strawberry.ID(ids.text(ids.CUSTOMER, customer.id)), reference=customer.reference or ""
    )


def to_balance(holding: Holding, of: Currency) -> Balance:
    def shown(units: int) -> Decimal:
        return Decimal(render(units, of.scale))

    return Balance(
        of=of,
        account=holding.account,
        total=shown(holding.total),
        available=shown(holding.available),
        held=shown(holding.held),
        frozen=shown(holding.frozen),
        debt=shown(holding.debt),
    )
