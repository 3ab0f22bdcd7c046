"""Clearings: points of a currency that are taken from every customer at a set time, all or those of an age. Pure.

A clearing is ordered once and worked off in chunks of accounts; how far it has come changes with the points themselves,
so that whoever works it off again, or beside another, finds what is left to do. Only what may be spent is taken: held
points are promised, frozen ones are in dispute, and both stay; another clearing takes them once they are free.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec

from hub.access import Right
from hub.currencies import ExpiryKind, PointCurrency
from hub.errors import InvalidInput, NotFound
from hub.expiry import day_of, end_of, start_of
from hub.ledger import breakage, commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.lots import NO_ORIGIN, Lot, origin_of, take, total
from hub.ledger.records import (
    Account,
    AccountKind,
    Clearing,
    ClearingScope,
    ClearingStatus,
    Mark,
    MovementKind,
    Piece,
)
from hub.registry import checks

_MOMENT = timedelta(microseconds=1)


def order(book: Book, command: commands.ClearPoints) -> Draft:
    """A new clearing. By the issuer's administrator, or the operator for it.

    Raises:
        InvalidInput: it would begin in the past; or the points' ages cannot be told apart at ``earned_before``: it is
            not the beginning of a day, or within a period whose points end together, or they have no age at all.
    """
    of = resolve.currency(book, command.currency)
    acting = resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer, exact=True)
    checks.name("reason", command.reason)
    starts = command.starts_at or book.at
    if starts < book.at:
        raise InvalidInput(at=starts.isoformat(), now=book.at.isoformat())
    cut = None
    if command.scope is ClearingScope.EARNED_BEFORE:
        cut = command.earned_before or new_year_before_last(of, starts)
        _check_cut(of, cut, starts)
    elif command.earned_before is not None:
        raise InvalidInput(scope=command.scope.value, earnedBefore=command.earned_before.isoformat())
    draft = Draft(book)
    made = Clearing(
        id=draft.new_id(),
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        scope=command.scope,
        earned_before=cut,
        starts_at=starts,
        reason=command.reason,
    )
    draft.clearings.append(made)
    draft.result = made
    return draft


def new_year_before_last(of: PointCurrency, at: datetime) -> datetime:
    """The beginning of the year before that of ``at``, in the currency's time zone: at midnight after 31 December 2025
    it is 1 January 2025, and points that were earned in or before 2024 are older."""
    return start_of(date(day_of(at, of.time_zone).year - 1, 1, 1), of.time_zone)


def _check_cut(of: PointCurrency, cut: datetime, starts: datetime) -> None:
    day = start_of(day_of(cut, of.time_zone), of.time_zone)
    if cut != day or cut > starts:
        raise InvalidInput(earnedBefore=cut.isoformat(), day=day.isoformat(), at=starts.isoformat())
    if not of.policy.keeps_age and (of.expiry.kind is ExpiryKind.NEVER or _ends_span(of, cut)):
        raise InvalidInput(earnedBefore=cut.isoformat(), keepsAge="false", expiry=of.expiry.kind.value)


def _ends_span(of: PointCurrency, cut: datetime) -> bool:
    """Whether points that were earned before and after ``cut`` end together."""
    return end_of(of.expiry, of.time_zone, cut - _MOMENT) == end_of(of.expiry, of.time_zone, cut)


def cancel(book: Book, command: commands.CancelClearing) -> Draft:
    """End a clearing that has not come to its end. By the issuer's administrator, or the operator for it.

    Raises:
        NotFound: there is no such clearing, or not for the caller.
        InvalidInput: it has ended.
    """
    found = book.clearings.get(command.id or 0)
    asking = resolve.credential(book, command.actor)
    if found is None or not resolve.sees(book, asking, resolve.currency(book, found.currency).issuer):
        raise NotFound
    resolve.allow(book, command.actor, Right.CONFIGURE, resolve.currency(book, found.currency).issuer, exact=True)
    if found.status is not ClearingStatus.RUNNING:
        raise InvalidInput(status=found.status.value)
    draft = Draft(book)
    ended = msgspec.structs.replace(found, status=ClearingStatus.CANCELLED, ended_at=book.at)
    draft.clearings.append(ended)
    draft.result = ended
    return draft


def clear(book: Book, command: commands.Clear) -> Draft:
    """customer → breakage:C for each account, as far as the clearing takes it; answers the clearing as it is now. If
    it stands elsewhere than where the command goes on, nothing is done. Asked for by the operator."""
    resolve.operating(book, command.actor)
    draft = Draft(book)
    run = book.clearings[command.clearing]
    draft.result = run
    if run.status_at(book.at) is not ClearingStatus.RUNNING or run.reached != command.after:
        return draft
    of, asked = resolve.currency(book, run.currency), set(command.accounts)
    host = book.configuration.host.id
    shares = [
        _take(draft, run, of, account, host)
        for account in book.accounts.values()
        if account.id in asked and account.kind == AccountKind.CUSTOMER and account.currency == of.code
    ]
    changed = msgspec.structs.replace(
        run,
        reached=command.through,
        status=ClearingStatus.DONE if command.last else run.status,
        ended_at=book.at if command.last else None,
        accounts=run.accounts + len(shares),
        cleared=run.cleared + sum(share.cleared for share in shares),
        pinned=run.pinned + sum(share.pinned for share in shares),
        ageless=run.ageless + sum(share.ageless for share in shares),
    )
    draft.clearings.append(changed)
    draft.result = changed
    return draft


@dataclass(frozen=True, slots=True)
class _Share:
    """What of one account a clearing takes (``pieces``, and what has no lot), and what it leaves."""

    cleared: int
    pieces: tuple[Piece, ...]
    pinned: int
    ageless: int


def _take(draft: Draft, run: Clearing, of: PointCurrency, account: Account, host: int) -> _Share:
    book = draft.book
    share = _share(run, of, account, book.lots.get(account.id, {}).values(), book.at)
    if share.cleared:
        breakage.take(
            draft,
            MovementKind.CLEAR,
            account,
            share.cleared,
            share.pieces,
            book.people[account.owner],
            credential=host,
            subject=run.id,
        )
    return share


def _share(run: Clearing, of: PointCurrency, account: Account, lots: Iterable[Lot], at: datetime) -> _Share:
    """Of points in lots those that are old enough; of those without a lot all or none, because they have no age."""
    cut, held, unaged = run.earned_before, account.pending_debits, account.balance - account.aged
    old: list[Lot] = []
    for lot in lots:
        held -= lot.held
        if lot.earned_at < (cut or run.starts_at):
            if cut is None or _is_old(of, lot, cut):
                old.append(lot)
            else:
                unaged += lot.amount
    pieces = take(old, sum(lot.free for lot in old), at)
    cleared, whole = total(pieces), sum(lot.amount for lot in old)
    if run.scope is ClearingScope.ALL:
        cleared, whole, unaged = cleared + unaged - held, whole + unaged, 0
    if account.marks & (Mark.FROZEN | Mark.CUSTOMER_FROZEN):
        return _Share(0, (), whole, unaged)
    return _Share(cleared, pieces, whole - cleared, unaged)


def _is_old(of: PointCurrency, lot: Lot, cut: datetime) -> bool:
    """Whether all of a lot was earned before ``cut``, as its oldest points were; the youngest may have been earned as
    late as its day, or its currency's policy, has them end together."""
    day = None if lot.origin == NO_ORIGIN else origin_of(lot.origin).earned
    if day is not None:
        return start_of(date.fromisoformat(day), of.time_zone) < cut
    return lot.expires_at != end_of(of.expiry, of.time_zone, cut)
