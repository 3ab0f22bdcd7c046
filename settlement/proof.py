"""The proof of a line: one line of a report, its number, and the way from it to the root that the report signs.

Whoever has it, the report and the public keys can be shown one act without being shown the others. It is canonical JSON
of texts, and not signed: nothing in it is believed that does not lead to the signed root.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

import rfc8785

from settlement.lines import parse_count
from settlement.merkle import Path

TYPE: Final = "points-hub/line-proof"
VERSION: Final = "1"
PROOF_BYTES_MAX: Final = 65_536

_MEMBERS: Final = frozenset({"line", "number", "path", "report", "type", "version"})
_HASH = re.compile(r"[0-9a-f]{64}")


class MalformedProof(ValueError):
    """The document is no proof of a line."""

    code = "PROOF"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail


class NoSuchLine(ValueError):
    """The report has no line of this number."""

    code = "NO_SUCH_LINE"

    def __init__(self, number: int, count: int) -> None:
        super().__init__(f"{self.__doc__} ({number} of {count})")


@dataclass(frozen=True, slots=True)
class LineProof:
    """``line`` is line ``number``, from 1, of the report with the digest ``report``; ``path`` from it upward."""

    report: str
    number: int
    line: bytes
    path: tuple[bytes, ...]


class Prover:
    """Makes the proof of one line while all lines of its report pass by.

    Raises:
        NoSuchLine: the number is not from 1 to ``count``.
    """

    __slots__ = ("_added", "_line", "_number", "_path", "_report")

    def __init__(self, report: str, number: int, count: int) -> None:
        if not 1 <= number <= count:
            raise NoSuchLine(number, count)
        self._report, self._number = report, number
        self._path = Path(number - 1, count)
        self._added = 0
        self._line = b""

    def add(self, line: bytes) -> None:
        """The next line, without its line break."""
        self._added += 1
        if self._added == self._number:
            self._line = line
        self._path.add(line)

    def proof(self) -> LineProof:
        """The proof, after the last line.

        Raises:
            ValueError: there were more or fewer lines than the report has.
        """
        path = tuple(bytes.fromhex(one) for one in self._path.hexdigests())
        return LineProof(self._report, self._number, self._line, path)


def prove(lines: Iterable[bytes], report: str, number: int, count: int) -> LineProof:
    """The proof of line ``number`` of the report with the digest ``report`` and these lines, each with or without its
    line break.

    Raises:
        NoSuchLine, ValueError: as ``Prover``.
    """
    prover = Prover(report, number, count)
    for raw in lines:
        prover.add(raw[:-1] if raw.endswith(b"\n") else raw)
    return prover.proof()


def encode(proof: LineProof) -> bytes:
    """The proof's one spelling, UTF-8, without a line break."""
    document = {
        "type": TYPE,
        "version": VERSION,
        "report": proof.report,
        "number": str(proof.number),
        "line": proof.line.decode(),
        "path": [one.hex() for one in proof.path],
    }
    return rfc8785.dumps(document)


def parse(raw: bytes) -> LineProof:
    """The proof that ``raw`` spells, with or without a line break at its end. What it says is not checked.

    Raises:
        MalformedProof: it is too long, no canonical JSON, or a member is missing, unknown or malformed.
    """
    content = raw[:-1] if raw.endswith(b"\n") else raw
    if len(content) > PROOF_BYTES_MAX:
        raise MalformedProof(f"{len(content)} bytes")
    try:
        document = json.loads(content.decode(), parse_float=_refuse, parse_constant=_refuse)
        is_canonical = rfc8785.dumps(document) == content
    except (ValueError, RecursionError):
        raise MalformedProof("no canonical JSON") from None
    if not is_canonical:
        raise MalformedProof("no canonical JSON")
    if not isinstance(document, dict) or document.keys() != _MEMBERS:
        raise MalformedProof("other members than a proof has")
    path = document.pop("path")
    if not isinstance(path, list) or not all(isinstance(one, str) and _HASH.fullmatch(one) for one in path):
        raise MalformedProof("path is no list of SHA-256 in hex digits")
    if not all(isinstance(value, str) for value in document.values()):
        raise MalformedProof("a member is no text")
    if (document["type"], document["version"]) != (TYPE, VERSION):
        raise MalformedProof("another type or version")
    if not _HASH.fullmatch(document["report"]):
        raise MalformedProof("report is no SHA-256 in hex digits")
    try:
        number = parse_count(document["number"])
    except ValueError as error:
        raise MalformedProof(f"number {error}") from None
    if number == 0:
        raise MalformedProof("lines are numbered from 1")
    return LineProof(document["report"], number, document["line"].encode(), tuple(map(bytes.fromhex, path)))


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)
