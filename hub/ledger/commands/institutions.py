"""Who takes part: institutions, their caps, and keys."""

from datetime import datetime

from hub.access import Role
from hub.institutions import Kind
from hub.institutions import Status as InstitutionStatus
from hub.ledger.commands.command import Command


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
