"""Applying: taking a good draft into the book, so that the next command of the batch sees it."""

from hub.acceptance.disputes import DisputeStepKind
from hub.errors import InvalidAmount
from hub.ledger.book import Book, Original
from hub.ledger.draft import Draft
from hub.ledger.lots import total
from hub.ledger.orders import EvidenceKind
from hub.ledger.payables import payables
from hub.ledger.records import AccountKind, Leg, PairPosition, Phase, Purpose
from hub.points import COUNTER_MAX
from hub.prepaid import StepKind as BlockStepKind
from hub.reconciliation.breaks import StepKind


def apply(book: Book, draft: Draft) -> list[tuple[int, int, Leg, int, int]]:
    """Take a draft in; answers its legs with the balances after: (movement, n, leg, debit after, credit after).

    Raises:
        InvalidAmount: a counter would be larger than the database carries; nothing was taken in.
    """
    _check_counters(draft.legs)
    for key, change in draft.positions.items():
        position = book.positions.get(key)
        if position is not None and abs(position.subtree + change) > COUNTER_MAX:
            raise InvalidAmount(amount=abs(change))
    book.next_id = draft.next_id
    if draft.customers:
        book.customers.update(
            ((customer.institution, customer.reference or ""), customer) for customer in draft.customers
        )
    if draft.accounts:
        book.accounts.update(draft.accounts)
    posted = []
    n, movement_before = 0, 0
    for movement, leg in draft.legs:
        n = n + 1 if movement == movement_before else 0
        movement_before = movement
        debit, credit = leg.debit, leg.credit
        if leg.phase is Phase.POSTED:
            debit.debits += leg.amount
            credit.credits += leg.amount
            if leg.taken:
                debit.aged -= total(leg.taken)
            if leg.given:
                credit.aged += total(leg.given)
        else:
            pending = leg.amount if leg.phase is Phase.PENDING else -leg.amount
            debit.pending_debits += pending
            credit.pending_credits += pending
        if debit.kind == AccountKind.CUSTOMER and debit.available < 0:
            raise AssertionError("a customer's account would fall below zero")
        # The balances spelled out: to ask the accounts for them took a quarter of this function's time.
        posted.append((movement, n, leg, debit.credits - debit.debits, credit.credits - credit.debits))
        if leg.window is not None and leg.purpose <= Purpose.FEE:
            book.position((leg.window, debit.owner, debit.currency)).debits += leg.amount
            book.position((leg.window, credit.owner, credit.currency)).credits += leg.amount
    for key, change in draft.positions.items():
        book.position(key).subtree += change
    for key, (apart, gross) in draft.aparts.items():
        position = book.position(key)
        position.apart += apart
        position.gross += gross
    for lot in draft.lots.values():
        book.lots.setdefault(lot.account, {})[lot.key] = lot
    for entry in draft.limit_entries:
        book.limit_used[entry.key] = book.limit_used.get(entry.key, 0) + entry.amount
    if draft.bonus_uses:
        book.bonus_used.update(draft.bonus_uses)
    if not draft.is_plain or draft.records:
        _take_rest(book, draft)
    return posted


def _take_rest(book: Book, draft: Draft) -> None:
    """Take in what few drafts have."""
    for hold in draft.holds:
        book.holds[hold.id] = hold
    book.pins.update(draft.pins)
    book.lapsed.extend(draft.lapsed)
    for clearing in draft.clearings:
        book.clearings[clearing.id] = clearing
    for relocation in draft.relocations:
        book.relocations[relocation.id] = relocation
    if draft.profiles:
        book.profiles.update((profile.customer, profile) for profile in draft.profiles)
    if draft.memberships:
        book.pools.update((pool.id, pool) for pool in draft.pools)
        book.members.update(((one.pool, one.member), one) for one in draft.memberships)
    _take_offers(book, draft)
    if draft.exchanges or draft.evidence:
        _take_exchanges(book, draft)
    if draft.break_steps or draft.runs:
        _take_breaks(book, draft)
    if draft.dispute_steps or draft.acceptances:
        _take_disputes(book, draft)
    book.defaults.update((default.id, default) for default in draft.defaults)
    book.cover_entries.update((entry.id, entry) for entry in draft.cover_entries)
    if draft.blocks or draft.prepaid_notices:
        book.blocks.update(draft.blocks)
        proposals = (step for step in draft.block_steps if step.kind is BlockStepKind.REFUND_PROPOSED)
        book.block_proposals.update((step.of, step) for step in proposals)
        book.prepaid_notices.update(((one.holder, one.currency), one) for one in draft.prepaid_notices)
    for between, (debits, credits) in draft.pairs.items():
        pair = book.pairs.setdefault(between, PairPosition())
        pair.debits += debits
        pair.credits += credits
    if draft.obligations:
        book.take_obligations(draft.obligations)
    book.paid_obligations.update(paid.obligation for paid in draft.obligation_payments)
    if draft.windows:
        book.take_windows(draft.windows)
    if draft.nets:
        book.nets[draft.nets[0].window] = payables(draft.nets, draft.net_exchanges)
    book.internals.update(draft.internals)
    book.confirmed.update((row.window, row.institution, row.currency) for row in draft.confirmations)
    for billed in draft.billings:
        book.billed_until = billed.ends
    for invoice in draft.invoices:
        book.invoice_number = invoice.number
        if invoice.of is not None:
            book.credited[invoice.of] = book.credited.get(invoice.of, 0) + invoice.totals.gross
    book.bank_files.update((made.digest, made) for made in draft.bank_files)
    book.confirmation_files.update((made.digest, made) for made in draft.confirmation_files)
    for binding in draft.bindings:
        book.take_binding(binding)
    for link in draft.links:
        book.take_link(link)
    for original, amount in draft.reversed.items():
        book.originals[original].reversed = amount
    if draft.marks or draft.customer_marks or draft.records:
        _take_marks(book, draft)
    if draft.nouns:
        book.configure(draft.nouns)


def _take_marks(book: Book, draft: Draft) -> None:
    for account, marks in draft.marks.items():
        account.marks = marks
    book.customer_marks.update(draft.customer_marks)
    for made in draft.restrictions:
        book.restrictions[made.customer.id, made.currency] = made
    if book.records:
        moved = {one.id: one for one in draft.movements}
        for currency, record, issue in draft.records:
            if (found := book.records.get((currency, record))) is not None:
                found.append(issue)
                legs = [leg for movement, leg in draft.legs if movement == issue]
                book.originals[issue] = Original(moved[issue], legs, None, 0)


def _take_offers(book: Book, draft: Draft) -> None:
    for quote in draft.quotes:
        book.quotes[quote.id] = quote
        open_ones = book.open_quotes.setdefault(quote.source.id, {})
        if quote.used_by is None and not quote.cancelled:
            open_ones[quote.id] = quote
        else:
            open_ones.pop(quote.id, None)
    for conversion in draft.conversions:
        original = book.originals.get(conversion.id)
        if original is not None:
            original.conversion = conversion


def _take_exchanges(book: Book, draft: Draft) -> None:
    for exchange in draft.exchanges:
        before = book.exchanges.get(exchange.id)
        if before is not None and before.order != exchange.order:
            book.proposals.pop(exchange.id, None)
        book.exchanges[exchange.id] = exchange
    book.deals.update((one.id, one) for one in draft.deals)
    book.conversions.update((one.id, one) for one in draft.conversions)
    for said in draft.evidence:
        if said.kind is EvidenceKind.PROPOSAL:
            book.proposals[said.exchange] = said


def _take_breaks(book: Book, draft: Draft) -> None:
    book.runs.update(((run.currency, run.day), run) for run in draft.runs)
    book.breaks.update((one.id, one) for one in draft.breaks)
    book.break_proposals.update((step.of, step) for step in draft.break_steps if step.kind is StepKind.PROPOSED)


def _take_disputes(book: Book, draft: Draft) -> None:
    book.acceptances.extend(draft.acceptances)
    book.disputes.update((one.id, one) for one in draft.disputes)
    proposals = (step for step in draft.dispute_steps if step.kind is DisputeStepKind.PROPOSED)
    book.dispute_proposals.update((step.of, step) for step in proposals)


def _check_counters(legs: list[tuple[int, Leg]]) -> None:
    """Pass if no counter passes COUNTER_MAX, with all legs on it together.

    Raises:
        InvalidAmount: one does.
    """
    whole = largest = 0
    for _, leg in legs:
        whole += leg.amount
        largest = max(largest, leg.debit.debits, leg.credit.credits)
    if largest + whole <= COUNTER_MAX:
        return  # as nearly always, and then it need not be asked which legs are on which account
    debits: dict[int, int] = {}
    credits: dict[int, int] = {}
    for _, leg in legs:
        if leg.phase is not Phase.POSTED:
            continue  # what is pending is never more than what is there
        debit, credit = leg.debit, leg.credit
        debits[debit.id] = debits.get(debit.id, debit.debits) + leg.amount
        credits[credit.id] = credits.get(credit.id, credit.credits) + leg.amount
        if max(debits[debit.id], credits[credit.id]) > COUNTER_MAX:
            raise InvalidAmount(amount=leg.amount)
