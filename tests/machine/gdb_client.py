"""gdb's side of its remote protocol.

Rsp             packets sent and read as they are
Gdb             Debian's gdb, typed to
"""
import os
import re
import signal
import subprocess
import time

import rhea


class Rsp(rhea.Stream):
    """A connection without acknowledgments, as gdb has it after its first packets."""

    def __init__(self, path, features='multiprocess+;swbreak+;hwbreak+', **options):
        super().__init__(path, **options)
        self.acknowledged = True
        self.supported = self.command('qSupported:' + features).split(';')
        if 'QStartNoAckMode+' in self.supported:
            assert self.command('QStartNoAckMode') == 'OK'
            self.send('+')
            self.acknowledged = False

    def packet(self, body):
        body = body.encode() if isinstance(body, str) else body
        self.send(b'$%s#%02x' % (body, sum(body) & 0xff))

    def reply(self, timeout=None):
        text = self.expect(rb'\$[^#]*#..', timeout)
        if self.acknowledged:
            self.send('+')
        return text[text.index('$') + 1:-3]

    def command(self, body, timeout=None):
        self.packet(body)
        return self.reply(timeout)

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.command('p%x' % number)), 'little')

    def memory(self, addr, size):
        return bytes.fromhex(self.command('m%x,%x' % (addr, size)))

    def monitor(self, line):
        """What `monitor LINE` prints, and the answer behind it."""
        self.packet('qRcmd,' + line.encode().hex())
        text = b''
        while True:
            reply = self.reply()
            if not reply.startswith('O') or reply == 'OK':
                return text.decode(), reply
            text += bytes.fromhex(reply[1:])


class Gdb:
    """A gdb at its prompt."""

    PROMPT = '(gdb) '

    def __init__(self, *commands, timeout=rhea.TIMEOUT):
        self.timeout = timeout
        self.process = subprocess.Popen(['gdb', '-q', '-nx'], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.until(re.escape(self.PROMPT))
        for command in ('set pagination off', 'set confirm off', 'set width 0') + commands:
            self.run(command)

    def until(self, pattern, timeout=None):
        text = ''
        deadline = time.monotonic() + (timeout or self.timeout)
        while not re.search(pattern, text):
            assert time.monotonic() < deadline, 'gdb said: ' + text
            data = self.process.stdout.read()
            if data is None:
                rhea.select.select([self.process.stdout], [], [], 1)
                continue
            assert data, 'gdb left: ' + text
            text += data.decode(errors='replace')
        return text

    def run(self, command, timeout=None):
        """What gdb printed until its next prompt."""
        self.start(command)
        return self.until(re.escape(self.PROMPT) + '$', timeout)[:-len(self.PROMPT)]

    def start(self, command):
        self.process.stdin.write(command.encode() + b'\n')
        self.process.stdin.flush()

    def interrupt(self):
        """Ctrl-C, while a command that was started runs."""
        self.process.send_signal(signal.SIGINT)
        return self.until(re.escape(self.PROMPT) + '$')

    def value(self, expression):
        text = self.run('output/x ' + expression)
        assert re.fullmatch(r'0x[0-9a-f]+', text), (expression, text)
        return int(text, 16)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
