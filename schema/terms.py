"""Terms: versions of the price of a currency's points with an institution, and how one comes into force."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, TypeVar

import strawberry

from hub import acceptance_terms, ids, terms
from hub.access import Credential
from hub.configuration import Configuration
from hub.ledger import commands
from hub.registry.terms import is_visible
from hub.versions import in_force
from schema.amounts import Money, to_money, to_percent, to_price
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, PointCurrency, institution_of, to_currency
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First, Id, MoneyInput, Reason, decimal, money_text
from schema.node import Node
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.versions import VersionStatus

T = TypeVar("T", bound=terms.Terms)

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


TermsResult = Annotated[
    AcceptanceTerms | Refused, strawberry.union("TermsResult", description="The version as it is now, or why not.")
]


@strawberry.input(description="A new version of acceptance terms. All money of one version is in one currency.")
class ProposeAcceptanceTermsInput:
    currency: str = strawberry.field(description="The point currency's code.")
    merchant: str = strawberry.field(
        description="The code of the merchant, or of an institution at all below which the points are taken."
    )
    price: MoneyInput = strawberry.field(
        description="What the issuer pays for each point, with at most 12 decimal places."
    )
    fee_fixed: MoneyInput | None = strawberry.field(default=None, description="The fee's fixed part.")
    fee_per_point: MoneyInput | None = strawberry.field(
        default=None, description="The fee's part per point, with at most 12 decimal places."
    )
    fee_percent: Decimal | None = strawberry.field(
        default=None, description="The fee's part in percent of the value; 30 means 30 %."
    )
    fee_cap: MoneyInput | None = strawberry.field(default=None, description="The most that the fee comes to.")
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )


_Currency = Annotated[str | None, strawberry.argument(description="Only of this point currency.")]
_At = Annotated[datetime | None, strawberry.argument(description="Only what is in force at this instant.")]
_Status = Annotated[VersionStatus | None, strawberry.argument(description="Only in this state.")]


@strawberry.type
class TermsQuery:
    @field(
        "Acceptance terms, in the order in which they were proposed. To the issuer, to the institution that they are "
        "agreed with, to those above these and those below it, and to the operator."
    )
    async def acceptance_terms(
        self,
        info: Info,
        currency: _Currency = None,
        merchant: Annotated[str | None, strawberry.argument(description="Only agreed with this institution.")] = None,
        at: _At = None,
        status: _Status = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[AcceptanceTerms]:
        wanted = page(first, after, tuple[int])
        async with info.context.read() as reader:
            configuration, viewer = reader.configuration, reader.viewer
        kept = [one for one in configuration.terms.values() if isinstance(one, acceptance_terms.AcceptanceTerms)]
        found = matching(configuration, viewer, kept, currency, merchant, at, status)
        following = [one for one in found if wanted.after is None or one.id > wanted.after[0]]
        return connect(following[: wanted.rows], wanted, to_acceptance, lambda one: (one.id,))


@strawberry.type
class TermsMutation:
    @mutation(
        "Propose terms on which points are taken. By an administrator of the issuer or of the merchant's side, who "
        "thereby agrees to them, or by the operator."
    )
    async def propose_acceptance_terms(
        self, info: Info, input: Annotated[ProposeAcceptanceTermsInput, strawberry.argument(description="The terms.")]
    ) -> TermsResult:
        command = commands.ProposeAcceptanceTerms(
            actor=info.context.actor,
            currency=input.currency,
            merchant=input.merchant,
            price=money_text(input.price),
            fee_fixed=money_text(input.fee_fixed),
            fee_per_point=money_text(input.fee_per_point),
            fee_percent=decimal(input.fee_percent),
            fee_cap=money_text(input.fee_cap),
            starts=input.effective_from,
            ends=input.effective_until,
        )
        return await _configure(info, command)

    @mutation("Accept terms for a party. By an administrator of the party that they await.")
    async def accept_terms(self, info: Info, id: Id) -> TermsResult:
        return await _configure(info, commands.AcceptTerms(actor=info.context.actor, id=_number(id)))

    @mutation(
        "Approve terms: they are in force from their start on. By another person of the operator's than who proposed "
        "them."
    )
    async def approve_terms(self, info: Info, id: Id) -> TermsResult:
        return await _configure(info, commands.ApproveTerms(actor=info.context.actor, id=_number(id)))

    @mutation("End terms that are not approved. By the operator, or by an administrator of a party.")
    async def reject_terms(self, info: Info, id: Id, reason: Reason) -> TermsResult:
        return await _configure(info, commands.RejectTerms(actor=info.context.actor, id=_number(id), reason=reason))

    @mutation(
        "End approved terms; what was done under them stands. By the operator, or by an administrator of a party."
    )
    async def withdraw_terms(self, info: Info, id: Id, reason: Reason) -> TermsResult:
        return await _configure(info, commands.WithdrawTerms(actor=info.context.actor, id=_number(id), reason=reason))


def matching(
    configuration: Configuration,
    viewer: Credential,
    kept: Sequence[T],
    currency: str | None,
    node: str | None,
    at: datetime | None,
    status: VersionStatus | None,
) -> list[T]:
    """The versions that the arguments ask for and the viewer may see, by identifier."""
    of, party = configuration.currency(currency or ""), configuration.institution(node or "")
    if (currency is not None and of is None) or (node is not None and party is None):
        return []
    return [
        one
        for one in sorted(kept, key=lambda one: one.id)
        if (of is None or one.currency == of.id)
        and (party is None or one.node == party.id)
        and (status is None or one.status is status)
        and (at is None or in_force(configuration.approved_terms(one), at) is one)
        and is_visible(configuration, viewer, one)
    ]


async def terms_by_id(context: Context, id: int) -> Terms | None:
    """Terms, for those for whom they exist."""
    async with context.read() as reader:
        found = reader.configuration.terms.get(id)
        if found is None or not is_visible(reader.configuration, reader.viewer, found):
            return None
    return to_terms(found)


def to_terms(found: terms.Terms) -> AcceptanceTerms:
    """The node that a version of terms is.

    Raises:
        LookupError: it is none.
    """
    if isinstance(found, acceptance_terms.AcceptanceTerms):
        return to_acceptance(found)
    raise LookupError(type(found).__name__)


def to_acceptance(found: acceptance_terms.AcceptanceTerms) -> AcceptanceTerms:
    return AcceptanceTerms(
        record=found,
        id=strawberry.ID(found.name),
        version=found.version,
        status=found.status,
        awaiting=list(found.awaiting),
        fee_percent=None if found.fee_percent is None else to_percent(found.fee_percent),
        effective_from=found.starts,
        effective_until=found.ends,
        proposed_by=found.proposed_by,
        accepted_by=list(found.accepted_by),
        decided_by=found.decided_by,
    )


def _money(millionths: int | None, currency: str) -> Money | None:
    return None if millionths is None else to_money(millionths, currency)


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.ACCEPTANCE_TERMS)


async def _configure(info: Info, command: commands.Command) -> AcceptanceTerms | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_terms(result_of(outcome, terms.Terms))
