"""Deals: what an exchange is about, made of the rows that say so, when it is accepted and whenever it goes on. Pure."""

from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency
from hub.ledger import fees, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.orders import Deal, End, ExchangeState, Payment, reference_of
from hub.ledger.records import (
    ACCEPTED,
    Account,
    AccountKind,
    Conversion,
    Customer,
    Mark,
    Movement,
    MovementKind,
    Phase,
    Purpose,
)
from hub.points import share


def is_exchange(source: PointCurrency, target: PointCurrency) -> bool:
    """Whether a conversion needs a partner."""
    return source.adapter != HOSTED or target.adapter != HOSTED


def of_conversion(configuration: Configuration, conversion: Conversion, fee: tuple[Payment, ...]) -> Deal:
    """The source's issuer pays the target's for the credited points, and its ``fee``."""
    rate, figures = configuration.rates[conversion.rate], conversion.figures
    source, target = configuration.currencies[rate.source], configuration.currencies[rate.target]
    return Deal(
        id=conversion.id,
        kind=MovementKind.CONVERT,
        credential=conversion.credential,
        for_institution=conversion.for_institution,
        window=conversion.window,
        source=conversion.source,
        target=conversion.target,
        gives=End(currency=source.code, customer=conversion.source, amount=figures.source),
        takes=End(currency=target.code, customer=conversion.target, amount=figures.target),
        money=rate.money,
        value=figures.settlement,
        fee=figures.fee,
        payments=(
            Payment(source.issuer, target.issuer, figures.settlement, Purpose.SETTLEMENT),
            *fee,
        ),
    )


def of_act(configuration: Configuration, accepted: Movement, window: int, fee: tuple[Payment, ...]) -> Deal:
    """Of a redemption, a transfer or an issue, by the movement that accepts it in ``window``. For a redemption the
    issuer pays the merchant, who pays the ``fee``; for an issue under grant terms who grants pays the issuer. A
    transfer costs nothing."""
    issuer = configuration.currencies[configuration.currency_codes[accepted.currency]].issuer
    ends = [
        None if one is None else End(currency=accepted.currency, customer=one, amount=accepted.amount)
        for one in (accepted.source, accepted.target)
    ]
    payments: tuple[Payment, ...] = ()
    if accepted.merchant is not None:
        value = Payment(issuer, accepted.merchant, accepted.value or 0, Purpose.SETTLEMENT)
        payments = (value, *fee)
    elif accepted.terms is not None:  # who grants pays the issuer
        payments = (Payment(accepted.for_institution, issuer, accepted.value or 0, Purpose.SETTLEMENT),)
    return Deal(
        id=accepted.id,
        kind=ACCEPTED[accepted.kind],
        credential=accepted.credential,
        for_institution=accepted.for_institution,
        window=window,
        source=accepted.source,
        target=accepted.target,
        gives=ends[0],
        takes=ends[1],
        money=accepted.money,
        value=accepted.value,
        fee=accepted.fee,
        payments=payments,
        merchant=accepted.merchant,
        terms=accepted.terms,
    )


def of_reversal(book: Book, accepted: Movement, window: int) -> Deal:
    """Of the reversal of what is left of an act, or of the part of it that was accepted in ``window``: what was
    credited is given, what was debited comes back, and whoever was paid pays back, each in the same share. There is one
    at a time, so that what was reversed before it is what is reversed by now."""
    subject = accepted.subject or 0
    original = book.originals[subject]
    done, before, after = original.movement, original.reversed, original.reversed + accepted.amount
    credited = None
    if done.kind is not MovementKind.REDEEM and done.target is not None:
        reference = _done(book, subject, ExchangeState.CREDITING)
        credited = _undone(book, reference, done.currency, done.target, done.amount, before, after, done.amount)
    debited = None
    if done.source is not None:
        code, units = done.currency, done.amount
        if original.conversion is not None:
            rate = book.configuration.rates[original.conversion.rate]
            code, units = book.configuration.currencies[rate.source].code, original.conversion.figures.source
        reference = _done(book, subject, ExchangeState.DEBITING, ExchangeState.COLLECTING)
        debited = _undone(book, reference, code, done.source, units, before, after, done.amount)
    return Deal(
        id=accepted.id,
        kind=MovementKind.REVERSE,
        credential=accepted.credential,
        for_institution=accepted.for_institution,
        window=window,
        source=accepted.source,
        target=accepted.target,
        gives=credited,
        takes=debited,
        money=accepted.money,
        value=accepted.value,
        fee=accepted.fee,
        payments=fees.returned(original, before, after, original.movement.amount),
        merchant=accepted.merchant,
        terms=accepted.terms,
        reverses=subject,
        before=before,
    )


def _done(book: Book, subject: int, *states: ExchangeState) -> str | None:
    """The order by which an act's points came to an end or went, if it can be reversed; a capture cannot."""
    asked = (reference_of(subject, state) for state in states)
    return next((reference for reference in asked if reference in book.done), None)


def _undone(
    book: Book,
    reference: str | None,
    currency: str,
    customer: Customer,
    units: int,
    before: int,
    after: int,
    total: int,
) -> End | None:
    """The end at which ``units`` came or went by the order ``reference``, of which those are undone that fall to
    ``before`` to ``after`` of ``total`` credited points; None: no unit does."""
    part = share(after, total, units) - share(before, total, units)
    if not part:
        return None
    return End(
        currency=currency,
        customer=customer,
        amount=part,
        undoes=reference,
        partner_undoes=None if reference is None else book.done[reference],
        is_whole=part == units,
    )


def currency(book: Book, end: End) -> PointCurrency:
    """What the points of an end are."""
    return book.configuration.currencies[book.configuration.currency_codes[end.currency]]


def is_remote(book: Book, end: End | None) -> bool:
    """Whether a partner has to be asked at an end."""
    return end is not None and currency(book, end).adapter != HOSTED


def way(draft: Draft, deal: Deal, kind: MovementKind, credential: int) -> Movement:
    """A movement on the way of an exchange."""
    stated = deal.stated
    return Movement(
        id=draft.new_id(),
        kind=kind,
        at=draft.book.at,
        credential=credential,
        for_institution=deal.for_institution,
        currency=stated.currency,
        amount=stated.amount,
        source=deal.source,
        target=None if deal.kind is MovementKind.CONVERT else deal.target,
        merchant=deal.merchant,
        money=deal.money,
        value=deal.value,
        fee=deal.fee,
        subject=deal.id,
    )


def unposted(draft: Draft, deal: Deal, movement: int, phase: Phase) -> None:
    """Have the deal's money pending, or not any more."""
    for one in deal.payments:
        money = deal.money or ""
        draft.unposted_money(movement, one.payer, one.payee, money, one.amount, one.purpose, phase, deal.window)
        if phase is Phase.PENDING:
            fees.record(draft, movement, one)


def between(draft: Draft, of: PointCurrency) -> tuple[Account, Account]:
    """The accounts of what a currency's partner has taken and given, and of what is on its way."""
    partner = draft.account(AccountKind.PARTNER, of.issuer, of.code)
    return partner, draft.account(AccountKind.TRANSIT, of.issuer, of.code)


def has_left(book: Book, customer: Customer, of: PointCurrency) -> bool:
    """Whether nothing can be given to a customer any more."""
    return bool(resolve.marks_of(book, customer, of.code) & Mark.CLOSED)
