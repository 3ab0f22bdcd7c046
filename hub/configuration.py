"""Configuration: who takes part, what is exchanged and on which terms, as one immutable value with a version.

Each change is an append-only row that holds the noun as it is after the change; the configuration is the last row of
each noun. A change's version is its identifier in the journal, so the order of changes is the order of acts, and an
auditor can tell what was in force at each. Nobody edits a ``Configuration``: ``with_changes`` makes the next one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatch
from typing import Any

import msgspec

from hub.acceptance.keys import AcceptanceKey
from hub.acceptance.reports import DisputeTerms
from hub.acceptance_terms import AcceptanceTerms
from hub.access import Credential
from hub.bills import FeeSchedule
from hub.books.terms import Books
from hub.certificates import Certificate
from hub.cover import Cover
from hub.currencies import PointCurrency
from hub.fx import FxRate, Pair, with_rate
from hub.grant_terms import GrantTerms
from hub.institutions import OPERATOR_CODE, DebitCap, Institution
from hub.limits import Act, Limit
from hub.models import SettlementModel
from hub.rates import Rate
from hub.revocations import Revocation
from hub.shares import Scope, SharePlan
from hub.terms import Terms, with_terms
from hub.unit_values import UnitValue, valued
from hub.versions import Version, with_version
from hub.webhooks.endpoints import Webhook

Noun = (
    Institution
    | Credential
    | PointCurrency
    | Rate
    | DebitCap
    | Limit
    | Webhook
    | Certificate
    | Revocation
    | Books
    | Terms
    | SharePlan
    | FeeSchedule
    | Cover
    | SettlementModel
    | AcceptanceKey
    | DisputeTerms
    | FxRate
)
NOUNS: dict[str, type[Any]] = {
    "institution": Institution,
    "credential": Credential,
    "currency": PointCurrency,
    "rate": Rate,
    "cap": DebitCap,
    "limit": Limit,
    "webhook": Webhook,
    "certificate": Certificate,
    "revocation": Revocation,
    "books": Books,
    "acceptance": AcceptanceTerms,
    "grant": GrantTerms,
    "unit_value": UnitValue,
    "share_plan": SharePlan,
    "fee_schedule": FeeSchedule,
    "cover": Cover,
    "model": SettlementModel,
    "acceptance_key": AcceptanceKey,
    "dispute_terms": DisputeTerms,
    "fx_rate": FxRate,
}
_NAMES = {noun: name for name, noun in NOUNS.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the configuration's history: ``version`` orders it, ``credential`` made it."""

    version: int
    noun: str
    key: int
    document: str
    credential: int


def change(version: int, noun: Noun, credential: int) -> Change:
    """The row that records ``noun`` as it is from ``version`` on."""
    document = msgspec.json.encode(noun, order="deterministic").decode()
    return Change(version, _NAMES[type(noun)], noun.id, document, credential)


def decode(row: Change) -> Noun:
    """The noun that a row records."""
    noun: Noun = msgspec.json.decode(row.document, type=NOUNS[row.noun])
    return noun


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything configured at one version, by identifier and by the codes that people use."""

    version: int = 0
    institutions: dict[int, Institution] = field(default_factory=dict)
    institution_codes: dict[str, int] = field(default_factory=dict)
    children: dict[int, tuple[int, ...]] = field(default_factory=dict)
    credentials: dict[int, Credential] = field(default_factory=dict)
    secrets: dict[str, int] = field(default_factory=dict)
    currencies: dict[int, PointCurrency] = field(default_factory=dict)
    currency_codes: dict[str, int] = field(default_factory=dict)
    rates: dict[int, Rate] = field(default_factory=dict)
    approved: dict[tuple[int, int], tuple[Rate, ...]] = field(default_factory=dict)
    outflows: dict[int, bool] = field(default_factory=dict)  # rates whose outflow is limited
    apart: dict[int, bool] = field(default_factory=dict)  # institutions that ever forbade set-off
    caps: dict[tuple[int, str], DebitCap] = field(default_factory=dict)
    limits: dict[int, tuple[Limit, ...]] = field(default_factory=dict)  # a family's versions, by their starts
    limit_versions: dict[int, int] = field(default_factory=dict)  # a version's family
    limited: dict[tuple[Act, int], tuple[int, ...]] = field(default_factory=dict)  # families, by act and currency
    webhooks: dict[int, Webhook] = field(default_factory=dict)  # by institution
    certificates: dict[tuple[str, str], Certificate] = field(default_factory=dict)  # by adapter and configuration
    revocations: dict[str, Revocation] = field(default_factory=dict)  # of signing keys, by their thumbprint
    bookkeeping: dict[int, Books] = field(default_factory=dict)  # the one that there is, or none
    terms: dict[int, Terms] = field(default_factory=dict)  # of every kind
    acceptance: dict[int, dict[int, tuple[AcceptanceTerms, ...]]] = field(default_factory=dict)  # by currency and node
    grants: dict[int, dict[int, tuple[GrantTerms, ...]]] = field(default_factory=dict)  # the same
    unit_values: dict[int, dict[int, tuple[UnitValue, ...]]] = field(default_factory=dict)  # by currency and issuer
    share_plans: dict[int, SharePlan] = field(default_factory=dict)
    sharing: dict[Scope, tuple[SharePlan, ...]] = field(default_factory=dict)  # approved versions, by what they are for
    fee_schedules: dict[int, FeeSchedule] = field(default_factory=dict)
    charging: dict[int, tuple[FeeSchedule, ...]] = field(default_factory=dict)  # approved versions, by institution
    covers: dict[tuple[int, str], Cover] = field(default_factory=dict)
    model_versions: dict[int, SettlementModel] = field(default_factory=dict)
    models: dict[str, tuple[SettlementModel, ...]] = field(default_factory=dict)  # approved versions, by code
    acceptance_keys: dict[str, AcceptanceKey] = field(default_factory=dict)  # by their thumbprint
    dispute_terms: dict[int, DisputeTerms] = field(default_factory=dict)  # all that were ever set
    fx_rates: dict[int, FxRate] = field(default_factory=dict)
    fx: dict[Pair, tuple[FxRate, ...]] = field(default_factory=dict)  # approved versions, also those withdrawn since

    def institution(self, code: str) -> Institution | None:
        """The institution with this code."""
        found = self.institution_codes.get(code)
        return None if found is None else self.institutions[found]

    def currency(self, code: str) -> PointCurrency | None:
        """The point currency with this code."""
        found = self.currency_codes.get(code)
        return None if found is None else self.currencies[found]

    @property
    def operator(self) -> Institution:
        """The root of the tree."""
        return self.institutions[self.institution_codes[OPERATOR_CODE]]

    @property
    def books(self) -> Books:
        """The terms of the books; until somebody sets them, their days are those of UTC."""
        return next(iter(self.bookkeeping.values()), Books(0))

    @property
    def host(self) -> Credential:
        """What the hub's own machine acts under: the one credential without a secret, made with the hub."""
        return next(one for one in self.credentials.values() if not one.secret_hash)

    def known_version(self, id: int) -> Version | None:
        """The version with this identifier, whatever it is of."""
        kinds: tuple[Mapping[int, Version], ...] = (
            self.rates,
            self.terms,
            self.share_plans,
            self.fee_schedules,
            self.model_versions,
            self.fx_rates,
        )
        return next((versions[id] for versions in kinds if id in versions), None)

    def versions_of(self, source: int, target: int) -> tuple[Rate, ...]:
        """The approved versions of a pair."""
        return self.approved.get((source, target), ())

    def approved_terms(self, like: Terms) -> tuple[Terms, ...]:
        """The approved versions of the terms of which ``like`` is one."""
        table: dict[int, dict[int, tuple[Terms, ...]]] = getattr(self, _TERMS[type(like)])
        return table.get(like.currency, {}).get(like.node, ())

    def valued(self, of: PointCurrency, at: datetime) -> PointCurrency:
        """A currency with the unit value in force at ``at``."""
        by_issuer = self.unit_values.get(of.id)
        return of if by_issuer is None else valued(of, by_issuer[of.issuer], at)

    def limits_on(self, act: Act, currency: int) -> list[tuple[Limit, ...]]:
        """The versions of each limit on an act with a point currency, by the order in which the limits were set."""
        return [self.limits[family] for family in self.limited.get((act, currency), ())]


_TERMS: dict[type[Terms], str] = {AcceptanceTerms: "acceptance", GrantTerms: "grants", UnitValue: "unit_values"}


def with_changes(base: Configuration, version: int, nouns: Iterable[Noun]) -> Configuration:
    """The configuration after ``nouns`` took these values, at ``version``."""
    fresh = Configuration(version, *(dict(getattr(base, name)) for name in Configuration.__slots__[1:]))
    tree = False
    for noun in nouns:
        _index(noun, fresh)
        tree = tree or isinstance(noun, Institution)
    if tree:
        _index_children(fresh)
    return fresh


@singledispatch
def _index(noun: object, fresh: Configuration) -> None:
    """Put a noun, or its newer value, where it is looked up: a function for each type."""
    raise TypeError(f"no place for {type(noun).__name__}")


@_index.register
def _(noun: Institution, fresh: Configuration) -> None:
    fresh.institutions[noun.id] = noun
    fresh.institution_codes[noun.code] = noun.id
    if noun.set_off:
        fresh.apart[noun.id] = True


@_index.register
def _(noun: Credential, fresh: Configuration) -> None:
    fresh.credentials[noun.id] = noun
    fresh.secrets[noun.secret_hash] = noun.id


@_index.register
def _(noun: PointCurrency, fresh: Configuration) -> None:
    fresh.currencies[noun.id] = noun
    fresh.currency_codes[noun.code] = noun.id


@_index.register
def _(noun: Rate, fresh: Configuration) -> None:
    fresh.rates[noun.id] = noun
    if noun.outflow_limit is not None:
        fresh.outflows[noun.id] = True
    pair = (noun.source, noun.target)
    versions = with_version(fresh.approved.get(pair, ()), noun)
    if versions:
        fresh.approved[pair] = versions
    else:
        fresh.approved.pop(pair, None)


@_index.register
def _(noun: Terms, fresh: Configuration) -> None:
    fresh.terms[noun.id] = noun
    table = getattr(fresh, _TERMS[type(noun)])
    by_node = with_terms(table.pop(noun.currency, {}), noun)
    if by_node:
        table[noun.currency] = by_node


@_index.register
def _(noun: FeeSchedule, fresh: Configuration) -> None:
    fresh.fee_schedules[noun.id] = noun
    fresh.charging[noun.institution] = with_version(fresh.charging.get(noun.institution, ()), noun)


@_index.register
def _(noun: SharePlan, fresh: Configuration) -> None:
    fresh.share_plans[noun.id] = noun
    fresh.sharing[noun.scope] = with_version(fresh.sharing.get(noun.scope, ()), noun)


@_index.register
def _(noun: SettlementModel, fresh: Configuration) -> None:
    fresh.model_versions[noun.id] = noun
    versions = with_version(fresh.models.get(noun.code, ()), noun)
    if versions or noun.code in fresh.models:
        fresh.models[noun.code] = versions


@_index.register
def _(noun: Limit, fresh: Configuration) -> None:
    versions = fresh.limits.get(noun.family)
    if versions is None:
        of = (noun.act, noun.currency)
        fresh.limited[of] = (*fresh.limited.get(of, ()), noun.family)
    fresh.limit_versions[noun.id] = noun.family
    others = (other for other in versions or () if other.id != noun.id)
    fresh.limits[noun.family] = tuple(sorted((*others, noun), key=lambda one: one.starts))


@_index.register
def _(noun: DebitCap, fresh: Configuration) -> None:
    fresh.caps[noun.institution, noun.currency] = noun


@_index.register
def _(noun: Cover, fresh: Configuration) -> None:
    fresh.covers[noun.institution, noun.currency] = noun


@_index.register
def _(noun: Webhook, fresh: Configuration) -> None:
    fresh.webhooks[noun.institution] = noun


@_index.register
def _(noun: Certificate, fresh: Configuration) -> None:
    fresh.certificates[noun.of] = noun


@_index.register
def _(noun: Revocation, fresh: Configuration) -> None:
    fresh.revocations[noun.kid] = noun


@_index.register
def _(noun: AcceptanceKey, fresh: Configuration) -> None:
    fresh.acceptance_keys[noun.kid] = noun


@_index.register
def _(noun: FxRate, fresh: Configuration) -> None:
    fresh.fx_rates[noun.id] = noun
    fresh.fx[noun.pair] = with_rate(fresh.fx.get(noun.pair, ()), noun)


@_index.register
def _(noun: DisputeTerms, fresh: Configuration) -> None:
    fresh.dispute_terms[noun.id] = noun


@_index.register
def _(noun: Books, fresh: Configuration) -> None:
    fresh.bookkeeping[noun.id] = noun


def _index_children(fresh: Configuration) -> None:
    children: dict[int, list[int]] = {}
    for node in fresh.institutions.values():
        if node.parent is not None:
            children.setdefault(node.parent, []).append(node.id)
    fresh.children.clear()
    fresh.children.update((parent, tuple(below)) for parent, below in children.items())
