"""Halting: nothing new is begun with a currency on its way, what is under way ends, and the way waits for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import relocations
from hub.access import Role
from hub.currencies import HOSTED
from hub.errors import CurrencyMoving, Duplicate, Forbidden, InvalidInput, NotFound, PartnerRefused, SameApprover
from hub.ledger import commands
from hub.ledger.commands import Party, ReversalShortfall
from hub.ledger.opening import RelocationStatus
from hub.ledger.records import ClearingScope, PoolKind
from hub.limits import Act, Period, Subject
from hub.partners import Status
from tests.conftest import Hub, Pass
from tests.hub.moved import Moving, Played

ALICE, BOB, CAROL = Party("BANK", "alice"), Party("BANK", "bob"), Party("SHOP", "carol")
ALL = {"alice": 30_000, "bob": 20_000, "carol": 5_000}


@pytest.fixture
async def bank(hub: Hub) -> AsyncIterator[Moving]:
    moving = await Moving(hub, Played(dict(ALL))).open()
    yield moving
    await moving.is_in_order()


def acts(hub: Hub, key: str) -> dict[str, commands.Command]:
    """An act of every kind that begins something with BP."""
    actor, soon = hub.admin, datetime.now(UTC) + timedelta(days=1)
    by: dict[str, Any] = {"actor": actor, "currency": "BP", "amount": "1"}
    pair: dict[str, Any] = {"source": ALICE, "source_currency": "BP", "target": CAROL, "target_currency": "MILE"}
    return {
        "issue": commands.Issue(**by, key=f"i{key}", to=ALICE, earned_at=None, expires_at=None, memo=None),
        "transfer": commands.Transfer(**by, key=f"t{key}", source=ALICE, target=BOB, memo=None),
        "redeem": commands.Redeem(**by, key=f"r{key}", customer=ALICE, merchant="SHOP", memo=None),
        "hold": commands.HoldPoints(**by, key=f"h{key}", customer=ALICE, expires_at=soon, memo=None),
        "freeze": commands.FreezePoints(**by, key=f"f{key}", customer=ALICE, reason="r"),
        "convert": commands.Convert(actor=actor, key=f"c{key}", amount="1", minimum_target=None, **pair),
        "quote": commands.RequestQuote(actor=actor, amount="1", ttl_seconds=60, **pair),
        "clear": commands.ClearPoints(
            actor=actor, key=f"l{key}", currency="BP", scope=ClearingScope.ALL, earned_before=None, starts_at=None,
            reason="r",
        ),
        "cancel": commands.CancelRecord(
            actor=actor, key=f"n{key}", currency="BP", record="r", shortfall=ReversalShortfall.REFUSE, reason="r"
        ),
        "contribute": commands.ContributeToPool(
            **by, key=f"p{key}", pool=Party("BANK", "pool"), member=ALICE, memo=None, channel=None
        ),
    }  # fmt: skip


async def waits(bank: Moving) -> dict[str, int]:
    async with bank.hub.reading.open(bank.hub.admin) as reader:
        of = reader.configuration.currency("BP")
        assert of is not None
        return await relocations.waits(reader, of)


async def test_nothing_new_is_begun_with_a_halted_currency(bank: Moving) -> None:
    hub = bank.hub
    issued = await hub.issue("BP", "BANK", "bob", "7")
    run = await bank.approve(await bank.propose())
    reverse = commands.Reverse(actor=hub.admin, key="reverse", id=issued.id, amount=None, reason="r")
    for name, command in {**acts(hub, "halted"), "reverse": reverse}.items():
        with pytest.raises(CurrencyMoving) as refusal:
            await hub.do(command)
        assert refusal.value.details == {"currency": "BP"}, name
    await hub.issue("MILE", "SHOP", "carol", "3")  # other currencies go on
    await hub.do(commands.CancelRelocation(actor=hub.admin, id=run.id, reason="not this year"))
    done = acts(hub, "after")
    for name in ("issue", "transfer", "redeem", "convert", "quote", "clear"):
        assert (await hub.try_(done[name])).refusal is None, name


async def test_it_halts_at_its_time_and_not_before(bank: Moving, pass_: Pass) -> None:
    hub, starts = bank.hub, datetime.now(UTC) + timedelta(hours=2)
    run = await bank.approve(await bank.propose(starts_at=starts))
    await hub.do(acts(hub, "before")["issue"])
    with pytest.raises(CurrencyMoving) as refusal:
        await bank.fix(run)
    assert refusal.value.details["startsAt"] == starts.isoformat()
    pass_(timedelta(hours=2))
    with pytest.raises(CurrencyMoving):
        await hub.do(acts(hub, "then")["issue"])
    assert (await bank.fix(run)).status is RelocationStatus.FIXED
    with pytest.raises(InvalidInput):
        await hub.do(commands.CancelRelocation(actor=hub.admin, id=run.id, reason=""))
    await hub.do(commands.CancelRelocation(actor=hub.admin, id=run.id, reason="no"))


async def test_what_the_same_batch_began_is_not_overlooked(bank: Moving) -> None:
    """What is under way was counted before the batch's own quote, so nothing is fixed in the batch that halts."""
    run = await bank.propose()
    hub = bank.hub
    batch = [
        acts(hub, "1")["quote"],
        commands.ApproveRelocation(actor=hub.second, id=run.id),
        commands.FixBalances(actor=hub.admin, id=run.id),
        acts(hub, "2")["quote"],
    ]
    answers = [answer.refusal and answer.refusal.code for answer in await hub.batch(batch)]  # type: ignore[union-attr]
    assert answers == [None, None, "CURRENCY_MOVING", "CURRENCY_MOVING"]
    assert await waits(bank) == {"quotes": 1}


async def test_what_is_under_way_ends_and_is_waited_for(bank: Moving) -> None:
    """A hold is captured and a quote executed although the currency is halted; only then the balances are fixed."""
    hub = bank.hub
    held = (await hub.do(acts(hub, "1")["hold"])).hold
    frozen = (await hub.do(acts(hub, "1")["freeze"])).hold
    quote = await hub.do(acts(hub, "1")["quote"])
    run = await bank.approve(await bank.propose())
    assert await waits(bank) == {"holds": 1, "freezes": 1, "quotes": 1}
    with pytest.raises(CurrencyMoving) as refusal:
        await bank.fix(run)
    assert refusal.value.details["waits"] == "freezes 1, holds 1, quotes 1"
    await hub.do(
        commands.CaptureHold(actor=hub.admin, key="capture", hold=held.id, amount=None, target=BOB, merchant=None)
    )
    await hub.do(
        commands.ResolveFreeze(
            actor=hub.admin, key="free", freeze=frozen.id, outcome=commands.FreezeOutcome.RELEASE, reason="r"
        )
    )
    await hub.do(commands.ExecuteQuote(actor=hub.admin, key="quoted", quote=quote.id))
    assert await waits(bank) == {}
    await bank.fix(run)


async def test_exchanges_under_way_are_waited_for(hub: Hub) -> None:
    """BP is at a partner that is asked to take points; its balances are fixed once it has."""
    away = await Moving(hub, Played()).open("played")
    made = await hub.do(acts(hub, "1")["convert"])
    run = await away.approve(await away.propose(HOSTED))
    assert await waits(away) == {"exchanges": 1}
    with pytest.raises(CurrencyMoving):
        await away.fix(run)
    host = hub.engine.configuration.host.id
    await hub.do(commands.ReportOrder(actor=host, reference=f"PH-{made.id:X}-D", status=Status.SUCCEEDED))
    assert (await away.fix(run)).status is RelocationStatus.FIXED
    await away.is_in_order()


@pytest.mark.parametrize("what", ["an order", "the conversion that it takes back"])
async def test_an_exchange_of_any_act_with_the_currency_is_waited_for(hub: Hub, what: str) -> None:
    """An exchange is found by what it is about, whichever act it is of: by a partner's order of the currency, or by the
    conversion that its movement is about, one end of which the currency is."""
    away = await Moving(hub, Played()).open("played")
    made = await hub.do(acts(hub, "1")["convert"])
    assert await waits(away) == {"exchanges": 1}
    superuser = ["ALTER TABLE {0} DISABLE TRIGGER ALL", "{1}", "ALTER TABLE {0} ENABLE TRIGGER ALL"]
    of_order = [("partner_order", "UPDATE partner_order SET currency = 'OTHER'")] if what != "an order" else []
    for table, statement in [
        *of_order,
        ("movement", f"UPDATE movement SET currency = 'OTHER', subject_id = {made.id} + 1 WHERE id = {made.id}"),
        ("conversion", f"UPDATE conversion SET id = id + 1 WHERE id = {made.id}"),
        *([("conversion", "DELETE FROM conversion")] if what == "an order" else []),
    ]:
        for line in superuser:
            await hub.sql(line.format(table, statement))
    assert await waits(away) == {"exchanges": 1}


async def test_pools_debts_frozen_accounts_and_clearings_are_waited_for(bank: Moving) -> None:
    hub = bank.hub
    pool = Party("BANK", "pool")
    await hub.do(commands.CreatePool(actor=hub.admin, key="pool", pool=pool, kind=PoolKind.FAMILY, owner=ALICE))
    await hub.do(acts(hub, "1")["contribute"])
    await hub.do(commands.FreezeAccount(actor=hub.admin, key="frozen", customer=BOB, currency="BP", reason="r"))
    await hub.do(acts(hub, "1")["clear"])
    issued = await hub.issue("BP", "SHOP", "dave", "5")
    spent = commands.Transfer(
        actor=hub.admin, key="spent", currency="BP", source=Party("SHOP", "dave"), target=ALICE, amount="5", memo=None
    )
    await hub.do(spent)
    back = commands.Reverse(
        actor=hub.admin, key="back", id=issued.id, amount=None, reason="r", shortfall=ReversalShortfall.DEBT
    )
    await hub.do(back)
    assert await waits(bank) == {"pools": 1, "frozenAccounts": 1, "clearings": 1, "debts": 1}


async def test_an_account_that_is_frozen_before_the_end_is_not_moved(bank: Moving) -> None:
    hub = bank.hub
    run = await bank.compare(await bank.fixed())
    with pytest.raises(CurrencyMoving):
        await hub.do(commands.FreezeAccount(actor=hub.admin, key="one", customer=BOB, currency="BP", reason="r"))
    await hub.do(commands.FreezeAccount(actor=hub.admin, key="all", customer=BOB, currency=None, reason="r"))
    with pytest.raises(CurrencyMoving) as refusal:
        await bank.complete(run)
    assert refusal.value.details["waits"] == "frozenAccounts 1"
    with pytest.raises(CurrencyMoving):
        await hub.do(commands.CloseCustomer(actor=hub.admin, key="close", customer=ALICE, reason="r"))
    await hub.do(commands.UnfreezeAccount(actor=hub.admin, key="free", customer=BOB, currency=None, reason="r"))
    assert (await bank.complete(run)).status is RelocationStatus.DONE


async def test_time_is_settled_before_balances_are_fixed_and_not_after(bank: Moving, pass_: Pass) -> None:
    """bob's 200 end in a year: before the balances are fixed they are swept, afterwards they go to the partner."""
    hub = bank.hub
    await bank.issue("BANK", "eve", "9", datetime.now(UTC) + timedelta(days=30))
    run = await bank.approve(await bank.propose())
    pass_(timedelta(days=31))
    with pytest.raises(CurrencyMoving) as refusal:
        await bank.fix(run)
    assert refusal.value.details["waits"] == "endedLots 1"
    eve = await hub.sql("SELECT id FROM account WHERE kind = 1 AND credits_posted = 9")
    await hub.do(commands.Lapse(actor=hub.engine.configuration.host.id, accounts=(eve[0]["id"],)))
    run = await bank.compare(await bank.fix(run))
    pass_(timedelta(days=400))
    bob = await hub.sql("SELECT id FROM account WHERE kind = 1 AND credits_posted = 200")
    await hub.do(commands.Lapse(actor=hub.engine.configuration.host.id, accounts=(bob[0]["id"],)))
    assert await bank.left("BANK", "bob") == 200
    assert (await bank.complete(run)).moved == 550


async def test_two_persons_are_needed_and_the_second_is_the_operators(bank: Moving) -> None:
    hub = bank.hub
    admin, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="teller")
    other, _ = await hub.key("SHOP", Role.INSTITUTION_ADMIN, person="other")
    with pytest.raises(Forbidden):
        await bank.propose(actor=other)
    run = await bank.propose(actor=admin)
    with pytest.raises(Duplicate):
        await bank.propose()
    for name in (commands.ApproveRelocation, commands.FixBalances, commands.CompleteRelocation):
        with pytest.raises(Forbidden):
            await hub.do(name(actor=admin, id=run.id))
    with pytest.raises(NotFound):
        await hub.do(commands.CancelRelocation(actor=other, id=run.id, reason="r"))
    await hub.do(commands.CancelRelocation(actor=admin, id=run.id, reason="r"))
    namesake, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN, person="ROOT")
    run = await bank.propose(actor=namesake)
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveRelocation(actor=hub.admin, id=run.id))
    await hub.do(commands.CancelRelocation(actor=namesake, id=run.id, reason="r"))
    run = await bank.propose()
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveRelocation(actor=hub.admin, id=run.id))
    await bank.approve(run)


async def test_a_completion_that_has_begun_is_not_cancelled(bank: Moving) -> None:
    hub = bank.hub
    run = await bank.compare(await bank.fixed())
    await hub.do(commands.CompleteRelocation(actor=hub.admin, id=run.id))
    with pytest.raises(InvalidInput):
        await hub.do(commands.CancelRelocation(actor=hub.admin, id=run.id, reason="r"))
    with pytest.raises(InvalidInput):
        await hub.do(commands.CompleteRelocation(actor=hub.admin, id=run.id))


async def test_a_cancelled_relocation_leaves_everything_as_it_was(bank: Moving) -> None:
    hub = bank.hub
    before = await hub.sql("SELECT * FROM account WHERE currency = 'BP' ORDER BY id")
    run = await bank.compare(await bank.fixed())
    await hub.do(commands.CancelRelocation(actor=hub.admin, id=run.id, reason="They are not ready."))
    assert await hub.sql("SELECT * FROM account WHERE currency = 'BP' ORDER BY id") == before
    of = hub.engine.configuration.currency("BP")
    assert of is not None
    assert (of.adapter, of.connection, of.relocation) == (HOSTED, "", None)


async def test_where_it_goes_is_checked(bank: Moving) -> None:
    for adapter, connection in ((HOSTED, None), ("played", None), ("played", commands.Connection("{}", 0))):
        fits = connection is not None
        if fits:
            await bank.hub.currency("FINE", "BANK", scale=2)
        with pytest.raises(InvalidInput):
            await bank.propose(adapter, connection=connection, currency="FINE" if fits else "BP")
    with pytest.raises(InvalidInput):
        await bank.propose(starts_at=datetime.now(UTC) - timedelta(days=1))
    await bank.complete(await bank.compare(await bank.fixed()))
    with pytest.raises(InvalidInput):
        await bank.propose("another")


async def test_what_was_done_before_is_not_reversed_by_posting_alone(bank: Moving) -> None:
    """The issue's points are at the partner now, so the hub cannot take them back out of an empty account."""
    hub = bank.hub
    issued = await hub.issue("BP", "BANK", "bob", "7")
    bank.partner.units["bob"] += 700
    await bank.complete(await bank.compare(await bank.fixed()))
    for shortfall in (ReversalShortfall.REFUSE, ReversalShortfall.DEBT):
        with pytest.raises(PartnerRefused, match="MOVED"):
            await hub.do(
                commands.Reverse(
                    actor=hub.admin, key=f"back {shortfall}", id=issued.id, amount=None, reason="r", shortfall=shortfall
                )
            )


async def test_limits_on_what_accounts_hold_are_the_keepers(bank: Moving) -> None:
    """A limit of a balance, or of accounts, is refused where a partner keeps the points, and has to be lifted first."""
    hub = bank.hub
    limit = await hub.limit("most", "1000", period=Period.BALANCE)
    with pytest.raises(InvalidInput) as refusal:
        await bank.propose()
    assert refusal.value.details == {"limit": "most", "period": "BALANCE"}
    await hub.do(commands.LiftLimit(actor=hub.admin, id=limit.id, starts=None))
    run = await bank.approve(await bank.propose())
    of_accounts = await hub.limit("daily", "10", act=Act.RECEIVE, subject=Subject.ACCOUNT)
    with pytest.raises(InvalidInput):
        await bank.fix(run)
    await hub.do(commands.LiftLimit(actor=hub.admin, id=of_accounts.id, starts=None))
    await bank.complete(await bank.compare(await bank.fix(run)))
    for terms in ({"period": Period.BALANCE}, {"subject": Subject.ACCOUNT}):
        with pytest.raises(InvalidInput) as refusal:
            await hub.limit("again", "10", act=Act.CONVERT_IN, **terms)
        assert refusal.value.details["adapter"] == "played"
    with pytest.raises(InvalidInput):
        await hub.do(
            commands.SetLimit(actor=hub.admin, currency="BP", code="most", amount="5", starts=None, terms=None)
        )
    await hub.limit("fine", "10", act=Act.CONVERT_IN)
