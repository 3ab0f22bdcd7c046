"""Holds: each is made by the movement whose identifier it has, and resolved once and in its time.

Its points stay pending until then, and what it pins of lots is freed whole. Only open holds are kept.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from hub import ids
from hub.audit.accounts import host_of
from hub.audit.act import Act, Pinned, sums
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.currencies import HeldExpiry
from hub.expiry import NEVER
from hub.ledger.lots import total
from hub.ledger.records import ACCEPTED, HoldKind, MovementKind, Phase, Purpose

_MAKES = {
    MovementKind.HOLD: HoldKind.HOLD,
    MovementKind.FREEZE: HoldKind.FREEZE,
    MovementKind.ACCEPT: HoldKind.EXCHANGE,
    MovementKind.ACCEPT_REVERSE: HoldKind.EXCHANGE,
}
_ENDS = frozenset({MovementKind.CAPTURE, MovementKind.RELEASE, MovementKind.REMOVE})
# If the hub keeps the points itself.
_ENDS_OF_EXCHANGES = frozenset({MovementKind.CONVERT, MovementKind.REVERSE, MovementKind.DECLINE})
_STATED = (
    ("credential_id", "credential_id"),
    ("for_institution_id", "for_institution_id"),
    ("customer_id", "from_customer_id"),
    ("currency", "currency"),
    ("amount", "amount"),
)


class Holds:
    """Open holds, by identifier."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._rows: dict[int, Any] = {}
        self.open: dict[int, Pinned] = {}

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        self._rows = {row["id"]: row for row in batch.rows.get("hold", ())}

    def check(self, act: Act) -> None:
        """Take an act that makes or resolves a hold."""
        kind = act.moved["kind"]
        if kind in ACCEPTED and not any(leg[3] == Purpose.POINTS for leg in act.legs):
            return  # a partner keeps the points
        if kind in _MAKES:
            self._make(act, _MAKES[kind])
        elif kind in _ENDS or (kind in _ENDS_OF_EXCHANGES and act.hold is not None and act.over_partners):
            self._resolve(act)

    def finish(self) -> None:
        """Compare what is left of the batch's rows."""
        for id in self._rows:
            self._findings.add("HOLD", f"Hold {ids.text(ids.ENTRY, id)} has no movement.")

    def pending(self) -> Counter[int]:
        """What open holds pin, by account."""
        found: Counter[int] = Counter()
        for held in self.open.values():
            found[held.account] += held.row["amount"]
        return found

    def _make(self, act: Act, kind: HoldKind) -> None:
        row, moved = self._rows.pop(act.moved["id"], None), act.moved
        if row is None:
            self._findings.add("HOLD", f"{act.name} holds points without a hold.")
            return
        if row["kind"] != kind or any(row[mine] != moved[its] for mine, its in _STATED):
            self._findings.add("HOLD", f"{act.name} and its hold say different things.")
        of = act.configuration.currency(moved["currency"])
        if kind is HoldKind.HOLD and of is not None and act.at is not None:
            latest = act.at + timedelta(days=of.policy.hold_days_max)
            if row["shortfall"] or not act.at < row["expires_at"] <= latest:
                self._findings.add("HOLD_TERM", f"{act.name} holds points longer than the policy then in force lets.")
        if kind is not HoldKind.HOLD and row["expires_at"] != NEVER:
            self._findings.add("HOLD_TERM", f"{act.name} freezes points for a time.")
        account = act.legs[0][4] if act.legs else 0
        self.open[moved["id"]] = Pinned(row, account, act.pinned(Phase.PENDING))

    def _resolve(self, act: Act) -> None:
        moved, held, add = act.moved, act.hold, self._findings.add
        if held is None:
            add("HOLD", f"{act.name} ends a hold that is not open.")
            return
        row = held.row
        del self.open[row["id"]]
        of_exchange = act.over_partners
        whose = (moved["from_customer_id"], row["currency"] if of_exchange else moved["currency"])
        if whose != (row["customer_id"], row["currency"]):
            add("HOLD", f"{act.name} is of another customer's points than its hold.")
        if sums(act.pinned(Phase.VOIDED)) != sums(held.pins):
            add("HOLD_PINS", f"{act.name} frees other points than its hold pins.")
        if of_exchange:
            if row["kind"] != HoldKind.EXCHANGE:
                add("HOLD", f"{act.name} ends a hold that is of no exchange.")
            if moved["kind"] != MovementKind.DECLINE and +sums(held.pins) != +sums(act.taken()):
                add("HOLD_PINS", f"{act.name} takes other points than its hold pins.")
        elif moved["kind"] == MovementKind.REMOVE:
            if row["kind"] != HoldKind.FREEZE:
                add("HOLD", f"{act.name} removes points that were not frozen.")
            if sums(held.pins) - sums(act.taken()):
                add("HOLD_PINS", f"{act.name} takes other points than its freeze pins.")
        elif moved["kind"] == MovementKind.CAPTURE:
            self._capture(act, held)
        else:
            self._release(act, held)

    def _capture(self, act: Act, held: Pinned) -> None:
        moved, row, taken = act.moved, held.row, act.taken()
        if row["kind"] != HoldKind.HOLD:
            self._findings.add("HOLD", f"{act.name} captures points that are frozen.")
        plain = row["amount"] - total(held.pins)
        if sums(taken) - sums(held.pins) or moved["amount"] - total(taken) > plain:
            self._findings.add("HOLD_PINS", f"{act.name} takes other points than its hold pins.")
        if act.at is None:
            return
        if row["expires_at"] <= act.at:
            self._findings.add("HOLD_TERM", f"{act.name} takes points after the end of their hold.")
        of = act.configuration.currency(row["currency"])
        honoured = moved["to_customer_id"] is None and of is not None and of.policy.held_expiry is HeldExpiry.HONOUR
        if not honoured and any(piece.expires_at <= act.at for piece in taken):
            self._findings.add("LOT_OVER", f"{act.name} takes points that are over.")

    def _release(self, act: Act, held: Pinned) -> None:
        moved, row = act.moved, held.row
        if (moved["amount"], moved["for_institution_id"]) != (row["amount"], row["for_institution_id"]):
            self._findings.add("HOLD", f"{act.name} and its hold say different things.")
        if act.at is None or row["kind"] != HoldKind.HOLD:
            return
        over = row["expires_at"] <= act.at
        if over != (moved["credential_id"] == host_of(act.configuration)):
            self._findings.add("HOLD_TERM", f"{act.name} ends a hold before its time, or asked for after it.")
