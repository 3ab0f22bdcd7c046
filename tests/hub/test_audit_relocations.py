"""Relocations' history is clean; then it is tampered with, each time in a transaction that is rolled back."""

import pytest

from hub import postgres
from hub.currencies import HOSTED
from hub.ledger import commands
from tests.conftest import Hub
from tests.hub.audited import check_every
from tests.hub.moved import Moving, Played

DONE = "(SELECT min(id) FROM relocation)"
HOME = "(SELECT max(id) FROM relocation WHERE adapter = 'hosted' AND status = 'DONE')"
ON_THE_WAY = "(SELECT max(id) FROM relocation)"
TAMPERED = {
    "a status that no step gave": (
        f"UPDATE relocation SET status = 'CANCELLED' WHERE id = {DONE}", "RELOCATION_STANDING",
    ),
    "another approver": ("UPDATE relocation SET approved_by = 7", "RELOCATION_STANDING"),
    "another round": (f"UPDATE relocation SET round = 7 WHERE id = {DONE}", "RELOCATION_STANDING"),
    "other sums": (f"UPDATE relocation SET theirs = theirs + 1 WHERE id = {DONE}", "RELOCATION_STANDING"),
    "differences that are hidden": (f"UPDATE relocation SET differing = 0 WHERE id = {DONE}", "RELOCATION_STANDING"),
    "an acceptance that nobody gave": (
        f"UPDATE relocation SET accepted = true, accepted_by = 7 WHERE id = {ON_THE_WAY}", "RELOCATION_STANDING",
    ),
    "points that count as moved": (f"UPDATE relocation SET moved = 5 WHERE id = {ON_THE_WAY}", "RELOCATION_STANDING"),
    "another end": ("UPDATE relocation SET ended_at = now() WHERE ended_at IS NOT NULL", "RELOCATION_STANDING"),
    "another file": (f"UPDATE relocation SET digest = 'x' WHERE id = {DONE}", "RELOCATION_STANDING"),
    "other terms": (f"UPDATE relocation SET reason = 'x' WHERE id = {DONE}", "ENTRY_CONTENT"),
    "a relocation that is gone": (f"DELETE FROM relocation WHERE id = {DONE}", "RELOCATION_STEP"),
    "an approval that was left out": ("DELETE FROM relocation_step WHERE act = 'APPROVE'", "RELOCATION_STEP"),
    "one person who did both": (
        "UPDATE relocation_step s SET credential_id = r.credential_id FROM relocation r"
        " WHERE r.id = s.relocation_id AND s.act = 'APPROVE'",
        "RELOCATION_STEP",
    ),
    "another proposer": ("UPDATE relocation_step SET credential_id = 7 WHERE act = 'PROPOSE'", "RELOCATION_STEP"),
    "differences that one accepted": (
        "DELETE FROM relocation_step WHERE id = (SELECT max(id) FROM relocation_step WHERE act = 'ACCEPT')",
        "RELOCATION_STEP",
    ),
    "differences that one accepted twice": (
        "UPDATE relocation_step SET credential_id = (SELECT min(credential_id) FROM relocation_step"
        " WHERE act = 'ACCEPT') WHERE act = 'ACCEPT'",
        "RELOCATION_STEP",
    ),
    "figures that nobody compared": (
        f"UPDATE relocation_step SET ours = ours + 1 WHERE act = 'COMPLETE' AND relocation_id = {DONE}",
        "RELOCATION_STEP",
    ),
    "a round of another file": (
        "UPDATE relocation_step SET digest = 'x' WHERE act = 'READ' AND digest IS NOT NULL", "RELOCATION_STEP",
    ),
    "a round that nobody began": (
        f"DELETE FROM relocation_step WHERE act = 'READ' AND relocation_id = {DONE}", "OPENING_BALANCE",
    ),
    "a step that there is not": ("UPDATE relocation_step SET act = 'GO' WHERE act = 'FIX'", "RELOCATION_STEP"),
    "a step of nothing": ("UPDATE relocation_step SET relocation_id = 7 WHERE act = 'FIX'", "RELOCATION_STEP"),
    "a balance that the hub did not have": (
        "UPDATE opening_balance SET ours = ours + 1 WHERE ours > 0", "OPENING_BALANCE",
    ),
    "a balance out of turn": (f"UPDATE opening_balance SET round = 9 WHERE relocation_id = {DONE}", "OPENING_BALANCE"),
    "a balance of nothing": (
        f"UPDATE opening_balance SET relocation_id = 7 WHERE relocation_id = {DONE}", "OPENING_BALANCE",
    ),
    "a balance that the partner did not have": (
        f"UPDATE opening_balance SET theirs = theirs + 1 WHERE relocation_id = {HOME}", "RELOCATION",
    ),
    "a customer who is not on record": (
        f"DELETE FROM opening_balance WHERE relocation_id = {DONE} AND ours = 300", "RELOCATION",
    ),
    "another amount moved": (
        "UPDATE movement SET amount = amount + 1 WHERE kind = 40 AND from_customer_id IS NOT NULL", "RELOCATION",
    ),
    "points moved by somebody": (
        "UPDATE movement SET credential_id = (SELECT min(credential_id) FROM relocation) WHERE kind = 40", "RELOCATION",
    ),
    "points moved for nothing": ("UPDATE movement SET subject_id = 7 WHERE kind = 40", "RELOCATION"),
    "legs that are not the movement's": ("UPDATE leg SET amount = amount + 1 WHERE movement_id IN"
        " (SELECT id FROM movement WHERE kind = 41)", "ACT_LEGS"),
    "what was recognised, twice": (
        f"UPDATE movement SET amount = amount * 2 WHERE kind = 41 AND subject_id = {DONE}", "RELOCATION_STEP",
    ),
    "a customer who was left behind": (
        "DELETE FROM movement WHERE id = (SELECT min(id) FROM movement WHERE kind = 40)", "RELOCATION_STEP",
    ),
    "a life that the partner did not tell": (
        "UPDATE opening_balance SET lots = replace(lots, '20', '21') WHERE lots IS NOT NULL", "LOT_LIFE",
    ),
    "lots that are none": ("UPDATE opening_balance SET lots = '{' WHERE lots IS NOT NULL", "LOT_LIFE"),
    "a keeper without a relocation": (
        "UPDATE configuration_change SET document = replace(document, '\"hosted\"', '\"other\"')"
        " WHERE version = (SELECT max(version) FROM configuration_change WHERE noun = 'currency')",
        "RELOCATION_KEEPER",
    ),
    "a currency that does not halt": (
        "UPDATE configuration_change SET document = replace(document, '\"fixed\":true', '\"fixed\":false')",
        "RELOCATION_KEEPER",
    ),
    "a movement of fixed balances": (
        "UPDATE movement SET kind = 2 WHERE id = (SELECT min(id) FROM movement WHERE kind = 40)", "RELOCATION_FIXED",
    ),
}  # fmt: skip


@pytest.fixture
async def moved(hub: Hub) -> Hub:
    """One that went to a partner with differences that two persons accepted, one that came home by a file, one that was
    cancelled, and one that is compared."""
    bank = await Moving(hub, Played({"alice": 31_000, "bob": 19_000, "carol": 5_000})).open()
    run = await bank.compare(await bank.fixed())
    await bank.accept(run, hub.admin)
    await bank.complete(await bank.accept(run, hub.second))
    rows = {("BANK", "alice"): list(bank.lots(310)), ("SHOP", "carol"): list(bank.lots(90))}
    await bank.complete(await bank.compare_file(await bank.fixed(HOSTED), rows))
    cancelled = await bank.fixed()
    await hub.do(commands.CancelRelocation(actor=hub.admin, id=cancelled.id, reason="no"))
    bank.partner.units = {"alice": 31_000, "carol": 9_000}
    await bank.compare(await bank.fixed())
    return hub


async def test_every_tampering_with_relocations_is_found(moved: Hub, postgres_server: postgres.Server) -> None:
    await check_every(TAMPERED, moved, postgres_server)
