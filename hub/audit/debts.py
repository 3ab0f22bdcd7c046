"""Debts as their legs make them: a debt is never more than was posted, and whatever a customer gets repays it at once.

Legs that touch a debt stand beside those that an act posts anyway; here it is proved that they are exactly those that
are due: a repayment right after each credit, what a reversal has owed again, and what could not be taken.
"""

from collections import Counter
from typing import Any

from hub import ids
from hub.audit.accounts import Accounts, Key
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.currencies import Shortfall
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose
from hub.points import share

Debtor = tuple[int, str]  # customer, currency
_CUSTOMER, _ISSUANCE, _DEBT = (int(kind) for kind in (AccountKind.CUSTOMER, AccountKind.ISSUANCE, AccountKind.DEBT))
_POINTS, _POSTED = int(Purpose.POINTS), int(Phase.POSTED)
Due = tuple[Key, Key, int]  # debit, credit, amount


class Debts:
    """What customers owe, in the order of the acts."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._missing: dict[int, Any] = {}
        self._reversals: list[Any] = []
        self.owed: Counter[Debtor] = Counter()

    def begin(self, batch: Batch) -> None:
        """Take what a batch's acts could not take."""
        self._missing = {row["movement_id"]: row for row in batch.rows.get("missing", ())}
        self._reversals = []

    def missing(self, movement: int) -> tuple[int, int]:
        """What a movement could not take: what is owed, and what was written off."""
        row = self._missing.get(movement)
        return (0, 0) if row is None else (row["debt"], row["written_off"])

    def touching(self, legs: list[Any]) -> frozenset[int]:
        """The numbers of the legs that touch a debt."""
        key = self._accounts.key
        return frozenset(leg[1] for leg in legs if _DEBT in (key(leg[4])[0], key(leg[5])[0]))

    def check(self, act: Act) -> None:
        """Take the next act, and compare its legs of debts with those that are due."""
        moved = act.moved
        if moved["kind"] == MovementKind.REVERSE:
            self._reversals.append(moved)
        if self._missing.pop(moved["id"], None) is not None or moved["kind"] == MovementKind.REMOVE:
            self._check_missing(act)
        if not act.owing and not self.owed and not (act.original is not None and act.original.repaid):
            if act.missing[0] or moved["kind"] == MovementKind.WRITE_OFF:
                self._findings.add("DEBT", f"{act.name} has no legs of the debt that it is about.")
            return
        due = [*self._owed_again(act), *self._repaid(act), *self._changed(act)]
        if sorted(due) != sorted(self._due(leg) for leg in act.legs if leg[1] in act.owing) or not self._in_place(act):
            self._findings.add("DEBT", f"{act.name} changes debts in another way than is due.")
        for leg in act.legs:
            if leg[1] in act.owing:
                self._post(act, leg)

    def _due(self, leg: Any) -> Due:
        return self._accounts.key(leg[4]), self._accounts.key(leg[5]), leg[6]

    def _post(self, act: Act, leg: Any) -> None:
        debit, credit, amount = self._due(leg)
        if debit[0] == _DEBT:
            self.owed[debit[1:]] += amount
        if credit[0] == _DEBT:
            self.owed[credit[1:]] -= amount
            if self.owed[credit[1:]] < 0:
                self._findings.add("DEBT", f"{act.name} repays more than is owed.")
            if not self.owed[credit[1:]]:
                del self.owed[credit[1:]]

    def _owed_again(self, act: Act) -> list[Due]:
        """What a reversal's original repaid, in the reversal's share."""
        if act.original is None or not act.original.movement["amount"] or act.over_partners:
            return []  # over partners what comes back has to be there
        whole, key = act.original.movement["amount"], self._accounts.key
        parts = [
            (
                key(leg["credit_account_id"]),
                key(leg["debit_account_id"]),
                share(act.after, whole, leg["amount"]) - share(act.before, whole, leg["amount"]),
            )
            for leg in act.original.repaid
        ]
        return [part for part in parts if part[2]]

    def _repaid(self, act: Act) -> list[Due]:
        """What credits repay: as much as is owed, but not with what is over already."""
        found: list[Due] = []
        for leg in act.plain:
            owner = self._accounts.key(leg[5])
            if leg[2] != _POSTED or leg[3] != _POINTS or owner[0] != _CUSTOMER:
                continue
            over = sum(one.amount for one in act.given(leg[1]) if act.at is not None and one.expires_at <= act.at)
            if repaid := min(self.owed.get(owner[1:], 0), leg[6] - over):
                found.append((owner, (_DEBT, *owner[1:]), repaid))
        return found

    def _changed(self, act: Act) -> list[Due]:
        """What an act comes to owe, or gives up."""
        moved, of = act.moved, act.configuration.currency(act.moved["currency"])
        if of is None:
            return []
        issuance: Key = (_ISSUANCE, of.issuer, of.code)
        if moved["kind"] == MovementKind.WRITE_OFF:
            return [(issuance, (_DEBT, moved["to_customer_id"], of.code), moved["amount"])]
        return [((_DEBT, moved["from_customer_id"], of.code), issuance, act.missing[0])] if act.missing[0] else []

    def _in_place(self, act: Act) -> bool:
        """Whether each repayment stands right after its credit, and what is owed again before all else."""
        before: Any = None
        for leg in act.legs:
            debit, credit, _ = self._due(leg)
            repays = (debit[0], credit[0]) == (_CUSTOMER, _DEBT)
            comes_back = (debit[0], credit[0]) == (_DEBT, _CUSTOMER)
            if repays and (before is None or before[5] != leg[4]):
                return False
            if comes_back and before is not None and before[1] not in act.owing:
                return False
            before = leg
        return True

    def _check_missing(self, act: Act) -> None:
        """Compare what an act could not take with what it was to take."""
        moved, add = act.moved, self._findings.add
        debt, written_off = act.missing
        if moved["kind"] == MovementKind.REMOVE and act.hold is not None:
            wanted = act.hold.row["amount"] + act.hold.row["shortfall"]
            of = act.configuration.currency(moved["currency"])
            other = written_off if of is not None and of.policy.shortfall is Shortfall.DEBT else debt
            if moved["amount"] + debt + written_off != wanted or other:
                add("MISSING", f"{act.name} does not account for all that it was to take.")
        elif moved["kind"] == MovementKind.REMOVE:
            return  # of no freeze, which is a finding of its own
        elif moved["kind"] == MovementKind.REVERSE and act.original is not None:
            if act.original.movement["kind"] != MovementKind.ISSUE or debt + written_off > moved["amount"]:
                add("MISSING", f"{act.name} lacks points that it was not to take.")
        else:
            add("MISSING", f"{act.name} can lack nothing.")

    def finish(self, batch: Batch) -> None:
        """Compare what is left of the batch's rows."""
        for movement in self._missing:
            self._findings.add("MISSING", f"There is something missing of movement {movement:x}, which there is not.")
        missing = {row["movement_id"]: row for row in batch.rows.get("missing", ())}
        for row in batch.rows.get("cancellation", ()):
            mine = [one for one in self._reversals if row["id"] < one["id"] <= row["last_id"]]
            lacked = [missing[one["id"]] for one in mine if one["id"] in missing]
            stated = (row["issues"], row["amount"], row["debt"], row["written_off"])
            sums = (
                len(mine),
                sum(one["amount"] for one in mine),
                sum(one["debt"] for one in lacked),
                sum(one["written_off"] for one in lacked),
            )
            if stated != sums or any(one["currency"] != row["currency"] for one in mine):
                self._findings.add(
                    "CANCELLATION", f"{ids.text(ids.CANCELLATION, row['id'])} is not what its reversals come to."
                )
