#!/usr/bin/env python3
"""Checks what the compiler cannot: who may include whom, which test belongs to
which source, header guards. Prints every problem; exits 1 if there is one."""

import pathlib
import re
import subprocess
import sys

# A library may include itself and what is listed here (one direction only).
LIBS = {
    "base": set(),
    "process": {"base"},
    "calendar": {"base"},
    "handbook": {"base", "calendar"},
    "log": {"base", "process"},
    "store": {"base", "process"},
    "shard": {"base", "process", "calendar", "handbook", "log", "store"},
    "reaction": {"base", "process", "handbook", "log", "shard"},
    "rpc": {"base", "process", "calendar", "handbook", "log", "shard"},
    "testing": {"base", "handbook", "shard"},
}
SERVICES = ("intake", "dispatch", "returns", "scoring")
DOMAIN_LIBS = {"base", "calendar", "handbook"}
# Everything that reads a clock, rolls dice or does I/O.
IMPURE = re.compile(
    r"rocksdb/|grpcpp/|librdkafka|absl::Now|system_clock|steady_clock|"
    r"std::rand|random_device|absl/random|<fstream>|<iostream>|<thread>|"
    r"RandomId\(")
# Directories of whole-flow tests, which mirror no single source.
FLOW_TESTS = ("tests/model/", "tests/contract/", "tests/system/",
              "tests/bench/", "tests/golden/")

problems = []


def includes(text):
    return re.findall(r'^#include "([^"]+)"', text, re.M)


def check_lib(path, text):
    lib = path.parts[1]
    allowed = LIBS.get(lib)
    if allowed is None:
        problems.append(f"{path}: libs/{lib} is not in check_structure.py")
        return
    for name in includes(text):
        if name.startswith("services/"):
            problems.append(f"{path}: a library includes {name}")
        match = re.match(r"libs/([a-z]+)/", name)
        if match and match.group(1) != lib and match.group(1) not in allowed:
            problems.append(f"{path}: {lib} may not include {name}")


def check_service(path, text):
    service = path.parts[1]
    if service not in SERVICES:
        return
    for name in includes(text):
        match = re.match(r"services/([a-z]+)/", name)
        if match and match.group(1) != service:
            problems.append(f"{path}: C++ of another service: {name}")
    if path.parts[2] != "domain":
        return
    for name in includes(text):
        match = re.match(r"libs/([a-z]+)/", name)
        if match and match.group(1) not in DOMAIN_LIBS:
            problems.append(f"{path}: a domain may not include {name}")
        match = re.match(r"aftercare/([a-z]+)/", name)
        if match and match.group(1) not in (service, "common", "handbook"):
            problems.append(f"{path}: a domain may not include {name}")
        if match is None and name.startswith(f"services/{service}/") and \
                not name.startswith(f"services/{service}/domain/"):
            problems.append(f"{path}: a domain may not include {name}")
    for found in IMPURE.findall(text):
        problems.append(f"{path}: not pure: {found}")


def check_guard(path, text):
    guard = "AFTERCARE_" + re.sub(r"[^A-Z0-9]", "_", str(path).upper()) + "_"
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        problems.append(f"{path}: header guard should be {guard}")


def check_test(path):
    name = str(path)
    if name.startswith(FLOW_TESTS) or not name.endswith("_test.cc"):
        return
    stem = name[len("tests/"):-len("_test.cc")]
    if not any(pathlib.Path(stem + end).exists() for end in (".cc", ".h")):
        # services/<s>/<stem>_test.cc may test services/<s>/domain/<stem>.cc.
        parts = pathlib.Path(stem)
        if not (parts.parent / "domain" / (parts.name + ".cc")).exists():
            problems.append(f"{path}: there is no {stem}.cc or .h")


def check_built(path):
    """A source that no CMakeLists.txt names is never compiled or run."""
    for directory in path.parents:
        lists = directory / "CMakeLists.txt"
        if lists.exists():
            words = lists.read_text().split()
            relative = str(path.relative_to(directory))
            if not any(word == relative or "$" in word and
                       path.name.endswith(word.split("}")[-1])
                       for word in words):
                problems.append(f"{path}: not named in {lists}")
            return


files = subprocess.run(["git", "ls-files", "*.h", "*.cc"], check=True,
                       capture_output=True, text=True).stdout.split()
for file in files:
    path = pathlib.Path(file)
    if not path.exists():
        continue
    text = path.read_text()
    if path.suffix == ".cc":
        check_built(path)
    if path.parts[0] == "libs":
        check_lib(path, text)
    if path.parts[0] == "services" and len(path.parts) > 2:
        check_service(path, text)
    if path.suffix == ".h":
        check_guard(path, text)
    if path.parts[0] == "tests":
        check_test(path)

for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
