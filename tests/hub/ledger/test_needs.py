"""What a batch loads is what its commands touch, also when an earlier command of the batch makes something new."""

from typing import Any

from hub.currencies import ExpiryKind, RateConsent
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.waiting import Answer
from tests.conftest import Hub


def redeem(hub: Hub, key: str, merchant: str, amount: str) -> commands.Redeem:
    return commands.Redeem(
        actor=hub.admin,
        key=key,
        currency="BP",
        customer=Party("BANK", "alice"),
        merchant=merchant,
        amount=amount,
        memo=None,
    )


def make(hub: Hub, code: str, parent: str) -> commands.CreateInstitution:
    return commands.CreateInstitution(
        actor=hub.admin, code=code, name=code, kind=Kind.STORE, parent=parent, zones=(), auto_enroll=True
    )


def result(answer: Answer) -> Any:
    assert isinstance(answer, Outcome)
    assert answer.refusal is None, answer.refusal
    return answer.result


async def positions(hub: Hub) -> dict[str, tuple[int, int, int]]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql("SELECT institution_id, debits, credits, subtree FROM position")
    return {codes[row[0]]: (row[1], row[2], row[3]) for row in rows}


async def test_a_new_store_does_not_reset_the_positions_above_it(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.institution("MALL")
    await hub.institution("SHOP", parent="MALL")
    await hub.currency("BP", "BANK")  # 0.05 CNY
    await hub.issue("BP", "BANK", "alice", "1000")
    await hub.do(redeem(hub, "1", "SHOP", "100"))
    cny = 1_000_000
    assert (await positions(hub))["MALL"] == (0, 0, 5 * cny)  # 100 × 0.05
    made, redeemed = await hub.batch([make(hub, "KIOSK", "MALL"), redeem(hub, "2", "KIOSK", "20")])
    assert result(made).code == "KIOSK"
    assert result(redeemed).value == 1 * cny
    found = await positions(hub)
    assert found["MALL"] == (0, 0, 6 * cny)
    assert found["BANK"] == (6 * cny, 0, -6 * cny)
    assert found["HUB"] == (0, 0, 0)


async def test_a_cap_above_a_new_issuer_counts_what_was_owed_before(hub: Hub) -> None:
    await hub.institution("GROUP")
    await hub.institution("BANK", parent="GROUP")
    await hub.institution("SHOP")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "1000")
    await hub.cap("GROUP", "5.00")
    await hub.do(redeem(hub, "1", "SHOP", "100"))  # 5.00: the cap is used up
    answers = await hub.batch(
        [
            make(hub, "BANK2", "GROUP"),
            commands.RegisterPointCurrency(
                actor=hub.admin,
                code="B2",
                name="B2",
                issuer="BANK2",
                scale=0,
                unit_value=commands.MoneyText("0.05", "CNY"),
                expiry=ExpiryKind.NEVER,
                expiry_months=None,
                transferable=True,
                cashable=False,
                rate_consent=RateConsent.OPERATOR,
                adapter="hosted",
            ),
            commands.Issue(
                actor=hub.admin,
                key="3",
                currency="B2",
                to=Party("BANK2", "bob"),
                amount="10",
                earned_at=None,
                expires_at=None,
                memo=None,
            ),
            commands.Redeem(
                actor=hub.admin,
                key="4",
                currency="B2",
                customer=Party("BANK2", "bob"),
                merchant="SHOP",
                amount="10",
                memo=None,
            ),
        ]
    )
    for answer in answers[:3]:
        result(answer)
    last = answers[3]
    assert isinstance(last, Outcome)
    assert last.refusal is not None
    assert last.refusal.code == "LIMIT_EXCEEDED"
    assert last.refusal.details["exposure"] == "5.50"  # 5.00 and 10 × 0.05
    assert (await positions(hub))["GROUP"] == (0, 0, -5_000_000)


async def test_a_new_currency_of_an_issuer_with_positions_works_in_its_own_batch(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.institution("SHOP")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "1000")
    await hub.do(redeem(hub, "1", "SHOP", "100"))
    before = int((await hub.sql("SELECT batch FROM journal_head"))[0][0])
    answers = await hub.batch(
        [
            commands.RegisterPointCurrency(
                actor=hub.admin,
                code="GOLD",
                name="GOLD",
                issuer="BANK",
                scale=0,
                unit_value=commands.MoneyText("1", "CNY"),
                expiry=ExpiryKind.NEVER,
                expiry_months=None,
                transferable=True,
                cashable=False,
                rate_consent=RateConsent.OPERATOR,
                adapter="hosted",
            ),
            commands.Issue(
                actor=hub.admin,
                key="2",
                currency="GOLD",
                to=Party("BANK", "alice"),
                amount="10",
                earned_at=None,
                expires_at=None,
                memo=None,
            ),
            commands.Redeem(
                actor=hub.admin,
                key="3",
                currency="GOLD",
                customer=Party("BANK", "alice"),
                merchant="SHOP",
                amount="3",
                memo=None,
            ),
        ]
    )
    for answer in answers:
        result(answer)
    after = int((await hub.sql("SELECT batch FROM journal_head"))[0][0])
    assert after == before + 1  # one batch, none of it retried
    assert (await positions(hub))["BANK"] == (8_000_000, 0, -8_000_000)  # 5.00 and 3.00
