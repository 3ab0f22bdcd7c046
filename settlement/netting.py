"""Netting: what each institution owes and is owed in a window, and the difference, which is all that is paid.

Of every currency by itself: an amount never crosses into another. Debits and credits are exact, in millionths; only the
net is rounded to the minor unit, over all institutions at once, so that nets sum to zero (``hub.netting``). The tally
holds one row per institution and currency, however many obligations pass. It posts nothing and knows no tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.money import minor_unit_millionths
from hub.netting import round_nets


@dataclass(frozen=True, slots=True)
class NetLine:
    """One institution's sums in one currency, in millionths; the net is credit − debit to a whole minor unit."""

    institution: str
    currency: str
    debit_millionths: int
    credit_millionths: int
    net_millionths: int


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

    def net_lines(self) -> tuple[NetLine, ...]:
        """One line per institution and currency, sorted by both; nets rounded as ``hub.netting.round_nets`` says.

        Raises:
            UnknownMoney: a currency has no minor unit.
        """
        nets = {currency: self._rounded(currency) for currency in self._sums}
        lines = []
        for institution, currency in self.touched():
            debit, credit = self._sums[currency][institution]
            lines.append(NetLine(institution, currency, debit, credit, nets[currency][institution]))
        return tuple(lines)

    def _rounded(self, currency: str) -> Mapping[str, int]:
        return round_nets(self.positions(currency), minor_unit_millionths(currency))
