"""Limiting: what acts count under limits, and what becomes of one that goes beyond. Pure.

Counting is part of deciding an act: the next command of the batch, and the next batch, see what this one used. A limit
that concerns nobody here costs one look into a dictionary. A reversal gives back, in proportion, exactly what its act
counted and to the same periods; it is bound by no limit itself.
"""

from hub import ids
from hub.currencies import PointCurrency
from hub.errors import LimitExceeded
from hub.ledger import resolve
from hub.ledger.book import Book, Original
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Customer, Movement
from hub.limits import (
    Act,
    Clipping,
    Limit,
    LimitEntry,
    Mode,
    Period,
    Subject,
    UseKey,
    concerning,
    held,
    is_known,
    measured,
    outflow_key,
    period_of,
    shown,
    subject_of,
    unit_of,
)
from hub.points import render, share
from hub.rates import Rate


def clip(draft: Draft, movement: int, actor: int, of: PointCurrency, customer: Customer, asked: int) -> int:
    """How many of ``asked`` smallest units limits that clip let ``customer`` be issued by ``movement``; of several the
    tightest, of equals the older one. What was clipped is recorded with the version that did it.

    Raises:
        LimitExceeded: nothing fits.
    """
    granted, tightest = asked, None
    for limit in _on(draft.book, Act.ISSUE, of, customer):
        if limit.mode is Mode.CLIP and limit.amount is not None:
            left = max(0, limit.amount - _used(draft, limit, of, customer))
            if left < granted:
                granted, tightest = left, limit
    if tightest is None:
        return asked
    if granted == 0:
        raise _exceeded(draft, actor, tightest, of, customer, asked)
    draft.clippings.append(Clipping(movement, tightest.id, asked))
    return granted


def count(
    draft: Draft,
    movement: Movement,
    act: Act,
    of: PointCurrency,
    customer: Customer,
    points: int,
    target: int | None = None,
    value: int | None = None,
) -> None:
    """Count ``points`` smallest units of ``of`` that ``customer`` is credited or debited by one side of ``movement``.
    ``target``: what they become; ``value``: what the side settles, in millionths of the movement's money.

    Raises:
        LimitExceeded: a limit is in force of which less is left.
    """
    for limit in _on(draft.book, act, of, customer, target):
        worth = draft.book.configuration.valued(of, draft.book.at)
        amount = measured(limit, worth, points, movement.money, value)
        if limit.period is Period.BALANCE:
            account = draft.account(AccountKind.CUSTOMER, customer.id, of.code)
            after = held(limit, worth, account.balance + points)
        else:
            after = _used(draft, limit, of, customer) + amount
        if limit.amount is not None and after > limit.amount:
            raise _exceeded(draft, movement.credential, limit, of, customer, amount)
        if amount and limit.period is not Period.BALANCE:
            key = _key(draft, limit, of, customer)
            _enter(draft, movement.id, key, amount)


def flow(draft: Draft, movement: int, actor: int, rate: Rate, units: int, window: int) -> None:
    """Count ``units`` that ``movement`` credits by a rate, or accepts to, under its outflow limit, if it has one.

    Raises:
        LimitExceeded: less is left of it in this window; how much, only to whose points they are or become.
    """
    if rate.outflow_limit is None:
        return
    book, key = draft.book, outflow_key(rate, window)
    used = book.limit_used.get(key, 0)
    if used + units <= rate.outflow_limit:
        _enter(draft, movement, key, units)
        return
    source, target = book.configuration.currencies[rate.source], book.configuration.currencies[rate.target]
    told = {
        "rate": ids.text(ids.RATE, rate.id),
        "outflowLimit": render(rate.outflow_limit, target.scale),
        "currency": target.code,
        "requested": render(units, target.scale),
    }
    if resolve.sees(book, resolve.credential(book, actor), source.issuer, target.issuer):
        told["available"] = render(max(0, rate.outflow_limit - used), target.scale)
    raise LimitExceeded(**told)


def give_back(draft: Draft, original: Original, movement: int, before: int, after: int) -> None:
    """Give back what an act counted, as ``movement`` reverses it from ``before`` to ``after`` of its credited points:
    of S units ⌊S·r/T⌋ in all, like its legs."""
    total = original.movement.amount
    for entry in draft.book.limit_entries.get(original.counted, ()):
        part = share(after, total, entry.amount) - share(before, total, entry.amount)
        if part:
            _enter(draft, movement, entry.key, -part)


def take_back(draft: Draft, counted: int, movement: int) -> None:
    """Give back all that the movement ``counted`` has counted: what it began came to nothing, as ``movement`` says."""
    for entry in draft.book.limit_entries.get(counted, ()):
        _enter(draft, movement, entry.key, -entry.amount)


def _enter(draft: Draft, movement: int, key: UseKey, amount: int) -> None:
    """Count ``amount``; a movement's entries are numbered one after the other."""
    place = sum(1 for entry in draft.limit_entries if entry.movement == movement)
    draft.limit_entries.append(LimitEntry(movement, place, *key, amount))


def _on(book: Book, act: Act, of: PointCurrency, customer: Customer, target: int | None = None) -> list[Limit]:
    """The limits in force on an act of a customer's."""
    configuration = book.configuration
    families = configuration.limits_on(act, of.id) if configuration.limits else ()
    if not families:
        return []
    return concerning(families, configuration.institutions, customer.institution, target, book.at)


def _key(draft: Draft, limit: Limit, of: PointCurrency, customer: Customer) -> UseKey:
    account = draft.account(AccountKind.CUSTOMER, customer.id, of.code).id if limit.subject is Subject.ACCOUNT else 0
    subject = subject_of(limit, customer.id, account, customer.institution)
    return (limit.family, subject, period_of(limit.period, limit.zone, draft.book.at))


def _used(draft: Draft, limit: Limit, of: PointCurrency, customer: Customer) -> int:
    if limit.period is Period.BALANCE:
        worth = draft.book.configuration.valued(of, draft.book.at)
        return held(limit, worth, draft.account(AccountKind.CUSTOMER, customer.id, of.code).balance)
    return draft.book.limit_used.get(_key(draft, limit, of, customer), 0)


def _exceeded(
    draft: Draft, actor: int, limit: Limit, of: PointCurrency, customer: Customer, requested: int
) -> LimitExceeded:
    """The refusal, told as far as the caller sees: the limit to whom it concerns, and what others have used of it only
    to who sees them from within."""
    book, asking = draft.book, resolve.credential(draft.book, actor)
    if not (asking.sees_all or is_known(limit, book.configuration.institutions, asking.institution)):
        return LimitExceeded(currency=of.code)
    told: dict[str, object] = {
        "limit": limit.code,
        "period": period_of(limit.period, limit.zone, book.at) or limit.period.value,
        "amount": shown(limit, of, limit.amount or 0),
        "currency": unit_of(limit, of),
        "requested": shown(limit, of, requested),
    }
    home = limit.owner if limit.subject is Subject.PROGRAMME else customer.institution
    if resolve.sees(book, asking, home):
        used = _used(draft, limit, of, customer)
        told |= {"used": shown(limit, of, used), "available": shown(limit, of, max(0, (limit.amount or 0) - used))}
    return LimitExceeded(**told)
