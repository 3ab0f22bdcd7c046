"""Windows over the API: none is closed that could not be reported, and reports are made before they are spoken of."""

from pathlib import Path

from structlog.testing import capture_logs

from hub import ids, postgres
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import Purpose
from settlement.publish import Keys
from tests.hub.audited import tampered
from tests.schema.acting import act, holder, institution
from tests.schema.conftest import Client

CLOSE = """mutation($w: ID!, $k: String!) { closeSettlementWindow(input: {idempotencyKey: $k, windowId: $w}) {
  ... on SettlementWindow { status } ... on Refused { reason } } }"""
WINDOWS = "{ settlementWindows { edges { node { status } } } }"


async def test_without_a_usable_key_the_window_stays_open_and_the_error_says_why(
    client: Client, tmp_path: Path
) -> None:
    root = client.caller(client.hub.admin)
    key = tmp_path / "signing" / "current.pem"
    Keys.of(client.settings).current()
    first = (await root.ask("{ hub { window { id } } }"))["window"]["id"]
    assert (await root.ask(CLOSE, w=first, k="first"))["status"] == "SETTLED"  # nobody owes anything
    open_window = (await root.ask("{ hub { window { id } } }"))["window"]["id"]
    await institution(root, "BANK")
    auditor = await holder(client, root, "BANK", "ba", "INSTITUTION_AUDITOR")
    key.chmod(0o644)
    with capture_logs() as logs:
        assert await root.codes(CLOSE, w=open_window, k="second") == ["SIGNING_KEY_UNUSABLE"]
    assert [log["event"] for log in logs] == ["signing key unusable"]
    assert "chmod 0600" in logs[0]["reason"]
    assert [one["node"]["status"] for one in (await root.ask(WINDOWS))["edges"]] == ["SETTLED", "OPEN"]
    # Who may not close it, what is closed already and what was asked before are answered as ever.
    assert await auditor.codes(CLOSE, w=open_window, k="third") == ["FORBIDDEN"]
    assert (await root.ask(CLOSE, w=first, k="fourth"))["reason"] == "WINDOW_CLOSED"
    assert (await root.ask(CLOSE, w=first, k="first"))["status"] == "SETTLED"
    key.chmod(0o600)
    assert (await root.ask(CLOSE, w=open_window, k="second"))["status"] == "SETTLED"


async def test_a_window_whose_reports_could_not_be_made_is_said_to_be_closed(client: Client, tmp_path: Path) -> None:
    root = client.caller(client.hub.admin)
    Keys.of(client.settings).current()
    window = (await root.ask("{ hub { window { id } } }"))["window"]["id"]
    ready = client.reports.check_key

    async def ready_then_not() -> None:
        await ready()
        (tmp_path / "signing" / "current.pem").chmod(0o644)

    client.reports.check_key = ready_then_not  # type: ignore[method-assign]
    result = await root.execute(CLOSE, w=window, k="c")
    assert result.errors is not None
    [error] = result.errors
    assert error.extensions == {"code": "REPORTS_OUTSTANDING", "windowId": window}
    assert [one["node"]["status"] for one in (await root.ask(WINDOWS))["edges"]] == ["SETTLED", "OPEN"]


SETTLED = "... on SettlementWindow { status }"
OPENED = "... on OpenedDisputes { disputes { status } }"


async def closed(client: Client) -> str:
    """A window in which SHOP was paid 50.00 by BANK; it closed by itself, so nobody has asked for its reports."""
    hub = client.hub
    await hub.institution("BANK")
    await hub.institution("SHOP")
    await hub.currency("BP", "BANK", unit_value="1")
    await hub.issue("BP", "BANK", "alice", "1000")
    redeemed = commands.Redeem(
        actor=hub.admin,
        key="r",
        currency="BP",
        customer=Party("BANK", "alice"),
        merchant="SHOP",
        amount="50",
        memo=None,
    )
    await hub.do(redeemed)
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=window))
    assert await hub.sql("SELECT * FROM settlement_report") == []
    return ids.text(ids.WINDOW, window)


def payment(window: str, institution: str, amount: str) -> dict[str, str]:
    return {
        "idempotencyKey": institution,
        "windowId": window,
        "institution": institution,
        "currency": "CNY",
        "amount": amount,
        "reference": "bank",
    }


CONFIRM = ("confirmSettlement", "ConfirmSettlementInput", SETTLED)


async def test_a_window_is_reported_before_it_is_paid(client: Client) -> None:
    window = await closed(client)
    root = client.caller(client.hub.admin)
    bank = await holder(client, root, "BANK", "Ann", "INSTITUTION_ADMIN")
    document = """mutation M($input: ConfirmSettlementInput!) { confirmSettlement(input: $input) { __typename } }"""
    assert await bank.codes(document, input=payment(window, "BANK", "-50.00")) == ["FORBIDDEN"]
    assert await client.hub.sql("SELECT * FROM settlement_report") == []
    assert (await act(root, *CONFIRM, **payment(window, "BANK", "-50.00")))["status"] == "SETTLING"
    assert len(await client.hub.sql("SELECT * FROM settlement_report")) == 3
    unknown = await act(root, *CONFIRM, **payment("sw_7", "SHOP", "50.00"))
    assert unknown["reason"] == "NOT_FOUND"


async def test_a_window_is_reported_before_its_lines_are_disputed(client: Client) -> None:
    window = await closed(client)
    bank = await holder(client, client.caller(client.hub.admin), "BANK", "Ann", "INSTITUTION_ADMIN")
    [[movement, n]] = await client.hub.sql(f"SELECT movement_id, n FROM leg WHERE purpose = {int(Purpose.SETTLEMENT)}")
    line = {
        "movement": ids.text(ids.ENTRY, movement),
        "leg": n,
        "reason": "OTHER",
        "evidence": {"text": "not ours"},
    }
    opening = ("openDisputes", "OpenDisputesInput", OPENED)
    made = await act(bank, *opening, windowId=window, institution="BANK", lines=[line])
    assert made["disputes"] == [{"status": "OPEN"}], made
    assert len(await client.hub.sql("SELECT * FROM settlement_report")) == 3


async def test_a_window_whose_reports_are_gone_is_told_to_whoever_asks_for_them_or_pays(
    client: Client, postgres_server: postgres.Server
) -> None:
    window = await closed(client)
    root = client.caller(client.hub.admin)
    await act(root, *CONFIRM, **payment(window, "BANK", "-50.00"))
    async with tampered(postgres_server, client.hub, stays=True) as connection:
        await connection.exec_driver_sql("DELETE FROM settlement_report")
    asked = 'query R($w: ID!) { settlementReport(windowId: $w, institution: "BANK") { digest } }'
    paid = """mutation M($input: ConfirmSettlementInput!) { confirmSettlement(input: $input) { __typename } }"""
    assert await root.codes(asked, w=window) == ["REPORTS_GONE"]
    assert await root.codes(paid, input=payment(window, "SHOP", "50.00")) == ["REPORTS_GONE"]
