"""Bank statements: each file was taken by the operator once, of accounts that were registered for days that were over,
and says how many balances it has."""

from datetime import date
from typing import Any

from hub.audit.accounts import operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.expiry import day_of


class Banking:
    """Files in the order of the journal."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._said: dict[int, list[Any]] = {}  # balances of the batch, by file

    def begin(self, batch: Batch) -> None:
        """Take the balances of a batch."""
        self._said = {}
        for row in batch.rows.get("bank_balance", ()):
            self._said.setdefault(row["file_id"], []).append(row)

    def file(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take a file with what it says, under the configuration then in force."""
        said = self._said.pop(row["id"], [])
        by = configuration.credentials.get(row["credential_id"])
        if by is None or by.institution != operator_of(configuration) or len(said) != row["balances"]:
            self._findings.add("BANK_FILE", f"File {row['id']:x} was taken by who may not, or not whole.")
        seen: set[tuple[str, str, str]] = set()
        for one in said:
            key = (one["number"], one["currency"], one["day"])
            if key in seen or not _is_known(one, batch, configuration):
                self._findings.add("BANK_BALANCE", f"What a bank said of {key[0]} on {key[2]} is of nothing.")
            seen.add(key)

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for file in self._said:
            self._findings.add("BANK_FILE", f"There are balances of file {file:x}, which there is not.")


def _is_known(row: Any, batch: Batch, configuration: Configuration) -> bool:
    books = configuration.books
    try:
        day = date.fromisoformat(row["day"])
    except ValueError:
        return False
    is_over = batch.at is None or day < day_of(batch.at, books.time_zone)
    return is_over and books.bank(row["number"], row["currency"], day) is not None
