"""Addresses: nothing inside is reached, however its address is written."""

import ipaddress

import pytest

from hub.webhooks.addresses import is_allowed

INSIDE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",  # carriers' own
    "169.254.1.1",
    "169.254.169.254",  # what clouds tell their machines
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",  # what clouds tell their machines
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",  # 169.254.169.254 behind a translator
    "64:ff9b:1::1",  # a network's own translator
    "2002:7f00:1::",  # 127.0.0.1 in 6to4
    "2002:a00:1::1",
    "2001:0:a00:1:0:0:0:1",  # Teredo with a private server
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
NONE = ["", "localhost", "127.1", "0x7f000001", "2130706433", "8.8.8.8/32", "[::1]", "example.com"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_not_reached(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_public_is_reached(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize("address", NONE)
def test_what_is_no_address_is_not_reached(address: str) -> None:
    assert not is_allowed(address, [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])


def test_networks_are_allowed_in_addition() -> None:
    networks = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    assert [is_allowed(one, networks) for one in ("127.0.0.1", "fd00::1", "10.0.0.1", "::1", "8.8.8.8")] == [
        *(True, True, False, False, True)
    ]
