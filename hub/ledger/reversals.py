"""Reversals: an act's opposite, in whole or in parts, never more than the original in total. Pure.

``amount`` counts credited points. After r of T credited points are reversed in all, each leg of S units is reversed by
⌊S·r/T⌋ in all; every reversal posts the difference to what was reversed before, so the last one is exact. Money falls
into the window open now. A reversal is final: it cannot be reversed. Of a grant that was drawn on prepaid blocks what
was not drawn comes back first, and then what was drawn last, to the very block.

What an act's points repaid of a debt is owed again, in the same share; so a credit is taken back whole from who got it,
whether or not a part of it went into a debt. Of an issue its issuer may take back what is there, and have the rest owed
or written off. A contribution comes back to its giver out of the giver's own points in the pool alone; what a clearing
took of a customer comes back from breakage.

What was done over partners is taken back over them (``hub/ledger/exchanges``), one part at a time: nothing is posted
before they have done theirs, and a partner that refuses ends the reversal, and nothing else.
"""

import msgspec

from hub.access import Right
from hub.currencies import PointCurrency
from hub.errors import (
    AlreadyReversed,
    ExceedsOriginal,
    Forbidden,
    InsufficientPoints,
    InvalidInput,
    NotAMember,
    NotFound,
    NotHosted,
    ReversalPending,
)
from hub.ledger import ageing, bonuses, commands, exchanges, fees, halting, lapse, limiting, lots, prepaid, resolve
from hub.ledger.book import Book, Original
from hub.ledger.commands import ReversalShortfall
from hub.ledger.draft import Draft
from hub.ledger.lots import Lot, LotKey
from hub.ledger.records import (
    Account,
    AccountKind,
    ConversionStatus,
    Customer,
    Leg,
    Mark,
    Missing,
    Movement,
    MovementKind,
    Phase,
    Piece,
    Purpose,
)
from hub.points import parse_positive, render, share
from hub.prepaid import billed

_PERSONAL = (AccountKind.CUSTOMER, AccountKind.DEBT)


def reverse(book: Book, command: commands.Reverse) -> Draft:
    """Post the opposite legs of an act, in proportion. Asked for by the institution that acted, one above it, or the
    operator; of what a clearing took, by the points' issuer itself or the operator.

    Raises:
        NotFound: there is no such act, or not for the caller.
        AlreadyReversed, ExceedsOriginal: nothing, or less than asked, is left of it.
        ReversalPending: another part of it is being taken back over partners.
        InsufficientPoints: the points have been spent.
        NotAMember: who contributed has left the pool, and what comes back there is the pool's.
        InvalidInput: only what an issuer issued can be taken back with a shortfall.
        PartnerRefused: the points have moved to another keeper since.
        Refusal: partners have to be asked for it, see ``_accept``.
    """
    original = book.originals.get(command.id or 0)
    if original is None:
        raise NotFound
    acting = _allow(book, command.actor, original)
    done = original.movement
    halting.still_kept(book, original)
    of = resolve.currency(book, done.currency)
    if command.shortfall is not ReversalShortfall.REFUSE:
        if done.kind is not MovementKind.ISSUE:
            raise InvalidInput(shortfall=command.shortfall.value)
        resolve.allow(book, command.actor, Right.TRADE, of.issuer, exact=True)
    resolve.active(book, *_homes(original), closing=True)
    if done.kind is MovementKind.CONTRIBUTE:
        _check_membership(book, done)
    left = done.amount - original.reversed
    if left == 0:
        raise AlreadyReversed
    amount = left if command.amount is None else parse_positive(command.amount, of.scale)
    if amount > left:
        raise ExceedsOriginal(left=render(left, of.scale), requested=render(amount, of.scale))
    if book.is_being_reversed(command.id or 0):
        raise ReversalPending
    draft = Draft(book)
    if exchanges.needs_partners(book, original, amount):
        draft.result = _accept(draft, command, of, original, acting, amount)
        return draft
    draft.result = post(draft, command, original, command.id or 0, acting, amount, {})
    resolve.within_caps(draft, command.actor)
    if original.conversion is not None:
        bonuses.give_back(draft, original.conversion, original.reversed, original.reversed + amount)
        if original.reversed + amount == done.amount:
            draft.conversions.append(msgspec.structs.replace(original.conversion, status=ConversionStatus.REVERSED))
    return draft


def _accept(
    draft: Draft, command: commands.Reverse, of: PointCurrency, original: Original, acting: int, amount: int
) -> Movement:
    """Begin to take an act back that was done over partners, or whose points partners keep: what was credited is taken
    first, and nothing comes back before it was.

    Raises:
        NotHosted: the command says what becomes of points that are missing, which the partner knows alone.
        PartnerUnavailable: the partner is halted.
        PartnerRefused: it does not undo such acts, or the points were kept by somebody else when it was done.
        InsufficientPoints: the hub keeps what was credited, and it has been spent. What of it repaid a debt is not owed
            again, but has to be there like the rest.
        Frozen, CustomerClosed: nothing may leave the account of whom it was credited to, whoever keeps it.
        LimitExceeded: a cap is in the way of whoever pays back.
    """
    book = draft.book
    if command.shortfall is not ReversalShortfall.REFUSE:
        raise NotHosted(currency=of.code, act=command.shortfall.value)
    before, after = original.reversed, original.reversed + amount
    movement = _opposite(draft, command, original, command.id or 0, acting, amount, MovementKind.ACCEPT_REVERSE)
    deal = exchanges.of_reversal(book, movement, book.newest_window.id)
    exchanges.check_reversal(book, deal)
    held = None
    for leg in original.legs:
        if leg.phase is Phase.POSTED and leg.credit.kind == AccountKind.CUSTOMER and leg.debit.kind != AccountKind.DEBT:
            resolve.unfrozen(leg.credit)
            if leg.credit.available < amount:
                raise _spent(book, command.actor, movement, leg.credit.available, amount)
            held = leg.credit, _taken_back(draft, leg, before, after, amount, leg.credit.available, None)
    exchanges.accept(draft, deal, movement, held)
    draft.memos.append((movement.id, command.reason))
    return movement


def post(
    draft: Draft,
    command: commands.Reverse | commands.CancelRecord,
    original: Original,
    subject: int,
    acting: int,
    amount: int,
    free: dict[Account, int],
) -> Movement:
    """Post the opposite of the next ``amount`` of an act. ``free``: what is available of accounts that this draft has
    taken from before; it is kept up to date.

    Raises:
        InsufficientPoints: the points have been spent, and the command does not say what becomes of what is missing.
        Frozen, CustomerClosed: nothing may leave the account, unless the command says what becomes of what is missing.
    """
    done, before, after = original.movement, original.reversed, original.reversed + amount
    movement = _opposite(draft, command, original, subject, acting, amount, MovementKind.REVERSE)
    giver = done.source.id if done.kind is MovementKind.CONTRIBUTE and done.source is not None else None
    posted = [leg for leg in original.legs if leg.phase is Phase.POSTED]
    owed: dict[Account, int] = {}
    for leg in posted:
        if leg.credit.kind == AccountKind.DEBT:
            owed[leg.debit] = _part(leg.amount, before, after, done.amount) or 0
            draft.owe(movement.id, leg.debit, leg.debit, owed[leg.debit])
    for leg in posted:
        if leg.purpose is not Purpose.POINTS:
            continue
        was, now = share(before, done.amount, leg.amount), share(after, done.amount, leg.amount)
        if leg.credit.kind == AccountKind.CUSTOMER:
            _take_back(draft, command, movement, leg, was, now, owed.get(leg.credit, 0), free, giver)
        elif leg.credit.kind != AccountKind.DEBT:
            _give_back(draft, movement.id, leg, was, now, ())
    fees.post(draft, movement.id, done.money or "", fees.returned(original, *_billed(original, before, after)))
    if original.draws:
        prepaid.give_back(draft, movement, original, before, after)
    draft.movements.append(movement)
    for leg in posted:
        if leg.taken and leg.credit.kind != AccountKind.DEBT:
            lapse.expire(draft, leg.debit)
    limiting.give_back(draft, original, movement.id, before, after)
    draft.memos.append((movement.id, command.reason))
    draft.reversed[subject] = after
    return movement


def _opposite(
    draft: Draft,
    command: commands.Reverse | commands.CancelRecord,
    original: Original,
    subject: int,
    acting: int,
    amount: int,
    kind: MovementKind,
) -> Movement:
    done, before, after = original.movement, original.reversed, original.reversed + amount
    return Movement(
        id=draft.new_id(),
        kind=kind,
        at=draft.book.at,
        credential=command.actor,
        for_institution=acting,
        currency=done.currency,
        amount=amount,
        source=done.target,
        target=done.source,
        merchant=done.merchant,
        money=done.money,
        value=_part(done.value, *_billed(original, before, after)),
        fee=fees.returned_fee(original, before, after),
        subject=subject,
        terms=done.terms,
    )


def _take_back(
    draft: Draft,
    command: commands.Reverse | commands.CancelRecord,
    movement: Movement,
    leg: Leg,
    before: int,
    after: int,
    owed: int,
    free: dict[Account, int],
    giver: int | None,
) -> None:
    """Units ``before`` to ``after`` of a credit, out of what is there and the ``owed`` that has just come back from a
    debt; with ``giver`` out of this member's points in a pool alone."""
    account, units = leg.credit, after - before
    there = free.get(account, account.available)
    if giver is not None:
        there = sum(lot.free for lot in _given_by(draft, account, giver).values())
    if command.shortfall is ReversalShortfall.REFUSE:
        resolve.unfrozen(account)
        if there + owed < units:
            raise _spent(draft.book, command.actor, movement, there + owed, units)
    found = min(units, there + owed)
    free[account] = there + owed - found
    taken = _taken_back(draft, leg, before, after, found - owed, there, giver)
    _give_back(draft, movement.id, leg, before, before + found, taken)
    if missing := units - found:
        # Who has left owes nothing: nothing will ever come that could repay it.
        is_owed = command.shortfall is ReversalShortfall.DEBT and not account.marks & Mark.CLOSED
        draft.missing.append(Missing(movement.id, missing if is_owed else 0, 0 if is_owed else missing))
        if is_owed:
            draft.owe(movement.id, account, leg.debit, missing)


def _give_back(draft: Draft, movement: int, leg: Leg, before: int, after: int, taken: tuple[Piece, ...]) -> None:
    """Units ``before`` to ``after`` of a leg of points, counted from its end: what was used last comes back first, to
    the lots out of which it came."""
    given = lots.middle(leg.taken, leg.amount, before, after, backwards=True)
    if given:
        of = draft.book.configuration.currency(leg.debit.currency)
        given = ageing.returned(given, of, draft.book.at) if of is not None else given
    draft.points(movement, leg.credit, leg.debit, after - before, taken, given)


def _given_by(draft: Draft, account: Account, giver: int) -> dict[LotKey, Lot]:
    """The lots of a pool's account that are a member's and not over."""
    return {
        key: lot
        for key, lot in draft.lots_of(account).items()
        if lots.origin_of(lot.origin).giver == giver and lot.expires_at > draft.book.at
    }


def _taken_back(
    draft: Draft, leg: Leg, before: int, after: int, units: int, available: int, giver: int | None
) -> tuple[Piece, ...]:
    """The pieces of ``units`` of a credit's units ``before`` to ``after``, out of an account with so many available:
    from the lots into which they went as far as these hold them, and then like any others; with ``giver`` like others
    of this member's."""
    account = leg.credit
    if not (account.aged or draft.lots):
        return ()
    mine = draft.lots_of(account) if giver is None else _given_by(draft, account, giver)
    wanted = lots.middle(leg.given, leg.amount, before, after, backwards=True)
    wanted = lots.middle(wanted, max(units, lots.total(wanted)), 0, units, backwards=False)
    plain = units - lots.total(wanted)
    pieces: list[Piece] = []
    lacking = 0
    for piece in wanted:
        lot = mine.get((account.id, piece.expires_at, piece.origin))
        there = min(piece.amount, lot.free) if lot is not None and lot.expires_at > draft.book.at else 0
        lacking += piece.amount - there
        if there:
            pieces.append(msgspec.structs.replace(piece, amount=there))
    # What had no lot comes out of what has none, as far as there is.
    unaged = available - sum(lot.free for lot in mine.values()) - draft.book.lots_beyond.get(account.id, 0)
    lacking += max(0, plain - unaged)
    if lacking:
        left = {key: lot.copy() for key, lot in mine.items()}
        for piece in pieces:
            left[account.id, piece.expires_at, piece.origin].amount -= piece.amount
        pieces.extend(lots.take(left.values(), lacking, draft.book.at))
    return lots.merged(pieces)


def _spent(book: Book, actor: int, reversal: Movement, available: int, part: int) -> InsufficientPoints:
    """What is left of the points, told only to who sees the customer's institution from within."""
    scale = resolve.currency(book, reversal.currency).scale
    requested = render(part, scale)
    holder = reversal.source
    if holder is None or not resolve.sees(book, resolve.credential(book, actor), holder.institution):
        return InsufficientPoints(requested=requested)
    return InsufficientPoints(available=render(available, scale), requested=requested)


def _check_membership(book: Book, contribution: Movement) -> None:
    pool, giver = contribution.target, contribution.source
    membership = None if pool is None or giver is None else book.members.get((pool.id, giver.id))
    if giver is None or membership is None or membership.rights is None:
        raise NotAMember(member=giver.reference if giver is not None and giver.reference else "")


def _allow(book: Book, actor: int, original: Original) -> int:
    """The institution that reverses; who cannot even see the act is told that there is none."""
    asking, done = resolve.credential(book, actor), original.movement
    try:
        return resolve.allow(book, actor, Right.TRADE, done.for_institution, exact=done.kind is MovementKind.CLEAR)
    except Forbidden:
        if resolve.sees(book, asking, *_witnesses(original)):
            raise
        raise NotFound from None


def _witnesses(original: Original) -> list[int]:
    """To whom the act is open: a conversion at both ends, others also to who acted and to the merchant."""
    done = original.movement
    homes = [party.institution for party in _parties(original)]
    if original.conversion is None:
        homes += [done.for_institution, *([] if done.merchant is None else [done.merchant])]
    return homes


def _parties(original: Original) -> list[Customer]:
    done = original.movement
    return [party for party in (done.source, done.target) if party is not None]


def _homes(original: Original) -> set[int]:
    """The institutions whose customers, points or money the reversal touches."""
    owners = {party.institution for party in _parties(original)}
    for leg in original.legs:
        owners.update(side.owner for side in (leg.debit, leg.credit) if side.kind not in _PERSONAL)
    return owners


def _billed(original: Original, before: int, after: int) -> tuple[int, int, int]:
    """How much of what was not prepaid is reversed before and after, of how much in all."""
    total = original.movement.amount
    if not original.draws:
        return before, after, total
    return billed(sum(one.units for one in original.draws), total, before, after)


def _part(whole: int | None, before: int, after: int, total: int) -> int | None:
    return None if whole is None else share(after, total, whole) - share(before, total, whole)
