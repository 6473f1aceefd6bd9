#!/usr/bin/env python3
"""Presses a machine's power button and waits until its guest has shut down.

    powerdown.py SOCKET [SECONDS]      SOCKET as in -qmp unix:SOCKET,server=on,wait=off
"""
import json
import socket
import sys


class Qmp:
    """One connection: a JSON object a line, replies and events as they come."""

    def __init__(self, path, timeout):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.lines = self.sock.makefile('r', encoding='utf-8')
        self.events = []
        self.read()                                     # the greeting
        self.execute('qmp_capabilities')

    def read(self):
        return json.loads(self.lines.readline())

    def execute(self, command, **arguments):
        self.sock.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode() + b'\n')
        while True:
            message = self.read()
            if 'event' in message:
                self.events.append(message)
            elif 'error' in message:
                sys.exit('%s: %s' % (command, message['error']['desc']))
            else:
                return message['return']

    def wait(self, name):
        """The next event of that name, also one that came with an earlier reply."""
        while True:
            for event in self.events:
                if event['event'] == name:
                    self.events.remove(event)
                    return event
            message = self.read()
            if 'event' in message:
                self.events.append(message)


def main():
    qmp = Qmp(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60)
    if not qmp.execute('query-status')['running']:
        qmp.execute('cont')
    qmp.execute('system_powerdown')
    print('the guest has shut down:', qmp.wait('SHUTDOWN')['data']['reason'])


if __name__ == '__main__':
    main()
