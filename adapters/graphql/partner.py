"""Another hub as a partner: the port, on its API.

What a member gives goes to the reserve customer, and what it gets comes from there, so that no points are made or
burned there. Our reference is the idempotency key: whatever is sent again under it is answered as before and done once,
so an order whose outcome is unknown is sent again, and nothing else tells its status
(docs/decisions/0031-another-hub-is-asked-by-sending-again.md).
"""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from adapters.amounts import WrongAnswer
from adapters.graphql import answers, documents
from adapters.graphql.answers import NotAdmitted, Points
from adapters.graphql.configuration import Configuration
from adapters.http_json.configuration import Call
from adapters.http_json.credentials import BearerAuth
from adapters.http_json.wire import Broken, Heard, Line, NotSent, Wire
from adapters.orders import refused, units_of
from hub.partners import (
    FOLLOWING,
    Answer,
    Capabilities,
    Echo,
    Entry,
    Member,
    Operation,
    Order,
    PartnerUnavailable,
    Reason,
    Status,
    for_order,
)
from hub.points import render

PAGES_MAX: Final = 100_000  # of a day's statement
_MOVING: Final = frozenset({Operation.DEBIT, Operation.CREDIT, Operation.REVERSE})
_HOLDING: Final = frozenset({Operation.HOLD, Operation.CAPTURE, Operation.RELEASE})
_MEMO: Final = re.compile(r"order ([A-Z0-9-]{1,40}) of (.+)", re.DOTALL)
_LINES: Final = {  # of the reserve's statement: what it gets is what a member gave
    ("TRANSFER", "CREDIT"): Operation.DEBIT,
    ("TRANSFER", "DEBIT"): Operation.CREDIT,
    ("REVERSE", "CREDIT"): Operation.REVERSE,
    ("REVERSE", "DEBIT"): Operation.REVERSE,
}
_LOOKUP: Final = {
    "type": "object",
    "properties": {
        "reference": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "x-labels": {"en": "Member, card or telephone number", "zh-CN": "会员号、卡号或手机号"},
        }
    },
    "required": ["reference"],
    "additionalProperties": False,
}


class _Currency(msgspec.Struct, frozen=True):
    code: str


class _Balance(msgspec.Struct, frozen=True):
    available: str
    currency: _Currency


class _Customer(msgspec.Struct, frozen=True):
    reference: str
    balances: list[_Balance]


class _Movement(msgspec.Struct, frozen=True, rename="camel"):
    kind: str
    direction: str
    points: Points
    posted_at: datetime
    memo: str | None


class _Edge(msgspec.Struct, frozen=True):
    node: _Movement


class _PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    has_next_page: bool
    end_cursor: str | None


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    edges: list[_Edge]
    page_info: _PageInfo


class _Held(msgspec.Struct, frozen=True):
    points: Points


class HubPartner:
    """The other hub, connected. Nothing is kept of an order."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._capabilities = _capabilities(configuration)
        address = urlsplit(configuration.url)
        # Both places stand alone, so each becomes the value itself.
        self._call = Call(path=address.path, body={"query": "{query}", "variables": "{variables}"})
        self._wire = Wire(
            Line(
                base_url=f"{address.scheme}://{address.netloc}",
                auth=BearerAuth(scheme="bearer", token=configuration.key),
                tls=configuration.tls,
                connect_s=configuration.connect_s,
                answers_within_s=configuration.answers_within_s,
                answer_bytes_max=configuration.answer_bytes_max,
                connections_max=configuration.connections_max,
            )
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def perform(self, order: Order) -> Answer:
        """See ``Partner.perform``. ABSENT speaks of this sending: of an order that was sent before, nothing."""
        units = units_of(order, self._capabilities)
        if isinstance(units, Answer):
            return units
        if order.operation in FOLLOWING and order.partner_of is None:
            return Answer(status=Status.ABSENT, message="Nobody knows what the other hub calls the earlier order.")
        try:
            no = await self._not_whole(order, units)
            if no is not None:
                return no
            heard = await self._ask(documents.MUTATIONS[order.operation], {"input": self._input(order, units)})
        except NotSent as error:
            return Answer(status=Status.ABSENT, message=str(error), halts=error.halts)
        except (Broken, WrongAnswer) as error:
            return Answer(status=Status.UNKNOWN, message=str(error))
        except NotAdmitted as error:
            return answers.not_admitted(error)
        answer = answers.understood(
            heard, order.operation, self._configuration.scale, self._configuration.reserve.reference
        )
        return for_order(answer, order, self._capabilities)

    async def status(self, order: Order) -> Answer:
        """See ``Partner.status``: there is no question by our reference that would do nothing."""
        return Answer(status=Status.UNKNOWN, message="It is asked by sending the order again.")

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        """See ``Partner.lookup``."""
        configuration = self._configuration
        name = f"{configuration.member_prefix}{fields.get('reference', '')}"
        told = await self._look(
            documents.CUSTOMER, {"institution": configuration.institution, "reference": name}, _Customer | None
        )
        if told is None or not told.reference.startswith(configuration.member_prefix):
            return None
        held = [one.available for one in told.balances if one.currency.code == configuration.currency]
        try:
            available = answers.units(held[0], configuration.scale) if held else 0
        except WrongAnswer as error:
            raise PartnerUnavailable(str(error)) from None
        return Member(reference=told.reference.removeprefix(configuration.member_prefix), available=available)

    async def journal(self, day: date) -> AsyncIterator[Entry]:
        """See ``Partner.journal``: a day in UTC, from the reserve's statement, the newest first. Transfers of the
        reserve's that are none of our orders are listed without a reference and a member; what else befell it, such as
        points that were issued to it, is not."""
        configuration = self._configuration
        if not self._capabilities.journal:
            raise PartnerUnavailable("A statement has no holds, so it is no journal of them.")
        reserve = self._reserve()
        seen = await self._look(documents.CUSTOMER, reserve, _Customer | None)
        if seen is None or all(one.currency.code != configuration.currency for one in seen.balances):
            raise PartnerUnavailable("The reserve has nothing of the currency that this key may see.")
        start = datetime.combine(day, time(), UTC)
        asked: dict[str, Any] = {
            "customer": reserve,
            "currency": configuration.currency,
            "from": _instant(start),
            "until": _instant(start + timedelta(days=1)),
        }
        for _ in range(PAGES_MAX):
            page = await self._look(documents.STATEMENT, asked, _Page)
            for edge in page.edges:
                entry = self._entry(edge.node)
                if entry is not None:
                    yield entry
            cursor = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return
            if cursor is None or cursor == asked.get("after"):
                raise PartnerUnavailable("The statement's pages lead nowhere.")
            asked["after"] = cursor
        raise PartnerUnavailable("The statement has no end.")

    async def close(self) -> None:
        await self._wire.close()

    def _input(self, order: Order, units: int) -> dict[str, Any]:
        """The mutation's input; the same however often the order is sent, as a key has one request for ever."""
        configuration = self._configuration
        amount = render(units, configuration.scale)
        reserve, member = self._reserve(), self._member(order)
        key, memo = order.reference, f"order {order.reference} of {order.member}"
        match order.operation:
            case Operation.DEBIT | Operation.CREDIT:
                giver, taker = (member, reserve) if order.operation is Operation.DEBIT else (reserve, member)
                ends = {"from": giver, "to": taker}
                return ends | {
                    "idempotencyKey": key,
                    "currency": configuration.currency,
                    "amount": amount,
                    "memo": memo,
                }
            case Operation.REVERSE:
                return {"idempotencyKey": key, "id": order.partner_of, "amount": amount, "reason": memo}
            case Operation.HOLD:
                until = _instant(order.asked_at + timedelta(days=configuration.hold_days))
                what = {"currency": configuration.currency, "customer": member, "amount": amount}
                return what | {"idempotencyKey": key, "expiresAt": until, "memo": memo}
            case Operation.CAPTURE:
                return {"idempotencyKey": key, "holdId": order.partner_of, "amount": amount, "to": reserve}
            case Operation.RELEASE:
                return {"idempotencyKey": key, "holdId": order.partner_of}

    async def _not_whole(self, order: Order, units: int) -> Answer | None:
        """The refusal of an order for a part of a hold, or for more; None: it is for all of it, or for no hold.

        A hold is resolved once, and what of it is not captured is free again; so there are no parts.

        Raises:
            NotSent, Broken, WrongAnswer, NotAdmitted: the hold could not be looked at.
        """
        if order.operation not in (Operation.CAPTURE, Operation.RELEASE):
            return None
        told = answers.found(await self._ask(documents.HOLD, {"id": order.partner_of}))
        if told is None:
            raise WrongAnswer("It shows no such hold.")
        whole = answers.units(answers.convert(told, _Held).points.amount, self._configuration.scale)
        if units > whole:
            return refused(Reason.EXCEEDS_ORIGINAL, "It holds less.")
        return refused(Reason.NOT_SUPPORTED, "It resolves holds as a whole.") if units < whole else None

    def _member(self, order: Order) -> dict[str, str]:
        configuration = self._configuration
        return {
            "institution": configuration.institution,
            "reference": f"{configuration.member_prefix}{order.member}",
        }

    def _reserve(self) -> dict[str, str]:
        configuration = self._configuration
        return {"institution": configuration.reserve_institution, "reference": configuration.reserve.reference}

    def _entry(self, line: _Movement) -> Entry | None:
        operation = _LINES.get((line.kind, line.direction))
        if operation is None:
            return None
        ours = _MEMO.fullmatch(line.memo or "")
        try:
            amount = answers.units(line.points.amount, self._configuration.scale)
        except WrongAnswer as error:
            raise PartnerUnavailable(str(error)) from None
        return Entry(
            reference=None if ours is None else ours[1],
            partner_reference=None,
            operation=operation,
            member="" if ours is None else ours[2],
            amount=amount,
            unit=line.points.currency,
            status=Status.SUCCEEDED,
            at=line.posted_at,
        )

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> Heard:
        raw = msgspec.Raw(msgspec.json.encode(variables))
        return await self._wire.ask(self._call, {"query": query, "variables": raw})

    async def _look(self, query: str, variables: Mapping[str, Any], to: Any) -> Any:
        """What a question that does nothing finds."""
        try:
            return answers.convert(answers.found(await self._ask(query, variables)), to)
        except (NotSent, Broken, WrongAnswer, NotAdmitted) as error:
            raise PartnerUnavailable(str(error)) from error


def _capabilities(configuration: Configuration) -> Capabilities:
    return Capabilities(
        operations=_MOVING | _HOLDING if configuration.holds else _MOVING,
        partial=frozenset({Operation.REVERSE}),
        unit=configuration.currency,
        scale=configuration.scale,
        status=False,
        journal=not configuration.holds,
        lookup=_LOOKUP,
        echoes=frozenset({Echo.PARTNER_REFERENCE, Echo.AMOUNT, Echo.UNIT}),
        minimum=configuration.units_min,
        maximum=configuration.units_max,
        answers_within_s=configuration.answers_within_s,
    )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
