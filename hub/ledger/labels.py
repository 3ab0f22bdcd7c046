"""Labels: over which channel an act came, and of which product it was, in the words of who asked. Pure.

They move nothing and are asked for by analysis alone (``hub.analysis``). An act that names neither has none. They are
kept under the identifier that the act is known by, a conversion's or a movement's, so what follows from the act later,
as its completion or reversal, has them too.
"""

from hub.errors import InvalidInput
from hub.ledger import parts
from hub.ledger.draft import Draft
from hub.ledger.records import Label

PRODUCT_MAX = 64


def check(channel: str | None, product: str | None = None) -> None:
    """Pass if these can name a channel and a product.

    Raises:
        InvalidInput: a name is too long.
    """
    parts.check_channel(channel)
    if product is not None and len(product) > PRODUCT_MAX:
        raise InvalidInput(product=f"longer than {PRODUCT_MAX} characters")


def note(draft: Draft, act: int, channel: str | None, product: str | None = None) -> None:
    """Keep what was said of an act, which was checked before."""
    if channel or product:
        draft.labels.append(Label(act, channel or None, product or None))
