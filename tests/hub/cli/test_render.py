"""Renderings, made from the command line."""

import json
from pathlib import Path

import pytest

from settlement.renderings.formats import FORMATS, Format, render
from tests.hub.cli.here import Done, Here
from tests.settlement.renderings.reports import BANK_CASE
from tests.settlement.test_verify import BANK_LINES, JWKS, KEY


@pytest.fixture
def folder(here: Here) -> Path:
    folder = here.folder.parent
    (folder / "report.jws").write_text(KEY.sign(BANK_CASE.payload) + "\n")
    (folder / "jwks.json").write_text(json.dumps(JWKS))
    BANK_CASE.file(folder)
    return folder


def rendering(here: Here, folder: Path, to: str, *words: str) -> Done:
    return here.run("render", str(folder / "report.jws"), "--format", to, "-o", str(folder / "made"), *words)


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_file_is_made_as_by_anybody_else(here: Here, folder: Path, to: Format) -> None:
    words = ["--lines", str(folder / "lines.ndjson"), "--jwks", str(folder / "jwks.json"), "--language", "zh-CN"]
    done = rendering(here, folder, to, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verified first" in done.stdout
    render(BANK_CASE.payload, folder / "lines.ndjson", to, "zh", folder / "expected")
    assert (folder / "made").read_bytes() == (folder / "expected").read_bytes()
    assert not here.folder.exists()
    assert not (folder / "made.part").exists()


def test_nothing_is_made_of_a_report_that_does_not_verify(here: Here, folder: Path) -> None:
    (folder / "jwks.json").write_text('{"keys": []}')
    done = rendering(here, folder, "csv", "--jwks", str(folder / "jwks.json"))
    assert done.returncode == 1
    assert "nothing is rendered" in done.stderr
    assert not (folder / "made").exists()


def test_without_keys_it_is_said_that_nobody_checked_the_signature_and_lines_are_checked_still(
    here: Here, folder: Path
) -> None:
    done = rendering(here, folder, "camt053")
    assert done.returncode == 0
    assert "signature was not checked" in done.stdout
    (folder / "lines.ndjson").write_bytes(b"".join(line + b"\n" for line in BANK_LINES[1:]))
    done = rendering(here, folder, "parquet", "--lines", str(folder / "lines.ndjson"))
    assert (done.returncode, done.stdout.partition(":")[0]) == (1, "LINE_ROOT")
    assert rendering(here, folder, "parquet").returncode == 3
