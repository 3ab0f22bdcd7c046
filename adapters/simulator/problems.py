"""What the simulator says when a request is not understood: an HTTP status, a stable code, a sentence that teaches."""

from http import HTTPStatus
from typing import ClassVar


class Problem(Exception):
    """The request cannot be answered."""

    code: ClassVar[str] = "BAD_REQUEST"
    http: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str = "", field: str | None = None) -> None:
        super().__init__(f"{self.__doc__} {detail}".strip())
        self.field = field


class NotJson(Problem):
    """The body is no JSON object in UTF-8."""

    code = "NOT_JSON"


class MissingField(Problem):
    """A field is missing."""

    code = "MISSING_FIELD"


class UnknownField(Problem):
    """There is no such field."""

    code = "UNKNOWN_FIELD"


class WrongType(Problem):
    """A field is of another type."""

    code = "WRONG_TYPE"


class WrongValue(Problem):
    """A field cannot have this value."""

    code = "WRONG_VALUE"


class AmountNotText(Problem):
    """An amount is written as text, such as "123.45": a JSON number may lose digits on its way."""

    code = "AMOUNT_NOT_TEXT"


class Unauthenticated(Problem):
    """The request does not prove who sends it."""

    code = "UNAUTHENTICATED"
    http = HTTPStatus.UNAUTHORIZED


class Conflict(Problem):
    """This reference was used for another order; a reference is one order's for ever."""

    code = "CONFLICT"
    http = HTTPStatus.CONFLICT


class UnknownReference(Problem):
    """No order has this reference."""

    code = "UNKNOWN_REFERENCE"
    http = HTTPStatus.NOT_FOUND


class NoSuchMember(Problem):
    """No member is known by these particulars."""

    code = "NO_SUCH_MEMBER"
    http = HTTPStatus.NOT_FOUND


class Busy(Problem):
    """Too much to do; nothing was done, ask again."""

    code = "BUSY"
    http = HTTPStatus.SERVICE_UNAVAILABLE


class Broken(Problem):
    """Something went wrong; whether it was done, only the order's status tells."""

    code = "INTERNAL"
    http = HTTPStatus.INTERNAL_SERVER_ERROR
