"""Who may ask: each scheme accepts its own proof and nothing near it."""

import base64
import hashlib
import hmac

import pytest

from adapters.simulator.authentication import TOKEN_S, Authentication, Scheme, Sent
from adapters.simulator.problems import Problem, Unauthenticated, WrongValue
from adapters.simulator.signatures import SKEW_S

NOW = 1_790_000_000
SECRET = "s3cret"
BODY = b'{"reference":"PH-1"}'


def signed(timestamp: str = str(NOW), path: str = "/v1/orders?x=1", body: bytes = BODY, method: str = "POST") -> str:
    text = f"{timestamp}.{method}.{path}.".encode() + body
    return hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()


def sent(path: str = "/v1/orders?x=1", body: bytes = BODY, **headers: str) -> Sent:
    return Sent("POST", path, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def checking(scheme: Scheme) -> Authentication:
    return Authentication(scheme, SECRET, "hub", clock=lambda: NOW)


def test_a_scheme_needs_its_secret() -> None:
    with pytest.raises(WrongValue):
        Authentication(Scheme.BEARER)
    Authentication(Scheme.NONE).check(sent())


def test_a_bearer_token_is_the_one() -> None:
    checking(Scheme.BEARER).check(sent(authorization=f"Bearer {SECRET}"))
    for wrong in ("", "Bearer", f"Basic {SECRET}", f"Bearer {SECRET} ", "Bearer tökén"):
        with pytest.raises(Unauthenticated):
            checking(Scheme.BEARER).check(sent(authorization=wrong))


@pytest.mark.parametrize("off", [0, SKEW_S, -SKEW_S])
def test_a_signature_of_now_is_good(off: int) -> None:
    timestamp = str(NOW + off)
    checking(Scheme.HMAC).check(sent(x_timestamp=timestamp, x_signature=signed(timestamp)))


@pytest.mark.parametrize(
    "wrong",
    [
        sent(),
        sent(x_timestamp=str(NOW)),
        sent(x_timestamp=str(NOW), x_signature=signed()[:-1] + "g"),
        sent(x_timestamp=str(NOW), x_signature=signed(method="GET")),
        sent(x_timestamp=str(NOW), x_signature=signed(path="/v1/orders")),
        sent(path="/v1/orders", x_timestamp=str(NOW), x_signature=signed()),
        sent(body=BODY + b" ", x_timestamp=str(NOW), x_signature=signed()),
        sent(x_timestamp=str(NOW + 1), x_signature=signed()),
        *(
            sent(x_timestamp=text, x_signature=signed(text))
            for text in (str(NOW + SKEW_S + 1), str(NOW - SKEW_S - 1), str(NOW * 1000), f"{NOW}.0", f" {NOW}", "²")
        ),
    ],
)
def test_a_signature_of_anything_else_is_none(wrong: Sent) -> None:
    with pytest.raises(Unauthenticated):
        checking(Scheme.HMAC).check(wrong)


def test_what_is_signed_for_a_callback_is_what_is_checked() -> None:
    for scheme in (Scheme.NONE, Scheme.BEARER, Scheme.HMAC):
        headers = checking(scheme).sign("POST", "/told?by=us", BODY)
        checking(scheme).check(Sent("POST", "/told?by=us", headers, BODY))
    assert checking(Scheme.OAUTH2).sign("POST", "/told", b"") == checking(Scheme.HMAC).sign("POST", "/told", b"")


def credentials(client: str = "hub", secret: str = SECRET, grant: str = "client_credentials") -> Sent:
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    return sent(body=f"grant_type={grant}".encode(), authorization=f"Basic {basic}")


def test_a_token_of_client_credentials_opens_for_a_while() -> None:
    now = [NOW]
    checked = Authentication(Scheme.OAUTH2, SECRET, "hub", clock=lambda: now[0])
    form = f"grant_type=client_credentials&client_id=hub&client_secret={SECRET}".encode()
    for asking in (credentials(), sent(body=form)):
        told = checked.token(asking)
        assert (told["token_type"], told["expires_in"]) == ("Bearer", TOKEN_S)
        checked.check(sent(authorization=f"Bearer {told['access_token']}"))
    now[0] += TOKEN_S
    with pytest.raises(Unauthenticated):
        checked.check(sent(authorization=f"Bearer {told['access_token']}"))
    with pytest.raises(Unauthenticated):
        checked.check(sent(authorization=f"Bearer {SECRET}"))


@pytest.mark.parametrize(
    "wrong",
    [
        credentials(client="other"),
        credentials(secret="other"),
        credentials(grant="password"),
        sent(body=b""),
        sent(body=b"grant_type=client_credentials", authorization="Basic !"),
    ],
)
def test_other_credentials_get_no_token(wrong: Sent) -> None:
    with pytest.raises(Problem):
        checking(Scheme.OAUTH2).token(wrong)


def test_there_are_no_tokens_under_other_schemes() -> None:
    with pytest.raises(WrongValue):
        checking(Scheme.HMAC).token(credentials())
