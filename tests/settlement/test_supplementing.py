"""Supplements of a real hub: who is told what of a net that was not paid, and that the audit proves it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import postgres
from hub.clock import now
from hub.cover import Pot
from hub.ledger import commands
from hub.revocations import RevocationReason
from settlement import signing
from settlement.audit import audit
from settlement.publish import Keys, Reports
from settlement.supplementing import Supplements
from settlement.verify import verify, verify_supplements
from tests.conftest import Hub, NewHub
from tests.hub.audited import tampered
from tests.hub.ledger.test_cover import put
from tests.hub.ledger.test_defaults import bear, close, declare, found, owe, proposal, repay
from tests.settlement.test_publish import report_of


@dataclass(frozen=True)
class Story:
    """DEBTOR owes 100 of which ONE is to get 60 and TWO 40; 20 are its own, 40 the fund's, of which LATE, who has no
    net of the window, gives half; 40 are cut. Later it pays 55."""

    hub: Hub
    keys: Keys
    reports: Reports
    supplements: Supplements
    window: int
    default: int

    async def of(self, code: str) -> list[str]:
        institution = self.hub.engine.configuration.institution_codes[code]
        return [one.jws for one in await self.supplements.of(self.window, institution)]


async def told(hub: Hub, folder: Path) -> Story:
    await found(hub)
    await put(hub, "20", "col", of="DEBTOR")
    await put(hub, "20", "one", of="ONE", pot=Pot.FUND)
    await put(hub, "20", "late", of="LATE", pot=Pot.FUND)
    await owe(hub, "DESK", "ONE", 60)
    await owe(hub, "DESK", "TWO", 40)
    window = await close(hub)
    keys = Keys(folder)
    reports = Reports(hub.database, keys, "Test Hub")
    supplements = Supplements(hub.database, keys, "Test Hub", reports)
    dropped = await hub.do(proposal(hub, window))
    await hub.do(commands.RejectDefault(actor=hub.admin, id=dropped.id, reason="too early"))
    assert await supplements.of(window, hub.engine.configuration.operator.id) == []
    default = await declare(hub, window)
    await supplements.ensure(window)
    await bear(hub, window)  # the next ones are made afterwards, all at once
    await repay(hub, default, "35", "r1")
    await repay(hub, default, "20", "\tr2 ")
    return Story(hub, keys, reports, supplements, window, default)


@pytest.fixture(scope="module")
async def story(hubs: NewHub, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """A history that no test changes."""
    async with hubs() as hub:
        story = await told(hub, tmp_path_factory.mktemp("keys") / "signing")
        # Several processes at once make one set.
        await asyncio.gather(*(story.of(code) for code in ("HUB", "ONE", "TWO", "LATE", "DEBTOR", "HUB")))
        yield story


async def test_each_step_is_signed_for_whom_it_concerns_and_follows_the_report(story: Story) -> None:
    jwks = await story.reports.jwks()
    counts = {}
    for code in ("HUB", "DEBTOR", "ONE", "TWO"):
        stored, after = await report_of(story.hub, story.reports, story.window, code), await story.of(code)
        assert stored is not None
        verdict = verify(stored.jws, None, jwks, supplements=after)
        assert verdict.findings == ()
        counts[code] = verdict.supplements_checked
        said = [json.loads(signing.take_apart(one).payload) for one in after]
        assert {one["report"] for one in said} == {stored.digest}
    # Declared, covered, and twice repaid; who bears it hears of it when it is covered.
    assert counts == {"HUB": 4, "DEBTOR": 4, "ONE": 3, "TWO": 3}
    assert await story.of("DESK") == []


async def test_everybody_is_told_its_own_part_and_the_operator_all(story: Story) -> None:
    shown = {}
    for code in ("HUB", "DEBTOR", "ONE", "TWO", "LATE"):
        [default] = json.loads(signing.take_apart((await story.of(code))[-1]).payload)["defaults"]
        assert (default["institution"], default["amount"], default["repaid"]) == ("DEBTOR", "100.00", "55.00")
        shown[code] = {(one["institution"], one["source"]): (one["amount"], one["repaid"]) for one in default["shares"]}
        kinds = [one["kind"] for one in default["steps"]]
        every = ["DECLARED", "COLLATERAL", "FUND", "CUT", "COVERED", "REPAID", "REPAID"]
        assert kinds == (every if code in ("HUB", "DEBTOR") else [])
    # 100 less 20 and 40 leave 40 to be cut, 60 and 40 of a hundred; of 55 they get 40, and the fund 15.
    own = {
        "DEBTOR": {("DEBTOR", "COLLATERAL"): ("20.00", "0.00")},
        "ONE": {("ONE", "FUND"): ("20.00", "7.50"), ("ONE", "CUT"): ("24.00", "24.00")},
        "TWO": {("TWO", "CUT"): ("16.00", "16.00")},
        "LATE": {("LATE", "FUND"): ("20.00", "7.50")},
    }
    assert shown == own | {"HUB": {place: share for of in own.values() for place, share in of.items()}}


async def test_who_has_no_report_has_supplements_all_the_same(story: Story) -> None:
    assert await report_of(story.hub, story.reports, story.window, "LATE") is None
    assert verify_supplements(await story.of("LATE"), await story.reports.jwks()) == ()


async def test_what_became_of_it_is_told_of_the_past_as_it_was_then(story: Story) -> None:
    statuses = [
        json.loads(signing.take_apart(one).payload)["defaults"][0]["status"] for one in await story.of("DEBTOR")
    ]
    assert statuses == ["DECLARED", "COVERED", "COVERED", "COVERED"]
    [first, *_] = await story.of("HUB")
    assert json.loads(signing.take_apart(first).payload)["defaults"][0]["shares"] == []


async def test_an_open_window_and_one_without_defaults_have_none(story: Story) -> None:
    for window in (await story.hub.window(), 12345):
        assert await story.supplements.of(window, story.hub.engine.configuration.operator.id) == []


async def test_supplements_under_a_revoked_key_are_signed_anew(hub: Hub, tmp_path: Path) -> None:
    story = await told(hub, tmp_path / "signing")
    before = await story.of("DEBTOR")
    old = story.keys.current()
    signing.rotate(story.keys.folder)
    await hub.do(
        commands.RevokeSigningKey(actor=hub.admin, kid=old.kid, since=now(), reason=RevocationReason.COMPROMISED)
    )
    after = await story.of("DEBTOR")
    assert [signing.take_apart(one).payload for one in after] == [signing.take_apart(one).payload for one in before]
    assert {signing.take_apart(one).header["kid"] for one in after} == {story.keys.current().kid}


LAST = "WHERE batch = (SELECT max(batch) FROM settlement_supplement)"
TAMPERED = {
    "a payload": (f"UPDATE settlement_supplement SET payload = payload || ' ' {LAST}", {"SUPPLEMENT_PAYLOAD"}),
    "a digest": (
        "UPDATE settlement_supplement SET digest = repeat('0', 64)",
        {"SUPPLEMENT_DIGEST", "SUPPLEMENT_CONTENT"},
    ),
    "a signature": (
        "UPDATE settlement_supplement SET jws = left(jws, -86) || repeat('A', 86)",
        {"SUPPLEMENT_SIGNATURE"},
    ),
    "a signature that is none": ("UPDATE settlement_supplement SET jws = 'x'", {"SUPPLEMENT_SIGNATURE"}),
    "a report's signature": (
        "UPDATE settlement_supplement s SET jws = (SELECT jws FROM settlement_report r"
        " WHERE r.institution_id = s.institution_id LIMIT 1)"
        " WHERE institution_id IN (SELECT institution_id FROM settlement_report)",
        {"SUPPLEMENT_SIGNATURE", "SUPPLEMENT_PAYLOAD"},
    ),
    "one that is gone": (
        "DELETE FROM settlement_supplement WHERE batch = (SELECT min(batch) FROM settlement_supplement)",
        {"SUPPLEMENT_MISSING", "SUPPLEMENT_CONTENT"},
    ),
    "one of no step": (f"UPDATE settlement_supplement SET batch = batch + 1 {LAST}", {"SUPPLEMENT_CONTENT"}),
    "another's": (
        "UPDATE settlement_supplement SET institution_id = institution_id + 1",
        {"SUPPLEMENT_MISSING", "SUPPLEMENT_CONTENT"},
    ),
    "who bears it": (
        "UPDATE leg SET amount = amount + CASE n WHEN 0 THEN 10000 ELSE -10000 END"
        " WHERE movement_id = (SELECT max(id) FROM movement WHERE kind = 74)",
        {"SUPPLEMENT_CONTENT", "ACT_LEGS"},
    ),
    "what was repaid": (
        "UPDATE default_step SET amount = amount + 10000 WHERE reference = 'r1'",
        {"SUPPLEMENT_CONTENT", "DEFAULT"},
    ),
}


async def test_the_audit_finds_nothing_in_a_true_history(story: Story) -> None:
    async with story.hub.database.snapshot() as connection:
        done = await audit(connection)
    assert done.findings == ()
    assert done.counts["settlement_supplement"] == 4 + 4 + 3 + 3 + 3  # HUB, DEBTOR, and who bears it


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_found(story: Story, postgres_server: postgres.Server, what: str) -> None:
    statement, expected = TAMPERED[what]
    async with tampered(postgres_server, story.hub) as connection:
        done = await connection.exec_driver_sql(statement)
        assert done.rowcount
        codes = {finding.code for finding in (await audit(connection)).findings}
    assert expected <= codes, codes
