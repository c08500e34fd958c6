"""Listens on 127.0.0.1 and on a Unix socket, and leaves a line in a file for each connection; goes on in the background.

Arguments: the file, the Unix socket's path, and the file in which the ports are named once it listens: HTTP, SMTP, plain.
"""
import os
import selectors
import socket
import sys

lines, path, ready = sys.argv[1:4]
sockets = {name: socket.socket() for name in ('http', 'smtp', 'plain')}
for listening in sockets.values():
    listening.bind(('127.0.0.1', 0))
sockets['unix'] = socket.socket(socket.AF_UNIX)
sockets['unix'].bind(path)
selector = selectors.DefaultSelector()
for name, listening in sockets.items():
    listening.listen(20)
    selector.register(listening, selectors.EVENT_READ, name)
if os.fork():
    with open(ready + '.new', 'w') as file:
        print(*[sockets[name].getsockname()[1] for name in ('http', 'smtp', 'plain')], file=file)
    os.rename(ready + '.new', ready)
    os._exit(0)
os.setsid()
nothing = os.open('/dev/null', os.O_RDWR)
for descriptor in range(3):
    os.dup2(nothing, descriptor)
while True:
    for key, _ in selector.select():
        connection, _ = key.fileobj.accept()
        connection.close()
        with open(lines, 'a') as file:
            print(key.data, file=file)
