"""Trial balances of every day, held against a book that is kept beside the hub; and the export that sums to them."""

import csv
import io
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest

from hub import ids
from hub.audit import audit
from hub.books.balances import Line, trial_balance
from hub.books.export import check_mapped, lines
from hub.books.terms import business_date
from hub.errors import InvalidInput, NotMapped
from hub.expiry import day_of
from hub.ledger import commands
from hub.ledger.commands import LedgerAccountText, Party
from hub.ledger.records import AccountKind, Purpose
from tests.conftest import Hub, Pass
from tests.hub.ledger.test_cover import put

ZONE = "Asia/Shanghai"
EVERY_KIND = tuple(LedgerAccountText(kind.name, None, f"{1000 + kind}", f"=All {kind.name}") for kind in AccountKind)


class Days:
    """A hub whose every leg is noted beside it, with the day in whose books it ought to be."""

    def __init__(self, hub: Hub, pass_: Pass) -> None:
        self.hub, self.pass_ = hub, pass_
        self.locked: list[tuple[int, date]] = []  # from which batch on
        self.keys = 0

    async def found(self) -> "Days":
        hub = self.hub
        await hub.do(commands.SetBooks(actor=hub.admin, time_zone=ZONE, accounts=EVERY_KIND))
        for code, parent in (("BANK", "HUB"), ("BRANCH", "BANK"), ("SHOP", "HUB")):
            await hub.institution(code, parent=parent)
        await hub.currency("BP", "BRANCH")
        await hub.currency("SP", "SHOP", money="USD", unit_value="0.01")
        return self

    def key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    async def today(self) -> date:
        [[now]] = await self.hub.sql("SELECT at FROM journal_head")
        return day_of(now, ZONE)

    async def spend(self, currency: str, amount: int) -> None:
        home, merchant = ("BRANCH", "SHOP") if currency == "BP" else ("SHOP", "BANK")
        await self.hub.issue(currency, home, "c", str(amount))
        await self.hub.do(
            commands.Redeem(
                actor=self.hub.admin,
                key=self.key(),
                currency=currency,
                customer=Party(home, "c"),
                merchant=merchant,
                amount=str(amount),
                memo=None,
            )
        )

    async def close(self) -> int:
        window = await self.hub.window()
        await self.hub.do(commands.CloseWindow(actor=self.hub.admin, key=self.key(), window=window))
        return window

    async def pay(self, window: int, institution: str, currency: str, amount: str, value: date | None) -> None:
        await self.hub.do(
            commands.ConfirmSettlement(
                actor=self.hub.admin,
                key=self.key(),
                window=window,
                institution=institution,
                currency=currency,
                amount=amount,
                value_date=None if value is None else value.isoformat(),
                reference="=1+1",
            )
        )

    async def lock(self, through: date) -> None:
        await self.hub.do(commands.LockPeriod(actor=self.hub.admin, through=through))
        [[batch]] = await self.hub.sql("SELECT batch FROM journal_head")
        self.locked.append((batch, through))

    async def expected(self) -> dict[date, Counter[tuple[str, int, str]]]:
        """What each day moved, by side, kind of account and currency, from the raw legs and this book's own locks."""
        rows = await self.hub.sql(
            "SELECT e.batch, e.at, coalesce(c.value_date, s.value_date, p.value_date), l.amount, d.kind, a.kind,"
            " a.currency FROM leg l"
            " JOIN journal_entry e ON e.batch = l.movement_id >> 20 LEFT JOIN confirmation c USING (movement_id)"
            " LEFT JOIN default_step s USING (movement_id)"
            " LEFT JOIN cover_decision o USING (movement_id) LEFT JOIN cover_entry p ON p.id = o.entry_id"
            " JOIN account d ON d.id = l.debit_account_id JOIN account a ON a.id = l.credit_account_id"
        )
        days: dict[date, Counter[tuple[str, int, str]]] = {}
        for batch, at, value, amount, debit, credit, currency in rows:
            locked = max((day for since, day in self.locked if since < batch), default=None)
            day = business_date(day_of(at, ZONE), None if value is None else date.fromisoformat(value), locked)
            days.setdefault(day, Counter()).update(
                {("debit", debit, currency): amount, ("credit", credit, currency): amount}
            )
        return days

    async def balance(self, day: date) -> list[Line]:
        async with self.hub.reading.open(self.hub.admin) as reader:
            return await trial_balance(reader, day)

    async def check(self) -> None:
        """Every day is as this book has it, begins as the one before ended, and sums to zero in every currency."""
        moved, standing = await self.expected(), Counter[tuple[AccountKind, str]]()
        day = min(moved)
        while day <= await self.today():
            found = await self.balance(day)
            for line in found:
                key = line.kind, line.currency
                assert line.opening == standing[key], (day, key)
                assert line.debits == moved.get(day, Counter())["debit", int(line.kind), line.currency], (day, key)
                assert line.credits == moved.get(day, Counter())["credit", int(line.kind), line.currency], (day, key)
                standing[key] = line.closing
            assert not any(sums(found).values()), day
            day += timedelta(days=1)

    async def exported(self, day: date) -> list[list[str]]:
        async with self.hub.reading.open(self.hub.admin) as reader:
            await check_mapped(reader, day)
            configuration = reader.configuration
        pieces = [piece async for piece in lines(self.hub.database, configuration, day)]
        return list(csv.reader(io.StringIO(b"".join(pieces).decode())))


def sums(of: Sequence[Line]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in of:
        found[line.currency] += line.closing
    return found


async def test_every_day_is_as_the_legs_have_it_whatever_is_paid_and_locked_when(hub: Hub, pass_: Pass) -> None:
    days, dice = await Days(hub, pass_).found(), random.Random(11)
    unpaid: list[tuple[int, str, str, str]] = []
    for _ in range(9):
        for _ in range(dice.randint(0, 2)):
            await days.spend(dice.choice(["BP", "SP"]), dice.randint(100, 900) * 100)
        if dice.random() < 0.5:
            window = await days.close()
            rows = await hub.sql(
                "SELECT institution_id, currency, net FROM window_net WHERE window_id = $1 AND net <> 0", window
            )
            nodes = hub.engine.configuration.institutions
            unpaid += [
                (window, nodes[of].code, currency, f"{net / 10**6:.2f}")
                for of, currency, net in rows
                if nodes[of].code != "BRANCH"
            ]
        today = await days.today()
        while unpaid and dice.random() < 0.6:
            value = dice.choice([None, today, today - timedelta(days=dice.randint(1, 4)), today + timedelta(days=1)])
            await days.pay(*unpaid.pop(0), value)
        last = days.locked[-1][1] if days.locked else None
        through = today - timedelta(days=dice.randint(1, 3))
        if dice.random() < 0.4 and (last is None or through > last):
            await days.lock(through)
        pass_(timedelta(hours=dice.randint(11, 40)))
    assert days.locked
    await days.check()
    for one in unpaid:
        await days.pay(*one, None)
    await days.spend("BP", 1_000)
    window = await days.close()
    await put(hub, "7", "cover", value_date=(await days.today()).isoformat())
    pass_(timedelta(days=1))
    yesterday = await days.today() - timedelta(days=1)
    await put(hub, "-2", "back", value_date=yesterday.isoformat())
    asked = commands.ProposeDefault(
        actor=hub.admin, window=window, institution="BANK", currency="CNY", reason="nothing came"
    )
    made = await hub.do(asked)
    await hub.do(commands.ApproveDefault(actor=hub.second, id=made.id))
    await hub.do(
        commands.RepayDefault(
            actor=hub.admin, id=made.id, amount="1", value_date=yesterday.isoformat(), reference="late"
        )
    )
    await days.check()
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_a_locked_day_stays_as_it_was(hub: Hub, pass_: Pass) -> None:
    days = await Days(hub, pass_).found()
    first = await days.today()
    await days.spend("BP", 10_000)  # 500.00 CNY
    window = await days.close()
    pass_(timedelta(days=2))
    await days.pay(window, "BANK", "CNY", "-500.00", first)  # on the day of the act, because it is open
    paid = await days.balance(first)
    bank = next(line for line in paid if (line.kind, line.currency) == (AccountKind.BANK, "CNY"))
    assert (bank.debits, bank.closing) == (500_000_000, -500_000_000)
    await days.lock(first)
    await days.pay(window, "SHOP", "CNY", "500.00", first)  # on the first day that is not locked
    assert await days.balance(first) == paid
    bank = next(
        line for line in await days.balance(first + timedelta(days=1)) if (line.kind, line.currency) == (6, "CNY")
    )
    assert (bank.opening, bank.credits, bank.closing) == (-500_000_000, 500_000_000, 0)
    await days.check()


async def test_what_cannot_be_locked_or_named_is_refused(hub: Hub, pass_: Pass) -> None:
    days = await Days(hub, pass_).found()
    pass_(timedelta(days=3))
    await days.spend("BP", 100)
    today = await days.today()
    with pytest.raises(InvalidInput):  # it is not over
        await days.lock(today)
    await days.lock(today - timedelta(days=1))
    for through in (today - timedelta(days=1), today - timedelta(days=2)):
        with pytest.raises(InvalidInput):
            await days.lock(through)
    for bad in (
        {"time_zone": "UTC", "accounts": None},  # its days would be others
        {"time_zone": None, "accounts": (LedgerAccountText("PURSE", None, "1", "n"),)},
        {"time_zone": None, "accounts": (LedgerAccountText("BANK", None, "", "n"),)},
        {"time_zone": None, "accounts": (LedgerAccountText("BANK", None, "1", " "),)},
    ):
        with pytest.raises(InvalidInput):
            await hub.do(commands.SetBooks(actor=hub.admin, **bad))


async def test_the_export_sums_to_the_trial_balance_and_names_what_has_no_place(
    hub: Hub, pass_: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = await Days(hub, pass_).found()
    first = await days.today()
    for amount in (10_000, 20_000, 12_345):
        await days.spend("BP", amount)
    window = await days.close()
    pass_(timedelta(days=1))
    await days.pay(window, "BANK", "CNY", "-2117.25", first)
    pass_(timedelta(days=1))
    monkeypatch.setattr("hub.books.export.PAGE_LINES", 2)
    header, *rows, total = await days.exported(first)
    named = [dict(zip(header, row, strict=True)) for row in rows]
    assert total[0] == "TOTAL"
    assert (int(total[5]), int(total[3])) == (len(rows), len({row["act"] for row in named}))
    settled = await hub.sql(
        f"SELECT movement_id, n FROM leg WHERE window_id = {window} AND purpose = {Purpose.SETTLEMENT}"
    )
    reported = {(ids.text(ids.ENTRY, leg["movement_id"]), str(leg["n"])) for leg in settled}  # as lines of reports are
    assert reported
    assert reported <= {(row["act"], row["line"]) for row in named}
    found: Counter[tuple[str, str, str]] = Counter()
    for row in named:
        units = int(Decimal(row["amount"]) * (1 if row["currency"] == "BP" else 10**6))
        found["debit", row["debit_account"], row["currency"]] += units
        found["credit", row["credit_account"], row["currency"]] += units
    stated: Counter[tuple[str, str, str]] = Counter()
    for line in await days.balance(first):
        stated["debit", f"{1000 + line.kind}", line.currency] += line.debits
        stated["credit", f"{1000 + line.kind}", line.currency] += line.credits
    assert +found == +stated
    paid = next(row for row in named if row["kind"] == "SETTLE")
    assert (paid["value_date"], paid["business_date"]) == (first.isoformat(), first.isoformat())
    assert (paid["reference"], paid["debit_name"]) == ("'=1+1", "'=All BANK")  # no spreadsheet computes them
    level = next(row for row in named if row["credit_owner"] == "BANK:BRANCH" or row["debit_owner"] == "BANK:BRANCH")
    assert level["currency"] == "CNY"
    assert {row["credit_owner"][:3] for row in named if row["kind"] == "ISSUE"} == {"cu_"}
    few = tuple(one for one in EVERY_KIND if one.kind not in ("ROUNDING", "POSITION"))
    await hub.do(commands.SetBooks(actor=hub.admin, time_zone=None, accounts=few))
    with pytest.raises(NotMapped) as missing:
        await days.exported(first)
    assert missing.value.details == {"accounts": "POSITION CNY"}
