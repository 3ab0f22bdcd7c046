"""Acts on points: issue, transfer and redeem. Each reads the book and writes one movement into a draft, which posts it,
or accepts it where a partner keeps the points and has to be asked. Pure."""

from datetime import datetime, timedelta

from hub.access import Right
from hub.currencies import HOSTED, PointCurrency
from hub.errors import InvalidInput, NotHosted, TransferForbidden
from hub.expiry import NEVER
from hub.grant_terms import GrantTerms
from hub.institutions import Institution
from hub.ledger import ageing, commands, exchanges, granting, labels, limiting, parts, redeeming, resolve
from hub.ledger.book import Book
from hub.ledger.commands import Party
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Customer, Movement, MovementKind
from hub.limits import Act
from hub.points import parse_positive

_YEARS_MAX = timedelta(days=366 * 100)


def issue(book: Book, command: commands.Issue) -> Draft:
    """issuance:C → customer. Only C's issuer issues, or the operator for it; or under grant terms who they are agreed
    with, which pays the issuer for what it issues.

    ``earned_at``: default now. ``expires_at``: default by the currency's policy, from ``earned_at``. Of what a limit
    clips only the part that fits is issued.

    Raises:
        InvalidInput: the points would have been earned in the future, or be over already.
    """
    of = resolve.currency(book, command.currency)
    terms = None
    if command.grantor is None:
        acting = resolve.allow(book, command.actor, Right.TRADE, of.issuer, exact=True)
    else:
        acting, terms = granting.allow(book, command, of, command.grantor)
    home = resolve.institution(book, command.to.institution)
    resolve.active(book, of.issuer, home.id)
    amount = parse_positive(command.amount, of.scale)
    labels.check(command.channel, command.product)
    _check_times(book.at, command.earned_at, command.expires_at)
    if command.record is not None:
        resolve.record(command.record)
    draft = Draft(book)
    customer = resolve.credited_customer(draft, command.to, home)
    if of.adapter != HOSTED:
        return _issue_remote(draft, command, of, customer, amount, acting, terms)
    id = draft.new_id()
    amount = limiting.clip(draft, id, command.actor, of, customer, amount)
    lots = ageing.issued(of, amount, book.at, command.earned_at, command.expires_at)
    ends = lots[0].expires_at if lots else NEVER
    if ends <= book.at:
        raise InvalidInput(expiresAt=ends.isoformat())
    part = parts.credited_part(book, of, customer, command.channel)
    movement = Movement(
        id=id,
        kind=MovementKind.ISSUE,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        amount=amount,
        target=customer,
        earned_at=command.earned_at or book.at,
        expires_at=None if ends == NEVER else ends,
    )
    if terms is not None:
        movement = granting.priced(draft, movement, terms, of)
    draft.points(
        movement.id,
        draft.account(AccountKind.ISSUANCE, of.issuer, of.code),
        draft.account(AccountKind.CUSTOMER, customer.id, of.code),
        amount,
        given=parts.placed(lots, amount, part, book.at),
    )
    if terms is not None:
        granting.pay(draft, movement, of)
    draft.movements.append(movement)
    limiting.count(draft, movement, Act.ISSUE, of, customer, amount)
    if command.record is not None:
        draft.records.append((of.code, command.record, movement.id))
    _answer(draft, movement, command)
    return draft


def _issue_remote(
    draft: Draft,
    command: commands.Issue,
    of: PointCurrency,
    customer: Customer,
    amount: int,
    acting: int,
    terms: GrantTerms | None,
) -> Draft:
    """Ask the partner that keeps the points for the credit. When they end, and what they are apart from others for, is
    its affair; and it is asked for all or for nothing.

    Raises:
        NotHosted: the command says when they end, or names a channel or a record.
    """
    resolve.taking_part(of)
    for what in ("earned_at", "expires_at", "channel", "record"):
        if getattr(command, what) is not None:
            raise NotHosted(currency=of.code, act=what.upper())
    if customer.id in draft.book.pools:
        raise NotHosted(currency=of.code, act="POOL")
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.ACCEPT_ISSUE,
        at=draft.book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        amount=amount,
        target=customer,
    )
    if terms is not None:
        movement = granting.priced(draft, movement, terms, of)
    exchanges.accept_act(draft, movement)
    limiting.count(draft, movement, Act.ISSUE, of, customer, amount)
    _answer(draft, movement, command)
    return draft


def transfer(book: Book, command: commands.Transfer) -> Draft:
    """customer → customer, of one currency; the points keep their ends. Asked for by the giver's institution."""
    of = resolve.currency(book, command.currency)
    home = resolve.institution(book, command.source.institution)
    acting = resolve.allow(book, command.actor, Right.TRADE, home.id)
    away = home if command.target.institution == home.code else resolve.institution(book, command.target.institution)
    resolve.active(book, of.issuer, home.id)
    if away is not home:
        resolve.active(book, away.id)
    amount = parse_positive(command.amount, of.scale)
    labels.check(command.channel)
    draft = Draft(book)
    giver = _spender(draft, command.actor, command.source, home, of, command.by)
    taker = resolve.credited_customer(draft, command.target, away)
    if giver.id == taker.id:
        raise InvalidInput(to="the same customer")
    if not of.transferable:
        raise TransferForbidden(currency=of.code)
    hosted = of.adapter == HOSTED
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.TRANSFER if hosted else MovementKind.ACCEPT_TRANSFER,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        amount=amount,
        source=giver,
        target=taker,
    )
    if hosted:
        part = parts.spent_part(of, command.channel)
        source = resolve.spendable(draft, giver, of, amount, part, command.by)
        lots = draft.spend(source, amount, part)
        given = parts.placed(lots, amount, parts.credited_part(book, of, taker, command.channel), book.at)
        draft.points(movement.id, source, draft.account(AccountKind.CUSTOMER, taker.id, of.code), amount, lots, given)
        draft.movements.append(movement)
    else:
        exchanges.accept_act(draft, movement)
    limiting.count(draft, movement, Act.TRANSFER, of, giver, amount)
    limiting.count(draft, movement, Act.RECEIVE, of, taker, amount)
    _answer(draft, movement, command)
    return draft


def redeem(book: Book, command: commands.Redeem) -> Draft:
    """customer → issuance:C (burned); the issuer's position → the merchant's, by the acceptance terms in force there,
    or at the unit value without a fee; HALF_UP to the millionth. Asked for by the customer's institution.

    Raises:
        NotAccepted: the merchant does not take the currency.
    """
    of = resolve.currency(book, command.currency)
    home = resolve.institution(book, command.customer.institution)
    acting = resolve.allow(book, command.actor, Right.TRADE, home.id)
    merchant = resolve.institution(book, command.merchant)
    resolve.active(book, of.issuer, home.id, merchant.id)
    amount = parse_positive(command.amount, of.scale)
    labels.check(command.channel, command.product)
    draft = Draft(book)
    customer = _spender(draft, command.actor, command.customer, home, of, command.by)
    paid = redeeming.payment_of(book, of, merchant.id, amount)
    movement = redeeming.movement(draft, command.actor, acting, of, customer, merchant.id, amount, paid)
    if of.adapter == HOSTED:
        redeeming.spend(draft, movement, of, customer, paid, command.channel, command.by)
        resolve.within_caps(draft, command.actor)
    else:
        exchanges.accept_act(draft, movement)
        limiting.count(draft, movement, Act.REDEEM, of, customer, amount, value=paid.value)
    _answer(draft, movement, command)
    return draft


def enroll(book: Book, command: commands.EnrollCustomer) -> Draft:
    """A new customer of an institution, without an account."""
    home = resolve.institution(book, command.customer.institution)
    resolve.allow(book, command.actor, Right.TRADE, home.id)
    resolve.active(book, home.id)
    resolve.fresh_reference(book, command.customer, home)
    draft = Draft(book)
    draft.result = draft.enroll(home.id, command.customer.reference)
    return draft


def _spender(
    draft: Draft, actor: int, party: Party, home: Institution, of: PointCurrency, by: Party | None
) -> Customer:
    """Who spends: somebody whom the hub knows, if it keeps the points, and otherwise whom the partner knows."""
    if of.adapter == HOSTED:
        return resolve.known_customer(draft.book, party, home)
    resolve.taking_part(of)
    return resolve.remote_spender(draft, actor, party, home, of, by)


def _answer(draft: Draft, movement: Movement, command: commands.Issue | commands.Transfer | commands.Redeem) -> None:
    if command.memo:
        draft.memos.append((movement.id, command.memo))
    labels.note(
        draft, movement.id, command.channel, None if isinstance(command, commands.Transfer) else command.product
    )
    draft.result = movement


def _check_times(now: datetime, earned: datetime | None, expires: datetime | None) -> None:
    if earned is not None and not now - _YEARS_MAX <= earned <= now:
        raise InvalidInput(earnedAt=earned.isoformat())
    if expires is not None and not now < expires < NEVER:
        raise InvalidInput(expiresAt=expires.isoformat())
