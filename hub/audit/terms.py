"""Terms: every act was priced by the version that was in force at it, and comes to what that says.

The figures are worked out again from the terms, because nothing else ties an act's money to them. What was promised
over partners is priced when it is accepted; a reversal is of its original's version, whose shares are the acts'
business.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.acceptance_terms import Payment, payment
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.limits import stands
from hub.audit.originals import Original
from hub.currencies import worth
from hub.db import driver_of
from hub.grant_terms import cost
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import ACCEPTED, MovementKind
from hub.terms import nearest

_OF = f"SELECT movement_id, terms_id FROM act_terms WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[])"
_REDEEMING = frozenset({MovementKind.REDEEM, MovementKind.CAPTURE, MovementKind.ACCEPT_REDEEM})
_ISSUING = frozenset({MovementKind.ISSUE, MovementKind.ACCEPT_ISSUE})
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
            driver = driver_of(connection)
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
        elif kind in _ISSUING and stands(act.configuration.institutions, moved["for_institution_id"]):
            due = self._check_grant(act)
        else:
            due = None
        if kind in ACCEPTED:
            self._promised[moved["id"]] = due
        if named != due:
            self._findings.add("TERMS", f"{act.name} was not priced by the terms that were in force at it.")

    def _check_payment(self, act: Act) -> int | None:
        """The version that was in force at a redemption, whose figures are compared."""
        moved, configuration, of = act.moved, act.configuration, act.configuration.currency(act.moved["currency"])
        if of is None or act.at is None:
            return None
        by_node = configuration.acceptance.get(of.id, {})
        terms = nearest(by_node, configuration.institutions, moved["merchant_id"], act.at)
        if terms is None and of.policy.needs_terms:
            self._findings.add("TERMS", f"{act.name} was done where its currency is not taken.")
        if terms is None:
            due = Payment(of.money, worth(configuration.valued(of, act.at), moved["amount"]), 0, None)
        else:
            due = payment(terms, moved["amount"], of.scale)
        if (moved["money"], moved["value"], moved["fee"]) != (due.money, due.value, due.fee):
            self._findings.add("TERMS_FIGURES", f"{act.name} does not come to what its terms say.")
        return due.terms

    def _check_grant(self, act: Act) -> int | None:
        """The version that was in force at an issue by another institution than the issuer, whose figures are
        compared."""
        moved, configuration, of = act.moved, act.configuration, act.configuration.currency(act.moved["currency"])
        if of is None or act.at is None:
            return None
        grantor, due = moved["for_institution_id"], None
        figures = (moved["money"], moved["value"])
        if grantor != of.issuer:
            by_node = configuration.grants.get(of.id, {})
            due = nearest(by_node, configuration.institutions, grantor, act.at)
            if due is None:
                self._findings.add("TERMS", f"{act.name} was issued by who may not.")
        if figures != ((None, None) if due is None else (due.money, cost(due, moved["amount"] - act.drawn, of.scale))):
            self._findings.add("TERMS_FIGURES", f"{act.name} does not come to what its terms say.")
        return None if due is None else due.id

    def finish(self) -> None:
        """Find what is priced of movements that there are not."""
        for id in self._named:
            self._findings.add("TERMS", f"{ids.text(ids.ENTRY, id)} was priced by terms, and there is none such.")
