"""The directory: institutions with their keys and positions, and point currencies, as far as each member sees them.

They name each other (an institution's currencies, a currency's issuer), so they stand together here; how they are asked
for and configured is in the files of their own names. Keys, positions and children are for those who see an institution
from within: its own people, those above it, and the operator's.
"""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import access, ids, institutions, members
from hub import currencies as core
from hub.clock import now
from hub.configuration import Configuration
from hub.ledger.records import Exposure
from hub.money import format_millionths
from hub.zones import zones_at
from schema.amounts import Money, Points, to_points, to_price
from schema.certificates import AdapterCertification, certification
from schema.context import Info
from schema.enums import publish
from schema.fields import field
from schema.node import Node
from schema.scalars import JSON, Decimal

publish(
    institutions.Kind,
    "InstitutionKind",
    "What an institution is to its customers; it has no effect on money.",
    OPERATOR="The hub's operator, at the root of the tree.",
    ALLIANCE="A group of institutions.",
    BANK="A bank.",
    TELECOM="A telephone company.",
    AIRLINE="An airline.",
    MERCHANT="A merchant.",
    BRANCH="A branch of an institution.",
    DEPARTMENT="A department of an institution.",
    STORE="A single store.",
    OTHER="Anything else.",
)
publish(
    core.PartnerState,
    "PartnerState",
    "How things stand with the partner who keeps a currency.",
    ACTIVE="It takes part; so does the hub, where it keeps the balances itself.",
    LEAVING="Nothing new is begun with it; what was begun ends.",
    HALTED="Nothing is asked of it until the operator says so.",
)
publish(
    institutions.Status,
    "InstitutionStatus",
    "Whether an institution may act. One that is not active stops all below it as well.",
    ACTIVE="It may act.",
    SUSPENDED="Nothing is done with it for now.",
    CLOSED="Nothing new is done with it; what was promised, a quote or a reversal, is kept.",
)
publish(
    core.ExpiryKind,
    "ExpiryKind",
    "When points end.",
    NEVER="They do not.",
    MONTHS_AFTER_EARNING="A number of months after they were earned.",
    END_OF_MONTH="At the end of the month in which they were earned, or of one that many months later.",
    END_OF_YEAR="At the end of the year in which they were earned, or of the one that many months later lies in.",
)
publish(
    core.RateConsent,
    "RateConsent",
    "Who agrees to a rate on the issuer's behalf.",
    ISSUER="The issuer itself.",
    OPERATOR="The operator, to whom the issuer has left it.",
)
publish(
    core.HeldExpiry,
    "HeldExpiry",
    "What becomes of held points whose lot ends.",
    HONOUR="They are good until the hold ends, to be burned or spent at a merchant.",
    EXPIRE="They are gone like others.",
)
publish(
    core.AccountMode,
    "AccountMode",
    "How many accounts of a currency a customer has, and into which points go.",
    UNIFIED="One.",
    CHANNEL="One for each channel over which points come.",
    TYPE="One for each type of customer that the customer has been of, by the profile.",
    GROUP="One for each of the currency's groups; the first of them that the customer is in, by the profile, decides.",
)
publish(
    core.Shortfall,
    "Shortfall",
    "What becomes of points that are to be taken away and have been spent.",
    DEBT="The customer owes them.",
    WRITE_OFF="Nobody owes them.",
)


publish(
    access.Role,
    "Role",
    "What a key is for.",
    OPERATOR_ADMIN="Run the hub, and act for any institution on its behalf. For the operator's people.",
    OPERATOR_AUDITOR="See the whole hub. For the operator's people.",
    INSTITUTION_ADMIN="Manage the institution's keys, point currencies, rates and limits, and of those below it; vouch "
    "for its customers' consent.",
    INSTITUTION_TRADER="Act for the institution's customers, and for those of the institutions below it; vouch for "
    "their consent.",
    INSTITUTION_AUDITOR="See the institution and those below it.",
)


@strawberry.type(description="The economic zones of an institution from an instant on.")
class ZoneVersion:
    zones: list[str] = strawberry.field(description="The zones, that in which its figures are counted first.")
    effective_from: datetime = strawberry.field(description="From when on.")


@strawberry.type(description="Who takes part in the hub: one node of its tree.")
class Institution(Node):
    record: strawberry.Private[institutions.Institution]
    code: str = strawberry.field(description="Its unique code, which never changes.")
    name: str = strawberry.field(description="Its name.")
    kind: institutions.Kind = strawberry.field(description="What it is to its customers.")
    status: institutions.Status = strawberry.field(description="Its own status; those above it count as well.")

    @field(
        "The economic zones it belongs to, that in which its figures are counted first; empty for whoever does not see "
        "it from within."
    )
    def zones(
        self,
        info: Info,
        at: Annotated[datetime | None, strawberry.argument(description="At which instant. Default: now.")] = None,
    ) -> list[str]:
        return list(zones_at(self.record, at or now())) if info.context.sees(self.record.id) else []

    @field(
        "Whether what it and its children owe and are owed is set off, as was said last; true for whoever does not see "
        "it from within."
    )
    def set_off(self, info: Info) -> bool:
        versions = self.record.set_off if info.context.sees(self.record.id) else ()
        return versions[-1].allowed if versions else True

    @field("When its zones change or changed since it was made; empty for whoever does not see it from within.")
    def zone_versions(self, info: Info) -> list["ZoneVersion"]:
        versions = self.record.zone_versions if info.context.sees(self.record.id) else ()
        return [ZoneVersion(zones=list(one.zones), effective_from=one.starts) for one in versions]

    @field("The institution above it; none for the operator, and for whoever does not see it from within.")
    def parent(self, info: Info) -> "Institution | None":
        if self.record.parent is None or not info.context.sees(self.record.id):
            return None
        return institution_of(info.context.configuration, self.record.parent)

    @field("Those directly below it; empty for whoever does not see it from within.")
    def children(self, info: Info) -> list["Institution"]:
        if not info.context.sees(self.record.id):
            return []
        configuration = info.context.configuration
        below = [configuration.institutions[id] for id in configuration.children.get(self.record.id, ())]
        return [to_institution(node) for node in sorted(below, key=lambda node: node.code)]

    @field("The point currencies that it issues.")
    def point_currencies(self, info: Info) -> list["PointCurrency"]:
        every = info.context.configuration.currencies.values()
        issued = [of for of in every if of.issuer == self.record.id]
        return [to_currency(of) for of in sorted(issued, key=lambda of: of.code)]

    @field("What the hub owes it, by currency; empty for whoever does not see it from within.")
    async def positions(self, info: Info) -> list["Position"]:
        found = await info.context.loaders.positions.load(self.record.id)
        return [to_position(exposure) for exposure in found]

    @field("Its keys; empty for whoever does not see it from within.")
    def credentials(self, info: Info) -> list["Credential"]:
        if not info.context.sees(self.record.id):
            return []
        every = info.context.configuration.credentials.values()
        return [to_credential(one) for one in every if one.institution == self.record.id and one.secret_hash]


@strawberry.type(description="A named person's key. Its secret is never shown again.")
class Credential(Node):
    record: strawberry.Private[access.Credential]
    person: str = strawberry.field(description="Who uses it.")
    label: str = strawberry.field(description="What it is for, in words.")
    roles: list[access.Role] = strawberry.field(description="What it is for.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="The first instant at which it opens nothing any more.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended.")

    @field("Whose it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)


@strawberry.type(description="A higher cap, or none, that waits for the approval of another person.")
class CapProposal:
    id: strawberry.ID = strawberry.field(description="By which it is approved or rejected.")
    amount: Decimal | None = strawberry.field(description="In major units; null: no cap.")
    proposed_by: str = strawberry.field(description="The person who proposed it.")
    proposed_at: datetime = strawberry.field(description="When.")


@strawberry.type(
    description="What the hub owes an institution in the open window, in one currency; negative: what it owes."
)
class Position:
    record: strawberry.Private[Exposure]
    currency: str = strawberry.field(description="ISO 4217.")
    own: Decimal = strawberry.field(description="By itself.")
    subtree: Decimal = strawberry.field(description="Together with all below it.")
    exposure: Decimal = strawberry.field(
        description="What the subtree owes: in the open window, pending, and closed but not settled."
    )
    debit_cap: Decimal | None = strawberry.field(description="The most that the exposure may become; null: no cap.")
    available: Decimal | None = strawberry.field(description="What is left of the cap; null: no cap.")
    proposed_cap: CapProposal | None = strawberry.field(description="What would ease the cap, if that is proposed.")

    @field("Whose position it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)


@strawberry.type(description="When a currency's points end.")
class ExpiryPolicy:
    kind: core.ExpiryKind = strawberry.field(description="The rule.")
    months: int | None = strawberry.field(description="How many months the rule counts, if it counts any.")


@strawberry.type(description="How a currency's points are kept. Days are days of its time zone.")
class PointsPolicy:
    hold_days_max: int = strawberry.field(description="How many days a hold may last.")
    held_expiry: core.HeldExpiry = strawberry.field(description="What becomes of held points that end.")
    grace_days: int = strawberry.field(description="How many days points stay that come back after their end; 0: none.")
    shortfall: core.Shortfall = strawberry.field(
        description="What becomes of points that are to be taken away and have been spent."
    )
    notice_days: int = strawberry.field(description="How many days before their end customers are told.")
    keeps_age: bool = strawberry.field(
        description="Whether points are kept apart by the day of earning, also those that never end, so that they can "
        "be cleared by it."
    )
    accounts: core.AccountMode = strawberry.field(description="Into which of a customer's accounts points go.")
    groups: list[str] = strawberry.field(description="For GROUP: those that have an account; the first counts most.")
    needs_terms: bool = strawberry.field(description="Whether only merchants with acceptance terms take the points.")


@strawberry.type(description="A point currency: what a point is, who owes it and what it is worth.")
class PointCurrency(Node):
    record: strawberry.Private[core.PointCurrency]
    code: str = strawberry.field(description="Its unique code, which is never that of money and never changes.")
    name: str = strawberry.field(description="Its name.")
    scale: int = strawberry.field(description="How many decimal places an amount may have.")
    transferable: bool = strawberry.field(description="Whether a customer's points may pass to another customer.")
    cashable: bool = strawberry.field(description="Whether points may become money.")
    rate_consent: core.RateConsent = strawberry.field(
        description="Whether its issuer accepts rates itself or has left that to the operator."
    )
    adapter: str = strawberry.field(description='"hosted" where the hub keeps the balances, or the partner adapter.')
    partner_state: core.PartnerState = strawberry.field(description="How things stand with the partner, if it has one.")
    halts_at: datetime | None = strawberry.field(
        description="From when on nothing new is begun with its points, because their balances move to another keeper; "
        "null where none is on its way."
    )
    time_zone: str = strawberry.field(description="The time zone of the programme's calendar, as IANA names it.")

    @field("The JSON Schema of the fields by which its partner finds a member, with labels; null if it finds nobody.")
    async def member_lookup(self, info: Info) -> JSON | None:
        found = await members.form(info.context.adapters, self.record)
        return None if found is None else JSON(found)

    @field("How its adapter stands by the certificates that are registered; null where the hub keeps the balances.")
    def certification(self, info: Info) -> AdapterCertification | None:
        return certification(info.context.adapters, info.context.configuration.certificates, self.record)

    @field("Who owes the points.")
    def issuer(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.issuer)

    @field("The settlement value of one point.")
    def unit_value(self, info: Info) -> Money:
        current = info.context.configuration.valued(self.record, now())
        return to_price(current.unit_value, current.money)

    @field("When its points end.")
    def expiry(self) -> ExpiryPolicy:
        return ExpiryPolicy(kind=self.record.expiry.kind, months=self.record.expiry.months)

    @field("How its points are kept.")
    def policy(self) -> PointsPolicy:
        policy = self.record.policy
        return PointsPolicy(
            hold_days_max=policy.hold_days_max,
            held_expiry=policy.held_expiry,
            grace_days=policy.grace_days,
            shortfall=policy.shortfall,
            notice_days=policy.notice_days,
            keeps_age=policy.keeps_age,
            accounts=policy.accounts,
            groups=list(policy.groups),
            needs_terms=policy.needs_terms,
        )

    @field("What all customers hold of it.")
    async def circulation(self, info: Info) -> Points:
        return to_points(await info.context.loaders.circulation.load(self.record.code), self.record)


def to_institution(node: institutions.Institution) -> Institution:
    return Institution(
        record=node,
        id=strawberry.ID(ids.text(ids.INSTITUTION, node.id)),
        code=node.code,
        name=node.name,
        kind=node.kind,
        status=node.status,
    )


def institution_of(configuration: Configuration, id: int) -> Institution:
    return to_institution(configuration.institutions[id])


def to_credential(credential: access.Credential) -> Credential:
    return Credential(
        record=credential,
        id=strawberry.ID(ids.text(ids.CREDENTIAL, credential.id)),
        person=credential.person,
        label=credential.label,
        roles=list(credential.roles),
        created_at=credential.created_at,
        expires_at=credential.expires_at,
        revoked_at=credential.revoked_at,
    )


def to_position(exposure: Exposure) -> Position:
    def shown(millionths: int) -> Decimal:
        return Decimal(format_millionths(millionths, exposure.currency))

    cap, proposal = exposure.cap, exposure.proposal
    return Position(
        record=exposure,
        currency=exposure.currency,
        own=shown(exposure.own),
        subtree=shown(exposure.subtree),
        exposure=shown(exposure.exposure),
        debit_cap=None if cap is None else shown(cap),
        available=None if cap is None else shown(cap - exposure.exposure),
        proposed_cap=None
        if proposal is None
        else CapProposal(
            id=strawberry.ID(ids.text(ids.CAP, proposal.id)),
            amount=None if proposal.amount is None else shown(proposal.amount),
            proposed_by=proposal.person,
            proposed_at=proposal.at,
        ),
    )


def to_currency(of: core.PointCurrency) -> PointCurrency:
    return PointCurrency(
        record=of,
        id=strawberry.ID(ids.text(ids.CURRENCY, of.id)),
        code=of.code,
        name=of.name,
        scale=of.scale,
        transferable=of.transferable,
        cashable=of.cashable,
        rate_consent=of.rate_consent,
        adapter=of.adapter,
        partner_state=of.partner,
        halts_at=None if of.relocation is None else of.relocation.halts_at,
        time_zone=of.time_zone,
    )
