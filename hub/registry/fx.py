"""Configuring FX rates: each version is proposed by a person of the operator's and approved by another. Pure.

A rate moves money at the bank, so nobody sets one alone, and withdrawing one brings none back (``hub.fx``): one person
can have closings wait for a rate, not have them made at another one.
"""

from hub.access import Credential, Right
from hub.errors import InvalidInput, NotFound
from hub.fx import FxRate, FxStep
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.registry import approvals, checks, prices
from hub.versions import VersionStatus


def propose(book: Book, command: commands.ProposeFxRate) -> Draft:
    """A version of the rate of a pair.

    Raises:
        InvalidInput: the pair is one currency, the source is blank, the day is to come, or the dates do not fit.
        UnknownCurrency: a currency is not in ISO 4217, or cannot be paid.
        InvalidAmount: the rate is malformed, not above zero, too fine or too large.
    """
    asking = _operator(book, command.actor)
    base, quote = resolve.money(command.base), resolve.money(command.quote)
    if base == quote:
        raise InvalidInput(quote=quote)
    checks.name("source", command.source)
    if not command.source.isprintable() or command.source != command.source.strip():  # it stands in signed reports
        raise InvalidInput(source=command.source[:60])
    if (command.quoted_on - book.at.date()).days > 1:  # somewhere it may be tomorrow already
        raise InvalidInput(quotedOn=command.quoted_on.isoformat())
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    made = FxRate(
        id=draft.new_id(),
        base=base,
        quote=quote,
        rate=prices.price(command.rate, 1),
        source=command.source,
        quoted_on=command.quoted_on,
        starts=command.starts,
        ends=command.ends,
    )
    known = [one for one in book.configuration.fx_rates.values() if one.pair == made.pair]
    return _take(draft, approvals.propose(made, asking, (FxStep.OPERATOR,), known))


def approve(book: Book, command: commands.ApproveFxRate) -> Draft:
    """The word of another person of the operator's: the rate is in force from its start on.

    Raises:
        NotFound: there is no such version.
        SameApprover, InvalidInput, RateOverlap: see ``approvals.approve``.
    """
    asking = _operator(book, command.actor)
    rate = _version(book, command.id)
    known = book.configuration.fx.get(rate.pair, ())
    approved = [one for one in known if one.status is VersionStatus.APPROVED]
    return _take(Draft(book), approvals.approve(rate, asking, book.at, approved, operator=FxStep.OPERATOR))


def reject(book: Book, command: commands.RejectFxRate) -> Draft:
    """End a proposal, also one's own.

    Raises:
        NotFound: there is no such version.
        InvalidInput: it is not proposed any more, or no reason is given.
    """
    asking = _operator(book, command.actor)
    return _take(Draft(book), approvals.reject(_version(book, command.id), asking, command.reason))


def withdraw(book: Book, command: commands.WithdrawFxRate) -> Draft:
    """End an approved version: what it would be in force for has no rate until another is approved. Nets that were
    exchanged at it stay as they are.

    Raises:
        NotFound: there is no such version.
        InvalidInput: it is not approved, or no reason is given.
    """
    asking = _operator(book, command.actor)
    return _take(Draft(book), approvals.withdraw(_version(book, command.id), asking, command.reason))


def _operator(book: Book, actor: int) -> Credential:
    resolve.allow(book, actor, Right.OPERATE, book.configuration.operator.id)
    return resolve.credential(book, actor)


def _version(book: Book, id: int | None) -> FxRate:
    found = book.configuration.fx_rates.get(id or 0)
    if found is None:
        raise NotFound
    return found


def _take(draft: Draft, rate: FxRate) -> Draft:
    draft.nouns.append(rate)
    draft.result = rate
    return draft
