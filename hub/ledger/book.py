"""The book: what one batch sees of the hub, as the commands that were decided before have left it.

It holds what was loaded under the journal's lock, and is changed by what is taken into it (``hub.ledger.applying``)
alone. Plain data: no clock, no database, no I/O.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Any

from hub import ids
from hub.acceptance.disputes import Dispute, DisputeStep, ReportLine
from hub.acceptance.reports import Acceptance
from hub.acceptance_terms import AcceptanceTerms
from hub.books.banking import BankFile
from hub.configuration import Configuration, Noun, with_changes
from hub.cover import CoverEntry
from hub.currencies import PointCurrency, halts
from hub.defaults import Default
from hub.institutions import Status, member_of, settlement_path, status_of
from hub.ledger.apart import owed_by, settles_apart
from hub.ledger.lots import Lot, LotKey
from hub.ledger.opening import OpeningBalance, Relocation
from hub.ledger.orders import Deal, Evidence, Exchange, Payment
from hub.ledger.records import (
    Account,
    AccountKind,
    Binding,
    Clearing,
    ConfirmationFile,
    Conversion,
    Customer,
    FeeShare,
    Hold,
    Identifier,
    InternalAccount,
    Invoice,
    Lapsed,
    Leg,
    Link,
    Membership,
    Movement,
    Net,
    Obligation,
    PairPosition,
    Piece,
    Pool,
    Position,
    Profile,
    Quote,
    Restriction,
    Window,
    WindowStatus,
)
from hub.limits import LimitEntry, UseKey
from hub.models import DEFAULT_MODEL, IN_PAIRS, ModelKind, kind_of, takes, taking
from hub.prepaid import Block, Draw, Notice
from hub.prepaid import Step as BlockStep
from hub.reconciliation.breaks import Break, BreakStep, Run
from hub.shares import Act as FeeAct
from hub.shares import SharePlan

AccountKey = tuple[int, int, str]  # kind, owner, currency
PositionKey = tuple[int, int, str]  # window, institution, currency
PairKey = tuple[int, int, int, str]  # window, two participants in the order of their identifiers, currency
PlanKey = tuple[int, int, FeeAct, tuple[int, int | None], str]  # who acts, window, act, pair, money
UNPOSTED = 0  # in a window's place: money that is in none: pending, or declared unpaid


class Original:
    """An act that may be reversed: its movement, legs, and how much of it was reversed before. ``counted``: the
    movement that counted it under limits, which is another one than its own if it was accepted first; ``shares``: what
    a plan made of its fee; ``draws``: out of which prepaid blocks it was drawn."""

    __slots__ = ("conversion", "counted", "draws", "legs", "movement", "reversed", "shares")

    def __init__(
        self,
        movement: Movement,
        legs: list[Leg],
        conversion: Conversion | None,
        already: int,
        counted: int = 0,
        shares: tuple[FeeShare, ...] = (),
        draws: tuple[Draw, ...] = (),
    ) -> None:
        self.movement = movement
        self.legs = legs
        self.conversion = conversion
        self.reversed = already
        self.counted = counted or movement.id
        self.shares = shares
        self.draws = draws


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
        self.relocations: dict[int, Relocation] = {}
        self.opening: dict[int, OpeningBalance] = {}  # by customer, of those who are relocated now
        self.holders: dict[int, Customer] = {}  # by identifier, whose balances are recorded or relocated now
        self.opening_totals: dict[str, tuple[int, int]] = {}  # customers with points of a currency, and these
        self.waits: dict[str, dict[str, int]] = {}  # by currency, what is under way, as it was when the batch began
        self.runs: dict[tuple[str, str], Run] = {}  # the last one, by currency and day
        self.breaks: dict[int, Break] = {}
        self.break_proposals: dict[int, BreakStep] = {}  # the last one, by break
        self.disputes: dict[int, Dispute] = {}
        self.dispute_proposals: dict[int, DisputeStep] = {}  # the last one, by dispute
        self.disputed_lines: dict[tuple[int, int], ReportLine] = {}  # by movement and leg, what may be disputed
        self.acceptances: list[Acceptance] = []  # of the reports that the batch speaks of
        self.nets: dict[int, list[Net]] = {}
        self.cover_entries: dict[int, CoverEntry] = {}  # those that are decided on, and those of a bank's reference
        self.defaults: dict[int, Default] = {}  # for what is closed and settled
        self.blocks: dict[int, Block] = {}  # prepaid ones: all that are usable of whoever grants, and those named
        self.block_proposals: dict[int, BlockStep] = {}  # that stand, by block
        self.prepaid_notices: dict[tuple[int, str], Notice] = {}  # the last one, by holder and currency
        self.internals: dict[tuple[int, int], InternalAccount] = {}  # by parent and institution, for a closing
        self.confirmed: set[PositionKey] = set()
        self.pairs: dict[PairKey, PairPosition] = {}  # of windows that are netted in pairs
        self.obligations: dict[int, list[Obligation]] = {}  # by window
        self.paid_obligations: set[int] = set()
        self.invoices: dict[int, Invoice] = {}  # that may be credited
        self.credited: dict[int, int] = {}  # of these, gross, in millionths
        self.invoice_number = 0  # the last one
        self.billed_until: datetime | None = None
        self.confirmation_files: dict[str, ConfirmationFile] = {}  # by digest
        self._open_window: Window | None = None
        self._windows_for: dict[tuple[int, int, str, bool], Window] = {}
        self.bank_files: dict[str, BankFile] = {}  # of statements, by digest
        self.identifiers: dict[tuple[int, str], Identifier] = {}  # all that were ever bound
        self.bindings: dict[int, Binding] = {}  # the active ones, by identifier
        self.links: dict[int, Link] = {}
        self.links_of: dict[int, dict[int, Link]] = {}  # by customer
        self.terms: dict[tuple[int, str, str, str, str], Any] = {}  # of conversions, while the configuration stands
        # By currency and merchant, how it is paid for there, the same: the currency is at its unit value.
        self.acceptance: dict[tuple[int, int], AcceptanceTerms | PointCurrency] = {}
        self.plans: dict[PlanKey, SharePlan | None] = {}  # by which fees are split, while the configuration stands
        self._paths: dict[tuple[int, int], list[int]] = {}
        self._kinds: dict[str, ModelKind] = {}  # by model
        self._obligations_of: dict[int, list[Obligation]] = {}  # by participant, while none are made
        self._statuses: dict[int, Status] = {}
        self._halted: frozenset[str] | None = None

    def new_id(self) -> int:
        """The batch's next identifier, for rows that no draft numbers."""
        made = self.next_id
        self.next_id = made + 1
        return made

    @property
    def open_window(self) -> Window:
        """The window that money falls into which no model takes."""
        if self._open_window is None:
            self._open_window = self.open_of(DEFAULT_MODEL)
        return self._open_window

    def open_of(self, model: str) -> Window:
        """The open window of a model."""
        return next(one for one in self.windows.values() if one.status is WindowStatus.OPEN and one.model == model)

    @property
    def newest_window(self) -> Window:
        """The window that was opened last; it is open, because each model always has one that is."""
        return max(self.windows.values(), key=lambda one: one.ordinal)

    @property
    def first_open(self) -> int:
        """The least ordinal of the open windows: from it on stands whoever is new."""
        return min(one.ordinal for one in self.windows.values() if one.status is WindowStatus.OPEN)

    def window_for(self, payer: int, payee: int, currency: str, *, promised: bool = False) -> Window:
        """The window that money between two institutions falls into: of the model that takes it between the members
        above them, as they stand for that window, or else of the default. What was ``promised`` cannot be refused any
        more because somebody cannot pay at once."""
        if not self.configuration.models:
            return self.open_window
        key = (payer, payee, currency, promised)
        found = self._windows_for.get(key)
        if found is None:
            found = self._windows_for[key] = self._window_for(*key)
        return found

    def _window_for(self, payer: int, payee: int, currency: str, promised: bool) -> Window:
        operator = self.configuration.operator.id
        for model in taking(self.configuration.models, currency, self.at):
            window = self.open_of(model.code)
            if promised and model.kind is ModelKind.IMMEDIATE_GROSS:
                continue
            if takes(model, {member_of(self.path(one, window.id)) for one in (payer, payee)}, operator):
                return window
        return self.open_window

    def window_of(self, currency: str, payments: Iterable[Payment], *, promised: bool = False) -> Window:
        """The window that the payments of one movement fall into; the first that is one decides."""
        if self.configuration.models:
            for one in payments:
                if one.amount and one.payer != one.payee:
                    return self.window_for(one.payer, one.payee, currency, promised=promised)
        return self.open_window

    def open_windows(self) -> list[Window]:
        """The open windows of all models."""
        return [one for one in self.windows.values() if one.status is WindowStatus.OPEN]

    def ordinal(self, window: int) -> int:
        """A window's place among those of all models."""
        return (self.windows.get(window) or self.settled_windows[window]).ordinal

    def path(self, institution: int, window: int) -> list[int]:
        """The institution and all above it, as they stand for a window's money."""
        key = (institution, window)
        found = self._paths.get(key)
        if found is None:
            nodes = self.configuration.institutions
            found = self._paths[key] = settlement_path(nodes, institution, self.ordinal(window))
        return found

    def kind(self, window: Window) -> ModelKind:
        """How a window is settled."""
        found = self._kinds.get(window.model)
        if found is None:
            versions = self.configuration.model_versions.values()
            found = self._kinds[window.model] = kind_of(versions, window.model)
        return found

    def in_pairs(self, window: Window) -> bool:
        """Whether it is counted what each two of a window's participants come to with one another."""
        return self.kind(window) in IN_PAIRS

    def obligations_of(self, participant: int) -> list[Obligation]:
        """What a participant owes and is owed of windows that are netted in pairs, paid or not."""
        if not self._obligations_of:
            for owed in chain(*self.obligations.values()):
                for node in (owed.debtor, owed.creditor):
                    self._obligations_of.setdefault(node, []).append(owed)
        return self._obligations_of.get(participant, [])

    def take_obligations(self, made: Iterable[Obligation]) -> None:
        """Know what closing a window has made participants owe one another."""
        for owed in made:
            self.obligations.setdefault(owed.window, []).append(owed)
        self._obligations_of.clear()

    def participant(self, institution: int, window: int) -> int:
        """Who settles with the hub what an institution's money of a window becomes a part of: itself, or one above."""
        path = self.path(institution, window)
        place = settles_apart(self.configuration, path, self.ordinal(window)) if self.configuration.apart else None
        return path[max(0, len(path) - 2)] if place is None else path[place]

    def status(self, institution: int) -> Status:
        """The institution's status, or a worse one of those above it."""
        found = self._statuses.get(institution)
        if found is None:
            found = self._statuses[institution] = status_of(self.configuration.institutions, institution)
        return found

    @property
    def halted(self) -> frozenset[str]:
        """The currencies of which nothing new is begun, because their balances are moving to another keeper."""
        if self._halted is None:
            moving = [one for one in self.configuration.currencies.values() if one.relocation is not None]
            self._halted = frozenset(one.code for one in moving if halts(one, self.at))
        return self._halted

    def debt(self, account: Account) -> int:
        """What the owner of a customer's account owes of its currency."""
        found = self.accounts.get((AccountKind.DEBT, account.owner, account.currency))
        return 0 if found is None else -found.balance

    def exposure(
        self,
        node: int,
        currency: str,
        changes: dict[int, int] | None = None,
        aparts: dict[int, tuple[int, int]] | None = None,
    ) -> int:
        """What a node's subtree owes, in millionths: of the open window, of each closed one that is not settled, and
        what is pending.

        What it is owed from one window does not lessen what it owes from another, because only a confirmed payment
        frees a closed net. Nor does what others are owed lessen what is owed by those who settle apart.
        """
        owed = 0
        for window in (*self.windows, UNPOSTED):
            position = self.positions.get((window, node, currency))
            balance = (changes or {}).get(window, 0)
            apart, gross = (aparts or {}).get(window, (0, 0))
            if position is not None:
                balance, apart, gross = balance + position.subtree, apart + position.apart, gross + position.gross
            owed += owed_by(balance - apart) + gross
        return owed

    def reserved(self, customer: int, rate: int, bonus: int) -> int:
        """Source units under a bonus' cap that the customer's open quotes reserve."""
        return sum(
            quote.figures.eligible[bonus]
            for quote in self.open_quotes.get(customer, {}).values()
            if quote.rate == rate and quote.expires_at > self.at
        )

    def is_being_reversed(self, act: int) -> bool:
        """Whether partners are asked to take back an act, or a part of it."""
        reversals = [one.id for one in self.deals.values() if one.reverses == act]
        return any(self.exchanges[one].is_under_way for one in reversals)

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

    def take_windows(self, windows: Iterable[Window]) -> None:
        """Know windows as they are now."""
        self.windows.update((window.id, window) for window in windows)
        self._open_window = None
        self._windows_for.clear()

    def configure(self, nouns: Iterable[Noun]) -> None:
        """Know a change of the configuration, whose version stays that of the batch's beginning."""
        self.configuration = with_changes(self.configuration, self.configuration.version, nouns)
        self.terms.clear()
        self.acceptance.clear()
        self.plans.clear()
        self._paths.clear()
        self._windows_for.clear()
        self._kinds.clear()
        self._statuses.clear()
        self._halted = None

    def position(self, key: PositionKey) -> Position:
        """A position, to be changed; one that was not loaded is opened."""
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position()
        return position


def live_windows(windows: Iterable[Window]) -> list[Window]:
    """Windows that are not settled, in the order in which they were opened."""
    return sorted((w for w in windows if w.status is not WindowStatus.SETTLED), key=lambda w: w.ordinal)
