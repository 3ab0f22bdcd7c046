"""Notices: which customers' points will end, for those who tell them."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import notices
from hub.configuration import Configuration
from hub.institutions import is_below
from hub.notices import Notice, NoticeKey
from schema.amounts import Points, to_points
from schema.connection import Connection, connect, page
from schema.context import Info
from schema.customers import Customer, to_customer
from schema.fields import field
from schema.inputs import After, First


@strawberry.type(
    description="That points of a customer will end. Made once for each end, the currency's noticeDays before; it is "
    "data for partners, who tell their customers, and the hub writes to nobody."
)
class ExpiryNotice:
    record: strawberry.Private[Notice]
    points: Points = strawberry.field(
        description="What was there when it was made; it is not made again when that changes."
    )
    expires_at: datetime = strawberry.field(description="The first instant at which they are gone.")
    noticed_at: datetime = strawberry.field(description="When it was made.")

    @field("Whose points they are.")
    def customer(self) -> Customer:
        return to_customer(self.record.customer)


@strawberry.type
class NoticeQuery:
    @field(
        "Notices of a currency's points that will end, the oldest notice first: for the currency's issuer all, for "
        "others those of customers whose institution they see from within. To go on later, continue after the last "
        "cursor."
    )
    async def expiry_notices(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The point currency's code.")],
        institution: Annotated[
            str | None,
            strawberry.argument(description="Only of customers of this institution and those below it; its code."),
        ] = None,
        since: Annotated[datetime | None, strawberry.argument(description="Only notices made from then on.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[ExpiryNotice]:
        wanted = page(first, after, "expiry_notices", tuple[datetime, int, datetime])
        found: list[Notice] = []
        async with info.context.read() as reader:
            configuration = reader.configuration
            of = configuration.currency(currency)
            if of is not None:
                homes = _homes(configuration, institution)
                if not reader.viewer.sees_all and not reader.sees(of.issuer):
                    seen = [home for home in configuration.institutions if reader.sees(home)]
                    homes = seen if homes is None else [home for home in homes if home in seen]
                found = await notices.of_currency(reader, of.code, homes, since, wanted.after, wanted.rows)
        return connect(found, wanted, lambda one: to_notice(configuration, one), _key)


def _homes(configuration: Configuration, code: str | None) -> list[int] | None:
    """The institution with this code and those below it; None without a code."""
    if code is None:
        return None
    home = configuration.institution(code)
    nodes = configuration.institutions
    return [] if home is None else [node for node in nodes if is_below(nodes, node, home.id)]


def _key(notice: Notice) -> NoticeKey:
    return notice.key


def to_notice(configuration: Configuration, notice: Notice) -> ExpiryNotice:
    of = configuration.currencies[configuration.currency_codes[notice.currency]]
    return ExpiryNotice(
        record=notice,
        points=to_points(notice.amount, of),
        expires_at=notice.expires_at,
        noticed_at=notice.noticed_at,
    )
