"""Store: what a batch appended and changed, gathered as its commands are decided; written with one statement, of a long
batch ahead with a few more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.channels import Channel
from hub.configuration import Noun, change
from hub.ids import batch_of
from hub.ledger import journal
from hub.ledger.appended import appended
from hub.ledger.applying import apply
from hub.ledger.beside import beside
from hub.ledger.book import Book, PairKey, PositionKey
from hub.ledger.commands import Command, Keyed
from hub.ledger.decide import Outcome
from hub.ledger.draft import Draft
from hub.ledger.journal import Head, Row
from hub.ledger.lots import Lot, LotKey
from hub.ledger.records import (
    Account,
    AccountKind,
    Conversion,
    Customer,
    Leg,
    Movement,
    PairPosition,
    Phase,
)
from hub.ledger.rows import figures_columns
from hub.ledger.standing import Standing, row_of, standing
from hub.ledger.writes import ANNOUNCED, WRITES, Tables, closing_statement, statement
from hub.limits import UseKey

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
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._accounts: dict[int, Account] = {}
        self._new_accounts: dict[int, Account] = {}
        self._lots: dict[LotKey, Lot] = {}
        self._customer_marks: dict[int, int] = {}
        self._conversions: dict[int, Conversion] = {}  # those that are written and have changed
        self._conversion_places: dict[int, int] = {}  # of this batch's, among its rows
        self._standing: dict[tuple[type[Standing], int], Standing] = {}
        self._bonus_uses: dict[tuple[int, int, int], int] = {}
        self._limit_uses: set[UseKey] = set()
        self._positions: dict[PositionKey, None] = {}  # those that change, in their order
        self._pairs: dict[PairKey, PairPosition] = {}
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
            self.rows["memo"].extend(draft.memos)
        if draft.records:
            self.rows["issue_record"].extend(draft.records)
        self._positions.update(dict.fromkeys((*draft.positions, *draft.aparts)))
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
        for name, row in appended(draft):
            self._row(name, row)
        for noun in standing(draft):
            self._standing[type(noun), noun.id] = noun
        for account in draft.marks:
            self._accounts[account.id] = account
        self._customer_marks.update(draft.customer_marks)
        for both in draft.pairs:
            self._pairs[both] = self.book.pairs[both]
        if draft.nouns:
            self._nouns(draft.nouns, actor)

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

    def _row(self, name: str, row: Row) -> None:
        self.rows[name].append(row)

    def _customers(self, enrolled: Iterable[Customer]) -> None:
        for customer in enrolled:
            self._row("customer", (customer.id, customer.institution))
            self._row("customer_reference", (customer.id, customer.institution, customer.reference))

    def _legs(self, posted: list[tuple[int, int, Leg, int, int]]) -> None:
        legs = self.rows["leg"]
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
        entries = self.rows["lot_entry"]
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
        for made in self._conversions.values():
            self._row("conversion status", (made.id, made.status.value, book.batch, made.completed_at))
        for noun in self._standing.values():
            self._row(*row_of(noun, book.batch))
        for (rate, bonus, customer), used in self._bonus_uses.items():
            self._row("bonus_use", (rate, bonus, customer, used))
        for use in self._limit_uses:
            self._row("limit_use", (*use, book.limit_used[use]))
        for key in self._positions:
            position = book.positions[key]
            sums = (position.debits, position.credits, position.subtree, position.apart, position.gross)
            self._row("position", (*key, *sums))
        for both, pair in self._pairs.items():
            self._row("pair_position", (*both, pair.debits, pair.credits))

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

    def channels(self) -> Iterator[Channel]:
        """Where the batch is announced with its commit."""
        yield Channel.BATCHES
        yield from (channel for channel, names in ANNOUNCED.items() if not names.isdisjoint(self.rows))

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
            list(self.channels()),
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
            *("settlement_window", "dispute", "prepaid_block"),
        ):
            if name in hashed:
                hashed[name].sort(key=lambda row: row[0])
        if "window_net" in hashed:
            hashed["window_net"] = sorted(hashed["window_net"], key=lambda row: (row[0], row[2], row[1]))
        return hashed


def _counters(account: Account) -> tuple[int, ...]:
    pending = (account.pending_debits, account.pending_credits)
    return account.debits, account.credits, *pending, account.aged, account.marks
