"""Exchanges' history is clean; then it is tampered with, each time in a transaction that is rolled back."""

import pytest

from hub import postgres
from hub.ledger import commands
from hub.partners import Operation, Reason, Status
from tests.conftest import Hub
from tests.hub.audited import check_every
from tests.hub.ledger.test_exchange_acts import redemption
from tests.hub.ledger.test_exchange_reversals import declare, reversal
from tests.hub.ledger.test_exchanges import AL, ALICE, HAN, answer, begun, network

LAST = "(SELECT max(id) FROM {})"
OF = "(SELECT id FROM exchange WHERE state = '{}' LIMIT 1)"
TAMPERED = {
    "a state that no step gave": (
        "UPDATE exchange SET state = 'COMPLETED' WHERE state = 'REFUSED'", "EXCHANGE_STANDING",
    ),
    "a doubt that nobody had": ("UPDATE exchange SET in_doubt = true WHERE state = 'CREDITING'", "EXCHANGE_STANDING"),
    "a debit that was not": ("UPDATE exchange SET taken = 'PH-1-D' WHERE state = 'COMPLETED'", "EXCHANGE_STANDING"),
    "a refusal without a reason": ("UPDATE exchange SET refusal = NULL WHERE state = 'REFUSED'", "EXCHANGE_STANDING"),
    "an exchange of nothing": ("UPDATE exchange SET id = 7 WHERE state = 'REVERSED'", "EXCHANGE_STANDING"),
    "another window": ("UPDATE exchange SET window_id = 7 WHERE state = 'COMPLETED'", "EXCHANGE_WINDOW"),
    "an order that nobody sends": ("DELETE FROM partner_call", "PARTNER_CALL"),
    "a call of no order": (
        "INSERT INTO partner_call (journal_id, reference, currency, due_at, attempts)"
        " VALUES (1, 'PH-7-D', 'MILE', now(), 0)",
        "PARTNER_CALL",
    ),
    "a call of another partner": ("UPDATE partner_call SET currency = 'BP'", "PARTNER_CALL"),
    "a conversion that did not complete": (
        "UPDATE conversion SET status = 'PENDING', completed_at = NULL WHERE status = 'COMPLETED'",
        "CONVERSION_STATUS",
    ),
    "a doubt that is not shown": (
        "UPDATE conversion SET status = 'PENDING' WHERE status = 'IN_DOUBT'", "CONVERSION_STATUS",
    ),
    "a step that was left out": (
        "DELETE FROM exchange_step WHERE status = 'SUCCEEDED' AND state = 'CREDITING'",
        "EXCHANGE_STEP",
    ),
    "a step without an answer": ("UPDATE exchange_step SET status = NULL WHERE state = 'REVERSED'", "EXCHANGE_STEP"),
    "a refusal that counts as done": (
        "UPDATE exchange_step SET status = 'REFUSED' WHERE state = 'COMPLETED'", "EXCHANGE_STEP",
    ),
    "an answer to another order": (
        "UPDATE exchange_step SET order_reference = 'PH-7-C' WHERE state = 'REFUNDING'", "EXCHANGE_STEP",
    ),
    "a state that there is not": ("UPDATE exchange_step SET state = 'GONE' WHERE state = 'REVERSED'", "EXCHANGE"),
    "movements of no exchange": ("DELETE FROM exchange_step", "EXCHANGE"),
    "a step by who is no partner": (
        "UPDATE exchange_step SET credential_id = (SELECT credential_id FROM conversion LIMIT 1)"
        " WHERE state = 'REVERSED'",
        "EVIDENCE",
    ),
    "one person who decided alone": (
        "UPDATE exchange_evidence SET credential_id = (SELECT max(credential_id) FROM exchange_evidence)",
        "EVIDENCE",
    ),
    "an approval of what was not proposed": (
        "UPDATE exchange_evidence SET done = NOT done WHERE kind = 'APPROVAL'", "EVIDENCE",
    ),
    "an approval that there is not": ("DELETE FROM exchange_evidence WHERE kind = 'APPROVAL'", "EVIDENCE"),
    "evidence on what was clear": (
        "UPDATE exchange_evidence SET order_reference = 'PH-7-C' WHERE kind = 'PROPOSAL'", "EVIDENCE",
    ),
    "another amount asked for": ("UPDATE partner_order SET amount = amount + 1", "PARTNER_ORDER"),
    "another customer's points asked for": (
        "UPDATE partner_order SET customer_id = 7 WHERE operation = 'DEBIT'", "PARTNER_ORDER",
    ),
    "a refund of another debit": (
        "UPDATE partner_order SET undoes = 'PH-7-D' WHERE operation = 'REVERSE'", "PARTNER_ORDER",
    ),
    "an order of no step": (
        "INSERT INTO partner_order SELECT 1, id + 1000, 'PH-7-D', exchange_id, operation, currency, customer_id, amount"
        " FROM partner_order LIMIT 1",
        "PARTNER_ORDER",
    ),
    "points that arrived twice": ("UPDATE leg SET amount = amount * 2 WHERE movement_id IN"
        " (SELECT id FROM movement WHERE kind = 31)", "ACT_LEGS"),
    "money that is not pending": ("DELETE FROM leg WHERE phase = 2 AND purpose = 2", "ACT_LEGS"),
    "money that stays pending": ("DELETE FROM leg WHERE phase = 3 AND purpose = 2", "ACT_LEGS"),
    "another value than was agreed": (
        "UPDATE movement SET value = value + 1 WHERE kind = 30 AND value IS NOT NULL", "EXCHANGE",
    ),
    "a pending position that is not": ("UPDATE position SET subtree = subtree - 1 WHERE window_id = 0", "POSITION"),
    "a redemption that the partner was not asked for": (
        "DELETE FROM partner_order WHERE exchange_id = (SELECT id FROM movement WHERE kind = 34)", "PARTNER_ORDER",
    ),
    "a merchant who is paid more": ("UPDATE leg SET amount = amount + 1 WHERE purpose = 2 AND movement_id IN"
        " (SELECT id FROM movement WHERE kind = 3)", "ACT_LEGS"),
    "another merchant than was accepted": (
        "UPDATE movement SET merchant_id = 7 WHERE kind = 3 AND subject_id IS NOT NULL", "EXCHANGE",
    ),
    "a redemption that nothing accepted": (
        "UPDATE movement SET subject_id = 7 WHERE kind = 3 AND subject_id IS NOT NULL", "EXCHANGE_STEP",
    ),
    "a redemption that is a conversion": ("UPDATE movement SET kind = 30 WHERE kind = 34", "EXCHANGE_STANDING"),
    "a reversal of more than was accepted": (
        "UPDATE movement SET amount = amount + 1 WHERE kind = 5 AND subject_id IS NOT NULL", "EXCHANGE",
    ),
    "a reversal that undoes another order": (
        "UPDATE partner_order SET undoes = 'PH-7-C' WHERE operation = 'REVERSE' AND undoes LIKE '%-C'",
        "PARTNER_ORDER",
    ),
    "a reversal that gives too much back": (
        "UPDATE partner_order SET amount = amount + 1 WHERE id = (SELECT max(id) FROM partner_order)", "PARTNER_ORDER",
    ),
    "a reversal that does not stand": (
        "UPDATE conversion SET status = 'COMPLETED' WHERE status = 'REVERSED' AND completed_at IS NOT NULL",
        "CONVERSION_STATUS",
    ),
    "a reversal of what was not done": ("UPDATE movement SET subject_id = 7 WHERE kind = 35", "ACT"),
    "a hold that was not released": (
        "UPDATE hold SET status = 'HELD', resolved_by = NULL WHERE kind = 3 AND status = 'RELEASED'", "HOLD_STATUS",
    ),
    "a hold that began as a debit": (
        "UPDATE exchange_step SET state = 'DEBITING' WHERE state = 'HOLDING' AND status IS NULL", "EXCHANGE_STEP",
    ),
    "what was held and is not shown": (
        "DELETE FROM leg WHERE movement_id IN (SELECT id FROM movement WHERE kind = 39)", "ACT_LEGS",
    ),
    "what a partner no longer holds": (
        "UPDATE account SET debits_pending = 0 WHERE kind = 9 AND debits_pending > 0", "HOLD_PENDING",
    ),
    "a hold that nothing ended": (
        "DELETE FROM leg WHERE phase = 3 AND purpose = 1 AND movement_id IN"
        " (SELECT id FROM movement WHERE kind = 32)", "ACT_LEGS",
    ),
    "what was given and is not posted": (
        "UPDATE leg SET amount = amount + 1 WHERE movement_id IN (SELECT id FROM movement WHERE kind = 43)", "ACT_LEGS",
    ),
    "a capture of another hold": (
        "UPDATE partner_order SET undoes = 'PH-7-H' WHERE operation = 'CAPTURE'", "PARTNER_ORDER",
    ),
    "points that are collected though nobody refused them": (
        "UPDATE exchange_step SET status = 'ABSENT' WHERE state = 'COLLECTING' AND NOT in_doubt", "EXCHANGE_STEP",
    ),
    "a release that was refused and counts as done": (
        "UPDATE exchange_step SET reason = 'OTHER' WHERE state = 'REFUSED' AND reason = 'EXCEEDS_ORIGINAL'",
        "EXCHANGE_STEP",
    ),
    "a hold that is not what was taken": (
        "UPDATE exchange SET taken = NULL WHERE taken LIKE '%-H'", "EXCHANGE_STANDING",
    ),
    "a hold of an exchange that ends": ("UPDATE hold SET expires_at = now() WHERE kind = 3", "HOLD_TERM"),
}  # fmt: skip


@pytest.fixture
async def told(hub: Hub) -> Hub:
    """One exchange of every end, one under way and one in doubt; one was decided by persons."""
    await network(hub)
    done, refunded, doubtful = [await begun(hub, AL, HAN, "MILE>STAY", str(amount)) for amount in (200, 202, 204)]
    held, declined, decided, waiting = [await begun(hub, ALICE, AL, "BP>MILE", str(25 * n)) for n in (1, 2, 3, 4)]
    for made, letter in ((done, "D"), (done, "C"), (refunded, "D"), (doubtful, "D"), (held, "C")):
        await answer(hub, f"PH-{made.id:X}-{letter}", Status.SUCCEEDED, partner_reference=f"T{made.id}{letter}")
    await answer(hub, f"PH-{declined.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    await answer(hub, f"PH-{refunded.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    await answer(hub, f"PH-{refunded.id:X}-R", Status.SUCCEEDED)
    for made in (doubtful, decided):
        await answer(hub, f"PH-{made.id:X}-C", Status.UNKNOWN)
    await hub.do(commands.AddEvidence(actor=hub.admin, exchange=decided.id, done=True, text="Their statement."))
    [proposal] = await hub.sql("SELECT id FROM exchange_evidence")
    await hub.do(commands.ApproveEvidence(actor=hub.second, exchange=decided.id, proposal=proposal["id"]))
    assert waiting.id
    await hub.institution("SHOP")
    redeemed = await hub.do(redemption(hub, "40"))
    await answer(hub, f"PH-{redeemed.id:X}-D", Status.SUCCEEDED)
    back = await hub.do(reversal(hub, done))
    for letter in "DC":
        await answer(hub, f"PH-{back.id:X}-{letter}", Status.SUCCEEDED)
    await declare(hub, "MILE", tuple(sorted(Operation)))
    captured, freed, collected, kept = [await begun(hub, AL, HAN, "MILE>STAY", str(210 + 2 * n)) for n in range(4)]
    for made in (captured, freed, collected, kept):
        await answer(hub, f"PH-{made.id:X}-H", Status.SUCCEEDED)
    gone = {"reason": Reason.EXCEEDS_ORIGINAL}
    for made, letter, gave in ((captured, "C", True), (captured, "T", True), (collected, "C", True),
                              (collected, "T", False), (freed, "C", False), (freed, "F", False)):  # fmt: skip
        said = Status.SUCCEEDED if gave else Status.REFUSED
        await answer(hub, f"PH-{made.id:X}-{letter}", said, **({} if gave else gone))
    return hub


async def test_every_tampering_with_exchanges_is_found(told: Hub, postgres_server: postgres.Server) -> None:
    await check_every(TAMPERED, told, postgres_server)
