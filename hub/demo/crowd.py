"""Some ten thousand acts of two thousand customers, drawn from a seed: the same crowd every time.

Who acts follows Zipf's law, so that a few customers do much and most do little. A few acts are wrong on purpose (below
the minimum, no multiple of the step, no such rate ...): `Act.wrong` says so, and the hub has to refuse them. Pure: the
story sends what this file invents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hub.demo.network import TERMS, Terms, issuer, programme

SEED = 20_260_101
WRONG_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class Home:
    """Customers of one programme: where they are enrolled, how many, what the first has, how often they act."""

    currency: str
    institutions: tuple[str, ...]
    people: int
    opening: int  # points of the most active; the n-th has an n-th of it
    opening_min: int
    typical: int  # points of an ordinary conversion, where the terms allow so few
    conversions: int
    transfers: int
    redemptions: int
    shops: tuple[str, ...]


_STORES = ("BASKETRIVER", "BASKETPARK", "BASKETGATE")
HOMES = (
    Home("NORTH", ("NBEAST", "NBWEST"), 600, 2_600_000, 12_000, 5_000, 2_200, 1_100, 200, (*_STORES, "WILLOW")),
    Home("LUMEN", ("LANTERN",), 450, 750_000, 5_000, 1_500, 1_600, 40, 80, _STORES),
    Home("GRAN", ("GRANITE",), 150, 400_000, 6_000, 1_000, 600, 200, 20, ("WILLOW",)),
    Home("JADE", ("JADEAIR",), 200, 320_000, 4_000, 1_000, 700, 360, 60, ("JADELOUNGE", *_STORES)),
    Home("HARB", ("HARBOURAIR",), 100, 480_000, 8_000, 4_000, 300, 100, 20, ("WILLOW",)),
    Home("WILL", ("WILLOW",), 150, 700_000, 8_000, 3_000, 500, 200, 40, ("JADELOUNGE",)),
    Home("BASK", ("BASKETCO",), 350, 700_000, 6_000, 1_500, 1_100, 500, 80, _STORES),
)
PEOPLE = sum(home.people for home in HOMES)


@dataclass(frozen=True, slots=True)
class Party:
    """A customer: where it is enrolled and under which reference."""

    institution: str
    reference: str


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a customer asks for. ``peer`` is who receives points; ``target`` is a currency, ``shop`` a merchant."""

    key: str
    currency: str
    customer: Party
    amount: str
    wrong: bool = False
    peer: Party | None = None
    target: str | None = None
    shop: str | None = None


class Crowd:
    """The customers of one programme and what they do; every list is drawn once, from the seed and the currency."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._random = Random(f"{SEED} {home.currency}")
        self.people = [
            Party(home.institutions[rank % len(home.institutions)], f"{home.currency[0]}{rank + 1:05}")
            for rank in range(home.people)
        ]
        self._weights = [1 / (rank + 1) for rank in range(home.people)]
        self._rates = [terms for terms in TERMS if terms.source == home.currency]
        self.issues = list(self._issues())
        self.conversions = [self._conversion(number) for number in range(home.conversions)]
        self.transfers = [self._transfer(number) for number in range(home.transfers)]
        self.redemptions = [self._redemption(number) for number in range(home.redemptions)]

    def peers(self) -> list[tuple[Party, Party]]:
        """Who converts, and the same person at the other programme; each two once."""
        return sorted(
            {(act.customer, act.peer) for act in self.conversions if act.peer is not None},
            key=lambda pair: (pair[0].reference, pair[1].institution),
        )

    def _issues(self) -> Iterator[Act]:
        for rank, person in enumerate(self.people):
            amount = self.home.opening_min + self.home.opening // (rank + 1)
            yield Act(f"issue-{rank}", self.home.currency, person, str(amount))

    def _conversion(self, number: int) -> Act:
        person, terms = self._one(), self._random.choice(self._rates)
        wrong = self._random.random() < WRONG_SHARE
        target, amount = terms.target, str(_amount(self._random, terms, self.home.typical))
        if wrong:
            target, amount = self._random.choice(_mistakes(terms))
        # At home elsewhere: the same reference at the other programme's issuer, which opens the account by itself.
        peer = Party(issuer(target), person.reference)
        return Act(f"convert-{number}", self.home.currency, person, amount, wrong, peer, target)

    def _transfer(self, number: int) -> Act:
        giver, taker = self._one(), self._random.choice(self.people)
        while taker == giver:
            taker = self._random.choice(self.people)
        wrong = not programme(self.home.currency).transferable
        return Act(f"transfer-{number}", self.home.currency, giver, str(100 * self._few(12)), wrong, taker)

    def _redemption(self, number: int) -> Act:
        person, shop = self._one(), self._random.choice(self.home.shops)
        wrong = self._random.random() < WRONG_SHARE
        amount = "0" if wrong else str(100 * self._few(15))
        return Act(f"redeem-{number}", self.home.currency, person, amount, wrong, shop=shop)

    def _one(self) -> Party:
        return self._random.choices(self.people, self._weights)[0]

    def _few(self, most: int) -> int:
        return _few(self._random, most)


def crowds() -> list[Crowd]:
    """All customers of the demo, always the same ones."""
    return [Crowd(home) for home in HOMES]


def as_row(act: Act, prefix: str, suffix: str) -> dict[str, Any]:
    """The act as the API's input; ``suffix`` is what this run's codes end with, ``prefix`` makes its keys its own."""
    row: dict[str, Any] = {"idempotencyKey": f"{prefix}{act.currency}-{act.key}"}
    customer = _customer(act.customer, suffix)
    if act.target is not None and act.peer is not None:
        codes = {"sourceCurrency": act.currency + suffix, "targetCurrency": act.target + suffix}
        return {**row, **codes, "source": customer, "target": _customer(act.peer, suffix), "sourceAmount": act.amount}
    row |= {"currency": act.currency + suffix, "amount": act.amount}
    if act.peer is not None:
        return {**row, "from": customer, "to": _customer(act.peer, suffix)}
    if act.shop is not None:
        return {**row, "customer": customer, "merchant": act.shop + suffix}
    return {**row, "to": customer}


def _customer(party: Party, suffix: str) -> dict[str, str]:
    return {"institution": party.institution + suffix, "reference": party.reference}


def _few(random: Random, most: int) -> int:
    """One most of the time, now and then many: a heavy tail, cut at ``most``."""
    return min(int(random.paretovariate(1.2)), most)


def _amount(random: Random, terms: Terms, typical: int) -> int:
    """An amount that the terms allow: an ordinary one, now and then a multiple of it."""
    step = int(terms.step or 1)
    ordinary = max(int(terms.minimum or 1), typical) // step * step
    more = max(ordinary // 4 // step, 1) * step
    return ordinary + more * (_few(random, 20) - 1)


def _mistakes(terms: Terms) -> list[tuple[str, str]]:
    """Target and amount of conversions that the terms do not allow."""
    nowhere = next(currency for currency in ("GRAN", "NORTH") if currency != terms.source and not _has(terms, currency))
    wrong = [(nowhere, "6000"), (terms.target, "60.125")]
    if terms.minimum is not None:
        wrong.append((terms.target, str(int(terms.minimum) // 2)))
    if terms.minimum is not None and terms.step is not None:
        wrong.append((terms.target, str(int(terms.minimum) + 1)))
    if terms.maximum is not None:
        wrong.append((terms.target, str(int(terms.maximum) + int(terms.step or 1))))
    if terms.minimum is None and terms.numerator < terms.denominator:
        wrong.append((terms.target, "2"))
    return wrong


def _has(terms: Terms, currency: str) -> bool:
    return any(other.source == terms.source and other.target == currency for other in TERMS)
