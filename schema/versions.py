"""Versions: the life of terms that come into force by consent and approval, for whatever has it."""

from hub.versions import VersionStatus
from schema.enums import publish

publish(
    VersionStatus,
    "RateStatus",
    "The life of a version of a rate, or of other terms. Only an approved one is ever in force.",
    PROPOSED="It waits for consent or approval.",
    APPROVED="It is in force within its validity, unless a version that started later overrides it.",
    REJECTED="It was ended before it was approved.",
    WITHDRAWN="It was ended after it was approved.",
)

__all__ = ["VersionStatus"]
