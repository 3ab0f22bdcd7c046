"""Windows that are closed while acts come in: each act stands before or after, and everything still sums to zero."""

import asyncio
import random
from collections import defaultdict
from typing import Any

from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.models import ModelKind
from hub.money import format_millionths
from tests.concurrency.world import bank, code, convert, found, gathered, passed, redeem, two
from tests.conftest import Hub
from tests.properties import invariants

MODELS = ("default", "PAIR")


async def close(hub: Hub, key: str, model: str = "default") -> Any:
    return await hub.try_(commands.CloseWindow(actor=hub.admin, key=key, window=await hub.window(model)))


async def test_the_windows_of_two_models_closed_under_load_sum_to_zero_in_every_currency(hub: Hub) -> None:
    await found(hub, 6, "1000000")
    # What is owed at SHOP, or in yen, is the default's; what is PAIR's is netted in pairs.
    await hub.model("PAIR", ["BANK", "AIR"], kind=ModelKind.DEFERRED_NET_BILATERAL)
    await hub.currency("KR", "SHOP", unit_value="0.0333", money="JPY")  # no minor unit: its nets are rounded to 1
    await hub.rate("BP", "KR", "3:7", settlement_price=commands.MoneyText("0.0333", "JPY"))
    dice = random.Random(5)
    closed = dict.fromkeys(MODELS, 0)

    def act(wave: int, place: int) -> commands.Command:
        key, who, amount = f"{wave}-{place}", dice.randrange(6), dice.randint(25, 999)
        match place % 3:
            case 0:
                return convert(hub, key, who, amount)
            case 1:
                return redeem(hub, key, who, amount, dice.choice(["SHOP", "AIR", "HUB"]))
            case _:
                return commands.Convert(
                    actor=hub.admin,
                    key=key,
                    source=bank(who),
                    target=Party("SHOP", "s"),
                    source_currency="BP",
                    target_currency="KR",
                    amount=str(amount),
                    minimum_target=None,
                )

    async with two(hub, batch_max=9) as doors:
        for wave in range(8):
            commands_of_wave = [act(wave, place) for place in range(60)]
            asked = [asyncio.create_task(doors[place % 2].try_(one)) for place, one in enumerate(commands_of_wave)]
            await asyncio.sleep(dice.uniform(0, 0.03))
            closing = [(door, model) for model in MODELS for door in (doors[wave % 2], doors[1])]
            outcomes = await gathered(
                close(door, f"close-{wave}-{place}", model) for place, (door, model) in enumerate(closing)
            )
            for (_, model), outcome in zip(closing, outcomes, strict=True):
                closed[model] += passed(outcome)
            assert {code(one) for one in outcomes} <= {"OK", "WINDOW_CLOSED"}
            acted = await gathered(asked)
            assert {code(one) for one in acted} == {"OK"}
    assert min(closed.values()) >= 8
    await invariants.check(hub)
    for model in MODELS:
        windows = await hub.sql("SELECT number FROM settlement_window WHERE model = $1 ORDER BY id", model)
        assert [row["number"] for row in windows] == list(range(1, closed[model] + 2))
    # Each movement's money is in one window, of the model that its two parties and its currency say.
    homes = await hub.sql(
        "SELECT bool_and(currency = 'CNY' AND owner <> 'SHOP') AS paired, min(model) AS least, max(model) AS most,"
        " count(DISTINCT window_id) AS windows FROM (SELECT l.movement_id, l.window_id, w.model, a.currency,"
        " i.document::json ->> 'code' AS owner FROM leg l JOIN settlement_window w ON w.id = l.window_id"
        " JOIN account a ON a.id IN (l.debit_account_id, l.credit_account_id) JOIN configuration_change i"
        " ON i.noun = 'institution' AND i.key = a.owner_id WHERE l.purpose <= 3) of GROUP BY movement_id"
    )
    assert {tuple(row) for row in homes} == {(True, "PAIR", "PAIR", 1), (False, "default", "default", 1)}
    # What was said to each caller about its window is where its money went.
    strays = await hub.sql(
        "SELECT 1 FROM conversion c JOIN movement m ON m.subject_id = c.id AND m.kind = 4"
        " JOIN leg l ON l.movement_id = m.id WHERE l.window_id <> c.window_id"
    )
    assert strays == []
    # An act of a batch after the one that closed a window is never of that window, and the reverse.
    assert (
        await hub.sql(
            "SELECT 1 FROM leg l JOIN settlement_window w ON w.id = l.window_id WHERE l.purpose <= 3"
            " AND (l.movement_id >> 20 > w.closed_in OR l.movement_id < w.id)"
        )
        == []
    )
    # Every position begins the next window at zero; what rounding left is the operator's, in its own account.
    for model in MODELS:
        await close(hub, f"last-{model}", model)
    left = await hub.sql(
        "SELECT sum(credits_posted - debits_posted) FROM account WHERE kind = 4 GROUP BY owner_id, currency"
    )
    assert {row[0] for row in left} == {0}
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_all_windows_settle_in_order_after_all_nets_are_paid(hub: Hub) -> None:
    await found(hub, 3, "100000")
    for wave in range(3):
        answers = await hub.batch([redeem(hub, f"{wave}-{who}", who, 101 + wave) for who in range(3)])
        assert all(map(passed, answers))
        assert passed(await close(hub, f"c{wave}"))
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    nets = await hub.sql(
        "SELECT n.*, w.number FROM window_net n JOIN settlement_window w ON w.id = n.window_id"
        " WHERE net <> 0 ORDER BY number"
    )
    by_window: dict[int, list[Any]] = defaultdict(list)
    for net in nets:
        by_window[net["number"]].append(net)

    def confirm(net: Any, key: str) -> commands.ConfirmSettlement:
        return commands.ConfirmSettlement(
            actor=hub.admin,
            key=key,
            window=net["window_id"],
            institution=codes[net["institution_id"]],
            currency=net["currency"],
            amount=format_millionths(net["net"], net["currency"]),
            value_date=None,
            reference="bank",
        )

    async with two(hub) as doors:
        early = await doors[0].try_(confirm(by_window[2][0], "early"))
        assert code(early) == "WINDOW_ORDER"
        for number in (1, 2, 3):
            outcomes = await gathered(
                door.try_(confirm(net, f"{number}-{place}-{side}"))
                for place, net in enumerate(by_window[number])
                for side, door in enumerate(doors)
            )
            # Each net is confirmed by one of the two; the other is late, and may find the whole window settled.
            found_codes = sorted(map(code, outcomes))
            assert found_codes == ["DUPLICATE"] * len(by_window[number]) + ["OK"] * len(by_window[number])
    statuses = await hub.sql("SELECT status FROM settlement_window ORDER BY number")
    assert [row[0] for row in statuses] == ["SETTLED", "SETTLED", "SETTLED", "OPEN"]
    subtrees = await hub.sql("SELECT subtree FROM position WHERE subtree <> 0")
    assert subtrees == []
    settled = await hub.sql("SELECT sum(credits_posted - debits_posted) FROM account WHERE kind = 5 GROUP BY owner_id")
    assert {row[0] for row in settled} == {0}
    await invariants.check(hub)


async def test_levels_add_up_in_every_window_that_is_closed_while_acts_come_and_institutions_move(hub: Hub) -> None:
    await found(hub, 6, "1000000")
    for number in range(4):
        await hub.institution(f"S{number}", parent="SHOP" if number % 2 else "AIR")
        await hub.institution(f"S{number}.1", parent=f"S{number}")
    leaves = [f"S{number}.1" for number in range(4)]
    dice = random.Random(36)
    async with two(hub, batch_max=9) as doors:
        for wave in range(5):
            acts = [
                redeem(hub, f"{wave}-{place}", dice.randrange(6), dice.randint(25, 999), dice.choice([*leaves, "S1"]))
                for place in range(40)
            ]
            asked = [asyncio.create_task(doors[place % 2].try_(one)) for place, one in enumerate(acts)]
            moving = commands.MoveInstitution(
                actor=hub.admin, code=f"S{wave % 4}", parent=dice.choice(["SHOP", "AIR", "HUB"])
            )
            outcomes = await gathered([doors[0].try_(moving), close(doors[wave % 2], f"close-{wave}")])
            assert {code(one) for one in (*outcomes, *await gathered(asked))} == {"OK"}
    assert passed(await close(hub, "last"))
    await invariants.check(hub)
    passes = await hub.sql("SELECT debits_posted, credits_posted FROM account WHERE kind = 11")
    assert passes
    assert all(row["debits_posted"] == row["credits_posted"] for row in passes)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
