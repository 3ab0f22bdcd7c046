"""Baskets: an amount of money at a merchant, paid with a customer's points of several currencies in one act. Pure."""

from hub.acceptance_terms import AcceptanceTerms
from hub.access import Right
from hub.baskets import Purse, split
from hub.currencies import PointCurrency
from hub.errors import InsufficientPoints, InvalidAmount, InvalidInput, NotAMultiple
from hub.ledger import commands, redeeming, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Account, AccountKind, Basket, Customer
from hub.money import format_millionths, minor_unit_millionths
from hub.points import AMOUNT_MAX, MONEY_SCALE, parse

CURRENCIES_MAX = 10
_MONEY_MAX = AMOUNT_MAX * 1000


def redeem(book: Book, command: commands.RedeemBasket) -> Draft:
    """Pay with the currencies in the order in which they are named, each with as many points as there are and as fit;
    at each one's terms at the merchant, or its unit value. Asked for by the customer's institution.

    Raises:
        InvalidAmount: the amount is no positive number of minor units.
        InvalidInput: no currency is named, one twice, too many, or one that is taken there in another money.
        NotAccepted: the merchant does not take one of them.
        NotHosted: a partner keeps the points of one, and cannot be asked together with others.
        InsufficientPoints: the points do not reach, and no rest is allowed; or there are none at all.
        NotAMultiple: points are left, and no unit of them fits into the rest; or the rest is no whole minor unit.
    """
    home = resolve.institution(book, command.customer.institution)
    acting = resolve.allow(book, command.actor, Right.TRADE, home.id)
    merchant = resolve.institution(book, command.merchant)
    resolve.active(book, home.id, merchant.id)
    amount = _amount(command.amount)
    money, codes = command.amount.currency, command.currencies
    if not 0 < len(codes) <= CURRENCIES_MAX or len(set(codes)) < len(codes):
        raise InvalidInput(currencies=len(codes), maximum=CURRENCIES_MAX)
    customer = resolve.known_customer(book, command.customer, home)
    draft = Draft(book)
    purses = [_purse(draft, resolve.currency(book, code), customer, merchant.id, money) for code in codes]
    spent, rest = split(amount, (purse for _, purse in purses))
    _check_rest(command, amount, rest, spent, purses)
    id = draft.new_id()
    done = []
    for units, (of, _) in zip(spent, purses, strict=True):
        if units:
            paid = redeeming.payment_of(book, of, merchant.id, units)
            movement = redeeming.movement(draft, command.actor, acting, of, customer, merchant.id, units, paid)
            redeeming.spend(draft, movement, of, customer, paid)
            done.append(movement)
            if command.memo:
                draft.memos.append((movement.id, command.memo))
    resolve.within_caps(draft, command.actor)
    made = Basket(
        id=id,
        last=done[-1].id,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        customer=customer,
        merchant=merchant.id,
        money=money,
        amount=amount,
        rest=rest,
        redemptions=tuple(done),
    )
    draft.baskets.append(made)
    draft.result = made
    return draft


def _amount(asked: commands.MoneyText) -> int:
    """What is to be paid, in millionths."""
    amount, unit = parse(asked.amount, MONEY_SCALE), minor_unit_millionths(resolve.money(asked.currency))
    if not 0 < amount <= _MONEY_MAX or amount % unit:
        raise InvalidAmount(amount=asked.amount[:60])
    return amount


def _purse(
    draft: Draft, of: PointCurrency, customer: Customer, merchant: int, money: str
) -> tuple[PointCurrency, Purse]:
    book = draft.book
    resolve.hosted(of, "BASKET")
    resolve.active(book, of.issuer)
    by = redeeming.priced_by(book, of, merchant)
    price, taken_in = (by.price, by.money) if isinstance(by, AcceptanceTerms) else (by.unit_value, by.money)
    if taken_in != money:
        raise InvalidInput(currency=of.code, money=taken_in)
    found: Account | None = book.accounts.get((AccountKind.CUSTOMER, customer.id, of.code))
    return of, Purse(0 if found is None else max(0, draft.available(found, None)), of.scale, price)


def _check_rest(
    command: commands.RedeemBasket, amount: int, rest: int, spent: list[int], purses: list[tuple[PointCurrency, Purse]]
) -> None:
    money = command.amount.currency
    told = {"rest": format_millionths(rest, money), "currency": money}
    left = any(purse.price and units < purse.available for units, (_, purse) in zip(spent, purses, strict=True))
    if rest and not command.leaves_rest:
        raise NotAMultiple(**told) if left else InsufficientPoints(**told)
    if rest == amount:
        raise InsufficientPoints(**told)
    if rest % minor_unit_millionths(money):
        raise NotAMultiple(**told)
