"""The audit of shares: the history is clean, and each tampering with a plan, a share or its leg is found."""

import pytest

from hub import postgres
from hub.audit import audit
from hub.ledger.commands import MoneyText
from hub.partners import Status
from tests.conftest import Hub
from tests.hub.audited import check_every
from tests.hub.ledger.test_exchanges import REMOTE, answer
from tests.hub.ledger.test_fees import LEVELS, convert, levels, network, plan, reverse


@pytest.fixture
async def told(hub: Hub) -> Hub:
    """A fee of before there was a plan, one that is split, half of it given back; one whose share stays with who pays;
    and one over a partner, given back too."""
    await network(hub)
    await convert(hub, "before")
    await plan(hub, levels(*LEVELS))
    await reverse(hub, await convert(hub, "one"), "5000")
    await hub.currency("NP", "BANK", unit_value="0.01")
    await hub.issue("NP", "BRANCH", "alice", "10000")
    await hub.rate("NP", "JP", fee_fixed=MoneyText("1.99", "CNY"))
    await reverse(hub, await convert(hub, "kept", "NP>JP"), "5000")
    await hub.currency("MILE", "AIR", unit_value="0.01", **REMOTE)
    await hub.rate("CP", "MILE", fee_fixed=MoneyText("1.99", "CNY"))
    remote = await convert(hub, "remote", "CP>MILE")
    await answer(hub, f"PH-{remote.id:X}-C", Status.SUCCEEDED, partner_reference="P")
    back = await reverse(hub, remote, "5000")
    await answer(hub, f"PH-{back.id:X}-D", Status.SUCCEEDED, partner_reference="R")
    return hub


FIRST = "movement_id = (SELECT min(movement_id) FROM fee_share)"
OF_KIND = "movement_id = (SELECT min(s.movement_id) FROM fee_share s JOIN movement m ON m.id = s.movement_id {})"
REVERSED = OF_KIND.format("WHERE m.kind = 5")
PENDING = OF_KIND.format("WHERE m.kind = 30")
POSTED_LATER = OF_KIND.format("WHERE m.kind = 4 AND EXISTS (SELECT FROM exchange e WHERE e.id = m.subject_id)")
DOCUMENT = "UPDATE configuration_change SET document = replace(document, {}) WHERE noun = 'share_plan'"
TAMPERED = {
    "a share that is less": (f"UPDATE fee_share SET amount = amount - 1 WHERE place = 0 AND {FIRST}", "FEE_SHARE"),
    "a share of somebody else": (
        f"UPDATE fee_share SET institution_id = institution_id + 1 WHERE place = 0 AND {FIRST}", "FEE_SHARE",
    ),
    "another plan": (f"UPDATE fee_share SET plan_id = plan_id + 1 WHERE {FIRST}", "FEE_SHARE"),
    "another place": (f"UPDATE fee_share SET place = 7 WHERE place = 2 AND {FIRST}", "FEE_SHARE"),
    "another leg": (f"UPDATE fee_share SET n = 2 WHERE place = 0 AND {FIRST}", "FEE_SHARE"),
    "no leg": (f"UPDATE fee_share SET n = NULL WHERE place = 0 AND {FIRST}", "FEE_SHARE"),
    "a leg for what is kept": ("UPDATE fee_share SET n = 5 WHERE n IS NULL", "FEE_SHARE"),
    "a share that is gone": (f"DELETE FROM fee_share WHERE place = 1 AND {FIRST}", "FEE_SHARE"),
    "all shares gone": (f"DELETE FROM fee_share WHERE {FIRST}", "FEE_SHARE"),
    "a share of no fee": (
        "INSERT INTO fee_share (journal_id, movement_id, place, plan_id, institution_id, amount)"
        " SELECT 1, max(id), 0, 1, 1, 1 FROM movement WHERE kind = 1",
        "FEE_SHARE",
    ),
    "a share before there was a plan": (
        "INSERT INTO fee_share (journal_id, movement_id, place, plan_id, institution_id, amount)"
        " SELECT 1, min(id), 0, 1, 1, 1 FROM movement WHERE kind = 4",
        "FEE_SHARE",
    ),
    "what came back of a share": (
        f"UPDATE fee_share SET amount = amount - 1 WHERE place = 0 AND {REVERSED}", "FEE_SHARE",
    ),
    "nothing that came back": (f"DELETE FROM fee_share WHERE {REVERSED}", "FEE_SHARE"),
    "what is pending": (f"UPDATE fee_share SET amount = amount - 1 WHERE place = 0 AND {PENDING}", "FEE_SHARE"),
    "what is posted afterwards": (
        f"UPDATE fee_share SET amount = amount - 1 WHERE place = 0 AND {POSTED_LATER}", "FEE_SHARE",
    ),
    "a leg that is less than its share": (
        "UPDATE leg SET amount = amount - 1 WHERE (movement_id, n) ="
        f" (SELECT movement_id, n FROM fee_share WHERE place = 0 AND {FIRST})",
        "ACT_LEGS",
    ),
    "weights that were changed afterwards": (
        DOCUMENT.format("'500000', '600000'") + " AND document LIKE '%APPROVED%'", "VERSION",
    ),
    "weights that always were others": (DOCUMENT.format("'500000', '600000'"), "FEE_SHARE"),
    "a plan that nobody proposed": (
        "DELETE FROM configuration_change WHERE noun = 'share_plan' AND document LIKE '%PROPOSED%'", "VERSION",
    ),
    "a plan that was approved by who proposed it": (
        "UPDATE configuration_change c SET credential_id = p.credential_id FROM configuration_change p"
        " WHERE c.noun = 'share_plan' AND p.noun = 'share_plan' AND c.key = p.key AND c.document LIKE '%APPROVED%'"
        " AND p.document LIKE '%PROPOSED%'",
        "VERSION",
    ),
    "a plan that was never approved": (
        "DELETE FROM configuration_change WHERE noun = 'share_plan' AND document LIKE '%APPROVED%'", "FEE_SHARE",
    ),
    "a fee of a reversal": (
        "UPDATE movement SET fee = fee - 1 WHERE kind = 5 AND id IN (SELECT movement_id FROM fee_share)", "REVERSAL",
    ),
}  # fmt: skip


async def test_every_tampering_with_shares_is_found(told: Hub, postgres_server: postgres.Server) -> None:
    async with told.database.snapshot() as connection:
        done = await audit(connection)
    assert done.findings == ()
    # three acts and three reversals of three shares each, and the two acceptances of what needed a partner
    assert done.counts["fee_share"] == 3 * (3 + 3 + 2)
    await check_every(TAMPERED, told, postgres_server)
