"""What a clearing took of a customer, shown and given back through the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import clearings
from hub.access import Role
from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import AccountKind, Clearing, MovementKind
from tests.schema.acting import act
from tests.schema.conftest import Caller, Client

REVERSAL = "... on Reversal { id points { amount currency } of { id __typename } }"
TAKEN = """query T($id: ID!, $first: Int, $after: String) { pointsClearing(id: $id) { cleared accounts
  taken(first: $first, after: $after) {
    edges { node { id points { amount currency } customer { reference } postedAt sequence } }
    pageInfo { hasNextPage endCursor } } } }"""
NODE = "query N($id: ID!) { node(id: $id) { id __typename ... on ClearedPoints { points { amount } } } }"
NOW = datetime.now(UTC)


class Bank:
    """BANK with its points BP, of which ann and, at AIR, zoe have some."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.hub = client.hub
        self.root = client.caller(client.hub.admin)
        self._keys = 0

    def key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    async def open(self) -> "Bank":
        await self.hub.institution("GROUP")
        await self.hub.institution("BANK", parent="GROUP")
        await self.hub.institution("BRANCH", parent="BANK")
        await self.hub.institution("AIR")
        await self.hub.currency("BP", "BANK")
        return self

    async def issue(self, who: str, amount: int, ends: datetime | None, home: str = "BANK") -> None:
        fields: dict[str, Any] = {"earned_at": None, "expires_at": ends, "memo": None}
        await self.hub.do(
            commands.Issue(
                actor=self.hub.admin,
                key=self.key(),
                currency="BP",
                to=Party(home, who),
                amount=str(amount),
                **fields,
            )
        )

    async def clear(self) -> str:
        """Take everything; answers the clearing's identifier."""
        fields = {"idempotencyKey": self.key(), "currency": "BP", "scope": "ALL", "reason": "year-end"}
        made = await act(self.root, "clearPoints", "ClearPointsInput", "... on PointsClearing { id }", **fields)
        [run] = await clearings.begun(self.hub.database)
        done: Clearing = await clearings.work_off(self.hub.database, self.hub.engine, run)
        assert done.ended_at is not None
        return str(made["id"])

    async def taken(self, clearing: str, caller: Caller | None = None) -> dict[str, tuple[str, str]]:
        """By customer: the identifier and the amount of what a clearing took."""
        found = await (caller or self.root).ask(TAKEN, id=clearing)
        nodes = [edge["node"] for edge in found["taken"]["edges"]]
        return {one["customer"]["reference"]: (one["id"], one["points"]["amount"]) for one in nodes}

    async def reverse(self, id: str, amount: str | None = None, caller: Caller | None = None, **more: Any) -> Any:
        fields = {"idempotencyKey": self.key(), "id": id, "amount": amount, "reason": "in error", **more}
        return await act(caller or self.root, "reverse", "ReverseInput", REVERSAL, **fields)

    async def lots(self, who: str) -> list[tuple[str, str | None]]:
        document = """query C($reference: String!) { customer(institution: "BANK", reference: $reference) {
          balances { lots { amount expiresAt } } } }"""
        found = await self.root.ask(document, reference=who)
        return [
            (lot["amount"], lot["expiresAt"] and lot["expiresAt"][:4])
            for balance in found["balances"]
            for lot in balance["lots"]
        ]

    async def trader(self, home: str) -> Caller:
        id, _ = await self.hub.key(home, Role.INSTITUTION_TRADER)
        return self.client.caller(id)

    async def is_sound(self) -> bool:
        async with self.hub.database.snapshot() as connection:
            return not (await audit(connection)).findings


@pytest.fixture
async def bank(client: Client) -> Bank:
    return await Bank(client).open()


async def test_what_a_clearing_took_comes_back_in_parts_to_its_lots_with_their_ends(bank: Bank) -> None:
    for amount, year in ((30, 2095), (20, 2096), (5, None)):
        await bank.issue("ann", amount, None if year is None else datetime(year, 1, 1, tzinfo=UTC))
    id, units = (await bank.taken(await bank.clear()))["ann"]
    assert (units, await bank.hub.balance("BP", "BANK", "ann")) == ("55", 0)
    back = await bank.reverse(id, "35")
    of = {"id": id, "__typename": "ClearedPoints"}
    assert (back["points"], back["of"]) == ({"amount": "35", "currency": "BP"}, of)
    # counted from the end of what was taken: the 5 that never end, 20 of 2096, 10 of 2095
    assert await bank.lots("ann") == [("10", "2095"), ("20", "2096"), ("5", None)]
    assert (await bank.reverse(id, "21"))["reason"] == "EXCEEDS_ORIGINAL"
    assert (await bank.reverse(id))["points"]["amount"] == "20"
    assert await bank.lots("ann") == [("30", "2095"), ("20", "2096"), ("5", None)]
    assert (await bank.reverse(id))["reason"] == "ALREADY_REVERSED"
    in_breakage = "SELECT credits_posted - debits_posted FROM account WHERE kind = $1"
    assert await bank.hub.sql(in_breakage, AccountKind.BREAKAGE) == [(0,)]
    assert await bank.is_sound()


async def test_what_has_ended_meanwhile_comes_back_and_is_over_at_once(bank: Bank) -> None:
    await bank.issue("ann", 30, NOW + timedelta(days=2))
    await bank.issue("ann", 20, datetime(2096, 1, 1, tzinfo=UTC))
    id, _ = (await bank.taken(await bank.clear()))["ann"]
    later = bank.hub.beside(clock=lambda now: now + timedelta(days=3))
    try:
        command = commands.Reverse(
            actor=bank.hub.admin, key="late", id=int(id.partition("_")[2], 16), amount=None, reason="in error"
        )
        made = await later.do(command)
    finally:
        await later.close()
    assert made.amount == 50
    assert await bank.hub.balance("BP", "BANK", "ann") == 20
    assert await bank.hub.sql("SELECT amount FROM movement WHERE kind = $1", MovementKind.EXPIRE) == [(30,)]
    assert await bank.is_sound()


async def test_only_the_issuer_and_the_operator_give_back_what_was_cleared(bank: Bank) -> None:
    await bank.issue("ann", 30, None)
    await bank.issue("zoe", 40, None, "AIR")
    await bank.issue("bob", 50, None, "BRANCH")
    clearing = await bank.clear()
    issuer, above, air, branch = [await bank.trader(home) for home in ("BANK", "GROUP", "AIR", "BRANCH")]
    taken = await bank.taken(clearing, issuer)
    assert {who: amount for who, (_, amount) in taken.items()} == {"ann": "30", "zoe": "40", "bob": "50"}
    zoe, bob = taken["zoe"][0], taken["bob"][0]
    for caller, id in ((above, bob), (air, zoe), (branch, bob)):
        fields = {"idempotencyKey": bank.key(), "id": id, "reason": "in error"}
        document = "mutation R($input: ReverseInput!) { reverse(input: $input) { __typename } }"
        assert await caller.codes(document, input=fields) == ["FORBIDDEN"]
    assert (await bank.reverse(bob, caller=air))["reason"] == "NOT_FOUND"
    assert (await bank.reverse(zoe, "10", caller=issuer))["__typename"] == "Reversal"
    assert (await bank.reverse(zoe, "10"))["__typename"] == "Reversal"
    assert (await bank.reverse(zoe, "10", shortfall="DEBT"))["reason"] == "INVALID_INPUT"
    assert await bank.hub.balance("BP", "AIR", "zoe") == 20
    assert await bank.is_sound()


async def test_what_a_clearing_took_is_seen_by_its_issuer_and_by_its_customers_institution(bank: Bank) -> None:
    await bank.issue("zoe", 40, None, "AIR")
    clearing = await bank.clear()
    id = (await bank.taken(clearing))["zoe"][0]
    await bank.hub.institution("OTHER")
    for home, sees in (("BANK", True), ("AIR", True), ("OTHER", False)):
        caller = await bank.trader(home)
        shown = await caller.ask(NODE, id=id)
        assert shown == ({"id": id, "__typename": "ClearedPoints", "points": {"amount": "40"}} if sees else None), home
    air = await bank.trader("AIR")
    assert await air.ask(TAKEN, id=clearing) is None


async def test_what_a_clearing_took_is_listed_page_by_page(bank: Bank) -> None:
    for who in ("a", "b", "c"):
        await bank.issue(who, 10, None)
    clearing = await bank.clear()
    first = (await bank.root.ask(TAKEN, id=clearing, first=2))["taken"]
    rest = (await bank.root.ask(TAKEN, id=clearing, first=2, after=first["pageInfo"]["endCursor"]))["taken"]
    assert [edge["node"]["customer"]["reference"] for edge in first["edges"] + rest["edges"]] == ["a", "b", "c"]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


async def test_what_a_customer_who_left_had_is_no_clearing_s_and_stays(bank: Bank) -> None:
    await bank.issue("ann", 30, None)
    await bank.hub.do(
        commands.CloseCustomer(actor=bank.hub.admin, key="bye", customer=Party("BANK", "ann"), reason="left")
    )
    [[movement]] = await bank.hub.sql("SELECT id FROM movement WHERE kind = $1", MovementKind.CLEAR)
    assert await bank.root.ask(NODE, id=f"tk_{movement:x}") is None
    assert (await bank.reverse(f"tk_{movement:x}"))["reason"] == "NOT_FOUND"


async def test_who_left_after_a_clearing_gets_nothing_back(bank: Bank) -> None:
    await bank.issue("ann", 30, None)
    id, _ = (await bank.taken(await bank.clear()))["ann"]
    await bank.hub.do(
        commands.CloseCustomer(actor=bank.hub.admin, key="bye", customer=Party("BANK", "ann"), reason="left")
    )
    assert (await bank.reverse(id))["reason"] == "CUSTOMER_CLOSED"


async def test_what_comes_back_from_a_clearing_repays_a_debt(bank: Bank) -> None:
    await bank.issue("ann", 30, None)
    fields: dict[str, Any] = {"earned_at": None, "expires_at": None, "memo": None, "amount": "20"}
    granted = await bank.hub.do(
        commands.Issue(actor=bank.hub.admin, key="g", currency="BP", to=Party("BANK", "ann"), **fields)
    )
    id, _ = (await bank.taken(await bank.clear()))["ann"]  # 50
    assert (await bank.reverse(f"is_{granted.id:x}", shortfall="DEBT"))["__typename"] == "Reversal"
    assert (await bank.reverse(id))["__typename"] == "Reversal"
    assert await bank.hub.balance("BP", "BANK", "ann") == 30  # 50 - 20 that were owed
    assert await bank.is_sound()
