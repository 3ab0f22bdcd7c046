"""Redeeming: what a merchant is paid for points, by which terms, and the money's legs. Pure.

One place for every way in which points are redeemed: at once, out of a hold, over partners, or for a basket. By what
a currency is paid for at a merchant is looked up once in a batch.
"""

from hub.acceptance_terms import AcceptanceTerms, Payment, payment
from hub.currencies import HOSTED, PointCurrency, worth
from hub.errors import InvalidAmount, NotAccepted
from hub.ledger import fees, limiting, parts, resolve
from hub.ledger.book import Book
from hub.ledger.commands import Party
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Customer, Movement, MovementKind, Purpose
from hub.limits import Act
from hub.points import AMOUNT_MAX, render
from hub.terms import nearest

_MONEY_MAX = AMOUNT_MAX * 1000


def priced_by(book: Book, of: PointCurrency, merchant: int) -> AcceptanceTerms | PointCurrency:
    """The acceptance terms in force for a currency at a merchant; or the currency itself, at its unit value of the
    moment, where there are none.

    Raises:
        NotAccepted: it is taken on terms alone, and there are none.
    """
    key = (of.id, merchant)
    found = book.acceptance.get(key)
    if found is None:
        by_node = book.configuration.acceptance.get(of.id, {})
        terms = nearest(by_node, book.configuration.institutions, merchant, book.at)
        if terms is None and of.policy.needs_terms:
            raise NotAccepted(currency=of.code, merchant=book.configuration.institutions[merchant].code)
        found = book.acceptance[key] = terms or book.configuration.valued(of, book.at)
    return found


def payment_of(book: Book, of: PointCurrency, merchant: int, units: int) -> Payment:
    """What ``units`` smallest units of a currency come to at a merchant now.

    Raises:
        NotAccepted: the merchant does not take the currency.
        InvalidAmount: it is more money than the ledger carries.
    """
    by = priced_by(book, of, merchant)
    if isinstance(by, AcceptanceTerms):
        paid = payment(by, units, of.scale)
    else:
        paid = Payment(of.money, worth(by, units), 0, None)
    if paid.value > _MONEY_MAX or paid.fee > _MONEY_MAX:
        raise InvalidAmount(amount=render(units, of.scale))
    return paid


def movement(
    draft: Draft,
    actor: int,
    acting: int,
    of: PointCurrency,
    customer: Customer,
    merchant: int,
    units: int,
    paid: Payment,
) -> Movement:
    """The movement by which a customer's points are redeemed, or accepted to be where a partner keeps them."""
    return Movement(
        id=draft.new_id(),
        kind=MovementKind.REDEEM if of.adapter == HOSTED else MovementKind.ACCEPT_REDEEM,
        at=draft.book.at,
        credential=actor,
        for_institution=acting,
        currency=of.code,
        amount=units,
        source=customer,
        merchant=merchant,
        money=paid.money,
        value=paid.value,
        fee=paid.fee,
        terms=paid.terms,
    )


def spend(
    draft: Draft,
    moved: Movement,
    of: PointCurrency,
    customer: Customer,
    paid: Payment,
    channel: str | None = None,
    by: Party | None = None,
) -> None:
    """customer → issuance:C, and the money; the caller checks the caps.

    Raises:
        InsufficientPoints, Frozen, NotAMember, PoolRightMissing: see ``resolve.spendable``.
        LimitExceeded: a limit is in the way.
    """
    part = parts.spent_part(of, channel)
    source = resolve.spendable(draft, customer, of, moved.amount, part, by)
    burned = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    draft.points(moved.id, source, burned, moved.amount, draft.spend(source, moved.amount, part))
    pay(draft, moved, of)
    draft.movements.append(moved)
    limiting.count(draft, moved, Act.REDEEM, of, customer, moved.amount, value=paid.value)


def pay(draft: Draft, moved: Movement, of: PointCurrency) -> None:
    """The issuer's position → the merchant's for the value; the merchant's → whoever gets the fee."""
    money = moved.money or ""
    draft.money(moved.id, of.issuer, moved.merchant or 0, money, moved.value or 0, Purpose.SETTLEMENT)
    fees.post(draft, moved.id, money, fees.of_redemption(draft.book, moved))
