"""Configuring point currencies. By the issuer's administrator, or the operator for it. Pure."""

import hashlib
from dataclasses import replace

import msgspec

from hub.access import Right
from hub.currencies import HOSTED, Expiry, ExpiryKind, PartnerState, PointCurrency, Policy
from hub.errors import Duplicate, InvalidInput
from hub.expiry import is_zone
from hub.ledger import commands, profiles, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind
from hub.money import is_money
from hub.points import SCALE_MAX
from hub.registry import checks, prices

MONTHS_MAX = 1200
DAYS_MAX = 3660


def register(book: Book, command: commands.RegisterPointCurrency) -> Draft:
    """A new point currency with its contra account.

    Raises:
        Duplicate: the code is taken.
        InvalidInput: scale, expiry, time zone, policy or adapter are none, the code is that of money, or the partner
            cannot count as finely.
        InvalidAmount: the unit value is not positive or has more than 12 decimals.
        UnknownCurrency: the unit value's currency is not in ISO 4217.
    """
    issuer = resolve.institution(book, command.issuer)
    resolve.allow(book, command.actor, Right.CONFIGURE, issuer.id)
    resolve.active(book, issuer.id)
    checks.code("code", command.code)
    checks.name("name", command.name)
    if is_money(command.code):
        raise InvalidInput(code=command.code)
    if book.configuration.currency(command.code) is not None:
        raise Duplicate(currency=command.code)
    if not 0 <= command.scale <= SCALE_MAX:
        raise InvalidInput(scale=command.scale)
    if not is_zone(command.time_zone):
        raise InvalidInput(timeZone=command.time_zone)
    resolve.money(command.unit_value.currency)
    value = prices.price(command.unit_value.amount, least=1)
    draft = Draft(book)
    of = PointCurrency(
        id=draft.new_id(),
        code=command.code,
        name=command.name,
        issuer=issuer.id,
        scale=command.scale,
        unit_value=value,
        money=command.unit_value.currency,
        expiry=_expiry(command.expiry, command.expiry_months),
        transferable=command.transferable,
        cashable=command.cashable,
        rate_consent=command.rate_consent,
        adapter=HOSTED,
        time_zone=command.time_zone,
        policy=_policy(Policy(), command.policy),
    )
    of = connected(of, command.adapter, command.connection)
    draft.nouns.append(of)
    draft.account(AccountKind.ISSUANCE, issuer.id, of.code)
    draft.result = of
    return draft


def set_partner_state(book: Book, command: commands.SetPartnerState) -> Draft:
    """Say how things stand with a currency's partner, from the next act on. A halt is ended by the operator alone.

    Raises:
        InvalidInput: the hub keeps the balances itself, or the reason is blank.
    """
    of = resolve.currency(book, command.currency)
    resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer)
    resolve.reason(command.reason)
    if of.adapter == HOSTED:
        raise InvalidInput(adapter=of.adapter)
    if PartnerState.HALTED in (of.partner, command.state):
        resolve.operating(book, command.actor)
    draft = Draft(book)
    reason = "" if command.state is PartnerState.ACTIVE else command.reason
    changed = replace(of, partner=command.state, partner_reason=reason)
    draft.nouns.append(changed)
    draft.result = changed
    return draft


def set_policy(book: Book, command: commands.SetPointsPolicy) -> Draft:
    """Change how a currency's points are kept, from the next act on.

    Raises:
        InvalidInput: a number of days is out of range.
    """
    of = resolve.currency(book, command.currency)
    resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer)
    draft = Draft(book)
    changed = replace(of, policy=_policy(of.policy, command.policy))
    draft.nouns.append(changed)
    draft.result = changed
    return draft


def set_connection(book: Book, command: commands.SetAdapterConfig) -> Draft:
    """Reach a currency's partner by another configuration of the same adapter, from the next call on.

    Raises:
        InvalidInput: the hub keeps the balances itself, the partner cannot count as finely as the currency, or the
            configuration is not the one any more that was to be replaced.
    """
    of = resolve.currency(book, command.currency)
    resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer)
    if command.instead_of not in (None, hashlib.sha256(of.connection.encode()).hexdigest()):
        raise InvalidInput(currency=of.code)
    draft = Draft(book)
    changed = connected(of, of.adapter, command.connection)
    draft.nouns.append(changed)
    draft.result = changed
    return draft


def connected(of: PointCurrency, adapter: str, told: commands.Connection | None) -> PointCurrency:
    """The currency with its balances kept by ``adapter``, reached as ``told``.

    Raises:
        InvalidInput: see ``sealed_connection``.
    """
    changed = replace(of, adapter=adapter, connection=sealed_connection(adapter, told, of.scale))
    return changed if told is None else replace(changed, operations=told.operations, partial=told.partial)


def sealed_connection(adapter: str, told: commands.Connection | None, scale: int) -> str:
    """What is kept of a connection; a partner whose points have fewer decimals could not be told every amount.

    Raises:
        InvalidInput: that, or there is a connection to the hub itself, or none to a partner.
    """
    if (told is None) != (adapter == HOSTED):
        raise InvalidInput(adapter=adapter[:60])
    if told is None:
        return ""
    if scale > told.scale:
        raise InvalidInput(scale=scale, maximum=told.scale)
    return told.sealed


def _policy(before: Policy, terms: commands.PolicyTerms) -> Policy:
    given = {name: value for name, value in msgspec.structs.asdict(terms).items() if value is not None}
    policy = replace(before, **given)
    ranges = {"holdDaysMax": (policy.hold_days_max, 1), "graceDays": (policy.grace_days, 0)}
    for name, (days, least) in {**ranges, "noticeDays": (policy.notice_days, 0)}.items():
        if not least <= days <= DAYS_MAX:
            raise InvalidInput(**{name: days})
    profiles.check_groups(policy.groups)
    return policy


def _expiry(kind: ExpiryKind, months: int | None) -> Expiry:
    """MONTHS_AFTER_EARNING needs its months; the ends of month and year may add some; NEVER has none."""
    fits = {
        ExpiryKind.NEVER: months is None,
        ExpiryKind.MONTHS_AFTER_EARNING: months is not None and 1 <= months <= MONTHS_MAX,
        ExpiryKind.END_OF_MONTH: months is None or 0 <= months <= MONTHS_MAX,
        ExpiryKind.END_OF_YEAR: months is None or 0 <= months <= MONTHS_MAX,
    }
    if not fits[kind]:
        raise InvalidInput(expiry=kind.value, months=months)
    return Expiry(kind, months)
