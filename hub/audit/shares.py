"""Shares: each fee is split as the plan in force at its act says, by versions that two persons brought into force.

The plan is found again from the configuration of the act, and the fee is split again; rows and legs are held against
that. What is accepted first and done later goes by the split of its acceptance.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from hub import ids
from hub.audit.accounts import operator_of
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.positions import Positions
from hub.ledger.records import Phase, Purpose
from hub.money import UnknownMoney, minor_unit_millionths
from hub.points import share
from hub.shares import Act as FeeAct
from hub.shares import Part, acting, parts, plan_for

Split = tuple[int | None, tuple[Part, ...]]  # a plan's version, and what its shares come to; None: without a plan
UNSPLIT: Split = (None, ())


class Shares:
    """Rows of fees' shares, which the acts of a batch take one after the other."""

    def __init__(self, findings: Findings, positions: Positions) -> None:
        self._findings = findings
        self._positions = positions
        self._rows: dict[int, list[Any]] = {}

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        self._rows = {}
        for row in batch.rows.get("fee_share", ()):
            self._rows.setdefault(row["movement_id"], []).append(row)

    def split(self, act: Act, kind: FeeAct, pair: tuple[int, int | None], money: str, fee: int) -> Split:
        """How an act's fee is split; what is the operator's without a plan is one part."""
        configuration, institutions = act.configuration, act.configuration.institutions
        whole: Split = (None, (Part(0, operator_of(configuration), fee),))
        actor: int = act.moved["for_institution_id"]
        if not fee or not configuration.sharing or act.at is None or actor not in institutions:
            return whole
        path = self._positions.open_path(configuration, actor)
        plan = plan_for(configuration.sharing, acting(kind, *pair, money, path, institutions, act.at), act.at)
        try:
            unit = minor_unit_millionths(money)
        except UnknownMoney:
            return whole
        return whole if plan is None else (plan.id, tuple(parts(fee, plan.shares, path, unit)))

    def check(self, act: Act, split: Split, payer: int, phase: Phase = Phase.POSTED) -> None:
        """Hold the rows of a movement, whose legs are held against the split elsewhere, against it."""
        plan, found = split
        due = [] if plan is None else [(part.place, plan, part.payee, part.amount) for part in found]
        self._compare(act, due, [payee != payer for _, _, payee, _ in due], phase)

    def check_returned(self, act: Act, phase: Phase = Phase.POSTED) -> int | None:
        """Hold the rows of a reversal against those of what it reverses; answers what of its fee comes back, None where
        no plan split it."""
        known = act.original
        if known is None or not known.shares:
            self._compare(act, [], [], phase)
            return None
        total = known.movement["amount"]
        due, moves = [], []
        for row in known.shares:
            if amount := share(act.after, total, row["amount"]) - share(act.before, total, row["amount"]):
                due.append((row["place"], row["plan_id"], row["institution_id"], amount))
                moves.append(row["n"] is not None)
        self._compare(act, due, moves, phase)
        return sum(amount for *_, amount in due)

    def _compare(self, act: Act, due: Sequence[tuple[int, int, int, int]], moves: Iterable[bool], phase: Phase) -> None:
        """The rows that are there against those that are due, each with its leg, if it has one."""
        legs = iter([leg[1] for leg in act.legs if leg[3] == Purpose.FEE and leg[2] == phase])
        expected = [(*one, next(legs, None) if moved else None) for one, moved in zip(due, moves, strict=True)]
        rows = self._rows.pop(act.moved["id"], [])
        columns = ("place", "plan_id", "institution_id", "amount", "n")
        if [tuple(row[column] for column in columns) for row in rows] != expected:
            self._findings.add("FEE_SHARE", f"The fee of {act.name} is not split as its plan says.")

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for movement in self._rows:
            self._findings.add("FEE_SHARE", f"There are shares of {ids.text(ids.ENTRY, movement)}, which has no fee.")
