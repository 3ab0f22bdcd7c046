"""The books through the API: for the operator alone, with days that are checked."""

from datetime import timedelta

from hub.expiry import day_of
from settlement.banking import take
from tests.conftest import Pass
from tests.hub.ledger.test_cover import put
from tests.schema.acting import REFUSED, act, holder, institution
from tests.schema.conftest import Client

BOOKS = "{ books { timeZone today locks { through lockedBy } accounts { kind currency code name } } }"
TRIAL = """query T($day: String!) { trialBalance(day: $day) {
  day locked balanced csvUrl lines { kind currency opening debits credits closing account { code } } } }"""
LOCK = f"mutation L($day: String!) {{ lockPeriod(through: $day) {{ __typename ... on Books {{ today }} {REFUSED} }} }}"


async def test_the_operator_keeps_books_by_days_and_locks_them(client: Client, pass_: Pass) -> None:
    root, hub = client.caller(client.hub.admin), client.hub
    assert (await root.ask(BOOKS))["timeZone"] == "UTC"
    accounts = [
        {"kind": "CUSTOMER", "code": "2100", "name": "Points of customers"},
        {"kind": "CUSTOMER", "currency": "BP", "code": "2101", "name": "BP of customers"},
    ]
    await institution(root, "BANK")
    await hub.currency("BP", "BANK", scale=2)
    selection = "... on Books { timeZone accounts { kind currency code name } }"
    made = await act(root, "setBooks", "SetBooksInput", selection, timeZone="Asia/Shanghai", accounts=accounts)
    assert made["accounts"] == [{"currency": None, **accounts[0]}, accounts[1]]
    await hub.issue("BP", "BANK", "c", "12.5")
    [[now]] = await hub.sql("SELECT at FROM journal_head")
    day = day_of(now, "Asia/Shanghai")
    found = await root.ask(TRIAL, day=day.isoformat())
    side = {"currency": "BP", "opening": "0.00", "account": None}
    assert found == {
        "day": day.isoformat(),
        "locked": False,
        "balanced": True,
        "csvUrl": None,  # it is not over
        "lines": [
            side
            | {
                "kind": "CUSTOMER",
                "debits": "0.00",
                "credits": "12.50",
                "closing": "12.50",
                "account": {"code": "2101"},
            },
            side | {"kind": "ISSUANCE", "debits": "12.50", "credits": "0.00", "closing": "-12.50"},
        ],
    }
    pass_(timedelta(days=1))
    await hub.issue("BP", "BANK", "c", "1")
    assert (await root.ask(LOCK, day=day.isoformat()))["__typename"] == "Books"
    assert (await root.ask(LOCK, day=day.isoformat()))["reason"] == "INVALID_INPUT"
    after = await root.ask(TRIAL, day=day.isoformat())
    assert after == found | {"locked": True, "csvUrl": f"/books/{day}.csv"}
    assert (await root.ask(BOOKS))["locks"] == [{"through": day.isoformat(), "lockedBy": "root"}]


async def test_days_that_are_none_and_strangers_are_turned_away(client: Client) -> None:
    root = client.caller(client.hub.admin)
    for day in ("tomorrow", "20260131", "2026-02-30", "2999-01-01"):
        assert await root.codes(TRIAL, day=day) == ["BAD_INPUT"], day
    assert await root.codes(LOCK, day="20260131") == ["BAD_INPUT"]
    await institution(root, "BANK")
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_ADMIN", "INSTITUTION_AUDITOR")
    assert await bank.codes(BOOKS) == ["FORBIDDEN"]
    assert await bank.codes(TRIAL, day="2026-01-31") == ["FORBIDDEN"]
    assert await bank.codes(LOCK, day="2026-01-31") == ["FORBIDDEN"]
    refused = await act(root, "setBooks", "SetBooksInput", "... on Books { today }", timeZone="Mars/Olympus")
    assert refused["reason"] == "INVALID_INPUT"


async def test_segregated_accounts_are_registered_and_shown_beside_the_books(client: Client, pass_: Pass) -> None:
    root = client.caller(client.hub.admin)
    await institution(root, "BANK")
    bank = await holder(client, root, "BANK", "bo", "INSTITUTION_ADMIN")
    shown = "number currency purpose name since until institution { code }"
    selection = f"... on Books {{ today bankAccounts {{ {shown} }} }}"
    asked = {"number": "0001", "currency": "CNY", "purpose": "COLLATERAL", "name": "Trust", "institution": "BANK"}
    made = await act(root, "setBooks", "SetBooksInput", selection, bankAccounts=[asked])
    day = made["today"]
    account = asked | {"since": day, "until": None, "institution": {"code": "BANK"}}
    assert made["bankAccounts"] == [account]
    wrong = asked | {"number": "DE00370400440532013000"}
    refused = await act(root, "setBooks", "SetBooksInput", "", bankAccounts=[wrong])
    assert refused["reason"] == "INVALID_INPUT"
    await put(client.hub, "5.00", "a", value_date=None)
    query = f"""query S($day: String!) {{ segregatedAccounts(day: $day) {{ day reconciled balances {{
      purpose currency booked stated difference statement institution {{ code }} account {{ {shown} }} }} }} }}"""
    assert await root.codes(query, day=day) == ["BAD_INPUT"]  # it is not over
    pass_(timedelta(days=1))
    balance = {
        "purpose": "COLLATERAL", "currency": "CNY", "booked": "5.00", "stated": None, "difference": None,
        "statement": None, "institution": {"code": "BANK"}, "account": account,
    }  # fmt: skip
    assert await root.ask(query, day=day) == {"day": day, "reconciled": False, "balances": [balance]}
    for said, difference in (("4.99", "-0.01"), ("5.00", "0.00")):
        file = f"account,currency,day,amount,statement\n0001,CNY,{day},{said},S-{said}\n".encode()
        done = await take(client.hub.reading, client.hub.engine, client.hub.admin, file, apply=True)
        assert done.taken
        told = balance | {"stated": said, "difference": difference, "statement": f"S-{said}"}
        reconciled = difference == "0.00"
        assert await root.ask(query, day=day) == {"day": day, "reconciled": reconciled, "balances": [told]}
    assert await bank.codes(query, day=day) == ["FORBIDDEN"]
