"""Spreadsheets: what they would take for a formula, written so that they show it."""

from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """``text`` as a spreadsheet shows it and does not compute it: with an apostrophe before it, if it begins as a
    formula does, or as one with apostrophes already before it. So taking one away gives the text back."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text
