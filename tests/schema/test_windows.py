"""Closing a window over the API: not without a key to sign its reports with."""

from pathlib import Path

from structlog.testing import capture_logs

from settlement.publish import Keys
from tests.schema.acting import holder, institution
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
