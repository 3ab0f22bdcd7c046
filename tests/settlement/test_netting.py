from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.money import MILLIONTHS, UnknownMoney, minor_unit_millionths
from settlement.netting import InvalidObligation, NetLine, Tally


class Obligation(NamedTuple):
    payer: str
    payee: str
    currency: str
    amount_millionths: int


def tally(obligations: Iterable[Obligation]) -> Tally:
    sums = Tally()
    for obligation in obligations:
        sums.add(*obligation)
    return sums


OBLIGATIONS = st.lists(
    st.builds(
        Obligation,
        payer=st.sampled_from(["A", "B", "C"]),
        payee=st.sampled_from(["D", "E", "F"]),
        currency=st.sampled_from(["CNY", "JPY", "BHD"]),
        amount_millionths=st.integers(1, 10**13),
    )
    | st.builds(Obligation, st.just("D"), st.sampled_from(["A", "F"]), st.just("CNY"), st.integers(1, 10**8)),
    max_size=40,
)


def yuan(amount: int) -> int:
    return amount * MILLIONTHS


def test_a_circle_of_debts_is_netted() -> None:
    sums = tally(
        [
            Obligation("A", "B", "CNY", yuan(100)),
            Obligation("B", "C", "CNY", yuan(80)),
            Obligation("C", "A", "CNY", yuan(50)),
        ]
    )
    assert sums.net_lines() == (
        NetLine("A", "CNY", yuan(100), yuan(50), yuan(-50)),
        NetLine("B", "CNY", yuan(80), yuan(100), yuan(20)),
        NetLine("C", "CNY", yuan(50), yuan(80), yuan(30)),
    )
    # of 100 + 80 + 50 = 230 only 20 + 30 = 50 are paid
    assert sum(net.debit_millionths for net in sums.net_lines()) == yuan(230)
    assert sum(max(0, net.net_millionths) for net in sums.net_lines()) == yuan(50)


def test_currencies_do_not_mix() -> None:
    sums = tally([Obligation("A", "B", "CNY", yuan(1200)), Obligation("B", "A", "USD", yuan(50))])
    assert [(net.institution, net.currency, net.net_millionths) for net in sums.net_lines()] == [
        ("A", "CNY", yuan(-1200)),
        ("A", "USD", yuan(50)),
        ("B", "CNY", yuan(1200)),
        ("B", "USD", yuan(-50)),
    ]


def test_only_the_net_is_rounded() -> None:
    sums = tally([Obligation("A", "B", "CNY", 4_800), Obligation("A", "C", "CNY", 4_800)])
    # A −0.0096: floor −0.01, remainder .0004; B and C .0048 each; one cent is missing and B is the lower code
    assert sums.net_lines() == (
        NetLine("A", "CNY", 9_600, 0, -10_000),
        NetLine("B", "CNY", 0, 4_800, 10_000),
        NetLine("C", "CNY", 0, 4_800, 0),
    )


def test_nothing_owed_is_nothing_netted() -> None:
    assert tally([]).net_lines() == ()
    assert tally([]).sums("A", "CNY") is None


@pytest.mark.parametrize(("payee", "amount"), [("A", 1), ("B", 0), ("B", -1)])
def test_an_obligation_is_positive_and_between_two(payee: str, amount: int) -> None:
    with pytest.raises(InvalidObligation):
        Tally().add("A", payee, "CNY", amount)


def test_what_cannot_be_paid_cannot_be_netted() -> None:
    with pytest.raises(UnknownMoney):
        tally([Obligation("A", "B", "XAU", 1)]).net_lines()


@settings(deadline=None)
@given(OBLIGATIONS)
def test_nets_balance_per_currency_and_netting_never_costs(obligations: list[Obligation]) -> None:
    sums = tally(obligations)
    for currency in {one.currency for one in obligations}:
        unit = minor_unit_millionths(currency)
        nets = [net for net in sums.net_lines() if net.currency == currency]
        owed = sum(one.amount_millionths for one in obligations if one.currency == currency)
        assert sum(net.debit_millionths for net in nets) == owed
        exact = (net.credit_millionths - net.debit_millionths for net in nets)
        assert sum(max(0, difference) for difference in exact) <= owed
        assert sum(net.net_millionths for net in nets) == 0
        assert sum(net.debit_millionths for net in nets) == sum(net.credit_millionths for net in nets)
        assert all(abs(net.net_millionths - net.credit_millionths + net.debit_millionths) < unit for net in nets)
    assert tally(reversed(obligations)).net_lines() == sums.net_lines()
