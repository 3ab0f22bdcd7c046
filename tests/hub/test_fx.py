"""FX rates: which one is in force, and what nets of several currencies become in one."""

import itertools
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import FxRateMissing
from hub.fx import FxRate, exchange, rate_in_force, rates_into, state_of, with_rate
from hub.money import minor_unit_millionths
from hub.netting import NotBalanced
from hub.points import PRICE_SCALE, parse
from hub.versions import VersionStatus

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UNIT = 1_000_000
CENT = 10_000
_numbers = itertools.count(1)


def rate(base: str, text: str, quote: str = "CNY", starts: datetime | None = NOW, **more: object) -> FxRate:
    made = FxRate(
        id=next(_numbers),
        base=base,
        quote=quote,
        rate=parse(text, PRICE_SCALE),
        source="PBOC",
        quoted_on=date(2026, 5, 1),
        starts=starts,
        ends=None,
        status=VersionStatus.APPROVED,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_rate_in_force_is_the_one_that_started_last_and_after_a_withdrawn_one_there_is_none() -> None:
    first, second = rate("USD", "7.1"), rate("USD", "7.2", starts=NOW + DAY)
    short = rate("USD", "7.3", starts=NOW + 2 * DAY, ends=NOW + 3 * DAY)
    versions = (second, short, first)
    found = [rate_in_force(versions, NOW + days * DAY) for days in (-1, 0, 1, 2, 3)]
    assert found == [None, first, second, short, second]
    gone = replace(second, status=VersionStatus.WITHDRAWN)
    assert rate_in_force((gone, first), NOW) is first
    assert rate_in_force((gone, first), NOW + DAY) is None  # two persons' word was that 7.1 is over
    anew = rate("USD", "7.25", starts=NOW + DAY)
    assert rate_in_force((gone, first, anew), NOW + DAY) is anew
    assert rate_in_force((anew, first, gone), NOW + DAY) is anew
    assert with_rate((first,), gone) == (first, gone)
    assert with_rate((first,), replace(first, status=VersionStatus.WITHDRAWN)) == (
        replace(first, status=VersionStatus.WITHDRAWN),
    )
    assert with_rate((), replace(first, status=VersionStatus.REJECTED)) == ()


def test_a_state_of_rates_is_another_when_other_rates_are_in_force() -> None:
    dollar, euro = rate("USD", "7.2"), rate("EUR", "7.9", starts=NOW + DAY)
    rates = {dollar.pair: (dollar,), euro.pair: (euro,), ("USD", "JPY"): (rate("USD", "150", "JPY"),)}
    assert rates_into(rates, "CNY", NOW) == {"USD": dollar}
    assert list(rates_into(rates, "CNY", NOW + DAY)) == ["EUR", "USD"]
    assert state_of(rates, "CNY", NOW) == state_of(rates, "CNY", NOW + DAY / 2) != state_of(rates, "CNY", NOW + DAY)


def test_what_is_owed_in_two_currencies_becomes_one_net() -> None:
    # A owes B 1,200.00 CNY, B owes A 50.00 USD at 7.20: 1,200 − 50 × 7.20 = 840.00
    nets = {("A", "CNY"): -1200 * UNIT, ("B", "CNY"): 1200 * UNIT, ("A", "USD"): 50 * UNIT, ("B", "USD"): -50 * UNIT}
    dollar = rate("USD", "7.20")
    made = exchange(nets, "CNY", {"USD": dollar}, CENT)
    assert {place: (one.net, one.rate, one.value) for place, one in made.items()} == {
        ("A", "USD"): (50 * UNIT, dollar, 360 * UNIT),
        ("B", "USD"): (-50 * UNIT, dollar, -360 * UNIT),
    }
    assert dollar.text == "7.2"


def test_minor_units_of_none_and_of_three_digits() -> None:
    # 1 JPY = 0.0482 CNY: −1.4942, 0.5302, 0.9640; down −1.50, 0.53, 0.96 (lost .0058, .0002, .0040): the cent is A's
    nets = {("A", "JPY"): -31 * UNIT, ("B", "JPY"): 11 * UNIT, ("C", "JPY"): 20 * UNIT}
    made = exchange(nets, "CNY", {"JPY": rate("JPY", "0.0482")}, CENT)
    assert [one.value for one in made.values()] == [-149 * CENT, 53 * CENT, 96 * CENT]
    # 1 CNY = 20.746888 JPY: −0.14 is −2.90456, 0.07 is 1.45228 twice; down −3, 1, 1 (lost .095, .452, .452): B's
    nets = {("A", "CNY"): -14 * CENT, ("B", "CNY"): 7 * CENT, ("C", "CNY"): 7 * CENT}
    made = exchange(nets, "JPY", {"CNY": rate("CNY", "20.746888", "JPY")}, UNIT)
    assert [one.value for one in made.values()] == [-3 * UNIT, 2 * UNIT, 1 * UNIT]
    # 1 CNY = 0.0428 KWD: 0.01 is 0.000428, less than the fils that is its minor unit
    nets = {("A", "CNY"): -CENT, ("B", "CNY"): CENT}
    assert [one.value for one in exchange(nets, "KWD", {"CNY": rate("CNY", "0.0428", "KWD")}, 1_000).values()] == [0, 0]


def test_a_net_without_a_rate_is_not_exchanged_and_one_of_zero_needs_none() -> None:
    nets = {("A", "CNY"): -UNIT, ("B", "CNY"): UNIT, ("A", "USD"): 0, ("B", "USD"): 0}
    assert exchange(nets, "CNY", {}, CENT) == {}
    with pytest.raises(FxRateMissing) as refused:
        exchange({("A", "USD"): 1 * CENT, ("B", "USD"): -1 * CENT}, "CNY", {"EUR": rate("EUR", "7")}, CENT)
    assert refused.value.details == {"base": "USD", "quote": "CNY"}
    with pytest.raises(NotBalanced):
        exchange({("A", "USD"): CENT}, "CNY", {"USD": rate("USD", "7")}, CENT)


_CURRENCIES = ("CNY", "JPY", "KWD", "USD")


def largest_remainder(parts: dict[str, Fraction], unit: Fraction, total: Fraction) -> dict[str, Fraction]:
    """The rule once more, in fractions."""
    whole = {code: floor(part / unit) for code, part in parts.items()}
    lost = sorted(parts, key=lambda code: (whole[code] - parts[code] / unit, code))
    for code in lost[: int(total / unit) - sum(whole.values())]:
        whole[code] += 1
    return {code: units * unit for code, units in whole.items()}


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("ABCDE"), st.sampled_from(_CURRENCIES)), st.integers(-(10**7), 10**7), max_size=20
    ),
    st.dictionaries(st.sampled_from(_CURRENCIES), st.integers(1, 10**14), min_size=4),
    st.sampled_from(_CURRENCIES),
    st.randoms(use_true_random=False),
)
def test_exchanged_nets_sum_to_zero_are_less_than_a_minor_unit_off_and_know_no_order(
    drawn: dict[tuple[str, str], int], ratios: dict[str, int], into: str, shuffler: random.Random
) -> None:
    nets = {(code, money): units * minor_unit_millionths(money) for (code, money), units in drawn.items()}
    for money in _CURRENCIES:
        nets["Z", money] = -sum(net for (_, of), net in nets.items() if of == money)
    rates = {base: replace(rate(base, "1", into), rate=value) for base, value in ratios.items() if base != into}
    unit = minor_unit_millionths(into)
    made = exchange(nets, into, rates, unit)
    # The oracle: each institution's exact worth, rounded to a sum of zero, and that over its nets.
    worth = {
        code: {
            money: Fraction(nets.get((code, money), 0)) * (1 if money == into else Fraction(rates[money].rate, 10**12))
            for money in _CURRENCIES
        }
        for code in sorted({code for code, _ in nets})
    }
    totals = largest_remainder(
        {code: sum(of.values(), Fraction(0)) for code, of in worth.items()}, Fraction(unit), Fraction(0)
    )
    due = {code: largest_remainder(of, Fraction(unit), totals[code]) for code, of in worth.items()}
    assert {place: one.value for place, one in made.items()} == {
        (code, money): due[code][money] for (code, money), net in nets.items() if net and money != into
    }
    # What the clause says, without the oracle.
    payable = {code: nets.get((code, into), 0) for code in worth}
    for (code, money), one in made.items():
        payable[code] += one.value
        assert one.value % unit == 0
        assert abs(Fraction(one.value) - worth[code][money]) < unit
    assert sum(payable.values()) == 0
    assert all(abs(sum(of.values(), Fraction(-payable[code]))) < unit for code, of in worth.items())
    items = list(nets.items())
    shuffler.shuffle(items)
    assert list(exchange(dict(items), into, rates, unit).items()) == list(made.items())
