"""Agreements: asking for terms, and bringing them into force: proposed, accepted, approved, or ended."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

import strawberry

from hub import acceptance_terms, grant_terms, ids, terms, unit_values
from hub.access import Credential
from hub.configuration import Configuration
from hub.ledger import commands
from hub.registry.terms import is_visible
from hub.versions import in_force
from schema.connection import Connection, connect, page
from schema.context import Info
from schema.fields import field, mutation
from schema.inputs import After, First, Id, MoneyInput, Reason, decimal, money_text
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.terms import (
    AcceptanceTerms,
    GrantTerms,
    Terms,
    UnitValue,
    to_acceptance,
    to_grant,
    to_terms,
    to_unit_value,
)
from schema.versions import VersionStatus

T = TypeVar("T", bound=terms.Terms)
N = TypeVar("N", bound=Terms)
_Asked = tuple[str | None, str | None, datetime | None, VersionStatus | None]  # currency, institution, instant, state

TermsResult = Annotated[
    AcceptanceTerms | GrantTerms | UnitValue | Refused,
    strawberry.union("TermsResult", description="The version as it is now, or why not."),
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


@strawberry.input(description="A new version of grant terms.")
class ProposeGrantTermsInput:
    currency: str = strawberry.field(description="The point currency's code.")
    grantor: str = strawberry.field(description="The code of who may issue its points, with all below it.")
    price: MoneyInput = strawberry.field(
        description="What it pays the issuer for each point, with at most 12 decimal places."
    )
    prepaid_only: bool = strawberry.field(
        default=False, description="Whether nothing is granted beyond the prepaid blocks of whom they are agreed with."
    )
    effective_from: datetime | None = strawberry.field(
        default=None, description="When it starts, not in the past. Default: on approval."
    )
    effective_until: datetime | None = strawberry.field(
        default=None, description="The first instant at which it is over. Default: it does not end."
    )


@strawberry.input(description="A new version of a currency's unit value.")
class ProposeUnitValueInput:
    currency: str = strawberry.field(description="The point currency's code.")
    value: MoneyInput = strawberry.field(
        description="What one point is worth, in the money of the currency, with at most 12 decimal places."
    )
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
        kind = acceptance_terms.AcceptanceTerms
        return await _listed(info, kind, to_acceptance, (currency, merchant, at, status), first, after)

    @field(
        "Grant terms, in the order in which they were proposed. To the issuer, to the institution that they are agreed "
        "with, to those above these and those below it, and to the operator."
    )
    async def grant_terms(
        self,
        info: Info,
        currency: _Currency = None,
        grantor: Annotated[str | None, strawberry.argument(description="Only agreed with this institution.")] = None,
        at: _At = None,
        status: _Status = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[GrantTerms]:
        wanted = (currency, grantor, at, status)
        return await _listed(info, grant_terms.GrantTerms, to_grant, wanted, first, after)

    @field(
        "Unit values that took the place of those that currencies were registered with, in the order in which they "
        "were proposed. Approved ones are open to all; others to the issuer, those above it and the operator."
    )
    async def unit_values(
        self,
        info: Info,
        currency: _Currency = None,
        at: _At = None,
        status: _Status = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[UnitValue]:
        wanted = (currency, None, at, status)
        return await _listed(info, unit_values.UnitValue, to_unit_value, wanted, first, after)


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

    @mutation(
        "Propose terms on which another institution issues points. By an administrator of the issuer or of the "
        "grantor, who thereby agrees to them, or by the operator."
    )
    async def propose_grant_terms(
        self, info: Info, input: Annotated[ProposeGrantTermsInput, strawberry.argument(description="The terms.")]
    ) -> TermsResult:
        command = commands.ProposeGrantTerms(
            actor=info.context.actor,
            currency=input.currency,
            grantor=input.grantor,
            price=money_text(input.price),
            prepaid_only=input.prepaid_only,
            starts=input.effective_from,
            ends=input.effective_until,
        )
        return await _configure(info, command)

    @mutation("Propose what a currency's points are worth. By an administrator of the issuer, or by the operator.")
    async def propose_unit_value(
        self, info: Info, input: Annotated[ProposeUnitValueInput, strawberry.argument(description="The value.")]
    ) -> TermsResult:
        command = commands.ProposeUnitValue(
            actor=info.context.actor,
            currency=input.currency,
            value=money_text(input.value),
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


async def _listed(
    info: Info, kind: type[T], mapped: Callable[[T], N], asked: _Asked, first: int | None, after: str | None
) -> Connection[N]:
    wanted = page(first, after, kind.__name__, tuple[int])
    async with info.context.read() as reader:
        configuration, viewer = reader.configuration, reader.viewer
    kept = [one for one in configuration.terms.values() if isinstance(one, kind)]
    last = 0 if wanted.after is None else wanted.after[0]
    found = [one for one in matching(configuration, viewer, kept, *asked) if one.id > last]
    return connect(found[: wanted.rows], wanted, mapped, lambda one: (one.id,))


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


def _number(id: strawberry.ID) -> int | None:
    return ids.number(id, ids.ACCEPTANCE_TERMS, ids.GRANT_TERMS, ids.UNIT_VALUE)


async def _configure(info: Info, command: commands.Command) -> AcceptanceTerms | GrantTerms | UnitValue | Refused:
    outcome = await info.context.submit(command)
    if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
        return no
    return to_terms(result_of(outcome, terms.Terms))
