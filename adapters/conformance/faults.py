"""The checks of a line that breaks: the outcome is UNKNOWN, never a success or a refusal that nobody said, and asking
again finds the truth.

The proxy strikes the request that has the order's reference in it; an adapter whose requests do not show it (because
they are packed or encrypted within) needs exceptions.
"""

import asyncio
from collections.abc import Awaitable, Callable

from adapters.conformance.check import Checks
from adapters.conformance.orders import effect
from adapters.conformance.proxy import Breach, Fault
from adapters.conformance.trial import CREATING, Failed, Trial, first
from hub.partners import Answer, Order, Partner, Status

checks = Checks()
_SPARE_S = 2  # more than the adapter itself waits
_UNCLEAR = frozenset({Status.UNKNOWN})
_NOTHING_SENT = frozenset({Status.UNKNOWN, Status.ABSENT})
_RIGHT = frozenset({Status.UNKNOWN, Status.SUCCEEDED, Status.PENDING})


def _http(status: str, body: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


_PAGE = b"<html><h1>The gateway is not well</h1></html>"
FAULTS = {
    "lost-request": ("The request is lost", Fault(breach=Breach.DROP_BEFORE), _UNCLEAR),
    "lost-answer": ("The answer is lost after the partner did it", Fault(breach=Breach.DROP_AFTER), _UNCLEAR),
    "reset": ("The connection is reset after the partner did it", Fault(breach=Breach.RESET), _UNCLEAR),
    "silence-before": ("Nothing arrives and nothing is answered", Fault(breach=Breach.SILENT_BEFORE), _UNCLEAR),
    "silence-after": ("The partner did it and no answer ever arrives", Fault(breach=Breach.SILENT_AFTER), _UNCLEAR),
    "cut-answer": ("Half an answer arrives", Fault(breach=Breach.CUT_SHORT), _UNCLEAR),
    "doubled-request": ("The line doubles the request", Fault(breach=Breach.DUPLICATE), _RIGHT),
    "slow-line": ("The answer trickles in", Fault(breach=Breach.THROTTLE), _RIGHT),
    "late-request": ("The request is delayed", Fault(breach=Breach.DELAY, ms=200), _RIGHT),
    "error-500": (
        "A server error is answered although it was done",
        Fault(breach=Breach.REPLACE, answer=_http("500 Internal Server Error", b'{"code":"E500"}')),
        _UNCLEAR,
    ),
    "error-502": (
        "A gateway answers instead of the partner, which did it",
        Fault(breach=Breach.REPLACE, answer=_http("502 Bad Gateway", _PAGE)),
        _UNCLEAR,
    ),
    "error-504": (
        "A gateway gives up waiting for the partner, which did it",
        Fault(breach=Breach.REPLACE, answer=_http("504 Gateway Timeout", _PAGE)),
        _UNCLEAR,
    ),
    "page-for-answer": (
        "A page for people arrives as a success",
        Fault(breach=Breach.REPLACE, answer=_http("200 OK", _PAGE)),
        _UNCLEAR,
    ),
    "noise-for-answer": (
        "What arrives is no protocol at all",
        Fault(breach=Breach.REPLACE, answer=b"\x00\xff\x13noise\r\n\r\n"),
        _UNCLEAR,
    ),
}


def _survives(fault: Fault, allowed: frozenset[Status]) -> Callable[[Trial], Awaitable[None]]:
    async def run(trial: Trial) -> None:
        proxy = await trial.proxy()
        partner = await trial.connect(proxy.port)
        operation = first(CREATING, trial)
        member, has = await trial.seeded()
        await trial.done(warm := trial.order(operation, member, trial.amount), partner)
        has = effect(warm, has)
        order = trial.order(operation, member, trial.amount)
        proxy.arm(fault, order.reference.encode())
        answer = await _patiently(trial, order, partner)
        if not proxy.struck:
            raise Failed("The fault never struck: no request showed the order's reference on its way.")
        if answer.status not in allowed:
            raise Failed(f"A {operation} is told to be {answer.status}, which nobody can know.")
        if trial.capabilities.status:
            told = await trial.status(order)
            if told.status is Status.REFUSED:
                raise Failed(f"After the fault a {operation} is told to be REFUSED, which nobody said.")
        if trial.capabilities.idempotent:
            await trial.done(order, partner)
            await trial.expect(member, effect(order, has), f"After a {operation} that was sent again")

    return run


async def _patiently(trial: Trial, order: Order, partner: Partner) -> Answer:
    """An answer, or UNKNOWN where the adapter would have to be cut off."""
    try:
        async with asyncio.timeout(trial.capabilities.answers_within_s + _SPARE_S):
            return await trial.perform(order, partner)
    except TimeoutError:
        return Answer(status=Status.UNKNOWN)


for _name, (_clause, _fault, _allowed) in FAULTS.items():
    _words = " or ".join(sorted(_allowed))
    checks.add(
        f"survives-{_name}",
        f"{_clause}: the order is {_words}, and asking again does it once.",
        _survives(_fault, _allowed),
    )


@checks("survives-nobody-there")
async def _nobody(trial: Trial) -> None:
    """Connections are refused: the order is ABSENT or UNKNOWN, and so is its status."""
    proxy = await trial.proxy()
    port = proxy.port
    await proxy.close()
    partner = await trial.connect(port)
    member, has = await trial.seeded()
    order = trial.order(first(CREATING, trial), member, trial.amount)
    answer = await _patiently(trial, order, partner)
    if answer.status not in _NOTHING_SENT:
        raise Failed(f"An order that reached nobody is told to be {answer.status}.")
    if trial.capabilities.status:
        told = await trial.status(order, partner)
        if told.status is not Status.UNKNOWN:
            raise Failed(f"Nobody could be asked for its status, and it is told to be {told.status}.")
    await trial.expect(member, has, "After an order that reached nobody")
