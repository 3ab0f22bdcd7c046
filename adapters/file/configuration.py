"""The configuration of a partner that works in nightly batches over a folder.

Invariant: a configuration that is accepted fits together: words and columns are unambiguous, and can be written.
"""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from adapters import parts
from adapters.amounts import TimeForm
from adapters.file.sftp import Sftp
from adapters.parts import Part, Points
from hub.partners import Echo, Operation, Reason

Name = Annotated[str, Field(pattern=r"^[^\W_][^\x00-\x1f\x7f\"]{0,59}$")]
Word = Annotated[str, Field(pattern=r"^[^\W_][^\x00-\x1f\x7f\"]{0,99}$")]


class Outcome(StrEnum):
    """What a row of results says."""

    DONE = "DONE"
    REFUSED = "REFUSED"
    DUPLICATE = "DUPLICATE"  # the reference is in another row as well, which has its result


class OrderColumns(Part):
    """What the columns of the files that go out are called."""

    reference: Name = "reference"
    operation: Name = "operation"
    member: Name = "member"
    amount: Name = "amount"
    unit: Name = "unit"
    of: Name = "of"
    asked_at: Name = "asked_at"

    @property
    def names(self) -> list[str]:
        """The header row."""
        return [self.reference, self.operation, self.member, self.amount, self.unit, self.of, self.asked_at]


class ResultColumns(Part):
    """What the columns of result files are called, in any order and among others; null: the partner has no such one."""

    reference: Name = "reference"
    operation: Name = "operation"
    status: Name = "status"
    amount: Name = "amount"
    reason: Name | None = "reason"
    partner_reference: Name | None = "partner_reference"
    unit: Name | None = "unit"
    at: Name | None = "at"

    @property
    def names(self) -> list[str]:
        """Those that there are."""
        return [name for name in self.model_dump().values() if name is not None]

    @property
    def echoes(self) -> frozenset[Echo]:
        """What a row that something was done says."""
        optional = {Echo.PARTNER_REFERENCE: self.partner_reference, Echo.UNIT: self.unit, Echo.TIME: self.at}
        return frozenset({Echo.REFERENCE, Echo.AMOUNT, *(echo for echo, name in optional.items() if name is not None)})


class Configuration(Points):
    """A partner that takes orders and gives results as CSV files in a folder."""

    folder: str = Field(max_length=500, description="A folder of the hub's machine, with outgoing, incoming and hub.")
    sftp: Sftp | None = Field(default=None, description="The partner's server, if the hub carries the files itself.")
    unit: Word = Field(description="The partner's word for its points.")
    cut_off: str = Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="When the day's orders go out, such as 23:30."
    )
    zone: str = Field(description="The time zone of the cut-off and of the partner's days, such as Asia/Shanghai.")
    operations: frozenset[Operation] = Field(min_length=1)
    partial: frozenset[Operation] = Field(default=frozenset(), description="Of which a part may be asked.")
    separator: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "gb18030", "gbk", "big5", "iso-8859-1", "windows-1252"] = "utf-8"
    orders: OrderColumns = OrderColumns()
    results: ResultColumns = ResultColumns()
    words: dict[Operation, Word] = Field(default={}, description="The partner's words for operations.")
    statuses: dict[Word, Outcome] = Field(
        default={outcome.value: outcome for outcome in Outcome}, description="What its words of status mean."
    )
    reasons: dict[Word, Reason] = Field(
        default={reason.value: reason for reason in Reason}, description="What its reasons mean; others are OTHER."
    )
    time: TimeForm = TimeForm()

    @field_validator("folder")
    @classmethod
    def _is_absolute(cls, folder: str) -> str:
        if not Path(folder).is_absolute() or ".." in Path(folder).parts or "\x00" in folder:
            raise ValueError("a folder is named from the root, such as /srv/partners/jade")
        return folder

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        return parts.zone(zone)

    @model_validator(mode="after")
    def _fits(self) -> "Configuration":
        if self.partial - self.operations:
            raise ValueError("partial names an operation that the partner does not do")
        if len({self.word(operation) for operation in Operation}) != len(Operation):
            raise ValueError("one word means two operations")
        for names in (self.orders.names, self.results.names):
            if len(set(names)) != len(names):
                raise ValueError("two columns have the same name")
        if Outcome.DONE not in self.statuses.values():
            raise ValueError("no word of status means DONE")
        if self.time.form in ("UNIX", "UNIX_MS") and self.time.zone is not None:
            raise ValueError("a count of seconds has no zone")
        try:
            for text in (self.unit, *self.orders.names, *self.words.values()):
                text.encode(self.encoding)
        except UnicodeEncodeError:
            raise ValueError("the encoding lacks a character of the unit, a column or a word") from None
        return self

    def word(self, operation: Operation) -> str:
        """The partner's word for an operation."""
        return self.words.get(operation, operation.value)

    def day(self, at: datetime) -> date:
        """The partner's day that an instant is in."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def begins(self, day: date) -> datetime:
        """When a day of the partner's begins."""
        return datetime.combine(day, time(), ZoneInfo(self.zone))

    def last_cut_off(self, now: datetime) -> datetime:
        """The last instant at which a day's orders were to go out. Where clocks are put forward over the time of day,
        it is as if they had not been; where they are put back, it is the first of the two."""
        day = self.day(now)
        found = datetime.combine(day, time.fromisoformat(self.cut_off), ZoneInfo(self.zone))
        if found > now:
            found = datetime.combine(day - timedelta(days=1), found.time(), ZoneInfo(self.zone))
        return found
