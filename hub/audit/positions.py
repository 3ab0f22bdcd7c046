"""Positions, windows, caps and cover as the money legs make them.

What the hub owes each institution and its subtree, window by window, is added up again along the settlement paths of
the configuration in force; at each act that worsens an exposure, the cap then in force is held against it, and what
then covered it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub import ids
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.fx import Fx
from hub.audit.obligations import Obligations, PairKey
from hub.calendars import next_cut_off
from hub.configuration import Configuration
from hub.cover import reach
from hub.institutions import member_of, sets_off
from hub.ledger.book import UNPOSTED
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose, WindowStatus
from hub.levels import LevelNet, roll_up
from hub.models import DEFAULT_MODEL, IN_PAIRS, ModelKind, takes, taking
from hub.money import UnknownMoney, format_millionths, minor_unit_millionths
from hub.netting import NotBalanced
from hub.obligations import Pair, nets_of
from hub.versions import in_force

Place = tuple[int, str]  # institution, currency


@dataclass(slots=True)
class Window:
    """A window as the journal makes it."""

    id: int
    model: str
    number: int
    ordinal: int
    status: str
    opened_at: datetime
    changed_in: int
    closed_at: datetime | None = None
    closed_in: int | None = None
    settled_at: datetime | None = None
    due_at: datetime | None = None  # the cut-off that had come when it was closed
    levels: bool = True
    together: bool = True


class Positions:
    """``sums``: debits, credits and what is owed to the subtree, what of it settles
    apart and what that owes, by window, institution and currency. ``due``: nets
    that settle with the hub and are not paid, by window. ``flat``: windows that closed before there were levels;
    ``singly``: those that were paid before a participant's payments took effect together."""

    def __init__(self, findings: Findings, accounts: Accounts, flat: frozenset[int], singly: frozenset[int]) -> None:
        self._findings = findings
        self._accounts = accounts
        self._fx = Fx(findings, accounts)
        self._flat = flat
        self._singly = singly
        self.sums: dict[tuple[int, int, str], list[int]] = {}
        self.windows: dict[int, Window] = {}
        self.due: dict[int, dict[Place, int]] = {}
        self.paid: dict[str, int] = {}  # what the bank moved, net, by currency
        self.rounded: dict[str, int] = {}  # what rounding left, by currency
        self.pots: Counter[Key] = Counter()  # what is put up, owed and claimed, by the account that holds it
        self._waiting: Counter[int] = Counter()  # by window, defaults that nobody bears yet
        # What of a net was declared unpaid or cut, and so has left the window before it takes effect.
        self._gone: Counter[tuple[int, int, str]] = Counter()
        self._live: list[Window] = []  # not settled, in order
        self.nets: dict[int, dict[Place, int]] = {}  # that are not zero, by window
        # What is to be paid of nets that settle with the hub, with what was exchanged, by window.
        self._payables: dict[int, dict[Place, int]] = {}
        self._internals: dict[tuple[int, int], int] = {}  # by parent and institution
        self._brought: dict[tuple[int, int, str], int] = {}  # by children, to who is not closed yet
        self._closing: dict[tuple[int, int, str], int] = {}
        self._paths: dict[tuple[int, int], tuple[int, ...]] = {}
        self.obligations = Obligations(findings)
        # Where each act is paid at once: what is to be paid, by act, and what each has been paid less what it has.
        self._payable: dict[int, list[tuple[int, int, int, str, int]]] = {}
        self.gross: Counter[tuple[int, int, str]] = Counter()

    def open_window(self) -> int:
        """The window that was opened last."""
        return max((one.id for one in self.windows.values() if one.status == WindowStatus.OPEN), default=0)

    def open_path(self, configuration: Configuration, institution: int) -> tuple[int, ...]:
        """The institution and all above it, as they stand for the money of the default's open window."""
        opened = (one.id for one in self._live if one.model == DEFAULT_MODEL and one.status == WindowStatus.OPEN)
        return self._path(configuration, institution, next(opened, 0))

    def forget_paths(self) -> None:
        """The tree has changed."""
        self._paths.clear()

    def act(
        self,
        moved: Any,
        legs: list[Any],
        configuration: Configuration,
        at: datetime | None,
        of: int = 0,
        *,
        promised: bool = False,
    ) -> None:
        """Take the money legs of an act, and hold the caps in force against what they worsen; of what was ``promised``
        they were held against it then. ``of``: the newest window when money became pending."""
        moves: list[tuple[int, int, str, int]] = []  # window, institution, currency, change
        unposted: list[Any] = []
        owed: list[tuple[int, int, int, str, int]] = []  # in windows that are netted in pairs
        for leg in legs:
            amount, window = leg[6], leg[9]
            if leg[3] not in (Purpose.SETTLEMENT, Purpose.FEE):
                continue
            if leg[2] != Phase.POSTED:
                unposted.append(leg)
                continue
            (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
            if window not in self.windows or self.windows[window].status != WindowStatus.OPEN:
                self._findings.add("LEG_WINDOW", f"{_movement(moved)} has a leg in a window that was not open.")
            if not moves and at is not None and configuration.models:
                self._check_model(moved, leg, configuration, at, promised=promised)
            if moves and moves[0][0] != window:
                self._findings.add("LEG_WINDOW", f"{_movement(moved)} has legs in two windows.")
            self._sum(window, payer, currency)[0] += amount
            self._sum(window, payee, currency)[1] += amount
            moves += [(window, payer, currency, -amount), (window, payee, currency, amount)]
            if self._in_pairs(configuration, window):
                owed.append((window, payer, payee, currency, amount))
        capped = {} if promised else self._capped(legs, of, configuration)
        for window, institution, currency, change in moves:
            self._adjust(configuration, window, institution, currency, change)
        for window, payer, payee, currency, amount in owed:
            debtor, creditor = (self._top(configuration, node, window) for node in (payer, payee))
            if debtor != creditor:
                of_pair = self.obligations.owe(window, debtor, creditor, currency, amount)
                if self._is_gross(configuration, window):
                    due = (window, debtor, creditor, currency, amount)
                    self._payable.setdefault(moved["id"], []).append(due)
                else:
                    self._owed(configuration, *of_pair)
        for leg in unposted:
            self._unposted(leg, of, configuration)
        for (node, currency), before in capped.items():
            cap, after = configuration.caps.get((node, currency)), self.exposure(node, currency)
            if cap is not None and cap.amount is not None and after > cap.amount and after > before:
                self._findings.add(
                    "CAP",
                    f"{_movement(moved)} brings the exposure of {_code(configuration, node)} to "
                    f"{format_millionths(after, currency)} {currency}, above the cap then in force, "
                    f"{format_millionths(cap.amount, currency)}.",
                )
            self._check_cover(moved, configuration, (node, currency), before)

    def _check_cover(self, moved: Any, configuration: Configuration, place: Place, before: int) -> None:
        """Hold the cover then there against an exposure that an act has worsened."""
        cover = configuration.covers.get(place)
        if cover is None or not cover.terms.needed:
            return
        node, currency = place
        after, there = self.exposure(*place), reach(cover.terms, self.pots[int(AccountKind.COLLATERAL), *place])
        if after > there and after > before:
            self._findings.add(
                "COVER",
                f"{_movement(moved)} brings the exposure of {_code(configuration, node)} to "
                f"{format_millionths(after, currency)} {currency}, beyond what then covered it, "
                f"{format_millionths(there, currency)}.",
            )

    def _check_model(self, moved: Any, leg: Any, configuration: Configuration, at: datetime, *, promised: bool) -> None:
        """Pass if an act's first leg of money is in the window of the model that takes it; what was promised is paid
        nowhere at once."""
        (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
        opened = {one.model: one for one in self._live if one.status == WindowStatus.OPEN}
        due = opened.get(DEFAULT_MODEL)
        for model in taking(configuration.models, currency, at):
            window = opened.get(model.code)
            if promised and model.kind is ModelKind.IMMEDIATE_GROSS:
                continue
            if window is not None:
                members = {member_of(self._path(configuration, node, window.id)) for node in (payer, payee)}
                due = window if takes(model, members, operator_of(configuration)) else due
        if due is None or leg[9] != due.id:
            self._findings.add("LEG_MODEL", f"{_movement(moved)} has money in a window of another model than takes it.")

    def _capped(self, legs: list[Any], of: int, configuration: Configuration) -> dict[Place, int]:
        """The exposures of the capped and covered nodes above the payers of money legs."""
        found: dict[Place, int] = {}
        for leg in legs:
            if leg[3] in (Purpose.SETTLEMENT, Purpose.FEE):
                _, payer, currency = self._accounts.key(leg[4])
                for node in self._path(configuration, payer, leg[9] or of):
                    bounded = (node, currency) in configuration.caps or (node, currency) in configuration.covers
                    if bounded and (node, currency) not in found:
                        found[node, currency] = self.exposure(node, currency)
        return found

    def _unposted(self, leg: Any, of: int, configuration: Configuration) -> None:
        """What is pending worsens what the payer's side may come to owe, and what is not any more frees it."""
        (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
        change = -leg[6] if leg[2] == Phase.PENDING else leg[6]
        self._outside(configuration, of, payer, currency, change, self._path(configuration, payee, of))

    def _outside(
        self,
        configuration: Configuration,
        of: int,
        start: int,
        currency: str,
        change: int,
        beside: tuple[int, ...] = (),
    ) -> None:
        """Carry a change of what somebody owes outside of all windows up to all above it, but not to those beside."""
        path = self._path(configuration, start, of)
        for node in path:
            if node not in beside:
                self._sum(UNPOSTED, node, currency)[2] += change
        place = self._apart(configuration, path, of)
        if place is not None and path[place] not in beside:
            self._count_apart(UNPOSTED, path[place + 1 : -1], currency, change, -change)

    def close(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take one institution's closing: its position, with what its children brought, passes on as a net, rounded."""
        window, node, currency = moved["subject_id"], moved["for_institution_id"], moved["money"]
        net = moved["value"] or 0
        debits, credits, *_ = self._sum(window, node, currency)
        brought = self._brought.pop((window, node, currency), 0)
        left, operator = credits - debits + brought - net, operator_of(configuration)
        left -= self.gross[window, node, currency]
        position = (int(AccountKind.POSITION), node, currency)
        passes: list[tuple[Key, Key, int, int]] = []
        parent = self._parent(configuration, node, window)
        if parent is None:
            passes.append((position, (int(AccountKind.SETTLEMENT), node, currency), net, int(Purpose.CLOSING)))
        else:
            internal = (int(AccountKind.INTERNAL), self._internals.get((parent, node), 0), currency)
            above = (int(AccountKind.POSITION), parent, currency)
            passes.append((position, internal, net, int(Purpose.CLOSING)))
            passes.append((internal, above, net, int(Purpose.LEVEL)))
            place = (window, parent, currency)
            self._brought[place] = self._brought.get(place, 0) + net
        passes.append((position, (int(AccountKind.ROUNDING), operator, currency), left, int(Purpose.ROUNDING)))
        expected = [
            (*((debit, credit) if amount > 0 else (credit, debit)), abs(amount), purpose)
            for debit, credit, amount, purpose in passes
            if amount
        ]
        self._compare(moved, legs, expected)
        self._closing[window, node, currency] = net
        if left:
            self.rounded[currency] = self.rounded.get(currency, 0) + left
            self._adjust(configuration, window, node, currency, -left)

    def exchanged(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a net that becomes one of another currency."""
        row = self._fx.check(moved, legs, batch, configuration)
        if row is not None:
            for currency, change in ((row["currency"], -row["net"]), (row["into_currency"], row["value"])):
                self._adjust(configuration, row["window_id"], row["institution_id"], currency, change)

    def settle(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a payment: the net of the first window that is not settled, whole."""
        window, node, currency, amount = (
            moved["subject_id"],
            moved["for_institution_id"],
            moved["money"],
            moved["value"],
        )
        if self._in_pairs(configuration, window):
            self._settle_pair(moved, legs, batch, configuration)
            return
        settlement = (int(AccountKind.SETTLEMENT), node, currency)
        bank = (int(AccountKind.BANK), operator_of(configuration), currency)
        sides = (settlement, bank) if amount > 0 else (bank, settlement)
        self._compare(moved, legs, [(*sides, abs(amount), int(Purpose.PAYMENT))])
        self.paid[currency] = self.paid.get(currency, 0) + amount
        stated = [row for row in batch.rows.get("confirmation", ()) if row["movement_id"] == moved["id"]]
        if [(row["window_id"], row["institution_id"], row["currency"], row["amount"]) for row in stated] != [
            (window, node, currency, amount)
        ]:
            self._findings.add("CONFIRMATION", f"{_movement(moved)} is not what was confirmed.")
        if self.due.get(window, {}).pop((node, currency), None) != amount:
            self._findings.add("CONFIRMATION", f"{_movement(moved)} pays what is not the net of its window.")
        self._free(configuration, window, node, currency)
        if not self._is_next(window):
            self._findings.add("CONFIRMATION", f"{_movement(moved)} pays a window before an earlier one is settled.")
        if window in self.windows:
            self.windows[window].status, self.windows[window].changed_in = WindowStatus.SETTLING, batch.number
        self._settle_what_is_paid(batch)

    def _settle_pair(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a payment between two participants: what one owes the other, whole, their earlier windows first."""
        window = moved["subject_id"]
        paid = self.obligations.pay(moved, batch)
        if paid is not None:
            debtor, creditor, currency, amount = paid
            sides = [(int(AccountKind.SETTLEMENT), node, currency) for node in (creditor, debtor)]
            self._compare(moved, legs, [(sides[0], sides[1], amount, int(Purpose.PAYMENT))])
            before = (one.id for one in self._live if one.model == self.windows[window].model and one.id < window)
            if any(self.obligations.between(one, debtor, creditor) for one in before):
                self._findings.add(
                    "OBLIGATION_PAYMENT", f"{_movement(moved)} pays a later window before an earlier one."
                )
            self._free_pair(configuration, window, debtor, creditor)
        if window in self.windows:
            self.windows[window].status, self.windows[window].changed_in = WindowStatus.SETTLING, batch.number
        self._settle_what_is_paid(batch)

    def _free_pair(self, configuration: Configuration, window: int, one: int, other: int) -> None:
        """What two participants paid one another frees their positions when nothing between them is due any more."""
        if self.obligations.between(window, one, other):
            return
        made = self.obligations.made[window]
        for (debtor, creditor, currency), amount in made.items():
            if {debtor, creditor} == {one, other}:
                self._adjust(configuration, window, debtor, currency, amount)
                self._adjust(configuration, window, creditor, currency, -amount)
                self._owed(configuration, (window, creditor, debtor, currency), amount, 0)
        for node in (one, other):
            if not self.obligations.of(window, node):
                for currency in sorted({currency for *both, currency in made if node in both}):
                    self._settle_below(configuration, window, {node}, currency)

    def pay(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take what pays an act at once."""
        due, expected = self._payable.pop(moved["subject_id"], []), []
        short = set[str]()
        for window, debtor, creditor, currency, amount in due:
            for node, sign in ((debtor, -1), (creditor, 1)):
                pot: Key = (int(AccountKind.LIQUIDITY), node, currency)
                position: Key = (int(AccountKind.POSITION), node, currency)
                sides = (pot, position) if sign < 0 else (position, pot)
                expected.append((*sides, amount, int(Purpose.PAYMENT)))
                self.pots[pot] += sign * amount
                self.gross[window, node, currency] += sign * amount
        for _, debtor, _, currency, _ in due:
            if self.pots[int(AccountKind.LIQUIDITY), debtor, currency] < 0:
                short.add(_code(configuration, debtor))
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3]) for leg in legs]
        total = sum(one[4] for one in due)
        if not due or actual != expected or (moved["value"], moved["amount"]) != (total, total):
            self._findings.add("GROSS", f"{_movement(moved)} does not pay what its act makes owe.")
        if [leg[9] for leg in legs] != [one[0] for one in due for _ in range(2)]:
            self._findings.add("GROSS", f"{_movement(moved)} pays in another window than its act's.")
        for code in sorted(short):
            self._findings.add("GROSS", f"{_movement(moved)} takes more of {code}'s liquidity than there was.")

    def _is_gross(self, configuration: Configuration, window: int) -> bool:
        of = self.windows.get(window)
        return of is not None and self.obligations.kind(configuration, of.model) is ModelKind.IMMEDIATE_GROSS

    def _owed(self, configuration: Configuration, pair: PairKey, before: int, after: int) -> None:
        """Carry a change of what the first of a pair is owed by the second up to all above both."""
        window, first, second, currency = pair
        for node, was, now in ((first, before, after), (second, -before, -after)):
            above = self._path(configuration, node, window)[:-1]
            self._count_apart(window, above, currency, now - was, max(0, -now) - max(0, -was))

    def _in_pairs(self, configuration: Configuration, window: int) -> bool:
        of = self.windows.get(window)
        return of is not None and self.obligations.kind(configuration, of.model) in IN_PAIRS

    def _top(self, configuration: Configuration, node: int, window: int) -> int:
        """Who settles what a node's money of a window becomes a part of."""
        while (parent := self._parent(configuration, node, window)) is not None:
            node = parent
        return node

    def _free(self, configuration: Configuration, window: int, node: int, currency: str) -> None:
        """What a participant paid frees its positions when nothing of it is due in any currency any more."""
        of, nets = self.windows.get(window), self.nets.get(window, {})
        payables = self._payables.get(window, {})
        if of is not None and not of.together:
            settled = [currency]
        elif any(place[0] == node for place in self.due.get(window, ())):
            settled = []
        else:
            settled = sorted(money for owner, money in nets.keys() | payables.keys() if owner == node)
        for money in settled:
            moved = payables.get((node, money), 0) - self._gone[window, node, money]
            self._adjust(configuration, window, node, money, -moved)
            if (node, money) in nets:
                self._settle_below(configuration, window, {node}, money)

    def unpaid(
        self, window: int, node: int, currency: str, amount: int, batch: Batch, configuration: Configuration
    ) -> None:
        """Take a net that was declared unpaid: it is owed outside of all windows."""
        if self.due.get(window, {}).pop((node, currency), None) != -amount:
            self._findings.add("DEFAULT", f"What {_code(configuration, node)} is declared not to have paid is no net.")
        if not self._is_next(window):
            self._findings.add("DEFAULT", f"{_code(configuration, node)} is declared not to have paid out of order.")
        self._adjust(configuration, window, node, currency, amount)
        self._outside(configuration, window, node, currency, -amount)
        self._gone[window, node, currency] -= amount
        self._free(configuration, window, node, currency)
        self._waiting[window] += 1
        if window in self.windows:
            self.windows[window].status, self.windows[window].changed_in = WindowStatus.SETTLING, batch.number

    def payouts(self, window: int, currency: str) -> dict[int, int]:
        """What a window pays out in a currency, by who settles with the hub."""
        return {node: net for (node, of), net in self._payables.get(window, {}).items() if of == currency and net > 0}

    def cut(self, window: int, node: int, currency: str, amount: int, configuration: Configuration) -> None:
        """Take what a pay-out is cut by."""
        due = self.due[window]
        due[node, currency] -= amount
        self._adjust(configuration, window, node, currency, -amount)
        self._gone[window, node, currency] += amount
        if not due[node, currency]:
            del due[node, currency]
            self._free(configuration, window, node, currency)

    def borne(self, window: int, batch: Batch) -> None:
        """Take that a default is borne: its window may be settled."""
        self._waiting[window] -= 1
        if window in self.windows:
            self.windows[window].status, self.windows[window].changed_in = WindowStatus.SETTLING, batch.number
        self._settle_what_is_paid(batch)

    def repaid(self, window: int, node: int, currency: str, amount: int, configuration: Configuration) -> None:
        """Take what a debtor pays after all."""
        self._outside(configuration, window, node, currency, amount)

    def _is_next(self, window: int) -> bool:
        """Whether a window is the first of its model that is not settled."""
        model = self.windows[window].model if window in self.windows else None
        return next((one.id for one in self._live if one.model == model), None) == window

    def open(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take a window that was opened; the one before it of its model closed in the same batch."""
        id, model, number, opened_at = row
        before = next((w for w in self.windows.values() if w.model == model and w.status == WindowStatus.OPEN), None)
        if number != (1 if before is None else before.number + 1):
            self._findings.add("WINDOW", f"Window {number} does not follow the one that was open.")
        if batch.at is not None and opened_at != batch.at:
            self._findings.add("WINDOW", f"Window {number} was not opened when its batch was made.")
        made = Window(id, model, number, len(self.windows) + 1, WindowStatus.OPEN, opened_at, batch.number)
        made.levels, made.together = id not in self._flat, id not in self._singly
        if before is not None and before.levels and not made.levels:
            self._findings.add("WINDOW", f"Window {number} has no levels, but the one before it has.")
        if not made.together and (model != DEFAULT_MODEL or (before is not None and before.together)):
            self._findings.add("WINDOW", f"Window {number} is paid singly, but those before it are not.")
        if before is not None:
            self._close(before, batch, configuration)
        self.windows[id] = made
        self._live.append(made)
        self._settle_what_is_paid(batch)

    def internal(self, rows: Iterable[Any]) -> None:
        """Take internal accounts that a batch opened."""
        for id, parent, institution in rows:
            if (parent, institution) in self._internals:
                self._findings.add("INTERNAL_ACCOUNT", f"Internal account {id:x} is there twice.")
            self._internals[parent, institution] = id

    def finish(self, batch: Batch, configuration: Configuration) -> None:
        """Compare the batch's rows that stand for themselves with its movements."""
        if batch.rows.get("settlement_window") or batch.rows.get("configuration_change"):
            models = {DEFAULT_MODEL, *configuration.models}
            for code in models ^ {one.model for one in self.windows.values()}:
                what = "has no window" if code in models else "has windows, but is none"
                self._findings.add("WINDOW", f"The model {ascii(code)[:40]} {what} in batch {batch.number}.")
        known = {row["id"] for row in batch.rows.get("movement", ()) if row["kind"] == MovementKind.SETTLE}
        for row in batch.rows.get("confirmation", ()):
            if row["movement_id"] not in known:
                self._findings.add("CONFIRMATION", "A confirmation has no movement.")
        opened = batch.rows.get("settlement_window", ())  # as one closes, its model's next is opened
        closed = {one.id for one in self.windows.values() if one.closed_in == batch.number} if opened else set[int]()
        self.obligations.finish(batch, closed, known)
        for act in self._payable:
            self._findings.add("GROSS", f"What {ids.text(ids.ENTRY, act)} makes owe is not paid.")
        self._payable.clear()
        for row in batch.rows.get("confirmation_file", ()):
            if sum(row["id"] < one <= row["last_id"] for one in known) != row["payments"]:
                self._findings.add("CONFIRMATION_FILE", f"File {row['id']:x} has not confirmed what it says.")
        self._fx.finish(batch, {window.id for window in self.windows.values() if window.closed_in == batch.number})
        for row in batch.rows.get("window_net", ()):
            window = self.windows.get(row["window_id"])
            if window is None or window.closed_in != batch.number:
                self._findings.add("NET", f"There is a net of a window that did not close in batch {batch.number}.")

    def _close(self, window: Window, batch: Batch, configuration: Configuration) -> None:
        """Compare the nets of a window that closes with its positions and its movements."""
        window.status, window.closed_in, window.closed_at = WindowStatus.CLOSED, batch.number, batch.at
        window.changed_in = batch.number
        model = None if batch.at is None else in_force(configuration.models.get(window.model, ()), batch.at)
        if batch.at is not None and model is not None and model.calendar is not None:
            cut_off = next_cut_off(model.calendar, window.opened_at)
            window.due_at = cut_off if cut_off is not None and cut_off <= batch.at else None
        nets = {
            (row["institution_id"], row["currency"]): (row["debits"], row["credits"], row["net"])
            for row in batch.rows.get("window_net", ())
            if row["window_id"] == window.id
        }
        positions = {
            (node, currency): (debits, credits)
            for (of, node, currency), (debits, credits, *_) in self.sums.items()
            if of == window.id and (debits or credits)
        }
        pairs: dict[str, dict[Pair, int]] | None = None
        if self._in_pairs(configuration, window.id):
            nets_of_pairs = {
                currency: self.obligations.nets(
                    configuration, window.id, currency, self.obligations.kind(configuration, window.model)
                )
                for currency in sorted({currency for _, currency in positions})
            }
            pairs = {currency: found for currency, found in nets_of_pairs.items() if found is not None}
        levels = self._levels(window, positions, configuration, pairs)
        for place in sorted(nets.keys() | positions.keys() | levels.keys()):
            debits, credits = positions.get(place, (0, 0))
            of = levels.get(place)
            due = credits - debits if of is None else of.net
            if nets.get(place) != (debits, credits, due):
                self._findings.add(
                    "NET",
                    f"Window {window.number}: the net of {_place(configuration, place)} is not what its legs give.",
                )
            moved = self._closing.pop((window.id, *place), None)
            left = 0 if of is None else of.own_exact - of.own - self.gross[window.id, *place]
            if moved != (due if due or left else None):
                self._findings.add(
                    "NET", f"Window {window.number}: {_place(configuration, place)} was closed with another net."
                )
        for key in [key for key in self._closing if key[0] == window.id]:
            del self._closing[key]
            self._findings.add(
                "NET", f"Window {window.number}: {_place(configuration, key[1:])} was closed, but has no net."
            )
        for key, brought in self._brought.items():
            debits, credits, *_ = self._sum(*key)
            if credits - debits + brought:  # otherwise there was nothing left to pass on
                self._findings.add(
                    "NET", f"Window {window.number}: a parent that takes nets over was not closed after."
                )
        self._brought.clear()
        self.nets[window.id] = {place: net for place, (_, _, net) in nets.items() if net}
        with_hub = {
            place: net
            for place, net in self.nets[window.id].items()
            if pairs is None and self._parent(configuration, place[0], window.id) is None
        }
        self._payables[window.id] = self._fx.closed(window.id, window.model, with_hub, batch, configuration)
        self.due[window.id] = dict(self._payables[window.id])
        if pairs is not None:
            for change in self.obligations.close(window.id, window.number, batch, configuration, pairs):
                if not self._is_gross(configuration, window.id):
                    self._owed(configuration, *change)
            made = self.obligations.made[window.id]
            for currency in sorted({currency for _, currency in levels}):
                owing = {node for *both, of_currency in made if of_currency == currency for node in both}
                done = {
                    node
                    for node, of_currency in levels
                    if of_currency == currency and self._parent(configuration, node, window.id) is None
                }
                self._settle_below(configuration, window.id, done - owing, currency)
            return
        for currency in {currency for _, currency in levels}:
            zero = {node for (node, of), level in levels.items() if of == currency and not level.net}
            self._settle_below(configuration, window.id, zero, currency)
        to_pay = {node for node, _ in self.due[window.id]}
        for node, currency in with_hub:
            if node not in to_pay:  # what was exchanged has cancelled out
                self._settle_below(configuration, window.id, {node}, currency)

    def _levels(
        self,
        window: Window,
        positions: dict[Place, tuple[int, int]],
        configuration: Configuration,
        pairs: dict[str, dict[Pair, int]] | None,
    ) -> dict[Place, LevelNet]:
        """The nets as the positions and the paths give them, on every level; ``pairs``: what each two participants come
        to, by currency, if the window is netted in pairs."""
        found: dict[Place, LevelNet] = {}
        for currency in sorted({currency for _, currency in positions}):
            nodes: dict[str, int] = {}
            exact: dict[str, int] = {}
            parents: dict[str, str] = {}
            for node, of in positions:
                if of != currency:
                    continue
                debits, credits = positions[node, currency]
                exact[_code(configuration, node)] = credits - debits
                below: int | None = node
                while below is not None:
                    nodes[_code(configuration, below)] = below
                    above = self._parent(configuration, below, window.id)
                    if above is not None:
                        parents[_code(configuration, below)] = _code(configuration, above)
                    below = above
            try:
                settled = None if pairs is None else nets_of(pairs.get(currency, {}))
                nets = roll_up(exact, parents, minor_unit_millionths(currency), settled)
            except (NotBalanced, UnknownMoney) as error:
                self._findings.add("NET", f"Window {window.number} in {currency}: {error}")
                continue
            found.update({(nodes[code], currency): net for code, net in nets.items()})
        return found

    def _parent(self, configuration: Configuration, node: int, window: int) -> int | None:
        """To whom a node's net of a window goes; None: it settles with the hub."""
        path = self._path(configuration, node, window)
        of = self.windows.get(window)
        if len(path) <= 2 or of is None or not of.levels:
            return None
        both = (configuration.institutions.get(one) for one in path[:2])
        return path[1] if all(one is None or sets_off(one, of.ordinal) for one in both) else None

    def _settle_below(self, configuration: Configuration, window: int, settled: set[int], currency: str) -> None:
        """What went to a member is settled with it."""
        for (node, of), net in self.nets.get(window, {}).items():
            top: int = node
            while (parent := self._parent(configuration, top, window)) is not None:
                top = parent
            if of == currency and top != node and top in settled:
                self._sum(window, node, currency)[2] -= net

    def _settle_what_is_paid(self, batch: Batch) -> None:
        waiting = set[str]()  # models
        for window in list(self._live):
            due = self.due.get(window.id) or self.obligations.due.get(window.id)
            if window.status == WindowStatus.OPEN or due or self._waiting[window.id]:
                waiting.add(window.model)
            if window.model not in waiting:
                self._live.remove(window)
                window.status, window.settled_at, window.changed_in = WindowStatus.SETTLED, batch.at, batch.number

    def _compare(self, moved: Any, legs: list[Any], expected: list[tuple[Key, Key, int, int]]) -> None:
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3]) for leg in legs]
        if actual != expected or any(leg[9] != moved["subject_id"] for leg in legs):
            self._findings.add("ACT_LEGS", f"The legs of {_movement(moved)} are not what the act posts.")

    def _sum(self, window: int, node: int, currency: str) -> list[int]:
        key = (window, node, currency)
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = [0, 0, 0, 0, 0]
        return found

    def _adjust(self, configuration: Configuration, window: int, node: int, currency: str, change: int) -> None:
        """Carry a change of what is owed to a node up to all above it; above who settles apart, its debt by itself."""
        path = self._path(configuration, node, window)
        if self._is_gross(configuration, window):
            path = path[: path.index(self._top(configuration, node, window))]
        for above in path:
            self._sum(window, above, currency)[2] += change
        place = None if self._in_pairs(configuration, window) else self._apart(configuration, path, window)
        if place is not None:
            sums = self._sum(window, path[place], currency)
            after = sums[2] - sums[3]
            owed = max(0, -after) - max(0, change - after)
            self._count_apart(window, path[place + 1 : -1], currency, change, owed)

    def _apart(self, configuration: Configuration, path: tuple[int, ...], window: int) -> int | None:
        """Where in a path somebody below a member settles with the hub by itself."""
        of = self.windows.get(window)
        if configuration.apart and of is not None and of.levels:
            for place in range(len(path) - 2):
                if self._parent(configuration, path[place], window) is None:
                    return place
        return None

    def _count_apart(self, window: int, above: tuple[int, ...], currency: str, change: int, owed: int) -> None:
        for node in above:
            sums = self._sum(window, node, currency)
            sums[3] += change
            sums[4] += owed

    def exposure(self, node: int, currency: str) -> int:
        """What a node's subtree owes now (``Book.exposure``)."""
        counted = [self.sums.get((w.id, node, currency)) for w in self._live]
        counted.append(self.sums.get((UNPOSTED, node, currency)))
        return sum(max(0, found[3] - found[2]) + found[4] for found in counted if found is not None)

    def _path(self, configuration: Configuration, start: int, window: int) -> tuple[int, ...]:
        """The institution and all above it as they stand for a window's money; ends where the rows make no sense."""
        found = self._paths.get((start, window))
        if found is None:
            ordinal = self.windows[window].ordinal if window in self.windows else 0
            path: list[int] = []
            node: int | None = start
            while node is not None and node not in path:
                path.append(node)
                institution = configuration.institutions.get(node)
                placements = () if institution is None else institution.placements
                node = next((placed.parent for placed in reversed(placements) if placed.window <= ordinal), None)
            found = self._paths[start, window] = tuple(path)
        return found


def _movement(moved: Any) -> str:
    return ids.text(ids.ENTRY, moved["id"])


def _code(configuration: Configuration, node: int) -> str:
    found = configuration.institutions.get(node)
    return f"institution {node:x}" if found is None else found.code


def _place(configuration: Configuration, place: Place) -> str:
    return f"{_code(configuration, place[0])} in {place[1]}"
