"""A partner as it might be: a bank whose points are asked for by orders, over the wire that the guide describes.

It does an order once, whatever is asked again, and answers what it did; refuses by codes; and lists its day.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.http_json import kind
from adapters.http_json.configuration import Configuration
from adapters.http_json.partner import HttpJsonPartner
from hub.partners import Operation, Order
from hub.points import parse
from tests.adapters.http_json.server import Reply, Request, Server

ORDER = {
    "reference": "{reference}", "operation": "{operation}", "member": "{member}", "amount": "{amount}",
    "unit": "{unit}", "of": "{of}",
}  # fmt: skip
ANSWER = {
    "status": "status",
    "statuses": {"SUCCEEDED": "SUCCEEDED", "REFUSED": "REFUSED", "PENDING": "PENDING"},
    "reference": "reference", "partnerReference": "partnerReference", "amount": "amount", "unit": "unit",
    "time": "at", "code": "code", "message": "message",
}  # fmt: skip
REASONS = ("INSUFFICIENT_POINTS", "NO_SUCH_MEMBER", "MEMBER_BLOCKED", "LIMIT_EXCEEDED", "INVALID_AMOUNT")
ERRORS: list[dict[str, Any]] = [
    *({"code": code, "action": "REFUSE", "reason": code} for code in REASONS),
    {"http": [503], "code": "BUSY", "action": "RETRY"},
    {"http": [409], "code": "CONFLICT", "action": "STOP"},
]
EVERYTHING = [operation.value for operation in Operation]


def configured(url: str, **changes: Any) -> dict[str, Any]:
    """The configuration that the guide shows, for a bank at ``url``."""
    return {
        "baseUrl": url,
        "allowPlainHttp": url.startswith("http:"),
        "unit": "MILES",
        "scale": 2,
        "orders": [{"operations": EVERYTHING, "call": {"method": "POST", "path": "/v1/orders", "body": ORDER}}],
        "answer": ANSWER,
        "errors": ERRORS,
        "status": {
            "call": {"method": "GET", "path": "/v1/orders/{reference}"},
            "absent": [{"http": [404], "code": "UNKNOWN_REFERENCE"}],
        },
        "lookup": {
            "fields": [
                {"name": "membershipNumber", "labels": {"en": "Membership number", "zh-CN": "会员号"}},
                {"name": "familyName", "labels": {"en": "Family name", "zh-CN": "姓"}, "required": False},
            ],
            "call": {
                "method": "GET",
                "path": "/v1/members",
                "query": {"membershipNumber": "{membershipNumber}", "familyName": "{familyName}"},
            },
            "member": "member", "available": "available", "maySpend": "maySpend", "mayEarn": "mayEarn",
            "absent": [{"http": [404], "code": "NO_SUCH_MEMBER"}],
        },
        "journal": {
            "call": {"method": "GET", "path": "/v1/journal/{day}", "query": {"after": "{cursor}"}},
            "entries": "entries",
            "next": "next",
            "entry": {
                "reference": "reference", "partnerReference": "partnerReference", "operation": "operation",
                "operations": {one: one for one in EVERYTHING}, "member": "member", "amount": "amount",
                "unit": "unit", "status": "status", "statuses": ANSWER["statuses"], "time": "at",
            },
        },
        "answersWithinS": 5,
        **changes,
    }  # fmt: skip


def connected(server: Server, **changes: Any) -> HttpJsonPartner:
    """The partner at a server; the caller closes it."""
    return kind.connect(Configuration.model_validate(configured(server.url, **changes)))


def order(reference: str = "PH-1-D", operation: Operation = Operation.DEBIT, **changes: Any) -> Order:
    usual: dict[str, Any] = {
        "reference": reference, "operation": operation, "member": "M-1", "amount": 12_345, "currency": "MILE",
        "scale": 2, "asked_at": datetime.now(UTC),
    }  # fmt: skip
    return Order(**{**usual, **changes})


@dataclass
class Bank:
    """``balances`` in hundredths; ``spoil``, if set, is asked before anything is answered, and after it was done."""

    balances: dict[str, int] = field(default_factory=lambda: {"M-1": 100_000})
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    page: int = 2
    spoil: Callable[[Request, Reply], Reply] | None = None

    def __call__(self, request: Request) -> Reply:
        reply = self._answer(request)
        return reply if self.spoil is None else self.spoil(request, reply)

    def _answer(self, request: Request) -> Reply:
        match request.method, request.path.split("/")[2:]:
            case "POST", ["orders"]:
                return self._order(request.json)
            case "GET", ["orders", reference]:
                known = self.orders.get(reference)
                return Reply(404, {"code": "UNKNOWN_REFERENCE"}) if known is None else Reply(200, known)
            case "GET", ["members"]:
                return self._member(request.query)
            case "GET", ["journal", day]:
                return self._journal(day, int(request.query.get("after", "0")))
        return Reply(404, {"code": "NO_SUCH_PATH"})

    def _order(self, asked: dict[str, Any]) -> Reply:
        known = self.orders.get(asked["reference"])
        if known is not None:
            same = all(known[name] == asked[name] for name in ("operation", "member", "amount", "unit"))
            return Reply(_http(known), known) if same else Reply(409, {"code": "CONFLICT"})
        amount = parse(asked["amount"], 2)
        sign = -1 if asked["operation"] == "DEBIT" else 1
        balance = self.balances.get(asked["member"])
        code = "NO_SUCH_MEMBER" if balance is None else "INSUFFICIENT_POINTS" if balance + sign * amount < 0 else "00"
        if code == "00":
            self.balances[asked["member"]] += sign * amount
        done = {
            **asked, "partnerReference": f"B-{len(self.orders) + 1}", "code": code, "message": "as you wish",
            "status": "SUCCEEDED" if code == "00" else "REFUSED", "at": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        self.orders[asked["reference"]] = done
        return Reply(_http(done), done)

    def _member(self, query: dict[str, str]) -> Reply:
        balance = self.balances.get(query["membershipNumber"])
        if balance is None:
            return Reply(404, {"code": "NO_SUCH_MEMBER"})
        available = f"{balance // 100}.{balance % 100:02}"
        found = {"member": query["membershipNumber"], "available": available, "maySpend": True, "mayEarn": False}
        return Reply(200, found)

    def _journal(self, day: str, after: int) -> Reply:
        today = [one for one in self.orders.values() if one["at"].startswith(day)]
        rest = after + self.page
        page = {"entries": today[after:rest], "next": str(rest) if rest < len(today) else None}
        return Reply(200, page)


def _http(done: dict[str, Any]) -> int:
    return 422 if done["status"] == "REFUSED" else 200
