"""What is put up at the settlement bank and taken back: by two persons, never below what has to be there, audited."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import covers, lookups, postgres
from hub.access import Role
from hub.audit import audit
from hub.cover import CoverEntry, EntryStatus, Pot
from hub.errors import (
    Duplicate,
    Forbidden,
    InsufficientLiquidity,
    InvalidAmount,
    InvalidInput,
    NotFound,
    Refusal,
    SameApprover,
    UnknownCurrency,
)
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub, NewHub
from tests.hub.audited import tampered

CNY = 1_000_000


async def found(hub: Hub) -> None:
    """BANK over DESK, whose points SHOP takes at 0.05 CNY, and the other way round."""
    for code, parent in (("BANK", "HUB"), ("DESK", "BANK"), ("SHOP", "HUB")):
        await hub.institution(code, parent=parent)
    for code, issuer in (("DP", "DESK"), ("SP", "SHOP")):
        await hub.currency(code, issuer)
        await hub.issue(code, issuer, "alice", "100000")


def terms(hub: Hub, of: str = "BANK", **more: Any) -> commands.SetCover:
    usual = {"currency": "CNY", "needed": True, "line": "0", "haircut_percent": "0", "fund": "0", "due_days": 1}
    return commands.SetCover(**{"actor": hub.admin, "institution": of, **usual, **more})


def entry(hub: Hub, amount: str, reference: str, of: str = "BANK", **more: Any) -> commands.RecordCoverEntry:
    usual = {"currency": "CNY", "pot": Pot.COLLATERAL, "value_date": "2026-01-31"}
    asked = {"actor": hub.admin, "institution": of, "amount": amount, "reference": reference}
    return commands.RecordCoverEntry(**{**asked, **usual, **more})


async def put(hub: Hub, amount: str, reference: str, of: str = "BANK", **more: Any) -> CoverEntry:
    """An entry that is approved."""
    made = await hub.do(entry(hub, amount, reference, of, **more))
    done: CoverEntry = await hub.do(commands.ApproveCoverEntry(actor=hub.second, id=made.id))
    return done


def owing(hub: Hub, key: str, cny: int, payer: str = "DESK", payee: str = "SHOP") -> commands.Redeem:
    """``payer`` comes to owe ``payee`` so many CNY."""
    return commands.Redeem(
        actor=hub.admin,
        key=key,
        currency=f"{payer[0]}P",
        customer=Party(payer, "alice"),
        merchant=payee,
        amount=str(cny * 20),
        memo=None,
    )


async def tell(hub: Hub) -> None:
    """Terms agreed, tightened and eased; money put up, taken back and rejected; acts under it."""
    await found(hub)
    await put(hub, "500", "in 1")
    await put(hub, "40", "fund 1", pot=Pot.FUND)
    await hub.do(terms(hub, line="10", haircut_percent="10", fund="30"))
    await hub.do(owing(hub, "a", 400))
    await put(hub, "-60", "out 1")
    await put(hub, "-10", "fund out 1", pot=Pot.FUND)
    dropped = await hub.do(entry(hub, "70", "in 2"))
    await hub.do(commands.RejectCoverEntry(actor=hub.admin, id=dropped.id, reason="came back"))
    await hub.do(terms(hub, line="20", haircut_percent="10", fund="30"))
    [cover] = hub.engine.configuration.covers.values()
    assert cover.proposal is not None
    await hub.do(commands.ApproveCover(actor=hub.second, id=cover.proposal.id))


@pytest.fixture(scope="module")
async def story(hubs: NewHub) -> AsyncIterator[Hub]:
    async with hubs() as hub:
        await tell(hub)
        yield hub


@pytest.fixture
async def connection(story: Hub, postgres_server: postgres.Server) -> AsyncIterator[AsyncConnection]:
    async with tampered(postgres_server, story) as connection:
        yield connection


async def standing(hub: Hub, of: str = "BANK") -> covers.Standing:
    async with hub.reading.open(hub.admin) as reader:
        [found] = await covers.standings(reader, {reader.configuration.institution_codes[of]})
    return found


async def test_what_is_put_up_and_taken_back_is_posted_against_the_bank(story: Hub) -> None:
    of = await standing(story)
    # collateral 500 - 60; fund 40 - 10; what was rejected never counted
    assert of.pots == {Pot.COLLATERAL: 440 * CNY, Pot.FUND: 30 * CNY, Pot.LIQUIDITY: 0, Pot.RECOVERED: 0}
    assert of.exposure == 400 * CNY
    assert of.available == 16 * CNY  # 20 + 440 × 0.9 - 400
    rows = await story.sql("SELECT credits_posted - debits_posted AS held FROM account WHERE kind = 6")
    assert [row["held"] for row in rows] == [-470 * CNY]
    async with story.reading.open(story.admin) as reader:
        listed = await covers.entries(reader, {of.institution}, "CNY", None, 10)
    assert [(one.reference, one.status) for one in listed[:2]] == [
        ("in 2", EntryStatus.REJECTED),
        ("fund out 1", EntryStatus.POSTED),
    ]


async def test_nothing_is_taken_back_that_has_to_be_there(story: Hub) -> None:
    # 20 + 0.9 × (440 - 17.77) = 400.007; one more cent and it is 399.998
    kept = await story.do(entry(story, "-17.77", "out 2"))
    await story.do(commands.RejectCoverEntry(actor=story.second, id=kept.id, reason="not now"))
    with pytest.raises(InsufficientLiquidity) as refused:
        await story.do(entry(story, "-17.78", "out 2"))
    assert refused.value.details["held"] == "440.00"
    with pytest.raises(InsufficientLiquidity):
        await story.do(entry(story, "-0.01", "fund out 2", pot=Pot.FUND))
    with pytest.raises(InsufficientLiquidity):
        await story.do(entry(story, "-0.01", "recovered", pot=Pot.RECOVERED))
    late = await story.do(entry(story, "-17", "out 3"))
    await story.do(owing(story, "b", 10))
    with pytest.raises(InsufficientLiquidity):  # what was there when it was recorded is not any more
        await story.do(commands.ApproveCoverEntry(actor=story.second, id=late.id))
    await story.do(commands.RejectCoverEntry(actor=story.second, id=late.id, reason="no"))


async def test_two_persons_of_the_operators_let_an_entry_count(story: Hub) -> None:
    made = await story.do(entry(story, "1", "two"))
    mine, _ = await story.key("HUB", Role.OPERATOR_ADMIN, person="root")  # the same person's other key
    for actor in (story.admin, mine):
        with pytest.raises(SameApprover):
            await story.do(commands.ApproveCoverEntry(actor=actor, id=made.id))
    bank, _ = await story.key("BANK", Role.INSTITUTION_ADMIN, person="bai")
    for command in (
        commands.ApproveCoverEntry(actor=bank, id=made.id),
        commands.RejectCoverEntry(actor=bank, id=made.id, reason="x"),
        terms(story, actor=bank),
        entry(story, "1", "mine", actor=bank),
    ):
        with pytest.raises(Forbidden):
            await story.do(command)
    await story.do(commands.RejectCoverEntry(actor=story.admin, id=made.id, reason="x"))
    with pytest.raises(NotFound):
        await story.do(commands.ApproveCoverEntry(actor=story.second, id=made.id))


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ({"amount": "5", "reference": "in 1"}, Duplicate),
        ({"amount": "5", "reference": " "}, InvalidInput),
        ({"amount": "5", "reference": "x", "value_date": "20260131"}, InvalidInput),
        ({"amount": "0", "reference": "x"}, InvalidAmount),
        ({"amount": "0.001", "reference": "x"}, InvalidAmount),
        ({"amount": "5", "reference": "x", "pot": Pot.RECOVERED}, InvalidInput),
        ({"amount": "5", "reference": "x", "of": "DESK"}, InvalidInput),  # its nets go to BANK
        ({"amount": "5", "reference": "x", "of": "NOBODY"}, NotFound),
        ({"amount": "5", "reference": "x", "currency": "DP"}, UnknownCurrency),
    ],
)
async def test_an_entry_is_one_payment_of_the_banks(
    story: Hub, command: dict[str, Any], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        await story.do(entry(story, **command))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"of": "DESK"}, InvalidInput),
        ({"line": "-1"}, InvalidAmount),
        ({"haircut_percent": "100.0001"}, InvalidAmount),
        ({"due_days": 61}, InvalidInput),
        ({"currency": "DP"}, UnknownCurrency),
    ],
)
async def test_terms_are_sensible(story: Hub, changes: dict[str, Any], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        await story.do(terms(story, **changes))


async def test_an_act_beyond_the_cover_is_refused_apart_from_the_cap_and_one_that_improves_never(hub: Hub) -> None:
    await found(hub)
    await hub.do(terms(hub))
    with pytest.raises(InsufficientLiquidity) as refused:
        await hub.do(owing(hub, "1", 5))
    assert refused.value.details == {
        "institution": "BANK",
        "currency": "CNY",
        "exposure": "5.00",
        "cover": "0.00",
        "collateral": "0.00",
        "line": "0.00",
    }
    trader, _ = await hub.key("DESK", Role.INSTITUTION_TRADER)  # below BANK, which it does not see from within
    with pytest.raises(InsufficientLiquidity) as refused:
        await hub.do(msgspec.structs.replace(owing(hub, "2", 5), actor=trader))
    assert refused.value.details == {"currency": "CNY"}
    assert (await put(hub, "20", "in 1")).status is EntryStatus.POSTED
    await hub.do(owing(hub, "3", 15))
    await hub.cap("BANK", "18")
    with pytest.raises(Refusal) as limit:
        await hub.do(owing(hub, "4", 4))  # 19 is covered, and above the cap
    assert limit.value.code == "LIMIT_EXCEEDED"
    await hub.do(terms(hub, haircut_percent="50"))  # 10 covers what is 15
    await hub.do(owing(hub, "5", 4, "SHOP", "DESK"))  # 11: still not covered, and better
    with pytest.raises(InsufficientLiquidity):
        await hub.do(owing(hub, "6", 1))
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_what_is_told_of_an_exposure_counts_what_is_in_no_window(story: Hub) -> None:
    node = story.engine.configuration.institution_codes["SHOP"]
    async with story.reading.open(story.admin) as reader:
        [before] = (await lookups.positions(reader, {node}))[node]
    await story.sql(
        "INSERT INTO position (journal_id, window_id, institution_id, currency, debits, credits, subtree, apart, gross)"
        f" VALUES (1, 0, {node}, 'CNY', 0, 0, -7000000, 0, 0)"
    )
    async with story.reading.open(story.admin) as reader:
        [position] = (await lookups.positions(reader, {node}))[node]
    await story.sql(f"DELETE FROM position WHERE window_id = 0 AND institution_id = {node}")
    assert (position.own, position.exposure) == (before.own, before.exposure + 7 * CNY)  # whatever ran before
    assert before.own > 0


async def test_the_story_is_clean(story: Hub) -> None:
    async with story.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


ENTRY = "id = (SELECT min(id) FROM cover_entry)"
DECISION = "entry_id = (SELECT min(id) FROM cover_entry)"
POSTED = "kind = 70 AND id = (SELECT min(id) FROM movement WHERE kind = 70)"
TAMPERED = {
    "an entry's amount": (f"UPDATE cover_entry SET amount = amount + 10000 WHERE {ENTRY}", {"COVER_ENTRY", "ACT_LEGS"}),
    "whose an entry is": (
        f"UPDATE cover_entry SET institution_id = institution_id + 500 WHERE {ENTRY}",
        {"COVER_ENTRY", "ACT_LEGS"},
    ),
    "what an entry is for": (f"UPDATE cover_entry SET pot = 'FUND' WHERE {ENTRY}", {"ACT_LEGS", "MONEY_ACCOUNT"}),
    "an entry for nothing": (f"UPDATE cover_entry SET pot = 'CUP' WHERE {ENTRY}", {"COVER_ENTRY"}),
    "who approved": (
        f"UPDATE cover_decision SET credential_id = (SELECT credential_id FROM cover_entry WHERE {ENTRY})"
        f" WHERE {DECISION}",
        {"COVER_ENTRY"},
    ),
    "an approval that is gone": (f"DELETE FROM cover_decision WHERE {DECISION}", {"COVER_ENTRY"}),
    "a rejection of what was posted": (
        f"UPDATE cover_decision SET status = 'REJECTED' WHERE {DECISION}",
        {"COVER_ENTRY"},
    ),
    "a movement that is gone": (f"DELETE FROM movement WHERE {POSTED}", {"COVER_ENTRY", "LEG_MOVEMENT"}),
    "what was moved": (
        "UPDATE leg SET amount = amount - 10000 WHERE purpose = 20"
        " AND movement_id = (SELECT min(movement_id) FROM leg WHERE purpose = 20)",
        {"ACT_LEGS", "LEG_BALANCE"},
    ),
    "what an account holds": (
        "UPDATE account SET credits_posted = credits_posted + 1 WHERE kind = 20",
        {"ACCOUNT_COUNTERS", "CURRENCY_SUM"},
    ),
    "terms that were stricter": (
        """UPDATE configuration_change SET document = replace(document, '"needed":true,"line":10000000',"""
        """ '"needed":true,"line":1') WHERE noun = 'cover' AND document LIKE '%"proposal":null%'""",
        {"COVER"},  # 1 + 450 covers what is owed, and then 396 does not
    ),
    "terms that were eased by one person": (
        f"UPDATE configuration_change SET credential_id = (SELECT credential_id FROM cover_entry WHERE {ENTRY})"
        " WHERE version = (SELECT max(version) FROM configuration_change WHERE noun = 'cover')",
        {"COVER_CHANGE"},
    ),
    "terms that nobody proposed": (
        """UPDATE configuration_change SET document = replace(document, '"line":20000000', '"line":30000000')"""
        " WHERE version = (SELECT max(version) FROM configuration_change WHERE noun = 'cover')",
        {"COVER_CHANGE"},
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_each_tampering_is_found(connection: AsyncConnection, what: str) -> None:
    statement, expected = TAMPERED[what]
    assert (await connection.exec_driver_sql(statement)).rowcount
    codes = {finding.code for finding in (await audit(connection)).findings}
    assert expected <= codes, codes


async def test_an_act_that_was_never_covered_is_found(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql(
        """UPDATE configuration_change SET document = replace(document, '"haircut":100000', '"haircut":300000')"""
        " WHERE noun = 'cover'"
    )
    told = [one.sentence for one in (await audit(connection)).findings if one.code == "COVER"]
    # 10 + 500 × 0.7 is less than 400
    assert any("brings the exposure of BANK to 400.00 CNY" in sentence for sentence in told), told
