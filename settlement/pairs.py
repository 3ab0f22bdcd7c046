"""Pairs: what each two participants of a window come to, where each two net by themselves, and of which lines.

A participant is who settles with the hub, with everybody below it. Debits and credits are exact, in millionths; each
pair's net is rounded by itself, and is what the one pays to the other (``hub.obligations``). A participant's report has
its own pairs, with what its own lines are of each; the summary has each pair once, from its lower code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hub.money import minor_unit_millionths
from hub.obligations import net_pairs, nets_of, pair_of, participants


@dataclass(frozen=True, slots=True, order=True)
class OwnPart:
    """What an institution's own lines with another one come to."""

    institution: str
    debit_millionths: int
    credit_millionths: int


@dataclass(frozen=True, slots=True, order=True)
class PairLine:
    """What ``institution`` owes ``counterparty`` and is owed by it, both with all below them, in one currency; the net
    is what it is paid, negative: what it pays. ``own``: of that its own lines, by whom they are with; in the summary
    none."""

    institution: str
    counterparty: str
    currency: str
    debit_millionths: int
    credit_millionths: int
    net_millionths: int
    own: tuple[OwnPart, ...] = ()

    @property
    def balance(self) -> int:
        """Credit less debit, exactly."""
        return self.credit_millionths - self.debit_millionths

    @property
    def mirrored(self) -> "PairLine":
        """The same, as the counterparty sees it; without its own lines."""
        sides = (self.credit_millionths, self.debit_millionths, -self.net_millionths)
        return PairLine(self.counterparty, self.institution, self.currency, *sides)


class PairTally:
    """Running sums of who owes whom, by institutions; ``parents``: to whom their nets go; ``is_gross``: each act was
    paid at once, so no net is left. Memory by how many have acts with one another."""

    __slots__ = ("_is_gross", "_owed", "_parents")

    def __init__(self, parents: Mapping[str, str], *, is_gross: bool = False) -> None:
        self._parents = parents
        self._is_gross = is_gross
        self._owed: dict[tuple[str, str, str], int] = {}

    def add(self, payer: str, payee: str, currency: str, amount_millionths: int) -> None:
        """Count one obligation."""
        key = (payer, payee, currency)
        self._owed[key] = self._owed.get(key, 0) + amount_millionths

    def made(self) -> "Pairs":
        """What the pairs come to.

        Raises:
            UnknownMoney: a currency has no minor unit.
        """
        tops = participants(self._parents, {code for payer, payee, _ in self._owed for code in (payer, payee)})
        sides: dict[tuple[str, str, str], list[int]] = {}
        own: dict[tuple[str, str, str], dict[str, list[int]]] = {}
        for (payer, payee, currency), amount in self._owed.items():
            one, other = tops[payer], tops[payee]
            if one == other:
                continue
            pair = pair_of(one, other)
            sides.setdefault((*pair, currency), [0, 0])[pair[0] != one] += amount
            if payer == one:
                own.setdefault((one, other, currency), {}).setdefault(payee, [0, 0])[0] += amount
            if payee == other:
                own.setdefault((other, one, currency), {}).setdefault(payer, [0, 0])[1] += amount
        made = []
        for (first, second, currency), (debit, credit) in sorted(sides.items()):
            net = 0 if self._is_gross else net_of(first, second, credit - debit, currency)
            made.append(PairLine(first, second, currency, debit, credit, net))
        return Pairs(tuple(made), own)


class Pairs:
    """What all pairs come to: ``every`` one once, from its lower code, sorted."""

    def __init__(
        self, every: tuple[PairLine, ...], own: Mapping[tuple[str, str, str], Mapping[str, list[int]]]
    ) -> None:
        self.every = every
        self._own = own
        self._of: dict[str, list[PairLine]] = {}
        for pair in every:
            for mine in (pair, pair.mirrored):
                self._of.setdefault(mine.institution, []).append(mine)

    def of(self, code: str) -> tuple[PairLine, ...]:
        """A participant's pairs, as it sees them, with its own lines."""
        made = []
        for pair in self._of.get(code, ()):
            parts = self._own.get((code, pair.counterparty, pair.currency), {})
            own = tuple(OwnPart(other, *parts[other]) for other in sorted(parts))
            made.append(replace(pair, own=own))
        return tuple(sorted(made))


def net_of(institution: str, counterparty: str, balance: int, currency: str) -> int:
    """What an institution is paid by its counterparty, of what it is owed exactly, in whole minor units."""
    pair = pair_of(institution, counterparty)
    signed = balance if pair[0] == institution else -balance
    net = net_pairs({pair: signed}, minor_unit_millionths(currency))[pair]
    return net if pair[0] == institution else -net


def settled_by(pairs: Iterable[PairLine]) -> dict[str, dict[str, int]]:
    """The participants' nets that pairs come to, by currency."""
    by_currency: dict[str, dict[tuple[str, str], int]] = {}
    for pair in pairs:
        by_currency.setdefault(pair.currency, {})[pair.institution, pair.counterparty] = pair.net_millionths
    return {currency: nets_of(nets) for currency, nets in by_currency.items()}
