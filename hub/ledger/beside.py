"""Beside: letting the database work while this process decides, on the machine's other core."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have ``work`` done while the block runs: it has begun when the block begins, and is over when the block ends."""
    task = asyncio.create_task(work)
    try:
        await asyncio.sleep(0)  # it runs until it waits
        await asyncio.sleep(0)  # what it wrote is sent, at the end of the loop's turn
        yield
    finally:
        await task
