"""The press: renderings of reports, one at a time in a process, beside what else it does.

Lines are spooled to a folder that is gone once the file is made; the file itself has no name any more when it is handed
over, so nothing is left behind however its taking ends.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from settlement.renderings.formats import File, render
from settlement.renderings.statement import known
from settlement.renderings.words import Language


class Press:
    """Makes files of the reports that it is given. Who may have them is for the caller to ask."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def make(
        self,
        payload: bytes,
        lines: AsyncIterator[bytes],
        file: File,
        language: Language,
        counterparty: str | None = None,
    ) -> BinaryIO:
        """The file, open at its beginning, made of a report's payload and of its lines, which are taken if they are
        needed; with a ``counterparty`` the bilateral statement.

        Raises:
            Unrenderable: the report does not fit into such a file.
        """
        async with self._turn:
            with TemporaryDirectory(prefix="points-hub-") as folder:
                spooled, target = None, Path(folder, "made")
                if counterparty is not None or file.has_lines(known(payload).lines.count):
                    spooled = Path(folder, "lines.ndjson")
                    await _spool(lines, spooled)
                await asyncio.to_thread(render, payload, spooled, file.format, language, target, counterparty)
                return await asyncio.to_thread(target.open, "rb")


async def _spool(lines: AsyncIterator[bytes], target: Path) -> None:
    with await asyncio.to_thread(target.open, "wb") as spooled:
        async for page in lines:
            spooled.write(page)
