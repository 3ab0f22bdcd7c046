"""Events: what acts, rates and windows come to, for whom, and what is never told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hub import ids
from hub.access import Role
from hub.currencies import RateConsent
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.models import ModelKind
from hub.partners import Reason, Status
from hub.reconciliation.breaks import Ending, Found, Run
from hub.webhooks.endpoints import EventType
from tests.hub.agreed import agree, grant
from tests.hub.ledger.test_breaks import DAY, approval, proposal, reconcile
from tests.hub.ledger.test_breaks import found as differing
from tests.hub.ledger.test_exchanges import REMOTE
from tests.hub.ledger.test_granting import issue
from tests.hub.webhooks.conftest import World

NOWHERE = "http://127.0.0.1:9/"


async def told(world: World, *institutions: str) -> dict[str, list[Any]]:
    """What each institution is told, in order, without times and identifiers of batches."""
    await world.process.follow()
    by_webhook = {one.id: home for home, one in world.hub.engine.configuration.webhooks.items()}
    codes = {id: one.code for id, one in world.hub.engine.configuration.institutions.items()}
    found: dict[str, list[Any]] = {code: [] for code in institutions}
    for row in await world.events():
        payload = json.loads(row["payload"])
        assert payload["type"] == row["type"]
        assert payload["subject"] == row["subject"]
        assert datetime.fromisoformat(payload["timestamp"]) == row["happened_at"]
        found[codes[by_webhook[row["webhook_id"]]]].append(payload)
    return found


def types(payloads: list[Any]) -> list[str]:
    return [payload["type"] for payload in payloads]


async def listen(world: World, *institutions: str) -> None:
    for code in institutions:
        await world.webhook(code, NOWHERE)


async def test_acts_are_told_to_those_who_see_them_and_to_nobody_else(world: World) -> None:
    hub = world.hub
    await listen(world, "HUB", "BANK", "AIR", "SHOP", "BRANCH")
    await hub.issue("BP", "BRANCH", "alice", "100")
    bank = Party("BANK", "bob")
    transfer = await hub.do(
        commands.Transfer(
            actor=hub.admin, key="t", currency="BP", source=Party("BRANCH", "alice"), target=bank, amount="60",
            memo="secret memo",
        )
    )  # fmt: skip
    redeemed = await hub.do(
        commands.Redeem(
            actor=hub.admin, key="r", currency="BP", customer=bank, merchant="SHOP", amount="40", memo="secret memo"
        )
    )
    found = await told(world, "HUB", "BANK", "AIR", "SHOP", "BRANCH")
    assert types(found["BRANCH"]) == ["issue.posted", "transfer.posted"]
    assert types(found["BANK"]) == ["issue.posted", "transfer.posted", "redemption.posted"]  # its branch's as well
    assert found["HUB"] == found["BANK"]
    assert types(found["SHOP"]) == ["redemption.posted"]
    assert found["AIR"] == []
    alice, bob = (ids.text(ids.CUSTOMER, one.id) for one in (transfer.source, transfer.target))
    assert found["BANK"][1] == {
        "type": "transfer.posted",
        "timestamp": found["BANK"][1]["timestamp"],
        "subject": ids.text(ids.TRANSFER, transfer.id),
        "sequence": str(transfer.id),
        "data": {
            "id": ids.text(ids.TRANSFER, transfer.id),
            "points": {"amount": "60", "currency": "BP"},
            "from": {"institution": "BRANCH", "customer": alice},
            "to": {"institution": "BANK", "customer": bob},
        },
    }
    assert found["SHOP"][0]["data"] == {  # 40 x 0.05 = 2.00
        "id": ids.text(ids.REDEMPTION, redeemed.id),
        "points": {"amount": "40", "currency": "BP"},
        "from": {"institution": "BANK", "customer": bob},
        "merchant": "SHOP",
        "value": {"amount": "2.00", "currency": "CNY"},
    }


async def test_neither_references_nor_memos_are_ever_told(world: World) -> None:
    await listen(world, "HUB", "BANK")
    await world.hub.issue("BP", "BANK", "alice", "1000")
    made = await world.convert("c", "250")
    await world.reverse("r", made.id, "1")
    await world.hold("h", "5", datetime.now(UTC) + timedelta(days=1))
    await world.process.follow()
    for row in await world.events():
        for text in ("alice", "anna", "memo", "returned"):
            assert text not in row["payload"]


async def test_a_conversion_is_told_at_both_ends_with_its_figures_and_its_reversal(world: World) -> None:
    """250 BP at 1:25 are 10 MILE, paid at 0.05 CNY each: 0.50; the fee is 1 % of that."""
    await world.hub.issue("BP", "BANK", "alice", "1000")
    await listen(world, "BANK", "AIR", "SHOP")
    made = await world.convert("c", "250")
    await world.reverse("r1", made.id, "4")
    await world.reverse("r2", made.id)
    found = await told(world, "BANK", "AIR", "SHOP")
    id = ids.text(ids.CONVERSION, made.id)
    assert found["SHOP"] == []
    assert found["BANK"] == found["AIR"]
    assert types(found["AIR"]) == [
        *("conversion.completed", "reversal.posted", "reversal.posted", "conversion.reversed"),
    ]
    completed, part, _, reversed_ = found["AIR"]
    assert {one["subject"] for one in found["AIR"]} == {id}
    assert completed["data"] == {
        "id": id,
        "status": "COMPLETED",
        "rate": ids.text(ids.RATE, world.rate.id),
        "from": {"institution": "BANK", "customer": ids.text(ids.CUSTOMER, made.source.id)},
        "to": {"institution": "AIR", "customer": ids.text(ids.CUSTOMER, made.target.id)},
        "source": {"amount": "250", "currency": "BP"},
        "target": {"amount": "10", "currency": "MILE"},
        "bonus": {"amount": "0", "currency": "MILE"},
        "fee": {"amount": "0.005", "currency": "CNY"},
        "settlement": {"amount": "0.50", "currency": "CNY"},
    }
    assert part["data"]["points"] == {"amount": "4", "currency": "MILE"}
    assert part["data"]["of"] == id
    assert reversed_["data"] == completed["data"] | {"status": "REVERSED"}


async def test_holds_are_told_by_how_they_end(world: World) -> None:
    hub = world.hub
    await hub.issue("BP", "BANK", "alice", "1000")
    await listen(world, "BANK", "SHOP")
    soon = datetime.now(UTC) + timedelta(hours=1)
    captured, released, expired = [await world.hold(f"h{n}", "10", soon) for n in range(3)]
    await hub.do(
        commands.CaptureHold(actor=hub.admin, key="c", hold=captured.id, amount="7", target=None, merchant="SHOP")
    )
    await hub.do(commands.ReleaseHold(actor=hub.admin, key="r", hold=released.id))
    later = hub.beside(clock=lambda now: now + timedelta(hours=2))
    [account] = await hub.sql("SELECT id FROM account WHERE kind = 1 AND currency = 'BP'")
    await later.do(commands.Lapse(actor=hub.admin, accounts=(account["id"],)))
    await later.close()
    found = await told(world, "BANK", "SHOP")
    assert found["SHOP"] == []  # a hold is its customer's institution's alone
    assert [(one["type"], one["subject"], one["data"]["captured"]) for one in found["BANK"]] == [
        ("hold.captured", ids.text(ids.HOLD, captured.id), "7"),
        ("hold.released", ids.text(ids.HOLD, released.id), "0"),
        ("hold.expired", ids.text(ids.HOLD, expired.id), "0"),
    ]
    assert [one["data"]["status"] for one in found["BANK"]] == ["CAPTURED", "RELEASED", "EXPIRED"]


async def test_the_end_of_a_freeze_is_no_end_of_a_hold(world: World) -> None:
    hub = world.hub
    await hub.issue("BP", "BANK", "alice", "1000")
    await listen(world, "BANK")
    frozen = await hub.do(
        commands.FreezePoints(
            actor=hub.admin, key="f", currency="BP", customer=Party("BANK", "alice"), amount="5", reason="r"
        )
    )
    release = commands.FreezeOutcome.RELEASE
    await hub.do(commands.ResolveFreeze(actor=hub.admin, key="e", freeze=frozen.hold.id, outcome=release, reason="r"))
    assert (await told(world, "BANK"))["BANK"] == []


async def test_points_that_are_over_are_told_to_the_holder_s_institution_and_the_issuer(world: World) -> None:
    hub = world.hub
    await listen(world, "BANK", "AIR", "SHOP")
    await hub.do(
        commands.Issue(
            actor=hub.admin, key="i", currency="BP", to=Party("AIR", "anna"), amount="9", earned_at=None,
            expires_at=datetime.now(UTC) + timedelta(hours=1), memo=None,
        )
    )  # fmt: skip
    later = hub.beside(clock=lambda now: now + timedelta(hours=2))
    [account] = await hub.sql("SELECT id FROM account WHERE kind = 1 AND currency = 'BP'")
    await later.do(commands.Lapse(actor=hub.admin, accounts=(account["id"],)))
    await later.close()
    found = await told(world, "BANK", "AIR", "SHOP")
    assert types(found["AIR"]) == types(found["BANK"]) == ["issue.posted", "points.expired"]
    assert found["SHOP"] == []
    over = found["AIR"][1]
    assert over["data"]["points"] == {"amount": "9", "currency": "BP"}
    assert over["subject"] == over["data"]["customer"]["customer"]


async def test_rates_are_told_to_their_issuers_through_their_whole_life(world: World) -> None:
    hub = world.hub
    await listen(world, "BANK", "AIR", "SHOP")
    await hub.currency("NP", "BANK")
    await hub.currency("AP", "AIR", rate_consent=RateConsent.ISSUER)
    admin, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN)
    rate = await hub.do(hub.proposal("NP", "AP", "2:3"))
    await hub.do(commands.AcceptRate(actor=admin, id=rate.id))
    await hub.do(commands.ApproveRate(actor=hub.second, id=rate.id))
    await hub.do(commands.WithdrawRate(actor=hub.admin, id=rate.id, reason="secret", cancel_quotes=False))
    other = await hub.do(hub.proposal("NP", "AP", "1:3"))
    await hub.do(commands.RejectRate(actor=hub.admin, id=other.id, reason="secret"))
    found = await told(world, "BANK", "AIR", "SHOP")
    assert found["BANK"] == found["AIR"]
    assert found["SHOP"] == []
    assert types(found["AIR"]) == [
        *("rate.proposed", "rate.accepted", "rate.approved", "rate.withdrawn"),
        *("rate.proposed", "rate.rejected"),
    ]
    first = found["AIR"][0]["data"]
    assert (first["id"], first["status"]) == (ids.text(ids.RATE, rate.id), "PROPOSED")
    assert (first["source"], first["target"]) == ("NP", "AP")
    assert first["ratio"] == {"numerator": "2", "denominator": "3"}
    assert first["awaiting"] == ["TARGET_ISSUER", "OPERATOR"]
    assert found["AIR"][3]["data"]["status"] == "WITHDRAWN"


async def test_windows_are_told_to_all_each_with_its_own_nets(world: World) -> None:
    """40 BP at SHOP: BANK owes 40 x 0.05 = 2.00."""
    hub = world.hub
    await hub.issue("BP", "BANK", "alice", "100")
    await listen(world, "BANK", "AIR", "SHOP")
    await hub.do(
        commands.Redeem(
            actor=hub.admin, key="r", currency="BP", customer=Party("BANK", "alice"), merchant="SHOP", amount="40",
            memo=None,
        )
    )  # fmt: skip
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=window))
    for code, amount in (("BANK", "-2.00"), ("SHOP", "2.00")):
        await hub.do(
            commands.ConfirmSettlement(
                actor=hub.admin, key=code, window=window, institution=code, currency="CNY", amount=amount,
                value_date=None, reference="secret reference",
            )
        )  # fmt: skip
    found = await told(world, "BANK", "AIR", "SHOP")
    for code, nets in (
        ("BANK", [{"currency": "CNY", "net": "-2.00"}]),
        ("AIR", []),
        ("SHOP", [{"currency": "CNY", "net": "2.00"}]),
    ):
        closed, settled = (one for one in found[code] if one["type"].startswith("window."))
        assert (closed["type"], settled["type"]) == ("window.closed", "window.settled")
        assert closed["subject"] == settled["subject"] == ids.text(ids.WINDOW, window)
        assert closed["data"] == {
            "id": ids.text(ids.WINDOW, window),
            "status": "CLOSED",
            "model": closed["data"]["model"],
            "number": 1,
            "nets": nets,
        }
        assert settled["data"] == closed["data"] | {"status": "SETTLED"}


async def test_who_settles_in_pairs_is_told_what_it_owes_each_counterparty(world: World) -> None:
    """40 and 30 BP: BANK owes SHOP 2.00 and AIR 1.50, and nobody else anything."""
    hub = world.hub
    await hub.model("PAIRS", ["AIR", "BANK", "SHOP"], kind=ModelKind.DEFERRED_NET_BILATERAL)
    await hub.issue("BP", "BANK", "alice", "100")
    await listen(world, "BANK", "AIR")
    for merchant, amount in (("SHOP", "40"), ("AIR", "30")):
        alice = Party("BANK", "alice")
        redeem = commands.Redeem(
            actor=hub.admin, key=merchant, currency="BP", customer=alice, merchant=merchant, amount=amount, memo=None
        )
        await hub.do(redeem)
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window("PAIRS")))
    found = await told(world, "BANK", "AIR")
    [bank, air] = [next(one for one in found[code] if one["type"] == "window.closed") for code in ("BANK", "AIR")]
    owed = [{"counterparty": "AIR", "amount": "-1.50"}, {"counterparty": "SHOP", "amount": "-2.00"}]
    assert bank["data"]["nets"] == [{"currency": "CNY", "net": "-3.50", "obligations": owed}]
    owing = [{"counterparty": "BANK", "amount": "1.50"}]
    assert air["data"]["nets"] == [{"currency": "CNY", "net": "1.50", "obligations": owing}]


async def test_an_empty_window_is_closed_and_settled_in_one_batch_in_this_order(world: World) -> None:
    """That of a model is told to its members."""
    hub, both = world.hub, ["window.closed", "window.settled"]
    await listen(world, "BANK", "AIR")
    await hub.do(commands.CloseWindow(actor=hub.admin, key="c", window=await hub.window()))
    await hub.model("PAIR", ["AIR", "SHOP"])
    await hub.do(commands.CloseWindow(actor=hub.admin, key="p", window=await hub.window("PAIR")))
    found = await told(world, "BANK", "AIR")
    assert {code: types(events) for code, events in found.items()} == {"BANK": both, "AIR": [*both, *both]}


async def test_a_conversion_s_other_states_are_told_by_its_status(world: World) -> None:
    """As partners' conversions will leave them: by a batch that changes the row."""
    await world.hub.issue("BP", "BANK", "alice", "1000")
    await listen(world, "AIR")
    made = await world.convert("c")
    await told(world, "AIR")
    for status in ("PENDING", "IN_DOUBT", "REFUSED"):
        await world.hub.issue("BP", "BANK", "alice", "1")
        [head] = await world.hub.sql("SELECT batch FROM journal_head")
        await world.hub.sql(
            "UPDATE conversion SET status = $1, changed_in = $2 WHERE id = $3", status, head["batch"], made.id
        )
        payload = (await told(world, "AIR"))["AIR"][-1]
        assert (payload["type"], payload["data"]["status"]) == (f"conversion.{status.lower()}", status)


async def test_an_endpoint_is_told_of_the_types_that_it_wants(world: World) -> None:
    await world.webhook("BANK", NOWHERE, "transfer.posted", "window.closed")
    hub = world.hub
    await hub.issue("BP", "BANK", "alice", "10")
    await hub.do(
        commands.Transfer(
            actor=hub.admin, key="t", currency="BP", source=Party("BANK", "alice"), target=Party("BANK", "bob"),
            amount="6", memo=None,
        )
    )  # fmt: skip
    assert types((await told(world, "BANK"))["BANK"]) == ["transfer.posted"]


def test_types_are_in_the_form_that_the_specification_recommends() -> None:
    for type in EventType:
        assert type.value.replace(".", "").replace("_", "").isalnum()
        assert type.value.islower()
        assert type.value.count(".") == 1


async def test_acts_over_partners_are_told_while_they_wait_and_once_they_are_done(world: World) -> None:
    hub = world.hub
    await hub.currency("FAR", "AIR", adapter="played", connection=commands.Connection("{}", 6))
    await listen(world, "AIR", "SHOP", "BANK")
    host, al = hub.engine.configuration.host.id, Party("AIR", "al")

    async def say(exchange: int, letter: str, status: Status) -> None:
        reason = Reason.OTHER if status is Status.REFUSED else None
        reference = f"PH-{exchange:X}-{letter}"
        await hub.do(commands.ReportOrder(actor=host, reference=reference, status=status, reason=reason))

    asked: dict[str, Any] = {"actor": hub.admin, "currency": "FAR", "customer": al, "merchant": "SHOP", "memo": None}
    made = await hub.do(commands.Redeem(**asked, key="1", amount="40"))
    id = ids.text(ids.REDEMPTION, made.id)
    [pending] = (await told(world, "AIR", "SHOP", "BANK"))["SHOP"]
    assert (pending["type"], pending["subject"], pending["data"]["status"]) == ("redemption.pending", id, "PENDING")
    await say(made.id, "D", Status.UNKNOWN)
    assert (await told(world, "AIR", "SHOP", "BANK"))["SHOP"][-1]["type"] == "redemption.in_doubt"
    await say(made.id, "D", Status.SUCCEEDED)
    back = await hub.do(commands.Reverse(actor=hub.admin, key="2", id=made.id, amount="10", reason="returned"))
    assert (await told(world, "AIR", "SHOP", "BANK"))["SHOP"][-1]["type"] == "reversal.pending"
    await say(back.id, "C", Status.SUCCEEDED)
    declined = await hub.do(commands.Redeem(**asked, key="3", amount="5"))
    await say(declined.id, "D", Status.REFUSED)
    found = await told(world, "AIR", "SHOP", "BANK")
    assert types(found["SHOP"]) == types(found["AIR"])
    assert types(found["SHOP"])[2:] == [
        "redemption.posted", "reversal.pending", "reversal.posted", "redemption.refused",
    ]  # fmt: skip
    posted, _, reversal, refused = found["SHOP"][2:]
    assert (posted["data"]["id"], posted["data"]["value"]["amount"]) == (id, "2.00")  # 40 × 0.05
    assert (reversal["subject"], reversal["data"]["id"]) == (id, ids.text(ids.REVERSAL, back.id))
    assert refused["data"]["status"] == "REFUSED"
    assert found["BANK"] == []


async def test_a_break_is_told_when_it_opens_comes_back_and_ends_and_to_its_currency_s_issuer_alone(
    world: World,
) -> None:
    hub = world.hub
    await hub.institution("HOTEL")
    await hub.currency("STAY", "HOTEL", **REMOTE)
    await listen(world, "HUB", "HOTEL", "BANK")

    async def run(*breaks: Found, after: Run | None = None) -> Run:
        kept = await hub.do(reconcile(hub, *breaks, currency="STAY", after=after))
        assert isinstance(kept, Run)
        return kept

    first = await run(differing("X-1", 50), differing("X-2", None))
    again = await run(
        differing("X-1", 70), after=first
    )  # found with another figure, which is no news; X-2 matched later
    last = await run(differing("X-1", 70), differing("X-2", 5), after=again)
    one, _ = [row["id"] for row in await hub.sql("SELECT id FROM reconciliation_break ORDER BY id")]
    await world.process.follow()
    proposed = await hub.do(proposal(hub, one, Ending.WRITE_OFF))
    await hub.do(approval(hub, one, proposed.proposal))
    await run(differing("X-1", 70), after=last)  # as it was ended; X-2 matched again
    hotel = (await told(world, "HUB", "HOTEL", "BANK"))["HOTEL"]
    assert [(one["type"], one["data"]["status"], one["data"]["difference"]) for one in hotel] == [
        ("break.opened", "OPEN", "50"),
        ("break.opened", "OPEN", None),
        ("break.ended", "MATCHED_LATER", None),
        ("break.opened", "OPEN", "5"),
        ("break.ended", "WRITTEN_OFF", "70"),
        ("break.ended", "MATCHED_LATER", "5"),
    ]
    data = hotel[0]["data"]
    assert data | {"type": "MISSING_HERE", "currency": "STAY", "day": DAY, "id": hotel[0]["subject"]} == data
    assert "X-1" not in json.dumps(hotel)
    everybody = await told(world, "HUB", "HOTEL", "BANK")
    assert (types(everybody["HUB"]), everybody["BANK"]) == (types(hotel), [])


async def test_a_prepaid_stock_that_comes_to_be_low_is_told_to_its_holder_once_each_time(world: World) -> None:
    hub = world.hub
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    shop, _ = await hub.key("SHOP", Role.INSTITUTION_ADMIN)
    await agree(hub, grant(hub, "SHOP", "0.03"), shop)
    await listen(world, "SHOP", "BANK")

    async def buy(points: str) -> None:
        price = commands.MoneyText("1", "CNY")
        offer = commands.OfferBlock(actor=bank, currency="BP", holder="SHOP", points=points, price=price, until=None)
        await hub.do(commands.AcceptBlock(actor=shop, id=(await hub.do(offer)).id))

    async def give(key: str, amount: str) -> Any:
        to = Party("BRANCH", "alice")
        return await hub.do(issue(hub, key, amount, "SHOP", to=to))

    await buy("100")
    await hub.do(commands.SetPrepaidNotice(actor=shop, currency="BP", holder="SHOP", points="50"))
    await give("a", "50")
    crossed = await give("b", "1")
    await give("c", "10")  # it is low already
    await buy("20")  # 59 are left
    again = await give("d", "10")
    found = await told(world, "SHOP", "BANK")
    low = [one["data"] for one in found["SHOP"] if one["type"] == "prepaid.low"]
    assert [one["left"]["amount"] for one in low] == ["49", "49"]
    assert [one["movement"] for one in low] == [ids.text(ids.ENTRY, crossed.id), ids.text(ids.ENTRY, again.id)]
    assert (low[0]["institution"], low[0]["threshold"]) == ("SHOP", {"amount": "50", "currency": "BP"})
    assert "prepaid.low" not in types(found["BANK"])
