"""Holds: points that are promised until an instant, then captured or free again. Pure.

A hold makes points pending, and pins the lots that they would be spent from. It is resolved once: captured, in whole or
in part, with the rest free again; released; or over when its time is, by the database's clock, swept or not. Held
points whose lot ends are honoured until the hold ends, or lost to it, as the currency's policy has it.
"""

from datetime import timedelta

import msgspec

from hub.access import Right
from hub.currencies import HeldExpiry, PointCurrency
from hub.errors import (
    ExceedsHeld,
    HoldExpired,
    HoldResolved,
    InvalidInput,
    NotFound,
    PointsExpired,
    TransferForbidden,
)
from hub.ledger import commands, labels, lapse, limiting, lots, parts, redeeming, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import (
    Account,
    AccountKind,
    Customer,
    Hold,
    HoldAct,
    HoldKind,
    HoldStatus,
    Movement,
    MovementKind,
    Phase,
    Piece,
)
from hub.limits import Act
from hub.points import parse_positive, render


def hold(book: Book, command: commands.HoldPoints) -> Draft:
    """customer → issuance:C, pending. Asked for by the customer's institution.

    Raises:
        InvalidInput: the hold would end in the past, or last longer than the currency's policy lets it.
        InsufficientPoints: fewer points are available.
    """
    of = resolve.currency(book, command.currency)
    home = resolve.institution(book, command.customer.institution)
    acting = resolve.allow(book, command.actor, Right.TRADE, home.id)
    resolve.hosted(of, "HOLD")
    resolve.active(book, of.issuer, home.id)
    amount = parse_positive(command.amount, of.scale)
    labels.check(command.channel)
    latest = book.at + timedelta(days=of.policy.hold_days_max)
    if not book.at < command.expires_at <= latest:
        raise InvalidInput(expiresAt=command.expires_at.isoformat(), latest=latest.isoformat())
    customer = resolve.known_customer(book, command.customer, home)
    draft = Draft(book)
    part = parts.spent_part(of, command.channel)
    account = resolve.spendable(draft, customer, of, amount, part, command.by)
    made = Hold(
        id=draft.new_id(),
        kind=HoldKind.HOLD,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        customer=customer,
        currency=of.code,
        amount=amount,
        shortfall=0,
        expires_at=command.expires_at,
    )
    pin(draft, made, account, of, MovementKind.HOLD, part)
    labels.note(draft, made.id, command.channel)
    if command.memo:
        draft.memos.append((made.id, command.memo))
    draft.result = HoldAct(made.id, made)
    return draft


def pin(
    draft: Draft, made: Hold, account: Account, of: PointCurrency, kind: MovementKind, part: str | None = None
) -> None:
    """Make a hold's points pending, and pin the lots that they would be spent from; of one part if it is named."""
    draft.movements.append(
        Movement(
            id=made.id,
            kind=kind,
            at=made.at,
            credential=made.credential,
            for_institution=made.for_institution,
            currency=of.code,
            amount=made.amount,
            source=made.customer,
        )
    )
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    pins = draft.spend(account, made.amount, part)
    draft.points(made.id, account, issuance, made.amount, pins, (), Phase.PENDING)
    draft.holds.append(made)
    draft.pins[made.id] = pins


def capture(book: Book, command: commands.CaptureHold) -> Draft:
    """Take held points: customer → customer, → issuance:C (burned), or burned at a merchant, whom the issuer pays then,
    as for a redemption. What is not taken is free again. Under limits it counts as a transfer or a
    redemption, when it is captured. Asked for by the customer's institution.

    Raises:
        NotFound: there is no such hold, or not for the caller.
        HoldExpired, HoldResolved: there is nothing to take any more.
        ExceedsHeld: more was asked than is held.
        NotAccepted: the merchant does not take the currency.
        TransferForbidden: to another customer, and points of the currency cannot pass to one.
    """
    held, acting = _open_hold(book, command.actor, command.hold)
    of = resolve.currency(book, held.currency)
    home = held.customer.institution
    if command.target is not None and command.merchant is not None:
        raise InvalidInput(merchant=command.merchant, to=command.target.reference)
    away = None if command.target is None else resolve.institution(book, command.target.institution)
    merchant = None if command.merchant is None else resolve.institution(book, command.merchant)
    resolve.active(book, of.issuer, home, closing=True)
    resolve.active(book, *(one.id for one in (away, merchant) if one is not None))
    pins = book.pins.get(held.id, ())
    usable, within = _usable(book, held, of, pins, burned=away is None)
    amount = within if command.amount is None else parse_positive(command.amount, of.scale)
    if amount > within:
        raise ExceedsHeld(held=render(within, of.scale), requested=render(amount, of.scale))
    if not amount:
        raise PointsExpired(currency=of.code)
    draft = Draft(book)
    taker = None
    if command.target is not None and away is not None:
        taker = resolve.credited_customer(draft, command.target, away)
        _check_taker(of, held.customer, taker)
    account = draft.account(AccountKind.CUSTOMER, held.customer.id, of.code)
    resolve.unfrozen(account)
    paid = None if merchant is None else redeeming.payment_of(book, of, merchant.id, amount)
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.CAPTURE,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        amount=amount,
        source=held.customer,
        target=taker,
        merchant=None if merchant is None else merchant.id,
        money=None if paid is None else paid.money,
        value=None if paid is None else paid.value,
        fee=None if paid is None else paid.fee,
        subject=held.id,
        terms=None if paid is None else paid.terms,
    )
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    draft.points(movement.id, account, issuance, held.amount, pins, (), Phase.VOIDED)
    taken = lots.middle(usable, within, 0, amount, backwards=False)
    if taker is None:
        draft.points(movement.id, account, issuance, amount, taken)
    else:
        given = parts.placed(taken, amount, parts.credited_part(book, of, taker, None), book.at)
        draft.points(movement.id, account, draft.account(AccountKind.CUSTOMER, taker.id, of.code), amount, taken, given)
    if merchant is not None and paid is not None:
        redeeming.pay(draft, movement, of)
        resolve.within_caps(draft, command.actor)
    draft.movements.append(movement)
    if taker is None:
        limiting.count(
            draft, movement, Act.REDEEM, of, held.customer, amount, value=None if paid is None else paid.value
        )
    else:
        limiting.count(draft, movement, Act.TRANSFER, of, held.customer, amount)
        limiting.count(draft, movement, Act.RECEIVE, of, taker, amount)
    resolved = msgspec.structs.replace(held, status=HoldStatus.CAPTURED, captured=amount, resolved_by=movement.id)
    draft.holds.append(resolved)
    lapse.expire(draft, account)
    draft.result = HoldAct(movement.id, resolved)
    return draft


def _usable(
    book: Book, held: Hold, of: PointCurrency, pins: tuple[Piece, ...], *, burned: bool
) -> tuple[tuple[Piece, ...], int]:
    """The pins that may be taken, and how many points with those that have no lot. Points whose lot has ended are
    honoured by burning them only: to another customer they would be worth nothing."""
    if burned and of.policy.held_expiry is HeldExpiry.HONOUR:
        return pins, held.amount
    live = tuple(piece for piece in pins if piece.expires_at > book.at)
    return live, held.amount - lots.total(pins) + lots.total(live)


def _check_taker(of: PointCurrency, giver: Customer, taker: Customer) -> None:
    if taker.id == giver.id:
        raise InvalidInput(to="the same customer")
    if not of.transferable:
        raise TransferForbidden(currency=of.code)


def release(book: Book, command: commands.ReleaseHold) -> Draft:
    """End a hold; its points are free again. Asked for by the customer's institution.

    Raises:
        NotFound: there is no such hold, or not for the caller.
        HoldExpired, HoldResolved: it has ended already.
    """
    held, _ = _open_hold(book, command.actor, command.hold)
    resolve.active(book, held.customer.institution, closing=True)
    draft = Draft(book)
    released = lapse.release(draft, held, HoldStatus.RELEASED, command.actor)
    draft.result = HoldAct(released.resolved_by or 0, released)
    return draft


def _open_hold(book: Book, actor: int, id: int | None) -> tuple[Hold, int]:
    """The hold, if it is open, and the institution that acts on it."""
    found = book.holds.get(id or 0)
    asking = resolve.credential(book, actor)
    if found is None or found.kind is not HoldKind.HOLD or not resolve.sees(book, asking, found.customer.institution):
        raise NotFound
    acting = resolve.allow(book, actor, Right.TRADE, found.customer.institution)
    match found.status_at(book.at):
        case HoldStatus.EXPIRED:
            raise HoldExpired(expiresAt=found.expires_at.isoformat())
        case HoldStatus.HELD:
            return found, acting
    raise HoldResolved(status=found.status.value)
