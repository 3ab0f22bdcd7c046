"""Confirmations: the bank has moved what a participant owed or was owed of a window. Pure.

Each payment is posted as it is confirmed, because the bank's books say so. What it frees waits: a participant that has
nets in several currencies of a window has settled when the last of them is confirmed, and then in all of them at once.
"""

from datetime import date

import msgspec

from hub.access import Right
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound, WindowOrder
from hub.institutions import Institution
from hub.ledger import commands, resolve
from hub.ledger.book import Book, PositionKey, live_windows
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
        InvalidInput: the window is open, the institution's net goes to its parent, or the value date is none.
        Duplicate: the net is confirmed, or zero, which needs none.
        InvalidAmount: another amount moved.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
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
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
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
    of_model = [other for other in live_windows(windows.values()) if other.model == window.model]
    earlier = [other.number for other in of_model if other.number < window.number]
    if earlier:
        raise WindowOrder(next=earlier[0], number=window.number)
    if window.status is WindowStatus.OPEN:
        raise InvalidInput(window="still open")
    node = resolve.institution(book, payment.institution)
    key = (window.id, node.id, payment.currency)
    net = next((row for row in book.nets.get(window.id, ()) if (row.institution, row.currency) == key[1:]), None)
    if net is None:
        raise NotFound(institution=node.code, currency=payment.currency)
    if (parent := parent_of(book.configuration, window, node.id)) is not None:
        raise InvalidInput(institution=node.code, paysThrough=book.configuration.institutions[parent].code)
    confirmed = book.confirmed | {(row.window, row.institution, row.currency) for row in draft.confirmations}
    if net.net == 0 or key in confirmed:
        raise Duplicate(institution=node.code, currency=payment.currency)
    amount = parse(payment.amount, MONEY_SCALE)
    if amount != net.net:
        raise InvalidAmount(
            amount=payment.amount, expected=format_millionths(net.net, payment.currency), currency=payment.currency
        )
    _check_payment(payment)
    movement = draft.new_id()
    settlement = draft.account(AccountKind.SETTLEMENT, node.id, net.currency)
    bank = draft.account(AccountKind.BANK, book.configuration.operator.id, net.currency)
    debit, credit = (settlement, bank) if amount > 0 else (bank, settlement)
    draft.legs.append((movement, Leg(debit, credit, abs(amount), Purpose.PAYMENT, window.id)))
    draft.movements.append(
        passing(book, movement, MovementKind.SETTLE, actor, node.id, net.currency, amount, window.id)
    )
    _free(draft, window, node, net, confirmed)
    draft.confirmations.append(
        Confirmation(window.id, node.id, net.currency, movement, amount, payment.value_date, payment.reference)
    )
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))


def _free(draft: Draft, window: Window, node: Institution, paid: Net, confirmed: set[PositionKey]) -> None:
    """Count what a participant owed and was owed of a window as settled, in all currencies, if ``paid`` is the last of
    its nets. Of a window that was partly paid before that was so, in the currency that is paid."""
    book = draft.book
    mine = [row for row in book.nets[window.id] if row.institution == node.id and row.net]
    missing = [row for row in mine if row is not paid and (window.id, node.id, row.currency) not in confirmed]
    settled = [paid] if not window.together else [] if missing else mine
    for net in settled:
        adjust(draft, window, node.id, net.currency, -net.net)
        settle_below(draft, window, {node.id}, [row for row in book.nets[window.id] if row.currency == net.currency])


def _check_payment(command: commands.ConfirmSettlement | commands.Payment) -> None:
    if not command.reference.strip():
        raise InvalidInput(reference="empty")
    if command.value_date is not None:
        try:
            written = date.fromisoformat(command.value_date).isoformat()
        except ValueError:
            written = None
        if written != command.value_date:  # Python reads 20260131 and 2026-W05-6 too
            raise InvalidInput(valueDate=command.value_date)
