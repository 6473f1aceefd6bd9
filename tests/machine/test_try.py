"""scripts/try, as a newcomer runs it: on a terminal."""
import os
import pty
import re
import select
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
pytestmark = pytest.mark.slow


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.text = ''

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.text)
            if found:
                seen, self.text = self.text[:found.end()], self.text[found.end():]
                return seen
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, 'no %r in:\n%s' % (pattern, self.text)
            self.text += os.read(self.fd, 65536).decode(errors='replace')

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_shell_monitor_and_leaving(demo):
    terminal = Terminal(os.path.join(TOP, 'scripts', 'try'))
    assert 'Ctrl-a c' in terminal.expect(r'Ctrl-a c .*\n', 600)
    terminal.expect(r'/ # ', 120)
    terminal.send('\x01c')
    terminal.expect(r'\(qemu\) ')
    terminal.send('info status\r')
    terminal.expect(r'VM status: running')
    terminal.send('\x01c')
    terminal.send('\recho sum-$((40+2))\r')
    terminal.expect(r'sum-42')
    terminal.send('poweroff\r')
    assert terminal.status() == 0
