"""Configuring rates: a version is proposed, accepted by those who pay for it, approved by the operator, or ended. Pure.

Consent: who proposes agrees, the other issuer accepts, unless its currency was registered with the operator's consent.
Then a person of the operator's approves who did not propose it. Approvals are serial, because commands are.
"""

from dataclasses import replace
from fractions import Fraction

import msgspec

from hub.access import Credential, Right
from hub.arbitrage import Cycle, gaining_cycle
from hub.configuration import Configuration, with_changes
from hub.currencies import PointCurrency, RateConsent
from hub.errors import (
    Forbidden,
    InvalidAmount,
    InvalidInput,
    NotFound,
    RateCycle,
)
from hub.institutions import is_below
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.points import parse_positive, ratio
from hub.rates import Bonus, Rate, Step
from hub.registry import approvals, checks, prices
from hub.versions import VersionStatus

BONUSES_MAX = 20


def propose(book: Book, command: commands.ProposeRate) -> Draft:
    """A new version, by an administrator of either issuer, or by the operator.

    Raises:
        InvalidInput: the terms do not fit together; more than one money; a start in the past.
        InvalidAmount: a bound, fee or bonus is malformed or not positive.
    """
    source, target = resolve.currency(book, command.source), resolve.currency(book, command.target)
    asking = resolve.credential(book, command.actor)
    side = next((of for of in (source, target) if approvals.speaks_for(book, asking, of.issuer)), source)
    resolve.allow(book, command.actor, Right.CONFIGURE, side.issuer)
    resolve.active(book, source.issuer, target.issuer)
    if source.id == target.id:
        raise InvalidInput(target=target.code)
    exact = ratio(command.numerator, command.denominator)
    if exact is None:
        raise InvalidInput(ratio=f"{command.numerator[:30]}:{command.denominator[:30]}")
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    rate = _terms(command, draft.new_id(), source, book.configuration.valued(target, book.at), exact)
    versions = [r for r in book.configuration.rates.values() if (r.source, r.target) == (source.id, target.id)]
    return _take(draft, approvals.propose(rate, asking, _awaiting(book, asking, source, target), versions))


def _awaiting(book: Book, asking: Credential, source: PointCurrency, target: PointCurrency) -> tuple[Step, ...]:
    steps = []
    for step, of in ((Step.SOURCE_ISSUER, source), (Step.TARGET_ISSUER, target)):
        if of.rate_consent is RateConsent.ISSUER and not approvals.consents(book, asking, of.issuer):
            steps.append(step)
    return (*steps, Step.OPERATOR)


def _terms(
    command: commands.ProposeRate, id: int, source: PointCurrency, target: PointCurrency, exact: Fraction
) -> Rate:
    """The terms as a version, in units, before it has a number or a proposer."""
    price = command.settlement_price
    money = prices.one_money(
        (price, command.fee_fixed, command.fee_per_point, command.fee_cap), *(() if price else (target.money,))
    )

    def bound(value: str | None) -> int | None:
        return None if value is None else parse_positive(value, source.scale)

    minimum, maximum = bound(command.minimum), bound(command.maximum)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise InvalidInput(minimum=command.minimum, maximum=command.maximum)
    if len(command.bonuses) > BONUSES_MAX:
        raise InvalidInput(bonuses=len(command.bonuses))
    fees = prices.fees(command)
    return Rate(
        id=id,
        source=source.id,
        target=target.id,
        numerator=exact.numerator,
        denominator=exact.denominator,
        minimum=minimum,
        maximum=maximum,
        step=bound(command.step),
        money=money,
        price=target.unit_value if price is None else prices.price(price.amount),
        bonuses=tuple(_bonus(terms, source, target) for terms in command.bonuses),
        starts=command.starts,
        ends=command.ends,
        life=command.life,
        allows_cashout=command.allows_cashout,
        outflow_limit=None if command.outflow_limit is None else parse_positive(command.outflow_limit, target.scale),
        fee_fixed=fees.fee_fixed,
        fee_per_point=fees.fee_per_point,
        fee_percent=fees.fee_percent,
        fee_cap=fees.fee_cap,
    )


def _bonus(terms: commands.BonusTerms, source: PointCurrency, target: PointCurrency) -> Bonus:
    """A bonus is a percentage or an amount per block, never both and never neither."""
    by_block = terms.per_block is not None and terms.block is not None
    if by_block == (terms.percent is not None) or (terms.per_block is None) != (terms.block is None):
        raise InvalidInput(bonus="either percent, or perBlock with block")
    if terms.starts is not None and terms.ends is not None and terms.ends <= terms.starts:
        raise InvalidInput(bonusUntil=terms.ends.isoformat())
    percent = prices.percent(terms.percent, 10_000)
    if percent == 0:
        raise InvalidAmount(amount=terms.percent)
    return Bonus(
        percent=percent,
        per_block=None if terms.per_block is None else parse_positive(terms.per_block, target.scale),
        block=None if terms.block is None else parse_positive(terms.block, source.scale),
        cap=None if terms.cap is None else parse_positive(terms.cap, source.scale),
        funded_by=terms.funded_by,
        starts=terms.starts,
        ends=terms.ends,
    )


def accept(book: Book, command: commands.AcceptRate) -> Draft:
    """An issuer's consent, by its own administrator: a currency that keeps its consent keeps it from the operator too.

    Raises:
        NotFound: there is no such rate for the caller.
        InvalidInput: it is not proposed any more, or does not await the caller.
    """
    rate, asking = _visible(book, command.actor, command.id)
    currencies = book.configuration.currencies
    sides = [
        step
        for step, of in (
            (Step.SOURCE_ISSUER, currencies[rate.source]),
            (Step.TARGET_ISSUER, currencies[rate.target]),
        )
        if approvals.consents(book, asking, of.issuer)
    ]
    if not sides:
        raise Forbidden(right=Right.CONFIGURE.value)
    resolve.allow(book, command.actor, Right.CONFIGURE, asking.institution)
    return _take(Draft(book), approvals.accept(rate, asking, sides))


def approve(book: Book, command: commands.ApproveRate) -> Draft:
    """The operator's word, by another person than the proposer: the version is in force from its start on.

    Raises:
        NotAccepted, SameApprover, InvalidInput, RateOverlap: see ``approvals.approve``.
        RateCycle: points could multiply; the cycle is named.
    """
    resolve.operating(book, command.actor)
    rate, asking = _visible(book, command.actor, command.id)
    others = book.configuration.versions_of(rate.source, rate.target)
    approved = approvals.approve(rate, asking, book.at, others, operator=Step.OPERATOR)
    _check_cycle(book, approved)
    return _take(Draft(book), approved)


def _check_cycle(book: Book, changed: Rate) -> None:
    """Pass if no points multiply once ``changed`` stands as it is.

    Raises:
        RateCycle: with the currencies around, the product and the first instant.
    """
    after = with_changes(book.configuration, book.configuration.version, [changed])
    scales = {id: of.scale for id, of in after.currencies.items()}
    cycle = gaining_cycle(after.approved, (changed.source, changed.target), scales, book.at)
    if cycle is not None:
        raise RateCycle(cycle=_name(after, cycle), product=_decimal(cycle.product), at=cycle.at.isoformat())


def _name(configuration: Configuration, cycle: Cycle) -> str:
    return ">".join(configuration.currencies[id].code for id in cycle.currencies)


def _decimal(product: Fraction) -> str:
    """A product for people, rounded down to six decimals, exact ones without trailing zeros."""
    millionths = product.numerator * 10**6 // product.denominator
    text = f"{millionths // 10**6}.{millionths % 10**6:06d}"
    return text.rstrip("0").rstrip(".")


def reject(book: Book, command: commands.RejectRate) -> Draft:
    """End a proposal: by the operator, or by an administrator of either issuer."""
    rate, asking = _endable(book, command.actor, command.id)
    return _take(Draft(book), approvals.reject(rate, asking, command.reason))


def withdraw(book: Book, command: commands.WithdrawRate) -> Draft:
    """End an approved version: by the operator, or by an administrator of either issuer. With ``cancel_quotes`` its
    open quotes end as well, for emergencies; otherwise they are honoured, until it is withdrawn once more with that.

    Raises:
        RateCycle: an older version that comes back into force would let points multiply; withdraw that one first.
        InvalidInput: it is not approved, and has no quotes to be cancelled; or no reason is given.
    """
    rate, asking = _endable(book, command.actor, command.id)
    if command.cancel_quotes and rate.status is VersionStatus.WITHDRAWN and not rate.cancels_quotes:
        checks.name("reason", command.reason)
        ended = replace(rate, decided_by=asking.person, reason=command.reason, cancels_quotes=True)
    else:
        ended = replace(approvals.withdraw(rate, asking, command.reason), cancels_quotes=command.cancel_quotes)
        _check_cycle(book, ended)
    draft = _take(Draft(book), ended)
    if command.cancel_quotes:
        draft.quotes.extend(
            msgspec.structs.replace(offer, cancelled=True)
            for offer in book.quotes.values()
            if offer.rate == ended.id and offer.expires_at > book.at and offer.used_by is None and not offer.cancelled
        )
    return draft


def _endable(book: Book, actor: int, id: int | None) -> tuple[Rate, Credential]:
    """A version that exists for the caller, who may end it."""
    rate, asking = _visible(book, actor, id)
    currencies = book.configuration.currencies
    issuers = (currencies[rate.source].issuer, currencies[rate.target].issuer)
    side = next((one for one in issuers if approvals.speaks_for(book, asking, one)), issuers[0])
    resolve.allow(book, actor, Right.CONFIGURE, side)
    return rate, asking


def _visible(book: Book, actor: int, id: int | None) -> tuple[Rate, Credential]:
    """A rate that exists for the caller: approved ones for all, others for their issuers and the operator."""
    asking = resolve.credential(book, actor)
    rate = book.configuration.rates.get(id or 0)
    if rate is None or not (rate.status is VersionStatus.APPROVED or is_party(book.configuration, asking, rate)):
        raise NotFound
    return rate, asking


def is_party(configuration: Configuration, asking: Credential, rate: Rate) -> bool:
    """Whether the caller's institution has a say in a rate."""
    issuers = (configuration.currencies[rate.source].issuer, configuration.currencies[rate.target].issuer)
    return asking.sees_all or any(
        is_below(configuration.institutions, issuer, asking.institution) for issuer in issuers
    )


def _take(draft: Draft, rate: Rate) -> Draft:
    draft.nouns.append(rate)
    draft.result = rate
    return draft
