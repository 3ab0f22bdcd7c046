"""Reports, verified from the command line."""

import json

from settlement.report import build
from tests.hub.cli.here import Done, Here
from tests.settlement.test_verify import BANK, BANK_LINES, JWKS, KEY


def verification(here: Here, lines: list[bytes], *, previous: bytes | None = None) -> Done:
    """The verdict on BANK's report with these lines."""
    folder = here.folder.parent
    files = {
        "report.jws": KEY.sign(build(BANK)).encode() + b"\n",
        "lines.ndjson": b"".join(line + b"\n" for line in lines),
        "jwks.json": json.dumps(JWKS).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    words = [str(folder / "report.jws"), "--lines", str(folder / "lines.ndjson"), "--jwks", str(folder / "jwks.json")]
    if previous is not None:
        (folder / "previous.jws").write_bytes(previous)
        words += ["--previous", str(folder / "previous.jws")]
    return here.run("verify", *words)


def test_a_genuine_report_verifies_without_a_hub(here: Here) -> None:
    done = verification(here, BANK_LINES)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Genuine and complete: BANK's report of window 7, 4 lines, 1 net, signed with {KEY.kid}.\n"
    assert not here.folder.exists()


def test_every_finding_about_a_forged_report_is_listed(here: Here) -> None:
    forged = [BANK_LINES[0].replace(b'"amount":"0.0048"', b'"amount":"0.0049"'), *BANK_LINES[1:]]
    done = verification(here, forged)
    assert done.returncode == 1
    # The sum of the debits and the lines' root no longer fit.
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {"NET_DEBIT", "LINE_ROOT"}
    assert "not to be believed" in done.stderr


def test_a_report_that_does_not_follow_the_one_before_is_found_out(here: Here) -> None:
    done = verification(here, BANK_LINES, previous=KEY.sign(build(BANK)).encode())
    assert done.returncode == 1
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {"PREVIOUS_DIGEST", "PREVIOUS_NUMBER"}


def test_a_line_is_proved_and_its_proof_verified_without_the_others(here: Here) -> None:
    folder = here.folder.parent
    assert verification(here, BANK_LINES).returncode == 0  # leaves its files
    report, jwks = str(folder / "report.jws"), str(folder / "jwks.json")
    made = here.run("verify", report, "--lines", str(folder / "lines.ndjson"), "--jwks", jwks, "--line", "3")
    assert made.returncode == 0, made.stderr
    assert "Genuine and complete" in made.stderr  # the output is the proof alone
    (folder / "proof.json").write_text(made.stdout)
    done = here.run("verify", report, "--line", str(folder / "proof.json"), "--jwks", jwks)
    assert done.stdout == (
        f"Genuine: BANK's report of window 7, 1 net, signed with {KEY.kid}; line 3 is one of its 4 lines.\n"
    )
    (folder / "proof.json").write_text(made.stdout.replace("50.00", "50.01"))
    done = here.run("verify", report, "--line", str(folder / "proof.json"), "--jwks", jwks)
    assert (done.returncode, done.stdout.partition(":")[0]) == (1, "PROOF_ROOT")


def test_a_line_needs_its_proof_or_all_lines(here: Here) -> None:
    folder = here.folder.parent
    verification(here, BANK_LINES)
    report, jwks, lines = (str(folder / name) for name in ("report.jws", "jwks.json", "lines.ndjson"))
    assert here.run("verify", report, "--jwks", jwks, "--line", "3").returncode == 2
    assert here.run("verify", report, "--jwks", jwks).returncode == 2
    assert here.run("verify", report, "--jwks", jwks, "--lines", lines, "--line", "5").returncode == 2
    assert here.run("verify", report, "--jwks", jwks, "--line", "absent").returncode == 2


def test_keys_that_are_none_are_a_wrong_call(here: Here) -> None:
    file = here.folder.parent / "file"
    file.write_text("[]")
    assert here.run("verify", str(file), "--lines", str(file), "--jwks", str(file)).returncode == 2
