"""Adapters that each break one clause, and the check that is made for it; everything else is the guide's adapter."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from adapters.simulator.rules import Programme
from hub.partners import (
    FOLLOWING,
    Answer,
    Capabilities,
    Entry,
    Member,
    Operation,
    Order,
    Reason,
    Settling,
    Status,
)
from tests.adapters.example import LOOKUP, Airline, Configuration

ALL = frozenset(Operation)
_numbers = itertools.count(1)


class _Declaring(Airline):
    """The guide's adapter with other capabilities."""

    declared: Mapping[str, Any] = {}

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.capabilities: Capabilities = msgspec.structs.replace(self.capabilities, **self.declared)


def declaring(**declared: Any) -> type[Airline]:
    return type("Declaring", (_Declaring,), {"declared": declared})


class DoubleDebit(Airline):
    """Every sending is a new order to the partner."""

    async def perform(self, order: Order) -> Answer:
        fresh = msgspec.structs.replace(order, reference=f"X-{next(_numbers)}")
        answer = await super().perform(fresh)
        if answer.reference is None:
            return answer
        return msgspec.structs.replace(answer, reference=order.reference)


class NewPartnerReference(Airline):
    """The partner's reference is made up at each answer."""

    async def perform(self, order: Order) -> Answer:
        answer = await super().perform(order)
        return msgspec.structs.replace(answer, partner_reference=f"X-{next(_numbers)}")


class OneAtATime(Airline):
    """Whoever comes while another order is under way is refused."""

    busy = False

    async def perform(self, order: Order) -> Answer:
        if self.busy:
            return Answer(status=Status.REFUSED, reason=Reason.OTHER)
        self.busy = True
        try:
            return await super().perform(order)
        finally:
            self.busy = False


class _Saying(Airline):
    """What has gone wrong on the line is said to be ``said``."""

    said = Answer(status=Status.UNKNOWN)

    async def perform(self, order: Order) -> Answer:
        answer = await super().perform(order)
        if answer.status is not Status.UNKNOWN:
            return answer
        echo = {"reference": order.reference, "amount": order.amount, "unit": "MILES", "at": order.asked_at}
        return msgspec.structs.replace(self.said, **echo, partner_reference="X")


class FailureIsRefusal(_Saying):
    said = Answer(status=Status.REFUSED, reason=Reason.OTHER)


class FailureIsSuccess(_Saying):
    said = Answer(status=Status.SUCCEEDED)


class FailureIsAbsence(_Saying):
    said = Answer(status=Status.ABSENT)


class FailureRaises(Airline):
    async def perform(self, order: Order) -> Answer:
        answer = await super().perform(order)
        if answer.status is Status.UNKNOWN:
            raise RuntimeError("what now?")
        return answer


class Floats(Airline):
    """Amounts go through binary fractions on their way out, and are cut to whole units."""

    async def perform(self, order: Order) -> Answer:
        lossy = int(order.amount / 100 * 100)
        answer = await super().perform(msgspec.structs.replace(order, amount=lossy))
        return msgspec.structs.replace(answer, amount=order.amount)


class FloatAnswers(Airline):
    async def perform(self, order: Order) -> Answer:
        answer = await super().perform(order)
        return msgspec.structs.replace(answer, amount=order.amount * 1.0)


class IgnoresParts(Airline):
    """Whatever part is asked, all of the original is done."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.amounts: dict[str, int] = {}

    async def perform(self, order: Order) -> Answer:
        self.amounts[order.reference] = order.amount
        whole = order.amount if order.of is None else self.amounts[order.of]
        answer = await super().perform(msgspec.structs.replace(order, amount=whole))
        return msgspec.structs.replace(answer, amount=order.amount if answer.amount is not None else None)


class RefusesNothing(Airline):
    """What the partner refuses is a success."""

    async def perform(self, order: Order) -> Answer:
        answer = await super().perform(order)
        if answer.status is Status.REFUSED:
            return msgspec.structs.replace(answer, status=Status.SUCCEEDED, reason=None)
        return answer


class OneReason(Airline):
    async def perform(self, order: Order) -> Answer:
        answer = await super().perform(order)
        return answer if answer.reason is None else msgspec.structs.replace(answer, reason=Reason.OTHER)


class BlankAnswers(Airline):
    """The partner's reference is never passed on."""

    async def perform(self, order: Order) -> Answer:
        return msgspec.structs.replace(await super().perform(order), partner_reference=None)


class _Telling(Airline):
    """The status is always ``told``."""

    told = Answer(status=Status.UNKNOWN)

    async def status(self, order: Order) -> Answer:
        return self.told


class ForgetsOrders(_Telling):
    told = Answer(status=Status.ABSENT)


class UnknownReferenceIsRefused(Airline):
    async def status(self, order: Order) -> Answer:
        answer = await super().status(order)
        if answer.status is Status.ABSENT:
            return Answer(status=Status.REFUSED, reason=Reason.OTHER)
        return answer


class UnreachableIsAbsent(Airline):
    """Who cannot be asked is said to know nothing."""

    async def status(self, order: Order) -> Answer:
        answer = await super().status(order)
        return Answer(status=Status.ABSENT) if answer.status is Status.UNKNOWN else answer


class ListsNothing(Airline):
    async def journal(self, day: date) -> AsyncIterator[Entry]:
        for entry in list[Entry]():
            yield entry


class ListsTwice(Airline):
    async def journal(self, day: date) -> AsyncIterator[Entry]:
        async for entry in super().journal(day):
            yield entry
            yield entry


class ListsOtherAmounts(Airline):
    async def journal(self, day: date) -> AsyncIterator[Entry]:
        async for entry in super().journal(day):
            yield msgspec.structs.replace(entry, amount=entry.amount * 100)


class FindsNobody(Airline):
    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        return None


class FindsAnybody(Airline):
    """The family name is not looked at."""

    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        return await super().lookup({**fields, "familyName": "Li"})


class OverstatesPoints(Airline):
    async def lookup(self, fields: Mapping[str, str]) -> Member | None:
        found = await super().lookup(fields)
        if found is None or found.available is None:
            return found
        return msgspec.structs.replace(found, available=found.available * 100)


class NoStatusButAbsent(declaring(status=False)):  # type: ignore[misc]
    """Honest about the status of what was done, not about what was never sent."""

    async def status(self, order: Order) -> Answer:
        return Answer(status=Status.ABSENT)


ENGLISH_ONLY = {
    **LOOKUP,
    "properties": {name: {"type": "string", "x-labels": {"en": name}} for name in LOOKUP["required"]},
}
REQUIRES_MORE = {**LOOKUP, "required": [*LOOKUP["required"], "birthday"]}


@dataclass(frozen=True)
class Breach:
    """An adapter, the check that it fails, and the programme with which it does."""

    adapter: Callable[[Configuration], Airline]
    fails: str
    name: str = ""
    programme: Programme = field(default_factory=Programme)

    def __str__(self) -> str:
        return f"{self.fails}-{self.name or getattr(self.adapter, '__name__', '')}"


def without(operation: Operation) -> Programme:
    return Programme(operations=ALL - {operation})


LIES = [
    *(
        Breach(Airline, f"does-{one.value.lower()}-or-refuses-it", "claimed", programme=without(one))
        for one in Operation
    ),
    *(
        Breach(
            declaring(operations=ALL - {one}, partial=FOLLOWING - {one}),
            f"does-{one.value.lower()}-or-refuses-it",
            "concealed",
        )
        for one in Operation
    ),
    *(
        Breach(
            Airline, f"does-{one.value.lower()}-in-part-or-refuses-it", "claimed", Programme(partial=FOLLOWING - {one})
        )
        for one in sorted(FOLLOWING)
    ),
    *(
        Breach(declaring(partial=FOLLOWING - {one}), f"does-{one.value.lower()}-in-part-or-refuses-it", "concealed")
        for one in sorted(FOLLOWING)
    ),
    Breach(declaring(operations=frozenset()), "declares-what-makes-sense", "nothing"),
    Breach(declaring(operations=frozenset({Operation.CAPTURE}), partial=frozenset()), "declares-what-makes-sense"),
    Breach(
        declaring(operations=frozenset(Operation) - {Operation.RELEASE}), "declares-what-makes-sense", "half-a-hold"
    ),
    Breach(declaring(partial=frozenset({Operation.DEBIT})), "declares-what-makes-sense", "part-of-a-debit"),
    Breach(declaring(minimum=5, maximum=4), "declares-what-makes-sense", "bounds"),
    Breach(declaring(answers_within_s=41), "declares-what-makes-sense", "patience"),
    Breach(declaring(unit="KM"), "says-what-it-always-says", "unit"),
    Breach(declaring(scale=1), "keeps-amounts-exact", "scale"),
    Breach(declaring(maximum=1_000), "keeps-to-its-bounds", "maximum"),
    Breach(declaring(minimum=100), "keeps-to-its-bounds", "minimum"),
    Breach(Airline, "keeps-to-its-bounds", "claimed", Programme(maximum=10)),
    Breach(declaring(settling=Settling.NIGHTLY), "settles-when-it-says", "nightly"),
    Breach(Airline, "settles-when-it-says", "real-time", Programme(nightly="asked")),
    Breach(declaring(status=False), "tells-the-status-by-reference", "concealed"),
    Breach(NoStatusButAbsent, "tells-that-a-reference-is-unknown", "concealed"),
    Breach(declaring(journal=False), "lists-once-what-was-done", "concealed"),
    Breach(declaring(lookup=None), "finds-members", "concealed"),
    Breach(declaring(lookup=ENGLISH_ONLY), "describes-how-members-are-found", "english-only"),
    Breach(declaring(lookup=REQUIRES_MORE), "describes-how-members-are-found", "requires-more"),
    Breach(declaring(lookup={"type": "string"}), "describes-how-members-are-found", "no-object"),
]
FAULTS = [
    Breach(DoubleDebit, "does-a-repeat-once"),
    Breach(NewPartnerReference, "does-a-repeat-once"),
    Breach(DoubleDebit, "does-concurrent-repeats-once"),
    Breach(OneAtATime, "does-concurrent-repeats-once"),
    *(Breach(DoubleDebit, f"survives-{one}") for one in ("doubled-request", "slow-line", "late-request")),
    *(Breach(RefusesNothing, f"never-does-{one}-above-the-original") for one in ("capture", "release", "reverse")),
    *(Breach(IgnoresParts, f"does-{one}-in-part-or-refuses-it") for one in ("capture", "release", "reverse")),
    Breach(RefusesNothing, "refuses-what-the-member-has-not"),
    Breach(OneReason, "refuses-what-the-member-has-not"),
    Breach(OneReason, "refuses-unknown-members"),
    Breach(Floats, "keeps-amounts-exact"),
    Breach(FloatAnswers, "keeps-amounts-exact"),
    Breach(BlankAnswers, "says-what-it-always-says"),
    Breach(_Telling, "tells-the-status-by-reference"),
    Breach(ForgetsOrders, "tells-the-status-by-reference"),
    Breach(UnknownReferenceIsRefused, "tells-that-a-reference-is-unknown"),
    Breach(ListsNothing, "lists-once-what-was-done"),
    Breach(ListsTwice, "lists-once-what-was-done"),
    Breach(ListsOtherAmounts, "lists-once-what-was-done"),
    Breach(FindsNobody, "finds-members"),
    Breach(FindsAnybody, "finds-members"),
    Breach(OverstatesPoints, "finds-members"),
    *(
        Breach(FailureIsRefusal, f"survives-{one}")
        for one in ("lost-request", "reset", "cut-answer", "error-500", "error-502", "error-504", "silence-after")
    ),
    *(
        Breach(FailureIsSuccess, f"survives-{one}")
        for one in ("lost-request", "silence-before", "page-for-answer", "noise-for-answer", "nobody-there")
    ),
    *(Breach(FailureIsAbsence, f"survives-{one}") for one in ("lost-answer", "error-500", "error-502")),
    *(Breach(FailureRaises, f"survives-{one}") for one in ("reset", "error-500", "nobody-there")),
    Breach(UnreachableIsAbsent, "survives-nobody-there"),
]
