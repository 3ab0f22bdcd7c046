"""Terms: every act was priced by the version that was in force at it, and comes to what that says.

The figures are worked out again from the terms, because nothing else ties an act's money to them. What was promised
over partners is priced when it is accepted; a reversal is of its original's version, whose shares are the acts'
business.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.acceptance_terms import Payment, nearest, payment
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.limits import stands
from hub.audit.originals import Original
from hub.currencies import PointCurrency
from hub.db import driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import ACCEPTED, MovementKind

_OF = f"SELECT movement_id, terms_id FROM act_terms WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[])"
_REDEEMING = frozenset({MovementKind.REDEEM, MovementKind.CAPTURE, MovementKind.ACCEPT_REDEEM})
_ENDS = frozenset({MovementKind.DECLINE, MovementKind.REFUND, *ACCEPTED.values()})
_REVERSING = frozenset({MovementKind.REVERSE, MovementKind.ACCEPT_REVERSE})


class Terms:
    """The versions of terms by which acts were priced, in the order of the ledger."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._named: dict[int, int] = {}  # by movement
        self._of_originals: dict[int, int] = {}
        self._promised: dict[int, int | None] = {}  # by exchanges that are under way

    async def begin(self, connection: AsyncConnection, batch: Batch, originals: Mapping[int, Original]) -> None:
        """Take what a batch's acts were priced by, and fetch it of the acts that it reverses."""
        self._named = {row["movement_id"]: row["terms_id"] for row in batch.rows.get("act_terms", ())}
        self._of_originals = {}
        if originals:
            driver = await driver_of(connection)
            found = await driver.fetch(_OF, [one.movement["id"] for one in originals.values()])
            self._of_originals = {row["movement_id"]: row["terms_id"] for row in found}

    def check(self, act: Act) -> None:
        """Compare what an act was priced by with what was in force, and what it comes to with what that says."""
        moved = act.moved
        kind, named = moved["kind"], self._named.pop(moved["id"], None)
        if kind in _ENDS and moved["subject_id"] in self._promised:
            promised = self._promised.pop(moved["subject_id"])
            due = promised if kind in ACCEPTED.values() else None
        elif kind in _REVERSING:
            due = None if act.original is None else self._of_originals.get(act.original.movement["id"])
        elif kind in _REDEEMING and stands(act.configuration.institutions, moved["merchant_id"]):
            due = self._check_payment(act)
        else:
            due = None
        if kind in ACCEPTED:
            self._promised[moved["id"]] = due
        if named != due:
            self._findings.add("TERMS", f"{act.name} was not priced by the terms that were in force at it.")

    def _check_payment(self, act: Act) -> int | None:
        """The version that was in force at a redemption, whose figures are compared."""
        moved, of = act.moved, act.configuration.currency(act.moved["currency"])
        if of is None or act.at is None:
            return None
        due = _payment(act, of)
        if due is not None and (moved["money"], moved["value"], moved["fee"]) != (due.money, due.value, due.fee):
            self._findings.add("TERMS_FIGURES", f"{act.name} does not come to what its terms say.")
        if due is None and of.policy.needs_terms:
            self._findings.add("TERMS", f"{act.name} was done where its currency is not taken.")
        return None if due is None else due.terms

    def finish(self) -> None:
        """Find what is priced of movements that there are not."""
        for id in self._named:
            self._findings.add("TERMS", f"{ids.text(ids.ENTRY, id)} was priced by terms, and there is none such.")


def _payment(act: Act, of: PointCurrency) -> Payment | None:
    by_node = act.configuration.acceptance.get(of.id)
    if by_node is None or act.at is None:
        return None
    terms = nearest(by_node, act.configuration.institutions, act.moved["merchant_id"], act.at)
    return None if terms is None else payment(terms, act.moved["amount"], of.scale)
