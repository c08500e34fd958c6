#!/usr/bin/env python3
"""Measures how Understudy grows: a hundred thousand files and ten times as many, and one large database.

Prints two Markdown tables. Growth is the larger run's processor time over the smaller one's: on a shared machine the wall
clock says less.
"""

import argparse
import os
import random
import shutil
import time

from measure import let_age, measure, run, touch_memory


def make_files(directory, count):
    """Small files, ten in a directory, as many builds of many jobs."""
    chance = random.Random(count)
    lines = b"".join(b"<line n='%d'>%s</line>\n" % (n, chance.randbytes(8).hex().encode()) for n in range(200))
    for number in range(count):
        if number % 10 == 0:
            job = number // 100
            build = f"{directory}/jobs/group-{job % 97}/job-{job}/builds/{number // 10 % 10}"
            os.makedirs(build)
        start = chance.randrange(4000)
        with open(f"{build}/file-{number % 10}.xml", "wb") as file:
            file.write(b"<n>%d</n>" % number + lines[start:start + chance.randrange(200, 1800)])


def edit_files(directory, count):
    """Changes one file in a hundred."""
    for number in range(0, count, 100):
        job = number // 100
        with open(f"{directory}/jobs/group-{job % 97}/job-{job}/builds/0/file-0.xml", "ab") as file:
            file.write(b"<!-- edited -->\n")


def make_database(path, megabytes):
    """Pages as SQLite has them, half text and half noise."""
    chance = random.Random(megabytes)
    words = b"SUCCESS FAILURE refs/heads/main build deploy release service api gateway worker queue".split()
    with open(path, "wb") as file:
        file.write(b"SQLite format 3\0".ljust(4096, b"\0"))
        for _ in range(megabytes):
            text = b" ".join(chance.choices(words, k=300))[:2048]
            for _ in range(256):
                file.write(text + chance.randbytes(2048))


def edit_pages(path):
    """Changes one page in a hundred, anywhere."""
    pages = os.path.getsize(path) // 4096
    chance = random.Random(pages)
    with open(path, "r+b") as file:
        for page in chance.sample(range(1, pages), pages // 100):
            file.seek(page * 4096 + 100)
            file.write(chance.randbytes(200))


class Subject:
    """A tree with a store of its own."""

    def __init__(self, understudy, directory):
        self.home = f"{directory}/home"
        self.store = f"{directory}/store.git"
        self.directory = directory
        self.environment = dict(os.environ, HOME=directory, UNDERSTUDY_IDENTITY=f"{directory}/recovery.key")
        self.program = understudy
        self.command = f"{understudy} --system {directory}/understudy.yaml --quiet "
        os.makedirs(self.home)

    def start(self):
        run(
            f"{self.program} init {self.home} --name bench --store {self.store} --output {self.directory}/understudy.yaml"
            f" --recovery-key {self.directory}/recovery.key", self.environment)

    def measure(self, words):
        return measure(self.command + words, self.environment)

    def size(self):
        return sum(
            os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(f"{self.store}/objects")
            for name in names)


def files(understudy, work, count):
    """A large tree, and before and after each of its steps the same step of a small one: the machine's speed changes."""
    subjects = []
    for name, size in (("before", count), ("large", 10 * count), ("after", count)):
        subject = Subject(understudy, f"{work}/files-{name}")
        make_files(subject.home, size)
        subject.start()
        subjects.append((subject, size))
    steps = {}

    def step(name, cost_of, prepare=lambda subject, size: None):
        costs = []
        for subject, size in subjects:
            prepare(subject, size)
            time.sleep(1.1)
            if name.startswith(("first", "restore")):
                touch_memory(2 << 30)
            costs.append(cost_of(subject))
        before, large, after = costs
        small = {key: (before[key] + after[key]) / 2 for key in before}
        steps[name] = small, large

    def archive(subject, size):
        run(
            f"tar -C {subject.home} -cf {subject.directory}/home.tar . && mkdir {subject.directory}/tar && sync",
            subject.environment)

    let_age()
    step("first", lambda subject: subject.measure("snapshot"))
    step("nochange", lambda subject: subject.measure("snapshot"))
    step("changed", lambda subject: subject.measure("snapshot"), lambda subject, size: edit_files(subject.home, size))
    step("verify", lambda subject: subject.measure("verify latest"))
    step(
        "restore", lambda subject: subject.measure(f"restore latest --to {subject.directory}/out --no-start"),
        lambda subject, size: os.mkdir(f"{subject.directory}/out"))
    # The same files by a tool that does nothing but write them: what the kernel's part grows by.
    step(
        "restore by tar",
        lambda subject: measure(
            f"tar -C {subject.directory}/tar -xf {subject.directory}/home.tar", subject.environment), archive)
    print("Each step of the large tree between the same steps of two small ones, whose means these are.\n")
    print(f"| step | {count} files: wall s, cpu s, MB | {10 * count} files: wall s, cpu s, MB | growth |")
    print("| --- | --- | --- | --- |")
    for name, costs in steps.items():
        cells = [f"{cost['wall']:.2f}, {cost['user'] + cost['sys']:.2f}, {cost['rss']:.0f}" for cost in costs]
        small, large = (cost["user"] + cost["sys"] for cost in costs)
        print(f"| {name} | {cells[0]} | {cells[1]} | {large / small:.1f} |")


def database(understudy, work, megabytes):
    subject = Subject(understudy, f"{work}/database")
    path = f"{subject.home}/state.sqlite"
    make_database(path, megabytes)
    subject.start()
    rows = [("first", subject.measure("snapshot"), subject.size())]
    edit_pages(path)
    time.sleep(1.1)
    rows.append(("1 % of the pages changed", subject.measure("snapshot"), subject.size() - rows[0][2]))
    os.mkdir(f"{subject.directory}/out")
    rows.append(("restore", subject.measure(f"restore latest --to {subject.directory}/out --no-start"), 0))
    print(f"| a database of {megabytes} MB | wall s | cpu s | memory MB | added to the store |")
    print("| --- | --- | --- | --- | --- |")
    for name, cost, added in rows:
        share = f"{added / (1 << 20):.0f} MB, {added / (megabytes << 20):.1%} of the file" if added else ""
        print(f"| {name} | {cost['wall']:.2f} | {cost['user'] + cost['sys']:.2f} | {cost['rss']:.0f} | {share} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, help="where everything goes; must not be there; removed in the end")
    parser.add_argument("--understudy", required=True, help="the binary")
    parser.add_argument("--files", type=int, default=100_000, help="and ten times as many")
    parser.add_argument("--megabytes", type=int, default=4096, help="of the database")
    arguments = parser.parse_args()
    os.makedirs(arguments.work)
    try:
        files(arguments.understudy, arguments.work, arguments.files)
        print()
        database(arguments.understudy, arguments.work, arguments.megabytes)
    finally:
        shutil.rmtree(arguments.work)


main()
