import json
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from settlement.lines import Line
from settlement.renderings.line_file import Spelled
from settlement.renderings.paper import Unrenderable
from settlement.renderings.parquet import parquet
from tests.settlement.renderings.reports import BANK_CASE, Case, cases


def read(path: Path) -> list[dict[str, Any]]:
    with duckdb.connect(":memory:") as connection:
        # An instant as text: as an object it would need a package for its time zone.
        found = connection.execute('SELECT * REPLACE (epoch_us("at") AS "at") FROM read_parquet($1)', [str(path)])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cases())
def test_every_member_of_every_line_is_read_again(tmp_path: Path, case: Case) -> None:
    target = tmp_path / "it's lines.parquet"
    parquet(case.file(tmp_path), case.digest, target)
    for found, line in zip(read(target), case.said, strict=True):
        at = datetime.fromisoformat(line["at"])
        assert found == {
            **line,
            "terms": line.get("terms"),
            "price": Decimal(line["price"]) if "price" in line else None,
            "share": {**line["share"], **{of: Decimal(line["share"][of]) for of in ("fee", "kept")}}
            if "share" in line
            else None,
            "invoice": line.get("invoice"),
            "corrects": line.get("corrects"),
            "window": int(line["window"]),
            "at": int(at.timestamp()) * 1_000_000 + at.microsecond,
            "amount": Decimal(line["amount"]),
            "points": [entry | {"amount": Decimal(entry["amount"])} for entry in line["points"]]
            if "points" in line
            else None,
        }


def test_amounts_are_decimals_and_the_file_names_its_report(tmp_path: Path) -> None:
    target = tmp_path / "lines.parquet"
    parquet(BANK_CASE.file(tmp_path), BANK_CASE.digest, target)
    with duckdb.connect(":memory:") as connection:
        types = dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{target}')").fetchall())
        [(key, value)] = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{target}')").fetchall()
    assert (types["amount"], types["at"], types["window"]) == ("DECIMAL(38,6)", "TIMESTAMP WITH TIME ZONE", "BIGINT")
    assert types["points"] == "STRUCT(currency VARCHAR, amount DECIMAL(38,12))[]"
    assert (key, value) == (b"report", BANK_CASE.digest.encode())


def test_digits_that_do_not_fit_are_refused_and_not_rounded(tmp_path: Path) -> None:
    line = json.loads(BANK_CASE.lines[0])
    line["points"][0]["amount"] = "9" * 27  # a decimal of 38 digits, twelve of them behind the point, has 26 before it
    path = tmp_path / "lines.ndjson"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(Unrenderable):
        parquet(path, BANK_CASE.digest, tmp_path / "lines.parquet")


def test_no_member_that_a_line_may_have_is_left_out(tmp_path: Path) -> None:
    target = tmp_path / "lines.parquet"
    parquet(BANK_CASE.file(tmp_path), BANK_CASE.digest, target)
    of = {"payer": "from", "payee": "to", "amount_millionths": "amount"}
    members = {of.get(field.name, field.name) for field in fields(Line)}
    assert read(target)[0].keys() == members
    # The window's number is a fact of the whole report.
    assert {of.get(name, name) for name in Spelled.__struct_fields__} == members - {"window"}
