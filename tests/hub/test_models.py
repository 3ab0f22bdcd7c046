"""Settlement models: which window money falls into, what each model's windows come to, and who says so."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import lookups, model_lookups, postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import Duplicate, Forbidden, InvalidInput, LimitExceeded, NotFound, SameApprover, WindowOrder
from hub.ledger import commands
from hub.ledger.commands import CalendarTerms, Party
from hub.models import ModelKind, SettlementModel, contested, takes, taking
from hub.versions import VersionStatus
from tests.concurrency.world import passed
from tests.conftest import Hub
from tests.hub.audited import tampered
from tests.properties import invariants

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HUB, A, B, C = 1, 2, 3, 4
CENT = 10_000
_numbers = itertools.count(1)


def version(code: str, members: tuple[int, ...], starts: datetime, **terms: Any) -> SettlementModel:
    usual = {"name": code, "kind": ModelKind.DEFERRED_NET_MULTILATERAL, "currencies": ("CNY",), "calendar": None}
    standing = {"id": next(_numbers), "starts": starts, "ends": None, "status": VersionStatus.APPROVED}
    return SettlementModel(**{**usual, **standing, "code": code, "members": members, **terms})


def test_a_model_takes_what_is_owed_between_two_members_and_by_and_to_the_operator() -> None:
    model = version("CARD", (A, B), NOW)
    pairs = {(A, B), (B, A), (A, A), (A, HUB), (HUB, B), (A, C), (C, HUB), (HUB, HUB)}
    taken = {(payer, payee) for payer, payee in pairs if takes(model, {payer, payee}, HUB)}
    assert taken == {(A, B), (B, A), (A, A), (A, HUB), (HUB, B)}


def test_a_version_takes_its_currencies_while_it_is_in_force() -> None:
    first, second = version("CARD", (A, B), NOW), version("CARD", (A,), NOW + DAY, ends=NOW + 2 * DAY)
    models = {"CARD": (first, second), "default": (version("default", (), NOW),)}
    assert taking(models, "CNY", NOW - DAY) == []
    assert taking(models, "USD", NOW) == []
    assert [taking(models, "CNY", NOW + days * DAY) for days in range(3)] == [[first], [second], [first]]


def test_nobodys_money_of_a_currency_is_in_two_models_at_any_instant() -> None:
    card = version("CARD", (A, B), NOW)
    without = version("CARD", (B,), NOW + 2 * DAY, ends=NOW + 4 * DAY)
    late = version("AIR", (A, C), NOW + 3 * DAY)
    assert contested({"CARD": (card,), "AIR": (late,)}, NOW) is not None
    assert contested({"CARD": (card, without), "AIR": (late,)}, NOW) is not None  # A is back in CARD on the fourth day
    assert contested({"CARD": (card, without), "AIR": (replace(late, ends=NOW + 4 * DAY),)}, NOW) is None
    assert contested({"CARD": (card,), "AIR": (replace(late, currencies=("USD",)),)}, NOW) is None


async def found(hub: Hub) -> None:
    """BANK's points pass through A; A and B settle in CARD, C does not. BANK's DP are worth dollars."""
    for code in ("A", "B", "C"):
        await hub.institution(code)
    await hub.institution("BANK", parent="A")
    await hub.institution("SHOP", parent="B")
    await hub.currency("BP", "BANK", unit_value="0.0033")
    await hub.currency("DP", "BANK", money="USD")
    await hub.currency("SP", "SHOP")
    await hub.currency("CP", "C")
    for currency in ("BP", "DP"):
        await hub.issue(currency, "BANK", "alice", "1000000")
    await hub.rate("BP", "SP", fee_percent="10")
    await hub.rate("BP", "CP", fee_percent="10")
    await hub.model("CARD", ["A", "B"])


async def redeem(hub: Hub, merchant: str, amount: int, currency: str = "BP") -> Any:
    return await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key=f"r{next(_numbers)}",
            currency=currency,
            customer=Party("BANK", "alice"),
            merchant=merchant,
            amount=str(amount),
            memo=None,
        )
    )


async def convert(hub: Hub, target: str, home: str, amount: int) -> Any:
    return await hub.do(
        commands.Convert(
            actor=hub.admin,
            key=f"v{next(_numbers)}",
            source=Party("BANK", "alice"),
            target=Party(home, "x"),
            source_currency="BP",
            target_currency=target,
            amount=str(amount),
            minimum_target=None,
        )
    )


async def close(hub: Hub, model: str = "default") -> int:
    window = await hub.window(model)
    await hub.do(commands.CloseWindow(actor=hub.admin, key=f"c{next(_numbers)}", window=window))
    return window


def confirm(hub: Hub, window: int, of: str, amount: str, currency: str = "CNY") -> commands.ConfirmSettlement:
    return commands.ConfirmSettlement(
        actor=hub.admin,
        key=f"p{next(_numbers)}",
        window=window,
        institution=of,
        currency=currency,
        amount=amount,
        value_date=None,
        reference="bank",
    )


async def models_of_legs(hub: Hub, act: Any) -> set[tuple[str, int]]:
    """The models, and how many legs of money in each, of an act's last movement."""
    found_rows = await hub.sql(
        "SELECT w.model, count(*) FROM leg l JOIN settlement_window w ON w.id = l.window_id WHERE l.movement_id ="
        " (SELECT max(id) FROM movement WHERE id = $1 OR subject_id = $1) GROUP BY w.model",
        act.id,
    )
    return {(row[0], row[1]) for row in found_rows}


async def nets(hub: Hub, window: int) -> dict[tuple[str, str], int]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql("SELECT institution_id, currency, net FROM window_net WHERE window_id = $1", window)
    return {(codes[row[0]], row[1]): row[2] for row in rows}


async def exposure(hub: Hub, code: str) -> int:
    id = hub.engine.configuration.institution_codes[code]
    rows = await hub.sql(
        "SELECT coalesce(sum(greatest(0, -subtree)), 0) FROM position p JOIN settlement_window w ON w.id = p.window_id"
        " AND w.status <> 'SETTLED' WHERE p.institution_id = $1 AND p.currency = 'CNY'",
        id,
    )
    return int(rows[0][0])


async def previewed(hub: Hub, window: int) -> dict[tuple[str, str], int]:
    async with hub.reading.open(hub.admin) as reader:
        of = (await lookups.windows(reader, {window}))[window]
        views = await model_lookups.preview(reader, of)
        return {
            (reader.configuration.institutions[one.net.institution].code, one.net.currency): one.net.net
            for one in views
        }


async def test_money_falls_into_the_window_of_the_model_that_both_members_and_the_currency_belong_to(hub: Hub) -> None:
    await found(hub)
    assert await models_of_legs(hub, await redeem(hub, "SHOP", 100)) == {("CARD", 1)}
    assert await models_of_legs(hub, await redeem(hub, "A", 100)) == {("CARD", 1)}  # within one member
    assert await models_of_legs(hub, await redeem(hub, "HUB", 100)) == {("CARD", 1)}
    assert await models_of_legs(hub, await redeem(hub, "C", 100)) == {("default", 1)}
    assert await models_of_legs(hub, await redeem(hub, "SHOP", 100, "DP")) == {("default", 1)}
    # The whole of a movement, its fee included: BANK owes the operator in either window.
    assert await models_of_legs(hub, await convert(hub, "SP", "SHOP", 1000)) == {("CARD", 2)}
    outside = await convert(hub, "CP", "C", 1000)
    assert await models_of_legs(hub, outside) == {("default", 2)}
    assert outside.window == await hub.window()
    await hub.do(commands.Reverse(actor=hub.admin, key="back", id=outside.id, amount=None, reason="x"))
    assert await models_of_legs(hub, outside) == {("default", 2)}
    card = await hub.window("CARD")
    # Of 100 BP 0.33 are owed three times, of 1,000 SP 50.00 and 5.00; in dollars and at C nothing here.
    assert await previewed(hub, card) == {
        ("BANK", "CNY"): -5599 * CENT,  # and 0.33 of it to A, which stands above it
        ("A", "CNY"): -5566 * CENT,
        ("SHOP", "CNY"): 5033 * CENT,
        ("B", "CNY"): 5033 * CENT,
        ("HUB", "CNY"): 533 * CENT,
    }
    expected = {window: await previewed(hub, window) for window in (card, await hub.window())}
    # Two models' windows close in one batch; each as it was said.
    closing = [
        commands.CloseWindow(actor=hub.admin, key=f"both-{number}", window=window)
        for number, window in enumerate(expected)
    ]
    assert [passed(answer) for answer in await hub.batch(closing)] == [True, True]
    assert {window: await nets(hub, window) for window in expected} == expected
    rows = await hub.sql("SELECT model, number, ordinal, status FROM settlement_window ORDER BY ordinal")
    assert [tuple(row) for row in rows] == [
        ("default", 1, 1, "CLOSED"),
        ("CARD", 1, 2, "CLOSED"),
        ("CARD", 2, 3, "OPEN"),
        ("default", 2, 4, "OPEN"),
    ]
    await invariants.check(hub)


async def test_windows_of_each_model_settle_in_their_order_and_exposure_is_over_all_of_them(hub: Hub) -> None:
    await found(hub)
    await redeem(hub, "SHOP", 10_000)  # 33.00 in CARD
    await redeem(hub, "C", 20_000)  # 66.00 in default
    assert await exposure(hub, "A") == 9900 * CENT
    await hub.cap("A", "100.00")
    with pytest.raises(LimitExceeded) as no:
        await redeem(hub, "SHOP", 1000)
    assert no.value.details["exposure"] == "102.30"
    first, card = await close(hub), await close(hub, "CARD")
    await redeem(hub, "B", 100)
    second = await close(hub, "CARD")
    with pytest.raises(WindowOrder):
        await hub.do(confirm(hub, second, "A", "-0.33"))
    # CARD's windows do not wait for the default's, which was opened and closed before them.
    for window, amount in ((card, "33.00"), (second, "0.33")):
        await hub.do(confirm(hub, window, "A", f"-{amount}"))
        await hub.do(confirm(hub, window, "B", amount))
    statuses = await hub.sql("SELECT model, status FROM settlement_window WHERE status <> 'OPEN' ORDER BY ordinal")
    assert [tuple(row) for row in statuses] == [("default", "CLOSED"), ("CARD", "SETTLED"), ("CARD", "SETTLED")]
    assert await exposure(hub, "A") == 6600 * CENT
    await hub.do(confirm(hub, first, "A", "-66.00"))
    await hub.do(confirm(hub, first, "C", "66.00"))
    assert await exposure(hub, "A") == 0
    await invariants.check(hub)


async def test_a_move_counts_from_the_next_window_of_each_model(hub: Hub) -> None:
    await found(hub)
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="BANK", parent="C"))
    await hub.institution("KIOSK", parent="B")  # is there at once, in all windows
    await redeem(hub, "KIOSK", 10_000)
    card = await close(hub, "CARD")
    assert await nets(hub, card) == {
        ("BANK", "CNY"): -3300 * CENT,
        ("A", "CNY"): -3300 * CENT,
        ("KIOSK", "CNY"): 3300 * CENT,
        ("B", "CNY"): 3300 * CENT,
    }
    # In CARD's next window BANK stands below C, which is no member; the default's window is still the old one.
    assert await models_of_legs(hub, await redeem(hub, "SHOP", 10_000)) == {("default", 1)}
    window = await close(hub)
    assert (await nets(hub, window))["A", "CNY"] == -3300 * CENT
    await redeem(hub, "SHOP", 10_000)
    window = await close(hub)
    assert (await nets(hub, window))["C", "CNY"] == -3300 * CENT
    await invariants.check(hub)


async def test_what_a_participant_pays_in_several_currencies_takes_effect_together(hub: Hub) -> None:
    await found(hub)
    await redeem(hub, "C", 10_000)  # 33.00 CNY
    await redeem(hub, "C", 100, "DP")  # 5.00 USD
    window = await close(hub)
    await hub.do(confirm(hub, window, "A", "-33.00"))
    assert await exposure(hub, "A") == 3300 * CENT  # it has paid CNY, but not USD: neither is final
    assert await exposure(hub, "BANK") == 3300 * CENT
    with pytest.raises(Duplicate):
        await hub.do(confirm(hub, window, "A", "-33.00"))
    bank = await hub.sql("SELECT debits_posted - credits_posted FROM account WHERE kind = 6 AND currency = 'CNY'")
    assert [row[0] for row in bank] in ([3300 * CENT], [-3300 * CENT])  # the bank has it all the same
    await hub.do(confirm(hub, window, "C", "33.00"))
    await hub.do(confirm(hub, window, "C", "5.00", "USD"))
    async with hub.reading.open(hub.admin) as reader:
        views = (await lookups.nets(reader, {window}))[window]
        codes = reader.configuration.institutions
        seen = {(codes[v.net.institution].code, v.net.currency): (v.confirmed, v.paid) for v in views}
    assert seen == {
        ("A", "CNY"): (False, True),
        ("BANK", "CNY"): (False, True),
        ("C", "CNY"): (True, True),
        ("A", "USD"): (False, False),
        ("BANK", "USD"): (False, False),
        ("C", "USD"): (True, True),
    }
    await invariants.check(hub)
    await hub.do(confirm(hub, window, "A", "-5.00", "USD"))
    assert await exposure(hub, "A") == 0
    assert [row[0] for row in await hub.sql("SELECT status FROM settlement_window WHERE id = $1", window)] == [
        "SETTLED"
    ]
    assert await hub.sql("SELECT 1 FROM position WHERE subtree <> 0") == []
    await invariants.check(hub)


async def test_a_version_is_proposed_and_approved_by_two_persons_and_says_what_is(hub: Hub) -> None:
    await found(hub)
    someone, _ = await hub.key("A", Role.INSTITUTION_ADMIN)
    week = (1, 2, 3, 4, 5)
    for wrong, error in (
        (hub.model_proposal("X", ["BANK"]), InvalidInput),  # not directly below the operator
        (hub.model_proposal("X", ["A", "A"]), InvalidInput),
        (hub.model_proposal("X", ["A"], ()), InvalidInput),
        (hub.model_proposal("X", ["NOBODY"]), NotFound),
        (hub.model_proposal("default", ["A"]), InvalidInput),
        (hub.model_proposal("X", ["A"], actor=someone), Forbidden),
        (hub.model_proposal("X", ["A"], starts=NOW - DAY), InvalidInput),
        *(
            (hub.model_proposal("default", calendar=CalendarTerms(*terms)), InvalidInput)
            for terms in (
                ("Mars/Olympus", ("16:00",), week),
                ("UTC", (), week),
                ("UTC", ("24:00",), week),
                ("UTC", ("16:00:00",), week),
                ("UTC", ("16:00", "16:00"), week),
                ("UTC", ("16:00",), ()),
                ("UTC", ("16:00",), (0,)),
                ("UTC", ("16:00",), week, ("20261001",)),
                ("UTC", ("16:00",), week, ("2026-02-30",)),
            )
        ),
    ):
        with pytest.raises(error):
            await hub.do(wrong)
    proposed = await hub.do(hub.model_proposal("AIR", ["C"], ("CNY", "USD")))
    assert await hub.sql("SELECT 1 FROM settlement_window WHERE model = 'AIR'") == []
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveModel(actor=hub.admin, id=proposed.id))
    await hub.do(commands.ApproveModel(actor=hub.second, id=proposed.id))
    assert await models_of_legs(hub, await redeem(hub, "C", 100)) == {("default", 1)}  # A is no member
    contested_one = await hub.do(hub.model_proposal("AIR", ["A", "C"]))
    with pytest.raises(Duplicate):
        await hub.do(commands.ApproveModel(actor=hub.second, id=contested_one.id))
    await hub.do(commands.RejectModel(actor=hub.admin, id=contested_one.id, reason="A is in CARD"))
    [card] = hub.engine.configuration.models["CARD"]
    await hub.do(commands.WithdrawModel(actor=hub.second, id=card.id, reason="over"))
    assert await models_of_legs(hub, await redeem(hub, "SHOP", 100)) == {("default", 1)}
    await invariants.check(hub)


async def test_tampering_with_models_and_their_windows_is_found(hub: Hub, postgres_server: postgres.Server) -> None:
    await found(hub)
    await redeem(hub, "SHOP", 100)
    await redeem(hub, "C", 100)
    await hub.model("AIR", ["C"])
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    codes = hub.engine.configuration.institution_codes
    other = "(SELECT max(id) FROM settlement_window w WHERE w.id <> leg.window_id)"
    for statement, expected in (
        (f"UPDATE leg SET window_id = {other} WHERE window_id IS NOT NULL", {"ENTRY_CONTENT", "LEG_MODEL"}),
        ("UPDATE settlement_window SET ordinal = ordinal + 5", {"WINDOW"}),
        ("UPDATE settlement_window SET due_at = opened_at", {"WINDOW"}),
        ("UPDATE settlement_window SET model = 'NONE' WHERE model = 'CARD'", {"ENTRY_CONTENT", "WINDOW"}),
        ("UPDATE settlement_window SET together = false WHERE model = 'CARD'", {"WINDOW"}),
        (
            "UPDATE configuration_change SET credential_id = (SELECT min(credential_id) FROM configuration_change c"
            " WHERE c.noun = 'model') WHERE noun = 'model'",
            {"ENTRY_CONTENT", "VERSION"},
        ),
        (
            f"UPDATE configuration_change SET document = replace(document, '[{codes['C']}]', '[{codes['A']}]')",
            {"ENTRY_CONTENT", "MODEL"},
        ),
    ):
        async with tampered(postgres_server, hub) as connection:
            await connection.exec_driver_sql(statement)
            assert expected <= {one.code for one in (await audit(connection)).findings}, statement
