"""Bonuses: giving back what a conversion counted under bonus caps, when it comes to nothing or is reversed. Pure."""

from hub.ledger.draft import Draft
from hub.ledger.records import Conversion
from hub.points import share


def give_back(draft: Draft, conversion: Conversion, before: int, after: int) -> None:
    """What falls to ``before`` to ``after`` of the conversion's credited points, of S units ⌊S·r/T⌋ in all."""
    book, total = draft.book, conversion.figures.target
    rate = book.configuration.rates[conversion.rate]
    for index, counted in enumerate(conversion.figures.eligible):
        if counted and rate.bonuses[index].cap is not None:
            key = (rate.id, index, conversion.source.id)
            draft.bonus_uses[key] = book.bonus_used.get(key, 0) - (
                share(after, total, counted) - share(before, total, counted)
            )
