"""Commands: what may be asked of the hub, as plain values in the words of who asks.

Codes and decimal text, not identifiers and units: scale, rights, rates and caps are resolved in the batch, under the
journal's lock. ``actor`` is the credential that asks. What moves value carries an idempotency ``key``; what only
configures carries none, and its second asking is refused as a duplicate.
"""

from hub.ledger.commands.acts import CancelRecord, Issue, Redeem, ReversalShortfall, Reverse, Transfer
from hub.ledger.commands.books import LedgerAccountText, LockPeriod, SetBooks
from hub.ledger.commands.breaks import ApproveBreakEnd, AssignBreak, NoteBreak, ProposeBreakEnd, Reconcile
from hub.ledger.commands.clearings import CancelClearing, Clear, ClearPoints, Lapse
from hub.ledger.commands.command import (
    CONNECTION_MAX,
    KEY_MAX,
    TEXT_MAX,
    Command,
    Connection,
    Keyed,
    Party,
    is_storable,
    malformed,
)
from hub.ledger.commands.conversions import Convert, ExecuteQuote, RequestQuote
from hub.ledger.commands.currencies import (
    MoneyText,
    PolicyTerms,
    RegisterPointCurrency,
    SetAdapterConfig,
    SetPartnerState,
    SetPointsPolicy,
)
from hub.ledger.commands.customers import (
    AcceptLink,
    BindIdentifier,
    EndLink,
    EnrollCustomer,
    ProposeLink,
    SetCustomerProfile,
    UnbindIdentifier,
)
from hub.ledger.commands.exchanges import AddEvidence, ApproveEvidence, ReportOrder
from hub.ledger.commands.freezes import (
    CloseCustomer,
    FreezeAccount,
    FreezeOutcome,
    FreezePoints,
    ResolveFreeze,
    UnfreezeAccount,
    WriteOffDebt,
)
from hub.ledger.commands.holds import CaptureHold, HoldPoints, ReleaseHold
from hub.ledger.commands.institutions import (
    ApproveDebitCap,
    CreateCredential,
    CreateInstitution,
    MoveInstitution,
    RejectDebitCap,
    RevokeCredential,
    SetDebitCap,
    SetInstitutionStatus,
    SetSetOff,
    SetZones,
)
from hub.ledger.commands.limits import LiftLimit, LimitTerms, SetLimit
from hub.ledger.commands.pools import ContributeToPool, CreatePool, JoinPool, LeavePool, SetPoolRights
from hub.ledger.commands.rates import AcceptRate, ApproveRate, BonusTerms, ProposeRate, RejectRate, WithdrawRate
from hub.ledger.commands.relocations import (
    AcceptDifferences,
    ApproveRelocation,
    CancelRelocation,
    CompleteRelocation,
    FixBalances,
    ProposeRelocation,
    RecordBalances,
    Relocate,
)
from hub.ledger.commands.trust import RegisterCertificate, RevokeSigningKey
from hub.ledger.commands.webhooks import DisableWebhook, ResealWebhookSecrets, RotateWebhookSecret, SetWebhook
from hub.ledger.commands.windows import CloseWindow, ConfirmSettlement

__all__ = [
    "CONNECTION_MAX",
    "KEY_MAX",
    "TEXT_MAX",
    "AcceptDifferences",
    "AcceptLink",
    "AcceptRate",
    "AddEvidence",
    "ApproveBreakEnd",
    "ApproveDebitCap",
    "ApproveEvidence",
    "ApproveRate",
    "ApproveRelocation",
    "AssignBreak",
    "BindIdentifier",
    "BonusTerms",
    "CancelClearing",
    "CancelRecord",
    "CancelRelocation",
    "CaptureHold",
    "Clear",
    "ClearPoints",
    "CloseCustomer",
    "CloseWindow",
    "Command",
    "CompleteRelocation",
    "ConfirmSettlement",
    "Connection",
    "ContributeToPool",
    "Convert",
    "CreateCredential",
    "CreateInstitution",
    "CreatePool",
    "DisableWebhook",
    "EndLink",
    "EnrollCustomer",
    "ExecuteQuote",
    "FixBalances",
    "FreezeAccount",
    "FreezeOutcome",
    "FreezePoints",
    "HoldPoints",
    "Issue",
    "JoinPool",
    "Keyed",
    "Lapse",
    "LeavePool",
    "LedgerAccountText",
    "LiftLimit",
    "LimitTerms",
    "LockPeriod",
    "MoneyText",
    "MoveInstitution",
    "NoteBreak",
    "Party",
    "PolicyTerms",
    "ProposeBreakEnd",
    "ProposeLink",
    "ProposeRate",
    "ProposeRelocation",
    "Reconcile",
    "RecordBalances",
    "Redeem",
    "RegisterCertificate",
    "RegisterPointCurrency",
    "RejectDebitCap",
    "RejectRate",
    "ReleaseHold",
    "Relocate",
    "ReportOrder",
    "RequestQuote",
    "ResealWebhookSecrets",
    "ResolveFreeze",
    "ReversalShortfall",
    "Reverse",
    "RevokeCredential",
    "RevokeSigningKey",
    "RotateWebhookSecret",
    "SetAdapterConfig",
    "SetBooks",
    "SetCustomerProfile",
    "SetDebitCap",
    "SetInstitutionStatus",
    "SetLimit",
    "SetPartnerState",
    "SetPointsPolicy",
    "SetPoolRights",
    "SetSetOff",
    "SetWebhook",
    "SetZones",
    "Transfer",
    "UnbindIdentifier",
    "UnfreezeAccount",
    "WithdrawRate",
    "WriteOffDebt",
    "is_storable",
    "malformed",
]
