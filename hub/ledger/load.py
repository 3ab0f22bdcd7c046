"""Load: the book of a batch, read under the journal's lock, one statement per kind of row, however many commands."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.institutions import settlement_path
from hub.ledger import (
    break_rows,
    commands,
    cover_rows,
    default_rows,
    dispute_rows,
    exchange_rows,
    invoice_rows,
    limit_rows,
    lot_rows,
    people,
    pool_rows,
    profile_rows,
    relocation_rows,
    rows,
)
from hub.ledger.arrays import array
from hub.ledger.book import UNPOSTED, Book, Original
from hub.ledger.cancellations import ISSUES_MAX
from hub.ledger.decide import Known, Outcomes, recalled
from hub.ledger.journal import JOURNAL_ID, Head
from hub.ledger.needs import Needs
from hub.ledger.orders import exchange_of
from hub.ledger.records import (
    Account,
    AccountKind,
    ConfirmationFile,
    Customer,
    Leg,
    Mark,
    Movement,
    MovementKind,
    Phase,
    Position,
    Purpose,
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

_ACCOUNT = """
SELECT id, kind, owner_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, aged, marks
FROM account
"""
# With the marks of customers as such, as rows of the kind 0.
_ACCOUNTS_OF = f"""
{_ACCOUNT} WHERE journal_id = {JOURNAL_ID} AND owner_id = ANY($1::text::bigint[])
UNION ALL
SELECT 0, 0, customer_id, '', 0, 0, 0, 0, 0, marks FROM customer_mark
WHERE journal_id = {JOURNAL_ID} AND customer_id = ANY($1::text::bigint[])
"""
_ACCOUNTS_BY_ID = f"{_ACCOUNT} WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::text::bigint[])"

_WINDOWS = f"SELECT * FROM settlement_window WHERE journal_id = {JOURNAL_ID} AND status <> 'SETTLED' ORDER BY id"

_POSITIONS = f"""
SELECT window_id, institution_id, currency, debits, credits, subtree, apart, gross FROM position
WHERE journal_id = {JOURNAL_ID} AND window_id = ANY($1::bigint[])
  AND ($2::bigint[] IS NULL OR institution_id = ANY($2::bigint[]))
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
        await _windows(connection, driver, book, needs)
    if needs.files:
        await _files(connection, book, needs)
    pooled = await _parties(driver, book, needs)
    needs.owners.update(book.customers[name].id for name in needs.owners_named if name in book.customers)
    if needs.whole:
        await _restrictions(connection, book, needs)
    if needs.records:
        await _records(driver, book, needs)
    if needs.quotes or needs.quotes_of_rates:
        await _quotes(connection, book, needs)
    if needs.breaks or needs.reconciled:
        await break_rows.load(connection, book, needs)
    if needs.disputes or needs.reported:
        await dispute_rows.load(connection, book, needs)
    accepted: dict[int, Movement] = {}
    if needs.exchanges or needs.originals:
        accepted = await exchange_rows.load(connection, book, needs)
    if needs.originals:
        await _originals(connection, driver, book, needs)
    if book.exchanges:
        await exchange_rows.load_deals(connection, book, needs, accepted)
    if needs.accounts:
        _take_accounts(book, await driver.fetch(_ACCOUNTS_BY_ID, array(needs.accounts)))
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
        await _offers(connection, book, needs)
    if needs.billing:
        await invoice_rows.load(connection, book, needs)
    if needs.money:
        needs.institutions.add(configuration.operator.id)  # it takes the fees, and keeps rounding and the bank
        if configuration.share_plans or needs.sharing:
            needs.institutions.update(_may_share(book, batch, needs))
        if needs.closing:
            book.internals = await rows.internal_accounts(connection)
        await _positions(driver, book, needs)
    needs.owners.update(one.owner for one in book.accounts.values() if one.marks and one.marks & Mark.DEBT)
    if owners := needs.institutions | needs.owners:
        _take_accounts(book, await driver.fetch(_ACCOUNTS_OF, array(owners)))
    await pool_rows.pools(connection, driver, book, needs, pooled)
    needs.accounts.update(limit_rows.filled(book, batch))
    if more := await lot_rows.lots(connection, driver, book, needs):
        _take_accounts(book, await driver.fetch(_ACCOUNTS_OF, array(more)))
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
        results.update({window: window for window in await rows.windows(connection, _window_ids(subjects))})
        if others := set(subjects) - results.keys():
            results.update(await rows.clearings(connection, tables.clearing.c.id.in_(others)))
        if others := set(subjects) - results.keys():
            results.update(await pool_rows.pool_acts(connection, others))
    return {(row["institution_id"], row["key"]): _recall(row, results) for row in found}


def _recall(row: Any, results: dict[int, object]) -> Known:
    details = {} if row["details"] is None else msgspec.json.decode(row["details"], type=dict[str, str])
    return recalled(bytes(row["request"]), results.get(row["subject_id"]), row["refusal"], details)


def _window_ids(subjects: list[int]) -> Any:
    return tables.settlement_window.c.id.in_(subjects)


async def _parties(driver: Any, book: Book, needs: Needs) -> set[int]:
    """Customers and their accounts: the remembered ones by the account's identifier, others by their reference. Answers
    the pools among those without an account."""
    pooled: set[int] = set()
    remembered: list[int] = []
    unknown: list[tuple[int, str, str]] = []
    for party, found in needs.parties.items():
        if found is None:
            unknown.append(party)
        else:
            book.customers[party[0], party[1]] = found[0]
            remembered.append(found[1])
    if remembered:
        _take_accounts(book, await driver.fetch(_ACCOUNTS_BY_ID, array(remembered)))
    if not unknown:
        return pooled
    for row in await driver.fetch(_PARTIES, *zip(*unknown, strict=True)):
        home, reference, number, id, kind, owner, currency, *counters, marks, is_pool = row
        customer = book.customers[home, reference] = Customer(number, home, reference)
        if marks:
            book.customer_marks[number] = marks
        if id is not None:
            book.accounts[kind, owner, currency] = Account(id, kind, owner, currency, *counters)
            needs.memory.remember(customer, reference, currency, id)
        elif is_pool:
            pooled.add(number)
    if nobodies := [party for party in unknown if party[:2] not in book.customers]:
        accounts, pools = await people.load_owners(driver, book, nobodies)
        _take_accounts(book, accounts)
        pooled |= pools
    return pooled


def _take_accounts(book: Book, found: Any) -> None:
    accounts = book.accounts
    for row in found:
        key = (row[1], row[2], row[3])
        if not key[0]:
            book.customer_marks[key[1]] = row[9]
        elif key not in accounts:
            accounts[key] = Account(*row)


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


async def _files(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    file = tables.confirmation_file
    found = await connection.execute(
        select(file).where(file.c.journal_id == JOURNAL_ID, file.c.digest.in_(needs.files))
    )
    for row in found:
        book.confirmation_files[row.digest] = ConfirmationFile(
            id=row.id, credential=row.credential_id, digest=row.digest, payments=row.payments, last=row.last_id
        )


async def _windows(connection: AsyncConnection, driver: Any, book: Book, needs: Needs) -> None:
    window = tables.settlement_window
    book.windows = {row["id"]: rows.window_of(row) for row in await driver.fetch(_WINDOWS)}
    if not needs.windows:
        return
    others = needs.windows - book.windows.keys()
    if others:
        book.settled_windows = await rows.windows(connection, window.c.id.in_(others))
    unsettled = needs.windows | book.windows.keys()
    book.nets = await rows.nets(connection, unsettled)
    book.confirmed = {
        (row.window, row.institution, row.currency) for row in await rows.confirmations(connection, unsettled)
    }


async def _quotes(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """Quotes to execute, with their customers' accounts; and open quotes of rates that are withdrawn."""
    quote = tables.quote
    if needs.quotes_of_rates:
        book.quotes.update(
            await rows.quotes(
                connection,
                and_(
                    quote.c.rate_id.in_(needs.quotes_of_rates),
                    quote.c.expires_at > book.at,
                    quote.c.used_by.is_(None),
                ),
            )
        )
    wanted = await rows.quotes(connection, quote.c.id.in_(needs.quotes)) if needs.quotes else {}
    book.quotes.update(wanted)
    currencies = book.configuration.currencies
    for offer in wanted.values():
        rate = book.configuration.rates[offer.rate]
        needs.institutions.update((currencies[rate.source].issuer, currencies[rate.target].issuer))
        needs.owners.update((offer.source.id, offer.target.id))
        needs.people.add(offer.source.id)
        if not currencies[rate.source].transferable and offer.source.id != offer.target.id:
            needs.linked.add(offer.source.id)


async def _offers(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """Open quotes, and what bonus caps have counted, of the customers that convert or ask for quotes."""
    people = needs.people | {book.customers[one].id for one in needs.spenders if one in book.customers}
    if not people:
        return
    quote, use = tables.quote, tables.bonus_use
    open_ones = await rows.quotes(
        connection,
        and_(
            quote.c.from_customer_id.in_(people),
            quote.c.expires_at > book.at,
            quote.c.used_by.is_(None),
            quote.c.cancelled.is_(False),
        ),
    )
    for offer in open_ones.values():
        book.open_quotes.setdefault(offer.source.id, {})[offer.id] = offer
    found = await connection.execute(select(use).where(use.c.journal_id == JOURNAL_ID, use.c.customer_id.in_(people)))
    book.bonus_used.update({(row.rate_id, row.bonus, row.customer_id): row.used for row in found})


_REVERSIBLE = (
    MovementKind.ISSUE,
    MovementKind.TRANSFER,
    MovementKind.REDEEM,
    MovementKind.CONTRIBUTE,
    MovementKind.CLEAR,
)
_BY_SUBJECT = (MovementKind.CONVERT, MovementKind.CAPTURE)  # named by their conversion, or their hold
# Named by the movement that accepted them, where partners had to be asked, and otherwise by their own identifier.
_BY_EITHER = (MovementKind.ISSUE, MovementKind.TRANSFER, MovementKind.REDEEM)


async def _originals(connection: AsyncConnection, driver: Any, book: Book, needs: Needs) -> None:
    """Acts to reverse, by the identifier that was asked for: a conversion's, or a movement's. What was cleared because
    its customer left is none."""
    movement, leg = tables.movement, tables.leg
    converted = await rows.conversions(connection, tables.conversion.c.id.in_(needs.originals))
    found = await rows.movements(
        connection,
        and_(movement.c.id.in_(needs.originals), movement.c.kind.in_(_REVERSIBLE))
        | and_(movement.c.subject_id.in_(needs.originals), movement.c.kind.in_((*_BY_SUBJECT, *_BY_EITHER))),
    )
    found = {id: done for id, done in found.items() if _name(done) in needs.originals}
    if cleared := {id: done.subject for id, done in found.items() if done.kind is MovementKind.CLEAR}:
        runs = await rows.clearings(connection, tables.clearing.c.id.in_(cleared.values()))
        found = {id: done for id, done in found.items() if id not in cleared or done.subject in runs}
    if not found:
        return
    posted = (
        await connection.execute(
            select(leg)
            .where(leg.c.journal_id == JOURNAL_ID, leg.c.movement_id.in_(found))
            .order_by(leg.c.movement_id, leg.c.n)
        )
    ).all()
    involved = {account for row in posted for account in (row.debit_account_id, row.credit_account_id)}
    _take_accounts(book, await driver.fetch(_ACCOUNTS_BY_ID, array(involved)))
    by_id = {account.id: account for account in book.accounts.values()}
    already = await rows.reversed_amounts(connection, needs.originals)
    lots = await lot_rows.leg_pieces(connection, found)
    shares = await rows.fee_shares(connection, book.configuration, found)
    legs: dict[int, list[Leg]] = {}
    for row in posted:
        taken, given = lots.get((row.movement_id, row.n), ((), ()))
        one = Leg(
            by_id[row.debit_account_id],
            by_id[row.credit_account_id],
            row.amount,
            Purpose(row.purpose),
            row.window_id,
            Phase(row.phase),
            taken,
            given,
        )
        if taken and one.debit.kind == AccountKind.CUSTOMER:
            needs.issuer(one.debit.currency)
        legs.setdefault(row.movement_id, []).append(one)
        if one.window is not None:
            needs.institutions.update((one.debit.owner, one.credit.owner))
    over_partners = {exchange_of(reference) for reference in book.done}
    for id, done in found.items():
        asked = _name(done)
        if asked in needs.originals:
            if needs.has_shortfall and done.target is not None:
                needs.owners.add(done.target.id)
            conversion = converted.get(asked)
            if done.source is not None:
                book.people[done.source.id] = done.source  # whose points may be over when they come back
                if done.kind is MovementKind.CONTRIBUTE:
                    needs.givers.add(done.source.id)
            counted = asked if asked in over_partners else id
            reversed_before, shared = already.get(asked, 0), tuple(shares.get(id, ()))
            book.originals[asked] = Original(done, legs.get(id, []), conversion, reversed_before, counted, shared)
            if conversion is not None:
                needs.people.add(conversion.source.id)


def _name(done: Movement) -> int:
    """The identifier by which an act is asked for."""
    by_subject = done.kind in _BY_SUBJECT or (done.kind in _BY_EITHER and done.subject is not None)
    return (done.subject or 0) if by_subject else done.id


async def _positions(driver: Any, book: Book, needs: Needs) -> None:
    """The positions of touched institutions and of all above them, in every window that is not settled; for a closing,
    all of them."""
    nodes: set[int] | None = None
    if not needs.closing:
        institutions = book.configuration.institutions
        nodes = set()
        for window in book.windows.values():
            for institution in needs.institutions & institutions.keys():
                nodes.update(settlement_path(institutions, institution, window.ordinal))
        for window_id in needs.windows:  # what is confirmed settles what stands below, too
            nodes.update(net.institution for net in book.nets.get(window_id, ()))
        for id in needs.defaults & book.defaults.keys():
            default = book.defaults[id]
            nodes.update(settlement_path(institutions, default.institution, book.ordinal(default.window)))
        for deal in book.deals.values():  # by the path on which its money became pending
            ordinal = book.ordinal(deal.window)
            for one in deal.payments:
                nodes.update(settlement_path(institutions, one.payer, ordinal))
    if nodes is not None and book.configuration.covers:
        needs.owners.update(nodes & {covered for covered, _ in book.configuration.covers})
    for row in await driver.fetch(_POSITIONS, [*book.windows, UNPOSTED], None if nodes is None else list(nodes)):
        window_id, institution_id, currency, *sums = row
        book.positions[window_id, institution_id, currency] = Position(*sums)
    if needs.closing:
        needs.institutions.update(institution for window, institution, _ in book.positions if window != UNPOSTED)
        needs.owners.update(made.id for made in book.internals.values())
