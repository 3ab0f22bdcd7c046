"""Settlement windows: opening and closing them. Pure.

Closing is a command like any other, so every act stands before or after it. From the leaves upward each position passes
on as a net in whole minor units (``hub.levels``): to the parent's position, through the internal account of the two; a
member's to its settlement account. What rounding leaves passes to ``rounding:<currency>``, so that every position of
the next window begins at zero and each currency still sums to zero. Only members are paid through the bank; what they
pay settles what stands below them as well (``hub.confirmations``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise

import msgspec

from hub.calendars import next_cut_off
from hub.configuration import Configuration
from hub.errors import InvalidInput, NotFound, WindowClosed
from hub.fx import Exchanged, exchange, rates_into, state_of
from hub.institutions import pays_through, settlement_path
from hub.ledger import commands, resolve, unpaid
from hub.ledger.book import Book, live_windows
from hub.ledger.draft import Draft
from hub.ledger.payables import payables
from hub.ledger.records import (
    AccountKind,
    InternalAccount,
    Leg,
    Movement,
    MovementKind,
    Net,
    NetExchange,
    Obligation,
    Purpose,
    Window,
    WindowStatus,
)
from hub.levels import LevelNet, roll_up
from hub.models import DEFAULT_MODEL, ModelKind
from hub.money import minor_unit_millionths
from hub.obligations import Pair, net_pairs, nets_of, pair_of
from hub.versions import in_force

Sides = Mapping[int, tuple[int, int]]  # debits and credits, by institution
Balances = Mapping[tuple[int, int], int]  # what the second of two participants owes the first


def first_window(draft: Draft, model: str = DEFAULT_MODEL) -> Window:
    """The first window of a model: the default's is open from the hub's first batch."""
    return _open_next(draft, model, 1)


def close(book: Book, command: commands.CloseWindow) -> Draft:
    """Close an open window, net it, and open its model's next. Asked for by the operator; by the hub itself at a
    cut-off, which is then recorded however late it is.

    Raises:
        NotFound: there is no such window.
        WindowClosed: it is not open any more.
        InvalidInput: no cut-off has come since it was opened.
        FxRateMissing: its model settles in one currency, and a net has no FX rate in force into it.
    """
    resolve.operating(book, command.actor)
    window = book.windows.get(command.window or 0) or book.settled_windows.get(command.window or 0)
    if window is None:
        raise NotFound
    if window.status is not WindowStatus.OPEN:
        raise WindowClosed(number=window.number)
    due = due_at(book.configuration, window, book.at) if command.due else None
    if command.due and (due is None or due > book.at):
        raise InvalidInput(window="not due")
    draft = Draft(book)
    by_currency: dict[str, dict[int, tuple[int, int]]] = {}
    for (of_window, institution, currency), position in book.positions.items():
        if of_window == window.id and (position.debits or position.credits):
            by_currency.setdefault(currency, {})[institution] = (position.debits, position.credits)
    for currency, sides in sorted(by_currency.items()):
        _net_currency(draft, window, currency, sides, command.actor)
    draft.windows.append(
        msgspec.structs.replace(window, status=WindowStatus.CLOSED, closed_at=book.at, closed_in=book.batch, due_at=due)
    )
    _exchange_nets(draft, window, command.actor)
    _open_next(draft, window.model, window.number + 1)
    settle_what_is_paid(draft)
    draft.result = window.id
    return draft


def due_at(configuration: Configuration, window: Window, at: datetime) -> datetime | None:
    """The first cut-off after a window was opened, by its model's calendar in force at ``at``; None: it has none."""
    model = in_force(configuration.models.get(window.model, ()), at)
    return None if model is None or model.calendar is None else next_cut_off(model.calendar, window.opened_at)


def pair_nets(configuration: Configuration, kind: ModelKind, currency: str, balances: Balances) -> dict[Pair, int]:
    """What each two participants have still to pay one another in one currency, in whole minor units, by codes; nothing
    where each act was paid at once."""
    institutions = configuration.institutions
    by_code = {}
    for (first, second), balance in balances.items():
        one, other = institutions[first].code, institutions[second].code
        pair = pair_of(one, other)
        by_code[pair] = balance if pair[0] == one else -balance
    if kind is ModelKind.IMMEDIATE_GROSS:
        return dict.fromkeys(by_code, 0)
    return net_pairs(by_code, minor_unit_millionths(currency))


def levels_of(
    configuration: Configuration, window: Window, currency: str, sides: Sides, pairs: Mapping[Pair, int] | None = None
) -> dict[str, LevelNet]:
    """What a window's acts come to in one currency, on every level, by codes; ``sides``: in millionths. ``pairs``: the
    nets of its pairs, if it is netted in pairs: a participant's net is their sum."""
    institutions = configuration.institutions
    exact = {institutions[node].code: credits - debits for node, (debits, credits) in sides.items()}
    parents: dict[str, str] = {}
    for node in sides:
        for below, above in pairwise(settlement_path(institutions, node, window.ordinal)):
            if parent_of(configuration, window, below) is not None:
                parents[institutions[below].code] = institutions[above].code
    return roll_up(exact, parents, minor_unit_millionths(currency), None if pairs is None else nets_of(pairs))


def _net_currency(draft: Draft, window: Window, currency: str, sides: Sides, actor: int) -> None:
    """The nets of one currency, from the leaves upward: each goes to the parent, and those of the members to what is
    to be settled with the hub."""
    book = draft.book
    codes = book.configuration.institution_codes
    balances: Balances | None = None
    if book.in_pairs(window):
        balances = {
            (first, second): pair.credits - pair.debits
            for (of, first, second, money), pair in book.pairs.items()
            if (of, money) == (window.id, currency)
        }
    kind = book.kind(window)
    pairs = None if balances is None else pair_nets(book.configuration, kind, currency, balances)
    paid = Counter[int]()  # at once, what each has been paid less what it has
    if kind is ModelKind.IMMEDIATE_GROSS:
        for (first, second), balance in (balances or {}).items():
            paid[first] += balance
            paid[second] -= balance
    levels = levels_of(book.configuration, window, currency, sides, pairs)
    made = {}
    for code, of in levels.items():
        node, net = codes[code], of.net
        made[node] = Net(window.id, node, currency, *sides.get(node, (0, 0)), net)
        movement = draft.new_id()
        _post_net(draft, movement, made[node], None if of.parent is None else codes[of.parent])
        left = of.own_exact - of.own - paid[node]
        _post(draft, movement, made[node], AccountKind.ROUNDING, left)
        if net or left:
            draft.movements.append(passing(book, movement, MovementKind.CLOSE, actor, node, currency, net, window.id))
        if left:
            adjust(draft, window, node, currency, -left)
    draft.nets.extend(made[node] for node in sorted(made))
    if pairs is None or balances is None:
        settled = {codes[code] for code, of in levels.items() if not of.net}
    else:
        owing = _oblige(draft, window, currency, balances, pairs)
        settled = {codes[code] for code, of in levels.items() if of.parent is None} - owing
    settle_below(draft, window, settled, made.values())


def _oblige(draft: Draft, window: Window, currency: str, balances: Balances, pairs: Mapping[Pair, int]) -> set[int]:
    """Make what pairs came to their obligations; answers who has one."""
    institutions, owing = draft.book.configuration.institutions, set[int]()
    for (first, second), balance in sorted(balances.items()):
        codes = institutions[first].code, institutions[second].code
        pair = pair_of(*codes)
        net = pairs[pair] if pair == codes else -pairs[pair]
        if draft.book.kind(window) is not ModelKind.IMMEDIATE_GROSS:
            draft.count_owed(window.id, (window.id, first, second, currency), balance, net)
        if net:
            owing |= {first, second}
            debtor, creditor = (second, first) if net > 0 else (first, second)
            draft.obligations.append(Obligation(draft.new_id(), window.id, debtor, creditor, currency, abs(net)))
    return owing


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


def passing(
    book: Book, id: int, kind: MovementKind, actor: int, node: int, currency: str, value: int, window: int
) -> Movement:
    """The movement by which a node's net, or a payment of it, passes on."""
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


def exchanges_of(
    configuration: Configuration, window: Window, nets: Iterable[Net], at: datetime
) -> tuple[str, dict[tuple[str, str], Exchanged]]:
    """The currency that a window's nets are settled in by its model in force at ``at``, and what the others become
    that settle with the hub, by codes; nothing, if each currency is settled by itself.

    Raises:
        FxRateMissing: a net that is not zero has no rate in force at ``at``.
    """
    model = in_force(configuration.models.get(window.model, ()), at)
    if model is None or model.settle_in is None:
        return "", {}
    with_hub = {
        (configuration.institutions[net.institution].code, net.currency): net.net
        for net in nets
        if parent_of(configuration, window, net.institution) is None
    }
    rates = rates_into(configuration.fx, model.settle_in, at)
    return model.settle_in, exchange(with_hub, model.settle_in, rates, minor_unit_millionths(model.settle_in))


def key_of(configuration: Configuration, key: str, model: str, at: datetime) -> str:
    """The key under which the hub itself closes a window: of a model that settles in one currency it says which FX
    rates there are, because what was refused for want of one is to be asked again when there is another."""
    found = in_force(configuration.models.get(model, ()), at)
    if found is None or found.settle_in is None:
        return key
    return f"{key}-{state_of(configuration.fx, found.settle_in, at)}"


def _exchange_nets(draft: Draft, window: Window, actor: int) -> None:
    """Exchange what is to be settled with the hub into the one currency of the window's model, if it has one: out of
    each settlement account into ``fx:<currency>``, and out of that into the settlement account of the other. Nets that
    cancel out so that nothing is left to pay are settled with that."""
    book = draft.book
    into, found = exchanges_of(book.configuration, window, draft.nets, book.at)
    for (code, currency), of in found.items():
        movement, node = draft.new_id(), book.configuration.institution_codes[code]
        for money, change in ((currency, -of.net), (into, of.value)):
            if change:
                settlement = draft.account(AccountKind.SETTLEMENT, node, money)
                through = draft.account(AccountKind.FX, book.configuration.operator.id, money)
                debit, credit = (through, settlement) if change > 0 else (settlement, through)
                draft.legs.append((movement, Leg(debit, credit, abs(change), Purpose.EXCHANGE, window.id)))
                adjust(draft, window, node, money, change)
        draft.movements.append(
            passing(book, movement, MovementKind.EXCHANGE_NET, actor, node, currency, of.net, window.id)
        )
        draft.net_exchanges.append(
            NetExchange(
                movement=movement,
                window=window.id,
                institution=node,
                currency=currency,
                net=of.net,
                rate=of.rate.id,
                into=into,
                value=of.value,
            )
        )
    to_pay = {net.institution for net in payables(draft.nets, draft.net_exchanges) if net.payable}
    for node in sorted({one.institution for one in draft.net_exchanges} - to_pay):
        for currency in (net.currency for net in draft.nets if net.institution == node and net.net):
            settle_below(draft, window, {node}, [net for net in draft.nets if net.currency == currency])


def _open_next(draft: Draft, model: str, number: int) -> Window:
    ordinal = draft.book.newest_window.ordinal + 1 if draft.book.windows else 1
    window = Window(
        id=draft.new_id(),
        model=model,
        number=number,
        ordinal=ordinal,
        status=WindowStatus.OPEN,
        opened_at=draft.book.at,
    )
    draft.windows.append(window)
    return window


def parent_of(configuration: Configuration, window: Window, node: int) -> int | None:
    """To whom a node's net of a window goes; None: it settles with the hub."""
    return pays_through(configuration.institutions, node, window.ordinal) if window.levels else None


def settle_what_is_paid(draft: Draft) -> None:
    """Settle, of each model in the order of their numbers, the closed windows all of whose nets are paid or zero, or
    were declared unpaid and are borne."""
    book = draft.book
    defaults = (book.defaults | {default.id: default for default in draft.defaults}).values()
    windows = book.windows | {window.id: window for window in draft.windows}
    confirmed = book.confirmed | {(row.window, row.institution, row.currency) for row in draft.confirmations}
    nets = {window: [*book.nets.get(window, ())] for window in windows}
    for net in payables(draft.nets, draft.net_exchanges):
        nets[net.window].append(net)
    waiting = set[str]()  # models
    for window in live_windows(windows.values()):
        if book.in_pairs(window):
            made = (owed for owed in draft.obligations if owed.window == window.id)
            due = any(still_unpaid(draft, (*book.obligations.get(window.id, ()), *made)))
        else:
            due = any(
                unpaid.still_due(defaults, row)
                and (window.id, row.institution, row.currency) not in confirmed
                and parent_of(book.configuration, window, row.institution) is None
                for row in nets[window.id]
            )
        if window.status is WindowStatus.OPEN or due or unpaid.wait(defaults, window.id):
            waiting.add(window.model)
        if window.model not in waiting:
            draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLED, settled_at=book.at))


def still_unpaid(draft: Draft, obligations: Iterable[Obligation]) -> Iterator[Obligation]:
    """Those that the bank has not moved, as the draft leaves them."""
    book = draft.book
    paid = {row.obligation for row in draft.obligation_payments}
    for owed in obligations:
        if owed.id not in paid and owed.id not in book.paid_obligations:
            yield owed
