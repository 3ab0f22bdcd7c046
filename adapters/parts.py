"""Parts of which the configurations of several kinds are made.

Invariant: a configuration that is accepted knows every name that it was given, and keeps it as it was.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from hub.errors import InvalidAmount
from hub.points import AMOUNT_MAX, SCALE_MAX, parse_positive

MEMBER_MAX: Final = 200  # characters of a member's name, or of a field by which one is found

StatusWord = Literal["SUCCEEDED", "REFUSED", "PENDING", "UNKNOWN"]


class Part(BaseModel):
    """A part of a configuration: every name is known, and none is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True)


class Points(Part):
    """How a partner counts its points, and how many one order may have."""

    scale: int = Field(default=0, ge=0, le=SCALE_MAX, description="How many decimals its points have.")
    minimum: str | None = Field(default=None, max_length=40, description="The least of one order, in whole points.")
    maximum: str | None = Field(default=None, max_length=40, description="The most of one order, in whole points.")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.units_min > self.units_max:
            raise ValueError("the minimum is above the maximum")
        return self

    @property
    def units_min(self) -> int:
        """The least of one order, in smallest units."""
        return self._units(self.minimum, 1)

    @property
    def units_max(self) -> int:
        """The most of one order, in smallest units."""
        return self._units(self.maximum, AMOUNT_MAX)

    def _units(self, amount: str | None, default: int) -> int:
        try:
            return default if amount is None else parse_positive(amount, self.scale)
        except InvalidAmount:
            raise ValueError("minimum or maximum is no amount of the partner's points") from None


class Labels(Part):
    """What a field is called, for people."""

    en: str = Field(min_length=1, max_length=100)
    chinese: str = Field(alias="zh-CN", min_length=1, max_length=100)


class LookupField(Part):
    """One of the fields by which a member is found."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")
    labels: Labels
    pattern: str | None = Field(default=None, max_length=200)
    required: bool = True


def shape(fields: Iterable[LookupField]) -> dict[str, Any]:
    """The fields of a look-up as JSON Schema."""
    properties, required = {}, []
    for field in fields:
        one: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MEMBER_MAX}
        if field.pattern is not None:
            one["pattern"] = field.pattern
        properties[field.name] = {**one, "x-labels": {"en": field.labels.en, "zh-CN": field.labels.chinese}}
        if field.required:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def address(url: str) -> str:
    """An absolute address of HTTP, without anything that follows its path.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
        raise ValueError("it is no address such as https://points.example/api")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an address ends with its path")
    return url


def zone(name: str) -> str:
    """The name of a time zone that there is.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such time zone") from None
