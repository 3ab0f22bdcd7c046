"""Payment references: the end-to-end identifier under which the bank moves a net, one for each net, for ever.

It says what it is of, so nothing has to be kept: window and institution by their numbers, in hexadecimal, and the
currency. With that it fits into ISO 20022's 35 characters, which banks hand on unchanged. Where two participants pay
one another, it is the number of what the one owes the other.
"""

import re
from typing import Final

LENGTH_MAX: Final = 35
_SHAPE: Final = re.compile(r"([0-9A-F]{1,16})-([0-9A-F]{1,16})-([A-Z]{3})")
_OBLIGATION: Final = re.compile(r"OB-([0-9A-F]{1,16})")


def reference_of(window: int, institution: int, currency: str) -> str:
    """The reference of a net."""
    made = f"{window:X}-{institution:X}-{currency}"
    if len(made) > LENGTH_MAX:
        raise OverflowError(f"{made} is longer than {LENGTH_MAX} characters")  # beyond 2^56 identifiers
    return made


def parse(text: str) -> tuple[int, int, str] | None:
    """Window, institution and currency of a reference; None: it is none of ours, in its one spelling."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    window, institution = int(match[1], 16), int(match[2], 16)
    if max(window, institution) >= 1 << 63 or f"{window:X}-{institution:X}-{match[3]}" != text:
        return None
    return window, institution, match[3]


def of_obligation(obligation: int) -> str:
    """The reference of an obligation."""
    return f"OB-{obligation:X}"


def parse_obligation(text: str) -> int | None:
    """The obligation of a reference; None: it is none of ours, in its one spelling."""
    match = _OBLIGATION.fullmatch(text)
    number = None if match is None else int(match[1], 16)
    return number if number is not None and number < 1 << 63 and of_obligation(number) == text else None
