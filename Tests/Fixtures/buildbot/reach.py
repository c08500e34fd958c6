"""Looks from inside a build for what a rehearsal must not reach: says each thing that it finds, and fails then.

Arguments: a port of 127.0.0.1 and a path of a Unix socket to connect to, where to look for files, and the words that must
not be in them, spelled backwards, so that these very arguments hold none of them.
"""
import base64
import os
import socket
import sys
import urllib.parse

port, path, place = int(sys.argv[1]), sys.argv[2], sys.argv[3]
words = [word[::-1].encode() for word in sys.argv[4:]]
found = []

for family, address in ((socket.AF_INET, ('127.0.0.1', port)), (socket.AF_UNIX, path)):
    with socket.socket(family) as connection:
        connection.settimeout(5)
        try:
            connection.connect(address)
            found.append('connected to %s' % (address,))
        except OSError:
            pass

forms = []
for number, word in enumerate(words):
    forms.append((number, 'as it is', word))
    forms.append((number, 'in hex', word.hex().encode()))
    forms.append((number, 'for an address', urllib.parse.quote(word, safe='').encode()))
    for offset in range(3):
        encoded = base64.b64encode(b'x' * offset + word)
        forms.append((number, 'in base64', encoded[(offset * 8 + 5) // 6:(offset + len(word)) * 8 // 6]))

looked = 0
for directory, names, files in os.walk(place):
    # Not the system's own, and not what was published for everybody.
    passed = {'proc', 'sys', 'usr', 'dev'} if directory == '/' else {'site-packages', 'packages', 'wheels'}
    names[:] = [name for name in names if name not in passed]
    for name in files:
        try:
            with open(os.path.join(directory, name), 'rb') as file:
                contents = file.read()
        except OSError:
            continue
        looked += 1
        for number, form, pattern in forms:
            if pattern in contents:
                found.append('word %d %s in %s' % (number, form, os.path.join(directory, name)))

print('looked into %d files' % looked)
for line in found:
    print(line)
sys.exit(1 if found or not looked else 0)
