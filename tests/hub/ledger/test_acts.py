"""Issue, transfer, redeem and reverse: who may ask, and what is told to whom."""

from datetime import timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.clock import now
from hub.errors import (
    AlreadyReversed,
    Duplicate,
    ExceedsOriginal,
    Forbidden,
    InsufficientPoints,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from hub.ledger import commands, rows
from hub.ledger.commands import Party
from tests.conftest import Hub
from tests.properties import invariants

CNY = 1_000_000


async def found(hub: Hub) -> None:
    """BANK with a BRANCH below it, AIR beside; BP of BANK's; alice at BANK and bea at BRANCH with 1,000 each."""
    await hub.institution("BANK")
    await hub.institution("BRANCH", parent="BANK")
    await hub.institution("AIR")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "1000")
    await hub.issue("BP", "BRANCH", "bea", "1000")


def issue(actor: int, key: str, amount: str = "5", **more: Any) -> commands.Issue:
    nothing = {"earned_at": None, "expires_at": None, "memo": None}
    usual = {"currency": "BP", "to": Party("BANK", "x"), **nothing}
    return commands.Issue(**{"actor": actor, "key": key, "amount": amount, **usual, **more})


def transfer(actor: int, key: str, source: Party, target: Party, amount: str = "5") -> commands.Transfer:
    return commands.Transfer(
        actor=actor, key=key, currency="BP", source=source, target=target, amount=amount, memo=None
    )


def redeem(actor: int, key: str, customer: Party, merchant: str = "AIR", amount: str = "5") -> commands.Redeem:
    return commands.Redeem(
        actor=actor, key=key, currency="BP", customer=customer, merchant=merchant, amount=amount, memo=None
    )


def reverse(actor: int, key: str, id: int | None, amount: str | None = None) -> commands.Reverse:
    return commands.Reverse(actor=actor, key=key, id=id, amount=amount, reason="returned")


ALICE, BEA = Party("BANK", "alice"), Party("BRANCH", "bea")


async def test_traders_act_for_their_own_customers_and_those_below(hub: Hub) -> None:
    await found(hub)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    branch, _ = await hub.key("BRANCH", Role.INSTITUTION_TRADER)
    air, _ = await hub.key("AIR", Role.INSTITUTION_TRADER)
    for number, (actor, giver, passes) in enumerate(
        ((bank, ALICE, True), (bank, BEA, True), (branch, BEA, True), (branch, ALICE, False), (air, ALICE, False))
    ):
        commands_of_giver = (
            transfer(actor, f"t{number}", giver, Party("AIR", "al")),
            redeem(actor, f"r{number}", giver),
        )
        for command in commands_of_giver:
            if passes:
                await hub.do(command)
            else:
                with pytest.raises(Forbidden):
                    await hub.do(command)


@pytest.mark.parametrize("role", [Role.INSTITUTION_ADMIN, Role.INSTITUTION_AUDITOR, Role.OPERATOR_AUDITOR])
async def test_other_roles_move_nothing(hub: Hub, role: Role) -> None:
    await found(hub)
    clerk, _ = await hub.key("HUB" if role is Role.OPERATOR_AUDITOR else "BANK", role)
    done = await hub.do(redeem(hub.admin, "r", ALICE))
    for command in (issue(clerk, "1"), transfer(clerk, "2", ALICE, BEA), reverse(clerk, "3", done.id)):
        with pytest.raises(Forbidden):
            await hub.do(command)
    assert await hub.sql("SELECT 1 FROM outcome WHERE key IN ('1', '2', '3')") == []


async def test_only_a_currencys_issuer_issues(hub: Hub) -> None:
    await found(hub)
    await hub.currency("BRP", "BRANCH")
    bank, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    branch, _ = await hub.key("BRANCH", Role.INSTITUTION_TRADER)
    await hub.do(issue(bank, "1", to=Party("AIR", "al")))
    with pytest.raises(Forbidden):
        await hub.do(issue(branch, "2"))
    with pytest.raises(Forbidden):
        await hub.do(issue(bank, "3", currency="BRP"))  # not even for one below


async def test_the_operator_acts_on_behalf_and_on_record(hub: Hub) -> None:
    await found(hub)
    done = await hub.do(transfer(hub.admin, "t", BEA, ALICE))
    assert done.credential == hub.admin
    assert done.for_institution == hub.engine.configuration.institution_codes["BRANCH"]


async def test_a_key_that_is_unknown_or_over_is_no_key(hub: Hub) -> None:
    await found(hub)
    for actor in (0, 12345, -1):
        with pytest.raises(Unauthenticated):
            await hub.do(transfer(actor, "k", ALICE, BEA))


async def test_a_reversal_is_asked_by_who_acted_or_one_above(hub: Hub) -> None:
    await found(hub)
    bank, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    branch, _ = await hub.key("BRANCH", Role.INSTITUTION_TRADER)
    air, _ = await hub.key("AIR", Role.INSTITUTION_TRADER)
    by_branch = await hub.do(transfer(branch, "1", BEA, Party("AIR", "al"), "9"))
    by_bank = await hub.do(transfer(bank, "2", BEA, ALICE, "9"))
    with pytest.raises(Forbidden):
        await hub.do(reverse(branch, "3", by_bank.id, "1"))  # it sees the act of its customer, and it is not its own
    with pytest.raises(Forbidden):
        await hub.do(reverse(air, "4", by_branch.id, "1"))
    with pytest.raises(NotFound):
        await hub.do(reverse(air, "5", by_bank.id, "1"))  # for it there is none
    for number, actor in enumerate((branch, bank, hub.admin)):
        await hub.do(reverse(actor, f"6{number}", by_branch.id, "3"))


async def test_example_10_reversals_in_total_never_exceed_the_original(hub: Hub) -> None:
    await found(hub)
    await hub.issue("BP", "BANK", "carl", "2000")
    done = await hub.do(redeem(hub.admin, "r", Party("BANK", "carl"), amount="2000"))
    await hub.do(reverse(hub.admin, "1", done.id, "1500"))
    with pytest.raises(ExceedsOriginal) as refused:
        await hub.do(reverse(hub.admin, "2", done.id, "600"))
    assert refused.value.details == {"left": "500", "requested": "600"}
    assert (await hub.do(reverse(hub.admin, "3", done.id))).amount == 500
    with pytest.raises(AlreadyReversed):
        await hub.do(reverse(hub.admin, "4", done.id))
    with pytest.raises(AlreadyReversed):
        await hub.do(reverse(hub.admin, "5", done.id, "1"))
    assert await hub.balance("BP", "BANK", "carl") == 2000
    await invariants.check(hub)


async def test_points_that_are_spent_cannot_be_taken_back(hub: Hub) -> None:
    await found(hub)
    given = await hub.do(issue(hub.admin, "1", "100"))
    await hub.do(transfer(hub.admin, "2", Party("BANK", "x"), ALICE, "70"))
    with pytest.raises(InsufficientPoints) as refused:
        await hub.do(reverse(hub.admin, "3", given.id))
    assert refused.value.details == {"available": "30", "requested": "100"}
    await hub.do(reverse(hub.admin, "4", given.id, "30"))
    assert await hub.balance("BP", "BANK", "x") == 0


async def test_a_reversal_is_final_and_so_is_a_closing(hub: Hub) -> None:
    await found(hub)
    done = await hub.do(redeem(hub.admin, "r", ALICE, amount="101"))
    back = await hub.do(reverse(hub.admin, "1", done.id, "50"))
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="c", window=window))
    closings = await hub.sql("SELECT id FROM movement WHERE kind > 5")
    assert closings
    before = await hub.sql("SELECT count(*) FROM leg")
    for number, id in enumerate([back.id, window, *(row[0] for row in closings), hub.admin, None, 2**62]):
        with pytest.raises(NotFound):
            await hub.do(reverse(hub.admin, f"x{number}", id))
    assert await hub.sql("SELECT count(*) FROM leg") == before


async def test_a_conversion_is_reversed_by_its_own_name_only(hub: Hub) -> None:
    await found(hub)
    await hub.currency("MILE", "AIR")
    await hub.rate("BP", "MILE", "1:1")
    done = await hub.do(
        commands.Convert(
            actor=hub.admin,
            key="c",
            source=ALICE,
            target=Party("AIR", "al"),
            source_currency="BP",
            target_currency="MILE",
            amount="10",
            minimum_target=None,
        )
    )
    [row] = await hub.sql("SELECT id FROM movement WHERE subject_id = $1", done.id)
    with pytest.raises(NotFound):
        await hub.do(reverse(hub.admin, "1", row[0]))
    answers: list[Any] = await hub.batch([reverse(hub.admin, "2", done.id, "4"), reverse(hub.admin, "3", row[0], "4")])
    assert [getattr(one.refusal, "code", None) for one in answers] == [None, "NOT_FOUND"]
    assert await hub.balance("BP", "BANK", "alice") == 994


async def test_times_of_earning_and_expiry_are_sensible(hub: Hub) -> None:
    await found(hub)
    moment = now()
    await hub.do(issue(hub.admin, "1", earned_at=moment - timedelta(days=400), expires_at=moment + timedelta(days=1)))
    for number, (field, wrong) in enumerate(
        (
            ("earned_at", moment + timedelta(minutes=5)),
            ("earned_at", moment - timedelta(days=40_000)),
            ("expires_at", moment - timedelta(seconds=1)),
        )
    ):
        times: dict[str, Any] = {field: wrong}
        with pytest.raises(InvalidInput):
            await hub.do(issue(hub.admin, f"x{number}", **times))


async def test_customers_enroll_by_themselves_where_their_institution_has_it_so(hub: Hub) -> None:
    await found(hub)
    await hub.institution("STRICT", auto_enroll=False)
    stranger = Party("STRICT", "s")
    with pytest.raises(NotFound):
        await hub.do(transfer(hub.admin, "1", ALICE, stranger))
    await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=stranger))
    await hub.do(transfer(hub.admin, "2", ALICE, stranger))
    with pytest.raises(Duplicate):
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=stranger))
    for empty in ("", "  "):
        with pytest.raises(InvalidInput):
            await hub.do(transfer(hub.admin, f"e{empty}", ALICE, Party("BANK", empty)))
    # A refused act enrolls nobody.
    with pytest.raises(InsufficientPoints):
        await hub.do(transfer(hub.admin, "3", ALICE, Party("AIR", "newcomer"), "100000"))
    assert await hub.sql("SELECT 1 FROM customer_reference WHERE reference = 'newcomer'") == []


async def test_two_of_one_batch_who_credit_a_newcomer_enroll_one(hub: Hub) -> None:
    await found(hub)
    new = Party("AIR", "new")
    answers: list[Any] = await hub.batch(
        [
            transfer(hub.admin, "1", ALICE, new, "5"),
            transfer(hub.admin, "2", BEA, new, "6"),
            transfer(hub.admin, "3", new, ALICE, "11"),
            commands.EnrollCustomer(actor=hub.admin, customer=new),
        ]
    )
    assert [getattr(one.refusal, "code", None) for one in answers] == [None, None, None, "DUPLICATE"]
    assert len({answers[0].result.target.id, answers[1].result.target.id, answers[2].result.source.id}) == 1


async def test_references_are_what_they_are(hub: Hub) -> None:
    """No folding, no trimming, no patterns: each text is a customer of its own."""
    await found(hub)
    names = ["Bob", "bob", "bob ", "b%b", "b_b", "Bob\u0301", "'; DROP TABLE leg; --", "鲍勃", "🎉"]
    for place, name in enumerate(names):
        await hub.issue("BP", "BANK", name, str(place + 1))
    for place, name in enumerate(names):
        assert await hub.balance("BP", "BANK", name) == place + 1


async def test_what_a_replay_answers_is_the_record_that_was_answered_first(hub: Hub) -> None:
    await found(hub)
    moment = now() + timedelta(days=3)
    asked: list[commands.Command] = [
        issue(hub.admin, "1", memo="m", expires_at=moment),
        transfer(hub.admin, "2", ALICE, BEA),
        redeem(hub.admin, "3", ALICE),
        transfer(hub.admin, "4", ALICE, BEA, "100000"),
        transfer(hub.admin, "5", ALICE, Party("NONE", "x")),
    ]
    first: list[Any] = await hub.batch(asked)
    other = hub.beside()
    again: list[Any] = await other.batch(asked)
    await other.close()
    for one, two in zip(first, again, strict=True):
        assert (one.replayed, two.replayed) == (False, True)
        assert one.result == two.result
        if one.refusal is not None:
            assert list(one.refusal.details.items()) == list(two.refusal.details.items())
            assert type(one.refusal) is type(two.refusal)
    async with hub.database.snapshot() as connection:
        assert await rows.customers(connection, []) == {}
