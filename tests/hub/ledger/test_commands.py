"""Commands: what a request's digest covers, and texts that no database can hold."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hub.errors import InvalidInput
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import KEY_MAX, TEXT_MAX, BonusTerms, MoneyText, Party, malformed
from hub.rates import Funding

TRANSFER = commands.Transfer(
    actor=1, key="k", currency="BP", source=Party("BANK", "a"), target=Party("BANK", "b"), amount="5", memo=None
)
ZONED = commands.CreateInstitution(
    actor=1, code="C", name="C", kind=Kind.BANK, parent=None, zones=("north", "south"), auto_enroll=True
)
PROPOSAL = commands.ProposeRate(
    actor=1,
    source="BP",
    target="MILE",
    numerator="1",
    denominator="1",
    minimum=None,
    maximum=None,
    step=None,
    fee_fixed=None,
    fee_per_point=None,
    fee_percent=None,
    fee_cap=None,
    bonuses=(),
    settlement_price=None,
    starts=None,
    ends=None,
)


def changed(command: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(command, **fields)


def test_who_asks_and_under_which_key_is_not_part_of_the_request() -> None:
    assert TRANSFER.digest() == changed(TRANSFER, actor=2, key="other").digest()


@pytest.mark.parametrize(
    "other",
    [
        {"currency": "BQ"},
        {"source": Party("BANK", "b"), "target": Party("BANK", "a")},
        {"target": Party("BANKb", "")},
        {"amount": "50"},
        {"memo": ""},
        {"memo": "5"},
    ],
)
def test_every_argument_is_part_of_the_request(other: dict[str, Any]) -> None:
    assert TRANSFER.digest() != changed(TRANSFER, **other).digest()


def test_the_operation_is_part_of_the_request() -> None:
    execute, close = commands.ExecuteQuote(actor=1, key="k", quote=7), commands.CloseWindow(actor=1, key="k", window=7)
    assert execute.digest() != close.digest()


UNSTORABLE = ["a\x00b", "\x00", "\ud800", "x\udfff"]


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize(
    "place",
    [
        lambda text: changed(TRANSFER, key=text),
        lambda text: changed(TRANSFER, memo=text),
        lambda text: changed(TRANSFER, amount=text),
        lambda text: changed(TRANSFER, currency=text),
        lambda text: changed(TRANSFER, source=Party(text, "a")),
        lambda text: changed(TRANSFER, target=Party("BANK", text)),
        lambda text: changed(ZONED, zones=("north", text)),
        lambda text: changed(PROPOSAL, fee_cap=MoneyText("1", text)),
        lambda text: changed(PROPOSAL, settlement_price=MoneyText(text, "CNY")),
        lambda text: changed(
            PROPOSAL, bonuses=(BonusTerms("1", text, None, None, Funding.SOURCE_ISSUER, None, datetime.now(UTC)),)
        ),
    ],
)
def test_a_text_that_no_database_can_hold_is_malformed_wherever_it_stands(place: Any, text: str) -> None:
    assert isinstance(malformed(place(text)), InvalidInput)


def test_texts_of_every_script_are_well_formed() -> None:
    for text in ("中文", "🎉", "e\u0301", "\u200f", "' OR 1=1 --", "%s", '"'):
        assert malformed(changed(TRANSFER, memo=text, target=Party("BANK", text))) is None
        assert malformed(changed(ZONED, zones=(text,))) is None


def test_lengths_are_bounded() -> None:
    assert malformed(changed(TRANSFER, key="k" * KEY_MAX)) is None
    assert malformed(changed(TRANSFER, memo="m" * TEXT_MAX)) is None
    assert malformed(changed(TRANSFER, target=Party("BANK", "r" * KEY_MAX))) is None
    for wrong in (
        {"key": ""},
        {"key": "k" * (KEY_MAX + 1)},
        {"memo": "m" * (TEXT_MAX + 1)},
        {"target": Party("BANK", "r" * (KEY_MAX + 1))},
    ):
        assert isinstance(malformed(changed(TRANSFER, **wrong)), InvalidInput)


# --- requests that were kept before commands had as many fields -------------------------------------------------------

BANK_A = {"institution": "BANK", "reference": "a"}
BANK_B = {"institution": "BANK", "reference": "b"}
A, B = Party("BANK", "a"), Party("BANK", "b")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

# Each keyed command of the first version with all the fields that it had, and what it was spelled as for its digest.
FIRST: list[tuple[type[commands.Keyed], dict[str, Any], dict[str, Any]]] = [
    (
        commands.Issue,
        {"currency": "BP", "to": A, "amount": "5", "earned_at": NOON, "expires_at": None, "memo": "hello"},
        {
            "currency": "BP",
            "to": BANK_A,
            "amount": "5",
            "earned_at": "2026-01-02T12:00:00Z",
            "expires_at": None,
            "memo": "hello",
        },
    ),
    (
        commands.Transfer,
        {"currency": "BP", "source": A, "target": B, "amount": "5", "memo": None},
        {"currency": "BP", "source": BANK_A, "target": BANK_B, "amount": "5", "memo": None},
    ),
    (
        commands.Redeem,
        {"currency": "BP", "customer": A, "merchant": "SHOP", "amount": "5", "memo": None},
        {"currency": "BP", "customer": BANK_A, "merchant": "SHOP", "amount": "5", "memo": None},
    ),
    (commands.ExecuteQuote, {"quote": 7}, {"quote": 7}),
    (
        commands.Convert,
        {
            "source": A,
            "target": B,
            "source_currency": "BP",
            "target_currency": "MILE",
            "amount": "5",
            "minimum_target": None,
        },
        {
            "source": BANK_A,
            "target": BANK_B,
            "source_currency": "BP",
            "target_currency": "MILE",
            "amount": "5",
            "minimum_target": None,
        },
    ),
    (
        commands.Reverse,
        {"id": 7, "amount": None, "reason": "returned"},
        {"id": 7, "amount": None, "reason": "returned"},
    ),
    (commands.CloseWindow, {"window": 7}, {"window": 7}),
    (
        commands.ConfirmSettlement,
        {"window": 7, "institution": "BANK", "currency": "CNY", "amount": "1", "value_date": None, "reference": "r"},
        {"window": 7, "institution": "BANK", "currency": "CNY", "amount": "1", "value_date": None, "reference": "r"},
    ),
]


@pytest.mark.parametrize(("kind", "fields", "spelled"), FIRST, ids=[kind.__name__ for kind, _, _ in FIRST])
def test_a_request_that_was_kept_by_the_first_version_has_the_digest_that_it_had(
    kind: type[commands.Keyed], fields: dict[str, Any], spelled: dict[str, Any]
) -> None:
    text = json.dumps([kind.__name__, spelled], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert kind(actor=1, key="k", **fields).digest() == hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(("kind", "fields", "_spelled"), FIRST, ids=[kind.__name__ for kind, _, _ in FIRST])
def test_what_a_command_has_come_to_say_since_is_part_of_the_request_where_it_is_said(
    kind: type[commands.Keyed], fields: dict[str, Any], _spelled: dict[str, Any]
) -> None:
    said: dict[str, object] = {"record": "o-1", "channel": "app", "by": B, "product": "card", "grantor": "AIR"}
    said["shortfall"] = commands.ReversalShortfall.DEBT
    said["due"] = True
    said["counterparty"] = "AIR"
    later = set(kind.__struct_fields__) - fields.keys() - {"actor", "key"}
    assert later == set(kind.later)
    plain = kind(actor=1, key="k", **fields)
    for name in later:
        assert plain.digest() != changed(plain, **{name: said[name]}).digest(), name
