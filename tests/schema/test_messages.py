"""Every refusal has a sentence in both languages, and no detail can break it."""

import re
import string

import pytest

from schema.messages import MESSAGES, Sentence, language_of, message

REASONS = re.findall(
    r"\w+",
    """
    INSUFFICIENT_POINTS INSUFFICIENT_LIQUIDITY LIMIT_EXCEEDED BELOW_MINIMUM ABOVE_MAXIMUM NOT_A_MULTIPLE
    AMOUNT_TOO_SMALL INVALID_AMOUNT NO_RATE RATE_CYCLE RATE_OVERLAP NOT_ACCEPTED SAME_APPROVER QUOTE_EXPIRED
    QUOTE_USED QUOTE_CANCELLED TOO_MANY_QUOTES SLIPPAGE TRANSFER_FORBIDDEN CASHOUT_FORBIDDEN FROZEN SUSPENDED
    HOLD_EXPIRED HOLD_RESOLVED EXCEEDS_HELD EXCEEDS_ORIGINAL ALREADY_REVERSED NOT_FOUND DUPLICATE ORG_CYCLE
    UNKNOWN_CURRENCY INVALID_INPUT IDEMPOTENCY_CONFLICT WINDOW_CLOSED WINDOW_ORDER PAY_OUT_WAITS
    PARTNER_REFUSED
    PARTNER_UNAVAILABLE RETRY_LATER POINTS_EXPIRED ALREADY_BOUND FREEZE_RESOLVED EXCEEDS_DEBT POINTS_UNRESOLVED
    CUSTOMER_CLOSED NOT_A_MEMBER POOL_RIGHT_MISSING NOT_HOSTED REVERSAL_PENDING CURRENCY_MOVING
    REPORT_ACCEPTED DISPUTE_TOO_LATE FX_RATE_MISSING INSUFFICIENT_PREPAID
    """,
)


def fields(sentence: Sentence) -> set[str | None]:
    return named(sentence.full or "")


def named(template: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def test_every_reason_is_there_and_no_other() -> None:
    assert set(MESSAGES) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_both_languages_are_worded_and_use_the_same_details(reason: str) -> None:
    english, chinese = MESSAGES[reason]
    assert re.fullmatch(r"[ -~]+\.", english.plain)
    assert re.fullmatch(r".*[\u4e00-\u9fff].*。", chinese.plain)
    assert fields(english) == fields(chinese)
    assert [named(case) for case in english.cases] == [named(case) for case in chinese.cases]
    assert message(reason, "en", {}) == english.plain
    assert message(reason, "zh", {}) == chinese.plain


def test_details_are_said_when_they_are_there() -> None:
    assert message("INSUFFICIENT_POINTS", "en", {"available": "80"}) == (
        "The customer has 80 points available, not enough."
    )
    assert message("INSUFFICIENT_POINTS", "zh", {"available": "80"}) == "客户可用积分为 80，余额不足。"


def test_what_is_refused_for_its_state_says_which_and_not_that_a_value_is_wrong() -> None:
    through = {"institution": "EAST", "paysThrough": "BANK"}
    assert message("INVALID_INPUT", "en", through) == "EAST does not settle with the hub by itself, but through BANK."
    assert message("INVALID_INPUT", "zh", through) == "机构 EAST 不直接与枢纽结算，而是通过 BANK 结算。"
    assert message("INVALID_INPUT", "en", {"institution": "EAST", "zone": "x"}) == (
        "The value of institution, zone is not valid."
    )
    paid = {"institution": "BANK", "currency": "CNY"}
    assert message("DUPLICATE", "en", paid) == (
        "What BANK owes or is owed in CNY is paid, or declared unpaid, already."
    )


def test_a_detail_with_braces_is_said_as_it_is() -> None:
    assert message("DUPLICATE", "en", {"what": "{0.__class__}"}) == "{0.__class__} exists already."


def test_an_unknown_reason_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        message("NO_SUCH_REASON", "en", {})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        (b"", "en"),
        (b"zh-CN", "zh"),
        (b"ZH-hans-cn", "zh"),
        (b"zh", "zh"),
        (b"fr, de;q=0.9", "en"),
        (b"zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (b"en;q=0.8, zh-TW", "zh"),
        (b"en,zh", "en"),
        (b"zh;q=0, en;q=0.1", "en"),
        (b"zh;q=0", "en"),
        (b"fr, zh;q=0.2, *;q=0.1", "zh"),
        (b"zhuang", "en"),
        (b"zh;q=oops", "zh"),
        (b"\xff\xfe;;;,,,q=", "en"),
    ],
)
def test_the_language_is_the_one_weighed_highest(header: bytes | None, language: str) -> None:
    assert language_of(header) == language


def test_a_wrong_payment_is_told_the_right_one() -> None:
    details = {"amount": "5", "expected": "-101.00", "currency": "CNY"}
    assert message("INVALID_AMOUNT", "en", details) == "The amount must be -101.00 CNY; 5 was given."
    assert message("INVALID_AMOUNT", "zh", details) == "金额应为 -101.00 CNY，提交的是 5。"


def test_what_is_missing_there_already_or_wrong_is_named() -> None:
    assert "BANK, 6217-1" in message("NOT_FOUND", "en", {"institution": "BANK", "reference": "6217-1"})
    assert message("DUPLICATE", "en", {"institution": "BANK"}) == "BANK exists already."
    assert message("INVALID_INPUT", "en", {"effectiveFrom": "2020"}) == "The value of effectiveFrom is not valid."
