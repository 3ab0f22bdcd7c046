"""Decide: what becomes of a command. Pure.

``decide`` is given the book and a command and answers an outcome: a draft of what changes, or a refusal, which changes
nothing. A key's first outcome is its outcome for ever; the same key with another request is refused.
"""

from collections.abc import Callable
from typing import Any

from hub import confirmations, windows
from hub.errors import IdempotencyConflict, Refusal, stored
from hub.ledger import (
    acceptances,
    acts,
    bank_statements,
    baskets,
    billing,
    bindings,
    breaks,
    cancellations,
    clearings,
    commands,
    conversions,
    cover,
    debts,
    defaults,
    disputes,
    exchanges,
    freezes,
    halting,
    holds,
    lapse,
    links,
    pools,
    prepaid,
    profiles,
    relocating,
    relocations,
    resolve,
    restrictions,
    reversals,
)
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.registry import (
    acceptance,
    books,
    caps,
    certificates,
    credentials,
    currencies,
    fee_schedules,
    fx,
    institutions,
    limits,
    models,
    rates,
    revocations,
    shares,
    terms,
    webhooks,
)
from hub.registry import cover as cover_terms

HANDLERS: dict[type[commands.Command], Callable[[Book, Any], Draft]] = {
    commands.CreateInstitution: institutions.create,
    commands.MoveInstitution: institutions.move,
    commands.SetInstitutionStatus: institutions.set_status,
    commands.SetZones: institutions.set_zones,
    commands.SetSetOff: institutions.set_set_off,
    commands.SetDebitCap: caps.set_cap,
    commands.ApproveDebitCap: caps.approve,
    commands.RejectDebitCap: caps.reject,
    commands.SetCover: cover_terms.set_cover,
    commands.ApproveCover: cover_terms.approve,
    commands.RejectCover: cover_terms.reject,
    commands.RecordCoverEntry: cover.record,
    commands.ApproveCoverEntry: cover.approve,
    commands.RejectCoverEntry: cover.reject,
    commands.CreateCredential: credentials.create,
    commands.RevokeCredential: credentials.revoke,
    commands.RegisterPointCurrency: currencies.register,
    commands.SetAdapterConfig: currencies.set_connection,
    commands.SetPointsPolicy: currencies.set_policy,
    commands.SetPartnerState: currencies.set_partner_state,
    commands.ProposeRelocation: relocations.propose,
    commands.ApproveRelocation: relocations.approve,
    commands.CancelRelocation: relocations.cancel,
    commands.FixBalances: relocations.fix,
    commands.RecordBalances: relocating.record,
    commands.AcceptDifferences: relocations.accept,
    commands.CompleteRelocation: relocations.complete,
    commands.Relocate: relocating.relocate,
    commands.ProposeRate: rates.propose,
    commands.AcceptRate: rates.accept,
    commands.ApproveRate: rates.approve,
    commands.RejectRate: rates.reject,
    commands.WithdrawRate: rates.withdraw,
    commands.ProposeAcceptanceTerms: terms.propose_acceptance,
    commands.ProposeGrantTerms: terms.propose_grant,
    commands.ProposeUnitValue: terms.propose_unit_value,
    commands.AcceptTerms: terms.accept,
    commands.ApproveTerms: terms.approve,
    commands.RejectTerms: terms.reject,
    commands.WithdrawTerms: terms.withdraw,
    commands.ProposeFeeSchedule: fee_schedules.propose,
    commands.AcceptFeeSchedule: fee_schedules.accept,
    commands.ApproveFeeSchedule: fee_schedules.approve,
    commands.RejectFeeSchedule: fee_schedules.reject,
    commands.WithdrawFeeSchedule: fee_schedules.withdraw,
    commands.Bill: billing.bill,
    commands.CreditInvoice: billing.credit,
    commands.ProposeSharePlan: shares.propose,
    commands.ApproveSharePlan: shares.approve,
    commands.RejectSharePlan: shares.reject,
    commands.WithdrawSharePlan: shares.withdraw,
    commands.SetLimit: limits.set_limit,
    commands.LiftLimit: limits.lift,
    commands.SetWebhook: webhooks.set_webhook,
    commands.RotateWebhookSecret: webhooks.rotate,
    commands.ResealWebhookSecrets: webhooks.reseal,
    commands.DisableWebhook: webhooks.disable,
    commands.RegisterCertificate: certificates.register,
    commands.RevokeSigningKey: revocations.revoke,
    commands.EnrollCustomer: acts.enroll,
    commands.BindIdentifier: bindings.bind,
    commands.UnbindIdentifier: bindings.unbind,
    commands.ProposeLink: links.propose,
    commands.AcceptLink: links.accept,
    commands.EndLink: links.end,
    commands.SetCustomerProfile: profiles.set_profile,
    commands.Issue: acts.issue,
    commands.Transfer: acts.transfer,
    commands.Redeem: acts.redeem,
    commands.RedeemBasket: baskets.redeem,
    commands.HoldPoints: holds.hold,
    commands.CaptureHold: holds.capture,
    commands.ReleaseHold: holds.release,
    commands.Lapse: lapse.sweep,
    commands.ClearPoints: clearings.order,
    commands.CancelClearing: clearings.cancel,
    commands.Clear: clearings.clear,
    commands.CreatePool: pools.create,
    commands.JoinPool: pools.join,
    commands.SetPoolRights: pools.set_rights,
    commands.LeavePool: pools.leave,
    commands.ContributeToPool: pools.contribute,
    commands.RequestQuote: conversions.quote,
    commands.ExecuteQuote: conversions.execute,
    commands.Convert: conversions.convert,
    commands.ReportOrder: exchanges.report,
    commands.AddEvidence: exchanges.add_evidence,
    commands.ApproveEvidence: exchanges.approve_evidence,
    commands.Reconcile: breaks.reconcile,
    commands.AssignBreak: breaks.assign,
    commands.NoteBreak: breaks.note,
    commands.ProposeBreakEnd: breaks.propose_end,
    commands.ApproveBreakEnd: breaks.approve_end,
    commands.Reverse: reversals.reverse,
    commands.CancelRecord: cancellations.cancel,
    commands.FreezePoints: freezes.freeze,
    commands.ResolveFreeze: freezes.resolve_freeze,
    commands.FreezeAccount: restrictions.freeze,
    commands.UnfreezeAccount: restrictions.unfreeze,
    commands.CloseCustomer: restrictions.close,
    commands.WriteOffDebt: debts.write_off,
    commands.OfferBlock: prepaid.offer,
    commands.AcceptBlock: prepaid.accept,
    commands.DeclineBlock: prepaid.decline,
    commands.ProposeRefund: prepaid.propose_refund,
    commands.AcceptRefund: prepaid.accept_refund,
    commands.DeclineRefund: prepaid.decline_refund,
    commands.SetPrepaidNotice: prepaid.set_notice,
    commands.TakeBankFile: bank_statements.take,
    commands.SetBooks: books.set_books,
    commands.LockPeriod: books.lock,
    commands.ProposeModel: models.propose,
    commands.ApproveModel: models.approve,
    commands.RejectModel: models.reject,
    commands.WithdrawModel: models.withdraw,
    commands.ProposeFxRate: fx.propose,
    commands.ApproveFxRate: fx.approve,
    commands.RejectFxRate: fx.reject,
    commands.WithdrawFxRate: fx.withdraw,
    commands.RegisterAcceptanceKey: acceptance.register,
    commands.RevokeAcceptanceKey: acceptance.revoke,
    commands.SetDisputeDays: acceptance.set_days,
    commands.AcceptReport: acceptances.accept,
    commands.OpenDisputes: disputes.open_,
    commands.AnswerDispute: disputes.answer,
    commands.NoteDispute: disputes.note,
    commands.WithdrawDispute: disputes.withdraw,
    commands.ProposeDisputeEnd: disputes.propose_end,
    commands.ApproveDisputeEnd: disputes.approve_end,
    commands.CloseWindow: windows.close,
    commands.ConfirmSettlement: confirmations.confirm,
    commands.ConfirmFile: confirmations.confirm_file,
    commands.ProposeDefault: defaults.propose,
    commands.ApproveDefault: defaults.approve,
    commands.RejectDefault: defaults.reject,
    commands.CoverDefaults: defaults.cover,
    commands.RepayDefault: defaults.repay,
}


class Outcome:
    """The answer to a command: a ``result`` or a ``refusal``; ``replayed`` if it was given before.

    ``draft`` is what changes; ``digest`` is the request's, set if the outcome is to be kept under the command's key, or
    is what was kept.
    """

    __slots__ = ("digest", "draft", "home", "refusal", "replayed", "result")

    def __init__(
        self,
        result: object = None,
        refusal: Refusal | None = None,
        *,
        replayed: bool = False,
        draft: Draft | None = None,
        home: int = 0,
        digest: bytes | None = None,
    ) -> None:
        self.result = result
        self.refusal = refusal
        self.replayed = replayed
        self.draft = draft
        self.home = home
        self.digest = digest


Outcomes = dict[tuple[int, str], Outcome]  # those that stand, by the caller's institution and its key


def decide(book: Book, known: Outcomes, command: commands.Command, digest: bytes | None = None) -> Outcome:
    """The outcome of ``command``; neither ``book`` nor ``known`` is changed. ``digest``: the command's, if it is known.

    Raises:
        Fault: the caller has no live key, or not the right; that is no outcome and is kept nowhere.
    """
    asking = resolve.credential(book, command.actor)  # first, so that a key that is over learns nothing
    home = 0
    if isinstance(command, commands.Keyed):
        home = asking.institution
        digest = digest or command.digest()
        before = known.get((home, command.key))
        if before is not None:
            if before.digest != digest:
                return Outcome(refusal=IdempotencyConflict(key=command.key))
            return Outcome(before.result, before.refusal, replayed=True)
    try:
        if book.halted:
            halting.let_through(book, command)
        draft = HANDLERS[type(command)](book, command)
        if draft.is_payable:
            resolve.paid_at_once(draft, command.actor)
    except Refusal as refusal:
        return Outcome(refusal=refusal, home=home, digest=digest)
    return Outcome(draft.result, draft=draft, home=home, digest=digest)


def remember(known: Outcomes, command: commands.Command, outcome: Outcome) -> None:
    """Let the next command of the batch know an outcome that will be kept."""
    if outcome.digest is not None and isinstance(command, commands.Keyed):
        known[outcome.home, command.key] = outcome


def recalled(request: bytes, result: object, code: str | None, details: dict[str, str]) -> Outcome:
    """An outcome as the database keeps it."""
    return Outcome(result, None if code is None else stored(code, details), digest=request)
