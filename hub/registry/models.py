"""Configuring settlement models: each version is proposed by a person of the operator's and approved by another. Pure.

The first approved version of a model opens its first window. A version takes money from its start on, at any instant:
every act stands in one window, whichever others of its parties stand in.
"""

import re
from datetime import date, time

from hub.calendars import Calendar
from hub.configuration import with_changes
from hub.errors import Duplicate, InvalidInput, NotFound
from hub.expiry import is_zone
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.models import DEFAULT_MODEL, ModelKind, ModelStep, SettlementModel, contested
from hub.registry import approvals, checks
from hub.windows import first_window

CUT_OFFS_MAX = 24
HOLIDAYS_MAX = 1_000
MEMBERS_MAX = 10_000
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}")


def propose(book: Book, command: commands.ProposeModel) -> Draft:
    """A version of a model, which is made by its first.

    Raises:
        NotFound: a member is no institution.
        InvalidInput: a member is no direct child of the operator; nobody or nothing is named, or somebody twice; the
            default has a kind, members or currencies of its own; the model is of another kind, or of one that settles
            in no one currency; the calendar is none; or the dates.
        UnknownCurrency: a currency is not in ISO 4217.
    """
    asking = resolve.operating(book, command.actor)
    is_default = command.code == DEFAULT_MODEL
    checks.code("code", command.code)
    checks.name("name", command.name)
    members = tuple(sorted(_member(book, code) for code in command.members))
    currencies = tuple(sorted(resolve.money(code) for code in command.currencies))
    if is_default and (members or currencies or command.kind is not ModelKind.DEFERRED_NET_MULTILATERAL):
        raise InvalidInput(code=command.code)
    for name, named in (("members", members), ("currencies", currencies)):
        if len(set(named)) < len(named) or len(named) > MEMBERS_MAX or not (named or is_default):
            raise InvalidInput(**{name: len(named)})
    if command.settle_in is not None and command.kind is not ModelKind.DEFERRED_NET_MULTILATERAL:
        raise InvalidInput(
            settleIn=command.settle_in, kind=command.kind.value
        )  # what two owe each other is no net of all
    known = [one for one in book.configuration.model_versions.values() if one.code == command.code]
    if any(one.kind is not command.kind for one in known):
        raise InvalidInput(kind=command.kind.value)
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    made = SettlementModel(
        id=draft.new_id(),
        code=command.code,
        name=command.name,
        kind=command.kind,
        members=members,
        currencies=currencies,
        calendar=None if command.calendar is None else _calendar(command.calendar),
        settle_in=None if command.settle_in is None else resolve.money(command.settle_in),
        starts=command.starts,
        ends=command.ends,
    )
    return _take(draft, approvals.propose(made, asking, (ModelStep.OPERATOR,), known))


def approve(book: Book, command: commands.ApproveModel) -> Draft:
    """The word of another person of the operator's: the version is in force from its start on.

    Raises:
        SameApprover: the caller proposed it.
        InvalidInput: it is not proposed any more, its start or end is past, or another one starts at its instant.
        Duplicate: at some instant another model would take the same member's money of the same currency.
    """
    asking = resolve.operating(book, command.actor)
    model = _version(book, command.id)
    known = book.configuration.models.get(model.code, ())
    approved = approvals.approve(model, asking, book.at, known, operator=ModelStep.OPERATOR)
    _check_contested(book, approved)
    draft = Draft(book)
    if model.code != DEFAULT_MODEL and model.code not in book.configuration.models:
        first_window(draft, model.code)
    return _take(draft, approved)


def reject(book: Book, command: commands.RejectModel) -> Draft:
    """End a proposal, also one's own."""
    asking = resolve.operating(book, command.actor)
    return _take(Draft(book), approvals.reject(_version(book, command.id), asking, command.reason))


def withdraw(book: Book, command: commands.WithdrawModel) -> Draft:
    """End an approved version: what it took, the version before it takes again, or the default. One person is enough,
    as for a rate: it is for emergencies, and changes what nobody owes.

    Raises:
        Duplicate: an older version that comes back into force takes what another model takes; withdraw that one first.
    """
    asking = resolve.operating(book, command.actor)
    ended = approvals.withdraw(_version(book, command.id), asking, command.reason)
    _check_contested(book, ended)
    return _take(Draft(book), ended)


def _version(book: Book, id: int | None) -> SettlementModel:
    found = book.configuration.model_versions.get(id or 0)
    if found is None:
        raise NotFound
    return found


def _member(book: Book, code: str) -> int:
    found = resolve.institution(book, code)
    if found.parent != book.configuration.operator.id:
        raise InvalidInput(members=code)
    return found.id


def _check_contested(book: Book, changed: SettlementModel) -> None:
    after = with_changes(book.configuration, book.configuration.version, [changed])
    if (both := contested(after.models, book.at)) is not None:
        raise Duplicate(models=",".join(one.code for one in both))


def _calendar(terms: commands.CalendarTerms) -> Calendar:
    """The calendar of these texts.

    Raises:
        InvalidInput: there is no such time zone, time or day, there are too many, or one stands twice.
    """
    if not is_zone(terms.zone):
        raise InvalidInput(timeZone=terms.zone[:60])
    days = tuple(sorted(terms.weekdays))
    if not days or len(set(days)) < len(days) or not set(days) <= set(range(1, 8)):
        raise InvalidInput(weekdays=",".join(map(str, days))[:60])
    cut_offs = sorted(_cut_off(text) for text in terms.cut_offs)
    holidays = sorted(_holiday(text) for text in terms.holidays)
    for name, named, most in (("cutOffs", cut_offs, CUT_OFFS_MAX), ("holidays", holidays, HOLIDAYS_MAX)):
        if len(set(named)) < len(named) or len(named) > most:
            raise InvalidInput(**{name: len(named)})
    if not cut_offs:
        raise InvalidInput(cutOffs=0)
    return Calendar(terms.zone, tuple(cut_offs), days, tuple(holidays))


def _cut_off(text: str) -> time:
    try:
        if _TIME.fullmatch(text):
            return time.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInput(cutOffs=text[:60])


def _holiday(text: str) -> date:
    try:
        found = date.fromisoformat(text)
        if found.isoformat() == text:
            return found
    except ValueError:
        pass
    raise InvalidInput(holidays=text[:60])


def _take(draft: Draft, model: SettlementModel) -> Draft:
    draft.nouns.append(model)
    draft.result = model
    return draft
