"""Pools of a family and of a company, through the API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import Mark, PoolKind
from hub.limits import Act
from tests.schema.acting import act, currency, institution
from tests.schema.conftest import Caller, Client

POOL = """query P($reference: String!) { pool(institution: "BANK", reference: $reference) {
  id kind owner { reference } customer { reference balances { currency { code } total lots { amount } } }
  members { edges { node { customer { reference } rights contributions { amount currency } } } } } }"""
ALL = ["CONTRIBUTE", "SPEND", "MANAGE"]
_keys = iter(range(1_000_000))


def who(reference: str, home: str = "BANK") -> dict[str, str]:
    return {"institution": home, "reference": reference}


class Family:
    """The pool ``fam`` of ann (its owner), bea and cem, with points that end when their bank says."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.root = client.caller(client.hub.admin)

    async def do(self, field: str, selection: str = "__typename", /, **fields: Any) -> Any:
        kind = {"redeemPoints": "RedeemPointsInput", "issuePoints": "IssuePointsInput"}.get(
            field, f"{field[0].upper()}{field[1:]}Input"
        )
        keyless = field in ("joinPool", "setPoolRights")
        key = {} if keyless else {"idempotencyKey": f"k{next(_keys)}"}
        return await act(self.root, field, kind, selection, **{**key, **fields})

    async def issue(self, to: str, amount: str, year: int | None = None, of: str = "BP") -> None:
        ends = {} if year is None else {"expiresAt": f"{year}-01-01T00:00:00Z"}
        made = await self.do("issuePoints", currency=of, to=who(to), amount=amount, **ends)
        assert made["__typename"] == "Issue", made

    async def give(self, member: str, amount: str, of: str = "BP") -> Any:
        return await self.do(
            "contributeToPool",
            "... on PoolContribution { id points { amount } member { reference } pool { reference } }",
            pool=who("fam"),
            member=who(member),
            currency=of,
            amount=amount,
        )

    async def spend(self, by: str | None, amount: str, customer: str = "fam") -> Any:
        more = {} if by is None else {"by": who(by)}
        return await self.do(
            "redeemPoints",
            "... on Redemption { id }",
            currency="BP",
            customer=who(customer),
            merchant="SHOP",
            amount=amount,
            **more,
        )

    async def leave(self, member: str, by: str | None = None) -> Any:
        more = {} if by is None else {"by": who(by)}
        return await self.do("leavePool", "... on Pool { id replayed }", pool=who("fam"), member=who(member), **more)

    async def left(self, reference: str = "fam") -> dict[str, dict[str, str]]:
        """What is left of each member's contributions, by currency."""
        pool = await self.root.ask(POOL, reference=reference)
        return {
            edge["node"]["customer"]["reference"]: {
                one["currency"]: one["amount"] for one in edge["node"]["contributions"]
            }
            for edge in pool["members"]["edges"]
        }

    async def held(self, reference: str, of: str = "BP") -> str:
        """A customer's total."""
        document = """query C($reference: String!) { customer(institution: "BANK", reference: $reference) {
          balances { currency { code } total } } }"""
        customer = await self.root.ask(document, reference=reference)
        return next((one["total"] for one in customer["balances"] if one["currency"]["code"] == of), "0")

    async def lots(self, reference: str) -> list[tuple[str, str | None]]:
        """A customer's lots: amount and the year of the end."""
        document = """query C($reference: String!) { customer(institution: "BANK", reference: $reference) {
          balances { lots { amount expiresAt } } } }"""
        customer = await self.root.ask(document, reference=reference)
        return [
            (lot["amount"], lot["expiresAt"] and lot["expiresAt"][:4])
            for balance in customer["balances"]
            for lot in balance["lots"]
        ]

    async def is_sound(self, *, without_holds: bool = True) -> bool:
        async with self.client.hub.database.snapshot() as connection:
            found = (await audit(connection)).findings
        return not [one for one in found if without_holds or one.code.startswith("POOL")]


@pytest.fixture
async def family(client: Client) -> Family:
    made = Family(client)
    root = made.root
    await institution(root, "BANK")
    await institution(root, "BRANCH", "BRANCH", parent="BANK")
    await institution(root, "SHOP")
    await currency(root, "BP", "BANK", rateConsent="OPERATOR")
    for one in ("ann", "bea", "cem", "dan"):
        await client.hub.do(commands.EnrollCustomer(actor=client.hub.admin, customer=Party("BANK", one)))
    created = await made.do(
        "createPool",
        "... on Pool { id kind owner { reference } customer { reference } replayed }",
        institution="BANK",
        reference="fam",
        kind="FAMILY",
        owner=who("ann"),
    )
    assert created == {
        "__typename": "Pool",
        "id": created["id"],
        "kind": "FAMILY",
        "owner": {"reference": "ann"},
        "customer": {"reference": "fam"},
        "replayed": False,
    }
    for one in ("bea", "cem"):
        joined = await made.do(
            "joinPool", pool=who("fam"), member=who(one), rights=["SPEND", "CONTRIBUTE"], by=who("ann")
        )
        assert joined["__typename"] == "Pool", joined
    return made


async def test_contributions_of_three_are_spent_by_one_and_who_leaves_takes_back_what_is_left(family: Family) -> None:
    for one, amount, year in (("ann", "300", 2096), ("bea", "200", 2095), ("cem", "100", 2097)):
        await family.issue(one, amount, year)
        given = await family.give(one, amount)
        assert given["points"] == {"amount": amount}
        assert (given["member"], given["pool"]) == ({"reference": one}, {"reference": "fam"})
        assert await family.held(one) == "0"
    assert await family.left() == {"ann": {"BP": "300"}, "bea": {"BP": "200"}, "cem": {"BP": "100"}}
    spent = await family.spend("ann", "450")  # bea's 200 end first, then 250 of ann's
    assert spent["__typename"] == "Redemption", spent
    assert await family.left() == {"ann": {"BP": "50"}, "bea": {}, "cem": {"BP": "100"}}
    assert await family.lots("fam") == [("50", "2096"), ("100", "2097")]
    left = await family.leave("cem")
    assert left["__typename"] == "Pool", left
    assert await family.lots("cem") == [("100", "2097")]
    assert await family.left() == {"ann": {"BP": "50"}, "bea": {}}
    assert (await family.leave("bea"))["__typename"] == "Pool"  # with nothing to take back
    assert await family.held("bea") == "0"
    assert await family.held("fam") == "50"
    assert (await family.spend("cem", "1"))["reason"] == "NOT_A_MEMBER"
    assert await family.is_sound()


async def test_points_of_one_end_are_spent_in_the_order_of_earning(family: Family) -> None:
    for one, amount in (("ann", "300"), ("bea", "200"), ("cem", "100")):
        await family.issue(one, amount)
        await family.give(one, amount)
    await family.spend("cem", "450")  # ann's 300, 150 of bea's
    assert await family.left() == {"ann": {}, "bea": {"BP": "50"}, "cem": {"BP": "100"}}


async def test_a_spending_that_is_reversed_goes_back_to_its_givers_and_of_who_has_left_to_the_pool(
    family: Family,
) -> None:
    for one, amount, year in (("ann", "30", 2097), ("bea", "20", 2095), ("cem", "10", 2096)):
        await family.issue(one, amount, year)
        await family.give(one, amount)
    spent = await family.spend("ann", "35")  # bea's 20, cem's 10, 5 of ann's
    await family.leave("bea")
    assert await family.held("bea") == "0"
    assert (await family.do("reverse", id=spent["id"], reason="returned"))["__typename"] == "Reversal"
    assert await family.left() == {"ann": {"BP": "30"}, "cem": {"BP": "10"}}
    assert await family.held("fam") == "60"
    assert await family.held("bea") == "0"
    assert (await family.spend("cem", "60"))["__typename"] == "Redemption"  # bea's are the pool's
    assert await family.is_sound()


async def test_a_company_s_pool_earns_what_is_issued_to_it_and_its_members_own_points_are_untouched(
    family: Family,
) -> None:
    await family.issue("ann", "7")
    await family.issue("fam", "40", 2095)  # of one card
    await family.issue("fam", "2")  # of the other
    assert (await family.held("fam"), await family.held("ann")) == ("42", "7")
    assert await family.left() == {"ann": {}, "bea": {}, "cem": {}}
    assert (await family.spend("bea", "41"))["__typename"] == "Redemption"
    assert (await family.held("fam"), await family.held("ann")) == ("1", "7")
    assert await family.is_sound()


async def test_a_pool_that_only_its_cards_have_named_so_far_is_a_pool(family: Family) -> None:
    made = await family.do("createPool", institution="BANK", reference="firm", kind="CORPORATE", owner=who("ann"))
    assert made["__typename"] == "Pool", made
    for card in ("6217-01", "6217-02"):
        bound = await family.do("bindIdentifier", institution="BANK", identifier=card, customer=who("firm"))
        assert bound["__typename"] == "Binding", bound
    await family.issue("ann", "7")
    await family.issue("6217-01", "40")  # which opens the pool's account
    await family.issue("6217-02", "2", 2095)
    assert (await family.held("firm"), await family.held("ann")) == ("42", "7")  # 40 + 2 in one balance
    for card in ("firm", "6217-01"):
        assert (await family.spend(None, "1", customer=card))["reason"] == "NOT_A_MEMBER"
    assert (await family.spend("ann", "41", customer="6217-02"))["__typename"] == "Redemption"
    assert (await family.held("firm"), await family.held("ann")) == ("1", "7")
    assert await family.is_sound()


async def test_spending_of_a_pool_names_a_member_who_may(family: Family) -> None:
    assert (await family.spend("ann", "1"))["reason"] == "INSUFFICIENT_POINTS"  # it never had any
    assert (await family.spend(None, "1"))["reason"] == "NOT_A_MEMBER"
    await family.issue("fam", "40")
    for by in (None, "dan", "nobody"):
        assert (await family.spend(by, "1"))["reason"] == "NOT_A_MEMBER", by
    await family.do("setPoolRights", pool=who("fam"), member=who("bea"), rights=["CONTRIBUTE"], by=who("ann"))
    refused = await family.spend("bea", "1")
    assert refused["reason"] == "POOL_RIGHT_MISSING"
    assert refused["details"] == [{"key": "member", "value": "bea"}, {"key": "right", "value": "SPEND"}]
    await family.issue("dan", "5")
    assert (await family.spend("ann", "1", customer="dan"))["reason"] == "INVALID_INPUT"  # dan is no pool
    ends = {"from": who("fam"), "to": who("dan")}
    assert (await family.do("transferPoints", currency="BP", amount="1", **ends))["reason"] == "NOT_A_MEMBER"
    given = await family.do("transferPoints", currency="BP", amount="3", by=who("cem"), **ends)
    assert given["__typename"] == "Transfer", given
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    hold = {"currency": "BP", "customer": who("fam"), "amount": "4", "expiresAt": until}
    assert (await family.do("holdPoints", **hold))["reason"] == "NOT_A_MEMBER"
    assert (await family.do("holdPoints", by=who("cem"), **hold))["__typename"] == "Hold"
    assert (await family.held("fam"), await family.held("dan")) == ("37", "8")
    assert await family.is_sound(without_holds=False)


async def test_a_pool_s_points_are_converted_by_a_member_also_at_a_quote(family: Family) -> None:
    hub = family.client.hub
    await hub.institution("AIR")
    await hub.currency("MILE", "AIR")
    await hub.rate("BP", "MILE")
    await family.issue("ann", "100", 2095)
    await family.give("ann", "100")
    deal = {
        "source": who("fam"),
        "target": who("ann", "AIR"),
        "sourceCurrency": "BP",
        "targetCurrency": "MILE",
        "sourceAmount": "30",
    }
    assert (await family.do("convert", **deal))["reason"] == "NOT_A_MEMBER"
    assert (await family.do("convert", by=who("bea"), **deal))["__typename"] == "Conversion"
    quote = await act(family.root, "requestQuote", "RequestQuoteInput", "... on Quote { id }", **deal)
    assert (await family.do("executeQuote", quoteId=quote["id"]))["reason"] == "NOT_A_MEMBER"
    assert (await family.do("executeQuote", quoteId=quote["id"], by=who("bea")))["__typename"] == "Conversion"
    assert await family.left() == {"ann": {"BP": "40"}, "bea": {}, "cem": {}}
    # a pool that is credited by a quote first is a pool
    back = {"source": who("ann", "AIR"), "target": who("fam"), "sourceCurrency": "MILE", "targetCurrency": "FREE"}
    await hub.currency("FREE", "BANK")
    await hub.rate("MILE", "FREE")
    quote = await act(family.root, "requestQuote", "RequestQuoteInput", "... on Quote { id }", **back, sourceAmount="9")
    assert (await family.do("executeQuote", quoteId=quote["id"]))["__typename"] == "Conversion"
    [marks] = await hub.sql("SELECT marks FROM account WHERE currency = 'FREE' AND kind = 1")
    assert marks[0] == Mark.POOL
    assert await family.is_sound()


async def test_who_leaves_takes_no_held_points_and_points_of_every_currency(family: Family) -> None:
    await currency(family.root, "GIFT", "BANK", transferable=False)
    await family.issue("bea", "50", 2095)
    await family.issue("bea", "8", of="GIFT")
    assert (await family.give("bea", "50"))["__typename"] == "PoolContribution"
    assert (await family.give("bea", "8", "GIFT"))["__typename"] == "PoolContribution"  # though not transferable
    ends = {"from": who("fam"), "to": who("ann")}
    gift = await family.do("transferPoints", currency="GIFT", amount="1", by=who("bea"), **ends)
    assert gift["reason"] == "TRANSFER_FORBIDDEN"
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    held = await family.do(
        "holdPoints",
        "... on Hold { id }",
        currency="BP",
        customer=who("fam"),
        amount="20",
        expiresAt=until,
        by=who("ann"),
    )
    assert (await family.leave("bea"))["__typename"] == "Pool"
    assert (await family.held("bea"), await family.held("bea", "GIFT")) == ("30", "8")
    assert (await family.do("releaseHold", holdId=held["id"]))["__typename"] == "Hold"
    assert await family.held("fam") == "20"  # the pool's, while bea is no member
    assert (await family.spend("cem", "20"))["__typename"] == "Redemption"
    assert await family.is_sound(without_holds=False)


async def test_only_who_manages_lets_members_in_and_out_and_the_owner_stays(family: Family) -> None:
    join = {"pool": who("fam"), "member": who("dan"), "rights": ["SPEND"]}
    assert (await family.do("joinPool", by=who("bea"), **join))["reason"] == "POOL_RIGHT_MISSING"
    assert (await family.do("joinPool", by=who("dan"), **join))["reason"] == "NOT_A_MEMBER"
    assert (await family.leave("cem", by="bea"))["reason"] == "POOL_RIGHT_MISSING"
    await family.do("setPoolRights", pool=who("fam"), member=who("bea"), rights=["MANAGE"], by=who("ann"))
    assert (await family.do("joinPool", by=who("bea"), **join))["__typename"] == "Pool"
    assert (await family.do("joinPool", by=who("bea"), **join))["reason"] == "DUPLICATE"
    assert (await family.leave("cem", by="bea"))["__typename"] == "Pool"
    assert (await family.leave("cem"))["reason"] == "NOT_A_MEMBER"
    assert (await family.leave("ann"))["reason"] == "INVALID_INPUT"
    assert (await family.leave("ann", by="bea"))["reason"] == "INVALID_INPUT"
    rights = {"pool": who("fam"), "member": who("ann"), "rights": [], "by": who("bea")}
    assert (await family.do("setPoolRights", **rights))["reason"] == "INVALID_INPUT"
    pool = await family.root.ask(POOL, reference="fam")
    shown = {edge["node"]["customer"]["reference"]: edge["node"]["rights"] for edge in pool["members"]["edges"]}
    assert shown == {"ann": ALL, "bea": ["MANAGE"], "dan": ["SPEND"]}
    again = {"pool": who("fam"), "member": who("cem"), "rights": ["CONTRIBUTE"], "by": who("ann")}
    assert (await family.do("joinPool", **again))["__typename"] == "Pool"
    assert await family.is_sound()


async def test_members_are_customers_of_the_pool_s_institution_or_of_one_below_it(family: Family) -> None:
    hub = family.client.hub
    for home in ("BRANCH", "SHOP"):
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party(home, "eve")))
    join = {"pool": who("fam"), "rights": ALL, "by": who("ann")}
    assert (await family.do("joinPool", member=who("eve", "SHOP"), **join))["reason"] == "INVALID_INPUT"
    assert (await family.do("joinPool", member=who("fam"), **join))["reason"] == "INVALID_INPUT"
    assert (await family.do("joinPool", member=who("nobody"), **join))["reason"] == "NOT_FOUND"
    assert (await family.do("joinPool", member=who("eve", "BRANCH"), **join))["__typename"] == "Pool"
    assert (await family.do("joinPool", **{**join, "pool": who("dan")}, member=who("bea")))["reason"] == "NOT_FOUND"
    made = {"institution": "BANK", "kind": "CORPORATE"}
    assert (await family.do("createPool", reference="dan", owner=who("ann"), **made))["reason"] == "DUPLICATE"
    assert (await family.do("createPool", reference="c", owner=who("fam"), **made))["reason"] == "INVALID_INPUT"
    assert (await family.do("createPool", reference="c", owner=who("x"), **made))["reason"] == "NOT_FOUND"
    assert (await family.do("createPool", reference=" ", owner=who("ann"), **made))["reason"] == "INVALID_INPUT"


async def test_a_contribution_needs_the_right_and_the_points(family: Family) -> None:
    await family.issue("ann", "5")
    assert (await family.give("dan", "1"))["reason"] == "NOT_A_MEMBER"
    assert (await family.give("ann", "6"))["reason"] == "INSUFFICIENT_POINTS"
    await family.do("setPoolRights", pool=who("fam"), member=who("cem"), rights=["SPEND"], by=who("ann"))
    await family.issue("cem", "5")
    assert (await family.give("cem", "1"))["reason"] == "POOL_RIGHT_MISSING"


REVERSAL = "... on Reversal { id points { amount } of { id __typename } replayed }"


async def test_a_contribution_is_reversed_in_parts_to_the_lots_it_came_from(family: Family) -> None:
    await family.issue("bea", "30", 2095)
    await family.issue("bea", "20", 2096)
    await family.issue("ann", "40", 2094)
    given = await family.give("bea", "45")  # 30 of 2095, 15 of 2096
    await family.give("ann", "40")
    back = await family.do("reverse", REVERSAL, id=given["id"], amount="25", reason="a slip")
    of = {"id": given["id"], "__typename": "PoolContribution"}
    assert (back["points"], back["of"], back["replayed"]) == ({"amount": "25"}, of, False)
    # what was put in last comes back first: 15 of 2096 beside the 5 that stayed, and 10 of 2095
    assert await family.lots("bea") == [("10", "2095"), ("20", "2096")]
    assert await family.lots("fam") == [("40", "2094"), ("20", "2095")]
    assert await family.left() == {"ann": {"BP": "40"}, "bea": {"BP": "20"}, "cem": {}}
    more = await family.do("reverse", id=given["id"], amount="21", reason="a slip")
    assert more["reason"] == "EXCEEDS_ORIGINAL"
    rest = await family.do("reverse", REVERSAL, id=given["id"], reason="a slip")
    assert rest["points"] == {"amount": "20"}
    assert await family.lots("bea") == [("30", "2095"), ("20", "2096")]
    assert await family.left() == {"ann": {"BP": "40"}, "bea": {}, "cem": {}}
    again = await family.do("reverse", id=given["id"], reason="a slip")
    assert again["reason"] == "ALREADY_REVERSED"
    assert await family.is_sound()


async def test_a_contribution_is_reversed_out_of_its_givers_unspent_points_alone(family: Family) -> None:
    await family.issue("bea", "30", 2095)
    await family.issue("ann", "40", 2096)
    await family.issue("fam", "50", 2097)
    given = await family.give("bea", "30")
    await family.give("ann", "40")
    await family.spend("ann", "20")  # of bea's, which end first
    refused = await family.do("reverse", id=given["id"], reason="a slip")
    assert refused["reason"] == "INSUFFICIENT_POINTS"  # though the pool has 100
    assert refused["details"] == [{"key": "available", "value": "10"}, {"key": "requested", "value": "30"}]
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    terms = {"currency": "BP", "customer": who("fam"), "expiresAt": until, "by": who("ann")}
    assert (await family.do("holdPoints", amount="4", **terms))["__typename"] == "Hold"  # of bea's as well
    refused = await family.do("reverse", id=given["id"], amount="7", reason="a slip")
    assert refused["details"] == [{"key": "available", "value": "6"}, {"key": "requested", "value": "7"}]
    assert (await family.do("reverse", id=given["id"], amount="6", reason="a slip"))["__typename"] == "Reversal"
    assert (await family.held("bea"), await family.held("fam")) == ("6", "94")
    assert await family.left() == {"ann": {"BP": "40"}, "bea": {"BP": "4"}, "cem": {}}
    assert await family.is_sound()


async def test_a_contribution_comes_back_out_of_other_points_of_its_giver_too(family: Family) -> None:
    await family.issue("bea", "10", 2095)
    first = await family.give("bea", "10")
    await family.issue("bea", "10", 2096)
    await family.give("bea", "10")
    await family.spend("ann", "8")  # of the first ones
    assert (await family.do("reverse", id=first["id"], reason="a slip"))["__typename"] == "Reversal"
    assert await family.lots("bea") == [("10", "2095")]  # as they were
    assert await family.lots("fam") == [("2", "2096")]  # 2 of 2095 and 8 of 2096 went back
    assert await family.is_sound()


async def test_who_has_left_gets_no_contribution_reversed(family: Family) -> None:
    await family.issue("bea", "30", 2095)
    given = await family.give("bea", "30")
    spent = await family.spend("ann", "12")
    await family.leave("bea")  # with 18
    await family.do("reverse", id=spent["id"], reason="returned")  # the 12 are the pool's now
    refused = await family.do("reverse", id=given["id"], amount="12", reason="a slip")
    assert (refused["reason"], refused["details"]) == ("NOT_A_MEMBER", [{"key": "member", "value": "bea"}])
    again = {"pool": who("fam"), "member": who("bea"), "rights": [], "by": who("ann")}
    assert (await family.do("joinPool", **again))["__typename"] == "Pool"
    assert (await family.do("reverse", id=given["id"], amount="12", reason="a slip"))["__typename"] == "Reversal"
    assert await family.held("bea") == "30"
    assert await family.is_sound()


async def test_a_contribution_is_reversed_by_who_may_act_for_its_member(family: Family) -> None:
    hub = family.client.hub
    await family.issue("bea", "30", 2095)
    given = await family.give("bea", "30")
    for home, reason in (("SHOP", "NOT_FOUND"), ("BRANCH", "NOT_FOUND")):
        id, _ = await hub.key(home, Role.INSTITUTION_TRADER)
        caller = family.client.caller(id)
        fields = {"idempotencyKey": f"not-{home}", "id": given["id"], "reason": "a slip"}
        assert (await act(caller, "reverse", "ReverseInput", "__typename", **fields))["reason"] == reason
    id, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    fields = {"idempotencyKey": "bank", "id": given["id"], "reason": "a slip"}
    done = await act(family.client.caller(id), "reverse", "ReverseInput", "... on Reversal { id }", **fields)
    assert done["__typename"] == "Reversal"


async def test_a_contribution_that_is_reversed_gives_its_limit_back(family: Family) -> None:
    await family.issue("ann", "100")
    await family.client.hub.limit("give", "60", act=Act.TRANSFER)
    given = await family.give("ann", "40")
    assert (await family.give("ann", "30"))["reason"] == "LIMIT_EXCEEDED"
    await family.do("reverse", id=given["id"], amount="15", reason="a slip")  # 25 count, 35 are left
    assert (await family.give("ann", "35"))["__typename"] == "PoolContribution"
    assert await family.is_sound()


async def test_a_statement_shows_a_contribution_and_its_reversal(family: Family) -> None:
    await family.issue("ann", "100")
    given = await family.give("ann", "40")
    await family.do("reverse", id=given["id"], amount="15", reason="a slip")
    document = """query M($customer: CustomerInput!) { movements(customer: $customer, currency: "BP") {
      edges { node { kind direction points { amount } balanceAfter memo } } } }"""
    lines = {}
    for one in ("ann", "fam"):
        found = await family.root.ask(document, customer=who(one))
        lines[one] = [tuple(edge["node"].values()) for edge in found["edges"]]
    assert lines == {
        "ann": [
            ("REVERSE", "CREDIT", {"amount": "15"}, "75", "a slip"),
            ("CONTRIBUTE", "DEBIT", {"amount": "40"}, "60", None),
            ("ISSUE", "CREDIT", {"amount": "100"}, "100", None),
        ],
        "fam": [
            ("REVERSE", "DEBIT", {"amount": "15"}, "25", "a slip"),
            ("CONTRIBUTE", "CREDIT", {"amount": "40"}, "40", None),
        ],
    }


async def test_a_pool_is_no_way_round_a_limit_on_what_is_given_away(family: Family) -> None:
    await family.issue("ann", "100")
    await family.client.hub.limit("give", "60", act=Act.TRANSFER)
    await family.give("ann", "40")
    refused = await family.give("ann", "30")
    assert refused["reason"] == "LIMIT_EXCEEDED"
    assert await family.held("ann") == "60"


async def test_the_same_key_gets_the_same_answer(family: Family) -> None:
    await family.issue("bea", "9")
    put = {"pool": who("fam"), "member": who("bea"), "currency": "BP", "amount": "9", "idempotencyKey": "put"}
    made = "... on PoolContribution { id replayed }"
    first, again = await family.do("contributeToPool", made, **put), await family.do("contributeToPool", made, **put)
    assert (first["replayed"], again) == (False, {**first, "replayed": True})
    out = {"pool": who("fam"), "member": who("bea"), "idempotencyKey": "out"}
    shown = "... on Pool { id replayed }"
    first, again = await family.do("leavePool", shown, **out), await family.do("leavePool", shown, **out)
    assert (first["replayed"], again) == (False, {**first, "replayed": True})
    assert await family.held("bea") == "9"


async def test_two_members_spend_the_last_points_at_once_and_one_of_them_does(family: Family) -> None:
    await family.issue("fam", "10", 2095)
    hub = family.client.hub
    other = hub.beside()
    try:
        spends = [
            commands.Redeem(
                actor=hub.admin,
                key=f"last-{by}",
                currency="BP",
                customer=Party("BANK", "fam"),
                merchant="SHOP",
                amount="10",
                memo=None,
                by=Party("BANK", by),
            )
            for by in ("bea", "cem")
        ]
        outcomes = await asyncio.gather(hub.try_(spends[0]), other.try_(spends[1]))
    finally:
        await other.close()
    refusals = [one.refusal.code for one in outcomes if one.refusal is not None]
    assert refusals == ["INSUFFICIENT_POINTS"]
    assert await family.held("fam") == "0"
    assert len(await hub.sql("SELECT * FROM pool_use")) == 1


async def test_a_pool_made_joined_credited_and_spent_in_one_batch(family: Family) -> None:
    hub = family.client.hub
    pool, ann, bea = (Party("BANK", one) for one in ("new", "ann", "bea"))
    act_: dict[str, Any] = {"actor": hub.admin}
    answers = await hub.batch(
        [
            commands.CreatePool(**act_, key="b1", pool=pool, kind=PoolKind.CORPORATE, owner=ann),
            commands.JoinPool(**act_, pool=pool, member=bea, rights=(), by=ann),
            commands.Issue(
                **act_, key="b2", currency="BP", to=pool, amount="5", earned_at=None, expires_at=None, memo=None
            ),
            *(
                commands.Redeem(
                    **act_,
                    key=f"b{by.reference}",
                    currency="BP",
                    customer=pool,
                    merchant="SHOP",
                    amount="1",
                    memo=None,
                    by=by,
                )
                for by in (bea, ann)
            ),
        ]
    )
    refused = [getattr(answer, "refusal", answer) for answer in answers]
    assert [one and type(one).__name__ for one in refused] == [None, None, None, "PoolRightMissing", None]
    assert await family.held("new") == "4"


async def test_a_pool_and_who_is_in_it_is_for_those_who_see_its_institution(family: Family) -> None:
    client = family.client
    pool = await family.root.ask(POOL, reference="fam")
    await family.issue("ann", "1")
    put = await family.give("ann", "1")
    node = "query N($id: ID!) { node(id: $id) { __typename id } }"
    seen = {}
    for home in ("BANK", "BRANCH", "SHOP"):
        caller: Caller = client.caller((await client.hub.key(home, Role.INSTITUTION_TRADER))[0])
        found = await caller.ask(POOL, reference="fam")
        seen[home] = found is not None
        assert (await caller.ask(node, id=pool["id"]) is not None) == seen[home]
        assert (await caller.ask(node, id=put["id"]) is not None) == seen[home]
        document = "mutation L($input: LeavePoolInput!) { leavePool(input: $input) { __typename } }"
        leaving = {"idempotencyKey": f"l{home}", "pool": who("fam"), "member": who("dan")}
        assert await caller.codes(document, input=leaving) == ([] if home == "BANK" else ["FORBIDDEN"])
    assert seen == {"BANK": True, "BRANCH": False, "SHOP": False}
    assert await family.root.ask(POOL, reference="dan") is None
