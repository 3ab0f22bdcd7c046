"""Freezes of amounts: points that must not be spent until somebody decides, as on a return or a suspicion. Pure.

What is available is frozen, and pins its lots like a hold without an end; what is not there is kept as a shortfall.
A freeze is decided once: its points are free again, or they are taken away. Then the shortfall is taken from what is
available at that moment, and what is missing even so is owed or written off, as the currency's policy has it.
"""

import msgspec

from hub.currencies import PointCurrency, Shortfall
from hub.errors import CustomerClosed, FreezeResolved, NotFound
from hub.expiry import NEVER
from hub.ledger import commands, holds, lapse, lots, resolve
from hub.ledger.book import Book
from hub.ledger.commands import FreezeOutcome
from hub.ledger.draft import Draft
from hub.ledger.records import (
    AccountKind,
    Hold,
    HoldAct,
    HoldKind,
    HoldStatus,
    Mark,
    Missing,
    Movement,
    MovementKind,
    Phase,
)
from hub.points import parse_positive


def freeze(book: Book, command: commands.FreezePoints) -> Draft:
    """customer → issuance:C, pending, as far as points are available. Asked for by the currency's issuer, or by the
    customer's institution.

    Raises:
        CustomerClosed: the customer has left.
    """
    of = resolve.currency(book, command.currency)
    home = resolve.institution(book, command.customer.institution)
    acting = resolve.guard(book, command.actor, of, home.id)
    resolve.hosted(of, "FREEZE")
    resolve.reason(command.reason)
    amount = parse_positive(command.amount, of.scale)
    customer = resolve.known_customer(book, command.customer, home)
    draft = Draft(book)
    account = draft.account(AccountKind.CUSTOMER, customer.id, of.code)
    if account.marks & Mark.CLOSED:
        raise CustomerClosed
    frozen = min(amount, account.available)
    made = Hold(
        id=draft.new_id(),
        kind=HoldKind.FREEZE,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        customer=customer,
        currency=of.code,
        amount=frozen,
        shortfall=amount - frozen,
        expires_at=NEVER,
    )
    holds.pin(draft, made, account, of, MovementKind.FREEZE)
    draft.memos.append((made.id, command.reason))
    draft.result = HoldAct(made.id, made)
    return draft


def resolve_freeze(book: Book, command: commands.ResolveFreeze) -> Draft:
    """Decide a freeze. It is released by whoever froze, or by the currency's issuer; points are taken away by their
    issuer alone.

    Raises:
        NotFound: there is no such freeze, or not for the caller.
        FreezeResolved: it has been decided.
    """
    held = book.holds.get(command.freeze or 0)
    if held is None or held.kind is not HoldKind.FREEZE:
        raise NotFound
    of = resolve.currency(book, held.currency)
    asking = resolve.credential(book, command.actor)
    if not resolve.sees(book, asking, held.customer.institution, held.for_institution, of.issuer):
        raise NotFound
    removes = command.outcome is FreezeOutcome.REMOVE
    acting = resolve.guard(book, command.actor, of, None if removes else held.for_institution)
    resolve.reason(command.reason)
    if held.status is not HoldStatus.HELD:
        raise FreezeResolved(status="RELEASED" if held.status is HoldStatus.RELEASED else "REMOVED")
    draft = Draft(book)
    if removes:
        decided = _remove(draft, held, of, command.actor, acting)
    else:
        decided = lapse.release(draft, held, HoldStatus.RELEASED, command.actor)
    id = decided.resolved_by or 0
    draft.memos.append((id, command.reason))
    draft.result = HoldAct(id, decided)
    return draft


def _remove(draft: Draft, held: Hold, of: PointCurrency, credential: int, acting: int) -> Hold:
    """customer → issuance:C for what is frozen, and for the shortfall as far as points are available; the rest of it is
    DEBT → issuance:C, or missing for good."""
    book = draft.book
    account = draft.account(AccountKind.CUSTOMER, held.customer.id, of.code)
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    pins = book.pins.get(held.id, ())
    more = min(held.shortfall, account.available)
    spent = draft.spend(account, more)  # before the pins are free
    missing = held.shortfall - more
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.REMOVE,
        at=book.at,
        credential=credential,
        for_institution=acting,
        currency=of.code,
        amount=held.amount + more,
        source=held.customer,
        subject=held.id,
    )
    draft.points(movement.id, account, issuance, held.amount, pins, (), Phase.VOIDED)
    draft.points(movement.id, account, issuance, held.amount + more, lots.merged([*pins, *spent]))
    if missing:
        is_owed = of.policy.shortfall is Shortfall.DEBT
        draft.missing.append(Missing(movement.id, missing if is_owed else 0, 0 if is_owed else missing))
        draft.owe(movement.id, account, issuance, missing if is_owed else 0)
    draft.movements.append(movement)
    decided = msgspec.structs.replace(held, status=HoldStatus.CAPTURED, captured=held.amount, resolved_by=movement.id)
    draft.holds.append(decided)
    return decided
