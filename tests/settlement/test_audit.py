"""The audit with reports: stored ones are proved against the rows, and each kind of tampering is found."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub import postgres
from hub.access import Role
from hub.institutions import OPERATOR_CODE
from hub.ledger import commands
from hub.money import format_millionths
from settlement.audit import audit
from settlement.publish import Keys, Reports
from settlement.signing import SigningKey
from tests.conftest import Hub, NewHub
from tests.hub.audited import tampered


async def trade(hub: Hub, keys: Path) -> None:
    """BANK's points become AIR's miles in three windows, of which the last is open."""
    await hub.institution("BANK")
    await hub.institution("AIR")
    await hub.currency("BP", "BANK", unit_value="0.0048")
    await hub.currency("MILE", "AIR", unit_value="0.0333")
    hub.second, _ = await hub.key(OPERATOR_CODE, Role.OPERATOR_ADMIN, person="second")
    await hub.rate("BP", "MILE", "1:7", fee_percent="1")
    await hub.issue("BP", "BANK", "alice", "1000000")
    reports = Reports(hub.database, Keys(keys), "Test Hub")
    for number in range(3):
        await hub.do(convert(hub, f"c{number}"))
        if number < 2:
            window = await hub.window()
            await hub.do(commands.CloseWindow(actor=hub.admin, key=f"w{number}", window=window))
            await reports.ensure(window)


@pytest.fixture(scope="module")
async def published(hubs: NewHub, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    """A history that no test changes."""
    async with hubs() as hub:
        await trade(hub, tmp_path_factory.mktemp("keys") / "signing")
        yield hub


def convert(hub: Hub, key: str) -> commands.Convert:
    return commands.Convert(
        actor=hub.admin,
        key=key,
        source=commands.Party("BANK", "alice"),
        target=commands.Party("AIR", "al"),
        source_currency="BP",
        target_currency="MILE",
        amount="1234",
        minimum_target=None,
    )


async def found(server: postgres.Server, hub: Hub, statement: str) -> set[str]:
    """The codes that the audit finds after this statement of a superuser's, which is rolled back."""
    async with tampered(server, hub) as connection:
        done = await connection.exec_driver_sql(statement)
        assert done.rowcount != 0, statement
        return {finding.code for finding in (await audit(connection)).findings}


async def test_reports_that_are_what_the_rows_give_are_clean(published: Hub) -> None:
    stages = set()
    async with published.database.snapshot() as connection:
        done = await audit(connection, lambda stage, _done, _total: stages.add(stage))
    assert done.findings == ()
    assert done.counts["settlement_report"] == 6  # BANK, AIR and the summary, twice
    assert {"journal", "relations", "reports"} <= stages


async def test_acts_around_a_closing_of_one_batch_stand_in_their_windows(hub: Hub, tmp_path: Path) -> None:
    await trade(hub, tmp_path / "signing")
    closing = commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window())
    await hub.batch([convert(hub, "before"), closing, convert(hub, "after")])
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


LAST = "(SELECT max(window_id) FROM settlement_report)"
FIRST = "(SELECT min(window_id) FROM settlement_report)"
TAMPERED = {
    "a payload": (
        f"UPDATE settlement_report SET payload = payload || ' ' WHERE window_id = {LAST}",
        {"REPORT_DIGEST", "REPORT_PAYLOAD"},
    ),
    "a digest": (
        f"UPDATE settlement_report SET digest = repeat('0', 64) WHERE window_id = {FIRST}",
        {"REPORT_DIGEST", "REPORT_CHAIN", "REPORT_CHILDREN"},
    ),
    "a previous digest": (
        f"UPDATE settlement_report SET previous_digest = NULL WHERE window_id = {LAST}",
        {"REPORT_CHAIN"},
    ),
    "a signature": (
        "UPDATE settlement_report SET jws = left(jws, -86) || repeat('A', 86)",
        {"REPORT_SIGNATURE"},
    ),
    "a signature that is none": ("UPDATE settlement_report SET jws = 'x'", {"REPORT_SIGNATURE"}),
    "another report's signature": (
        f"UPDATE settlement_report r SET jws = (SELECT jws FROM settlement_report s WHERE s.window_id = {FIRST}"
        f" AND s.institution_id = r.institution_id) WHERE window_id = {LAST}",
        {"REPORT_PAYLOAD"},
    ),
    "a report that is gone": (
        f"DELETE FROM settlement_report WHERE window_id = {LAST}"
        " AND institution_id = (SELECT max(institution_id) FROM settlement_report)",
        {"REPORT_MISSING", "REPORT_CHILDREN"},
    ),
    "all reports of a window before another": (
        f"DELETE FROM settlement_report WHERE window_id = {FIRST}",
        {"REPORT_MISSING", "REPORT_CHAIN"},
    ),
    "a report of the open window": (
        f"UPDATE settlement_report SET window_id = (SELECT max(id) FROM settlement_window) WHERE window_id = {LAST}",
        {"REPORT_WINDOW"},
    ),
    "a report of no window": (
        f"UPDATE settlement_report SET window_id = 7 WHERE window_id = {LAST}",
        {"REPORT_WINDOW"},
    ),
    "a public key that is gone": ("DELETE FROM signing_key", {"REPORT_SIGNATURE"}),
    "another public key": (
        f"UPDATE signing_key SET jwk = '{json.dumps(SigningKey.generate().public_jwk())}'",
        {"SIGNING_KEY", "REPORT_SIGNATURE"},
    ),
    "a leg behind the lines": (
        "UPDATE leg SET amount = amount + 1 WHERE purpose = 2",
        {"REPORT_LINES", "ENTRY_CONTENT"},
    ),
    "a net": ("UPDATE window_net SET net = -net", {"REPORT_NETS", "ENTRY_CONTENT"}),
    "the entry that closed a window": (
        "UPDATE journal_entry SET hash = content WHERE batch = (SELECT min(closed_in) FROM settlement_window)",
        {"REPORT_JOURNAL", "ENTRY_HASH"},
    ),
    "a movement that lines name": (
        "DELETE FROM movement WHERE kind = 4",
        {"REPORT_LINES", "ENTRY_CONTENT"},
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_found_where_it_is(published: Hub, postgres_server: postgres.Server, what: str) -> None:
    statement, expected = TAMPERED[what]
    given = await found(postgres_server, published, statement)
    assert expected <= given
    if all("REPORT" in code for code in expected):  # the books are not blamed for a report
        assert all("REPORT" in code for code in given)


async def paid(hub: Hub, window: int) -> None:
    """Confirm all that is due of a window."""
    nets = await hub.sql("SELECT institution_id, currency, net FROM window_net WHERE window_id = $1", window)
    for institution, currency, net in nets:
        node = hub.engine.configuration.institutions[institution]
        if net and node.code != OPERATOR_CODE:
            await hub.do(
                commands.ConfirmSettlement(
                    actor=hub.admin,
                    key=f"pay-{window}-{node.code}",
                    window=window,
                    institution=node.code,
                    currency=currency,
                    amount=format_millionths(net, currency),
                    value_date=None,
                    reference="paid",
                )
            )


async def test_reports_of_a_window_that_was_paid_are_missed_when_all_are_gone(
    hub: Hub, tmp_path: Path, postgres_server: postgres.Server
) -> None:
    await trade(hub, tmp_path / "signing")
    [[first]] = await hub.sql("SELECT min(id) FROM settlement_window")
    await paid(hub, first)
    async with tampered(postgres_server, hub) as connection:
        await connection.exec_driver_sql("DELETE FROM settlement_report")
        told = (await audit(connection)).findings
    assert [(one.code, one.sentence) for one in told] == [
        ("REPORT_MISSING", "Window 1 has no reports, but payments of it were confirmed.")
    ]


async def test_closed_windows_of_which_nobody_has_asked_for_reports_are_clean(hub: Hub, tmp_path: Path) -> None:
    await trade(hub, tmp_path / "signing")
    for number in range(2):
        await hub.do(commands.CloseWindow(actor=hub.admin, key=f"by-itself-{number}", window=await hub.window()))
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
