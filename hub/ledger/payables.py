"""Payables: what the bank is to move for the nets of a window, some of which were exchanged. Pure."""

from collections.abc import Iterable

import msgspec

from hub.ledger.records import Net, NetExchange


def payables(nets: Iterable[Net], exchanges: Iterable[NetExchange]) -> list[Net]:
    """The nets with what was exchanged out of them and into them, by window, currency and institution; whoever had no
    net in what its others became gets one without acts."""
    found = {(net.window, net.currency, net.institution): net for net in nets}
    for one in exchanges:
        for currency, change in ((one.currency, -one.net), (one.into, one.value)):
            key = (one.window, currency, one.institution)
            net = found.get(key) or Net(one.window, one.institution, currency, 0, 0, 0)
            found[key] = msgspec.structs.replace(net, exchanged=net.exchanged + change)
    return [found[key] for key in sorted(found)]
