"""Store: what a batch appended and changed, gathered as its commands are decided; written with one statement, of a long
batch ahead with a few more.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.acceptance.disputes import Dispute
from hub.configuration import Noun, change
from hub.cover import CoverEntry
from hub.defaults import DefaultStatus
from hub.ids import batch_of
from hub.ledger import break_rows, journal
from hub.ledger.applying import apply
from hub.ledger.beside import beside
from hub.ledger.book import Book
from hub.ledger.commands import Command, Keyed
from hub.ledger.decide import Outcome
from hub.ledger.draft import Draft
from hub.ledger.journal import Head, Row
from hub.ledger.lots import Lot, LotKey
from hub.ledger.opening import Relocation
from hub.ledger.orders import Exchange
from hub.ledger.records import (
    Account,
    AccountKind,
    Clearing,
    Conversion,
    Customer,
    Hold,
    Invoice,
    Leg,
    Movement,
    Phase,
    Position,
    Quote,
    Window,
)
from hub.ledger.rows import figures_columns
from hub.ledger.writes import WRITES, Tables, closing_statement, statement
from hub.limits import UseKey
from hub.reconciliation.breaks import Break

LEGS_OF_LONG = 250  # from which on the database writes a batch's last rows while all of them are hashed


@dataclass(frozen=True, slots=True)
class Closing:
    """What a batch's journal entry says of it, and the configuration's version after it."""

    content: bytes
    hash: bytes
    rows: int
    configuration_version: int


class Batch:
    """Everything that a batch's outcomes append and change, gathered as they are decided."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.rows: dict[str, list[Row]] = {}
        self._accounts: dict[int, Account] = {}
        self._new_accounts: dict[int, Account] = {}
        self._lots: dict[LotKey, Lot] = {}
        self._holds: dict[int, Hold] = {}
        self._clearings: dict[int, Clearing] = {}
        self._relocations: dict[int, Relocation] = {}
        self._customer_marks: dict[int, int] = {}
        self._quotes: dict[int, Quote] = {}
        self._conversions: dict[int, Conversion] = {}  # those that are written and have changed
        self._conversion_places: dict[int, int] = {}  # of this batch's, among its rows
        self._exchanges: dict[int, Exchange] = {}
        self._breaks: dict[int, Break] = {}
        self._disputes: dict[int, Dispute] = {}
        self._windows: dict[int, Window] = {}
        self._bonus_uses: dict[tuple[int, int, int], int] = {}
        self._limit_uses: set[UseKey] = set()
        self._positions: dict[tuple[int, int, str], Position] = {}
        self.version: int | None = None  # of the configuration, if the batch changes it
        self._written: dict[str, int] = {}  # how many rows of a table are written, or about to be

    def add(self, command: Command, outcome: Outcome) -> None:
        """Take an outcome in: what it changes, and what is kept under its key.

        Raises:
            InvalidAmount: see ``applying.apply``; nothing was taken.
        """
        if outcome.draft is not None:
            self.take(outcome.draft, command.actor)
        if outcome.digest is not None and isinstance(command, Keyed):
            self._outcome(command, outcome, outcome.digest)

    def take(self, draft: Draft, actor: int) -> None:
        """Take a draft into the book and its rows into the batch.

        Raises:
            InvalidAmount: see ``applying.apply``; nothing was taken.
        """
        posted = apply(self.book, draft)
        if draft.customers:
            self._customers(draft.customers)
        for account in draft.accounts.values():
            self._new_accounts[account.id] = account
        for moved in draft.movements:
            self._movement(moved)
        if posted:
            self._legs(posted)
        if draft.lots:
            self._lots.update(draft.lots)
        if draft.memos:
            self.rows.setdefault("memo", []).extend(draft.memos)
        if draft.records:
            self.rows.setdefault("issue_record", []).extend(draft.records)
        for key in draft.positions:
            self._positions[key] = self.book.positions[key]
        for key in draft.aparts:
            self._positions[key] = self.book.positions[key]
        for made in draft.conversions:
            self._conversion(made)
        if draft.bonus_uses:
            self._bonus_uses.update(draft.bonus_uses)
        for entry in draft.limit_entries:
            self._row("limit_entry", (entry.movement, entry.n, *entry.key, entry.amount))
            self._limit_uses.add(entry.key)
        if not draft.is_plain:
            self._take_rest(draft, actor)

    def _take_rest(self, draft: Draft, actor: int) -> None:
        """Take what few drafts have."""
        if draft.bindings or draft.links:
            self._people(draft)
        if draft.holds:
            self._holds.update((held.id, held) for held in draft.holds)
        if draft.clearings:
            self._clearings.update((made.id, made) for made in draft.clearings)
        if draft.relocations:
            self._relocate(draft)
        for profile in draft.profiles:
            groups = msgspec.json.encode(profile.groups).decode()
            who = (profile.id, profile.customer, profile.type)
            self._row("customer_profile", (*who, groups, profile.credential))
        if draft.memberships:
            self._memberships(draft)
        if draft.spender is not None:
            self._row("pool_use", (draft.movements[0].id, draft.spender.id))
        if draft.marks or draft.missing or draft.restrictions or draft.cancellations:
            self._restrictions(draft)
        if draft.quotes:
            self._quotes.update((offer.id, offer) for offer in draft.quotes)
        if draft.exchanges or draft.evidence:
            self._take_exchanges(draft)
        if draft.break_steps or draft.runs:
            self._take_breaks(draft)
        for label in draft.labels:
            self._row("act_label", (label.act, label.channel, label.product))
        for one in sorted(draft.fee_shares, key=lambda one: (one.movement, one.place)):
            self._row("fee_share", (one.movement, one.place, one.plan, one.institution, one.amount, one.n))
        if draft.dispute_steps or draft.acceptances:
            self._take_disputes(draft)
        for clipped in draft.clippings:
            self._row("clipping", (clipped.movement, clipped.version, clipped.requested))
        for basket in draft.baskets:
            asked = (basket.id, basket.last, basket.credential, basket.for_institution)
            paid = (basket.customer.id, basket.merchant, basket.money, basket.amount, basket.rest)
            self._row("basket", asked + paid)
        for billed in draft.billings:
            when = (billed.period, billed.zone, billed.starts, billed.ends)
            self._row("billing", (billed.id, billed.credential, *when))
        for made in draft.invoices:
            self._invoice(made)
        if draft.nouns:
            self._nouns(draft.nouns, actor)
        for entry in draft.cover_entries:
            self._cover(entry)
        for default in draft.defaults:
            if default.status is DefaultStatus.PROPOSED:
                whose = (default.id, default.credential, default.window, default.institution)
                self._row("settlement_default", (*whose, default.currency, default.amount))
        for step in draft.default_steps:
            done = (step.amount, step.value_date, step.reference, step.movement)
            self._row("default_step", (step.id, step.of, step.kind.value, step.credential, *done))
        if draft.windows:
            self._closings(draft)

    def _invoice(self, made: Invoice) -> None:
        sums = (made.totals.net, made.totals.vat, made.totals.gross)
        whose = (made.billing, made.of, made.institution, made.schedule, made.money)
        self._row("invoice", (made.id, made.number, *whose, *sums))
        for n, line in enumerate(made.lines):
            what = (line.item.value, line.currency, line.quantity, line.price, line.amount)
            self._row("invoice_line", (made.id, n, *what))

    def _memberships(self, draft: Draft) -> None:
        for pool in draft.pools:
            self._row("pool", (pool.id, pool.kind.value, pool.owner.id, pool.credential))
        for one in draft.memberships:
            rights = None if one.rights is None else msgspec.json.encode(one.rights).decode()
            self._row("pool_member", (one.id, one.pool, one.member, rights, one.credential))

    def _movement(self, moved: Movement) -> None:
        self._row(
            "movement",
            (
                moved.id,
                int(moved.kind),
                moved.credential,
                moved.for_institution,
                moved.currency,
                moved.amount,
                moved.source and moved.source.id,
                moved.target and moved.target.id,
                moved.merchant,
                moved.money,
                moved.value,
                moved.fee,
                moved.subject,
                moved.earned_at,
                moved.expires_at,
            ),
        )
        if moved.terms is not None:
            self._row("act_terms", (moved.id, moved.terms))

    def _conversion(self, made: Conversion) -> None:
        """A conversion as it is now. Its row is changed as long as it is not written, so that what does not change any
        more can be written ahead."""
        place = self._conversion_places.get(made.id)
        if batch_of(made.id) != self.book.batch or (place is not None and place < self._written.get("conversion", 0)):
            self._conversions[made.id] = made
            return
        row = (
            made.id,
            made.credential,
            made.for_institution,
            made.rate,
            made.quote,
            made.source.id,
            made.source.institution,
            made.target.id,
            made.target.institution,
            *figures_columns(made.figures),
            made.window,
            made.status.value,
            self.book.batch,
            made.completed_at,
        )
        if place is None:
            self._conversion_places[made.id] = len(self.rows.get("conversion", ()))
            self._row("conversion", row)
        else:
            self.rows["conversion"][place] = row

    def _nouns(self, nouns: Iterable[Noun], actor: int) -> None:
        for noun in nouns:
            row = change(self.book.new_id(), noun, actor)
            self.version = row.version
            self._row("configuration_change", (row.version, row.noun, row.key, row.document, row.credential))

    def _restrictions(self, draft: Draft) -> None:
        for account in draft.marks:
            self._accounts[account.id] = account
        self._customer_marks.update(draft.customer_marks)
        for made in draft.restrictions:
            who = (made.id, int(made.kind), made.credential, made.for_institution)
            self._row("restriction", (*who, made.customer.id, made.currency))
        for one in draft.missing:
            self._row("missing", (one.movement, one.debt, one.written_off))
        for done in draft.cancellations:
            who = (done.id, done.last, done.credential, done.for_institution)
            self._row("cancellation", (*who, done.currency, done.issues, done.amount, done.debt, done.written_off))

    def _take_exchanges(self, draft: Draft) -> None:
        for exchange in draft.exchanges:
            self._exchanges[exchange.id] = exchange
        for order in draft.orders:
            what = (order.operation.value, order.currency, order.customer, order.amount)
            self._row("partner_order", (order.id, order.reference, order.exchange, *what, order.of, order.partner_of))
            self._row("partner_call", (order.reference, order.currency, order.at, 0))
        for step in draft.exchange_steps:
            reached = (step.id, step.exchange, step.state.value, step.in_doubt, step.credential, step.order)
            why = (step.status and step.status.value, step.reason and step.reason.value, step.code)
            self._row("exchange_step", (*reached, *why, step.partner_reference))
            asked = self._exchanges[step.exchange].order
            if step.order is not None and (asked is None or asked.reference != step.order):
                self._row("partner_call end", (step.order,))
        for said in draft.evidence:
            about = (said.id, said.exchange, said.order, said.kind.value, said.done, said.credential)
            self._row("exchange_evidence", about)

    def _relocate(self, draft: Draft) -> None:
        self._relocations.update((one.id, one) for one in draft.relocations)
        for step in draft.relocation_steps:
            of = step.relocation
            figures = (of.round, of.customers, of.ours, of.theirs, of.differing, of.digest)
            self._row("relocation_step", (step.id, of.id, step.act.value, step.credential, *figures))
        for one in draft.opening:
            lots = msgspec.json.encode(one.lots).decode() if one.lots else None
            self._row("opening_balance", (one.id, one.relocation, one.round, one.customer, one.ours, one.theirs, lots))

    def _take_breaks(self, draft: Draft) -> None:
        self._breaks.update((one.id, one) for one in draft.breaks)
        for run in draft.runs:
            self._row("reconciliation", (run.id, run.credential, run.currency, run.day, break_rows.document_of(run)))
        for step in draft.break_steps:
            figures = None if step.figures is None else msgspec.json.encode(step.figures).decode()
            what = (step.run, figures, step.owner, step.ending and step.ending.value, step.adjusted, step.movement)
            self._row("break_step", (step.id, step.of, step.kind.value, step.credential, *what))

    def _take_disputes(self, draft: Draft) -> None:
        self._disputes.update((one.id, one) for one in draft.disputes)
        for made in draft.acceptances:
            signed = (made.digest, made.kid, made.jws)
            self._row("acceptance", (made.id, made.credential, made.window, made.institution, *signed))
        for step in draft.dispute_steps:
            what = (step.outcome and step.outcome.value, step.amount, step.movement)
            self._row("dispute_step", (step.id, step.of, step.kind.value, step.credential, *what))

    def _cover(self, entry: CoverEntry) -> None:
        if entry.decision is None:
            what = (entry.pot.value, entry.currency, entry.amount, entry.value_date, entry.reference)
            self._row("cover_entry", (entry.id, entry.credential, entry.institution, *what))
        else:
            decided = (entry.decision, entry.id, entry.status.value, entry.decided_by, entry.movement)
            self._row("cover_decision", decided)

    def _closings(self, draft: Draft) -> None:
        self._windows.update((window.id, window) for window in draft.windows)
        for net in draft.nets:
            self._row("window_net", (net.window, net.institution, net.currency, net.debits, net.credits, net.net))
        for made in draft.internals.values():
            self._row("internal_account", (made.id, made.parent, made.institution))
        for paid in draft.confirmations:
            who = (paid.movement, paid.window, paid.institution, paid.currency)
            self._row("confirmation", (*who, paid.amount, paid.value_date, paid.reference))
        for file in draft.confirmation_files:
            self._row("confirmation_file", (file.id, file.credential, file.digest, file.payments, file.last))

    def _row(self, name: str, row: Row) -> None:
        self.rows.setdefault(name, []).append(row)

    def _customers(self, enrolled: Iterable[Customer]) -> None:
        for customer in enrolled:
            self._row("customer", (customer.id, customer.institution))
            self._row("customer_reference", (customer.id, customer.institution, customer.reference))

    def _people(self, draft: Draft) -> None:
        for new in draft.identifiers:
            self._row("identifier", (new.id, new.institution, new.text))
        for bound in draft.bindings:
            of, step, ends = bound.identifier, bound.ended or bound.made, bound.id if bound.ended else None
            who = (step.credential, step.for_institution)
            self._row("binding", (step.id, *who, of.institution, of.id, bound.customer.id, ends))
        for link in draft.links:
            status, step = link.changes[-1]
            sides = (link.a.id, link.a.institution, link.b.id, link.b.institution)
            self._row("customer_link", (step.id, link.id, status.value, step.credential, step.for_institution, *sides))

    def _legs(self, posted: list[tuple[int, int, Leg, int, int]]) -> None:
        legs = self.rows.setdefault("leg", [])
        for movement, n, leg, debit_after, credit_after in posted:
            debit, credit = leg.debit, leg.credit
            self._accounts[debit.id] = debit
            self._accounts[credit.id] = credit
            legs.append(
                (
                    movement,
                    n,
                    int(leg.phase),
                    int(leg.purpose),
                    debit.id,
                    credit.id,
                    leg.amount,
                    debit_after,
                    credit_after,
                    leg.window,
                )
            )
            if leg.taken or leg.given:
                self._lot_entries(movement, n, leg)

    def _lot_entries(self, movement: int, n: int, leg: Leg) -> None:
        """What a leg takes out of lots, pins or frees there, and puts into lots."""
        entries = self.rows.setdefault("lot_entry", [])
        posted = leg.phase is Phase.POSTED
        sign = -1 if leg.phase is not Phase.PENDING else 1
        place = 0
        for account, pieces, factor in ((leg.debit, leg.taken, sign), (leg.credit, leg.given, 1)):
            for piece in pieces:
                amount, held = (factor * piece.amount, 0) if posted else (0, factor * piece.amount)
                lot = (account.id, piece.expires_at, piece.origin, piece.earned_at)
                entries.append((movement, n, place, *lot, amount, held))
                place += 1

    def _outcome(self, command: Keyed, outcome: Outcome, digest: bytes) -> None:
        refusal, result = outcome.refusal, outcome.result
        self._row(
            "outcome",
            (
                self.book.new_id(),
                outcome.home,
                command.key,
                digest,
                None if refusal is None else refusal.code,
                None if refusal is None else msgspec.json.encode(refusal.details).decode(),
                result if result is None or isinstance(result, int) else getattr(result, "id", None),
            ),
        )

    def _is_long(self) -> bool:
        """Whether it takes longer to hash than to ask the database once more."""
        return len(self.rows.get("leg", ())) > LEGS_OF_LONG

    def finish(self) -> None:
        """Gather the rows whose values are those at the batch's end."""
        book = self.book
        for account in self._new_accounts.values():
            self._accounts.pop(account.id, None)
            self._row("account", (account.id, account.kind, account.owner, account.currency, *_counters(account)))
        for account in self._accounts.values():
            self._row("account counters", (account.id, *_counters(account)))
        self._accounts.clear()
        for lot in self._lots.values():
            self._lot(lot)
        self._lots.clear()
        for customer, marks in self._customer_marks.items():
            self._row("customer_mark", (customer, marks))
        for held in self._holds.values():
            if batch_of(held.id) != book.batch:
                self._row("hold end", (held.id, held.status.value, held.captured, held.resolved_by))
                continue
            by = (held.id, int(held.kind), held.credential, held.for_institution, held.customer.id)
            what = (held.currency, held.amount, held.shortfall, held.expires_at)
            self._row("hold", (*by, *what, held.status.value, held.captured, held.resolved_by))
        for run in self._clearings.values():
            counts = (run.accounts, run.cleared, run.pinned, run.ageless)
            progress = (run.status.value, run.reached, *counts, run.ended_at)
            if batch_of(run.id) != book.batch:
                self._row("clearing progress", (run.id, *progress))
                continue
            ordered = (run.id, run.credential, run.for_institution, run.currency, run.scope.value)
            self._row("clearing", (*ordered, run.earned_before, run.starts_at, run.reason, *progress))
        for moving in self._relocations.values():
            came_to = _came_to(moving)
            if batch_of(moving.id) != book.batch:
                self._row("relocation progress", (moving.id, *came_to))
                continue
            asked = (moving.id, moving.credential, moving.for_institution, moving.currency, moving.leaves)
            terms = (moving.adapter, moving.connection, moving.starts_at, moving.reason)
            self._row("relocation", (*asked, *terms, *came_to))
        for offer in self._quotes.values():
            if batch_of(offer.id) != book.batch:
                self._row("quote use", (offer.id, offer.used_by, offer.cancelled))
                continue
            people = (offer.source.id, offer.target.id)
            origin = (offer.id, offer.credential, offer.for_institution, offer.rate, *people)
            self._row(
                "quote", (*origin, *figures_columns(offer.figures), offer.expires_at, offer.used_by, offer.cancelled)
            )
        for made in self._conversions.values():
            self._row("conversion status", (made.id, made.status.value, book.batch, made.completed_at))
        for exchange in self._exchanges.values():
            order = None if exchange.order is None else exchange.order.reference
            taken = (exchange.in_doubt, exchange.taken, exchange.partner_taken, exchange.window)
            details = None if exchange.details is None else msgspec.json.encode(exchange.details).decode()
            standing = (exchange.id, exchange.state.value, order, *taken, exchange.refusal, details)
            self._row("exchange", (*standing, book.batch))
        for one in self._breaks.values():
            figures = msgspec.json.encode(one.figures).decode()
            standing_now = (one.figures.type.value, figures, one.status.value, one.owner, one.proposal)
            if batch_of(one.id) != book.batch:
                self._row("break standing", (one.id, *standing_now))
                continue
            found = (one.id, one.run, one.currency, one.day, one.scale, one.reference)
            self._row("reconciliation_break", (*found, *standing_now))
        for disputed in self._disputes.values():
            outcome = disputed.outcome and disputed.outcome.value
            stands = (disputed.status.value, outcome, disputed.proposal, disputed.corrected)
            if batch_of(disputed.id) != book.batch:
                self._row("dispute standing", (disputed.id, *stands))
                continue
            line = disputed.line
            between = (line.window, line.movement, line.leg, line.payer, line.payee)
            said = (line.currency, line.amount, int(line.purpose), disputed.reason.value, disputed.expected)
            self._row("dispute", (disputed.id, disputed.credential, disputed.institution, *between, *said, *stands))
        for window in self._windows.values():
            times = (window.closed_at, window.settled_at, window.closed_in, window.due_at)
            if batch_of(window.id) == book.batch:
                opened = (window.id, window.model, window.number, window.opened_at)
                rest = (*times, window.levels, window.together, window.ordinal)
                self._row("settlement_window", (*opened, window.status.value, book.batch, *rest))
                continue
            self._row("window status", (window.id, window.status.value, *times, book.batch))
        for (rate, bonus, customer), used in self._bonus_uses.items():
            self._row("bonus_use", (rate, bonus, customer, used))
        for use in self._limit_uses:
            self._row("limit_use", (*use, book.limit_used[use]))
        for key, position in self._positions.items():
            sums = (position.debits, position.credits, position.subtree, position.apart, position.gross)
            self._row("position", (*key, *sums))

    def _gather(self) -> None:
        """Gather rows that few later commands will change. Accounts of institutions are not among them: nearly every
        command does. Neither are new accounts, and lots that may be new: they are inserted once."""
        for account in list(self._accounts.values()):
            if account.kind == AccountKind.CUSTOMER and account.id not in self._new_accounts:
                self._row("account counters", (account.id, *_counters(self._accounts.pop(account.id))))
        for lot in list(self._lots.values()):
            if lot.known:
                self._lot(self._lots.pop(lot.key))
                lot.known = lot.amount > 0  # its row is gone: if points come back to it, they are all of it

    def _lot(self, lot: Lot) -> None:
        if not lot.known:
            if lot.amount or lot.held:
                self._row("lot", (*lot.key, lot.earned_at, lot.id, lot.amount, lot.held))
        elif lot.amount:
            self._row("lot change", (*lot.key, lot.earned_at, lot.amount, lot.held))
        else:
            self._row("lot end", lot.key)

    def closing(self, head: Head) -> Closing | None:
        """The journal's entry over all rows, once they are final. A batch that appends nothing (only replays) is no
        entry: None."""
        if not self.rows:
            return None
        content = journal.content_of(self._hashed_rows())
        return Closing(
            content,
            journal.hash_of(head.hash, self.book.batch, self.book.at, content),
            sum(len(rows) for rows in self.rows.values()),
            head.configuration_version if self.version is None else self.version,
        )

    async def save(self, driver: Any, head: Head) -> bytes | None:
        """Write the batch and its journal entry in the open transaction that holds ``head``'s lock; answers the entry's
        hash; None if there is nothing to write."""
        self.finish()
        async with beside(self.write_ahead(driver)) if self._is_long() else nullcontext():
            entry = self.closing(head)
        if entry is None:
            return None
        tables, arrays = self._unwritten()
        await driver.execute(
            closing_statement(tables),
            self.book.batch,
            self.book.at,
            head.hash,
            entry.content,
            entry.hash,
            entry.rows,
            entry.configuration_version,
            str(self.book.batch),
            *arrays,
        )
        return entry.hash

    async def write_ahead(self, driver: Any) -> None:
        """Write the rows that there are, and what customers' accounts and lots have come to so far; what later commands
        change is written again by then or by ``save``."""
        self._gather()
        tables, arrays = self._unwritten()
        if tables:
            await driver.execute(statement(tables), *arrays)

    def _unwritten(self) -> tuple[Tables, list[object]]:
        """The tables and columns that have rows to write, and these rows as parameters; from now on they count as
        written."""
        found: list[tuple[str, tuple[str, ...]]] = []
        arrays: list[object] = []
        for name, write in WRITES.items():
            rows = self.rows.get(name, [])[self._written.get(name, 0) :]
            if rows:
                self._written[name] = len(self.rows[name])
                parameters = write.parameters(rows)
                found.append((name, tuple(parameters)))
                arrays.extend(parameters.values())
        return tuple(found), arrays

    def _hashed_rows(self) -> dict[str, list[Row]]:
        """The batch's rows as an auditor will read them back: hashed columns only, in the order of the tables."""
        hashed: dict[str, list[Row]] = {}
        for part in journal.HASHED:
            found = self.rows.get(part.table.name)
            if found is None:
                continue
            width = len(part.columns)
            hashed[part.table.name] = found if len(found[0]) == width else [row[:width] for row in found]
        for name in (
            *("account", "hold", "clearing", "relocation", "quote", "conversion", "reconciliation_break"),
            *("settlement_window", "dispute"),
        ):
            if name in hashed:
                hashed[name].sort(key=lambda row: row[0])
        if "window_net" in hashed:
            hashed["window_net"] = sorted(hashed["window_net"], key=lambda row: (row[0], row[2], row[1]))
        return hashed


def _came_to(run: Relocation) -> Row:
    counts = (run.customers, run.ours, run.theirs, run.differing, run.more, run.less)
    ends = (run.digest, run.accepted_by, run.accepted, run.moved, run.ended_at)
    return (run.status.value, run.approved_by, run.round, run.reached, *counts, *ends)


def _counters(account: Account) -> tuple[int, ...]:
    pending = (account.pending_debits, account.pending_credits)
    return account.debits, account.credits, *pending, account.aged, account.marks
