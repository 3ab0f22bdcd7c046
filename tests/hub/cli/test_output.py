"""What is said when results cannot be written: that, and neither nothing nor that the database is at fault."""

import subprocess
from pathlib import Path

import pytest

from tests.hub.cli.here import says_why
from tests.hub.programs import PROGRAM, Pattern, environment


def redirected(folder: Path, to: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command whose stdout the shell redirects."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {to}', "bash", *PROGRAM, *arguments],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("words", [["--help"], ["init", "--help"], ["--version"], ["adapters", "list"]])
def test_an_output_that_is_full_is_named(tmp_path: Path, words: list[str]) -> None:
    full = "The output cannot be written .No space left on device.; what was done before that stands"
    says_why(redirected(tmp_path / "hub", "> /dev/full", *words), full)


def test_findings_that_cannot_be_written_are_no_fault_of_the_database(pattern: Pattern, tmp_path: Path) -> None:
    folder = pattern.copy(tmp_path / "hub")
    says_why(redirected(folder, "> /dev/full", "audit"), "The output cannot be written")
    says_why(redirected(folder, ">&-", "audit"), "stdout is closed")


@pytest.mark.parametrize("words", [["--help"], ["init", "--json"], ["serve", "--port", "0"]])
def test_without_an_output_nothing_is_begun(tmp_path: Path, words: list[str]) -> None:
    says_why(redirected(tmp_path / "hub", ">&-", *words), "There is no output to write to")
    assert not (tmp_path / "hub").exists()


def test_a_reader_that_goes_is_not_told_of(tmp_path: Path) -> None:
    done = redirected(tmp_path / "hub", "| true; exit ${PIPESTATUS[0]}", "--help")
    assert (done.returncode, done.stderr) == (1, "")
