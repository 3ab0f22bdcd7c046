"""The press: renderings of stored reports, one at a time in a process, beside what else it does.

Lines are spooled to a folder that is gone once the file is made; the file itself has no name any more when it is handed
over, so nothing is left behind however its taking ends.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from settlement.publish import Reports
from settlement.renderings.formats import File, render
from settlement.renderings.statement import known
from settlement.renderings.words import Language
from settlement.storing import StoredReport


class Press:
    """Makes files of the reports that it is given. Who may have them is for the caller to ask."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._turn = asyncio.Semaphore(1)

    async def make(
        self, stored: StoredReport, file: File, language: Language, counterparty: str | None = None
    ) -> BinaryIO:
        """The file, open at its beginning; with a ``counterparty`` the bilateral statement.

        Raises:
            Unrenderable: the report does not fit into such a file.
        """
        async with self._turn:
            with TemporaryDirectory(prefix="points-hub-") as folder:
                lines, target = None, Path(folder, "made")
                if counterparty is not None or file.has_lines(known(stored.payload).lines.count):
                    lines = Path(folder, "lines.ndjson")
                    await self._spool(stored, lines)
                await asyncio.to_thread(render, stored.payload, lines, file.format, language, target, counterparty)
                return await asyncio.to_thread(target.open, "rb")

    async def _spool(self, stored: StoredReport, target: Path) -> None:
        with await asyncio.to_thread(target.open, "wb") as spooled:
            async for page in self._reports.lines(stored.window, stored.institution):
                spooled.write(page)
