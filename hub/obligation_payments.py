"""Payments of obligations: the bank has moved what one participant of a window owed another. Pure.

The two are nobody else's business: what they pay one another takes effect when all of it has been, in all currencies,
whatever third ones have paid, and waits for their own earlier windows alone. The money goes from the one's account to
the other's, not over the operator's.
"""

import msgspec

from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound, WindowOrder
from hub.ledger import commands, payments, resolve
from hub.ledger.draft import Draft
from hub.ledger.records import (
    AccountKind,
    Leg,
    MovementKind,
    ObligationPayment,
    Purpose,
    Window,
    WindowStatus,
)
from hub.money import format_millionths
from hub.points import MONEY_SCALE, parse
from hub.windows import adjust, parent_of, passing, settle_below, still_unpaid


def pay_obligation(
    draft: Draft, window: Window, payment: commands.ConfirmSettlement | commands.Payment, actor: int
) -> None:
    """Post what the bank moved between two participants, on what the draft has done before. Either of them may be named
    as the institution; the amount is signed from its view.

    Raises:
        WindowOrder: of an earlier window of the model something between the two is not paid.
        InvalidInput: the window is open, no counterparty is named, one of the two settles through a parent, or the
            value date is none.
        NotFound: they owe one another nothing of the window in this currency.
        Duplicate: it is paid.
        InvalidAmount: another amount moved.
    """
    book = draft.book
    if payment.counterparty is None:
        raise InvalidInput(counterparty="missing")
    node, other = resolve.institution(book, payment.institution), resolve.institution(book, payment.counterparty)
    both = {node.id, other.id}
    between = [owed for owed in book.obligations_of(node.id) if {owed.debtor, owed.creditor} == both]
    due = list(still_unpaid(draft, between))
    waiting = (book.windows[owed.window] for owed in due if owed.window != window.id)
    earlier = [one.number for one in waiting if one.model == window.model and one.number < window.number]
    if earlier:
        raise WindowOrder(next=min(earlier), number=window.number)
    if window.status is WindowStatus.OPEN:
        raise InvalidInput(window="still open")
    for one in (node, other):
        if (parent := parent_of(book.configuration, window, one.id)) is not None:
            raise InvalidInput(institution=one.code, paysThrough=book.configuration.institutions[parent].code)
    which = {"institution": node.code, "counterparty": other.code, "currency": payment.currency}
    owed = next((one for one in between if (one.window, one.currency) == (window.id, payment.currency)), None)
    if owed is None:
        raise NotFound(**which)
    if owed not in due:
        raise Duplicate(**which)
    signed = owed.amount if owed.creditor == node.id else -owed.amount
    if parse(payment.amount, MONEY_SCALE) != signed:
        expected = format_millionths(signed, payment.currency)
        raise InvalidAmount(amount=payment.amount, expected=expected, currency=payment.currency)
    payments.check(payment.reference, payment.value_date)
    movement = draft.new_id()
    creditor = draft.account(AccountKind.SETTLEMENT, owed.creditor, owed.currency)
    debtor = draft.account(AccountKind.SETTLEMENT, owed.debtor, owed.currency)
    draft.legs.append((movement, Leg(creditor, debtor, owed.amount, Purpose.PAYMENT, window.id)))
    draft.movements.append(
        passing(book, movement, MovementKind.SETTLE, actor, owed.debtor, owed.currency, -owed.amount, window.id)
    )
    draft.obligation_payments.append(ObligationPayment(owed.id, movement, payment.value_date, payment.reference))
    _free(draft, window, both)
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))


def _free(draft: Draft, window: Window, both: set[int]) -> None:
    """Count what two participants paid one another as settled, in all currencies, if nothing of it is due any more; and
    what stands below each of them, if nothing of it is due at all."""
    book = draft.book
    for node in sorted(both):
        mine = [owed for owed in book.obligations_of(node) if owed.window == window.id]
        due = list(still_unpaid(draft, mine))
        if any({owed.debtor, owed.creditor} == both for owed in due):
            return
        if not due:
            moneys = {owed.currency for owed in mine}
            settle_below(draft, window, {node}, [net for net in book.nets[window.id] if net.currency in moneys])
    for owed in mine:
        if {owed.debtor, owed.creditor} == both:
            adjust(draft, window, owed.debtor, owed.currency, owed.amount)
            adjust(draft, window, owed.creditor, owed.currency, -owed.amount)
            draft.count_owed(window.id, (window.id, owed.creditor, owed.debtor, owed.currency), owed.amount, 0)
