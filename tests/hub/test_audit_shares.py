"""The audit of shares: the history is clean, and each tampering with a plan, a share or its leg is found."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import postgres
from hub.audit import audit
from hub.ledger.commands import MoneyText
from hub.partners import Status
from tests.conftest import Hub
from tests.hub.audited import tampered, told
from tests.hub.ledger.test_exchanges import REMOTE, answer
from tests.hub.ledger.test_fees import LEVELS, convert, levels, network, plan, reverse

DATABASE = "points_hub_shares"


async def tell(hub: Hub) -> None:
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


@pytest.fixture(scope="module")
async def story(
    superuser: "asyncpg.Connection[object]", postgres_server: postgres.Server, template: str
) -> AsyncIterator[Hub]:
    async with told(superuser, postgres_server, template, DATABASE, tell) as hub:
        yield hub


@pytest.fixture
async def connection(story: Hub, postgres_server: postgres.Server) -> AsyncIterator[AsyncConnection]:
    assert story
    async with tampered(postgres_server, DATABASE) as connection:
        yield connection


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
        DOCUMENT.format("'500000', '600000'") + " AND document LIKE '%APPROVED%'", "SHARE_PLAN",
    ),
    "weights that always were others": (DOCUMENT.format("'500000', '600000'"), "FEE_SHARE"),
    "a plan that nobody proposed": (
        "DELETE FROM configuration_change WHERE noun = 'share_plan' AND document LIKE '%PROPOSED%'", "SHARE_PLAN",
    ),
    "a plan that was approved by who proposed it": (
        "UPDATE configuration_change c SET credential_id = p.credential_id FROM configuration_change p"
        " WHERE c.noun = 'share_plan' AND p.noun = 'share_plan' AND c.key = p.key AND c.document LIKE '%APPROVED%'"
        " AND p.document LIKE '%PROPOSED%'",
        "SHARE_PLAN",
    ),
    "a plan that was never approved": (
        "DELETE FROM configuration_change WHERE noun = 'share_plan' AND document LIKE '%APPROVED%'", "FEE_SHARE",
    ),
    "a fee of a reversal": (
        "UPDATE movement SET fee = fee - 1 WHERE kind = 5 AND id IN (SELECT movement_id FROM fee_share)", "REVERSAL",
    ),
}  # fmt: skip


async def test_shares_are_clean(story: Hub) -> None:
    async with story.database.snapshot() as connection:
        done = await audit(connection)
    assert done.findings == ()
    # three acts and three reversals of three shares each, and the two acceptances of what needed a partner
    assert done.counts["fee_share"] == 3 * (3 + 3 + 2)


@pytest.mark.parametrize("case", TAMPERED)
async def test_a_tampered_share_is_found(connection: AsyncConnection, case: str) -> None:
    statement, code = TAMPERED[case]
    assert (await connection.execute(text(statement))).rowcount
    assert code in {finding.code for finding in (await audit(connection)).findings}
