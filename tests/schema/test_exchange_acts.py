"""Acts over partners through the API: where they are, what became of them, and that each is one thing throughout."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub import tables
from hub.access import Role
from hub.audit import audit
from hub.ledger import commands, window_rows
from hub.partners import Reason, Status
from settlement.legs import Legs
from tests.hub.ledger.test_exchanges import REMOTE, conversion
from tests.schema.acting import act
from tests.schema.conftest import Caller, Client
from tests.schema.test_subscriptions import subscribed

AL, BO = ({"institution": "AIR", "reference": one} for one in ("al", "bo"))
STANDS = "id status postedAt completedAt refusal { reason message }"
NODE = f"query N($id: ID!) {{ node(id: $id) {{ __typename id ... on Act {{ {STANDS} }} }} }}"
UPDATES = "subscription A($id: ID!) { actUpdated(id: $id) { __typename id status } }"


class Desk:
    """The operator's, at a hub whose MILE a partner keeps."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.hub = client.hub
        self.root = client.caller(client.hub.admin)
        self._keys = 0

    async def do(self, field: str, type: str, kind: str = "", **fields: Any) -> Any:
        self._keys += 1
        selection = f"... on {type} {{ {STANDS} replayed }}"
        kind = kind or f"{field[0].upper()}{field[1:]}Input"
        return await act(self.root, field, kind, selection, **{"idempotencyKey": f"k{self._keys}", **fields})

    async def redeem(self, amount: str, **more: Any) -> Any:
        asked = {"currency": "MILE", "customer": AL, "merchant": "SHOP", "amount": amount}
        return await self.do("redeemPoints", "Redemption", **{**asked, **more})

    async def say(self, id: str, letter: str, status: Status, **more: Any) -> None:
        """A partner's answer to the order of an act."""
        reference, host = f"PH-{int(id[3:], 16):X}-{letter}", self.hub.engine.configuration.host.id
        await self.hub.do(commands.ReportOrder(actor=host, reference=reference, status=status, **more))

    async def node(self, id: str, caller: Caller | None = None) -> Any:
        return await (caller or self.root).ask(NODE, id=id)


@pytest.fixture
async def desk(client: Client) -> AsyncIterator[Desk]:
    hub = client.hub
    for code in ("AIR", "SHOP", "OTHER"):
        await hub.institution(code)
    await hub.currency("MILE", "AIR", **REMOTE)
    await hub.currency("BP", "AIR")
    await hub.rate("MILE", "BP", "20:1")
    yield Desk(client)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_redemption_over_a_partner_is_pending_until_it_has_debited(desk: Desk) -> None:
    made = await desk.redeem("200", idempotencyKey="one")
    assert (made["__typename"], made["status"], made["completedAt"]) == ("Redemption", "PENDING", None)
    async with subscribed(desk.root, UPDATES, id=made["id"]) as stream:
        assert await stream.next() == {"__typename": "Redemption", "id": made["id"], "status": "PENDING"}
        await desk.say(made["id"], "D", Status.UNKNOWN)
        assert (await stream.next())["status"] == "IN_DOUBT"
        await desk.say(made["id"], "D", Status.SUCCEEDED)
        assert (await stream.next())["status"] == "COMPLETED"
    found = await desk.node(made["id"])
    assert (found["__typename"], found["status"], found["postedAt"]) == ("Redemption", "COMPLETED", made["postedAt"])
    assert found["completedAt"] > made["postedAt"]
    again = await desk.redeem("200", idempotencyKey="one")
    assert (again["id"], again["replayed"], again["status"]) == (made["id"], True, "COMPLETED")
    [posted] = await desk.hub.sql("SELECT id FROM movement WHERE kind = 3")
    assert await desk.node(f"rd_{posted['id']:x}") is None  # the redemption has one identifier


async def test_a_refused_redemption_says_why_in_the_caller_s_language(desk: Desk) -> None:
    made = await desk.redeem("200")
    await desk.say(made["id"], "D", Status.REFUSED, reason=Reason.INSUFFICIENT_POINTS)
    found = await desk.node(made["id"])
    assert (found["status"], found["completedAt"]) == ("REFUSED", None)
    assert found["refusal"]["reason"] == "PARTNER_REFUSED"
    chinese = await desk.node(made["id"], desk.client.caller(desk.hub.admin, "zh"))
    assert "合作方" in chinese["refusal"]["message"]


async def test_what_only_the_hub_does_is_refused_in_both_languages(desk: Desk) -> None:
    for language, said in (("en", "A partner keeps MILE itself"), ("zh", "积分 MILE 由合作方自行管理")):
        desk.root = desk.client.caller(desk.hub.admin, language)  # type: ignore[arg-type]
        asked = {"currency": "MILE", "customer": AL, "amount": "1", "reason": "so", "idempotencyKey": language}
        refused = await act(desk.root, "freezePoints", "FreezePointsInput", "... on Freeze { id }", **asked)
        assert refused["reason"] == "NOT_HOSTED"
        assert refused["message"].startswith(said)


async def test_a_reversal_over_partners_is_one_thing_until_it_is_on_a_report(desk: Desk) -> None:
    made = await desk.redeem("200")
    await desk.say(made["id"], "D", Status.SUCCEEDED)
    back = await desk.do("reverse", "Reversal", id=made["id"], amount="50", reason="returned")
    assert (back["__typename"], back["status"]) == ("Reversal", "PENDING")
    refused = await desk.do("reverse", "Reversal", id=made["id"], amount="1", reason="returned")
    assert (refused["reason"], refused["retryable"]) == ("REVERSAL_PENDING", True)
    await desk.say(back["id"], "C", Status.SUCCEEDED)
    assert (await desk.node(back["id"]))["status"] == "COMPLETED"
    [posted] = await desk.hub.sql("SELECT id FROM movement WHERE kind = 5")
    assert await desk.node(f"rv_{posted['id']:x}") is None
    of = await desk.root.ask("query N($id: ID!) { node(id: $id) { ... on Reversal { of { id } } } }", id=back["id"])
    assert of["of"]["id"] == made["id"]

    window = await desk.hub.window()
    await desk.hub.do(commands.CloseWindow(actor=desk.hub.admin, key="close", window=window))
    async with desk.hub.database.snapshot() as connection:
        closed = (await window_rows.windows(connection, tables.settlement_window.c.id == window))[window]
        legs = await Legs.of(connection, desk.hub.engine.configuration, closed)
        lines = await legs.page(connection, legs.start)
    assert [(one.kind, one.payer, one.payee, one.amount_millionths, one.reverses) for one in lines] == [
        ("redeem", "AIR", "SHOP", 10_000_000, None),
        ("reverse", "SHOP", "AIR", 2_500_000, made["id"]),
    ]


async def test_transfers_issues_and_conversions_have_their_way_too(desk: Desk) -> None:
    ends: dict[str, Any] = {"from": AL, "to": BO}
    given = await desk.do("transferPoints", "Transfer", currency="MILE", amount="5", **ends)
    made = await desk.do("issuePoints", "Issue", currency="MILE", amount="5", to=AL)
    assert [given["status"], made["status"]] == ["PENDING", "PENDING"]
    for act_id, letters in ((given["id"], "DC"), (made["id"], "C")):
        for letter in letters:
            await desk.say(act_id, letter, Status.SUCCEEDED)
        assert (await desk.node(act_id))["status"] == "COMPLETED"
    party = commands.Party("AIR", "al")
    converted = await desk.hub.do(conversion(desk.hub, party, party, "MILE>BP", "3"))
    ways = """query E($id: ID!) { exchange(conversionId: $id) {
        state act { __typename id } conversion { id } orders { operation } } }"""
    found = [await desk.root.ask(ways, id=id) for id in (given["id"], f"cv_{converted.id:x}")]
    assert [(one["state"], one["act"]["__typename"], one["conversion"] is None) for one in found] == [
        ("COMPLETED", "Transfer", True),
        ("DEBITING", "Conversion", False),
    ]
    assert [one["operation"] for one in found[0]["orders"]] == ["DEBIT", "CREDIT"]


@pytest.mark.parametrize("id", ["rd_1", "nonsense", "cv_1", "ho_1"])
async def test_updates_of_what_does_not_exist_for_the_caller_are_not_found(desk: Desk, id: str) -> None:
    async with subscribed(desk.root, UPDATES, id=id) as stream:
        assert await stream.next() == "NOT_FOUND"


async def test_updates_are_for_those_who_see_the_act(desk: Desk) -> None:
    made = await desk.redeem("200")
    other, _ = await desk.hub.key("OTHER", Role.INSTITUTION_TRADER)
    shop, _ = await desk.hub.key("SHOP", Role.INSTITUTION_AUDITOR)
    heard = []
    for credential in (other, shop, None):
        async with subscribed(desk.client.caller(credential), UPDATES, id=made["id"]) as stream:
            heard.append(await stream.next())
    assert [heard[0], heard[1]["status"], heard[2]] == ["NOT_FOUND", "PENDING", "UNAUTHENTICATED"]
