"""Fees: how the fee of an act becomes legs, whatever the act is. Pure.

Without a plan the fee is the operator's. Under a plan (``hub.shares``) each share is a leg of its own, and a row says
by which version it came about. What would fall to who pays the fee has no leg, because nobody owes himself, but has its
row, so that the rows of an act always sum to its fee. A plan is chosen once, when an act is done or accepted; what
comes of the act later, its completion or its reversal, goes by the rows.
"""

from collections.abc import Iterable

from hub import shares
from hub.configuration import Configuration
from hub.ledger.book import Book, Original
from hub.ledger.draft import Draft
from hub.ledger.orders import Payment, ShareOf
from hub.ledger.records import FeeShare, Movement, Phase, Purpose
from hub.money import minor_unit_millionths
from hub.points import share
from hub.shares import Act, SharePlan


def payments(
    book: Book, actor: int, act: Act, pair: tuple[int, int | None], payer: int, money: str, fee: int
) -> tuple[Payment, ...]:
    """Whom ``payer`` pays an act's fee in millionths, by the plan in force for the institution ``actor`` that acts, and
    the ``pair`` of point currencies. One look for each of these in a batch."""
    if not book.configuration.share_plans:
        return unshared(book.configuration, payer, fee)
    path = book.path(actor, book.open_window.id)
    plan = _plan(book, path, act, pair, money)
    if plan is None or not fee:
        return unshared(book.configuration, payer, fee)
    return tuple(
        Payment(payer, part.payee, part.amount, Purpose.FEE, ShareOf(plan.id, part.place, part.payee))
        for part in shares.parts(fee, plan.shares, path, minor_unit_millionths(money))
    )


def of_redemption(book: Book, redeemed: Movement) -> tuple[Payment, ...]:
    """Whom the merchant of a redemption pays its fee."""
    configuration = book.configuration
    currency, merchant = configuration.currency_codes[redeemed.currency], redeemed.merchant
    if merchant is None or not redeemed.fee:
        return ()
    actor, pair = redeemed.for_institution, (currency, None)
    return payments(book, actor, Act.REDEMPTION, pair, merchant, redeemed.money or "", redeemed.fee)


def unshared(configuration: Configuration, payer: int, fee: int) -> tuple[Payment, ...]:
    """The same without a plan: all is the operator's."""
    return (Payment(payer, configuration.operator.id, fee, Purpose.FEE),)


def _plan(book: Book, path: list[int], act: Act, pair: tuple[int, int | None], money: str) -> SharePlan | None:
    key = (path[0], book.open_window.id, act, pair, money)
    if key not in book.plans:
        configuration = book.configuration
        of = shares.acting(act, *pair, money, path, configuration.institutions, book.at)
        book.plans[key] = shares.plan_for(configuration.sharing, of, book.at)
    return book.plans[key]


def chosen(rows: Iterable[FeeShare], payer: int) -> tuple[Payment, ...]:
    """Whom ``payer`` pays the fee of an act that was accepted, by the rows of its plan."""
    return tuple(Payment(payer, row.institution, row.amount, Purpose.FEE, _share_of(row)) for row in rows)


def _share_of(row: FeeShare) -> ShareOf:
    return ShareOf(row.plan, row.place, row.institution)


def post(draft: Draft, movement: int, money: str, paid: Iterable[Payment]) -> None:
    """Legs for payments, in the window open now, and the rows of those by a plan."""
    for one in paid:
        draft.money(movement, one.payer, one.payee, money, one.amount, one.purpose)
        if one.share is not None:
            record(draft, movement, one)


def record(draft: Draft, movement: int, one: Payment) -> None:
    """The row of a payment by a plan, whose leg, if it has one, is the movement's last so far."""
    of = one.share
    if of is None or not one.amount:
        return
    n = None if one.payer == one.payee else sum(mine == movement for mine, _ in draft.legs) - 1
    draft.fee_shares.append(FeeShare(movement, of.place, of.plan, of.institution, one.amount, n))


def returned(original: Original, before: int, after: int, total: int) -> tuple[Payment, ...]:
    """What comes back of an act's money when ``before`` to ``after`` of its ``total`` points, or of those of them that
    money was paid for, are reversed: of each leg and of each share what falls to that, cumulative, so that the last
    reversal is exact. A share goes the way it came."""
    by_leg = {row.n: row for row in original.shares}
    found = []
    for n, leg in enumerate(original.legs):
        if leg.phase is not Phase.POSTED or leg.purpose is Purpose.POINTS:
            continue
        row, amount = by_leg.get(n), _part(leg.amount, before, after, total)
        of = None if row is None else _share_of(row)
        found.append(Payment(leg.credit.owner, leg.debit.owner, amount, leg.purpose, of))
    for row in original.shares:
        if row.n is None:
            amount, owner = _part(row.amount, before, after, total), row.institution
            found.append(Payment(owner, owner, amount, Purpose.FEE, _share_of(row)))
    return tuple(found)


def returned_fee(original: Original, before: int, after: int) -> int | None:
    """What comes back of an act's fee in all: the sum of what its shares give back, or the fee's own part."""
    fee, total = original.movement.fee, original.movement.amount
    if not original.shares:
        return None if fee is None else _part(fee, before, after, total)
    return sum(_part(row.amount, before, after, total) for row in original.shares)


def _part(whole: int, before: int, after: int, total: int) -> int:
    return share(after, total, whole) - share(before, total, whole)
