"""Months that are billed: what invoices come to, that nothing is billed twice, and credit notes."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hub import billing
from hub.access import Role
from hub.audit import audit
from hub.bills import Month, Totals, month_of
from hub.errors import (
    AlreadyReversed,
    Duplicate,
    ExceedsOriginal,
    Forbidden,
    InvalidAmount,
    InvalidInput,
    NotAccepted,
    NotFound,
    SameApprover,
)
from hub.ledger import commands
from hub.ledger.commands import MoneyText, Party
from hub.ledger.records import Billing, Invoice
from hub.metrics import Board
from hub.schedule import Schedule
from tests.conftest import Hub, Pass
from tests.hub.ledger.test_fees import check, positions

UTC = "UTC"


def asked(hub: Hub, institution: str, **changes: Any) -> commands.ProposeFeeSchedule:
    """500.00 a month, 0.02 a movement, 0.001 a point, and 6 % VAT on top."""
    usual = {
        "actor": hub.admin,
        "institution": institution,
        "membership": MoneyText("500", "CNY"),
        "per_movement": MoneyText("0.02", "CNY"),
        "per_point": MoneyText("0.001", "CNY"),
        "vat_percent": "6",
        "gross": False,
        "starts": None,
        "ends": None,
    }
    return commands.ProposeFeeSchedule(**{**usual, **changes})


async def charge(hub: Hub, institution: str, **changes: Any) -> Any:
    """A schedule that is proposed, accepted and approved."""
    proposed = await hub.do(asked(hub, institution, **changes))
    admin, _ = await hub.key(institution, Role.INSTITUTION_ADMIN, person=f"{institution}'s")
    await hub.do(commands.AcceptFeeSchedule(actor=admin, id=proposed.id))
    return await hub.do(commands.ApproveFeeSchedule(actor=hub.second, id=proposed.id))


async def found(hub: Hub) -> None:
    """BANK with BRANCH below it, and AIR; both are charged."""
    for code, parent in (("BANK", "HUB"), ("BRANCH", "BANK"), ("AIR", "HUB"), ("FREE", "HUB")):
        await hub.institution(code, parent=parent)
    await hub.currency("BP", "BANK", scale=1)
    await hub.currency("FP", "FREE")
    await charge(hub, "BANK")
    await charge(hub, "AIR", membership=MoneyText("106", "CNY"), per_movement=None, per_point=None, gross=True)


async def act(hub: Hub, number: int) -> None:
    """100.0 and 50.0 points are issued, 20.0 of them are given away at the branch, and what is free is free."""
    for key, reference, amount in (("a", "alice", "100"), ("b", "bob", "50")):
        await hub.do(
            commands.Issue(
                actor=hub.admin, key=f"{key}{number}", currency="BP", to=Party("BRANCH", reference), amount=amount,
                earned_at=None, expires_at=None, memo=None,
            )
        )  # fmt: skip
    await hub.do(
        commands.Transfer(
            actor=hub.admin, key=f"t{number}", currency="BP", source=Party("BRANCH", "alice"),
            target=Party("AIR", "al"), amount="20", memo=None,
        )
    )  # fmt: skip
    await hub.issue("FP", "FREE", "fay", "7")


async def now_month(hub: Hub) -> Month:
    async with hub.reading.open(hub.admin) as reader:
        return month_of(reader.at, UTC)


async def pass_to(hub: Hub, pass_: Pass, month: Month) -> None:
    """Have it be the eleventh of a month, whatever the day is on which the test runs."""
    async with hub.reading.open(hub.admin) as reader:
        pass_(month.starts(UTC) + timedelta(days=10) - reader.at)


async def invoices(hub: Hub) -> list[tuple[int, str, int, int, int]]:
    rows = await hub.sql("SELECT * FROM invoice ORDER BY number")
    codes = {one.id: one.code for one in hub.engine.configuration.institutions.values()}
    return [(row["number"], codes[row["institution_id"]], row["net"], row["vat"], row["gross"]) for row in rows]


async def test_a_month_is_billed_once_for_what_was_done_in_it(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    first = await now_month(hub)
    await act(hub, 0)  # in the month in which the prices are agreed, which begins without them
    month = first.next
    await pass_to(hub, pass_, month)
    await act(hub, 1)
    with pytest.raises(InvalidInput):
        await billing.bill(hub.reading, hub.engine, month, UTC)  # it is not over
    await pass_to(hub, pass_, month.next.next)
    made = await billing.bill(hub.reading, hub.engine, month, UTC)
    assert (made.period, made.starts) == (str(month), month.starts(UTC))
    # BANK with its branch: 500.00 + 3 × 0.02 + 170 points × 0.001 = 500.23; 6 % are 30.0138, half up 30.01
    # AIR: 106.00 with 6 % in it: 6.00
    due = [(1, "BANK", 500_230_000, 30_010_000, 530_240_000), (2, "AIR", 100_000_000, 6_000_000, 106_000_000)]
    assert await invoices(hub) == due
    lines = await hub.sql("SELECT l.* FROM invoice_line l JOIN invoice i ON i.id = l.invoice_id ORDER BY i.number, n")
    assert [(line["item"], line["currency"], line["quantity"], line["amount"]) for line in lines] == [
        ("MEMBERSHIP", None, 1, 500_000_000),
        ("MOVEMENTS", None, 3, 60_000),
        ("POINTS", "BP", 1_700, 170_000),
        ("MEMBERSHIP", None, 1, 106_000_000),
    ]
    assert await positions(hub) == {"BANK": -530_240_000, "AIR": -106_000_000, "HUB": 636_240_000}
    for again in (month, first):  # nor any before it
        with pytest.raises(Duplicate):
            await billing.bill(hub.reading, hub.engine, again, UTC)
    assert await invoices(hub) == due
    # the next is due by itself, and has nothing but the memberships
    schedule = Schedule(hub.addresses.server, hub.database, hub.engine, hub.reading, Board(1).rows[0], 0.1)
    await schedule._turn()
    assert (await hub.sql("SELECT max(period) AS last FROM billing"))[0]["last"] == str(month.next)
    assert await billing.bill_due(hub.reading, hub.engine, UTC) == []
    assert (await invoices(hub))[2:] == [
        (3, "BANK", 500_000_000, 30_000_000, 530_000_000),
        (4, "AIR", 100_000_000, 6_000_000, 106_000_000),
    ]
    await check(hub)
    # and settles like everything else
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=window))
    nets = await hub.sql("SELECT net FROM window_net ORDER BY net")
    assert [row["net"] for row in nets] == [-1_060_240_000, -212_000_000, 1_272_240_000]
    await check(hub)


async def test_processes_that_bill_at_once_and_after_one_was_cut_off_bill_once(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    month = (await now_month(hub)).next
    await pass_to(hub, pass_, month)
    await act(hub, 1)
    await pass_to(hub, pass_, month.next.next)
    others = [hub.beside() for _ in range(3)]
    cut = asyncio.create_task(billing.bill(others[0].reading, others[0].engine, month, UTC))
    for _ in range(5):
        await asyncio.sleep(0)
    cut.cancel()  # whatever it has done by now
    answers = await asyncio.gather(
        *(billing.bill(one.reading, one.engine, month, UTC) for one in others), return_exceptions=True
    )
    assert sum(isinstance(one, Billing) for one in answers) <= 1
    assert {type(one) for one in answers} <= {Billing, Duplicate}
    dues = await asyncio.gather(*(billing.bill_due(one.reading, one.engine, UTC) for one in others))
    assert sum(len(made) for made in dues) == 1  # the month after
    for one in others:
        await one.close()
    assert [row["period"] for row in await hub.sql("SELECT period FROM billing WHERE period = $1", str(month))] == [
        str(month)
    ]
    billed = [made for made in await invoices(hub) if made[0] <= 2]
    assert [made[1:] for made in billed] == [
        ("BANK", 500_230_000, 30_010_000, 530_240_000),
        ("AIR", 100_000_000, 6_000_000, 106_000_000),
    ]
    numbers = [made[0] for made in await invoices(hub)]
    assert numbers == list(range(1, len(numbers) + 1))
    await check(hub)


async def test_a_credit_note_gives_back_a_part_of_its_invoice_with_its_vat(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    month = (await now_month(hub)).next
    await pass_to(hub, pass_, month)
    await pass_to(hub, pass_, month.next.next)
    await billing.bill(hub.reading, hub.engine, month, UTC)
    [row] = await hub.sql("SELECT id FROM invoice WHERE number = 2")  # AIR's 106.00

    def credit(key: str, amount: str | None, **changes: Any) -> commands.CreditInvoice:
        usual = {"actor": hub.admin, "key": key, "invoice": row["id"], "amount": amount, "reason": "half a month"}
        return commands.CreditInvoice(**{**usual, **changes})

    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN, person="Wu")
    with pytest.raises(Forbidden):
        await hub.do(credit("no", "1", actor=air))
    note = await hub.do(credit("one", "53.01"))
    assert isinstance(note, Invoice)
    # 600 cents of VAT × 5,301 / 10,600 = 300.05.., down 3.00
    assert (note.number, note.of, note.totals) == (3, row["id"], Totals(50_010_000, 3_000_000, 53_010_000))
    assert note.reference == "CN-00000003"
    assert (await hub.try_(credit("one", "53.01"))).result == note  # replayed
    assert (await positions(hub))["AIR"] == -52_990_000
    for error, command in (
        (ExceedsOriginal, credit("two", "53.00")),
        (InvalidAmount, credit("three", "0.001")),
        (InvalidInput, credit("four", "1", reason=" ")),
        (NotFound, credit("five", "1", invoice=7)),
        (NotFound, credit("six", "1", invoice=note.id)),
    ):
        with pytest.raises(error):
            await hub.do(command)
    rest = await hub.do(credit("seven", None))
    assert rest.totals == Totals(49_990_000, 3_000_000, 52_990_000)
    assert "AIR" not in await positions(hub)
    with pytest.raises(AlreadyReversed):
        await hub.do(credit("eight", None))
    await check(hub)


async def test_prices_are_agreed_by_three_persons(hub: Hub) -> None:
    await hub.institution("BANK")
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="Li")
    await hub.institution("AIR")
    air, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN, person="Wu")
    with pytest.raises(Forbidden):
        await hub.do(asked(hub, "BANK", actor=bank))
    for error, wrong in (
        (InvalidInput, asked(hub, "HUB")),
        (InvalidInput, asked(hub, "BANK", membership=None, per_movement=None, per_point=None)),
        (InvalidInput, asked(hub, "BANK", membership=MoneyText("1", "HKD"))),
        (InvalidAmount, asked(hub, "BANK", vat_percent="100.1")),
        (InvalidAmount, asked(hub, "BANK", per_point=MoneyText("-0.001", "CNY"))),
        (NotFound, asked(hub, "NOBODY")),
    ):
        with pytest.raises(error):
            await hub.do(wrong)
    made = await hub.do(asked(hub, "BANK"))
    with pytest.raises(NotAccepted):
        await hub.do(commands.ApproveFeeSchedule(actor=hub.second, id=made.id))
    with pytest.raises(Forbidden):
        await hub.do(commands.AcceptFeeSchedule(actor=hub.admin, id=made.id))  # who charges does not accept
    clerk, _ = await hub.key("HUB", Role.INSTITUTION_ADMIN)
    with pytest.raises(Forbidden):
        await hub.do(commands.AcceptFeeSchedule(actor=clerk, id=made.id))
    with pytest.raises(NotFound):
        await hub.do(commands.AcceptFeeSchedule(actor=air, id=made.id))
    await hub.do(commands.AcceptFeeSchedule(actor=bank, id=made.id))
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveFeeSchedule(actor=hub.admin, id=made.id))
    approved = await hub.do(commands.ApproveFeeSchedule(actor=hub.second, id=made.id))
    assert (approved.accepted_by, approved.decided_by) == (("Li",), "second")
    with pytest.raises(Forbidden):
        await hub.do(commands.WithdrawFeeSchedule(actor=bank, id=made.id, reason="too dear"))
    await hub.do(commands.WithdrawFeeSchedule(actor=hub.admin, id=made.id, reason="over"))
    again = await hub.do(asked(hub, "BANK"))
    assert again.version == 2
    await hub.do(commands.RejectFeeSchedule(actor=bank, id=again.id, reason="too dear"))
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
