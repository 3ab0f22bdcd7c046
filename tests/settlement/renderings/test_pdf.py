import io
import json
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import segno
from hypothesis import HealthCheck, given, settings
from pypdf import PdfReader

from settlement.lines import Corrects, FeeShare, PointAmount
from settlement.renderings import pdf as module
from settlement.renderings.amounts import grouped
from settlement.renderings.paper import Word
from settlement.renderings.pdf import ROWS_MAX, pdf
from settlement.renderings.words import WORDS, Language, word
from settlement.report import Party, build
from tests.settlement.renderings.reports import BANK_CASE, SUMMARY_CASE, Case, cases, many, of
from tests.settlement.test_verify import leg, report


def pages(raw: bytes) -> list[str]:
    """The text of each page, without the spaces at which lines and cells break."""
    return [re.sub(r"[\s\u200b]", "", page.extract_text()) for page in PdfReader(io.BytesIO(raw)).pages]


def shown(text: str) -> str:
    """How a name stands there: what the font lacks by its code points."""
    has = module._covered()
    return re.sub(r"\s", "", "".join(char if ord(char) in has else f"[U+{ord(char):04X}]" for char in text))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cases())
def test_names_figures_and_references_are_read_again(tmp_path: Path, case: Case) -> None:
    text = "".join(pages(pdf(case.paper(tmp_path), "en")))
    document = case.document
    names = [document["institution"]["name"], document["institution"]["code"], document["hub"]]
    names += [name for net in case.nets for name in (net["institution"], net["parent"] or "the hub")]
    names += [line[side] for line in case.said for side in ("from", "to", "movement")]
    names += [entry["currency"] for line in case.said for entry in line.get("points", ())]
    figures = [net[of] for net in case.nets for of in ("debit", "credit", "net")]
    figures += [net["own"][of] for net in case.nets for of in ("debit", "credit")]
    figures += [line["amount"] for line in case.said]
    figures += [entry["amount"] for line in case.said for entry in line.get("points", ())]
    codes = [case.digest, document["lines"]["root"], document["journal"]["hash"], document["window"]["id"]]
    expected = [*map(shown, names), *(grouped(figure, "en") for figure in figures), *codes]
    for one, count in Counter(expected).items():
        assert text.count(one) >= count, one


@pytest.mark.parametrize(("language", "foot"), [("en", "Page{}of{}"), ("zh", "第{}页，共{}页")])
def test_a_long_table_goes_over_pages_under_its_head_and_pages_are_numbered(
    tmp_path: Path, language: Language, foot: str
) -> None:
    found = pages(pdf(many(120).paper(tmp_path), language))
    assert len(found) >= 3
    head = "".join(word(column, language) for column in ("number", "at", "movement")).replace(" ", "")
    for number, page in enumerate(found, start=1):
        assert foot.format(number, len(found)) in page
        assert head in page
    whole = "".join(found)
    # The last of 120 lines is of 1 + 119 · 0.010007 = 2.190833 CNY.
    assert "2.190833" in whole
    # All of them are 120 + 0.010007 · (0 + 1 + … + 119 = 7,140) = 191.44998 CNY.
    assert "191.44998" in whole


def test_no_column_stands_on_another_however_many_there_are(tmp_path: Path) -> None:
    # A line of a shared fee by terms, that was disputed and corrected: whatever a line may have, but what it reverses.
    moved = (PointAmount("BANKPT", "3383"), PointAmount("MILE", "199.25"))
    share = FeeShare("sp_d600000", 149_315, 32_445)
    lines = [
        replace(leg(number, 1, "BANK", "AIR", 53_866), points=moved, purpose="fee", share=share)
        for number in range(0x1C500000, 0x1C500003)
    ]
    priced = replace(lines[1], kind="redeem", purpose="settlement", share=None, amount_millionths=916_793)
    sold = (PointAmount("BANKPT", "3383"),)  # 3,383 at 0.000271 are 0.916793
    lines[1] = replace(priced, points=sold, terms="at_4b800000", price="0.000271")
    lines[2] = replace(lines[2], share=None, points=(), kind="correct", corrects=Corrects("dp_1d9000", "mv_1c4", 12))
    found: dict[str, float] = {}

    def place(text: str, matrix: list[float], *_: object) -> None:
        if text.strip() == word("lines", "en"):
            found.clear()
        if text.strip():
            found.setdefault(text.strip(), matrix[4])

    case = of(report("institution", "BANK", lines), lines)
    PdfReader(io.BytesIO(pdf(case.paper(tmp_path), "en"))).pages[-1].extract_text(visitor_text=place)
    places = [found[text] for text in ("cv_1c500000", "BANK", "AIR", "CNY", "0.053866", "BANKPT", "MILE")]
    assert places == sorted(places)
    assert min(after - before for before, after in pairwise(places)) > 12  # points: three letters and a space
    assert word("reverses", "en") not in found  # nothing stands in it


def test_a_table_that_is_too_long_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    text = "".join(pages(pdf(many(ROWS_MAX + 1).paper(tmp_path), "en")))
    assert f"{ROWS_MAX + 1:,}linesarenotprintedhere" in text


def test_the_digest_is_there_as_a_qr_code(tmp_path: Path) -> None:
    drawn = module._document(SUMMARY_CASE.paper(tmp_path), "en")["qr"]
    written = io.BytesIO()
    segno.make_qr(SUMMARY_CASE.digest, error="m").save(written, kind="svg", border=2, svgns=True, light=None)
    [path] = re.findall(r' d="([^"]+)"', drawn)
    assert path in written.getvalue().decode()
    with_code, without = (
        len(pdf(replace(SUMMARY_CASE.paper(tmp_path), seal=seal), "en")) for seal in (SUMMARY_CASE.digest, None)
    )
    assert with_code > without + 1_000


def test_what_was_not_signed_is_marked_and_has_no_code(tmp_path: Path) -> None:
    paper = replace(BANK_CASE.paper(tmp_path), seal=None, mark=Word("nets"))
    assert module._document(paper, "en")["qr"] is None
    assert pages(pdf(paper, "en"))[0].startswith("Nets")


def test_the_same_paper_is_the_same_bytes_and_another_language_changes_labels_only(tmp_path: Path) -> None:
    paper = SUMMARY_CASE.paper(tmp_path)
    assert pdf(paper, "zh") == pdf(paper, "zh")
    english, chinese = (module._document(paper, language) for language in ("en", "zh"))
    pairs = set(WORDS.values())
    here, there = (list(texts(document)) for document in (english, chinese))
    different = [pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]]
    assert [pair for pair in different if pair not in pairs and pair not in {("en", "zh"), ("GB", "CN")}] == []
    assert len(different) > 30


def texts(node: object) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list | tuple):
        return [text for value in node for text in texts(value)]
    return [json.dumps(node, ensure_ascii=False).strip('"')]


def test_names_are_never_markup(tmp_path: Path) -> None:
    name = '#pagebreak() #import "x" = *bold* ⟨a⟩ $x/y$ <l> @r \\u{41} `raw` // gone'
    named = Case(replace(BANK_CASE.report, institution=Party("BANK", name)), BANK_CASE.lines)
    assert build(named.report)
    text = "".join(pages(pdf(named.paper(tmp_path), "en")))
    assert shown(name) in text


def test_every_word_can_be_shown() -> None:
    has = module._covered()
    assert {char for pair in WORDS.values() for text in pair for char in text if ord(char) not in has} == set()
    assert len(has) > 7_445  # GB 2312 has 6,763 Chinese characters and 682 others
