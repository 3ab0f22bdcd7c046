"""Answers and callbacks are believed if they prove that they are the partner's, and of now."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
from http_message_signatures.httpx2 import adapt_message
from pydantic import ValidationError

from adapters.http_json import kind
from adapters.http_json.configuration import Configuration
from adapters.http_json.partner import HttpJsonPartner
from hub.partners import Answer, Listener, Message, NotProven, Reason, Status, for_order, judge
from tests.adapters.http_json.bank import Bank, configured, connected, order
from tests.adapters.http_json.server import Reply, Request, Server
from tests.adapters.http_json.test_credentials import keys

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DONE = {
    "reference": "PH-1-D", "partnerReference": "B-1", "operation": "DEBIT", "member": "M-1", "amount": "123.45",
    "unit": "MILES", "status": "SUCCEEDED", "code": "00", "at": "2026-03-01T11:59:58Z",
}  # fmt: skip
HMAC = {"scheme": "hmac", "key": "theirs"}


async def listening(**callbacks: Any) -> AsyncIterator[HttpJsonPartner]:
    partner = kind.connect(Configuration.model_validate(configured("https://bank.example", callbacks=callbacks)))
    yield partner
    await partner.close()


@pytest.fixture
async def partner() -> AsyncIterator[HttpJsonPartner]:
    async for one in listening(proof=HMAC):
        yield one


def called(body: object = DONE, at: datetime = NOW, key: str = "theirs", **changes: Any) -> Message:
    """What the partner sends, signed for ``at``."""
    octets = body if isinstance(body, bytes) else msgspec.json.encode(body)
    stamp = str(int(at.timestamp()))
    told = f"{stamp}.POST./callbacks/MILE?x=1.".encode() + octets
    signature = hmac.new(key.encode(), told, hashlib.sha256).hexdigest()
    headers = (("host", "hub.example"), ("x-timestamp", stamp), ("x-signature", signature))
    return msgspec.structs.replace(Message("POST", "/callbacks/MILE?x=1", headers, octets), **changes)


async def test_a_callback_tells_what_became_of_an_order(partner: HttpJsonPartner) -> None:
    assert isinstance(partner, Listener)
    reference, answer = partner.understand(called(), NOW)
    assert reference == "PH-1-D"
    asked = order(asked_at=NOW - timedelta(minutes=1))
    judged = judge(asked, for_order(answer, asked, partner.capabilities), partner.capabilities, NOW)
    assert (judged.incident, judged.answer.status, judged.answer.amount) == (None, Status.SUCCEEDED, 12_345)


async def test_the_same_callback_again_says_the_same(partner: HttpJsonPartner) -> None:
    assert partner.understand(called(), NOW) == partner.understand(called(), NOW + timedelta(minutes=4))


@pytest.mark.parametrize(
    "message",
    [
        called(key="ours"),
        called(method="PUT"),
        called(path="/callbacks/CARD?x=1"),
        called(body=msgspec.json.encode(DONE), headers=()),
        called(headers=(*called().headers, ("x-signature", "00"))),
        msgspec.structs.replace(called(), body=msgspec.json.encode({**DONE, "amount": "999.99"})),
        called(at=NOW - timedelta(seconds=301)),
        called(at=NOW + timedelta(seconds=301)),
        called(body=b"{"),
        called(body=msgspec.json.encode(DONE)[:-1] + b',"status":"REFUSED"}'),
        called(body=[DONE]),
        called(body={**DONE, "reference": None}),
    ],
)
async def test_what_is_not_proven_or_says_nothing_is_refused(partner: HttpJsonPartner, message: Message) -> None:
    with pytest.raises(NotProven):
        partner.understand(message, NOW)


@pytest.mark.parametrize("late", [-300, 300])
async def test_a_callback_of_the_edge_of_the_window_is_heard(partner: HttpJsonPartner, late: int) -> None:
    assert partner.understand(called(at=NOW + timedelta(seconds=late)), NOW)[0] == "PH-1-D"


async def test_a_partner_that_does_not_call_is_not_heard() -> None:
    made = kind.connect(Configuration.model_validate(configured("https://bank.example")))
    with pytest.raises(NotProven):
        made.understand(called(), NOW)
    await made.close()


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"status": "REFUSED", "code": "MEMBER_BLOCKED"}, Status.REFUSED, Reason.MEMBER_BLOCKED),
        ({"status": "REFUSED", "code": "E-1"}, Status.REFUSED, Reason.OTHER),
        ({"status": "PENDING"}, Status.PENDING, None),
        ({"status": "SUCCEEDED", "code": "MEMBER_BLOCKED"}, Status.UNKNOWN, None),
        ({"status": "", "code": "BUSY"}, Status.UNKNOWN, None),
        ({"amount": 123.45}, Status.UNKNOWN, None),
    ],
)
async def test_a_callback_is_read_like_an_answer(
    partner: HttpJsonPartner, changes: dict[str, Any], status: Status, reason: Reason | None
) -> None:
    _, answer = partner.understand(called({**DONE, **changes}), NOW)
    assert (answer.status, answer.reason) == (status, reason)


async def test_amounts_of_callbacks_are_made_the_currencys() -> None:
    """123.45 of the partner's are no whole points; 123.00 are 123."""
    async for partner in listening(proof=HMAC):
        capabilities = partner.capabilities
        asked = order(amount=123, scale=0)
        _, uneven = partner.understand(called(), NOW)
        _, even = partner.understand(called({**DONE, "amount": "123.00"}), NOW)
        assert for_order(uneven, asked, capabilities).status is Status.UNKNOWN
        assert for_order(even, asked, capabilities).amount == 123
        silent = Answer(status=Status.PENDING)
        assert for_order(silent, asked, capabilities) is silent


def test_a_proof_that_leaves_out_the_time_or_the_body_is_refused() -> None:
    for message in ("{body}", "{timestamp}"):
        callbacks = {"proof": {**HMAC, "message": message}}
        with pytest.raises(ValidationError, match="it has to cover"):
            Configuration.model_validate(configured("https://bank.example", callbacks=callbacks))


# --- RFC 9421 ---------------------------------------------------------------------------------------------------------


def signer(key_id: str = "bank-1") -> HTTPMessageSigner:
    resolver = MappingKeyResolver(public_keys={}, private_keys={key_id: keys("ed25519")[0].encode()})
    return HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=resolver)


def verification(**changes: Any) -> dict[str, Any]:
    public = keys("ed25519")[1]
    return {"scheme": "rfc9421", "algorithm": "ed25519", "keyId": "bank-1", "key": public, **changes}


def signed(
    at: datetime = NOW,
    covered: tuple[str, ...] = ("@method", "@path"),
    body: bytes | None = None,
    key_id: str = "bank-1",
) -> Message:
    octets = msgspec.json.encode(DONE) if body is None else body
    request = httpx2.Request("POST", "https://hub.example/callbacks/MILE", content=octets)
    signer(key_id).sign(adapt_message(request), key_id=key_id, created=at, covered_component_ids=covered, body=octets)
    headers = tuple((name.lower(), value) for name, value in request.headers.items())
    return Message("POST", "/callbacks/MILE", headers, octets)


async def test_a_callback_may_be_signed_by_rfc_9421() -> None:
    async for partner in listening(proof=verification()):
        assert partner.understand(signed(), NOW)[0] == "PH-1-D"
        for wrong in (
            signed(at=NOW - timedelta(seconds=301)),
            signed(covered=("@method",)),
            signed(key_id="bank-2"),
            msgspec.structs.replace(signed(), path="/callbacks/CARD"),
            msgspec.structs.replace(signed(), method="PUT"),
            msgspec.structs.replace(signed(), body=msgspec.json.encode({**DONE, "amount": "999.99"})),
            msgspec.structs.replace(signed(), headers=(("host", "hub.example"),)),
            msgspec.structs.replace(signed(), path="no path", headers=(("host", "[::"),)),
        ):
            with pytest.raises(NotProven):
                partner.understand(wrong, NOW)
    async for partner in listening(proof=verification(components=["@authority"])):
        assert partner.understand(signed(covered=("@method", "@path", "@authority")), NOW)[0] == "PH-1-D"
        with pytest.raises(NotProven):
            partner.understand(signed(), NOW)


class SigningBank:
    """Signs its answers, as long as it is in the mood to."""

    def __init__(self, bank: Bank) -> None:
        self.signs, self.at, self.tampers = True, timedelta(0), False
        self.covered: tuple[str, ...] = ("@status",)
        bank.spoil = self._sign

    def _sign(self, request: Request, done: Reply) -> Reply:
        octets = msgspec.json.encode(done.body)
        if not self.signs:
            return done
        response = httpx2.Response(done.status, content=octets, request=httpx2.Request("GET", "https://bank.example/"))
        signer().sign(
            adapt_message(response),
            key_id="bank-1",
            created=datetime.now(UTC) + self.at,
            covered_component_ids=self.covered,
            body=octets,
        )
        names = ("signature", "signature-input", "content-digest")
        told = {name: response.headers[name] for name in names}
        return Reply(done.status, octets.replace(b"123.45", b"123.54") if self.tampers else octets, told)


async def test_only_signed_answers_are_believed_where_that_is_configured(server: Server, bank: Bank) -> None:
    signing = SigningBank(bank)
    partner = connected(server, verifyAnswers=verification())
    assert (await partner.perform(order("PH-1"))).status is Status.SUCCEEDED
    assert (await partner.status(order("PH-2"))).status is Status.ABSENT
    spoiled: list[tuple[str, object]] = [
        ("signs", False), ("at", timedelta(seconds=-400)), ("tampers", True), ("covered", ()),
    ]  # fmt: skip
    for name, value in spoiled:
        before = getattr(signing, name)
        setattr(signing, name, value)
        assert (await partner.perform(order(f"PH-{name}"))).status is Status.UNKNOWN, name
        setattr(signing, name, before)
    # Whoever sits between could say "busy" or "never heard of it" as well.
    signing.signs = False
    bank.spoil, spoil = (lambda request, done: Reply(503, {"code": "BUSY"})), bank.spoil
    assert (await partner.perform(order("PH-3"))).status is Status.UNKNOWN
    bank.spoil = spoil
    assert (await partner.status(order("PH-4"))).status is Status.UNKNOWN
    await partner.close()
