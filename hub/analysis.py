"""Analysis: what came into circulation and went out of it over a period, divided by any dimensions.

Every posted leg between a currency's issuance or breakage and whoever holds its points is counted once, under the act
that it is of; a reversal is counted under the act that it takes back, with the opposite sign. So over every division
the figures have the same totals, and what came in less what went out is the change in circulation, from the beginning
the circulation itself. Points whose time is over count as held until a sweep or an act has expired them, as everywhere
in the ledger. Everything is in smallest units of the currency; different currencies are never added.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from hub import ids
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.db import driver_of
from hub.deferred import Points
from hub.errors import TooManyParts
from hub.institutions import ancestry
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import ACCEPTED, AccountKind, MovementKind, Phase
from hub.netting import round_parts
from hub.points import MONEY_SCALE, PRICE_SCALE, half_up
from hub.reading import Reader
from hub.statements import span
from hub.zones import counted_in

PARTS_MAX: Final = 100_000
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


class Dimension(StrEnum):
    """What figures are divided by. Institutions are those of the customers whose points they are; ``ACTING`` is the one
    that asked; ``VERSION`` the rate or terms that priced the act. Days, months and years are those of the programme's
    calendar."""

    INSTITUTION = "INSTITUTION"
    LEVEL = "LEVEL"
    ZONE = "ZONE"
    ACTING = "ACTING"
    MERCHANT = "MERCHANT"
    PRODUCT = "PRODUCT"
    CHANNEL = "CHANNEL"
    VERSION = "VERSION"
    DAY = "DAY"
    MONTH = "MONTH"
    YEAR = "YEAR"


Value = str | int | None  # an institution's identifier, how many levels there are above it, or a name; None: of none


@dataclass(frozen=True, slots=True)
class Flow:
    """One part of a division. ``adjusted``: what no act brought or took, as differences from a partner's books that
    were ended, or debts that were forgiven. ``liability``: the circulation at the unit value that is in force at the
    end of the period, in millionths."""

    currency: str
    key: tuple[Value, ...]
    issued: int
    converted_in: int
    redeemed: int
    converted_out: int
    expired: int
    adjusted: int
    liability: int

    @property
    def circulation(self) -> int:
        """The change in what customers hold."""
        return self.issued + self.converted_in - self.redeemed - self.converted_out - self.expired + self.adjusted


FIGURES: Final = ("issued", "converted_in", "redeemed", "converted_out", "expired", "adjusted")
_INSIDE = f"({int(AccountKind.ISSUANCE)}, {int(AccountKind.BREAKAGE)})"
_HOLDING = f"({int(AccountKind.CUSTOMER)}, {int(AccountKind.DEBT)})"
_REVERSE, _ACCEPT_REVERSE = int(MovementKind.REVERSE), int(MovementKind.ACCEPT_REVERSE)
_DELIVER = int(MovementKind.DELIVER)  # under what is done by it

# The legs of a currency that change its circulation, each with its act: ``act`` is what a movement follows from, as a
# reversal from what it takes back, and ``root`` what that follows from, for a reversal over partners. What is reversed
# and is known by another identifier than a movement's is a conversion.
_FACTS = f"""
SELECT a.currency, CASE WHEN l.debit_account_id = a.id THEN l.amount ELSE -l.amount END AS units,
    CASE
        WHEN m.kind = {_DELIVER} AND act.kind <> {_ACCEPT_REVERSE} THEN act.kind
        WHEN m.kind NOT IN ({_REVERSE}, {_DELIVER}) THEN m.kind
        WHEN act.kind = {_ACCEPT_REVERSE} THEN coalesce(root.kind, {int(MovementKind.CONVERT)})
        ELSE coalesce(act.kind, {int(MovementKind.CONVERT)})
    END AS kind,
    coalesce(
        CASE WHEN other.kind IN {_HOLDING} THEN other.owner_id END,
        CASE WHEN l.debit_account_id = a.id THEN m.to_customer_id ELSE m.from_customer_id END,
        m.from_customer_id, m.to_customer_id
    ) AS customer,
    m.for_institution_id AS acting, coalesce(m.merchant_id, act.merchant_id, root.merchant_id) AS merchant,
    coalesce(label.channel, of_act.channel, of_root.channel) AS channel,
    coalesce(label.product, of_act.product, of_root.product) AS product,
    m.id AS movement, m.subject_id AS subject, act.subject_id AS root,
    a.currency = CASE WHEN m.kind = {_DELIVER} AND act.kind = {_ACCEPT_REVERSE} THEN act.currency ELSE m.currency END
        AS is_target, e.at, e.at AT TIME ZONE asked.time_zone AS local
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS asked (currency, issuer, time_zone)
JOIN account a ON a.journal_id = {JOURNAL_ID} AND a.owner_id = asked.issuer AND a.currency = asked.currency
    AND a.kind IN {_INSIDE}
JOIN leg l ON l.journal_id = {JOURNAL_ID} AND l.window_id IS NULL AND l.phase = {int(Phase.POSTED)}
    AND l.movement_id >= $4 AND l.movement_id < $5 AND a.id IN (l.debit_account_id, l.credit_account_id)
JOIN account other ON other.journal_id = {JOURNAL_ID} AND other.kind NOT IN {_INSIDE}
    AND other.id = CASE WHEN l.debit_account_id = a.id THEN l.credit_account_id ELSE l.debit_account_id END
JOIN movement m ON m.journal_id = {JOURNAL_ID} AND m.id = l.movement_id
JOIN journal_entry e ON e.journal_id = {JOURNAL_ID} AND e.batch = l.movement_id >> {ids.PLACES_BITS}
LEFT JOIN movement act ON act.journal_id = {JOURNAL_ID} AND act.id = m.subject_id
LEFT JOIN movement root ON root.journal_id = {JOURNAL_ID} AND root.id = act.subject_id
LEFT JOIN act_label label ON label.journal_id = {JOURNAL_ID} AND label.act_id = m.id
LEFT JOIN act_label of_act ON of_act.journal_id = {JOURNAL_ID} AND of_act.act_id = m.subject_id
LEFT JOIN act_label of_root ON of_root.journal_id = {JOURNAL_ID} AND of_root.act_id = act.subject_id
"""
_HOME = "c.institution_id"
# Of a conversion its rate, of a reversal what priced the act that it takes back, which its own row says as well.
_VERSION = f"""coalesce(
        (SELECT t.terms_id FROM act_terms t WHERE t.journal_id = {JOURNAL_ID} AND t.movement_id = f.movement),
        (SELECT v.rate_id FROM conversion v WHERE v.journal_id = {JOURNAL_ID} AND v.id = f.subject),
        (SELECT v.rate_id FROM conversion v WHERE v.journal_id = {JOURNAL_ID} AND v.id = f.root)
    )"""
_COLUMNS: Final[dict[Dimension, tuple[str, ...]]] = {
    Dimension.INSTITUTION: (_HOME,),
    Dimension.LEVEL: (_HOME,),
    # Zones change at instants; how many of all these instants an act follows says which zones there were.
    Dimension.ZONE: (_HOME, "width_bucket(f.at, $6::timestamptz[])"),
    Dimension.ACTING: ("f.acting",),
    Dimension.MERCHANT: ("f.merchant",),
    Dimension.PRODUCT: ("f.product",),
    Dimension.CHANNEL: ("f.channel",),
    Dimension.VERSION: (_VERSION,),
    Dimension.DAY: ("to_char(f.local, 'YYYY-MM-DD')",),
    Dimension.MONTH: ("to_char(f.local, 'YYYY-MM')",),
    Dimension.YEAR: ("to_char(f.local, 'YYYY')",),
}
_FIGURE_OF: Final[dict[MovementKind, str]] = {
    MovementKind.ISSUE: "issued",
    MovementKind.REDEEM: "redeemed",
    MovementKind.CAPTURE: "redeemed",
    MovementKind.EXPIRE: "expired",
    MovementKind.CLEAR: "expired",
}
_OUT: Final = frozenset({"redeemed", "converted_out", "expired"})  # figures of what left circulation


async def flows(
    reader: Reader,
    currencies: Collection[PointCurrency],
    by: Sequence[Dimension],
    starts: datetime | None = None,
    until: datetime | None = None,
) -> list[Flow]:
    """What came into circulation of these currencies from ``starts`` on and before ``until``, and went out of it, in
    parts by all of ``by`` together, ordered by currency and part. Whoever asks sees the currencies' issuers.

    Zones are those at the act, institutions' levels those of now. A currency's liabilities are rounded to the millionth
    so that they sum to that of the whole, by the largest remainders.

    Raises:
        TooManyParts: the division has more parts than ``PARTS_MAX``.
    """
    configuration = reader.configuration
    period = await span(reader.connection, starts, until)
    changes = sorted({one.starts for node in configuration.institutions.values() for one in node.zone_versions})
    columns = tuple(dict.fromkeys(column for dimension in by for column in _COLUMNS[dimension]))
    asked = [configuration.valued(of, until or reader.at) for of in sorted(currencies, key=lambda of: of.code)]
    names = ([of.code for of in asked], [of.issuer for of in asked], [of.time_zone for of in asked])
    arguments = [*names, period.first, period.end, *([changes] if Dimension.ZONE in by else [])]
    driver = driver_of(reader.connection)
    found = await driver.fetch(_statement(columns), *arguments)
    if len(found) > PARTS_MAX:
        raise TooManyParts
    sums: defaultdict[tuple[str, tuple[Value, ...]], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIGURES, 0))
    for currency, kind, is_target, units, *values in found:
        raw = dict(zip(columns, values, strict=True))
        key = tuple(_value(configuration, dimension, raw, changes) for dimension in by)
        figure = _figure(MovementKind(kind), is_target=is_target)
        sums[currency, key][figure] += -int(units) if figure in _OUT else int(units)
    parts = sorted(sums.items(), key=lambda part: (part[0][0], tuple(_order(value) for value in part[0][1])))
    made = [Flow(currency, key, **figures, liability=0) for (currency, key), figures in parts]
    return [flow for of in asked for flow in _valued(of, [one for one in made if one.currency == of.code])]


async def points_so_far(reader: Reader, of: PointCurrency, until: datetime | None) -> Points:
    """What there has been of a currency before ``until``, as deferred revenue counts it."""
    found = await flows(reader, [of], [], until=until)
    if not found:
        return Points(0, 0, 0)
    [flow] = found
    issued = flow.issued + flow.converted_in + flow.adjusted
    return Points(issued, flow.redeemed + flow.converted_out, flow.expired)


@lru_cache(maxsize=256)
def _statement(columns: tuple[str, ...]) -> str:
    """The sums of the facts by these columns."""
    wanted = "".join(f", {column}" for column in columns)
    return f"""
    SELECT f.currency, f.kind, f.is_target, sum(f.units){wanted}
    FROM ({_FACTS}) f LEFT JOIN customer c ON c.journal_id = {JOURNAL_ID} AND c.id = f.customer
    GROUP BY f.currency, f.kind, f.is_target{wanted} LIMIT {PARTS_MAX + 1}
    """


def _figure(kind: MovementKind, *, is_target: bool) -> str:
    """Under which figure an act's points are counted; a conversion brings its target's and takes its source's."""
    done = ACCEPTED.get(kind, kind)
    if done is MovementKind.CONVERT:
        return "converted_in" if is_target else "converted_out"
    return _FIGURE_OF.get(done, "adjusted")


def _value(
    configuration: Configuration, dimension: Dimension, raw: Mapping[str, str | int | None], changes: Sequence[datetime]
) -> Value:
    """Which part of a dimension a row is of, by the columns that it was read with."""
    found = raw[_COLUMNS[dimension][0]]
    if dimension is Dimension.VERSION and isinstance(found, int):
        return configuration.terms[found].name if found in configuration.terms else ids.text(ids.RATE, found)
    if dimension not in (Dimension.LEVEL, Dimension.ZONE) or not isinstance(found, int):
        return found
    if dimension is Dimension.LEVEL:
        return len(list(ancestry(configuration.institutions, found))) - 1
    segment = raw[_COLUMNS[dimension][1]]
    at = changes[segment - 1] if isinstance(segment, int) and segment else _BEFORE_ALL
    return counted_in(configuration.institutions[found], at)


def _order(value: Value) -> tuple[bool, int, str]:
    """Parts of none first, then by number or name."""
    return value is not None, value if isinstance(value, int) else 0, value if isinstance(value, str) else ""


def _valued(of: PointCurrency, parts: Sequence[Flow]) -> list[Flow]:
    """The parts of one currency with their liabilities, which sum to that of the whole."""
    each = 10 ** (of.scale + PRICE_SCALE - MONEY_SCALE)  # what a millionth is in the exact parts' units
    exact = {f"{place:06d}": flow.circulation * of.unit_value for place, flow in enumerate(parts)}
    whole = sum(exact.values())
    nearest = half_up(whole, each) if whole >= 0 else -half_up(-whole, each)
    rounded = round_parts(exact, each, nearest * each)
    return [replace(flow, liability=rounded[place] // each) for place, flow in zip(exact, parts, strict=True)]
