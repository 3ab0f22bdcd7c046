"""Cuts of a settlement window: what was owed and is owed, by the tree and by economic zones.

Every money leg of an act is counted once in each cut: as a debit where it is owed, as a credit where it is owed to. So
over the whole hub the debits of a cut sum to its credits, and both cuts of the same institutions have the same totals.
By the tree an institution stands where its money of that window did; by zones where it was at the instant of each act.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hub import ids, tables
from hub.configuration import Configuration
from hub.db import driver_of
from hub.institutions import settlement_path
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, Phase, Purpose, Window
from hub.reading import Reader
from hub.zones import changes_between, counted_in

_MONEY = f"""
l.window_id = $1 AND l.phase = {int(Phase.POSTED)} AND l.purpose IN ({int(Purpose.SETTLEMENT)}, {int(Purpose.FEE)})
"""
# What an institution's acts come to between the instants at which its zone changes: how many of these an act follows.
_SPLIT = f"""
SELECT of.segment, of.currency, sum(of.debit)::bigint AS debit, sum(of.credit)::bigint AS credit
FROM (
    SELECT a.currency,
        (SELECT count(*) FROM unnest($3::timestamptz[]) AS change (at) WHERE change.at <= e.at) AS segment,
        CASE WHEN a.id = l.debit_account_id THEN l.amount ELSE 0 END AS debit,
        CASE WHEN a.id = l.credit_account_id THEN l.amount ELSE 0 END AS credit
    FROM account a
    JOIN leg l ON l.journal_id = a.journal_id AND l.movement_id >= $1
        AND a.id IN (l.debit_account_id, l.credit_account_id)
    JOIN journal_entry e ON e.journal_id = l.journal_id AND e.batch = l.movement_id >> {ids.PLACES_BITS}
    WHERE a.journal_id = {JOURNAL_ID} AND a.owner_id = $2 AND a.kind = {int(AccountKind.POSITION)} AND {_MONEY}
) of
GROUP BY of.segment, of.currency
"""


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a cut in one currency, in millionths: of an institution, or of a zone (None of both: of no zone)."""

    institution: int | None
    zone: str | None
    currency: str
    debit: int
    credit: int


async def by_tree(reader: Reader, window: Window, top: int) -> list[Share]:
    """What an institution's own acts come to, and those of each of its children with all below them, by identifier."""
    sums: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for institution, currency, debit, credit in await _figures(reader, window, top):
        path = settlement_path(reader.configuration.institutions, institution, window.ordinal)
        place = top if institution == top else path[path.index(top) - 1]
        sums[place, currency][0] += debit
        sums[place, currency][1] += credit
    return [Share(place, None, currency, *sides) for (place, currency), sides in sorted(sums.items())]


async def by_zone(reader: Reader, window: Window, top: int) -> list[Share]:
    """What the acts of an institution and of all below it come to, by the zones in which these were at each act; what
    is in no zone stands first."""
    institutions = reader.configuration.institutions
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    named: dict[str, str | None] = {}
    until = window.closed_at or reader.at
    for institution, currency, debit, credit in await _figures(reader, window, top):
        of = institutions[institution]
        changes = changes_between(of, window.opened_at, until)
        parts = [(0, currency, debit, credit)]
        if changes:
            parts = [part for part in await _split(reader, window, institution, changes) if part[1] == currency]
        for segment, _, owes, is_owed in parts:
            at = changes[segment - 1] if segment else window.opened_at
            zone = counted_in(of, at)
            named[zone or ""] = zone
            sums[zone or "", currency][0] += owes
            sums[zone or "", currency][1] += is_owed
    return [Share(None, named[zone], currency, *sides) for (zone, currency), sides in sorted(sums.items())]


async def _figures(reader: Reader, window: Window, top: int) -> list[tuple[int, str, int, int]]:
    """The debits and credits of each institution that stands below ``top`` for the window's money, or is it."""
    table = tables.position
    found = await reader.connection.execute(
        select(table.c.institution_id, table.c.currency, table.c.debits, table.c.credits)
        .where(
            table.c.journal_id == JOURNAL_ID,
            table.c.window_id == window.id,
            (table.c.debits > 0) | (table.c.credits > 0),
        )
        .order_by(table.c.institution_id, table.c.currency)
    )
    below = _below(reader.configuration, window, top)
    return [(of, currency, debits, credits) for of, currency, debits, credits in found if of in below]


def _below(configuration: Configuration, window: Window, top: int) -> Collection[int]:
    nodes = configuration.institutions
    return {node for node in nodes if top in settlement_path(nodes, node, window.ordinal)}


async def _split(
    reader: Reader, window: Window, institution: int, changes: list[datetime]
) -> list[tuple[int, str, int, int]]:
    driver = driver_of(reader.connection)
    return [tuple(row) for row in await driver.fetch(_SPLIT, window.id, institution, changes)]
