"""A certificate says what was found, byte for byte again, and is kept under the adapter's name only."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from adapters.conformance import certificate as certificates
from adapters.conformance.check import Result, Verdict
from hub.partners import Capabilities, Operation

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CAN = Capabilities(operations=frozenset({Operation.CREDIT, Operation.DEBIT}), unit="MILES", scale=2)
PASSED = Result("one", Verdict.PASSED)
FAILED = Result("two", Verdict.FAILED, "It was done twice.")
EXCEPTED = Result("three", Verdict.EXCEPTED, "Nobody has so many points.")
MADE = certificates.Certificate(
    adapter="airline",
    version="airline 1.0",
    configuration="ab" * 32,
    without=("url",),
    hub="Points Hub",
    at=NOW,
    capabilities=certificates.listed(CAN),
    results=(PASSED, EXCEPTED),
)


def test_a_certificate_is_read_as_it_was_made() -> None:
    assert certificates.read(certificates.payload(MADE)) == MADE
    told = json.loads(certificates.payload(MADE))
    assert told["capabilities"]["operations"] == ["CREDIT", "DEBIT"]
    assert told["capabilities"]["maximum"] == str(10**15)
    assert told["checks"][1] == {"check": "three", "verdict": "EXCEPTED", "reason": "Nobody has so many points."}
    assert told["conforms"] is True
    assert told["configuration"] == {"sha256": "ab" * 32, "without": ["url"]}


@pytest.mark.parametrize(("results", "conforms"), [((PASSED, FAILED), False), ((EXCEPTED,), False), ((), False)])
def test_who_failed_a_check_or_passed_none_does_not_conform(results: tuple[Result, ...], conforms: bool) -> None:
    assert msgspec.structs.replace(MADE, results=results).conforms is conforms


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"type": "points-hub/settlement-report"}', b"\xff"])
def test_what_is_no_certificate_is_not_read_as_one(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        certificates.read(raw)


def test_the_latest_certificate_is_kept(tmp_path: Path) -> None:
    assert certificates.kept(tmp_path, "airline") is None
    for token in ("first", "second"):
        certificates.keep(tmp_path, "airline", token)
    assert certificates.kept(tmp_path, "airline") == "second"
    assert [path.name for path in (tmp_path / "certificates").iterdir()] == ["airline.jws"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a" * 70])
def test_a_name_that_is_no_file_s_is_not_kept(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no adapter's name"):
        certificates.keep(tmp_path, name, "token")
