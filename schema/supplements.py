"""Supplements: what became of nets of a window that were not paid, signed after the window's reports."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids
from schema.context import Info
from schema.fields import field
from schema.inputs import Id
from settlement.supplementing import StoredSupplement


@strawberry.type(
    description="What became of nets of a closed window that were not paid, as far as it concerns an institution, "
    "signed after each step. It names the institution's report, which never changes, and follows the one before it."
)
class SettlementSupplement:
    number: int = strawberry.field(description="Which one it is of the institution and the window, from 1.")
    at: datetime = strawberry.field(description="When the step was done that it follows.")
    batch: str = strawberry.field(description="The journal's batch of that step.")
    payload: str = strawberry.field(description="What is signed: canonical JSON (RFC 8785).")
    jws: str = strawberry.field(description="The signature with the payload, in compact serialization (RFC 7515).")
    digest: str = strawberry.field(description="SHA-256 of the payload, hexadecimal.")
    previous_digest: str | None = strawberry.field(description="The digest of the supplement before it.")


@strawberry.type
class SupplementQuery:
    @field(
        "The supplements to an institution's report of a window, in order: of who did not pay, of who bears a part of "
        "it, even without a report, and the operator's, of all. None for whom nothing concerns, or who may not see it."
    )
    async def settlement_supplements(
        self,
        info: Info,
        window_id: Id,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
    ) -> list[SettlementSupplement]:
        context, number = info.context, ids.number(window_id, ids.WINDOW)
        async with context.read() as reader:
            home = reader.configuration.institution(institution)
            if number is None or home is None or not reader.sees(home.id):
                return []
        return [_to_supplement(one) for one in await context.supplements.of(number, home.id)]


def _to_supplement(stored: StoredSupplement) -> SettlementSupplement:
    said = stored.said
    return SettlementSupplement(
        number=said.number,
        at=said.at,
        batch=str(said.journal.batch),
        payload=stored.payload.decode(),
        jws=stored.jws,
        digest=stored.digest,
        previous_digest=said.previous_digest,
    )
