"""Legal entities that forbid set-off: debtors count gross, and payables and receivables are settled apart."""

import random
from typing import Any

import pytest

from hub import lookups, postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import Forbidden, InvalidInput, LimitExceeded
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.conftest import Hub
from tests.hub.audited import tampered

CNY = 1_000_000
PARENTS = {
    "GROUP": "HUB",
    "ENTITY": "GROUP",  # forbids set-off
    "EAST": "ENTITY",
    "KIOSK": "EAST",
    "WEST": "ENTITY",
    "DESK": "GROUP",
    "SHOP": "HUB",
}


async def found(hub: Hub, *, forbidding: str = "ENTITY") -> None:
    """Everybody but the operator issues points at 0.05 CNY that everybody takes."""
    for code, parent in PARENTS.items():
        await hub.do(
            commands.CreateInstitution(
                actor=hub.admin,
                code=code,
                name=code,
                kind=Kind.OTHER,
                parent=parent,
                zones=(),
                auto_enroll=True,
                set_off=code != forbidding,
            )
        )
        await hub.currency(f"{code}-P", code)
        await hub.issue(f"{code}-P", code, "alice", "1000000")


def owing(hub: Hub, key: str, payer: str, payee: str, cny: int) -> commands.Redeem:
    """``payer`` comes to owe ``payee`` so many CNY."""
    return commands.Redeem(
        actor=hub.admin,
        key=key,
        currency=f"{payer}-P",
        customer=Party(payer, "alice"),
        merchant=payee,
        amount=str(cny * 20),
        memo=None,
    )


async def exposures(hub: Hub) -> dict[str, int]:
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institution_codes
        found = await lookups.positions(reader, set(codes.values()))
    return {code: found[id][0].exposure // CNY for code, id in codes.items() if id in found and found[id][0].exposure}


async def close(hub: Hub, key: str) -> int:
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key=key, window=window))
    return window


async def nets(hub: Hub, window: int) -> dict[str, int]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql("SELECT institution_id, net FROM window_net WHERE window_id = $1", window)
    return {codes[row["institution_id"]]: row["net"] // CNY for row in rows}


def confirm(hub: Hub, key: str, window: int, of: str, amount: int) -> commands.ConfirmSettlement:
    rest: dict[str, Any] = {"currency": "CNY", "value_date": None, "reference": "bank"}
    return commands.ConfirmSettlement(
        actor=hub.admin, key=key, window=window, institution=of, amount=str(amount), **rest
    )


async def clean(hub: Hub) -> None:
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_debtors_below_an_entity_that_forbids_set_off_count_gross_all_the_way_up(hub: Hub) -> None:
    await found(hub)
    await hub.do(owing(hub, "1", "EAST", "WEST", 10))  # inside the entity: nothing is set off
    assert await exposures(hub) == {"EAST": 10, "ENTITY": 10, "GROUP": 10}
    await hub.do(owing(hub, "2", "SHOP", "WEST", 30))  # what WEST is owed helps nobody
    assert await exposures(hub) == {"EAST": 10, "ENTITY": 10, "GROUP": 10, "SHOP": 30}
    await hub.do(owing(hub, "3", "SHOP", "KIOSK", 4))  # KIOSK stands below EAST, where set-off is allowed
    assert await exposures(hub) == {"EAST": 6, "ENTITY": 6, "GROUP": 6, "SHOP": 34}
    await hub.do(owing(hub, "4", "ENTITY", "DESK", 5))  # its own acts are a line of their own, too
    assert await exposures(hub) == {"EAST": 6, "ENTITY": 11, "GROUP": 11, "SHOP": 34}
    await clean(hub)


async def test_a_cap_is_held_against_what_is_owed_gross(hub: Hub) -> None:
    await found(hub)
    await hub.cap("GROUP", "12")
    await hub.do(owing(hub, "1", "EAST", "WEST", 10))
    with pytest.raises(LimitExceeded) as refused:
        await hub.do(owing(hub, "2", "EAST", "WEST", 3))  # inside the subtree, and yet it worsens its exposure
    assert refused.value.details == {"institution": "GROUP", "currency": "CNY", "cap": "12.00", "exposure": "13.00"}
    await hub.do(owing(hub, "3", "WEST", "EAST", 5))  # which improves it
    await hub.do(owing(hub, "4", "EAST", "WEST", 3))
    await clean(hub)


async def test_payables_and_receivables_are_settled_apart(hub: Hub) -> None:
    await found(hub)
    await hub.do(owing(hub, "1", "EAST", "WEST", 10))
    await hub.do(owing(hub, "2", "SHOP", "KIOSK", 4))
    await hub.do(owing(hub, "3", "ENTITY", "DESK", 5))
    window = await close(hub, "c")
    assert await nets(hub, window) == {
        "KIOSK": 4,
        "EAST": -6,  # with KIOSK: it allows set-off
        "WEST": 10,
        "ENTITY": -5,
        "DESK": 5,
        "GROUP": 5,  # of DESK alone
        "SHOP": -4,
    }
    assert await exposures(hub) == {"EAST": 6, "ENTITY": 11, "GROUP": 11, "SHOP": 4}
    with pytest.raises(InvalidInput):
        await hub.do(confirm(hub, "k", window, "KIOSK", 4))
    await hub.do(confirm(hub, "e", window, "EAST", -6))
    assert await exposures(hub) == {"ENTITY": 5, "GROUP": 5, "SHOP": 4}
    for code, amount in (("WEST", 10), ("ENTITY", -5), ("GROUP", 5), ("SHOP", -4)):
        await hub.do(confirm(hub, code, window, code, amount))
    assert await exposures(hub) == {}
    assert [row[0] for row in await hub.sql("SELECT status FROM settlement_window ORDER BY number")] == [
        "SETTLED",
        "OPEN",
    ]
    left = await hub.sql("SELECT * FROM position WHERE subtree <> 0 OR apart <> 0 OR gross <> 0")
    assert left == []
    await clean(hub)


async def test_forbidding_set_off_counts_from_the_next_window_on(hub: Hub) -> None:
    await found(hub, forbidding="")
    await hub.do(owing(hub, "1", "EAST", "WEST", 10))
    await hub.do(commands.SetSetOff(actor=hub.admin, code="ENTITY", allowed=False))
    await hub.do(owing(hub, "2", "EAST", "WEST", 10))
    assert await exposures(hub) == {"EAST": 20}
    first = await close(hub, "c1")
    await hub.do(owing(hub, "3", "EAST", "WEST", 10))
    assert await exposures(hub) == {"EAST": 10, "ENTITY": 10, "GROUP": 10}
    await hub.do(commands.SetSetOff(actor=hub.admin, code="ENTITY", allowed=True))
    second = await close(hub, "c2")
    third = await hub.window()
    assert await nets(hub, first) == {"EAST": -20, "WEST": 20, "ENTITY": 0, "GROUP": 0}
    assert await nets(hub, second) == {"EAST": -10, "WEST": 10}
    await hub.do(owing(hub, "4", "EAST", "WEST", 1))
    assert await close(hub, "c3") == third
    assert await nets(hub, third) == {"EAST": -1, "WEST": 1, "ENTITY": 0, "GROUP": 0}
    await clean(hub)
    entity, _ = await hub.key("ENTITY", Role.INSTITUTION_ADMIN)
    with pytest.raises(Forbidden):
        await hub.do(commands.SetSetOff(actor=entity, code="ENTITY", allowed=True))
    with pytest.raises(InvalidInput):
        await hub.do(commands.SetSetOff(actor=hub.admin, code="HUB", allowed=False))


def gross(node: str, own: dict[str, int]) -> int:
    """What a node's subtree owes, added up from everybody's own acts: set-off stops at ENTITY and at its children."""
    below = [one for one in PARENTS if node in above(one)]
    groups: dict[str, int] = {}
    for one in below:
        groups[group(one, node)] = groups.get(group(one, node), 0) + own.get(one, 0)
    return sum(max(0, -total) for total in groups.values())


def above(node: str) -> list[str]:
    return [node, *(above(PARENTS[node]) if node in PARENTS else [])]


def group(node: str, top: str) -> str:
    """In whose net a node's is, as far as that is looked at from ``top``."""
    while node != top and node != "ENTITY" and PARENTS[node] != "ENTITY":
        node = PARENTS[node]
    return node


async def test_exposures_are_what_the_single_acts_add_up_to(hub: Hub) -> None:
    await found(hub)
    dice, own = random.Random(5), dict.fromkeys([*PARENTS, "HUB"], 0)
    for number in range(12):
        batch = []
        for place in range(5):
            payer, payee = dice.choice(list(PARENTS)), dice.choice([*PARENTS, "HUB"])
            if payer != payee:
                amount = dice.randint(1, 30)
                own[payer], own[payee] = own[payer] - amount, own[payee] + amount
                batch.append(owing(hub, f"{number}.{place}", payer, payee, amount))
        await hub.batch(batch)
        expected = {node: gross(node, own) for node in PARENTS}
        assert {code: of for code, of in (await exposures(hub)).items() if code != "HUB"} == {
            code: of for code, of in expected.items() if of
        }
    await close(hub, "c")
    assert {code: of for code, of in (await exposures(hub)).items() if code != "HUB"} == {
        code: of for code, of in expected.items() if of
    }
    await clean(hub)


async def test_tampering_with_what_is_kept_apart_is_found(hub: Hub, postgres_server: postgres.Server) -> None:
    await found(hub)
    await hub.do(owing(hub, "1", "EAST", "WEST", 10))
    await close(hub, "c")
    for statement, expected in (
        ("UPDATE position SET gross = gross + 1", {"POSITION"}),
        ("UPDATE position SET apart = apart + 1", {"POSITION"}),
        (
            "UPDATE configuration_change SET document = replace(document, '\"allowed\":false', '\"allowed\":true')",
            {"ENTRY_CONTENT", "NET", "POSITION"},
        ),
    ):
        async with tampered(postgres_server, hub) as connection:
            await connection.exec_driver_sql(statement)
            assert expected <= {one.code for one in (await audit(connection)).findings}
