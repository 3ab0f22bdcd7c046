"""The book: what one batch sees of the hub, and drafts: what one command would change in it.

``decide`` reads the book and writes only into its draft; a draft that ends in a refusal is dropped, so a refused
command changes nothing by construction. ``Book.apply`` takes a good draft in, so that the next command of the batch
sees it. Plain data: no clock, no database, no I/O.
"""

from collections.abc import Iterable
from datetime import datetime

from hub import ids
from hub.configuration import Configuration, Noun, with_changes
from hub.errors import CustomerClosed, InvalidAmount, LimitExceeded
from hub.institutions import Status, settlement_path, status_of
from hub.ledger.lots import MAIN, Lot, LotKey, part_of, take, total
from hub.ledger.orders import Deal, Evidence, EvidenceKind, Exchange, PlacedOrder
from hub.ledger.orders import Step as ExchangeStep
from hub.ledger.records import (
    Account,
    AccountKind,
    Binding,
    Cancellation,
    Clearing,
    Confirmation,
    Conversion,
    Customer,
    Hold,
    Identifier,
    Lapsed,
    Leg,
    Link,
    Mark,
    Membership,
    Missing,
    Movement,
    Net,
    Phase,
    Piece,
    Pool,
    Position,
    Profile,
    Purpose,
    Quote,
    Restriction,
    Window,
    WindowStatus,
)
from hub.limits import Clipping, LimitEntry, UseKey
from hub.money import format_millionths
from hub.points import COUNTER_MAX

AccountKey = tuple[int, int, str]  # kind, owner, currency
PositionKey = tuple[int, int, str]  # window, institution, currency
UNPOSTED = 0  # in a window's place: money that is pending, and not in any window yet


class Original:
    """An act that may be reversed: its movement, legs, and how much of it was reversed before. ``counted``: the
    movement that counted it under limits, which is another one than its own if it was accepted first."""

    __slots__ = ("conversion", "counted", "legs", "movement", "reversed")

    def __init__(
        self, movement: Movement, legs: list[Leg], conversion: Conversion | None, already: int, counted: int = 0
    ) -> None:
        self.movement = movement
        self.legs = legs
        self.conversion = conversion
        self.reversed = already
        self.counted = counted or movement.id


class Draft:
    """What a command would change. ``result`` is what it answers."""

    __slots__ = (
        "accounts",
        "bindings",
        "bonus_uses",
        "book",
        "cancellations",
        "clearings",
        "clippings",
        "confirmations",
        "conversions",
        "customer_marks",
        "customers",
        "deals",
        "evidence",
        "exchange_steps",
        "exchanges",
        "holds",
        "identifiers",
        "lapsed",
        "legs",
        "limit_entries",
        "links",
        "lots",
        "marks",
        "memberships",
        "memos",
        "missing",
        "movements",
        "nets",
        "next_id",
        "nouns",
        "orders",
        "owed",
        "pins",
        "pools",
        "positions",
        "profiles",
        "quotes",
        "records",
        "restrictions",
        "result",
        "reversed",
        "spender",
        "windows",
    )

    def __init__(self, book: "Book") -> None:
        self.book = book
        self.next_id = book.next_id
        self.result: object = None
        self.customers: list[Customer] = []
        self.accounts: dict[AccountKey, Account] = {}
        self.movements: list[Movement] = []
        self.legs: list[tuple[int, Leg]] = []
        self.lots: dict[LotKey, Lot] = {}
        self.holds: list[Hold] = []
        self.pins: dict[int, tuple[Piece, ...]] = {}
        self.lapsed: list[Lapsed] = []
        self.clearings: list[Clearing] = []
        self.marks: dict[Account, int] = {}  # of accounts whose marks change
        self.customer_marks: dict[int, int] = {}  # the same, of whole customers
        self.owed: dict[Account, int] = {}  # by customers' accounts, where it changes
        self.missing: list[Missing] = []
        self.restrictions: list[Restriction] = []
        self.records: list[tuple[str, str, int]] = []  # currency, what an issue was made for, the issue
        self.cancellations: list[Cancellation] = []
        self.memos: list[tuple[int, str]] = []
        self.nouns: list[Noun] = []
        self.profiles: list[Profile] = []
        self.pools: list[Pool] = []
        self.memberships: list[Membership] = []
        self.spender: Customer | None = None  # who spends of a pool
        self.quotes: list[Quote] = []
        self.conversions: list[Conversion] = []
        self.exchanges: list[Exchange] = []
        self.deals: list[Deal] = []  # of exchanges that begin
        self.exchange_steps: list[ExchangeStep] = []
        self.orders: list[PlacedOrder] = []
        self.evidence: list[Evidence] = []
        self.bonus_uses: dict[tuple[int, int, int], int] = {}
        self.limit_entries: list[LimitEntry] = []
        self.clippings: list[Clipping] = []
        self.windows: list[Window] = []
        self.nets: list[Net] = []
        self.confirmations: list[Confirmation] = []
        self.positions: dict[PositionKey, int] = {}
        self.identifiers: list[Identifier] = []  # that were never bound before
        self.bindings: list[Binding] = []  # as they are afterwards, made or ended
        self.links: list[Link] = []  # as they are afterwards
        self.reversed: dict[int, int] = {}

    def new_id(self) -> int:
        """The batch's next identifier; a dropped draft's are used again."""
        made = self.next_id
        self.next_id = made + 1
        return made

    def account(self, kind: AccountKind, owner: int, currency: str) -> Account:
        """The account of this kind, owner and currency; a missing one is opened by this draft."""
        key = (int(kind), owner, currency)
        found = self.book.accounts.get(key) or self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = Account(self.new_id(), int(kind), owner, currency)
            if kind is AccountKind.CUSTOMER and owner in self.book.customer_marks:
                found.marks = self.book.customer_marks[owner]
            if kind is AccountKind.CUSTOMER and owner in self.book.pools:
                found.marks |= int(Mark.POOL)
        return found

    def enroll(self, institution: int, reference: str) -> Customer:
        """A new customer."""
        customer = Customer(self.new_id(), institution, reference)
        self.customers.append(customer)
        return customer

    def enrolled(self, institution: int, reference: str) -> Customer | None:
        """The customer that this draft itself enrolls under a reference."""
        for one in self.customers:
            if (one.institution, one.reference) == (institution, reference):
                return one
        return None

    def points(
        self,
        movement: int,
        debit: Account,
        credit: Account,
        amount: int,
        taken: tuple[Piece, ...] = (),
        given: tuple[Piece, ...] = (),
        phase: Phase = Phase.POSTED,
    ) -> None:
        """A leg of points, if there is an amount, out of lots and into lots. What a customer's account is credited with
        repays at once what its owner owes.

        Raises:
            CustomerClosed: the credit's owner has left.
        """
        if not amount or debit is credit:
            return
        self._post(movement, Leg(debit, credit, amount, Purpose.POINTS, None, phase, taken, given))
        if credit.marks and phase is Phase.POSTED:
            # What comes back after its time is gone at once, and repays nothing.
            over = sum(piece.amount for piece in given if piece.expires_at <= self.book.at)
            self._credited(movement, credit, amount - over)

    def _post(self, movement: int, leg: Leg) -> None:
        self.legs.append((movement, leg))
        for piece in leg.taken:
            lot = self._lot(leg.debit, piece)
            if leg.phase is Phase.POSTED:
                lot.amount -= piece.amount
            else:
                lot.held += piece.amount if leg.phase is Phase.PENDING else -piece.amount
        for piece in leg.given:
            lot = self._lot(leg.credit, piece)
            lot.earned_at = min(lot.earned_at, piece.earned_at) if lot.amount else piece.earned_at
            lot.amount += piece.amount

    def _credited(self, movement: int, account: Account, amount: int) -> None:
        marks = self.marks_of(account)
        if marks & Mark.CLOSED:
            raise CustomerClosed
        if marks & Mark.DEBT and (repaid := min(amount, self.owes(account))):
            debt = self.account(AccountKind.DEBT, account.owner, account.currency)
            self._post(movement, Leg(account, debt, repaid, Purpose.POINTS, taken=self.spend(account, repaid)))
            self._owe(account, -repaid)

    def owe(self, movement: int, account: Account, to: Account, amount: int) -> None:
        """A leg out of the debt of a customer's account: its owner owes ``amount`` more."""
        if amount:
            debt = self.account(AccountKind.DEBT, account.owner, account.currency)
            self._post(movement, Leg(debt, to, amount, Purpose.POINTS))
            self._owe(account, amount)

    def forgive(self, movement: int, account: Account, source: Account, amount: int) -> None:
        """A leg into the debt of a customer's account: its owner owes ``amount`` less."""
        if amount:
            debt = self.account(AccountKind.DEBT, account.owner, account.currency)
            self._post(movement, Leg(source, debt, amount, Purpose.POINTS))
            self._owe(account, -amount)

    def owes(self, account: Account) -> int:
        """What the owner of a customer's account owes of its currency, as this draft leaves it."""
        return self.owed[account] if account in self.owed else self.book.debt(account)

    def _owe(self, account: Account, change: int) -> None:
        left = self.owed[account] = self.owes(account) + change
        marks = self.marks_of(account)
        self.mark(account, marks | Mark.DEBT if left else marks & ~Mark.DEBT)

    def marks_of(self, account: Account) -> int:
        """An account's marks, as this draft leaves them."""
        return self.marks.get(account, account.marks)

    def mark(self, account: Account, marks: int) -> None:
        """Give an account these marks."""
        if marks != self.marks_of(account):
            self.marks[account] = int(marks)

    def lots_of(self, account: Account) -> dict[LotKey, Lot]:
        """The account's lots that were loaded or made, as this draft leaves them."""
        mine = {key: lot for key, lot in self.lots.items() if key[0] == account.id}
        return {**self.book.lots.get(account.id, {}), **mine}

    def spend(self, account: Account, amount: int, part: str | None = None) -> tuple[Piece, ...]:
        """The pieces of lots that ``amount`` of a customer's points is spent from, in order; of one part if it is
        named."""
        if not account.aged and not self.lots:
            return ()
        lots = self.lots_of(account).values()
        mine = lots if part is None else [lot for lot in lots if part_of(lot.origin) == part]
        return take(mine, amount, self.book.at)

    def available(self, account: Account, part: str | None) -> int:
        """What may be spent of an account, or of a part of it; then all of its lots are loaded."""
        if part is None:
            return account.available
        lots = self.lots_of(account).values()
        named = [lot for lot in lots if (part_of(lot.origin) != MAIN if part == MAIN else part_of(lot.origin) == part)]
        free = sum(lot.free for lot in named)
        return account.available - free if part == MAIN else free

    def _lot(self, account: Account, piece: Piece) -> Lot:
        """The lot of a piece, to be changed. One that was not loaded may exist: it is written as what is added."""
        key = (account.id, piece.expires_at, piece.origin)
        lot = self.lots.get(key)
        if lot is None:
            found = self.book.lots.get(account.id, {}).get(key)
            if found is None:
                lot = Lot(account.id, piece.expires_at, piece.origin, piece.earned_at, self.new_id(), known=False)
            else:
                lot = found.copy()
            self.lots[key] = lot
        return lot

    def money(self, movement: int, payer: int, payee: int, currency: str, amount: int, purpose: Purpose) -> None:
        """A leg between two institutions' positions in the open window; none when they are one, or for nothing."""
        if not amount or payer == payee:
            return
        window = self.book.open_window.id
        debit = self.account(AccountKind.POSITION, payer, currency)
        credit = self.account(AccountKind.POSITION, payee, currency)
        self.legs.append((movement, Leg(debit, credit, amount, purpose, window)))
        for institution, change in ((payer, -amount), (payee, amount)):
            for node in self.book.path(institution, window):
                key = (window, node, currency)
                self.positions[key] = self.positions.get(key, 0) + change

    def unposted_money(
        self, movement: int, payer: int, payee: int, currency: str, amount: int, purpose: Purpose, phase: Phase, of: int
    ) -> None:
        """A leg between two institutions' positions that is pending, or was, from window ``of`` on; it is in no window
        until it is posted. What the payer's side may come to owe counts under its caps at once, and what the payee's is
        to get does not yet.
        """
        if not amount or payer == payee:
            return
        debit = self.account(AccountKind.POSITION, payer, currency)
        credit = self.account(AccountKind.POSITION, payee, currency)
        self.legs.append((movement, Leg(debit, credit, amount, purpose, None, phase)))
        change = -amount if phase is Phase.PENDING else amount
        above_both = set(self.book.path(payee, of))
        for node in self.book.path(payer, of):
            if node not in above_both:
                key = (UNPOSTED, node, currency)
                self.positions[key] = self.positions.get(key, 0) + change

    def check_caps(self) -> None:
        """Pass if no capped node whose exposure this draft worsens ends above its cap.

        Raises:
            LimitExceeded: with the node, its cap and what its exposure would be.
        """
        book = self.book
        for (window, node, currency), change in self.positions.items():
            cap = book.configuration.caps.get((node, currency))
            if change >= 0 or cap is None or cap.amount is None:
                continue
            exposure = book.exposure(node, currency, {window: change})
            if exposure > cap.amount and exposure > book.exposure(node, currency):
                raise LimitExceeded(
                    institution=book.configuration.institutions[node].code,
                    currency=currency,
                    cap=format_millionths(cap.amount, currency),
                    exposure=format_millionths(exposure, currency),
                )


class Book:
    """One batch's view of everything its commands touch, current under the journal's lock."""

    def __init__(self, batch: int, at: datetime, configuration: Configuration) -> None:
        self.batch = batch
        self.at = at
        self.configuration = configuration
        self.next_id = ids.first_of(batch)
        self.customers: dict[tuple[int, str], Customer] = {}
        self.accounts: dict[AccountKey, Account] = {}
        self.quotes: dict[int, Quote] = {}
        self.open_quotes: dict[int, dict[int, Quote]] = {}
        self.bonus_used: dict[tuple[int, int, int], int] = {}
        self.limit_used: dict[UseKey, int] = {}
        self.limit_entries: dict[int, list[LimitEntry]] = {}  # of acts that may be reversed
        self.originals: dict[int, Original] = {}
        self.conversions: dict[int, Conversion] = {}  # of exchanges
        self.lots: dict[int, dict[LotKey, Lot]] = {}  # by account
        self.lots_beyond: dict[int, int] = {}  # by account: what is free in its lots that were not loaded
        self.holds: dict[int, Hold] = {}
        self.pins: dict[int, tuple[Piece, ...]] = {}  # by hold
        self.lapsed: list[Lapsed] = []  # what time took in this batch
        self.clearings: dict[int, Clearing] = {}
        self.profiles: dict[int, Profile] = {}  # by customer
        self.pools: dict[int, Pool] = {}
        self.members: dict[tuple[int, int], Membership] = {}  # by pool and customer, also of those who have left
        self.people: dict[int, Customer] = {}  # customers whose points or holds are over, or are cleared
        self.customer_marks: dict[int, int] = {}  # of loaded customers that have some as such
        self.restrictions: dict[tuple[int, str], Restriction] = {}  # the last one, by customer and currency
        self.records: dict[tuple[str, str], list[int]] = {}  # issues by currency and record, of records to cancel
        self.windows: dict[int, Window] = {}
        self.settled_windows: dict[int, Window] = {}
        self.positions: dict[PositionKey, Position] = {}
        self.exchanges: dict[int, Exchange] = {}
        self.deals: dict[int, Deal] = {}  # what the exchanges are about
        self.done: dict[str, str | None] = {}  # orders that may be undone, with their partners' own references
        self.proposals: dict[int, Evidence] = {}  # the last one on an exchange's order that is under way
        self.nets: dict[int, list[Net]] = {}
        self.confirmed: set[PositionKey] = set()
        self._open_window: Window | None = None
        self.identifiers: dict[tuple[int, str], Identifier] = {}  # all that were ever bound
        self.bindings: dict[int, Binding] = {}  # the active ones, by identifier
        self.links: dict[int, Link] = {}
        self.links_of: dict[int, dict[int, Link]] = {}  # by customer
        self._paths: dict[tuple[int, int], list[int]] = {}
        self._statuses: dict[int, Status] = {}

    def new_id(self) -> int:
        """The batch's next identifier, for rows that no draft numbers."""
        made = self.next_id
        self.next_id = made + 1
        return made

    @property
    def open_window(self) -> Window:
        """The window that money falls into."""
        if self._open_window is None:
            self._open_window = next(one for one in self.windows.values() if one.status is WindowStatus.OPEN)
        return self._open_window

    def path(self, institution: int, window: int) -> list[int]:
        """The institution and all above it, as they stand for a window's money."""
        key = (institution, window)
        found = self._paths.get(key)
        if found is None:
            number = (self.windows.get(window) or self.settled_windows[window]).number
            found = self._paths[key] = settlement_path(self.configuration.institutions, institution, number)
        return found

    def status(self, institution: int) -> Status:
        """The institution's status, or a worse one of those above it."""
        found = self._statuses.get(institution)
        if found is None:
            found = self._statuses[institution] = status_of(self.configuration.institutions, institution)
        return found

    def debt(self, account: Account) -> int:
        """What the owner of a customer's account owes of its currency."""
        found = self.accounts.get((AccountKind.DEBT, account.owner, account.currency))
        return 0 if found is None else -found.balance

    def exposure(self, node: int, currency: str, changes: dict[int, int] | None = None) -> int:
        """What a node's subtree owes, in millionths: of the open window, of each closed one that is not settled, and
        what is pending.

        What it is owed from one window does not lessen what it owes from another, because only a confirmed payment
        frees a closed net.
        """
        owed = 0
        for window in (*self.windows, UNPOSTED):
            position = self.positions.get((window, node, currency))
            balance = (position.subtree if position else 0) + ((changes or {}).get(window, 0))
            owed += max(0, -balance)
        return owed

    def reserved(self, customer: int, rate: int, bonus: int) -> int:
        """Source units under a bonus' cap that the customer's open quotes reserve."""
        return sum(
            quote.figures.eligible[bonus]
            for quote in self.open_quotes.get(customer, {}).values()
            if quote.rate == rate and quote.expires_at > self.at
        )

    def apply(self, draft: Draft) -> list[tuple[int, int, Leg, int, int]]:
        """Take a draft in; answers its legs with the balances after: (movement, n, leg, debit after, credit after).

        Raises:
            InvalidAmount: a counter would be larger than the database carries; nothing was taken in.
        """
        _check_counters(draft.legs)
        for key, change in draft.positions.items():
            position = self.positions.get(key)
            if position is not None and abs(position.subtree + change) > COUNTER_MAX:
                raise InvalidAmount(amount=abs(change))
        self.next_id = draft.next_id
        if draft.customers:
            self.customers.update(
                ((customer.institution, customer.reference or ""), customer) for customer in draft.customers
            )
        if draft.accounts:
            self.accounts.update(draft.accounts)
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
            posted.append((movement, n, leg, debit.balance, credit.balance))
            if leg.window is not None and leg.purpose <= Purpose.FEE:
                self._position((leg.window, debit.owner, debit.currency)).debits += leg.amount
                self._position((leg.window, credit.owner, credit.currency)).credits += leg.amount
        for key, change in draft.positions.items():
            self._position(key).subtree += change
        for lot in draft.lots.values():
            self.lots.setdefault(lot.account, {})[lot.key] = lot
        for hold in draft.holds:
            self.holds[hold.id] = hold
        self.pins.update(draft.pins)
        self.lapsed.extend(draft.lapsed)
        for clearing in draft.clearings:
            self.clearings[clearing.id] = clearing
        if draft.profiles:
            self.profiles.update((profile.customer, profile) for profile in draft.profiles)
        if draft.memberships:
            self.pools.update((pool.id, pool) for pool in draft.pools)
            self.members.update(((one.pool, one.member), one) for one in draft.memberships)
        self._take_offers(draft)
        if draft.exchanges or draft.evidence:
            self._take_exchanges(draft)
        for entry in draft.limit_entries:
            self.limit_used[entry.key] = self.limit_used.get(entry.key, 0) + entry.amount
        if draft.windows:
            self.windows.update((window.id, window) for window in draft.windows)
            self._open_window = None
        for net in draft.nets:
            self.nets.setdefault(net.window, []).append(net)
        self.confirmed.update((row.window, row.institution, row.currency) for row in draft.confirmations)
        for binding in draft.bindings:
            self.take_binding(binding)
        for link in draft.links:
            self.take_link(link)
        for original, amount in draft.reversed.items():
            self.originals[original].reversed = amount
        if draft.marks or draft.customer_marks or draft.records:
            self._take_marks(draft)
        if draft.nouns:
            self.configuration = with_changes(self.configuration, self.configuration.version, draft.nouns)
            self._paths.clear()
            self._statuses.clear()
        return posted

    def take_binding(self, binding: Binding) -> None:
        """Know an identifier, and while it is bound its owner as the customer of this name."""
        of = binding.identifier
        name = (of.institution, of.text or "")
        self.identifiers[name] = of
        if binding.ended is None:
            self.bindings[of.id] = binding
            self.customers[name] = binding.customer
        elif self.bindings.pop(of.id, None) is not None:
            del self.customers[name]

    def take_link(self, link: Link) -> None:
        """Know a link as it is now."""
        self.links[link.id] = link
        for customer in (link.a, link.b):
            self.links_of.setdefault(customer.id, {})[link.id] = link

    def _take_marks(self, draft: Draft) -> None:
        for account, marks in draft.marks.items():
            account.marks = marks
        self.customer_marks.update(draft.customer_marks)
        for made in draft.restrictions:
            self.restrictions[made.customer.id, made.currency] = made
        if self.records:
            moved = {one.id: one for one in draft.movements}
            for currency, record, issue in draft.records:
                if (found := self.records.get((currency, record))) is not None:
                    found.append(issue)
                    legs = [leg for movement, leg in draft.legs if movement == issue]
                    self.originals[issue] = Original(moved[issue], legs, None, 0)

    def _take_offers(self, draft: Draft) -> None:
        for quote in draft.quotes:
            self.quotes[quote.id] = quote
            open_ones = self.open_quotes.setdefault(quote.source.id, {})
            if quote.used_by is None and not quote.cancelled:
                open_ones[quote.id] = quote
            else:
                open_ones.pop(quote.id, None)
        self.bonus_used.update(draft.bonus_uses)
        for conversion in draft.conversions:
            original = self.originals.get(conversion.id)
            if original is not None:
                original.conversion = conversion

    def is_being_reversed(self, act: int) -> bool:
        """Whether partners are asked to take back an act, or a part of it."""
        reversals = [one.id for one in self.deals.values() if one.reverses == act]
        return any(self.exchanges[one].is_under_way for one in reversals)

    def _take_exchanges(self, draft: Draft) -> None:
        for exchange in draft.exchanges:
            before = self.exchanges.get(exchange.id)
            if before is not None and before.order != exchange.order:
                self.proposals.pop(exchange.id, None)
            self.exchanges[exchange.id] = exchange
        self.deals.update((one.id, one) for one in draft.deals)
        self.conversions.update((one.id, one) for one in draft.conversions)
        for said in draft.evidence:
            if said.kind is EvidenceKind.PROPOSAL:
                self.proposals[said.exchange] = said

    def _position(self, key: PositionKey) -> Position:
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position()
        return position


def _check_counters(legs: list[tuple[int, Leg]]) -> None:
    """Pass if no counter passes COUNTER_MAX, with all legs on it together.

    Raises:
        InvalidAmount: one does.
    """
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


def live_windows(windows: Iterable[Window]) -> list[Window]:
    """Windows that are not settled, in the order of their numbers."""
    return sorted((w for w in windows if w.status is not WindowStatus.SETTLED), key=lambda w: w.number)
