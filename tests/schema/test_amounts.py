"""Amounts are shown exactly: points with their scale, money with its minor unit, prices and percents in full."""

import pytest

from hub.currencies import Expiry, ExpiryKind, PointCurrency, RateConsent
from hub.holdings import Holding
from hub.ledger.records import Account, Exposure
from hub.money import UnknownMoney, format_price
from schema.amounts import to_money, to_percent, to_points, to_price, to_units
from schema.customers import to_balance
from schema.directory import to_position


def currency(scale: int) -> PointCurrency:
    return PointCurrency(
        id=1,
        code="BP",
        name="BP",
        issuer=2,
        scale=scale,
        unit_value=5 * 10**10,
        money="CNY",
        expiry=Expiry(ExpiryKind.NEVER, None),
        transferable=True,
        cashable=False,
        rate_consent=RateConsent.ISSUER,
        adapter="hosted",
    )


@pytest.mark.parametrize(
    ("units", "scale", "shown"), [(0, 0, "0"), (1250, 0, "1250"), (1250, 2, "12.50"), (5, 2, "0.05")]
)
def test_points_have_all_the_digits_of_their_scale(units: int, scale: int, shown: str) -> None:
    points = to_points(units, currency(scale))
    assert (points.amount, points.currency) == (shown, "BP")


@pytest.mark.parametrize(
    ("millionths", "code", "shown"),
    [
        (0, "CNY", "0.00"),
        (-609_000, "CNY", "-0.609"),
        (6_000_000, "JPY", "6"),
        (1, "CNY", "0.000001"),
        (1, "BHD", "0.000001"),
    ],
)
def test_money_has_at_least_its_minor_unit(millionths: int, code: str, shown: str) -> None:
    assert to_money(millionths, code).amount == shown


@pytest.mark.parametrize(
    ("pico", "code", "shown"),
    [
        (0, "CNY", "0.00"),
        (50_000_000_000, "CNY", "0.05"),
        (1, "CNY", "0.000000000001"),
        (1_234_500_000_000, "CNY", "1.2345"),
        (3_000_000_000_000, "JPY", "3"),
        (3_500_000_000_000, "JPY", "3.5"),
        (3_000_000_000_000, "BHD", "3.000"),
    ],
)
def test_prices_have_up_to_twelve_decimals(pico: int, code: str, shown: str) -> None:
    assert format_price(pico, code) == shown
    assert to_price(pico, code).amount == shown


def test_a_price_in_what_is_no_money_is_an_error() -> None:
    with pytest.raises(UnknownMoney):
        format_price(1, "XAU")


@pytest.mark.parametrize(("value", "shown"), [(30_000_000, "30"), (1_500_000, "1.5"), (1, "0.000001"), (0, "0")])
def test_percents_have_no_zeros_to_spare(value: int, shown: str) -> None:
    assert to_percent(value) == shown


def test_what_is_not_there_is_not_shown() -> None:
    assert to_units(None, 2) is None
    assert to_units(2500, 2) == "25.00"


def test_what_is_held_is_not_available() -> None:
    account = Account(1, 1, 2, "BP", debits=100, credits=1000, pending_debits=250, pending_credits=7)
    balance = to_balance(Holding(account, total=890, held=250, frozen=40, debt=3), currency(2))
    # of 10.00 - 1.00 = 9.00 there is 0.10 over, 2.50 are held and 0.40 are frozen; what is on its way does not count
    assert (balance.total, balance.available, balance.held) == ("8.90", "6.00", "2.50")
    assert (balance.frozen, balance.debt) == ("0.40", "0.03")


def test_what_is_left_of_a_cap_can_be_less_than_nothing() -> None:
    position = to_position(Exposure(1, "CNY", -2_000_000, -1_500_000, 1_500_000, 1_000_000))
    assert (position.own, position.subtree, position.exposure) == ("-2.00", "-1.50", "1.50")
    assert (position.debit_cap, position.available) == ("1.00", "-0.50")
    free = to_position(Exposure(1, "CNY", 0, 0, 0, None))
    assert (free.debit_cap, free.available) == (None, None)
