"""Random acts on the real hub against the independent model, step by step.

A failing run is repeated with LEDGER_SEEDS=<its seed>; LEDGER_STEPS makes runs longer.
"""

import os
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import asyncpg
import msgspec
import pytest

from hub.access import Role
from hub.errors import Fault
from hub.institutions import Status
from hub.ledger import commands, decide
from hub.ledger.commands import BonusTerms, MoneyText, Party
from hub.money import format_millionths
from hub.points import render
from hub.rates import Funding
from tests.conftest import Hub, driver_url
from tests.properties import invariants, model
from tests.properties.model import Bonus, Currency, Kept, Model, Rate, Who

SEEDS = [int(seed) for seed in os.environ.get("LEDGER_SEEDS", "1,2,3").split(",")]
STEPS = int(os.environ.get("LEDGER_STEPS", "250"))

# Everything in the database but what a refusal itself leaves: its outcome, and the journal's entry of it.
STATE = [
    *("configuration_change", "customer", "customer_reference", "account", "movement", "memo", "leg", "quote"),
    *("binding", "identifier", "customer_link"),
    *("limit_entry", "limit_use", "clipping"),
    *("conversion", "bonus_use", "settlement_window", "position", "window_net", "confirmation"),
]
FINGERPRINT = " UNION ALL ".join(
    f"SELECT '{name}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t" for name in STATE
)

PARENTS = {"GROUP": "HUB", "BANK": "GROUP", "STORE": "GROUP", "AIR": "HUB", "SHOP": "AIR"}
BP = Currency("BP", "BANK", 0, Fraction("0.05"))
MI = Currency("MI", "AIR", 2, Fraction("0.0333"))
GP = Currency("GP", "STORE", 1, Fraction("0.123456789012"))
NT = Currency("NT", "BANK", 0, Fraction("0.01"), transferable=False)
CURRENCIES = {one.code: one for one in (BP, MI, GP, NT)}
RATES = [
    Rate(
        BP,
        MI,
        Fraction(2, 3),
        MI.value,
        (Bonus(percent=Fraction(10), cap=500), Bonus(per_block=50, block=100, paid=False)),
        minimum=10,
        fee_per_point=Fraction("0.0006"),
        fee_percent=Fraction(1),
        fee_cap=Fraction("0.5"),
    ),
    Rate(MI, BP, Fraction(1, 1), BP.value, step=25),
    Rate(BP, GP, Fraction(3, 7), Fraction("0.07"), fee_fixed=Fraction("0.003")),
    Rate(GP, BP, Fraction(1, 1), BP.value, (Bonus(percent=Fraction("0.5")),)),
    Rate(GP, MI, Fraction(1, 3), MI.value, (Bonus(percent=Fraction(50), cap=100), Bonus(percent=Fraction(7), cap=60))),
    Rate(NT, BP, Fraction(1, 10), BP.value, fee_percent=Fraction("33.333333")),
]
PLACES = ["BANK", "STORE", "AIR", "SHOP"]


class Machine:
    """Draws commands, asks them in small batches through one of two engines, and compares."""

    def __init__(self, hub: Hub, other: Hub, eyes: "asyncpg.Connection[Any]", seed: int) -> None:
        self.hub = hub
        self.doors = [hub, other]
        self.eyes = eyes
        self.dice = random.Random(seed)
        self.model = Model(PARENTS, list(CURRENCIES.values()), {"SHOP"})
        self.kept: dict[str, Kept] = {}
        self.windows: dict[int, int] = {}  # number to identifier
        self.seen: dict[str, int] = {}  # how often each verdict came, for the test of the test

    async def begin(self) -> None:
        hub = self.hub
        for code, parent in PARENTS.items():
            await hub.institution(code, parent=parent, auto_enroll=code != "SHOP")
        for of in CURRENCIES.values():
            await hub.currency(
                of.code, of.issuer, scale=of.scale, unit_value=decimal(of.value), transferable=of.transferable
            )
        for terms in RATES:
            await self.approve(terms)
        self.windows[1] = await hub.window()
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party("SHOP", "c0")))
        self.model.customers.add(("SHOP", "c0"))
        for code in CURRENCIES:
            for home in ("BANK", "STORE", "AIR"):
                await hub.issue(code, home, "c0", "2000")
                assert self.model.issue(code, (home, "c0"), "2000")[0] == set()
        for one, other in (("BANK", "AIR"), ("BANK", "STORE"), ("AIR", "STORE")):
            await self.link((one, "c0"), (other, "c0"))

    async def link(self, one: Who, other: Who) -> None:
        trader, _ = await self.hub.key(other[0], Role.INSTITUTION_TRADER)
        a, b = Party(*one), Party(*other)
        made = await self.hub.do(
            commands.ProposeLink(actor=self.hub.admin, key=f"link{one}{other}", a=a, b=b, evidence=None)
        )
        await self.hub.do(commands.AcceptLink(actor=trader, key=f"link{one}{other}", id=made.id))
        self.model.linked.add(frozenset((one, other)))

    async def approve(self, terms: Rate) -> None:
        approved = await self.hub.rate(
            terms.source.code,
            terms.target.code,
            f"{terms.ratio.numerator}:{terms.ratio.denominator}",
            minimum=None if terms.minimum is None else render(terms.minimum, terms.source.scale),
            step=None if terms.step is None else render(terms.step, terms.source.scale),
            fee_fixed=money(terms.fee_fixed),
            fee_per_point=money(terms.fee_per_point),
            fee_percent=decimal(terms.fee_percent),
            fee_cap=None if terms.fee_cap is None else money(terms.fee_cap),
            settlement_price=money(terms.price),
            bonuses=tuple(
                BonusTerms(
                    None if one.percent is None else decimal(one.percent),
                    None if one.cap is None else render(one.cap, terms.source.scale),
                    None if one.per_block is None else render(one.per_block, terms.target.scale),
                    None if one.block is None else render(one.block, terms.source.scale),
                    Funding.SOURCE_ISSUER if one.paid else Funding.TARGET_ISSUER,
                    None,
                    None,
                )
                for one in terms.bonuses
            ),
        )
        self.model.rates[approved.id] = terms
        self.model.in_force[terms.source.code, terms.target.code] = approved.id

    # --- drawing ---------------------------------------------------------------------------------------------------

    def who(self) -> Who:
        """Mostly somebody with points; at SHOP, where nobody is enrolled by himself, c1 stays unknown."""
        return self.dice.choice([*PLACES, "BANK", "AIR", "STORE"]), self.dice.choice(["c0", "c0", "c0", "c1"])

    def currency(self) -> str:
        return self.dice.choice(["BP", "BP", "MI", "GP", "NT"]) if self.dice.random() > 0.02 else "NONE"

    def amount(self, code: str, typical: int) -> str:
        scale = CURRENCIES[code].scale if code in CURRENCIES else 0
        if self.dice.random() < 0.06:
            return self.dice.choice(["0", "-5", "1e3", "", "01", "1.0001", str(10**16), "٣", "0.001"])
        text = render(self.dice.choice([1, self.dice.randint(1, typical), self.dice.randint(1, typical * 3)]), scale)
        return text + "0" * self.dice.randrange(3) if "." in text else text

    def draw(self) -> tuple[commands.Command, Callable[[], tuple[set[str], Any]]]:
        """A command, and what the model makes of it when its turn comes."""
        kinds = [self.issue, self.transfer, self.redeem, self.quote, self.execute, self.convert, self.reverse]
        kind = self.dice.choices(kinds, [14, 12, 14, 9, 9, 22, 20])[0]
        return kind()

    def key(self) -> str:
        return f"k{self.dice.getrandbits(60)}"

    def issue(self) -> tuple[commands.Command, Any]:
        code, to = self.currency(), self.who()
        text = self.amount(code, 5000)
        command = commands.Issue(
            actor=self.hub.admin,
            key=self.key(),
            currency=code,
            to=Party(*to),
            amount=text,
            earned_at=None,
            expires_at=None,
            memo=self.dice.choice([None, "memo 中"]),
        )
        return command, lambda: self.model.issue(code, to, text)

    def transfer(self) -> tuple[commands.Command, Any]:
        code, giver, taker = self.currency(), self.who(), self.who()
        text = self.amount(code, 600)
        command = commands.Transfer(
            actor=self.hub.admin,
            key=self.key(),
            currency=code,
            source=Party(*giver),
            target=Party(*taker),
            amount=text,
            memo=None,
        )
        return command, lambda: self.model.transfer(code, giver, taker, text)

    def redeem(self) -> tuple[commands.Command, Any]:
        code, giver = self.currency(), self.who()
        merchant = self.dice.choice([*PLACES, *PLACES, "HUB", "GROUP", "NOBODY"])
        text = self.amount(code, 600)
        command = commands.Redeem(
            actor=self.hub.admin,
            key=self.key(),
            currency=code,
            customer=Party(*giver),
            merchant=merchant,
            amount=text,
            memo=None,
        )
        return command, lambda: self.model.redeem(code, giver, merchant, text)

    def pair(self) -> tuple[str, str]:
        if self.dice.random() < 0.05:
            return self.currency(), self.currency()
        terms = self.dice.choice(RATES)
        return terms.source.code, terms.target.code

    def quote(self) -> tuple[commands.Command, Any]:
        (source, target), giver, taker = self.pair(), self.who(), self.who()
        text, expired = self.amount(source, 400), self.dice.random() < 0.2
        command = commands.RequestQuote(
            actor=self.hub.admin,
            source=Party(*giver),
            target=Party(*taker),
            source_currency=source,
            target_currency=target,
            amount=text,
            ttl_seconds=0 if expired else 3600,
        )
        return command, lambda: self.model.quote(source, target, giver, taker, text, expired)

    def execute(self) -> tuple[commands.Command, Any]:
        known = list(self.model.offers)[-8:]
        if self.dice.random() < 0.6:
            known = [number for number in known if not self.model.offers[number].used]
        number = self.dice.choice(known) if known and self.dice.random() > 0.03 else 12345
        command = commands.ExecuteQuote(actor=self.hub.admin, key=self.key(), quote=number)
        return command, lambda: self.model.execute(number)

    def convert(self) -> tuple[commands.Command, Any]:
        (source, target), giver, taker = self.pair(), self.who(), self.who()
        text, least = self.amount(source, 400), self.dice.choice([None, None, None, "0", "100"])
        command = commands.Convert(
            actor=self.hub.admin,
            key=self.key(),
            source=Party(*giver),
            target=Party(*taker),
            source_currency=source,
            target_currency=target,
            amount=text,
            minimum_target=least,
        )
        return command, lambda: self.model.convert(source, target, giver, taker, text, least)

    def reverse(self) -> tuple[commands.Command, Any]:
        known = list(self.model.acts)[-30:]
        if self.dice.random() < 0.85:
            known = [number for number in known if self.model.acts[number].reversed < self.model.acts[number].total]
        number = self.dice.choice(known) if known and self.dice.random() > 0.03 else 54321
        act = self.model.acts.get(number)
        text = None
        if act is not None and self.dice.random() < 0.8:
            text = self.dice.choice(
                [
                    render(self.dice.randint(1, act.total), act.currency.scale),
                    render(max(1, act.total // 3), act.currency.scale),
                    self.amount(act.currency.code, act.total),
                ]
            )
        command = commands.Reverse(actor=self.hub.admin, key=self.key(), id=number, amount=text, reason="returned")
        return command, lambda: self.model.reverse(number, text)

    # --- asking and comparing ----------------------------------------------------------------------------------------

    async def step(self) -> None:
        fate = self.dice.random()
        for node, status in self.model.status.items():
            if status != Status.ACTIVE and self.dice.random() < 0.3:
                await self.stand(node, Status.ACTIVE)
        if fate < 0.04:
            await self.close()
        elif fate < 0.12:
            await self.confirm()
        elif fate < 0.20:
            await self.configure()
        else:
            await self.ask()
        await self.compare()

    async def ask(self) -> None:
        """One to five commands at once, of them some again; the model is asked in their order."""
        drawn = [self.draw() for _ in range(self.dice.randint(1, 5))]
        again = [self.dice.choice(list(self.kept)) for _ in range(self.dice.choice([0, 0, 1, 2])) if self.kept]
        repeats = [self.kept[key].command for key in again]
        repeats += [one for one, _ in drawn if isinstance(one, commands.Keyed) and self.dice.random() < 0.1]
        twisted = [self.twist(self.kept[key].command) for key in again[:1] if self.dice.random() < 0.3]
        before = await self.fingerprint()
        batch = [*(one for one, _ in drawn), *repeats, *twisted]
        answers = await self.dice.choice(self.doors).batch(batch)
        done = 0
        for answer, (command, ask_model) in zip(answers, drawn, strict=False):
            assert not isinstance(answer, Fault), (command, answer)
            done += self.judge(command, answer, *ask_model())
        for answer, command in zip(answers[len(drawn) : len(drawn) + len(repeats)], repeats, strict=True):
            self.check_replay(command, answer)
        for answer in answers[len(drawn) + len(repeats) :]:
            assert isinstance(answer, decide.Outcome)
            assert answer.refusal is not None
            assert answer.refusal.code == "IDEMPOTENCY_CONFLICT"
        if not done:
            assert await self.fingerprint() == before

    def twist(self, command: Any) -> Any:
        field = "quote" if isinstance(command, commands.ExecuteQuote) else "amount"
        return msgspec.structs.replace(command, **{field: 99 if field == "quote" else "77777"})

    def judge(self, command: Any, answer: decide.Outcome, reasons: set[str], expected: Any) -> int:
        got = None if answer.refusal is None else answer.refusal.code
        self.seen[got or type(command).__name__] = self.seen.get(got or type(command).__name__, 0) + 1
        assert not answer.replayed
        assert (got in reasons) if reasons else (got is None), (command, got, reasons)
        number = getattr(answer.result, "id", None)
        if isinstance(command, commands.Keyed):
            details = {} if answer.refusal is None else answer.refusal.details
            self.kept[command.key] = Kept(command, got, details, number)
        if reasons:
            return 0
        result: Any = answer.result
        assert number is not None
        if isinstance(expected, model.Offer):
            assert of_figures(result.figures) == expected.figures
            self.model.offers[number] = expected
        elif isinstance(expected, model.Act):
            assert result.amount == expected.total
            assert (result.value or 0) == sum(amount for _, _, amount in expected.money)
            self.model.acts[number] = expected
        elif isinstance(command, commands.Reverse):
            units, amounts = expected
            assert result.amount == units
            assert [result.value or 0, result.fee or 0][: len(amounts)] == amounts
        else:
            act, figures = expected
            assert of_figures(result.figures) == figures
            self.model.acts[number] = act
        return 1

    def check_replay(self, command: Any, answer: Any) -> None:
        kept = self.kept[command.key]
        assert answer.replayed
        assert (answer.refusal and answer.refusal.code) == kept.reason
        assert list((answer.refusal.details if answer.refusal else {}).items()) == list(kept.details.items())
        assert getattr(answer.result, "id", None) == kept.number
        self.seen["replay"] = self.seen.get("replay", 0) + 1

    async def close(self) -> None:
        number = self.model.window
        command = commands.CloseWindow(actor=self.hub.admin, key=self.key(), window=self.windows[number])
        act, ask_model = self.draw()  # in the same batch, so before or after the closing
        first = self.dice.random() < 0.5
        batch = [act, command, command] if first else [command, command, act]
        answers = await self.dice.choice(self.doors).batch(batch)
        closed, again = (answers[1], answers[2]) if first else (answers[0], answers[1])
        judged = answers[0] if first else answers[2]
        assert isinstance(judged, decide.Outcome)
        if first:
            self.judge(act, judged, *ask_model())
        self.model.close()
        if not first:
            self.judge(act, judged, *ask_model())
        for one, replayed in ((closed, False), (again, True)):
            assert isinstance(one, decide.Outcome)
            assert (one.refusal, one.result, one.replayed) == (None, self.windows[number], replayed)
        self.windows[number + 1] = await self.hub.window()
        self.seen["close"] = self.seen.get("close", 0) + 1

    async def confirm(self) -> None:
        window = self.dice.choice(list(self.windows))
        due = [one for one in sorted(self.model.nets) if one not in self.model.settled]
        if due and self.dice.random() < 0.85:
            window = due[0]
        nets = self.model.nets.get(window, {})
        node = self.dice.choice([*nets, "GROUP"])
        unpaid = [one for one, net in self.model.unpaid.get(window, {}).items() if net]
        if unpaid and self.dice.random() < 0.8:
            node = self.dice.choice(unpaid)
        amount = nets.get(node, 10_000) + self.dice.choice([0, 0, 0, 0, 10_000])
        outcome = await self.hub.try_(
            commands.ConfirmSettlement(
                actor=self.hub.admin,
                key=self.key(),
                window=self.windows[window],
                institution=node,
                currency="CNY",
                amount=format_millionths(amount, "CNY"),
                value_date=None,
                reference="bank",
            )
        )
        reasons = self.model.confirm(window, node, amount)
        got = None if outcome.refusal is None else outcome.refusal.code
        assert (got in reasons) if reasons else (got is None)
        self.seen[f"confirm {got}"] = self.seen.get(f"confirm {got}", 0) + 1

    async def configure(self) -> None:
        hub, dice = self.hub, self.dice
        match dice.randrange(5):
            case 0 | 1:
                node = dice.choice(["GROUP", "BANK", "STORE", "AIR", "SHOP"])
                cap = dice.choice([None, self.model.exposure(node) + dice.randint(0, 30) * 10**6, 0])
                await hub.cap(node, None if cap is None else format_millionths(cap, "CNY"))
                if cap is None:
                    self.model.caps.pop(node, None)
                else:
                    self.model.caps[node] = cap
            case 2:
                node = dice.choice(["GROUP", "STORE", "AIR", "SHOP"])
                status = dice.choice([Status.ACTIVE, Status.ACTIVE, Status.CLOSED, Status.SUSPENDED])
                await self.stand(node, status)
            case 3:
                node, parent = dice.choice([("STORE", "AIR"), ("STORE", "GROUP"), ("SHOP", "HUB"), ("SHOP", "GROUP")])
                await hub.do(commands.MoveInstitution(actor=hub.admin, code=node, parent=parent))
                self.model.parents[node] = parent
            case _:
                pair = dice.choice(list(self.model.in_force))
                rate_id, cancel = self.model.in_force[pair], dice.random() < 0.5
                # A rate that hides no other is not in force any more; an institution that is not active cannot propose.
                await hub.do(commands.WithdrawRate(actor=hub.admin, id=rate_id, reason="because", cancel_quotes=cancel))
                if cancel:
                    for offer in self.model.offers.values():
                        if offer.rate_id == rate_id and self.model._is_open(offer):
                            offer.cancelled = True
                del self.model.in_force[pair]
                terms = self.model.rates[rate_id]
                if not self.model.standing(terms.source.issuer, terms.target.issuer):
                    await self.approve(terms)

    async def stand(self, node: str, status: Status) -> None:
        command = commands.SetInstitutionStatus(actor=self.hub.admin, code=node, status=status, reason="because")
        await self.hub.do(command)
        self.model.status[node] = status

    async def fingerprint(self) -> list[Any]:
        return list(await self.eyes.fetch(FINGERPRINT))

    async def compare(self) -> None:
        """The database holds what the model does."""
        codes = {id: one.code for id, one in self.hub.engine.configuration.institutions.items()}
        numbers = {id: number for number, id in self.windows.items()}
        customers = {
            row["customer_id"]: (codes[row["institution_id"]], row["reference"])
            for row in await self.eyes.fetch("SELECT * FROM customer_reference")
        }
        assert set(customers.values()) == self.model.customers
        held = {
            (customers[row["owner_id"]], row["currency"]): row["balance"]
            for row in await self.eyes.fetch(
                "SELECT owner_id, currency, credits_posted - debits_posted AS balance FROM account WHERE kind = 1"
            )
        }
        assert {key: units for key, units in held.items() if units} == {
            key: units for key, units in self.model.points.items() if units
        }
        positions = {
            (numbers[row["window_id"]], codes[row["institution_id"]]): (row["debits"], row["credits"], row["subtree"])
            for row in await self.eyes.fetch("SELECT * FROM position")
        }
        for window in self.windows:
            for node in [*PARENTS, "HUB"]:
                own = self.model.own.get((window, node), [0, 0])
                expected = (*own, self.model.subtree(window, node))
                assert positions.get((window, node), (0, 0, 0)) == expected, (window, node)
        nets: dict[int, dict[str, int]] = {}
        for row in await self.eyes.fetch("SELECT * FROM window_net"):
            nets.setdefault(numbers[row["window_id"]], {})[codes[row["institution_id"]]] = row["net"]
        assert nets == {window: of_window for window, of_window in self.model.nets.items() if of_window}
        settled = await self.eyes.fetch("SELECT number FROM settlement_window WHERE status = 'SETTLED'")
        assert {row["number"] for row in settled} == self.model.settled
        used = {
            (row["rate_id"], row["bonus"], customers[row["customer_id"]]): row["used"]
            for row in await self.eyes.fetch("SELECT * FROM bonus_use WHERE used > 0")
        }
        assert used == {key: units for key, units in self.model.bonus_used.items() if units}
        offers = {
            row["id"]: (row["used_by"] is not None, row["cancelled"])
            for row in await self.eyes.fetch("SELECT * FROM quote")
        }
        assert offers == {number: (offer.used, offer.cancelled) for number, offer in self.model.offers.items()}


def of_figures(found: Any) -> model.Figures:
    return model.Figures(
        found.source, found.target, found.bonus, found.fee, found.settlement, tuple(found.eligible), found.residue
    )


def decimal(value: Fraction) -> str:
    """A fraction of ten's powers as text."""
    units = value * 10**12
    assert units.denominator == 1
    return render(int(units), 12)


def money(value: Fraction) -> MoneyText:
    return MoneyText(decimal(value), "CNY")


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_hub_does_what_the_model_says(hub: Hub, seed: int) -> None:
    other = hub.beside(batch_max=3)
    eyes = await asyncpg.connect(driver_url(hub.addresses.owner))
    try:
        machine = Machine(hub, other, eyes, seed)
        await machine.begin()
        for _ in range(STEPS):
            await machine.step()
        await invariants.check(hub)
    finally:
        await eyes.close()
        await other.close()
    # The run met what it is for.
    for verdict in ("Issue", "Transfer", "Redeem", "RequestQuote", "Convert", "Reverse", "replay", "close"):
        assert machine.seen.get(verdict, 0) > 0, machine.seen
    for reason in ("INSUFFICIENT_POINTS", "LIMIT_EXCEEDED", "INVALID_AMOUNT", "EXCEEDS_ORIGINAL"):
        assert machine.seen.get(reason, 0) > 0, machine.seen
