"""Customers: who they are, and what they hold. Of a customer of others only institution and reference show."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids, lookups, notices
from hub.clock import now
from hub.currencies import AccountMode
from hub.currencies import PointCurrency as Currency
from hub.holdings import Holding, OpenLot
from hub.ledger import commands, records
from hub.ledger.lots import MAIN
from hub.points import render
from hub.reading import Reader
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
    part: str | None = strawberry.field(
        description="Which of the customer's accounts of the currency they are in; null: the main one."
    )


@strawberry.type(description="One of a customer's accounts of a currency, where its policy has more than one.")
class BalancePart:
    name: str = strawberry.field(
        description="The channel, the type or the group; empty: the main account, for all that has none."
    )
    total: Decimal = strawberry.field(description="All of it.")
    available: Decimal = strawberry.field(description="What may be spent.")
    held: Decimal = strawberry.field(description="What is promised or frozen.")
    lots: list[Lot] = strawberry.field(description="The open lots, the earliest expiry first.")


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
        return [to_lot(lot, self.of) for lot in await info.context.loaders.lots.load(self.account)]

    @field("The accounts that it is in, by name: one, or what the currency's policy has made of it.")
    async def parts(self, info: Info) -> list[BalancePart]:
        return to_parts(await info.context.loaders.lots.load(self.account), self)


@strawberry.type(description="What an institution says of a customer, where it decides the customer's accounts.")
class CustomerProfile:
    type: str | None = strawberry.field(description="What the customer is, such as personal or corporate.")
    groups: list[str] = strawberry.field(description="Which groups the customer is in, as paths such as retail/gold.")


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

    @field("What the institution says of the customer; null for whoever does not see the institution from within.")
    async def profile(self, info: Info) -> CustomerProfile | None:
        found = await info.context.loaders.profiles.load((self.record.id, self.record.institution))
        return None if found is None else CustomerProfile(type=found.type, groups=list(found.groups))

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


@strawberry.input(description="What holds of a customer from now on, instead of what was said before.")
class SetCustomerProfileInput:
    customer: CustomerInput = strawberry.field(description="The customer.")
    type: str | None = strawberry.field(default=None, description="What the customer is. Default: nothing is said.")
    groups: list[str] = strawberry.field(
        default_factory=list,
        description="Which groups the customer is in, as paths: who is in retail/gold is in retail as well.",
    )


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

    @mutation(
        "Say what a customer is, where it decides the customer's accounts; points that there are stay where they are. "
        "By a trader or an administrator of the customer's institution or of one above it, or by the operator."
    )
    async def set_customer_profile(
        self, info: Info, input: Annotated[SetCustomerProfileInput, strawberry.argument(description="What holds.")]
    ) -> CustomerResult:
        command = commands.SetCustomerProfile(
            actor=info.context.actor,
            customer=party(input.customer),
            customer_type=input.type,
            groups=tuple(input.groups),
        )
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_customer(result_of(outcome, records.Customer))


async def owner_of(reader: Reader, customer: CustomerInput, *besides: int) -> records.Customer | None:
    """The customer that was asked for; None: there is none for the caller, who sees neither its institution from within
    nor one of ``besides``."""
    home = reader.configuration.institution(customer.institution)
    if home is None or not reader.sees(home.id, *besides):
        return None
    return await lookups.customer(reader, home.id, customer.reference)


def to_customer(customer: records.Customer) -> Customer:
    return Customer(
        record=customer, id=strawberry.ID(ids.text(ids.CUSTOMER, customer.id)), reference=customer.reference or ""
    )


def to_lot(lot: OpenLot, of: Currency) -> Lot:
    return Lot(
        amount=Decimal(render(lot.amount, of.scale)),
        earned_at=lot.earned_at,
        expires_at=lot.expires_at,
        part=lot.part or None,
    )


def to_parts(lots: Iterable[OpenLot], balance: Balance) -> list[BalancePart]:
    """The lots by the account that they are in; of one account all of them."""
    of, by_name = balance.of, dict[str, list[OpenLot]]()
    is_one = of.policy.accounts is AccountMode.UNIFIED
    for lot in lots:
        by_name.setdefault(MAIN if is_one else lot.part, []).append(lot)
    return [to_part(name, found, balance) for name, found in sorted(by_name.items())]


def to_part(name: str, lots: list[OpenLot], balance: Balance) -> BalancePart:
    total, held = sum(lot.amount for lot in lots), sum(lot.held for lot in lots)
    if balance.account.marks & (records.Mark.FROZEN | records.Mark.CUSTOMER_FROZEN):
        held = total
    scale = balance.of.scale
    return BalancePart(
        name=name,
        total=Decimal(render(total, scale)),
        available=Decimal(render(total - held, scale)),
        held=Decimal(render(held, scale)),
        lots=[to_lot(lot, balance.of) for lot in lots],
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
