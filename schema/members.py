"""Members: customers as the partner who keeps a currency finds them."""

from typing import Annotated

import strawberry

from hub import members
from hub.access import Role
from hub.errors import Forbidden, InvalidInput, Refusal, UnknownCurrency
from hub.points import render
from schema.context import Info
from schema.fields import field
from schema.refusals import Refused, refused
from schema.scalars import JSON, Decimal


@strawberry.type(description="A customer as the partner who keeps its points finds it.")
class PartnerMember:
    reference: str = strawberry.field(description="How the partner knows it; the reference to convert with.")
    available: Decimal | None = strawberry.field(
        description="What it can spend; null where the partner does not tell, or the caller does not see the issuer."
    )
    may_spend: bool = strawberry.field(description="Whether the partner would let it spend.")
    may_earn: bool = strawberry.field(description="Whether the partner would let it earn.")


PartnerMemberResult = Annotated[
    PartnerMember | Refused, strawberry.union("PartnerMemberResult", description="The member, or why it was not asked.")
]


@strawberry.type
class MemberQuery:
    @field(
        "A member of the partner who keeps a currency, found at the partner by the fields that the currency's "
        "`memberLookup` names; null if it finds nobody. For traders, of whichever institution."
    )
    async def partner_member(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The currency's code.")],
        fields: Annotated[JSON, strawberry.argument(description="The fields by name, as text.")],
    ) -> PartnerMemberResult | None:
        context = info.context
        async with context.read() as reader:
            if not reader.viewer.operates and Role.INSTITUTION_TRADER not in reader.viewer.roles:
                raise Forbidden
            of = reader.configuration.currency(currency)
            is_told = of is not None and reader.sees(of.issuer)
        try:
            if of is None:
                raise UnknownCurrency(currency=currency)
            if not isinstance(fields, dict):
                raise InvalidInput(fields="They are no object.")
            found = await members.find(context.adapters, of, fields)
        except Refusal as refusal:
            return refused(refusal, context.incoming.language)
        if found is None:
            return None
        member, scale = found
        available = None if member.available is None or not is_told else Decimal(render(member.available, scale))
        return PartnerMember(
            reference=member.reference, available=available, may_spend=member.may_spend, may_earn=member.may_earn
        )
