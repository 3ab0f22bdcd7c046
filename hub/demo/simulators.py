"""Partners to exchange with: `points-hub simulator`, a process for each on loopback, and how the hub reaches it."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Any

from hub.demo.client import sandbox, wait_until_ready
from hub.demo.failure import DemoFailed
from hub.demo.network import Programme
from hub.demo.process import HOST, free_port, program, tail

START_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Partner:
    """A programme's own points system: where it is, and the ``secret`` by which it and the hub know each other."""

    programme: Programme
    root: str
    secret: str

    async def enroll(self, member: str, *, may_earn: bool = True) -> None:
        """A member without points. The system of one who may not earn refuses to give any."""
        told = {"member": member, "available": "0", "mayEarn": may_earn}
        await sandbox(f"{self.root}/sandbox/members", told)

    async def script(self, behaviour: str, operation: str, times: int = 1) -> None:
        """Misbehave the next ``times`` an ``operation`` is asked."""
        told = {"behaviour": behaviour, "operation": operation, "next": times}
        await sandbox(f"{self.root}/sandbox/script", told)

    async def behave(self) -> None:
        """Forget the script."""
        await sandbox(f"{self.root}/sandbox/script", method="DELETE")

    async def night(self) -> int:
        """Do what is pending; answers how much it was."""
        done: int = (await sandbox(f"{self.root}/sandbox/night", {}))["done"]
        return done

    async def available(self) -> dict[str, Decimal]:
        """What each member has, by the partner's own books."""
        state = await sandbox(f"{self.root}/sandbox/state", method="GET")
        return {member["member"]: Decimal(member["available"]) for member in state["members"]}


@contextmanager
def partners(
    programmes: Sequence[Programme], callbacks: Sequence[str], environment: Mapping[str, str]
) -> Iterator[list[Partner]]:
    """A running system for each programme, which tells ``callbacks`` what became of pending orders; stopped afterwards.

    Raises:
        DemoFailed: one did not become ready.
    """
    with ExitStack() as stack:
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="points-hub-demo-partners-")))
        started = [
            _start(stack, each, callback, environment, logs / f"{each.code}.log")
            for each, callback in zip(programmes, callbacks, strict=True)
        ]
        for partner, process, log in started:
            _wait(partner, process, log)
        yield [partner for partner, _, _ in started]


def _start(
    stack: ExitStack, each: Programme, callback: str, environment: Mapping[str, str], log: Path
) -> tuple[Partner, Popen[bytes], Path]:
    port = free_port()
    partner = Partner(each, f"http://{HOST}:{port}", secrets.token_hex(16))
    words = ["simulator", "--host", HOST, "--port", str(port), "--unit", each.code, "--scale", str(each.scale)]
    words += ["--authentication", "hmac", "--no-magic", "--callback", callback]
    words += ["--nightly", "asked"] if each.settling == "NIGHTLY" else []
    process = stack.enter_context(program(words, {**environment, "SIMULATOR_SECRET": partner.secret}, log))
    return partner, process, log


def _wait(partner: Partner, process: Popen[bytes], log: Path) -> None:
    if not wait_until_ready(f"{partner.root}/sandbox/state", lambda: process.poll() is None, START_SECONDS_MAX):
        name, said = partner.programme.name, tail(log.read_text(errors="replace"))
        raise DemoFailed(f"The system of {name} did not become ready:\n{said}")


def configuration(partner: Partner) -> dict[str, Any]:
    """What the adapter `http_json` is told: where orders go and what they look like, how answers are read, which
    errors are refusals, how an order is asked for, and how each side proves who it is."""
    proof = {"scheme": "hmac", "key": partner.secret}
    refusals = ("INSUFFICIENT_POINTS", "NO_SUCH_MEMBER", "MEMBER_BLOCKED", "LIMIT_EXCEEDED", "EXCEEDS_ORIGINAL")
    names = ("reference", "operation", "member", "amount", "unit", "of")
    return {
        "baseUrl": partner.root,
        "allowPlainHttp": True,
        "absentAfterS": 0,  # it knows an order as soon as it has come
        "unit": partner.programme.code,
        "scale": partner.programme.scale,
        "settling": partner.programme.settling,
        "auth": proof,
        "orders": [
            {
                "operations": ["DEBIT", "CREDIT", "REVERSE"],
                "call": {"method": "POST", "path": "/v1/orders", "body": {name: f"{{{name}}}" for name in names}},
            }
        ],
        "answer": {
            "status": "status",
            "statuses": {status: status for status in ("SUCCEEDED", "REFUSED", "PENDING")},
            "reference": "reference", "partnerReference": "partnerReference", "amount": "amount", "unit": "unit",
            "time": "at", "code": "code", "message": "message",
        },
        "errors": [{"code": code, "action": "REFUSE", "reason": code} for code in refusals],
        "status": {
            "call": {"method": "GET", "path": "/v1/orders/{reference}"},
            "absent": [{"http": [404], "code": "UNKNOWN_REFERENCE"}],
        },
        "callbacks": {"proof": proof},
    }  # fmt: skip
