"""The simulator's HTTP interface.

    POST /v1/orders                 do an order                    GET /v1/orders/{reference}     what has become of it
    GET  /v1/members                find a member                  GET /v1/journal/{day}          what was done on a day
    POST /oauth/token               a token, under OAuth 2
    POST /sandbox/script            misbehave                      DELETE /sandbox/script         behave
    POST /sandbox/members           enroll or change a member      GET /sandbox/members/{member}  its balance
    POST /sandbox/night             do what is pending             GET /sandbox/state             what the page shows
    GET  /                          the page

Everything under ``/v1`` is authenticated; the sandbox is for whoever can reach it, so it listens on loopback unless it
is told otherwise. What is not understood is answered with a code, a sentence and the field.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.simulator.authentication import Authentication, Sent
from adapters.simulator.chores import Chores
from adapters.simulator.orders import Order
from adapters.simulator.problems import (
    Broken,
    Busy,
    MissingField,
    NoSuchMember,
    Problem,
    UnknownReference,
    WrongType,
    WrongValue,
)
from adapters.simulator.reading import Body
from adapters.simulator.rules import Member, Programme, read_order
from adapters.simulator.script import LABELS, MAGIC, Behaviour, Play, Question, read_script
from adapters.simulator.signatures import SignedAnswers
from adapters.simulator.store import Store
from hub.errors import InvalidAmount
from hub.partners import Operation, Reason, Status
from hub.points import AMOUNT_MAX, parse, render

BODY_BYTES_MAX = 65_536
SILENCE_S_MAX = 120  # how long a client is left waiting for an answer that never comes
SHOWN = 50
_PAGE = Path(__file__).parent / "page"
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

Answering = Callable[[Request], Awaitable[Response]]


def create_app(
    store: Store,
    authentication: Authentication,
    callback_url: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Starlette:
    """The application over a store. Its server puts each connection's transport into ``state``, to be cut."""
    chores = Chores(store, authentication, callback_url, clock)
    partner, sandbox = _Partner(store, authentication, chores), _Sandbox(store, authentication, chores, callback_url)

    @asynccontextmanager
    async def working(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(chores.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def route(path: str, method: str, answering: Answering) -> Route:
        return Route(path, answering, methods=[method])

    return Starlette(
        routes=[
            route("/v1/orders", "POST", partner.order),
            route("/v1/orders/{reference}", "GET", partner.status),
            route("/v1/members", "GET", partner.lookup),
            route("/v1/journal/{day}", "GET", partner.journal),
            route("/oauth/token", "POST", partner.token),
            route("/sandbox/script", "POST", sandbox.script),
            route("/sandbox/script", "DELETE", sandbox.behave),
            route("/sandbox/members", "POST", sandbox.enroll),
            route("/sandbox/members/{member}", "GET", sandbox.member),
            route("/sandbox/night", "POST", sandbox.night),
            route("/sandbox/state", "GET", sandbox.state),
            route("/", "GET", _page),
            route("/{file}", "GET", _page),
        ],
        middleware=[Middleware(SignedAnswers, signatures)] if (signatures := authentication.signatures) else [],
        exception_handlers={Problem: _explain, HTTPException: _no_such_place},
        lifespan=working,
    )


async def _explain(request: Request, problem: Exception) -> Response:
    if not isinstance(problem, Problem):
        raise problem
    told = {"code": problem.code, "message": str(problem)}
    return JSONResponse(told | ({"field": problem.field} if problem.field else {}), problem.http)


async def _no_such_place(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else 500)
    told = f"{request.method} {request.url.path} is nothing here; the page at / and the guide say what there is."
    return JSONResponse({"code": status.name, "message": told}, status)


class _Partner:
    """What the hub asks of a partner."""

    def __init__(self, store: Store, authentication: Authentication, chores: Chores) -> None:
        self._store = store
        self._authentication = authentication
        self._chores = chores

    async def order(self, request: Request) -> Response:
        asked = read_order(await self._authentic(request), self._store.programme)
        performed = self._store.perform(asked)
        self._chores.wake()
        play, order = performed.play, performed.order
        if play is not None and (other := await _misbehave(request, play)) is not None:
            return other
        if order is None:
            raise Broken
        body = order.body(self._store.programme.unit) | _lies(order, play, self._store.programme)
        return JSONResponse(body, 422 if order.status == Status.REFUSED else 200)

    async def status(self, request: Request) -> Response:
        await self._authentic(request)
        if (other := await self._played(request, Question.STATUS)) is not None:
            return other
        order = self._store.find(request.path_params["reference"])
        if order is None:
            raise UnknownReference
        return JSONResponse(order.body(self._store.programme.unit))

    async def lookup(self, request: Request) -> Response:
        await self._authentic(request)
        number, name = (_query(request, field) for field in ("membershipNumber", "familyName"))
        if (other := await self._played(request, Question.LOOKUP, number)) is not None:
            return other
        member = self._store.member(number)
        if member is None or member.family_name.casefold() != name.strip().casefold():
            raise NoSuchMember("Both the number and the family name have to fit.")
        return JSONResponse(_told(member, self._store.programme))

    async def journal(self, request: Request) -> Response:
        await self._authentic(request)
        if (other := await self._played(request, Question.JOURNAL)) is not None:
            return other
        day, after = request.path_params["day"], request.query_params.get("after", "0")
        try:
            date.fromisoformat(day)
        except ValueError:
            raise WrongValue("The day is written like 2026-01-31.", "day") from None
        if len(day) != 10 or not (after.isascii() and after.isdigit() and len(after) < 19):
            raise WrongValue("'after' is what 'next' was.", "after")
        orders, more = self._store.journal(day, int(after))
        unit = self._store.programme.unit
        return JSONResponse(
            {"entries": [order.body(unit) for order in orders], "next": None if more is None else str(more)}
        )

    async def token(self, request: Request) -> Response:
        return JSONResponse(self._authentication.token(await _sent(request)), headers={"cache-control": "no-store"})

    async def _authentic(self, request: Request) -> bytes:
        sent = await _sent(request)
        self._authentication.check(sent)
        return sent.body

    async def _played(self, request: Request, question: Question, member: str | None = None) -> Response | None:
        play = self._store.scripts.play_question(question, member)
        return None if play is None else await _misbehave(request, play)


class _Sandbox:
    """What only a person who tries something asks."""

    def __init__(self, store: Store, authentication: Authentication, chores: Chores, callback_url: str | None) -> None:
        self._store = store
        self._authentication = authentication
        self._chores = chores
        self._callback_url = callback_url

    async def script(self, request: Request) -> Response:
        script = read_script(await _json(request))
        return JSONResponse({"id": self._store.scripts.add(script)}, 201)

    async def behave(self, request: Request) -> Response:
        self._store.scripts.clear()
        return Response(status_code=204)

    async def enroll(self, request: Request) -> Response:
        body, programme = Body(await _json(request)), self._store.programme
        reference, name, available = body.text("member"), body.maybe("familyName", str), body.text("available")
        flags = {field: body.maybe(name, bool) for name, field in (("maySpend", "may_spend"), ("mayEarn", "may_earn"))}
        body.end()
        try:
            units = parse(available, programme.scale)
        except InvalidAmount:
            units = -1
        if not 0 <= units <= AMOUNT_MAX:
            raise WrongValue(f"'available' is from 0, with at most {programme.scale} decimals.", "available")
        allowed = {field: flag is not False for field, flag in flags.items()}
        return JSONResponse(_told(self._store.set_member(reference, name or "Li", units, **allowed), programme))

    async def member(self, request: Request) -> Response:
        member = self._store.member(request.path_params["member"])
        if member is None:
            raise NoSuchMember
        return JSONResponse(_told(member, self._store.programme))

    async def night(self, request: Request) -> Response:
        done = self._store.night()
        self._chores.wake()
        return JSONResponse({"done": done})

    async def state(self, request: Request) -> Response:
        programme = self._store.programme
        orders, incidents, callbacks = self._store.latest(SHOWN)
        return JSONResponse(
            {
                "programme": {
                    "unit": programme.unit,
                    "scale": programme.scale,
                    "nightly": programme.nightly,
                    "magic": programme.magic,
                    "authentication": self._authentication.scheme.value,
                    "callbacks": self._callback_url,
                    "operations": [operation.value for operation in Operation if operation in programme.operations],
                },
                "members": [_told(member, programme) for member in self._store.members()],
                "orders": [order.body(programme.unit) | {"of": order.of, "dueAt": order.due_at} for order in orders],
                "scripts": [
                    {
                        "left": left,
                        "behaviour": script.play.behaviour.value,
                        "reason": script.play.reason,
                        "ms": script.play.ms,
                        "member": script.member,
                        "operation": script.operation,
                    }
                    for _, left, script in self._store.scripts.standing()
                ],
                "incidents": incidents,
                "callbacks": callbacks,
                "behaviours": [{"name": behaviour.value, "en": en, "zh": zh} for behaviour, (en, zh) in LABELS.items()],
                "reasons": [reason.value for reason in Reason],
                "targets": [*(operation.value for operation in Operation), *(question.value for question in Question)],
                "magic": [
                    {"digits": digits, "behaviour": play.behaviour.value, "reason": play.reason}
                    for digits, play in MAGIC.items()
                ],
            }
        )


async def _misbehave(request: Request, play: Play) -> Response | None:
    """What is answered instead of the truth, if anything is."""
    if play.behaviour is Behaviour.BUSY:
        raise Busy
    if play.behaviour in (Behaviour.ERROR_NOT_DONE, Behaviour.ERROR_DONE):
        raise Broken
    if play.behaviour is Behaviour.SLOW:
        await asyncio.sleep(play.ms / 1_000)
        return None
    if play.behaviour is Behaviour.TIMEOUT_DONE:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_S_MAX):
                await _gone(request.receive)
        return _Cut()
    return _Cut() if play.behaviour is Behaviour.DOWN else None


class _Cut(Response):
    """No answer: the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["transport"].abort()
        await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the client is."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _lies(order: Order, play: Play | None, programme: Programme) -> dict[str, str]:
    """What an answer says wrongly."""
    match None if play is None else play.behaviour:
        case Behaviour.WRONG_AMOUNT:
            return {"amount": render((order.units or 0) + 1, programme.scale)}
        case Behaviour.WRONG_UNIT:
            return {"unit": f"NOT-{programme.unit}"}
        case Behaviour.WRONG_REFERENCE:
            return {"reference": f"{order.reference}-X"}
        case _:
            return {}


def _told(member: Member, programme: Programme) -> dict[str, str | bool]:
    return {
        "member": member.reference,
        "familyName": member.family_name,
        "available": render(member.available, programme.scale),
        "held": render(member.held, programme.scale),
        "maySpend": member.may_spend,
        "mayEarn": member.may_earn,
    }


def _query(request: Request, name: str) -> str:
    found = request.query_params.get(name, "")
    if not found:
        raise MissingField(f"Ask /v1/members?membershipNumber=...&familyName=..., {name!r} is missing.", name)
    return found


async def _sent(request: Request) -> Sent:
    raw = b""
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > BODY_BYTES_MAX:
                raise WrongValue(f"A body has at most {BODY_BYTES_MAX} bytes.")
    except ClientDisconnect:
        raise WrongValue("The body ended early.") from None
    scope = request.scope
    path = scope["raw_path"].decode("ascii", "replace")
    query = scope["query_string"].decode("ascii", "replace")
    origin = f"{scope['scheme']}://{request.headers.get('host', 'simulator.invalid')}"
    return Sent(request.method, f"{path}?{query}" if query else path, dict(request.headers), raw, origin)


async def _json(request: Request) -> bytes:
    """A body that says it is JSON: no other site's form can send that."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise WrongType("Send Content-Type: application/json.")
    return (await _sent(request)).body


async def _page(request: Request) -> Response:
    name = request.path_params.get("file", "index.html")
    path = _PAGE / name
    if path.name != name or not path.is_file():
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return FileResponse(path, headers={"content-security-policy": _POLICY, "cache-control": "no-cache"})
