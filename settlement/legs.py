"""The money legs of a window's acts up to a batch, read back as the lines of its reports.

Legs, movements and conversions never change, and a code is never another's, so the same window gives the same lines for
ever. Pages follow the ledger's order by key: nothing is held between two of them, and each is found without its
predecessors. Legs that close or settle are no lines.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, BinaryIO, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.configuration import Configuration
from hub.db import Database, driver_of
from hub.institutions import pays_through
from hub.ledger import invoice_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Purpose, Window
from hub.models import IN_PAIRS, ModelKind, kind_of
from hub.points import PRICE_SCALE, normalise, render
from settlement.lines import Corrects, FeeShare, Line, PointAmount, encode
from settlement.merkle import Root, leaf
from settlement.netting import Tally
from settlement.pairs import Pairs, PairTally

PAGE_LINES: Final = 2_048  # few enough that receiving a page keeps nobody else waiting; and a whole tree of leaves

_PREFIXES: Mapping[int, str] = {
    MovementKind.ISSUE: ids.ISSUE,
    MovementKind.TRANSFER: ids.TRANSFER,
    MovementKind.REDEEM: ids.REDEMPTION,
    MovementKind.CONVERT: ids.CONVERSION,
    MovementKind.HOLD: ids.HOLD,  # the capture of one is named by it
    MovementKind.ACCEPT: ids.CONVERSION,
    MovementKind.ACCEPT_ISSUE: ids.ISSUE,
    MovementKind.ACCEPT_TRANSFER: ids.TRANSFER,
    MovementKind.ACCEPT_REDEEM: ids.REDEMPTION,
}

_CORRECT: Final = int(MovementKind.CORRECT)
_REVERSE: Final = int(MovementKind.REVERSE)
_OF_INVOICES: Final = frozenset({MovementKind.BILL, MovementKind.CREDIT})  # they move no points
_KINDS: Final[Mapping[int, str]] = {kind.value: kind.name.lower() for kind in MovementKind}
_PURPOSES: Final[Mapping[int, str]] = {purpose.value: purpose.name.lower() for purpose in Purpose}

# LATERAL with LIMIT: one look into a key's index for each leg of the page, whatever the planner believes of the sizes.
_PAGE = f"""
SELECT l.movement_id, l.n, l.purpose, l.debit_account_id, l.credit_account_id, l.amount, e.at, m.kind, m.currency,
       m.amount AS points, coalesce(a.subject_id, m.subject_id) AS subject_id, c.rate_id, c.source, o.kind AS original
FROM (
    SELECT * FROM leg
    WHERE journal_id = {JOURNAL_ID} AND movement_id >= $2 AND (movement_id, n) > ($2, $3::smallint) AND movement_id < $4
      AND window_id = $1 AND purpose IN ({int(Purpose.SETTLEMENT)}, {int(Purpose.FEE)})
      AND ($5::bigint[] IS NULL OR debit_account_id = ANY($5) OR credit_account_id = ANY($5))
    ORDER BY movement_id, n LIMIT {PAGE_LINES}
) l
CROSS JOIN LATERAL (
    SELECT at FROM journal_entry WHERE journal_id = {JOURNAL_ID} AND batch = l.movement_id >> {ids.PLACES_BITS} LIMIT 1
) e
CROSS JOIN LATERAL (SELECT * FROM movement WHERE journal_id = {JOURNAL_ID} AND id = l.movement_id LIMIT 1) m
LEFT JOIN LATERAL (
    SELECT rate_id, source FROM conversion WHERE journal_id = {JOURNAL_ID} AND id = m.subject_id LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT subject_id FROM movement
    WHERE journal_id = {JOURNAL_ID} AND id = m.subject_id AND kind = {int(MovementKind.ACCEPT_REVERSE)} LIMIT 1
) a ON true
LEFT JOIN LATERAL (
    SELECT kind FROM movement
    WHERE journal_id = {JOURNAL_ID} AND id = coalesce(a.subject_id, m.subject_id)
      AND m.kind = {int(MovementKind.REVERSE)} LIMIT 1
) o ON true
ORDER BY l.movement_id, l.n
"""

_PRICED = f"""
SELECT movement_id, terms_id FROM act_terms
WHERE journal_id = {JOURNAL_ID} AND movement_id BETWEEN $1 AND $2 ORDER BY movement_id
"""
# What prepaid blocks paid for, or got back.
_DRAWN = f"""
SELECT movement_id, abs(sum(units))::bigint AS units FROM prepaid_draw
WHERE journal_id = {JOURNAL_ID} AND movement_id BETWEEN $1 AND $2 GROUP BY movement_id
"""
_DISPUTED = f"SELECT id, movement_id, n FROM dispute WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[])"

# Of the acts of a page whose fees a plan split: what each leg is by, and what falls to who bears the fee.
_SHARES = f"""
SELECT movement_id, n, plan_id, amount FROM fee_share
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[])
"""

# What everybody owes everybody, without a look at any act.
_OWED = f"""
SELECT debit_account_id, credit_account_id, count(*) AS lines, sum(amount)::bigint AS amount FROM leg
WHERE journal_id = {JOURNAL_ID} AND movement_id >= $2 AND movement_id < $3
  AND window_id = $1 AND purpose IN ({int(Purpose.SETTLEMENT)}, {int(Purpose.FEE)})
  AND ($4::bigint[] IS NULL OR debit_account_id = ANY($4) OR credit_account_id = ANY($4))
GROUP BY debit_account_id, credit_account_id
"""

# A planner that misjudges a window reads all of it for each page.
_BY_KEY = select(*(func.set_config(f"enable_{way}", "off", True) for way in ("seqscan", "bitmapscan", "sort")))

Place = tuple[int, int]  # a movement's number and a leg's


class Sums:
    """What one pass over the lines gives: exact sums, and the root of all lines and of each institution's."""

    __slots__ = ("pairs", "roots", "tally", "whole")

    def __init__(self, pairs: PairTally | None = None) -> None:
        self.tally = Tally()
        self.pairs = pairs  # of a window that was netted in pairs
        self.whole = Root()
        self.roots: defaultdict[str, Root] = defaultdict(Root)

    def add(self, lines: Sequence[Line], keep: BinaryIO | None = None) -> None:
        """Count the next lines; with ``keep`` also write them there, each with its line break."""
        raws = [encode(line) for line in lines]
        leaves = [leaf(raw) for raw in raws]
        of: defaultdict[str, list[bytes]] = defaultdict(list)
        owed: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        for line, node in zip(lines, leaves, strict=True):
            owed[line.payer, line.payee, line.currency] += line.amount_millionths
            of[line.payer].append(node)
            of[line.payee].append(node)
        for obligation, amount in owed.items():
            self.tally.add(*obligation, amount)
            if self.pairs is not None:
                self.pairs.add(*obligation, amount)
        self.whole.extend(leaves)
        for code, nodes in of.items():
            self.roots[code].extend(nodes)
        if keep is not None:
            keep.write(b"\n".join((*raws, b"")))


@dataclass(frozen=True, slots=True)
class Owed:
    """What one institution owes another by so many lines, in one currency; millionths."""

    payer: int
    payee: int
    currency: str
    lines: int
    amount_millionths: int


@dataclass(frozen=True)
class Legs:
    """The money legs of one window up to the batch ``until``. ``accounts``: the institution and the money of each
    position account."""

    window: Window
    configuration: Configuration
    accounts: Mapping[int, tuple[int, str]]
    until: int

    @classmethod
    async def of(
        cls, connection: AsyncConnection, configuration: Configuration, window: Window, until: int | None = None
    ) -> "Legs":
        """The legs of ``window``, which is closed unless it is said up to which batch; ``configuration`` is not older
        than that.

        Raises:
            ValueError: the window is open, and no batch is given.
        """
        until = window.closed_in if until is None else until
        if until is None:
            raise ValueError("The window is open.")
        account = tables.account
        found = await connection.execute(
            select(account.c.id, account.c.owner_id, account.c.currency).where(
                account.c.journal_id == JOURNAL_ID,
                account.c.owner_id.in_(configuration.institutions),
                account.c.kind == AccountKind.POSITION,
            )
        )
        return cls(window, configuration, {row.id: (row.owner_id, row.currency) for row in found}, until)

    @property
    def start(self) -> Place:
        """The place before the first line."""
        return self.window.id, -1

    @cached_property
    def _scales(self) -> Mapping[str, int]:
        """The decimals of each point currency."""
        return {one.code: one.scale for one in self.configuration.currencies.values()}

    @cached_property
    def _parties(self) -> Mapping[int, tuple[str, str]]:
        """The institution's code and the money of each position account."""
        institutions = self.configuration.institutions
        return {account: (institutions[owner].code, money) for account, (owner, money) in self.accounts.items()}

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """To whom institutions' nets of the window go, by codes; who is missing settles with the hub."""
        nodes = self.configuration.institutions
        if not self.window.levels:
            return {}
        found = ((node.code, pays_through(nodes, node.id, self.window.ordinal)) for node in nodes.values())
        return {code: nodes[parent].code for code, parent in found if parent is not None}

    @property
    def kind(self) -> ModelKind:
        """How the window is settled."""
        return kind_of(self.configuration.model_versions.values(), self.window.model)

    @property
    def in_pairs(self) -> bool:
        """Whether its reports say what each two of its participants come to with one another."""
        return self.kind in IN_PAIRS

    @property
    def is_gross(self) -> bool:
        """Whether each act was paid at once."""
        return self.kind is ModelKind.IMMEDIATE_GROSS

    @cached_property
    def _end(self) -> int:
        return ids.first_of(self.until + 1)

    def _own(self, of: int | None) -> list[int] | None:
        return None if of is None else [account for account, (owner, _) in self.accounts.items() if owner == of]

    async def owed(self, connection: AsyncConnection, of: int | None = None) -> list[Owed]:
        """What all lines come to between each two institutions, each way; with ``of`` only what this one owes and is
        owed. Summed by the database."""
        driver = driver_of(connection)
        found = await driver.fetch(_OWED, self.window.id, self.start[0], self._end, self._own(of))
        sums: dict[tuple[int, int, str], list[int]] = {}
        for row in found:
            (payer, currency), (payee, _) = (
                self.accounts[row["debit_account_id"]],
                self.accounts[row["credit_account_id"]],
            )
            of_pair = sums.setdefault((payer, payee, currency), [0, 0])
            of_pair[0] += row["lines"]
            of_pair[1] += row["amount"]
        return [Owed(*pair, *sums[pair]) for pair in sorted(sums)]

    async def tally(self, connection: AsyncConnection) -> tuple[Tally, Pairs | None]:
        """The exact sums of all lines, and if the window is netted in pairs what these come to."""
        tally, institutions = Tally(), self.configuration.institutions
        pairs = PairTally(self.parents, is_gross=self.is_gross) if self.in_pairs else None
        for one in await self.owed(connection):
            who = (institutions[one.payer].code, institutions[one.payee].code, one.currency)
            tally.add(*who, one.amount_millionths)
            if pairs is not None:
                pairs.add(*who, one.amount_millionths)
        return tally, None if pairs is None else pairs.made()

    async def page(self, connection: AsyncConnection, after: Place, of: int | None = None) -> list[Line]:
        """The next lines after a place, none when there are no more; with ``of`` only those that this institution pays
        or is paid. What the connection's transaction reads after this, it reads by key where it can."""
        own = self._own(of)
        await connection.execute(_BY_KEY)
        driver = driver_of(connection)
        found = await driver.fetch(_PAGE, self.window.id, *after, self._end, own)
        kinds = {row["kind"] for row in found}
        priced: dict[int, int] = {}
        drawn: dict[int, int] = {}
        if found and self.configuration.terms:
            first, last = found[0]["movement_id"], found[-1]["movement_id"]
            priced = {row["movement_id"]: row["terms_id"] for row in await driver.fetch(_PRICED, first, last)}
            drawn = {row["movement_id"]: row["units"] for row in await driver.fetch(_DRAWN, first, last)}
        shares, invoices, disputed = dict[Place, FeeShare](), dict[int, str](), dict[int, Any]()
        if self.configuration.share_plans:
            fees = [row["movement_id"] for row in found if row["purpose"] == Purpose.FEE]
            shares = _by_leg(await driver.fetch(_SHARES, fees))
        if kinds & _OF_INVOICES:
            billed = [row["movement_id"] for row in found if row["kind"] in _OF_INVOICES]
            made = await invoice_rows.invoices(connection, tables.invoice.c.id.in_(billed))
            invoices = {id: one.reference for id, one in made.items()}
        if _CORRECT in kinds:
            disputes = [row["subject_id"] for row in found if row["kind"] == _CORRECT]
            disputed = {row["id"]: row for row in await driver.fetch(_DISPUTED, disputes)}

        def lines() -> list[Line]:
            if not (priced or shares or invoices or disputed or drawn):  # as nearly all pages of a large window
                return [self._line(row) for row in found]
            made = []
            for row in found:
                movement, of = row["movement_id"], disputed.get(row["subject_id"])
                share = shares.get((movement, row["n"]))
                line = self._line(row, priced.get(movement), share, invoices.get(movement), of, drawn.get(movement, 0))
                made.append(line)
            return made

        return await asyncio.to_thread(lines)  # off the event loop, which others wait for

    async def sum(self, connection: AsyncConnection, keep: BinaryIO | None = None, of: int | None = None) -> Sums:
        """The sums and roots of all lines, which are also written to ``keep``; with ``of`` of those that this
        institution pays or is paid. Memory by the number of institutions.

        The next page is read while one is hashed, both off the event loop.
        """
        sums = Sums(PairTally(self.parents, is_gross=self.is_gross) if self.in_pairs else None)
        page = await self.page(connection, self.start, of)
        while page:
            page, _ = await asyncio.gather(
                self.page(connection, page[-1].order, of), asyncio.to_thread(sums.add, page, keep)
            )
        return sums

    def _line(
        self,
        row: Any,
        priced: int | None = None,
        share: FeeShare | None = None,
        invoice: str | None = None,
        disputed: Any = None,
        drawn: int = 0,
    ) -> Line:
        """A leg as a line. ``priced``: the terms of its act; ``disputed``: of a correction, the line that it gives
        back; ``drawn``: what of its points was prepaid, and so is in no line."""
        movement, n, purpose, debit, credit, amount, at, kind, currency, points, subject, rate, source, original = row
        (payer, money), (payee, _) = self._parties[debit], self._parties[credit]
        reverses: str | None = None
        terms = None if priced is None else self.configuration.terms[priced]
        price: str | None = None
        corrects: Corrects | None = None
        sides: tuple[PointAmount, ...] = ()
        if kind in _OF_INVOICES:
            reverses = None if kind == MovementKind.BILL else ids.text(ids.INVOICE, subject)
        elif kind != _CORRECT:
            sides = (self._points(currency, points - drawn),)
        if kind == _CORRECT:
            if disputed is None:
                raise LookupError(f"There is no dispute {ids.text(ids.DISPUTE, subject)}.")
            line = ids.text(ids.ENTRY, disputed["movement_id"])
            corrects = Corrects(ids.text(ids.DISPUTE, subject), line, disputed["n"])
        elif kind == _REVERSE:
            reverses = ids.text(ids.CONVERSION if original is None else _PREFIXES[original], subject)
        elif rate is not None:
            given = self.configuration.currencies[self.configuration.rates[rate].source].code
            sides = (self._points(given, source), *sides)
        elif terms is not None and purpose == Purpose.SETTLEMENT:
            price = normalise(render(terms.price, PRICE_SCALE))
        return Line(
            window=self.window.number,
            movement=ids.text(ids.ENTRY, movement),
            leg=n,
            kind=_KINDS[kind],
            at=at,
            currency=money,
            amount_millionths=amount,
            payer=payer,
            payee=payee,
            purpose=_PURPOSES[purpose],
            points=sides,
            reverses=reverses,
            terms=None if terms is None else terms.name,
            price=price,
            share=share,
            invoice=invoice,
            corrects=corrects,
        )

    def _points(self, code: str, units: int) -> PointAmount:
        return _point_amount(code, units, self._scales[code])


async def pages(database: Database, legs: Legs, of: int | None) -> AsyncIterator[bytes]:
    """The lines, each with its line break, in the order of the ledger; with ``of`` those that this institution pays or
    is paid. Nothing is held between pages, neither memory nor a connection, however slowly the lines are taken."""
    after = legs.start
    while True:
        async with database.snapshot() as connection:
            page = await legs.page(connection, after, of)
        if not page:
            return
        yield await asyncio.to_thread(_spelled, page)
        after = page[-1].order


def _spelled(lines: Sequence[Line]) -> bytes:
    return b"".join(encode(line) + b"\n" for line in lines)


@lru_cache(maxsize=4_096)  # acts are of round amounts
def _point_amount(code: str, units: int, scale: int) -> PointAmount:
    return PointAmount(code, render(units, scale))


def _by_leg(rows: Sequence[Any]) -> dict[Place, FeeShare]:
    """What each leg of shared fees says, by its place."""
    fees: dict[int, list[int]] = {}  # by movement: all of it, and what is kept
    for row in rows:
        sums = fees.setdefault(row["movement_id"], [0, 0])
        sums[0] += row["amount"]
        sums[1] += row["amount"] if row["n"] is None else 0
    return {
        (row["movement_id"], row["n"]): FeeShare(ids.text(ids.SHARE_PLAN, row["plan_id"]), *fees[row["movement_id"]])
        for row in rows
        if row["n"] is not None
    }
