"""Each of the core's refusals has one reason, one message in each language, and says what it stands for."""

import pytest

from hub import errors
from hub.ledger.decide import Outcome
from schema.messages import MESSAGES
from schema.operations import Parameters
from schema.refusals import REASONS, RefusalReason, refusal_of, refused, result_of
from tests.schema.acting import act
from tests.schema.conftest import Client


def test_every_refusal_of_the_core_has_a_reason_of_its_own() -> None:
    assert set(REASONS) == set(errors.REFUSALS.values())
    assert sorted(REASONS.values()) == sorted(RefusalReason)
    assert {refusal.code: reason.name for refusal, reason in REASONS.items()} == {
        reason.name: reason.name for reason in RefusalReason
    }


def test_every_reason_has_its_messages() -> None:
    assert {reason.name for reason in RefusalReason} == set(MESSAGES)


@pytest.mark.parametrize("kind", REASONS)
def test_every_refusal_can_be_said_in_both_languages(kind: type[errors.Refusal]) -> None:
    for language, mark in (("en", "."), ("zh", "。")):
        shown = refused(kind(a="1", available="2"), language)  # type: ignore[arg-type]
        assert shown.message.endswith(mark)
        assert shown.retryable is kind.retryable
        assert [(detail.key, detail.value) for detail in shown.details] == [("a", "1"), ("available", "2")]


def test_details_are_shown_by_key_so_that_a_replay_shows_them_alike() -> None:
    fresh = errors.Slippage(target="4", minimum="5")
    recalled = errors.stored("SLIPPAGE", {"minimum": "5", "target": "4"})
    assert refused(fresh, "en") == refused(recalled, "en")


def test_an_outcome_is_a_refusal_or_a_result() -> None:
    no = refusal_of(Outcome(refusal=errors.RetryLater(), replayed=True), "zh")
    assert no is not None
    assert (no.reason, no.replayed, no.retryable) == (RefusalReason.RETRY_LATER, True, True)
    assert refusal_of(Outcome(7), "en") is None
    assert result_of(Outcome(7), int) == 7
    with pytest.raises(TypeError):
        result_of(Outcome("7"), int)


async def test_a_refusal_is_said_in_the_callers_language_and_replayed_in_anothers(client: Client) -> None:
    hub = client.hub
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "80")
    transfer = {
        "idempotencyKey": "t",
        "currency": "BP",
        "from": {"institution": "BANK", "reference": "alice"},
        "to": {"institution": "BANK", "reference": "bob"},
        "amount": "100",
    }
    said = [
        await act(client.caller(hub.admin, language), "transferPoints", "TransferPointsInput", "", **transfer)
        for language in ("en", "zh")
    ]
    details = [{"key": "available", "value": "80"}, {"key": "requested", "value": "100"}]
    assert said == [
        {
            "__typename": "Refused",
            "reason": "INSUFFICIENT_POINTS",
            "message": "The customer has 80 points available, not enough.",
            "retryable": True,
            "replayed": False,
            "details": details,
        },
        {
            "__typename": "Refused",
            "reason": "INSUFFICIENT_POINTS",
            "message": "客户可用积分为 80，余额不足。",
            "retryable": True,
            "replayed": True,
            "details": details,
        },
    ]


async def test_a_malformed_request_is_an_error_and_no_refusal(client: Client) -> None:
    root = client.caller(client.hub.admin)
    document = "mutation M($input: SetDebitCapInput!) { setDebitCap(input: $input) { __typename } }"
    for amount in (1, 1.5, "1e3", " 1", "NaN", ""):
        cap = {"institution": "HUB", "currency": "CNY", "amount": amount}
        result = await client.operations.execute(Parameters(document, {"input": cap}), root.context(), reading=False)
        assert result.errors, amount
    for amount in ("-1", "0.0000001"):
        cap = {"institution": "HUB", "currency": "CNY", "amount": amount}
        assert (await root.ask(document, input=cap))["__typename"] == "Refused"
