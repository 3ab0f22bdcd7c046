"""Shares of fees, as far as a report's lines tell: what one act's come to is what its plan shares. Pure.

Every line of a share says the act's whole fee and what of it is kept by who bears it. Whoever bears a fee has all of
its shares among its lines, and so has a summary; a report of somebody who gets a share holds a part of them.
"""

from settlement.lines import Line
from settlement.members import Findings


class Shares:
    """Takes a report's lines one after the other; of an act only sums are kept. ``of``: whose report it is, None for
    all lines of a window."""

    def __init__(self, findings: Findings, of: str | None) -> None:
        self._findings = findings
        self._of = of
        self._first: Line | None = None  # of the act whose fee is being summed
        self._sum = 0
        self._is_one = True  # whether all its lines say the same of its fee
        self._is_shared = False

    def take(self, line: Line) -> None:
        """Take the next line; those of one act's fee follow one another."""
        if line.purpose != "fee":
            return
        first = self._first
        if first is None or first.movement != line.movement:
            self.finish()
            self._first = first = line
        self._sum += line.amount_millionths
        self._is_shared = self._is_shared or line.share is not None
        said = (line.share, line.currency, line.bearer)
        self._is_one = self._is_one and said == (first.share, first.currency, first.bearer)

    def finish(self) -> None:
        """Find what is wrong with the last act's shares."""
        first, total = self._first, self._sum
        if first is not None and self._is_shared:
            if first.share is None or not self._is_one:
                self._findings.add("SHARE_FEE", f"The lines of {first.movement} say different things of its fee.")
            else:
                due = first.share.fee_millionths - first.share.kept_millionths
                is_whole = self._of is None or self._of == first.bearer
                if total > due or (is_whole and total != due):
                    self._findings.add(
                        "SHARE_SUM",
                        f"The shares of {first.movement} come to {total} millionths; of its fee {due} are shared.",
                    )
        self._first, self._sum, self._is_one, self._is_shared = None, 0, True, False
