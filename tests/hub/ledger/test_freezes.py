"""Freezes, debts and cancellations through the engine."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import ids
from hub.access import Role
from hub.currencies import ExpiryKind, Shortfall
from hub.errors import (
    AlreadyReversed,
    CustomerClosed,
    Duplicate,
    ExceedsDebt,
    Forbidden,
    FreezeResolved,
    Frozen,
    InsufficientPoints,
    InvalidInput,
    NotFound,
    PointsUnresolved,
    Unexpected,
)
from hub.holdings import holdings
from hub.ledger import cancellations, commands
from hub.ledger.commands import FreezeOutcome, Party, ReversalShortfall
from hub.ledger.records import Hold, RestrictionKind
from tests.conftest import Hub, Pass

DAY = timedelta(days=1)
DEBT, WRITE_OFF = ReversalShortfall.DEBT, ReversalShortfall.WRITE_OFF


def now() -> datetime:
    return datetime.now(UTC)


class Bank:
    """BANK issues BP and has a BRANCH; AIR issues MILE. Each has a trader of its own."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = 0
        self.traders: dict[str, int] = {}

    async def found(self) -> "Bank":
        for code, parent in (("BANK", None), ("BRANCH", "BANK"), ("AIR", None)):
            await self.hub.institution(code, parent=parent)
            self.traders[code], _ = await self.hub.key(code, Role.INSTITUTION_TRADER, person=code)
        await self.hub.currency("BP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=120)
        await self.hub.currency("PLAIN", "BANK")
        await self.hub.currency("MILE", "AIR")
        await self.hub.rate("PLAIN", "MILE")
        return self

    def key(self) -> str:
        self._keys += 1
        return f"freeze-{self._keys}"

    def command(self, kind: type[commands.Keyed], who: int | None = None, **of: Any) -> commands.Keyed:
        return kind(actor=who or self.hub.admin, key=self.key(), **of)

    async def act(self, kind: type[commands.Keyed], who: int | None = None, **of: Any) -> Any:
        return await self.hub.do(self.command(kind, who, **of))

    async def issue(self, to: str, amount: int, currency: str = "PLAIN", **more: Any) -> Any:
        return await self.hub.do(self.issuing(to, amount, currency, **more))

    def issuing(self, to: str, amount: int, currency: str = "PLAIN", **more: Any) -> commands.Keyed:
        given = {"earned_at": None, "expires_at": None, "memo": None, **more}
        return self.command(commands.Issue, currency=currency, to=Party("BANK", to), amount=str(amount), **given)

    async def transfer(self, source: str, target: str, amount: int, currency: str = "PLAIN") -> Any:
        ends: dict[str, Any] = {"source": Party("BANK", source), "target": Party("BANK", target)}
        return await self.act(commands.Transfer, currency=currency, amount=str(amount), memo=None, **ends)

    async def freeze(self, customer: str, amount: int, currency: str = "PLAIN", who: int | None = None) -> Hold:
        done = await self.act(
            commands.FreezePoints,
            who,
            currency=currency,
            customer=Party("BANK", customer),
            amount=str(amount),
            reason="return",
        )
        frozen: Hold = done.hold
        return frozen

    async def decide(self, freeze: Hold, outcome: FreezeOutcome, who: int | None = None) -> Hold:
        done = await self.act(commands.ResolveFreeze, who, freeze=freeze.id, outcome=outcome, reason="checked")
        held: Hold = done.hold
        return held

    async def remove(self, freeze: Hold, who: int | None = None) -> Hold:
        return await self.decide(freeze, FreezeOutcome.REMOVE, who)

    async def release(self, freeze: Hold, who: int | None = None) -> Hold:
        return await self.decide(freeze, FreezeOutcome.RELEASE, who)

    async def restrict(self, kind: Any, customer: str, currency: str | None, who: int | None = None) -> Any:
        return await self.act(kind, who, customer=Party("BANK", customer), currency=currency, reason="suspicion")

    async def reverse(self, act: Any, amount: int | None = None, **more: Any) -> Any:
        return await self.act(
            commands.Reverse, id=act.id, amount=None if amount is None else str(amount), reason="wrong", **more
        )

    async def close(self, customer: str, who: int | None = None) -> Any:
        return await self.act(commands.CloseCustomer, who, customer=Party("BANK", customer), reason="left")

    async def has(self, customer: str, currency: str = "PLAIN") -> tuple[int, int, int, int, int]:
        """Total, available, held, frozen and debt."""
        async with self.hub.reading.open(self.hub.admin) as reader:
            rows = await self.hub.sql("SELECT customer_id FROM customer_reference WHERE reference = $1", customer)
            found = (await holdings(reader, [rows[0][0]])).get(rows[0][0], [])
        for one in found:
            if one.account.currency == currency:
                return one.total, one.available, one.held, one.frozen, one.debt
        return 0, 0, 0, 0, 0

    async def missing(self, movement: int | None) -> tuple[int, int]:
        """Debt and what was written off."""
        rows = await self.hub.sql("SELECT debt, written_off FROM missing WHERE movement_id = $1", movement)
        return (rows[0][0], rows[0][1]) if rows else (0, 0)

    async def sum(self, currency: str = "PLAIN") -> int:
        [[found]] = await self.hub.sql(
            "SELECT sum(credits_posted - debits_posted)::bigint FROM account WHERE currency = $1", currency
        )
        return int(found)


@pytest.fixture
async def bank(hub: Hub) -> Bank:
    return await Bank(hub).found()


@pytest.mark.parametrize("currency", ["PLAIN", "BP"])
async def test_frozen_points_are_removed_or_free_again(bank: Bank, currency: str) -> None:
    await bank.issue("x", 500, currency)
    first = await bank.freeze("x", 120, currency)
    assert (first.amount, first.shortfall) == (120, 0)
    assert await bank.has("x", currency) == (500, 380, 0, 120, 0)
    with pytest.raises(InsufficientPoints):
        await bank.transfer("x", "y", 381, currency)
    await bank.remove(first)
    assert await bank.has("x", currency) == (380, 380, 0, 0, 0)
    second = await bank.freeze("x", 120, currency)
    assert await bank.has("x", currency) == (380, 260, 0, 120, 0)
    await bank.release(second)
    assert await bank.has("x", currency) == (380, 380, 0, 0, 0)
    for outcome in FreezeOutcome:
        with pytest.raises(FreezeResolved):
            await bank.decide(second, outcome)
    assert await bank.sum(currency) == 0


@pytest.mark.parametrize("currency", ["PLAIN", "BP"])
@pytest.mark.parametrize("policy", list(Shortfall))
async def test_what_is_not_there_is_owed_or_written_off(bank: Bank, currency: str, policy: Shortfall) -> None:
    await bank.hub.do(
        commands.SetPointsPolicy(actor=bank.hub.admin, currency=currency, policy=commands.PolicyTerms(shortfall=policy))
    )
    await bank.issue("x", 30, currency)
    freeze = await bank.freeze("x", 120, currency)
    assert (freeze.amount, freeze.shortfall) == (30, 90)
    removed = await bank.remove(freeze)
    assert removed.captured == 30
    debt = 90 if policy is Shortfall.DEBT else 0
    assert await bank.missing(removed.resolved_by) == (debt, 90 - debt)
    assert await bank.has("x", currency) == (0, 0, 0, 0, debt)
    await bank.issue("x", 100, currency)
    assert await bank.has("x", currency) == (100 - debt, 100 - debt, 0, 0, 0)
    assert await bank.sum(currency) == 0


async def test_a_freeze_of_nothing_is_one_and_takes_what_came_meanwhile(bank: Bank) -> None:
    await bank.hub.do(commands.EnrollCustomer(actor=bank.hub.admin, customer=Party("BANK", "x")))
    freeze = await bank.freeze("x", 50, "BP")
    assert (freeze.amount, freeze.shortfall) == (0, 50)
    await bank.release(await bank.freeze("x", 7, "BP"))
    await bank.issue("x", 20, "BP")  # credits are not frozen
    assert await bank.has("x", "BP") == (20, 20, 0, 0, 0)
    removed = await bank.remove(freeze)
    assert removed.captured == 0
    assert await bank.missing(removed.resolved_by) == (30, 0)
    assert await bank.has("x", "BP") == (0, 0, 0, 0, 30)


async def test_every_credit_repays_a_debt_first(bank: Bank) -> None:
    await bank.hub.do(commands.EnrollCustomer(actor=bank.hub.admin, customer=Party("BANK", "x")))
    await bank.remove(await bank.freeze("x", 100))
    await bank.issue("y", 1_000)
    assert await bank.has("x") == (0, 0, 0, 0, 100)
    gift = await bank.transfer("y", "x", 30)
    assert await bank.has("x") == (0, 0, 0, 0, 70)
    held = (
        await bank.act(
            commands.HoldPoints,
            currency="PLAIN",
            customer=Party("BANK", "y"),
            amount="20",
            expires_at=now() + DAY,
            memo=None,
        )
    ).hold
    await bank.act(commands.CaptureHold, hold=held.id, amount=None, target=Party("BANK", "x"), merchant=None)
    assert await bank.has("x") == (0, 0, 0, 0, 50)
    await bank.reverse(gift, 10)  # ten of thirty come back out of the debt that they repaid
    assert await bank.has("x") == (0, 0, 0, 0, 60)
    await bank.restrict(commands.FreezeAccount, "x", "PLAIN")
    await bank.issue("x", 25)
    assert await bank.has("x") == (0, 0, 0, 0, 35)
    await bank.restrict(commands.UnfreezeAccount, "x", "PLAIN")
    await bank.issue("x", 45)
    assert await bank.has("x") == (10, 10, 0, 0, 0)
    await bank.reverse(gift, 10)  # the debt is back, however much there is
    assert await bank.has("x") == (10, 10, 0, 0, 10)
    await bank.transfer("x", "y", 4)
    await bank.issue("x", 1)
    assert await bank.has("x") == (6, 6, 0, 0, 9)
    assert await bank.sum() == 0


async def test_points_that_come_back_repay_unless_they_are_over(bank: Bank, pass_: Pass) -> None:
    soon = now() + timedelta(hours=1)
    await bank.issue("x", 100, "BP", expires_at=soon)
    gift = await bank.transfer("x", "y", 60, "BP")
    await bank.issue("y", 60, "BP")
    await bank.remove(await bank.freeze("x", 70, "BP"))
    assert await bank.has("x", "BP") == (0, 0, 0, 0, 30)
    pass_(timedelta(hours=1))
    await bank.reverse(gift, 50)
    assert await bank.has("x", "BP") == (0, 0, 0, 0, 30)
    assert await bank.sum("BP") == 0


async def test_a_reversed_issue_that_repaid_restores_the_debt_in_proportion(bank: Bank) -> None:
    for currency in ("PLAIN", "BP"):
        await bank.issue("x", 1, currency)
        await bank.remove(await bank.freeze("x", 91, currency))
        issue = await bank.issue("x", 100, currency)
        assert await bank.has("x", currency) == (10, 10, 0, 0, 0)
        await bank.reverse(issue, 50)  # ⌊90·50/100⌋ = 45 is owed again, 5 are taken
        assert await bank.has("x", currency) == (5, 5, 0, 0, 45)
        await bank.transfer("x", "y", 1, currency)
        with pytest.raises(InsufficientPoints):
            await bank.reverse(issue)
        await bank.reverse(issue, shortfall=DEBT)
        assert await bank.has("x", currency) == (0, 0, 0, 0, 91)
        assert await bank.sum(currency) == 0


async def test_what_an_issue_cannot_give_back_is_owed_or_written_off(bank: Bank) -> None:
    for shortfall, owed in ((DEBT, 70), (WRITE_OFF, 0)):
        for currency in ("PLAIN", "BP"):
            who = f"x{shortfall}{currency}"
            issue = await bank.issue(who, 100, currency)
            sent = await bank.transfer(who, "y", 70, currency)
            with pytest.raises(InvalidInput):
                await bank.reverse(sent, shortfall=shortfall)
            reversal = await bank.reverse(issue, shortfall=shortfall)
            assert await bank.missing(reversal.id) == (owed, 70 - owed)
            assert await bank.has(who, currency) == (0, 0, 0, 0, owed)
            assert await bank.sum(currency) == 0


async def test_only_the_issuer_takes_back_with_a_shortfall(bank: Bank) -> None:
    issue = await bank.issue("x", 100)
    trader = bank.traders["BANK"]
    with pytest.raises(Forbidden):
        await bank.act(
            commands.CancelRecord, bank.traders["BRANCH"], currency="PLAIN", record="R", shortfall=DEBT, reason="r"
        )
    await bank.transfer("x", "y", 100)
    done = await bank.act(commands.Reverse, trader, id=issue.id, amount=None, reason="r", shortfall=DEBT)
    assert await bank.missing(done.id) == (100, 0)


@pytest.mark.parametrize("currency", ["PLAIN", "BP"])
async def test_a_record_is_cancelled_whole(bank: Bank, currency: str) -> None:
    await bank.issue("x", 100, currency, record="R")
    partly = await bank.issue("x", 50, currency, record="R")
    await bank.issue("y", 30, currency, record="R")
    other = await bank.issue("x", 7, currency, record="S")
    await bank.reverse(partly, 20)
    await bank.transfer("x", "z", 100, currency)  # of 137, 37 are left
    cancel: dict[str, Any] = {"currency": currency, "record": "R", "reason": "granted by mistake"}
    with pytest.raises(InsufficientPoints):
        await bank.act(commands.CancelRecord, shortfall=ReversalShortfall.REFUSE, **cancel)
    assert await bank.has("y", currency) == (30, 30, 0, 0, 0)
    done = await bank.act(commands.CancelRecord, shortfall=DEBT, **cancel)
    assert (done.issues, done.amount, done.debt, done.written_off) == (3, 160, 93, 0)
    assert await bank.has("x", currency) == (0, 0, 0, 0, 93)
    assert await bank.has("y", currency) == (0, 0, 0, 0, 0)
    assert await bank.sum(currency) == 0
    with pytest.raises(AlreadyReversed):
        await bank.act(commands.CancelRecord, shortfall=DEBT, **cancel)
    with pytest.raises(NotFound):
        await bank.act(commands.CancelRecord, shortfall=DEBT, **(cancel | {"record": "T"}))
    await bank.reverse(other, shortfall=WRITE_OFF)


async def test_a_record_is_cancelled_with_what_its_batch_issued(bank: Bank) -> None:
    await bank.issue("x", 5, "BP")
    await bank.remove(await bank.freeze("x", 6, "BP"))
    await bank.issue("x", 1, "BP")  # an account of debts that is not marked
    cancel = bank.command(commands.CancelRecord, currency="BP", record="R", shortfall=DEBT, reason="r")
    give: dict[str, Any] = {"source": Party("BANK", "x"), "target": Party("BANK", "y")}
    done = await bank.hub.batch(
        [
            bank.issuing("x", 100, "BP", record="R"),
            bank.command(commands.Transfer, currency="BP", amount="60", memo=None, **give),
            cancel,
        ]
    )
    made: Any = done[2]
    assert made.refusal is None
    assert (made.result.issues, made.result.amount, made.result.debt) == (1, 100, 60)
    again: Any = (await bank.hub.batch([cancel]))[0]
    assert again.replayed
    assert again.result == made.result
    assert await bank.has("x", "BP") == (0, 0, 0, 0, 60)


async def test_a_debt_is_written_off_by_the_issuer_s_administrator(bank: Bank) -> None:
    await bank.issue("x", 1)
    await bank.remove(await bank.freeze("x", 101))
    write_off: dict[str, Any] = {"customer": Party("BANK", "x"), "currency": "PLAIN", "reason": "uncollectable"}
    with pytest.raises(Forbidden):
        await bank.act(commands.WriteOffDebt, bank.traders["BANK"], amount=None, **write_off)
    with pytest.raises(ExceedsDebt):
        await bank.act(commands.WriteOffDebt, amount="101", **write_off)
    admin, _ = await bank.hub.key("BANK", Role.INSTITUTION_ADMIN, person="admin")
    await bank.act(commands.WriteOffDebt, admin, amount="60", **write_off)
    assert await bank.has("x") == (0, 0, 0, 0, 40)
    await bank.act(commands.WriteOffDebt, admin, amount=None, **write_off)
    assert await bank.has("x") == (0, 0, 0, 0, 0)
    with pytest.raises(ExceedsDebt):
        await bank.act(commands.WriteOffDebt, amount=None, **write_off)
    await bank.issue("x", 10)
    assert await bank.has("x") == (10, 10, 0, 0, 0)
    assert await bank.sum() == 0


async def test_nothing_leaves_a_frozen_account(bank: Bank) -> None:
    await bank.issue("x", 100)
    gift = await bank.issue("x", 10)
    hold: dict[str, Any] = {
        "currency": "PLAIN",
        "customer": Party("BANK", "x"),
        "amount": "5",
        "expires_at": now() + DAY,
        "memo": None,
    }
    held = (await bank.act(commands.HoldPoints, **hold)).hold
    made = await bank.restrict(commands.FreezeAccount, "x", "PLAIN")
    assert made.kind is RestrictionKind.FREEZE
    assert await bank.has("x") == (110, 0, 5, 105, 0)
    with pytest.raises(Duplicate):
        await bank.restrict(commands.FreezeAccount, "x", "PLAIN")
    convert: dict[str, Any] = {
        "source": Party("BANK", "x"),
        "target": Party("AIR", "x"),
        "source_currency": "PLAIN",
        "target_currency": "MILE",
        "amount": "1",
        "minimum_target": None,
    }
    redeem: dict[str, Any] = {
        "currency": "PLAIN",
        "customer": Party("BANK", "x"),
        "merchant": "AIR",
        "amount": "1",
        "memo": None,
    }
    tries = [
        bank.transfer("x", "y", 1),
        bank.act(commands.Convert, **convert),
        bank.act(commands.Redeem, **redeem),
        bank.act(commands.HoldPoints, **hold),
        bank.act(commands.CaptureHold, hold=held.id, amount=None, target=None, merchant=None),
        bank.reverse(gift),
    ]
    for one in tries:
        with pytest.raises(Frozen):
            await one
    await bank.issue("x", 1)
    freeze = await bank.freeze("x", 11)
    await bank.remove(freeze)
    assert await bank.has("x") == (100, 0, 5, 95, 0)
    await bank.restrict(commands.UnfreezeAccount, "x", "PLAIN")
    with pytest.raises(NotFound):
        await bank.restrict(commands.UnfreezeAccount, "x", "PLAIN")
    await bank.transfer("x", "y", 95)


async def test_accounts_that_are_opened_later_are_frozen_with_their_customer(bank: Bank) -> None:
    await bank.issue("x", 10)
    await bank.restrict(commands.FreezeAccount, "x", None)
    await bank.issue("x", 20, "BP")
    assert await bank.has("x", "BP") == (20, 0, 0, 20, 0)
    with pytest.raises(Frozen):
        await bank.transfer("x", "y", 1, "BP")
    with pytest.raises(Frozen):
        await bank.transfer("x", "y", 1)
    await bank.restrict(commands.FreezeAccount, "x", "BP")
    await bank.restrict(commands.UnfreezeAccount, "x", None)
    await bank.transfer("x", "y", 10)
    with pytest.raises(Frozen):
        await bank.transfer("x", "y", 1, "BP")
    await bank.restrict(commands.UnfreezeAccount, "x", "BP")
    await bank.transfer("x", "y", 1, "BP")


async def test_a_quote_cannot_open_an_unfrozen_account(bank: Bank) -> None:
    """The target customer has no account at all when the quote is executed."""
    await bank.issue("x", 10)
    offer = await bank.hub.do(
        commands.RequestQuote(
            actor=bank.hub.admin,
            source=Party("BANK", "x"),
            target=Party("AIR", "x"),
            source_currency="PLAIN",
            target_currency="MILE",
            amount="10",
            ttl_seconds=60,
        )
    )
    await bank.act(commands.FreezeAccount, customer=Party("AIR", "x"), currency=None, reason="r")
    await bank.act(commands.ExecuteQuote, quote=offer.id)
    back: dict[str, Any] = {
        "source": Party("AIR", "x"),
        "target": Party("AIR", "y"),
        "currency": "MILE",
        "amount": "1",
        "memo": None,
    }
    with pytest.raises(Frozen):
        await bank.act(commands.Transfer, **back)


async def test_who_freezes_and_who_frees(bank: Bank) -> None:
    await bank.issue("x", 100)
    issuer, branch, air = (bank.traders[code] for code in ("BANK", "BRANCH", "AIR"))
    for who in (branch, air):
        with pytest.raises(Forbidden):
            await bank.freeze("x", 1, who=who)
    theirs = await bank.freeze("x", 1, who=issuer)
    with pytest.raises(NotFound):
        await bank.release(theirs, air)
    await bank.release(theirs, issuer)
    # of miles BANK is the customer's institution, and AIR the issuer
    await bank.act(
        commands.Issue,
        currency="MILE",
        to=Party("BANK", "x"),
        amount="50",
        earned_at=None,
        expires_at=None,
        memo=None,
    )
    mine, theirs = await bank.freeze("x", 10, "MILE", issuer), await bank.freeze("x", 10, "MILE", air)
    for one in (mine, theirs):
        with pytest.raises(Forbidden):
            await bank.remove(one, issuer)
    with pytest.raises(Forbidden):
        await bank.release(theirs, issuer)
    await bank.release(mine, issuer)
    await bank.remove(theirs, air)
    await bank.restrict(commands.FreezeAccount, "x", "MILE", air)
    with pytest.raises(Forbidden):
        await bank.restrict(commands.UnfreezeAccount, "x", "MILE", issuer)
    await bank.restrict(commands.UnfreezeAccount, "x", "MILE", air)
    with pytest.raises(Forbidden):
        await bank.restrict(commands.FreezeAccount, "x", None, air)
    await bank.restrict(commands.FreezeAccount, "x", None)  # the operator
    with pytest.raises(Forbidden):
        await bank.restrict(commands.UnfreezeAccount, "x", None, issuer)


async def test_who_leaves_is_cleared_and_closed(bank: Bank) -> None:
    await bank.issue("x", 100)
    await bank.issue("x", 40, "BP", expires_at=now() + 300 * DAY)
    await bank.issue("x", 60, "BP")
    trader = bank.traders["BANK"]
    freeze = await bank.freeze("x", 10)
    with pytest.raises(PointsUnresolved) as refusal:
        await bank.close("x", trader)
    assert refusal.value.details == {"currency": "PLAIN", "frozen": "10"}
    await bank.remove(freeze)
    await bank.remove(await bank.freeze("x", 91))
    with pytest.raises(PointsUnresolved) as refusal:
        await bank.close("x", trader)
    assert refusal.value.details == {"currency": "PLAIN", "debt": "1"}
    await bank.issue("x", 8)
    await bank.act(
        commands.Issue,
        currency="MILE",
        to=Party("BANK", "x"),
        amount="3",
        earned_at=None,
        expires_at=None,
        memo=None,
    )
    with pytest.raises(PointsUnresolved) as refusal:
        await bank.close("x", trader)
    assert refusal.value.details == {"currency": "MILE", "total": "3"}
    await bank.close("x")
    for currency in ("PLAIN", "BP", "MILE"):
        assert await bank.has("x", currency) == (0, 0, 0, 0, 0)
        assert await bank.sum(currency) == 0
    breakage = await bank.hub.sql(
        "SELECT currency, credits_posted - debits_posted FROM account WHERE kind = 3 ORDER BY 1"
    )
    assert [tuple(row) for row in breakage] == [("BP", 100), ("MILE", 3), ("PLAIN", 7)]
    memos = await bank.hub.sql("SELECT text FROM memo JOIN movement ON id = movement_id WHERE kind = 14")
    assert [row[0] for row in memos] == ["CLEARED_ON_EXIT"] * 3
    await bank.issue("y", 10)
    again = [
        bank.close("x"),
        bank.issue("x", 1),
        bank.transfer("y", "x", 1),
        bank.transfer("x", "y", 1),
        bank.freeze("x", 1),
        bank.restrict(commands.FreezeAccount, "x", None),
        bank.restrict(commands.UnfreezeAccount, "x", None),
    ]
    for one in again:
        with pytest.raises(CustomerClosed):
            await one


async def test_an_account_that_is_opened_for_who_has_left_takes_nothing(bank: Bank) -> None:
    await bank.hub.do(commands.EnrollCustomer(actor=bank.hub.admin, customer=Party("BANK", "x")))
    await bank.close("x", bank.traders["BANK"])
    with pytest.raises(CustomerClosed):
        await bank.issue("x", 1, "BP")


async def test_cancellations_leave_identifiers_to_the_other_commands_of_a_batch(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bank.issue("x", 5, record="R")
    cancel = bank.command(commands.CancelRecord, currency="PLAIN", record="R", shortfall=DEBT, reason="r")
    with monkeypatch.context() as full:
        full.setattr(cancellations, "IDS_KEPT", ids.PLACES)
        with pytest.raises(Unexpected):
            await bank.hub.do(cancel)
    assert (await bank.hub.do(cancel)).issues == 1  # nothing was kept under the key


async def test_a_batch_sees_what_it_has_frozen_and_what_is_owed_in_it(bank: Bank) -> None:
    who: dict[str, Any] = {"customer": Party("BANK", "x"), "reason": "r"}
    give: dict[str, Any] = {"source": Party("BANK", "x"), "target": Party("BANK", "y"), "amount": "1", "memo": None}
    await bank.issue("x", 2)
    freeze = await bank.freeze("x", 9)
    answers: list[Any] = await bank.hub.batch(
        [
            bank.command(commands.ResolveFreeze, freeze=freeze.id, outcome=FreezeOutcome.REMOVE, reason="r"),
            bank.issuing("x", 3),
            bank.command(commands.FreezeAccount, currency=None, **who),
            bank.issuing("x", 5),
            bank.issuing("x", 8, "BP"),
            bank.command(commands.Transfer, currency="BP", **give),
            bank.command(commands.UnfreezeAccount, currency=None, **who),
            bank.command(commands.Transfer, currency="BP", **give),
            bank.command(commands.Transfer, currency="PLAIN", **give),
        ]
    )
    refusals = [None if one.refusal is None else one.refusal.code for one in answers]
    assert refusals == [None] * 5 + ["FROZEN"] + [None] * 3
    assert await bank.has("x") == (0, 0, 0, 0, 0)  # of 2 + 3 + 5, 9 were removed and 1 given
    assert await bank.has("x", "BP") == (7, 7, 0, 0, 0)


async def test_frozen_points_wait_for_the_decision_however_long(bank: Bank) -> None:
    soon = now() + timedelta(seconds=2)
    await bank.issue("x", 100, "BP", expires_at=soon)
    first, second = await bank.freeze("x", 30, "BP"), await bank.freeze("x", 20, "BP")
    await bank.hub.sql("SELECT pg_sleep(2.1)")
    assert await bank.has("x", "BP") == (50, 0, 0, 50, 0)
    await bank.remove(first)
    await bank.release(second)
    assert await bank.has("x", "BP") == (0, 0, 0, 0, 0)
    [[breakage]] = await bank.hub.sql("SELECT credits_posted - debits_posted FROM account WHERE kind = 3")
    assert breakage == 70


async def test_held_points_are_in_the_way_of_leaving_until_their_time_is_over(bank: Bank, pass_: Pass) -> None:
    await bank.issue("x", 100, "BP")
    hold: dict[str, Any] = {"currency": "BP", "customer": Party("BANK", "x"), "amount": "5", "memo": None}
    await bank.act(commands.HoldPoints, expires_at=now() + timedelta(hours=1), **hold)
    with pytest.raises(PointsUnresolved) as refusal:
        await bank.close("x", bank.traders["BANK"])
    assert refusal.value.details == {"currency": "BP", "held": "5"}
    with pytest.raises(Forbidden):
        await bank.close("x", bank.traders["BRANCH"])
    pass_(timedelta(hours=1))
    await bank.close("x", bank.traders["BANK"])
    assert await bank.has("x", "BP") == (0, 0, 0, 0, 0)
    assert await bank.sum("BP") == 0
