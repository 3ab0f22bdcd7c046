"""The waterfall: who bears what a debtor does not pay, and who is made good when it pays later. Pure.

One debtor, one currency, all in whole minor units (in millionths). First its own money: its collateral, then its own
contribution to the default fund. Then the contributions of the others, in proportion to what each has in the fund. What
is left is cut from those who are to be paid, in proportion to what each is to get. What the debtor pays later goes the
other way round. Shares are by largest remainder, ties to the lower code, so nobody bears more than it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub.netting import split


class Source(StrEnum):
    """What bears a loss, in the order in which it does."""

    COLLATERAL = "COLLATERAL"
    OWN_FUND = "OWN_FUND"
    FUND = "FUND"
    CUT = "CUT"


class NotBorne(ValueError):
    """More is missing than all who could bear it have."""

    code = "NOT_BORNE"


@dataclass(frozen=True, slots=True)
class Share:
    """What one institution, by code, bears of a loss out of one source, or is made good of it; millionths."""

    source: Source
    of: str
    amount: int


def bear(
    loss: int,
    debtor: str,
    collateral: int,
    fund: Mapping[str, int],
    payouts: Mapping[str, int],
    minor_unit_millionths: int,
) -> list[Share]:
    """Who bears ``loss``, in order: by source, then by code; nobody with nothing. The shares sum to the loss.

    ``fund``: what is in the default fund, by contributor. ``payouts``: what is to be paid out, by who gets it.

    Raises:
        NotBorne: it is more than everything there is.
    """
    shares: list[Share] = []
    others = {code: amount for code, amount in fund.items() if code != debtor}
    for source, able in (
        (Source.COLLATERAL, {debtor: collateral}),
        (Source.OWN_FUND, {debtor: fund.get(debtor, 0)}),
        (Source.FUND, others),
        (Source.CUT, payouts),
    ):
        taken = min(loss, sum(able.values()))
        shares += _shared(source, taken, able, minor_unit_millionths)
        loss -= taken
    if loss:
        raise NotBorne
    return shares


def make_good(
    amount: int, borne: Mapping[Source, Mapping[str, int]], minor_unit_millionths: int
) -> tuple[list[Share], int]:
    """Who gets what a debtor pays later, of what each has borne and not got back: who was cut first, its own collateral
    last; and what is left over."""
    shares: list[Share] = []
    for source in reversed(Source):
        due = borne.get(source, {})
        given = min(amount, sum(due.values()))
        shares += _shared(source, given, due, minor_unit_millionths)
        amount -= given
    return shares, amount


def _shared(source: Source, total: int, among: Mapping[str, int], minor_unit_millionths: int) -> list[Share]:
    if not total:
        return []
    codes = sorted(among)
    parts = split(total // minor_unit_millionths, [among[code] for code in codes])
    return [Share(source, code, part * minor_unit_millionths) for code, part in zip(codes, parts, strict=True) if part]
