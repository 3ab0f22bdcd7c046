"""The configuration of a partner that speaks JSON over HTTP: everything about it, and nothing in code.

Invariant: a configuration that is accepted fits together: each template names only what there is, each operation has
one call, and amounts have room for every digit of the partner's points.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from adapters.amounts import AmountForm, TimeForm, scaled_enough
from adapters.http_json import paths, templates
from adapters.http_json.credentials import Auth, HeaderName, HeaderText, NoAuth, OAuth2Auth, SecretHeaderText
from adapters.http_json.proofs import Proof, Verification
from adapters.parts import LookupField, Part, Points, StatusWord, address
from adapters.tls import Tls
from hub.partners import ANSWER_S_MAX, Echo, Operation, Reason, Settling

OF_AN_ORDER = {"reference", "operation", "member", "amount", "unit", "of", "partnerOf", "time", "heldUntil"}
OF_A_DAY = {"day", "cursor"}


def _path(path: str) -> str:
    paths.steps(path)
    return path


Path = Annotated[str, Field(max_length=200), AfterValidator(_path)]
Word = Annotated[str, Field(max_length=100)]


class Call(Part):
    """One request. ``path``, ``query``, ``headers`` and ``body`` are templates; a query parameter or a body's member
    whose value there is not is left out."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str = Field(pattern=r"^/", max_length=500)
    query: dict[str, str] = Field(default={})
    headers: dict[HeaderName, str] = Field(default={})
    body: dict[str, JsonValue] | list[JsonValue] | None = None

    @model_validator(mode="after")
    def _templates(self) -> "Call":
        places = dict.fromkeys(self.names(), "0")
        for template in self.headers.values():
            try:
                templates.header(template, places)
            except templates.Unsendable as error:  # whatever an order says
                raise ValueError(str(error)) from None
        return self

    def names(self) -> set[str]:
        """The places in its templates."""
        whole = [self.path, dict(self.query), dict(self.headers), self.body]
        return templates.names(whole)


def _check(call: Call, known: set[str]) -> None:
    if unknown := call.names() - known:
        raise ValueError(f"there is no {', '.join(sorted(unknown))} here; there are {', '.join(sorted(known))}")


class OrderCall(Part):
    """The request by which these operations are asked for."""

    operations: tuple[Operation, ...] = Field(min_length=1)
    call: Call


class Match(Part):
    """Which answers are meant: by HTTP status, and by the partner's code or a pattern that the whole code matches."""

    http: tuple[Annotated[int, Field(ge=100, le=599)], ...] = ()
    code: Word | None = None
    pattern: str | None = Field(default=None, max_length=200)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error:
            raise ValueError("it is no regular expression") from None
        return pattern

    @model_validator(mode="after")
    def _says_something(self) -> "Match":
        if not self.http and self.code is None and self.pattern is None:
            raise ValueError("it needs an HTTP status, a code or a pattern")
        if self.code is not None and self.pattern is not None:
            raise ValueError("it has a code or a pattern, not both")
        return self

    def fits(self, http: int | None, code: str | None) -> bool:
        """Whether an answer is meant. ``http`` None: it came as a callback, and only its code can count."""
        if http is None and self.code is None and self.pattern is None:
            return False
        if http is not None and self.http and http not in self.http:
            return False
        if self.code is not None:
            return code == self.code
        return self.pattern is None or (code is not None and re.fullmatch(self.pattern, code) is not None)


class Rule(Match):
    """One line of the catalogue of errors. RETRY: nothing was done, it can be sent again. REFUSE: it was refused for
    good, for ``reason``. STOP: nobody knows, and nothing more is asked of the partner until the operator says so.
    UNKNOWN: nobody knows, as of everything that is not listed."""

    action: Literal["RETRY", "REFUSE", "STOP", "UNKNOWN"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def _has_a_reason(self) -> "Rule":
        if self.reason is not None and self.action != "REFUSE":
            raise ValueError("a reason belongs to REFUSE")
        return self


class AnswerForm(Part):
    """Where an answer says what. ``statuses``: what the partner's words of status mean; another word is unknown."""

    status: Path
    statuses: dict[str, StatusWord] = Field(min_length=1)
    reference: Path | None = None
    partner_reference: Path | None = None
    amount: Path | None = None
    amount_form: AmountForm | None = None
    unit: Path | None = None
    time: Path | None = None
    code: Path | None = None
    message: Path | None = None


class StatusCall(Part):
    """How the partner is asked what became of an order; ``absent``: how it says that it knows no such reference."""

    call: Call
    absent: tuple[Match, ...] = ()
    answer: AnswerForm | None = None


class LookupCall(Part):
    """How a member is found, and where the answer says what; ``absent``: how it says that there is none."""

    fields: tuple[LookupField, ...] = Field(min_length=1, max_length=20)
    call: Call
    member: Path
    available: Path | None = None
    may_spend: Path | None = None
    may_earn: Path | None = None
    absent: tuple[Match, ...] = ()


class EntryForm(Part):
    """Where an entry of the journal says what; ``operations``: the partner's words for ours. ``unit`` None: the
    partner's unit."""

    reference: Path
    partner_reference: Path | None = None
    operation: Path
    operations: dict[str, Operation] = Field(min_length=1)
    member: Path
    amount: Path
    unit: Path | None = None
    status: Path
    statuses: dict[str, StatusWord] = Field(min_length=1)
    time: Path


class JournalCall(Part):
    """How a day's journal is read, page by page: ``next`` is where a page has the ``{cursor}`` of the one after."""

    call: Call
    day_pattern: str = Field(default="%Y-%m-%d", min_length=2, max_length=20)
    entries: Path
    next: Path | None = None
    entry: EntryForm


class Callbacks(Part):
    """How calls from the partner prove that they are its own; their bodies are read like answers."""

    proof: Proof
    answer: AnswerForm | None = None


class Configuration(Points):
    """A partner that speaks JSON over HTTP."""

    base_url: str = Field(max_length=500, description="What all paths follow, such as https://points.example/api.")
    allow_plain_http: bool = Field(default=False, description="Let the address be http: leased lines, and trials.")
    unit: str = Field(min_length=1, max_length=40, description="The partner's word for its points.")
    auth: Auth = NoAuth(scheme="none")
    tls: Tls = Tls()
    verify_answers: Verification | None = Field(default=None, description="Believe signed answers only.")
    headers: dict[HeaderName, HeaderText] = Field(default={}, description="Sent with every request.")
    secret_headers: dict[HeaderName, SecretHeaderText] = Field(default={}, description="The same, kept encrypted.")
    amount: AmountForm = AmountForm()
    time: TimeForm = TimeForm()
    words: dict[Operation, Word] = Field(default={}, description="The partner's words for operations.")
    orders: tuple[OrderCall, ...] = Field(min_length=1)
    answer: AnswerForm
    errors: tuple[Rule, ...] = Field(
        default=(), max_length=200, description="The catalogue of errors; the first counts."
    )
    status: StatusCall | None = None
    lookup: LookupCall | None = None
    journal: JournalCall | None = None
    callbacks: Callbacks | None = None
    partial: frozenset[Operation] = Field(default=frozenset(), description="Of which a part may be asked.")
    echoes: frozenset[Echo] | None = Field(
        default=None, description="What every answer that something was done says; default: all that `answer` maps."
    )
    idempotent: bool = Field(default=True, description="Whether a reference that is sent again is done once.")
    settling: Settling = Settling.REAL_TIME
    connect_s: int = Field(default=5, ge=1, le=60, description="How long is waited for a connection.")
    answers_within_s: int = Field(
        default=10, ge=1, le=ANSWER_S_MAX, description="How long is waited for an answer in all."
    )
    absent_after_s: int = Field(default=60, ge=0, le=86_400, description="How long it may not know what it was sent.")
    answer_bytes_max: int = Field(default=1_048_576, ge=1_024, le=67_108_864, description="A longer answer is unread.")
    connections_max: int = Field(default=20, ge=1, le=200)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return address(url).rstrip("/")

    @model_validator(mode="after")
    def _fits(self) -> "Configuration":
        urls = [self.base_url, *([self.auth.token_url] if isinstance(self.auth, OAuth2Auth) else [])]
        for url in urls:
            if address(url).startswith("http:") and not self.allow_plain_http:
                raise ValueError("without allowPlainHttp every address is https")
        named = [operation for order in self.orders for operation in order.operations]
        if len(set(named)) != len(named):
            raise ValueError("an operation has more than one call")
        if self.partial - set(named):
            raise ValueError("partial names an operation that the partner does not do")
        for order in self.orders:
            _check(order.call, OF_AN_ORDER)
        if self.status is not None:
            _check(self.status.call, OF_AN_ORDER)
        if self.journal is not None:
            _check(self.journal.call, OF_A_DAY)
            if self.journal.next is not None and "cursor" not in self.journal.call.names():
                raise ValueError("the journal's pages have a next, which its call does not name as {cursor}")
        if self.lookup is not None:
            _check(self.lookup.call, {field.name for field in self.lookup.fields})
        for form in self._amount_forms():
            if not scaled_enough(form, self.scale):
                raise ValueError(f"amounts have fewer decimals than the partner's points, which have {self.scale}")
        if self.callbacks is not None and (self.callbacks.answer or self.answer).reference is None:
            raise ValueError("callbacks need to say of which reference they speak")
        if self.echoes is not None and self.echoes - self.mapped():
            raise ValueError("echoes names what answer does not map")
        return self

    def _amount_forms(self) -> list[AmountForm]:
        answers = [self.answer, self.status and self.status.answer, self.callbacks and self.callbacks.answer]
        return [self.amount, *(one.amount_form for one in answers if one and one.amount_form)]

    def mapped(self) -> frozenset[Echo]:
        """What answers say."""
        answer = self.answer
        found = {
            Echo.REFERENCE: answer.reference,
            Echo.PARTNER_REFERENCE: answer.partner_reference,
            Echo.AMOUNT: answer.amount,
            Echo.UNIT: answer.unit,
            Echo.TIME: answer.time,
        }
        return frozenset(echo for echo, path in found.items() if path is not None)
