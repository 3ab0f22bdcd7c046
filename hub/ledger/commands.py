"""Commands: what may be asked of the hub, as plain values in the words of who asks.

Codes and decimal text, not identifiers and units: scale, rights, rates and caps are resolved in the batch, under the
journal's lock. ``actor`` is the credential that asks. What moves value carries an idempotency ``key``; what only
configures carries none, and its second asking is refused as a duplicate.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import ClassVar

import msgspec

from hub.access import Role
from hub.certificates import Examined
from hub.currencies import AccountMode, ExpiryKind, HeldExpiry, PartnerState, RateConsent, Shortfall
from hub.errors import InvalidInput
from hub.institutions import Kind
from hub.institutions import Status as InstitutionStatus
from hub.ledger.opening import Holder
from hub.ledger.records import ClearingScope, PoolKind, PoolRight
from hub.limits import Act, Measure, Mode, Period, Subject
from hub.partners import Reason, Status
from hub.rates import Funding, Life
from hub.reconciliation.breaks import Ending, Found, SideSum
from hub.revocations import RevocationReason

KEY_MAX = 200
TEXT_MAX = 2_000
CONNECTION_MAX = 65_536


class Party(msgspec.Struct, frozen=True):
    """A customer as its institution knows it."""

    institution: str
    reference: str


class Connection(msgspec.Struct, frozen=True):
    """How a currency's partner is reached, as the edge has checked it: its configuration with the secrets sealed, how
    many decimals the partner counts its points with, and what it declares that it does, and of which of these it does a
    part (``hub.partners.Operation``)."""

    sealed: str
    scale: int
    operations: tuple[str, ...] = ("CREDIT", "DEBIT", "REVERSE")
    partial: tuple[str, ...] = ()


class FreezeOutcome(StrEnum):
    """What becomes of a freeze: its points are free again, or they are taken away."""

    RELEASE = "RELEASE"
    REMOVE = "REMOVE"


class ReversalShortfall(StrEnum):
    """What becomes of points that are to be taken back and are not there: the reversal is refused, or it takes what
    there is and the rest is owed, or given up."""

    REFUSE = "REFUSE"
    DEBT = "DEBT"
    WRITE_OFF = "WRITE_OFF"


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that somebody asks."""

    actor: int

    keyed: ClassVar[bool] = False


class Keyed(Command, frozen=True, kw_only=True):
    """A command whose outcome is frozen under the caller's key."""

    key: str

    keyed: ClassVar[bool] = True
    # Fields that came after requests had been kept: they count only where they are not what they are by default.
    later: ClassVar[tuple[str, ...]] = ()

    def digest(self) -> bytes:
        """SHA-256 of the operation with its arguments; not of who asks or under which key. Amounts are normalised
        by whoever makes the command, so that ``1.0`` and ``1.00`` are one request."""
        fields = msgspec.structs.asdict(self)
        del fields["actor"], fields["key"]
        if self.later:
            defaults = _defaults(type(self))
            for name in self.later:
                if fields[name] == defaults[name]:
                    del fields[name]
        return hashlib.sha256(_ENCODER.encode((type(self).__name__, fields))).digest()


_ENCODER = msgspec.json.Encoder(order="sorted")


@cache
def _defaults(kind: type[Keyed]) -> dict[str, object]:
    """What a command's later fields are where nobody says anything."""
    return {one.name: one.default for one in msgspec.structs.fields(kind) if one.name in kind.later}


def malformed(command: Command) -> InvalidInput | None:
    """What is wrong with a command's texts before anything is looked up: what a database cannot hold (the character
    NUL, half a surrogate pair), or more than it should; and times that are not in UTC, which would be one instant under
    two digests."""
    return _wrong(msgspec.structs.astuple(command)) or _wrong_key(command)


def _wrong(values: tuple[object, ...]) -> InvalidInput | None:
    for value in values:
        if value is None or type(value) is int:
            continue
        if isinstance(value, str):
            if len(value) > TEXT_MAX or not is_storable(value):
                return InvalidInput(text=repr(value[:40]))
        elif isinstance(value, datetime):
            if value.utcoffset() != timedelta(0):
                return InvalidInput(time=value.isoformat())
        elif isinstance(value, Connection):
            if len(value.sealed) > CONNECTION_MAX or not is_storable(value.sealed):
                return InvalidInput(adapterConfig=f"it is malformed, or longer than {CONNECTION_MAX} characters")
        elif isinstance(value, Party):
            if len(value.reference) > KEY_MAX:
                return InvalidInput(reference=f"longer than {KEY_MAX} characters")
            if not (is_storable(value.institution) and is_storable(value.reference)):
                return InvalidInput(reference=repr(value.reference[:40]))
        elif isinstance(value, tuple | msgspec.Struct):
            inner = value if isinstance(value, tuple) else msgspec.structs.astuple(value)
            if (wrong := _wrong(inner)) is not None:
                return wrong
    return None


def _wrong_key(command: Command) -> InvalidInput | None:
    if isinstance(command, Keyed) and not 0 < len(command.key) <= KEY_MAX:
        return InvalidInput(idempotencyKey=f"1 to {KEY_MAX} characters")
    return None


def is_storable(text: str) -> bool:
    """Whether the database can hold the text: it has no NUL, and no half of a surrogate pair."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- who takes part ---------------------------------------------------------------------------------------------------


class CreateInstitution(Command, frozen=True, kw_only=True):
    code: str
    name: str
    kind: Kind
    parent: str | None
    zones: tuple[str, ...]
    auto_enroll: bool
    set_off: bool = True


class SetSetOff(Command, frozen=True, kw_only=True):
    code: str
    allowed: bool


class MoveInstitution(Command, frozen=True, kw_only=True):
    code: str
    parent: str


class SetZones(Command, frozen=True, kw_only=True):
    """``starts`` None: at once."""

    institution: str
    zones: tuple[str, ...]
    starts: datetime | None


class SetInstitutionStatus(Command, frozen=True, kw_only=True):
    code: str
    status: InstitutionStatus
    reason: str


class SetDebitCap(Command, frozen=True, kw_only=True):
    institution: str
    currency: str
    amount: str | None


class ApproveDebitCap(Command, frozen=True, kw_only=True):
    id: int | None


class RejectDebitCap(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class CreateCredential(Command, frozen=True, kw_only=True):
    """``secret_hash``: the caller makes the secret, so that it never stands in a queue."""

    institution: str
    person: str
    label: str
    roles: tuple[Role, ...]
    expires_at: datetime | None
    secret_hash: str


class RevokeCredential(Command, frozen=True, kw_only=True):
    id: int | None


class EnrollCustomer(Command, frozen=True, kw_only=True):
    customer: Party


class BindIdentifier(Keyed, frozen=True, kw_only=True):
    """``identifier``: the identifier in the place of a reference, at its institution."""

    identifier: Party
    customer: Party


class UnbindIdentifier(Keyed, frozen=True, kw_only=True):
    identifier: Party
    reason: str


class ProposeLink(Keyed, frozen=True, kw_only=True):
    """``a`` is whose institution asks."""

    a: Party
    b: Party
    evidence: str | None


class AcceptLink(Keyed, frozen=True, kw_only=True):
    id: int | None


class EndLink(Keyed, frozen=True, kw_only=True):
    id: int | None
    reason: str


class SetCustomerProfile(Command, frozen=True, kw_only=True):
    """``groups``: paths such as ``retail/gold``, which is in ``retail`` as well."""

    customer: Party
    customer_type: str | None
    groups: tuple[str, ...]


# --- what is exchanged ------------------------------------------------------------------------------------------------


class MoneyText(msgspec.Struct, frozen=True):
    amount: str
    currency: str


class PolicyTerms(msgspec.Struct, frozen=True):
    """What is left out stays as it is; for a new currency, as ``hub.currencies.Policy`` has it."""

    hold_days_max: int | None = None
    held_expiry: HeldExpiry | None = None
    grace_days: int | None = None
    shortfall: Shortfall | None = None
    notice_days: int | None = None
    keeps_age: bool | None = None
    accounts: AccountMode | None = None
    groups: tuple[str, ...] | None = None


class RegisterPointCurrency(Command, frozen=True, kw_only=True):
    code: str
    name: str
    issuer: str
    scale: int
    unit_value: MoneyText
    expiry: ExpiryKind
    expiry_months: int | None
    transferable: bool
    cashable: bool
    rate_consent: RateConsent
    adapter: str
    time_zone: str = "UTC"
    policy: PolicyTerms = PolicyTerms()
    connection: Connection | None = None  # of an adapter; where the hub keeps the balances there is none


class SetAdapterConfig(Command, frozen=True, kw_only=True):
    currency: str
    connection: Connection
    instead_of: str | None = None  # SHA-256, in hexadecimal, of the text that it replaces; None: of whichever


class SetPartnerState(Command, frozen=True, kw_only=True):
    currency: str
    state: PartnerState
    reason: str


class ProposeRelocation(Command, frozen=True, kw_only=True):
    """``connection``: of the adapter; where the hub is to keep the balances there is none. ``starts_at`` None: as soon
    as it is approved."""

    currency: str
    adapter: str
    connection: Connection | None
    starts_at: datetime | None
    reason: str


class ApproveRelocation(Command, frozen=True, kw_only=True):
    id: int | None


class CancelRelocation(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class FixBalances(Command, frozen=True, kw_only=True):
    """Let no balance of the currency change any more, once nothing is under way."""

    id: int | None


class RecordBalances(Command, frozen=True, kw_only=True):
    """What the partner has of the points of all customers after ``after`` up to ``through``, of whom these have some,
    in the hub or there; asked by the hub itself. ``digest``: of the partner's file, if it is one. ``last``: there are
    no more; then ``control`` is the partner's own total, if it told one."""

    relocation: int
    round: int
    after: int
    through: int
    holders: tuple[Holder, ...]
    last: bool
    control: int | None = None
    digest: str | None = None


class AcceptDifferences(Command, frozen=True, kw_only=True):
    """``differing``: of how many customers, and ``more`` and ``less`` by how much, as decimal text, so that nobody
    accepts what he has not read."""

    id: int | None
    differing: int
    more: str
    less: str


class CompleteRelocation(Command, frozen=True, kw_only=True):
    id: int | None


class Relocate(Command, frozen=True, kw_only=True):
    """Move the points of the customers after ``after`` up to ``through``; asked by the hub itself. ``last``: there are
    no more."""

    relocation: int
    after: int
    through: int
    last: bool


class SetPointsPolicy(Command, frozen=True, kw_only=True):
    currency: str
    policy: PolicyTerms


class BonusTerms(msgspec.Struct, frozen=True):
    percent: str | None
    cap: str | None
    per_block: str | None
    block: str | None
    funded_by: Funding
    starts: datetime | None
    ends: datetime | None


class ProposeRate(Command, frozen=True, kw_only=True):
    source: str
    target: str
    numerator: str
    denominator: str
    minimum: str | None
    maximum: str | None
    step: str | None
    fee_fixed: MoneyText | None
    fee_per_point: MoneyText | None
    fee_percent: str | None
    fee_cap: MoneyText | None
    bonuses: tuple[BonusTerms, ...]
    settlement_price: MoneyText | None
    starts: datetime | None
    ends: datetime | None
    life: Life = Life.TARGET_POLICY
    allows_cashout: bool = False


class AcceptRate(Command, frozen=True, kw_only=True):
    id: int | None


class ApproveRate(Command, frozen=True, kw_only=True):
    id: int | None


class RejectRate(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class WithdrawRate(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str
    cancel_quotes: bool


class LimitTerms(msgspec.Struct, frozen=True):
    """What all versions of a limit have in common."""

    name: str
    act: Act
    target: str | None
    institution: str | None
    subject: Subject
    period: Period
    measure: Measure
    mode: Mode
    zone: str
    notice_days: int


class SetLimit(Command, frozen=True, kw_only=True):
    """``terms``: of a new limit; None: a version of the one with this code. ``starts`` None: as soon as it may."""

    currency: str
    code: str
    amount: str
    starts: datetime | None
    terms: LimitTerms | None


class LiftLimit(Command, frozen=True, kw_only=True):
    id: int | None
    starts: datetime | None


class SetWebhook(Command, frozen=True, kw_only=True):
    """``secret``: a fresh one, sealed, for an institution that has none; ``plain``: whether http is allowed too."""

    institution: str
    url: str
    types: tuple[str, ...]
    secret: str
    plain: bool = False


class RotateWebhookSecret(Command, frozen=True, kw_only=True):
    """``secret``: the new one, sealed."""

    institution: str
    secret: str


class ResealWebhookSecrets(Command, frozen=True, kw_only=True):
    """The same secrets, sealed anew; asked by the hub itself. ``instead_of``: the current one as it was sealed."""

    institution: str
    secret: str
    previous: str | None
    instead_of: str


class RevokeSigningKey(Command, frozen=True, kw_only=True):
    """``kid``: the thumbprint of a key of the hub's; it is not believed for what happened at ``since`` or later."""

    kid: str
    since: datetime
    reason: RevocationReason


class DisableWebhook(Command, frozen=True, kw_only=True):
    """``gone``: the URL that has answered that it is no more; asked by the hub itself."""

    institution: str
    gone: str | None = None


class RegisterCertificate(Command, frozen=True, kw_only=True):
    """``found``: what a certificate says whose signature was verified."""

    found: Examined


# --- acts -------------------------------------------------------------------------------------------------------------


class Issue(Keyed, frozen=True, kw_only=True):
    currency: str
    to: Party
    amount: str
    earned_at: datetime | None
    expires_at: datetime | None
    memo: str | None
    record: str | None = None
    channel: str | None = None

    later: ClassVar[tuple[str, ...]] = ("record", "channel")


class Transfer(Keyed, frozen=True, kw_only=True):
    """``by``: the member who spends, where ``source`` is a pool; so of the other acts that spend."""

    currency: str
    source: Party
    target: Party
    amount: str
    memo: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class Redeem(Keyed, frozen=True, kw_only=True):
    currency: str
    customer: Party
    merchant: str
    amount: str
    memo: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class HoldPoints(Keyed, frozen=True, kw_only=True):
    currency: str
    customer: Party
    amount: str
    expires_at: datetime
    memo: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class CaptureHold(Keyed, frozen=True, kw_only=True):
    """``amount`` None: all. To ``target`` or ``merchant``; to neither: burned."""

    hold: int | None
    amount: str | None
    target: Party | None
    merchant: str | None


class ReleaseHold(Keyed, frozen=True, kw_only=True):
    hold: int | None


class Lapse(Command, frozen=True, kw_only=True):
    """Settle what time has done to these accounts; asked by the hub itself, for what nobody touches."""

    accounts: tuple[int, ...]


class ClearPoints(Keyed, frozen=True, kw_only=True):
    """Order a clearing. ``earned_before`` None: 1 January of the year before; ``starts_at`` None: at once."""

    currency: str
    scope: ClearingScope
    earned_before: datetime | None
    starts_at: datetime | None
    reason: str


class CancelClearing(Command, frozen=True, kw_only=True):
    """End a clearing; what it has cleared stays cleared."""

    id: int | None


class Clear(Command, frozen=True, kw_only=True):
    """Work off a clearing's accounts after ``after`` up to ``through``, of which these have points; asked by the hub
    itself. ``last``: there are no more."""

    clearing: int
    after: int
    through: int
    accounts: tuple[int, ...]
    last: bool


class RequestQuote(Command, frozen=True, kw_only=True):
    """``binding`` False: the same figures for a look, kept nowhere."""

    source: Party
    target: Party
    source_currency: str
    target_currency: str
    amount: str
    ttl_seconds: int
    binding: bool = True


class ExecuteQuote(Keyed, frozen=True, kw_only=True):
    quote: int | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class Convert(Keyed, frozen=True, kw_only=True):
    source: Party
    target: Party
    source_currency: str
    target_currency: str
    amount: str
    minimum_target: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class ReportOrder(Command, frozen=True, kw_only=True):
    """What has become of an order, as a partner answered; said by the hub itself. ABSENT: it was certainly not done,
    and is not asked for any more."""

    reference: str
    status: Status
    reason: Reason | None = None
    code: str | None = None
    partner_reference: str | None = None


class AddEvidence(Command, frozen=True, kw_only=True):
    """``done``: the outcome that is proposed for the order under way; None: a note."""

    exchange: int | None
    done: bool | None
    text: str


class ApproveEvidence(Command, frozen=True, kw_only=True):
    """Have the last proposal count as the partner's answer. ``proposal``: which one, so that nobody approves what he
    has not read."""

    exchange: int | None
    proposal: int | None


class Reconcile(Command, frozen=True, kw_only=True):
    """What a run of reconciliation has found; said by the hub itself. ``after``: the day's last run when it began."""

    currency: str
    day: str
    after: int | None
    scale: int
    sides: tuple[SideSum, ...]
    matched: int
    found: tuple[Found, ...]


class AssignBreak(Command, frozen=True, kw_only=True):
    """``owner``: a person of the operator's; None: nobody."""

    id: int | None
    owner: str | None


class NoteBreak(Command, frozen=True, kw_only=True):
    id: int | None
    text: str


class ProposeBreakEnd(Command, frozen=True, kw_only=True):
    id: int | None
    ending: Ending
    text: str


class ApproveBreakEnd(Command, frozen=True, kw_only=True):
    """``proposal``: which one, so that nobody approves what he has not read."""

    id: int | None
    proposal: int | None


class Reverse(Keyed, frozen=True, kw_only=True):
    """``amount`` in credited points; None: the rest."""

    id: int | None
    amount: str | None
    reason: str
    shortfall: ReversalShortfall = ReversalShortfall.REFUSE

    later: ClassVar[tuple[str, ...]] = ("shortfall",)


class CancelRecord(Keyed, frozen=True, kw_only=True):
    """Reverse what is left of every issue of ``currency`` that was made for ``record``."""

    currency: str
    record: str
    shortfall: ReversalShortfall
    reason: str


# --- freezes and debts ------------------------------------------------------------------------------------------------


class FreezePoints(Keyed, frozen=True, kw_only=True):
    currency: str
    customer: Party
    amount: str
    reason: str


class ResolveFreeze(Keyed, frozen=True, kw_only=True):
    freeze: int | None
    outcome: FreezeOutcome
    reason: str


class FreezeAccount(Keyed, frozen=True, kw_only=True):
    """``currency`` None: all accounts of the customer, also those that are opened later."""

    customer: Party
    currency: str | None
    reason: str


class UnfreezeAccount(Keyed, frozen=True, kw_only=True):
    """``currency`` None: the end of a freeze of all accounts, not of freezes of single ones."""

    customer: Party
    currency: str | None
    reason: str


class CloseCustomer(Keyed, frozen=True, kw_only=True):
    customer: Party
    reason: str


class WriteOffDebt(Keyed, frozen=True, kw_only=True):
    """``amount`` None: all that is owed."""

    customer: Party
    currency: str
    amount: str | None
    reason: str


# --- pools ------------------------------------------------------------------------------------------------------------


class CreatePool(Keyed, frozen=True, kw_only=True):
    pool: Party
    kind: PoolKind
    owner: Party


class JoinPool(Command, frozen=True, kw_only=True):
    """``by``: the member that lets it in; so of the other commands on members."""

    pool: Party
    member: Party
    rights: tuple[PoolRight, ...]
    by: Party


class SetPoolRights(Command, frozen=True, kw_only=True):
    pool: Party
    member: Party
    rights: tuple[PoolRight, ...]
    by: Party


class LeavePool(Keyed, frozen=True, kw_only=True):
    """``by`` None: the member itself."""

    pool: Party
    member: Party
    by: Party | None


class ContributeToPool(Keyed, frozen=True, kw_only=True):
    pool: Party
    member: Party
    currency: str
    amount: str
    memo: str | None
    channel: str | None


# --- settlement -------------------------------------------------------------------------------------------------------


class CloseWindow(Keyed, frozen=True, kw_only=True):
    window: int | None


class ConfirmSettlement(Keyed, frozen=True, kw_only=True):
    window: int | None
    institution: str
    currency: str
    amount: str
    value_date: str | None
    reference: str
