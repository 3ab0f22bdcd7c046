"""Templates and paths: a value never becomes structure, and what is found is what stands there."""

from typing import Any

import msgspec
import pytest

from adapters.http_json import paths, templates
from adapters.http_json.templates import Unsendable

VALUES: dict[str, templates.Value] = {
    "a": 'x"/../?y=1&z',
    "n": 5,
    "raw": msgspec.Raw(b"1.50"),
    "none": None,
    "up": "..",
}


def test_values_stay_values() -> None:
    filled = templates.body({"a": "{a}", "n": "{n}", "r": "{raw}", "t": "{a}{n}{{{raw}}}{none}", "x": "{none}"}, VALUES)
    assert msgspec.json.decode(msgspec.json.encode(filled)) == {
        "a": 'x"/../?y=1&z', "n": 5, "r": 1.5, "t": 'x"/../?y=1&z5{1.50}',
    }  # fmt: skip
    assert msgspec.json.encode(filled["r"]) == b"1.50"
    assert templates.path("/v1/{a}/{n}", VALUES) == "/v1/x%22%2F..%2F%3Fy%3D1%26z/5"
    assert templates.query({"a": "{a}", "none": "{none}", "k": "v"}, VALUES) == {"a": 'x"/../?y=1&z', "k": "v"}
    assert templates.octets("{a}.{b}.", {"a": b"\xff", "b": b"{a}"}) == b"\xff.{a}."


def test_what_is_null_by_itself_stays_null_and_what_is_nested_is_filled() -> None:
    assert templates.body({"a": None, "b": [{"c": "{none}", "d": 1}, "{n}"]}, VALUES) == {"a": None, "b": [{"d": 1}, 5]}


@pytest.mark.parametrize("template", ["/{up}", "/{none}", "/x/{missing}"])
def test_a_path_does_not_lead_elsewhere(template: str) -> None:
    with pytest.raises(Unsendable):
        templates.path(template, VALUES)


@pytest.mark.parametrize("value", ["a\r\nb: c", "卡", "a\tb"])
def test_a_header_is_one_line_of_ascii(value: str) -> None:
    with pytest.raises(Unsendable):
        templates.header("x {a}", {"a": value})


@pytest.mark.parametrize("value", ["a ", " a", "a\n"])
def test_a_header_has_no_space_at_either_end(value: str) -> None:
    with pytest.raises(Unsendable):
        templates.header("{a}", {"a": value})
    assert templates.header("{a}", {"a": None}) == ""


def test_the_places_of_a_template_are_known() -> None:
    assert templates.names({"a": ["{b}", {"c": "{d} {e}"}], "f": 1}) == {"b", "d", "e"}
    for wrong in ("{", "}", "{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{}", "{ a}"):
        with pytest.raises(ValueError):  # noqa: PT011  whichever of Formatter's or ours
            templates.names(wrong)


DOCUMENT = {"a": {"b": [{"c": 1}, 2]}, "x.y": 3, "/": 4, "~": 5, "": 6, "n": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b.0.c", 1), ("/a/b/0/c", 1), ("a.b.1", 2), ("/x.y", 3), ("/~1", 4), ("/~0", 5), ("/", 6),
        ("n", None), ("a.b.2", None), ("a.b.01", None), ("a.b.-1", None), ("a.z", None), ("x.y", None), ("n.m", None),
        (None, None),
    ],
)  # fmt: skip
def test_a_path_finds_what_stands_there(path: str | None, found: Any) -> None:
    assert paths.find(DOCUMENT, path) == found
