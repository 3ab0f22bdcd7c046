"""Redeeming by acceptance terms: whose rule, what they pay, and what the audit finds when somebody changes that."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from hub import clock, postgres
from hub.access import Role
from hub.audit import audit
from hub.currencies import RateConsent
from hub.errors import Forbidden, InvalidInput, NotAccepted, NotFound, SameApprover
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import Party, PolicyTerms
from hub.partners import Status
from hub.registry.terms import is_visible
from hub.terms import Step
from tests.conftest import Hub
from tests.hub.agreed import acceptance, agree
from tests.hub.audited import tampered
from tests.hub.ledger.test_exchange_acts import redemption
from tests.hub.ledger.test_exchanges import answer, network, owed

CNY = 1_000_000
AL = Party("BANK", "al")


@pytest.fixture
async def mall(hub: Hub) -> AsyncIterator[Hub]:
    """A bank's points, a mall with two shops, and a shop elsewhere; whatever was done is in order afterwards."""
    await hub.institution("BANK", Kind.BANK)
    for code, parent in (("MALL", None), ("TEA", "MALL"), ("BOOKS", "MALL"), ("KIOSK", None)):
        await hub.institution(code, Kind.MERCHANT, parent)
    await hub.currency("BP", "BANK")  # 0.05 CNY
    await hub.issue("BP", "BANK", "al", "10000")
    yield hub
    assert await found_by_audit(hub) == []


async def found_by_audit(hub: Hub) -> list[str]:
    async with hub.database.snapshot() as connection:
        return [one.code for one in (await audit(connection)).findings]


def redeem(hub: Hub, merchant: str, amount: str, key: str | None = None) -> commands.Redeem:
    key = key or f"redeem {amount} at {merchant}"
    return redemption(hub, amount, key=key, currency="BP", customer=AL, merchant=merchant)


async def test_terms_need_issuer_merchant_and_another_person_of_the_operators(hub: Hub) -> None:
    for code in ("BANK", "MALL", "TEL"):
        await hub.institution(code)
    await hub.institution("TEA", parent="MALL")
    await hub.currency("BP", "BANK", rate_consent=RateConsent.ISSUER)
    bank, mall, stranger, tea = [
        (await hub.key(of, Role.INSTITUTION_ADMIN, person=of))[0] for of in ("BANK", "MALL", "TEL", "TEA")
    ]
    proposed = await hub.do(acceptance(hub, "TEA", "0.04", actor=mall))  # who stands above speaks for it
    assert proposed.awaiting == (Step.ISSUER, Step.OPERATOR)
    with pytest.raises(NotAccepted):
        await hub.do(commands.ApproveTerms(actor=hub.admin, id=proposed.id))
    for actor, refusal in ((stranger, NotFound), (hub.admin, Forbidden), (mall, InvalidInput)):
        with pytest.raises(refusal):
            await hub.do(commands.AcceptTerms(actor=actor, id=proposed.id))
    accepted = await hub.do(commands.AcceptTerms(actor=bank, id=proposed.id))
    assert (accepted.awaiting, accepted.accepted_by) == ((Step.OPERATOR,), ("BANK",))
    with pytest.raises(Forbidden):
        await hub.do(commands.ApproveTerms(actor=bank, id=proposed.id))
    approved = await hub.do(commands.ApproveTerms(actor=hub.admin, id=proposed.id))

    by_operator = await hub.do(acceptance(hub, "TEA", "0.05"))
    assert (by_operator.version, by_operator.awaiting) == (2, (Step.ISSUER, Step.MERCHANT, Step.OPERATOR))
    for party in (bank, tea):
        await hub.do(commands.AcceptTerms(actor=party, id=by_operator.id))
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveTerms(actor=hub.admin, id=by_operator.id))
    with pytest.raises(Forbidden):
        await hub.do(acceptance(hub, "TEA", "0.04", actor=stranger))
    with pytest.raises(InvalidInput):
        await hub.do(acceptance(hub, "TEA", "0.04", fee_per_point="1", fee_money="USD"))
    with pytest.raises(InvalidInput):
        await hub.do(acceptance(hub, "TEA", "0.04", starts=clock.now() - timedelta(1)))
    rejected = await hub.do(commands.RejectTerms(actor=bank, id=by_operator.id, reason="dear"))
    assert rejected.reason == "dear"

    configuration = hub.engine.configuration
    seen = [is_visible(configuration, configuration.credentials[one], approved) for one in (bank, mall, tea, stranger)]
    assert seen == [True, True, True, False]  # a price between two is nobody else's business


async def test_the_nearest_terms_price_a_redemption_and_take_their_fee(mall: Hub) -> None:
    key, _ = await mall.key("MALL", Role.INSTITUTION_ADMIN)
    general = await agree(mall, acceptance(mall, "MALL", "0.04", fee_percent="1", fee_fixed="0.10"), key)
    own = await agree(mall, acceptance(mall, "TEA", "0.009", "USD", fee_per_point="0.0001"), key)
    books = await mall.do(redeem(mall, "BOOKS", "1000"))
    tea = await mall.do(redeem(mall, "TEA", "1000"))
    kiosk = await mall.do(redeem(mall, "KIOSK", "1000"))
    # 1000 × 0.04 = 40.00 and 0.10 + 1 % = 0.50; 1000 × 0.009 = 9.00 USD and 0.10; without terms the unit value
    assert [(one.terms, one.money, one.value, one.fee) for one in (books, tea, kiosk)] == [
        (general.id, "CNY", 40 * CNY, CNY // 2),
        (own.id, "USD", 9 * CNY, CNY // 10),
        (None, "CNY", 50 * CNY, 0),
    ]
    in_cny = {"BANK": -90 * CNY, "BOOKS": 39_500_000, "KIOSK": 50 * CNY, "HUB": 500_000}
    assert await owed(mall) == in_cny
    in_usd = await owed(mall, "USD")
    assert in_usd == {"BANK": -9 * CNY, "TEA": 8_900_000, "HUB": 100_000}

    # A third of it, then the rest: 40.00 and 0.50 come back in the same share, and the last part is exact.
    for place, amount in enumerate(("333", None)):
        back = commands.Reverse(actor=mall.admin, key=f"back {place}", id=books.id, amount=amount, reason="returned")
        undone = await mall.do(back)
        assert undone.terms == general.id
        part = (13_320_000, 166_500) if place == 0 else (26_680_000, 333_500)  # ⌊40 × 333/1000⌋, ⌊0.50 × 333/1000⌋
        assert (undone.value, undone.fee) == part
    assert await owed(mall) == {"BANK": -50 * CNY, "KIOSK": 50 * CNY, "BOOKS": 0, "HUB": 0}

    await mall.do(commands.WithdrawTerms(actor=mall.admin, id=own.id, reason="over"))
    later = await mall.do(redeem(mall, "TEA", "100"))
    assert (later.terms, later.value) == (general.id, 4 * CNY)  # what is above it is back
    again = await mall.try_(redeem(mall, "TEA", "1000"))
    assert (again.replayed, again.result) == (True, tea)  # what was done keeps its terms

    held = await mall.do(
        commands.HoldPoints(
            actor=mall.admin, key="hold", currency="BP", customer=AL, amount="500",
            expires_at=clock.now() + timedelta(days=1), memo=None,
        )
    )  # fmt: skip
    capture = commands.CaptureHold(
        actor=mall.admin, key="capture", hold=held.id, amount="300", target=None, merchant="BOOKS"
    )
    captured = await mall.do(capture)
    row = dict((await mall.sql("SELECT value, fee FROM movement WHERE id = $1", captured.id))[0])
    assert row == {"value": 12 * CNY, "fee": 220_000}  # 300 × 0.04 = 12.00; 0.10 + 0.12


async def test_terms_and_a_redemption_by_them_in_one_batch(mall: Hub) -> None:
    """The batch finds the terms again once its configuration has changed."""
    key, _ = await mall.key("MALL", Role.INSTITUTION_ADMIN)
    proposed = await mall.do(acceptance(mall, "MALL", "0.04"))
    await mall.do(commands.AcceptTerms(actor=key, id=proposed.id))
    approve = commands.ApproveTerms(actor=mall.second, id=proposed.id)
    withdraw = commands.WithdrawTerms(actor=mall.admin, id=proposed.id, reason="over")
    batch = [redeem(mall, "TEA", "1"), approve, redeem(mall, "TEA", "2"), withdraw, redeem(mall, "TEA", "3")]
    done: list[Any] = await mall.batch(batch)
    assert [done[place].result.terms for place in (0, 2, 4)] == [None, proposed.id, None]


async def test_a_currency_that_needs_terms_is_taken_nowhere_else(mall: Hub) -> None:
    key, _ = await mall.key("TEA", Role.INSTITUTION_ADMIN)
    await mall.do(commands.SetPointsPolicy(actor=mall.admin, currency="BP", policy=PolicyTerms(needs_terms=True)))
    terms = await agree(mall, acceptance(mall, "TEA", "0.01"), key)
    assert (await mall.do(redeem(mall, "TEA", "100"))).terms == terms.id
    with pytest.raises(NotAccepted) as refusal:
        await mall.do(redeem(mall, "BOOKS", "100"))
    assert refusal.value.details == {"currency": "BP", "merchant": "BOOKS"}


async def test_points_at_a_partner_are_paid_for_by_the_terms_in_force_when_they_were_accepted(hub: Hub) -> None:
    await network(hub)
    await hub.institution("SHOP")
    shop, _ = await hub.key("SHOP", Role.INSTITUTION_ADMIN)
    terms = await agree(hub, acceptance(hub, "SHOP", "0.04", currency="MILE", fee_percent="2"), shop)
    made, refused = await hub.do(redemption(hub, "200")), await hub.do(redemption(hub, "100"))
    await hub.do(commands.WithdrawTerms(actor=hub.admin, id=terms.id, reason="over"))
    await answer(hub, f"PH-{made.id:X}-D", Status.SUCCEEDED, partner_reference="A-1")
    await answer(hub, f"PH-{refused.id:X}-D", Status.REFUSED)
    # 200 × 0.04 = 8.00, of which 2 % are 0.16
    assert await owed(hub) == {"AIR": -8 * CNY, "SHOP": 7_840_000, "HUB": 160_000}
    priced = await hub.sql("SELECT terms_id FROM act_terms")
    assert [row["terms_id"] for row in priced] == [terms.id] * 3  # both were accepted, and one was completed
    assert await found_by_audit(hub) == []


async def test_the_audit_finds_every_change_of_what_an_act_was_priced_by(
    mall: Hub, postgres_server: postgres.Server
) -> None:
    key, _ = await mall.key("MALL", Role.INSTITUTION_ADMIN)
    terms = await agree(mall, acceptance(mall, "MALL", "0.04", fee_percent="1"), key)
    other = await agree(mall, acceptance(mall, "KIOSK", "0.04"), (await mall.key("KIOSK", Role.INSTITUTION_ADMIN))[0])
    priced = await mall.do(redeem(mall, "TEA", "100"))
    await mall.do(commands.Reverse(actor=mall.admin, key="back", id=priced.id, amount="10", reason="returned"))
    plain = await mall.do(redeem(mall, "TEA", "50"))
    change = "UPDATE configuration_change SET"
    approval = f"key = {terms.id} AND document LIKE '%APPROVED%'"
    cases = {
        f"{change} credential_id = {mall.admin} WHERE {approval}": {"VERSION"},  # who proposed it
        f"{change} document = replace(document, '40000000000', '50000000000') WHERE {approval}": {
            "VERSION",
            "TERMS_FIGURES",
        },
        f"UPDATE act_terms SET terms_id = {other.id} WHERE movement_id = {priced.id}": {"TERMS"},
        f"DELETE FROM act_terms WHERE movement_id = {plain.id}": {"TERMS"},
        f"DELETE FROM act_terms WHERE movement_id > {priced.id} AND movement_id < {plain.id}": {"TERMS"},
        f"INSERT INTO act_terms VALUES (1, {plain.id + 1}, {terms.id})": {"TERMS"},
        f"UPDATE movement SET value = value + 1 WHERE id = {plain.id}": {"TERMS_FIGURES", "ACT_LEGS"},
        f"UPDATE movement SET fee = fee - 1 WHERE id = {plain.id}": {"TERMS_FIGURES", "ACT_LEGS"},
        f"UPDATE movement SET money = 'USD' WHERE id = {plain.id}": {"TERMS_FIGURES", "ACT_LEGS"},
    }
    for change, codes in cases.items():
        async with tampered(postgres_server, mall) as connection:
            assert (await connection.execute(text(change))).rowcount == 1, change
            found = {one.code for one in (await audit(connection)).findings}
        assert codes <= found, (change, found)
