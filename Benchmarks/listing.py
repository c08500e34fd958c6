#!/usr/bin/env python3
"""Writes what floor.c makes: every directory of a tree, the outer ones first, and the names and sizes of the files in it."""

import os
import sys

home, path = sys.argv[1:3]
with open(path, "wb") as file:
    for directory, directories, names in os.walk(home):
        directories.sort()
        place = os.path.relpath(directory, home)
        depth = 0 if place == "." else place.count("/") + 1
        file.write(b"D %d %s\0" % (depth, os.fsencode(place)))
        for name in sorted(names):
            size = os.lstat(os.path.join(directory, name)).st_size
            file.write(b"F %d %s\0" % (size, os.fsencode(name)))
