"""A file of lines, gone through as often as a rendering needs: for reading quickly what was verified before.

Nothing is checked here, and no line is held. Whoever reads a file that might be anybody's verifies it first.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.money import format_millionths, parse_millionths
from settlement.renderings.paper import Amount, Cell, Code, Row, Table, Unrenderable, Word
from settlement.renderings.words import ACTS, PURPOSES

COLUMNS: Final = (
    *("number", "at", "movement", "leg", "kind", "purpose", "from", "to", "currency", "amount"),
    *("points_given", "points_given_of", "points", "points_of", "reverses", "terms", "price"),
    *("plan", "fee_of_act", "kept", "invoice", "dispute", "corrects", "corrects_leg"),
)
_NUMBERS: Final = frozenset(
    {"number", "leg", "amount", "points_given", "points", "price", "fee_of_act", "kept", "corrects_leg"}
)
_CHUNK_BYTES: Final = 1 << 20
_ACTS: Final[dict[str, Cell]] = {kind: Word(key) for kind, key in ACTS.items()}
_PURPOSES: Final[dict[str, Cell]] = {purpose: Word(purpose) for purpose in PURPOSES}
_NONE: Final[tuple[Cell, ...]] = (None, None, None)


class _Points(msgspec.Struct):
    currency: str
    amount: str


class _Share(msgspec.Struct):
    plan: str
    fee: str
    kept: str


class _Corrects(msgspec.Struct):
    dispute: str
    movement: str
    leg: int


class Spelled(msgspec.Struct):
    """A line as it is spelled."""

    amount: str
    at: datetime
    currency: str
    payer: str = msgspec.field(name="from")
    kind: str
    leg: int
    movement: str
    purpose: str
    payee: str = msgspec.field(name="to")
    reverses: str | None = None
    points: list[_Points] = []
    terms: str | None = None
    price: str | None = None
    share: _Share | None = None
    invoice: str | None = None
    corrects: _Corrects | None = None


_decode = msgspec.json.Decoder(Spelled).decode


class LineFile:
    """The lines in the file at ``path``, numbered as in the report; ``count`` is how many there are. With ``between``
    only those that one of these two institutions owes the other."""

    def __init__(self, path: Path, count: int, between: tuple[str, str] | None = None) -> None:
        self.path = path
        self.count = count
        self._between = None if between is None else frozenset(between)

    def spelled(self) -> Iterator[Spelled]:
        """Every line, in its order."""
        return (line for _, line in self._numbered())

    def _numbered(self) -> Iterator[tuple[int, Spelled]]:
        every = enumerate(self._all(), start=1)
        if self._between is None:
            return every
        return ((number, line) for number, line in every if {line.payer, line.payee} == self._between)

    def _all(self) -> Iterator[Spelled]:
        with self.path.open("rb") as file:
            while chunk := file.readlines(_CHUNK_BYTES):
                yield from map(_decode, chunk)

    def __iter__(self) -> Iterator[Row]:
        for number, line in self._numbered():
            yield _row(number, line)

    def table(self) -> Table:
        """All of them."""
        return Table(
            title=Word("lines"),
            columns=COLUMNS,
            rows=self,
            count=self.count,
            numbers=_NUMBERS,
            wide=frozenset({"from", "to"}),
        )

    def totals(self, of: str | None) -> Table:
        """What they come to in each currency; with ``of`` what this institution owes and is owed by them."""
        sums: dict[str, list[int]] = {}
        for line in self.spelled():
            amount = parse_millionths(line.amount)
            found = sums.setdefault(line.currency, [0, 0, 0])
            found[0] += 1
            if of is None or line.payer == of:
                found[1] += amount
            if of is None or line.payee == of:
                found[2] += amount
        rows: tuple[Row, ...] = tuple(
            (currency, count, *(Amount(format_millionths(side, currency), currency) for side in sides))
            for currency, (count, *sides) in sorted(sums.items())
        )
        columns = ("currency", "count", "debit", "credit")
        return Table(Word("line_totals"), columns, rows, len(rows), numbers=frozenset(columns[1:]))


def _row(number: int, line: Spelled) -> Row:
    return (
        number,
        line.at,
        Code(line.movement),
        line.leg,
        _ACTS.get(line.kind, line.kind),
        _PURPOSES.get(line.purpose, line.purpose),
        line.payer,
        line.payee,
        line.currency,
        Amount(line.amount, line.currency),
        *_sides(line.points),
        None if line.reverses is None else Code(line.reverses),
        None if line.terms is None else Code(line.terms),
        None if line.price is None else Amount(line.price, line.currency),
        *(_NONE if line.share is None else _shared(line.share, line.currency)),
        line.invoice,
        *(_NONE if line.corrects is None else _corrected(line.corrects)),
    )


def _shared(share: _Share, currency: str) -> tuple[Cell, ...]:
    return Code(share.plan), Amount(share.fee, currency), Amount(share.kept, currency)


def _corrected(of: _Corrects) -> tuple[Cell, ...]:
    return Code(of.dispute), Code(of.movement), of.leg


def _sides(points: Sequence[Any]) -> tuple[Cell, ...]:
    """What was given, and what was credited; an act with one amount has moved it."""
    if not points:
        return None, None, None, None
    if len(points) > 2:
        raise Unrenderable("a line has more than two amounts of points")
    last = points[-1]
    moved = Amount(last.amount, last.currency), last.currency
    if len(points) == 1:
        return None, None, *moved
    first = points[0]
    return Amount(first.amount, first.currency), first.currency, *moved
