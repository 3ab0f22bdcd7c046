"""Conversions between hosted currencies: quotes that bind, and converting at one or at the rate of the moment. Pure."""

from datetime import timedelta

import msgspec

from hub.access import Right
from hub.currencies import HOSTED, PointCurrency
from hub.errors import (
    CashoutForbidden,
    NoRate,
    NotFound,
    QuoteCancelled,
    QuoteExpired,
    QuoteUsed,
    Slippage,
    TooManyQuotes,
    TransferForbidden,
)
from hub.ledger import ageing, commands, exchanges, fees, labels, limiting, links, parts, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.orders import Payment
from hub.ledger.records import (
    AccountKind,
    Conversion,
    ConversionStatus,
    Customer,
    Movement,
    MovementKind,
    Purpose,
    Quote,
)
from hub.limits import Act
from hub.points import parse_positive, render
from hub.rates import Figures, Rate, figures
from hub.shares import Act as FeeAct
from hub.versions import in_force

QUOTES_OPEN_MAX = 5  # per customer and pair


class _Terms:
    """What a conversion's words mean, whoever the customers are: the same for every command of a batch that names the
    same currencies and institutions, so a batch finds it once (``Book.terms``)."""

    __slots__ = ("acting", "away", "figures", "has_caps", "home", "rate", "source", "target")

    def __init__(self, book: Book, command: commands.RequestQuote | commands.Convert) -> None:
        self.source = resolve.currency(book, command.source_currency)
        self.target = resolve.currency(book, command.target_currency)
        self.home = resolve.institution(book, command.source.institution)
        self.acting = resolve.allow(book, command.actor, Right.TRADE, self.home.id)
        self.away = resolve.institution(book, command.target.institution)
        resolve.taking_part(self.source, self.target)
        resolve.active(book, self.source.issuer, self.target.issuer, self.home.id, self.away.id)
        self.rate = in_force(book.configuration.versions_of(self.source.id, self.target.id), book.at)
        self.has_caps = self.rate is not None and any(bonus.cap is not None for bonus in self.rate.bonuses)
        self.figures: dict[int, Figures] = {}  # by source units, where they are the same for every customer


def _terms(book: Book, command: commands.RequestQuote | commands.Convert) -> _Terms:
    institutions = (command.source.institution, command.target.institution)
    key = (command.actor, command.source_currency, command.target_currency, *institutions)
    found: _Terms | None = book.terms.get(key)
    if found is None:
        found = book.terms[key] = _Terms(book, command)
    return found


class _Deal:
    """What a quote or a conversion is about: two currencies, two customers, a rate and its figures."""

    __slots__ = ("acting", "draft", "figures", "giver", "rate", "source", "taker", "target")

    def __init__(self, book: Book, command: commands.RequestQuote | commands.Convert) -> None:
        terms = _terms(book, command)
        self.source, self.target, self.acting = terms.source, terms.target, terms.acting
        amount = parse_positive(command.amount, self.source.scale)
        if terms.rate is None:
            raise NoRate(source=self.source.code, target=self.target.code)
        self.rate = terms.rate
        self.draft = Draft(book)
        # Whom a partner knows, the hub need not have met.
        self.giver = (
            resolve.known_customer(book, command.source, terms.home)
            if self.source.adapter == HOSTED
            else resolve.remote_spender(self.draft, command.actor, command.source, terms.home, self.source, None)
        )
        self.taker = resolve.credited_customer(self.draft, command.target, terms.away)
        _check_policies(book, self.source, self.target, self.rate, self.giver, self.taker)
        self.figures = _figures(book, terms, self.rate, self.giver, amount)


def _figures(book: Book, terms: _Terms, rate: Rate, giver: Customer, amount: int) -> Figures:
    """What ``amount`` source units of ``giver`` come to. Only a bonus with a cap asks who it is."""
    if not terms.has_caps and (known := terms.figures.get(amount)) is not None:
        return known
    headroom = [
        max(0, (bonus.cap or 0) - _counted(book, giver.id, rate.id, index)) for index, bonus in enumerate(rate.bonuses)
    ]
    found = figures(rate, amount, terms.source.scale, terms.target.scale, headroom, book.at)
    if not terms.has_caps:
        terms.figures[amount] = found
    return found


def _counted(book: Book, customer: int, rate: int, bonus: int) -> int:
    """Source units of a customer that a bonus' cap has counted: converted, or reserved by open quotes."""
    return book.bonus_used.get((rate, bonus, customer), 0) + book.reserved(customer, rate, bonus)


def _check_policies(
    book: Book, source: PointCurrency, target: PointCurrency, rate: Rate, giver: Customer, taker: Customer
) -> None:
    """Converting is no way around a policy: another person as target needs transferable points, and points that can
    become money come only of such points, or where the rate allows it. The same person is the same customer, or one at
    another institution who is actively linked with it.

    Raises:
        TransferForbidden: with what is missing, if a link would do.
        CashoutForbidden: the target can become money, and the source cannot.
    """
    if target.cashable and not source.cashable and not rate.allows_cashout:
        raise CashoutForbidden(currency=source.code, target=target.code)
    if source.transferable or links.are_one(book, giver, taker):
        return
    if giver.institution == taker.institution:
        raise TransferForbidden(currency=source.code)
    raise TransferForbidden(currency=source.code, requires="CUSTOMER_LINK")


def quote(book: Book, command: commands.RequestQuote) -> Draft:
    """A firm offer for ``ttl_seconds``: the rate of the moment with its bonuses and fees, pinned. It reserves what it
    counts under bonus caps, and nothing under limits: these count what is done, when it is executed, and may refuse it
    then. It needs no balance until it is executed. An unknown target customer is enrolled."""
    deal = _Deal(book, command)
    rates = book.configuration.rates
    open_ones = [
        offer
        for offer in book.open_quotes.get(deal.giver.id, {}).values()
        if offer.expires_at > book.at
        and (rates[offer.rate].source, rates[offer.rate].target) == (deal.source.id, deal.target.id)
    ]
    if command.binding and len(open_ones) >= QUOTES_OPEN_MAX:
        raise TooManyQuotes(open=len(open_ones), maximum=QUOTES_OPEN_MAX)
    draft = deal.draft
    offer = Quote(
        id=draft.new_id(),
        credential=command.actor,
        for_institution=deal.acting,
        rate=deal.rate.id,
        source=deal.giver,
        target=deal.taker,
        figures=deal.figures,
        expires_at=book.at + timedelta(seconds=command.ttl_seconds),
    )
    draft.quotes.append(offer)
    draft.result = offer
    return draft


def execute(book: Book, command: commands.ExecuteQuote) -> Draft:
    """Convert at a quote's figures, whatever the rate is now. A retired partner's running quotes are honoured.

    Raises:
        NotFound: no such quote, or not the caller's.
        QuoteUsed, QuoteCancelled, QuoteExpired: it offers nothing any more.
        TransferForbidden: its customers' link has ended since.
    """
    offer = book.quotes.get(command.quote or 0)
    asking = resolve.credential(book, command.actor)
    if offer is None or not resolve.sees(book, asking, offer.source.institution, offer.target.institution):
        raise NotFound
    acting = resolve.allow(book, command.actor, Right.TRADE, offer.source.institution)
    if offer.used_by is not None:
        raise QuoteUsed
    if offer.cancelled:
        raise QuoteCancelled
    if offer.expires_at <= book.at:
        raise QuoteExpired(expiresAt=offer.expires_at.isoformat())
    rate = book.configuration.rates[offer.rate]
    source, target = book.configuration.currencies[rate.source], book.configuration.currencies[rate.target]
    homes = (source.issuer, target.issuer, offer.source.institution, offer.target.institution)
    resolve.active(book, *homes, closing=True)
    _check_policies(book, source, target, rate, offer.source, offer.target)
    draft = Draft(book)
    conversion = _convert(draft, command, acting, rate, offer.source, offer.target, offer.figures, offer.id)
    draft.quotes.append(msgspec.structs.replace(offer, used_by=conversion.id))
    return draft


def convert(book: Book, command: commands.Convert) -> Draft:
    """Convert at the rate of the moment; ``minimum_target`` is the least total credit that the caller accepts.

    Raises:
        Slippage: the credit would be less, with what it would be.
    """
    deal = _Deal(book, command)
    if command.minimum_target is not None:
        least = parse_positive(command.minimum_target, deal.target.scale)
        if deal.figures.target < least:
            raise Slippage(
                target=render(deal.figures.target, deal.target.scale), minimum=render(least, deal.target.scale)
            )
    _convert(deal.draft, command, deal.acting, deal.rate, deal.giver, deal.taker, deal.figures, None)
    return deal.draft


def _convert(
    draft: Draft,
    command: commands.Convert | commands.ExecuteQuote,
    acting: int,
    rate: Rate,
    giver: Customer,
    taker: Customer,
    amounts: Figures,
    offer: int | None,
) -> Conversion:
    """customer → issuance:C; issuance:D → customer; C's issuer's position → D's for the settlement value, → the
    operator's for the fee. All of one movement."""
    book = draft.book
    configuration = book.configuration
    source, target = configuration.currencies[rate.source], configuration.currencies[rate.target]
    labels.check(command.channel)
    with_partner, pair = exchanges.is_exchange(source, target), (source.id, target.id)
    fee: tuple[Payment, ...] = ()
    if with_partner:
        window = book.newest_window
    else:
        fee = fees.payments(book, acting, FeeAct.CONVERSION, pair, source.issuer, rate.money, amounts.fee)
        value = Payment(source.issuer, target.issuer, amounts.settlement, Purpose.SETTLEMENT)
        window = book.window_of(rate.money, (value, *fee))
    conversion = Conversion(
        id=draft.new_id(),
        status=ConversionStatus.PENDING if with_partner else ConversionStatus.COMPLETED,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        rate=rate.id,
        quote=offer,
        source=giver,
        target=taker,
        figures=amounts,
        window=window.id,
        completed_at=None if with_partner else book.at,
    )
    draft.conversions.append(conversion)
    draft.result = conversion
    labels.note(draft, conversion.id, command.channel)
    for index, counted in enumerate(amounts.eligible):
        if counted and rate.bonuses[index].cap is not None:
            key = (rate.id, index, giver.id)
            draft.bonus_uses[key] = book.bonus_used.get(key, 0) + counted
    if with_partner:
        exchanges.accept_conversion(draft, conversion, command.channel, command.by)
        return conversion
    part = parts.spent_part(source, command.channel)
    debited = resolve.spendable(draft, giver, source, amounts.source, part, command.by)
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.CONVERT,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=target.code,
        amount=amounts.target,
        source=giver,
        target=taker,
        money=rate.money,
        value=amounts.settlement,
        fee=amounts.fee,
        subject=conversion.id,
    )
    burned = draft.account(AccountKind.ISSUANCE, source.issuer, source.code)
    spent = draft.spend(debited, amounts.source, part)
    made = ageing.converted(spent, amounts.source, amounts.target, source, target, rate.life, book.at)
    draft.points(movement.id, debited, burned, amounts.source, spent)
    draft.points(
        movement.id,
        draft.account(AccountKind.ISSUANCE, target.issuer, target.code),
        draft.account(AccountKind.CUSTOMER, taker.id, target.code),
        amounts.target,
        given=parts.placed(made, amounts.target, parts.credited_part(book, target, taker, command.channel), book.at),
    )
    draft.money(movement.id, source.issuer, target.issuer, rate.money, amounts.settlement, Purpose.SETTLEMENT)
    fees.post(draft, movement.id, rate.money, fee)
    resolve.within_caps(draft, command.actor)
    limiting.count(draft, movement, Act.CONVERT, source, giver, amounts.source, target.id, amounts.settlement)
    limiting.count(draft, movement, Act.CONVERT_IN, target, taker, amounts.target)
    limiting.flow(draft, movement.id, command.actor, rate, amounts.target, window.id)
    draft.movements.append(movement)
    return conversion
