#!/usr/bin/env python3
"""What a night without a change costs on many repositories, against one `git for-each-ref` in each.

Makes 200 bare repositories with 100 references each (half of them packed), takes a first snapshot, and then runs the two in
turn, so that whatever else the machine does meets both. Prints the median of each, the median of the ratios of neighbours,
and what a night adds to the store, without a change and after a push to one repository. The goal of the issue is 1.5.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measure import let_age

ENVIRONMENT = dict(
    os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1",
    GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org", GIT_AUTHOR_DATE="1700000000 +0000",
    GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org", GIT_COMMITTER_DATE="1700000000 +0000")


def run(*command, **options):
    return subprocess.run(command, check=True, env=ENVIRONMENT, capture_output=True, **options)


def make(path, number, references):
    """A bare repository of its own history: a branch, and a reference to each of its commits."""
    run("git", "init", "-q", "--bare", "-b", "main", path)
    stream = []
    for commit in range(references):
        text = f"{number} {commit}\n"
        stream.append(
            f"commit refs/heads/main\nmark :{commit + 1}\ncommitter a <a@example.org> {1700000000 + commit} +0000\n"
            f"data 1\nx\nM 100644 inline f{commit % 10}\ndata {len(text)}\n{text}\n")
    run("git", "-C", path, "fast-import", "--quiet", input="".join(stream).encode())
    commits = run("git", "-C", path, "rev-list", "main").stdout.decode().split()
    half = len(commits) // 2

    def references_to(some, name):
        lines = "".join(f"create refs/{name}/{i} {commit}\n" for i, commit in enumerate(some))
        run("git", "-C", path, "update-ref", "--stdin", input=lines.encode())

    references_to(commits[:half], "tags")
    run("git", "-C", path, "pack-refs", "--all")
    references_to(commits[half:-1], "heads/topic")


def size(path):
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(path) for name in names)


def timed(action):
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=200)
    parser.add_argument("--references", type=int, default=100, help="of each repository")
    parser.add_argument("--rounds", type=int, default=7)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--binary", default=os.path.join(root, ".build/release/understudy"))
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="understudy-repositories-")
    try:
        paths = [f"{directory}/git/{number:03}.git" for number in range(options.repositories)]
        for number, path in enumerate(paths):
            make(path, number, options.references)

        def understudy(*arguments):
            return run(options.binary, *arguments, cwd=directory).stdout.decode()

        def night():
            understudy("snapshot", "--quiet")

        def for_each_ref():
            for path in paths:
                run("git", "-C", path, "for-each-ref")

        understudy("init", "git", "--name", "bench", "--recovery-key", "recovery.key")
        first = timed(night)
        # What was written within a minute before the snapshot is read once more.
        let_age()
        night()
        before = size(f"{directory}/bench.git")
        pairs = []
        for number in range(options.rounds):
            if number % 2:
                listed = timed(for_each_ref)
                pairs.append((timed(night), listed))
            else:
                pairs.append((timed(night), timed(for_each_ref)))
        added = (size(f"{directory}/bench.git") - before) / options.rounds

        pushed = []
        for number in range(3):
            tree = run("git", "-C", paths[number], "rev-parse", "main^{tree}").stdout.decode().strip()
            commit = run("git", "-C", paths[number], "commit-tree", "-p", "main", "-m", "push", tree).stdout.decode().strip()
            run("git", "-C", paths[number], "update-ref", "refs/heads/main", commit)
            before = size(f"{directory}/bench.git")
            pushed.append((timed(night), size(f"{directory}/bench.git") - before))
        taken = json.loads(understudy("snapshots", "--format", "json"))
        assert all(row["status"] == "complete" for row in taken), taken
        nights, lists = ([pair[i] for pair in pairs] for i in (0, 1))
        ratios = [a / b for a, b in pairs]
        print(f"{options.repositories} repositories, {options.repositories * options.references} references")
        print(run("git", "--version").stdout.decode().strip() + ", understudy " + understudy("--version").strip())
        print(f"first night   {first:7.3f} s")
        print(f"second night  {statistics.median(nights):7.3f} s  {min(nights):.3f}..{max(nights):.3f}")
        print(f"for-each-ref  {statistics.median(lists):7.3f} s  {min(lists):.3f}..{max(lists):.3f}")
        print(f"ratio         {statistics.median(ratios):7.2f}    {min(ratios):.2f}..{max(ratios):.2f}")
        print(f"after a push  {statistics.median(pair[0] for pair in pushed):7.3f} s")
        print(f"added to the store without a change: {added / 1000:.1f} kB; after a push of one commit: "
              f"{statistics.median(pair[1] for pair in pushed) / 1000:.1f} kB")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
