"""Steps: what an exchange comes to is written into its history, and what is asked next beside it. Pure."""

import msgspec

from hub.currencies import PointCurrency
from hub.errors import PartnerRefused
from hub.ledger import commands
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.exchanges import deals
from hub.ledger.orders import ASKED, Deal, End, Exchange, ExchangeState, PlacedOrder, Step, reference_of
from hub.ledger.records import ConversionStatus
from hub.partners import FOLLOWING, HOLDING, Operation, Reason

_UNDOING = (ExchangeState.DEBITING, ExchangeState.CREDITING)


def first(book: Book, deal: Deal) -> ExchangeState:
    """In which state an exchange begins. What is given is only held at first where another partner may refuse what it
    is for, and not taken: if its partner holds points, and no earlier order is reversed."""
    if deal.gives is None or not deals.is_remote(book, deal.gives):
        return ExchangeState.CREDITING
    of = deals.currency(book, deal.gives)
    plain, _, _ = _asked(of, deal.gives, ExchangeState.DEBITING, None)
    waits = plain is Operation.DEBIT and deals.is_remote(book, deal.takes)
    return ExchangeState.HOLDING if waits and HOLDING.issubset(of.operations) else ExchangeState.DEBITING


def begin(draft: Draft, deal: Deal, began: Exchange) -> None:
    """The first line of an exchange's history."""
    step = Step(id=draft.new_id(), exchange=deal.id, state=began.state, in_doubt=False, credential=deal.credential)
    draft.exchange_steps.append(step)


def go(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
    """The next line: the exchange as it is from now on, and the answer that brought it there."""
    draft.exchanges.append(exchange)
    draft.exchange_steps.append(
        Step(
            id=draft.new_id(),
            exchange=exchange.id,
            state=exchange.state,
            in_doubt=exchange.in_doubt,
            credential=said.actor,
            order=said.reference,
            status=said.status,
            reason=said.reason,
            code=said.code,
            partner_reference=said.partner_reference,
        )
    )
    _show(draft, exchange)
    draft.result = exchange


def _show(draft: Draft, exchange: Exchange) -> None:
    """Have a conversion stand as its exchange does."""
    conversion = draft.book.conversions.get(exchange.id)
    if conversion is None:
        return
    under_way = ConversionStatus.IN_DOUBT if exchange.in_doubt else ConversionStatus.PENDING
    status = under_way if exchange.is_under_way else ConversionStatus(exchange.state.value)
    if status is not conversion.status:
        completed_at = draft.book.at if status is ConversionStatus.COMPLETED else None
        draft.conversions.append(msgspec.structs.replace(conversion, status=status, completed_at=completed_at))


def ask(draft: Draft, exchange: Exchange, said: commands.ReportOrder, state: ExchangeState) -> None:
    """Come into a state in which something is asked, and write that down."""
    deal = draft.book.deals[exchange.id]
    asked = order(draft, deal, state, exchange)
    go(draft, msgspec.structs.replace(exchange, state=state, order=asked, in_doubt=False), said)


def order(draft: Draft, deal: Deal, state: ExchangeState, after: Exchange | None = None) -> PlacedOrder:
    """Write down what is asked in a state."""
    end = deal.takes if state is ExchangeState.CREDITING else deal.gives
    if end is None:
        raise ValueError("nobody to ask")
    operation, of, partner_of = _asked(deals.currency(draft.book, end), end, state, after)
    made = PlacedOrder(
        id=draft.new_id(),
        reference=reference_of(deal.id, state),
        exchange=deal.id,
        operation=operation,
        currency=end.currency,
        customer=end.customer.id,
        amount=end.amount,
        at=draft.book.at,
        of=of,
        partner_of=partner_of,
    )
    draft.orders.append(made)
    return made


def _asked(
    of: PointCurrency, end: End, state: ExchangeState, after: Exchange | None
) -> tuple[Operation, str | None, str | None]:
    """By which operation, and of which earlier order: a hold is captured or released; one that is undone is reversed
    where the partner does so, and otherwise its opposite is done."""
    operation = ASKED[state].operation
    if state is ExchangeState.REFUNDING:
        return _refunding(of, end, after)
    if operation in FOLLOWING and after is not None:
        return operation, after.taken, after.partner_taken
    if end.undoes is not None and state in _UNDOING and _reverses(of, whole=end.is_whole):
        return Operation.REVERSE, end.undoes, end.partner_undoes
    return operation, None, None


def _refunding(of: PointCurrency, end: End, after: Exchange | None) -> tuple[Operation, str | None, str | None]:
    """Giving back what was taken: a debit is reversed; what was taken by a reversal is given again."""
    was_reversal = end.undoes is not None and _reverses(of, whole=end.is_whole)
    if after is None or was_reversal or not _reverses(of, whole=True):
        return Operation.CREDIT, None, None
    return Operation.REVERSE, after.taken, after.partner_taken


def _reverses(of: PointCurrency, *, whole: bool) -> bool:
    """Whether the partner reverses orders, or a part of one."""
    return Operation.REVERSE in of.operations and (whole or Operation.REVERSE in of.partial)


def check(of: PointCurrency, end: End, state: ExchangeState) -> None:
    """Pass if the partner does what it would be asked for.

    Raises:
        PartnerRefused: it does not.
    """
    operation, _, _ = _asked(of, end, state, None)
    if operation not in of.operations:
        raise PartnerRefused(currency=of.code, because=Reason.NOT_SUPPORTED.value, operation=operation.value)
