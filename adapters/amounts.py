"""Amounts and times as a partner writes them. Whole numbers and texts only: a JSON number keeps its digits.

Inside, an amount is in smallest units of the partner's scale.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from pydantic import Field, field_validator, model_validator

from adapters import parts
from adapters.parts import Part
from hub.errors import InvalidAmount
from hub.points import AMOUNT_MAX, SCALE_MAX, parse, render

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)


class WrongAnswer(Exception):
    """The partner's answer is not what its configuration says that answers are."""


class Digits(str):
    """A JSON number that is no plain integer, as it was written."""

    __slots__ = ()


_decode = msgspec.json.Decoder(float_hook=Digits).decode


def decode(octets: bytes) -> Any:
    """A JSON document of a partner's, numbers with all their digits. One in which an object names something twice says
    two things, of which readers take the first or the last as they please: it is not read.

    Raises:
        msgspec.DecodeError: it is no JSON, or an object of it names something twice.
        UnicodeDecodeError: it is no UTF-8.
        RecursionError: it is nested too deep.
    """
    document = _decode(octets)
    # The first library takes the last of two names without a word; this one tells, and is slower.
    json.loads(octets.decode(), object_pairs_hook=_once, parse_int=str, parse_float=str)
    return document


def _once(members: list[tuple[str, object]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise msgspec.DecodeError("an object names something twice")


class AmountForm(Part):
    """How amounts are written: DECIMAL, in whole points such as 123.45; UNITS, in smallest units such as 12345; SCALED,
    in units of ``scale`` decimals of their own. As text, or with ``number`` as a JSON number."""

    form: Literal["DECIMAL", "UNITS", "SCALED"] = "DECIMAL"
    scale: int | None = Field(default=None, ge=0, le=18)
    number: bool = False

    @model_validator(mode="after")
    def _fits(self) -> "AmountForm":
        if (self.scale is None) == (self.form == "SCALED"):
            raise ValueError("a scale belongs to SCALED, and to nothing else")
        return self

    def decimals(self, scale: int) -> int:
        """Of how many decimals of a whole point is the last digit, for points of ``scale`` decimals."""
        return scale if self.scale is None else self.scale

    def show(self, units: int, scale: int) -> str | msgspec.Raw:
        """``units`` of ``scale`` decimals as the partner reads them. Exact: a scale of its own is not smaller."""
        if self.form == "DECIMAL":
            written = render(units, scale)
        else:
            written = str(units * int(10 ** (self.decimals(scale) - scale)))
        return msgspec.Raw(written.encode()) if self.number else written

    def read(self, found: object, scale: int) -> int:
        """What the partner wrote, in smallest units of ``scale`` decimals.

        Raises:
            WrongAnswer: it is of another form, has digits that the points do not have, or is no amount of points.
        """
        try:
            units = parse(self._written(found), scale if self.form == "DECIMAL" else 0)
        except InvalidAmount:
            raise WrongAnswer(f"The amount {str(found)[:60]!r} is none of {scale} decimals.") from None
        if self.form == "SCALED":
            units, rest = divmod(units, int(10 ** (self.decimals(scale) - scale)))
            if rest:
                raise WrongAnswer(f"The amount {str(found)[:60]!r} is no whole number of smallest units.")
        if not 0 <= units <= AMOUNT_MAX:
            raise WrongAnswer(f"The amount {str(found)[:60]!r} is below zero or too large.")
        return units

    def _written(self, found: object) -> str:
        # ``type``: True is an int to Python, and Digits are a str.
        wanted = (int, Digits) if self.number else (str,)
        if type(found) not in wanted:
            raise WrongAnswer(f"The amount {str(found)[:60]!r} is no {'number' if self.number else 'text'}.")
        return str(found)


class TimeForm(Part):
    """How times are written: ISO 8601, UNIX seconds or milliseconds, or by a PATTERN of strftime. ``zone``: that of
    times that name none."""

    form: Literal["ISO", "UNIX", "UNIX_MS", "PATTERN"] = "ISO"
    pattern: str | None = Field(default=None, min_length=2, max_length=60)
    zone: str | None = None

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str | None) -> str | None:
        return zone if zone is None else parts.zone(zone)

    @model_validator(mode="after")
    def _fits(self) -> "TimeForm":
        if (self.pattern is None) == (self.form == "PATTERN"):
            raise ValueError("a pattern belongs to PATTERN, and to nothing else")
        return self

    def show(self, at: datetime) -> str | int:
        """The instant as the partner reads it."""
        if self.form == "UNIX":
            return (at - _EPOCH) // _SECOND
        if self.form == "UNIX_MS":
            return (at - _EPOCH) // _MILLISECOND
        local = at.astimezone(UTC if self.zone is None else ZoneInfo(self.zone))
        if self.pattern is not None:
            return local.strftime(self.pattern)
        return local.isoformat().replace("+00:00", "Z")

    def read(self, found: object) -> datetime:
        """The instant that the partner wrote; without a zone if neither it nor the configuration names one.

        Raises:
            WrongAnswer: it is of another form.
        """
        try:
            if self.form in ("UNIX", "UNIX_MS"):
                if type(found) not in (int, str):
                    raise ValueError
                return _EPOCH + int(str(found)) * (_SECOND if self.form == "UNIX" else _MILLISECOND)
            if type(found) is not str:
                raise ValueError
            at = datetime.fromisoformat(found) if self.pattern is None else datetime.strptime(found, self.pattern)
        except (ValueError, OverflowError):
            raise WrongAnswer(f"The time {str(found)[:60]!r} is none of the form {self.form}.") from None
        return at.replace(tzinfo=ZoneInfo(self.zone)) if at.tzinfo is None and self.zone is not None else at


def scaled_enough(form: AmountForm, scale: int) -> bool:
    """Whether the form has all digits of points of ``scale`` decimals."""
    return form.decimals(scale) >= scale and scale <= SCALE_MAX
