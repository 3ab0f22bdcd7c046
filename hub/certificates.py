"""Certificates of adapters: what the conformance checks found of one, signed by whoever ran them, and registered here
by the operator. A certificate is a file that anybody verifies; what is kept is the file and what it says.

It speaks of one kind of adapter, of one version, and of one configuration without its secrets and without the fields
that it names, because those differ where the checks are run. Nothing is refused for want of one: the operator sees how
a currency stands, and decides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says. ``version``: the adapter's distribution and its version; ``hub``: who ran the checks;
    ``signer``: the thumbprint of the key; ``configuration``: its SHA-256 in hexadecimal, without the fields in
    ``without``; ``capabilities``: as JSON; ``token``: the file."""

    adapter: str
    version: str
    hub: str
    signer: str
    checked_at: datetime
    conforms: bool
    passed: int
    failed: int
    excepted: int
    beside: int
    configuration: str
    without: tuple[str, ...]
    capabilities: str
    token: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that was registered. A later one of the same adapter and configuration takes its place."""

    id: int
    found: Examined
    registered_at: datetime

    @property
    def of(self) -> tuple[str, str]:
        """The adapter and the configuration that it speaks of."""
        return self.found.adapter, self.found.configuration


class Standing(StrEnum):
    """How a currency's adapter stands by its certificates."""

    NONE = "NONE"  # there is none for its kind
    OUTDATED = "OUTDATED"  # those that there are, are of another version
    OTHER_CONFIGURATION = "OTHER_CONFIGURATION"  # the kind was checked, with another configuration
    FAILED = "FAILED"  # a check failed
    CERTIFIED = "CERTIFIED"


def standing(
    certificates: Iterable[Certificate], version: str | None, digest: Callable[[tuple[str, ...]], str]
) -> tuple[Standing, Certificate | None]:
    """How an adapter of ``version`` stands by the certificates of its kind, and the one that says so. ``digest``: of
    its configuration, without some fields. Of several, the one that says the most of it counts, then the latest."""
    best: tuple[int, datetime, Standing, Certificate] | None = None
    for one in certificates:
        found = one.found
        if found.version != version:
            rank, stands = 0, Standing.OUTDATED
        elif found.configuration != digest(found.without):
            rank, stands = 1, Standing.OTHER_CONFIGURATION
        else:
            rank, stands = 2, Standing.CERTIFIED if found.conforms else Standing.FAILED
        if best is None or (rank, found.checked_at) > best[:2]:
            best = rank, found.checked_at, stands, one
    return (Standing.NONE, None) if best is None else best[2:]
