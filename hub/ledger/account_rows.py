"""Accounts in the database, loaded into a batch's book with the marks of their owners."""

from collections.abc import Iterable
from typing import Any

from hub.ledger.arrays import array
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Account

_ACCOUNT = """
SELECT id, kind, owner_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, aged, marks
FROM account
"""
# With the marks of customers as such, as rows of the kind 0.
_BY_OWNER = f"""
{_ACCOUNT} WHERE journal_id = {JOURNAL_ID} AND owner_id = ANY($1::text::bigint[])
UNION ALL
SELECT 0, 0, customer_id, '', 0, 0, 0, 0, 0, marks FROM customer_mark
WHERE journal_id = {JOURNAL_ID} AND customer_id = ANY($1::text::bigint[])
"""
_BY_ID = f"{_ACCOUNT} WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::text::bigint[])"


async def load(driver: Any, book: Book, accounts: Iterable[int]) -> None:
    """Accounts by their identifiers."""
    take(book, await driver.fetch(_BY_ID, array(accounts)))


async def load_of(driver: Any, book: Book, owners: Iterable[int]) -> None:
    """All accounts of institutions and customers, by their identifiers."""
    take(book, await driver.fetch(_BY_OWNER, array(owners)))


def take(book: Book, found: Iterable[Any]) -> None:
    """Accounts as they are read: the columns of ``Account`` in its order."""
    accounts = book.accounts
    for row in found:
        key = (row[1], row[2], row[3])
        if not key[0]:
            book.customer_marks[key[1]] = row[9]
        elif key not in accounts:
            accounts[key] = Account(*row)
