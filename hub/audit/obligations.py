"""Obligations as the money legs make them: of windows that are netted in pairs, what each two participants owe one
another, what it comes to at closing, and what was paid of it. Who stands above whom, and what that does to exposures,
is for ``hub.audit.positions``."""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.audit.entries import Batch
from hub.audit.findings import Findings, code_of
from hub.configuration import Configuration
from hub.ids import ENTRY, text
from hub.models import ModelKind, kind_of
from hub.money import UnknownMoney, minor_unit_millionths
from hub.obligations import Pair, net_pairs, pair_of

Both = tuple[int, int, str]  # two participants, and the currency
PairKey = tuple[int, int, int, str]  # window, two participants in the order of their identifiers, currency


class Obligations:
    """``sums``: what the first of a pair owes the second, and is owed, by the acts of a window, in millionths.
    ``made``: what debtors owe creditors of windows that have closed; ``due``: what of it is not paid."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.sums: dict[PairKey, list[int]] = {}
        self.made: dict[int, dict[Both, int]] = {}
        self.due: dict[int, dict[Both, int]] = {}
        self._by_id: dict[int, tuple[int, Both, int]] = {}  # window, between whom, amount
        self._kinds: dict[str, ModelKind] = {}

    def kind(self, configuration: Configuration, model: str) -> ModelKind:
        """How a model's windows are settled."""
        found = self._kinds.get(model)
        if found is None:
            found = kind_of(configuration.model_versions.values(), model)
            if any(one.code == model for one in configuration.model_versions.values()):
                self._kinds[model] = found
        return found

    def owe(self, window: int, debtor: int, creditor: int, currency: str, amount: int) -> tuple[PairKey, int, int]:
        """Take what an act makes one participant owe another: the pair, and what its first one is owed before and
        after."""
        first, second = sorted((debtor, creditor))
        key = (window, first, second, currency)
        sums = self.sums.setdefault(key, [0, 0])
        before = sums[1] - sums[0]
        sums[first != debtor] += amount
        return key, before, sums[1] - sums[0]

    def balances(self, window: int, currency: str) -> dict[tuple[int, int], int]:
        """What the first of each pair is owed by the second, exactly."""
        return {
            (first, second): credits - debits
            for (of, first, second, money), (debits, credits) in self.sums.items()
            if (of, money) == (window, currency)
        }

    def nets(self, configuration: Configuration, window: int, currency: str, kind: ModelKind) -> dict[Pair, int] | None:
        """The same by codes, in whole minor units, and nothing where each act was paid at once; None: the currency has
        none."""
        owed = {}
        for (first, second), balance in self.balances(window, currency).items():
            one, other = code_of(configuration, first), code_of(configuration, second)
            pair = pair_of(one, other)
            owed[pair] = balance if pair[0] == one else -balance
        if kind is ModelKind.IMMEDIATE_GROSS:
            return dict.fromkeys(owed, 0)
        try:
            return net_pairs(owed, minor_unit_millionths(currency))
        except UnknownMoney:
            return None

    def close(
        self,
        window: int,
        number: int,
        batch: Batch,
        configuration: Configuration,
        nets: Mapping[str, Mapping[Pair, int]],
    ) -> Iterator[tuple[PairKey, int, int]]:
        """Compare the obligations of a window that closes with its pairs' ``nets``, by currency; each pair with what
        its first one was owed exactly, and is owed rounded."""
        due: dict[Both, int] = {}
        for currency, pairs in nets.items():
            for (first, second), balance in self.balances(window, currency).items():
                codes = code_of(configuration, first), code_of(configuration, second)
                pair = pair_of(*codes)
                net = pairs[pair] if pair == codes else -pairs[pair]
                if net:
                    due[(second, first, currency) if net > 0 else (first, second, currency)] = abs(net)
                yield (window, first, second, currency), balance, net
        stated: dict[Both, int] = {}
        for row in batch.rows.get("obligation", ()):
            if row["window_id"] == window:
                both = row["debtor_id"], row["creditor_id"], row["currency"]
                stated[both] = row["amount"]
                self._by_id[row["id"]] = window, both, row["amount"]
        wrong = sorted(key for key in stated.keys() | due.keys() if stated.get(key) != due.get(key))
        for debtor, creditor, currency in wrong:
            self._findings.add(
                "OBLIGATION",
                f"Window {number}: what {code_of(configuration, debtor)} owes {code_of(configuration, creditor)} in "
                f"{currency} is not what its legs give.",
            )
        self.made[window], self.due[window] = dict(stated), dict(stated)

    def pay(self, moved: Any, batch: Batch) -> tuple[int, int, str, int] | None:
        """The obligation that a movement pays, as it is stated: debtor, creditor, currency and amount; None: there is
        no such, or it is not due."""
        window, name = moved["subject_id"], text(ENTRY, moved["id"])
        stated = [row for row in batch.rows.get("obligation_payment", ()) if row["movement_id"] == moved["id"]]
        owed = self._by_id.get(stated[0]["obligation_id"]) if len(stated) == 1 else None
        if owed is None or owed[0] != window:
            self._findings.add("OBLIGATION_PAYMENT", f"{name} is not what was confirmed.")
            return None
        _, both, amount = owed
        if (moved["for_institution_id"], moved["money"], moved["value"]) != (both[0], both[2], -amount):
            self._findings.add("OBLIGATION_PAYMENT", f"{name} is not what was confirmed.")
        if self.due.get(window, {}).pop(both, None) != amount:
            self._findings.add("OBLIGATION_PAYMENT", f"{name} pays what is no obligation of its window any more.")
            return None
        return (*both, amount)

    def between(self, window: int, one: int, other: int) -> bool:
        """Whether anything of a window is due between two participants."""
        return any({debtor, creditor} == {one, other} for debtor, creditor, _ in self.due.get(window, ()))

    def of(self, window: int, node: int) -> bool:
        """Whether anything of a window is due by or to a participant."""
        return any(node in both[:2] for both in self.due.get(window, ()))

    def finish(self, batch: Batch, closed: set[int]) -> None:
        """Compare the batch's obligations with the windows that it closed."""
        for row in batch.rows.get("obligation", ()):
            if row["window_id"] not in closed or row["window_id"] not in self.made:
                self._findings.add("OBLIGATION", f"An obligation is of no window that closed in batch {batch.number}.")

    def finish_payments(self, batch: Batch, paying: set[int]) -> None:
        """Compare the batch's payments with its movements that settle."""
        for row in batch.rows.get("obligation_payment", ()):
            if row["movement_id"] not in paying:
                self._findings.add("OBLIGATION_PAYMENT", "A payment of an obligation has no movement.")

    def compare(self, rows: list[Any]) -> None:
        """Find every standing pair that is not what its legs give."""
        left = {key: tuple(sums) for key, sums in self.sums.items() if any(sums)}
        for window, first, second, currency, *stated in rows:
            if left.pop((window, first, second, currency), (0, 0)) != tuple(stated):
                self._findings.add(
                    "PAIR_POSITION", f"What {first:x} and {second:x} owe in {currency} is not its legs'."
                )
        for _, first, second, currency in left:
            self._findings.add("PAIR_POSITION", f"What {first:x} and {second:x} owe in {currency} is missing.")
