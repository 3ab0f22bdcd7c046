"""A paper: what a rendering for people says, before any language, layout or file format.

Facts and tables of cells; words stand as keys (``settlement.renderings.words``), so that the same paper in another
language differs in labels only. Amounts are the exact decimal texts of what was signed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Word(NamedTuple):
    """A label, by its key."""

    key: str


class Code(NamedTuple):
    """An identifier or a digest."""

    text: str


class Amount(NamedTuple):
    """An exact decimal text, and what it counts: a currency or points."""

    text: str
    unit: str


Cell = Word | Code | Amount | datetime | int | str | None
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table. ``rows`` can be gone through more than once; ``count`` is how many there are. ``numbers`` are the
    columns with figures; ``wide`` those that need room."""

    title: Word
    columns: tuple[str, ...]
    rows: Iterable[Row]
    count: int
    numbers: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    totals: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """``table`` is what stands in a file that has room for one table only. ``seal`` is the digest of what was signed;
    None: nothing was. ``mark`` says, wherever a part of it may be read by itself, what the paper must not be taken for.
    ``dated`` is the instant that the file is of."""

    title: Word
    of: str
    facts: tuple[tuple[str, Cell], ...]
    tables: tuple[Table, ...]
    table: Table
    dated: datetime
    seal: str | None = None
    mark: Word | None = None


class Unrenderable(ValueError):
    """The report does not fit into such a file."""

    code = "UNRENDERABLE"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail
