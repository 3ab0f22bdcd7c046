"""The guide's example is one: a configuration that is accepted, and with which a bank is spoken to."""

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import msgspec

from adapters.http_json import kind
from adapters.http_json.configuration import Configuration
from hub.partners import Operation, Reason, Status
from tests.adapters.http_json.bank import Bank, order
from tests.adapters.http_json.server import Reply, Request, Server

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "connect-a-partner.md"


def example() -> dict[str, Any]:
    [text, *_] = re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.S)
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


async def test_the_example_speaks_to_a_bank(server: Server, bank: Bank) -> None:
    told = {**example(), "baseUrl": server.url, "allowPlainHttp": True}
    partner = kind.connect(Configuration.model_validate(told))
    key = told["auth"]["key"].encode()

    def opens(request: Request, done: Reply) -> Reply:
        signed = f"{request.headers['x-timestamp']}.{request.method}.{request.target}.".encode() + request.body
        right = hmac.new(key, signed, hashlib.sha256).hexdigest()
        return done if request.headers["x-signature"] == right else Reply(401, {})

    bank.spoil = opens
    try:
        assert partner.capabilities.operations == set(Operation)
        assert (await partner.perform(order())).status is Status.SUCCEEDED
        assert (await partner.perform(order("PH-2", member="M-9"))).reason is Reason.NO_SUCH_MEMBER
        assert (await partner.status(order("PH-3"))).status is Status.ABSENT
        assert await partner.lookup({"membershipNumber": "M-9"}) is None
    finally:
        await partner.close()


def test_every_scheme_of_the_guide_is_one() -> None:
    schemes = set(re.findall(r'^\| `\{"scheme": "([a-z0-9]+)"', GUIDE.read_text(), re.M))
    auth = Configuration.model_json_schema()["properties"]["auth"]["discriminator"]["mapping"]
    assert schemes == set(auth)
