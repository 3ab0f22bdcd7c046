"""Load: the book of a batch, read under the journal's lock, one statement per kind of row, however many commands."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.institutions import settlement_path
from hub.ledger import (
    account_rows,
    bank_rows,
    break_rows,
    commands,
    cover_rows,
    default_rows,
    dispute_rows,
    exchange_rows,
    invoice_rows,
    limit_rows,
    lot_rows,
    original_rows,
    people,
    pool_rows,
    prepaid_rows,
    profile_rows,
    quote_rows,
    relocation_rows,
    rows,
    window_rows,
)
from hub.ledger.arrays import array
from hub.ledger.book import Book
from hub.ledger.cancellations import ISSUES_MAX
from hub.ledger.decide import Outcome, Outcomes, recalled
from hub.ledger.journal import JOURNAL_ID, Head
from hub.ledger.memory import PartyKey
from hub.ledger.needs import Needs
from hub.ledger.records import (
    Account,
    Customer,
    Mark,
    Movement,
)
from hub.shares import third_parties

# LATERAL with LIMIT: one look into the key's index for each row wanted, whatever the planner thinks of the sizes.
_OUTCOMES = f"""
SELECT o.institution_id, o.key, o.request, o.refusal, o.details, o.subject_id
FROM unnest($1::text::bigint[], $2::text::text[]) AS wanted (institution_id, key)
CROSS JOIN LATERAL (
    SELECT * FROM outcome
    WHERE journal_id = {JOURNAL_ID} AND institution_id = wanted.institution_id AND key = wanted.key LIMIT 1
) o
"""

# Customers with, if they have one, their account of the currency named beside them, and their marks; an account's mark
# says if they are a pool, so that it is asked for those without one alone.
_PARTIES = f"""
SELECT wanted.institution_id, wanted.reference, r.customer_id, a.id, a.kind, a.owner_id, a.currency,
       a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, a.aged, a.marks, m.marks,
       CASE WHEN a.id IS NULL
            THEN EXISTS (SELECT FROM pool p WHERE p.journal_id = {JOURNAL_ID} AND p.id = r.customer_id) END AS pooled
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS wanted (institution_id, reference, currency)
CROSS JOIN LATERAL (
    SELECT customer_id FROM customer_reference
    WHERE journal_id = {JOURNAL_ID} AND institution_id = wanted.institution_id AND reference = wanted.reference LIMIT 1
) r
LEFT JOIN LATERAL (
    SELECT * FROM account
    WHERE journal_id = {JOURNAL_ID} AND owner_id = r.customer_id AND currency = wanted.currency AND kind = 1 LIMIT 1
) a ON true
LEFT JOIN customer_mark m ON m.journal_id = {JOURNAL_ID} AND m.customer_id = r.customer_id
"""


async def load(
    connection: AsyncConnection,
    driver: Any,
    head: Head,
    batch: Sequence[commands.Command],
    needs: Needs,
) -> tuple[Book, Outcomes]:
    """The book that the next batch's commands need, and what is known under their keys.

    ``connection`` holds the journal's lock; ``driver`` is its asyncpg connection, used for the hot statements.
    ``needs`` are those of the ``batch``, by the configuration that is current.
    """
    configuration = needs.configuration
    book = Book(head.batch + 1, head.at, configuration)
    if needs.cover_references or needs.cover_entries:
        await cover_rows.load(connection, book, needs)
    if needs.defaults or needs.windows or needs.default_currencies:
        await default_rows.load(connection, book, needs)
    if needs.windowed:
        await window_rows.load(connection, driver, book, needs)
    if needs.files:
        await window_rows.load_files(connection, book, needs)
    if needs.bank_files:
        await bank_rows.load(connection, book, needs)
    pooled = await _parties(driver, book, needs)
    needs.owners.update(book.customers[name].id for name in needs.owners_named if name in book.customers)
    if needs.whole:
        await _restrictions(connection, book, needs)
    if needs.records:
        await _records(driver, book, needs)
    if needs.quotes or needs.quotes_of_rates:
        await quote_rows.load(connection, book, needs)
    if needs.breaks or needs.reconciled:
        await break_rows.load(connection, book, needs)
    if needs.disputes or needs.reported:
        await dispute_rows.load(connection, book, needs)
    accepted: dict[int, Movement] = {}
    if needs.exchanges or needs.originals:
        accepted = await exchange_rows.load(connection, book, needs)
    if needs.originals:
        await original_rows.load(connection, driver, book, needs)
    if needs.blocks or needs.stocks or any(one.draws for one in book.originals.values()):
        await prepaid_rows.load(connection, book, needs)
    if book.exchanges:
        await exchange_rows.load_deals(connection, book, needs, accepted)
    if needs.accounts:
        await account_rows.load(driver, book, needs.accounts)
    if needs.clearings:
        book.clearings = await rows.clearings(connection, tables.clearing.c.id.in_(needs.clearings))
        for clearing in book.clearings.values():
            needs.issuer(clearing.currency)
    if needs.relocations:
        pooled |= await relocation_rows.load(connection, driver, book, needs)
    await lot_rows.holds(connection, book, needs)
    if needs.linked_named or needs.linked or needs.links:
        await people.load_links(connection, book, needs)
    await profile_rows.profiles(driver, book, needs)
    needs.owners.update(book.customers[one].id for one in needs.parting if one in book.customers)
    if needs.spenders or needs.people:
        await quote_rows.load_offers(connection, book, needs)
    if needs.billing:
        await invoice_rows.load(connection, book, needs)
    if needs.money:
        needs.institutions.add(configuration.operator.id)  # it takes the fees, and keeps rounding and the bank
        if configuration.share_plans or needs.sharing:
            needs.institutions.update(_may_share(book, batch, needs))
        if needs.closing:
            book.internals = await window_rows.internal_accounts(connection)
        await window_rows.load_positions(driver, book, needs)
    needs.owners.update(one.owner for one in book.accounts.values() if one.marks and one.marks & Mark.DEBT)
    if owners := needs.institutions | needs.owners:
        await account_rows.load_of(driver, book, owners)
    await pool_rows.pools(connection, driver, book, needs, pooled)
    needs.accounts.update(limit_rows.filled(book, batch))
    if more := await lot_rows.lots(connection, driver, book, needs):
        await account_rows.load_of(driver, book, more)
    await limit_rows.load(driver, book, batch)
    known = await _known(connection, driver, needs) if needs.keys else {}
    return book, known


def _may_share(book: Book, batch: Sequence[commands.Command], needs: Needs) -> set[int]:
    """Whom a fee of the batch may go to: third parties, and all above whoever may act, also as they stand for the
    money of the next window, which the batch may open."""
    configuration = book.configuration
    nodes, credentials = configuration.institutions, configuration.credentials
    acting = {one.institution for one in book.customers.values()} | needs.institutions
    acting |= {credentials[one.actor].institution for one in batch if one.actor in credentials}
    acting |= {offer.source.institution for offer in book.quotes.values()}
    acting |= {held.customer.institution for held in book.holds.values()}
    ordinal = max((window.ordinal for window in book.windows.values()), default=0)
    found = third_parties(configuration.share_plans.values())
    for one in acting & nodes.keys():
        found.update(settlement_path(nodes, one, ordinal), settlement_path(nodes, one, ordinal + 1))
    return found


async def _known(connection: AsyncConnection, driver: Any, needs: Needs) -> Outcomes:
    """What stands under the batch's keys, with the records that it answers."""
    found = await driver.fetch(_OUTCOMES, array(home for home, _ in needs.keys), array(key for _, key in needs.keys))
    subjects = [row["subject_id"] for row in found if row["subject_id"] is not None]
    results: dict[int, object] = {}
    if subjects:
        done = await rows.movements(connection, tables.movement.c.id.in_(subjects))
        results.update(done)
        results.update(await lot_rows.hold_acts(connection, done))
        results.update(await rows.conversions(connection, tables.conversion.c.id.in_(subjects)))
        if needs.binding:
            results.update(await people.bindings(connection, tables.binding.c.id.in_(subjects)))
        if needs.linking:
            results.update(await people.links(connection, tables.customer_link.c.link_id.in_(subjects)))
        results.update(await rows.restrictions(connection, tables.restriction.c.id.in_(subjects)))
        results.update(await rows.cancellations(connection, tables.cancellation.c.id.in_(subjects)))
        if others := set(subjects) - results.keys():
            results.update(await rows.baskets(connection, tables.basket.c.id.in_(others)))
        if needs.invoices:
            results.update(await invoice_rows.invoices(connection, tables.invoice.c.id.in_(subjects)))
        results.update({window: window for window in await window_rows.windows(connection, _window_ids(subjects))})
        if others := set(subjects) - results.keys():
            results.update(await rows.clearings(connection, tables.clearing.c.id.in_(others)))
        if others := set(subjects) - results.keys():
            results.update(await pool_rows.pool_acts(connection, others))
    return {(row["institution_id"], row["key"]): _recall(row, results) for row in found}


def _recall(row: Any, results: dict[int, object]) -> Outcome:
    details = {} if row["details"] is None else msgspec.json.decode(row["details"], type=dict[str, str])
    return recalled(bytes(row["request"]), results.get(row["subject_id"]), row["refusal"], details)


def _window_ids(subjects: list[int]) -> Any:
    return tables.settlement_window.c.id.in_(subjects)


async def _parties(driver: Any, book: Book, needs: Needs) -> set[int]:
    """Customers and their accounts: the remembered ones by the account's identifier, others by their reference. Answers
    the pools among those without an account."""
    pooled: set[int] = set()
    remembered: list[int] = []
    unknown: list[PartyKey] = []
    for party, found in needs.parties.items():
        if found is None:
            unknown.append(party)
        else:
            book.customers[party[0], party[1]] = found[0]
            remembered.append(found[1])
    if remembered:
        await account_rows.load(driver, book, remembered)
    if not unknown:
        return pooled
    for row in await driver.fetch(_PARTIES, *zip(*unknown, strict=True)):
        home, reference, number, id, kind, owner, currency, *counters, marks, is_pool = row
        customer = book.customers[home, reference] = Customer(number, home, reference)
        if marks:
            book.customer_marks[number] = marks
        if id is not None:
            book.accounts[kind, owner, currency] = Account(id, kind, owner, currency, *counters)
            needs.memory.remember((home, reference, currency), customer, id)
        elif is_pool:
            pooled.add(number)
    if nobodies := [party for party in unknown if party[:2] not in book.customers]:
        pooled |= await people.load_owners(driver, book, nobodies)
    return pooled


async def _restrictions(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """What stands of customers' restrictions, and all their accounts."""
    owners = {book.customers[one].id for one in needs.whole if one in book.customers}
    needs.owners.update(owners)
    for made in (await rows.standing_restrictions(connection, owners)).values():
        book.restrictions[made.customer.id, made.currency] = made


_RECORDS = f"""
SELECT wanted.currency, wanted.record, r.movement_id
FROM unnest($1::text[], $2::text[]) AS wanted (currency, record)
CROSS JOIN LATERAL (
    SELECT movement_id FROM issue_record
    WHERE journal_id = {JOURNAL_ID} AND currency = wanted.currency AND record = wanted.record
    ORDER BY movement_id LIMIT {ISSUES_MAX + 1}
) r
"""


async def _records(driver: Any, book: Book, needs: Needs) -> None:
    """The issues of records that are to be cancelled."""
    book.records = {key: [] for key in needs.records}
    for currency, record, issue in await driver.fetch(_RECORDS, *zip(*needs.records, strict=True)):
        book.records[currency, record].append(issue)
        needs.originals.add(issue)
    for party, currency, amount, record in needs.recorded:
        if (currency, record) in needs.records:  # it may be taken back in this very batch
            needs.spends.append((party, currency, amount))
            home = book.configuration.institution_codes.get(party.institution, 0)
            if (customer := book.customers.get((home, party.reference))) is not None:
                needs.owners.add(customer.id)
