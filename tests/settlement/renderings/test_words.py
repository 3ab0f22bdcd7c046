from hub.ledger.records import MovementKind, Purpose
from schema.labels import LABELS
from settlement.renderings.words import ACTS, PURPOSES, WORDS


def test_every_word_has_two_languages() -> None:
    assert all(len({english, chinese}) == 2 and english and chinese for english, chinese in WORDS.values())


def test_acts_are_called_as_in_statements() -> None:
    assert {act.upper() for act in ACTS} <= {kind.name for kind in MovementKind}
    of_points = ACTS.keys() - {"bill", "correct", "credit"}  # which move no points, so no statement has them
    assert {act: WORDS[ACTS[act]] for act in of_points} == {act: LABELS[act.upper()] for act in of_points}


def test_every_purpose_of_a_line_is_a_word() -> None:
    assert {purpose.upper() for purpose in PURPOSES} <= {purpose.name for purpose in Purpose}
