"""Runs a command and writes what it took to a file: `python meter.py FILE COMMAND…`; exits as the command does.

A process of its own, because a new process begins with the peak memory of the one that starts it: this one is small.
"""

import json
import os
import sys
import time

started = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
wall = time.monotonic() - started
with os.fdopen(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), "w") as file:
    json.dump([round(wall, 4), round(usage.ru_utime + usage.ru_stime, 4), round(usage.ru_maxrss / 1024, 1)], file)
sys.exit(os.waitstatus_to_exitcode(status))
