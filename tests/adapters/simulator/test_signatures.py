"""A request counts if the client's key signed all of it, now, for the first time; answers and callbacks are signed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms
from http_message_signatures.httpx2 import adapt_message

from adapters.simulator.authentication import Authentication, Scheme, Sent
from adapters.simulator.problems import Unauthenticated, WrongValue
from adapters.simulator.signatures import COVERED, KEY_ID, SKEW_S, Signatures
from tests.adapters.conftest import playing
from tests.adapters.http_json.test_credentials import keys

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOST = "http://127.0.0.1:9000"
BODY = b'{"reference":"PH-1"}'
THEIRS, OURS = keys("ed25519"), keys("ecdsa-p256-sha256")


def signatures() -> Signatures:
    return Signatures(OURS[0].encode(), THEIRS[1].encode(), "points-hub", clock=NOW.timestamp)


def asked(
    covered: tuple[str, ...] = COVERED, at: datetime = NOW, name: str = "points-hub", body: bytes = BODY
) -> httpx2.Request:
    """A request, signed by the client."""
    request = httpx2.Request("POST", f"{HOST}/v1/orders?x=1", content=body)
    HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={name: THEIRS[0].encode()}),
    ).sign(adapt_message(request), key_id=name, created=at, covered_component_ids=covered, body=body)
    return request


@pytest.mark.parametrize("off", [0, SKEW_S, -SKEW_S])
def test_a_request_of_now_counts_once(off: int) -> None:
    checking, request = signatures(), asked(at=NOW + timedelta(seconds=off))
    checking.check(request, BODY)
    with pytest.raises(Unauthenticated, match="sent before"):
        checking.check(request, BODY)


def elsewhere(**changes: Any) -> httpx2.Request:
    """A signed request whose line was changed afterwards."""
    signed = asked()
    usual: dict[str, Any] = {"method": signed.method, "url": signed.url, "headers": signed.headers}
    return httpx2.Request(**{**usual, **changes})


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (httpx2.Request("POST", f"{HOST}/v1/orders", content=BODY), BODY),
        (asked(), BODY + b" "),
        (asked(), b""),
        (asked(name="another"), BODY),
        (asked(at=NOW + timedelta(seconds=SKEW_S + 1)), BODY),
        (asked(at=NOW - timedelta(seconds=SKEW_S + 1)), BODY),
        *((asked(covered=tuple(one for one in COVERED if one != left_out)), BODY) for left_out in COVERED),
        (elsewhere(method="PUT"), BODY),
        (elsewhere(url=f"{HOST}/v1/orders?x=2"), BODY),
        (elsewhere(url=f"{HOST}/v1/others?x=1"), BODY),
    ],
)
def test_a_request_of_anything_else_does_not(request_: httpx2.Request, body: bytes) -> None:
    with pytest.raises(Unauthenticated):
        signatures().check(request_, body)


def test_a_body_that_the_signature_does_not_cover_does_not_count() -> None:
    request = asked(body=b"")
    with pytest.raises(Unauthenticated):
        signatures().check(request, BODY)
    signatures().check(asked(body=b""), b"")


def test_a_callback_is_signed_whole_by_the_simulator() -> None:
    authentication = Authentication(Scheme.RFC9421, signatures=signatures())
    headers = authentication.sign("POST", f"{HOST}/partners/JADE/answers", BODY)
    request = httpx2.Request("POST", f"{HOST}/partners/JADE/answers", content=BODY, headers=headers)
    [found] = verifier().verify(
        adapt_message(request), max_age=None, require_components=[*COVERED, "content-digest"], body=BODY
    )
    assert found.parameters["created"] == int(NOW.timestamp())


async def test_every_answer_of_the_partner_s_is_signed_also_one_that_refuses_to_listen() -> None:
    authentication = Authentication(Scheme.RFC9421, signatures=signatures())
    async with playing(authentication=authentication) as simulator:
        response = await simulator.http.get("/v1/orders/PH-1")
        assert response.status_code == 401
        verifier().verify(
            adapt_message(response),
            max_age=None,
            require_components=["@status", "content-digest"],
            body=response.content,
        )
        assert "signature" not in (await simulator.http.get("/sandbox/state")).headers


def verifier() -> HTTPMessageVerifier:
    return HTTPMessageVerifier(
        signature_algorithm=algorithms.ECDSA_P256_SHA256,
        key_resolver=MappingKeyResolver(public_keys={KEY_ID: OURS[1].encode()}, private_keys={}),
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "field"),
    [
        (OURS[1], THEIRS[1], "signing_key"),
        ("", THEIRS[1], "signing_key"),
        (OURS[0], THEIRS[0], "client_key"),
        (OURS[0], "none", "client_key"),
    ],
)
def test_what_is_no_key_is_told(ours: str, theirs: str, field: str) -> None:
    with pytest.raises(WrongValue) as wrong:
        Signatures(ours.encode(), theirs.encode(), "points-hub")
    assert wrong.value.field == field


def test_the_scheme_has_its_keys_and_no_other_has_any() -> None:
    with pytest.raises(WrongValue):
        Authentication(Scheme.RFC9421)
    with pytest.raises(WrongValue):
        Authentication(Scheme.NONE, signatures=signatures())


def test_what_is_no_address_is_refused() -> None:
    authentication = Authentication(Scheme.RFC9421, signatures=signatures())
    with pytest.raises(Unauthenticated):
        authentication.check(Sent("GET", "/v1/orders/PH-1", {}, b"", "http://[::"))
