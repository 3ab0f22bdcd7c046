"""Many acts in one request: each row stands alone, but a missing right fails the request before any is decided."""

from decimal import Decimal
from typing import Any

import pytest

from hub.access import Right, Role
from hub.errors import Forbidden, Unauthenticated
from hub.ledger import commands
from schema.batches import ROWS_MAX, homes, may_trade
from schema.conversions import sources
from schema.issues import issuers
from schema.redemptions import spenders
from schema.transfers import givers
from tests.schema.conftest import Caller, Client

BATCH = """mutation B($input: [TransferPointsInput!]!) { transferPointsBatch(input: $input) {
  __typename ... on Transfer { points { amount } replayed from { reference } } ... on Refused { reason replayed } } }"""
ISSUES = """mutation B($input: [IssuePointsInput!]!) { issuePointsBatch(input: $input) {
  __typename ... on Issue { points { amount } replayed } ... on Refused { reason } } }"""
CONVERTS = """mutation B($input: [ConvertInput!]!) { convertBatch(input: $input) {
  __typename ... on Conversion { target { amount } window { number } } ... on Refused { reason } } }"""


REDEEMS = """mutation B($input: [RedeemPointsInput!]!) { redeemPointsBatch(input: $input) {
  __typename ... on Redemption { id points { amount } value { amount } replayed } ... on Refused { reason } } }"""


def transfer(key: str, amount: str, giver: str = "alice", bank: str = "BANK", currency: str = "BP") -> dict[str, Any]:
    return {
        "idempotencyKey": key,
        "currency": currency,
        "from": {"institution": bank, "reference": giver},
        "to": {"institution": "BANK", "reference": "bob"},
        "amount": amount,
    }


@pytest.fixture
async def trader(client: Client) -> Caller:
    """A trader of BANK, where alice has 100 BP; beside it are OTHER and the currency OP of its own."""
    hub = client.hub
    await hub.institution("BANK")
    await hub.institution("OTHER")
    await hub.currency("BP", "BANK")
    await hub.currency("OP", "OTHER")
    await hub.rate("BP", "OP")
    await hub.issue("BP", "BANK", "alice", "100")
    await hub.issue("BP", "OTHER", "olga", "100")
    id, _ = await hub.key("BANK", Role.INSTITUTION_TRADER)
    return client.caller(id)


async def test_every_row_gets_its_own_answer_in_order(trader: Caller) -> None:
    rows = [
        transfer("1", "60"),
        transfer("2", "60"),  # 40 are left
        transfer("3", "40.0"),
        transfer("1", "60.00"),  # the first again
        transfer("3", "41"),  # another under the third's key
        transfer("4", "1", currency="NONE"),
        transfer("5", "1", bank="NONE"),
        transfer("6", "0"),
        transfer("7", "1", giver="nobody"),
        transfer("", "1"),
    ]
    expected = [
        {"__typename": "Transfer", "points": {"amount": "60"}, "replayed": False, "from": {"reference": "alice"}},
        {"__typename": "Refused", "reason": "INSUFFICIENT_POINTS", "replayed": False},
        {"__typename": "Transfer", "points": {"amount": "40"}, "replayed": False, "from": {"reference": "alice"}},
        {"__typename": "Transfer", "points": {"amount": "60"}, "replayed": True, "from": {"reference": "alice"}},
        {"__typename": "Refused", "reason": "IDEMPOTENCY_CONFLICT", "replayed": False},
        {"__typename": "Refused", "reason": "UNKNOWN_CURRENCY", "replayed": False},
        {"__typename": "Refused", "reason": "NOT_FOUND", "replayed": False},
        {"__typename": "Refused", "reason": "INVALID_AMOUNT", "replayed": False},
        {"__typename": "Refused", "reason": "NOT_FOUND", "replayed": False},
        {"__typename": "Refused", "reason": "INVALID_INPUT", "replayed": False},
    ]
    assert await trader.ask(BATCH, input=rows) == expected
    again = await trader.ask(BATCH, input=rows)
    kept = [one | {"replayed": place not in (4, 9)} for place, one in enumerate(expected)]
    assert again == kept


async def test_one_forbidden_row_fails_all_and_none_is_decided(trader: Caller) -> None:
    rows = [transfer("1", "60"), transfer("2", "1", giver="olga", bank="OTHER")]
    assert await trader.codes(BATCH, input=rows) == ["FORBIDDEN"]
    assert await trader.client.hub.balance("BP", "BANK", "alice") == 100
    assert (await trader.ask(BATCH, input=rows[:1]))[0]["replayed"] is False


async def test_only_the_issuer_issues_in_batches_too(trader: Caller) -> None:
    def issue(key: str, currency: str) -> dict[str, Any]:
        to = {"institution": "OTHER", "reference": "olga"}
        return {"idempotencyKey": key, "currency": currency, "to": to, "amount": "5"}

    assert await trader.codes(ISSUES, input=[issue("1", "BP"), issue("2", "OP")]) == ["FORBIDDEN"]
    assert await trader.ask(ISSUES, input=[issue("1", "BP"), issue("2", "NONE")]) == [
        {"__typename": "Issue", "points": {"amount": "5"}, "replayed": False},
        {"__typename": "Refused", "reason": "UNKNOWN_CURRENCY"},
    ]


async def test_conversions_come_in_batches(trader: Caller) -> None:
    def convert(key: str, bank: str, amount: str) -> dict[str, Any]:
        return {
            "idempotencyKey": key,
            "source": {"institution": bank, "reference": "alice" if bank == "BANK" else "olga"},
            "target": {"institution": "OTHER", "reference": "olga"},
            "sourceCurrency": "BP",
            "targetCurrency": "OP",
            "sourceAmount": amount,
        }

    rows = [convert(str(place), "BANK", "20") for place in range(9)]
    done = await trader.ask(CONVERTS, input=rows)
    assert (
        done
        == [{"__typename": "Conversion", "target": {"amount": "20"}, "window": {"number": 1}}] * 5
        + [{"__typename": "Refused", "reason": "INSUFFICIENT_POINTS"}] * 4
    )
    assert await trader.codes(CONVERTS, input=[convert("x", "OTHER", "1")]) == ["FORBIDDEN"]


async def test_a_batch_of_redemptions_answers_each_row_and_changes_nothing_when_it_is_run_again(
    trader: Caller,
) -> None:
    hub = trader.client.hub
    await hub.institution("SHOP")
    amounts = [("1", "30"), ("2", "25.0"), ("3", "46"), ("1", "30"), ("5", "45")]  # 100 − 30 − 25 = 45 are left for #3
    rows = [
        {
            "idempotencyKey": key,
            "currency": "BP",
            "customer": {"institution": "BANK", "reference": "alice"},
            "merchant": "SHOP",
            "amount": amount,
        }
        for key, amount in amounts
    ]
    told = await trader.ask(REDEEMS, input=rows)
    ok, second, insufficient, duplicate, last = told
    assert [one["__typename"] for one in told] == ["Redemption", "Redemption", "Refused", "Redemption", "Redemption"]
    assert insufficient == {"__typename": "Refused", "reason": "INSUFFICIENT_POINTS"}
    assert [one["replayed"] for one in (ok, second, last)] == [False] * 3
    assert duplicate == ok | {"replayed": True}  # the result of the first
    spent = sum(int(one["points"]["amount"]) for one in (ok, second, last))
    assert (spent, await hub.balance("BP", "BANK", "alice")) == (100, 0)  # 30 + 25 + 45
    [position] = await hub.sql("SELECT credits FROM position WHERE credits > 0")
    assert position["credits"] == sum(int(Decimal(one["value"]["amount"]) * 10**6) for one in (ok, second, last))
    before = await hub.sql("SELECT (SELECT count(*) FROM movement), (SELECT sum(credits_posted) FROM account)")
    again = await trader.ask(REDEEMS, input=rows)
    assert again == [one | ({"replayed": True} if "id" in one else {}) for one in told]
    assert await hub.sql("SELECT (SELECT count(*) FROM movement), (SELECT sum(credits_posted) FROM account)") == before
    assert await trader.codes(REDEEMS, input=[row | {"customer": {"institution": "OTHER", "reference": "olga"}}
                                              for row in rows]) == ["FORBIDDEN"]  # fmt: skip


async def test_no_rows_are_no_answers_and_too_many_are_an_error(trader: Caller) -> None:
    assert await trader.ask(BATCH, input=[]) == []
    rows = [transfer(str(place), "1") for place in range(ROWS_MAX + 1)]
    assert await trader.codes(BATCH, input=rows) == ["BAD_INPUT"]


async def test_a_right_that_was_just_given_counts_at_once(trader: Caller) -> None:
    """What this process knows is older than the tree: OTHER now stands below BANK."""
    beside = trader.client.hub.beside()
    move = commands.MoveInstitution(actor=trader.client.hub.admin, code="OTHER", parent="BANK")
    await beside.do(move)
    await beside.close()
    assert (await trader.ask(BATCH, input=[transfer("1", "1", giver="olga", bank="OTHER")]))[0]["replayed"] is False


async def test_rights_are_asked_like_the_core_asks_them(trader: Caller) -> None:
    hub = trader.client.hub
    configuration, actor = hub.engine.configuration, trader.credential or 0
    bank, other = (configuration.institution_codes[code] for code in ("BANK", "OTHER"))
    may_trade(configuration, actor, {bank})
    may_trade(configuration, hub.admin, {bank, other}, exact=True)
    with pytest.raises(Forbidden) as no:
        may_trade(configuration, actor, {bank, other})
    assert no.value.details == {"right": Right.TRADE.value}
    with pytest.raises(Unauthenticated):
        may_trade(configuration, 1, {bank})
    assert homes(configuration, {(("BP",), "BANK"), (("NONE",), "OTHER"), (("BP",), "NONE")}) == {bank}

    party = commands.Party("OTHER", "olga")
    common: dict[str, Any] = {"actor": actor, "key": "k", "amount": "1"}
    issue = commands.Issue(**common, currency="OP", to=party, earned_at=None, expires_at=None, memo=None)
    pass_on = commands.Transfer(**common, currency="BP", source=party, target=party, memo=None)
    pair: dict[str, Any] = {"source_currency": "BP", "target_currency": "OP"}
    convert = commands.Convert(**common, **pair, source=party, target=party, minimum_target=None)
    assert issuers(configuration, [issue]) == givers(configuration, [pass_on]) == sources(configuration, [convert])
    spend = commands.Redeem(**common, currency="BP", customer=party, merchant="BANK", memo=None)
    assert spenders(configuration, [spend]) == {other}
    assert issuers(configuration, [issue]) == {other}
