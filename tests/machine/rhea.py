"""Starting rhea and talking to it as its clients do.

Machine         a running rhea with a QMP socket
Qmp             a QMP connection
Hmp             the human monitor over a socket
Serial          a serial port's socket: expect(), send()
"""
import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

TERMINAL_CODES = re.compile(rb'\x1b(\[[0-9;?]*[@-~]|[()][0-9A-Z])|[\x0e\x0f]')
DISPLAYS = {'-display', '-vnc', '-nographic'}          # whose absence gives a machine one by itself
TIMEOUT = float(os.environ.get('RHEA_TEST_TIMEOUT', '60'))


def binary():
    """The program under test: $RHEA, or build/rhea beside the sources."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ.get('RHEA', os.path.join(top, 'build', 'rhea'))


def image_tool():
    """rhea-img of the same build."""
    return os.path.join(os.path.dirname(os.path.abspath(binary())), 'tools', 'rhea-img')


def check_image(path, allowed=(0,)):
    """Our tool and QEMU's find nothing wrong with an image; `allowed`: exit codes."""
    for tool in (image_tool(), 'qemu-img'):
        checked = subprocess.run([tool, 'check', path], check=False, capture_output=True, text=True)
        assert checked.returncode in allowed, tool + ': ' + checked.stdout + checked.stderr


class Closed(Exception):
    """The other side closed the connection."""


class Stream:
    """Bytes from a socket, waited for with a deadline."""

    def __init__(self, path, timeout=TIMEOUT):
        self.timeout = timeout
        self.buffer = b''
        self.text_only = False                         # screens: drop what moves cursors and colours
        self.sock = connect(path, timeout)

    def fill(self, deadline):
        left = max(deadline - time.monotonic(), 0)
        if not select.select([self.sock], [], [], left)[0]:
            raise TimeoutError('waited %gs; so far: %r' % (self.timeout, self.buffer[-2000:]))
        data = self.sock.recv(65536)
        if not data:
            raise Closed(repr(self.buffer[-2000:]))
        self.buffer += data
        if self.text_only:
            self.buffer = TERMINAL_CODES.sub(b'', self.buffer)

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def expect(self, pattern, timeout=None):
        """Reads until the regular expression matches; returns what came up to the match's end."""
        regex = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.DOTALL)
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            match = regex.search(self.buffer)
            if match:
                taken, self.buffer = self.buffer[:match.end()], self.buffer[match.end():]
                return taken.decode(errors='replace')
            self.fill(deadline)

    def close(self):
        self.sock.close()


def connect(path, timeout=TIMEOUT):
    """A connection to a UNIX socket path or a (host, port) pair that is about to exist."""
    deadline = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
        try:
            sock.connect(path)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Qmp(Stream):
    def __init__(self, path, negotiate=True, timeout=TIMEOUT):
        super().__init__(path, timeout)
        self.events = []
        self.greeting = self.read()
        if negotiate:
            self.command('qmp_capabilities')

    def read(self, timeout=None):
        """The next message, whatever it is."""
        return json.loads(self.expect(rb'\r\n', timeout))

    def raw(self, data):
        """Sends bytes as they are and returns the next message that is no event."""
        self.send(data)
        return self.reply()

    def reply(self):
        while True:
            message = self.read()
            if 'event' not in message:
                return message
            self.events.append(message)

    def execute(self, command, **arguments):
        """The whole reply, error or not."""
        request = {'execute': command}
        if arguments:
            request['arguments'] = {name.replace('_', '-'): value for name, value in arguments.items()}
        return self.raw(json.dumps(request))

    def command(self, command, **arguments):
        """The value returned; an error fails the test."""
        reply = self.execute(command, **arguments)
        assert 'return' in reply, (command, arguments, reply)
        return reply['return']

    def event(self, name, timeout=None):
        """Waits for an event, also one that has come already."""
        while True:
            for index, event in enumerate(self.events):
                if event['event'] == name:
                    return self.events.pop(index)
            message = self.read(timeout)
            assert 'event' in message, message
            self.events.append(message)

    def hmp(self, line):
        return self.command('human-monitor-command', command_line=line).replace('\r\n', '\n')


class Hmp(Stream):
    PROMPT = rb'\(qemu\) '

    def __init__(self, path, timeout=TIMEOUT):
        super().__init__(path, timeout)
        self.banner = self.expect(self.PROMPT)

    def command(self, line):
        """What the command printed, without the echo of its line."""
        self.send(line + '\n')
        self.expect(rb'\r?\n')                         # the line, echoed
        return self.expect(self.PROMPT)[:-len('(qemu) ')].replace('\r\n', '\n')


class Machine:
    """rhea with the given arguments; ends with the `with` block."""

    def __init__(self, *args, qmp=True, serial=False, hmp=False, program=None, env=None, stdin=None,
                 pass_fds=()):
        self.folder = tempfile.mkdtemp(prefix='rhea-test-')
        self.args = [program or binary()]
        self.sockets = {}
        if qmp:
            self.args += ['-qmp', 'unix:%s,server=on,wait=off' % self.path('qmp')]
        if serial:
            self.args += ['-serial', 'unix:%s,server=on,wait=%s' %
                          (self.path('serial'), 'on' if serial == 'wait' else 'off')]
        if hmp:
            self.args += ['-monitor', 'unix:%s,server=on,wait=off' % self.path('hmp')]
        self.args += list(args)
        if not DISPLAYS.intersection(args):
            self.args += ['-display', 'none']
        self.stderr = open(self.path('stderr'), 'w+', encoding='utf-8')
        self.process = subprocess.Popen(self.args, stdin=stdin or subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.stderr, env=env,
                                        pass_fds=pass_fds)
        try:
            self.serial = Stream(self.path('serial')) if serial else None   # may be waited for
            self.qmp = Qmp(self.path('qmp')) if qmp else None
            self.hmp = Hmp(self.path('hmp')) if hmp else None
        except Exception as problem:
            self.process.kill()
            self.process.wait()
            raise AssertionError('%s\n%s' % (problem, self.errors())) from problem

    def path(self, name):
        return os.path.join(self.folder, name)

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read()

    def wait(self, timeout=TIMEOUT):
        """The exit code."""
        return self.process.wait(timeout)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.qmp, self.serial, self.hmp):
            if stream:
                stream.close()
        errors = self.errors()
        if kind and errors:
            print('rhea said:', errors)
        self.process.stdout.close()
        self.stderr.close()
        shutil.rmtree(self.folder)
        if not kind:
            assert 'Sanitizer' not in errors, errors
            assert self.process.returncode is None or self.process.returncode >= 0, \
                'died of signal %d: %s' % (-self.process.returncode, errors)


def run(*args, timeout=TIMEOUT, **options):
    """Runs rhea to its end: a CompletedProcess with text output."""
    return subprocess.run([binary(), *args], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, **options)
