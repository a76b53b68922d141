"""Runs a command in a terminal, as `ssh -tt` and `docker exec -t` do: what is written to it is echoed.

python3 terminal.py COMMAND [ARGUMENT …]
"""

from __future__ import annotations

import os
import pty
import select
import sys

END = b"\x04"
"""What Ctrl-D sends: the end of the input, at the beginning of a line."""


def main() -> None:
    child, master = pty.fork()
    if child == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    os.set_blocking(master, False)
    left, ended = b"", False
    while True:
        wants = [master] if left else []
        ready, writable, _ = select.select([master, *([] if left or ended else [0])], wants, [])
        if 0 in ready:
            left = os.read(0, 1024)
            ended = not left
            left = left or END
        if writable:
            left = left[os.write(master, left) :]
        if master in ready:
            try:
                os.write(1, os.read(master, 1 << 16))
            except OSError:  # the command has ended
                break
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


main()
