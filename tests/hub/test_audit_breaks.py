"""Breaks' history is clean; then it is tampered with, each time in a transaction that is rolled back."""

import pytest

from hub import postgres
from hub.ledger import commands
from hub.reconciliation.breaks import Ending
from tests.conftest import Hub
from tests.hub.audited import check_every
from tests.hub.ledger.test_breaks import approval, found, proposal, reconcile
from tests.hub.ledger.test_exchanges import network

TAMPERED = {
    "a break that was made away with": ("DELETE FROM reconciliation_break WHERE reference = 'X-5'", "BREAK_STEP"),
    "a break of no run": (
        "INSERT INTO reconciliation_break SELECT 1, id + 1000, run_id, currency, day, scale, 'Z', type, figures,"
        " status, NULL, NULL FROM reconciliation_break LIMIT 1",
        "BREAK_STANDING",
    ),
    "an end that nobody gave": (
        "UPDATE reconciliation_break SET status = 'ACCEPTED' WHERE status = 'OPEN'", "BREAK_STANDING",
    ),
    "a break that is open again": (
        "UPDATE reconciliation_break SET status = 'OPEN' WHERE status = 'CORRECTED'", "BREAK_STANDING",
    ),
    "another owner": ("UPDATE reconciliation_break SET owner_id = 7 WHERE owner_id IS NOT NULL", "BREAK_STANDING"),
    "another type": ("UPDATE reconciliation_break SET type = 'DATE'", "BREAK_STANDING"),
    "other figures": (
        "UPDATE reconciliation_break SET figures = replace(figures, '50', '40') WHERE reference = 'X-5'",
        "BREAK_STANDING",
    ),
    "a proposal that was not made": (
        "UPDATE reconciliation_break SET proposal_id = 7 WHERE status = 'PROPOSED'", "BREAK_STANDING",
    ),
    "one person who ended it alone": (
        "UPDATE break_step SET credential_id = (SELECT min(credential_id) FROM break_step WHERE kind = 'PROPOSED')"
        " WHERE kind = 'APPROVED'",
        "BREAK_APPROVAL",
    ),
    "an end that was not proposed": ("UPDATE break_step SET ending = 'ACCEPT' WHERE kind = 'PROPOSED'", "BREAK_STEP"),
    "a proposal that there is not": ("DELETE FROM break_step WHERE kind = 'PROPOSED'", "BREAK_STEP"),
    "an approval without its movement": (
        "UPDATE break_step SET movement_id = NULL, adjusted = NULL WHERE kind = 'APPROVED' AND ending = 'CORRECTION'",
        "BREAK_STEP",
    ),
    "an acceptance that posts": (
        "UPDATE break_step SET ending = 'ACCEPT' WHERE ending = 'CORRECTION'", "BREAK_STEP",
    ),
    "another amount than the difference": (
        "UPDATE break_step SET adjusted = adjusted * 2 WHERE adjusted IS NOT NULL", "BREAK_STEP",
    ),
    "a step that was left out": ("DELETE FROM break_step WHERE kind = 'FOUND'", "BREAK_STEP"),
    "a break that did not match later": ("DELETE FROM break_step WHERE kind = 'MATCHED'", "RECONCILIATION"),
    "a step of a kind that there is not": ("UPDATE break_step SET kind = 'GONE' WHERE kind = 'NOTED'", "BREAK_STEP"),
    "a finding that is not the host's": (
        "UPDATE break_step SET credential_id = (SELECT max(credential_id) FROM break_step) WHERE kind = 'FOUND'",
        "BREAK_STEP",
    ),
    "a run that found less": (
        """UPDATE reconciliation SET document = replace(document, '"opened":5', '"opened":4')""", "RECONCILIATION",
    ),
    "a run that says nothing": ("UPDATE reconciliation SET document = '{}'", "RECONCILIATION"),
    "a run of another day": ("UPDATE reconciliation SET day = '2026-03-02'", "BREAK_STEP"),
    "a correction without legs": (
        "DELETE FROM leg WHERE movement_id IN (SELECT id FROM movement WHERE kind = 38)", "ACT_LEGS",
    ),
    "a correction that was made away with": ("DELETE FROM movement WHERE kind = 38", "BREAK"),
    "a correction of no break": (
        "UPDATE break_step SET movement_id = 7 WHERE movement_id IS NOT NULL", "ACT",
    ),
    "a correction of another break": ("UPDATE movement SET subject_id = 7 WHERE kind = 38", "BREAK"),
    "a write-off that the issuer does not bear": (
        "UPDATE leg SET credit_account_id = (SELECT id FROM account WHERE kind = 2 AND currency = 'MILE'), debit_after"
        " = 0 WHERE credit_account_id = (SELECT id FROM account WHERE kind = 3)",
        "ACT_LEGS",
    ),
    "a comment of nobody": ("INSERT INTO memo VALUES (1, 7, 'x')", "MEMO"),
}  # fmt: skip


@pytest.fixture
async def told(hub: Hub) -> Hub:
    """A break of every end, one that is proposed and one that is open."""
    await network(hub)
    first = await hub.do(reconcile(hub, *(found(f"X-{number}", 50 - 100 * (number == 2)) for number in range(1, 6))))
    names = {row["reference"]: row["id"] for row in await hub.sql("SELECT id, reference FROM reconciliation_break")}
    for number, ending in ((1, Ending.CORRECTION), (2, Ending.WRITE_OFF), (3, Ending.ACCEPT)):
        id = names[f"X-{number}"]
        proposed = await hub.do(proposal(hub, id, ending))
        await hub.do(approval(hub, id, proposed.proposal))
    await hub.do(commands.AssignBreak(actor=hub.admin, id=names["X-5"], owner="second"))
    await hub.do(commands.NoteBreak(actor=hub.admin, id=names["X-5"], text="We have asked them."))
    left = [found(f"X-{number}", 50 - 100 * (number == 2)) for number in (1, 2, 3, 5)]
    await hub.do(reconcile(hub, *left, found("X-6"), after=first))
    [row] = await hub.sql("SELECT id FROM reconciliation_break WHERE reference = 'X-6'")
    await hub.do(proposal(hub, row["id"]))
    return hub


async def test_every_tampering_with_breaks_is_found(told: Hub, postgres_server: postgres.Server) -> None:
    await check_every(TAMPERED, told, postgres_server)
