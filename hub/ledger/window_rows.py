"""Windows, nets, confirmations and positions in the database: read as records, and loaded into a batch's book."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.institutions import settlement_path
from hub.ledger.book import UNPOSTED, Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.payables import payables
from hub.ledger.records import (
    Confirmation,
    ConfirmationFile,
    InternalAccount,
    Net,
    NetExchange,
    Obligation,
    ObligationPayment,
    PairPosition,
    Position,
    Window,
    WindowStatus,
)

_WINDOWS = f"SELECT * FROM settlement_window WHERE journal_id = {JOURNAL_ID} AND status <> 'SETTLED' ORDER BY id"

_POSITIONS = f"""
SELECT window_id, institution_id, currency, debits, credits, subtree, apart, gross FROM position
WHERE journal_id = {JOURNAL_ID} AND window_id = ANY($1::bigint[])
  AND ($2::bigint[] IS NULL OR institution_id = ANY($2::bigint[]))
"""

# Of windows that are netted in pairs; only those between two of $2.
_PAIRS = f"""
SELECT window_id, first_id, second_id, currency, debits, credits FROM pair_position
WHERE journal_id = {JOURNAL_ID} AND window_id = ANY($1::bigint[])
  AND ($2::bigint[] IS NULL OR (first_id = ANY($2::bigint[]) AND second_id = ANY($2::bigint[])))
"""


def window_of(row: Mapping[Any, Any]) -> Window:
    """A window from its row."""
    return Window(
        id=row["id"],
        model=row["model"],
        number=row["number"],
        ordinal=row["ordinal"],
        status=WindowStatus(row["status"]),
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        settled_at=row["settled_at"],
        closed_in=row["closed_in"],
        due_at=row["due_at"],
        levels=row["levels"],
        together=row["together"],
    )


async def windows(
    connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None
) -> dict[int, Window]:
    """Windows that meet a condition on their table, in the order in which they were opened."""
    window = tables.settlement_window
    found = await connection.execute(
        select(window).where(window.c.journal_id == JOURNAL_ID).where(where).order_by(window.c.ordinal).limit(most)
    )
    return {row["id"]: window_of(row) for row in found.mappings()}


async def nets(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[Net]]:
    """The nets of windows, by window, ordered by currency and institution."""
    table = tables.window_net
    found = await connection.execute(
        select(table)
        .where(table.c.journal_id == JOURNAL_ID, table.c.window_id.in_(of))
        .order_by(table.c.window_id, table.c.currency, table.c.institution_id)
    )
    by_window: dict[int, list[Net]] = {}
    for row in found:
        net = Net(row.window_id, row.institution_id, row.currency, row.debits, row.credits, row.net)
        by_window.setdefault(row.window_id, []).append(net)
    return by_window


async def net_exchanges(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[NetExchange]]:
    """What nets of windows have become, by window, in the order in which they did."""
    table = tables.net_exchange
    found = await connection.execute(
        select(table).where(table.c.journal_id == JOURNAL_ID, table.c.window_id.in_(of)).order_by(table.c.movement_id)
    )
    by_window: dict[int, list[NetExchange]] = {}
    for row in found:
        one = NetExchange(
            movement=row.movement_id,
            window=row.window_id,
            institution=row.institution_id,
            currency=row.currency,
            net=row.net,
            rate=row.rate_id,
            into=row.into_currency,
            value=row.value,
        )
        by_window.setdefault(row.window_id, []).append(one)
    return by_window


async def payable_nets(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[Net]]:
    """The nets of windows as they are to be paid (``hub.ledger.payables``), by window."""
    found = await nets(connection, of)
    made = await net_exchanges(connection, found) if found else {}
    return {window: payables(listed, made[window]) if window in made else listed for window, listed in found.items()}


async def internal_accounts(connection: AsyncConnection) -> dict[tuple[int, int], InternalAccount]:
    """All internal accounts, by parent and institution."""
    table = tables.internal_account
    found = await connection.execute(select(table).where(table.c.journal_id == JOURNAL_ID))
    return {(r.parent_id, r.institution_id): InternalAccount(r.id, r.parent_id, r.institution_id) for r in found}


async def confirmations(connection: AsyncConnection, of: Collection[int]) -> list[Confirmation]:
    """What was confirmed of windows."""
    table = tables.confirmation
    found = await connection.execute(
        select(table).where(table.c.journal_id == JOURNAL_ID, table.c.window_id.in_(of)).order_by(table.c.movement_id)
    )
    return [
        Confirmation(r.window_id, r.institution_id, r.currency, r.movement_id, r.amount, r.value_date, r.reference)
        for r in found
    ]


async def obligations(connection: AsyncConnection, of: Collection[int]) -> dict[int, list[Obligation]]:
    """The obligations of windows, by window, ordered by currency, debtor and creditor."""
    table = tables.obligation
    found = await connection.execute(
        select(table)
        .where(table.c.journal_id == JOURNAL_ID, table.c.window_id.in_(of))
        .order_by(table.c.window_id, table.c.currency, table.c.debtor_id, table.c.creditor_id)
    )
    by_window: dict[int, list[Obligation]] = {}
    for row in found:
        owed = Obligation(row.id, row.window_id, row.debtor_id, row.creditor_id, row.currency, row.amount)
        by_window.setdefault(row.window_id, []).append(owed)
    return by_window


async def obligation_payments(connection: AsyncConnection, of: Collection[int]) -> list[ObligationPayment]:
    """What was paid of windows' obligations."""
    table, owed = tables.obligation_payment, tables.obligation
    found = await connection.execute(
        select(table)
        .join(owed, and_(owed.c.journal_id == table.c.journal_id, owed.c.id == table.c.obligation_id))
        .where(table.c.journal_id == JOURNAL_ID, owed.c.window_id.in_(of))
        .order_by(table.c.movement_id)
    )
    return [ObligationPayment(r.obligation_id, r.movement_id, r.value_date, r.reference) for r in found]


async def load(connection: AsyncConnection, driver: Any, book: Book, needs: Needs) -> None:
    """Every window that is not settled; with their nets and confirmations if some are asked for, and these too."""
    window = tables.settlement_window
    book.windows = {row["id"]: window_of(row) for row in await driver.fetch(_WINDOWS)}
    if not needs.windows:
        return
    others = needs.windows - book.windows.keys()
    if others:
        book.settled_windows = await windows(connection, window.c.id.in_(others))
    unsettled = needs.windows | book.windows.keys()
    book.nets = await payable_nets(connection, unsettled)
    book.confirmed = {(row.window, row.institution, row.currency) for row in await confirmations(connection, unsettled)}
    in_pairs = {one.id for one in (*book.windows.values(), *book.settled_windows.values()) if book.in_pairs(one)}
    if in_pairs:
        book.obligations = await obligations(connection, in_pairs)
        book.paid_obligations = {one.obligation for one in await obligation_payments(connection, in_pairs)}


async def load_files(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The files of confirmations that were taken before with the digests asked for."""
    file = tables.confirmation_file
    found = await connection.execute(
        select(file).where(file.c.journal_id == JOURNAL_ID, file.c.digest.in_(needs.files))
    )
    for row in found:
        book.confirmation_files[row.digest] = ConfirmationFile(
            id=row.id, credential=row.credential_id, digest=row.digest, payments=row.payments, last=row.last_id
        )


async def load_positions(driver: Any, book: Book, needs: Needs) -> None:
    """The positions of touched institutions and of all above them, in every window that is not settled; for a closing,
    all of them. What it posts on stands on the way up as well, whether it has a position or not: of all there the
    accounts are needed. So they are above whoever acts in a window that the batch opens: somebody there pays for it."""
    nodes = _on_paths(book, needs)
    if book.configuration.covers:
        needs.owners.update(nodes & {covered for covered, _ in book.configuration.covers})
    of = None if needs.closing else list(nodes)
    for row in await driver.fetch(_POSITIONS, [*book.windows, UNPOSTED], of):
        window_id, institution_id, currency, *sums = row
        book.positions[window_id, institution_id, currency] = Position(*sums)
    if in_pairs := [one.id for one in book.open_windows() if book.in_pairs(one)] if book.configuration.models else ():
        participants = _participants(book, in_pairs, needs)
        needs.owners.update(participants)  # what they have put up to pay with
        for row in await driver.fetch(_PAIRS, in_pairs, None if needs.closing else participants):
            *between, debits, credits = row
            book.pairs[tuple(between)] = PairPosition(debits, credits)
    if needs.opening:
        needs.owners.update(nodes)
    if needs.closing:
        for window, institution, _ in book.positions:
            if window != UNPOSTED:
                needs.owners.update(book.path(institution, window))
        needs.owners.update(made.id for made in book.internals.values())


def _on_paths(book: Book, needs: Needs) -> set[int]:
    """The touched institutions and all above them, as they stand for the money of any window that is not settled, or
    that the batch opens."""
    institutions = book.configuration.institutions
    ordinals = {window.ordinal for window in book.windows.values()}
    if needs.opening:
        ordinals.add(book.newest_window.ordinal + 1)
    nodes = set[int]()
    for ordinal in ordinals:
        for institution in needs.institutions & institutions.keys():
            nodes.update(settlement_path(institutions, institution, ordinal))
    for window_id in needs.windows:  # what is confirmed settles what stands below, too
        nodes.update(net.institution for net in book.nets.get(window_id, ()))
    for id in needs.defaults & book.defaults.keys():
        default = book.defaults[id]
        nodes.update(settlement_path(institutions, default.institution, book.ordinal(default.window)))
    for deal in book.deals.values():  # by the path on which its money became pending
        ordinal = book.ordinal(deal.window)
        for one in deal.payments:
            nodes.update(settlement_path(institutions, one.payer, ordinal))
    return nodes


def _participants(book: Book, windows: Sequence[int], needs: Needs) -> list[int]:
    """Who settles what the touched institutions come to owe one another in these windows."""
    known = needs.institutions & book.configuration.institutions.keys()
    return list({book.participant(one, window) for one in known for window in windows})
