"""The network is off while tests run: only Unix sockets and this machine's own addresses are reached."""

import ipaddress
import sys
from typing import Any


class NetworkIsOff(Exception):
    """A test reached for another machine."""


def go_offline() -> None:
    """Refuse every other machine from now on, in this process."""
    sys.addaudithook(_refuse_other_machines)


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host and host != "localhost" and not _is_here(host):
        raise NetworkIsOff(host)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
