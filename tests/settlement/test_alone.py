"""The verifier that stands alone gives the hub's verdict, finding by finding, on true reports and on tampered ones.

Here is a part of what is compared; ``make tamper`` compares all of it, and a hundred thousand reports more.
"""

import ast
import itertools
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cryptography
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.levels import roll_up
from hub.money import format_millionths, is_money, minor_unit
from settlement.acceptance import payload_over
from settlement.keyring import revoked
from settlement.report import INTERIM, digest, read
from settlement.signing import SUPPLEMENT_TYP
from tests.hub.cli.conftest import here
from tests.hub.cli.here import Here
from tests.settlement.bending import (
    ALONE,
    FILE,
    TRUE,
    Case,
    acceptances_one_by_one,
    lines_one_by_one,
    one_by_one,
    proofs_one_by_one,
    supplements_one_by_one,
    tampered,
    verdicts,
)
from tests.settlement.supplements import payloads, states
from tests.settlement.test_verify import BANK, JWKS, KEY, OTHER_KEY, forged_header, report

__all__ = ["here"]  # the commands' fixture


@pytest.mark.parametrize("name", TRUE)
def test_both_find_nothing_in_a_true_report(name: str) -> None:
    assert verdicts(TRUE[name]) == ([], [])


@pytest.mark.parametrize("way", [one_by_one, lines_one_by_one, proofs_one_by_one])
@pytest.mark.parametrize(
    "name",
    [
        *("flat BANK", "flat summary", "level BANK", "level HUB", "first version", "shared BANK", "corrected BANK"),
        *("interim BANK", "interim HUB", "settled HUB"),
        *("pairs HUB", "gross BANK"),
    ],
)
def test_both_find_the_same_wherever_a_report_is_changed(name: str, way: Callable[[Case], Iterator[Case]]) -> None:
    stride = 307  # no multiple of how many ways there are to change a place, so all come by
    for case in itertools.islice(way(TRUE[name]), 0, None, stride):
        ours, theirs = verdicts(case)
        assert ours == theirs


def test_both_find_whatever_is_changed_of_an_acceptance() -> None:
    found = [verdicts(case) for case in acceptances_one_by_one(TRUE["corrected BANK"])]
    assert all(ours == theirs for ours, theirs in found)
    silent = [number for number, (ours, _) in enumerate(found) if not ours]
    # A key that was revoked long after the window closed: it may have signed before.
    assert silent == [len(found) - 1]
    codes = {code for ours, _ in found for code, _ in ours}
    assert codes == {
        f"ACCEPTANCE_{code}" for code in ("JWS", "TYP", "KID", "REPORT", "JWKS", "KEY_REVOKED")
    }  # fmt: skip


@pytest.mark.parametrize("code", ["BANK", "AIR", "HUB"])
def test_both_find_the_same_wherever_a_supplement_is_changed(code: str) -> None:
    cases = supplements_one_by_one(replace(TRUE[f"unpaid {code}"], lines=None))
    for case in itertools.islice(cases, 0, None, 307):
        ours, theirs = verdicts(case)
        assert ours == theirs


def test_both_catch_every_tampered_report() -> None:
    for seed in range(150):
        how, case = tampered(random.Random(seed))
        ours, theirs = verdicts(case)
        assert ours == theirs, (seed, how)
        assert ours, (seed, how)


@pytest.mark.parametrize("length", [300, 350, 351, 352, 400])
def test_both_take_headers_of_the_same_length(length: int) -> None:
    header = {"alg": "Ed25519", "typ": "points-hub-report+jws", "kid": KEY.kid}
    padded = forged_header(header, TRUE["flat BANK"].payload).split(".")
    assert json.loads(ALONE.unbase64(padded[0])) == header
    wide = " " * (length - len(json.dumps(header))) + json.dumps(header)
    head = ALONE.base64url(wide.encode())
    signature = ALONE.base64url(KEY._private.sign(f"{head}.{padded[1]}".encode()))
    ours, theirs = verdicts(replace(TRUE["flat BANK"], jws=f"{head}.{padded[1]}.{signature}"))
    assert ours == theirs


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": 1},
        {"keys": [None, {}, {"kty": "OKP", "crv": "Ed25519"}, {"kty": "OKP", "crv": "Ed25519", "x": "x"}]},
        {"keys": [{**KEY.public_jwk(), "d": "x"}]},
        {"keys": [{**KEY.public_jwk(), "x": KEY.public_jwk()["x"] + "="}]},
        {"keys": [{**KEY.public_jwk(), "kid": "another"}]},
        {"keys": [{**KEY.public_jwk(), "revoked": None}]},
        {"keys": [{**KEY.public_jwk(), "revoked": {"revoked_at": True, "reason": 1}}]},
        {"keys": [{**KEY.public_jwk(), "revoked": {"revoked_at": 1e300}}]},
        {"keys": [{**KEY.public_jwk(), "revoked": {"revoked_at": 253_402_300_799, "reason": "superseded"}}]},
        {"keys": [{**KEY.public_jwk(), "revoked": {"revoked_at": 1}}, KEY.public_jwk()]},
        {"keys": [KEY.public_jwk(), {**KEY.public_jwk(), "revoked": {"revoked_at": 1}}]},
    ],
)
def test_both_read_key_sets_alike(keys: dict[str, object]) -> None:
    ours, theirs = verdicts(replace(TRUE["flat BANK"], jwks=keys))
    assert ours == theirs


@pytest.mark.parametrize("second", [-1, 0, 1])
def test_a_revoked_key_speaks_only_for_windows_that_had_closed(second: int) -> None:
    """The window closes at midnight: a key that is revoked from that second on does not speak for it any more."""
    since = revoked(BANK.window.closed_at.replace(microsecond=999_999), "compromised")
    since["revoked_at"] = int(str(since["revoked_at"])) + second
    keys = {"keys": [{**key, "revoked": since} for key in JWKS["keys"]]}
    ours, theirs = verdicts(replace(TRUE["followed"], jwks=keys))
    assert ours == theirs
    # The predecessor says of itself that it closed at the same instant.
    assert {code for code, _ in ours} == (set() if second > 0 else {"KEY_REVOKED", "PREVIOUS_KEY_REVOKED"})


def test_no_interim_statement_takes_the_place_of_a_report_anywhere() -> None:
    """Nor of the report before, of a child's, or of what an institution accepts; and no report that of a statement."""
    final, statement = replace(TRUE["level BANK"], children=()), replace(TRUE["interim BANK"], proof=None)
    for case, expected in (
        (replace(final, jws=statement.token), {"TYP", "TYPE", "SHAPE"}),
        (replace(final, jws=statement.key.sign(statement.payload)), {"TYPE", "SHAPE"}),
        (replace(final, previous=statement.token), {"TYP", "DIGEST", "TYPE", "SHAPE"}),
        (replace(final, children=[TRUE["interim SHOP"].token]), {"TYP", "TYPE", "SHAPE", "DIGEST", "WINDOW", "NET"}),
        (replace(statement, jws=final.token), {"TYP", "TYPE", "SHAPE"}),
        (replace(statement, previous=final.token), {"DIGEST", "NUMBER"}),
    ):
        ours, theirs = verdicts(case)
        assert ours == theirs
        found = {code.removeprefix("PREVIOUS_").removeprefix("CHILD_") for code, _ in ours}
        assert found == expected, found
    reading, as_report = read(statement.payload, INTERIM), read(statement.payload)
    assert reading.findings == []
    for one in (reading, as_report):
        assert payload_over(one, digest(statement.payload)) is None


def test_a_child_under_a_revoked_key_is_found() -> None:
    case = TRUE["level BANK"]
    since = {"revoked": {"revoked_at": 0, "reason": "compromised"}}
    keys = {"keys": [{**key, **since} if key["kid"] == KEY.kid else key for key in JWKS["keys"]]}
    found = verdicts(replace(case, jwks=keys, key=OTHER_KEY))
    assert found[0] == found[1]
    assert {code for code, _ in found[0]} == {"CHILD_KEY_REVOKED"}


# --- its parts, against the hub's -------------------------------------------------------------------------------------


def test_it_knows_the_same_money() -> None:
    letters = [chr(one) for one in range(ord("A"), ord("Z") + 1)]
    known = {code for code in map("".join, itertools.product(letters, repeat=3)) if is_money(code)}
    payable = {}
    for code in known:
        try:
            payable[code] = minor_unit(code)
        except ValueError:
            continue
    assert payable == ALONE.DIGITS


@given(st.integers(-(10**20), 10**20), st.sampled_from(["CNY", "JPY", "BHD", "CLF"]))
def test_it_spells_amounts_alike(amount: int, currency: str) -> None:
    assert ALONE.spelled(amount, currency) == format_millionths(amount, currency)


CODES = [f"N{number}" for number in range(8)]
AMOUNTS = st.one_of(st.integers(1, 10**7), st.sampled_from([2_500, 5_000, 7_500]))  # often as much lost as another


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from(CODES), AMOUNTS), max_size=20),
    st.permutations(CODES),
    st.data(),
)
def test_it_rounds_over_levels_alike(acts: list[tuple[str, str, int]], order: list[str], data: st.DataObject) -> None:
    """A random tree: who stands later in the order may stand under somebody before."""
    own = dict.fromkeys(CODES, 0)
    for payer, payee, amount in acts:
        own[payer] -= amount
        own[payee] += amount
    above = {code: data.draw(st.sampled_from([None, *order[:place]])) for place, code in enumerate(order)}
    parents = {code: parent for code, parent in above.items() if parent is not None}
    nets = [
        ALONE.Net(code, "CNY", max(0, -own[code]), max(0, own[code]), 0, parents.get(code), 0, 0)
        for code in reversed(order)
    ]
    due = {code: (of.net, of.below_debit, of.below_credit) for code, of in roll_up(own, parents, 10_000).items()}
    assert ALONE.levels(nets, 10_000) == due


# --- the file ---------------------------------------------------------------------------------------------------------


def test_it_needs_cryptography_and_the_standard_library_only() -> None:
    tree = ast.parse(FILE.read_text(), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    case, interim, parent = TRUE["flat BANK"], TRUE["interim BANK"], TRUE["level BANK"]
    contents = {
        "interim.jws": interim.token.encode() + b"\n",
        **{f"after{place}.jws": one.encode() for place, one in enumerate(TRUE["unpaid BANK"].supplements)},
        "bearer.jws": KEY.sign(
            payloads(report("institution", "AIR"), states(), has_report=False)[0], SUPPLEMENT_TYP
        ).encode(),
        "own.ndjson": b"".join(line + b"\n" for line in interim.lines or ()),
        "report.jws": case.token.encode() + b"\n",
        "parent.jws": parent.token.encode(),
        "brought.ndjson": b"".join(line + b"\n" for line in parent.lines or ()),
        "child.jws": parent.children[0].encode(),
        "lines.ndjson": b"".join(line + b"\n" for line in case.lines or ()),
        "forged.ndjson": b"".join(line + b"\n" for line in reversed(case.lines or ())),
        "proof.json": (case.proof or b"") + b"\n",
        "jwks.json": json.dumps(JWKS).encode(),
        "list.json": b"[]",
        "deep.json": b"[" * 200_000,
        "later.json": json.dumps(
            {"keys": [{**KEY.public_jwk(), "revoked": {"revoked_at": 1_800_000_000, "reason": "superseded"}}]}
        ).encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name.partition(".")[0]: str(tmp_path / name) for name in contents}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{report}", "--lines", "{lines}", "--jwks", "{jwks}"], 0),
        (["{report}", "--line", "{proof}", "--jwks", "{jwks}"], 0),
        (["{report}", "--line", "{proof}", "--lines", "{lines}", "--jwks", "{later}"], 0),
        (["{report}", "--lines", "{forged}", "--jwks", "{jwks}", "--previous", "{report}", "--child", "{report}"], 1),
        (["{lines}", "--lines", "{report}", "--jwks", "{jwks}"], 1),
        (["{report}", "--line", "{jwks}", "--jwks", "{jwks}"], 1),
        (["{report}", "--lines", "{lines}", "--jwks", "{list}"], 2),
        (["{report}", "--lines", "{lines}", "--jwks", "{report}"], 2),
        (["{report}", "--lines", "{lines}", "--jwks", "{deep}"], 2),
        (["{report}", "--lines", "none", "--jwks", "{jwks}"], 2),
        (["{report}", "--line", "none", "--jwks", "{jwks}"], 2),
        (["{report}", "--jwks", "{jwks}"], 2),
        (["{report}", "--lines", "{lines}"], 2),
        (["none"], 2),
        (
            [
                "{report}",
                "--line",
                "{proof}",
                "--jwks",
                "{jwks}",
                "--supplement",
                "{after0}",
                "--supplement",
                "{after1}",
            ],
            0,
        ),
        (["{report}", "--lines", "{lines}", "--jwks", "{jwks}", "--supplement", "{after1}"], 1),
        (["--jwks", "{jwks}", "--supplement", "{bearer}"], 0),
        (["--jwks", "{jwks}", "--supplement", "{after0}"], 1),
        (["--jwks", "{jwks}", "--supplement", "{bearer}", "--lines", "{lines}"], 2),
        (["--jwks", "{jwks}"], 2),
        (["--interim", "{interim}", "--lines", "{own}", "--jwks", "{jwks}"], 0),
        (["{interim}", "--lines", "{own}", "--jwks", "{jwks}"], 1),
        (["--interim", "{report}", "--lines", "{lines}", "--jwks", "{jwks}"], 1),
        (["--interim", "{interim}", "--lines", "{own}", "--jwks", "{jwks}", "--previous", "{report}"], 2),
    ],
)
def test_it_says_and_exits_as_the_command_does(
    here: Here,
    files: dict[str, str],
    words: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [word.format(**files) for word in words]
    done = here.run("verify", *given)
    monkeypatch.setattr("sys.argv", ["verify_report.py", *given])
    try:
        found = ALONE.main()
    except SystemExit as ended:
        found = ended.code
    out, _ = capsys.readouterr()
    assert (found, out) == (code, done.stdout)
    assert done.returncode == code


def test_a_report_below_it_that_is_given_twice_is_counted_once(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    child = ["--child", files["child"]]
    words = [files["parent"], "--lines", files["brought"], "--jwks", files["jwks"], *child, *child]
    monkeypatch.setattr("sys.argv", ["verify_report.py", *words])
    assert ALONE.main() == 0
    assert "; it agrees with 1 report below it." in capsys.readouterr().out


def test_it_runs_where_there_is_no_hub(files: dict[str, str], tmp_path: Path) -> None:
    """A Python that sees neither this project nor its packages, only cryptography and what that needs."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(FILE, alone)
    packages = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", "pycparser", "_cffi_backend"):
        for found in (*packages.glob(name), *packages.glob(f"{name}*.so")):
            (alone / found.name).symlink_to(found)
    program = (
        "import importlib.util, runpy, sys; sys.path[:0] = [sys.argv.pop(1)]\n"
        "assert not importlib.util.find_spec('hub')\n"
        "runpy.run_path(sys.path[0] + '/verify_report.py', run_name='__main__')"
    )
    words = [files["report"], "--lines", files["lines"], "--line", files["proof"], "--jwks", files["jwks"]]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(alone), *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Genuine and complete: BANK's report of window 7, 4 lines, 1 net, signed with ")
    assert "; line 1 is one of its 4 lines." in done.stdout
