"""Statements against two others that know the figures: the audit's own accounts, and a log kept by hand."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import statements
from hub.audit.accounts import Accounts
from hub.audit.entries import Entries
from hub.audit.findings import Findings
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.decide import Outcome
from hub.ledger.records import AccountKind
from tests.concurrency.world import found
from tests.conftest import Hub, driver_url
from tests.properties.test_ledger_machine import Machine
from tests.properties.world import START, Clock

TICK = timedelta(microseconds=1)
NOTHING = (0, 0, 0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Sums = dict[int, tuple[int, int, int]]  # credits, debits and what is held, by account


async def audited(hub: Hub) -> list[tuple[datetime, Sums]]:
    """What the audit makes of the customers' accounts after each batch."""
    findings = Findings()
    accounts, history = Accounts(findings), []
    async with hub.database.snapshot() as connection:
        async for batch in Entries(connection, findings).batches(None):
            accounts.open(batch.rows.get("account", ()))
            for leg in batch.rows.get("leg", ()):
                accounts.post(leg)
            assert batch.at is not None
            sums = {
                id: (one.credits, one.debits, one.pending_debits)
                for id, one in accounts.by_id.items()
                if one.key[0] == AccountKind.CUSTOMER
            }
            history.append((batch.at, sums))
    assert findings.all() == ()
    return history


@pytest.mark.long
async def test_every_balance_and_statement_is_the_audits(hub: Hub) -> None:
    clock = Clock(START)
    doors = [hub.beside(clock=clock), hub.beside(batch_max=3, clock=clock)]
    eyes = await asyncpg.connect(driver_url(hub.addresses.owner))
    try:
        machine = Machine(doors[0], doors[1], eyes, clock, seed=11)
        await machine.begin()
        for _ in range(80):
            await machine.step()
    finally:
        await eyes.close()
        for door in doors:
            await door.close()
    history, dice, moved = await audited(hub), random.Random(11), 0
    accounts = list(history[-1][1])
    assert len(accounts) > 10
    async with hub.reading.open(hub.admin) as reader:
        for at, sums in history:
            for account in accounts:
                credits, debits, held = sums.get(account, NOTHING)
                told = await statements.balance(reader.connection, account, at)
                assert told == statements.Balance(credits - debits, held), (account, at)
        for _ in range(150):
            account = dice.choice(accounts)
            (start, before), (end, after) = sorted(dice.choices(history, k=2), key=lambda one: one[0])
            # After the first batch, to after the second: both lie at the end of what they count.
            made = await statements.statement(reader.connection, account, start + TICK, end + TICK)
            totals = await statements.totals(reader.connection, account, made.span)
            credits, debits, _ = before.get(account, NOTHING)
            later_credits, later_debits, _ = after.get(account, NOTHING)
            assert sum(total.credits for total in totals) == later_credits - credits
            assert sum(total.debits for total in totals) == later_debits - debits
            assert (made.opening, made.closing) == (credits - debits, later_credits - later_debits)
            listed = await statements.entries(reader.connection, account, made.span, None, 10_000)
            assert sum(one.amount for one in listed if one.is_credit) == later_credits - credits
            assert sum(one.amount for one in listed if not one.is_credit) == later_debits - debits
            moved += bool(listed)
    assert moved > 50


PEOPLE = ("ann", "ben", "cid")
Log = list[tuple[datetime, str, str, int]]  # when, who, of which currency, how much

acts = st.one_of(
    st.tuples(st.just("issue"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(1, 200)),
    st.tuples(st.just("transfer"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(1, 150)),
    st.tuples(st.just("convert"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(25, 150)),
    st.tuples(st.just("redeem"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(1, 150)),
)


class Diary:
    """Acts on customers of this example's own, and what they come to, written down."""

    examples = 0

    def __init__(self, hub: Hub) -> None:
        Diary.examples += 1
        self.hub, self.name, self.acts, self.log = hub, f"e{Diary.examples}", 0, Log()

    def command(self, act: tuple[str, str, str, int]) -> commands.Command:
        kind, giver, taker, amount = act
        self.acts += 1
        more: dict[str, Any] = {"actor": self.hub.admin, "key": f"{self.name}-{self.acts}", "amount": str(amount)}
        source = Party("BANK", f"{self.name}-{giver}")
        match kind:
            case "issue":
                return commands.Issue(currency="BP", to=source, earned_at=None, expires_at=None, memo=None, **more)
            case "transfer":
                target = Party("BANK", f"{self.name}-{taker}")
                return commands.Transfer(currency="BP", source=source, target=target, memo=None, **more)
            case "redeem":
                return commands.Redeem(currency="BP", customer=source, merchant="SHOP", memo=None, **more)
        target = Party("AIR", f"{self.name}-{taker}")
        more |= {"source_currency": "BP", "target_currency": "MILE", "minimum_target": None}
        return commands.Convert(source=source, target=target, **more)

    async def live(self, batches: list[list[tuple[str, str, str, int]]]) -> None:
        for batch in batches:
            answers = await self.hub.batch([self.command(act) for act in batch])
            for act, answer in zip(batch, answers, strict=True):
                assert isinstance(answer, Outcome)
                if answer.refusal is None:
                    self.note(act, getattr(answer.result, "at"))  # noqa: B009 - results are of several types

    def note(self, act: tuple[str, str, str, int], at: datetime) -> None:
        kind, giver, taker, amount = act
        if kind == "issue":
            self.log.append((at, giver, "BP", amount))
            return
        self.log.append((at, giver, "BP", -amount))
        if kind == "transfer":
            self.log.append((at, taker, "BP", amount))
        if kind == "convert":
            self.log.append((at, taker, "MILE", amount // 25))

    def held(self, who: str, currency: str, until: datetime) -> int:
        """Before an instant."""
        return sum(units for at, one, of, units in self.log if (one, of) == (who, currency) and at < until)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(acts, min_size=1, max_size=6), min_size=1, max_size=6), data=st.data())
async def test_any_past_is_what_a_plain_log_says(
    hub: Hub, batches: list[list[tuple[str, str, str, int]]], data: st.DataObject
) -> None:
    if hub.engine.configuration.currency("BP") is None:
        await found(hub, 0)
    diary = Diary(hub)
    await diary.live([[("issue", who, who, 150) for who in PEOPLE], *batches])
    moments = sorted({at for at, *_ in diary.log})
    instants = st.builds(
        lambda at, step: at + step * TICK, st.sampled_from([EPOCH, *moments]), st.sampled_from([-1, 0, 1])
    )
    async with hub.reading.open(hub.admin) as reader:
        ids = defaultdict(lambda: None) | {
            (row["reference"], row["currency"]): row["id"]
            for row in await hub.sql(
                "SELECT r.reference, a.currency, a.id FROM account a"
                " JOIN customer_reference r ON r.customer_id = a.owner_id WHERE a.kind = 1"
            )
        }
        for _ in range(5):
            who, currency = data.draw(st.sampled_from(PEOPLE)), data.draw(st.sampled_from(["BP", "MILE"]))
            home = f"{diary.name}-{who}"
            start, end = sorted((data.draw(instants), data.draw(instants)))
            account = ids[home, currency]
            told = await statements.balance(reader.connection, account, end)
            assert told.total == diary.held(who, currency, end + TICK)
            made = await statements.statement(reader.connection, account, start, end)
            totals = await statements.totals(reader.connection, account, made.span)
            came, went = sum(total.credits for total in totals), sum(total.debits for total in totals)
            assert made.opening == diary.held(who, currency, start)
            assert made.closing == diary.held(who, currency, end) == made.opening + came - went
            listed = await statements.entries(reader.connection, account, made.span, None, 1000)
            assert [(one.at, one.amount if one.is_credit else -one.amount) for one in listed] == [
                (at, units) for at, one, of, units in diary.log if (one, of) == (who, currency) and start <= at < end
            ]
