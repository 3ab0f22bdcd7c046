"""How an adapter stands by what checks have found of its kind, its version and its configuration."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hub.certificates import Certificate, Examined, Standing, standing

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FOUND = Examined(
    adapter="http_json",
    version="points-hub 1.0",
    hub="Points Hub",
    signer="a thumbprint",
    checked_at=NOW,
    conforms=False,
    passed=30,
    failed=1,
    excepted=2,
    beside=3,
    configuration="of http_json without url",
    without=("url",),
    capabilities='{"unit":"MILES"}',
    token="header.payload.signature",
)


def certificate(number: int = 1, **changes: object) -> Certificate:
    conforming = msgspec.structs.replace(FOUND, conforms=True, failed=0)
    at = NOW + timedelta(days=number)
    return Certificate(number, msgspec.structs.replace(conforming, **{"checked_at": at, **changes}), at)


def digest(without: tuple[str, ...]) -> str:
    return f"of http_json without {', '.join(without)}"


OLD = certificate(version="points-hub 0.9")
OTHER = certificate(configuration="of another")
FAILED = certificate(conforms=False, failed=1)
GOOD = certificate()


@pytest.mark.parametrize(
    ("certificates", "stands"),
    [
        ((), Standing.NONE),
        ((OLD,), Standing.OUTDATED),
        ((OTHER, OLD), Standing.OTHER_CONFIGURATION),
        ((FAILED, OTHER, OLD), Standing.FAILED),
        ((GOOD, OTHER, OLD), Standing.CERTIFIED),
        ((certificate(without=("url", "tls")),), Standing.OTHER_CONFIGURATION),
        ((certificate(without=("url", "tls"), configuration="of http_json without url, tls"),), Standing.CERTIFIED),
    ],
)
def test_an_adapter_stands_by_what_was_checked_of_it(certificates: tuple[Certificate, ...], stands: Standing) -> None:
    found = certificates[0] if certificates else None
    assert standing(certificates, "points-hub 1.0", digest) == (stands, found)
    assert standing(reversed(certificates), "points-hub 1.0", digest) == (stands, found)


def test_of_several_that_say_as_much_the_latest_counts() -> None:
    wider = certificate(2, without=("url", "tls"), configuration="of http_json without url, tls", conforms=False)
    assert standing((GOOD, wider), "points-hub 1.0", digest) == (Standing.FAILED, wider)
    assert standing((wider, certificate(3)), "points-hub 1.0", digest) == (Standing.CERTIFIED, certificate(3))


def test_what_is_not_installed_has_no_version_that_was_checked() -> None:
    assert standing((GOOD,), None, digest) == (Standing.OUTDATED, GOOD)
