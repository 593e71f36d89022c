#!/usr/bin/env python3
"""Runs the tour of README.md as typed, command by command, against a fresh
aftercared. Arguments: directory of the binaries, root of the sources."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time


def commands_of(readme):
    block = re.search(r"<!-- tour -->\n```sh\n(.*?)```", readme, re.S).group(1)
    joined = block.replace("\\\n", " ")
    return [line for line in joined.splitlines()
            if line and not line.startswith("#")]


def await_port(data, pid):
    ports = pathlib.Path(data, "ports.json")
    for _ in range(600):
        if ports.exists():
            told = json.loads(ports.read_text() or "{}")
            if told.get("pid") == pid:
                return told["grpc"]
        time.sleep(0.1)
    sys.exit("aftercared did not come up")


def main():
    binaries, source = sys.argv[1:]
    commands = commands_of(pathlib.Path(source, "README.md").read_text())
    assert len(commands) > 15, "the tour has shrunk"
    with tempfile.TemporaryDirectory() as scratch:
        data = scratch + "/data"
        server = subprocess.Popen(
            [binaries + "/aftercared", "--data", data, "--listen",
             "127.0.0.1:0", "--insecure-dev-identity", "--log-level", "error"])
        try:
            port = await_port(data, server.pid)
            # As a person types: one after the other, with a breath between
            # them in which the reactions run.
            script = ["set -e", f"export AFTERCARE_SERVER=127.0.0.1:{port}"]
            for command in commands:
                if command.startswith("export PATH"):
                    command = f'export PATH="{binaries}:$PATH"'
                script += [f"echo {json.dumps('$ ' + command)}", command,
                           "sleep 0.4"]
            done = subprocess.run(["bash", "-c", "\n".join(script)],
                                  cwd=source, capture_output=True, text=True)
            print(done.stdout, done.stderr)
            if done.returncode != 0:
                sys.exit("a command of the tour failed")
            for expected in ("published", "state: resolved", "resolved_by: tech-01",
                             "5 of 5 stars", "state: finalized",
                             "live = recounted = replayed"):
                if expected not in done.stdout:
                    sys.exit(f"the tour never showed '{expected}'")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


main()
