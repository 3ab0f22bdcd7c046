"""Reports of a real hub: two members and the operator, built from what the ledger holds and verified without it."""

import asyncio
import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from hub import ids, postgres
from hub.billing import bill
from hub.clock import now
from hub.errors import NotFound, ReportsGone
from hub.host.windows import sign_first
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import ShareTerms
from hub.models import ModelKind
from hub.revocations import RevocationReason
from hub.settings import Settings
from settlement import legs, signing, storing
from settlement.audit import audit
from settlement.keyring import revoked
from settlement.making import NetsMismatch
from settlement.proof import NoSuchLine, encode
from settlement.publish import Keys, Reports
from settlement.storing import NotClosed, StoredReport
from settlement.verify import Verdict, verify
from tests.conftest import Hub, Pass, driver_url
from tests.hub.audited import tampered
from tests.hub.ledger.test_fees import levels, plan
from tests.hub.putting_up import put_up
from tests.hub.test_billing import found, now_month, pass_to


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "signing")


@pytest.fixture
def reports(hub: Hub, keys: Keys) -> Reports:
    return Reports(hub.database, keys, "Test Hub")


@pytest.fixture
async def members(hub: Hub) -> Hub:
    """BANK's points become AIR's miles, 25:1, for 0.05 CNY a mile and 1 % of that."""
    await hub.institution("BANK", Kind.BANK)
    await hub.institution("AIR", Kind.AIRLINE)
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR", scale=1)
    await hub.rate("BP", "MILE", "1:25", fee_percent="1")
    await hub.issue("BP", "BANK", "alice", "1000000")
    return hub


async def convert(hub: Hub, key: str, amount: str = "50000") -> Any:
    return await hub.do(
        commands.Convert(
            actor=hub.admin,
            key=key,
            source=commands.Party("BANK", "alice"),
            target=commands.Party("AIR", "al"),
            source_currency="BP",
            target_currency="MILE",
            amount=amount,
            minimum_target=None,
        )
    )


async def close(hub: Hub) -> int:
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key=f"close-{window}", window=window))
    return window


async def report_of(hub: Hub, reports: Reports, window: int, code: str) -> StoredReport | None:
    async with hub.reading.open(hub.admin) as reader:
        return await reports.report(reader, window, reader.configuration.institution_codes[code])


async def lines_of(hub: Hub, reports: Reports, window: int, code: str | None) -> list[bytes]:
    institution = None if code is None else hub.engine.configuration.institution_codes[code]
    pages = [page async for page in reports.lines(window, institution)]
    return b"".join(pages).splitlines(keepends=True)


async def verified(hub: Hub, reports: Reports, window: int, code: str, previous: str | None = None) -> Verdict:
    stored = await report_of(hub, reports, window, code)
    assert stored is not None
    return verify(stored.jws, await lines_of(hub, reports, window, code), await reports.jwks(), previous)


async def superuser_of(hub: Hub, server: postgres.Server) -> "asyncpg.Connection[Any]":
    database = make_url(hub.addresses.server).database
    assert database is not None
    return await asyncpg.connect(driver_url(server.url(postgres.SUPERUSER, database)))


@pytest.mark.parametrize("kind", ModelKind)
async def test_reports_of_two_models_verify_and_each_follows_its_models_last_one(
    members: Hub, reports: Reports, kind: ModelKind
) -> None:
    await members.model("CARD", ["BANK", "AIR"], kind=kind)
    await put_up(members, "BANK", "1000.00")
    before: StoredReport | None = None
    for wave in range(2):
        await convert(members, f"c{wave}")
        window = await members.window("CARD")
        await members.do(commands.CloseWindow(actor=members.admin, key=f"w{wave}", window=window))
        stored = await report_of(members, reports, window, "BANK")
        assert stored is not None
        assert stored.previous_digest == (None if before is None else before.digest)
        verdict = await verified(members, reports, window, "BANK", None if before is None else before.jws)
        assert verdict.reading.model == "CARD"
        assert (verdict.findings, verdict.lines_checked) == ((), 2)
        assert (await verified(members, reports, window, "HUB")).findings == ()
        # 50,000 points at 0.002 to AIR, and 1 % of it to the operator
        pairs = [(one.counterparty, one.balance // 10_000) for one in verdict.reading.pairs or ()]
        assert pairs == ([] if kind is ModelKind.DEFERRED_NET_MULTILATERAL else [("AIR", -100_00), ("HUB", -1_00)])
        [net] = verdict.reading.nets
        assert net.net_millionths // 10_000 == (0 if kind is ModelKind.IMMEDIATE_GROSS else -101_00)
        before = stored
    async with members.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_every_institution_with_a_net_has_a_report_that_verifies_and_the_operator_the_summary(
    members: Hub, reports: Reports
) -> None:
    conversion = await convert(members, "c1")
    window = await close(members)
    await reports.ensure(window)
    for code, kind, count in (("BANK", "institution", 2), ("AIR", "institution", 1), ("HUB", "summary", 2)):
        verdict = await verified(members, reports, window, code)
        assert verdict.findings == ()
        assert (verdict.reading.kind, verdict.lines_checked) == (kind, count)
        assert verdict.reading.hub == "Test Hub"
    # 50,000 / 25 = 2,000 miles at 0.05 CNY = 100.00 CNY, and 1 % of it.
    stored = await report_of(members, reports, window, "BANK")
    assert stored is not None
    document = json.loads(stored.payload)
    assert document["nets"] == [
        {
            "institution": "BANK",
            "currency": "CNY",
            "parent": None,
            "own": {"debit": "101.00", "credit": "0.00"},
            "debit": "101.00",
            "credit": "0.00",
            "net": "-101.00",
        }
    ]
    lines = [json.loads(line) for line in await lines_of(members, reports, window, "BANK")]
    assert [(line["kind"], line["purpose"], line["amount"], line["from"], line["to"]) for line in lines] == [
        ("convert", "settlement", "100.00", "BANK", "AIR"),
        ("convert", "fee", "1.00", "BANK", "HUB"),
    ]
    assert lines[0]["points"] == [
        {"currency": "BP", "amount": "50000"},
        {"currency": "MILE", "amount": "2000.0"},
    ]
    assert lines[0]["reverses"] is None
    assert ids.batch_of(ids.number(lines[0]["movement"], ids.ENTRY) or 0) == ids.batch_of(conversion.id)


async def test_the_report_carries_the_entry_that_closed_the_window(members: Hub, reports: Reports) -> None:
    await convert(members, "c1")
    window = await close(members)
    await convert(members, "c2")
    stored = await report_of(members, reports, window, "AIR")
    assert stored is not None
    [[batch, entry_hash]] = await members.sql(
        "SELECT e.batch, e.hash FROM journal_entry e JOIN settlement_window w ON w.closed_in = e.batch"
    )
    assert json.loads(stored.payload)["journal"] == {"batch": str(batch), "hash": bytes(entry_hash).hex()}


async def test_lines_of_reversals_and_redemptions_name_what_they_are_of(members: Hub, reports: Reports) -> None:
    conversion = await convert(members, "c1")
    redemption = await members.do(
        commands.Redeem(
            actor=members.admin,
            key="r1",
            currency="MILE",
            customer=commands.Party("AIR", "al"),
            merchant="BANK",
            amount="100",
            memo=None,
        )
    )
    held = await members.do(
        commands.HoldPoints(
            actor=members.admin,
            key="h1",
            currency="MILE",
            customer=commands.Party("AIR", "al"),
            amount="100",
            expires_at=now() + timedelta(days=1),
            memo=None,
        )
    )
    await members.do(
        commands.CaptureHold(
            actor=members.admin, key="c2", hold=held.hold.id, amount=None, target=None, merchant="BANK"
        )
    )
    for key, act in (("v1", conversion), ("v2", redemption), ("v3", held.hold)):
        await members.do(commands.Reverse(actor=members.admin, key=key, id=act.id, amount="10", reason="test"))
    window = await close(members)
    lines = [json.loads(line) for line in await lines_of(members, reports, window, None)]
    assert [(line["kind"], line["reverses"]) for line in lines] == [
        ("convert", None),
        ("convert", None),
        ("redeem", None),
        ("capture", None),
        ("reverse", ids.text(ids.CONVERSION, conversion.id)),
        ("reverse", ids.text(ids.CONVERSION, conversion.id)),
        ("reverse", ids.text(ids.REDEMPTION, redemption.id)),
        ("reverse", ids.text(ids.HOLD, held.hold.id)),
    ]
    assert lines[4]["points"] == [{"currency": "MILE", "amount": "10.0"}]
    assert (await verified(members, reports, window, "HUB")).findings == ()


async def test_lines_of_a_shared_fee_name_the_plan_the_fee_and_what_is_kept(members: Hub, reports: Reports) -> None:
    await convert(members, "before")
    made = await plan(
        members, (*levels("60"), ShareTerms(None, "AIR", "30", None), ShareTerms(None, "BANK", "10", None))
    )
    conversion = await convert(members, "c1")  # 1.00: the operator 0.60, AIR 0.30; BANK pays it, and keeps its 0.10
    await members.do(
        commands.Reverse(actor=members.admin, key="r", id=conversion.id, amount="1000", reason="half of it")
    )
    window = await close(members)
    await reports.ensure(window)
    plan_id = ids.text(ids.SHARE_PLAN, made.id)
    found = [json.loads(line) for line in await lines_of(members, reports, window, None)]
    assert [(line["from"], line["to"], line["amount"], line.get("share")) for line in found] == [
        ("BANK", "AIR", "100.00", None),
        ("BANK", "HUB", "1.00", None),
        ("BANK", "AIR", "100.00", None),
        ("BANK", "HUB", "0.60", {"fee": "1.00", "kept": "0.10", "plan": plan_id}),
        ("BANK", "AIR", "0.30", {"fee": "1.00", "kept": "0.10", "plan": plan_id}),
        ("AIR", "BANK", "50.00", None),
        ("HUB", "BANK", "0.30", {"fee": "0.50", "kept": "0.05", "plan": plan_id}),
        ("AIR", "BANK", "0.15", {"fee": "0.50", "kept": "0.05", "plan": plan_id}),
    ]
    for code in ("BANK", "AIR", "HUB"):
        assert (await verified(members, reports, window, code)).findings == ()


async def test_the_line_of_an_invoice_names_it(hub: Hub, reports: Reports, pass_: Pass) -> None:
    await found(hub)
    month = (await now_month(hub)).next
    await pass_to(hub, pass_, month.next)
    await bill(hub.reading, hub.engine, month, "UTC")
    [row] = await hub.sql("SELECT id FROM invoice WHERE number = 2")
    note = await hub.do(
        commands.CreditInvoice(actor=hub.admin, key="c", invoice=row["id"], amount="6", reason="late start")
    )
    window = await close(hub)
    await reports.ensure(window)
    found_lines = [json.loads(line) for line in await lines_of(hub, reports, window, None)]
    of = ids.text(ids.INVOICE, row["id"])
    assert [
        (line["kind"], line["purpose"], line["from"], line["to"], line["amount"], line["invoice"], line["reverses"])
        for line in found_lines
    ] == [
        ("bill", "fee", "BANK", "HUB", "530.00", "INV-00000001", None),
        ("bill", "fee", "AIR", "HUB", "106.00", "INV-00000002", None),
        ("credit", "fee", "HUB", "AIR", "6.00", note.reference, of),
    ]
    assert all("points" not in line for line in found_lines)
    for code in ("BANK", "AIR", "HUB"):
        assert (await verified(hub, reports, window, code)).findings == ()


async def test_digests_chain_from_window_to_window(members: Hub, reports: Reports) -> None:
    await convert(members, "c1")
    first = await close(members)
    await convert(members, "c2")
    second = await close(members)
    await reports.ensure(second)  # builds the first one's before
    for code in ("BANK", "AIR", "HUB"):
        before, after = [await report_of(members, reports, window, code) for window in (first, second)]
        assert before is not None
        assert after is not None
        assert (before.previous_digest, after.previous_digest) == (None, before.digest)
        assert (await verified(members, reports, second, code, before.jws)).findings == ()


async def test_a_window_without_acts_has_a_summary_only(members: Hub, reports: Reports) -> None:
    window = await close(members)
    assert await report_of(members, reports, window, "BANK") is None
    verdict = await verified(members, reports, window, "HUB")
    assert (verdict.findings, verdict.lines_checked) == ((), 0)


async def test_an_open_or_unknown_window_has_no_reports(members: Hub, reports: Reports) -> None:
    await convert(members, "c1")
    for window in (await members.window(), 12345):
        assert await report_of(members, reports, window, "BANK") is None
        with pytest.raises(NotClosed):
            await reports.ensure(window)
        with pytest.raises(NotClosed):
            await lines_of(members, reports, window, None)


async def test_a_report_that_was_not_built_when_the_window_closed_is_built_when_it_is_asked_for(
    members: Hub, reports: Reports
) -> None:
    await convert(members, "c1")
    window = await close(members)
    assert await members.sql("SELECT * FROM settlement_report") == []
    assert (await verified(members, reports, window, "BANK")).findings == ()
    assert len(await members.sql("SELECT * FROM settlement_report")) == 3


async def test_processes_that_build_at_once_store_one_set_and_publish_each_key_once(
    members: Hub, tmp_path: Path
) -> None:
    await convert(members, "c1")
    windows = [await close(members), await close(members)]
    others = [members.beside() for _ in range(3)]
    hosts = [Keys(tmp_path / f"host {number}") for number in range(3)]
    every = json.dumps({"keys": [host.current().public_jwk() for host in hosts]})  # as each host is told
    builders = [
        Reports(other.database, replace(host, others=every), "Test Hub")
        for other, host in zip(others, hosts, strict=True)
    ]
    try:
        await asyncio.gather(*(builder.ensure(windows[-1]) for builder in builders for _ in range(3)))
        stored = await members.sql("SELECT window_id, institution_id, digest FROM settlement_report")
        assert len(stored) == 4  # BANK, AIR and the summary of the first window, the summary of the second
        signed = {row[0] for row in await members.sql("SELECT jws FROM settlement_report")}
        sets = [await builder.jwks() for builder in builders]
        kids = {row[0] for row in await members.sql("SELECT kid FROM signing_key")}
        assert {str(signing.take_apart(jws).header["kid"]) for jws in signed} == kids
        for served in sets:  # whichever host is asked, the key that signed is there
            assert kids <= {key["kid"] for key in served["keys"]}
    finally:
        for other in others:
            await other.close()


async def test_many_who_ask_for_a_missing_report_at_once_leave_connections_for_the_ledger(
    members: Hub, reports: Reports
) -> None:
    await convert(members, "c1")
    window = await close(members)
    found = await asyncio.gather(
        *(report_of(members, reports, window, "BANK") for _ in range(30)), convert(members, "c2")
    )
    assert len({one.digest for one in found[:-1] if one is not None}) == 1


async def test_a_rotated_key_signs_the_next_window_and_the_old_one_stays_known(
    members: Hub, reports: Reports, keys: Keys
) -> None:
    await convert(members, "c1")
    first = await close(members)
    await reports.ensure(first)
    old = keys.current().kid
    new = signing.rotate(keys.folder).kid
    await convert(members, "c2")
    second = await close(members)
    assert (await verified(members, reports, first, "BANK")).kid == old
    assert (await verified(members, reports, second, "BANK")).kid == new


async def test_a_key_from_the_environment_signs_and_no_folder_is_made(members: Hub, tmp_path: Path) -> None:
    key = signing.SigningKey.generate()
    settings = Settings(data_dir=tmp_path / "data", signing_key=SecretStr(key.private_pem().decode()))
    reports = Reports(members.database, Keys.of(settings), settings.name)
    assert [member["kid"] for member in (await reports.jwks())["keys"]] == [key.kid]
    await convert(members, "c1")
    assert (await verified(members, reports, await close(members), "BANK")).kid == key.kid
    assert not (tmp_path / "data").exists()


async def test_legs_that_do_not_give_the_nets_are_not_reported(
    members: Hub, reports: Reports, postgres_server: postgres.Server
) -> None:
    await convert(members, "c1")
    window = await close(members)
    connection = await superuser_of(members, postgres_server)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE leg SET amount = amount + 1 WHERE purpose = 2")
    finally:
        await connection.close()
    with pytest.raises(NetsMismatch, match=r"window 1: AIR in CNY"):
        await reports.ensure(window)
    assert await members.sql("SELECT * FROM settlement_report") == []
    assert await members.sql("SELECT * FROM signing_key") == []


async def test_lines_go_on_over_pages(members: Hub, reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legs, "_PAGE", legs._PAGE.replace(f"LIMIT {legs.PAGE_LINES}", "LIMIT 20"))
    count = 24  # 48 lines: three pages
    await members.batch(
        [
            commands.Convert(
                actor=members.admin,
                key=f"c-{number}",
                source=commands.Party("BANK", "alice"),
                target=commands.Party("AIR", "al"),
                source_currency="BP",
                target_currency="MILE",
                amount="100",
                minimum_target=None,
            )
            for number in range(count)
        ]
    )
    window = await close(members)
    verdict = await verified(members, reports, window, "HUB")
    assert (verdict.findings, verdict.lines_checked) == ((), 2 * count)
    assert (await verified(members, reports, window, "AIR")).lines_checked == count


async def test_reports_of_every_level_verify_and_hang_together(members: Hub, reports: Reports) -> None:
    await members.institution("BRANCH", parent="BANK")
    await members.institution("DESK", parent="BRANCH")
    await convert(members, "c1")
    for merchant, amount in (("DESK", "333"), ("BRANCH", "20")):
        await members.do(
            commands.Redeem(
                actor=members.admin,
                key=merchant,
                currency="BP",
                customer=commands.Party("BANK", "alice"),
                merchant=merchant,
                amount=amount,
                memo=None,
            )
        )
    window = await close(members)
    signed = {}
    for code in ("DESK", "BRANCH", "BANK", "AIR", "HUB"):
        stored = await report_of(members, reports, window, code)
        assert stored is not None
        signed[code] = stored.jws
        below = {"BRANCH": ["DESK"], "BANK": ["BRANCH"], "HUB": ["DESK", "BRANCH", "BANK", "AIR"]}.get(code, [])
        verdict = verify(
            stored.jws,
            await lines_of(members, reports, window, code),
            await reports.jwks(),
            None,
            [signed[child] for child in below],
        )
        assert (verdict.findings, verdict.children_checked) == ((), len(below))
    stored = await report_of(members, reports, window, "BANK")
    assert stored is not None
    # 101.00 to AIR and HUB; 333 × 0.05 = 16.65 to DESK and 1.00 to BRANCH come back through BRANCH
    [net] = json.loads(stored.payload)["nets"]
    assert (net["own"]["debit"], net["credit"], net["net"]) == ("118.65", "17.65", "-101.00")
    async with members.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_window_that_closed_before_there_were_levels_is_reported_as_it_was_closed(
    members: Hub, reports: Reports
) -> None:
    await members.institution("BRANCH", parent="BANK")
    await convert(members, "c1")
    window = await members.window()
    await members.sql("UPDATE settlement_window SET levels = false WHERE id = $1", window)
    assert await close(members) == window
    assert (await verified(members, reports, window, "HUB")).ok
    async with members.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_each_line_is_proved_by_the_root_that_its_report_signs(members: Hub, reports: Reports) -> None:
    await convert(members, "c1")
    window = await close(members)
    for code, count in (("BANK", 2), ("AIR", 1), ("HUB", 2)):
        stored = await report_of(members, reports, window, code)
        assert stored is not None
        lines = await lines_of(members, reports, window, code)
        for number in range(1, count + 1):
            proof = await reports.proof(stored, number)
            assert proof.line + b"\n" == lines[number - 1]
            verdict = verify(stored.jws, None, await reports.jwks(), proof=encode(proof))
            assert (verdict.findings, verdict.line_checked) == ((), number)
        with pytest.raises(NoSuchLine):
            await reports.proof(stored, count + 1)


async def revoke(hub: Hub, kid: str, since: datetime) -> None:
    await hub.do(commands.RevokeSigningKey(actor=hub.admin, kid=kid, since=since, reason=RevocationReason.COMPROMISED))
    await hub.reading.refresh()


async def test_what_a_revoked_key_signed_is_signed_anew_and_the_chain_stands(
    members: Hub, reports: Reports, keys: Keys
) -> None:
    await convert(members, "c1")
    window = await close(members)
    before = await report_of(members, reports, window, "BANK")
    assert before is not None
    old = keys.current().kid
    new = signing.rotate(keys.folder).kid
    await revoke(members, old, now() - timedelta(days=1))
    jwks = await reports.jwks()
    assert {key["kid"]: key.get("revoked", {}).get("reason") for key in jwks["keys"]} == {old: "compromised", new: None}
    lines = await lines_of(members, reports, window, "BANK")
    assert [finding.code for finding in verify(before.jws, lines, jwks).findings] == ["KEY_REVOKED"]
    after = await report_of(members, reports, window, "BANK")
    assert after is not None
    assert (after.payload, after.digest) == (before.payload, before.digest)
    verdict = verify(after.jws, lines, jwks)
    assert (verdict.findings, verdict.kid) == ((), new)
    stored = await members.sql("SELECT kid FROM signing_key")
    assert {row[0] for row in stored} == {old, new}  # other hosts know the key that signs anew
    following = await close(members)
    async with members.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    assert (await verified(members, reports, following, "HUB")).findings == ()


async def test_a_report_from_before_its_key_was_revoked_is_believed_with_a_word(
    members: Hub, reports: Reports, keys: Keys
) -> None:
    await convert(members, "c1")
    window = await close(members)
    before = await report_of(members, reports, window, "BANK")
    assert before is not None
    closed = now() + timedelta(seconds=1)
    keys_then = {"keys": [{**keys.current().public_jwk(), "revoked": revoked(closed, "superseded")}]}
    verdict = verify(before.jws, None, keys_then)
    assert verdict.findings == ()
    assert verdict.revoked_from == closed.replace(microsecond=0)


async def test_a_revoked_key_signs_nothing(members: Hub, reports: Reports, keys: Keys) -> None:
    await convert(members, "c1")
    first = await close(members)
    stored = await report_of(members, reports, first, "BANK")
    await revoke(members, keys.current().kid, now())
    second = await close(members)
    with pytest.raises(signing.KeyRevoked):
        await reports.ensure(second)
    assert await report_of(members, reports, first, "BANK") == stored  # as it is: whoever verifies it is told


async def test_a_report_signed_after_its_key_was_revoked_is_found_by_the_audit(
    members: Hub, reports: Reports, keys: Keys, postgres_server: postgres.Server
) -> None:
    await convert(members, "c1")
    stolen = keys.current()
    await reports.ensure(await close(members))
    signing.rotate(keys.folder)
    await revoke(members, stolen.kid, now())
    window = await close(members)
    stored = await report_of(members, reports, window, "HUB")
    assert stored is not None
    connection = await superuser_of(members, postgres_server)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            "UPDATE settlement_report SET jws = $1 WHERE window_id = $2", stolen.sign(stored.payload), window
        )
    finally:
        await connection.close()
    async with members.database.snapshot() as snapshot:
        found = (await audit(snapshot)).findings
    assert [(one.code, "had been revoked before" in one.sentence) for one in found] == [("REPORT_SIGNATURE", True)]


async def test_what_is_stored_otherwise_than_it_was_signed_is_not_signed_anew(
    members: Hub, reports: Reports, keys: Keys, postgres_server: postgres.Server
) -> None:
    await convert(members, "c1")
    window = await close(members)
    await reports.ensure(window)
    old = keys.current().kid
    signing.rotate(keys.folder)
    await revoke(members, old, now())
    connection = await superuser_of(members, postgres_server)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE settlement_report SET payload = 'x'")
    finally:
        await connection.close()
    stored = await report_of(members, reports, window, "BANK")
    assert stored is not None
    assert signing.take_apart(stored.jws).header["kid"] == old


async def test_lines_are_kept_while_they_are_added_up_and_only_then(members: Hub, reports: Reports) -> None:
    await convert(members, "c1")
    window = await close(members)
    kept = io.BytesIO()
    assert await reports.ensure(window, kept)
    assert kept.getvalue() == b"".join(await lines_of(members, reports, window, None))
    assert kept.getvalue().count(b"\n") == 2
    again = io.BytesIO()
    assert not await reports.ensure(window, again)
    assert again.getvalue() == b""


async def test_reports_are_built_though_nobody_waits_for_them_any_more(members: Hub, reports: Reports) -> None:
    await convert(members, "c1")
    window = await close(members)
    waiting = asyncio.create_task(reports.ensure(window))
    await asyncio.sleep(0)  # it has begun
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    [build] = reports._builds
    await build
    assert await members.sql("SELECT count(*) FROM settlement_report") == [(3,)]
    assert reports._builds == set()


async def gone(hub: Hub, server: postgres.Server, where: str) -> None:
    """Reports are deleted by who may do everything."""
    async with tampered(server, hub, stays=True) as connection:
        await connection.exec_driver_sql(f"DELETE FROM settlement_report WHERE {where}")


async def pay(hub: Hub, window: int) -> None:
    """The first payment of a window is confirmed."""
    await hub.do(
        commands.ConfirmSettlement(
            actor=hub.admin,
            key=f"pay-{window}",
            window=window,
            institution="BANK",
            currency="CNY",
            amount="-101.00",
            value_date=None,
            reference="paid",
        )
    )


async def test_reports_that_are_gone_are_not_made_anew(
    members: Hub, reports: Reports, postgres_server: postgres.Server
) -> None:
    await convert(members, "c1")
    first = await close(members)
    await convert(members, "c2")
    second = await close(members)
    await reports.ensure(second)
    await gone(members, postgres_server, f"window_id = {first}")
    for window in (first, second):  # of which the second has them, so nothing is made
        if window == first:
            with pytest.raises(ReportsGone) as refused:
                await report_of(members, reports, window, "BANK")
            assert refused.value.details["because"] == "a later window of its model has some"
        else:
            assert await report_of(members, reports, window, "BANK") is not None
    await pay(members, first)
    await gone(members, postgres_server, "true")
    third = await close(members)
    for window in (first, second, third):  # nothing is chained to what is not there
        with pytest.raises(ReportsGone) as refused:
            await reports.ensure(window)
        assert refused.value.details == {
            "window": ids.text(ids.WINDOW, first),
            "because": "payments of it were confirmed",
        }
    assert await members.sql("SELECT * FROM settlement_report") == []


async def test_a_summary_that_is_gone_from_beside_other_reports_is_not_made_anew(
    members: Hub, reports: Reports, postgres_server: postgres.Server
) -> None:
    await convert(members, "c1")
    window = await close(members)
    await reports.ensure(window)
    await gone(members, postgres_server, f"institution_id = {members.engine.configuration.operator.id}")
    with pytest.raises(ReportsGone):
        await reports.ensure(window)


async def test_a_window_that_was_paid_before_it_was_reported_is_reported_by_the_operators_own_word(
    members: Hub, reports: Reports, postgres_server: postgres.Server, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, name="Test Hub")
    await convert(members, "c1")
    window = await close(members)
    await pay(members, window)  # as programs did that did not have the reports made before
    with pytest.raises(ReportsGone):
        await reports.ensure(window)
    with pytest.raises(NotFound):
        await sign_first(settings, members.addresses.server, "default", 7)
    assert (await sign_first(settings, members.addresses.server, "default", 1)).id == window
    assert (await verified(members, reports, window, "BANK")).findings == ()
    later = await close(members)
    await reports.ensure(later)
    await gone(members, postgres_server, f"window_id = {window}")
    with pytest.raises(ReportsGone):  # a later one's show that they were there: nobody's word counts
        await sign_first(settings, members.addresses.server, "default", 1)


async def test_a_public_key_that_only_the_database_holds_is_neither_published_nor_believed(
    members: Hub, reports: Reports, keys: Keys, postgres_server: postgres.Server
) -> None:
    await convert(members, "c1")
    window = await close(members)
    stored = await report_of(members, reports, window, "BANK")
    assert stored is not None
    ours, forger = keys.current(), signing.SigningKey.generate()
    forged = stored.payload.replace(b"-101.00", b"-901.00")
    async with tampered(postgres_server, members, stays=True) as connection:
        await storing.keep_key(connection, forger)
        await connection.execute(
            text("UPDATE settlement_report SET jws = :jws, payload = :payload WHERE institution_id = :home"),
            {"jws": forger.sign(forged), "payload": forged, "home": stored.institution},
        )
    published = await reports.jwks()
    assert [key["kid"] for key in published["keys"]] == [ours.kid]
    assert "KID" in {finding.code for finding in verify(forger.sign(forged), None, published).findings}
    async with members.database.snapshot() as connection:
        found = (await audit(connection, known=keys.known())).findings
    sentences = {finding.sentence for finding in found if finding.code in ("SIGNING_KEY", "REPORT_SIGNATURE")}
    assert sentences == {
        f"The public key {forger.kid} is in the database alone, so nobody vouches for it.",
        f"The report of BANK in window {window:x} is signed by no key of the hub's.",
    }
    await revoke(members, forger.kid, now() - timedelta(days=1))  # and the key does not vouch for what it signed
    after = await report_of(members, reports, window, "BANK")
    assert after is not None
    assert signing.take_apart(after.jws).header["kid"] == forger.kid


async def test_keys_of_before_and_of_other_hosts_are_told_from_outside_the_database(
    members: Hub, tmp_path: Path
) -> None:
    folder = tmp_path / "none"
    old, new = signing.SigningKey.generate(), signing.SigningKey.generate()
    before = Keys(folder, SecretStr(old.private_pem().decode()))
    await convert(members, "c1")
    window = await close(members)
    await Reports(members.database, before, "Test Hub").ensure(window)
    saved = json.dumps(await Reports(members.database, before, "Test Hub").jwks())
    pem = SecretStr(new.private_pem().decode())
    for told, kids in ((None, {new.kid}), (saved, {old.kid, new.kid})):
        settings = Settings(data_dir=tmp_path, signing_key=pem, signing_jwks=told)
        now_ = Reports(members.database, Keys.of(settings), "Test Hub")
        assert {key["kid"] for key in (await now_.jwks())["keys"]} == kids
        async with members.database.snapshot() as connection:
            codes = {one.code for one in (await audit(connection, known=Keys.of(settings).known())).findings}
        assert codes == (set() if old.kid in kids else {"SIGNING_KEY", "REPORT_SIGNATURE"})
    assert (await verified(members, now_, window, "BANK")).kid == old.kid
    for wrong in ("", "x", "[]", '{"keys": [{}]}', '{"keys": 7}'):
        with pytest.raises(signing.MalformedKeySet):
            Keys.of(Settings(data_dir=tmp_path, signing_key=pem, signing_jwks=wrong)).public()
