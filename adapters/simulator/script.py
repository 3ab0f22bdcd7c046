"""The script: how the simulator is told to misbehave, by the digits of an amount or by a standing instruction.

A play is taken for an order that is not stored yet. Amounts do so once for each reference: asked again under the same
reference, the order goes its ordinary way, so that every failure here can be recovered from.
"""

from enum import StrEnum

import msgspec

from adapters.simulator.problems import MissingField, WrongValue
from adapters.simulator.reading import Body
from hub.partners import Operation, Reason

NEXT_MAX = 10_000
MS_MAX = 600_000
MAGIC_DIGITS = 1_000  # the last three digits of the amount in smallest units


class Behaviour(StrEnum):
    """What the simulator does instead of what it should."""

    REFUSED = "REFUSED"
    PENDING_THEN_SUCCESS = "PENDING_THEN_SUCCESS"
    PENDING_THEN_FAILURE = "PENDING_THEN_FAILURE"
    ERROR_NOT_DONE = "ERROR_NOT_DONE"
    ERROR_DONE = "ERROR_DONE"
    TIMEOUT_DONE = "TIMEOUT_DONE"
    DUPLICATE_CALLBACK = "DUPLICATE_CALLBACK"
    LATE_CALLBACK = "LATE_CALLBACK"
    REORDERED_CALLBACK = "REORDERED_CALLBACK"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    WRONG_UNIT = "WRONG_UNIT"
    WRONG_REFERENCE = "WRONG_REFERENCE"
    SLOW = "SLOW"
    DOWN = "DOWN"
    BUSY = "BUSY"


class Question(StrEnum):
    """What is asked beside orders, and can be scripted too."""

    STATUS = "STATUS"
    LOOKUP = "LOOKUP"
    JOURNAL = "JOURNAL"


LABELS = {
    Behaviour.REFUSED: ("Refused, for the reason given", "按给定原因拒绝"),
    Behaviour.PENDING_THEN_SUCCESS: ("Pending, then done", "处理中，随后成功"),
    Behaviour.PENDING_THEN_FAILURE: ("Pending, then refused", "处理中，随后失败"),
    Behaviour.ERROR_NOT_DONE: ("HTTP 500, and nothing was done", "HTTP 500，未执行"),
    Behaviour.ERROR_DONE: ("HTTP 500, although it was done", "HTTP 500，但已执行"),
    Behaviour.TIMEOUT_DONE: ("Done, but no answer ever comes", "已执行，但不返回应答"),
    Behaviour.DUPLICATE_CALLBACK: ("Pending; the callback comes twice", "处理中，回调重复发送"),
    Behaviour.LATE_CALLBACK: ("Pending; the callback comes late", "处理中，回调迟到"),
    Behaviour.REORDERED_CALLBACK: ("Pending; an old callback comes last", "处理中，旧回调最后到达"),
    Behaviour.WRONG_AMOUNT: ("Done, but the answer has another amount", "已执行，但应答金额有误"),
    Behaviour.WRONG_UNIT: ("Done, but the answer has another unit", "已执行，但应答单位有误"),
    Behaviour.WRONG_REFERENCE: ("Done, but the answer has another reference", "已执行，但应答编号有误"),
    Behaviour.SLOW: ("Done, and the answer is slow", "已执行，应答缓慢"),
    Behaviour.DOWN: ("The connection is cut, nothing was done", "连接中断，未执行"),
    Behaviour.BUSY: ("HTTP 503, nothing was done, ask again", "HTTP 503，未执行，请重试"),
}
ORDERS_ONLY = frozenset(Behaviour) - {Behaviour.ERROR_NOT_DONE, Behaviour.SLOW, Behaviour.DOWN, Behaviour.BUSY}
PENDING = frozenset(
    {
        Behaviour.PENDING_THEN_SUCCESS,
        Behaviour.PENDING_THEN_FAILURE,
        Behaviour.DUPLICATE_CALLBACK,
        Behaviour.LATE_CALLBACK,
        Behaviour.REORDERED_CALLBACK,
    }
)
NOT_DONE = frozenset({Behaviour.ERROR_NOT_DONE, Behaviour.DOWN, Behaviour.BUSY})


class Play(msgspec.Struct, frozen=True):
    """One misbehaviour. ``ms``: how slow, or how long it is pending; 0: the usual."""

    behaviour: Behaviour
    reason: Reason | None = None
    ms: int = 0


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A standing instruction: the ``next`` so many orders or questions that fit do ``play``."""

    play: Play
    next: int = 1
    member: str | None = None
    operation: str | None = None


MAGIC = {
    901: Play(Behaviour.REFUSED, Reason.INSUFFICIENT_POINTS),
    902: Play(Behaviour.REFUSED, Reason.NO_SUCH_MEMBER),
    903: Play(Behaviour.REFUSED, Reason.MEMBER_BLOCKED),
    904: Play(Behaviour.REFUSED, Reason.LIMIT_EXCEEDED),
    905: Play(Behaviour.REFUSED, Reason.INVALID_AMOUNT),
    906: Play(Behaviour.REFUSED, Reason.NOT_SUPPORTED),
    907: Play(Behaviour.REFUSED, Reason.EXCEEDS_ORIGINAL),
    908: Play(Behaviour.REFUSED, Reason.OTHER),
    911: Play(Behaviour.PENDING_THEN_SUCCESS),
    912: Play(Behaviour.PENDING_THEN_FAILURE, Reason.OTHER),
    921: Play(Behaviour.ERROR_NOT_DONE),
    922: Play(Behaviour.ERROR_DONE),
    923: Play(Behaviour.TIMEOUT_DONE),
    931: Play(Behaviour.DUPLICATE_CALLBACK),
    932: Play(Behaviour.LATE_CALLBACK),
    933: Play(Behaviour.REORDERED_CALLBACK),
    941: Play(Behaviour.WRONG_AMOUNT),
    942: Play(Behaviour.WRONG_UNIT),
    943: Play(Behaviour.WRONG_REFERENCE),
    951: Play(Behaviour.SLOW, ms=2_000),
    952: Play(Behaviour.DOWN),
    953: Play(Behaviour.BUSY),
}


def magic(units: int) -> Play | None:
    """What an amount in smallest units asks for by its last three digits."""
    return MAGIC.get(units % MAGIC_DIGITS)


def read_script(raw: bytes) -> Script:
    """A standing instruction out of a request's body.

    Raises:
        Problem: it is none.
    """
    body = Body(raw)
    behaviour = body.word("behaviour", Behaviour.__members__)
    reason = body.maybe_word("reason", Reason.__members__)
    operation = body.maybe_word("operation", {**Operation.__members__, **Question.__members__})
    script = Script(
        play=Play(behaviour, reason, body.number("ms", 0, 0, MS_MAX)),
        next=body.number("next", 1, 1, NEXT_MAX),
        member=body.maybe("member", str),
        operation=None if operation is None else str(operation.value),
    )
    body.end()
    if behaviour is Behaviour.REFUSED and reason is None:
        raise MissingField(f"'reason' is one of {', '.join(Reason)}.", "reason")
    if behaviour is Behaviour.SLOW and not script.play.ms:
        raise MissingField("'ms' says how slow.", "ms")
    if script.operation in Question.__members__ and behaviour in ORDERS_ONLY:
        raise WrongValue(f"{behaviour} is for orders, not for {script.operation}.", "operation")
    return script
