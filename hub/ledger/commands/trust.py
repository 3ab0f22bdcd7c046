"""What signatures are worth: keys that are revoked, and certificates of adapters."""

from datetime import datetime

from hub.certificates import Examined
from hub.ledger.commands.command import Command
from hub.revocations import RevocationReason


class RevokeSigningKey(Command, frozen=True, kw_only=True):
    """``kid``: the thumbprint of a key of the hub's; it is not believed for what happened at ``since`` or later."""

    kid: str
    since: datetime
    reason: RevocationReason


class RegisterCertificate(Command, frozen=True, kw_only=True):
    """``found``: what a certificate says whose signature was verified."""

    found: Examined
