"""Conversions: quotes that bind, figures that are posted, policies, and emergencies."""

import asyncio
from typing import Any

import pytest

from hub.access import Role
from hub.errors import (
    Forbidden,
    InvalidAmount,
    NoRate,
    NotFound,
    QuoteCancelled,
    QuoteExpired,
    QuoteUsed,
    Slippage,
    Suspended,
    TooManyQuotes,
    TransferForbidden,
)
from hub.institutions import Status
from hub.ledger import commands
from hub.ledger.commands import BonusTerms, MoneyText, Party
from hub.ledger.decide import Outcome
from hub.ledger.records import ConversionStatus
from hub.rates import Funding
from tests.conftest import Hub
from tests.properties import invariants

CNY = 1_000_000
ALICE, AL = Party("BANK", "alice"), Party("AIR", "al")


async def found(hub: Hub, ratio: str = "1:25", **terms: Any) -> Any:
    await hub.institution("BANK")
    await hub.institution("AIR")
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR")
    await hub.issue("BP", "BANK", "alice", "1000000")
    return await hub.rate("BP", "MILE", ratio, **terms)


def convert(hub: Hub, key: str, amount: str, least: str | None = None, **changes: Any) -> commands.Convert:
    return commands.Convert(
        **{
            "actor": hub.admin,
            "key": key,
            "source": ALICE,
            "target": AL,
            "source_currency": "BP",
            "target_currency": "MILE",
            "amount": amount,
            "minimum_target": least,
            **changes,
        }
    )


def ask(hub: Hub, amount: str, ttl_seconds: int = 900, **changes: Any) -> commands.RequestQuote:
    return commands.RequestQuote(
        **{
            "actor": hub.admin,
            "source": ALICE,
            "target": AL,
            "source_currency": "BP",
            "target_currency": "MILE",
            "amount": amount,
            "ttl_seconds": ttl_seconds,
            **changes,
        }
    )


def execute(hub: Hub, key: str, quote: int) -> commands.ExecuteQuote:
    return commands.ExecuteQuote(actor=hub.admin, key=key, quote=quote)


async def owed(hub: Hub) -> dict[str, int]:
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql("SELECT institution_id, credits - debits AS own FROM position")
    return {codes[row["institution_id"]]: row["own"] for row in rows}


async def test_example_6_is_posted_to_the_points_and_to_the_money(hub: Hub) -> None:
    await found(hub, fee_percent="1")
    done = await hub.do(convert(hub, "c", "50000"))
    assert done.status is ConversionStatus.COMPLETED
    assert done.figures.target == 2000
    assert await hub.balance("BP", "BANK", "alice") == 950_000
    assert await hub.balance("MILE", "AIR", "al") == 2000
    assert await owed(hub) == {"BANK": -101 * CNY, "AIR": 100 * CNY, "HUB": 1 * CNY}
    await invariants.check(hub)


async def test_example_8_a_quote_is_honoured_when_its_rate_has_changed(hub: Hub) -> None:
    await found(hub)
    offer = await hub.do(ask(hub, "50000"))
    await asyncio.sleep(0.001)
    await hub.rate("BP", "MILE", "1:100")
    assert (await hub.do(convert(hub, "now", "50000"))).figures.target == 500
    assert (await hub.do(execute(hub, "quoted", offer.id))).figures.target == 2000
    with pytest.raises(QuoteUsed):
        await hub.do(execute(hub, "again", offer.id))


async def test_example_8_a_quote_whose_time_is_over_offers_nothing(hub: Hub) -> None:
    await found(hub)
    offer = await hub.do(ask(hub, "50000", ttl_seconds=0))
    with pytest.raises(QuoteExpired):
        await hub.do(execute(hub, "late", offer.id))
    assert await hub.balance("MILE", "AIR", "al") == 0


async def test_example_11_of_a_retired_partner_running_quotes_finish_and_new_ones_are_refused(hub: Hub) -> None:
    await found(hub)
    offer = await hub.do(ask(hub, "25"))
    other = await hub.do(ask(hub, "25"))
    status = commands.SetInstitutionStatus(actor=hub.admin, code="AIR", status=Status.CLOSED, reason="gone")
    await hub.do(status)
    for command in (ask(hub, "25"), convert(hub, "c", "25")):
        with pytest.raises(Suspended):
            await hub.do(command)
    done = await hub.do(execute(hub, "q", offer.id))
    await hub.do(commands.Reverse(actor=hub.admin, key="r", id=done.id, amount=None, reason="returned"))
    await hub.do(
        commands.SetInstitutionStatus(actor=hub.admin, code="AIR", status=Status.SUSPENDED, reason="investigated")
    )
    with pytest.raises(Suspended):
        await hub.do(execute(hub, "q2", other.id))


async def test_quotes_reserve_a_bonus_cap_and_give_it_back_when_they_are_over(hub: Hub) -> None:
    bonus = BonusTerms("30", "100", None, None, Funding.SOURCE_ISSUER, None, None)
    await found(hub, "1:1", bonuses=(bonus,))
    first = await hub.do(ask(hub, "80"))
    assert first.figures.target == 104  # 80 + 30 % of 80
    second = await hub.do(ask(hub, "80"))
    assert (second.figures.target, second.figures.eligible) == (86, (20,))  # 80 + 30 % of the 20 that are left
    third = await hub.do(convert(hub, "c", "80"))
    assert third.figures.bonus == 0
    over = await hub.do(ask(hub, "1", ttl_seconds=0))
    assert over.figures.bonus == 0
    await hub.do(execute(hub, "e", first.id))
    assert (await hub.do(ask(hub, "10"))).figures.bonus == 0
    await hub.do(commands.Reverse(actor=hub.admin, key="r", id=third.id, amount=None, reason="x"))
    [used] = await hub.sql("SELECT used FROM bonus_use")
    assert used[0] == 80


async def test_a_reversal_gives_back_its_share_of_a_bonus_cap(hub: Hub) -> None:
    bonus = BonusTerms("50", "100", None, None, Funding.SOURCE_ISSUER, None, None)
    await found(hub, "1:1", bonuses=(bonus,))
    done = await hub.do(convert(hub, "c", "100"))
    assert done.figures.target == 150

    async def reverse(key: str, amount: str) -> tuple[int, int]:
        await hub.do(commands.Reverse(actor=hub.admin, key=key, id=done.id, amount=amount, reason="x"))
        [row] = await hub.sql("SELECT used FROM bonus_use")
        return row[0], await hub.balance("BP", "BANK", "alice")

    # After r of 150: ⌊100·r/150⌋ of the source, and of what the cap counted, are back.
    assert await reverse("1", "1") == (100, 999_900)  # ⌊0.66⌋
    assert await reverse("2", "1") == (99, 999_901)  # ⌊1.33⌋
    assert await reverse("3", "73") == (50, 999_950)  # 75: 50
    assert await reverse("4", "75") == (0, 1_000_000)
    [row] = await hub.sql("SELECT status FROM conversion")
    assert row[0] == "REVERSED"
    await invariants.check(hub)


async def test_a_customer_has_few_open_quotes_for_one_pair(hub: Hub) -> None:
    await found(hub)
    for _ in range(3):
        await hub.do(ask(hub, "25", ttl_seconds=0))
    offers = [await hub.do(ask(hub, "25")) for _ in range(5)]
    with pytest.raises(TooManyQuotes):
        await hub.do(ask(hub, "25"))
    await hub.issue("BP", "BANK", "bob", "100")
    await hub.do(ask(hub, "25", source=Party("BANK", "bob")))  # another's
    await hub.do(execute(hub, "e", offers[0].id))
    await hub.do(ask(hub, "25"))


async def test_the_callers_minimum_is_of_the_whole_credit(hub: Hub) -> None:
    bonus = BonusTerms("50", None, None, None, Funding.SOURCE_ISSUER, None, None)
    await found(hub, "1:1", bonuses=(bonus,))
    with pytest.raises(Slippage) as refused:
        await hub.do(convert(hub, "1", "100", "151"))
    assert refused.value.details == {"target": "150", "minimum": "151"}
    assert (await hub.do(convert(hub, "2", "100", "150"))).figures.target == 150
    for least in ("0", "-1"):  # no amount: a slip would take the guard away
        with pytest.raises(InvalidAmount):
            await hub.do(convert(hub, least, "100", least))


async def test_converting_is_no_way_around_a_ban_on_transfers(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("NT", "BANK", transferable=False)
    await hub.currency("BP", "BANK")
    await hub.rate("NT", "BP")
    await hub.issue("NT", "BANK", "alice", "10")
    terms = {"source_currency": "NT", "target_currency": "BP"}
    with pytest.raises(TransferForbidden):
        await hub.do(convert(hub, "1", "10", target=Party("BANK", "bob"), **terms))
    assert (await hub.do(convert(hub, "2", "10", target=ALICE, **terms))).figures.target == 10


async def test_an_emergency_withdrawal_cancels_what_is_open_and_keeps_what_is_used(hub: Hub) -> None:
    rate = await found(hub)
    used, open_one = await hub.do(ask(hub, "25")), await hub.do(ask(hub, "25"))
    await hub.do(execute(hub, "u", used.id))
    withdraw = commands.WithdrawRate(actor=hub.admin, id=rate.id, reason="wrong", cancel_quotes=True)
    # A quote of the same batch is one of them.
    batch = [ask(hub, "25"), withdraw, ask(hub, "25"), execute(hub, "o", open_one.id)]
    asked, ended, late, refused = await hub.batch(batch)
    assert [getattr(getattr(one, "refusal", None), "code", None) for one in (asked, ended, late, refused)] == [
        None,
        None,
        "NO_RATE",
        "QUOTE_CANCELLED",
    ]
    same_batch: Any = asked
    with pytest.raises(QuoteCancelled):
        await hub.do(execute(hub, "s", same_batch.result.id))
    with pytest.raises(QuoteUsed):
        await hub.do(execute(hub, "u2", used.id))
    with pytest.raises(NoRate):
        await hub.do(convert(hub, "c", "25"))


async def test_an_emergency_withdrawal_cancels_any_number_of_quotes(hub: Hub) -> None:
    """More customers than a statement has parameters (32,767)."""
    rate = await found(hub)
    pattern = await hub.do(ask(hub, "25"))
    first = 1 << 50
    statement = "INSERT INTO customer SELECT 1, $1::bigint + n, $2 FROM generate_series(1, 40000) n"
    await hub.sql(statement, first, pattern.source.institution)
    await hub.sql(
        "INSERT INTO quote SELECT journal_id, $1::bigint + n, credential_id, for_institution_id, rate_id,"
        " $1::bigint + n, $1::bigint + 20000 + n, source, target, bonus, fee, settlement, eligible, residue,"
        " expires_at, NULL, false FROM quote, generate_series(1, 20000) n WHERE id = $2",
        first,
        pattern.id,
    )
    await hub.do(commands.WithdrawRate(actor=hub.admin, id=rate.id, reason="wrong", cancel_quotes=True))
    [row] = await hub.sql("SELECT count(*) FILTER (WHERE cancelled), count(*) FROM quote")
    assert tuple(row) == (20_001, 20_001)


async def test_a_quote_of_others_does_not_exist(hub: Hub) -> None:
    await found(hub)
    await hub.institution("OTHER")
    stranger, _ = await hub.key("OTHER", Role.INSTITUTION_TRADER)
    offer = await hub.do(ask(hub, "25"))
    for quote in (offer.id, 12345, None):
        with pytest.raises(NotFound):
            await hub.do(commands.ExecuteQuote(actor=stranger, key=f"k{quote}", quote=quote))


async def test_money_of_a_rate_may_be_another_currency_than_the_points_value(hub: Hub) -> None:
    await found(hub, "1:1", settlement_price=MoneyText("0.007", "USD"), fee_fixed=MoneyText("0.01", "USD"))
    await hub.do(convert(hub, "c", "10"))
    rows = await hub.sql("SELECT currency, sum(credits - debits), max(credits) FROM position GROUP BY currency")
    assert [tuple(row) for row in rows] == [("USD", 0, 70_000)]  # 10 × 0.007; nothing in CNY


async def test_what_a_batch_found_out_for_one_conversion_holds_for_others_of_the_same_terms_only(hub: Hub) -> None:
    rate = await found(hub)
    elsewhere, _ = await hub.key("AIR", Role.INSTITUTION_TRADER)
    withdraw = commands.WithdrawRate(actor=hub.admin, id=rate.id, cancel_quotes=False, reason="wrong")
    first, less, foreign, _, none = await hub.batch(
        [
            convert(hub, "1", "1000"),
            convert(hub, "2", "500"),  # 500 / 25 = 20
            convert(hub, "3", "1000", actor=elsewhere),
            withdraw,
            convert(hub, "4", "1000"),
        ]
    )
    kept: list[Any] = [one.result or one.refusal for one in (first, less, none) if isinstance(one, Outcome)]
    assert [one.figures.target for one in kept[:2]] == [1000 // 25, 20]
    assert isinstance(foreign, Forbidden)
    assert isinstance(kept[2], NoRate)
    await invariants.check(hub)


async def test_a_capped_bonus_counts_each_customer_of_a_batch_by_itself(hub: Hub) -> None:
    bonus = BonusTerms("100", "1000", None, None, Funding.SOURCE_ISSUER, None, None)
    await found(hub, "1:1", bonuses=(bonus,))
    await hub.issue("BP", "BANK", "ann", "5000")
    answers = await hub.batch(
        [convert(hub, f"{who}{n}", "600", source=Party("BANK", who)) for who in ("alice", "ann") for n in range(2)]
    )
    # 600 + 600, then 600 + what 1,000 leave of the bonus: 400
    made: list[Any] = [one.result for one in answers if isinstance(one, Outcome)]
    assert [one.figures.target for one in made] == [1200, 1000, 1200, 1000]
