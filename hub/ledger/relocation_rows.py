"""Relocation rows: relocations and opening balances as the database keeps them, and what a batch needs of them."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.configuration import Configuration
from hub.ledger import rows
from hub.ledger.arrays import array
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.opening import OpeningBalance, OpeningLot, Relocation, RelocationStatus
from hub.ledger.orders import UNDER_WAY
from hub.ledger.records import Account, AccountKind, ClearingStatus, Customer, HoldKind, HoldStatus, Mark

_UNDER_WAY = ", ".join(f"'{state}'" for state in sorted(UNDER_WAY))
_CUSTOMER = int(AccountKind.CUSTOMER)
_LOTS = msgspec.json.Decoder(tuple[OpeningLot, ...])


def _held(kind: HoldKind) -> str:
    return (
        f"(SELECT count(*) FROM hold WHERE journal_id = {JOURNAL_ID} AND currency = $1"
        f" AND status = '{HoldStatus.HELD}' AND kind = {int(kind)})"
    )


# What of a currency is under way at $3; $2 are the rates out of it and into it.
WAITS = f"""
SELECT {_held(HoldKind.HOLD)} AS holds, {_held(HoldKind.FREEZE)} AS freezes,
  (SELECT count(*) FROM quote WHERE journal_id = {JOURNAL_ID} AND rate_id = ANY($2::bigint[])
      AND expires_at > $3 AND used_by IS NULL AND NOT cancelled) AS quotes,
  (SELECT count(*) FROM exchange x LEFT JOIN movement m ON m.journal_id = x.journal_id AND m.id = x.id
      WHERE x.journal_id = {JOURNAL_ID} AND x.state IN ({_UNDER_WAY}) AND (
      m.currency = $1
      OR EXISTS (SELECT FROM conversion c WHERE c.journal_id = x.journal_id AND c.id IN (x.id, m.subject_id)
          AND c.rate_id = ANY($2::bigint[]))
      OR EXISTS (SELECT FROM partner_order o WHERE o.journal_id = x.journal_id AND o.exchange_id = x.id
          AND o.currency = $1))) AS exchanges,
  (SELECT count(*) FROM account WHERE journal_id = {JOURNAL_ID} AND currency = $1 AND kind = {int(AccountKind.DEBT)}
      AND debits_posted <> credits_posted) AS debts,
  (SELECT count(*) FROM account a JOIN pool p ON p.journal_id = a.journal_id AND p.id = a.owner_id
      WHERE a.journal_id = {JOURNAL_ID} AND a.currency = $1 AND a.kind = {_CUSTOMER}
          AND a.credits_posted > a.debits_posted) AS pools,
  (SELECT count(*) FROM account WHERE journal_id = {JOURNAL_ID} AND currency = $1 AND kind = {_CUSTOMER}
      AND credits_posted > debits_posted
      AND marks & {int(Mark.FROZEN | Mark.CUSTOMER_FROZEN)} <> 0) AS "frozenAccounts",
  (SELECT count(*) FROM lot l JOIN account a ON a.journal_id = l.journal_id AND a.id = l.account_id
      WHERE l.journal_id = {JOURNAL_ID} AND l.expires_at <= $3 AND a.currency = $1
          AND NOT $4::boolean) AS "endedLots",
  (SELECT count(*) FROM clearing WHERE journal_id = {JOURNAL_ID} AND currency = $1
      AND status = '{ClearingStatus.RUNNING}') AS clearings
"""

_TOTALS = f"""
SELECT count(*), coalesce(sum(credits_posted - debits_posted), 0)::bigint FROM account
WHERE journal_id = {JOURNAL_ID} AND currency = $1 AND kind = {_CUSTOMER} AND credits_posted > debits_posted
"""

_OPENING = f"""
SELECT id, relocation_id, round, customer_id, ours, theirs, lots FROM opening_balance
WHERE journal_id = {JOURNAL_ID} AND relocation_id = $1 AND round = $2 AND customer_id > $3 AND customer_id <= $4
ORDER BY customer_id
"""

_ACCOUNTS = f"""
SELECT id, kind, owner_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, aged, marks
FROM account
WHERE journal_id = {JOURNAL_ID} AND kind = {_CUSTOMER} AND currency = $1 AND owner_id = ANY($2::text::bigint[])
"""

_CUSTOMERS = f"""
SELECT c.id, c.institution_id, r.reference, m.marks,
       EXISTS (SELECT FROM pool p WHERE p.journal_id = c.journal_id AND p.id = c.id) AS pooled
FROM customer c
LEFT JOIN customer_reference r ON r.journal_id = c.journal_id AND r.customer_id = c.id
LEFT JOIN customer_mark m ON m.journal_id = c.journal_id AND m.customer_id = c.id
WHERE c.journal_id = {JOURNAL_ID} AND c.id = ANY($1::text::bigint[])
"""


async def relocations(
    connection: AsyncConnection, where: ColumnElement[bool], *, newest_first: bool = False, most: int | None = None
) -> dict[int, Relocation]:
    """Relocations that meet a condition on their table, in order."""
    identifier = tables.relocation.c.id
    order = identifier.desc() if newest_first else identifier
    statement = rows.with_time(tables.relocation).where(where).order_by(order).limit(most)
    return {
        row["id"]: Relocation(
            id=row["id"],
            at=row["at"],
            credential=row["credential_id"],
            for_institution=row["for_institution_id"],
            currency=row["currency"],
            leaves=row["leaves"],
            adapter=row["adapter"],
            connection=row["connection"],
            starts_at=row["starts_at"],
            reason=row["reason"],
            status=RelocationStatus(row["status"]),
            approved_by=row["approved_by"],
            round=row["round"],
            reached=row["reached"],
            customers=row["customers"],
            ours=row["ours"],
            theirs=row["theirs"],
            differing=row["differing"],
            more=row["more"],
            less=row["less"],
            digest=row["digest"],
            accepted_by=row["accepted_by"],
            accepted=row["accepted"],
            moved=row["moved"],
            ended_at=row["ended_at"],
        )
        for row in (await connection.execute(statement)).mappings()
    }


def opening_of(row: Any) -> OpeningBalance:
    """An opening balance from its row."""
    return OpeningBalance(
        id=row["id"],
        relocation=row["relocation_id"],
        round=row["round"],
        customer=row["customer_id"],
        ours=row["ours"],
        theirs=row["theirs"],
        lots=() if row["lots"] is None else _LOTS.decode(row["lots"]),
    )


def rates_of(configuration: Configuration, currency: int) -> list[int]:
    """The rates out of a currency and into it."""
    return [one.id for one in configuration.rates.values() if currency in (one.source, one.target)]


async def load(connection: AsyncConnection, driver: Any, book: Book, needs: Needs) -> set[int]:
    """The relocations that a batch goes on with; what is under way, for those that are to be fixed or completed; and
    the customers, balances and accounts of those whose balances are recorded, or moved. Answers the pools among these
    customers."""
    pooled: set[int] = set()
    book.relocations = await relocations(connection, tables.relocation.c.id.in_(needs.relocations))
    for run in book.relocations.values():
        needs.issuer(run.currency)
        of = book.configuration.currency(run.currency)
        if run.id in needs.waiting and of is not None:
            is_fixed = of.relocation is not None and of.relocation.fixed
            arguments = (of.code, rates_of(book.configuration, of.id), book.at, is_fixed)
            book.waits[of.code] = dict((await driver.fetchrow(WAITS, *arguments)).items())
        customers = set(needs.holders.get(run.id, ()))
        if run.id in needs.relocating:
            found = await driver.fetch(_OPENING, run.id, run.round, *needs.relocating[run.id])
            book.opening.update({row["customer_id"]: opening_of(row) for row in found})
            customers.update(row["customer_id"] for row in found)
        if run.id in needs.holders:
            count, total = await driver.fetchrow(_TOTALS, run.currency)
            book.opening_totals[run.currency] = count, total
        if customers:
            pooled |= await _people(driver, book, needs, run, customers)
    return pooled


async def _people(driver: Any, book: Book, needs: Needs, run: Relocation, customers: set[int]) -> set[int]:
    pooled: set[int] = set()
    for id, home, reference, marks, is_pool in await driver.fetch(_CUSTOMERS, array(customers)):
        book.holders[id] = Customer(id, home, reference)
        if marks:
            book.customer_marks[id] = marks
        if is_pool:
            pooled.add(id)
    for row in await driver.fetch(_ACCOUNTS, run.currency, array(customers)):
        account = Account(*row)
        book.accounts.setdefault((account.kind, account.owner, account.currency), account)
        if run.id in needs.relocating and not run.comes_home:
            needs.accounts.add(account.id)
            needs.emptied.add(account.id)
    return pooled
