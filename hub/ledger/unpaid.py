"""Unpaid nets: what defaults of a window change for its other nets. Pure."""

from collections.abc import Collection

from hub.defaults import Default, DefaultStatus
from hub.errors import InvalidInput, PayOutWaits
from hub.ledger.records import Net
from hub.waterfall import Source


def still_due(defaults: Collection[Default], net: Net) -> int:
    """What the bank has to move for a net that settles with the hub: none of one that is declared unpaid, and of a
    pay-out what is not cut."""
    cut = 0
    for default in defaults:
        if default.is_standing and (default.window, default.currency) == (net.window, net.currency):
            if default.institution == net.institution:
                return 0
            for one in default.borne:
                if (one.source, one.institution, one.advanced) == (Source.CUT, net.institution, False):
                    cut += one.amount
    return net.payable - cut


def wait(defaults: Collection[Default], window: int, currency: str | None = None) -> bool:
    """Whether pay-outs of a window, or of one currency in it, wait for a default to be covered."""
    return any(
        default.status is DefaultStatus.DECLARED
        and default.window == window
        and (currency is None or default.currency == currency)
        for default in defaults
    )


def check_movable(defaults: Collection[Default], net: Net, code: str) -> None:
    """Pass if the bank may move a net.

    Raises:
        PayOutWaits: it is a pay-out, and there is a default that nobody has borne yet.
        InvalidInput: it was declared unpaid; what is paid now is a repayment.
    """
    if net.payable < 0 and not still_due(defaults, net):
        raise InvalidInput(institution=code, unpaid=net.currency)
    if net.payable > 0 and wait(defaults, net.window, net.currency):
        raise PayOutWaits(currency=net.currency)
