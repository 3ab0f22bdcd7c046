"""What every configured text must be: present, of a sensible length, and for codes of a plain alphabet."""

import re
import unicodedata

from hub.errors import InvalidInput

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,31}")
NAME_MAX = 200
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})  # categories of characters that leave no mark


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


def person(value: str) -> str:
    """The name of a person, without what is not seen: normalised (NFC), with single spaces inside. For two persons'
    consent is that of two names, and one name typed in two ways would be two.

    Raises:
        InvalidInput: it is none, or is not written so.
    """
    name("person", value)
    plain = " ".join(unicodedata.normalize("NFC", value).split())
    if plain != value or any(unicodedata.category(char) in _UNSEEN for char in value):
        raise InvalidInput(person=value[:60])
    return value
