"""Samples are told by package, function and time."""

from bench.profile import ROOT, package, place, tell

STACK = f"{ROOT}/hub/host.py|main;/v/lib/python3.11/asyncio/base_events.py|run;{ROOT}/hub/ledger/engine.py|_run"


def test_a_place_is_the_file_as_imported() -> None:
    assert place("/v/lib/python3.11/site-packages/graphql/language/lexer.py|read") == "graphql/language/lexer.py read"
    assert place(f"{ROOT}/hub/host.py|main") == "hub/host.py main"


def test_packages_are_ours_by_folder_and_libraries_by_name() -> None:
    assert package("hub/ledger/engine.py _run") == "hub/ledger"
    assert package("hub/host.py main") == "hub/host.py"
    assert package("graphql/language/lexer.py read") == "graphql"
    assert package(place("/v/lib/python3.11/asyncio/base_events.py|run")) == "python"


def test_a_profile_takes_the_samples_of_its_time() -> None:
    told = tell([f"0.500 {STACK}", f"1.500 {STACK}", f"2.500 {STACK}", "torn"], 1.0, 2.0)
    assert told.samples == 1
    assert told.own == {"hub/ledger/engine.py _run": 1}
    assert told.under == {"hub/host.py main": 1, "hub/ledger/engine.py _run": 1}
