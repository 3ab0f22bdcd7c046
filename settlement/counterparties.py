"""Counterparties: what one institution owes each other one by its acts in a window, and is owed.

The same figures as those of the bilateral statement (``settlement.renderings.bilateral``), of all others at once, also
while the window is open. They are no nets: what is paid is netted over all institutions, and rounded there.
"""

from dataclasses import dataclass

from hub.ledger import journal
from hub.ledger.records import Window
from hub.reading import Reader
from settlement.legs import Legs


@dataclass(frozen=True, slots=True)
class BilateralFigure:
    """What an institution owes ``other`` by their lines in one currency, and is owed by it; exact, in millionths."""

    other: int
    currency: str
    lines: int
    owes_millionths: int
    owed_millionths: int


async def figures(reader: Reader, window: Window, institution: int) -> list[BilateralFigure]:
    """One for each counterparty and currency, ordered by the counterparty's code and the currency; of an open window as
    the reader's snapshot has it."""
    head = None if window.closed_in is not None else await journal.look(reader.connection)
    legs = await Legs.of(reader.connection, reader.configuration, window, None if head is None else head.batch)
    sums: dict[tuple[int, str], list[int]] = {}
    for one in await legs.owed(reader.connection, institution):
        owes = one.payer == institution
        of = sums.setdefault((one.payee if owes else one.payer, one.currency), [0, 0, 0])
        of[0] += one.lines
        of[1 if owes else 2] += one.amount_millionths
    codes = reader.configuration.institutions
    ordered = sorted(sums.items(), key=lambda item: (codes[item[0][0]].code, item[0][1]))
    return [BilateralFigure(other, currency, *of) for (other, currency), of in ordered]
