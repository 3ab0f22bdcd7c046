"""Exchanges: conversions one or both of whose ends are in partners' systems. Pure.

A conversion between hosted currencies is one movement. Otherwise it is accepted: its money, and points that the hub
keeps itself, become pending, and count for caps and limits from then on. Then partners are asked for one thing after
the other, and each answer is a command, which posts what it proves and writes down what is asked next:

    DEBITING ── done ──▶ CREDITING ── done ──▶ COMPLETED      the source's partner, then the target's; one that is
       │                     │                                hosted is left out
       │ refused             │ refused
       ▼                     ▼
    REFUSED              REFUNDING ── done ──▶ REVERSED       (from CREDITING without a debit: REFUSED)

An answer that is unknown changes nothing but that the exchange is in doubt: it is asked for until it is known, and
nothing is ever refunded on a guess. Remote points pass ``partner:C → transit:C → issuance:C``. An answer to another
order than the one under way is an old one, and does nothing.
"""

import msgspec

from hub.access import Right
from hub.currencies import HOSTED, PointCurrency
from hub.errors import (
    CustomerClosed,
    InvalidInput,
    NotFound,
    PartnerRefused,
    PartnerUnavailable,
    Refusal,
    SameApprover,
)
from hub.expiry import NEVER
from hub.ledger import ageing, commands, lapse, limiting, parts, resolve
from hub.ledger.book import Book, Draft
from hub.ledger.orders import (
    Evidence,
    EvidenceKind,
    Exchange,
    ExchangeState,
    PlacedOrder,
    Step,
    exchange_of,
    reference_of,
)
from hub.ledger.records import (
    Account,
    AccountKind,
    Conversion,
    ConversionStatus,
    Customer,
    Hold,
    HoldKind,
    HoldStatus,
    Mark,
    Movement,
    MovementKind,
    Phase,
    Piece,
    Purpose,
)
from hub.limits import Act
from hub.partners import Operation, Reason, Status


def is_exchange(source: PointCurrency, target: PointCurrency) -> bool:
    """Whether a conversion needs a partner."""
    return source.adapter != HOSTED or target.adapter != HOSTED


class _Sides:
    """A conversion's two currencies, and what its money is between."""

    __slots__ = ("conversion", "money", "operator", "source", "target")

    def __init__(self, book: Book, conversion: Conversion) -> None:
        configuration = book.configuration
        rate = configuration.rates[conversion.rate]
        self.conversion = conversion
        self.source = configuration.currencies[rate.source]
        self.target = configuration.currencies[rate.target]
        self.money = rate.money
        self.operator = configuration.operator.id

    def unposted(self, draft: Draft, movement: int, phase: Phase) -> None:
        """Have the conversion's money pending, or not any more."""
        figures, of, payer = self.conversion.figures, self.conversion.window, self.source.issuer
        draft.unposted_money(
            movement, payer, self.target.issuer, self.money, figures.settlement, Purpose.SETTLEMENT, phase, of
        )
        draft.unposted_money(movement, payer, self.operator, self.money, figures.fee, Purpose.FEE, phase, of)

    def movement(self, draft: Draft, kind: MovementKind, credential: int, *, id: int | None = None) -> Movement:
        """A movement of the conversion's way, of the points that are given."""
        made = self.conversion
        return Movement(
            id=draft.new_id() if id is None else id,
            kind=kind,
            at=draft.book.at,
            credential=credential,
            for_institution=made.for_institution,
            currency=self.source.code,
            amount=made.figures.source,
            source=made.source,
            money=self.money,
            value=made.figures.settlement,
            fee=made.figures.fee,
            subject=None if id is not None else made.id,
        )


# --- accepting --------------------------------------------------------------------------------------------------------


def accept(draft: Draft, conversion: Conversion, channel: str | None, by: commands.Party | None) -> None:
    """Begin a conversion that needs a partner: what it will post is pending, and the first order is written down.

    Raises:
        InsufficientPoints, Frozen, NotAMember, PoolRightMissing: the source is hosted; see ``resolve.spendable``.
        LimitExceeded: a cap or a limit is in the way.
        InvalidInput: a partner keeps the source, and somebody spends of a pool.
    """
    book, sides = draft.book, _Sides(draft.book, conversion)
    figures, giver = conversion.figures, conversion.source
    movement = sides.movement(draft, MovementKind.ACCEPT, conversion.credential, id=conversion.id)
    draft.movements.append(movement)
    if sides.source.adapter == HOSTED:
        part = parts.spent_part(sides.source, channel)
        account = resolve.spendable(draft, giver, sides.source, figures.source, part, by)
        pins = draft.pins[movement.id] = draft.spend(account, figures.source, part)
        issuance = draft.account(AccountKind.ISSUANCE, sides.source.issuer, sides.source.code)
        draft.points(movement.id, account, issuance, figures.source, pins, (), Phase.PENDING)
        draft.holds.append(
            Hold(
                id=movement.id,
                kind=HoldKind.EXCHANGE,
                at=book.at,
                credential=conversion.credential,
                for_institution=conversion.for_institution,
                customer=giver,
                currency=sides.source.code,
                amount=figures.source,
                shortfall=0,
                expires_at=NEVER,
            )
        )
        asked = _order(draft, conversion.id, Operation.CREDIT, sides.target, conversion.target, figures.target)
    else:
        if by is not None:
            raise InvalidInput(by=by.reference)
        asked = _order(draft, conversion.id, Operation.DEBIT, sides.source, giver, figures.source)
    sides.unposted(draft, movement.id, Phase.PENDING)
    resolve.within_caps(draft, conversion.credential)
    limiting.count(
        draft, movement, Act.CONVERT, sides.source, giver, figures.source, sides.target.id, figures.settlement
    )
    limiting.count(draft, movement, Act.CONVERT_IN, sides.target, conversion.target, figures.target)
    state = ExchangeState.CREDITING if asked.operation is Operation.CREDIT else ExchangeState.DEBITING
    began = Exchange(id=conversion.id, state=state, order=asked)
    draft.orders.append(asked)
    draft.exchanges.append(began)
    draft.exchange_steps.append(
        Step(id=draft.new_id(), exchange=began.id, state=state, in_doubt=False, credential=conversion.credential)
    )


def _order(
    draft: Draft,
    exchange: int,
    operation: Operation,
    of: PointCurrency,
    customer: Customer,
    amount: int,
    after: Exchange | None = None,
) -> PlacedOrder:
    return PlacedOrder(
        id=draft.new_id(),
        reference=reference_of(exchange, operation),
        exchange=exchange,
        operation=operation,
        currency=of.code,
        customer=customer.id,
        amount=amount,
        at=draft.book.at,
        of=None if after is None else after.taken,
        partner_of=None if after is None else after.partner_taken,
    )


# --- going on ---------------------------------------------------------------------------------------------------------


def report(book: Book, command: commands.ReportOrder) -> Draft:
    """Take in what has become of an order. Said by the hub itself; answers the exchange as it is then, or None where
    the reference is of no order."""
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    draft = Draft(book)
    exchange = book.exchanges.get(exchange_of(command.reference) or 0)
    if exchange is None or exchange.order is None or exchange.order.reference != command.reference:
        draft.result = exchange  # an old answer, or one that came twice
        return draft
    _take(draft, exchange, command)
    return draft


def _take(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
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
    status = ConversionStatus.IN_DOUBT if in_doubt else ConversionStatus.PENDING
    _step(draft, msgspec.structs.replace(exchange, in_doubt=in_doubt), said, status)


def _succeeded(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
    book = draft.book
    conversion = book.conversions[exchange.id]
    sides = _Sides(book, conversion)
    match exchange.state:
        case ExchangeState.DEBITING:
            moved = sides.movement(draft, MovementKind.ARRIVE, said.actor)
            draft.movements.append(moved)
            draft.points(moved.id, *_between(draft, sides.source), conversion.figures.source)
            taken = msgspec.structs.replace(
                exchange, taken=said.reference, partner_taken=said.partner_reference, in_doubt=False
            )
            if sides.target.adapter != HOSTED:
                _ask(draft, taken, said, ExchangeState.CREDITING, sides)
            elif _has_left(book, conversion.target, sides.target):
                _refund(draft, taken, said, sides, CustomerClosed())
            else:
                _complete(draft, taken, said, sides)
        case ExchangeState.CREDITING:
            _complete(draft, exchange, said, sides)
        case _:
            moved = sides.movement(draft, MovementKind.REFUND, said.actor)
            draft.movements.append(moved)
            partner, transit = _between(draft, sides.source)
            draft.points(moved.id, transit, partner, conversion.figures.source)
            sides.unposted(draft, moved.id, Phase.VOIDED)
            _give_back(draft, exchange, moved, sides)
            ended = msgspec.structs.replace(exchange, state=ExchangeState.REVERSED, order=None, in_doubt=False)
            _step(draft, ended, said, ConversionStatus.REVERSED)


def _refused(draft: Draft, exchange: Exchange, said: commands.ReportOrder) -> None:
    sides = _Sides(draft.book, draft.book.conversions[exchange.id])
    if exchange.state is ExchangeState.REFUNDING:  # what was taken has to come back: only a person can help
        _doubt(draft, exchange, said, in_doubt=True)
        return
    of = sides.source if exchange.state is ExchangeState.DEBITING else sides.target
    refusal = _refusal(of, said)
    if exchange.taken is not None:
        _refund(draft, exchange, said, sides, refusal)
        return
    moved = sides.movement(draft, MovementKind.DECLINE, said.actor)
    draft.movements.append(moved)
    held = draft.book.holds.get(exchange.id)
    if held is not None:
        account = draft.account(AccountKind.CUSTOMER, held.customer.id, held.currency)
        issuance = draft.account(AccountKind.ISSUANCE, sides.source.issuer, sides.source.code)
        pins = draft.book.pins.get(held.id, ())
        draft.points(moved.id, account, issuance, held.amount, pins, (), Phase.VOIDED)
        draft.holds.append(msgspec.structs.replace(held, status=HoldStatus.RELEASED, resolved_by=moved.id))
    sides.unposted(draft, moved.id, Phase.VOIDED)
    _give_back(draft, exchange, moved, sides)
    if held is not None:
        lapse.expire(draft, account)
    ended = msgspec.structs.replace(
        exchange,
        state=ExchangeState.REFUSED,
        order=None,
        in_doubt=False,
        refusal=refusal.code,
        details=refusal.details,
    )
    _step(draft, ended, said, ConversionStatus.REFUSED)


def _refusal(of: PointCurrency, said: commands.ReportOrder) -> Refusal:
    if said.status is Status.ABSENT:
        return PartnerUnavailable(currency=of.code)
    told = {"code": said.code} if said.code else {}
    return PartnerRefused(currency=of.code, because=(said.reason or Reason.OTHER).value, **told)


def _ask(draft: Draft, exchange: Exchange, said: commands.ReportOrder, state: ExchangeState, sides: _Sides) -> None:
    """Write the next order down."""
    figures = sides.conversion.figures
    if state is ExchangeState.CREDITING:
        asked = _order(draft, exchange.id, Operation.CREDIT, sides.target, sides.conversion.target, figures.target)
    else:
        asked = _order(
            draft, exchange.id, Operation.REVERSE, sides.source, sides.conversion.source, figures.source, exchange
        )
    draft.orders.append(asked)
    _step(
        draft,
        msgspec.structs.replace(exchange, state=state, order=asked, in_doubt=False),
        said,
        ConversionStatus.PENDING,
    )


def _refund(draft: Draft, exchange: Exchange, said: commands.ReportOrder, sides: _Sides, why: Refusal) -> None:
    refused = msgspec.structs.replace(exchange, refusal=why.code, details=why.details)
    _ask(draft, refused, said, ExchangeState.REFUNDING, sides)


def _complete(draft: Draft, exchange: Exchange, said: commands.ReportOrder, sides: _Sides) -> None:
    """transit:C → issuance:C, or the held points → issuance:C; issuance:D → partner:D, or → customer; and the money, in
    the window open now. It was promised, so no cap or limit is asked again."""
    book, conversion = draft.book, sides.conversion
    source, target, figures = sides.source, sides.target, conversion.figures
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.CONVERT,
        at=book.at,
        credential=conversion.credential,
        for_institution=conversion.for_institution,
        currency=target.code,
        amount=figures.target,
        source=conversion.source,
        target=conversion.target,
        money=sides.money,
        value=figures.settlement,
        fee=figures.fee,
        subject=conversion.id,
    )
    burned = draft.account(AccountKind.ISSUANCE, source.issuer, source.code)
    held = book.holds.get(exchange.id)
    taken: tuple[Piece, ...] = ()
    if held is None:
        draft.points(
            movement.id, draft.account(AccountKind.TRANSIT, source.issuer, source.code), burned, figures.source
        )
    else:
        account = draft.account(AccountKind.CUSTOMER, held.customer.id, held.currency)
        taken = book.pins.get(held.id, ())
        draft.points(movement.id, account, burned, held.amount, taken, (), Phase.VOIDED)
        draft.points(movement.id, account, burned, held.amount, taken)
        draft.holds.append(
            msgspec.structs.replace(held, status=HoldStatus.CAPTURED, captured=held.amount, resolved_by=movement.id)
        )
    issued = draft.account(AccountKind.ISSUANCE, target.issuer, target.code)
    if target.adapter == HOSTED:
        rate = book.configuration.rates[conversion.rate]
        made = ageing.converted(taken, figures.source, figures.target, source, target, rate.life, book.at)
        part = parts.credited_part(book, target, conversion.target, None)
        given = parts.placed(made, figures.target, part, book.at)
        taker = draft.account(AccountKind.CUSTOMER, conversion.target.id, target.code)
        draft.points(movement.id, issued, taker, figures.target, given=given)
    else:
        partner, _ = _between(draft, target)
        draft.points(movement.id, issued, partner, figures.target)
    sides.unposted(draft, movement.id, Phase.VOIDED)
    draft.money(movement.id, source.issuer, target.issuer, sides.money, figures.settlement, Purpose.SETTLEMENT)
    draft.money(movement.id, source.issuer, sides.operator, sides.money, figures.fee, Purpose.FEE)
    draft.movements.append(movement)
    ended = msgspec.structs.replace(
        exchange,
        state=ExchangeState.COMPLETED,
        order=None,
        in_doubt=False,
        window=book.open_window.id,
    )
    _step(draft, ended, said, ConversionStatus.COMPLETED)


def _give_back(draft: Draft, exchange: Exchange, moved: Movement, sides: _Sides) -> None:
    """Give back what the conversion counted under limits and bonus caps when it was accepted."""
    book, conversion = draft.book, sides.conversion
    limiting.take_back(draft, exchange.id, moved.id)
    rate = book.configuration.rates[conversion.rate]
    for index, counted in enumerate(conversion.figures.eligible):
        if counted and rate.bonuses[index].cap is not None:
            key = (rate.id, index, conversion.source.id)
            draft.bonus_uses[key] = book.bonus_used.get(key, 0) - counted


def _step(draft: Draft, exchange: Exchange, said: commands.ReportOrder, status: ConversionStatus) -> None:
    book = draft.book
    conversion = book.conversions[exchange.id]
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
    if status is not conversion.status:
        completed_at = book.at if status is ConversionStatus.COMPLETED else None
        draft.conversions.append(msgspec.structs.replace(conversion, status=status, completed_at=completed_at))
    draft.result = exchange


def _between(draft: Draft, of: PointCurrency) -> tuple[Account, Account]:
    """The accounts of what a currency's partner has taken and given, and of what is on its way."""
    partner = draft.account(AccountKind.PARTNER, of.issuer, of.code)
    return partner, draft.account(AccountKind.TRANSIT, of.issuer, of.code)


def _has_left(book: Book, customer: Customer, of: PointCurrency) -> bool:
    account = book.accounts.get((AccountKind.CUSTOMER, customer.id, of.code))
    marks = book.customer_marks.get(customer.id, 0) if account is None else account.marks
    return bool(marks & Mark.CLOSED)


# --- deciding by evidence ---------------------------------------------------------------------------------------------


def add_evidence(book: Book, command: commands.AddEvidence) -> Draft:
    """Put a note into the file of an exchange, or propose what became of its order. By the operator.

    Raises:
        NotFound: there is no such exchange.
        InvalidInput: the text is blank; or an outcome is proposed of what is not in doubt, or one that nothing follows
            from: that a partner never gave points back is no end.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    exchange = book.exchanges.get(command.exchange or 0)
    if exchange is None:
        raise NotFound
    resolve.reason(command.text)
    if command.done is not None:
        check_outcome(exchange, done=command.done)
    draft = Draft(book)
    if command.done is not None:
        propose(draft, exchange, command.actor, done=command.done, text=command.text)
    else:
        _say(draft, exchange, EvidenceKind.NOTE, None, command.actor, command.text)
    draft.result = exchange
    return draft


def check_outcome(exchange: Exchange, *, done: bool) -> None:
    """Pass if something follows from this outcome of the order under way.

    Raises:
        InvalidInput: it is not in doubt; or a partner would never have given points back, which is no end.
    """
    if exchange.order is None or not exchange.in_doubt:
        raise InvalidInput(state=exchange.state.value, inDoubt=exchange.in_doubt)
    if exchange.state is ExchangeState.REFUNDING and not done:
        raise InvalidInput(done=done, state=exchange.state.value)


def propose(draft: Draft, exchange: Exchange, actor: int, *, done: bool, text: str) -> None:
    """Put a proposal into the file of an exchange whose order is in doubt."""
    _say(draft, exchange, EvidenceKind.PROPOSAL, done, actor, text)


def _say(draft: Draft, exchange: Exchange, kind: EvidenceKind, done: bool | None, actor: int, text: str) -> None:
    said = Evidence(
        id=draft.new_id(),
        exchange=exchange.id,
        order="" if exchange.order is None else exchange.order.reference,
        kind=kind,
        done=done,
        credential=actor,
    )
    draft.evidence.append(said)
    draft.memos.append((said.id, text))


def approve_evidence(book: Book, command: commands.ApproveEvidence) -> Draft:
    """Go on as if the partner had answered what was proposed. By another person of the operator's.

    Raises:
        NotFound: there is no such exchange, or this is not the last proposal on the order that is under way.
        SameApprover: the same person proposed it.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    exchange = book.exchanges.get(command.exchange or 0)
    if exchange is None or exchange.order is None:
        raise NotFound
    proposed = book.proposals.get(exchange.id)
    if proposed is None or proposed.id != command.proposal or proposed.order != exchange.order.reference:
        raise NotFound
    _check_second(book, command.actor, proposed)
    draft = Draft(book)
    _approve(draft, exchange, exchange.order, command.actor, done=bool(proposed.done))
    return draft


def approve(draft: Draft, exchange: Exchange, actor: int, *, done: bool) -> None:
    """The same in a draft that does more, of an outcome that was proposed in the exchange's file.

    Raises:
        NotFound: the last proposal there is not of this outcome.
        SameApprover: the same person proposed it.
    """
    proposed = draft.book.proposals.get(exchange.id)
    if exchange.order is None or proposed is None:
        raise NotFound
    if (proposed.order, proposed.done) != (exchange.order.reference, done):
        raise NotFound
    _check_second(draft.book, actor, proposed)
    _approve(draft, exchange, exchange.order, actor, done=done)


def _check_second(book: Book, actor: int, proposed: Evidence) -> None:
    person = resolve.credential(book, actor).person
    if book.configuration.credentials[proposed.credential].person == person:
        raise SameApprover(person=person)


def _approve(draft: Draft, exchange: Exchange, order: PlacedOrder, actor: int, *, done: bool) -> None:
    draft.evidence.append(
        Evidence(
            id=draft.new_id(),
            exchange=exchange.id,
            order=order.reference,
            kind=EvidenceKind.APPROVAL,
            done=done,
            credential=actor,
        )
    )
    status, reason = (Status.SUCCEEDED, None) if done else (Status.REFUSED, Reason.OTHER)
    _take(draft, exchange, commands.ReportOrder(actor=actor, reference=order.reference, status=status, reason=reason))
