"""Endpoints: where an institution is told what happened, and what of it. Configuration, like all that is in force.

An institution has one at most. Its secret is sealed (``hub.sealing``), shown once and nobody else's; for a day after a
rotation the one before signs as well, so that a receiver can change it without losing anything.
"""

import secrets
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ALL = "*"
BOTH_SIGN_FOR = timedelta(hours=24)
_SECRET_BYTES = 32  # the specification has 24 to 64


class EventType(StrEnum):
    """What an endpoint can be told."""

    CONVERSION_PENDING = "conversion.pending"
    CONVERSION_COMPLETED = "conversion.completed"
    CONVERSION_REFUSED = "conversion.refused"
    CONVERSION_REVERSED = "conversion.reversed"
    CONVERSION_IN_DOUBT = "conversion.in_doubt"
    ISSUE_POSTED = "issue.posted"
    TRANSFER_POSTED = "transfer.posted"
    REDEMPTION_POSTED = "redemption.posted"
    REVERSAL_POSTED = "reversal.posted"
    ISSUE_PENDING = "issue.pending"
    ISSUE_REFUSED = "issue.refused"
    ISSUE_IN_DOUBT = "issue.in_doubt"
    TRANSFER_PENDING = "transfer.pending"
    TRANSFER_REFUSED = "transfer.refused"
    TRANSFER_IN_DOUBT = "transfer.in_doubt"
    REDEMPTION_PENDING = "redemption.pending"
    REDEMPTION_REFUSED = "redemption.refused"
    REDEMPTION_IN_DOUBT = "redemption.in_doubt"
    REVERSAL_PENDING = "reversal.pending"
    REVERSAL_REFUSED = "reversal.refused"
    REVERSAL_IN_DOUBT = "reversal.in_doubt"
    HOLD_CAPTURED = "hold.captured"
    HOLD_RELEASED = "hold.released"
    HOLD_EXPIRED = "hold.expired"
    POINTS_EXPIRED = "points.expired"
    RATE_PROPOSED = "rate.proposed"
    RATE_ACCEPTED = "rate.accepted"
    RATE_APPROVED = "rate.approved"
    RATE_REJECTED = "rate.rejected"
    RATE_WITHDRAWN = "rate.withdrawn"
    WINDOW_CLOSED = "window.closed"
    WINDOW_SETTLED = "window.settled"
    BREAK_OPENED = "break.opened"
    BREAK_ENDED = "break.ended"
    REPORT_ACCEPTED = "report.accepted"
    DISPUTE_OPENED = "dispute.opened"
    DISPUTE_ANSWERED = "dispute.answered"
    DISPUTE_RESOLVED = "dispute.resolved"
    PREPAID_LOW = "prepaid.low"


class WebhookStatus(StrEnum):
    """GONE: the endpoint has answered that it is no more, so nothing is sent until it is set again; events are still
    made. DISABLED: its institution wants none."""

    ACTIVE = "ACTIVE"
    GONE = "GONE"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An institution's endpoint. ``since``: events are of batches after this one. ``secret`` and ``previous`` are
    sealed; ``previous`` signs until ``previous_until``."""

    id: int
    institution: int
    url: str
    types: tuple[str, ...]
    status: WebhookStatus
    since: int
    created_at: datetime
    secret: str
    previous: str | None = None
    previous_until: datetime | None = None

    def wants(self, type: EventType) -> bool:
        """Whether it is told of this."""
        return ALL in self.types or type.value in self.types

    @property
    def is_told(self) -> bool:
        """Whether events are made for it, to be sent now or when it is back."""
        return self.status is not WebhookStatus.DISABLED

    def sealed_at(self, at: datetime) -> tuple[str, ...]:
        """The sealed secrets that sign at ``at``, the newest first."""
        if self.previous is None or self.previous_until is None or at >= self.previous_until:
            return (self.secret,)
        return self.secret, self.previous


def new_secret() -> str:
    """A fresh secret in the specification's form, which secret scanners can recognise."""
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"
