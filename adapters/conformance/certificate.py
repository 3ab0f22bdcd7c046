"""A certificate: what the checks found of an adapter, as canonical JSON (RFC 8785), to be signed by the hub that ran
them. It says what was found, conforming or not; it is kept as ``<adapter>.jws``, the latest only.
"""

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import rfc8785

from adapters.conformance.check import Result, Verdict
from hub.partners import Capabilities

TYPE: Final = "points-hub/adapter-certificate"
TYP: Final = "points-hub-certificate+jws"
VERSION: Final = 2
FOLDER: Final = "certificates"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says. ``version``: the adapter's distribution and its version. ``configuration``: the SHA-256,
    in hexadecimal, of what it was configured with, without secrets and without the fields in ``without``."""

    adapter: str
    version: str
    configuration: str
    without: tuple[str, ...]
    hub: str
    at: datetime
    capabilities: Mapping[str, Any]
    results: tuple[Result, ...]

    @property
    def conforms(self) -> bool:
        """Whether no check failed, and one passed at least."""
        verdicts = [result.verdict for result in self.results]
        return Verdict.FAILED not in verdicts and Verdict.PASSED in verdicts

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(result.verdict is verdict for result in self.results)


def listed(capabilities: Capabilities) -> dict[str, Any]:
    """Capabilities as JSON has them; amounts as text, because they may be larger than its numbers are exact."""
    found: dict[str, Any] = msgspec.to_builtins(capabilities, order="deterministic")
    return found | {name: str(found[name]) for name in ("minimum", "maximum")}


def payload(certificate: Certificate) -> bytes:
    """The bytes to be signed."""
    document: dict[str, Any] = {
        "type": TYPE,
        "formatVersion": VERSION,
        "adapter": certificate.adapter,
        "version": certificate.version,
        "configuration": {"sha256": certificate.configuration, "without": list(certificate.without)},
        "hub": certificate.hub,
        "at": certificate.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "conforms": certificate.conforms,
        "capabilities": dict(certificate.capabilities),
        "checks": [
            {"check": result.check, "verdict": result.verdict.value, "reason": result.reason}
            for result in certificate.results
        ],
    }
    return rfc8785.dumps(document)


def read(raw: bytes) -> Certificate:
    """A certificate from the bytes that were signed.

    Raises:
        ValueError: they are none.
    """
    try:
        told = json.loads(raw)
        if told["type"] != TYPE or told["formatVersion"] != VERSION:
            raise ValueError("it is of another type")
        return Certificate(
            adapter=told["adapter"],
            version=told["version"],
            configuration=told["configuration"]["sha256"],
            without=tuple(told["configuration"]["without"]),
            hub=told["hub"],
            at=datetime.fromisoformat(told["at"]),
            capabilities=told["capabilities"],
            results=tuple(Result(one["check"], Verdict(one["verdict"]), one["reason"]) for one in told["checks"]),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"It is no certificate ({type(error).__name__}).") from None


def keep(folder: Path, adapter: str, token: str) -> Path:
    """Keep a signed certificate in the place of the adapter's last one.

    Raises:
        ValueError: the adapter's name is no name of a file.
    """
    path = path_of(folder, adapter)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(f"{token}\n", "ascii")
    os.replace(temporary, path)
    return path


def kept(folder: Path, adapter: str) -> str | None:
    """An adapter's last certificate as it was signed, if there is one."""
    try:
        return path_of(folder, adapter).read_text("ascii").strip()
    except FileNotFoundError:
        return None


def path_of(folder: Path, adapter: str) -> Path:
    """Where an adapter's certificate is, below the hub's data folder.

    Raises:
        ValueError: the adapter's name is no name of a file.
    """
    if not _NAME.fullmatch(adapter):
        raise ValueError(f"{adapter!r} is no adapter's name.")
    return folder / FOLDER / f"{adapter}.jws"
