"""Confirmations: the bank has moved what a participant owed or was owed of a window. Pure.

Each payment is posted as it is confirmed, because the bank's books say so. What it frees waits: a participant that has
nets in several currencies of a window has settled when the last of them is confirmed, and then in all of them at once.
What was declared unpaid is not waited for: it has become a receivable, outside of all windows.
"""

from collections.abc import Collection

import msgspec

from hub.defaults import Default
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound, WindowOrder
from hub.ledger import commands, payments, resolve, unpaid
from hub.ledger.book import Book, live_windows
from hub.ledger.draft import Draft
from hub.ledger.records import (
    AccountKind,
    Confirmation,
    ConfirmationFile,
    Leg,
    MovementKind,
    Net,
    Purpose,
    Window,
    WindowStatus,
)
from hub.money import format_millionths
from hub.obligation_payments import pay_obligation
from hub.points import MONEY_SCALE, parse
from hub.windows import adjust, parent_of, passing, settle_below, settle_what_is_paid

PAYMENTS_MAX = 2_000  # of one file


def confirm(book: Book, command: commands.ConfirmSettlement) -> Draft:
    """Record that the bank moved a net, signed like the net. The last one of a participant frees what it owed in every
    currency; the last one of all settles the window, and with it the model's later windows that have nothing left to
    pay. Asked for by the operator.

    Raises:
        NotFound: there is no such window, or the institution has no net in it.
        WindowOrder: an earlier window of the model is not settled; this is tested before all else.
        InvalidInput: the window is open, the institution's net goes to its parent or was declared unpaid, a
            counterparty is named (or is missing, where each two net by themselves), or the value date is none.
        Duplicate: the net is confirmed, or zero or cut to zero, which needs none.
        InvalidAmount: another amount moved, or what is cut as well.
        PayOutWaits: it is to be paid out, and somebody has not paid in.
    """
    resolve.operating(book, command.actor)
    draft = Draft(book)
    _pay(draft, command, command.actor)
    settle_what_is_paid(draft)
    draft.result = command.window
    return draft


def confirm_file(book: Book, command: commands.ConfirmFile) -> Draft:
    """Record all payments of a bank's file, in the order of their windows, each as ``confirm`` does; or none. A file
    that was taken is answered as it was, and nothing is done. Asked for by the operator.

    Raises:
        InvalidInput: it has no payments, or more than 2,000.
        Refusal: see ``confirm``.
    """
    resolve.operating(book, command.actor)
    draft = Draft(book)
    if (known := book.confirmation_files.get(command.digest)) is not None:
        draft.result = known
        return draft
    if not 0 < len(command.payments) <= PAYMENTS_MAX:
        raise InvalidInput(payments=len(command.payments), maximum=PAYMENTS_MAX)
    id = draft.new_id()
    window = command.payments[0].window
    for payment in command.payments:
        if payment.window != window:
            window = payment.window
            settle_what_is_paid(draft)
        _pay(draft, payment, command.actor)
    settle_what_is_paid(draft)
    last = draft.next_id - 1
    made = ConfirmationFile(
        id=id, credential=command.actor, digest=command.digest, payments=len(command.payments), last=last
    )
    draft.confirmation_files.append(made)
    draft.result = made
    return draft


def _pay(draft: Draft, payment: commands.ConfirmSettlement | commands.Payment, actor: int) -> None:
    """Post what the bank moved, on what the draft has done before."""
    book = draft.book
    windows = book.windows | {window.id: window for window in draft.windows}
    window = windows.get(payment.window or 0) or book.settled_windows.get(payment.window or 0)
    if window is None:
        raise NotFound
    if book.in_pairs(window):
        pay_obligation(draft, window, payment, actor)
        return
    of_model = [other for other in live_windows(windows.values()) if other.model == window.model]
    earlier = [other.number for other in of_model if other.number < window.number]
    if earlier:
        raise WindowOrder(next=earlier[0], number=window.number)
    if window.status is WindowStatus.OPEN:
        raise InvalidInput(window="still open")
    if payment.counterparty is not None:
        raise InvalidInput(counterparty=payment.counterparty)
    node = resolve.institution(book, payment.institution)
    key = (window.id, node.id, payment.currency)
    net = next((row for row in book.nets.get(window.id, ()) if (row.institution, row.currency) == key[1:]), None)
    if net is None:
        raise NotFound(institution=node.code, currency=payment.currency)
    if (parent := parent_of(book.configuration, window, node.id)) is not None:
        raise InvalidInput(institution=node.code, paysThrough=book.configuration.institutions[parent].code)
    confirmed = book.confirmed | {(row.window, row.institution, row.currency) for row in draft.confirmations}
    defaults = book.defaults.values()
    unpaid.check_movable(defaults, net, node.code)
    due = unpaid.still_due(defaults, net)
    if due == 0 or key in confirmed:
        raise Duplicate(institution=node.code, currency=payment.currency)
    amount = parse(payment.amount, MONEY_SCALE)
    if amount != due:
        raise InvalidAmount(
            amount=payment.amount, expected=format_millionths(due, payment.currency), currency=payment.currency
        )
    payments.check(payment.reference, payment.value_date)
    movement = draft.new_id()
    settlement = draft.account(AccountKind.SETTLEMENT, node.id, net.currency)
    bank = draft.account(AccountKind.BANK, book.configuration.operator.id, net.currency)
    debit, credit = (settlement, bank) if amount > 0 else (bank, settlement)
    draft.legs.append((movement, Leg(debit, credit, abs(amount), Purpose.PAYMENT, window.id)))
    draft.movements.append(
        passing(book, movement, MovementKind.SETTLE, actor, node.id, net.currency, amount, window.id)
    )
    free(draft, window, net, defaults)
    draft.confirmations.append(
        Confirmation(window.id, node.id, net.currency, movement, amount, payment.value_date, payment.reference)
    )
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))


def free(draft: Draft, window: Window, over: Net, defaults: Collection[Default]) -> None:
    """Count what a participant paid and was paid of a window as settled, in all currencies, with what stands below it,
    if ``over`` is the last of its nets of which something was due. Of a window that was partly paid before that was so,
    in the currency of ``over``. ``over`` is paid, or by ``defaults`` declared unpaid or cut to zero; what was declared
    or cut has left the window before."""
    book, node = draft.book, over.institution
    confirmed = book.confirmed | {(row.window, row.institution, row.currency) for row in draft.confirmations}
    mine = [row for row in book.nets[window.id] if row.institution == node and (row.net or row.payable)]
    missing = any(
        unpaid.still_due(defaults, row) and (window.id, node, row.currency) not in confirmed
        for row in mine
        if row is not over
    )
    settled = [over] if not window.together else [] if missing else mine
    for net in settled:
        if moved := unpaid.still_due(defaults, net):
            adjust(draft, window, node, net.currency, -moved)
        if net.net:
            settle_below(draft, window, {node}, [row for row in book.nets[window.id] if row.currency == net.currency])
