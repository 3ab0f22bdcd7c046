"""Relocations: a currency's balances go to a partner and come back, and every point is where both sides say."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from hub import keepers, opening_files, relocations, statements
from hub.currencies import HOSTED
from hub.errors import InvalidInput, NotAccepted, PartnerUnavailable, SameApprover
from hub.host.keys import reseal
from hub.ledger import commands
from hub.ledger.opening import Holder, OpeningLot, RelocationStatus
from hub.ledger.records import MovementKind
from hub.sealing import SecretsKey
from hub.settings import Settings
from tests.conftest import Hub
from tests.hub.moved import NEXT_YEAR, Moving, One, Played

ALL = {"alice": 30_000, "bob": 20_000, "carol": 5_000}  # with the partner's two decimals


@pytest.fixture
async def bank(hub: Hub) -> AsyncIterator[Moving]:
    """Kept by the hub; whatever was done is in order afterwards."""
    moving = await Moving(hub, Played(dict(ALL))).open()
    yield moving
    await moving.is_in_order()


@pytest.fixture
async def away(hub: Hub) -> AsyncIterator[Moving]:
    """Kept by a partner, of whose members the hub knows nobody."""
    moving = await Moving(hub, Played()).open("played")
    yield moving
    await moving.is_in_order()


async def test_a_currency_goes_to_a_partner_with_all_its_points(bank: Moving) -> None:
    """300 + 200 + 50 = 550 go from three customers to partner:BP; what was issued stays -550."""
    run = await bank.compare(await bank.fixed())
    assert (run.status, run.customers, run.ours, run.theirs, run.differing) == (
        RelocationStatus.COMPARED,
        3,
        550,
        550,
        0,
    )
    run = await bank.complete(run)
    assert (run.status, run.moved) == (RelocationStatus.DONE, 550)
    assert [await bank.left(*who) for who in (("BANK", "alice"), ("BANK", "bob"), ("SHOP", "carol"))] == [0, 0, 0]
    assert (await bank.contra(2), await bank.contra(9)) == (-550, 550)
    assert not await bank.hub.sql("SELECT 1 FROM lot")
    of = bank.hub.engine.configuration.currency("BP")
    assert of is not None
    assert (of.adapter, of.connection, of.relocation) == ("played", "{}", None)


async def test_it_comes_back_with_what_the_partner_did_meanwhile(bank: Moving) -> None:
    """The partner gave alice 20 and took all of carol's 50, so 300 + 20 + 200 = 520 come home; what is issued is
    -550 - 20 + 50 = -520, and nothing is left at the partner."""
    await bank.complete(await bank.compare(await bank.fixed()))
    bank.partner.units = {"alice": 32_000, "bob": 20_000}
    run = await bank.compare(await bank.fixed(HOSTED), control=520)
    assert (run.status, run.theirs) == (RelocationStatus.COMPARED, 520)
    run = await bank.complete(run)
    assert run.status is RelocationStatus.DONE
    assert [await bank.left(*who) for who in (("BANK", "alice"), ("BANK", "bob"), ("SHOP", "carol"))] == [320, 200, 0]
    assert (await bank.contra(2), await bank.contra(9)) == (-520, 0)
    of = bank.hub.engine.configuration.currency("BP")
    assert of is not None
    assert (of.adapter, of.connection) == (HOSTED, "")
    await bank.issue("BANK", "alice", "1", None)
    assert await bank.left("BANK", "alice") == 321


async def test_the_past_stays_and_statements_add_up(bank: Moving) -> None:
    """alice had 300 before the move, has 0 while the partner keeps them, and 320 once they are back."""
    hub = bank.hub
    [row] = await hub.sql("SELECT customer_id AS id FROM customer_reference WHERE reference = 'alice'")

    async def instant() -> datetime:
        return (await hub.sql("SELECT at FROM journal_head"))[0]["at"]  # type: ignore[no-any-return]

    before = await instant()
    await bank.complete(await bank.compare(await bank.fixed()))
    between = await instant()
    bank.partner.units["alice"] = 32_000
    await bank.complete(await bank.compare(await bank.fixed(HOSTED), control=570))
    after = await instant()
    async with hub.database.snapshot() as connection:
        account = await statements.account(connection, row["id"], "BP")
        told = [(await statements.balance(connection, account, at)).total for at in (before, between, after)]
        assert told == [300, 0, 320]
        of = await statements.statement(connection, account, before, after + timedelta(seconds=1))
        totals = await statements.totals(connection, account, of.span)
    assert [(one.kind, one.credits, one.debits) for one in totals] == [(MovementKind.RELOCATE, 320, 300)]
    assert (of.opening, of.closing) == (300, 300 - 300 + 320)


async def test_a_file_brings_the_partners_lots_and_new_customers(away: Moving) -> None:
    """dora's 70 end in a year as the partner's file says; her 30 without an end end by the currency's policy."""
    rows = {("BANK", "dora"): [OpeningLot(70, NEXT_YEAR), OpeningLot(30)], ("SHOP", "ed"): [OpeningLot(5)]}
    run = await away.compare_file(await away.fixed(HOSTED), rows)
    assert (run.customers, run.theirs) == (2, 105)
    assert run.digest == opening_files.told(opening_files.written(rows.items(), 0), 0).digest
    await away.complete(run)
    assert (await away.left("BANK", "dora"), await away.left("SHOP", "ed")) == (100, 5)
    lots = await away.hub.sql("SELECT amount, expires_at FROM lot ORDER BY amount")
    assert [row["amount"] for row in lots] == [5, 30, 70]
    assert lots[2]["expires_at"] == NEXT_YEAR
    assert lots[0]["expires_at"] == lots[1]["expires_at"] > NEXT_YEAR
    assert (await away.contra(2), await away.contra(9)) == (-105, 0)


async def test_a_total_that_the_partner_does_not_confirm_ends_nothing(away: Moving) -> None:
    run = await away.fixed(HOSTED)
    await away.hub.do(commands.EnrollCustomer(actor=away.hub.admin, customer=commands.Party("BANK", "alice")))
    away.partner.units = {"alice": 700}
    for control in (None, 8):
        with pytest.raises(InvalidInput) as refusal:
            await away.compare(run, control)
        assert "control" in refusal.value.details
    assert (await away.compare(run, 7)).theirs == 7


async def test_differences_are_named_and_two_persons_accept_them(bank: Moving) -> None:
    """alice has 10 more there, bob 200 less (the partner does not know him), so 300 + 10 + 50 = 360 are at the partner,
    and issued is -550 - 10 + 200 = -360."""
    bank.partner.units = {"alice": 31_000, "carol": 5_000}
    hub = bank.hub
    run = await bank.compare(await bank.fixed())
    assert (run.differing, run.more, run.less) == (2, 10, 200)
    async with hub.reading.open(hub.admin) as reader:
        told = await relocations.differences(reader, run, 0, 50)
        assert [(who.reference, one.ours, one.theirs) for who, one in told] == [("alice", 300, 310), ("bob", 200, 0)]
        [after] = await relocations.differences(reader, run, told[0][0].id, 50)
        assert after == told[1]
    with pytest.raises(NotAccepted):
        await bank.complete(run)
    with pytest.raises(InvalidInput):
        await hub.do(commands.AcceptDifferences(actor=hub.admin, id=run.id, differing=2, more="10", less="199"))
    await bank.accept(run, hub.admin)
    with pytest.raises(SameApprover):
        await bank.accept(run, hub.admin)
    with pytest.raises(NotAccepted):
        await bank.complete(run)
    await bank.accept(run, hub.second)
    assert (await bank.complete(run)).status is RelocationStatus.DONE
    assert (await bank.contra(2), await bank.contra(9)) == (-360, 360)


async def test_comparing_anew_forgets_what_was_accepted(bank: Moving) -> None:
    bank.partner.units = {"alice": 31_000, "bob": 20_000, "carol": 5_000}
    run = await bank.compare(await bank.fixed())
    await bank.accept(run, bank.hub.admin)
    await bank.accept(run, bank.hub.second)
    bank.partner.units["carol"] = 0
    run = await bank.compare(await relocations.by_id(bank.hub.database, run.id) or run)
    assert (run.round, run.differing, run.accepted, run.accepted_by) == (2, 2, False, None)
    with pytest.raises(NotAccepted):
        await bank.complete(run)
    bank.partner.units = dict(ALL)
    run = await bank.compare(run)
    assert (run.round, run.differing) == (3, 0)
    assert (await bank.complete(run)).moved == 550


async def test_a_file_is_held_against_every_customer_of_the_hub(bank: Moving) -> None:
    """bob is not in the file, so he has nothing there; nobody may be in it whom the hub does not know."""
    rows = {("BANK", "alice"): [OpeningLot(300)], ("SHOP", "carol"): [OpeningLot(50)]}
    run = await bank.fixed()
    with pytest.raises(Exception, match="nobody"):
        await bank.compare_file(run, rows | {("BANK", "nobody"): [OpeningLot(1)]})
    run = await bank.compare_file(run, rows)
    assert (run.customers, run.differing, run.less) == (3, 1, 200)
    run = await bank.compare_file(run, rows | {("BANK", "bob"): [OpeningLot(200)]})
    assert (run.round, run.differing) == (2, 0)


async def test_the_list_for_the_partner_has_every_lot(bank: Moving) -> None:
    run = await bank.fixed()
    hub = bank.hub
    raw = await relocations.opening_list(hub.database, hub.engine.configuration, run)
    said = opening_files.told(raw, 0)
    assert said.total == 550
    assert [(who, sum(lot.units for lot in lots)) for who, lots in said.customers.items()] == [
        (("BANK", "alice"), 300), (("BANK", "bob"), 200), (("SHOP", "carol"), 50),
    ]  # fmt: skip
    assert said.customers["BANK", "bob"][0].expires_at == NEXT_YEAR
    run = await bank.compare_file(run, {who: list(lots) for who, lots in said.customers.items()})
    assert run.differing == 0
    await bank.complete(run)
    done = await relocations.by_id(hub.database, run.id)
    assert done is not None
    with pytest.raises(InvalidInput):
        await relocations.opening_list(hub.database, hub.engine.configuration, done)


async def test_reading_that_was_cut_off_goes_on_where_it_stood(bank: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "CHUNK", 1)
    run = await bank.fixed()
    bank.partner.fails_at = "carol"
    with pytest.raises(PartnerUnavailable):
        await bank.compare(run)
    stands = await relocations.by_id(bank.hub.database, run.id)
    assert stands is not None
    assert (stands.round, stands.customers) == (1, 1)  # a chunk is put on record once the next one is known
    bank.partner.fails_at, bank.partner.asked = None, []
    run = await bank.compare(stands)
    assert (run.round, run.customers, bank.partner.asked) == (1, 3, ["bob", "carol"])


async def test_a_round_is_of_one_source(bank: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of a file that was cut off is not gone on with out of another one, nor by asking."""
    monkeypatch.setattr(keepers, "CHUNK", 1)
    hub, run = bank.hub, await bank.approve(await bank.propose())
    with pytest.raises(InvalidInput):
        await bank.compare(run)
    run = await bank.fix(run)
    wrong = bank.file(run, {"alice": 1, "bob": 200, "carol": 50})
    await wrong.prepare(hub.engine)
    chunks = wrong.chunk(0)
    [alice] = await anext(chunks)
    await chunks.aclose()
    first = commands.RecordBalances(
        actor=hub.engine.configuration.host.id, relocation=run.id, round=1, after=0, through=alice.customer,
        holders=(alice,), last=False, digest=wrong.digest,
    )  # fmt: skip
    cut_off = await hub.do(first)
    assert (cut_off.customers, cut_off.differing, cut_off.digest) == (1, 1, wrong.digest)
    await bank.is_in_order()
    other = msgspec.structs.replace(first, after=alice.customer, through=alice.customer + 1, holders=(), digest=None)
    assert await hub.do(other) == cut_off
    run = await bank.compare(cut_off)
    assert (run.round, run.customers, run.differing, run.digest) == (2, 3, 0, None)


async def test_moving_that_was_cut_off_or_runs_twice_moves_everybody_once(bank: Moving) -> None:
    hub = bank.hub
    run = await bank.compare(await bank.fixed())
    begun = await hub.do(commands.CompleteRelocation(actor=hub.admin, id=run.id))
    host = hub.engine.configuration.host.id
    [first] = await hub.sql("SELECT min(customer_id) AS id FROM opening_balance")
    chunk = commands.Relocate(actor=host, relocation=run.id, after=0, through=first["id"], last=False)
    for _ in range(2):  # the second one does not go on where it stands
        assert (await hub.do(chunk)).moved == 300
    beside = hub.beside()
    async with beside.reading.open(hub.admin):
        pass  # which brings its configuration up to date
    both = (
        relocations.work_off(hub.database, hub.engine, begun, size=1),
        relocations.work_off(beside.database, beside.engine, begun, size=1),
    )
    ended = await asyncio.gather(*both)
    await beside.close()
    assert RelocationStatus.DONE in {one.status for one in ended}
    assert (await bank.contra(2), await bank.contra(9)) == (-550, 550)


async def test_nobody_is_left_out_of_a_comparison(bank: Moving) -> None:
    """A reader that skips bob's 200 is told that the hub has 550, and not 350."""
    hub, run = bank.hub, await bank.fixed()
    people = await hub.sql("SELECT customer_id AS id, reference FROM customer_reference WHERE reference <> 'bob'")
    holders = tuple(Holder(row["id"], ALL[row["reference"]] // 100) for row in people)
    command = commands.RecordBalances(
        actor=hub.engine.configuration.host.id, relocation=run.id, round=1, after=0,
        through=max(one.customer for one in holders), holders=holders, last=True,
    )  # fmt: skip
    with pytest.raises(InvalidInput) as refusal:
        await hub.do(command)
    assert refusal.value.details == {"total": "550", "found": "350"}


async def test_secrets_are_not_resealed_while_some_are_on_their_way(bank: Moving, tmp_path: Path) -> None:
    key = SecretsKey.of(Settings(data_dir=tmp_path))
    run = await bank.propose()
    with pytest.raises(InvalidInput):
        await reseal(bank.hub.addresses.server, key)
    await bank.hub.do(commands.CancelRelocation(actor=bank.hub.admin, id=run.id, reason="r"))
    assert await reseal(bank.hub.addresses.server, key) == []


async def test_a_partner_has_to_answer_before_anything_is_proposed(bank: Moving) -> None:
    of = bank.hub.engine.configuration.currency("BP")
    assert of is not None
    await keepers.probe(One(bank.partner), of, "played", "{}")
    assert bank.partner.asked == [keepers.NOBODY]
    with pytest.raises(PartnerUnavailable):
        await keepers.probe(One(bank.partner, is_reached=False), of, "played", "{}")
