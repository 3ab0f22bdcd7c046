"""Namespace: for root, a place where root is called nobody, so that PostgreSQL runs and files stay root's.

It is run as a script, because a ``preexec_fn`` may deadlock when the caller has threads; so it imports nothing but the
standard library.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

NOBODY = 65534
ENTER_NAMESPACE = (sys.executable, "-I", "-S", __file__)


def namespaces_allowed() -> bool:
    """Whether root may enter a user namespace of its own here."""
    return subprocess.run([*ENTER_NAMESPACE, "/bin/true"], capture_output=True, check=False).returncode == 0


def _exec_as_nobody_on_paper(command: list[str]) -> None:
    """Become ``command`` in a user namespace in which our uid reads as nobody's; on disk it stays ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(0x10000000) != 0:  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
        Path("/proc/self", name).write_text(text)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and an ignored signal would be inherited
    os.execv(command[0], command)


if __name__ == "__main__":
    _exec_as_nobody_on_paper(sys.argv[1:])
