#!/usr/bin/env python3
"""Reads a topic of Aftercare: keeps the records that count and decodes them.

  kcat -b HOST:PORT -t TOPIC -C -e -q -J | fold.py --descriptors aftercare.desc
  fold.py --descriptors aftercare.desc --bootstrap HOST:PORT --topic TOPIC

Prints one JSON object per fact, in order within each partition; at the end, on
standard error, what each partition held. Reads to the end as it is at the
start. Exit codes: 0 done, 1 failed (a line on standard error says why), 2 wrong
usage. Of Debian it takes python3-protobuf and, with --bootstrap, python3-kafka.
"""

import argparse
import collections
import json
import os
import sys

from google.protobuf import (descriptor_pb2, descriptor_pool, json_format,
                             message, message_factory)

# `headers` is a dict of text; of a name that is given twice, the last.
Record = collections.namedtuple("Record",
                                "partition offset key value headers")


def fail(text):
    """Ends with a line about what whoever started this can put right."""
    sys.exit(f"fold.py: {text}")


class Fold:
    """Of one partition. Which records count, and when."""

    def __init__(self):
        self.claim, self.seq, self.pending = "", 0, []

    def take(self, record):
        """The records that count from now on: none, or a whole command's."""
        h = record.headers
        if "claim_owner" in h:
            self.claim, self.seq, self.pending = str(record.offset), 0, []
        elif self.claim and h.get("claim") == self.claim \
                and h.get("seq") == str(self.seq):
            self.seq += 1
            self.pending.append(record)
            if h.get("more") != "1":
                command, self.pending = self.pending, []
                return command
        return []


class Decoder:
    """Knows the messages from the descriptor set alone."""

    def __init__(self, path):
        self.pool = descriptor_pool.DescriptorPool()
        try:
            with open(path, "rb") as file:
                files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
            for proto in files.file:
                self.pool.AddSerializedFile(proto.SerializeToString())
        except OSError as error:
            fail(f"no descriptors: {error}")
        except (message.DecodeError, TypeError):
            fail(f"{path} is no descriptor set")
        self.classes = {}

    def message_class(self, name):
        if name not in self.classes:
            found = self.pool.FindMessageTypeByName(name)
            # Before protobuf 4.22 a factory's method.
            make = getattr(message_factory, "GetMessageClass", None) or \
                message_factory.MessageFactory(self.pool).GetPrototype
            self.classes[name] = make(found)
        return self.classes[name]

    def decode(self, record):
        name = record.headers.get("ce_dataschema")
        try:
            event = self.message_class(name)()
            event.ParseFromString(record.value)
        except (KeyError, message.DecodeError):
            fail(f"partition {record.partition}, offset {record.offset}: no "
                 f"{name} by these descriptors")
        return json_format.MessageToDict(event,
                                         preserving_proto_field_name=True)


def records_of_kcat(lines):
    """From the output of kcat -J. Its strings are the bytes as they are: not
    always UTF-8, so not always JSON, until each byte is read as a character."""
    def data(text):
        return b"" if text is None else text.encode("latin-1")

    for line in lines:
        try:
            told = json.loads(line.decode("latin-1"))
            words = [data(word).decode("utf-8", "replace")
                     for word in told.get("headers", [])]
            record = Record(told["partition"], told["offset"],
                            data(told["key"]), data(told["payload"]),
                            dict(zip(words[::2], words[1::2])))
        except (ValueError, KeyError, TypeError, AttributeError):
            fail("what comes in is not the output of kcat -J")
        yield record


class Topic:
    """Read with kafka-python."""

    def __init__(self, bootstrap, topic):
        # pylint: disable=import-outside-toplevel
        try:
            import kafka
            from kafka.partitioner.default import murmur2
        except ImportError as error:
            fail(f"{error} (Debian package python3-kafka)")
        try:
            self.consumer = kafka.KafkaConsumer(
                bootstrap_servers=bootstrap.split(","),
                enable_auto_commit=False)
            numbers = self.consumer.partitions_for_topic(topic)
        except (kafka.errors.KafkaError, ValueError) as error:
            fail(f"{bootstrap}: {error}")
        if not numbers:
            fail(f"there is no topic {topic}")
        self.partitions = [kafka.TopicPartition(topic, number)
                           for number in sorted(numbers)]
        self.murmur2 = murmur2

    def partition_of(self, key):
        return (self.murmur2(key) & 0x7fffffff) % len(self.partitions)

    def records(self):
        self.consumer.assign(self.partitions)
        self.consumer.seek_to_beginning()
        ends = self.consumer.end_offsets(self.partitions)
        while any(self.consumer.position(partition) < end
                  for partition, end in ends.items()):
            for partition, batch in self.consumer.poll(1000).items():
                for record in batch:
                    if record.offset >= ends[partition]:
                        break
                    headers = {name: (value or b"").decode("utf-8", "replace")
                               for name, value in record.headers}
                    yield Record(record.partition, record.offset,
                                 record.key or b"", record.value or b"",
                                 headers)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--descriptors", required=True, help="aftercare.desc")
    parser.add_argument("--bootstrap",
                        help="brokers; without it kcat's output is read")
    parser.add_argument("--topic", help="with --bootstrap")
    arguments = parser.parse_args()
    if (arguments.bootstrap is None) != (arguments.topic is None):
        parser.error("--bootstrap and --topic go together")

    decoder = Decoder(arguments.descriptors)
    topic = arguments.bootstrap and Topic(arguments.bootstrap, arguments.topic)
    records = topic.records() if topic else \
        records_of_kcat(sys.stdin.buffer)
    folds = collections.defaultdict(Fold)
    counts = collections.defaultdict(collections.Counter)
    for record in records:
        count = counts[record.partition]
        count["records"] += 1
        count["claims"] += "claim_owner" in record.headers
        for fact in folds[record.partition].take(record):
            count["facts"] += 1
            line = {"partition": fact.partition, "offset": fact.offset,
                    "key": fact.key.decode()}
            if topic:
                # Where a producer puts the key: where it lies, but for the
                # platform's own facts, which lie in every partition.
                line["key_partition"] = topic.partition_of(fact.key)
            line["headers"] = fact.headers
            line["event"] = decoder.decode(fact)
            print(json.dumps(line, ensure_ascii=False))
    for partition, count in sorted(counts.items()):
        pending = len(folds[partition].pending)
        void = count["records"] - count["claims"] - count["facts"] - pending
        print(f"partition {partition}: {count['facts']} facts, "
              f"{count['claims']} claims, {void} void, {pending} pending",
              file=sys.stderr)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail("nobody reads the output any more")
