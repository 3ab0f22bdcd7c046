"""Arrays: the columns of a batch's rows as PostgreSQL writes arrays, one text each.

Of each element of an array the driver asks, in Python, whether it is an array itself, and encodes it by itself; a text
it takes as it is. JSON's encoder writes whole numbers, instants and plain texts as PostgreSQL reads them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

_ENCODER = msgspec.json.Encoder()


def array(elements: Iterable[int | str | datetime | None]) -> str:
    """Whole numbers, texts or instants (truth values are among the numbers), to be cast from text to an array of their
    type."""
    found = elements if isinstance(elements, list | tuple) else list(elements)
    encoded = _ENCODER.encode(found)
    if b"\\" in encoded:  # JSON escapes control characters otherwise than PostgreSQL, which escapes none
        return f"{{{','.join(map(_quoted, found))}}}"
    return f"{{{encoded[1:-1].decode()}}}"


def _quoted(element: int | str | datetime | None) -> str:
    if element is None:
        return "null"
    escaped = str(element).replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def octets(elements: Sequence[bytes]) -> str:
    """The same for octets, none of them null."""
    return '{"' + '","'.join([rf"\\x{one.hex()}" for one in elements]) + '"}'
