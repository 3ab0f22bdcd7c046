"""The money legs of a closed window's acts, read back as the lines of its reports.

Legs, movements and conversions never change, and a code is never another's, so the same window gives the same lines for
ever. Pages follow the ledger's order by key: nothing is held between two of them, and each is found without its
predecessors. Legs that close or settle are no lines.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.configuration import Configuration
from hub.db import driver_of
from hub.institutions import pays_through
from hub.ledger import invoice_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Purpose, Window
from hub.points import PRICE_SCALE, normalise, render
from settlement.lines import FeeShare, Line, PointAmount, encode
from settlement.merkle import Root
from settlement.netting import Tally

PAGE_LINES: Final = 500  # few enough that spelling a page keeps nobody else waiting

_PREFIXES: Mapping[int, str] = {
    MovementKind.ISSUE: ids.ISSUE,
    MovementKind.TRANSFER: ids.TRANSFER,
    MovementKind.REDEEM: ids.REDEMPTION,
    MovementKind.CONVERT: ids.CONVERSION,
    MovementKind.ACCEPT: ids.CONVERSION,
    MovementKind.ACCEPT_ISSUE: ids.ISSUE,
    MovementKind.ACCEPT_TRANSFER: ids.TRANSFER,
    MovementKind.ACCEPT_REDEEM: ids.REDEMPTION,
}

_OF_INVOICES: Final = frozenset({MovementKind.BILL, MovementKind.CREDIT})  # they move no points

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

# Of the acts of a page whose fees a plan split: what each leg is by, and what falls to who bears the fee.
_SHARES = f"""
SELECT movement_id, n, plan_id, amount FROM fee_share
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[])
"""

# A planner that misjudges a window reads all of it for each page.
_BY_KEY = select(*(func.set_config(f"enable_{way}", "off", True) for way in ("seqscan", "bitmapscan", "sort")))

Place = tuple[int, int]  # a movement's number and a leg's


class Sums:
    """What one pass over the lines gives: exact sums, and the root of all lines and of each institution's."""

    __slots__ = ("roots", "tally", "whole")

    def __init__(self) -> None:
        self.tally = Tally()
        self.whole = Root()
        self.roots: defaultdict[str, Root] = defaultdict(Root)


@dataclass(frozen=True)
class Legs:
    """The money legs of one closed window. ``accounts``: the institution and the money of each position account."""

    window: Window
    configuration: Configuration
    accounts: Mapping[int, tuple[int, str]]

    @classmethod
    async def of(cls, connection: AsyncConnection, configuration: Configuration, window: Window) -> "Legs":
        """The legs of ``window``, which is closed; ``configuration`` is not older than its closing."""
        account = tables.account
        found = await connection.execute(
            select(account.c.id, account.c.owner_id, account.c.currency).where(
                account.c.journal_id == JOURNAL_ID,
                account.c.owner_id.in_(configuration.institutions),
                account.c.kind == AccountKind.POSITION,
            )
        )
        return cls(window, configuration, {row.id: (row.owner_id, row.currency) for row in found})

    @property
    def start(self) -> Place:
        """The place before the first line."""
        return self.window.id, -1

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """To whom institutions' nets of the window go, by codes; who is missing settles with the hub."""
        nodes = self.configuration.institutions
        if not self.window.levels:
            return {}
        found = ((node.code, pays_through(nodes, node.id, self.window.ordinal)) for node in nodes.values())
        return {code: nodes[parent].code for code, parent in found if parent is not None}

    @cached_property
    def _end(self) -> int:
        if self.window.closed_in is None:
            raise ValueError("The window is open.")
        return ids.first_of(self.window.closed_in + 1)

    async def page(self, connection: AsyncConnection, after: Place, of: int | None = None) -> list[Line]:
        """The next lines after a place, none when there are no more; with ``of`` only those that this institution pays
        or is paid. What the connection's transaction reads after this, it reads by key where it can."""
        own = None if of is None else [account for account, (owner, _) in self.accounts.items() if owner == of]
        await connection.execute(_BY_KEY)
        driver = await driver_of(connection)
        found = await driver.fetch(_PAGE, self.window.id, *after, self._end, own)
        priced: dict[int, int] = {}
        if found and self.configuration.terms:
            first, last = found[0]["movement_id"], found[-1]["movement_id"]
            priced = {row["movement_id"]: row["terms_id"] for row in await driver.fetch(_PRICED, first, last)}
        fees = [row["movement_id"] for row in found if row["purpose"] == Purpose.FEE]
        shares, invoices = dict[Place, FeeShare](), dict[int, str]()
        if fees and self.configuration.share_plans:
            shares = _by_leg(await driver.fetch(_SHARES, fees))
        if billed := [row["movement_id"] for row in found if row["kind"] in _OF_INVOICES]:
            made = await invoice_rows.invoices(connection, tables.invoice.c.id.in_(billed))
            invoices = {id: one.reference for id, one in made.items()}
        lines = []
        for row in found:
            movement = row["movement_id"]
            share = shares.get((movement, row["n"]))
            lines.append(self._line(row, priced.get(movement), share, invoices.get(movement)))
        return lines

    async def sum(self, connection: AsyncConnection) -> Sums:
        """The sums and roots of all lines; memory by the number of institutions."""
        sums = Sums()
        after = self.start
        while page := await self.page(connection, after):
            for line in page:
                raw = encode(line)
                sums.tally.add(line.payer, line.payee, line.currency, line.amount_millionths)
                sums.whole.add(raw)
                sums.roots[line.payer].add(raw)
                sums.roots[line.payee].add(raw)
            after = page[-1].order
        return sums

    def _line(self, row: Any, priced: int | None, share: FeeShare | None, invoice: str | None) -> Line:
        movement, n, purpose, debit, credit, amount, at, kind, currency, points, subject, rate, source, original = row
        institutions = self.configuration.institutions
        (payer, money), (payee, _) = self.accounts[debit], self.accounts[credit]
        reverses: str | None = None
        terms = None if priced is None else self.configuration.terms[priced]
        price: str | None = None
        sides: tuple[PointAmount, ...] = ()
        if kind in _OF_INVOICES:
            reverses = None if kind == MovementKind.BILL else ids.text(ids.INVOICE, subject)
        else:
            credited = self._points(currency, points)
            sides = (credited,)
        if kind == MovementKind.REVERSE:
            reverses = ids.text(ids.CONVERSION if original is None else _PREFIXES[original], subject)
        elif rate is not None:
            given = self.configuration.currencies[self.configuration.rates[rate].source].code
            sides = (self._points(given, source), credited)
        elif terms is not None and purpose == Purpose.SETTLEMENT:
            price = normalise(render(terms.price, PRICE_SCALE))
        return Line(
            window=self.window.number,
            movement=ids.text(ids.ENTRY, movement),
            leg=n,
            kind=MovementKind(kind).name.lower(),
            at=at,
            currency=money,
            amount_millionths=amount,
            payer=institutions[payer].code,
            payee=institutions[payee].code,
            purpose=Purpose(purpose).name.lower(),
            points=sides,
            reverses=reverses,
            terms=None if terms is None else terms.name,
            price=price,
            share=share,
            invoice=invoice,
        )

    def _points(self, code: str, units: int) -> PointAmount:
        of = self.configuration.currency(code)
        if of is None:
            raise LookupError(f"There is no point currency {code}.")
        return PointAmount(code, render(units, of.scale))


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
