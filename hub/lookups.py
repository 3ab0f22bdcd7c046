"""Lookups: the questions that people ask of the hub, each answered from one reader's snapshot.

Each function answers what there is, by key, with one statement for all keys; whether the viewer may see it is for the
caller to ask (``Reader.sees``). Configuration is in memory and not asked for here.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, text

from hub import names, tables
from hub.configuration import Configuration
from hub.db import driver_of
from hub.defaults import Default
from hub.ledger import default_rows, profile_rows, quote_rows, rows, window_rows
from hub.ledger.apart import owed_by
from hub.ledger.arrays import array
from hub.ledger.book import UNPOSTED
from hub.ledger.commands import is_storable
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.payables import payables
from hub.ledger.records import (
    ACCEPTED,
    AccountKind,
    Basket,
    Conversion,
    ConversionStatus,
    Customer,
    Exposure,
    Movement,
    Net,
    NetExchange,
    NetView,
    Profile,
    Quote,
    Window,
    WindowStatus,
)
from hub.ledger.unpaid import still_due
from hub.model_lookups import exchanges_with, visible
from hub.models import DEFAULT_MODEL
from hub.obligation_lookups import in_pairs, obligations, of_pairs
from hub.reading import Reader
from hub.windows import parent_of

_account, _movement = tables.account, tables.movement
_window, _conversion = tables.settlement_window, tables.conversion


# --- customers --------------------------------------------------------------------------------------------------------


async def customer(reader: Reader, institution: int, reference: str) -> Customer | None:
    """The customer that an institution knows as ``reference``; or, for who sees the institution from within, whom the
    identifier ``reference`` names now."""
    if not is_storable(reference):
        return None
    table = tables.customer_reference
    found = await reader.connection.scalar(
        select(table.c.customer_id).where(
            table.c.journal_id == JOURNAL_ID, table.c.institution_id == institution, table.c.reference == reference
        )
    )
    if found is not None:
        return Customer(found, institution, reference)
    return await names.owner(reader, institution, reference) if reader.sees(institution) else None


async def memos(reader: Reader, of: Collection[int]) -> dict[int, str]:
    """What was noted with acts and steps, by their identifiers."""
    table = tables.memo
    found = await reader.connection.execute(
        select(table.c.movement_id, table.c.text).where(table.c.journal_id == JOURNAL_ID, table.c.movement_id.in_(of))
    )
    return {row.movement_id: row.text for row in found}


async def customers(reader: Reader, of: Collection[int]) -> dict[int, Customer]:
    """Customers by identifier."""
    return await rows.customers(reader.connection, of)


async def profiles(reader: Reader, of: Collection[int]) -> dict[int, Profile]:
    """What their institutions say of customers, by customer; of most nothing."""
    driver = driver_of(reader.connection)
    found = await driver.fetch(profile_rows.LATEST, array(of))
    return {row["customer_id"]: profile_rows.profile_of(row) for row in found}


async def circulation(reader: Reader, of: Collection[str]) -> dict[str, int]:
    """What customers hold of each currency, in its smallest units: the opposite of its issuance and breakage."""
    found = await reader.connection.execute(
        select(_account.c.currency, func.sum(_account.c.debits_posted - _account.c.credits_posted))
        .where(
            _account.c.journal_id == JOURNAL_ID,
            _account.c.owner_id.in_({one.issuer for one in reader.configuration.currencies.values() if one.code in of}),
            _account.c.kind.in_((AccountKind.ISSUANCE, AccountKind.BREAKAGE)),
            _account.c.currency.in_(of),
        )
        .group_by(_account.c.currency)
    )
    return {currency: int(units) for currency, units in found}


# --- acts and conversions ---------------------------------------------------------------------------------------------


async def movements(reader: Reader, of: Collection[int]) -> dict[int, Movement]:
    """Movements by identifier."""
    return await rows.movements(reader.connection, _movement.c.id.in_(of)) if of else {}


async def completions(reader: Reader, of: Collection[int]) -> dict[int, datetime]:
    """When acts over partners were done, by the movements that accepted them."""
    done = and_(_movement.c.subject_id.in_(of), _movement.c.kind.in_(ACCEPTED.values()))
    found = await rows.movements(reader.connection, done)
    return {one.subject: one.at for one in found.values() if one.subject is not None}


async def exchange_changed_in(reader: Reader, id: int) -> int | None:
    """The batch that last changed the exchange of an act."""
    table = tables.exchange.c
    return await reader.connection.scalar(
        select(table.changed_in).where(table.journal_id == JOURNAL_ID, table.id == id)
    )


async def quote(reader: Reader, id: int) -> Quote | None:
    """A quote."""
    return (await quote_rows.quotes(reader.connection, tables.quote.c.id == id)).get(id)


async def conversions(reader: Reader, of: Collection[int]) -> dict[int, Conversion]:
    """Conversions by identifier."""
    return await rows.conversions(reader.connection, _conversion.c.id.in_(of)) if of else {}


# One look into the index of each institution's conversions, at either end, however many others there are.
_PAGE_OF = f"""
SELECT DISTINCT page.id
FROM unnest(CAST(:homes AS bigint[])) AS home (id)
CROSS JOIN LATERAL (
    (SELECT id FROM conversion
     WHERE journal_id = {JOURNAL_ID} AND from_institution_id = home.id AND id < :before
       AND (CAST(:status AS text) IS NULL OR status = :status)
       AND (CAST(:other AS bigint) IS NULL OR from_institution_id = :other OR to_institution_id = :other)
     ORDER BY id DESC LIMIT :rows)
    UNION ALL
    (SELECT id FROM conversion
     WHERE journal_id = {JOURNAL_ID} AND to_institution_id = home.id AND id < :before
       AND (CAST(:status AS text) IS NULL OR status = :status)
       AND (CAST(:other AS bigint) IS NULL OR from_institution_id = :other OR to_institution_id = :other)
     ORDER BY id DESC LIMIT :rows)
) page
ORDER BY page.id DESC LIMIT :rows
"""
_BEFORE_MAX = 2**63 - 1


async def conversions_page(
    reader: Reader,
    homes: Collection[int] | None,
    institution: int | None,
    status: ConversionStatus | None,
    before: int | None,
    rows_max: int,
) -> list[Conversion]:
    """Conversions with an end at one of ``homes`` (None: any), newest first, from before ``before`` on; only those with
    an end at ``institution`` and of ``status`` if these are given."""
    if homes is None and institution is None:
        conditions: list[ColumnElement[bool]] = [] if before is None else [_conversion.c.id < before]
        if status is not None:
            conditions.append(_conversion.c.status == status.value)
        where = and_(literal(True), *conditions)
    else:
        found = await reader.connection.scalars(
            text(_PAGE_OF),
            {
                "homes": sorted(homes) if homes is not None else [institution],
                "other": institution if homes is not None else None,
                "status": None if status is None else status.value,
                "before": _BEFORE_MAX if before is None else before,
                "rows": rows_max,
            },
        )
        where = _conversion.c.id.in_(found.all())
    page = await rows.conversions(reader.connection, where, newest_first=True, most=rows_max)
    return list(page.values())


async def conversion_changed_in(reader: Reader, id: int) -> int | None:
    """The batch that last changed a conversion."""
    return await reader.connection.scalar(
        select(_conversion.c.changed_in).where(_conversion.c.journal_id == JOURNAL_ID, _conversion.c.id == id)
    )


# --- settlement -------------------------------------------------------------------------------------------------------


async def windows(reader: Reader, of: Collection[int]) -> dict[int, Window]:
    """Windows by identifier."""
    return await window_rows.windows(reader.connection, _window.c.id.in_(of)) if of else {}


async def window_seen(reader: Reader, id: int) -> Window | None:
    """The window with this identifier, if the viewer may see it."""
    return (await window_rows.windows(reader.connection, and_(_window.c.id == id, visible(reader)))).get(id)


async def open_window(reader: Reader, model: str = DEFAULT_MODEL) -> Window | None:
    """The open window of a model; None: there is no such model."""
    is_open = and_(_window.c.status == WindowStatus.OPEN.value, _window.c.model == model)
    return next(iter((await window_rows.windows(reader.connection, is_open)).values()), None)


_ORDINAL_MAX = 2**31 - 1  # a window's ordinal is an INTEGER; a cursor may hold any


async def windows_page(
    reader: Reader, status: WindowStatus | None, model: str | None, after: int | None, rows_max: int
) -> Sequence[Window]:
    """Windows that the viewer may see in the order in which they were opened, from after the ordinal ``after`` on; only
    those of ``status`` and of ``model`` if these are given."""
    conditions = [] if after is None else [_window.c.ordinal > min(max(after, 0), _ORDINAL_MAX)]
    if model is not None:
        conditions.append(_window.c.model == model)
    if status is not None:
        conditions.append(_window.c.status == status.value)
    found = await window_rows.windows(reader.connection, and_(visible(reader), *conditions), most=rows_max)
    return list(found.values())


async def windows_changed_in(reader: Reader) -> int:
    """The last batch that changed any window."""
    found = await reader.connection.scalar(
        select(func.max(_window.c.changed_in)).where(_window.c.journal_id == JOURNAL_ID)
    )
    return found or 0


async def windows_changed_after(reader: Reader, batch: int) -> Sequence[Window]:
    """The windows that later batches than ``batch`` changed and the viewer may see, as they were opened."""
    changed = and_(_window.c.changed_in > batch, visible(reader))
    return list((await window_rows.windows(reader.connection, changed)).values())


async def nets(reader: Reader, of: Collection[int]) -> dict[int, list[NetView]]:
    """The nets of windows. One that settles with the hub is confirmed when the bank has moved it and nothing is due
    of the others of its institution in the window, a zero one by itself; one that goes to a parent with what it becomes
    a part of."""
    if not of:
        return {}
    paid = {
        (one.window, one.institution, one.currency) for one in await window_rows.confirmations(reader.connection, of)
    }
    listed_of = await window_rows.nets(reader.connection, of)
    made = await window_rows.net_exchanges(reader.connection, listed_of)
    of_windows = await window_rows.windows(reader.connection, _window.c.id.in_(listed_of))
    of_them = tables.settlement_default.c.window_id.in_(of)
    defaults = (await default_rows.defaults(reader.connection, reader.configuration, of_them)).values()
    obliged = await obligations(
        reader, [one.id for one in of_windows.values() if in_pairs(reader.configuration, one.model)]
    )
    views = {
        id: _views(reader.configuration, of_windows[id], listed, made.get(id, ()), paid, defaults)
        for id, listed in listed_of.items()
    }
    return {id: of_pairs(listed, obliged[id]) if id in obliged else listed for id, listed in views.items()}


def _views(
    configuration: Configuration,
    window: Window,
    listed: Sequence[Net],
    made_of: Sequence[NetExchange],
    paid: Collection[tuple[int, int, str]],
    defaults: Collection[Default],
) -> list[NetView]:
    parents = dict[int, int | None]()
    below: dict[tuple[int | None, str], list[int]] = {}
    moved, waiting = set[tuple[int, str]](), set[int]()
    exchanged = {(one.institution, one.currency): one for one in made_of}
    every = payables(listed, made_of) if made_of else listed
    for net in every:
        through = parent_of(configuration, window, net.institution)
        parents[net.institution] = through
        below.setdefault((through, net.currency), [0, 0])[net.net > 0] += abs(net.net)
        if net.payable == 0 or (window.id, net.institution, net.currency) in paid:
            moved.add((net.institution, net.currency))
        elif window.together and still_due(defaults, net):
            waiting.add(net.institution)
    net_of_top = {(net.institution, net.currency): net.net or net.payable for net in every}
    made = []
    for net in every:
        top = net.institution
        while (above := parents.get(top)) is not None:
            top = above
        debits, credits = below.get((net.institution, net.currency), (0, 0))
        became = exchanged.get((top, net.currency))
        is_paid = (top, net.currency if became is None else became.into) in moved
        is_final = is_paid and (not net_of_top.get((top, net.currency)) or top not in waiting)
        due = 0 if is_paid or top != net.institution else still_due(defaults, net)
        of_net = exchanges_with(net, made_of)
        made.append(NetView(net, parents[net.institution], debits, credits, is_final, is_paid, due, of_net))
    return made


async def positions(reader: Reader, of: Collection[int]) -> dict[int, list[Exposure]]:
    """What the hub owes institutions and their subtrees in the open windows, and what the subtrees owe over all windows
    that are not settled, and in none (``Book.exposure``), by currency; also zeros where there is a cap, or was money
    before."""
    table = tables.position
    found = await reader.connection.execute(
        select(table, _window.c.status)
        .outerjoin(_window, and_(_window.c.journal_id == table.c.journal_id, _window.c.id == table.c.window_id))
        .where(
            table.c.journal_id == JOURNAL_ID,
            table.c.institution_id.in_(of),
            or_(table.c.window_id == UNPOSTED, _window.c.status != WindowStatus.SETTLED.value),
        )
    )
    caps = {key: cap for key, cap in reader.configuration.caps.items() if key[0] in of}
    moved = await reader.connection.execute(
        select(_account.c.owner_id, _account.c.currency).where(
            _account.c.journal_id == JOURNAL_ID, _account.c.owner_id.in_(of), _account.c.kind == AccountKind.POSITION
        )
    )
    sums: dict[tuple[int, str], tuple[int, int, int]] = {
        key: (0, 0, 0) for key, cap in caps.items() if cap.amount is not None
    }
    sums.update(((row.owner_id, row.currency), (0, 0, 0)) for row in moved)
    for row in found:
        key = (row.institution_id, row.currency)
        own, subtree, exposure = sums.get(key, (0, 0, 0))
        if row.status == WindowStatus.OPEN.value:
            own, subtree = own + row.credits - row.debits, subtree + row.subtree
        sums[key] = (own, subtree, exposure + owed_by(row.subtree - row.apart) + row.gross)
    by_institution: dict[int, list[Exposure]] = {}
    for (institution, currency), (own, subtree, exposure) in sorted(sums.items()):
        cap = caps.get((institution, currency))
        bounds = (None, None) if cap is None else (cap.amount, cap.proposal)
        by_institution.setdefault(institution, []).append(
            Exposure(institution, currency, own, subtree, exposure, *bounds)
        )
    return by_institution


async def basket(reader: Reader, id: int) -> Basket | None:
    """A basket that was paid with points."""
    return (await rows.baskets(reader.connection, tables.basket.c.id == id)).get(id)
