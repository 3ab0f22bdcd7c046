"""Caps on exposure: who sets whose, that two persons ease one, and that they cascade."""

import pytest

from hub import postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import Forbidden, InvalidAmount, LimitExceeded, NotFound, SameApprover, UnknownCurrency
from hub.institutions import CapProposal
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub
from tests.hub.audited import tampered

CNY = 1_000_000


async def found(hub: Hub) -> None:
    """GROUP over BANK over DESK, whose points SHOP takes at 0.05 CNY."""
    for code, parent in (("GROUP", "HUB"), ("BANK", "GROUP"), ("DESK", "BANK"), ("SHOP", "HUB")):
        await hub.institution(code, parent=parent)
    await hub.currency("DP", "DESK")
    await hub.issue("DP", "DESK", "alice", "100000")


def asked(actor: int, of: str, amount: str | None, currency: str = "CNY") -> commands.SetDebitCap:
    return commands.SetDebitCap(actor=actor, institution=of, currency=currency, amount=amount)


def standing(hub: Hub, of: str) -> tuple[int | None, int | None]:
    """The cap in force, and the one proposed, in CNY."""
    configuration = hub.engine.configuration
    cap = configuration.caps[configuration.institution_codes[of], "CNY"]
    return (
        None if cap.amount is None else cap.amount // CNY,
        None if cap.proposal is None or cap.proposal.amount is None else cap.proposal.amount // CNY,
    )


def proposed(hub: Hub, of: str) -> CapProposal:
    configuration = hub.engine.configuration
    proposal = configuration.caps[configuration.institution_codes[of], "CNY"].proposal
    assert proposal is not None
    return proposal


async def spend(hub: Hub, key: str, amount: str) -> None:
    await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key=key,
            currency="DP",
            customer=Party("DESK", "alice"),
            merchant="SHOP",
            amount=amount,
            memo=None,
        )
    )


async def test_a_cap_is_tightened_at_once_and_eased_by_another_person(hub: Hub) -> None:
    await found(hub)
    await hub.do(asked(hub.admin, "BANK", "100"))
    assert standing(hub, "BANK") == (100, None)  # the first one tightens: there was none
    await hub.do(asked(hub.admin, "BANK", "300"))
    assert standing(hub, "BANK") == (100, 300)
    id = proposed(hub, "BANK").id
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveDebitCap(actor=hub.admin, id=id))
    mine, _ = await hub.key("HUB", Role.OPERATOR_ADMIN, person="root")  # the same person's other key
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveDebitCap(actor=mine, id=id))
    await hub.do(commands.ApproveDebitCap(actor=hub.second, id=id))
    assert standing(hub, "BANK") == (300, None)
    with pytest.raises(NotFound):
        await hub.do(commands.ApproveDebitCap(actor=hub.second, id=id))
    await hub.do(asked(hub.admin, "BANK", None))
    assert proposed(hub, "BANK").amount is None
    await hub.do(asked(hub.second, "BANK", "200"))  # tighter, and what was proposed is gone
    assert standing(hub, "BANK") == (200, None)
    await hub.do(asked(hub.second, "BANK", "250"))
    await hub.do(commands.RejectDebitCap(actor=hub.second, id=proposed(hub, "BANK").id, reason="too much"))
    assert standing(hub, "BANK") == (200, None)
    with pytest.raises(NotFound):
        await hub.do(commands.RejectDebitCap(actor=hub.second, id=None, reason="none"))
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_cap_is_not_eased_by_somebody_of_the_same_name(hub: Hub) -> None:
    await found(hub)
    await hub.do(asked(hub.admin, "DESK", "100"))
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="Root")
    await hub.do(asked(bank, "DESK", "300"))
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveDebitCap(actor=hub.admin, id=proposed(hub, "DESK").id))
    await hub.do(commands.ApproveDebitCap(actor=hub.second, id=proposed(hub, "DESK").id))
    assert standing(hub, "DESK") == (300, None)


async def test_each_level_sets_the_caps_of_those_below_it(hub: Hub) -> None:
    await found(hub)
    group, _ = await hub.key("GROUP", Role.INSTITUTION_ADMIN, person="gao")
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="bai")
    other, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="bo")
    trader, _ = await hub.key("BANK", Role.INSTITUTION_TRADER, person="tao")
    await hub.do(asked(bank, "DESK", "50"))
    await hub.do(asked(group, "BANK", "80"))
    for actor, of in ((bank, "BANK"), (bank, "GROUP"), (group, "GROUP"), (trader, "DESK"), (bank, "SHOP")):
        with pytest.raises(Forbidden):
            await hub.do(asked(actor, of, "1"))
    await hub.do(asked(bank, "DESK", "60"))
    with pytest.raises(Forbidden):
        await hub.do(commands.ApproveDebitCap(actor=trader, id=proposed(hub, "DESK").id))
    await hub.do(commands.ApproveDebitCap(actor=other, id=proposed(hub, "DESK").id))
    assert standing(hub, "DESK") == (60, None)
    await hub.do(asked(bank, "DESK", "70"))
    await hub.do(commands.ApproveDebitCap(actor=group, id=proposed(hub, "DESK").id))  # and any level further up
    assert standing(hub, "DESK") == (70, None)


async def test_a_cap_is_not_above_that_of_a_level_above_and_the_lowest_on_the_way_binds(hub: Hub) -> None:
    await found(hub)
    await hub.cap("GROUP", "10")
    with pytest.raises(LimitExceeded) as refused:
        await hub.do(asked(hub.admin, "DESK", "11"))  # not above a cap two levels up either
    assert refused.value.details == {"institution": "GROUP", "currency": "CNY", "cap": "10.00", "asked": "11.00"}
    await hub.cap("DESK", "6")
    await hub.do(asked(hub.admin, "DESK", "10"))
    await hub.cap("GROUP", "8")  # the level above may always tighten; what is below it stays, and binds no more
    with pytest.raises(LimitExceeded):
        await hub.do(commands.ApproveDebitCap(actor=hub.second, id=proposed(hub, "DESK").id))
    await spend(hub, "1", "100")  # 5.00
    with pytest.raises(LimitExceeded) as refused:
        await spend(hub, "2", "40")  # 7.00 above DESK's 6.00
    assert refused.value.details["institution"] == "DESK"
    await hub.cap("GROUP", "5.50")
    with pytest.raises(LimitExceeded) as refused:
        await spend(hub, "3", "15")  # 5.75 above GROUP's 5.50, below DESK's 6.00
    assert refused.value.details["institution"] == "GROUP"


@pytest.mark.parametrize(
    ("of", "amount", "currency", "refusal"),
    [
        ("NOBODY", "1", "CNY", NotFound),
        ("BANK", "-1", "CNY", InvalidAmount),
        ("BANK", "1.0000001", "CNY", InvalidAmount),
        ("BANK", "10000000000000", "CNY", InvalidAmount),
        ("BANK", "1", "DP", UnknownCurrency),
    ],
)
async def test_a_cap_is_an_amount_of_money(
    hub: Hub, of: str, amount: str, currency: str, refusal: type[Exception]
) -> None:
    await hub.institution("BANK")
    with pytest.raises(refusal):
        await hub.do(asked(hub.admin, of, amount, currency))


async def test_a_cap_that_was_eased_otherwise_is_found(hub: Hub, postgres_server: postgres.Server) -> None:
    await found(hub)
    await hub.cap("BANK", "100")
    await hub.cap("BANK", "300")
    last = "WHERE version = (SELECT max(version) FROM configuration_change WHERE noun = 'cap')"
    set_by = """regexp_replace(document, '"set_by":"[^"]*"', '"set_by":null')"""
    for statement in (
        f"UPDATE configuration_change SET credential_id = {hub.admin} {last}",
        f"UPDATE configuration_change SET document = replace(document, '300000000', '400000000') {last}",
        f"UPDATE configuration_change SET document = {set_by} {last}",
    ):
        async with tampered(postgres_server, hub) as connection:
            assert (await connection.exec_driver_sql(statement)).rowcount == 1
            assert {"CAP_CHANGE", "ENTRY_CONTENT"} <= {one.code for one in (await audit(connection)).findings}
