"""Payments of windows: that what is due is paid, whole and in order, what that frees, and what is not paid."""

from collections import Counter
from typing import Any

from hub.audit.accounts import Accounts, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings, code_of, name_of
from hub.audit.positions import Place, Positions
from hub.configuration import Configuration
from hub.ledger.records import AccountKind, MovementKind, Purpose, WindowStatus


class Payments:
    """``nets``: those that are not zero, by window. ``payables``: what is to be paid of those that settle with the hub,
    with what was exchanged; ``due``: what of it is not paid. ``paid``: what the bank moved, net, by currency."""

    def __init__(self, findings: Findings, accounts: Accounts, positions: Positions) -> None:
        self._findings = findings
        self._accounts = accounts
        self._positions = positions
        self.nets: dict[int, dict[Place, int]] = {}
        self.payables: dict[int, dict[Place, int]] = {}
        self.due: dict[int, dict[Place, int]] = {}
        self.paid: Counter[str] = Counter()
        self._waiting: Counter[int] = Counter()  # by window, defaults that nobody bears yet
        # What of a net was declared unpaid or cut, and so has left the window before it takes effect.
        self._gone: Counter[tuple[int, int, str]] = Counter()

    def settle(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a payment: the net of the first window that is not settled, whole."""
        window, node, currency, amount = (
            moved["subject_id"],
            moved["for_institution_id"],
            moved["money"],
            moved["value"],
        )
        if self._positions.in_pairs(configuration, window):
            self._settle_pair(moved, legs, batch, configuration)
            return
        settlement = (int(AccountKind.SETTLEMENT), node, currency)
        bank = (int(AccountKind.BANK), operator_of(configuration), currency)
        sides = (settlement, bank) if amount > 0 else (bank, settlement)
        self._accounts.compare(moved, legs, [(*sides, abs(amount), int(Purpose.PAYMENT))])
        self.bank(currency, amount)
        stated = [row for row in batch.rows.get("confirmation", ()) if row["movement_id"] == moved["id"]]
        if [(row["window_id"], row["institution_id"], row["currency"], row["amount"]) for row in stated] != [
            (window, node, currency, amount)
        ]:
            self._findings.add("CONFIRMATION", f"{name_of(moved)} is not what was confirmed.")
        if self.due.get(window, {}).pop((node, currency), None) != amount:
            self._findings.add("CONFIRMATION", f"{name_of(moved)} pays what is not the net of its window.")
        self._free(configuration, window, node, currency)
        if not self._positions.is_next(window):
            self._findings.add("CONFIRMATION", f"{name_of(moved)} pays a window before an earlier one is settled.")
        self._positions.settling(window, batch.number)
        self.settle_what_is_paid(batch)

    def bank(self, currency: str, amount: int) -> None:
        """Take what the operator's bank was paid, or has paid out, less than nothing."""
        self.paid[currency] += amount

    def _settle_pair(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a payment between two participants: what one owes the other, whole, their earlier windows first."""
        window = moved["subject_id"]
        paid = self._positions.obligations.pay(moved, batch)
        if paid is not None:
            debtor, creditor, currency, amount = paid
            sides = [(int(AccountKind.SETTLEMENT), node, currency) for node in (creditor, debtor)]
            self._accounts.compare(moved, legs, [(sides[0], sides[1], amount, int(Purpose.PAYMENT))])
            model = self._positions.windows[window].model
            before = (one.id for one in self._positions.live if one.model == model and one.id < window)
            if any(self._positions.obligations.between(one, debtor, creditor) for one in before):
                self._findings.add("OBLIGATION_PAYMENT", f"{name_of(moved)} pays a later window before an earlier one.")
            self._free_pair(configuration, window, debtor, creditor)
        self._positions.settling(window, batch.number)
        self.settle_what_is_paid(batch)

    def _free_pair(self, configuration: Configuration, window: int, one: int, other: int) -> None:
        """What two participants paid one another frees their positions when nothing between them is due any more."""
        if self._positions.obligations.between(window, one, other):
            return
        made = self._positions.obligations.made[window]
        for (debtor, creditor, currency), amount in made.items():
            if {debtor, creditor} == {one, other}:
                self._positions.adjust(configuration, window, debtor, currency, amount)
                self._positions.adjust(configuration, window, creditor, currency, -amount)
                self._positions.owed(configuration, (window, creditor, debtor, currency), amount, 0)
        for node in (one, other):
            if not self._positions.obligations.of(window, node):
                for currency in sorted({currency for *both, currency in made if node in both}):
                    self.settle_below(configuration, window, {node}, currency)

    def _free(self, configuration: Configuration, window: int, node: int, currency: str) -> None:
        """What a participant paid frees its positions when nothing of it is due in any currency any more."""
        of, nets = self._positions.windows.get(window), self.nets.get(window, {})
        payables = self.payables.get(window, {})
        if of is not None and not of.together:
            settled = [currency]
        elif any(place[0] == node for place in self.due.get(window, ())):
            settled = []
        else:
            settled = sorted(money for owner, money in nets.keys() | payables.keys() if owner == node)
        for money in settled:
            moved = payables.get((node, money), 0) - self._gone[window, node, money]
            self._positions.adjust(configuration, window, node, money, -moved)
            if (node, money) in nets:
                self.settle_below(configuration, window, {node}, money)

    def unpaid(
        self, window: int, node: int, currency: str, amount: int, batch: Batch, configuration: Configuration
    ) -> None:
        """Take a net that was declared unpaid: it is owed outside of all windows."""
        if self.due.get(window, {}).pop((node, currency), None) != -amount:
            self._findings.add(
                "DEFAULT", f"What {code_of(configuration, node)} is declared not to have paid is no net."
            )
        if not self._positions.is_next(window):
            self._findings.add("DEFAULT", f"{code_of(configuration, node)} is declared not to have paid out of order.")
        self._positions.adjust(configuration, window, node, currency, amount)
        self._positions.outside(configuration, window, node, currency, -amount)
        self._gone[window, node, currency] -= amount
        self._free(configuration, window, node, currency)
        self._waiting[window] += 1
        self._positions.settling(window, batch.number)

    def payouts(self, window: int, currency: str) -> dict[int, int]:
        """What a window pays out in a currency, by who settles with the hub."""
        return {node: net for (node, of), net in self.payables.get(window, {}).items() if of == currency and net > 0}

    def cut(self, window: int, node: int, currency: str, amount: int, configuration: Configuration) -> None:
        """Take what a pay-out is cut by."""
        due = self.due[window]
        due[node, currency] -= amount
        self._positions.adjust(configuration, window, node, currency, -amount)
        self._gone[window, node, currency] += amount
        if not due[node, currency]:
            del due[node, currency]
            self._free(configuration, window, node, currency)

    def borne(self, window: int, batch: Batch) -> None:
        """Take that a default is borne: its window may be settled."""
        self._waiting[window] -= 1
        self._positions.settling(window, batch.number)
        self.settle_what_is_paid(batch)

    def repaid(self, window: int, node: int, currency: str, amount: int, configuration: Configuration) -> None:
        """Take what a debtor pays after all."""
        self._positions.outside(configuration, window, node, currency, amount)

    def settle_below(self, configuration: Configuration, window: int, settled: set[int], currency: str) -> None:
        """What went to a member is settled with it."""
        for (node, of), net in self.nets.get(window, {}).items():
            top: int = node
            while (parent := self._positions.parent(configuration, top, window)) is not None:
                top = parent
            if of == currency and top != node and top in settled:
                self._positions.sum(window, node, currency)[2] -= net

    def settle_what_is_paid(self, batch: Batch) -> None:
        waiting = set[str]()  # models
        for window in list(self._positions.live):
            due = self.due.get(window.id) or self._positions.obligations.due.get(window.id)
            if window.status == WindowStatus.OPEN or due or self._waiting[window.id]:
                waiting.add(window.model)
            if window.model not in waiting:
                self._positions.live.remove(window)
                window.status, window.settled_at, window.changed_in = WindowStatus.SETTLED, batch.at, batch.number

    def finish(self, batch: Batch) -> None:
        """What was confirmed in a batch was paid in it."""
        paid = {row["id"] for row in batch.rows.get("movement", ()) if row["kind"] == MovementKind.SETTLE}
        for row in batch.rows.get("confirmation", ()):
            if row["movement_id"] not in paid:
                self._findings.add("CONFIRMATION", "A confirmation has no movement.")
        self._positions.obligations.finish_payments(batch, paid)
        for row in batch.rows.get("confirmation_file", ()):
            if sum(row["id"] < one <= row["last_id"] for one in paid) != row["payments"]:
                self._findings.add("CONFIRMATION_FILE", f"File {row['id']:x} has not confirmed what it says.")
