"""A configuration that is accepted fits together; one that does not is refused, by its field."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.http_json import kind
from adapters.http_json.configuration import Configuration
from tests.adapters.http_json.bank import ANSWER, configured

CALL = {"path": "/v1"}


def test_the_example_is_accepted_and_reads_its_own_json_again() -> None:
    made = Configuration.model_validate(configured("https://bank.example/api/"))
    assert made.base_url == "https://bank.example/api"
    again = Configuration.model_validate_json(made.model_dump_json(by_alias=True, exclude_unset=True))
    assert again == made
    assert kind.configuration is Configuration


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"baseUrl": "http://bank.example", "allowPlainHttp": False}, ""),
        ({"baseUrl": "bank.example"}, "baseUrl"),
        ({"baseUrl": "https://"}, "baseUrl"),
        ({"baseUrl": "https://user:pw@bank.example"}, "baseUrl"),
        ({"baseUrl": "https://bank.example/?a=1"}, "baseUrl"),
        ({"baseUrl": "file:///etc/passwd"}, "baseUrl"),
        ({"scale": 7}, "scale"),
        ({"answersWithinS": 41}, "answersWithinS"),
        ({"unit": ""}, "unit"),
        ({"colour": "red"}, "colour"),
        ({"orders": []}, "orders"),
        ({"orders": [{"operations": ["DEBIT"], "call": CALL}, {"operations": ["DEBIT"], "call": CALL}]}, ""),
        ({"orders": [{"operations": ["STEAL"], "call": CALL}]}, "orders.0.operations.0"),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "v1"}}]}, "orders.0.call.path"),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "/{currency}"}}]}, ""),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "/v1", "body": {"a": ["{b}"]}}}]}, ""),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "/v1/{member"}}]}, "orders.0.call"),
        (
            {"orders": [{"operations": ["DEBIT"], "call": {"path": "/v1", "query": {"a": "{member!r}"}}}]},
            "orders.0.call",
        ),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "/v1", "headers": {"a b": "c"}}}]}, None),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "/v1", "headers": {"a": "b\n"}}}]}, "orders.0.call"),
        ({"orders": [{"operations": ["DEBIT"], "call": {"path": "/v1", "headers": {"a": "{of} "}}}]}, "orders.0.call"),
        ({"partial": ["CAPTURE"], "orders": [{"operations": ["DEBIT"], "call": CALL}]}, ""),
        ({"answer": {**ANSWER, "amount": "a..b"}}, "answer.amount"),
        ({"answer": {**ANSWER, "amount": "/a~2"}}, "answer.amount"),
        ({"answer": {**ANSWER, "statuses": {}}}, "answer.statuses"),
        ({"answer": {**ANSWER, "statuses": {"OK": "ABSENT"}}}, "answer.statuses.OK"),
        ({"errors": [{"action": "RETRY"}]}, "errors.0"),
        ({"errors": [{"code": "A", "pattern": "A", "action": "RETRY"}]}, "errors.0"),
        ({"errors": [{"pattern": "(", "action": "RETRY"}]}, "errors.0.pattern"),
        ({"errors": [{"http": [42], "action": "RETRY"}]}, "errors.0.http.0"),
        ({"errors": [{"code": "A", "action": "RETRY", "reason": "OTHER"}]}, "errors.0"),
        ({"errors": [{"code": "A", "action": "IGNORE"}]}, "errors.0.action"),
        ({"amount": {"form": "SCALED"}}, "amount"),
        ({"amount": {"form": "DECIMAL", "scale": 2}}, "amount"),
        ({"amount": {"form": "SCALED", "scale": 1}}, ""),
        ({"answer": {**ANSWER, "amountForm": {"form": "SCALED", "scale": 1}}}, ""),
        ({"time": {"form": "PATTERN"}}, "time"),
        ({"time": {"zone": "Mars/Olympus"}}, "time.zone"),
        ({"minimum": "-1"}, ""),
        ({"maximum": "many"}, ""),
        ({"minimum": "0.001"}, ""),
        ({"minimum": "2", "maximum": "1.99"}, ""),
        ({"callbacks": {"proof": {"scheme": "hmac", "key": "k"}, "answer": {**ANSWER, "reference": None}}}, ""),
        ({"echoes": ["TIME"], "answer": {"status": "s", "statuses": {"OK": "SUCCEEDED"}}}, ""),
        ({"lookup": {"fields": [], "call": CALL, "member": "m"}}, "lookup.fields"),
        (
            {"lookup": {"fields": [{"name": "n", "labels": {"en": "N"}}], "call": CALL, "member": "m"}},
            "lookup.fields.0.labels.zh-CN",
        ),
        ({"status": {"call": {"path": "/v1/{day}"}}}, ""),
    ],
)
def test_what_does_not_fit_together_is_refused_by_its_field(changes: dict[str, Any], place: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        Configuration.model_validate(configured("https://bank.example", **changes))
    places = [".".join(str(part) for part in error["loc"]) for error in refused.value.errors()]
    assert place is None or place in places


def test_a_lookup_or_a_journal_names_only_what_it_has() -> None:
    whole = configured("https://bank.example")
    for part, path in (("lookup", "/{reference}"), ("journal", "/{member}")):
        with pytest.raises(ValidationError, match="there is no"):
            Configuration.model_validate({**whole, part: {**whole[part], "call": {"path": path}}})
    with pytest.raises(ValidationError, match="cursor"):
        Configuration.model_validate({**whole, "journal": {**whole["journal"], "call": {"path": "/{day}"}}})
