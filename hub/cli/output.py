"""The output: stdout, on which a command's results go, and what is said when it does not take them.

A reader that has gone, as ``head -1`` goes, is no failure and is not told: the command ends quietly. Anything else that
stdout does not take is told as that, and never as a fault of the database.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from hub.errors import Failure

_STDOUT = 1


class NoOutput(Failure):
    """There is no output to write to (stdout is closed), so nothing is begun."""


class CannotWrite(Failure):
    """The output cannot be written; what was done before that stands."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"The output cannot be written ({error.strerror}); what was done before that stands.")


@contextmanager
def watched() -> Iterator[None]:
    """Have failures of stdout told as such for as long as the block lasts.

    Raises:
        NoOutput: stdout is closed; before the block.
        CannotWrite: it does not take what is written; out of whatever writes, or at the end.
    """
    before = sys.stdout
    if before is None:
        raise NoOutput
    if before is not sys.__stdout__:  # somebody else's already, such as a test's
        yield
        return
    sys.stdout = ours = _over(sys.stdout)
    try:
        yield
        ours.flush()
    except BrokenPipeError:
        raise SystemExit(1) from None
    finally:
        sys.stdout = before


class _Stdout(io.FileIO):
    """The descriptor itself."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self._let_go()
            if isinstance(error, BrokenPipeError):
                raise
            raise CannotWrite(error) from error

    def _let_go(self) -> None:
        """What is still buffered goes nowhere, or the interpreter would try it again on its way out."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)


def _over(stream: TextIO) -> io.TextIOWrapper:
    stream.flush()
    raw = io.BufferedWriter(_Stdout(_STDOUT, "w", closefd=False))
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=stream.isatty())
