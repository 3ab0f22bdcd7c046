"""Reversing: when partners have to be asked for an act's opposite, and whether they can be. Pure."""

from hub.currencies import HOSTED, PartnerState
from hub.errors import PartnerUnavailable
from hub.ledger.book import Book, Original
from hub.ledger.exchanges import deals, steps
from hub.ledger.orders import Deal, ExchangeState
from hub.ledger.records import AccountKind, Phase
from hub.points import share

_OVER_PARTNERS = frozenset({AccountKind.PARTNER, AccountKind.TRANSIT})


def needs_partners(book: Book, original: Original, amount: int) -> bool:
    """Whether the next ``amount`` of an act that comes back came over partners, or is of points that one keeps by now.
    So small a part that nothing of what partners keep falls to it needs none."""
    total, before, after = original.movement.amount, original.reversed, original.reversed + amount
    for leg in original.legs:
        if leg.phase is not Phase.POSTED or share(before, total, leg.amount) == share(after, total, leg.amount):
            continue
        for side in (leg.debit, leg.credit):
            of = book.configuration.currency(side.currency)
            if side.kind in _OVER_PARTNERS or (of is not None and of.adapter != HOSTED):
                return True
    return False


def check_reversal(book: Book, deal: Deal) -> None:
    """Pass if the partners can be asked for all of a reversal.

    Raises:
        PartnerUnavailable: one is halted.
        PartnerRefused: one does not do what it would be asked for.
    """
    for end, state in ((deal.gives, ExchangeState.DEBITING), (deal.takes, ExchangeState.CREDITING)):
        if end is None:
            continue
        of = deals.currency(book, end)
        if of.partner is PartnerState.HALTED:
            raise PartnerUnavailable(currency=of.code, state=of.partner.value)
        if of.adapter != HOSTED:
            steps.check(of, end, state)
