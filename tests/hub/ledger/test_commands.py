"""Commands: what a request's digest covers, and texts that no database can hold."""

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
