"""A window that is settled in one currency: what a report says of it, and what is wrong with that. Pure.

Of every net that settles with the hub and was exchanged there is a line: the net, the rate with its identifier, who
published it and for which day, and what the net has become; and of every institution that settles with the hub what it
is to pay or to be paid in the end. An institution's own report has its own lines, and one whose nets go to a parent has
none. A summary's values are worked out again to the minor unit; in an institution's, whose rounding depends on all
others', each is held to be less than one away from its exact value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from hub.fx import worth
from hub.money import format_millionths, minor_unit_millionths
from hub.points import PRICE_SCALE, parse
from settlement.members import Findings, Reader
from settlement.netting import NetLine
from settlement.spelling import currency, day, money, rate, rate_id, text

_ROOT: Final = frozenset({"currency", "exchanges", "payables"})
_EXCHANGE: Final = frozenset({"institution", "currency", "net", "rateId", "rate", "source", "quotedOn", "value"})
_PAYABLE: Final = frozenset({"institution", "amount"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One net that was exchanged: ``rate`` units of the settlement's currency for one of its own."""

    institution: str
    currency: str
    net_millionths: int
    rate_id: str
    rate: str
    source: str
    quoted_on: date
    value_millionths: int

    @property
    def exact_millionths(self) -> Fraction:
        """What the net is worth, before any rounding."""
        return Fraction(self.net_millionths * parse(self.rate, PRICE_SCALE), 10**PRICE_SCALE)


@dataclass(frozen=True, slots=True)
class Payable:
    """What an institution is paid in the settlement's currency; negative: what it pays."""

    institution: str
    amount_millionths: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a window is settled in one ``currency``; exchanges by institution and currency, payables by institution."""

    currency: str
    exchanges: tuple[Exchange, ...]
    payables: tuple[Payable, ...]

    def of(self, code: str) -> "Settlement":
        """What of it is one institution's."""
        return Settlement(
            self.currency,
            tuple(one for one in self.exchanges if one.institution == code),
            tuple(one for one in self.payables if one.institution == code),
        )

    def document(self) -> dict[str, Any]:
        """As it stands in the payload."""
        return {
            "currency": self.currency,
            "exchanges": [
                {
                    "institution": one.institution,
                    "currency": one.currency,
                    "net": format_millionths(one.net_millionths, one.currency),
                    "rateId": one.rate_id,
                    "rate": one.rate,
                    "source": one.source,
                    "quotedOn": one.quoted_on.isoformat(),
                    "value": format_millionths(one.value_millionths, self.currency),
                }
                for one in self.exchanges
            ],
            "payables": [
                {
                    "institution": one.institution,
                    "amount": format_millionths(one.amount_millionths, self.currency),
                }
                for one in self.payables
            ],
        }


def read(reader: Reader, value: object) -> Settlement | None:
    """What a payload says; None, with findings, if something of it is missing or malformed."""
    members = reader.members(value, "settlement", _ROOT)
    if members is None:
        return None
    into = reader.value(members, "settlement", "currency", currency)
    if into is None:
        return None
    listed, due = reader.entries(members, "exchanges"), reader.entries(members, "payables")
    exchanges = [
        _exchange(reader, entry, f"settlement.exchanges[{place}]", into) for place, entry in enumerate(listed or ())
    ]
    payables = [_payable(reader, entry, f"settlement.payables[{place}]", into) for place, entry in enumerate(due or ())]
    made = tuple(one for one in exchanges if one is not None)
    paid = tuple(one for one in payables if one is not None)
    reader.ascending([(one.institution, one.currency) for one in made], "settlement.exchanges")
    reader.ascending([one.institution for one in paid], "settlement.payables")
    if listed is None or due is None or len(made) != len(listed) or len(paid) != len(due):
        return None
    return Settlement(into, made, paid)


def _exchange(reader: Reader, entry: object, place: str, into: str) -> Exchange | None:
    members = reader.members(entry, place, _EXCHANGE)
    if members is None:
        return None
    institution = reader.value(members, place, "institution", text)
    of = reader.value(members, place, "currency", currency)
    if institution is None or of is None:
        return None
    net = reader.value(members, place, "net", money(of))
    identifier = reader.value(members, place, "rateId", rate_id)
    at = reader.value(members, place, "rate", rate)
    source = reader.value(members, place, "source", text)
    quoted_on = reader.value(members, place, "quotedOn", day)
    became = reader.value(members, place, "value", money(into))
    if net is None or identifier is None or at is None or source is None or quoted_on is None or became is None:
        return None
    return Exchange(institution, of, net, identifier, at, source, quoted_on, became)


def _payable(reader: Reader, entry: object, place: str, into: str) -> Payable | None:
    members = reader.members(entry, place, _PAYABLE)
    if members is None:
        return None
    institution = reader.value(members, place, "institution", text)
    amount = reader.value(members, place, "amount", money(into))
    return None if institution is None or amount is None else Payable(institution, amount)


def check(findings: Findings, settlement: Settlement, of: Iterable[NetLine], *, is_summary: bool) -> None:
    """Find what a report's settlement says otherwise than all nets ``of`` the report give."""
    nets = {(net.institution, net.currency): net.net_millionths for net in of if net.parent is None}
    made = {(one.institution, one.currency): one for one in settlement.exchanges}
    is_right = _check_exchanges(findings, settlement.currency, nets, made)
    is_right = _check_rates(findings, settlement) and is_right
    _check_values(findings, settlement, nets)
    if is_summary:
        _check_whole(findings, settlement, nets, is_right=is_right)


def _check_exchanges(
    findings: Findings, into: str, nets: Mapping[tuple[str, str], int], made: Mapping[tuple[str, str], Exchange]
) -> bool:
    """That every net that is not zero is exchanged, and nothing else."""
    due = {place: net for place, net in nets.items() if net and place[1] != into}
    for institution, of in sorted(due.keys() - made.keys()):
        findings.add("FX_MISSING", f"{institution} in {of}: the net is not exchanged.")
    wrong = [place for place, one in made.items() if due.get(place) != one.net_millionths]
    for institution, of in sorted(wrong):
        findings.add("FX_NET", f"{institution} in {of}: what is exchanged is not the net.")
    return due.keys() == made.keys() and not wrong


def _check_rates(findings: Findings, settlement: Settlement) -> bool:
    """That each currency has one rate, and no other currency the same."""
    by_currency: dict[str, set[tuple[str, str, str, date]]] = {}
    by_id: dict[str, set[str]] = {}
    for one in settlement.exchanges:
        by_currency.setdefault(one.currency, set()).add((one.rate_id, one.rate, one.source, one.quoted_on))
        by_id.setdefault(one.rate_id, set()).add(one.currency)
    several = sorted(of for of, rates in by_currency.items() if len(rates) > 1)
    shared = sorted(identifier for identifier, of in by_id.items() if len(of) > 1)
    for of in several:
        findings.add("FX_RATE", f"Nets in {of} are exchanged by different rates.")
    for identifier in shared:
        findings.add("FX_RATE", f"Nets of different currencies are exchanged by {identifier}.")
    return not several and not shared


def _check_values(findings: Findings, settlement: Settlement, nets: Mapping[tuple[str, str], int]) -> None:
    """That every value is near its net at the rate, and that payables are their sums."""
    unit, into = minor_unit_millionths(settlement.currency), settlement.currency
    exact: dict[str, Fraction] = {}
    sums: dict[str, int] = {}
    for institution, of in nets:
        own = nets[institution, of] if of == into else 0
        sums[institution] = sums.get(institution, 0) + own
        exact[institution] = exact.get(institution, Fraction(0)) + own
    for one in settlement.exchanges:
        if one.value_millionths % unit or abs(one.value_millionths - one.exact_millionths) >= unit:
            findings.add(
                "FX_VALUE", f"{one.institution} in {one.currency}: the value is not the net at the rate, rounded."
            )
        sums[one.institution] = sums.get(one.institution, 0) + one.value_millionths
        exact[one.institution] = exact.get(one.institution, Fraction(0)) + one.exact_millionths
    stated = {one.institution: one.amount_millionths for one in settlement.payables}
    for institution in sorted(sums.keys() | stated.keys()):
        if stated.get(institution) != sums.get(institution):
            findings.add(
                "FX_PAYABLE", f"{institution}: what is payable is not the net and what the others have become."
            )
        elif abs(sums[institution] - exact[institution]) >= unit:
            findings.add("FX_PAYABLE", f"{institution}: what is payable is a minor unit or more from its exact value.")


def _check_whole(
    findings: Findings, settlement: Settlement, nets: Mapping[tuple[str, str], int], *, is_right: bool
) -> None:
    """A summary's values, worked out again from all nets."""
    if total := sum(one.amount_millionths for one in settlement.payables):
        findings.add("FX_SUM", f"What is payable in {settlement.currency} sums to {total} millionths and not to zero.")
    balances: dict[str, int] = {}
    for (_, of), net in nets.items():
        balances[of] = balances.get(of, 0) + net
    if not is_right or any(balances.values()):
        return
    rates = {one.currency: parse(one.rate, PRICE_SCALE) for one in settlement.exchanges}
    due = worth(nets, settlement.currency, rates, minor_unit_millionths(settlement.currency))
    for one in settlement.exchanges:
        value = due[one.institution, one.currency]
        if one.value_millionths != value:
            findings.add(
                "FX_VALUE",
                f"{one.institution} in {one.currency}: the value is {one.value_millionths} millionths; rounding by "
                f"largest remainder gives {value}.",
            )
