"""Confirmations: the bank has moved what a participant owed or was owed of a window. Pure.

Each payment is posted as it is confirmed, because the bank's books say so. What it frees waits: a participant that has
nets in several currencies of a window has settled when the last of them is confirmed, and then in all of them at once.
What was declared unpaid is not waited for: it has become a receivable, outside of all windows.
"""

from collections.abc import Collection

import msgspec

from hub.access import Right
from hub.defaults import Default
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound, WindowOrder
from hub.ledger import commands, payments, resolve, unpaid
from hub.ledger.book import Book, live_windows
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Confirmation, Leg, MovementKind, Net, Purpose, Window, WindowStatus
from hub.money import format_millionths
from hub.points import MONEY_SCALE, parse
from hub.windows import adjust, parent_of, passing, settle_below, settle_what_is_paid


def confirm(book: Book, command: commands.ConfirmSettlement) -> Draft:
    """Record that the bank moved a net, signed like the net. The last one of a participant frees what it owed in every
    currency; the last one of all settles the window, and with it the model's later windows that have nothing left to
    pay. Asked for by the operator.

    Raises:
        NotFound: there is no such window, or the institution has no net in it.
        WindowOrder: an earlier window of the model is not settled; this is tested before all else.
        InvalidInput: the window is open, the institution's net goes to its parent or was declared unpaid, or the value
            date is none.
        Duplicate: the net is confirmed, or zero or cut to zero, which needs none.
        InvalidAmount: another amount moved, or what is cut as well.
        PayOutWaits: it is to be paid out, and somebody has not paid in.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    window = book.windows.get(command.window or 0) or book.settled_windows.get(command.window or 0)
    if window is None:
        raise NotFound
    of_model = [other for other in live_windows(book.windows.values()) if other.model == window.model]
    earlier = [other.number for other in of_model if other.number < window.number]
    if earlier:
        raise WindowOrder(next=earlier[0], number=window.number)
    if window.status is WindowStatus.OPEN:
        raise InvalidInput(window="still open")
    node = resolve.institution(book, command.institution)
    key = (window.id, node.id, command.currency)
    net = next((row for row in book.nets.get(window.id, ()) if (row.institution, row.currency) == key[1:]), None)
    if net is None:
        raise NotFound(institution=node.code, currency=command.currency)
    if (parent := parent_of(book.configuration, window, node.id)) is not None:
        raise InvalidInput(institution=node.code, paysThrough=book.configuration.institutions[parent].code)
    defaults = book.defaults.values()
    unpaid.check_movable(defaults, net, node.code)
    due = unpaid.still_due(defaults, net)
    if due == 0 or key in book.confirmed:
        raise Duplicate(institution=node.code, currency=command.currency)
    amount = parse(command.amount, MONEY_SCALE)
    if amount != due:
        raise InvalidAmount(
            amount=command.amount, expected=format_millionths(due, command.currency), currency=command.currency
        )
    payments.check(command.reference, command.value_date)
    draft = Draft(book)
    movement = draft.new_id()
    settlement = draft.account(AccountKind.SETTLEMENT, node.id, net.currency)
    bank = draft.account(AccountKind.BANK, book.configuration.operator.id, net.currency)
    debit, credit = (settlement, bank) if amount > 0 else (bank, settlement)
    draft.legs.append((movement, Leg(debit, credit, abs(amount), Purpose.PAYMENT, window.id)))
    draft.movements.append(
        passing(book, movement, MovementKind.SETTLE, command.actor, node.id, net.currency, amount, window.id)
    )
    free(draft, window, net, defaults)
    draft.confirmations.append(
        Confirmation(window.id, node.id, net.currency, movement, amount, command.value_date, command.reference)
    )
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))
    settle_what_is_paid(draft)
    draft.result = window.id
    return draft


def free(draft: Draft, window: Window, over: Net, defaults: Collection[Default]) -> None:
    """Count what a participant paid and was paid of a window as settled, in all currencies, with what stands below it,
    if ``over`` is the last of its nets of which something was due. Of a window that was partly paid before that was so,
    in the currency of ``over``. ``over`` is paid, or by ``defaults`` declared unpaid or cut to zero; what was declared
    or cut has left the window before."""
    book, node = draft.book, over.institution
    mine = [row for row in book.nets[window.id] if row.institution == node and row.net]
    missing = any(
        unpaid.still_due(defaults, row) and (window.id, node, row.currency) not in book.confirmed
        for row in mine
        if row is not over
    )
    settled = [over] if not window.together else [] if missing else mine
    for net in settled:
        if moved := unpaid.still_due(defaults, net):
            adjust(draft, window, node, net.currency, -moved)
        settle_below(draft, window, {node}, [row for row in book.nets[window.id] if row.currency == net.currency])
