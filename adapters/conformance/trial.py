"""A trial: an adapter that is connected, members that it may use, and the questions that all checks ask.

The harness is what the writer of an adapter provides. Members are used up: a check asks for new ones and leaves them as
they come to be.
"""

import itertools
import secrets
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol

import msgspec

from adapters.conformance.proxy import Proxy
from hub.partners import Answer, Capabilities, Operation, Order, Partner, Reason, Settling, Status, judge

SETTLING_TRIES_MAX = 50
CREATING = (Operation.DEBIT, Operation.CREDIT, Operation.HOLD)  # these follow no earlier order
FINAL = frozenset({Status.SUCCEEDED, Status.REFUSED})
_HINT = "let the harness tell it, or write an exception"


class Failed(Exception):
    """The adapter does not do what it should; the message says what was seen."""


class Beside(Exception):
    """The check does not concern this adapter; the message says why."""


class Seeded(msgspec.Struct, frozen=True):
    """A member that may be used: as orders name it, and the fields by which it is looked up, if it can be."""

    reference: str
    fields: Mapping[str, str] = {}


class Upstream(msgspec.Struct, frozen=True):
    """Where the partner listens, for the proxy that is put before it. ``tls``: with what the proxy speaks to it, such
    as with our own certificate; to the proxy the adapter speaks plainly."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Harness(Protocol):
    """What a trial needs beside the adapter.

    ``exceptions``: checks by name that cannot be passed or cannot be run here, each with its reason. ``upstream``: None
    where no proxy can be put between.
    """

    @property
    def exceptions(self) -> Mapping[str, str]:
        """The checks that are left out, and why."""

    @property
    def upstream(self) -> Upstream | None:
        """Where the partner listens."""

    async def connect(self, port: int | None) -> Partner:
        """The adapter, connected: to the partner itself, or to ``port`` of 127.0.0.1 in the partner's place."""

    async def member(self, available: int) -> Seeded:
        """A member that can spend at least so many smallest units, and whom nothing else moves meanwhile."""

    async def available(self, partner: Partner, member: Seeded) -> int | None:
        """What a member can spend now, in smallest units, preferably out of the partner's own books."""

    async def settle(self) -> None:
        """Let the partner do what is pending: a batch partner's night."""


class Trial:
    """One connection of the adapter under trial; use as ``async with``."""

    def __init__(self, harness: Harness, *, seed: int = 0) -> None:
        self.harness = harness
        self._seed = seed
        self._numbers = itertools.count(1)
        self._mark = secrets.token_hex(5).upper()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Trial":
        self.partner = await self.connect(None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def connect(self, port: int | None) -> Partner:
        """Another connection, closed at the end."""
        partner = await self.harness.connect(port)
        self._stack.push_async_callback(partner.close)
        return partner

    async def proxy(self) -> Proxy:
        """A fault proxy before the partner, closed at the end.

        Raises:
            Failed: the harness does not say where the partner is.
        """
        upstream = self.harness.upstream
        if upstream is None:
            raise Failed(f"No fault can be tried, because nobody says where the partner listens: {_HINT}.")
        return await self._stack.enter_async_context(
            Proxy(upstream.host, upstream.port, seed=self._seed, tls=upstream.tls)
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter declares."""
        return self.partner.capabilities

    @property
    def amount(self) -> int:
        """A modest amount that the partner takes, in smallest units, of which there are parts."""
        return max(60, 3 * self.capabilities.minimum)

    def does(self, *operations: Operation) -> bool:
        """Whether all of them are declared."""
        return self.capabilities.operations.issuperset(operations)

    def new_reference(self) -> str:
        """A reference that was never used."""
        return f"PH-{self._mark}-{next(self._numbers)}"

    def order(self, operation: Operation, member: Seeded | str, amount: int, of: Order | None = None) -> Order:
        """A new order."""
        return Order(
            reference=self.new_reference(),
            operation=operation,
            member=member if isinstance(member, str) else member.reference,
            amount=amount,
            currency="TRIAL",
            scale=self.capabilities.scale,
            asked_at=datetime.now(UTC),
            of=None if of is None else of.reference,
            partner_of=None if of is None else of.partner_of,
        )

    async def perform(self, order: Order, partner: Partner | None = None) -> Answer:
        """What the adapter answers.

        Raises:
            Failed: it raises, or the hub would not believe it.
        """
        chosen = self.partner if partner is None else partner
        try:
            answer = await chosen.perform(order)
        except Exception as error:
            raise Failed(
                f"perform({_name(order)}) raised {type(error).__name__} instead of answering: {error}"
            ) from error
        return self.believed(order, answer)

    async def status(self, order: Order, partner: Partner | None = None) -> Answer:
        """What has become of an order, as the adapter tells.

        Raises:
            Failed: it raises, or the hub would not believe it.
        """
        chosen = self.partner if partner is None else partner
        try:
            answer = await chosen.status(order)
        except Exception as error:
            raise Failed(
                f"status({_name(order)}) raised {type(error).__name__} instead of answering: {error}"
            ) from error
        return self.believed(order, answer)

    def believed(self, order: Order, answer: Answer) -> Answer:
        """The answer, if the hub would believe it."""
        judged = judge(order, answer, self.capabilities, datetime.now(UTC))
        if judged.incident is not None:
            raise Failed(f"The hub does not believe the answer to {_name(order)}: {judged.incident}")
        return answer

    async def final(self, order: Order, answer: Answer) -> Answer:
        """An answer that is no longer pending, after the partner's night if it has one."""
        for _ in range(SETTLING_TRIES_MAX):
            if answer.status is not Status.PENDING:
                return answer
            await self.harness.settle()
            answer = await self.status(order)
        raise Failed(f"{_name(order)} is pending for ever.")

    async def done(self, order: Order, partner: Partner | None = None) -> Order:
        """Have an order done; the order as others that follow it need it.

        Raises:
            Failed: it was not.
        """
        answer = await self.final(order, await self.perform(order, partner))
        if answer.status is not Status.SUCCEEDED:
            raise Failed(f"{_name(order)} should succeed, and was {_seen(answer)}.")
        return msgspec.structs.replace(order, partner_of=answer.partner_reference)

    async def refused(self, order: Order, *reasons: Reason) -> None:
        """Have an order refused, for one of the reasons.

        Raises:
            Failed: it was not.
        """
        answer = await self.final(order, await self.perform(order))
        if answer.status is not Status.REFUSED or answer.reason not in reasons:
            wanted = " or ".join(reason.value for reason in reasons)
            raise Failed(f"{_name(order)} should be refused for {wanted}, and was {_seen(answer)}.")

    async def seeded(self, available: int | None = None) -> tuple[Seeded, int]:
        """A member, and what it can spend now.

        Raises:
            Failed: nobody tells its balance.
        """
        member = await self.harness.member(20 * self.amount if available is None else available)
        return member, await self.balance(member)

    async def balance(self, member: Seeded) -> int:
        """What a member can spend now.

        Raises:
            Failed: nobody tells.
        """
        found = await self.harness.available(self.partner, member)
        if found is None:
            raise Failed(f"Nobody tells what member {member.reference} can spend: {_HINT}.")
        return found

    async def expect(self, member: Seeded, available: int, after: str) -> None:
        """Pass if a member can spend exactly so much.

        Raises:
            Failed: it can spend more or less.
        """
        found = await self.balance(member)
        if found != available:
            raise Failed(f"{after}, the member should have {available} smallest units to spend, and has {found}.")

    @property
    def is_nightly(self) -> bool:
        """Whether orders are pending until the night."""
        return self.capabilities.settling is Settling.NIGHTLY


def first(operations: Sequence[Operation], trial: Trial) -> Operation:
    """The first of some operations that the adapter does.

    Raises:
        Beside: it does none of them.
    """
    for operation in operations:
        if trial.does(operation):
            return operation
    raise Beside(f"It does no {', '.join(operations)}.")


def _name(order: Order) -> str:
    return f"{order.operation} of {order.decimal}"


def _seen(answer: Answer) -> str:
    more = "; ".join(str(word) for word in (answer.reason, answer.code, answer.message) if word is not None)
    return f"{answer.status} ({more})" if more else str(answer.status)
