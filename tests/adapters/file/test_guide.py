"""The guide's section is true: its configuration is one, and its files are what is written and believed."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from adapters.file.configuration import Configuration
from adapters.file.tables import is_whole, written
from hub.partners import Operation, Reason, Status
from tests.adapters.file.conftest import Exchanged

TEXT = (Path(__file__).parents[3] / "docs" / "guides" / "connect-a-partner.md").read_text()
[SECTION] = re.findall(r"^## A partner that works in nightly batches\n(.*?)^## ", TEXT, re.S | re.M)
[OVER_SFTP] = re.findall(r"^## The same over SFTP\n(.*?)^## ", TEXT, re.S | re.M)
ORDERS, RESULTS = re.findall(r"```csv\n(.*?)```", SECTION, re.S)


def whole(shown: str) -> bytes:
    """A file as the guide shows it, with its line ends and its digest."""
    body, _, end = shown.replace("\n", "\r\n").rpartition("#end")
    digest = hashlib.sha256(body.encode()).hexdigest()
    return body.encode() + re.sub(r"^(,\d+,)[0-9a-f]+", rf"#end\g<1>{digest}", end).encode()


@pytest.mark.parametrize("shown", [ORDERS, RESULTS], ids=["orders", "results"])
def test_the_guide_s_digests_are_the_beginnings_of_the_right_ones(shown: str) -> None:
    told = re.findall(r"^#end,\d+,([0-9a-f]+)", shown, re.M)
    assert whole(shown).decode().splitlines()[-1].split(",")[2].startswith(told[0])


async def test_the_guide_s_files_are_the_ones_that_are_written_and_believed(exchanged: Exchanged) -> None:
    [shown] = re.findall(r"```json\n(.*?)```", SECTION, re.S)
    exchanged.at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    exchanged.more = {**msgspec.json.decode(shown), "folder": str(exchanged.folder)}
    partner = exchanged.connect(partial=["REVERSE"])
    reverse = {"operation": Operation.REVERSE, "of": "PH-1"}
    orders = [exchanged.order(12_34), exchanged.order(1, **reverse), exchanged.order(100_00)]
    for order in orders:
        await partner.perform(order)
    name = await partner.compose()
    assert name == "20260301-001"
    assert (exchanged.folder / "outgoing" / f"orders-{name}.csv").read_bytes() == whole(ORDERS)
    (exchanged.folder / "incoming" / f"results-{name}.csv").write_bytes(whole(RESULTS))
    answers = [await partner.status(order) for order in orders]
    assert [answer.status for answer in answers] == [Status.SUCCEEDED, Status.SUCCEEDED, Status.REFUSED]
    assert answers[2].reason is Reason.INSUFFICIENT_POINTS


def test_every_setting_of_the_guide_is_one() -> None:
    known = set(Configuration.model_json_schema()["properties"])
    told = {name for cell in re.findall(r"^\| (`.*?) \|", SECTION, re.M) for name in re.findall(r"`(\w+)`", cell)}
    [shown] = re.findall(r"```json\n(.*?)```", SECTION, re.S)
    assert told | set(msgspec.json.decode(shown)) == known


def test_every_encoding_and_separator_of_the_guide_is_one() -> None:
    base = {"folder": "/srv/jade", "unit": "M", "cutOff": "22:30", "zone": "UTC", "operations": ["DEBIT"]}
    [row] = re.findall(r"^\| `separator`.*$", SECTION, re.M)
    fields = Configuration.model_json_schema()["properties"]
    for encoding in fields["encoding"]["enum"]:
        assert f"`{encoding}`" in row
        for separator in fields["separator"]["enum"]:
            told = Configuration.model_validate({**base, "encoding": encoding, "separator": separator})
            assert is_whole(written([], told), told)


def test_the_guide_s_server_is_one_and_its_defaults_are_ours() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", OVER_SFTP, re.S)
    sftp = Configuration.model_validate(msgspec.json.decode(shown)).sftp
    assert sftp is not None
    assert f"`lookEveryS` ({sftp.look_every_s} seconds)" in OVER_SFTP
    assert f"`transferS` ({sftp.transfer_s})" in OVER_SFTP
    assert f"`connectS` ({sftp.connect_s})" in OVER_SFTP
