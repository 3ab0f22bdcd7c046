"""Positions, windows and caps as the money legs make them.

What the hub owes each institution and its subtree, window by window, is added up again along the settlement paths of
the configuration in force; at each act that worsens an exposure, the cap then in force is held against it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub import ids
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.ledger.book import UNPOSTED
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose, WindowStatus
from hub.money import UnknownMoney, format_millionths, minor_unit_millionths
from hub.netting import NotBalanced, round_nets

Place = tuple[int, str]  # institution, currency


@dataclass(slots=True)
class Window:
    """A window as the journal makes it."""

    id: int
    model: str
    number: int
    status: str
    opened_at: datetime
    changed_in: int
    closed_at: datetime | None = None
    closed_in: int | None = None
    settled_at: datetime | None = None


class Positions:
    """``sums``: debits, credits and what is owed to the subtree, by window, institution and currency. ``due``: nets
    that are not paid, by window."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self.sums: dict[tuple[int, int, str], list[int]] = {}
        self.windows: dict[int, Window] = {}
        self.due: dict[int, dict[Place, int]] = {}
        self.paid: dict[str, int] = {}  # what the bank moved, net, by currency
        self.rounded: dict[str, int] = {}  # what rounding left, by currency
        self._live: list[Window] = []  # not settled, in order
        self._closing: dict[tuple[int, int, str], int] = {}
        self._paths: dict[tuple[int, int], tuple[int, ...]] = {}

    def open_window(self) -> int:
        """The window that is open now."""
        return max((one.id for one in self.windows.values() if one.status == WindowStatus.OPEN), default=0)

    def forget_paths(self) -> None:
        """The tree has changed."""
        self._paths.clear()

    def act(
        self, moved: Any, legs: list[Any], configuration: Configuration, of: int = 0, *, promised: bool = False
    ) -> None:
        """Take the money legs of an act, and hold the caps in force against what they worsen; of what was ``promised``
        they were held against it then. ``of``: the window in which money became pending."""
        changes: dict[tuple[int, int, str], int] = {}
        for leg in legs:
            amount, window = leg[6], leg[9]
            if leg[3] not in (Purpose.SETTLEMENT, Purpose.FEE):
                continue
            if leg[2] != Phase.POSTED:
                self._unposted(leg, of, configuration, changes)
                continue
            (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
            if window not in self.windows or self.windows[window].status != WindowStatus.OPEN:
                self._findings.add("LEG_WINDOW", f"{_movement(moved)} has a leg in a window that was not open.")
            self._sum(window, payer, currency)[0] += amount
            self._sum(window, payee, currency)[1] += amount
            for institution, change in ((payer, -amount), (payee, amount)):
                for node in self._path(configuration, institution, window):
                    key = (window, node, currency)
                    changes[key] = changes.get(key, 0) + change
        for (window, node, currency), change in changes.items():
            cap = configuration.caps.get((node, currency))
            cap = None if promised else cap
            before = self._exposure(node, currency) if change < 0 and cap is not None else 0
            self._sum(window, node, currency)[2] += change
            if change < 0 and cap is not None and cap.amount is not None:
                after = self._exposure(node, currency)
                if after > cap.amount and after > before:
                    self._findings.add(
                        "CAP",
                        f"{_movement(moved)} brings the exposure of {_code(configuration, node)} to "
                        f"{format_millionths(after, currency)} {currency}, above the cap then in force, "
                        f"{format_millionths(cap.amount, currency)}.",
                    )

    def _unposted(
        self, leg: Any, of: int, configuration: Configuration, changes: dict[tuple[int, int, str], int]
    ) -> None:
        """What is pending worsens what the payer's side may come to owe, and what is not any more frees it."""
        (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
        change = -leg[6] if leg[2] == Phase.PENDING else leg[6]
        above_both = self._path(configuration, payee, of)
        for node in self._path(configuration, payer, of):
            if node not in above_both:
                key = (UNPOSTED, node, currency)
                changes[key] = changes.get(key, 0) + change

    def close(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take one institution's closing: its position passes to its settlement account, rounded."""
        window, node, currency = moved["subject_id"], moved["for_institution_id"], moved["money"]
        net = moved["value"] or 0
        debits, credits, _ = self._sum(window, node, currency)
        balance, operator = credits - debits, operator_of(configuration)
        expected: list[tuple[Key, Key, int, int]] = []
        for kind, owner, amount, purpose in (
            (AccountKind.SETTLEMENT, node, net, Purpose.CLOSING),
            (AccountKind.ROUNDING, operator, balance - net, Purpose.ROUNDING),
        ):
            if amount:
                position, other = (int(AccountKind.POSITION), node, currency), (int(kind), owner, currency)
                sides = (position, other) if amount > 0 else (other, position)
                expected.append((*sides, abs(amount), int(purpose)))
        self._compare(moved, legs, expected)
        self._closing[window, node, currency] = net
        if net != balance:
            self.rounded[currency] = self.rounded.get(currency, 0) + balance - net
            self._adjust(configuration, window, node, currency, net - balance)

    def settle(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a payment: the net of the first window that is not settled, whole."""
        window, node, currency, amount = (
            moved["subject_id"],
            moved["for_institution_id"],
            moved["money"],
            moved["value"],
        )
        settlement = (int(AccountKind.SETTLEMENT), node, currency)
        bank = (int(AccountKind.BANK), operator_of(configuration), currency)
        sides = (settlement, bank) if amount > 0 else (bank, settlement)
        self._compare(moved, legs, [(*sides, abs(amount), int(Purpose.PAYMENT))])
        self.paid[currency] = self.paid.get(currency, 0) + amount
        self._adjust(configuration, window, node, currency, -amount)
        stated = [row for row in batch.rows.get("confirmation", ()) if row["movement_id"] == moved["id"]]
        if [(row["window_id"], row["institution_id"], row["currency"], row["amount"]) for row in stated] != [
            (window, node, currency, amount)
        ]:
            self._findings.add("CONFIRMATION", f"{_movement(moved)} is not what was confirmed.")
        if self.due.get(window, {}).pop((node, currency), None) != amount:
            self._findings.add("CONFIRMATION", f"{_movement(moved)} pays what is not the net of its window.")
        if not self._live or self._live[0].id != window:
            self._findings.add("CONFIRMATION", f"{_movement(moved)} pays a window before an earlier one is settled.")
        if window in self.windows:
            self.windows[window].status, self.windows[window].changed_in = WindowStatus.SETTLING, batch.number
        self._settle_what_is_paid(batch)

    def open(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take a window that was opened; the one before it closed in the same batch."""
        id, model, number, opened_at = row
        before = next((w for w in self.windows.values() if w.model == model and w.status == WindowStatus.OPEN), None)
        if number != (1 if before is None else before.number + 1):
            self._findings.add("WINDOW", f"Window {number} does not follow the one that was open.")
        if batch.at is not None and opened_at != batch.at:
            self._findings.add("WINDOW", f"Window {number} was not opened when its batch was made.")
        made = Window(id, model, number, WindowStatus.OPEN, opened_at, batch.number)
        if before is not None:
            self._close(before, batch, configuration)
        self.windows[id] = made
        self._live.append(made)
        self._settle_what_is_paid(batch)

    def finish(self, batch: Batch) -> None:
        """Compare the batch's rows that stand for themselves with its movements."""
        known = {row["id"] for row in batch.rows.get("movement", ()) if row["kind"] == MovementKind.SETTLE}
        for row in batch.rows.get("confirmation", ()):
            if row["movement_id"] not in known:
                self._findings.add("CONFIRMATION", "A confirmation has no movement.")
        for row in batch.rows.get("window_net", ()):
            window = self.windows.get(row["window_id"])
            if window is None or window.closed_in != batch.number:
                self._findings.add("NET", f"There is a net of a window that did not close in batch {batch.number}.")

    def _close(self, window: Window, batch: Batch, configuration: Configuration) -> None:
        """Compare the nets of a window that closes with its positions and its movements."""
        window.status, window.closed_in, window.closed_at = WindowStatus.CLOSED, batch.number, batch.at
        window.changed_in = batch.number
        nets = {
            (row["institution_id"], row["currency"]): (row["debits"], row["credits"], row["net"])
            for row in batch.rows.get("window_net", ())
            if row["window_id"] == window.id
        }
        positions = {
            (node, currency): (debits, credits)
            for (of, node, currency), (debits, credits, _) in self.sums.items()
            if of == window.id and (debits or credits)
        }
        rounded = self._rounded(window, positions, configuration)
        for place in sorted(nets.keys() | positions.keys()):
            debits, credits = positions.get(place, (0, 0))
            due = rounded.get(place, credits - debits)
            if nets.get(place) != (debits, credits, due):
                self._findings.add(
                    "NET",
                    f"Window {window.number}: the net of {_place(configuration, place)} is not what its legs give.",
                )
            moved = self._closing.pop((window.id, *place), None)
            if moved != (due if due or debits != credits else None):
                self._findings.add(
                    "NET", f"Window {window.number}: {_place(configuration, place)} was closed with another net."
                )
        for key in [key for key in self._closing if key[0] == window.id]:
            del self._closing[key]
            self._findings.add(
                "NET", f"Window {window.number}: {_place(configuration, key[1:])} was closed, but has no net."
            )
        self.due[window.id] = {place: net for place, (_, _, net) in nets.items() if net}

    def _rounded(
        self, window: Window, positions: dict[Place, tuple[int, int]], configuration: Configuration
    ) -> dict[Place, int]:
        found: dict[Place, int] = {}
        for currency in sorted({currency for _, currency in positions}):
            nodes = {_code(configuration, node): node for node, of in positions if of == currency}
            exact = {code: positions[node, currency][1] - positions[node, currency][0] for code, node in nodes.items()}
            try:
                nets = round_nets(exact, minor_unit_millionths(currency))
            except (NotBalanced, UnknownMoney) as error:
                self._findings.add("NET", f"Window {window.number} in {currency}: {error}")
                continue
            found.update({(nodes[code], currency): net for code, net in nets.items()})
        return found

    def _settle_what_is_paid(self, batch: Batch) -> None:
        while self._live and self._live[0].status != WindowStatus.OPEN and not self.due.get(self._live[0].id):
            window = self._live.pop(0)
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
            found = self.sums[key] = [0, 0, 0]
        return found

    def _adjust(self, configuration: Configuration, window: int, node: int, currency: str, change: int) -> None:
        for above in self._path(configuration, node, window):
            self._sum(window, above, currency)[2] += change

    def _exposure(self, node: int, currency: str) -> int:
        sums = self.sums
        counted = [w.id for w in self._live] + [UNPOSTED]
        return sum(-found[2] for w in counted if (found := sums.get((w, node, currency))) is not None and found[2] < 0)

    def _path(self, configuration: Configuration, start: int, window: int) -> tuple[int, ...]:
        """The institution and all above it as they stand for a window's money; ends where the rows make no sense."""
        found = self._paths.get((start, window))
        if found is None:
            number = self.windows[window].number if window in self.windows else 0
            path: list[int] = []
            node: int | None = start
            while node is not None and node not in path:
                path.append(node)
                institution = configuration.institutions.get(node)
                placements = () if institution is None else institution.placements
                node = next((placed.parent for placed in reversed(placements) if placed.window <= number), None)
            found = self._paths[start, window] = tuple(path)
        return found


def _movement(moved: Any) -> str:
    return ids.text(ids.ENTRY, moved["id"])


def _code(configuration: Configuration, node: int) -> str:
    found = configuration.institutions.get(node)
    return f"institution {node:x}" if found is None else found.code


def _place(configuration: Configuration, place: Place) -> str:
    return f"{_code(configuration, place[0])} in {place[1]}"
