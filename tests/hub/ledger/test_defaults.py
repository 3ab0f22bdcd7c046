"""Nets that are not paid: declared by two persons, borne by the waterfall, repaid, and audited all the way."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import lookups, postgres
from hub.access import Role
from hub.audit import audit
from hub.cover import Pot
from hub.defaults import Borne, Default, DefaultStatus
from hub.errors import (
    Duplicate,
    Forbidden,
    InsufficientLiquidity,
    InvalidAmount,
    InvalidInput,
    NotFound,
    PayOutWaits,
    SameApprover,
    WindowOrder,
)
from hub.ledger import commands, default_rows
from hub.ledger.commands import Party
from hub.ledger.records import AccountKind
from hub.tables import settlement_default
from hub.waterfall import Source
from tests.conftest import Hub, NewHub, Pass
from tests.hub.audited import tampered
from tests.hub.ledger.test_cover import entry, put, standing, terms
from tests.properties import invariants

CNY = 1_000_000


async def found(hub: Hub) -> None:
    """DEBTOR over DESK, LATE, ONE and TWO; whoever redeems the points of the first two is owed by these."""
    for code, parent in (("DEBTOR", "HUB"), ("DESK", "DEBTOR"), ("LATE", "HUB"), ("ONE", "HUB"), ("TWO", "HUB")):
        await hub.institution(code, parent=parent)
    for code, issuer in (("DP", "DESK"), ("LP", "LATE"), ("OP", "ONE")):
        await hub.currency(code, issuer, unit_value="1")
        await hub.issue(code, issuer, "alice", "100000")
    for code in ("DEBTOR", "LATE"):
        await hub.do(terms(hub, of=code, needed=False, due_days=0))


_keys = iter(range(10**6))


async def euros(hub: Hub) -> None:
    """DESK has points that are worth EUR."""
    await hub.currency("DE", "DESK", unit_value="1", money="EUR")
    await hub.issue("DE", "DESK", "alice", "100")


async def owe(hub: Hub, payer: str, payee: str, amount: int, currency: str | None = None) -> None:
    """``payer`` comes to owe ``payee`` so many CNY, or what others of its points are worth."""
    await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key=f"owe-{next(_keys)}",
            currency=currency or f"{payer[0]}P",
            customer=Party(payer, "alice"),
            merchant=payee,
            amount=str(amount),
            memo=None,
        )
    )


async def close(hub: Hub, model: str = "default") -> int:
    window = await hub.window(model)
    await hub.do(commands.CloseWindow(actor=hub.admin, key=f"close-{next(_keys)}", window=window))
    return window


async def confirm(hub: Hub, window: int, of: str, amount: str, currency: str = "CNY") -> None:
    await hub.do(
        commands.ConfirmSettlement(
            actor=hub.admin,
            key=f"confirm-{next(_keys)}",
            window=window,
            institution=of,
            currency=currency,
            amount=amount,
            value_date=None,
            reference="bank",
        )
    )


def proposal(hub: Hub, window: int, of: str = "DEBTOR", **more: Any) -> commands.ProposeDefault:
    usual = {"currency": "CNY", "reason": "nothing came"}
    return commands.ProposeDefault(**{"actor": hub.admin, "window": window, "institution": of, **usual, **more})


async def declare(hub: Hub, window: int, of: str = "DEBTOR") -> int:
    made: Default = await hub.do(proposal(hub, window, of))
    await hub.do(commands.ApproveDefault(actor=hub.second, id=made.id))
    return made.id


async def bear(hub: Hub, window: int) -> None:
    await hub.do(commands.CoverDefaults(actor=hub.admin, window=window, currency="CNY"))


async def repay(hub: Hub, default: int, amount: str, reference: str) -> Default:
    asked = commands.RepayDefault(
        actor=hub.admin, id=default, amount=amount, value_date="2026-02-01", reference=reference
    )
    done: Default = await hub.do(asked)
    return done


async def read(hub: Hub, id: int) -> Default:
    async with hub.reading.open(hub.admin) as reader:
        where = settlement_default.c.id == id
        return (await default_rows.defaults(reader.connection, reader.configuration, where))[id]


def who(hub: Hub, default: Default) -> list[tuple[str, str, int, int]]:
    """Source, institution, what it bears and what it has got back in CNY; with a star in place of others."""
    nodes = hub.engine.configuration.institutions
    return [
        (one.source.value, nodes[one.institution].code + "*" * one.advanced, one.amount // CNY, one.repaid // CNY)
        for one in default.borne
    ]


async def holds(hub: Hub, *kinds: AccountKind) -> dict[str, int]:
    """What accounts of some kinds hold in CNY, where it is not nothing."""
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql(
        "SELECT owner_id, kind, credits_posted - debits_posted AS held FROM account"
        " WHERE kind = ANY($1::int[]) AND currency = 'CNY'",
        [int(kind) for kind in kinds],
    )
    return {f"{codes[row['owner_id']]} {row['kind']}": row["held"] // CNY for row in rows if row["held"]}


MONEY = tuple(kind for kind in AccountKind if kind in (5, 6) or kind >= 20)
SETTLEMENT, BANK, COLLATERAL, FUND, RECOVERED, RECEIVABLE, CLAIM = 5, 6, 20, 21, 22, 23, 24


async def exposures(hub: Hub, of: str) -> dict[str, int]:
    """What an institution's subtree owes, by currency, in whole units."""
    async with hub.reading.open(hub.admin) as reader:
        node = reader.configuration.institution_codes[of]
        return {one.currency: one.exposure // CNY for one in (await lookups.positions(reader, {node}))[node]}


async def nets(hub: Hub, window: int) -> dict[tuple[str, str], tuple[bool, bool, int]]:
    """Of a window's nets, whether they are confirmed and paid, and what is due in whole units."""
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institutions
        return {
            (codes[one.net.institution].code, one.net.currency): (one.confirmed, one.paid, one.due // CNY)
            for one in (await lookups.nets(reader, {window}))[window]
        }


async def status(hub: Hub, window: int) -> str:
    return str((await hub.sql("SELECT status FROM settlement_window WHERE id = $1", window))[0][0])


async def clean(hub: Hub) -> None:
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    await invariants.check(hub)


async def tell(hub: Hub) -> None:
    """DEBTOR owes 100 of which ONE is to get 60 and TWO 40, and pays 55 of it in the end."""
    await found(hub)
    await put(hub, "20", "col", of="DEBTOR")
    await put(hub, "10", "own", of="DEBTOR", pot=Pot.FUND)
    await put(hub, "30", "one", of="ONE", pot=Pot.FUND)
    await put(hub, "10", "two", of="TWO", pot=Pot.FUND)
    await owe(hub, "DESK", "ONE", 60)
    await owe(hub, "DESK", "TWO", 40)
    window = await close(hub)
    dropped = await hub.do(proposal(hub, window))
    await hub.do(commands.RejectDefault(actor=hub.admin, id=dropped.id, reason="too early"))
    default = await declare(hub, window)
    await bear(hub, window)
    await repay(hub, default, "35", "r1")
    await repay(hub, default, "20", "r2")


@pytest.fixture(scope="module")
async def story(hubs: NewHub) -> AsyncIterator[Hub]:
    async with hubs() as hub:
        await tell(hub)
        yield hub


@pytest.fixture
async def connection(story: Hub, postgres_server: postgres.Server) -> AsyncIterator[AsyncConnection]:
    async with tampered(postgres_server, story) as connection:
        yield connection


async def test_a_loss_goes_down_the_waterfall_and_what_is_paid_later_up_again(hub: Hub) -> None:
    await found(hub)
    await put(hub, "20", "col", of="DEBTOR")
    await put(hub, "10", "own", of="DEBTOR", pot=Pot.FUND)
    await put(hub, "30", "one", of="ONE", pot=Pot.FUND)
    await put(hub, "10", "two", of="TWO", pot=Pot.FUND)
    await owe(hub, "DESK", "ONE", 60)
    await owe(hub, "DESK", "TWO", 40)
    await hub.do(terms(hub, of="DEBTOR", line="101", due_days=0))  # 100 of 121 are covered
    window = await close(hub)
    default = await declare(hub, window)
    assert await holds(hub, *MONEY) == {
        f"DEBTOR {COLLATERAL}": 20,
        f"DEBTOR {FUND}": 10,
        f"ONE {FUND}": 30,
        f"TWO {FUND}": 10,
        f"HUB {BANK}": -70,
        f"DEBTOR {RECEIVABLE}": -100,
        f"ONE {SETTLEMENT}": 60,
        f"TWO {SETTLEMENT}": 40,
    }
    assert (await standing(hub, "DEBTOR")).exposure == 100 * CNY  # as before
    for of, amount in (("ONE", "60"), ("TWO", "40")):
        with pytest.raises(PayOutWaits):
            await confirm(hub, window, of, amount)
    for taking in (entry(hub, "-10", "x", of="TWO", pot=Pot.FUND), entry(hub, "-1", "x", of="ONE")):
        with pytest.raises(PayOutWaits):  # what may be drawn on stays
            await hub.do(taking)
    await clean(hub)

    await bear(hub, window)
    # 20 collateral, 10 own contribution, 40 of the others', 30 cut: 60 and 40 of a hundred
    assert who(hub, await read(hub, default)) == [
        ("COLLATERAL", "DEBTOR", 20, 0),
        ("OWN_FUND", "DEBTOR", 10, 0),
        ("FUND", "ONE", 30, 0),
        ("FUND", "TWO", 10, 0),
        ("CUT", "ONE", 18, 0),
        ("CUT", "TWO", 12, 0),
    ]
    assert await status(hub, window) == "SETTLING"
    with pytest.raises(InvalidAmount) as refused:
        await confirm(hub, window, "ONE", "60")
    assert refused.value.details["expected"] == "42.00"
    await confirm(hub, window, "ONE", "42")
    await confirm(hub, window, "TWO", "28")
    assert await status(hub, window) == "SETTLED"
    assert await holds(hub, *MONEY) == {
        f"DEBTOR {RECEIVABLE}": -100,
        f"DEBTOR {CLAIM}": 30,
        f"ONE {CLAIM}": 48,
        f"TWO {CLAIM}": 22,
    }
    debtor = await standing(hub, "DEBTOR")
    assert (debtor.exposure, debtor.available) == (100 * CNY, CNY)  # settled, and owed all the same: 101 + 0 - 100
    with pytest.raises(InsufficientLiquidity):
        await owe(hub, "DESK", "TWO", 2)
    await clean(hub)

    # 35: 30 to who was cut, 5 to the others' contributions, 30 and 10 of forty
    paid = await repay(hub, default, "35", "r1")
    assert who(hub, paid)[2:] == [
        ("FUND", "ONE", 30, 3),
        ("FUND", "TWO", 10, 1),
        ("CUT", "ONE", 18, 18),
        ("CUT", "TWO", 12, 12),
    ]
    assert paid.borne == (await read(hub, default)).borne
    assert await holds(hub, AccountKind.RECOVERED, AccountKind.FUND) == {
        f"ONE {RECOVERED}": 18,
        f"TWO {RECOVERED}": 12,
        f"ONE {FUND}": 3,  # 3.75
        f"TWO {FUND}": 1,  # 1.25
    }
    with pytest.raises(InvalidAmount):
        await repay(hub, default, "65.01", "r2")
    with pytest.raises(Duplicate):
        await repay(hub, default, "1", "r1")
    done = await repay(hub, default, "65", "r2")
    assert (done.status, done.outstanding) == (DefaultStatus.REPAID, 0)
    assert all(one.left == 0 for one in (await read(hub, default)).borne)
    await put(hub, "-18", "to one", of="ONE", pot=Pot.RECOVERED)
    await put(hub, "-12", "to two", of="TWO", pot=Pot.RECOVERED)
    assert await holds(hub, *MONEY) == {
        f"DEBTOR {COLLATERAL}": 20,
        f"DEBTOR {FUND}": 10,
        f"ONE {FUND}": 30,
        f"TWO {FUND}": 10,
        f"HUB {BANK}": -70,
    }
    assert (await standing(hub, "DEBTOR")).exposure == 0
    await put(hub, "-20", "back", of="DEBTOR")
    await clean(hub)


async def test_pay_outs_wait_for_every_pay_in_and_what_was_paid_before_is_the_operators(hub: Hub) -> None:
    await found(hub)
    await owe(hub, "DESK", "ONE", 60)
    await owe(hub, "LATE", "TWO", 40)
    await put(hub, "7", "fund", of="LATE", pot=Pot.FUND)
    window = await close(hub)
    await confirm(hub, window, "ONE", "60")  # the bank was quick
    first = await declare(hub, window)
    with pytest.raises(PayOutWaits) as refused:
        await bear(hub, window)
    assert refused.value.details == {"institution": "LATE", "currency": "CNY"}
    second = await declare(hub, window, "LATE")
    await repay(hub, first, "10", "r1")  # before anybody bears it
    await bear(hub, window)
    # DEBTOR's 50 over 60 and 40: 30 of ONE's, which is paid, and 20 of TWO's. Then LATE's own 7, and its 33 over what
    # is left, 30 and 20: 19.80 and 13.20. What LATE has in the fund was not DEBTOR's to take.
    assert who(hub, await read(hub, first)) == [("CUT", "TWO", 20, 0), ("CUT", "HUB*", 30, 0)]
    assert (await read(hub, second)).borne == (
        Borne(Source.OWN_FUND, hub.engine.configuration.institution_codes["LATE"], 7 * CNY),
        Borne(Source.CUT, hub.engine.configuration.institution_codes["TWO"], 13_200_000),
        Borne(Source.CUT, hub.engine.configuration.operator.id, 19_800_000, advanced=True),
    )
    await confirm(hub, window, "TWO", "6.80")
    assert await status(hub, window) == "SETTLED"
    # the bank gave 66.80 and got 10, and 7 of the fund: the operator's own money is the 49.80 that it stands in for
    rows = await hub.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 6")
    assert rows[0][0] == 49_800_000
    await clean(hub)
    paid = await repay(hub, first, "25", "r2")  # 10 to TWO, and 15 stay at the bank
    assert who(hub, paid) == [("CUT", "TWO", 20, 10), ("CUT", "HUB*", 30, 15)]
    assert who(hub, await read(hub, first)) == who(hub, paid)
    await repay(hub, first, "25", "r3")
    await repay(hub, second, "40", "r4")
    assert await holds(hub, *MONEY) == {f"TWO {RECOVERED}": 33, f"HUB {BANK}": -41, f"LATE {FUND}": 7}  # 33.20, -40.20
    await clean(hub)


async def test_a_pay_out_that_is_cut_to_nothing_needs_none_and_others_currencies_go_on(hub: Hub) -> None:
    await found(hub)
    await euros(hub)
    await owe(hub, "DESK", "ONE", 60)
    await owe(hub, "DESK", "ONE", 5, "DE")
    window = await close(hub)
    await declare(hub, window)
    assert await exposures(hub, "DESK") == {"CNY": 60, "EUR": 5}  # who settles for it has yet to pay EUR
    await confirm(hub, window, "DEBTOR", "-5", "EUR")
    assert await exposures(hub, "DESK") == {"CNY": 0, "EUR": 0}
    assert await exposures(hub, "DEBTOR") == {"CNY": 60, "EUR": 0}
    await confirm(hub, window, "ONE", "5", "EUR")
    later = await close(hub)
    assert (await status(hub, window), await status(hub, later)) == ("SETTLING", "CLOSED")
    await bear(hub, window)
    assert (await status(hub, window), await status(hub, later)) == ("SETTLED", "SETTLED")
    await clean(hub)


async def test_what_was_paid_takes_effect_when_the_rest_is_declared_unpaid_and_no_other_model_waits(hub: Hub) -> None:
    await found(hub)
    await euros(hub)
    await hub.model("CARD", ["LATE", "ONE"])
    await close(hub)  # so CARD's first window is before the default's second
    await owe(hub, "LATE", "ONE", 3)
    card = await close(hub, "CARD")
    await owe(hub, "DESK", "TWO", 60)
    await owe(hub, "DESK", "TWO", 5, "DE")
    window = await close(hub)
    await confirm(hub, window, "DEBTOR", "-5", "EUR")
    for of in ("DEBTOR", "DESK"):
        assert await exposures(hub, of) == {"CNY": 60, "EUR": 5}  # nothing is freed as long as CNY is due
    seen = await nets(hub, window)
    assert seen["DEBTOR", "EUR"] == seen["DESK", "EUR"] == (False, True, 0)
    assert seen["DEBTOR", "CNY"] == (False, False, -60)
    await clean(hub)

    await declare(hub, window)
    assert await exposures(hub, "DEBTOR") == {"CNY": 60, "EUR": 0}  # it owes CNY on, outside of the window
    assert await exposures(hub, "DESK") == {"CNY": 0, "EUR": 0}
    await confirm(hub, window, "TWO", "5", "EUR")
    seen = await nets(hub, window)
    assert seen["DEBTOR", "EUR"] == seen["DESK", "EUR"] == (True, True, 0)
    assert seen["DEBTOR", "CNY"] == (False, False, 0)
    assert (seen["TWO", "EUR"], seen["TWO", "CNY"]) == ((False, True, 0), (False, False, 60))
    await clean(hub)

    await bear(hub, window)  # nobody has put up anything: TWO is cut to nothing in CNY, and has all its EUR
    assert (await nets(hub, window))["TWO", "EUR"] == (True, True, 0)
    assert (await status(hub, window), await status(hub, card)) == ("SETTLED", "CLOSED")
    assert await hub.sql("SELECT 1 FROM position WHERE window_id = $1 AND (subtree, apart) <> (0, 0)", window) == []
    await confirm(hub, card, "ONE", "3")
    await declare(hub, card, "LATE")
    await close(hub)  # which settles what is paid of all models
    assert await status(hub, card) == "SETTLING"  # nothing is due, and nobody has borne it
    await clean(hub)
    await bear(hub, card)
    assert await status(hub, card) == "SETTLED"
    await clean(hub)


async def test_a_net_is_declared_unpaid_when_it_is_due_in_order_and_by_two_persons(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    await owe(hub, "DESK", "ONE", 60)
    early = await hub.window()
    await owe(hub, "LATE", "DESK", 60)  # DEBTOR's subtree comes to nothing
    window = await close(hub)
    await owe(hub, "DESK", "TWO", 5)
    later = await close(hub)
    for command, refusal in (
        (proposal(hub, await hub.window()), WindowOrder),
        (proposal(hub, later), WindowOrder),
        (proposal(hub, window, "ONE"), InvalidInput),  # it is paid
        (proposal(hub, window), InvalidInput),  # its net is nothing
        (proposal(hub, window, "DESK"), InvalidInput),  # it goes to DEBTOR
        (proposal(hub, window, "TWO"), NotFound),
        (proposal(hub, window, "LATE", currency="EUR"), NotFound),
        (proposal(hub, 7), NotFound),
        (proposal(hub, window, "LATE", reason=" "), InvalidInput),
    ):
        with pytest.raises(refusal):
            await hub.do(command)
    assert early == window
    await hub.do(terms(hub, of="LATE", needed=False, due_days=2))
    [cover] = [one for one in hub.engine.configuration.covers.values() if one.proposal is not None]
    assert cover.proposal is not None
    await hub.do(commands.ApproveCover(actor=hub.second, id=cover.proposal.id))
    with pytest.raises(InvalidInput) as refused:
        await hub.do(proposal(hub, window, "LATE"))
    [closed] = await hub.sql(f"SELECT closed_at FROM settlement_window WHERE id = {window}")
    assert refused.value.details == {
        "dueDays": "2", "dueAt": (closed["closed_at"] + timedelta(days=2)).isoformat(),
    }  # fmt: skip
    pass_(timedelta(days=2))
    made = await hub.do(proposal(hub, window, "LATE"))
    with pytest.raises(Duplicate):
        await hub.do(proposal(hub, window, "LATE"))
    bank, _ = await hub.key("LATE", Role.INSTITUTION_ADMIN, person="lai")
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveDefault(actor=hub.admin, id=made.id))
    with pytest.raises(Forbidden):
        await hub.do(commands.ApproveDefault(actor=bank, id=made.id))
    with pytest.raises(NotFound):
        await bear(hub, window)
    with pytest.raises(NotFound):
        await repay(hub, made.id, "1", "r")
    await confirm(hub, window, "LATE", "-60")  # it came after all
    with pytest.raises(Duplicate):
        await hub.do(commands.ApproveDefault(actor=hub.second, id=made.id))
    await hub.do(commands.RejectDefault(actor=hub.second, id=made.id, reason="it came"))
    with pytest.raises(NotFound):
        await hub.do(commands.ApproveDefault(actor=hub.second, id=made.id))
    await confirm(hub, window, "ONE", "60")
    default = await declare(hub, later)
    with pytest.raises(InvalidInput):
        await confirm(hub, later, "DEBTOR", "-5")  # what comes now is a repayment
    await repay(hub, default, "5", "r")
    with pytest.raises(PayOutWaits):
        await confirm(hub, later, "TWO", "5")
    await bear(hub, later)  # nothing is left to bear
    assert (await read(hub, default)).status is DefaultStatus.REPAID
    await confirm(hub, later, "TWO", "5")
    await clean(hub)


async def test_a_debtor_takes_nothing_back_while_it_owes(story: Hub) -> None:
    await put(story, "5", "more", of="DEBTOR")
    with pytest.raises(InsufficientLiquidity):
        await story.do(entry(story, "-1", "less", of="DEBTOR"))
    await put(story, "-2", "less one", of="ONE", pot=Pot.RECOVERED)


async def test_the_story_is_clean(story: Hub) -> None:
    await clean(story)


DECLARED = "kind = 'DECLARED'"
PLACE = "WHERE movement_id = (SELECT max(id) FROM movement WHERE kind = {})"
TAMPERED: dict[str, tuple[str, set[str]]] = {
    "who proposed": (
        f"UPDATE settlement_default SET credential_id = (SELECT credential_id FROM default_step WHERE {DECLARED})",
        {"DEFAULT"},
    ),
    "whose net it is": ("UPDATE settlement_default SET institution_id = institution_id + 500", {"DEFAULT"}),
    "the net's amount": ("UPDATE settlement_default SET amount = amount + 10000", {"DEFAULT", "ACT_LEGS"}),
    "a declaration that is gone": (f"DELETE FROM default_step WHERE {DECLARED}", {"DEFAULT"}),
    "a default that nobody covered": ("DELETE FROM default_step WHERE kind = 'COVERED'", {"DEFAULT", "WINDOW"}),
    "a step's movement": ("UPDATE default_step SET movement_id = 7 WHERE kind = 'FUND'", {"DEFAULT"}),
    "what was repaid": (
        "UPDATE default_step SET amount = amount + 10000 WHERE reference = 'r1'",
        {"DEFAULT", "ACT_LEGS"},
    ),
    "who is cut": (
        f"UPDATE leg SET amount = amount + CASE n WHEN 0 THEN 10000 ELSE -10000 END {PLACE.format(74)}",
        {"ACT_LEGS"},
    ),
    "the fund before the collateral": (
        f"UPDATE leg SET amount = amount - 10000 {PLACE.format(72)}",
        {"ACT_LEGS", "LEG_BALANCE"},
    ),
    "who gets something back": (
        f"UPDATE leg SET amount = amount + CASE n WHEN 1 THEN 10000 WHEN 2 THEN -10000 ELSE 0 END {PLACE.format(75)}",
        {"ACT_LEGS"},
    ),
    "what a claim comes to": (
        "UPDATE account SET credits_posted = credits_posted + 1 WHERE kind = 24",
        {"CURRENCY_SUM"},
    ),
    "what is owed in no window": ("UPDATE position SET subtree = 0 WHERE window_id = 0", {"POSITION"}),
    "a movement that is gone": ("DELETE FROM movement WHERE kind = 74", {"DEFAULT", "LEG_MOVEMENT"}),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_each_tampering_is_found(connection: AsyncConnection, what: str) -> None:
    statement, expected = TAMPERED[what]
    assert (await connection.exec_driver_sql(statement)).rowcount
    codes = {finding.code for finding in (await audit(connection)).findings}
    assert expected <= codes, codes
