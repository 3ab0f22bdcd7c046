"""Accepting: what an exchange will post becomes pending, and its first order is written down. Pure."""

from hub.currencies import HOSTED
from hub.errors import CustomerClosed, InvalidInput
from hub.expiry import NEVER
from hub.ledger import commands, fees, limiting, parts, resolve
from hub.ledger.draft import Draft
from hub.ledger.exchanges import deals, steps
from hub.ledger.orders import Deal, Exchange
from hub.ledger.records import (
    Account,
    AccountKind,
    Conversion,
    Hold,
    HoldKind,
    Movement,
    MovementKind,
    Phase,
    Piece,
)
from hub.limits import Act
from hub.shares import Act as FeeAct

Held = tuple[Account, tuple[Piece, ...]]  # a customer's account, and what of its lots is pinned


def accept(draft: Draft, deal: Deal, movement: Movement, held: Held | None = None) -> None:
    """Begin an exchange by the ``movement`` that accepts it, whose identifier it has. ``held``: out of what points come
    that the hub keeps itself.

    Raises:
        LimitExceeded: a cap is in the way.
        Frozen: a partner keeps what goes, and nothing may leave the account of whose points go.
        CustomerClosed: who gives or gets points has left.
    """
    book = draft.book
    if deal.gives is not None and deals.is_remote(book, deal.gives):  # what the hub keeps is looked at as it is held
        giver, code = deal.gives.customer, deal.gives.currency
        resolve.allowed(code, resolve.marks_of(book, giver, code))
    if deal.takes is not None and deals.has_left(book, deal.takes.customer, deals.currency(book, deal.takes)):
        raise CustomerClosed
    draft.movements.append(movement)
    if held is not None and deal.gives is not None:
        _hold(draft, deal, deal.gives.amount, held)
    deals.unposted(draft, deal, movement.id, Phase.PENDING)
    resolve.within_caps(draft, deal.credential)
    state = steps.first(book, deal)
    asked = steps.order(draft, deal, state)
    began = Exchange(id=deal.id, state=state, order=asked)
    draft.deals.append(deal)
    draft.exchanges.append(began)
    steps.begin(draft, deal, began)


def _hold(draft: Draft, deal: Deal, amount: int, held: Held) -> None:
    account, pins = held
    of = draft.book.configuration.currency(account.currency)
    if of is None or deal.source is None:
        raise ValueError("points of nobody")
    draft.pins[deal.id] = pins
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    draft.points(deal.id, account, issuance, amount, pins, (), Phase.PENDING)
    draft.holds.append(
        Hold(
            id=deal.id,
            kind=HoldKind.EXCHANGE,
            at=draft.book.at,
            credential=deal.credential,
            for_institution=deal.for_institution,
            customer=deal.source,
            currency=of.code,
            amount=amount,
            shortfall=0,
            expires_at=NEVER,
        )
    )


def accept_act(draft: Draft, movement: Movement) -> None:
    """Begin a redemption, a transfer or an issue of points that a partner keeps, by the movement that accepts it.

    Raises:
        LimitExceeded, Frozen, CustomerClosed: see ``accept``.
    """
    book = draft.book
    fee = fees.of_redemption(book, movement)
    accept(draft, deals.of_act(book.configuration, movement, book.newest_window.id, fee), movement)


def accept_conversion(draft: Draft, conversion: Conversion, channel: str | None, by: commands.Party | None) -> None:
    """Begin a conversion that needs a partner.

    Raises:
        InsufficientPoints, NotAMember, PoolRightMissing: the source is hosted; see ``resolve.spendable``.
        LimitExceeded: a cap or a limit is in the way.
        Frozen, CustomerClosed: see ``accept``, and ``resolve.spendable``.
        InvalidInput: a partner keeps the source, and somebody spends of a pool.
    """
    configuration = draft.book.configuration
    rate, figures, giver = configuration.rates[conversion.rate], conversion.figures, conversion.source
    source, target = configuration.currencies[rate.source], configuration.currencies[rate.target]
    held = None
    if source.adapter == HOSTED:
        part = parts.spent_part(source, channel)
        account = resolve.spendable(draft, giver, source, figures.source, part, by)
        held = account, draft.spend(account, figures.source, part)
    elif by is not None:
        raise InvalidInput(by=by.reference)
    movement = Movement(
        id=conversion.id,
        kind=MovementKind.ACCEPT,
        at=draft.book.at,
        credential=conversion.credential,
        for_institution=conversion.for_institution,
        currency=source.code,
        amount=figures.source,
        source=giver,
        money=rate.money,
        value=figures.settlement,
        fee=figures.fee,
    )
    pair = (source.id, target.id)
    acting = conversion.for_institution
    fee = fees.payments(draft.book, acting, FeeAct.CONVERSION, pair, source.issuer, rate.money, figures.fee)
    accept(draft, deals.of_conversion(configuration, conversion, fee), movement, held)
    limiting.count(draft, movement, Act.CONVERT, source, giver, figures.source, target.id, figures.settlement)
    limiting.count(draft, movement, Act.CONVERT_IN, target, conversion.target, figures.target)
    limiting.flow(draft, movement.id, conversion.credential, rate, figures.target, conversion.window or 0)
