"""What institutions say of their reports: their keys, acceptances, and disputes of lines."""

from datetime import datetime

import msgspec

from hub.acceptance.disputes import DisputeOutcome, DisputeReason, Statement
from hub.ledger.commands.command import Command
from hub.revocations import RevocationReason


class RegisterAcceptanceKey(Command, frozen=True, kw_only=True):
    """``kid`` and ``x``: of a public key, of which ``proof`` was verified to be signed by it for the institution."""

    institution: str
    kid: str
    x: str
    proof: str


class RevokeAcceptanceKey(Command, frozen=True, kw_only=True):
    """It is not believed for what was kept at ``since`` or later."""

    kid: str
    since: datetime
    reason: RevocationReason


class SetDisputeDays(Command, frozen=True, kw_only=True):
    days: int


class AcceptReport(Command, frozen=True, kw_only=True):
    """``jws`` was verified to be signed by the key ``kid`` over the digest of the institution's report."""

    window: int | None
    institution: str
    digest: str
    kid: str
    jws: str


class DisputedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line by its movement and leg. ``expected``: the amount that it should have; None: nothing is said of it."""

    movement: int | None
    leg: int
    reason: DisputeReason
    expected: str | None
    said: Statement


class OpenDisputes(Command, frozen=True, kw_only=True):
    window: int | None
    institution: str
    lines: tuple[DisputedLine, ...]


class AnswerDispute(Command, frozen=True, kw_only=True):
    id: int | None
    said: Statement


class NoteDispute(Command, frozen=True, kw_only=True):
    id: int | None
    said: Statement


class WithdrawDispute(Command, frozen=True, kw_only=True):
    id: int | None
    reason: str


class ProposeDisputeEnd(Command, frozen=True, kw_only=True):
    """``amount``: by how much the line is corrected, where it is upheld; None: by all that is left of it."""

    id: int | None
    outcome: DisputeOutcome
    amount: str | None
    said: Statement


class ApproveDisputeEnd(Command, frozen=True, kw_only=True):
    """``proposal``: which one, so that nobody approves what he has not read."""

    id: int | None
    proposal: int | None
