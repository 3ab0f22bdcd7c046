from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from typing import Any

import httpx2
from pydantic import BaseModel

from hub import partners
from hub.errors import InvalidAmount
from hub.partners import Answer, Echo, Entry, Member, Operation, Order, PartnerUnavailable, Reason, Status
from hub.points import parse

LABELS = {"membershipNumber": ("Membership number", "会员号"), "familyName": ("Family name", "姓")}
FIELDS = {name: {"type": "string", "x-labels": {"en": en, "zh-CN": zh}} for name, (en, zh) in LABELS.items()}
LOOKUP = {"type": "object", "properties": FIELDS, "required": list(FIELDS)}
CAN: Any = {"operations": frozenset(Operation), "partial": partners.FOLLOWING, "echoes": frozenset(Echo)}


class Configuration(BaseModel):
    url: str


class Airline:
    def __init__(self, configuration: Configuration) -> None:
        self.capabilities = partners.Capabilities(unit="MILES", scale=2, journal=True, lookup=LOOKUP, **CAN)
        self.client = httpx2.AsyncClient(base_url=configuration.url, timeout=5)

    async def perform(self, order: Order) -> Answer:
        asked = {"reference": order.reference, "operation": order.operation, "member": order.member, "of": order.of}
        return await self.ask((503, "BUSY"), "POST", "/v1/orders", {**asked, "amount": order.decimal, "unit": "MILES"})

    async def status(self, order: Order) -> Answer:
        return await self.ask((404, "UNKNOWN_REFERENCE"), "GET", f"/v1/orders/{order.reference}")

    async def ask(self, absent: tuple[int, str], method: str, path: str, body: Any = None) -> Answer:
        try:
            answer = await self.client.request(method, path, json=body)
            told = answer.json()
            if answer.status_code in (200, 422):
                reason = Reason(told["code"]) if told["status"] == Status.REFUSED else None
                return Answer(**known(told), reason=reason, code=told["code"], message=told["message"])
            return Answer(status=Status.ABSENT if (answer.status_code, told["code"]) == absent else Status.UNKNOWN)
        except (httpx2.HTTPError, InvalidAmount, KeyError, TypeError, ValueError) as error:
            return Answer(status=Status.UNKNOWN, message=repr(error))

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        told = await self.get("/v1/members", dict(fields))
        return told and Member(reference=told["member"], available=parse(told["available"], 2))

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        page: Any = {"next": ""}
        while page["next"] is not None:
            page = await self.get(f"/v1/journal/{day}", {"after": page["next"]} if page["next"] else {})
            for told in page["entries"]:
                yield Entry(**known(told), operation=Operation(told["operation"]), member=told["member"])

    async def get(self, path: str, query: Mapping[str, str]) -> Any:
        try:
            answer = await self.client.get(path, params=query)
            return None if answer.status_code == 404 else answer.raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise PartnerUnavailable from error

    async def close(self) -> None:
        await self.client.aclose()


def known(told: Any) -> dict[str, Any]:
    amount, at, status = parse(told["amount"], 2), datetime.fromisoformat(told["at"]), Status(told["status"])
    mine = {"reference": told["reference"], "partner_reference": told["partnerReference"], "unit": told["unit"]}
    return {**mine, "amount": amount, "at": at, "status": status}


class AirlineKind:
    configuration = Configuration
    connect = Airline


kind = AirlineKind()
