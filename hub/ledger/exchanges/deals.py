"""Deals: what an exchange is about, made of the rows that say so, when it is accepted and whenever it goes on. Pure."""

from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency
from hub.ledger.book import Book, Draft
from hub.ledger.orders import Deal, End, Payment
from hub.ledger.records import Account, AccountKind, Conversion, Customer, Mark, Movement, MovementKind, Phase, Purpose


def is_exchange(source: PointCurrency, target: PointCurrency) -> bool:
    """Whether a conversion needs a partner."""
    return source.adapter != HOSTED or target.adapter != HOSTED


def of_conversion(configuration: Configuration, conversion: Conversion) -> Deal:
    """The source's issuer pays the target's for the credited points, and the operator its fee."""
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
            Payment(source.issuer, configuration.operator.id, figures.fee, Purpose.FEE),
        ),
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


def between(draft: Draft, of: PointCurrency) -> tuple[Account, Account]:
    """The accounts of what a currency's partner has taken and given, and of what is on its way."""
    partner = draft.account(AccountKind.PARTNER, of.issuer, of.code)
    return partner, draft.account(AccountKind.TRANSIT, of.issuer, of.code)


def has_left(book: Book, customer: Customer, of: PointCurrency) -> bool:
    """Whether nothing can be given to a customer any more."""
    account = book.accounts.get((AccountKind.CUSTOMER, customer.id, of.code))
    marks = book.customer_marks.get(customer.id, 0) if account is None else account.marks
    return bool(marks & Mark.CLOSED)
