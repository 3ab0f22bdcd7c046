"""Accounts of one customer in one currency, by channel, by type and by group, through the API."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from hub.access import Role
from hub.currencies import AccountMode
from hub.ledger import commands
from tests.schema.acting import act, currency, institution
from tests.schema.conftest import Caller, Client

X = {"institution": "BANK", "reference": "x"}
BALANCES = """query B($reference: String!) { customer(institution: "BANK", reference: $reference) {
  profile { type groups }
  balances { total available parts { name total available held lots { amount part } } lots { amount part } } } }"""
POLICY = """mutation P($policy: PointsPolicyInput!) { setPointsPolicy(currency: "BP", policy: $policy) {
  __typename ... on PointCurrency { policy { accounts groups } } ... on Refused { reason details { key value } } } }"""
_keys = iter(range(1_000_000))


@pytest.fixture
async def root(client: Client) -> Caller:
    caller = client.caller(client.hub.admin)
    await institution(caller, "BANK")
    await institution(caller, "SHOP")
    await currency(caller, "BP", "BANK", rateConsent="OPERATOR", policy={"accounts": "CHANNEL"})
    return caller


async def do(caller: Caller, field: str, kind: str, selection: str = "__typename", **fields: Any) -> Any:
    return await act(caller, field, kind, selection, idempotencyKey=f"k{next(_keys)}", **fields)


async def issue(caller: Caller, amount: str, channel: str | None = None, to: str = "x", **more: Any) -> None:
    made = await do(
        caller,
        "issuePoints",
        "IssuePointsInput",
        currency="BP",
        to={"institution": "BANK", "reference": to},
        amount=amount,
        **({} if channel is None else {"channel": channel}),
        **more,
    )
    assert made["__typename"] == "Issue", made


async def spend(caller: Caller, amount: str, channel: str | None = None) -> Any:
    more = {} if channel is None else {"channel": channel}
    return await do(
        caller, "redeemPoints", "RedeemPointsInput", currency="BP", customer=X, merchant="SHOP", amount=amount, **more
    )


async def parts(caller: Caller, reference: str = "x") -> dict[str, str]:
    """The total of each account, by name."""
    customer = await caller.ask(BALANCES, reference=reference)
    [balance] = customer["balances"]
    found = {part["name"]: part["total"] for part in balance["parts"]}
    assert sum(map(int, found.values())) == int(balance["total"])
    return found


async def profile(caller: Caller, kind: str | None, *groups: str) -> Any:
    return await act(
        caller,
        "setCustomerProfile",
        "SetCustomerProfileInput",
        "... on Customer { profile { type groups } }",
        customer=X,
        type=kind,
        groups=list(groups),
    )


async def test_points_of_two_channels_are_two_accounts_and_one_again_when_the_mode_is_unified(root: Caller) -> None:
    await issue(root, "100", "web", expiresAt="2095-01-01T00:00:00Z")
    await issue(root, "50", "POS")
    assert await parts(root) == {"web": "100", "POS": "50"}
    [balance] = (await root.ask(BALANCES, reference="x"))["balances"]
    assert (balance["total"], balance["available"]) == ("150", "150")
    assert balance["parts"][0] == {
        "name": "POS",
        "total": "50",
        "available": "50",
        "held": "0",
        "lots": [{"amount": "50", "part": "POS"}],
    }
    refused = await spend(root, "51", "POS")
    assert refused["reason"] == "INSUFFICIENT_POINTS"
    assert {one["key"]: one["value"] for one in refused["details"]} == {"available": "50", "requested": "51"}
    lots = balance["lots"]
    assert (await root.ask(POLICY, policy={"accounts": "UNIFIED"}))["policy"] == {"accounts": "UNIFIED", "groups": []}
    [balance] = (await root.ask(BALANCES, reference="x"))["balances"]
    assert [(part["name"], part["total"]) for part in balance["parts"]] == [("", "150")]
    assert balance["lots"] == lots == [{"amount": "100", "part": "web"}, {"amount": "50", "part": "POS"}]
    assert (await spend(root, "120", "POS"))["__typename"] == "Redemption"  # the channel counts no more
    [balance] = (await root.ask(BALANCES, reference="x"))["balances"]
    assert balance["lots"] == [{"amount": "30", "part": "POS"}]


async def test_a_spending_without_a_channel_is_from_all_accounts_in_the_order_of_their_ends(root: Caller) -> None:
    await issue(root, "10", "web", expiresAt="2097-01-01T00:00:00Z")
    await issue(root, "20", "POS", expiresAt="2096-01-01T00:00:00Z")
    await issue(root, "30", "web", expiresAt="2095-01-01T00:00:00Z")
    await issue(root, "5")  # in the main account, never ending
    assert (await spend(root, "55"))["__typename"] == "Redemption"  # 30 web, 20 POS, 5 web
    assert await parts(root) == {"": "5", "web": "5"}
    assert (await spend(root, "6", ""))["reason"] == "INSUFFICIENT_POINTS"
    assert (await spend(root, "5", ""))["__typename"] == "Redemption"
    assert await parts(root) == {"web": "5"}


async def test_a_channel_s_lots_are_found_behind_others_that_end_before(root: Caller) -> None:
    for year in range(2031, 2061):
        await issue(root, "10", "web", expiresAt=f"{year}-01-01T00:00:00Z")
    await issue(root, "10", "POS", expiresAt="2095-01-01T00:00:00Z")
    assert (await spend(root, "10", "POS"))["__typename"] == "Redemption"
    assert await parts(root) == {"web": "300"}


async def test_a_hold_on_one_channel_leaves_the_others_free(root: Caller) -> None:
    await issue(root, "100", "web")
    await issue(root, "50", "POS")
    await issue(root, "7")
    held = await do(
        root,
        "holdPoints",
        "HoldPointsInput",
        "... on Hold { id }",
        currency="BP",
        customer=X,
        amount="60",
        expiresAt=_in_a_week(),
        channel="web",
    )
    plain = await do(
        root,
        "holdPoints",
        "HoldPointsInput",
        "... on Hold { id }",
        currency="BP",
        customer=X,
        amount="3",
        expiresAt=_in_a_week(),
        channel="",
    )
    assert plain["__typename"] == "Hold", plain
    [balance] = (await root.ask(BALANCES, reference="x"))["balances"]
    shown = {part["name"]: (part["total"], part["available"], part["held"]) for part in balance["parts"]}
    assert shown == {"": ("7", "4", "3"), "POS": ("50", "50", "0"), "web": ("100", "40", "60")}
    assert (await spend(root, "41", "web"))["reason"] == "INSUFFICIENT_POINTS"
    taken = await do(
        root, "captureHold", "CaptureHoldInput", holdId=held["id"], to={"institution": "BANK", "reference": "y"}
    )
    assert taken["__typename"] == "Hold"
    assert await parts(root) == {"": "7", "POS": "50", "web": "40"}
    assert await parts(root, "y") == {"": "60"}  # a capture comes over no channel


async def test_a_gift_lands_in_the_taker_s_account_of_the_channel_and_comes_back_where_it_was(root: Caller) -> None:
    await issue(root, "100", "web")
    y = {"institution": "BANK", "reference": "y"}
    gift = await do(
        root,
        "transferPoints",
        "TransferPointsInput",
        "... on Transfer { id }",
        currency="BP",
        **{"from": X, "to": y},
        amount="40",
        channel="web",
    )
    assert (await parts(root), await parts(root, "y")) == ({"web": "60"}, {"web": "40"})
    await do(root, "reverse", "ReverseInput", id=gift["id"], reason="mistake")
    assert await parts(root) == {"web": "100"}


async def test_the_first_of_the_currency_s_groups_that_a_customer_is_in_decides(root: Caller) -> None:
    assert (await root.ask(POLICY, policy={"accounts": "GROUP", "groups": ["staff", "retail/gold", "retail"]}))[
        "policy"
    ] == {"accounts": "GROUP", "groups": ["staff", "retail/gold", "retail"]}
    await issue(root, "1", "web")  # nothing is said of the customer: the main account
    said = await profile(root, "personal", "retail/gold/vip", "staff")
    assert said["profile"] == {"type": "personal", "groups": ["retail/gold/vip", "staff"]}
    await issue(root, "10")
    await profile(root, "personal", "retail/gold/vip")  # in retail/gold and in retail as well
    await issue(root, "100")
    await profile(root, "personal", "retailers", "retail/silver")
    await issue(root, "1000")
    assert await parts(root) == {"": "1", "staff": "10", "retail/gold": "100", "retail": "1000"}
    await root.ask(POLICY, policy={"groups": ["retail", "staff"]})
    await profile(root, None, "staff", "retail/gold")
    await issue(root, "5")
    assert await parts(root) == {"": "1", "staff": "10", "retail/gold": "100", "retail": "1005"}


async def test_each_type_that_a_customer_has_been_of_is_an_account(root: Caller) -> None:
    await root.ask(POLICY, policy={"accounts": "TYPE"})
    await issue(root, "1")
    await profile(root, "personal")
    await issue(root, "10")
    await profile(root, "corporate")
    await issue(root, "100")
    await profile(root, None)
    await issue(root, "2")
    assert await parts(root) == {"": "3", "personal": "10", "corporate": "100"}


async def test_every_way_to_be_credited_asks_the_profile(root: Caller, client: Client) -> None:
    hub = client.hub
    await hub.currency("MILE", "BANK")
    await hub.rate("MILE", "BP")
    await hub.issue("MILE", "BANK", "y", "100")
    await issue(root, "50", to="y")
    await hub.do(_enroll(client))
    await profile(root, "personal")
    await root.ask(POLICY, policy={"accounts": "TYPE"})
    y = {"institution": "BANK", "reference": "y"}
    deal: dict[str, Any] = {"source": y, "target": X, "sourceCurrency": "MILE", "targetCurrency": "BP"}
    await do(root, "convert", "ConvertInput", **deal, sourceAmount="1")
    quote = await act(root, "requestQuote", "RequestQuoteInput", "... on Quote { id }", **deal, sourceAmount="20")
    await do(root, "executeQuote", "ExecuteQuoteInput", quoteId=quote["id"])
    gift: dict[str, Any] = {"from": y, "to": X}
    await do(root, "transferPoints", "TransferPointsInput", currency="BP", amount="3", **gift)
    hold: dict[str, Any] = {"currency": "BP", "customer": y, "amount": "4", "expiresAt": _in_a_week()}
    held = await do(root, "holdPoints", "HoldPointsInput", "... on Hold { id }", **hold)
    await do(root, "captureHold", "CaptureHoldInput", holdId=held["id"], to=X)
    assert await parts(root) == {"personal": "28"}  # 1 + 20 + 3 + 4


async def test_a_mode_that_a_batch_sets_holds_for_the_rest_of_it(root: Caller, client: Client) -> None:
    hub = client.hub
    await hub.do(_enroll(client))
    await profile(root, "personal")
    who = commands.Party("BANK", "x")
    told: dict[str, Any] = {"actor": hub.admin, "currency": "BP"}
    more: dict[str, Any] = {"amount": "5", "memo": None}
    answers = await hub.batch(
        [
            commands.SetPointsPolicy(**told, policy=commands.PolicyTerms(accounts=AccountMode.TYPE)),
            commands.Issue(**told, **more, key="1", to=who, earned_at=None, expires_at=None),
            commands.SetPointsPolicy(**told, policy=commands.PolicyTerms(accounts=AccountMode.CHANNEL)),
            commands.Issue(**told, **more, key="2", to=who, earned_at=None, expires_at=None, channel="web"),
            commands.Redeem(**told, **more, key="3", customer=who, merchant="SHOP", channel="web"),
        ]
    )
    assert [getattr(answer, "refusal", answer) for answer in answers] == [None] * 5
    assert await parts(root) == {"personal": "5"}


def test_a_request_without_what_came_later_is_the_request_that_it_was() -> None:
    """The digest of a transfer as it was kept before there were channels and pools."""
    old = commands.Transfer(
        actor=1,
        key="k",
        currency="BP",
        source=commands.Party("A", "a"),
        target=commands.Party("B", "b"),
        amount="1",
        memo=None,
    )
    fields = {
        "currency": "BP",
        "source": {"institution": "A", "reference": "a"},
        "target": {"institution": "B", "reference": "b"},
        "amount": "1",
        "memo": None,
    }
    kept = hashlib.sha256(msgspec.json.encode(("Transfer", fields), order="sorted")).digest()
    assert old.digest() == kept
    for later in ({"channel": ""}, {"by": commands.Party("A", "c")}):
        assert msgspec.structs.replace(old, **later).digest() != kept


async def test_a_profile_is_told_to_those_who_see_the_institution_and_said_by_its_people(client: Client) -> None:
    root = client.caller(client.hub.admin)
    await institution(root, "BANK")
    await institution(root, "OTHER")
    await client.hub.do(_enroll(client))
    people = {
        role: client.caller((await client.hub.key("BANK", role))[0])
        for role in (Role.INSTITUTION_TRADER, Role.INSTITUTION_ADMIN, Role.INSTITUTION_AUDITOR)
    }
    other = client.caller((await client.hub.key("OTHER", Role.INSTITUTION_TRADER, Role.INSTITUTION_ADMIN))[0])
    assert (await profile(people[Role.INSTITUTION_TRADER], "a"))["profile"]["type"] == "a"
    assert (await profile(people[Role.INSTITUTION_ADMIN], "b"))["profile"]["type"] == "b"
    document = "mutation S($input: SetCustomerProfileInput!) { setCustomerProfile(input: $input) { __typename } }"
    for caller in (people[Role.INSTITUTION_AUDITOR], other):
        assert await caller.codes(document, input={"customer": X, "type": "c"}) == ["FORBIDDEN"]
    shown = 'query { customer(institution: "BANK", reference: "x") { profile { type } } }'
    assert (await people[Role.INSTITUTION_AUDITOR].ask(shown))["profile"] == {"type": "b"}
    assert (await other.ask(shown))["profile"] is None


@pytest.mark.parametrize("label", ["", " ", "a//b", "/a", "a/", " a", "x" * 65])
async def test_what_is_no_label_is_refused(root: Caller, label: str) -> None:
    await issue(root, "1")
    assert (await profile(root, None, label))["reason"] == "INVALID_INPUT"
    assert (await profile(root, label))["reason"] == "INVALID_INPUT"
    assert (await root.ask(POLICY, policy={"groups": [label]}))["reason"] == "INVALID_INPUT"


async def test_no_group_stands_twice_and_no_channel_is_endless(root: Caller) -> None:
    await issue(root, "1")
    assert (await profile(root, None, "a", "a"))["reason"] == "INVALID_INPUT"
    assert (await spend(root, "1", "x" * 65))["reason"] == "INVALID_INPUT"


def _in_a_week() -> str:
    return (datetime.now(UTC) + timedelta(days=7)).isoformat()


def _enroll(client: Client) -> Any:
    return commands.EnrollCustomer(actor=client.hub.admin, customer=commands.Party("BANK", "x"))
