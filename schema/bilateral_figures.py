"""Bilateral figures: what an institution owes each other one by its acts in a window, and is owed."""

from typing import Annotated

import strawberry

from hub import ids, lookups
from hub.money import format_millionths
from schema.context import Info
from schema.directory import Institution, institution_of
from schema.fields import field
from schema.inputs import Id
from schema.scalars import Decimal
from settlement import counterparties


@strawberry.type(
    description="What an institution owes another one by the lines of a window in one currency, and is owed by it. It "
    "is no net: what is paid is netted over all institutions, and rounded there."
)
class BilateralFigure:
    record: strawberry.Private[counterparties.BilateralFigure]
    currency: str = strawberry.field(description="ISO 4217.")
    count: int = strawberry.field(description="How many lines there are between the two.")
    debit: Decimal = strawberry.field(description="What it owes the other one, exactly.")
    credit: Decimal = strawberry.field(description="What the other one owes it, exactly.")
    balance: Decimal = strawberry.field(description="Credit less debit.")

    @field("The other one.")
    def counterparty(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.other)


@strawberry.type
class BilateralQuery:
    @field(
        "What an institution owes each counterparty by its acts in a window, open or closed, and is owed, as its "
        "bilateral statements have it; null: there is no such window or institution for the caller."
    )
    async def bilateral_figures(
        self,
        info: Info,
        window_id: Id,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
        counterparty: Annotated[
            str | None, strawberry.argument(description="Only with this institution, by its code.")
        ] = None,
    ) -> list[BilateralFigure] | None:
        number = ids.number(window_id, ids.WINDOW)
        async with info.context.read() as reader:
            home = reader.configuration.institution(institution)
            if number is None or home is None or not reader.sees(home.id):
                return None
            window = (await lookups.windows(reader, {number})).get(number)
            if window is None:
                return None
            found = await counterparties.figures(reader, window, home.id)
            other = None if counterparty is None else reader.configuration.institution(counterparty)
        if counterparty is not None:
            found = [one for one in found if other is not None and one.other == other.id]
        return [_to_figure(one) for one in found]


def _to_figure(figure: counterparties.BilateralFigure) -> BilateralFigure:
    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, figure.currency))

    return BilateralFigure(
        record=figure,
        currency=figure.currency,
        count=figure.lines,
        debit=shown(figure.owes_millionths),
        credit=shown(figure.owed_millionths),
        balance=shown(figure.owed_millionths - figure.owes_millionths),
    )
