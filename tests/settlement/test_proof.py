"""The proof of a line: made from all lines, checked without them."""

import pytest

from settlement.proof import LineProof, MalformedProof, NoSuchLine, encode, parse, prove
from settlement.report import build, digest
from settlement.verify import verify
from tests.settlement.test_verify import ALL_LINES, BANK, BANK_LINES, JWKS, KEY, SUMMARY, bent, codes, lines_of, report

SIGNED = KEY.sign(build(SUMMARY))
DIGEST = digest(build(SUMMARY))


def proof_of(number: int) -> bytes:
    return encode(prove(ALL_LINES, DIGEST, number, len(ALL_LINES)))


def found(proof: bytes, token: str = SIGNED) -> set[str]:
    return codes(verify(token, None, JWKS, proof=proof))


@pytest.mark.parametrize("number", range(1, len(ALL_LINES) + 1))
def test_each_line_is_proved_without_the_others(number: int) -> None:
    verdict = verify(SIGNED, None, JWKS, proof=proof_of(number))
    assert verdict.findings == ()
    assert (verdict.line_checked, verdict.lines_checked) == (number, None)


def test_what_was_made_is_read() -> None:
    proof = LineProof(DIGEST, 3, ALL_LINES[2], (bytes(32),))
    assert parse(encode(proof)) == proof == parse(encode(proof) + b"\n")


def test_a_line_of_another_report_or_place_or_with_other_figures_is_none() -> None:
    good = parse(proof_of(3))
    others = {
        "number": LineProof(DIGEST, 2, good.line, good.path),
        "beyond": LineProof(DIGEST, 7, good.line, good.path),
        "line": LineProof(DIGEST, 3, good.line.replace(b"50.00", b"50.01"), good.path),
        "path": LineProof(DIGEST, 3, good.line, good.path[:-1]),
    }
    assert {name: found(encode(proof)) for name, proof in others.items()} == {name: {"PROOF_ROOT"} for name in others}
    assert found(proof_of(3), KEY.sign(build(BANK))) == {"PROOF_REPORT", "PROOF_ROOT"}
    of_bank = encode(prove(BANK_LINES, DIGEST, 1, len(BANK_LINES)))
    assert found(of_bank) == {"PROOF_ROOT"}


def test_the_line_itself_is_checked() -> None:
    lines = [b"{}", *lines_of("SHOP")]
    token = KEY.sign(bent(SUMMARY, ("window", "number"), "8"))
    proof = encode(prove(ALL_LINES, DIGEST, 1, len(ALL_LINES)))
    assert found(proof, token) == {"PROOF_REPORT", "LINE_WINDOW"}
    assert {"LINE_MEMBER", "PROOF_ROOT"} == found(encode(prove(lines, DIGEST, 1, len(lines))))
    foreign = encode(prove(lines, digest(build(BANK)), 3, len(lines)))  # between AIR and SHOP
    assert {"LINE_FOREIGN", "PROOF_ROOT"} == found(foreign, KEY.sign(build(BANK)))
    none = report("institution", "BANK", [])
    assert found(encode(LineProof(digest(build(none)), 1, BANK_LINES[0], ())), KEY.sign(build(none))) == {
        "LINE_CURRENCY",
        "PROOF_ROOT",
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b"1.5", b" " * 70_000, b" " + proof_of(1), proof_of(1) + b"\n\n",
        proof_of(1).replace(b'"number":"1"', b'"number":"01"'), proof_of(1).replace(b'"number":"1"', b'"number":"0"'),
        proof_of(1).replace(b'"number":"1"', b'"number":1'), proof_of(1).replace(b'"version":"1"', b'"version":"2"'),
        proof_of(1).replace(b'"path":[', b'"path":["x",'), proof_of(1).replace(b'"report":"', b'"report":"A'),
        proof_of(1).replace(b'"type":', b'"typ":'),
    ],
)  # fmt: skip
def test_what_is_no_proof_is_a_finding(raw: bytes) -> None:
    with pytest.raises(MalformedProof):
        parse(raw)
    assert found(raw) == {"PROOF"}


@pytest.mark.parametrize("number", [0, -1, len(ALL_LINES) + 1])
def test_a_line_that_is_not_there_is_not_proved(number: int) -> None:
    with pytest.raises(NoSuchLine):
        prove(ALL_LINES, DIGEST, number, len(ALL_LINES))


def test_a_proof_of_other_lines_than_were_counted_is_not_made() -> None:
    with pytest.raises(ValueError, match="5 lines and not 6"):
        prove(ALL_LINES[:5], DIGEST, 1, 6)
