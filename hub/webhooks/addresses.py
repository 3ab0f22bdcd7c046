"""Addresses: which ones an endpoint may have. Nothing inside the hub's own network is ever reached for a partner.

An address counts as public if it is global unicast in the registries of IANA, and so is the IPv4 address that it may
carry inside (mapped, 6to4, Teredo, NAT64): a translator at the network's edge would go there. Pure.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_allowed(text: str, networks: Iterable[Network] = ()) -> bool:
    """Whether the address may be connected to: it is public, or in one of ``networks``. What is no address is not."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks) or all(map(_is_public, _all_of(address)))


def _all_of(address: Address) -> list[Address]:
    """The address and those that it carries; of one that only stands for an IPv4 address, that."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    found: list[Address] = [address]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    return found


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id is not None or address.is_site_local):
        return False  # a zone names an interface of this machine
    return address.is_global and not (address.is_multicast or address.is_reserved)
