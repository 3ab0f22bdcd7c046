"""Findings: what an audit says is wrong, all of it, each with a stable code and a sentence."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from hub import ids
from hub.configuration import Configuration

UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, msgspec.MsgspecError)
"""What reading a value raises that no program of the hub's has written."""

FINDINGS_PER_CODE_MAX: Final = 1_000  # of each code in full; the rest is counted in one more finding


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    code: str
    sentence: str


class Findings:
    """Collects findings, in the order in which they are found."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def add(self, code: str, sentence: str) -> None:
        """Add one."""
        self._counts[code] += 1
        if self._counts[code] <= FINDINGS_PER_CODE_MAX:
            self._findings.append(Finding(code, sentence))

    @contextmanager
    def unreadable(self, what: str) -> Iterator[None]:
        """Find that ``what`` cannot be checked, where the block meets a value that cannot be read, and go on after it.

        What else the block would have found is not; which row it is, is told by what is found before, mostly the entry
        whose content differs. The error's words are kept short, because they may quote the value.
        """
        try:
            yield
        except UNREADABLE as error:
            said = ascii(str(error))[1:-1][:120] or type(error).__name__
            self.add("UNREADABLE", f"{what} cannot be checked ({said}).")

    def all(self) -> tuple[Finding, ...]:
        """Every finding."""
        more = (
            Finding(code, f"{count - FINDINGS_PER_CODE_MAX} more findings of this kind.")
            for code, count in sorted(self._counts.items())
            if count > FINDINGS_PER_CODE_MAX
        )
        return (*self._findings, *more)


def name_of(moved: Any) -> str:
    """A movement as sentences name it."""
    return ids.text(ids.ENTRY, moved["id"])


def code_of(configuration: Configuration, node: int) -> str:
    """An institution as sentences name it, also one that is not there."""
    found = configuration.institutions.get(node)
    return f"institution {node:x}" if found is None else found.code
