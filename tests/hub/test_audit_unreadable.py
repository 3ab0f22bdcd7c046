"""The audit of values that cannot be read: each is a finding, and what can be read is audited all the same."""

from collections.abc import AsyncIterator

import pytest

from hub import postgres
from hub.ledger.records import MovementKind
from settlement.audit import audit
from tests.conftest import Hub, NewHub
from tests.hub.audited import tampered
from tests.settlement.test_audit import paid, trade


@pytest.fixture(scope="module")
async def settled(hubs: NewHub, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    """Two closed windows with reports, of which the first is paid."""
    async with hubs() as hub:
        await trade(hub, tmp_path_factory.mktemp("keys") / "signing")
        [[first]] = await hub.sql("SELECT min(id) FROM settlement_window")
        await paid(hub, first)
        yield hub


RATE = "version = (SELECT min(version) FROM configuration_change WHERE noun = 'rate')"
UNREADABLE = {
    "a window's status": (
        "UPDATE settlement_window SET status = 'SETTLEDx' WHERE number = 1",
        "The windows of reports cannot be checked ('SETTLEDx' is not a valid WindowStatus).",
    ),
    "a document": (
        f"UPDATE configuration_change SET document = document || 'x' WHERE {RATE}",
        "All that is signed cannot be checked (JSON is malformed: trailing characters",
    ),
    "a noun": (
        f"UPDATE configuration_change SET noun = noun || 'x' WHERE {RATE}",
        "All that is signed cannot be checked ('ratex').",
    ),
    "what was paid": (
        f"UPDATE movement SET value = NULL WHERE kind = {int(MovementKind.SETTLE)}",
        "What entry {} of the journal is over cannot be checked (",
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_cannot_be_read_is_found_and_the_audit_goes_on(
    settled: Hub, postgres_server: postgres.Server, what: str
) -> None:
    statement, sentence = UNREADABLE[what]
    [[batch]] = await settled.sql("SELECT min(id) >> 20 FROM movement WHERE kind = $1", int(MovementKind.SETTLE))
    async with tampered(postgres_server, settled) as connection:
        done = await connection.exec_driver_sql(statement)
        assert done.rowcount
        # Something else is wrong, which is found after all entries.
        await connection.exec_driver_sql("UPDATE account SET credits_posted = credits_posted + 1 WHERE kind = 1")
        found = (await audit(connection)).findings
    assert "ACCOUNT_COUNTERS" in {one.code for one in found}
    told = [one.sentence for one in found if one.code == "UNREADABLE"]
    assert any(one.startswith(sentence.format(batch)) for one in told), told
