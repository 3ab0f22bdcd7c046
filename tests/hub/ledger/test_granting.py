"""Granting: points that another than their issuer issues and pays for, by terms; and what the audit finds."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from hub import postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import Forbidden, InsufficientPrepaid, InvalidInput, LimitExceeded, NotAccepted
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.limits import Mode
from hub.partners import Status
from hub.terms import Step
from tests.conftest import Hub
from tests.hub.agreed import agree, grant
from tests.hub.audited import tampered
from tests.hub.ledger.test_exchanges import answer, network, owed

CNY = 1_000_000
AL = Party("TEL", "al")


@pytest.fixture
async def grants(hub: Hub) -> AsyncIterator[Hub]:
    """An issuer, and a telecom with a shop that may issue its points at 0.03 CNY."""
    for code, parent in (("BANK", None), ("TEL", None), ("SHOP", "TEL"), ("OTHER", None)):
        await hub.institution(code, parent=parent)
    await hub.currency("BP", "BANK")
    yield hub
    assert await found_by_audit(hub) == []


async def found_by_audit(hub: Hub) -> list[str]:
    async with hub.database.snapshot() as connection:
        return [one.code for one in (await audit(connection)).findings]


def issue(hub: Hub, key: str, amount: str, grantor: str | None, **more: Any) -> commands.Issue:
    usual: dict[str, Any] = {
        "actor": hub.admin, "key": key, "currency": "BP", "to": AL, "amount": amount, "earned_at": None,
        "expires_at": None, "memo": None, "grantor": grantor,
    }  # fmt: skip
    return commands.Issue(**{**usual, **more})


async def test_a_grantor_pays_the_issuer_for_what_it_issues_and_gets_it_back_in_the_same_share(
    grants: Hub, postgres_server: postgres.Server
) -> None:
    tel, _ = await grants.key("TEL", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
    shop, _ = await grants.key("SHOP", Role.INSTITUTION_TRADER)
    with pytest.raises(NotAccepted) as refusal:
        await grants.do(issue(grants, "early", "100", "TEL", actor=tel))
    assert refusal.value.details == {"currency": "BP", "grantor": "TEL"}
    proposed = await grants.do(grant(grants, "TEL", "0.030000000001"))
    assert proposed.awaiting == (Step.GRANTOR, Step.OPERATOR)  # the issuer has left its consent to the operator
    with pytest.raises(InvalidInput):
        await grants.do(grant(grants, "BANK", "0.03"))
    await grants.do(commands.AcceptTerms(actor=tel, id=proposed.id))
    terms = await grants.do(commands.ApproveTerms(actor=grants.second, id=proposed.id))

    made = await grants.do(issue(grants, "one", "1000", "TEL", actor=tel))
    assert (made.terms, made.money, made.value) == (terms.id, "CNY", 30 * CNY)  # 30.000000001, half up
    below = await grants.do(issue(grants, "two", "10", "SHOP", actor=shop))
    assert (below.terms, below.for_institution) == (terms.id, grants.engine.configuration.institution_codes["SHOP"])
    own = await grants.do(issue(grants, "own", "5", "BANK"))
    assert (own.terms, own.value) == (None, None)  # the issuer needs no terms
    assert await owed(grants) == {"TEL": -30 * CNY, "SHOP": -300_000, "BANK": 30_300_000}
    for refused, why in (
        (issue(grants, "a", "1", "TEL", actor=shop), Forbidden),
        (issue(grants, "b", "1", None, actor=tel), Forbidden),  # whoever is no issuer says that it grants
        (issue(grants, "c", "1", "OTHER"), NotAccepted),
        (issue(grants, "d", "1", "TEL", record="r"), InvalidInput),
    ):
        with pytest.raises(why):
            await grants.do(refused)
    back = commands.Reverse(actor=tel, key="back", id=made.id, amount="333", reason="returned")
    undone = await grants.do(back)
    assert (undone.value, undone.terms) == (9_990_000, terms.id)  # ⌊30 × 333 / 1000⌋
    assert await grants.balance("BP", "TEL", "al") == 682  # 1000 + 10 + 5 - 333
    assert await owed(grants) == {"TEL": -20_010_000, "SHOP": -300_000, "BANK": 20_310_000}

    await grants.cap("TEL", "20.50")
    with pytest.raises(LimitExceeded):
        await grants.do(issue(grants, "much", "100", "TEL"))

    cases = {
        f"UPDATE movement SET value = value + 1 WHERE id = {below.id}": {"TERMS_FIGURES", "ACT_LEGS"},
        f"UPDATE movement SET for_institution_id = 1 WHERE id = {below.id}": {"TERMS"},
        f"DELETE FROM act_terms WHERE movement_id = {below.id}": {"TERMS"},
        f"UPDATE movement SET money = 'CNY', value = 5, fee = 0 WHERE id = {own.id}": {"TERMS_FIGURES"},
    }
    for change, codes in cases.items():
        async with tampered(postgres_server, grants) as connection:
            assert (await connection.execute(text(change))).rowcount == 1, change
            found = {one.code for one in (await audit(connection)).findings}
        assert codes <= found, (change, found)


async def test_what_a_limit_clips_of_a_grant_is_not_paid_for(grants: Hub) -> None:
    tel, _ = await grants.key("TEL", Role.INSTITUTION_ADMIN)
    await agree(grants, grant(grants, "TEL", "0.5", "USD"), tel)
    await grants.limit("DAY", "690", currency="BP", mode=Mode.CLIP)
    clipped = await grants.do(issue(grants, "clipped", "700", "TEL"))
    assert (clipped.amount, clipped.value) == (690, 345 * CNY)  # 690 × 0.5
    assert await owed(grants, "USD") == {"TEL": -345 * CNY, "BANK": 345 * CNY}


async def test_points_that_a_partner_keeps_are_granted_and_paid_for_once_it_has_credited_them(hub: Hub) -> None:
    await network(hub)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    terms = await agree(hub, grant(hub, "BANK", "0.04", currency="MILE"), bank)
    asked = issue(hub, "one", "50", "BANK", currency="MILE", to=Party("AIR", "al"))
    made = await hub.do(asked)
    assert (made.terms, await owed(hub)) == (terms.id, {})
    await answer(hub, f"PH-{made.id:X}-C", Status.SUCCEEDED, partner_reference="A-1")
    assert await owed(hub) == {"BANK": -2 * CNY, "AIR": 2 * CNY}  # 50 × 0.04
    # Nothing is prepaid of what a partner keeps, so that nothing is granted by terms that want it so.
    await agree(hub, grant(hub, "BANK", "0.04", currency="MILE", prepaid_only=True), bank)
    with pytest.raises(InsufficientPrepaid) as refusal:
        await hub.do(issue(hub, "two", "50", "BANK", currency="MILE", to=Party("AIR", "al")))
    assert refusal.value.details == {"currency": "MILE", "left": "0", "requested": "50"}
    assert await found_by_audit(hub) == []
