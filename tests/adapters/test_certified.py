"""A certificate is believed if somebody who is trusted signed it, and it is of what is installed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from adapters.certified import TOKEN_MAX, believed
from adapters.conformance import certificate as certificates
from hub.errors import InvalidInput
from tests.adapters.conformance.test_certificate import EXCEPTED, MADE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
INSTALLED = {"airline": "airline 1.0", "hotel": "hotel 2.0"}


@dataclass
class Signed:
    payload: bytes = certificates.payload(MADE)
    type: str = certificates.TYP
    signer: str = "a thumbprint"


def verify(token: str) -> Signed:
    return SIGNED[token]


SIGNED = {
    "good": Signed(),
    "a report": Signed(type="points-hub-report+jws"),
    "of another form": Signed(payload=b"{}"),
}


def test_what_it_says_is_told_with_who_signed_it() -> None:
    found = believed(" good\n", verify, INSTALLED, NOW)
    assert (found.adapter, found.version) == ("airline", "airline 1.0")
    assert (found.signer, found.token) == ("a thumbprint", "good")
    assert (found.conforms, found.passed, found.failed, found.excepted, found.beside) == (True, 1, 0, 1, 0)
    assert (found.configuration, found.without) == (MADE.configuration, ("url",))
    assert '"operations":["CREDIT","DEBIT"]' in found.capabilities
    assert EXCEPTED in MADE.results


def nobody(token: str) -> Signed:
    raise ValueError("not signed")


@pytest.mark.parametrize(
    ("token", "versions", "at", "told"),
    [
        ("a report", INSTALLED, NOW, "something else"),
        ("of another form", INSTALLED, NOW, "another form"),
        ("good", {"hotel": "hotel 2.0"}, NOW, "airline is not installed"),
        ("good", {"airline": "airline 1.1"}, NOW, "of airline 1.0, and airline 1.1 is installed"),
        ("good", INSTALLED, NOW - timedelta(seconds=1), "time to come"),
        ("x" * (TOKEN_MAX + 1), INSTALLED, NOW, "too long"),
    ],
)
def test_what_does_not_fit_is_refused(token: str, versions: dict[str, str], at: datetime, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        believed(token[: TOKEN_MAX + 1], verify, versions, at)
    assert told in str(refused.value.details)
    with pytest.raises(InvalidInput) as refused:
        believed("good", nobody, INSTALLED, NOW)
    assert "Nobody who is believed" in str(refused.value.details)
