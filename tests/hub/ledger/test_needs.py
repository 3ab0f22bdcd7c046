"""What a batch loads is what its commands touch, also when an earlier command of the batch makes something new."""

from typing import Any

import msgspec

from hub.currencies import ExpiryKind, RateConsent
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.waiting import Answer
from hub.models import ModelKind
from tests.conftest import Hub
from tests.hub import test_gross as gross
from tests.hub.ledger import test_cover as covering
from tests.hub.putting_up import put_up
from tests.hub.test_obligations import owing


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


def closing(hub: Hub, window: int) -> commands.CloseWindow:
    return commands.CloseWindow(actor=hub.admin, key="close", window=window)


async def test_who_pays_at_once_is_known_in_the_batch_that_closes_a_window(hub: Hub) -> None:
    await gross.found(hub, "A", "B", parents={"DESK": "A", "SHOP": "B"}, value="0.01")
    await put_up(hub, "A", "5.00")
    closed, first = await hub.batch([closing(hub, await hub.window("PAIRS")), owing(hub, "DESK", "SHOP", 20)])
    result(closed)
    result(first)
    closed, second = await hub.batch(
        [msgspec.structs.replace(closing(hub, await hub.window("PAIRS")), key="2"), owing(hub, "DESK", "SHOP", 30)]
    )
    result(closed)
    result(second)
    assert await gross.holds(hub) == {"A": 4_500_000, "B": 500_000}
    await gross.clean(hub)


async def test_who_pays_at_once_is_known_in_the_batch_that_approves_the_model(hub: Hub) -> None:
    for code, parent in (("A", "HUB"), ("B", "HUB"), ("DESK", "A"), ("SHOP", "B")):
        await hub.institution(code, parent=parent)
    await hub.currency("DESK-P", "DESK")  # 0.05 CNY
    await hub.issue("DESK-P", "DESK", "alice", "1000")
    await put_up(hub, "A", "5.00")
    made = await hub.do(hub.model_proposal("GROSS", ["A", "B"], kind=ModelKind.IMMEDIATE_GROSS))
    answers = await hub.batch([commands.ApproveModel(actor=hub.second, id=made.id), owing(hub, "DESK", "SHOP", 20)])
    for answer in answers:
        result(answer)
    assert await gross.holds(hub) == {"A": 4_000_000, "B": 1_000_000}
    await gross.clean(hub)


async def test_who_pays_at_once_is_known_in_the_batch_that_moves_its_branch_and_closes_a_window(hub: Hub) -> None:
    await gross.found(hub, "A", "B", "C", parents={"DESK": "A", "TILL": "DESK", "SHOP": "B"}, value="0.01")
    await put_up(hub, "C", "5.00")
    move = commands.MoveInstitution(actor=hub.admin, code="DESK", parent="C")
    answers = await hub.batch([move, closing(hub, await hub.window("PAIRS")), owing(hub, "TILL", "SHOP", 20)])
    for answer in answers:
        result(answer)
    assert await gross.holds(hub) == {"B": 200_000, "C": 4_800_000}
    await gross.clean(hub)


async def test_what_covers_somebody_is_known_in_the_batch_that_closes_a_window(hub: Hub) -> None:
    await covering.found(hub)
    await covering.put(hub, "500", "in 1")
    await hub.do(covering.terms(hub))
    closed, covered = await hub.batch([closing(hub, await hub.window()), covering.owing(hub, "a", 400)])
    result(closed)
    result(covered)


async def test_a_cap_above_a_moved_branch_counts_what_was_owed_before_in_the_batch_that_opens_a_window(
    hub: Hub,
) -> None:
    for code, parent in (("BANK", "HUB"), ("DESK", "BANK"), ("AIR", "HUB"), ("SHOP", "HUB")):
        await hub.institution(code, parent=parent)
    for code, issuer in (("DP", "DESK"), ("AP", "AIR")):
        await hub.currency(code, issuer, unit_value="0.05")
        await hub.issue(code, issuer, "alice", "1000")
    await hub.cap("AIR", "5.00")
    await hub.do(msgspec.structs.replace(owing(hub, "AIR", "SHOP", 100), currency="AP"))  # 5.00: the cap is used up
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="DESK", parent="AIR"))
    made = await hub.do(hub.model_proposal("NEW", ["AIR", "SHOP"]))
    act = msgspec.structs.replace(owing(hub, "DESK", "SHOP", 10), currency="DP")
    approved, last = await hub.batch([commands.ApproveModel(actor=hub.second, id=made.id), act])
    result(approved)
    assert isinstance(last, Outcome)
    assert last.refusal is not None
    assert last.refusal.code == "LIMIT_EXCEEDED"
    assert last.refusal.details["exposure"] == "5.50"  # 5.00 and 10 × 0.05
