"""Drafts: what one command would change in the book.

``decide`` reads the book and writes only into its draft; a draft that ends in a refusal is dropped, so a refused
command changes nothing by construction. A good draft is taken into the book (``hub.ledger.applying``), so that the next
command of the batch sees it. Plain data, as the book is.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from hub.acceptance.disputes import Dispute, DisputeStep
from hub.acceptance.reports import Acceptance
from hub.books.banking import BankBalance, BankFile
from hub.configuration import Configuration, Noun
from hub.cover import CoverEntry
from hub.defaults import Default, DefaultStep
from hub.errors import CustomerClosed, LimitExceeded
from hub.ledger.apart import owed_by, settles_apart
from hub.ledger.book import UNPOSTED, AccountKey, Book, PairKey, PositionKey
from hub.ledger.lots import MAIN, Lot, LotKey, part_of, take
from hub.ledger.opening import OpeningBalance, Relocation, RelocationStep
from hub.ledger.orders import Deal, Evidence, Exchange, PlacedOrder
from hub.ledger.orders import Step as ExchangeStep
from hub.ledger.records import (
    Account,
    AccountKind,
    Basket,
    Billing,
    Binding,
    Cancellation,
    Clearing,
    Confirmation,
    ConfirmationFile,
    Conversion,
    Customer,
    FeeShare,
    Hold,
    Identifier,
    InternalAccount,
    Invoice,
    Label,
    Lapsed,
    Leg,
    Link,
    Mark,
    Membership,
    Missing,
    Movement,
    Net,
    NetExchange,
    Obligation,
    ObligationPayment,
    Phase,
    Piece,
    Pool,
    Profile,
    Purpose,
    Quote,
    Restriction,
    Window,
)
from hub.limits import Clipping, LimitEntry
from hub.models import ModelKind
from hub.money import format_millionths
from hub.prepaid import Block, Draw, Notice
from hub.prepaid import Step as BlockStep
from hub.reconciliation.breaks import Break, BreakStep, Run

_T = TypeVar("_T")


class Payable(NamedTuple):
    """What an act makes one participant owe another, in a window in which each act is paid at once."""

    movement: int
    window: int
    debtor: int
    creditor: int
    currency: str
    amount: int


class _Rarely(Generic[_T]):
    """A field of a draft that few commands have: made when it is first asked for."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make

    def __set_name__(self, _owner: type["Draft"], name: str) -> None:
        self._name = name

    def __get__(self, draft: "Draft", _owner: type["Draft"]) -> _T:
        made = draft.__dict__[self._name] = self._make()  # found before this descriptor from now on
        return made


class Draft:
    """What a command would change. ``result`` is what it answers."""

    holds = _Rarely(list[Hold])
    pins = _Rarely(dict[int, tuple[Piece, ...]])
    lapsed = _Rarely(list[Lapsed])
    fee_shares = _Rarely(list[FeeShare])
    billings = _Rarely(list[Billing])
    invoices = _Rarely(list[Invoice])
    clearings = _Rarely(list[Clearing])
    marks = _Rarely(dict[Account, int])  # of accounts whose marks change
    customer_marks = _Rarely(dict[int, int])  # the same, of whole customers
    owed = _Rarely(dict[Account, int])  # by customers' accounts, where it changes
    missing = _Rarely(list[Missing])
    restrictions = _Rarely(list[Restriction])
    cancellations = _Rarely(list[Cancellation])
    baskets = _Rarely(list[Basket])
    nouns = _Rarely(list[Noun])
    profiles = _Rarely(list[Profile])
    pools = _Rarely(list[Pool])
    memberships = _Rarely(list[Membership])
    spender: Customer | None = None  # who spends of a pool
    promised = False  # whether it posts what was promised before, and so is refused for nobody's liquidity
    quotes = _Rarely(list[Quote])
    exchanges = _Rarely(list[Exchange])
    deals = _Rarely(list[Deal])  # of exchanges that begin
    exchange_steps = _Rarely(list[ExchangeStep])
    orders = _Rarely(list[PlacedOrder])
    evidence = _Rarely(list[Evidence])
    clippings = _Rarely(list[Clipping])
    labels = _Rarely(list[Label])
    windows = _Rarely(list[Window])
    nets = _Rarely(list[Net])
    net_exchanges = _Rarely(list[NetExchange])
    payable = _Rarely(list[Payable])  # at once
    pairs = _Rarely(dict[PairKey, tuple[int, int]])  # what is added to debits and credits
    obligations = _Rarely(list[Obligation])
    obligation_payments = _Rarely(list[ObligationPayment])
    internals = _Rarely(dict[tuple[int, int], InternalAccount])  # that a closing opens
    confirmations = _Rarely(list[Confirmation])
    confirmation_files = _Rarely(list[ConfirmationFile])
    identifiers = _Rarely(list[Identifier])  # that were never bound before
    bindings = _Rarely(list[Binding])  # as they are afterwards, made or ended
    links = _Rarely(list[Link])  # as they are afterwards
    reversed = _Rarely(dict[int, int])
    relocations = _Rarely(list[Relocation])
    relocation_steps = _Rarely(list[RelocationStep])
    opening = _Rarely(list[OpeningBalance])
    runs = _Rarely(list[Run])
    breaks = _Rarely(list[Break])  # as they are afterwards
    break_steps = _Rarely(list[BreakStep])
    acceptances = _Rarely(list[Acceptance])
    disputes = _Rarely(list[Dispute])  # as they are afterwards
    dispute_steps = _Rarely(list[DisputeStep])
    defaults = _Rarely(list[Default])  # as they are afterwards
    default_steps = _Rarely(list[DefaultStep])
    cover_entries = _Rarely(list[CoverEntry])  # as they are afterwards
    blocks = _Rarely(dict[int, Block])  # as they are afterwards
    block_steps = _Rarely(list[BlockStep])
    draws = _Rarely(list[Draw])
    bank_files = _Rarely(list[BankFile])
    bank_balances = _Rarely(list[BankBalance])
    prepaid_notices = _Rarely(list[Notice])

    def __init__(self, book: Book) -> None:
        self.book = book
        self.next_id = book.next_id
        self.result: object = None
        self.customers: list[Customer] = []
        self.accounts: dict[AccountKey, Account] = {}
        self.movements: list[Movement] = []
        self.legs: list[tuple[int, Leg]] = []
        self.lots: dict[LotKey, Lot] = {}
        self.records: list[tuple[str, str, int]] = []  # currency, what an issue was made for, the issue
        self.memos: list[tuple[int, str]] = []
        self.conversions: list[Conversion] = []
        self.bonus_uses: dict[tuple[int, int, int], int] = {}
        self.limit_entries: list[LimitEntry] = []
        self.positions: dict[PositionKey, int] = {}
        self.aparts: dict[PositionKey, tuple[int, int]] = {}  # what settles apart below, and what of it is owed

    @property
    def is_plain(self) -> bool:
        """Whether nobody asked for anything that few commands have."""
        return len(self.__dict__) == _PLAIN

    @property
    def is_payable(self) -> bool:
        """Whether somebody has to pay at once."""
        return "payable" in self.__dict__

    def new_id(self) -> int:
        """The batch's next identifier; a dropped draft's are used again."""
        made = self.next_id
        self.next_id = made + 1
        return made

    def account(self, kind: AccountKind, owner: int, currency: str) -> Account:
        """The account of this kind, owner and currency; a missing one is opened by this draft."""
        key = (kind, owner, currency)
        found = self.book.accounts.get(key) or self.accounts.get(key)
        if found is None:
            found = self.accounts[int(kind), owner, currency] = Account(self.new_id(), int(kind), owner, currency)
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
        """A leg between two institutions' positions in an open window; none when they are one, or for nothing. The
        first of a movement says of which model, and all others follow it."""
        if not amount or payer == payee:
            return
        book = self.book
        modelled = book.configuration.models
        window = self._window(movement, payer, payee, currency) if modelled else book.open_window.id
        debit = self.account(AccountKind.POSITION, payer, currency)
        credit = self.account(AccountKind.POSITION, payee, currency)
        self.legs.append((movement, Leg(debit, credit, amount, purpose, window)))
        for institution, change in ((payer, -amount), (payee, amount)):
            self.count_money(window, institution, currency, change)
        if modelled and book.in_pairs(book.windows[window]):
            self.count_pair(window, payer, payee, currency, amount, movement)

    def _window(self, movement: int, payer: int, payee: int, currency: str) -> int:
        others = (leg.window for of, leg in self.legs if of == movement and leg.window is not None)
        return next(others, None) or self.book.window_for(payer, payee, currency, promised=self.promised).id

    def count_money(self, window: int, institution: int, currency: str, change: int) -> None:
        """Carry a change of what the hub owes an institution of a window up to all above it; where each act is paid at
        once, to those below who pays it."""
        book = self.book
        path = book.path(institution, window)
        if book.configuration.models and self._is_gross(window):
            path = path[: path.index(book.participant(institution, window))]
            self.positions.setdefault((window, institution, currency), 0)  # its debits and credits are written
        for node in path:
            key = (window, node, currency)
            self.positions[key] = self.positions.get(key, 0) + change
        place = settles_apart(book.configuration, path, book.ordinal(window)) if book.configuration.apart else None
        if place is not None and not (window in book.windows and book.in_pairs(book.windows[window])):
            key = (window, path[place], currency)
            known, drafted = book.positions.get(key), self.aparts.get(key, (0, 0))
            after = self.positions[key] - drafted[0] + (known.subtree - known.apart if known else 0)
            self._count_apart(window, path[place + 1 : -1], currency, change, owed_by(after) - owed_by(after - change))

    def _is_gross(self, window: int) -> bool:
        of = self.book.windows.get(window)
        return of is not None and self.book.kind(of) is ModelKind.IMMEDIATE_GROSS

    def count_pair(self, window: int, payer: int, payee: int, currency: str, amount: int, movement: int) -> None:
        """Count what an act makes somebody owe, in a window that is counted in pairs, between the participants above
        the two; within one of them it is nothing that is settled. Where each act is paid at once it is nobody's
        exposure."""
        debtor, creditor = self.book.participant(payer, window), self.book.participant(payee, window)
        if debtor == creditor:
            return
        first, second = sorted((debtor, creditor))
        key = (window, first, second, currency)
        known, (debits, credits) = self.book.pairs.get(key), self.pairs.get(key, (0, 0))
        before = credits - debits + (known.credits - known.debits if known else 0)
        self.pairs[key] = (debits + amount, credits) if debtor == first else (debits, credits + amount)
        if self._is_gross(window):
            self.payable.append(Payable(movement, window, debtor, creditor, currency, amount))
        else:
            self.count_owed(window, key, before, before - amount if debtor == first else before + amount)

    def count_owed(self, window: int, pair: PairKey, before: int, after: int) -> None:
        """Carry a change of what the second of a pair owes the first up to all above both. Each owes what it owes its
        counterparties one by one: what others owe it helps none of them."""
        _, first, second, currency = pair
        for node, was, now in ((first, before, after), (second, -before, -after)):
            above = self.book.path(node, window)[:-1]
            self._count_apart(window, above, currency, now - was, owed_by(now) - owed_by(was))

    def _count_apart(self, window: int, above: Iterable[int], currency: str, change: int, owed: int) -> None:
        for node in above:
            key = (window, node, currency)
            apart, gross = self.aparts.get(key, (0, 0))
            self.aparts[key] = (apart + change, gross + owed)

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
        self.count_unposted(payer, currency, change, of, frozenset(self.book.path(payee, of)))

    def count_unposted(
        self, institution: int, currency: str, change: int, of: int, beside: frozenset[int] = frozenset()
    ) -> None:
        """Carry a change of what an institution owes outside of all windows, or may come to, up to all above it by its
        path of window ``of``, but not to those ``beside``."""
        path = self.book.path(institution, of)
        for node in path:
            if node not in beside:
                key = (UNPOSTED, node, currency)
                self.positions[key] = self.positions.get(key, 0) + change
        configuration = self.book.configuration
        place = settles_apart(configuration, path, self.book.ordinal(of)) if configuration.apart else None
        if place is not None and path[place] not in beside:
            self._count_apart(UNPOSTED, path[place + 1 : -1], currency, change, -change)

    def worsened(self, bounded: Container[tuple[int, str]]) -> Iterator[tuple[int, str, int]]:
        """Of the nodes and currencies that are bounded, those whose exposure this draft may worsen, with what it comes
        to in a window."""
        for key in {**self.positions, **self.aparts} if self.aparts else self.positions:
            window, node, currency = key
            change, apart = self.positions.get(key, 0), self.aparts.get(key)
            if (change < 0 or apart is not None) and (node, currency) in bounded:
                yield node, currency, self.book.exposure(node, currency, {window: change}, {window: apart or (0, 0)})

    def check_caps(self) -> None:
        """Pass if no capped node whose exposure this draft worsens ends above its cap.

        Raises:
            LimitExceeded: with the node, its cap and what its exposure would be.
        """
        book = self.book
        caps = book.configuration.caps
        for node, currency, exposure in self.worsened(caps) if caps else ():
            cap = caps[node, currency]
            if cap.amount is not None and exposure > cap.amount and exposure > book.exposure(node, currency):
                raise LimitExceeded(
                    institution=book.configuration.institutions[node].code,
                    currency=currency,
                    cap=format_millionths(cap.amount, currency),
                    exposure=format_millionths(exposure, currency),
                )


_PLAIN = len(vars(Draft(Book(0, datetime.min, Configuration()))))  # fields that every draft has
