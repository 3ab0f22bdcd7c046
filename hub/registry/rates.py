"""Configuring rates: a version is proposed, accepted by those who pay for it, approved by the operator, or ended. Pure.

Consent: who proposes agrees, the other issuer accepts, unless its currency was registered with the operator's consent.
Then a person of the operator's approves who did not propose it. Approvals are serial, because commands are.
"""

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
from hub.points import MONEY_SCALE, PERCENT_SCALE, PRICE_SCALE, parse, parse_positive, ratio
from hub.rates import Bonus, Rate, Step
from hub.registry import approvals
from hub.registry.currencies import PRICE_MAX
from hub.versions import VersionStatus

BONUSES_MAX = 20
FEE_MAX = 10**15  # millionths


def propose(book: Book, command: commands.ProposeRate) -> Draft:
    """A new version, by an administrator of either issuer, or by the operator.

    Raises:
        InvalidInput: the terms do not fit together; more than one money; a start in the past.
        InvalidAmount: a bound, fee or bonus is malformed or not positive.
    """
    source, target = resolve.currency(book, command.source), resolve.currency(book, command.target)
    asking = resolve.credential(book, command.actor)
    side = next((of for of in (source, target) if _configures(book, asking, of)), source)
    resolve.allow(book, command.actor, Right.CONFIGURE, side.issuer)
    resolve.active(book, source.issuer, target.issuer)
    if source.id == target.id:
        raise InvalidInput(target=target.code)
    exact = ratio(command.numerator, command.denominator)
    if exact is None:
        raise InvalidInput(ratio=f"{command.numerator[:30]}:{command.denominator[:30]}")
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    rate = _terms(command, draft.new_id(), source, target, exact)
    versions = [r for r in book.configuration.rates.values() if (r.source, r.target) == (source.id, target.id)]
    return _take(draft, approvals.propose(rate, asking, _awaiting(book, asking, source, target), versions))


def _configures(book: Book, asking: Credential, of: PointCurrency) -> bool:
    """Whether the caller speaks for the currency's issuer as one of its administrators, not as the operator."""
    nodes = book.configuration.institutions
    return not asking.operates and is_below(nodes, of.issuer, asking.institution)


def _awaiting(book: Book, asking: Credential, source: PointCurrency, target: PointCurrency) -> tuple[Step, ...]:
    steps = []
    for step, of in ((Step.SOURCE_ISSUER, source), (Step.TARGET_ISSUER, target)):
        if of.rate_consent is RateConsent.ISSUER and not _consents(book, asking, of):
            steps.append(step)
    return (*steps, Step.OPERATOR)


def _consents(book: Book, asking: Credential, of: PointCurrency) -> bool:
    """Whether the caller's word is the issuer's consent. The operator's is only for currencies of its own, because a
    currency that keeps its consent keeps it from the operator too."""
    return _configures(book, asking, of) or (asking.operates and of.issuer == asking.institution)


def _terms(
    command: commands.ProposeRate, id: int, source: PointCurrency, target: PointCurrency, exact: Fraction
) -> Rate:
    """The terms as a version, in units, before it has a number or a proposer."""
    price = command.settlement_price
    monies = {
        money.currency
        for money in (price, command.fee_fixed, command.fee_per_point, command.fee_cap)
        if money is not None
    } | ({target.money} if price is None else set())
    if len(monies) != 1:
        raise InvalidInput(currencies=",".join(sorted(monies)))
    money = monies.pop()
    resolve.money(money)

    def bound(value: str | None) -> int | None:
        return None if value is None else parse_positive(value, source.scale)

    def fee(value: commands.MoneyText | None, scale: int) -> int | None:
        return None if value is None else _between(value.amount, scale, 0, FEE_MAX * 10 ** (scale - MONEY_SCALE))

    minimum, maximum = bound(command.minimum), bound(command.maximum)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise InvalidInput(minimum=command.minimum, maximum=command.maximum)
    if len(command.bonuses) > BONUSES_MAX:
        raise InvalidInput(bonuses=len(command.bonuses))
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
        fee_fixed=fee(command.fee_fixed, MONEY_SCALE),
        fee_per_point=fee(command.fee_per_point, PRICE_SCALE),
        fee_percent=_percent(command.fee_percent, 100),
        fee_cap=fee(command.fee_cap, MONEY_SCALE),
        price=target.unit_value if price is None else _between(price.amount, PRICE_SCALE, 0, PRICE_MAX),
        bonuses=tuple(_bonus(terms, source, target) for terms in command.bonuses),
        starts=command.starts,
        ends=command.ends,
        life=command.life,
        allows_cashout=command.allows_cashout,
    )


def _between(text: str, scale: int, least: int, most: int) -> int:
    value = parse(text, scale)
    if not least <= value <= most:
        raise InvalidAmount(amount=text)
    return value


def _percent(text: str | None, most: int) -> int | None:
    return None if text is None else _between(text, PERCENT_SCALE, 0, most * 10**PERCENT_SCALE)


def _bonus(terms: commands.BonusTerms, source: PointCurrency, target: PointCurrency) -> Bonus:
    """A bonus is a percentage or an amount per block, never both and never neither."""
    by_block = terms.per_block is not None and terms.block is not None
    if by_block == (terms.percent is not None) or (terms.per_block is None) != (terms.block is None):
        raise InvalidInput(bonus="either percent, or perBlock with block")
    if terms.starts is not None and terms.ends is not None and terms.ends <= terms.starts:
        raise InvalidInput(bonusUntil=terms.ends.isoformat())
    percent = _percent(terms.percent, 10_000)
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
        if _consents(book, asking, of)
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
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
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
    open quotes end as well, for emergencies; otherwise they are honoured.

    Raises:
        RateCycle: an older version that comes back into force would let points multiply; withdraw that one first.
    """
    rate, asking = _endable(book, command.actor, command.id)
    ended = approvals.withdraw(rate, asking, command.reason)
    _check_cycle(book, ended)
    draft = _take(Draft(book), ended)
    if command.cancel_quotes:
        draft.quotes.extend(
            msgspec.structs.replace(offer, cancelled=True)
            for offer in book.quotes.values()
            if offer.rate == ended.id and offer.used_by is None and not offer.cancelled
        )
    return draft


def _endable(book: Book, actor: int, id: int | None) -> tuple[Rate, Credential]:
    """A version that exists for the caller, who may end it."""
    rate, asking = _visible(book, actor, id)
    currencies = book.configuration.currencies
    side = next(
        (of for of in (currencies[rate.source], currencies[rate.target]) if _configures(book, asking, of)),
        currencies[rate.source],
    )
    resolve.allow(book, actor, Right.CONFIGURE, side.issuer)
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
