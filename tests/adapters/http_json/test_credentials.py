"""Every way to prove who asks, held against a bank that checks it in its own words."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver, algorithms
from http_message_signatures.httpx2 import adapt_message
from pydantic import ValidationError

from adapters.http_json.configuration import Configuration
from hub.partners import Answer, Status
from tests.adapters.http_json.bank import Bank, configured, connected, order
from tests.adapters.http_json.certificates import Private, private_pem, public_pem
from tests.adapters.http_json.server import Reply, Request, Server

DENIED = {"errors": [{"http": [401], "action": "STOP"}]}


def guarded(bank: Bank, opens: Callable[[Request], bool]) -> None:
    """The bank answers only whom ``opens`` lets in."""
    bank.spoil = lambda request, done: done if opens(request) else Reply(401, {"code": "WHO"})


async def asked(server: Server, **changes: Any) -> Answer:
    """The answer to an order after which the truth was asked for, which is the same."""
    partner = connected(server, **{**DENIED, **changes})
    try:
        answer = await partner.perform(order())
        assert (await partner.status(order())).status is answer.status
        return answer
    finally:
        await partner.close()


async def test_whoever_does_not_prove_who_asks_is_stopped(server: Server, bank: Bank) -> None:
    guarded(bank, lambda request: "authorization" in request.headers)
    answer = await asked(server)
    assert (answer.status, answer.halts) == (Status.UNKNOWN, True)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"scheme": "bearer", "token": "t-1"}, "authorization", "Bearer t-1"),
        ({"scheme": "header", "name": "X-Api-Key", "value": "k-1"}, "x-api-key", "k-1"),
    ],
)
async def test_a_secret_header(server: Server, bank: Bank, auth: dict[str, str], header: str, value: str) -> None:
    guarded(bank, lambda request: request.headers.get(header) == value)
    assert (await asked(server, auth=auth)).status is Status.SUCCEEDED


async def test_hmac_over_timestamp_method_path_and_body(server: Server, bank: Bank) -> None:
    def opens(request: Request) -> bool:
        stamp = request.headers["x-timestamp"]
        told = f"{stamp}.{request.method}.{request.target}.".encode() + request.body
        now = int(datetime.now(UTC).timestamp())
        right = hmac.new(b"a key", told, hashlib.sha256).hexdigest()
        return abs(int(stamp) - now) < 60 and request.headers["x-signature"] == right

    guarded(bank, opens)
    assert (await asked(server, auth={"scheme": "hmac", "key": "a key"})).status is Status.SUCCEEDED
    assert (await asked(server, auth={"scheme": "hmac", "key": "another"})).halts


async def test_hmac_in_another_banks_words(server: Server, bank: Bank) -> None:
    """A key in base64, a nonce, a key's name, milliseconds, and a prefix before a signature in base64."""
    nonces = set()

    def opens(request: Request) -> bool:
        head = request.headers
        nonces.add(head["x-nonce"])
        told = f"{head['date-ms']}\n{head['x-nonce']}\n{request.method}\n".encode() + request.body
        right = base64.b64encode(hmac.new(b"\x00\xff", told, hashlib.sha256).digest()).decode()
        return head["x-app"] == "hub" and head["authorization"] == f"HMAC {right}" and len(head["date-ms"]) == 13

    guarded(bank, opens)
    auth = {
        "scheme": "hmac", "key": "AP8=", "keyEncoding": "BASE64", "message": "{timestamp}\n{nonce}\n{method}\n{body}",
        "timestamp": {"form": "UNIX_MS"}, "timestampHeader": "Date-MS", "signatureHeader": "Authorization",
        "signaturePrefix": "HMAC ", "signatureEncoding": "BASE64", "nonceHeader": "X-Nonce", "keyId": "hub",
        "keyIdHeader": "X-App",
    }  # fmt: skip
    assert (await asked(server, auth=auth)).status is Status.SUCCEEDED
    assert len(nonces) == 2


KEYS: dict[str, tuple[str, str]] = {"hmac-sha256": ("shared", "shared")}


def keys(algorithm: str) -> tuple[str, str]:
    """A private and a public key, made once."""
    if algorithm not in KEYS:
        made: Private
        if algorithm == "ed25519":
            made = ed25519.Ed25519PrivateKey.generate()
        elif algorithm == "ecdsa-p256-sha256":
            made = ec.generate_private_key(ec.SECP256R1())
        else:
            made = rsa.generate_private_key(65_537, 2_048)
        KEYS[algorithm] = private_pem(made), public_pem(made)
    return KEYS[algorithm]


CLASSES = {
    "ed25519": algorithms.ED25519,
    "hmac-sha256": algorithms.HMAC_SHA256,
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
}


@pytest.mark.parametrize("algorithm", CLASSES)
async def test_signatures_over_method_address_path_query_and_body(server: Server, bank: Bank, algorithm: str) -> None:
    private, public = keys(algorithm)
    found = []

    def opens(request: Request) -> bool:
        resolver = MappingKeyResolver(public_keys={"hub-1": public.encode()}, private_keys={})
        verifier = HTTPMessageVerifier(signature_algorithm=CLASSES[algorithm], key_resolver=resolver)
        message = httpx2.Request(request.method, f"{server.url}{request.target}", headers=request.headers)
        results = verifier.verify(adapt_message(message), expect_tag="points", body=request.body)
        found.extend(results)
        return True

    guarded(bank, opens)
    auth = {"scheme": "rfc9421", "algorithm": algorithm, "keyId": "hub-1", "key": private, "tag": "points"}
    assert (await asked(server, auth=auth)).status is Status.SUCCEEDED
    covered = {name.strip('"') for name in found[0].covered_components}
    assert covered >= {"@method", "@authority", "@path", "@query", "content-digest"}
    assert len({one.nonce for one in found}) == 2


OAUTH = {"scheme": "oauth2", "clientId": "hub", "clientSecret": "s:1", "scope": "points"}


class Authority:
    """Gives tokens in front of a bank; ``tokens`` are those that were given, ``lives_s`` what is said of their life."""

    def __init__(self, bank: Bank) -> None:
        self.lives_s: object = 3_600
        self.tokens: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        self.logins: list[str | None] = []
        self.refuses: Reply | None = None
        self.revoked: set[str] = set()
        bank.spoil = self._answer

    def _answer(self, request: Request, done: Reply) -> Reply:
        if request.path == "/oauth/token":
            self.forms.append(parse_qs(request.body.decode()))
            self.logins.append(request.headers.get("authorization"))
            if self.refuses is not None:
                return self.refuses
            self.tokens.append(f"t-{len(self.tokens)}")
            return Reply(200, {"access_token": self.tokens[-1], "expires_in": self.lives_s})
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        good = token in self.tokens and token not in self.revoked
        return done if good else Reply(401, {"code": "WHO"})


@pytest.fixture
def authority(bank: Bank) -> Authority:
    return Authority(bank)


async def test_a_token_is_fetched_once_and_kept(server: Server, authority: Authority) -> None:
    partner = connected(server, auth={**OAUTH, "tokenUrl": f"{server.url}/oauth/token"})
    answers = await asyncio.gather(*(partner.perform(order(f"PH-{number}")) for number in range(5)))
    await partner.close()
    assert {answer.status for answer in answers} == {Status.SUCCEEDED}
    assert authority.tokens == ["t-0"]
    assert authority.forms == [{"grant_type": ["client_credentials"], "scope": ["points"]}]
    assert authority.logins == [f"Basic {base64.b64encode(b'hub:s:1').decode()}"]


async def test_a_client_may_also_name_itself_in_the_body(server: Server, authority: Authority) -> None:
    auth = {**OAUTH, "tokenUrl": f"{server.url}/oauth/token", "clientAuthentication": "BODY", "audience": "bank"}
    assert (await asked(server, auth=auth)).status is Status.SUCCEEDED
    assert authority.logins == [None]
    assert authority.forms[0] == {
        "grant_type": ["client_credentials"], "scope": ["points"], "audience": ["bank"], "client_id": ["hub"],
        "client_secret": ["s:1"],
    }  # fmt: skip


async def test_a_token_that_is_about_to_end_is_fetched_anew(server: Server, authority: Authority) -> None:
    """It lives 30 seconds, and is given up 30 seconds before."""
    authority.lives_s = "30"
    auth = {**OAUTH, "tokenUrl": f"{server.url}/oauth/token", "earlyS": 30}
    assert (await asked(server, auth=auth)).status is Status.SUCCEEDED
    assert authority.tokens == ["t-0", "t-1"]


async def test_a_token_that_is_not_accepted_is_fetched_anew_once(server: Server, authority: Authority) -> None:
    partner = connected(server, **DENIED, auth={**OAUTH, "tokenUrl": f"{server.url}/oauth/token"})
    assert (await partner.perform(order("PH-1"))).status is Status.SUCCEEDED
    authority.revoked.add("t-0")
    assert (await partner.perform(order("PH-2"))).status is Status.SUCCEEDED
    assert authority.tokens == ["t-0", "t-1"]
    authority.revoked |= {f"t-{number}" for number in range(100)}
    refused = await partner.perform(order("PH-3"))
    await partner.close()
    assert (refused.status, refused.halts) == (Status.UNKNOWN, True)
    assert authority.tokens == ["t-0", "t-1", "t-2"]  # and not again and again


@pytest.mark.parametrize(
    ("reply", "halts"),
    [
        (Reply(401, {"error": "invalid_client"}), True),
        (Reply(503, {}), False),
        (Reply(200, {}), False),
        (Reply(200, {"access_token": "a\nb"}), False),
        (Reply(200, b'{"access_token": "t-1", "access_token": "t-2"}'), False),
        (Reply(200, b"x" * 100_000), False),
        (Reply(raw=b""), False),
    ],
)
async def test_without_a_token_nothing_was_sent(
    server: Server, bank: Bank, authority: Authority, reply: Reply, halts: bool
) -> None:
    authority.refuses = reply
    partner = connected(server, auth={**OAUTH, "tokenUrl": f"{server.url}/oauth/token"})
    answer = await partner.perform(order())
    known = await partner.status(order())
    await partner.close()
    assert (answer.status, answer.halts) == (Status.ABSENT, halts)
    assert (known.status, known.halts) == (Status.UNKNOWN, halts)
    assert bank.orders == {}


@pytest.mark.parametrize(
    "auth",
    [
        {"scheme": "hmac", "key": "zz", "keyEncoding": "HEX"},
        {"scheme": "hmac", "key": "z?", "keyEncoding": "BASE64"},
        {"scheme": "hmac", "key": "k", "message": "{body}{secret}"},
        {"scheme": "rfc9421", "algorithm": "ed25519", "keyId": "k", "key": "no PEM at all"},
        {"scheme": "rfc9421", "algorithm": "md5", "keyId": "k", "key": "no PEM at all"},
        {"scheme": "oauth2", "tokenUrl": "http://plain.example/token", "clientId": "c", "clientSecret": "s"},
        {"scheme": "oauth2", "tokenUrl": "ftp://plain.example/token", "clientId": "c", "clientSecret": "s"},
        {"scheme": "bearer", "token": ""},
        {"scheme": "basic"},
    ],
)
def test_credentials_that_cannot_work_are_refused_without_repeating_them(auth: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Configuration.model_validate(configured("https://bank.example", auth=auth))
    assert "no PEM at all" not in str(refused.value.errors(include_input=False))


NO_HEADERS = ["s3cr3t\n", "s3cr3t\r\nx: y", " s3cr3t", "s3cr3t ", "s3cr3t\x00", "s3\tcr3t", "s3cr3t\x7f", "s3cr3té"]


@pytest.mark.parametrize("value", NO_HEADERS, ids=ascii)
@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("auth.bearer.token", lambda value: {"auth": {"scheme": "bearer", "token": value}}),
        ("auth.header.value", lambda value: {"auth": {"scheme": "header", "name": "x-key", "value": value}}),
        ("auth.hmac.keyId", lambda value: {"auth": {"scheme": "hmac", "key": "k", "keyId": value}}),
        ("headers.x-key", lambda value: {"headers": {"x-key": value}}),
        ("secretHeaders.x-key", lambda value: {"secretHeaders": {"x-key": value}}),
    ],
)
def test_what_can_be_no_header_s_value_is_refused_without_repeating_it(
    value: str, place: str, changes: Callable[[str], dict[str, Any]]
) -> None:
    with pytest.raises(ValidationError) as refused:
        Configuration.model_validate(configured("https://bank.example", **changes(value)))
    [told] = refused.value.errors(include_input=False, include_context=False)
    assert ".".join(str(part) for part in told["loc"]) == place
    assert told["msg"] == "Value error, it can be no header's value: printable ASCII, without a space at either end"
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "auth",
    [
        {"scheme": "hmac", "key": "k", "signaturePrefix": " HMAC "},
        {"scheme": "hmac", "key": "k", "signaturePrefix": "HMAC\n"},
        {"scheme": "hmac", "key": "k", "timestamp": {"form": "PATTERN", "pattern": "%Y%n"}},
        {"scheme": "rfc9421", "algorithm": "hmac-sha256", "key": "k", "keyId": "k\n"},
        {"scheme": "rfc9421", "algorithm": "hmac-sha256", "key": "k", "keyId": "k", "tag": "é"},
        {"scheme": "header", "name": "x key", "value": "k"},
        {"scheme": "header", "name": "x-key\n", "value": "k"},
    ],
)
def test_what_would_stand_in_no_header_is_refused(auth: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Configuration.model_validate(configured("https://bank.example", auth=auth))


@pytest.mark.parametrize("token", ["t-1\n", "t-1 ", "", "t-1é"])
async def test_a_token_that_can_be_no_header_s_value_is_none(
    server: Server, bank: Bank, authority: Authority, token: str
) -> None:
    authority.refuses = Reply(200, {"access_token": token, "expires_in": 60})
    partner = connected(server, auth={**OAUTH, "tokenUrl": f"{server.url}/oauth/token"})
    answer = await partner.perform(order())
    await partner.close()
    assert (answer.status, answer.message) == (Status.ABSENT, "The authorisation server's answer holds no token.")
    assert bank.orders == {}


def test_a_key_of_another_algorithm_is_refused() -> None:
    private, _ = keys("ecdsa-p256-sha256")
    auth = {"scheme": "rfc9421", "algorithm": "ed25519", "keyId": "k", "key": private}
    with pytest.raises(ValidationError, match="no private key of ed25519"):
        Configuration.model_validate(configured("https://bank.example", auth=auth))
