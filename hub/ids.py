"""Identifiers: 64-bit numbers inside, opaque strings outside.

A number is a batch and a place in it, so identifiers are unique without a sequence and ordered in time. Outside, a
prefix says what the number names; a string that is not one of ours names nothing (``parse`` answers None), so that a
caller cannot tell a malformed identifier from one that does not exist.
"""

import re

PLACES_BITS = 20  # over a million identifiers in one batch of at most 10,000 commands
PLACES = 1 << PLACES_BITS

INSTITUTION = "in"
CREDENTIAL = "ck"
CURRENCY = "pc"
RATE = "rt"
CUSTOMER = "cu"
QUOTE = "qt"
CONVERSION = "cv"
ISSUE = "is"
TRANSFER = "tr"
REDEMPTION = "rd"
REVERSAL = "rv"
HOLD = "ho"
CLEARING = "cl"
FREEZE = "fz"
RESTRICTION = "rs"
WRITE_OFF = "wo"
CANCELLATION = "cn"
POOL = "pl"
CONTRIBUTION = "pb"
TAKEN = "tk"  # what a clearing took of one customer
ENTRY = "mv"  # one side of a movement, as a statement shows it
WINDOW = "sw"
REPORT = "sr"
LIMIT = "lm"
FX_RATE = "fx"  # a version of one
MODEL = "sm"  # a version of a settlement model
CAP = "dc"  # a proposed one
WEBHOOK = "wh"
EVENT = "we"  # of a webhook
BINDING = "bd"
LINK = "lk"
EXCHANGE = "ex"
EVIDENCE = "ev"
RELOCATION = "rl"
RECONCILIATION = "rc"
BREAK = "br"
BREAK_STEP = "bs"
CERTIFICATE = "ac"
ACCEPTANCE_TERMS = "at"
GRANT_TERMS = "gt"
UNIT_VALUE = "uv"
BASKET = "bk"
SHARE_PLAN = "sp"
FEE_SCHEDULE = "fs"
INVOICE = "iv"
ACCEPTANCE_KEY = "ak"
ACCEPTANCE = "ap"
DISPUTE = "dp"
DISPUTE_STEP = "ds"
DISPUTE_TERMS = "dt"
COVER = "co"  # a proposal of its terms
COVER_ENTRY = "ce"
OBLIGATION = "ob"
DEFAULT = "df"
DEFAULT_STEP = "de"
PREPAID_BLOCK = "pp"
PREPAID_STEP = "ps"

_SHAPE = re.compile(r"([a-z]{2})_([0-9a-f]{1,16})")


def first_of(batch: int) -> int:
    """The first identifier of a batch."""
    return batch << PLACES_BITS


def batch_of(number: int) -> int:
    """The batch that made an identifier."""
    return number >> PLACES_BITS


def text(prefix: str, number: int) -> str:
    """The opaque string for ``number``."""
    return f"{prefix}_{number:x}"


def parse(value: str) -> tuple[str, int] | None:
    """Prefix and number of an opaque string; None when it is not one of ours."""
    match = _SHAPE.fullmatch(value)
    if match is None:
        return None
    number = int(match[2], 16)
    return (match[1], number) if number < 1 << 63 else None


def number(value: str, *prefixes: str) -> int | None:
    """The number behind ``value`` if it carries one of ``prefixes``."""
    parsed = parse(value)
    return parsed[1] if parsed is not None and parsed[0] in prefixes else None
