"""Cuts of a window: by the tree and by zones each leg is counted once, and both have the same totals."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from hub import lookups, postgres
from hub.access import Role
from hub.audit import audit
from hub.cuts import Share, by_tree, by_zone
from hub.errors import Duplicate, Forbidden, InvalidInput, NotFound, OrgCycle
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.zones import zones_at
from tests.conftest import Hub, Pass
from tests.hub.audited import tampered

DELTA, NORTH = "Yangtze Delta", "North"


async def found(hub: Hub) -> None:
    """ORG over HQ over EAST and WEST, merchants whose points SHOP and each other take at 0.05 CNY."""
    for code, parent in (("ORG", "HUB"), ("HQ", "ORG"), ("EAST", "HQ"), ("WEST", "HQ"), ("SHOP", "HUB")):
        await hub.institution(code, parent=parent)
    for code, issuer in (("EP", "EAST"), ("WP", "WEST")):
        await hub.currency(code, issuer)
        await hub.issue(code, issuer, "alice", "1000000")


def spending(hub: Hub, key: str, issuer: str, merchant: str, amount: int) -> commands.Redeem:
    return commands.Redeem(
        actor=hub.admin,
        key=key,
        currency=f"{issuer[0]}P",
        customer=Party(issuer, "alice"),
        merchant=merchant,
        amount=str(amount),
        memo=None,
    )


async def into(hub: Hub, of: str, *zones: str, later: timedelta | None = None, actor: int | None = None) -> None:
    starts = None if later is None else (await hub.sql("SELECT at FROM journal_head"))[0][0] + later
    await hub.do(commands.SetZones(actor=actor or hub.admin, institution=of, zones=zones, starts=starts))


async def cuts(hub: Hub, top: str, number: int) -> tuple[list[Share], list[Share]]:
    async with hub.reading.open(hub.admin) as reader:
        [window] = [one for one in await lookups.windows_page(reader, None, None, None, 50) if one.number == number]
        id = reader.configuration.institution_codes[top]
        return await by_tree(reader, window, id), await by_zone(reader, window, id)


def parts(hub: Hub, cut: Sequence[Share]) -> dict[str | None, tuple[int, int]]:
    """Debit and credit in cents, by institution or zone."""
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    return {
        (share.zone if share.institution is None else codes[share.institution]): (
            share.debit // 10_000,
            share.credit // 10_000,
        )
        for share in cut
    }


def totals(cut: Sequence[Share]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for share in cut:
        counted.update({f"{share.currency} debit": share.debit, f"{share.currency} credit": share.credit})
    return counted


async def test_a_merchant_in_the_tree_and_in_a_zone_is_counted_once_in_each(hub: Hub) -> None:
    await found(hub)
    await into(hub, "EAST", DELTA, NORTH)  # counted in the first of its zones
    await hub.do(spending(hub, "1", "EAST", "SHOP", 100))  # 5.00
    await hub.do(spending(hub, "2", "EAST", "WEST", 40))  # 2.00, inside HQ
    tree, zones = await cuts(hub, "HUB", 1)
    assert parts(hub, tree) == {"ORG": (700, 200), "SHOP": (0, 500)}
    assert parts(hub, zones) == {None: (0, 700), DELTA: (700, 0)}
    assert totals(tree) == totals(zones) == {"CNY debit": 7_000_000, "CNY credit": 7_000_000}
    tree, zones = await cuts(hub, "HQ", 1)
    assert parts(hub, tree) == {"EAST": (700, 0), "WEST": (0, 200)}
    assert parts(hub, zones) == {None: (0, 200), DELTA: (700, 0)}
    assert totals(tree) == totals(zones)
    with pytest.raises(OrgCycle):
        await hub.do(commands.MoveInstitution(actor=hub.admin, code="ORG", parent="EAST"))


async def test_an_effective_date_inside_a_window_splits_its_figures(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    await into(hub, "EAST", DELTA)
    await into(hub, "EAST", NORTH, later=timedelta(days=2))
    await into(hub, "EAST", later=timedelta(days=4))  # in no zone any more
    await hub.do(spending(hub, "1", "EAST", "SHOP", 100))
    pass_(timedelta(days=3))
    await hub.do(spending(hub, "2", "EAST", "SHOP", 40))
    await hub.do(spending(hub, "3", "WEST", "EAST", 20))
    pass_(timedelta(days=2))
    await hub.do(spending(hub, "4", "EAST", "SHOP", 10))
    for closing in ("first", "second"):  # while the window is open, and the same after it was closed
        tree, zones = await cuts(hub, "HUB", 1)
        assert parts(hub, zones) == {None: (50 + 100, 750), DELTA: (500, 0), NORTH: (200, 100)}
        assert totals(tree) == totals(zones)
        await hub.do(commands.CloseWindow(actor=hub.admin, key=closing, window=await hub.window()))
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_move_splits_the_history_by_windows(hub: Hub) -> None:
    await found(hub)
    await into(hub, "EAST", DELTA)
    await hub.do(spending(hub, "1", "EAST", "WEST", 100))
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="EAST", parent="SHOP"))
    await hub.do(spending(hub, "2", "EAST", "WEST", 20))
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window()))
    await hub.do(spending(hub, "3", "EAST", "WEST", 40))
    old, old_zones = await cuts(hub, "HUB", 1)
    new, new_zones = await cuts(hub, "HUB", 2)
    assert parts(hub, old) == {"ORG": (600, 600)}
    assert parts(hub, new) == {"ORG": (0, 200), "SHOP": (200, 0)}
    assert (totals(old), totals(new)) == (totals(old_zones), totals(new_zones))
    assert parts(hub, (await cuts(hub, "SHOP", 1))[0]) == {}


async def test_cuts_of_many_acts_have_one_total_on_every_level(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    dice, codes = random.Random(36), ["EAST", "WEST", "HQ", "ORG", "SHOP", "HUB"]
    for number in range(6):
        for of in dice.sample(codes, 2):
            named = dice.sample([DELTA, NORTH, "South"], dice.randint(0, 2))
            await into(hub, of, *named, later=timedelta(hours=dice.randint(1, 30)))
        pass_(timedelta(hours=dice.randint(1, 20)))
        await hub.batch(
            [
                spending(
                    hub,
                    f"{number}.{place}",
                    dice.choice(["EAST", "WEST"]),
                    dice.choice(codes),
                    dice.randint(1, 99),
                )
                for place in range(20)
            ]
        )
    for top in codes:
        tree, zones = await cuts(hub, top, 1)
        assert totals(tree) == totals(zones)
    whole = totals((await cuts(hub, "HUB", 1))[0])
    assert whole["CNY debit"] == whole["CNY credit"] > 0


async def test_zones_are_set_from_now_on_or_later_by_the_operator(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    await into(hub, "EAST", DELTA, later=timedelta(days=1))
    with pytest.raises(InvalidInput):
        await into(hub, "EAST", NORTH, later=-timedelta(days=1))
    [[at]] = await hub.sql("SELECT at FROM journal_head")
    same = commands.SetZones(actor=hub.admin, institution="EAST", zones=(NORTH,), starts=at + timedelta(days=3))
    await hub.do(same)
    with pytest.raises(Duplicate):
        await hub.do(same)
    for zones in (("",), (NORTH, NORTH), ("x" * 201,)):
        with pytest.raises(InvalidInput):
            await into(hub, "EAST", *zones)
    with pytest.raises(NotFound):
        await into(hub, "NOBODY", NORTH)
    other, _ = await hub.key("EAST", Role.INSTITUTION_ADMIN)
    with pytest.raises(Forbidden):
        await into(hub, "EAST", NORTH, actor=other)
    east = hub.engine.configuration.institutions[hub.engine.configuration.institution_codes["EAST"]]
    assert [zones_at(east, at + timedelta(days=day)) for day in (0, 2, 4)] == [(), (DELTA,), (NORTH,)]


async def test_zones_that_were_changed_in_the_past_are_found(hub: Hub, postgres_server: postgres.Server) -> None:
    await found(hub)
    await into(hub, "EAST", DELTA)
    last = "version = (SELECT max(version) FROM configuration_change WHERE noun = 'institution')"
    for before, after in (('"starts":"2', '"starts":"1'), ('"zones":[]', '"zones":["x"]')):
        async with tampered(postgres_server, hub) as connection:
            await connection.exec_driver_sql(
                f"UPDATE configuration_change SET document = replace(document, '{before}', '{after}') WHERE {last}"
            )
            assert {"ZONES", "ENTRY_CONTENT"} <= {one.code for one in (await audit(connection)).findings}
