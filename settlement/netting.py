"""Netting: what each institution owes and is owed in a window, and the difference, which is all that is paid.

Of every currency by itself: an amount never crosses into another. Debits and credits are exact, in millionths; nets are
rounded to the minor unit, over all levels at once, so that each is the institution's own acts and its children's nets,
and those that settle with the hub sum to zero (``hub.levels``). The tally holds one row per institution and currency,
however many obligations pass. It posts nothing, and is told the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.levels import roll_up
from hub.money import minor_unit_millionths


@dataclass(frozen=True, slots=True)
class NetLine:
    """One institution's sums in one currency, in millionths. Debits and credits are of its own acts, exactly; what its
    children bring is whole minor units, and so is the net of all of it. The net goes to ``parent``; None: it settles
    with the hub."""

    institution: str
    currency: str
    debit_millionths: int
    credit_millionths: int
    net_millionths: int
    parent: str | None = None
    below_debit_millionths: int = 0
    below_credit_millionths: int = 0

    @property
    def total_debit_millionths(self) -> int:
        """What it owes: by its own acts, and what its children bring that owe."""
        return self.debit_millionths + self.below_debit_millionths

    @property
    def total_credit_millionths(self) -> int:
        """What it is owed: by its own acts, and what its children bring that are owed."""
        return self.credit_millionths + self.below_credit_millionths


class InvalidObligation(ValueError):
    """An obligation is more than zero and between two different institutions."""

    code = "INVALID_OBLIGATION"

    def __init__(self, payer: str, payee: str, amount_millionths: int) -> None:
        super().__init__(f"{self.__doc__} ({payer!r} to {payee!r}, {amount_millionths} millionths)")
        self.payer = payer
        self.payee = payee
        self.amount_millionths = amount_millionths


class Tally:
    """Running debits and credits per currency and institution. They balance after every ``add``."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, list[int]]] = {}  # currency -> institution -> [debit, credit]

    def add(self, payer: str, payee: str, currency: str, amount_millionths: int) -> None:
        """Count one obligation.

        Raises:
            InvalidObligation: the amount is not positive, or payer and payee are the same.
        """
        if amount_millionths <= 0 or payer == payee:
            raise InvalidObligation(payer, payee, amount_millionths)
        sums = self._sums.setdefault(currency, {})
        sums.setdefault(payer, [0, 0])[0] += amount_millionths
        sums.setdefault(payee, [0, 0])[1] += amount_millionths

    def sums(self, institution: str, currency: str) -> tuple[int, int] | None:
        """Exact debit and credit in millionths; None if no obligation touched the institution in this currency."""
        found = self._sums.get(currency, {}).get(institution)
        return None if found is None else (found[0], found[1])

    def touched(self) -> list[tuple[str, str]]:
        """Every (institution, currency) with an obligation, sorted."""
        return sorted((institution, currency) for currency, sums in self._sums.items() for institution in sums)

    def positions(self, currency: str) -> dict[str, int]:
        """Exact credit − debit of every institution in millionths; they sum to zero."""
        return {institution: credit - debit for institution, (debit, credit) in self._sums.get(currency, {}).items()}

    def net_lines(
        self, parents: Mapping[str, str] | None = None, settled: Mapping[str, Mapping[str, int]] | None = None
    ) -> tuple[NetLine, ...]:
        """One line per institution and currency, sorted by both: of those with obligations, and of all above them.
        ``parents``: to whom an institution's net goes, None: to nobody. Nets are made as ``hub.levels.roll_up`` says;
        ``settled``: by currency, those of the participants, where each two of them net by themselves.

        Raises:
            UnknownMoney: a currency has no minor unit.
            NoTree: the parents make a circle.
        """
        lines = []
        for currency, sums in self._sums.items():
            nets = None if settled is None else settled.get(currency, {})
            levels = roll_up(self.positions(currency), parents or {}, minor_unit_millionths(currency), nets)
            for code, of in levels.items():
                debit, credit = sums.get(code, (0, 0))
                below = (of.below_debit, of.below_credit)
                lines.append(NetLine(code, currency, debit, credit, of.net, of.parent, *below))
        return tuple(sorted(lines, key=lambda line: (line.institution, line.currency)))
