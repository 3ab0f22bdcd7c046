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


def note(draft: Draft, act: int, channel: str | None, product: str | None = None) -> None:
    """Keep what was said of an act.

    Raises:
        InvalidInput: a name is too long.
    """
    if not channel and not product:
        return
    parts.check_channel(channel)
    if product is not None and len(product) > PRODUCT_MAX:
        raise InvalidInput(product=f"longer than {PRODUCT_MAX} characters")
    draft.labels.append(Label(act, channel or None, product or None))
