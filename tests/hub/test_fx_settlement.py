"""Windows that are settled in one currency: what closing posts, who pays what, what is missing, and the audit of it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from hub import cut_offs, lookups, model_lookups, postgres
from hub.access import Role
from hub.audit import audit
from hub.cap_trials import trial
from hub.cli.window import _closed_as_json
from hub.errors import (
    Duplicate,
    Forbidden,
    FxRateMissing,
    InvalidAmount,
    InvalidInput,
    NotFound,
    RateOverlap,
    SameApprover,
    UnknownCurrency,
    WindowClosed,
)
from hub.host.windows import ClosedWindow
from hub.ledger import commands, window_rows
from hub.ledger.commands import CalendarTerms, Party
from hub.ledger.decide import Outcome
from hub.ledger.records import AccountKind
from hub.models import ModelKind
from hub.tables import settlement_window
from hub.versions import VersionStatus
from hub.webhooks import scheme
from hub.webhooks.endpoints import EventType
from hub.webhooks.event import Words
from tests.conftest import Hub, NewHub, Pass
from tests.hub.audited import check_every
from tests.hub.ledger.test_cover import put, terms
from tests.hub.ledger.test_defaults import clean, close, confirm, declare, status
from tests.properties import invariants

CNY = 1_000_000
_keys = iter(range(10**6))


async def found(hub: Hub) -> None:
    """A over DESK, B and C; of each currency B's and DESK's points are worth one unit."""
    for code, parent in (("A", "HUB"), ("DESK", "A"), ("B", "HUB"), ("C", "HUB")):
        await hub.institution(code, parent=parent)
    for issuer in ("DESK", "B"):
        for money in ("CNY", "USD", "JPY", "KWD"):
            await hub.currency(f"{issuer}-{money}", issuer, unit_value="1", money=money)
            await hub.issue(f"{issuer}-{money}", issuer, "alice", "1000000")


async def owe(hub: Hub, issuer: str, payee: str, amount: int, money: str) -> None:
    await hub.do(
        commands.Redeem(
            actor=hub.admin,
            key=f"fx-owe-{next(_keys)}",
            currency=f"{issuer}-{money}",
            customer=Party(issuer, "alice"),
            merchant=payee,
            amount=str(amount),
            memo=None,
        )
    )


async def views(hub: Hub, window: int) -> dict[tuple[str, str], tuple[int, int, bool, bool, int]]:
    """Of each net, in hundredths: the net, what is payable; whether it is paid and confirmed; what is due."""
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institutions
        return {
            (codes[one.net.institution].code, one.net.currency): (
                one.net.net // 10_000,
                one.net.payable // 10_000,
                one.paid,
                one.confirmed,
                one.due // 10_000,
            )
            for one in (await lookups.nets(reader, {window}))[window]
        }


async def preview(hub: Hub) -> dict[tuple[str, str], tuple[int, int]]:
    async with hub.reading.open(hub.admin) as reader:
        codes = reader.configuration.institutions
        window = await lookups.open_window(reader)
        assert window is not None
        return {
            (codes[one.net.institution].code, one.net.currency): (
                one.net.net // 10_000,
                one.net.payable // 10_000,
            )
            for one in await model_lookups.preview(reader, window)
        }


async def exposures(hub: Hub, *of: str) -> dict[tuple[str, str], int]:
    """What subtrees owe, in hundredths."""
    async with hub.reading.open(hub.admin) as reader:
        nodes = {reader.configuration.institution_codes[code]: code for code in of}
        found_of = await lookups.positions(reader, set(nodes))
        return {
            (nodes[node], one.currency): one.exposure // 10_000
            for node, listed in found_of.items()
            for one in listed
            if one.exposure
        }


async def money_left(hub: Hub) -> list[Any]:
    """What is on the accounts through which money passes."""
    kinds = (AccountKind.SETTLEMENT, AccountKind.FX, AccountKind.BANK, AccountKind.INTERNAL, AccountKind.ROUNDING)
    return await hub.sql(
        "SELECT kind, currency, credits_posted - debits_posted AS balance FROM account"
        " WHERE kind = ANY($1::smallint[]) AND credits_posted <> debits_posted",
        [int(kind) for kind in kinds],
    )


async def pay(hub: Hub, window: int) -> None:
    for (code, money), (_, _, _, _, due) in (await views(hub, window)).items():
        if due:
            await confirm(hub, window, code, f"{due / 100:.2f}", money)


async def test_what_is_owed_in_two_currencies_is_paid_in_each_or_exchanged_into_one(hub: Hub) -> None:
    await found(hub)
    # Each currency by itself: two lines.
    await owe(hub, "DESK", "B", 1200, "CNY")
    await owe(hub, "B", "DESK", 50, "USD")
    apart = await close(hub)
    assert await views(hub, apart) == {
        ("A", "CNY"): (-120000, -120000, False, False, -120000),
        ("B", "CNY"): (120000, 120000, False, False, 120000),
        ("DESK", "CNY"): (-120000, -120000, False, False, 0),
        ("A", "USD"): (5000, 5000, False, False, 5000),
        ("B", "USD"): (-5000, -5000, False, False, -5000),
        ("DESK", "USD"): (5000, 5000, False, False, 0),
    }
    # Exchanged at 7.20: 1,200.00 − 50.00 × 7.20 = 840.00, one payment.
    await hub.model("default", settle_in="CNY")
    await owe(hub, "DESK", "B", 1200, "CNY")
    await owe(hub, "B", "DESK", 50, "USD")
    await pay(hub, apart)
    with pytest.raises(FxRateMissing) as missing:
        await close(hub)
    assert missing.value.details == {"base": "USD", "quote": "CNY"}
    with pytest.raises(FxRateMissing):
        await preview(hub)
    dollar = await hub.fx_rate("USD", "7.20")
    expected = {
        ("A", "CNY"): (-120000, -84000),
        ("B", "CNY"): (120000, 84000),
        ("DESK", "CNY"): (-120000, -120000),  # goes to its parent, in its own currency
        ("A", "USD"): (5000, 0),
        ("B", "USD"): (-5000, 0),
        ("DESK", "USD"): (5000, 5000),
    }
    assert await preview(hub) == expected
    assert await exposures(hub, "A", "B") == {("A", "CNY"): 120000, ("B", "USD"): 5000}
    window = await close(hub)
    assert {place: of[:2] for place, of in (await views(hub, window)).items()} == expected
    made = await hub.sql("SELECT * FROM net_exchange ORDER BY movement_id")
    assert [(row["currency"], row["net"], row["rate_id"], row["into_currency"], row["value"]) for row in made] == [
        ("USD", 50 * CNY, dollar.id, "CNY", 360 * CNY),
        ("USD", -50 * CNY, dollar.id, "CNY", -360 * CNY),
    ]
    assert [tuple(row) for row in await money_left(hub)] == [(5, "CNY", -840 * CNY), (5, "CNY", 840 * CNY)]
    assert await exposures(hub, "A", "B", "DESK") == {("A", "CNY"): 84000, ("DESK", "CNY"): 120000}
    with pytest.raises(Duplicate):
        await confirm(hub, window, "A", "50.00", "USD")
    with pytest.raises(InvalidAmount) as wrong:
        await confirm(hub, window, "A", "-1200.00")
    assert wrong.value.details["expected"] == "-840.00"
    await confirm(hub, window, "A", "-840.00")
    # What A's dollars have become is paid, and with it what stands below A, in both currencies; B's waits.
    assert [of[2:] for of in (await views(hub, window)).values()] == [
        *((True, True, 0), (True, True, 0), (False, False, 84000)),  # CNY: A, DESK, B
        *((True, True, 0), (True, True, 0), (False, False, 0)),  # USD
    ]
    assert await exposures(hub, "A", "B", "DESK") == {}
    await confirm(hub, window, "B", "840.00")
    assert await status(hub, window) == "SETTLED"
    assert await money_left(hub) == []
    await clean(hub)


async def test_a_rate_is_two_persons_word_and_one_person_can_only_stop_closings(hub: Hub, pass_: Pass) -> None:
    usual: dict[str, Any] = {"actor": hub.admin, "base": "USD", "quote": "CNY", "rate": "7.2", "source": "PBOC"}
    usual["quoted_on"] = date(2026, 1, 5)
    for wrong, refusal in (
        ({"quote": "USD"}, InvalidInput),
        ({"base": "XAU"}, UnknownCurrency),
        ({"source": " "}, InvalidInput),
        ({"quoted_on": date(2999, 1, 1)}, InvalidInput),
        ({"rate": "0"}, InvalidAmount),
        ({"rate": "7.2000000000001"}, InvalidAmount),
        ({"starts": datetime(2020, 1, 1, tzinfo=UTC)}, InvalidInput),
    ):
        with pytest.raises(refusal):
            await hub.do(commands.ProposeFxRate(**{**usual, **wrong}))
    with pytest.raises(UnknownCurrency):
        await hub.do(hub.model_proposal("default", settle_in="XAU"))
    proposed = await hub.do(commands.ProposeFxRate(**usual))
    assert (proposed.version, proposed.status, proposed.starts) == (1, VersionStatus.PROPOSED, None)
    with pytest.raises(SameApprover):
        await hub.do(commands.ApproveFxRate(actor=hub.admin, id=proposed.id))
    await hub.institution("A")
    for kind in set(ModelKind) - {ModelKind.DEFERRED_NET_MULTILATERAL}:  # what two owe each other is no net of all
        with pytest.raises(InvalidInput):
            await hub.do(hub.model_proposal("PAIRS", ["A"], kind=kind, settle_in="CNY"))
    other, _ = await hub.key("A", Role.INSTITUTION_ADMIN)
    for asked in (
        commands.ProposeFxRate(**{**usual, "actor": other}),
        commands.ApproveFxRate(actor=other, id=proposed.id),
        commands.RejectFxRate(actor=other, id=proposed.id, reason="x"),
        commands.WithdrawFxRate(actor=other, id=proposed.id, reason="x"),
    ):
        with pytest.raises(Forbidden):
            await hub.do(asked)
    with pytest.raises(NotFound):
        await hub.do(commands.ApproveFxRate(actor=hub.second, id=1))
    first = await hub.do(commands.ApproveFxRate(actor=hub.second, id=proposed.id))
    assert first.starts is not None
    later = first.starts + timedelta(days=1)
    second = await hub.fx_rate("USD", "7.3", starts=later)
    again = await hub.do(commands.ProposeFxRate(**usual, starts=later))
    with pytest.raises(RateOverlap):
        await hub.do(commands.ApproveFxRate(actor=hub.second, id=again.id))
    # What was withdrawn is replaced by one that starts with it.
    euro = await hub.fx_rate("EUR", "7.9", starts=later)
    await hub.do(commands.WithdrawFxRate(actor=hub.admin, id=euro.id, reason="another day's"))
    assert (await hub.fx_rate("EUR", "7.95", starts=later)).status is VersionStatus.APPROVED
    # 7.3 was to follow, and is withdrawn: the day after there is no rate, until 7.2 is approved anew for it.
    await hub.institution("B")
    await hub.currency("BP", "B", unit_value="1", money="USD")
    await hub.issue("BP", "B", "alice", "1")
    await hub.do(
        commands.Redeem(
            actor=hub.admin, key="r", currency="BP", customer=Party("B", "alice"), merchant="A", amount="1", memo=None
        )
    )
    await hub.model("default", settle_in="CNY")
    ended = await hub.do(commands.WithdrawFxRate(actor=hub.admin, id=second.id, reason="a typing error"))
    assert ended.status is VersionStatus.WITHDRAWN
    assert (await preview(hub))["A", "CNY"] == (0, 720)
    pass_(timedelta(days=2))
    with pytest.raises(FxRateMissing):
        await close(hub)
    await hub.fx_rate("USD", "7.2")
    window = await close(hub)
    assert (await views(hub, window))["A", "CNY"][1] == 720
    await clean(hub)


async def test_the_schedule_waits_for_a_rate_and_then_closes_once(hub: Hub, pass_: Pass) -> None:
    await found(hub)
    minute = (datetime.now(UTC) + timedelta(hours=6)).strftime("%H:%M")
    calendar = CalendarTerms("UTC", (minute,), (1, 2, 3, 4, 5, 6, 7))
    await hub.model("default", settle_in="CNY", calendar=calendar)
    window = await hub.window()
    await owe(hub, "B", "DESK", 50, "USD")
    pass_(timedelta(hours=7))
    at = datetime.now(UTC) + timedelta(hours=7)
    for _ in range(2):
        await cut_offs.close_due(hub.database, hub.engine, at)
        assert await status(hub, window) == "OPEN"
    rate = await hub.fx_rate("USD", "7.20", starts=None)
    await owe(hub, "B", "DESK", 1, "USD")  # nothing is lost meanwhile
    await hub.reading.refresh()
    beside = hub.beside()
    await beside.reading.refresh()
    at = max(at, rate.starts + timedelta(seconds=1))
    for one in (hub, beside):
        await cut_offs.close_due(one.database, one.engine, at)
    assert await status(hub, window) == "CLOSED"
    assert (await views(hub, window))["B", "CNY"][1] == -36720  # 51 × 7.20
    tried = await hub.sql("SELECT refusal FROM outcome WHERE key LIKE 'cut-off-%' ORDER BY refusal")
    assert [row["refusal"] for row in tried] == ["FX_RATE_MISSING", None]  # asked twice without a rate, answered once
    with pytest.raises(WindowClosed):
        await hub.do(commands.CloseWindow(actor=hub.admin, key="again", window=window))
    await beside.close()


@pytest.fixture(scope="module")
async def story(hubs: NewHub) -> AsyncIterator[Hub]:
    """Four currencies, settled in CNY: DESK's debts cancel out with what it is owed, but for what B and C get; then
    one in which A does not pay, and one in which all of A's nets cancel out."""
    async with hubs() as hub:
        await found(hub)
        await hub.do(terms(hub, of="A", needed=False, due_days=0))
        await hub.model("default", settle_in="CNY")
        for base, rate in (("USD", "7.20"), ("JPY", "0.0482"), ("KWD", "23.45678")):
            await hub.fx_rate(base, rate)
        await owe(hub, "DESK", "B", 1200, "CNY")
        await owe(hub, "B", "DESK", 50, "USD")
        await owe(hub, "DESK", "C", 1031, "JPY")
        await owe(hub, "B", "C", 7, "KWD")
        await pay(hub, await close(hub))
        yield hub


async def test_four_currencies_of_none_two_and_three_digits_come_to_one(story: Hub) -> None:
    [row] = await story.sql("SELECT id FROM settlement_window WHERE number = 1")
    # A: −1200 + 360 − 49.6942 (1,031 JPY) = −889.6942; B: 1200 − 360 − 164.19746 (7 KWD) = 675.80254;
    # C: 49.6942 + 164.19746 = 213.89166; down −889.70, 675.80, 213.89, a cent is missing: A has lost most (.0058)
    assert {place: of[1] for place, of in (await views(story, row["id"])).items() if of[1] and place[0] != "DESK"} == {
        ("A", "CNY"): -88969,
        ("B", "CNY"): 67580,
        ("C", "CNY"): 21389,
    }
    values = await story.sql("SELECT currency, value FROM net_exchange ORDER BY movement_id")
    assert [(row["currency"], row["value"] // 10_000) for row in values] == [
        *(("JPY", -4969), ("USD", 36000)),  # A: −49.6942 up, because its total was
        *(("KWD", -16420), ("USD", -36000)),  # B: −164.19746 down
        *(("JPY", 4969), ("KWD", 16420)),  # C: .0042 and .00746 lost, and the cent of the total is the larger's
    ]
    assert await status(story, row["id"]) == "SETTLED"
    assert await money_left(story) == []
    await clean(story)


async def test_who_is_told_of_a_closing_is_told_what_is_payable(story: Hub) -> None:
    configuration = story.engine.configuration
    async with story.database.snapshot() as connection:
        windows = await window_rows.windows(connection, settlement_window.c.number == 1)
        nets = await window_rows.payable_nets(connection, windows)
    [window] = windows.values()
    words = Words(configuration)
    own = scheme.own_nets(words, nets[window.id], ())
    event = scheme.of_window(words, window, EventType.WINDOW_CLOSED, 1, window.opened_at, own)
    told = json.loads(event.payload(configuration.institution_codes["C"]))["data"]
    assert told["nets"] == [
        {"currency": "CNY", "net": "0.00", "payable": "213.89"},
        {"currency": "JPY", "net": "1031", "payable": "0"},
        {"currency": "KWD", "net": "7.000", "payable": "0.000"},
    ]
    codes = {id: node.code for id, node in configuration.institutions.items()}
    shown = _closed_as_json(ClosedWindow(window, nets[window.id], codes))["nets"]
    assert [(one["currency"], one["payable"]) for one in shown if one["institution"] == "C"] == [
        *(("CNY", "213.89"), ("JPY", "0")),
        ("KWD", "0.000"),
    ]


async def test_who_does_not_pay_defaults_on_the_one_net(hub: Hub) -> None:
    await found(hub)
    await hub.do(terms(hub, of="A", needed=False, due_days=0))
    await put(hub, "100", "col", of="A")
    await hub.model("CARD", ["A", "B", "C"], currencies=("CNY", "USD"), settle_in="CNY")
    await hub.fx_rate("USD", "7.20")
    await owe(hub, "DESK", "B", 1200, "CNY")
    await owe(hub, "B", "DESK", 50, "USD")
    await owe(hub, "B", "C", 10, "USD")  # C is owed 72.00, and has no net in CNY
    window = await close(hub, "CARD")
    with pytest.raises(InvalidInput):
        await hub.do(
            commands.ProposeDefault(
                actor=hub.admin, window=window, institution="A", currency="USD", reason="its dollars were exchanged"
            )
        )
    await declare(hub, window, "A")
    assert await exposures(hub, "A", "B", "DESK") == {("A", "CNY"): 84000}
    await hub.do(commands.CoverDefaults(actor=hub.admin, window=window, currency="CNY"))
    # 840 unpaid: 100 of collateral, 740 cut of B's 1200 − 432 = 768 and C's 72, in proportion: 676.57 and 63.43
    due = {place: of[4] for place, of in (await views(hub, window)).items() if of[4]}
    assert due == {("B", "CNY"): 76800 - 67657, ("C", "CNY"): 7200 - 6343}
    await clean(hub)
    await pay(hub, window)
    assert await status(hub, window) == "SETTLED"
    assert {row["kind"] for row in await money_left(hub)} == set()
    await clean(hub)


async def test_nets_that_cancel_out_are_settled_when_the_window_closes(hub: Hub) -> None:
    await found(hub)
    await hub.model("default", settle_in="CNY")
    await hub.fx_rate("USD", "7.20")
    await owe(hub, "DESK", "B", 360, "CNY")
    await owe(hub, "B", "DESK", 50, "USD")
    window = await close(hub)
    assert await status(hub, window) == "SETTLED"
    assert [of[1:4] for place, of in (await views(hub, window)).items() if place[0] != "DESK"] == [(0, True, True)] * 4
    assert await exposures(hub, "A", "B", "DESK") == {}
    assert await money_left(hub) == []
    # DESK owes KIOSK, both below A, which is owed dollars alone: what they owe each other is settled at once, and once.
    # Closed and paid in one batch.
    await hub.institution("KIOSK", parent="A")
    await owe(hub, "DESK", "KIOSK", 100, "CNY")
    await owe(hub, "B", "DESK", 10, "USD")
    window = await hub.window()
    closing = commands.CloseWindow(actor=hub.admin, key="close", window=window)
    paid = [
        commands.ConfirmSettlement(
            actor=hub.admin,
            key=code,
            window=window,
            institution=code,
            currency="CNY",
            amount=amount,
            value_date=None,
            reference="bank",
        )
        for code, amount in (("B", "-72.00"), ("A", "72.00"))
    ]
    answers = await hub.batch([closing, *paid])
    assert [answer.refusal for answer in answers if isinstance(answer, Outcome)] == [None] * 3
    assert await status(hub, window) == "SETTLED"
    assert await exposures(hub, "A", "B", "DESK", "KIOSK") == {}
    await clean(hub)
    # A was owed 720 CNY and owed 200 USD, 1,440 CNY: its exposure in CNY is that of the exchanged net, from then on.
    await owe(hub, "B", "DESK", 720, "CNY")
    await owe(hub, "DESK", "B", 200, "USD")
    await close(hub)
    async with hub.reading.open(hub.admin) as reader:
        node = reader.configuration.institution_codes["A"]
        yuan = await trial(reader, node, "CNY", 10**12, datetime(2020, 1, 1, tzinfo=UTC))
        dollars = await trial(reader, node, "USD", 10**12, datetime(2020, 1, 1, tzinfo=UTC))
    assert (yuan.exposure, yuan.peak) == (720 * CNY, 720 * CNY)
    assert (dollars.exposure, dollars.peak) == (0, 200 * CNY)
    await clean(hub)


async def test_the_audit_finds_every_change_of_an_exchange(story: Hub, postgres_server: postgres.Server) -> None:
    await invariants.check(story)
    one = "movement_id = (SELECT min(movement_id) FROM net_exchange)"
    other = "(SELECT rate_id FROM net_exchange WHERE currency = 'USD' LIMIT 1)"
    rate = "noun = 'fx_rate' AND document LIKE '%APPROVED%' AND document LIKE '%JPY%'"
    tampered = {
        "another rate's id": (f"UPDATE net_exchange SET rate_id = {other} WHERE {one}", "NET_EXCHANGE"),
        "another value": (f"UPDATE net_exchange SET value = value + 10000 WHERE {one}", "NET_EXCHANGE"),
        "another net": (f"UPDATE net_exchange SET net = net + 1000000 WHERE {one}", "NET_EXCHANGE"),
        "another currency": (f"UPDATE net_exchange SET into_currency = 'USD' WHERE {one}", "NET_EXCHANGE"),
        "another institution": (f"UPDATE net_exchange SET institution_id = 1 WHERE {one}", "NET_EXCHANGE"),
        "a missing one": (f"DELETE FROM net_exchange WHERE {one}", "NET_EXCHANGE"),
        "one too many": (
            "INSERT INTO net_exchange SELECT journal_id, movement_id + 1, window_id, institution_id, 'EUR', net,"
            f" rate_id, into_currency, value FROM net_exchange WHERE {one}",
            "NET_EXCHANGE",
        ),
        "two swapped": (
            "UPDATE net_exchange SET value = CASE WHEN value > 0 THEN 49700000 ELSE -49700000 END"
            " WHERE currency = 'JPY'",
            "NET_EXCHANGE",
        ),
        "a leg": ("UPDATE leg SET amount = amount + 10000 WHERE purpose = 40 AND n = 0", "ACT_LEGS"),
        "a leg's window": ("UPDATE leg SET window_id = window_id + 1 WHERE purpose = 40 AND n = 1", "ACT_LEGS"),
        "a movement's value": ("UPDATE movement SET value = value + 1 WHERE kind = 80", "NET_EXCHANGE"),
        "a rate": (
            f"UPDATE configuration_change SET document = replace(document, '48200000000', '48300000000') WHERE {rate}",
            "NET_EXCHANGE",
        ),
        "a rate's life": (
            f"UPDATE configuration_change SET document = replace(document, '48200000000', '48300000000') WHERE {rate}",
            "VERSION",
        ),
        "who approved": (
            f"UPDATE configuration_change SET credential_id = (SELECT credential_id FROM configuration_change"
            f" WHERE noun = 'fx_rate' AND document LIKE '%PROPOSED%' LIMIT 1) WHERE {rate}",
            "VERSION",
        ),
        "a rate that is gone": (
            'UPDATE configuration_change SET document = replace(document, \'"settle_in":"CNY"\', \'"settle_in":"USD"\')'
            " WHERE noun = 'model'",
            "NET_EXCHANGE",
        ),
    }
    await check_every(tampered, story, postgres_server)
    async with story.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
