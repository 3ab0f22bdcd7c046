"""Breakage: points that are taken from a customer without anything in return, because they are over, because they are
cleared, or because their owner leaves. Pure."""

from hub.ledger import resolve
from hub.ledger.draft import Draft
from hub.ledger.records import Account, AccountKind, Customer, Movement, MovementKind, Piece


def take(
    draft: Draft,
    kind: MovementKind,
    account: Account,
    amount: int,
    pieces: tuple[Piece, ...],
    customer: Customer,
    *,
    credential: int,
    acting: int | None = None,
    subject: int | None = None,
) -> Movement:
    """customer → breakage:C, for ``amount`` of a customer's account, of which ``pieces`` are in lots. ``acting``: who
    takes them; None: their issuer. ``subject``: what took them, if it is on record."""
    of = resolve.currency(draft.book, account.currency)
    movement = Movement(
        id=draft.new_id(),
        kind=kind,
        at=draft.book.at,
        credential=credential,
        for_institution=of.issuer if acting is None else acting,
        currency=of.code,
        amount=amount,
        source=customer,
        subject=subject,
    )
    draft.points(movement.id, account, draft.account(AccountKind.BREAKAGE, of.issuer, of.code), amount, pieces)
    draft.movements.append(movement)
    return movement
