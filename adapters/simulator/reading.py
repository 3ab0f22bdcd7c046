"""Reading what is sent: JSON objects with known fields of known types, or a Problem that names the field."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from adapters.simulator.problems import AmountNotText, MissingField, NotJson, UnknownField, WrongType, WrongValue

_NAMES = {str: "text", int: "a whole number", bool: "true or false"}
TEXT_MAX = 200


class Body:
    """A JSON object whose fields are taken one by one; ``end`` complains of what nobody took."""

    def __init__(self, raw: bytes) -> None:
        try:
            found = json.loads(raw.decode(), parse_constant=_no_number)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise NotJson('Send for example {"reference": "PH-1", ...} as application/json.')
        self._left: dict[str, Any] = found

    def text(self, name: str) -> str:
        """A text that must be there."""
        found = self.maybe(name, str)
        if found is None:
            raise MissingField(f"{name!r} is text.", name)
        return str(found)

    def maybe(self, name: str, kind: type) -> Any:
        """A field of ``kind``, or None where it is absent or null. A text has 1 to TEXT_MAX printable characters."""
        found = self._left.pop(name, None)
        if found is not None and type(found) is not kind:
            if name in ("amount", "available") and type(found) in (int, float):
                raise AmountNotText(f"{name!r} is {json.dumps(found)}.", name)
            raise WrongType(f"{name!r} is {_NAMES[kind]}.", name)
        if isinstance(found, str) and not (0 < len(found) <= TEXT_MAX and found.isprintable()):
            raise WrongValue(f"{name!r} has 1 to {TEXT_MAX} printable characters.", name)
        return found

    def word(self, name: str, words: Mapping[str, Any]) -> Any:
        """What one of some words means."""
        found = self.text(name)
        if found not in words:
            raise WrongValue(f"{name!r} is one of {', '.join(words)}.", name)
        return words[found]

    def maybe_word(self, name: str, words: Mapping[str, Any]) -> Any:
        """The same, or None where it is absent or null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.word(name, words)

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number within bounds."""
        found = self.maybe(name, int)
        if found is None:
            return default
        if not lowest <= found <= highest:
            raise WrongValue(f"{name!r} is from {lowest} to {highest}.", name)
        return int(found)

    def end(self) -> None:
        """Complain of the first field that nobody took."""
        for name in self._left:
            raise UnknownField(f"{name[:60]!r} means nothing here.", name[:60])


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
