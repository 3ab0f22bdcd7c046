"""Templates: texts and JSON bodies with places such as ``{member}`` for what an order says; ``{{`` is a brace.

Invariant: a value never becomes structure. In a body it is a JSON value, in a path it is percent-encoded and neither
empty nor a step up, in a header it is printable ASCII on one line, without a space at either end.
"""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any
from urllib.parse import quote

import msgspec

Value = str | int | msgspec.Raw | None
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_HEADER = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


class Unsendable(Exception):
    """A value cannot be put where the configuration wants it, so nothing was sent."""


def names(template: object) -> set[str]:
    """The places in a text, or in all texts of a JSON value.

    Raises:
        ValueError: a brace stands alone, or a place is no plain name.
    """
    if isinstance(template, dict):
        return names(list(template.values()))
    if isinstance(template, list):
        return set().union(*map(names, template)) if template else set()
    if not isinstance(template, str):
        return set()
    found = {part for part in _parts(template) if isinstance(part, _Place)}
    return {str(place) for place in found}


def body(template: Any, values: Mapping[str, Value]) -> Any:
    """The template with its places filled. A text that is nothing but one place becomes the value itself; a member of
    an object whose value would be None is left out."""
    if isinstance(template, dict):
        filled = {name: body(one, values) for name, one in template.items()}
        return {name: one for name, one in filled.items() if one is not None or template[name] is None}
    if isinstance(template, list):
        return [body(one, values) for one in template]
    if not isinstance(template, str):
        return template
    parts = _parts(template)
    if len(parts) == 1 and isinstance(parts[0], _Place):
        return values.get(parts[0])
    return text(template, values)


def text(template: str, values: Mapping[str, Value]) -> str:
    """The template as text; what is None is nothing."""
    return "".join(_plain(values.get(part)) if isinstance(part, _Place) else part for part in _parts(template))


def octets(template: str, values: Mapping[str, bytes]) -> bytes:
    """The template as octets, of values that may be any."""
    parts = _parts(template)
    return b"".join(values.get(part, b"") if isinstance(part, _Place) else part.encode() for part in parts)


def path(template: str, values: Mapping[str, Value]) -> str:
    """The template as a path.

    Raises:
        Unsendable: a value is missing, empty, or a step up or to the same place.
    """
    filled = []
    for part in _parts(template):
        if not isinstance(part, _Place):
            filled.append(part)
            continue
        value = _plain(values.get(part))
        if value in ("", ".", ".."):
            raise Unsendable(f"{part} is {value!r}, which cannot stand in a path")
        filled.append(quote(value, safe=""))
    return "".join(filled)


def query(template: Mapping[str, str], values: Mapping[str, Value]) -> dict[str, str]:
    """The parameters that are not None."""
    found = body(dict(template), values)
    return {name: _plain(value) for name, value in found.items()}


def header(template: str, values: Mapping[str, Value]) -> str:
    """The template as a header's value.

    Raises:
        Unsendable: it would be none.
    """
    filled = text(template, values)
    if not is_header(filled):
        raise Unsendable("a header would not be printable ASCII, or have a space at one end")
    return filled


def is_header(text: str) -> bool:
    """Whether a text can be a header's value, as RFC 9110 has it and every library and partner takes it."""
    return _HEADER.fullmatch(text) is not None


class _Place(str):
    """A place in a template, by its name."""

    __slots__ = ()


def _parts(template: str) -> list[str]:
    found: list[str] = []
    for literal, name, form, conversion in Formatter().parse(template):
        if literal:
            found.append(literal)
        if name is None:
            continue
        if form or conversion or not _NAME.fullmatch(name):
            raise ValueError(f"{{{name}}} is no place: it is a name between braces")
        found.append(_Place(name))
    return found


def _plain(value: Value) -> str:
    if value is None:
        return ""
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)
