"""Two engines on one hub, many callers at once."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from hub.access import Role
from hub.errors import Unauthenticated
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from tests.concurrency.world import CNY, bank, code, convert, found, gathered, issue, passed, redeem, transfer, two
from tests.conftest import Hub
from tests.properties import invariants


async def test_rings_of_transfers_conserve_whatever_meets(hub: Hub) -> None:
    await found(hub, 3, "100")
    async with two(hub, batch_max=7) as doors:
        rings = [(0, 1), (1, 2), (2, 0)]
        amounts = random.Random(7)
        calls = [
            doors[number % 2].try_(transfer(hub, f"t{number}", *rings[number % 3], amounts.randint(1, 60)))
            for number in range(300)
        ]
        outcomes = await gathered(calls)
    assert {code(one) for one in outcomes} <= {"OK", "INSUFFICIENT_POINTS"}
    balances = [await hub.balance("BP", "BANK", f"u{number}") for number in range(3)]
    assert sum(balances) == 300
    assert min(balances) >= 0
    moved = Counter(dict.fromkeys(range(3), 100))
    for number, outcome in enumerate(outcomes):
        if outcome.refusal is None:
            source, target = rings[number % 3]
            moved[source] -= outcome.result.amount
            moved[target] += outcome.result.amount
    assert [moved[number] for number in range(3)] == balances
    await invariants.check(hub)


async def test_two_of_eighty_do_not_both_pass_under_a_cap_of_a_hundred(hub: Hub) -> None:
    await found(hub, 2, "10000")
    await hub.cap("BANK", "100")
    # 1,600 BP × 0.05 = 80 CNY. In one batch:
    first, second = await hub.batch([redeem(hub, "a", 0, 1600), redeem(hub, "b", 1, 1600)])
    assert (code(first), code(second)) == ("OK", "LIMIT_EXCEEDED")
    assert isinstance(second, Outcome)
    assert second.refusal is not None
    assert second.refusal.details == {"institution": "BANK", "currency": "CNY", "cap": "100.00", "exposure": "160.00"}


async def test_two_of_eighty_do_not_both_pass_through_two_engines(hub: Hub) -> None:
    await found(hub, 2, "100000")
    async with two(hub) as (one, other):
        for round in range(20):
            await hub.cap("BANK", str(80 * round + 100))  # 20 are left over what is owed already
            outcomes = await gathered(
                [one.try_(redeem(hub, f"a{round}", 0, 1600)), other.try_(redeem(hub, f"b{round}", 1, 1600))]
            )
            assert sorted(map(code, outcomes)) == ["LIMIT_EXCEEDED", "OK"]
    await invariants.check(hub)


async def test_one_key_sent_twenty_times_has_one_effect(hub: Hub) -> None:
    await found(hub, 2, "1000")
    async with two(hub, batch_max=3) as doors:
        outcomes = await gathered(doors[number % 2].try_(transfer(hub, "same", 0, 1, 100)) for number in range(20))
    assert all(passed(one) for one in outcomes)
    assert len({one.result.id for one in outcomes}) == 1
    assert sum(one.replayed for one in outcomes) == 19
    assert await hub.balance("BP", "BANK", "u0") == 900  # 1,000 - 100 once
    assert len(await hub.sql("SELECT 1 FROM outcome WHERE key = 'same'")) == 1
    # A record out of the batch and one out of the database are the same record.
    for one in outcomes:
        assert one.result == outcomes[0].result


async def test_a_refused_key_stays_refused_for_all_twenty(hub: Hub) -> None:
    await found(hub, 2, "10")
    async with two(hub, batch_max=3) as doors:
        outcomes = await gathered(doors[number % 2].try_(transfer(hub, "same", 0, 1, 11)) for number in range(20))
        assert {code(one) for one in outcomes} == {"INSUFFICIENT_POINTS"}
        assert sum(one.replayed for one in outcomes) == 19
        await hub.issue("BP", "BANK", "u0", "100")
        again = await doors[1].try_(transfer(hub, "same", 0, 1, 11))
    assert (code(again), again.replayed) == ("INSUFFICIENT_POINTS", True)
    refusals = [one.refusal for one in [*outcomes, again]]
    assert {tuple(one.details.items()) for one in refusals if one} == {(("available", "10"), ("requested", "11"))}


async def test_one_key_with_two_requests_is_a_conflict_for_one_of_them(hub: Hub) -> None:
    await found(hub, 2, "1000")
    async with two(hub) as (one, other):
        for round in range(10):
            outcomes = await gathered(
                [one.try_(transfer(hub, f"k{round}", 0, 1, 1)), other.try_(transfer(hub, f"k{round}", 0, 1, 2))]
            )
            assert sorted(map(code, outcomes)) == ["IDEMPOTENCY_CONFLICT", "OK"]
    same_batch = await hub.batch([transfer(hub, "x", 0, 1, amount) for amount in (1, 2, 1)])
    assert [code(one) for one in same_batch] == ["OK", "IDEMPOTENCY_CONFLICT", "OK"]


async def test_the_same_key_of_two_institutions_is_two_keys(hub: Hub) -> None:
    await found(hub, 1, "1000")
    await hub.institution("BRANCH", parent="BANK")
    bank_key, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    branch_key, _ = await hub.key("BRANCH", Role.INSTITUTION_TRADER)

    def give(actor: int, reference: str) -> commands.Transfer:
        return commands.Transfer(
            actor=actor,
            key="k",
            currency="BP",
            source=Party("BRANCH", "b"),
            target=Party("BANK", reference),
            amount="1",
            memo=None,
        )

    await hub.issue("BP", "BRANCH", "b", "10")
    outcomes = await hub.batch([give(bank_key, "x"), give(branch_key, "y"), give(branch_key, "x")])
    assert [code(one) for one in outcomes] == ["OK", "OK", "IDEMPOTENCY_CONFLICT"]


async def test_what_one_engine_configures_the_other_knows_in_its_next_command(hub: Hub) -> None:
    await hub.institution("BANK")
    async with two(hub) as (one, other):
        assert code(await other.try_(issue(hub, "early", "a", "1"))) == "UNKNOWN_CURRENCY"
        await one.currency("BP", "BANK")
        assert code(await other.try_(issue(hub, "1", "a", "1"))) == "OK"
        await other.institution("AIR")
        await one.currency("MILE", "AIR")
        assert code(await other.try_(convert(hub, "2", 0, 1))) == "NO_RATE"
        rate = await other.rate("BP", "MILE", "1:1")
        assert code(await one.try_(issue(hub, "3", "u0", "9"))) == "OK"
        assert code(await one.try_(convert(hub, "4", 0, 5))) == "OK"
        await other.do(commands.WithdrawRate(actor=hub.admin, id=rate.id, reason="over", cancel_quotes=False))
        assert code(await one.try_(convert(hub, "5", 0, 4))) == "NO_RATE"
        assert one.engine.configuration.version == other.engine.configuration.version
        assert one.engine.configuration == other.engine.configuration


async def test_a_revoked_key_is_refused_by_the_other_engine_at_once(hub: Hub) -> None:
    await found(hub, 1, "1000")
    trader, secret = await hub.key("BANK", Role.INSTITUTION_TRADER)
    async with two(hub) as (one, other):
        assert await other.reading.authenticate(secret) == trader
        command = commands.Transfer(
            actor=trader, key="k", currency="BP", source=bank(0), target=Party("BANK", "x"), amount="1", memo=None
        )
        await other.do(command)
        async with other.reading.open(trader) as reader:
            assert reader.viewer.id == trader
        await one.do(commands.RevokeCredential(actor=hub.admin, id=trader))
        # Its engine has not heard of it yet; a known secret passes the door, and nothing behind it.
        assert await other.reading.authenticate(secret) == trader
        with pytest.raises(Unauthenticated):
            async with other.reading.open(trader):
                pass
        with pytest.raises(Unauthenticated):
            await other.try_(command)  # not even to replay
        with pytest.raises(Unauthenticated):
            await other.reading.authenticate(secret)  # by now it has


async def test_a_revocation_and_an_act_of_one_batch_keep_their_order(hub: Hub) -> None:
    await found(hub, 1, "1000")
    trader, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)

    def give(key: str) -> commands.Transfer:
        return commands.Transfer(
            actor=trader, key=key, currency="BP", source=bank(0), target=Party("BANK", "x"), amount="1", memo=None
        )

    revoke = commands.RevokeCredential(actor=hub.admin, id=trader)
    answers = await hub.batch([give("before"), revoke, give("after"), give("before")])
    assert [code(one) for one in answers] == ["OK", "OK", "Unauthenticated", "Unauthenticated"]
    assert await hub.balance("BP", "BANK", "x") == 1


async def test_ten_thousand_rows_are_answered_in_order(hub: Hub) -> None:
    await found(hub, 1)
    rows = [issue(hub, f"row{number}", f"c{number % 100}", str(number % 7)) for number in range(10_000)]
    answers = await hub.batch(rows)
    assert len(answers) == 10_000
    for number, answer in enumerate(answers):
        assert code(answer) == ("OK" if number % 7 else "INVALID_AMOUNT")
        if passed(answer):
            assert isinstance(answer, Outcome)
            result: Any = answer.result
            assert (result.amount, result.target.reference) == (number % 7, f"c{number % 100}")
    issued = await hub.sql("SELECT sum(credits_posted) FROM account WHERE kind = 1 AND currency = 'BP'")
    assert issued[0][0] == 1000 + sum(number % 7 for number in range(10_000))


async def test_the_database_looks_at_its_tables_when_the_journal_has_doubled_by_more_than_a_few_acts(hub: Hub) -> None:
    async def seen(name: str, count: int) -> int:
        """How many movements the database knows of when ``count`` were made at once, and then single ones, until the
        journal has doubled; -1: it has never looked."""
        door = hub.beside()
        await door.batch([issue(hub, f"{name} {number}", "c", "1") for number in range(count)])
        while await hub.sql("SELECT 1 FROM journal_head WHERE batch & (batch - 1) <> 0"):
            await door.issue("BP", "BANK", "c", "1")
        await door.close()
        [row] = await hub.sql("SELECT reltuples::int AS rows FROM pg_class WHERE oid = 'movement'::regclass")
        return int(row["rows"])

    await found(hub, 1)
    assert await seen("few", 200) == -1
    await hub.issue("BP", "BANK", "c", "1")
    [many] = await hub.sql("SELECT count(*) AS movements FROM movement")
    assert await seen("many", 256) >= many["movements"] + 256


async def test_what_the_queue_cannot_take_is_answered_retry_later_and_kept_nowhere(hub: Hub) -> None:
    await found(hub, 1)
    narrow = hub.beside(queue_max=5, batch_max=1)
    try:
        too_many = await narrow.batch([issue(hub, f"a{number}", "x", "1") for number in range(6)])
        assert {code(one) for one in too_many} == {"RETRY_LATER"}
        calls = [asyncio.create_task(narrow.try_(issue(hub, f"b{number}", "x", "1"))) for number in range(40)]
        outcomes = await gathered(calls)
        counted = Counter(map(code, outcomes))
        assert counted["OK"] + counted["RETRY_LATER"] == 40
        assert counted["OK"] == 5
        assert len(await hub.sql("SELECT 1 FROM outcome WHERE key LIKE 'a%' OR key LIKE 'b%'")) == 5
        # The same keys are as good as new.
        again = [await narrow.try_(issue(hub, f"b{number}", "x", "1")) for number in range(40)]
        assert Counter((code(one), one.replayed) for one in again) == {("OK", True): 5, ("OK", False): 35}
    finally:
        await narrow.close()
    assert await hub.balance("BP", "BANK", "x") == 40


async def test_closing_finishes_what_is_queued_and_takes_nothing_more(hub: Hub) -> None:
    await found(hub, 1)
    leaving = hub.beside(batch_max=10)
    calls = [asyncio.create_task(leaving.try_(issue(hub, f"k{number}", "x", "1"))) for number in range(200)]
    await asyncio.sleep(0)
    await leaving.engine.close()
    late = await leaving.try_(issue(hub, "late", "x", "1"))
    assert Counter(map(code, await gathered(calls))) == {"OK": 200}
    assert code(late) == "RETRY_LATER"
    await leaving.close()
    assert await hub.balance("BP", "BANK", "x") == 200


async def test_a_caller_that_gives_up_harms_nobody(hub: Hub) -> None:
    await found(hub, 1)
    calls = [asyncio.create_task(hub.try_(issue(hub, f"k{number}", "x", "1"))) for number in range(50)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert code(await hub.try_(issue(hub, "after", "x", "1"))) == "OK"
    # Those who gave up were queued already: their commands are done, and their keys say so.
    again = [await hub.try_(issue(hub, f"k{number}", "x", "1")) for number in range(50)]
    assert all(passed(one) for one in again)
    assert await hub.balance("BP", "BANK", "x") == 51


async def test_a_quote_is_used_once_by_two_at_once(hub: Hub) -> None:
    await found(hub, 1, "100000")
    async with two(hub) as doors:
        for round in range(10):
            offer = await hub.do(
                commands.RequestQuote(
                    actor=hub.admin,
                    source=bank(0),
                    target=Party("AIR", "u0"),
                    source_currency="BP",
                    target_currency="MILE",
                    amount="25",
                    ttl_seconds=60,
                )
            )
            outcomes = await gathered(
                door.try_(commands.ExecuteQuote(actor=hub.admin, key=f"{round}-{place}", quote=offer.id))
                for place, door in enumerate(doors)
            )
            assert sorted(map(code, outcomes)) == ["OK", "QUOTE_USED"]
    assert await hub.balance("MILE", "AIR", "u0") == 10


async def test_one_original_is_not_reversed_twice_by_two_at_once(hub: Hub) -> None:
    await found(hub, 1, "1000")
    async with two(hub) as doors:
        done = await hub.do(redeem(hub, "r", 0, 100))
        outcomes = await gathered(
            doors[number % 2].try_(
                commands.Reverse(actor=hub.admin, key=f"v{number}", id=done.id, amount="30", reason="returned")
            )
            for number in range(6)
        )
    # 3 × 30 = 90 pass; the rest of 10 is less than 30
    assert Counter(map(code, outcomes)) == {"OK": 3, "EXCEEDS_ORIGINAL": 3}
    assert await hub.balance("BP", "BANK", "u0") == 990
    position = await hub.sql("SELECT credits - debits FROM position WHERE debits + credits > 0 ORDER BY 1")
    assert [row[0] for row in position] == [-CNY // 2, CNY // 2]  # 10 × 0.05
    await invariants.check(hub)
