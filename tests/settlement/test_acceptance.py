"""Acceptances and disputes over two closed windows: what is signed, stored and reported, and how tampering shows."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from hub import ids, postgres
from hub.acceptance.disputes import DisputeOutcome, DisputeReason, Statement
from hub.access import Role
from hub.ledger import commands
from hub.webhooks import following
from hub.webhooks.events import events
from settlement import acceptance
from settlement.acceptance import NotGenuine
from settlement.audit import audit
from settlement.publish import Reports
from settlement.report import read
from settlement.signing import SigningKey
from settlement.storing import StoredReport
from settlement.verify import verify
from tests.conftest import Hub
from tests.hub.audited import tampered
from tests.settlement.bending import ALONE
from tests.settlement.test_publish import close, convert, keys, lines_of, members, report_of, reports

__all__ = ["keys", "members", "reports"]  # fixtures
KEY = SigningKey.generate()
SAID = Statement("It is not what we have.", ("ticket 4711",))


def key_of(hub: Hub, actor: int, code: str, key: SigningKey) -> commands.RegisterAcceptanceKey:
    proof = acceptance.prove(key, "Test Hub", code)
    kid, x = acceptance.check_possession(proof, key.public_jwk(), "Test Hub", code)
    return commands.RegisterAcceptanceKey(actor=actor, institution=code, kid=kid, x=x, proof=proof)


def accepting(actor: int, code: str, stored: StoredReport, key: SigningKey = KEY) -> commands.AcceptReport:
    jws = acceptance.accept(key, read(stored.payload), stored.digest)
    return commands.AcceptReport(
        actor=actor, window=stored.window, institution=code, digest=stored.digest, kid=key.kid, jws=jws
    )


def test_a_proof_is_of_one_key_for_one_institution_of_one_hub() -> None:
    jwk, proof = KEY.public_jwk(), acceptance.prove(KEY, "Hub", "BANK")
    assert acceptance.check_possession(proof, jwk, "Hub", "BANK") == (KEY.kid, jwk["x"])
    other = SigningKey.generate()
    for token, public, hub, code in (
        (proof, jwk, "Hub", "AIR"),
        (proof, jwk, "Other", "BANK"),
        (proof, other.public_jwk(), "Hub", "BANK"),
        (other.sign(acceptance.possession("Hub", "BANK", jwk["x"]), acceptance.KEY_TYP), jwk, "Hub", "BANK"),
        (KEY.sign(acceptance.possession("Hub", "BANK", jwk["x"])), jwk, "Hub", "BANK"),  # as a report
        ("x.y", jwk, "Hub", "BANK"),
        (proof, {}, "Hub", "BANK"),
        (proof, {**jwk, "d": jwk["x"]}, "Hub", "BANK"),
        (proof, {**jwk, "kty": "RSA"}, "Hub", "BANK"),
    ):
        with pytest.raises(NotGenuine):
            acceptance.check_possession(token, public, hub, code)


TAMPERED = {
    "an acceptance by another key": ("UPDATE acceptance SET kid = 'x'", "ACCEPTANCE"),
    "an acceptance of another report": ("UPDATE acceptance SET digest = repeat('0', 64)", "ACCEPTANCE_SIGNATURE"),
    "an acceptance that was not signed": ("UPDATE acceptance SET jws = 'a.b.c'", "ACCEPTANCE_SIGNATURE"),
    "an acceptance that somebody else gave": (
        "UPDATE acceptance SET credential_id = (SELECT max(credential_id) FROM dispute_step)", "ACCEPTANCE",
    ),
    "a key that nobody has": (
        """UPDATE configuration_change SET document = replace(document, '"proof"\\:"e', '"proof"\\:"f')"""
        " WHERE noun = 'acceptance_key'",
        "ACCEPTANCE_KEY",
    ),
    "a dispute that was made away with": ("DELETE FROM dispute WHERE reason = 'OTHER'", "DISPUTE_STEP"),
    "a dispute of nobody": (
        "INSERT INTO dispute SELECT 1, id + 1000, credential_id, institution_id, window_id, movement_id, 99, payer_id,"
        " payee_id, currency, amount, purpose, reason, NULL, 'OPEN', NULL, NULL, 0 FROM dispute LIMIT 1",
        "DISPUTE_STANDING",
    ),
    "a line that there is not": ("UPDATE dispute SET n = n + 7", "DISPUTE_LINE"),
    "a line of another amount": ("UPDATE dispute SET amount = amount * 2", "DISPUTE_LINE"),
    "a dispute of who is no party": (
        "UPDATE dispute SET payer_id = 7 WHERE payer_id = institution_id", "DISPUTE_STEP",
    ),
    "a dispute that somebody else opened": ("UPDATE dispute SET credential_id = 7", "DISPUTE_STEP"),
    "an end that nobody gave": ("UPDATE dispute SET status = 'RESOLVED' WHERE status = 'OPEN'", "DISPUTE_STANDING"),
    "a correction that was forgotten": ("UPDATE dispute SET corrected = 0", "DISPUTE_STANDING"),
    "an outcome that was changed": (
        "UPDATE dispute SET outcome = 'REJECTED' WHERE outcome = 'UPHELD'", "DISPUTE_STANDING",
    ),
    "one person who ended it alone": (
        "UPDATE dispute_step SET credential_id = (SELECT min(credential_id) FROM dispute_step WHERE kind = 'PROPOSED')"
        " WHERE kind = 'APPROVED'",
        "DISPUTE_APPROVAL",
    ),
    "an end that was not proposed": (
        "UPDATE dispute_step SET outcome = 'REJECTED', amount = NULL WHERE kind = 'PROPOSED' AND outcome = 'UPHELD'",
        "DISPUTE_STEP",
    ),
    "an end without an answer": ("DELETE FROM dispute_step WHERE kind = 'ANSWERED'", "DISPUTE_STEP"),
    "a withdrawal by somebody else": (
        "UPDATE dispute_step SET credential_id = 7 WHERE kind = 'WITHDRAWN'", "DISPUTE_STEP",
    ),
    "more given back than was said": (
        "UPDATE dispute_step SET amount = 1 WHERE kind = 'APPROVED' AND amount IS NOT NULL", "DISPUTE_STEP",
    ),
    "more given back than the line was": (
        "UPDATE dispute_step SET amount = amount * 100 WHERE amount IS NOT NULL", "DISPUTE",
    ),
    "an upheld dispute without its correction": (
        "UPDATE dispute_step SET movement_id = NULL WHERE kind = 'APPROVED'", "DISPUTE_STEP",
    ),
    "a correction that was made away with": ("DELETE FROM movement WHERE kind = 64", "DISPUTE"),
    "a correction of another dispute": ("UPDATE movement SET subject_id = 7 WHERE kind = 64", "DISPUTE"),
    "a correction the other way round": (
        "UPDATE leg SET debit_account_id = credit_account_id, credit_account_id = debit_account_id"
        " WHERE movement_id IN (SELECT id FROM movement WHERE kind = 64)",
        "ACT_LEGS",
    ),
    "a correction in a closed window": (
        "UPDATE leg SET window_id = (SELECT min(id) FROM settlement_window)"
        " WHERE movement_id IN (SELECT id FROM movement WHERE kind = 64)",
        "LEG_WINDOW",
    ),
    "a comment of nobody": ("INSERT INTO memo VALUES (1, 7, 'x')", "MEMO"),
}  # fmt: skip


async def test_a_dispute_ends_in_the_next_report_and_nothing_of_the_closed_window_changes(
    members: Hub, reports: Reports, tmp_path: Path, postgres_server: postgres.Server
) -> None:
    hub = members
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="Bo")
    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN, person="Ai")
    for number in range(4):
        await convert(hub, f"c{number}", "5000")  # 5,000 / 25 = 200 miles, for 10.00 and a fee of 0.10
    window = await close(hub)
    before = await report_of(hub, reports, window, "BANK")
    assert before is not None
    mine = [json.loads(line) for line in await lines_of(hub, reports, window, "BANK")]
    owed = [line for line in mine if line["purpose"] == "settlement"]
    assert [line["amount"] for line in owed] == ["10.00"] * 4
    await hub.do(key_of(hub, bank, "BANK", KEY))

    def line(number: int, reason: DisputeReason) -> commands.DisputedLine:
        movement = ids.number(owed[number]["movement"], ids.ENTRY)
        leg = owed[number]["leg"]
        return commands.DisputedLine(movement=movement, leg=leg, reason=reason, expected=None, said=SAID)

    asked = [line(number, list(DisputeReason)[number]) for number in range(3)] + [line(3, DisputeReason.OTHER)]
    disputes = await hub.do(commands.OpenDisputes(actor=bank, window=window, institution="BANK", lines=tuple(asked)))
    for one in disputes[:3]:
        await hub.do(commands.AnswerDispute(actor=air, id=one.id, said=SAID))
    await hub.do(commands.NoteDispute(actor=bank, id=disputes[3].id, said=SAID))
    for one, outcome, amount in (
        (disputes[0], DisputeOutcome.UPHELD, "2.500001"), (disputes[1], DisputeOutcome.REJECTED, None),
    ):  # fmt: skip
        proposed = await hub.do(
            commands.ProposeDisputeEnd(actor=hub.admin, id=one.id, outcome=outcome, amount=amount, said=SAID)
        )
        await hub.do(commands.ApproveDisputeEnd(actor=hub.second, id=one.id, proposal=proposed.proposal))
    await hub.do(commands.WithdrawDispute(actor=bank, id=disputes[2].id, reason="found"))
    second = await close(hub)

    after = await report_of(hub, reports, window, "BANK")
    assert after == before
    assert mine == [json.loads(one) for one in await lines_of(hub, reports, window, "BANK")]
    corrected = await report_of(hub, reports, second, "BANK")
    assert corrected is not None
    [back] = (json.loads(one) for one in await lines_of(hub, reports, second, "BANK"))
    assert (back["kind"], back["amount"], back["from"], back["to"]) == ("correct", "2.500001", "AIR", "BANK")
    assert "points" not in back
    named = {"dispute": ids.text(ids.DISPUTE, disputes[0].id), "leg": owed[0]["leg"], "movement": owed[0]["movement"]}
    assert back["corrects"] == named
    [net] = read(corrected.payload).nets
    assert net.net_millionths == 2_500_000  # 2.500001 to the cent
    await hub.do(accepting(bank, "BANK", corrected))

    jwks = await reports.jwks()
    for code in ("BANK", "AIR", "HUB"):
        stored = await report_of(hub, reports, second, code)
        assert stored is not None
        lines = await lines_of(hub, reports, second, None if code == "HUB" else code)
        assert verify(stored.jws, lines, jwks).findings == ()
        assert ALONE.verify(stored.jws, jwks, lines).findings == []
    accepted = (acceptance.accept(KEY, read(corrected.payload), corrected.digest), {"keys": [KEY.public_jwk()]})
    verdict = verify(corrected.jws, None, jwks, None, (), None, *accepted)
    assert (verdict.findings, verdict.accepted_by) == ((), KEY.kid)
    other = verify(before.jws, None, jwks, None, (), None, *accepted)
    assert [finding.code for finding in other.findings] == ["ACCEPTANCE_REPORT"]

    async with hub.database.snapshot() as connection:
        done = await audit(connection)
        assert done.findings == ()
        times = await following._stretch(connection, 0, done.batch)
        taken = await following._take(connection, 0, done.batch, times)
    told = [(one.type.value, one.data.get("outcome"), one.homes) for one in events(hub.engine.configuration, taken)]
    codes = hub.engine.configuration.institution_codes
    both = (codes["BANK"], codes["AIR"])
    assert [one for one in told if one[0].startswith(("report.", "dispute."))] == [
        *[("dispute.opened", None, both)] * 4,
        *[("dispute.answered", None, both)] * 3,
        ("dispute.resolved", "UPHELD", both),
        ("dispute.resolved", "REJECTED", both),
        ("dispute.resolved", "WITHDRAWN", both),
        ("report.accepted", None, (codes["BANK"],)),
    ]
    missed: dict[str, set[str]] = {}
    async with tampered(postgres_server, hub) as connection:
        for what, (statement, expected) in TAMPERED.items():
            change = await connection.begin_nested()
            changed = await connection.execute(text(statement))
            assert changed.rowcount, what
            found = {one.code for one in (await audit(connection)).findings}
            await change.rollback()
            if expected not in found:
                missed[what] = found
    assert missed == {}
