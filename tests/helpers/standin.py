"""A program that stands in for Redmine's: it reads a request and answers it in one of many ways.

    python3 standin.py WAY [FILE]

FILE gets the request, as it was understood.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

READ = {"instance": {}, "site": "here", "state": {}}


def marked(nonce: str, said: object) -> str:
    return f"\n{nonce}{base64.b64encode(json.dumps(said).encode()).decode()}.\n"


def main() -> None:
    way, text = sys.argv[1], sys.stdin.read()
    _, encoded, rest = text.split("'", 2)
    request = json.loads(base64.b64decode("".join(encoded.split()), validate=True))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps({"request": request, "rest": rest}))
    nonce = request["nonce"]
    answer = marked(nonce, {"protocol": 1, "request": request["op"], **READ})
    out, err = sys.stdout, sys.stderr
    match way:
        case "good":
            out.write(answer)
        case "noise":
            out.write("paths:\n/usr/share\nno end of line" + answer + "and more\n")
        case "prefixed":
            out.write(answer.replace("\n" + nonce, "\n\x1b[33mredmine_1 |\x1b[0m " + nonce))
        case "bad-exit":
            out.write(answer)
            out.flush()
            os._exit(3)
        case "none":
            out.write("nothing to say\n")
        case "failed":
            err.write("boom: no database\n\tfrom /usr/share/redmine/x.rb:1\n")
            sys.exit(1)
        case "cut":
            out.write(answer[: len(answer) // 2])
        case "killed":
            out.write(answer[: len(answer) // 2])
            out.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        case "endless":
            while True:
                out.write("x" * 65536)
        case "endless-errors":
            while True:
                err.write("y" * 65536)
        case "loud":
            err.write("first words\n" + "z" * 3_000_000 + "\nlast words\n")
            sys.exit(1)
        case "silent":
            child = subprocess.Popen([sys.executable, "-IS", "-c", "import time; time.sleep(60)"])
            Path(sys.argv[3]).write_text(f"{os.getpid()} {child.pid}")
            time.sleep(60)
        case "orphan" | "orphan-without-answer":
            child = subprocess.Popen([sys.executable, "-IS", "-c", "import time; time.sleep(60)"])
            Path(sys.argv[3]).write_text(f"{child.pid}")
            out.write(answer if way == "orphan" else "")
        case "stranger":
            out.write(answer.replace(nonce, "0" * len(nonce)))
        case "protocol":
            out.write(marked(nonce, {"protocol": 2}))
        case "refused":
            out.write(marked(nonce, {"protocol": 1, "error": "there is no active administrator"}))
        case "unsure":
            out.write(marked(nonce, {"protocol": 1, "unsure": "the disk is full"}))
        case "no-base64":
            out.write(f"\n{nonce}*?*.\n")
        case "no-json":
            out.write(f"\n{nonce}{base64.b64encode(b'{nothing').decode()}.\n")
        case "no-utf8":
            out.write(f"\n{nonce}{base64.b64encode(bytes([123, 255, 254])).decode()}.\n")
        case "no-mapping":
            out.write(marked(nonce, [1]))
        case "deep":
            deep = "[" * 100_000 + "]" * 100_000
            out.write(f"\n{nonce}{base64.b64encode(deep.encode()).decode()}.\n")
        case "empty":
            out.write(marked(nonce, {"protocol": 1}))
        case "hostile":
            secret = json.dumps(request.get("items", ""))
            err.write(f"\x1b[2J\x07\u202e::error::{secret}\r\n")
            err.buffer.write(b"\xff\xfe\x00")
            sys.exit(1)
        case "echo":
            out.write(text)


main()
