#!/usr/bin/env python3
"""Writes two lists for `tar --files-from`, each of half of a tree: the first half of a walk and the second, large files in turn.

Half is what takes half of the time: about 15 microseconds for an entry, and a nanosecond for a byte.
"""

import os
import sys

home, lists = sys.argv[1], sys.argv[2:4]
entries = []
for directory, directories, names in os.walk(home):
    directories.sort()
    entries.append((os.path.relpath(directory, home), 0))
    for name in sorted(names):
        path = os.path.join(directory, name)
        entries.append((os.path.relpath(path, home), os.lstat(path).st_size))
costs = [15e-6 + size * 1e-9 if size < 1 << 20 else 0 for _, size in entries]
half, done, turn = sum(costs) / 2, 0, 0
files = [open(path, "w") for path in lists]
for (path, size), cost in zip(entries, costs):
    if cost:
        print(path, file=files[done >= half])
        done += cost
    else:
        print(path, file=files[turn])
        turn = 1 - turn
for file in files:
    file.close()
