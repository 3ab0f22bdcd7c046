"""Completing: what an exchange promised is posted. Pure."""

import msgspec

from hub.currencies import HOSTED
from hub.ledger import ageing, bonuses, fees, lapse, limiting, lots, parts
from hub.ledger.draft import Draft
from hub.ledger.exchanges import deals
from hub.ledger.orders import Deal, End, Exchange, ExchangeState
from hub.ledger.records import (
    Account,
    AccountKind,
    ConversionStatus,
    HoldStatus,
    Movement,
    MovementKind,
    Phase,
    Piece,
)
from hub.points import share


def deliver(draft: Draft, deal: Deal, credential: int) -> None:
    """issuance:D → partner:D: it has given the points. What they are for is held elsewhere, and still to be taken."""
    if deal.takes is None:
        raise ValueError("nobody to give to")
    end = deal.takes
    made = deals.way(draft, deal, MovementKind.DELIVER, credential)
    movement = msgspec.structs.replace(made, currency=end.currency, amount=end.amount, target=end.customer)
    draft.movements.append(movement)
    _give(draft, deal, end, movement, ())


def complete(draft: Draft, exchange: Exchange) -> Exchange:
    """transit:C → issuance:C, or the held points → issuance:C; issuance:D → partner:D, or → customer, if that is not
    posted yet; and the money, in the window open now for it. It was promised, so no cap or limit is asked again.
    Answers the exchange as it is then."""
    deal = draft.book.deals[exchange.id]
    movement = _movement(draft, deal)
    taken = () if deal.gives is None else _burn(draft, deal.gives, movement)
    if deal.takes is not None and not exchange.is_held:
        _give(draft, deal, deal.takes, movement, taken)
    deals.unposted(draft, deal, movement.id, Phase.VOIDED)
    draft.promised = True
    fees.post(draft, movement.id, deal.money or "", deal.payments)
    draft.movements.append(movement)
    if deal.reverses is not None:
        _reversed(draft, deal, deal.reverses, movement)
    window = draft.book.window_of(deal.money or "", deal.payments, promised=True).id
    return msgspec.structs.replace(exchange, state=ExchangeState.COMPLETED, order=None, in_doubt=False, window=window)


def _movement(draft: Draft, deal: Deal) -> Movement:
    made = msgspec.structs.replace(deals.way(draft, deal, deal.kind, deal.credential), terms=deal.terms)
    if deal.kind is not MovementKind.CONVERT or deal.takes is None:
        return made
    credited = deal.takes  # a conversion is counted in what it becomes
    return msgspec.structs.replace(made, currency=credited.currency, amount=credited.amount, target=deal.target)


def _burn(draft: Draft, end: End, movement: Movement) -> tuple[Piece, ...]:
    """Answers the lots that the points came out of, if the hub kept them."""
    book, of = draft.book, deals.currency(draft.book, end)
    burned = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    held = book.holds.get(movement.subject or 0)
    if held is None:
        _, transit = deals.between(draft, of)
        draft.points(movement.id, transit, burned, end.amount)
        return ()
    account = draft.account(AccountKind.CUSTOMER, held.customer.id, held.currency)
    taken = book.pins.get(held.id, ())
    draft.points(movement.id, account, burned, held.amount, taken, (), Phase.VOIDED)
    draft.points(movement.id, account, burned, held.amount, taken)
    ended = {"status": HoldStatus.CAPTURED, "captured": held.amount, "resolved_by": movement.id}
    draft.holds.append(msgspec.structs.replace(held, **ended))
    return taken


def _give(draft: Draft, deal: Deal, end: End, movement: Movement, taken: tuple[Piece, ...]) -> None:
    of = deals.currency(draft.book, end)
    issued = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    if of.adapter != HOSTED:
        partner, _ = deals.between(draft, of)
        draft.points(movement.id, issued, partner, end.amount)
        return
    taker = draft.account(AccountKind.CUSTOMER, end.customer.id, of.code)
    given = _converted(draft, deal, end, taken) if deal.reverses is None else _returned(draft, deal, taker, movement)
    draft.points(movement.id, issued, taker, end.amount, given=given)


def _converted(draft: Draft, deal: Deal, end: End, taken: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The lots that converted points come into."""
    book, of = draft.book, deals.currency(draft.book, end)
    conversion = book.conversions[deal.id]
    rate = book.configuration.rates[conversion.rate]
    source, figures = book.configuration.currencies[rate.source], conversion.figures
    made = ageing.converted(taken, figures.source, figures.target, source, of, rate.life, book.at)
    return parts.placed(made, end.amount, parts.credited_part(book, of, end.customer, None), book.at)


def _returned(draft: Draft, deal: Deal, taker: Account, movement: Movement) -> tuple[Piece, ...]:
    """The lots that reversed points come back into: those that they came out of, the last one first."""
    original = draft.book.originals[deal.reverses or 0]
    total, of = original.movement.amount, draft.book.configuration.currency(taker.currency)
    for leg in original.legs:
        if leg.phase is Phase.POSTED and leg.debit is taker and of is not None:
            was, now = (share(units, total, leg.amount) for units in (deal.before, deal.before + movement.amount))
            pieces = lots.middle(leg.taken, leg.amount, was, now, backwards=True)
            return ageing.returned(pieces, of, draft.book.at)
    return ()


def _reversed(draft: Draft, deal: Deal, act: int, movement: Movement) -> None:
    """What was counted for an act is given back, in the share that is reversed by now."""
    original, after = draft.book.originals[act], deal.before + movement.amount
    limiting.give_back(draft, original, movement.id, deal.before, after)
    draft.reversed[act] = after
    for leg in original.legs:
        if leg.phase is Phase.POSTED and leg.taken and leg.debit.kind != AccountKind.DEBT:
            lapse.expire(draft, leg.debit)
    if (conversion := original.conversion) is None:
        return
    bonuses.give_back(draft, conversion, deal.before, after)
    if after == original.movement.amount:
        draft.conversions.append(msgspec.structs.replace(conversion, status=ConversionStatus.REVERSED))
