"""Reversing: when partners have to be asked for an act's opposite, and whether they can be. Pure."""

from hub.currencies import HOSTED, PartnerState
from hub.errors import PartnerRefused, PartnerUnavailable
from hub.ledger.book import Book, Original
from hub.ledger.exchanges import deals, steps
from hub.ledger.orders import Deal, ExchangeState
from hub.ledger.records import AccountKind, Phase

_OVER_PARTNERS = frozenset({AccountKind.PARTNER, AccountKind.TRANSIT})
MOVED = "MOVED"  # in the place of a partner's reason: it did not keep the points then, or does not keep them now


def needs_partners(book: Book, original: Original) -> bool:
    """Whether an act was done over partners, or its points are kept by one by now."""
    posted = [side for leg in original.legs if leg.phase is Phase.POSTED for side in (leg.debit, leg.credit)]
    currencies = [book.configuration.currency(side.currency) for side in posted]
    kept = any(of is not None and of.adapter != HOSTED for of in currencies)
    return kept or any(side.kind in _OVER_PARTNERS for side in posted)


def check_reversal(book: Book, deal: Deal) -> None:
    """Pass if the partners can be asked for all of a reversal.

    Raises:
        PartnerUnavailable: one is halted.
        PartnerRefused: one does not do what it would be asked for, or the points have moved to or from it since.
    """
    for end, state in ((deal.gives, ExchangeState.DEBITING), (deal.takes, ExchangeState.CREDITING)):
        if end is None:
            continue
        of = deals.currency(book, end)
        if of.partner is PartnerState.HALTED:
            raise PartnerUnavailable(currency=of.code, state=of.partner.value)
        if (of.adapter != HOSTED) != (end.undoes is not None):
            raise PartnerRefused(currency=of.code, because=MOVED)
        if of.adapter != HOSTED:
            steps.check(of, end, state)
