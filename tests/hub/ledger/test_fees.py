"""Fees under plans: which legs a fee becomes, whatever the act, and what comes back of them when it is reversed."""

from datetime import timedelta
from typing import Any

from hub.access import Role
from hub.audit import audit
from hub.clock import now
from hub.ledger import commands
from hub.ledger.commands import MoneyText, Party, ShareTerms
from hub.ledger.records import Conversion
from hub.partners import Status
from hub.shares import Act, SharePlan
from tests.conftest import Hub
from tests.hub.agreed import acceptance, agree
from tests.hub.ledger.test_exchanges import REMOTE, answer
from tests.properties import invariants

ALICE, AL = Party("BRANCH", "alice"), Party("AIR", "al")
LEVELS = ("50", "30", "20")  # the operator, its member, the branch below it
Rows = list[tuple[int, str, int, bool]]  # place, whose, millionths, and whether a leg moves it


async def network(hub: Hub) -> None:
    """BRANCH below BANK gives points of CARD's for AIR's, both at 0.01 CNY, for a fee of 1.99 that CARD pays."""
    for code, parent in (("BANK", "HUB"), ("BRANCH", "BANK"), ("CARD", "HUB"), ("AIR", "HUB"), ("AGENT", "HUB")):
        await hub.institution(code, parent=parent)
    await hub.currency("CP", "CARD", unit_value="0.01")
    await hub.currency("JP", "AIR", unit_value="0.01")
    await hub.issue("CP", "BRANCH", "alice", "1000000")
    await hub.rate("CP", "JP", fee_fixed=MoneyText("1.99", "CNY"))


def levels(*percents: str) -> tuple[ShareTerms, ...]:
    return tuple(ShareTerms(level, None, percent, None) for level, percent in enumerate(percents))


async def plan(hub: Hub, shares: tuple[ShareTerms, ...], **scope: Any) -> SharePlan:
    """A version that is proposed and approved."""
    proposed = await hub.do(commands.ProposeSharePlan(actor=hub.admin, shares=shares, **scope))
    made = await hub.do(commands.ApproveSharePlan(actor=hub.second, id=proposed.id))
    assert isinstance(made, SharePlan)
    return made


async def convert(hub: Hub, key: str, pair: str = "CP>JP", **changes: Any) -> Conversion:
    source, target = pair.split(">")
    asked = {"actor": hub.admin, "key": key, "source": ALICE, "target": AL, "amount": "10000", "minimum_target": None}
    made = await hub.do(commands.Convert(**{**asked, "source_currency": source, "target_currency": target, **changes}))
    assert isinstance(made, Conversion)
    return made


async def reverse(hub: Hub, of: Conversion, amount: str | None) -> Any:
    return await hub.do(
        commands.Reverse(actor=hub.admin, key=f"back {of.id} {amount}", id=of.id, amount=amount, reason="wrong")
    )


async def shares(hub: Hub, kind: int, subject: int) -> Rows:
    """What a plan made of the fee of the last movement of a kind that is about something, with its legs."""
    rows = await hub.sql(
        "SELECT s.place, s.institution_id, s.amount, s.n, l.amount AS moved, p.owner_id AS payee, l.purpose"
        " FROM fee_share s LEFT JOIN leg l ON l.movement_id = s.movement_id AND l.n = s.n"
        " LEFT JOIN account p ON p.id = CASE WHEN $1 = 5 THEN l.debit_account_id ELSE l.credit_account_id END"
        " WHERE s.movement_id = (SELECT max(id) FROM movement WHERE kind = $1 AND subject_id = $2) ORDER BY s.place",
        kind,
        subject,
    )
    codes = {one.id: one.code for one in hub.engine.configuration.institutions.values()}
    for row in rows:
        if row["n"] is not None:
            assert (row["moved"], row["payee"], row["purpose"]) == (row["amount"], row["institution_id"], 3)
    return [(row["place"], codes[row["institution_id"]], row["amount"], row["n"] is not None) for row in rows]


async def positions(hub: Hub) -> dict[str, int]:
    """What the acts so far come to, for each institution, in millionths of CNY."""
    rows = await hub.sql(
        "SELECT owner_id, credits_posted - debits_posted AS balance FROM account WHERE kind = 4 AND currency = 'CNY'"
    )
    codes = {one.id: one.code for one in hub.engine.configuration.institutions.values()}
    return {codes[row["owner_id"]]: row["balance"] for row in rows if row["balance"]}


async def check(hub: Hub) -> None:
    """What was done adds up, and the audit finds nothing."""
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_fee_goes_to_the_levels_above_who_acts_and_says_by_which_version(hub: Hub) -> None:
    await network(hub)
    before = await convert(hub, "before")
    assert await shares(hub, 4, before.id) == []
    assert await positions(hub) == {"CARD": -101_990_000, "AIR": 100_000_000, "HUB": 1_990_000}
    made = await plan(hub, levels(*LEVELS))
    # 1.99: .995 .597 .398, down 1.97; the two cents go to who lost most: .008 BRANCH, .007 BANK
    done = await convert(hub, "one")
    assert await shares(hub, 4, done.id) == [
        (0, "HUB", 990_000, True),
        (1, "BANK", 600_000, True),
        (2, "BRANCH", 400_000, True),
    ]
    assert {row["plan_id"] for row in await hub.sql("SELECT plan_id FROM fee_share")} == {made.id}
    # the payment of one batch holds two acts more, one of them of another pair's fee: 0.01 -> 0.01/0/0
    await hub.rate("CP", "JP", fee_fixed=MoneyText("0.01", "CNY"))
    small = await convert(hub, "small")
    assert await shares(hub, 4, small.id) == [(0, "HUB", 10_000, True)]
    # equal thirds of 100.00: 33.34, 33.33, 33.33
    await plan(hub, levels("33.3334", "33.3333", "33.3333"))
    await hub.rate("CP", "JP", fee_fixed=MoneyText("100", "CNY"))
    large = await convert(hub, "large")
    assert [amount for _, _, amount, _ in await shares(hub, 4, large.id)] == [33_340_000, 33_330_000, 33_330_000]
    assert await positions(hub) == {
        "CARD": -503_990_000,  # four times 100.00, and 1.99 + 1.99 + 0.01 + 100.00
        "AIR": 400_000_000,
        "HUB": 36_330_000,  # 1.99 + 0.99 + 0.01 + 33.34
        "BANK": 33_930_000,  # 0.60 + 33.33
        "BRANCH": 33_730_000,  # 0.40 + 33.33
    }
    await check(hub)


async def test_a_reversal_in_parts_takes_each_share_back_in_proportion_and_at_the_end_all_of_it(hub: Hub) -> None:
    await network(hub)
    await plan(hub, levels(*LEVELS))
    done = await convert(hub, "one")
    before = await positions(hub)
    assert before == {"CARD": -101_990_000, "AIR": 100_000_000, "HUB": 990_000, "BANK": 600_000, "BRANCH": 400_000}
    # 3,333 of 10,000: .99 × .3333 = .329967, .6 × .3333 = .19998, .4 × .3333 = .13332
    back = await reverse(hub, done, "3333")
    assert await shares(hub, 5, done.id) == [
        (0, "HUB", 329_967, True),
        (1, "BANK", 199_980, True),
        (2, "BRANCH", 133_320, True),
    ]
    assert back.fee == 663_267  # the three of them
    await reverse(hub, done, "1")
    # 3,334: .99 × .3334 = .330066, and so .000099 more
    assert (await shares(hub, 5, done.id))[0] == (0, "HUB", 99, True)
    await reverse(hub, done, None)
    assert await positions(hub) == {}
    [sums] = await hub.sql("SELECT sum(CASE WHEN m.kind = 5 THEN -s.amount ELSE s.amount END)::bigint AS left"
                           " FROM fee_share s JOIN movement m ON m.id = s.movement_id")  # fmt: skip
    assert sums["left"] == 0
    await check(hub)


async def test_the_most_specific_plan_splits_the_fee_and_the_version_that_started_last(hub: Hub) -> None:
    await network(hub)
    await plan(hub, levels(*LEVELS))
    agent = ShareTerms(None, "AGENT", None, "0.50")
    mine = await plan(hub, (agent, *levels("0.0001", "99.9999")), institution="BANK", money="CNY")
    await plan(hub, (ShareTerms(None, "AGENT", "100", None),), act=Act.CONVERSION, source="CP", target="JP")
    # 1.49 is left to the levels: the operator's part is below a cent, and HQ has all cents
    first = await convert(hub, "institution")
    assert await shares(hub, 4, first.id) == [(0, "AGENT", 500_000, True), (2, "BANK", 1_490_000, True)]
    newer = await plan(hub, (agent,), institution="BANK", money="CNY")
    assert newer.version == 2
    second = await convert(hub, "newer")
    assert await shares(hub, 4, second.id) == [(0, "AGENT", 500_000, True), (1, "HUB", 1_490_000, True)]
    await hub.do(commands.WithdrawSharePlan(actor=hub.admin, id=newer.id, reason="too dear"))
    third = await convert(hub, "back")
    assert await shares(hub, 4, third.id) == await shares(hub, 4, first.id)
    await hub.do(commands.WithdrawSharePlan(actor=hub.admin, id=mine.id, reason="too dear"))
    fourth = await convert(hub, "pair")
    assert await shares(hub, 4, fourth.id) == [(0, "AGENT", 1_990_000, True)]
    # a zone is more than a pair
    await plan(hub, levels("0.0001", "0", "99.9999")[::2], zone="DELTA")
    await hub.do(commands.SetZones(actor=hub.admin, institution="BRANCH", zones=("DELTA",), starts=None))
    fifth = await convert(hub, "zone")
    assert await shares(hub, 4, fifth.id) == [(1, "BRANCH", 1_990_000, True)]
    await check(hub)


async def test_a_share_of_who_pays_the_fee_is_kept_and_the_shares_still_sum_to_it(hub: Hub) -> None:
    await network(hub)
    await hub.currency("NP", "BANK", unit_value="0.01")
    await hub.issue("NP", "BRANCH", "alice", "10000")
    await hub.rate("NP", "JP", fee_fixed=MoneyText("1.99", "CNY"))
    await plan(hub, levels(*LEVELS))
    done = await convert(hub, "one", "NP>JP")
    assert await shares(hub, 4, done.id) == [
        (0, "HUB", 990_000, True),
        (1, "BANK", 600_000, False),
        (2, "BRANCH", 400_000, True),
    ]
    assert await positions(hub) == {"BANK": -101_390_000, "AIR": 100_000_000, "HUB": 990_000, "BRANCH": 400_000}
    # 5,000 of 10,000: half of each, the kept one among them
    back = await reverse(hub, done, "5000")
    assert [(amount, moved) for _, _, amount, moved in await shares(hub, 5, done.id)] == [
        (495_000, True),
        (300_000, False),
        (200_000, True),
    ]
    assert back.fee == 995_000
    await check(hub)


async def test_what_was_accepted_under_a_plan_goes_by_it_whatever_is_approved_until_it_is_done(hub: Hub) -> None:
    await network(hub)
    await hub.currency("MILE", "AIR", unit_value="0.01", **REMOTE)
    await hub.rate("CP", "MILE", fee_fixed=MoneyText("1.99", "CNY"))
    await plan(hub, levels(*LEVELS))
    done = await convert(hub, "done", "CP>MILE")
    declined = await convert(hub, "declined", "CP>MILE")
    assert await positions(hub) == {}
    await plan(hub, (ShareTerms(None, "AGENT", "100", None),))
    await hub.do(commands.MoveInstitution(actor=hub.admin, code="BRANCH", parent="CARD"))
    await answer(hub, f"PH-{done.id:X}-C", Status.SUCCEEDED, partner_reference="P")
    await answer(hub, f"PH-{declined.id:X}-C", Status.REFUSED)
    due = [(0, "HUB", 990_000, True), (1, "BANK", 600_000, True), (2, "BRANCH", 400_000, True)]
    assert await shares(hub, 4, done.id) == due
    assert await positions(hub) == {
        "CARD": -101_990_000,
        "AIR": 100_000_000,
        "HUB": 990_000,
        "BANK": 600_000,
        "BRANCH": 400_000,
    }
    assert (await convert(hub, "new")).figures.fee == 1_990_000
    assert (await positions(hub))["AGENT"] == 1_990_000
    # and it comes back by the same, half of it
    back = await reverse(hub, done, "5000")
    await answer(hub, f"PH-{back.id:X}-D", Status.SUCCEEDED, partner_reference="R")
    assert [amount for _, _, amount, _ in await shares(hub, 5, back.id)] == [495_000, 300_000, 200_000]
    await check(hub)


async def test_plans_and_paths_change_within_one_batch(hub: Hub) -> None:
    """Who comes to share in a fee by what the batch itself configures is known to it: nobody has an account twice."""
    await network(hub)
    proposed = await hub.do(commands.ProposeSharePlan(actor=hub.admin, shares=levels("0.0001", "99.9999")))
    trader, _ = await hub.key("BRANCH", Role.INSTITUTION_TRADER, person="trader")
    answers = await hub.batch(
        [
            commands.ApproveSharePlan(actor=hub.second, id=proposed.id),
            commands.MoveInstitution(actor=hub.admin, code="BRANCH", parent="AGENT"),
            _conversion(trader, "same window"),
            commands.CloseWindow(actor=hub.admin, key="close", window=await hub.window()),
            _conversion(trader, "next window"),
        ]
    )
    assert [getattr(one, "refusal", one) for one in answers] == [None] * 5
    rows = await hub.sql("SELECT institution_id FROM fee_share ORDER BY movement_id")
    codes = hub.engine.configuration.institutions
    assert [codes[row["institution_id"]].code for row in rows] == ["BANK", "AGENT"]
    await check(hub)


def _conversion(actor: int, key: str) -> commands.Convert:
    return commands.Convert(
        actor=actor,
        key=key,
        source=ALICE,
        target=AL,
        source_currency="CP",
        target_currency="JP",
        amount="10000",
        minimum_target=None,
    )


async def test_the_fee_of_a_redemption_is_shared_and_comes_back_by_the_same_shares(hub: Hub) -> None:
    """10,000 points of 0.01 at a merchant are 100.00 CNY, and the merchant's fee 1.99."""
    await network(hub)
    await hub.institution("SHOP")
    shop, _ = await hub.key("SHOP", Role.INSTITUTION_ADMIN, person="Sun")
    await agree(hub, acceptance(hub, "SHOP", "0.01", currency="CP", fee_fixed="1.99"), shop)
    await plan(hub, levels("100"), act=Act.CONVERSION)
    await plan(hub, levels(*LEVELS), act=Act.REDEMPTION, source="CP")
    done = await hub.do(redemption(hub, "one"))
    assert done.fee == 1_990_000
    parts = await hub.sql("SELECT place, amount FROM fee_share WHERE movement_id = $1 ORDER BY place", done.id)
    assert [(row["place"], row["amount"]) for row in parts] == [(0, 990_000), (1, 600_000), (2, 400_000)]
    assert await positions(hub) == {
        "CARD": -100_000_000,
        "SHOP": 98_010_000,
        "HUB": 990_000,
        "BANK": 600_000,
        "BRANCH": 400_000,
    }
    held = await hub.do(
        commands.HoldPoints(
            actor=hub.admin, key="hold", currency="CP", customer=ALICE, amount="10000",
            expires_at=now() + timedelta(days=1), memo=None,
        )
    )  # fmt: skip
    await hub.do(
        commands.CaptureHold(
            actor=hub.admin, key="capture", hold=held.hold.id, amount=None, target=None, merchant="SHOP"
        )
    )
    assert (await positions(hub))["BRANCH"] == 800_000
    await hub.do(commands.Reverse(actor=hub.admin, key="back", id=done.id, amount="5000", reason="half"))
    assert await positions(hub) == {
        "CARD": -150_000_000,
        "SHOP": 147_015_000,
        "HUB": 1_485_000,
        "BANK": 900_000,
        "BRANCH": 600_000,
    }
    # over a partner: what was accepted goes by its plan
    await hub.currency("MILE", "CARD", unit_value="0.01", **REMOTE)
    await agree(hub, acceptance(hub, "SHOP", "0.01", currency="MILE", fee_fixed="1.99"), shop)
    await plan(hub, levels(*LEVELS), act=Act.REDEMPTION, source="MILE")
    remote = await hub.do(redemption(hub, "remote", currency="MILE"))
    await plan(hub, levels("100"), act=Act.REDEMPTION, source="MILE")
    await answer(hub, f"PH-{remote.id:X}-D", Status.SUCCEEDED, partner_reference="P")
    assert [amount for _, _, amount, _ in await shares(hub, 3, remote.id)] == [990_000, 600_000, 400_000]
    await check(hub)


def redemption(hub: Hub, key: str, currency: str = "CP") -> commands.Redeem:
    return commands.Redeem(
        actor=hub.admin, key=key, currency=currency, customer=ALICE, merchant="SHOP", amount="10000", memo=None
    )
