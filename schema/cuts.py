"""Cuts of a settlement window: its figures by the tree, and by economic zones, each leg counted once."""

from enum import Enum
from typing import Annotated

import strawberry

from hub import cuts, ids, lookups
from hub.configuration import Configuration
from hub.money import format_millionths
from schema.context import Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field
from schema.inputs import Id
from schema.scalars import Decimal


class SettlementCut(Enum):
    TREE = "TREE"
    ZONE = "ZONE"


publish(
    SettlementCut,
    "SettlementCut",
    "How a window's figures are divided.",
    TREE="The institution's own acts, and each of its children with all below it, where they stood in that window.",
    ZONE="By the economic zone in which each institution was at each act.",
)


@strawberry.type(description="One part of a cut, in one currency. Over a cut, every act's money is counted once.")
class SettlementShare:
    institution: Institution | None = strawberry.field(description="Whose part it is, in a cut by the tree.")
    zone: str | None = strawberry.field(description="Of which zone, in a cut by zones; null: of none.")
    currency: str = strawberry.field(description="ISO 4217.")
    debit: Decimal = strawberry.field(description="What is owed by acts, exactly.")
    credit: Decimal = strawberry.field(description="What is owed to it by acts, exactly.")


@strawberry.type
class CutQuery:
    @field(
        "What an institution and all below it owe and are owed by the acts of a window, open or closed, divided. Both "
        "divisions have the same totals. Null: there is no such window or institution for the caller."
    )
    async def settlement_cut(
        self,
        info: Info,
        window_id: Id,
        by: Annotated[SettlementCut, strawberry.argument(description="How it is divided.")],
        institution: Annotated[
            str | None, strawberry.argument(description="The institution's code. Default: the caller's own.")
        ] = None,
    ) -> list[SettlementShare] | None:
        number = ids.number(window_id, ids.WINDOW)
        async with info.context.read() as reader:
            configuration = reader.configuration
            own = configuration.institutions[reader.viewer.institution]
            top = own if institution is None else configuration.institution(institution)
            if number is None or top is None or not reader.sees(top.id):
                return None
            window = (await lookups.windows(reader, {number})).get(number)
            if window is None:
                return None
            cut = cuts.by_tree if by is SettlementCut.TREE else cuts.by_zone
            found = await cut(reader, window, top.id)
        return [to_share(configuration, share) for share in found]


def to_share(configuration: Configuration, share: cuts.Share) -> SettlementShare:
    return SettlementShare(
        institution=None if share.institution is None else institution_of(configuration, share.institution),
        zone=share.zone,
        currency=share.currency,
        debit=Decimal(format_millionths(share.debit, share.currency)),
        credit=Decimal(format_millionths(share.credit, share.currency)),
    )
