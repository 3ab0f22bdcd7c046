"""Members: taking the members of a JSON document one by one, and collecting what is wrong with them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar

FINDINGS_PER_CODE_MAX: Final = 100  # of each kind in full; the rest is counted in one more finding

_A = TypeVar("_A")
_B = TypeVar("_B")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable code and a sentence."""

    code: str
    sentence: str


class Findings:
    """Collects findings, of each code the first in full and then only their number."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def add(self, code: str, sentence: str) -> None:
        self._counts[code] += 1
        if self._counts[code] <= FINDINGS_PER_CODE_MAX:
            self._findings.append(Finding(code, sentence))

    def all(self) -> tuple[Finding, ...]:
        more = [
            Finding(code, f"{count - FINDINGS_PER_CODE_MAX} more findings of this kind.")
            for code, count in sorted(self._counts.items())
            if count > FINDINGS_PER_CODE_MAX
        ]
        return (*self._findings, *more)


class Reader:
    """Takes members out of parsed JSON and collects what is wrong with them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def wrong(self, code: str, sentence: str) -> None:
        self.findings.append(Finding(code, sentence))

    def members(self, value: object, place: str, names: frozenset[str]) -> Mapping[str, Any] | None:
        if not isinstance(value, dict):
            self.wrong("SHAPE", f"{place} is no object.")
            return None
        for name in sorted(value.keys() - names):
            self.wrong("SHAPE", f"{place} has an unknown member {shown(name)}.")
        for name in sorted(names - value.keys()):
            self.wrong("SHAPE", f"{place} lacks {name}.")
        return value

    def entries(self, root: Mapping[str, Any], name: str) -> list[object] | None:
        if name not in root:
            return None
        value = root[name]
        if not isinstance(value, list):
            self.wrong("SHAPE", f"{name} is no list.")
            return None
        return value

    def value(self, members: Mapping[str, Any], place: str, name: str, parse: Callable[[str], _T]) -> _T | None:
        if name not in members:
            return None
        text = members[name]
        if not isinstance(text, str):
            self.wrong("SHAPE", f"{place}.{name} is no text.")
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.wrong("SHAPE", f"{place}.{name} {error} ({shown(text)}).")
            return None

    def pair(
        self,
        value: object,
        place: str,
        first: tuple[str, Callable[[str], _A]],
        second: tuple[str, Callable[[str], _B]],
        make: Callable[[_A, _B], _T],
    ) -> _T | None:
        """An object of two texts."""
        members = self.members(value, place, frozenset({first[0], second[0]}))
        if members is None:
            return None
        left, right = self.value(members, place, *first), self.value(members, place, *second)
        return None if left is None or right is None else make(left, right)

    def ascending(self, keys: list[Any], place: str) -> None:
        for position, (before, after) in enumerate(pairwise(keys), start=1):
            if before >= after:
                what = "stands twice" if before == after else "is out of order"
                self.wrong("ORDER", f"{place}[{position}] {what} ({shown(after)}).")


def shown(value: object) -> str:
    """A value as findings quote it."""
    return ascii(value)[:60]
