"""Settlement windows: closing one, and confirming what was paid. Pure.

Closing is a command like any other, so every act stands before or after it. From the leaves upward each position passes
on as a net in whole minor units (``hub.levels``): to the parent's position, through the internal account of the two; a
member's to its settlement account. What rounding leaves passes to ``rounding:<currency>``, so that every position of
the next window begins at zero and each currency still sums to zero. Only members are paid through the bank; what they
pay settles what stands below them as well.
"""

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from hub.access import Right
from hub.configuration import Configuration
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound, WindowClosed, WindowOrder
from hub.institutions import pays_through
from hub.ledger import commands, payments, resolve, unpaid
from hub.ledger.book import Book, live_windows
from hub.ledger.draft import Draft
from hub.ledger.records import (
    AccountKind,
    Confirmation,
    InternalAccount,
    Leg,
    Movement,
    MovementKind,
    Net,
    Purpose,
    Window,
    WindowStatus,
)
from hub.levels import roll_up
from hub.money import format_millionths, minor_unit_millionths
from hub.points import MONEY_SCALE, parse

DEFAULT_MODEL = "default"  # deferred net settlement of all members, in every currency


def first_window(draft: Draft) -> Window:
    """The first window of the hub, open from its first batch."""
    return _open_next(draft, DEFAULT_MODEL, 1)


def close(book: Book, command: commands.CloseWindow) -> Draft:
    """Close the open window, net it, and open the next. Asked for by the operator.

    Raises:
        NotFound: there is no such window.
        WindowClosed: it is not open any more.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    window = book.windows.get(command.window or 0) or book.settled_windows.get(command.window or 0)
    if window is None:
        raise NotFound
    if window.status is not WindowStatus.OPEN:
        raise WindowClosed(number=window.number)
    draft = Draft(book)
    by_currency: dict[str, dict[int, tuple[int, int]]] = {}
    for (of_window, institution, currency), position in book.positions.items():
        if of_window == window.id and (position.debits or position.credits):
            by_currency.setdefault(currency, {})[institution] = (position.debits, position.credits)
    for currency, sides in sorted(by_currency.items()):
        _net_currency(draft, window, currency, sides, command.actor)
    draft.windows.append(
        msgspec.structs.replace(window, status=WindowStatus.CLOSED, closed_at=book.at, closed_in=book.batch)
    )
    _open_next(draft, window.model, window.number + 1)
    settle_what_is_paid(draft)
    draft.result = window.id
    return draft


def _net_currency(draft: Draft, window: Window, currency: str, sides: dict[int, tuple[int, int]], actor: int) -> None:
    """The nets of one currency, from the leaves upward: each goes to the parent, and those of the members to what is
    to be settled with the hub."""
    book = draft.book
    institutions, codes = book.configuration.institutions, book.configuration.institution_codes
    exact = {institutions[node].code: credits - debits for node, (debits, credits) in sides.items()}
    parents = _parents(book, window, sides)
    levels = roll_up(exact, parents, minor_unit_millionths(currency))
    made = {}
    for code, of in levels.items():
        node, net = codes[code], of.net
        made[node] = Net(window.id, node, currency, *sides.get(node, (0, 0)), net)
        movement = draft.new_id()
        _post_net(draft, movement, made[node], None if of.parent is None else codes[of.parent])
        _post(draft, movement, made[node], AccountKind.ROUNDING, of.own_exact - of.own)
        if net or of.own_exact != of.own:
            draft.movements.append(_closing(book, movement, MovementKind.CLOSE, actor, node, currency, net, window.id))
        if of.own != of.own_exact:
            adjust(draft, window, node, currency, of.own - of.own_exact)
    draft.nets.extend(made[node] for node in sorted(made))
    settle_below(draft, window, {codes[code] for code, of in levels.items() if not of.net}, made.values())


def _parents(book: Book, window: Window, nodes: Iterable[int]) -> dict[str, str]:
    """To whom the nets of these nodes, and of those above them, go, by codes."""
    institutions = book.configuration.institutions
    found: dict[str, str] = {}
    for node in nodes:
        for below, above in pairwise(book.path(node, window.id)):
            if parent_of(book.configuration, window, below) is not None:
                found[institutions[below].code] = institutions[above].code
    return found


def _post_net(draft: Draft, movement: int, net: Net, parent: int | None) -> None:
    """Let a net leave its node's position: to be settled with the hub, or through the internal account to the parent's
    position, which it reaches before that one is closed."""
    if parent is None:
        _post(draft, movement, net, AccountKind.SETTLEMENT, net.net)
        return
    if not net.net:
        return
    key = (parent, net.institution)
    of = draft.book.internals.get(key) or draft.internals.get(key)
    if of is None:
        of = draft.internals[key] = InternalAccount(draft.new_id(), *key)
    internal = draft.account(AccountKind.INTERNAL, of.id, net.currency)
    places = [
        draft.account(AccountKind.POSITION, net.institution, net.currency),
        internal,
        draft.account(AccountKind.POSITION, parent, net.currency),
    ]
    for (debit, credit), purpose in zip(pairwise(places), (Purpose.CLOSING, Purpose.LEVEL), strict=True):
        sides = (debit, credit) if net.net > 0 else (credit, debit)
        draft.legs.append((movement, Leg(*sides, abs(net.net), purpose, net.window)))


def _post(draft: Draft, movement: int, net: Net, kind: AccountKind, amount: int) -> None:
    """Pass an amount on from a position: a net to the institution's settlement account, rounding to the operator's."""
    if not amount:
        return
    owner, purpose = net.institution, Purpose.CLOSING
    if kind is AccountKind.ROUNDING:
        owner, purpose = draft.book.configuration.operator.id, Purpose.ROUNDING
    position = draft.account(AccountKind.POSITION, net.institution, net.currency)
    account = draft.account(kind, owner, net.currency)
    debit, credit = (position, account) if amount > 0 else (account, position)
    draft.legs.append((movement, Leg(debit, credit, abs(amount), purpose, net.window)))


def _closing(
    book: Book, id: int, kind: MovementKind, actor: int, node: int, currency: str, value: int, window: int
) -> Movement:
    return Movement(
        id=id,
        kind=kind,
        at=book.at,
        credential=actor,
        for_institution=node,
        currency=currency,
        amount=abs(value),
        money=currency,
        value=value,
        subject=window,
    )


def adjust(draft: Draft, window: Window, node: int, currency: str, change: int) -> None:
    """Carry a change of what the hub owes ``node`` of a window up to all above it."""
    draft.count_money(window.id, node, currency, change)


def settle_below(draft: Draft, window: Window, settled: set[int], nets: Iterable[Net]) -> None:
    """Count the nets that went to these as settled with them: who pays through a parent owes nothing to the hub any
    more once what its net became a part of is paid, or is zero."""
    for net in nets:
        if net.net and (top := _top(draft.book, window, net.institution)) != net.institution and top in settled:
            key = (window.id, net.institution, net.currency)
            draft.positions[key] = draft.positions.get(key, 0) - net.net


def _top(book: Book, window: Window, node: int) -> int:
    """Who settles with the hub what a node's net becomes a part of: itself, or one above it."""
    while (parent := parent_of(book.configuration, window, node)) is not None:
        node = parent
    return node


def _open_next(draft: Draft, model: str, number: int) -> Window:
    window = Window(id=draft.new_id(), model=model, number=number, status=WindowStatus.OPEN, opened_at=draft.book.at)
    draft.windows.append(window)
    return window


def confirm(book: Book, command: commands.ConfirmSettlement) -> Draft:
    """Record that the bank moved a net, signed like the net. The last one settles the window, and with it the later
    windows that have nothing left to pay. Asked for by the operator.

    Raises:
        NotFound: there is no such window, or the institution has no net in it.
        WindowOrder: an earlier window is not settled; this is tested before all else.
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
    earlier = [other.number for other in live_windows(book.windows.values()) if other.number < window.number]
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
        _closing(book, movement, MovementKind.SETTLE, command.actor, node.id, net.currency, amount, window.id)
    )
    adjust(draft, window, node.id, net.currency, -amount)
    of_currency = [row for row in book.nets[window.id] if row.currency == net.currency]
    settle_below(draft, window, {node.id}, of_currency)
    draft.confirmations.append(
        Confirmation(window.id, node.id, net.currency, movement, amount, command.value_date, command.reference)
    )
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))
    settle_what_is_paid(draft)
    draft.result = window.id
    return draft


def parent_of(configuration: Configuration, window: Window, node: int) -> int | None:
    """To whom a net goes; None: it settles with the hub."""
    return pays_through(configuration.institutions, node, window.number) if window.levels else None


def settle_what_is_paid(draft: Draft) -> None:
    """Settle, in the order of their numbers, the closed windows all of whose nets are paid or zero, or were declared
    unpaid and are borne."""
    book = draft.book
    defaults = (book.defaults | {default.id: default for default in draft.defaults}).values()
    windows = book.windows | {window.id: window for window in draft.windows}
    confirmed = book.confirmed | {(row.window, row.institution, row.currency) for row in draft.confirmations}
    nets = {window: [*book.nets.get(window, ())] for window in windows}
    for net in draft.nets:
        nets[net.window].append(net)
    for window in live_windows(windows.values()):
        due = [
            row
            for row in nets[window.id]
            if unpaid.still_due(defaults, row)
            and (window.id, row.institution, row.currency) not in confirmed
            and parent_of(book.configuration, window, row.institution) is None
        ]
        if window.status is WindowStatus.OPEN or due or unpaid.wait(defaults, window.id):
            return
        draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLED, settled_at=book.at))
