"""Parts: a customer's accounts of one currency, where its policy has more than one. Pure.

The ledger keeps one account, whose parts are told apart by the origins of its lots; so all that holds of accounts holds
of them together, and another mode only changes where points go from then on. Points in a part are always in lots; what
is in none is in the main part. By channel a spending may name the part that it is from; otherwise it is from all.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from hub.currencies import AccountMode, PointCurrency
from hub.errors import InvalidInput
from hub.expiry import NEVER
from hub.ledger.book import Book
from hub.ledger.lots import MAIN, NO_ORIGIN, merged, origin_of, origin_text, total
from hub.ledger.records import Customer, Piece

LABEL_MAX = 64
BY_PROFILE = frozenset({AccountMode.TYPE, AccountMode.GROUP})


def credited_part(book: Book, of: PointCurrency, customer: Customer, channel: str | None) -> str:
    """The part that points go into which a customer gets over ``channel``."""
    mode = of.policy.accounts
    if mode is AccountMode.UNIFIED:
        return MAIN
    if mode is AccountMode.CHANNEL:
        return channel or MAIN
    profile = book.profiles.get(customer.id)
    if profile is None:
        return MAIN
    if mode is AccountMode.TYPE:
        return profile.type or MAIN
    return next((group for group in of.policy.groups if is_in(profile.groups, group)), MAIN)


def spent_part(of: PointCurrency, channel: str | None) -> str | None:
    """The part that points are spent from over ``channel``; None: from all, in the order of spending."""
    return channel if of.policy.accounts is AccountMode.CHANNEL else None


def is_in(groups: Sequence[str], group: str) -> bool:
    """Whether ``group`` is one of these, or above one of them."""
    return any(one == group or one.startswith(f"{group}/") for one in groups)


def placed(
    pieces: tuple[Piece, ...], amount: int, part: str, at: datetime, giver: int | None = None
) -> tuple[Piece, ...]:
    """The lots that ``amount`` out of ``pieces`` becomes in ``part`` of the account that gets it, given to a pool by
    ``giver``. What had no lot counts as earned at ``at`` where it needs one."""
    wanted = part or None
    if wanted is None and giver is None and not any(piece.origin and _is_labelled(piece) for piece in pieces):
        return pieces
    whole = (*pieces, Piece(NEVER, at, NO_ORIGIN, amount - total(pieces)))
    return merged(_placed(piece, wanted, giver) for piece in whole)


def _is_labelled(piece: Piece) -> bool:
    origin = origin_of(piece.origin)
    return origin.part is not None or origin.giver is not None


def _placed(piece: Piece, part: str | None, giver: int | None) -> Piece:
    origin = msgspec.structs.replace(origin_of(piece.origin), part=part, giver=giver)
    return msgspec.structs.replace(piece, origin=origin_text(origin))


def check_channel(channel: str | None) -> None:
    """Pass if it can name a channel.

    Raises:
        InvalidInput: it is too long.
    """
    if channel is not None and len(channel) > LABEL_MAX:
        raise InvalidInput(channel=f"longer than {LABEL_MAX} characters")


def check_label(field: str, label: str) -> None:
    """Pass if it can name a type of customers, or a group with those above it.

    Raises:
        InvalidInput: it is blank, too long, or a level of it is blank.
    """
    if len(label) > LABEL_MAX or any(level != level.strip() or not level for level in label.split("/")):
        raise InvalidInput(**{field: label[:LABEL_MAX]})
