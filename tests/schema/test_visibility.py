"""What each caller may see: the directory is open to members, everything else to those it concerns."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.currencies import RateConsent
from hub.expiry import day_of, start_of
from hub.ledger import commands
from hub.notices import notify
from schema import nodes
from tests.schema.acting import CONVERSION, CUSTOMER, act
from tests.schema.conftest import Caller, Client

NODE = "query N($id: ID!) { node(id: $id) { __typename id } }"
ANONYMOUS_MAY_NOT = [
    "{ viewer { roles } }",
    '{ node(id: "in_1") { id } }',
    '{ node(id: "nonsense") { id } }',
    '{ node(id: "sr_1.1") { id } }',
    '{ institution(code: "HUB") { code } }',
    "{ institutions { edges { cursor } } }",
    '{ pointCurrency(code: "A") { code } }',
    "{ pointCurrencies { edges { cursor } } }",
    "{ rates { edges { cursor } } }",
    '{ limit(id: "lm_1") { id } }',
    "{ limits { edges { cursor } } }",
    '{ headroom(customer: {institution: "HUB", reference: "a"}, currency: "A", act: ISSUE) { used } }',
    'mutation { liftLimit(id: "lm_1") { __typename } }',
    '{ quote(id: "qt_1") { id } }',
    '{ quote(id: "nonsense") { id } }',
    '{ customer(institution: "HUB", reference: "a") { id } }',
    '{ conversion(id: "cv_1") { id } }',
    "{ conversions { edges { cursor } } }",
    '{ movements(customer: {institution: "HUB", reference: "a"}, currency: "A") { edges { cursor } } }',
    '{ statement(customer: {institution: "HUB", reference: "a"}, currency: "A", '
    'from: "2000-01-01T00:00:00Z", until: "2999-01-01T00:00:00Z") { opening } }',
    '{ balanceAt(customer: {institution: "HUB", reference: "a"}, currency: "A", at: "2999-01-01T00:00:00Z") '
    "{ total } }",
    '{ bindings(customer: {institution: "HUB", reference: "a"}) { edges { cursor } } }',
    '{ customerLinks(customer: {institution: "HUB", reference: "a"}) { edges { cursor } } }',
    '{ pointsClearing(id: "cl_1") { id } }',
    '{ pointsClearings(currency: "A") { edges { cursor } } }',
    '{ relocation(id: "rl_1") { id } }',
    '{ relocations(currency: "A") { edges { cursor } } }',
    '{ expiryNotices(currency: "A") { edges { cursor } } }',
    '{ freeze(id: "fz_1") { id } }',
    '{ freezes(customer: {institution: "HUB", reference: "a"}) { edges { cursor } } }',
    '{ restrictions(customer: {institution: "HUB", reference: "a"}) { edges { cursor } } }',
    '{ issues(currency: "A", record: "r") { edges { cursor } } }',
    '{ settlementWindow(id: "nonsense") { id } }',
    '{ pool(institution: "HUB", reference: "a") { id } }',
    "{ settlementWindows { edges { cursor } } }",
    '{ settlementReport(windowId: "sw_1", institution: "HUB") { id } }',
    '{ interimStatement(windowId: "sw_1", institution: "HUB") { digest } }',
    '{ bilateralFigures(windowId: "sw_1", institution: "HUB") { count } }',
    '{ settlementSupplements(windowId: "sw_1", institution: "HUB") { number } }',
    "{ hub { window { id } } }",
    "mutation { transferPointsBatch(input: []) { __typename } }",
    'mutation { moveInstitution(code: "A", parent: "B") { __typename } }',
    '{ previewConversion(input: {source: {institution: "A", reference: "a"}, '
    'target: {institution: "A", reference: "a"}, sourceCurrency: "A", targetCurrency: "B", sourceAmount: "1"}) '
    "{ __typename } }",
]


async def test_without_a_key_only_the_hub_itself_is_seen(client: Client) -> None:
    for document in ANONYMOUS_MAY_NOT:
        assert await client.caller(None).codes(document) == ["UNAUTHENTICATED"], document


async def test_the_hub_itself_needs_no_key(client: Client) -> None:
    seen = await client.caller(None).ask("{ hub { name version time jwksUrl } __typename }")
    assert seen["hub"]["name"] == "Points Hub"
    assert seen["hub"]["jwksUrl"] == "https://hub.example/.well-known/jwks.json"
    assert seen["hub"]["time"].endswith("Z")


class Tree:
    """BANK with its BRANCH, and AIR; alice of the BRANCH converts to al of AIR."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.root = client.caller(client.hub.admin)

    async def grow(self) -> "Tree":
        hub = self.client.hub
        await hub.institution("BANK")
        await hub.institution("BRANCH", parent="BANK")
        await hub.institution("AIR")
        await hub.institution("OTHER")
        await hub.currency("BP", "BANK", rate_consent=RateConsent.ISSUER)
        await hub.currency("MILE", "AIR")
        self.bank = await self.trader("BANK")
        self.branch = await self.trader("BRANCH")
        self.air = await self.trader("AIR")
        self.other = await self.trader("OTHER")
        await hub.do(hub.proposal("MILE", "BP"))
        await hub.currency("FREE", "BANK")
        await hub.rate("FREE", "MILE")
        await hub.issue("FREE", "BRANCH", "alice", "100")
        self.conversion = await act(
            self.branch,
            "convert",
            "ConvertInput",
            CONVERSION,
            idempotencyKey="c",
            source={"institution": "BRANCH", "reference": "alice"},
            target={"institution": "AIR", "reference": "al"},
            sourceCurrency="FREE",
            targetCurrency="MILE",
            sourceAmount="40",
        )
        return self

    async def trader(self, code: str) -> Caller:
        id, _ = await self.client.hub.key(code, Role.INSTITUTION_TRADER, Role.INSTITUTION_ADMIN, person=code)
        return self.client.caller(id)

    @property
    def everybody(self) -> dict[str, Caller]:
        return {"root": self.root, "bank": self.bank, "branch": self.branch, "air": self.air, "other": self.other}


@pytest.fixture
async def tree(client: Client) -> Tree:
    return await Tree(client).grow()


async def who(tree: Tree, document: str, expected: Any = None, **variables: Any) -> set[str]:
    """For whom the answer is not null, not empty, and, if it is given, ``expected``."""
    seen = set()
    for name, caller in tree.everybody.items():
        answer = await caller.ask(document, **variables)
        if answer:
            assert expected is None or answer == expected, (name, answer)
            seen.add(name)
    return seen


async def test_the_directory_is_open_to_all_members(tree: Tree) -> None:
    everybody = set(tree.everybody)
    listed = "{ institutions { edges { node { code kind status pointCurrencies { code } } } } }"
    for caller in tree.everybody.values():
        page = await caller.ask(listed)
        assert [edge["node"]["code"] for edge in page["edges"]] == ["AIR", "BANK", "BRANCH", "HUB", "OTHER"]
    assert await who(tree, "{ pointCurrencies { edges { node { code circulation { amount } } } } }") == everybody
    assert await who(tree, '{ institution(code: "NONE") { code } }') == set()


@pytest.mark.parametrize("field", ["children { code }", "positions { own }", "credentials { person }"])
async def test_of_others_lists_are_empty(tree: Tree, field: str) -> None:
    document = '{ institution(code: "BANK") { found: ' + field + " } }"
    seen = {name for name, caller in tree.everybody.items() if (await caller.ask(document))["found"]}
    assert seen == {"root", "bank"}


async def test_where_others_stand_in_the_tree_is_not_told(tree: Tree) -> None:
    document = '{ institution(code: "BRANCH") { parent { code } } }'
    told = {name: (await caller.ask(document))["parent"] for name, caller in tree.everybody.items()}
    bank = {"code": "BANK"}
    assert told == {"root": bank, "bank": bank, "branch": bank, "air": None, "other": None}


async def test_of_a_customer_of_others_only_institution_and_reference_show(tree: Tree) -> None:
    for name, caller in tree.everybody.items():
        alice = await caller.ask(CUSTOMER, institution="BRANCH", reference="alice")
        assert (alice["institution"], alice["reference"]) == ({"code": "BRANCH"}, "alice")
        assert [one["total"] for one in alice["balances"]] == (["60"] if name in {"root", "bank", "branch"} else []), (
            name
        )
    assert await who(tree, CUSTOMER, institution="BRANCH", reference="nobody") == set()
    assert await who(tree, CUSTOMER, institution="NONE", reference="alice") == set()
    assert await who(tree, CUSTOMER, institution="BRANCH", reference="a\0b") == set()


async def test_a_statement_is_for_those_who_see_the_institution(tree: Tree) -> None:
    alice = '{institution: "BRANCH", reference: "alice"}'
    document = f'{{ movements(customer: {alice}, currency: "FREE") {{ edges {{ node {{ id }} }} }} }}'
    lines = (await tree.root.ask(document))["edges"]
    assert len(lines) == 2
    for name, caller in tree.everybody.items():
        page = await caller.ask(document)
        assert page["edges"] == (lines if name in {"root", "bank", "branch"} else []), name
    assert await who(tree, NODE, id=lines[0]["node"]["id"]) == {"root", "bank", "branch"}


async def test_a_conversion_is_visible_at_both_ends(tree: Tree) -> None:
    ends = {"root", "bank", "branch", "air"}
    id = tree.conversion["id"]
    assert await who(tree, "query C($id: ID!) { conversion(id: $id) { window { number } } }", id=id) == ends
    assert await who(tree, NODE, {"__typename": "Conversion", "id": id}, id=id) == ends
    for name, caller in tree.everybody.items():
        page = await caller.ask("{ conversions(status: COMPLETED) { edges { node { id } } } }")
        assert page["edges"] == ([{"node": {"id": id}}] if name in ends else []), name
    of = "query C($code: String) { conversions(institution: $code) { edges { node { id } } } }"
    assert [len((await tree.bank.ask(of, code=code))["edges"]) for code in ("BRANCH", "AIR", "OTHER", "NONE")] == [
        1,
        1,
        0,
        0,
    ]
    assert [len((await tree.root.ask(of, code=code))["edges"]) for code in ("BRANCH", "AIR", "OTHER", None)] == [
        1,
        1,
        0,
        1,
    ]
    assert (await tree.air.ask("{ conversions(status: REVERSED) { edges { node { id } } } }"))["edges"] == []


async def test_only_approved_rates_are_open_to_all(tree: Tree) -> None:
    document = "query R($status: RateStatus) { rates(status: $status) { edges { node { id status } } } }"
    for name, caller in tree.everybody.items():
        page = await caller.ask(document)
        is_party = name in {"root", "bank", "air"}
        states = [edge["node"]["status"] for edge in page["edges"]]
        assert states == (["PROPOSED", "APPROVED"] if is_party else ["APPROVED"]), name
        assert len((await caller.ask(document, status="PROPOSED"))["edges"]) == is_party, name
    proposed = (await tree.root.ask(document, status="PROPOSED"))["edges"][0]["node"]["id"]
    assert await who(tree, NODE, id=proposed) == {"root", "bank", "air"}
    pair = (
        "query R($s: String, $t: String, $at: DateTime) { rates(source: $s, target: $t, at: $at) { edges { cursor } } }"
    )
    counts = [
        len((await tree.root.ask(pair, **wanted))["edges"])
        for wanted in (
            {"s": "FREE", "t": "MILE"},
            {"s": "FREE", "t": "BP"},
            {"s": "NONE"},
            {"at": "2099-01-01T00:00:00Z"},
            {"at": "2000-01-01T00:00:00Z"},
        )
    ]
    assert counts == [1, 0, 0, 1, 0]


async def test_acts_are_nodes_for_those_whom_they_concern(tree: Tree) -> None:
    given = await act(
        tree.branch,
        "transferPoints",
        "TransferPointsInput",
        "... on Transfer { id }",
        idempotencyKey="t",
        currency="FREE",
        **{
            "from": {"institution": "BRANCH", "reference": "alice"},
            "to": {"institution": "OTHER", "reference": "olga"},
        },
        amount="1",
    )
    spent = await act(
        tree.branch,
        "redeemPoints",
        "RedeemPointsInput",
        "... on Redemption { id }",
        idempotencyKey="r",
        currency="FREE",
        customer={"institution": "BRANCH", "reference": "alice"},
        merchant="AIR",
        amount="1",
    )
    back = await act(
        tree.branch,
        "reverse",
        "ReverseInput",
        "... on Reversal { id of { __typename id } }",
        idempotencyKey="v",
        id=spent["id"],
        reason="no",
    )
    assert back["of"] == {"__typename": "Redemption", "id": spent["id"]}
    assert await who(tree, NODE, id=given["id"]) == {"root", "bank", "branch", "other"}
    assert await who(tree, NODE, id=spent["id"]) == {"root", "bank", "branch", "air"}
    assert await who(tree, NODE, id=back["id"]) == {"root", "bank", "branch", "air"}
    # the same number under another prefix is nothing, and a reversal is final
    assert await who(tree, NODE, id=given["id"].replace("tr_", "is_")) == set()
    for id in (back["id"], back["id"].replace("rv_", "tr_")):
        no = await act(
            tree.root, "reverse", "ReverseInput", "... on Reversal { id }", idempotencyKey=id, id=id, reason="no"
        )
        assert no["reason"] == "NOT_FOUND"


async def test_every_kind_of_node_is_found_again(tree: Tree) -> None:
    root = tree.root
    found = await root.ask(
        '{ viewer { credential { id } } institution(code: "BANK") { id } pointCurrency(code: "BP") { id } '
        'customer(institution: "AIR", reference: "al") { id } hub { window { id } } rates { edges { node { id } } } '
        "}"
    )
    wanted = {
        "Credential": found["viewer"]["credential"]["id"],
        "Institution": found["institution"]["id"],
        "PointCurrency": found["pointCurrency"]["id"],
        "Customer": found["customer"]["id"],
        "SettlementWindow": found["hub"]["window"]["id"],
        "Rate": found["rates"]["edges"][0]["node"]["id"],
    }
    for kind, id in wanted.items():
        assert await root.ask(NODE, id=id) == {"__typename": kind, "id": id}
    for prefix in nodes.FINDERS:
        assert await root.ask(NODE, id=f"{prefix}_7fffffffffffffff") is None
        assert await tree.other.ask(NODE, id=f"{prefix}_0") is None
    assert await tree.other.ask(NODE, id=wanted["Credential"]) is None


async def test_a_revoked_key_sees_nothing_more(tree: Tree) -> None:
    id = (await tree.bank.ask("{ viewer { credential { id } } }"))["credential"]["id"]
    revoke = "mutation R($id: ID!) { revokeCredential(id: $id) { __typename ... on Credential { revokedAt } } }"
    assert (await tree.air.ask(revoke, id=id))["__typename"] == "Refused"
    assert (await tree.root.ask(revoke, id=id))["revokedAt"] is not None
    assert await tree.bank.codes("{ viewer { roles } }") == ["UNAUTHENTICATED"]
    assert await tree.bank.codes('mutation { moveInstitution(code: "A", parent: "B") { __typename } }') == [
        "UNAUTHENTICATED"
    ]


async def test_notices_are_for_the_issuer_and_for_those_who_see_the_customer(tree: Tree) -> None:
    hub = tree.client.hub
    today = day_of(datetime.now(UTC), "UTC")
    ends = start_of(today + timedelta(days=6), "UTC")  # the fifth day from now is the last
    for place, (home, who) in enumerate({"BRANCH": "alice", "AIR": "al"}.items(), start=1):
        await hub.do(
            commands.Issue(
                actor=hub.admin, key=f"near-{who}", currency="FREE", to=commands.Party(home, who),
                amount=str(place), earned_at=None, expires_at=ends, memo=None,
            )
        )  # fmt: skip
    await hub.reading.refresh()
    assert await notify(hub.database, hub.engine, datetime.now(UTC)) == 2
    query = (
        'query($i: String) { expiryNotices(currency: "FREE", institution: $i)'
        " { edges { node { points { amount } } } } }"
    )

    async def seen(caller: Caller, home: str | None = None) -> list[str]:
        edges = (await caller.ask(query, i=home))["edges"]
        return sorted(edge["node"]["points"]["amount"] for edge in edges)

    assert {name: await seen(caller) for name, caller in tree.everybody.items()} == {
        "root": ["1", "2"], "bank": ["1", "2"], "branch": ["1"], "air": ["2"], "other": [],
    }  # fmt: skip
    assert await seen(tree.bank, "BANK") == ["1"]  # its branch's customer
    assert await seen(tree.air, "BRANCH") == []
    expiring = (
        'query($d: Int!) { customer(institution: "BRANCH", reference: "alice")'
        " { expiring(within: $d) { points { amount } expiresAt } } }"
    )
    for caller in (tree.root, tree.bank, tree.branch):
        assert (await caller.ask(expiring, d=4))["expiring"] == []
        [one] = (await caller.ask(expiring, d=5))["expiring"]
        assert (one["points"]["amount"], datetime.fromisoformat(one["expiresAt"])) == ("1", ends)
    for caller in (tree.air, tree.other):
        assert (await caller.ask(expiring, d=5))["expiring"] == []
