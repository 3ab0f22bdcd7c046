"""Configuring limits: setting one, giving it another amount, lifting it. Each is a version with a start. Pure.

By an administrator of the currency's issuer or of an institution above it, or by the operator for the issuer; who sets
a limit first owns it, and those below its owner cannot change it. What makes a limit tighter than it would be waits for
its notice; what eases it may start at once.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hub.access import Right
from hub.currencies import HOSTED, PointCurrency
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound
from hub.expiry import is_zone
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.limits import CREDITS, Act, Limit, Measure, Mode, Period, Subject, in_force, is_known
from hub.points import MONEY_SCALE, parse
from hub.registry import checks

LIMITS_MAX = 50  # on one act with one currency: each of its acts looks at all of them
NOTICE_DAYS_MAX = 366
LIMIT_MAX = 10**18  # smallest units, or millionths


def set_limit(book: Book, command: commands.SetLimit) -> Draft:
    """A new limit, or another version of one.

    Raises:
        InvalidInput: the terms do not fit together; the start is past, or before the notice is over; or it bounds what
            is in accounts that a partner keeps.
        InvalidAmount: the amount is malformed, below zero or too large.
        Duplicate: the code is taken; or a version of the limit starts at the same instant.
        NotFound: there is no limit with this code to give a version to.
        UnknownCurrency: there is no such point currency, or none such as target.
    """
    of = resolve.currency(book, command.currency)
    acting = resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer)
    resolve.active(book, of.issuer)
    known = find(book, of, command.code)
    if command.terms is None:
        if not known:
            raise NotFound(limit=command.code[:60])
        _check_keeper(of, known[0].period, known[0].subject)
        resolve.allow(book, command.actor, Right.CONFIGURE, known[0].owner)
        return _version(book, command.actor, known, _amount(command.amount, of, known[0].measure), command.starts)
    if known:
        raise Duplicate(limit=command.code)
    return _first(book, command, command.terms, of, acting)


def lift(book: Book, command: commands.LiftLimit) -> Draft:
    """A version without an amount: from its start on the limit bounds nothing.

    Raises:
        NotFound: there is no such limit for the caller.
        InvalidInput: the start is past.
        Duplicate: a version of the limit starts at the same instant.
    """
    asking = resolve.credential(book, command.actor)
    known = book.configuration.limits.get(command.id or 0)
    nodes = book.configuration.institutions
    if known is None or not (asking.sees_all or is_known(known[0], nodes, asking.institution)):
        raise NotFound
    resolve.allow(book, command.actor, Right.CONFIGURE, known[0].owner)
    return _version(book, command.actor, known, None, command.starts)


def find(book: Book, of: PointCurrency, code: str) -> tuple[Limit, ...]:
    """The versions of a currency's limit with this code; none: there is no such limit."""
    for act in Act:
        for versions in book.configuration.limits_on(act, of.id):
            if versions[0].code == code:
                return versions
    return ()


def _first(book: Book, command: commands.SetLimit, terms: commands.LimitTerms, of: PointCurrency, acting: int) -> Draft:
    checks.code("code", command.code)
    checks.name("name", terms.name)
    _check(terms)
    _check_keeper(of, terms.period, terms.subject)
    target = None if terms.target is None else resolve.currency(book, terms.target)
    if target is not None and target.id == of.id:
        raise InvalidInput(target=target.code)
    institution = None if terms.institution is None else resolve.institution(book, terms.institution)
    if len(book.configuration.limits_on(terms.act, of.id)) >= LIMITS_MAX:
        raise InvalidInput(limits=LIMITS_MAX)
    draft = Draft(book)
    id = draft.new_id()
    limit = Limit(
        id=id,
        family=id,
        version=1,
        owner=acting,
        code=command.code,
        name=terms.name,
        act=terms.act,
        currency=of.id,
        target=None if target is None else target.id,
        institution=None if institution is None else institution.id,
        subject=terms.subject,
        period=terms.period,
        measure=terms.measure,
        mode=terms.mode,
        zone=terms.zone,
        notice_days=terms.notice_days,
        amount=_amount(command.amount, of, terms.measure),
        starts=_start(book, (), terms.notice_days, command.starts, tightens=True),
        configured_by=resolve.credential(book, command.actor).person,
        configured_at=book.at,
    )
    return _take(draft, limit)


def _check(terms: commands.LimitTerms) -> None:
    """Pass if the terms fit together: a pair is converted, only points that are issued can be granted in part, and what
    is held is an account's and changes by what it is credited."""
    if terms.target is not None and terms.act is not Act.CONVERT:
        raise InvalidInput(target=terms.target, act=terms.act.value)
    if terms.mode is Mode.CLIP and (terms.act is not Act.ISSUE or terms.measure is not Measure.POINTS):
        raise InvalidInput(mode=terms.mode.value, act=terms.act.value, measure=terms.measure.value)
    if terms.period is Period.BALANCE:
        if terms.act not in CREDITS:
            raise InvalidInput(period=terms.period.value, act=terms.act.value)
        if terms.subject not in (Subject.CUSTOMER, Subject.ACCOUNT):
            raise InvalidInput(period=terms.period.value, subject=terms.subject.value)
    if not is_zone(terms.zone):
        raise InvalidInput(timeZone=terms.zone[:60])
    if not 0 <= terms.notice_days <= NOTICE_DAYS_MAX:
        raise InvalidInput(noticeDays=terms.notice_days)


def _check_keeper(of: PointCurrency, period: Period, subject: Subject) -> None:
    """Pass if the hub sees what is counted: accounts, and what they hold, are the keeper's of the balances."""
    if of.adapter != HOSTED and (period is Period.BALANCE or subject is Subject.ACCOUNT):
        raise InvalidInput(adapter=of.adapter, period=period.value, subject=subject.value)


def check_no_accounts(book: Book, of: PointCurrency) -> None:
    """Pass if nothing bounds what is in accounts of a currency now or later, so that a partner may keep them.

    Raises:
        InvalidInput: a limit does; it has to be lifted first.
    """
    for act in Act:
        for versions in book.configuration.limits_on(act, of.id):
            of_accounts = versions[0].period is Period.BALANCE or versions[0].subject is Subject.ACCOUNT
            now = in_force(versions, book.at)
            later = [one for one in versions if one.starts > book.at]
            if of_accounts and any(one.amount is not None for one in (*later, *([] if now is None else [now]))):
                raise InvalidInput(limit=versions[0].code, period=versions[0].period.value)


def _amount(text: str, of: PointCurrency, measure: Measure) -> int:
    """Zero is an amount: then nothing is let through."""
    amount = parse(text, of.scale if measure is Measure.POINTS else MONEY_SCALE)
    if not 0 <= amount <= LIMIT_MAX:
        raise InvalidAmount(amount=text[:60])
    return amount


def _version(book: Book, actor: int, versions: tuple[Limit, ...], amount: int | None, starts: datetime | None) -> Draft:
    """Another version of a limit. It tightens if it allows less than what would be in force at its start without it."""
    last = max(versions, key=lambda one: one.version)
    asked = starts or book.at
    begins = _start(book, versions, last.notice_days, starts, tightens=_tightens(versions, amount, asked))
    draft = Draft(book)
    limit = replace(
        last,
        id=draft.new_id(),
        version=last.version + 1,
        amount=amount,
        starts=begins,
        configured_by=resolve.credential(book, actor).person,
        configured_at=book.at,
    )
    return _take(draft, limit)


def _tightens(versions: tuple[Limit, ...], amount: int | None, at: datetime) -> bool:
    before = in_force(versions, at)
    allowed = None if before is None else before.amount
    return amount is not None and (allowed is None or amount < allowed)


def _start(
    book: Book, versions: tuple[Limit, ...], notice_days: int, asked: datetime | None, *, tightens: bool
) -> datetime:
    """When a version starts: as asked, or as soon as it may."""
    earliest = book.at + timedelta(days=notice_days if tightens else 0)
    taken = {limit.starts for limit in versions}
    if asked is None:
        while earliest in taken:  # set by the same batch
            earliest += timedelta(microseconds=1)
        return earliest
    if asked < earliest:
        raise InvalidInput(effectiveFrom=asked.isoformat(), earliest=earliest.isoformat(), noticeDays=notice_days)
    if asked in taken:
        raise Duplicate(effectiveFrom=asked.isoformat())
    return asked


def _take(draft: Draft, limit: Limit) -> Draft:
    draft.nouns.append(limit)
    draft.result = limit
    return draft
