"""Answers: what follows from what a partner says of the order under way. Pure."""

import msgspec

from hub.currencies import PointCurrency
from hub.errors import CustomerClosed, PartnerRefused, PartnerUnavailable, Refusal
from hub.ledger import bonuses, commands, lapse, limiting, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.exchanges import completing, deals, steps
from hub.ledger.orders import UNREFUSABLE, Deal, Exchange, ExchangeState, exchange_of
from hub.ledger.records import Account, AccountKind, Hold, HoldStatus, Movement, MovementKind, Phase
from hub.partners import HOLD_LASTS, HOLD_SPARE, Reason, Status


def report(book: Book, command: commands.ReportOrder) -> Draft:
    """Take in what has become of an order. Said by the hub itself; answers the exchange as it is then, or None where
    the reference is of no order."""
    resolve.operating(book, command.actor)
    draft = Draft(book)
    exchange = book.exchanges.get(exchange_of(command.reference) or 0)
    if exchange is None or exchange.order is None or exchange.order.reference != command.reference:
        draft.result = exchange  # an old answer, or one that came twice
        return draft
    take(draft, exchange, command)
    return draft


def take(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
    """Go on from the answer to the order that is under way."""
    match said.status:
        case Status.SUCCEEDED:
            _succeeded(draft, exchange, said)
        case Status.REFUSED | Status.ABSENT:
            _refused(draft, exchange, said)
        case Status.UNKNOWN:
            _doubt(draft, exchange, said, in_doubt=True)
        case Status.PENDING:
            _doubt(draft, exchange, said, in_doubt=False)


def _doubt(draft: Draft, exchange: Exchange, said: commands.ReportOrder, *, in_doubt: bool) -> None:
    if exchange.in_doubt == in_doubt:
        draft.result = exchange
        return
    steps.go(draft, msgspec.structs.replace(exchange, in_doubt=in_doubt), said)


def _succeeded(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
    deal = draft.book.deals[exchange.id]
    match exchange.state:
        case ExchangeState.DEBITING:
            _arrived(draft, deal, exchange, said)
        case ExchangeState.HOLDING:
            _reserved(draft, deal, exchange, said)
        case ExchangeState.CREDITING if exchange.is_held:
            completing.deliver(draft, deal, said.actor)
            steps.ask(draft, exchange, said, ExchangeState.CAPTURING)
        case ExchangeState.CREDITING:
            steps.go(draft, completing.complete(draft, exchange), said)
        case ExchangeState.CAPTURING | ExchangeState.COLLECTING:
            _arrive(draft, deal, exchange, said)
            steps.go(draft, completing.complete(draft, exchange), said)
        case ExchangeState.RELEASING:
            _nothing_changed(draft, deal, exchange, said)
        case _:
            moved = deals.way(draft, deal, MovementKind.REFUND, said.actor)
            draft.movements.append(moved)
            partner, transit = deals.between(draft, _given(draft.book, deal))
            draft.points(moved.id, transit, partner, deal.stated.amount)
            deals.unposted(draft, deal, moved.id, Phase.VOIDED)
            _give_back(draft, deal, moved)
            steps.go(draft, _ended(exchange, ExchangeState.REVERSED), said)


def _reserved(draft: Draft, deal: Deal, exchange: Exchange, said: commands.ReportOrder) -> None:
    """The partner holds what is given. If that is known so late that the hold may end while the next partner is at it,
    nothing is given for it."""
    moved = deals.way(draft, deal, MovementKind.RESERVE, said.actor)
    draft.movements.append(moved)
    _hold(draft, deal, moved, Phase.PENDING)
    held = _taken(exchange, said)
    asked_at = draft.book.at if exchange.order is None else exchange.order.at
    if draft.book.at > asked_at + HOLD_LASTS - HOLD_SPARE:
        _undo(draft, held, said, PartnerUnavailable(currency=deal.stated.currency))
    else:
        steps.ask(draft, held, said, ExchangeState.CREDITING)


def _hold(draft: Draft, deal: Deal, moved: Movement, phase: Phase) -> None:
    """Have what a partner holds pending on its way, or not any more."""
    partner, transit = deals.between(draft, _given(draft.book, deal))
    draft.points(moved.id, partner, transit, deal.stated.amount, phase=phase)


def _arrive(draft: Draft, deal: Deal, exchange: Exchange, said: commands.ReportOrder) -> None:
    """Post that the partner has taken what is given."""
    moved = deals.way(draft, deal, MovementKind.ARRIVE, said.actor)
    draft.movements.append(moved)
    if exchange.is_held:
        _hold(draft, deal, moved, Phase.VOIDED)
    draft.points(moved.id, *deals.between(draft, _given(draft.book, deal)), deal.stated.amount)


def _taken(exchange: Exchange, said: commands.ReportOrder) -> Exchange:
    return msgspec.structs.replace(exchange, taken=said.reference, partner_taken=said.partner_reference, in_doubt=False)


def _arrived(draft: Draft, deal: Deal, exchange: Exchange, said: commands.ReportOrder) -> None:
    """The partner has taken what is given."""
    book = draft.book
    _arrive(draft, deal, exchange, said)
    taken = _taken(exchange, said)
    if deals.is_remote(book, deal.takes):
        steps.ask(draft, taken, said, ExchangeState.CREDITING)
    elif deal.takes is not None and deals.has_left(book, deal.takes.customer, deals.currency(book, deal.takes)):
        _undo(draft, taken, said, CustomerClosed())
    else:
        steps.go(draft, completing.complete(draft, taken), said)


def _refused(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
    deal = draft.book.deals[exchange.id]
    nothing_held = said.status is Status.REFUSED and said.reason is Reason.EXCEEDS_ORIGINAL
    if exchange.state is ExchangeState.RELEASING and nothing_held:
        _nothing_changed(draft, deal, exchange, said)  # which is what was to be
        return
    # Refused for anything else the hold may still stand, and a plain debit would take of what is beside it.
    if exchange.state is ExchangeState.CAPTURING and nothing_held:
        steps.ask(draft, exchange, said, ExchangeState.COLLECTING)  # what it was for is given
        return
    if exchange.state in UNREFUSABLE or exchange.state is ExchangeState.CAPTURING:  # only a person can help
        _doubt(draft, exchange, said, in_doubt=True)
        return
    asked = deal.takes if exchange.state is ExchangeState.CREDITING else deal.gives
    refusal = _refusal((asked or deal.stated).currency, said)
    if exchange.taken is not None:
        _undo(draft, exchange, said, refusal)
        return
    refused = msgspec.structs.replace(exchange, refusal=refusal.code, details=refusal.details)
    _nothing_changed(draft, deal, refused, said)


def _nothing_changed(draft: Draft, deal: Deal, exchange: Exchange, said: commands.ReportOrder) -> None:
    """End an exchange by which nothing was changed; what was held is free."""
    moved = deals.way(draft, deal, MovementKind.DECLINE, said.actor)
    draft.movements.append(moved)
    if exchange.is_held:
        _hold(draft, deal, moved, Phase.VOIDED)
    held = draft.book.holds.get(exchange.id)
    account = None if held is None else _release(draft, held, moved)
    deals.unposted(draft, deal, moved.id, Phase.VOIDED)
    _give_back(draft, deal, moved)
    if account is not None:
        lapse.expire(draft, account)
    steps.go(draft, _ended(exchange, ExchangeState.REFUSED), said)


def _release(draft: Draft, held: Hold, moved: Movement) -> Account:
    """Free the points that the hub keeps itself."""
    account = draft.account(AccountKind.CUSTOMER, held.customer.id, held.currency)
    of = resolve.currency(draft.book, held.currency)
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    pins = draft.book.pins.get(held.id, ())
    draft.points(moved.id, account, issuance, held.amount, pins, (), Phase.VOIDED)
    draft.holds.append(msgspec.structs.replace(held, status=HoldStatus.RELEASED, resolved_by=moved.id))
    return account


def _ended(exchange: Exchange, state: ExchangeState) -> Exchange:
    return msgspec.structs.replace(exchange, state=state, order=None, in_doubt=False)


def _refusal(currency: str, said: commands.ReportOrder) -> Refusal:
    if said.status is Status.ABSENT:
        return PartnerUnavailable(currency=currency)
    told = {"code": said.code} if said.code else {}
    return PartnerRefused(currency=currency, because=(said.reason or Reason.OTHER).value, **told)


def _undo(draft: Draft, exchange: Exchange, said: commands.ReportOrder, why: Refusal) -> None:
    """Have what was taken given back, or what is held freed."""
    refused = msgspec.structs.replace(exchange, refusal=why.code, details=why.details)
    steps.ask(draft, refused, said, ExchangeState.RELEASING if exchange.is_held else ExchangeState.REFUNDING)


def _given(book: Book, deal: Deal) -> PointCurrency:
    """What is given."""
    return deals.currency(book, deal.stated)


def _give_back(draft: Draft, deal: Deal, moved: Movement) -> None:
    """Give back what the act counted under limits and bonus caps when it was accepted."""
    limiting.take_back(draft, deal.id, moved.id)
    if (conversion := draft.book.conversions.get(deal.id)) is not None:
        bonuses.give_back(draft, conversion, 0, conversion.figures.target)
