"""Limits through the API: what they clip and refuse, what is left, when they change, and who is told."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.audit import audit
from tests.conftest import noon
from tests.schema.acting import act, holder
from tests.schema.conftest import Caller, Client

LIMIT = """... on Limit { id code name act subject period measure unit mode timeZone noticeDays amount
  owner { code } currency { code } target { code } institution { code }
  versions { version amount effectiveFrom configuredBy } }"""
ISSUE = """... on Issue { id replayed points { amount } requested { amount currency } clipped { amount }
  clippedBy { code period } }"""
HEADROOM = """query H($customer: CustomerInput!, $act: LimitAct!, $target: String) {
  headroom(customer: $customer, currency: "BP", act: $act, target: $target) {
    limit { code } period amount used left } }"""
LIFT = f"""mutation L($id: ID!, $from: DateTime) {{ liftLimit(id: $id, effectiveFrom: $from) {{ __typename {LIMIT}
  ... on Refused {{ reason details {{ key value }} }} }} }}"""
ALICE = {"institution": "BANK", "reference": "alice"}


class Programme:
    """BANK with BP, whose administrator sets limits and whose trader issues; a branch below it, and AIR beside."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.root = client.caller(client.hub.admin)
        self._keys = 0

    async def begin(self) -> "Programme":
        hub = self.client.hub
        await hub.institution("BANK")
        await hub.institution("BRANCH", parent="BANK")
        await hub.institution("AIR")
        await hub.currency("BP", "BANK")
        await hub.currency("MILE", "AIR")
        self.bank = await holder(self.client, self.root, "BANK", "Ben", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
        self.branch = await holder(self.client, self.root, "BRANCH", "Bo", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
        self.air = await holder(self.client, self.root, "AIR", "Ann", "INSTITUTION_ADMIN", "INSTITUTION_TRADER")
        return self

    def key(self) -> str:
        self._keys += 1
        return f"k{self._keys}"

    async def limit(self, code: str, amount: str, caller: Caller | None = None, **terms: Any) -> Any:
        """A new limit, by default on points that each customer is issued, clipped."""
        usual = {
            "act": "ISSUE",
            "period": "DAY",
            "timeZone": noon(),
            "mode": "CLIP" if terms.get("act", "ISSUE") == "ISSUE" else "REFUSE",
        }
        starts = {"effectiveFrom": terms.pop("effectiveFrom")} if "effectiveFrom" in terms else {}
        return await self.set(caller, code=code, amount=amount, terms=usual | terms, **starts)

    async def set(self, caller: Caller | None = None, **input: Any) -> Any:
        """The answer to setLimit on BP."""
        return await act(caller or self.bank, "setLimit", "SetLimitInput", LIMIT, **({"currency": "BP"} | input))

    async def issue(self, amount: str, to: dict[str, str] = ALICE, caller: Caller | None = None, **more: Any) -> Any:
        fields = {"idempotencyKey": self.key(), "currency": "BP", "to": to, "amount": amount} | more
        return await act(caller or self.bank, "issuePoints", "IssuePointsInput", ISSUE, **fields)

    async def transfer(self, amount: str, to: dict[str, str], of: dict[str, str] = ALICE) -> Any:
        fields = {"idempotencyKey": self.key(), "currency": "BP", "from": of, "to": to, "amount": amount}
        return await act(self.bank, "transferPoints", "TransferPointsInput", "... on Transfer { id }", **fields)

    async def redeem(self, amount: str) -> Any:
        fields = {"idempotencyKey": self.key(), "currency": "BP", "customer": ALICE, "merchant": "AIR"}
        return await act(
            self.bank, "redeemPoints", "RedeemPointsInput", "... on Redemption { id }", **fields, amount=amount
        )

    async def convert(self, amount: str, caller: Caller | None = None) -> Any:
        fields = {
            "idempotencyKey": self.key(),
            "source": ALICE,
            "target": {"institution": "AIR", "reference": "al"},
            "sourceCurrency": "BP",
            "targetCurrency": "MILE",
            "sourceAmount": amount,
        }
        return await act(caller or self.bank, "convert", "ConvertInput", "... on Conversion { id }", **fields)

    async def reverse(self, id: str, amount: str | None = None) -> Any:
        fields = {"idempotencyKey": self.key(), "id": id, "amount": amount, "reason": "returned"}
        made = await act(self.bank, "reverse", "ReverseInput", "... on Reversal { id }", **fields)
        assert made["__typename"] == "Reversal", made
        return made

    async def left(self, caller: Caller | None = None, act: str = "ISSUE", **more: Any) -> dict[str, tuple[Any, Any]]:
        """What is used and what is left of each limit."""
        found = await (caller or self.bank).ask(HEADROOM, **({"customer": ALICE, "act": act} | more))
        return {row["limit"]["code"]: (row["used"], row["left"]) for row in found}


@pytest.fixture
async def programme(client: Client) -> Programme:
    return await Programme(client).begin()


def details(refused: Any) -> dict[str, str]:
    assert refused["__typename"] == "Refused", refused
    return {detail["key"]: detail["value"] for detail in refused["details"]}


async def clean(programme: Programme) -> None:
    async with programme.client.hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def today() -> str:
    return datetime.now(ZoneInfo(noon())).date().isoformat()


async def caps(programme: Programme) -> None:
    for code, period, amount in (("day", "DAY", "200"), ("month", "MONTH", "3000"), ("year", "YEAR", "20000")):
        made = await programme.limit(code, amount, period=period)
        assert (made["__typename"], made["amount"]) == ("Limit", amount), made


async def test_a_day_s_cap_clips_and_a_reversal_gives_its_headroom_back(programme: Programme) -> None:
    """Caps of 200 a day, 3,000 a month, 20,000 a year: 150, then 120 of which 50 fit."""
    await caps(programme)
    first = await programme.issue("150")
    assert first | {"id": ""} == {
        "__typename": "Issue",
        "id": "",
        "replayed": False,
        "points": {"amount": "150"},
        "requested": {"amount": "150", "currency": "BP"},
        "clipped": None,
        "clippedBy": None,
    }
    second = await programme.issue("120", idempotencyKey="second")
    clipped = {
        "points": {"amount": "50"},
        "requested": {"amount": "120", "currency": "BP"},
        "clipped": {"amount": "70"},
        "clippedBy": {"code": "day", "period": "DAY"},
    }
    assert second.items() >= clipped.items()
    again = await programme.issue("120", idempotencyKey="second")
    assert again == second | {"replayed": True}
    assert await programme.left() == {"day": ("200", "0"), "month": ("200", "2800"), "year": ("200", "19800")}
    refused = await programme.issue("1")
    assert refused["message"] == f"This would go beyond the limit day of 200 BP ({today()})."
    assert details(refused) == {
        "limit": "day",
        "period": today(),
        "amount": "200",
        "currency": "BP",
        "requested": "1",
        "used": "200",
        "available": "0",
    }
    await programme.reverse(first["id"])
    assert await programme.left() == {"day": ("50", "150"), "month": ("50", "2950"), "year": ("50", "19950")}
    assert (await programme.issue("150"))["clipped"] is None
    assert await programme.client.hub.balance("BP", "BANK", "alice") == 200
    await clean(programme)


async def test_the_tightest_of_several_caps_clips(programme: Programme) -> None:
    """Of the month 2,980 of 3,000 are used, of the day nothing: of 150 points 20 are issued."""
    await programme.limit("month", "3000", period="MONTH")
    await programme.issue("2980")
    await programme.limit("day", "200")  # counts from now on
    await programme.limit("year", "20000", period="YEAR")
    assert await programme.left() == {"month": ("2980", "20"), "day": ("0", "200"), "year": ("0", "20000")}
    made = await programme.issue("150")
    assert (made["points"], made["clipped"]) == ({"amount": "20"}, {"amount": "130"})
    assert made["clippedBy"] == {"code": "month", "period": "MONTH"}
    assert await programme.left() == {"month": ("3000", "0"), "day": ("20", "180"), "year": ("20", "19980")}
    await clean(programme)


async def test_a_ceiling_on_what_is_held_clips_what_is_earned(programme: Programme) -> None:
    """A holding ceiling of 1,000: whatever was issued before, and it is no matter when."""
    await programme.issue("700")
    await programme.limit("ceiling", "1000", period="BALANCE", subject="ACCOUNT")
    made = await programme.issue("500")
    assert (made["points"], made["clipped"]) == ({"amount": "300"}, {"amount": "200"})
    refused = await programme.issue("1")
    told = details(refused)
    assert (told["limit"], told["period"], told["used"], told["available"]) == ("ceiling", "BALANCE", "1000", "0")
    assert (await programme.redeem("400"))["__typename"] == "Redemption"
    assert await programme.left() == {"ceiling": ("600", "400")}
    assert (await programme.issue("500"))["points"] == {"amount": "400"}
    await clean(programme)


async def test_a_ceiling_refuses_a_transfer_that_would_pass_it(programme: Programme) -> None:
    await programme.limit("hold", "100", act="RECEIVE", period="BALANCE")
    await programme.issue("500")
    bob = {"institution": "BANK", "reference": "bob"}
    assert (await programme.transfer("60", bob))["__typename"] == "Transfer"
    refused = await programme.transfer("41", bob)
    assert (refused["reason"], details(refused)["limit"], details(refused)["used"]) == ("LIMIT_EXCEEDED", "hold", "60")
    assert (await programme.transfer("40", bob))["__typename"] == "Transfer"
    await clean(programme)


async def test_acts_are_counted_each_by_itself_in_points_or_money_and_by_pair(programme: Programme) -> None:
    hub = programme.client.hub
    await hub.rate("BP", "MILE", "1:25")  # 0.05 CNY a mile
    await hub.currency("GOLD", "AIR")
    await hub.rate("BP", "GOLD", "1:1")
    await programme.issue("10000")
    await programme.limit("give", "100", act="TRANSFER")
    await programme.limit("spend", "20", act="REDEEM", measure="MONEY")  # 400 points at 0.05
    await programme.limit("pair", "5000", act="CONVERT", target="MILE", period="MONTH")
    made = await programme.limit("settle", "4", act="CONVERT", measure="MONEY")
    assert (made["unit"], made["amount"]) == ("CNY", "4.00")
    bob = {"institution": "BRANCH", "reference": "bob"}
    assert (await programme.transfer("100", bob))["__typename"] == "Transfer"
    assert details(await programme.transfer("1", bob))["limit"] == "give"
    assert (await programme.redeem("400"))["__typename"] == "Redemption"
    spent = details(await programme.redeem("1"))
    assert (spent["limit"], spent["used"], spent["requested"], spent["currency"]) == ("spend", "20.00", "0.05", "CNY")
    converted = await programme.convert("1250")  # 50 miles × 0.05 = 2.50
    assert converted["__typename"] == "Conversion"
    assert await programme.left(act="CONVERT", target="MILE") == {
        "pair": ("1250", "3750"),
        "settle": ("2.50", "1.50"),
    }
    assert await programme.left(act="CONVERT", target="GOLD") == {"settle": ("2.50", "1.50")}
    beyond = details(await programme.convert("1000"))  # 40 × 0.05 = 2.00 > 1.50
    assert (beyond["limit"], beyond["requested"], beyond["available"]) == ("settle", "2.00", "1.50")
    await programme.reverse(converted["id"], "20")  # of 50: 500 of 1,250 points, 1.00 of 2.50
    assert await programme.left(act="CONVERT", target="MILE") == {
        "pair": ("750", "4250"),
        "settle": ("1.50", "2.50"),
    }
    await programme.reverse(converted["id"])
    assert await programme.left(act="CONVERT", target="MILE") == {"pair": ("0", "5000"), "settle": ("0.00", "4.00")}
    await clean(programme)


async def test_a_quote_reserves_nothing_and_is_refused_when_it_is_executed(programme: Programme) -> None:
    await programme.client.hub.rate("BP", "MILE", "1:1")
    await programme.issue("1000")
    await programme.limit("day", "100", act="CONVERT")
    deal = {
        "source": ALICE,
        "target": {"institution": "AIR", "reference": "al"},
        "sourceCurrency": "BP",
        "targetCurrency": "MILE",
        "sourceAmount": "80",
    }
    ids = [
        (await act(programme.bank, "requestQuote", "RequestQuoteInput", "... on Quote { id }", **deal))["id"]
        for _ in range(2)
    ]
    assert await programme.left(act="CONVERT") == {"day": ("0", "100")}
    done = [
        await act(
            programme.bank,
            "executeQuote",
            "ExecuteQuoteInput",
            "... on Conversion { id }",
            idempotencyKey=programme.key(),
            quoteId=id,
        )
        for id in ids
    ]
    assert [one["__typename"] for one in done] == ["Conversion", "Refused"]
    assert details(done[1])["available"] == "20"
    await clean(programme)


async def test_an_institution_or_everybody_together_is_counted_as_one(programme: Programme) -> None:
    alice, bob = ALICE, {"institution": "BRANCH", "reference": "bob"}
    await programme.limit("each", "100", subject="INSTITUTION")
    await programme.limit("all", "150", subject="PROGRAMME")
    assert (await programme.issue("80", alice))["clipped"] is None
    carol = {"institution": "BANK", "reference": "carol"}
    assert (await programme.issue("80", carol))["clippedBy"]["code"] == "each"  # of BANK's 100: 20 are left
    assert (await programme.issue("80", bob))["clippedBy"]["code"] == "all"  # of 150: 50 are left, of BRANCH's 100
    assert await programme.left() == {"each": ("100", "0"), "all": ("150", "0")}
    assert await programme.left(customer=bob) == {"each": ("50", "50"), "all": ("150", "0")}
    await clean(programme)


async def test_a_limit_of_an_institution_binds_its_customers_and_those_below_it(programme: Programme) -> None:
    await programme.limit("branch", "10", institution="BRANCH")
    assert (await programme.issue("50"))["clipped"] is None
    assert (await programme.issue("50", {"institution": "BRANCH", "reference": "bob"}))["clipped"] == {"amount": "40"}
    await programme.limit("bank", "60", institution="BANK")
    assert (await programme.issue("50", {"institution": "BRANCH", "reference": "joe"}))["clippedBy"]["code"] == "branch"
    assert (await programme.issue("70"))["clippedBy"]["code"] == "bank"


async def test_a_bulk_call_counts_row_by_row(programme: Programme) -> None:
    await programme.limit("day", "100")
    rows = [{"idempotencyKey": programme.key(), "currency": "BP", "to": ALICE, "amount": "80"} for _ in range(12)]
    document = (
        "mutation I($rows: [IssuePointsInput!]!) { issuePointsBatch(input: $rows) { __typename"
        f" {ISSUE} ... on Refused {{ reason }} }} }}"
    )
    answers = await programme.bank.ask(document, rows=rows)
    assert [answer.get("points", {}).get("amount") for answer in answers] == ["80", "20", *[None] * 10]
    assert [answer["clipped"] for answer in answers[:2]] == [None, {"amount": "60"}]
    assert {answer["reason"] for answer in answers[2:]} == {"LIMIT_EXCEEDED"}


# --- versions and notice ----------------------------------------------------------------------------------------------


async def test_what_tightens_waits_for_its_notice_and_what_eases_does_not(programme: Programme) -> None:
    now = datetime.now(UTC)
    made = await programme.limit("day", "100", noticeDays=30)
    assert made["amount"] is None  # a new limit is a tightening: it waits too
    [first] = made["versions"]
    starts = datetime.fromisoformat(first["effectiveFrom"])
    assert timedelta(days=30) <= starts - now < timedelta(days=30, minutes=5)
    assert (first["version"], first["amount"], first["configuredBy"]) == (1, "100", "Ben")
    assert (await programme.issue("500"))["clipped"] is None
    assert await programme.left() == {}

    later = (starts + timedelta(days=5)).isoformat()
    eased = await programme.set(code="day", amount="150", effectiveFrom=later)
    assert [version["amount"] for version in eased["versions"]] == ["100", "150"]
    soon = await programme.set(code="day", amount="120", effectiveFrom=(now + timedelta(days=29)).isoformat())
    assert soon["reason"] == "INVALID_INPUT"  # nothing is in force then: 120 would be a tightening
    assert details(soon)["noticeDays"] == "30"
    assert datetime.fromisoformat(details(soon)["earliest"]) > starts
    past = await programme.set(code="day", amount="999", effectiveFrom=(now - timedelta(seconds=5)).isoformat())
    assert past["reason"] == "INVALID_INPUT"
    twice = await programme.set(code="day", amount="160", effectiveFrom=later)
    assert twice["reason"] == "DUPLICATE"


async def test_versions_follow_each_other_and_all_of_them_show(programme: Programme) -> None:
    made = await programme.limit("day", "100")
    assert (await programme.issue("60"))["clipped"] is None
    eased = await programme.set(code="day", amount="200")
    assert (eased["id"], eased["amount"]) == (made["id"], "200")
    assert (await programme.issue("100"))["clipped"] is None  # 60 + 100 of 200
    tightened = await programme.set(code="day", amount="150")  # no notice was promised
    assert tightened["amount"] == "150"
    assert await programme.left() == {"day": ("160", "0")}  # beyond it already: nothing more fits
    assert (await programme.issue("1"))["reason"] == "LIMIT_EXCEEDED"
    lifted = await programme.bank.ask(LIFT, id=made["id"])
    assert (lifted["amount"], [one["amount"] for one in lifted["versions"]]) == (None, ["100", "200", "150", None])
    assert (await programme.issue("5000"))["clipped"] is None
    assert await programme.left() == {}
    again = await programme.set(code="day", amount="170")
    assert [one["version"] for one in again["versions"]] == [1, 2, 3, 4, 5]
    assert (await programme.issue("50"))["points"] == {"amount": "10"}  # 160 were counted while it was in force
    await clean(programme)


async def test_two_versions_set_by_one_batch_start_one_after_the_other(programme: Programme) -> None:
    await programme.limit("day", "100")
    document = f"""mutation {{ a: setLimit(input: {{currency: "BP", code: "day", amount: "110"}}) {{ {LIMIT} }}
      b: setLimit(input: {{currency: "BP", code: "day", amount: "120"}}) {{ {LIMIT} }} }}"""
    answer = await programme.bank.ask(document)
    assert [version["amount"] for version in answer["b"]["versions"]] == ["100", "110", "120"]


WRONG: dict[str, dict[str, Any]] = {
    "a pair of what is not converted": {"act": "TRANSFER", "target": "MILE"},
    "a pair of one currency": {"act": "CONVERT", "target": "BP"},
    "half a transfer": {"act": "TRANSFER", "mode": "CLIP"},
    "half a conversion": {"act": "CONVERT", "mode": "CLIP"},
    "money that is clipped": {"measure": "MONEY", "mode": "CLIP"},
    "what is held after spending": {"act": "REDEEM", "period": "BALANCE"},
    "what an institution holds": {"period": "BALANCE", "subject": "INSTITUTION"},
    "no time zone": {"timeZone": "Mars/Olympus"},
    "the machine's time zone": {"timeZone": "localtime"},
    "a path": {"timeZone": "../etc/passwd"},
    "notice in the past": {"noticeDays": -1},
    "notice for ever": {"noticeDays": 367},
    "no name": {"name": " "},
}


@pytest.mark.parametrize("what", WRONG)
async def test_terms_that_do_not_fit_together_are_refused(programme: Programme, what: str) -> None:
    assert (await programme.limit("day", "100", **WRONG[what]))["reason"] == "INVALID_INPUT"


async def test_codes_amounts_and_names_are_checked(programme: Programme) -> None:
    assert (await programme.limit("a b", "100"))["reason"] == "INVALID_INPUT"
    assert (await programme.limit("day", "-1"))["reason"] == "INVALID_AMOUNT"
    assert (await programme.limit("day", "1.5"))["reason"] == "INVALID_AMOUNT"  # BP has no decimals
    assert (await programme.limit("day", "1000000000000000001"))["reason"] == "INVALID_AMOUNT"
    assert (await programme.limit("day", "100", institution="NOBODY"))["reason"] == "NOT_FOUND"
    assert (await programme.limit("day", "1", act="CONVERT", target="NONE"))["reason"] == "UNKNOWN_CURRENCY"
    assert (await programme.set(currency="NONE", code="day", amount="1"))["reason"] == "UNKNOWN_CURRENCY"
    assert (await programme.set(code="day", amount="1"))["reason"] == "NOT_FOUND"
    assert (await programme.limit("day", "100"))["__typename"] == "Limit"
    assert (await programme.limit("day", "100"))["reason"] == "DUPLICATE"
    nothing = await programme.limit("none", "0", act="REDEEM")
    assert nothing["amount"] == "0"
    await programme.issue("10")
    assert details(await programme.redeem("1"))["limit"] == "none"


async def test_there_are_only_so_many_limits_on_an_act(programme: Programme) -> None:
    for number in range(50):
        await programme.limit(f"l{number}", "100")
    assert details(await programme.limit("more", "100")) == {"limits": "50"}
    assert (await programme.limit("more", "100", act="REDEEM"))["__typename"] == "Limit"


# --- rights and visibility --------------------------------------------------------------------------------------------


async def test_a_limit_is_set_by_the_issuer_s_administrators_or_the_operator(programme: Programme) -> None:
    document = "mutation S($input: SetLimitInput!) { setLimit(input: $input) { __typename } }"
    input = {"currency": "BP", "code": "day", "amount": "1", "terms": {"act": "ISSUE", "period": "DAY"}}
    trader = await holder(programme.client, programme.root, "BANK", "Tom", "INSTITUTION_TRADER", "INSTITUTION_AUDITOR")
    for caller in (trader, programme.branch, programme.air):
        assert await caller.codes(document, input=input) == ["FORBIDDEN"]
    assert await programme.client.caller(None).codes(document, input=input) == ["UNAUTHENTICATED"]
    made = await programme.limit("day", "100", programme.root)
    assert made["owner"] == {"code": "BANK"}  # the operator sets it for the issuer
    assert (await programme.set(code="day", amount="90"))["amount"] == "90"


async def test_a_limit_of_an_alliance_is_not_the_bank_s_to_ease(programme: Programme) -> None:
    hub = programme.client.hub
    await hub.institution("GROUP")
    await hub.institution("MEMBER", parent="GROUP")
    await hub.currency("MP", "MEMBER")
    group = await holder(programme.client, programme.root, "GROUP", "Gus", "INSTITUTION_ADMIN")
    member = await holder(programme.client, programme.root, "MEMBER", "Mo", "INSTITUTION_ADMIN")
    made = await programme.set(
        group, currency="MP", code="day", amount="100", terms={"act": "ISSUE", "period": "DAY", "name": "The group's"}
    )
    assert (made["owner"], made["name"]) == ({"code": "GROUP"}, "The group's")
    document = "mutation S($input: SetLimitInput!) { setLimit(input: $input) { __typename } }"
    assert await member.codes(document, input={"currency": "MP", "code": "day", "amount": "900"}) == ["FORBIDDEN"]
    assert await member.codes(LIFT, id=made["id"]) == ["FORBIDDEN"]
    assert (await group.ask(LIFT, id=made["id"]))["amount"] is None


LIST = """query Q($currency: String, $institution: String, $act: LimitAct, $at: DateTime, $first: Int, $after: String) {
  limits(currency: $currency, institution: $institution, act: $act, at: $at, first: $first, after: $after) {
    edges { node { code } cursor } pageInfo { hasNextPage } } }"""


async def codes(caller: Caller, **arguments: Any) -> list[str]:
    return [edge["node"]["code"] for edge in (await caller.ask(LIST, **arguments))["edges"]]


async def test_limits_are_listed_for_those_whom_they_concern(programme: Programme) -> None:
    everybody = await programme.limit("all", "100")
    branch = await programme.limit("branch", "100", institution="BRANCH", act="TRANSFER")
    await programme.limit("soon", "100", noticeDays=3)
    for caller in (programme.root, programme.bank, programme.branch):
        assert await codes(caller) == ["all", "branch", "soon"]
        assert (await caller.ask("query($id: ID!) { limit(id: $id) { code } }", id=branch["id"]))["code"] == "branch"
    assert await codes(programme.air) == ["all", "soon"]
    for document in ("query($id: ID!) { limit(id: $id) { id } }", "query($id: ID!) { node(id: $id) { id } }"):
        assert await programme.air.ask(document, id=branch["id"]) is None
        assert await programme.air.ask(document, id=everybody["id"]) == {"id": everybody["id"]}
    document = "mutation L($id: ID!) { liftLimit(id: $id) { ... on Refused { reason } } }"
    assert await programme.air.ask(document, id=branch["id"]) == {"reason": "NOT_FOUND"}
    assert await programme.air.codes(document, id=everybody["id"]) == ["FORBIDDEN"]
    now = datetime.now(UTC)
    bank = programme.bank
    assert await codes(bank, institution="BANK") == ["all", "soon"]
    assert await codes(bank, institution="BRANCH") == ["all", "branch", "soon"]
    assert await codes(bank, act="TRANSFER") == ["branch"]
    assert await codes(bank, at=(now + timedelta(minutes=1)).isoformat()) == ["all", "branch"]
    assert await codes(bank, at=(now + timedelta(days=4)).isoformat()) == ["all", "branch", "soon"]
    assert await codes(bank, at=(now - timedelta(days=4)).isoformat()) == []
    assert await codes(bank, currency="MILE") == await codes(bank, currency="NONE") == []
    page = await bank.ask(LIST, first=2)
    assert page["pageInfo"]["hasNextPage"]
    assert await codes(bank, first=2, after=page["edges"][-1]["cursor"]) == ["soon"]


async def test_what_is_used_is_told_to_those_who_see_the_customer(programme: Programme) -> None:
    """BANK issues to customers of AIR's under a limit: AIR's people see what is left for their customer."""
    al = {"institution": "AIR", "reference": "al"}
    await programme.limit("each", "100", mode="REFUSE")
    await programme.limit("all", "500", mode="REFUSE", subject="PROGRAMME")
    await programme.issue("60", al)
    assert await programme.left(programme.air, customer=al) == {"each": ("60", "40"), "all": (None, None)}
    assert await programme.left(programme.bank, customer=al) == {}
    assert await programme.left(programme.root, customer=al) == {"each": ("60", "40"), "all": ("60", "440")}
    refused = details(await programme.issue("41", al))
    assert refused == {"limit": "each", "period": today(), "amount": "100", "currency": "BP", "requested": "41"}
    told = details(await programme.issue("41", al, programme.root))
    assert (told["used"], told["available"]) == ("60", "40")
    assert await programme.left(programme.branch, customer=al) == {}
    assert await programme.left(customer={"institution": "BANK", "reference": "nobody"}) == {}


async def test_a_limit_that_does_not_concern_the_caller_is_not_named_to_it(programme: Programme) -> None:
    """A trader of AIR's sends points to a customer of BRANCH, who may receive no more."""
    await programme.limit("secret", "10", act="RECEIVE", institution="BRANCH")
    al, bob = {"institution": "AIR", "reference": "al"}, {"institution": "BRANCH", "reference": "bob"}
    await programme.issue("50", al)
    fields = {"currency": "BP", "from": al, "to": bob, "amount": "11"}
    refused = await act(
        programme.air, "transferPoints", "TransferPointsInput", "... on Transfer { id }", idempotencyKey="x", **fields
    )
    assert (refused["reason"], refused["message"]) == ("LIMIT_EXCEEDED", "This would go beyond a limit.")
    assert details(refused) == {"currency": "BP"}
    chinese = programme.client.caller(programme.client.hub.admin, "zh")
    told = await act(
        chinese, "transferPoints", "TransferPointsInput", "... on Transfer { id }", idempotencyKey="y", **fields
    )
    assert told["message"] == f"该操作将超出限额 secret（{today()}，10 BP）。"
