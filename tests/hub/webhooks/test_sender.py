"""The sender: where it connects, whose certificate it accepts, and how much of an endpoint it puts up with."""

import asyncio
import datetime
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standardwebhooks import Webhook

from hub.webhooks.endpoints import new_secret
from hub.webhooks.sender import Sender, signed
from tests.hub.webhooks.conftest import LOOPBACK
from tests.hub.webhooks.receiver import Received, receiving


def to(*addresses: str, asked: list[str] | None = None) -> "Resolver":
    return Resolver(addresses, [] if asked is None else asked)


class Resolver:
    """Answers with addresses, and notes which hosts were asked for."""

    def __init__(self, addresses: Sequence[str], asked: list[str]) -> None:
        self.addresses, self.asked = addresses, asked

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(f"{host}:{port}")
        return self.addresses


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side with a certificate for ``name``, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    file = folder / "server.pem"
    file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


def test_a_body_is_signed_as_the_specification_has_it() -> None:
    """One signature computed by another program, and two as they stand side by side."""
    old, fresh = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", new_secret()
    body = b'{"test": 2432232314}'
    then = datetime.datetime.fromtimestamp(1614265330, datetime.UTC)
    headers = signed([old], "msg_p5jXN8AQM9LWM0D4loKWxJek", then, body)
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # by openssl
    now = datetime.datetime.now(datetime.UTC)
    both = signed([fresh, old], "we_1", now, body)
    request = Received("/", both, body)
    assert request.signatures == [request.signature_of(fresh), request.signature_of(old)]
    for secret in (fresh, old):
        assert Webhook(secret).verify(body, both) == {"test": 2432232314}


async def test_what_is_answered_with_success_is_taken_in() -> None:
    async with receiving() as receiver:
        sender = Sender(LOOPBACK, plain=True)
        answer = await sender.send(receiver.url, {"webhook-id": "we_1"}, b"{}")
        await sender.close()
    assert (answer.status, answer.error, answer.is_success) == (204, None, True)
    [request] = receiver.received
    assert (request.path, request.id, request.body) == ("/hook", "we_1", b"{}")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_an_address_inside_is_not_connected_to(address: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.rsplit(":", 1)[1]
        sender = Sender(plain=True, resolve=to(address))
        answer = await sender.send(f"http://partner.example:{port}", {}, b"{}")
        await sender.close()
    assert (answer.status, answer.error) == (None, "The host has an address that is not public.")
    assert receiver.received == []


async def test_one_address_inside_among_public_ones_is_enough_to_refuse() -> None:
    sender = Sender(LOOPBACK, plain=True, resolve=to("127.0.0.1", "10.0.0.1"))
    async with receiving() as receiver:
        answer = await sender.send(receiver.url, {}, b"{}")
    await sender.close()
    assert answer.error == "The host has an address that is not public."
    assert receiver.received == []


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    """A name that would be resolved again could be another: here it could not be resolved at all."""
    asked: list[str] = []
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        sender = Sender(LOOPBACK, plain=True, resolve=to("127.0.0.1", asked=asked))
        answer = await sender.send(f"http://partner.invalid:{port}/in", {}, b"{}")
        await sender.close()
    assert answer.is_success
    assert asked == [f"partner.invalid:{port}"]
    assert receiver.received[0].headers["host"] == f"partner.invalid:{port}"


async def test_the_certificate_is_held_to_the_host_s_name(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "partner.invalid")
    async with receiving(tls=server) as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        sender = Sender(LOOPBACK, resolve=to("127.0.0.1"), trust=trusting)
        right = await sender.send(f"https://partner.invalid:{port}/in", {}, b"{}")
        wrong = await sender.send(f"https://other.invalid:{port}/in", {}, b"{}")
        await sender.close()
    assert right.is_success, right
    assert wrong.status is None
    assert "certificate" in str(wrong.error).lower()
    assert len(receiver.received) == 1


async def test_another_address_is_tried_where_one_does_not_listen() -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        sender = Sender(LOOPBACK, plain=True, resolve=to("127.0.0.9", "127.0.0.1"))
        assert (await sender.send(f"http://partner.invalid:{port}/in", {}, b"{}")).is_success
        await sender.close()
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:1/", "The URL is not https."),
        ("ftp://127.0.0.1:1/", "The URL is not https."),
        ("https:///path", "The URL has no host."),
        ("https://10.0.0.1/", "The host has an address that is not public."),
        ("https://[::1]/", "The host has an address that is not public."),
    ],
)
async def test_what_cannot_be_sent_says_why(url: str, error: str) -> None:
    sender = Sender(resolve=to(str(urlsplit(url).hostname)))
    answer = await sender.send(url, {}, b"{}")
    await sender.close()
    assert (answer.status, answer.error) == (None, error)


async def test_what_a_library_says_of_a_request_is_not_told() -> None:
    sender = Sender(LOOPBACK, plain=True, resolve=to("127.0.0.1"))
    answer = await sender.send("http://partner.invalid:1/in", {"webhook-signature": "s3cr3t\n"}, b"{}")
    assert answer.error == "There is no connection: All connection attempts failed."
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        answer = await sender.send(f"http://partner.invalid:{port}/in", {"webhook-signature": "s3cr3t\n"}, b"{}")
    await sender.close()
    assert answer.error == "The request failed (LocalProtocolError)."


async def test_a_host_without_an_address_says_so() -> None:
    sender = Sender(resolve=to())
    assert (await sender.send("https://partner.invalid/", {}, b"{}")).error == "The host has no address."
    await sender.close()


async def test_redirects_are_not_followed() -> None:
    async with receiving() as other, receiving(lambda _: 307, extra=f"location: {other.url}\r\n") as receiver:
        sender = Sender(LOOPBACK, plain=True)
        answer = await sender.send(receiver.url, {}, b"{}")
        await sender.close()
    assert (answer.status, answer.error) == (307, "307:")
    assert other.received == []


async def test_of_an_answer_only_the_beginning_is_kept() -> None:
    async with receiving(lambda _: 500, text=b"\x00no\n" + b"x" * 100_000) as receiver:
        sender = Sender(LOOPBACK, plain=True)
        answer = await sender.send(receiver.url, {}, b"{}")
        await sender.close()
    assert answer.status == 500
    assert answer.error == "500:  no " + "x" * 191  # 200 characters in all


async def test_an_endpoint_that_does_not_answer_is_given_up() -> None:
    never = asyncio.Event()
    async with receiving(lambda _: never.wait()) as receiver:
        sender = Sender(LOOPBACK, plain=True, seconds_max=1)
        answer = await sender.send(receiver.url, {}, b"{}")
        await sender.close()
    assert (answer.status, answer.error) == (None, "No answer within 1 seconds.")


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), ("999999999", 86_400), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
async def test_an_endpoint_may_ask_to_be_left_alone_for_a_day_at_most(header: str, seconds: int | None) -> None:
    async with receiving(lambda _: 503, extra=f"retry-after: {header}\r\n") as receiver:
        sender = Sender(LOOPBACK, plain=True)
        answer = await sender.send(receiver.url, {}, b"{}")
        await sender.close()
    assert answer.wait == (None if seconds is None else datetime.timedelta(seconds=seconds))
