"""Configuration: who takes part, what is exchanged and on which terms, as one immutable value with a version.

Each change is an append-only row that holds the noun as it is after the change; the configuration is the last row of
each noun. A change's version is its identifier in the journal, so the order of changes is the order of acts, and an
auditor can tell what was in force at each. Nobody edits a ``Configuration``: ``with_changes`` makes the next one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
_TABLES = {Institution: "institutions", Credential: "credentials", PointCurrency: "currencies", Rate: "rates"}


def with_changes(base: Configuration, version: int, nouns: Iterable[Noun]) -> Configuration:
    """The configuration after ``nouns`` took these values, at ``version``."""
    fresh = Configuration(version, *(dict(getattr(base, name)) for name in Configuration.__slots__[1:]))
    moved = False
    for noun in nouns:
        if isinstance(noun, DebitCap):
            fresh.caps[noun.institution, noun.currency] = noun
            continue
        if isinstance(noun, Limit):
            _index_limit(fresh, noun)
            continue
        if isinstance(noun, Webhook):
            fresh.webhooks[noun.institution] = noun
            continue
        if isinstance(noun, Certificate):
            fresh.certificates[noun.of] = noun
            continue
        if isinstance(noun, Revocation):
            fresh.revocations[noun.kid] = noun
            continue
        if isinstance(noun, Books):
            fresh.bookkeeping[noun.id] = noun
            continue
        if isinstance(noun, Terms):
            _index_terms(fresh, noun)
            continue
        if isinstance(noun, FeeSchedule):
            fresh.fee_schedules[noun.id] = noun
            fresh.charging[noun.institution] = with_version(fresh.charging.get(noun.institution, ()), noun)
            continue
        if isinstance(noun, SharePlan):
            fresh.share_plans[noun.id] = noun
            fresh.sharing[noun.scope] = with_version(fresh.sharing.get(noun.scope, ()), noun)
            continue
        if isinstance(noun, Cover):
            fresh.covers[noun.institution, noun.currency] = noun
            continue
        if isinstance(noun, SettlementModel):
            fresh.model_versions[noun.id] = noun
            versions = with_version(fresh.models.get(noun.code, ()), noun)
            if versions or noun.code in fresh.models:
                fresh.models[noun.code] = versions
            continue
        if isinstance(noun, AcceptanceKey):
            fresh.acceptance_keys[noun.kid] = noun
            continue
        if isinstance(noun, DisputeTerms):
            fresh.dispute_terms[noun.id] = noun
            continue
        table = getattr(fresh, _TABLES[type(noun)])
        before = table.get(noun.id)
        table[noun.id] = noun
        if isinstance(noun, Institution):
            fresh.institution_codes[noun.code] = noun.id
            moved = moved or before is None or before.parent != noun.parent
            if noun.set_off:
                fresh.apart[noun.id] = True
        elif isinstance(noun, Credential):
            fresh.secrets[noun.secret_hash] = noun.id
        elif isinstance(noun, PointCurrency):
            fresh.currency_codes[noun.code] = noun.id
        else:
            _index_rate(fresh, noun)
    if moved:
        _index_children(fresh)
    return fresh


def _index_rate(fresh: Configuration, rate: Rate) -> None:
    if rate.outflow_limit is not None:
        fresh.outflows[rate.id] = True
    pair = (rate.source, rate.target)
    versions = with_version(fresh.approved.get(pair, ()), rate)
    if versions:
        fresh.approved[pair] = versions
    else:
        fresh.approved.pop(pair, None)


def _index_terms(fresh: Configuration, terms: Terms) -> None:
    fresh.terms[terms.id] = terms
    table = getattr(fresh, _TERMS[type(terms)])
    by_node = with_terms(table.pop(terms.currency, {}), terms)
    if by_node:
        table[terms.currency] = by_node


def _index_limit(fresh: Configuration, limit: Limit) -> None:
    versions = fresh.limits.get(limit.family)
    if versions is None:
        of = (limit.act, limit.currency)
        fresh.limited[of] = (*fresh.limited.get(of, ()), limit.family)
    fresh.limit_versions[limit.id] = limit.family
    others = (other for other in versions or () if other.id != limit.id)
    fresh.limits[limit.family] = tuple(sorted((*others, limit), key=lambda one: one.starts))


def _index_children(fresh: Configuration) -> None:
    children: dict[int, list[int]] = {}
    for node in fresh.institutions.values():
        if node.parent is not None:
            children.setdefault(node.parent, []).append(node.id)
    fresh.children.clear()
    fresh.children.update((parent, tuple(below)) for parent, below in children.items())
