"""What has to be covered: an act that worsens an exposure passes as far as collateral and line reach. Pure.

One that improves an exposure always does, whatever is missing. Beside the cap on the same exposure: that is how much
somebody may owe, this is what has to be there for it.
"""

from hub.cover import reach
from hub.errors import InsufficientLiquidity
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind
from hub.money import format_millionths


def check_cover(draft: Draft) -> None:
    """Pass if no exposure that has to be covered is worsened beyond the cover.

    Raises:
        InsufficientLiquidity: with the node, its exposure as it would be, and what it has put up.
    """
    book = draft.book
    covers = book.configuration.covers
    for node, currency, exposure in draft.worsened(covers):
        terms = covers[node, currency].terms
        collateral = held(book, AccountKind.COLLATERAL, node, currency)
        if not terms.needed or exposure <= reach(terms, collateral) or exposure <= book.exposure(node, currency):
            continue
        raise InsufficientLiquidity(
            institution=book.configuration.institutions[node].code,
            currency=currency,
            exposure=format_millionths(exposure, currency),
            cover=format_millionths(reach(terms, collateral), currency),
            collateral=format_millionths(collateral, currency),
            line=format_millionths(terms.line, currency),
        )


def held(book: Book, kind: AccountKind, owner: int, currency: str) -> int:
    """What an account of an institution's holds, in millionths."""
    found = book.accounts.get((kind, owner, currency))
    return 0 if found is None else found.balance
