"""What every configured text must be: present, of a sensible length, and for codes of a plain alphabet."""

import re

from hub.errors import InvalidInput

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,31}")
NAME_MAX = 200


def code(field: str, value: str) -> str:
    """A code: 1 to 32 letters, digits, ``_ . -``, beginning with a letter or digit.

    Raises:
        InvalidInput: it is none.
    """
    if not _CODE.fullmatch(value):
        raise InvalidInput(**{field: value[:60]})
    return value


def name(field: str, value: str) -> str:
    """A name for people: not blank, at most 200 characters.

    Raises:
        InvalidInput: it is none.
    """
    if not value.strip() or len(value) > NAME_MAX:
        raise InvalidInput(**{field: value[:60]})
    return value
