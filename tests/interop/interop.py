#!/usr/bin/env python3
"""Readers in other languages against Aftercare's own.

interop_writer writes a topic on a real broker and prints what counts in it. A
reader, started by the line of docs/analysts/README.md, must print the same, and
its client must find every key in the partition where it lies.

Arguments: interop_writer, root of the sources, the descriptor set, a directory
for jars. Exit codes: 0 all the same; 1 something differs; 77 nothing differs,
but a reader was skipped: a line names it and what is missing.
"""

import contextlib
import difflib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# deploy/dev/kafka's exit code for "cannot be had on this machine".
NO_KAFKA = 3

TOPIC = "aftercare.intake.events.v1"
KEYS_TOPIC = "aftercare.interop.keys"
READERS = ("kcat", "python", "java")
SERVICES = ("Intake", "Dispatch", "Returns", "Scoring")
# Of Debian, whatever else comes first in PATH: its packages are in no other.
PYTHON = "/usr/bin/python3"
# Of each partition: it would mean little if next to nothing counted.
MIN_FACTS = 15


class Missing(Exception):
    """Cannot be had on this machine."""


def need_program(name, package):
    if shutil.which(name) is None:
        raise Missing(f"{name} (Debian package {package})")


def need_module(name, package):
    if subprocess.run([PYTHON, "-c", f"import {name}"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Missing(f"Python's {name} (Debian package {package})")


def run(command, **more):
    """What it printed. Its failure is the test's."""
    done = subprocess.run(command, check=False, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **more)
    if done.returncode != 0:
        sys.exit(f"{command}: exit code {done.returncode}\n"
                 f"{done.stderr.decode(errors='replace')[-4000:]}")
    return done


class Interop:
    def __init__(self, writer, source, descriptors, jars):
        self.writer = writer
        self.source = pathlib.Path(source)
        self.descriptors = descriptors
        self.analysts = self.source / "docs" / "analysts"
        self.readme = (self.analysts / "README.md").read_text(encoding="utf-8")
        pom = (self.analysts / "pom.xml").read_bytes()
        self.jars = pathlib.Path(jars) / hashlib.sha256(pom).hexdigest()[:16]
        self.bootstrap = None

    # --- What it takes

    def need(self, reader):
        if reader == "java":
            need_program("java", "openjdk-17-jdk-headless")
            modules = run(["java", "--list-modules"]).stdout.decode()
            if "jdk.compiler" not in modules:
                raise Missing("a JDK (Debian package openjdk-17-jdk-headless)")
            self.need_jars()
            return
        if reader == "kcat":
            need_program("kcat", "kcat")
        else:
            need_module("kafka", "python3-kafka")
        need_module("google.protobuf", "python3-protobuf")

    def need_jars(self):
        if self.jars.is_dir():
            return
        need_program("mvn", "maven")
        partial = self.jars.with_name("partial")
        shutil.rmtree(partial, ignore_errors=True)
        line = self.block("jars").replace('"$PWD/$JARS"', f'"{partial}"')
        done = subprocess.run(["sh", "-c", line], cwd=self.source, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=240)
        if done.returncode != 0:
            errors = [text for text in done.stdout.decode().splitlines()
                      if "ERROR" in text] or ["no reason given"]
            raise Missing(f"the jars of pom.xml: {errors[0][:300]}")
        partial.rename(self.jars)

    # --- README

    def block(self, name):
        """The shell lines under a marker."""
        return re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", self.readme,
                         re.S).group(1)

    def check_readme(self):
        """The fold it shows is the one that fold.py runs."""
        shown = re.search(r"```python\n(.*?)```", self.readme, re.S).group(1)
        assert len(shown.splitlines()) == 10, "the fold has ten lines"
        assert shown in (self.analysts / "fold.py").read_text(encoding="utf-8")

    # --- The broker and the topic

    @contextlib.contextmanager
    def broker(self, directory):
        kafka = subprocess.Popen(
            [self.source / "deploy" / "dev" / "kafka", "up", "--hold",
             "--wipe", "--dir", directory], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            line = kafka.stdout.readline().decode().strip()
            if not line.startswith("bootstrap="):
                reason = kafka.stderr.read().decode().strip()
                if kafka.wait() == NO_KAFKA:
                    raise Missing(f"Kafka: {reason}")
                sys.exit(f"no broker: {reason}")
            self.bootstrap = line.removeprefix("bootstrap=")
            yield
        finally:
            kafka.stdin.close()
            kafka.wait()

    def write(self):
        """What must be read: facts, and a line of counts per partition."""
        handbook = self.source / "deploy" / "handbooks" / "demo.yaml"
        done = run([self.writer, "--bootstrap", self.bootstrap, "--handbook",
                    handbook])
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        facts = [line for line in lines if "event" in line]
        counts = {line["partition"]: line for line in lines
                  if "event" not in line}
        for count in counts.values():
            assert count["facts"] >= MIN_FACTS, count
            assert count["claims"] >= 3 and count["void"] >= 9, count
        return facts, counts

    # --- Readers

    def read(self, reader):
        env = dict(os.environ, BOOTSTRAP=self.bootstrap, TOPIC=TOPIC,
                   DESCRIPTORS=str(self.descriptors), JARS=str(self.jars),
                   # Output is UTF-8 wherever it runs.
                   LC_ALL="C", PATH=f"/usr/bin:{os.environ['PATH']}")
        done = run(["bash", "-e", "-o", "pipefail", "-c",
                    self.block(f"reader: {reader}")], cwd=self.source, env=env)
        # Bytes: text has more ends of lines than \n.
        return ([json.loads(line) for line in done.stdout.splitlines()],
                done.stderr.decode())

    def compare(self, reader, facts, counts):
        got, said = self.read(reader)
        if reader == "kcat":
            # It cannot tell; see check_kcat_keys.
            facts = [{name: value for name, value in fact.items()
                      if name != "key_partition"} for fact in facts]
        for partition, count in counts.items():
            wanted = lines_of(facts, partition)
            found = lines_of(got, partition)
            if wanted != found:
                print("\n".join(list(difflib.unified_diff(
                    wanted, found, "aftercare", reader, n=1))[:40]))
                sys.exit(f"{reader} reads partition {partition} otherwise")
            summary = (f"partition {partition}: {count['facts']} facts, "
                       f"{count['claims']} claims, {count['void']} void, "
                       f"{count['pending']} pending")
            if summary not in said:
                sys.exit(f"{reader} should say '{summary}', not:\n{said}")
        if len(got) != len(facts):
            sys.exit(f"{reader} reads partitions that do not exist")
        print(f"{reader}: {len(got)} facts alike")

    def check_kcat_keys(self, facts):
        """A producer of its own puts each key where it lies."""
        where = {fact["key"]: fact["key_partition"] for fact in facts}
        run(["kcat", "-b", self.bootstrap, "-t", KEYS_TOPIC, "-P", "-K", "\t",
             "-X", "partitioner=murmur2_random"],
            input="".join(f"{key}\tx\n" for key in where).encode())
        read = run(["kcat", "-b", self.bootstrap, "-t", KEYS_TOPIC, "-C", "-e",
                    "-q", "-f", "%k\t%p\n"]).stdout.decode()
        found = {key: int(partition) for key, partition in
                 (line.split("\t") for line in read.splitlines())}
        if found != where:
            sys.exit(f"kcat puts keys elsewhere: {found}, not {where}")
        print(f"kcat: {len(found)} keys in their partitions")

    def check_mistakes(self):
        """Common ones end fold.py with a line and a code, not with a trace."""
        fold = [PYTHON, self.analysts / "fold.py", "--descriptors"]
        good = fold + [self.descriptors]
        kafka = good + ["--topic", TOPIC, "--bootstrap"]
        form = ('{"partition":0,"offset":%d,"key":"k","payload":"","headers":'
                '[%s"ce_dataschema","aftercare.intake.v1.IntakeEvent"]}\n')
        facts = form % (0, '"claim_owner","x",') + "".join(
            form % (seq + 1, f'"claim","0","seq","{seq}",')
            for seq in range(5000))
        mistakes = [
            (fold + ["/nowhere.desc"], "", "/nowhere.desc"),
            (fold + [self.analysts / "fold.py"], "", "no descriptor set"),
            (fold + ["/dev/null"], facts, "aftercare.intake.v1.IntakeEvent"),
            (good, "% not JSON\n", "kcat -J"),
            (good, "[]\n", "kcat -J"),
            (kafka + ["127.0.0.1:1"], "", "127.0.0.1:1"),
            (kafka + ["127.0.0.1:x"], "", "127.0.0.1:x")]
        if self.bootstrap:
            mistakes += [(kafka + [self.bootstrap, "--topic", topic], "", topic)
                         for topic in ("no.such.topic", "none at all")]
        for command, given, wanted in mistakes:
            done = subprocess.run(command, input=given.encode(), check=False,
                                  timeout=60, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            check_one_line(command, done, wanted)
        quoted = " ".join(f"'{word}'" for word in good)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{quoted} | head -1"],
            input=facts.encode(), check=False, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_one_line(good, done, "nobody reads")
        print(f"fold.py: {len(mistakes) + 1} mistakes told in a line")

    def check_descriptors(self):
        """The set has the message of every topic."""
        names = ", ".join(f'"aftercare.{service.lower()}.v1.{service}Event"'
                          for service in SERVICES)
        run([PYTHON, "-c", f"import fold; decoder = fold.Decoder("
             f"{str(self.descriptors)!r}); "
             f"[decoder.message_class(name)() for name in ({names})]"],
            env=dict(os.environ, PYTHONPATH=str(self.analysts),
                     PYTHONDONTWRITEBYTECODE="1"))


def check_one_line(command, done, wanted):
    said = done.stderr.decode()
    if done.returncode != 1 or wanted not in said or \
            not said.startswith("fold.py: ") or said.count("\n") != 1:
        sys.exit(f"{command}: exit code {done.returncode}\n{said}")


def lines_of(facts, partition):
    return [json.dumps(fact, sort_keys=True) for fact in facts
            if fact["partition"] == partition]


def check_keys(facts):
    """Facts lie where their key says; those of the platform everywhere."""
    for fact in facts:
        if "platform" not in fact["event"]:
            assert fact["partition"] == fact["key_partition"], fact
    keys = {fact["key"] for fact in facts}
    assert {len(key) % 4 for key in keys} == {0, 1, 2, 3}, keys


def main():
    interop = Interop(*sys.argv[1:])
    interop.check_readme()
    readers = []
    for reader in READERS:
        try:
            interop.need(reader)
            readers.append(reader)
        except Missing as missing:
            print(f"SKIPPED {reader}: there is no {missing}")
    with_python = "python" in readers
    with contextlib.ExitStack() as held:
        directory = held.enter_context(
            tempfile.TemporaryDirectory(prefix="aftercare-interop-"))
        try:
            if readers:
                held.enter_context(interop.broker(directory))
        except Missing as missing:
            print(f"SKIPPED {' '.join(readers)}: there is no {missing}")
            readers.clear()
        if readers:
            facts, counts = interop.write()
            check_keys(facts)
        for reader in readers:
            interop.compare(reader, facts, counts)
        if "kcat" in readers:
            interop.check_kcat_keys(facts)
        if with_python:
            interop.check_descriptors()
            interop.check_mistakes()
    return 0 if len(readers) == len(READERS) else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
