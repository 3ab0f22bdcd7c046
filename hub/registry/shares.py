"""Configuring share plans: the operator proposes a version, and another of its persons approves it. Pure.

The fee is the operator's where there is no plan, so a plan gives away what is the operator's alone: nobody else's
consent is needed, and nobody else proposes.
"""

from hub.errors import InvalidAmount, InvalidInput, NotFound
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.money import minor_unit_millionths
from hub.points import MONEY_SCALE, parse_positive, render
from hub.registry import approvals, checks
from hub.shares import WEIGHTS, Act, Scope, Share, SharePlan, Step

SHARES_MAX = 20  # a leg each, for every act with a fee
LEVEL_MAX = 20
_PERCENT_DECIMALS = 4  # a millionth of the whole is 0.0001 percent
FIXED_MAX = 10**15  # millionths


def propose(book: Book, command: commands.ProposeSharePlan) -> Draft:
    """A new version of the plan for a scope.

    Raises:
        InvalidInput: the shares do not fit together: each is of a level or of an institution, in percent or a fixed
            amount; the percents sum to 100; a fixed amount needs the scope's money. Or the dates do not.
        InvalidAmount: a percentage or an amount is malformed or not positive.
        NotFound: there is no such institution.
        UnknownCurrency: there is no such point currency, or money.
    """
    asking = resolve.operating(book, command.actor)
    scope = _scope(book, command)
    shares = tuple(_share(book, terms, scope.money) for terms in command.shares)
    weights = sum(share.weight or 0 for share in shares)
    if not 0 < len(shares) <= SHARES_MAX:
        raise InvalidInput(shares=len(shares), maximum=SHARES_MAX)
    if weights not in (0, WEIGHTS):
        raise InvalidInput(percent=render(weights, _PERCENT_DECIMALS), expected="100")
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    plan = SharePlan(id=draft.new_id(), starts=command.starts, ends=command.ends, scope=scope, shares=shares)
    versions = [one for one in book.configuration.share_plans.values() if one.scope == scope]
    return _take(draft, approvals.propose(plan, asking, (Step.OPERATOR,), versions))


def approve(book: Book, command: commands.ApproveSharePlan) -> Draft:
    """Let a version take effect, by another person than who proposed it.

    Raises:
        NotFound: there is no such plan.
        SameApprover, InvalidInput, RateOverlap: see ``approvals.approve``.
    """
    asking = resolve.operating(book, command.actor)
    plan = _known(book, command.id)
    approved = book.configuration.sharing.get(plan.scope, ())
    return _take(Draft(book), approvals.approve(plan, asking, book.at, approved, operator=Step.OPERATOR))


def reject(book: Book, command: commands.RejectSharePlan) -> Draft:
    """End a proposal.

    Raises:
        NotFound: there is no such plan.
        InvalidInput: it is not proposed any more, or no reason is given.
    """
    asking = resolve.operating(book, command.actor)
    return _take(Draft(book), approvals.reject(_known(book, command.id), asking, command.reason))


def withdraw(book: Book, command: commands.WithdrawSharePlan) -> Draft:
    """End an approved version; fees that it split stay as they are, and acts that were accepted under it go by it.

    Raises:
        NotFound: there is no such plan.
        InvalidInput: it is not approved, or no reason is given.
    """
    asking = resolve.operating(book, command.actor)
    return _take(Draft(book), approvals.withdraw(_known(book, command.id), asking, command.reason))


def _known(book: Book, id: int | None) -> SharePlan:
    plan = book.configuration.share_plans.get(id or 0)
    if plan is None:
        raise NotFound
    return plan


def _scope(book: Book, command: commands.ProposeSharePlan) -> Scope:
    source = None if command.source is None else resolve.currency(book, command.source)
    target = None if command.target is None else resolve.currency(book, command.target)
    if target is not None and command.act is Act.REDEMPTION:
        raise InvalidInput(target=target.code, act=command.act.value)
    if source is not None and source is target:
        raise InvalidInput(target=target.code)
    if command.zone is not None:
        checks.name("zone", command.zone)
    if command.money is not None:
        resolve.money(command.money)
    return Scope(
        act=command.act,
        source=None if source is None else source.id,
        target=None if target is None else target.id,
        institution=None if command.institution is None else resolve.institution(book, command.institution).id,
        zone=command.zone,
        money=command.money,
    )


def _share(book: Book, terms: commands.ShareTerms, money: str | None) -> Share:
    if (terms.level is None) == (terms.institution is None):
        raise InvalidInput(share="either level or institution")
    if (terms.percent is None) == (terms.amount is None):
        raise InvalidInput(share="either percent or amount")
    if terms.level is not None and not 0 <= terms.level <= LEVEL_MAX:
        raise InvalidInput(level=terms.level)
    return Share(
        level=terms.level,
        institution=None if terms.institution is None else resolve.institution(book, terms.institution).id,
        weight=None if terms.percent is None else _weight(terms.percent),
        fixed=None if terms.amount is None else _fixed(terms.amount, money),
    )


def _weight(text: str) -> int:
    """A percentage in millionths of the whole."""
    weight = parse_positive(text, _PERCENT_DECIMALS)
    if weight > WEIGHTS:
        raise InvalidAmount(amount=text)
    return weight


def _fixed(text: str, money: str | None) -> int:
    """A fixed amount, in whole minor units: what is split is money that can be paid."""
    if money is None:
        raise InvalidInput(amount=text, currency="missing")
    amount = parse_positive(text, MONEY_SCALE)
    if amount > FIXED_MAX or amount % minor_unit_millionths(money):
        raise InvalidAmount(amount=text)
    return amount


def _take(draft: Draft, plan: SharePlan) -> Draft:
    draft.nouns.append(plan)
    draft.result = plan
    return draft
