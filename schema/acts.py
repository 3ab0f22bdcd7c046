"""Acts: what moves points, as far as partners that keep them have done their part."""

from datetime import datetime
from enum import StrEnum

import strawberry

from hub.errors import stored
from hub.ledger import orders, records
from hub.ledger.orders import ExchangeState
from hub.ledger.records import ACCEPTED
from schema.context import Context, Info
from schema.enums import publish
from schema.fields import field
from schema.node import Node
from schema.refusals import Refused, refused


class ActStatus(StrEnum):
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    IN_DOUBT = "IN_DOUBT"


publish(
    ActStatus,
    "ActStatus",
    "Where an act is. One on points that the hub keeps itself is done at once.",
    PENDING="A partner has not answered yet.",
    COMPLETED="It is done.",
    REFUSED="A partner refused, and nothing is changed; what another one had done is undone.",
    IN_DOUBT="It is unknown what a partner did; it is asked again.",
)


@strawberry.interface(description="Something that was done with points, for which a partner may have to be asked.")
class Act(Node):
    record: strawberry.Private[records.Movement]
    posted_at: datetime = strawberry.field(
        description="When it was posted; where a partner had to be asked, when it was accepted."
    )
    replayed: bool = strawberry.field(description="Whether this is the answer that was given before under this key.")
    sequence: str = strawberry.field(description="Its place in the order of all acts, as a decimal number.")

    @field("Where it is; as it is now, replayed or not.")
    async def status(self, info: Info) -> ActStatus:
        found = await self._exchange(info.context)
        if found is None or found.state is ExchangeState.COMPLETED:
            return ActStatus.COMPLETED
        if not found.is_under_way:
            return ActStatus.REFUSED
        return ActStatus.IN_DOUBT if found.in_doubt else ActStatus.PENDING

    @field("When it was done; null as long as it is not.")
    async def completed_at(self, info: Info) -> datetime | None:
        if self.record.kind not in ACCEPTED:
            return self.record.at
        return await info.context.loaders.completions.load(self.record.id)

    @field("Why a partner refused it, if one did.")
    async def refusal(self, info: Info) -> Refused | None:
        found = await self._exchange(info.context)
        if found is None or found.refusal is None or found.is_under_way:
            return None
        return refused(stored(found.refusal, found.details or {}), info.context.incoming.language)

    async def _exchange(self, context: Context) -> orders.Exchange | None:
        if self.record.kind not in ACCEPTED:
            return None
        return await context.loaders.exchanges.load(self.record.id)
