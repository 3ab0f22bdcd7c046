"""The export to a general ledger: every leg of a day of the books as a line, with the accounts that it goes between.

CSV (RFC 4180, UTF-8): a header, a line for each leg in the order of posting, and at the end a line TOTAL with how many
lines and acts there were: a file without it was cut off. An act's lines have its number in common. Over a day the lines
of each account of the general ledger sum to its debits and credits in the trial balance.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from hub import ids
from hub.books.balances import DAY, OF_BANK, locks, trial_balance
from hub.books.terms import Books, LedgerAccount
from hub.configuration import Configuration
from hub.db import Database, driver_of
from hub.errors import NotMapped
from hub.expiry import start_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import OF_POINTS, AccountKind, MovementKind, Phase
from hub.money import format_millionths
from hub.points import render
from hub.reading import Reader
from hub.spreadsheets import harmless
from hub.statements import span

COLUMNS: Final = (
    *("business_date", "posted_at", "value_date", "act", "kind", "line"),
    *("debit_account", "debit_name", "debit_owner", "credit_account", "credit_name", "credit_owner"),
    *("currency", "amount", "window", "reference"),
)
PAGE_LINES: Final = 1_000

_LINES = f"""
SELECT l.movement_id, l.n, e.at, c.value_date, m.kind, l.amount, l.window_id, c.reference, d.currency,
    d.kind AS debit_kind, d.owner_id AS debit_owner, di.parent_id AS debit_parent, di.institution_id AS debit_child,
    a.kind AS credit_kind, a.owner_id AS credit_owner, ai.parent_id AS credit_parent, ai.institution_id AS credit_child
FROM leg l
JOIN journal_entry e ON e.journal_id = {JOURNAL_ID} AND e.batch = l.movement_id >> {ids.PLACES_BITS}
JOIN movement m ON m.journal_id = {JOURNAL_ID} AND m.id = l.movement_id
JOIN account d ON d.journal_id = {JOURNAL_ID} AND d.id = l.debit_account_id
JOIN account a ON a.journal_id = {JOURNAL_ID} AND a.id = l.credit_account_id
{OF_BANK}
LEFT JOIN internal_account di ON di.journal_id = {JOURNAL_ID} AND di.id = d.owner_id
LEFT JOIN internal_account ai ON ai.journal_id = {JOURNAL_ID} AND ai.id = a.owner_id
WHERE l.journal_id = {JOURNAL_ID} AND l.phase = {int(Phase.POSTED)} AND {DAY} = $4
    AND l.movement_id >= $5 AND (l.movement_id, l.n) > ($6::bigint, $7::smallint)
"""
_POSTED_ON = f"{_LINES} AND l.movement_id < $8 ORDER BY l.movement_id, l.n LIMIT {PAGE_LINES}"
# What was posted later and counts for the day: payments alone, of which there are few.
_POSTED_LATER = f"{_LINES} AND c.movement_id IS NOT NULL ORDER BY l.movement_id, l.n LIMIT {PAGE_LINES}"


async def check_mapped(reader: Reader, day: date) -> None:
    """Pass if every account that moved on the day has a place in the general ledger.

    Raises:
        NotMapped: with the kinds and currencies of those that have none.
    """
    books = reader.configuration.books
    lacking = [
        f"{line.kind.name} {line.currency}"
        for line in await trial_balance(reader, day)
        if (line.debits or line.credits) and books.account(line.kind.name, line.currency) is None
    ]
    if lacking:
        raise NotMapped(accounts=", ".join(lacking))


async def lines(database: Database, configuration: Configuration, day: date) -> AsyncIterator[bytes]:
    """The file of a day that is over, all of whose accounts have a place (``check_mapped``), piece by piece. Nothing is
    held between the pieces, however slowly they are taken."""
    books = configuration.books
    yield _written([COLUMNS])
    async with database.snapshot() as connection:
        begins, ends = (start_of(of, books.time_zone) for of in (day, day + timedelta(days=1)))
        period = await span(connection, begins, ends)
    count, acts = 0, 0
    for statement, first, more in ((_POSTED_ON, period.first, [period.end]), (_POSTED_LATER, period.end, [])):
        place = (0, -1)
        while True:
            async with database.snapshot() as connection:
                driver = driver_of(connection)
                asked = (books.time_zone, *locks(books), day, first, *place, *more)
                page = await driver.fetch(statement, *asked)
            for row in page:
                acts += row["movement_id"] != place[0]
                place = (row["movement_id"], row["n"])
            count += len(page)
            yield _written(_line(configuration, day, row) for row in page)
            if len(page) < PAGE_LINES:
                break
    yield _written([("TOTAL", "", "", acts, "", count)])


def _line(configuration: Configuration, day: date, row: Any) -> Sequence[object]:
    books, currency = configuration.books, row["currency"]
    of = configuration.currency(currency) if AccountKind(row["debit_kind"]) in OF_POINTS else None
    return (
        day.isoformat(),
        row["at"].isoformat(),
        row["value_date"] or "",
        ids.text(ids.ENTRY, row["movement_id"]),  # as reports and statements name it, and its legs
        MovementKind(row["kind"]).name,
        row["n"],
        *_side(configuration, books, row, "debit"),
        *_side(configuration, books, row, "credit"),
        currency,
        format_millionths(row["amount"], currency) if of is None else render(row["amount"], of.scale),
        "" if row["window_id"] is None else ids.text(ids.WINDOW, row["window_id"]),
        harmless(row["reference"] or ""),
    )


def _side(configuration: Configuration, books: Books, row: Any, side: str) -> tuple[str, str, str]:
    """An account's code and name in the general ledger, and whose it is: an institution's code, a customer's opaque
    identifier, or the codes of a parent and a child between whom it stands."""
    kind, owner = AccountKind(row[f"{side}_kind"]), row[f"{side}_owner"]
    account = books.account(kind.name, row["currency"]) or LedgerAccount(kind.name, None, "", "")
    institutions = configuration.institutions
    if row[f"{side}_child"] is not None:
        whose = ":".join(institutions[row[f"{side}_{which}"]].code for which in ("parent", "child"))
    elif owner in institutions:
        whose = institutions[owner].code
    else:
        whose = ids.text(ids.CUSTOMER, owner)
    return account.code, harmless(account.name), whose


def _written(rows: Iterable[Sequence[object]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
