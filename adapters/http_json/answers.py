"""Answers: what a partner's answer means, by its words of status and by the catalogue of errors.

The catalogue is asked first. An answer that the catalogue does not list counts by its word of status, if HTTP says that
all is well. Whatever is neither, or both and contradictory, is unknown.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from adapters.amounts import Digits, WrongAnswer
from adapters.http_json import paths
from adapters.http_json.configuration import AnswerForm, Configuration, Match, Rule
from adapters.http_json.wire import Heard
from hub.partners import Answer, Reason, Status

WORDS_MAX: Final = 200  # characters of a partner's own words that are kept


def understood(form: AnswerForm, configuration: Configuration, http: int | None, document: Any) -> Answer:
    """What an answer says, its amount in smallest units of the partner's scale. ``http`` None: it came as a callback.
    RETRY is ABSENT."""
    code, message = (word(paths.find(document, path)) for path in (form.code, form.message))
    try:
        return _answer(form, configuration, http, document, code, message)
    except WrongAnswer as error:
        return Answer(status=Status.UNKNOWN, code=code, message=str(error))


def unread(heard: Heard, configuration: Configuration) -> Answer:
    """What an answer says that could not be read: only its HTTP status counts."""
    told = f"The answer with HTTP {heard.http} was not read: {heard.fault}."
    rule = listed(configuration.errors, heard.http, None)
    if rule is None:
        return Answer(status=Status.UNKNOWN, message=told)
    return by_rule(rule, Answer(status=Status.UNKNOWN, message=told))


def is_listed(matches: Iterable[Match], heard: Heard, code: str | None) -> bool:
    """Whether an answer is among these."""
    return any(one.fits(heard.http, code) for one in matches)


def word(found: object) -> str | None:
    """A word of the partner's, which may be a number or a truth, as text."""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, str | int | Digits):
        return str(found)[:WORDS_MAX]
    return None


def listed(rules: Iterable[Rule], http: int | None, code: str | None) -> Rule | None:
    """The first rule that an answer fits."""
    return next((rule for rule in rules if rule.fits(http, code)), None)


def by_rule(rule: Rule, said: Answer) -> Answer:
    """The answer that a rule makes of one."""
    status = {"RETRY": Status.ABSENT, "REFUSE": Status.REFUSED}.get(rule.action, Status.UNKNOWN)
    reason = (rule.reason or Reason.OTHER) if status is Status.REFUSED else None
    return msgspec.structs.replace(said, status=status, reason=reason, halts=rule.action == "STOP")


def _answer(
    form: AnswerForm,
    configuration: Configuration,
    http: int | None,
    document: Any,
    code: str | None,
    message: str | None,
) -> Answer:
    amount, at = paths.find(document, form.amount), paths.find(document, form.time)
    amount_form = form.amount_form or configuration.amount
    said = Answer(
        status=Status.UNKNOWN,
        reference=word(paths.find(document, form.reference)),
        partner_reference=word(paths.find(document, form.partner_reference)),
        amount=None if amount is None else amount_form.read(amount, configuration.scale),
        unit=word(paths.find(document, form.unit)),
        at=None if at is None else configuration.time.read(at),
        code=code,
        message=message,
    )
    status = form.statuses.get(word(paths.find(document, form.status)) or "")
    rule = listed(configuration.errors, http, code)
    if rule is not None:
        if status in ("SUCCEEDED", "PENDING") and rule.action in ("RETRY", "REFUSE"):
            raise WrongAnswer(f"It says {status}, and its code means {rule.action}.")
        return by_rule(rule, said)
    if status is None or (http is not None and not 200 <= http <= 299):
        return said
    return msgspec.structs.replace(said, status=Status(status), reason=Reason.OTHER if status == "REFUSED" else None)
