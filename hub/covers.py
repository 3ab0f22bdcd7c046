"""Covers: what people ask of the terms on which institutions owe, and of what these have put up."""

from collections.abc import Collection

from sqlalchemy import literal, select

from hub import lookups, tables
from hub.cover import CoverEntry, CoverProposal, CoverTerms, Pot, reach
from hub.ledger import cover_rows
from hub.ledger.cover import POTS
from hub.ledger.journal import JOURNAL_ID
from hub.reading import Reader

_account, _entry = tables.account, tables.cover_entry
_POT_OF = {int(kind): pot for pot, kind in POTS.items()}


class Standing:
    """How one institution stands in one currency, in millionths: the terms, what is in its pots, and what it owes."""

    def __init__(self, institution: int, currency: str) -> None:
        self.institution = institution
        self.currency = currency
        self.terms = CoverTerms()
        self.proposal: CoverProposal | None = None
        self.pots = dict.fromkeys(Pot, 0)
        self.exposure = 0

    @property
    def available(self) -> int | None:
        """By how much the exposure may still grow for want of cover; None: it need not be covered."""
        return reach(self.terms, self.pots[Pot.COLLATERAL]) - self.exposure if self.terms.needed else None


async def standings(reader: Reader, of: Collection[int]) -> list[Standing]:
    """Of these institutions those that have agreed on terms or put something up, by institution and currency."""
    made: dict[tuple[int, str], Standing] = {}
    for (node, currency), cover in reader.configuration.covers.items():
        if node in of:
            one = made[node, currency] = Standing(node, currency)
            one.terms, one.proposal = cover.terms, cover.proposal
    held = await reader.connection.execute(
        select(_account).where(
            _account.c.journal_id == JOURNAL_ID, _account.c.owner_id.in_(of), _account.c.kind.in_(_POT_OF)
        )
    )
    for row in held:
        key = (row.owner_id, row.currency)
        one = made.setdefault(key, Standing(*key))
        one.pots[_POT_OF[row.kind]] = row.credits_posted - row.debits_posted
    exposures = await lookups.positions(reader, {node for node, _ in made})
    for node, found in exposures.items():
        for position in found:
            if (node, position.currency) in made:
                made[node, position.currency].exposure = position.exposure
    codes = {id: node.code for id, node in reader.configuration.institutions.items()}
    return [made[key] for key in sorted(made, key=lambda key: (codes[key[0]], key[1]))]


async def entries(
    reader: Reader, of: Collection[int], currency: str | None, before: int | None, rows_max: int
) -> list[CoverEntry]:
    """What these institutions put up and took back, the newest first, from before entry ``before`` on."""
    where = _entry.c.institution_id.in_(of) & (literal(True) if before is None else _entry.c.id < before)
    if currency is not None:
        where &= _entry.c.currency == currency
    return await cover_rows.entries(reader.connection, where, most=rows_max)
