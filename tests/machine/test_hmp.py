"""The human monitor: on a socket, through QMP, and on the terminal."""
import fcntl
import os
import random
import re
import select
import shutil
import stat
import struct
import subprocess
import termios
import time

import pytest

from rhea import TIMEOUT, Hmp, Machine, Stream, binary

STOPPED = ['-nodefaults', '-display', 'none', '-S', '-accel', 'tcg']

# A line, what it prints.  The machine is stopped at the reset vector with `rom` as firmware.
REPLIES = [
    ('', ''),
    ('   ', ''),
    ('nosuch arg', "unknown command: 'nosuch'\n"),
    ('INFO', "unknown command: 'INFO'\nDid you mean 'info'?\n"),
    ('# comment', "unknown command: '#'\n"),
    ('info nosuch', "unknown command: 'info nosuch'\n"),
    ('stopp', "unknown command: 'stopp'\nDid you mean 'stop'?\n"),
    ('info registes', "unknown command: 'info registes'\nDid you mean 'info registers'?\n"),
    ('help nosuch', "unknown command: 'nosuch'\n"),
    ('cpu', 'unexpected end of expression\nTry "help cpu" for more information\n'),
    ('cpu x', "invalid char 'x' in expression\nTry \"help cpu\" for more information\n"),
    ('cpu -1', "'cpu' has failed: integer is for 32-bit values\nTry \"help cpu\" for more information\n"),
    ('cpu 1', 'invalid CPU index\n'),
    ('cpu 0', ''),
    ('stop now', 'stop|s: extraneous characters at the end of line: \'now\'\nTry "help stop" for more information\n'),
    ('c 1', 'cont|c: extraneous characters at the end of line: \'1\'\nTry "help c" for more information\n'),
    ('info version extra',
     'version: extraneous characters at the end of line: \'extra\'\nTry "help info version" for more information\n'),
    ('info registers -x',
     'registers: unsupported option -x\nTry "help info registers" for more information\n'),
    ('info registers foo',
     "invalid char 'f' in expression\nTry \"help info registers\" for more information\n"),
    ('info registers 1', 'CPU#1 not available\n'),
    ('info lapic 5', 'No CPU available\n'),
    ('memsave 0 1', 'memsave: string expected\nTry "help memsave" for more information\n'),
    ('memsave 0 1 "x', 'memsave: string expected\nunterminated string\n'
     'Try "help memsave" for more information\n'),
    ('logfile', 'logfile: filename expected\nTry "help logfile" for more information\n'),
    ('sendkey', 'sendkey: string expected\nTry "help sendkey" for more information\n'),
    ('sendkey nosuch', 'invalid parameter: nosuch\n'),
    ('system_wakeup', 'Error: Unable to wake up: guest is not in suspended state\n'),
    ('boot_set zz', "Invalid boot device 'z'\n"),
    ('boot_set nc', 'boot device list now set to nc\n'),
    ('p 1+2*3', '0x7\n'),
    ('p/d 0x10', '16\n'),
    ('p 5', '5\n'),                                     # the format stays
    ('p /x 255', '0xff\n'),
    ('p /o 8', '010\n'),
    ('p /u -1', '18446744073709551615\n'),
    ('p /c 65', "'A'\n"),
    ("p /c 10", "'\\n'\n"),
    ('p /d -5', '-5\n'),
    ('p /x $pc', '0xfffffff0\n'),
    ('p $rip', '0xfff0\n'),
    ('p $cs', '0xf000\n'),
    ('p 0', '0\n'),
    ('p $nosuch', 'unknown register\nTry "help p" for more information\n'),
    ('p (1', '\')\' expected\nTry "help p" for more information\n'),
    ('p 1 2', 'print|p: extraneous characters at the end of line: \'2\'\nTry "help p" for more information\n'),
    ('p 1/0', 'division by zero\nTry "help p" for more information\n'),
    ('p /z 1', "invalid char in format: 'z'\nTry \"help p\" for more information\n"),
    ('xp /8xb 0xffff0000', '00000000ffff0000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07\n'),
    ('xp 0xffff0000', '00000000ffff0000: 0x00\n'),      # so does the size
    ('xp /4xw 0xffff0000', '00000000ffff0000: 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c\n'),
    ('xp /3dh 0xffff0000', '00000000ffff0000:   256   770  1284\n'),
    ('xp /2ug 0xffff0000', '00000000ffff0000:   506097522914230528  1084818905618843912\n'),
    ('xp /2ow 0xffff0000', '00000000ffff0000:  0300400400  0701402404\n'),
    ('xp /12cb 0xffff003a', "00000000ffff003a: ':' ';' '<' '=' '>' '?' '@' 'A'\n"
     "00000000ffff0042: 'B' 'C' 'D' 'E'\n"),
    ('xp /20xb 0xffff0000', '00000000ffff0000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07\n'
     '00000000ffff0008: 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f\n'
     '00000000ffff0010: 0x10 0x11 0x12 0x13\n'),
    ('xp /0xb 0', ''),
    ('xp /4xw 0x800000000', '0000000800000000: Cannot access memory\n'),
    ('x /8q 0', "invalid char in format: 'q'\nTry \"help x\" for more information\n"),
    ('x /2xb0', "invalid char in format: '0'\nTry \"help x\" for more information\n"),
    ('x /1i $pc', '0xfffffff0:  ea 5b e0 00 f0           ljmpw    $0xf000:$0xe05b\n'),
    ('gva2gpa 0x1234', 'gpa: 0x1234\n'),
    ('gpa2hva 0x800000000', 'No memory is mapped at address 0x800000000\n'),
    ('gpa2hva 0xfee00000', 'Memory at address 0xfee00000 is not RAM\n'),
    ('sum 0xffff0000 16', '57348\n'),
    ('info status', 'VM status: paused (prelaunch)\n'),
    ('info name', 'chalk\n'),
    ('info uuid', '1f8e6f7e-5a70-4780-89c1-464dc0e7f308\n'),
    ('info kvm', 'kvm support: disabled\n'),
    ('info mem', 'PG disabled\n'),
    ('info tlb', 'PG disabled\n'),
    ('info qom-tree /nosuch', "Path '/nosuch' could not be resolved.\n"),
    ('ringbuf_write rb0 hello', ''),
    ('ringbuf_read rb0 3', 'hel\n'),
    ('ringbuf_read nosuch 3', "Error: Device 'nosuch' not found\n"),
]


def bsd_sum(data):
    total = 0
    for byte in data:
        total = ((total >> 1 | total << 15) + byte) & 0xffff
    return total


@pytest.fixture(scope='module')
def rom(tmp_path_factory):
    """64 KiB of firmware: a counting pattern, and the usual jump at the reset vector."""
    data = bytearray(i & 0xff for i in range(65536))
    data[0xfff0:0xfff5] = bytes.fromhex('ea5be000f0')
    path = tmp_path_factory.mktemp('rom') / 'rom.bin'
    path.write_bytes(data)
    return str(path)


@pytest.fixture(scope='module')
def stopped(rom):
    with Machine(*STOPPED, '-bios', rom, '-name', 'chalk',
                 '-uuid', '1f8e6f7e-5a70-4780-89c1-464dc0e7f308',
                 '-chardev', 'ringbuf,id=rb0', hmp=True) as machine:
        yield machine


@pytest.mark.parametrize('line,text', REPLIES, ids=lambda value: repr(value)[:40])
def test_reply(stopped, line, text):
    if line.startswith('sum'):
        text = '%05d\n' % bsd_sum(range(16))
    assert stopped.qmp.hmp(line) == text


def test_socket_prints_what_qmp_returns(stopped):
    for line in ['info status', 'p /x 255', 'nosuch', 'info registers', 'help']:
        assert stopped.hmp.command(line) == stopped.qmp.hmp(line)


# ---- the plain line editor: bytes typed, bytes that come back ----

EDITING = [
    (b'p 1\n', rb'p\x1b[K\x1b[Dp \x1b[K\x1b[D\x1b[Dp 1\x1b[K\r\n0x1\r\n(qemu) '),
    (b'\n', rb'\r\n(qemu) '),
    (b'p 1\r', rb'p\x1b[K\x1b[Dp \x1b[K\x1b[D\x1b[Dp 1\x1b[K\r\n0x1\r\n(qemu) '),
    (b'q\x7f', rb'q\x1b[K\x1b[D\x1b[K'),
    (b'qui\t', rb'q\x1b[K\x1b[Dqu\x1b[K\x1b[D\x1b[Dqui\x1b[K\x1b[D\x1b[D\x1b[Dquit \x1b[K'),
    (b'\x17', rb'\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[K'),
    (b'ab\x01', rb'a\x1b[K\x1b[Dab\x1b[K\x1b[D\x1b[D'),
    (b'\x05', rb'\x1b[C\x1b[C'),
    (b'\x1b[DX', rb'\x1b[D\x1b[DaXb\x1b[K\x1b[D'),
    (b'\x15\x0b', rb'\x1b[D\x1b[Db\x1b[K\x1b[D\x1b[K'),
    (b'\x1b[A', rb'p 1\x1b[K'),
    (b'\x1b[B', rb'\x1b[D\x1b[D\x1b[D\x1b[K'),
]


def test_line_editor_bytes(stopped):
    """One conversation: each row starts where the one before has left the line."""
    stopped.hmp.send('p /x 1\n')
    stopped.hmp.expect(Hmp.PROMPT)
    for typed, shown in EDITING:
        shown = shown.replace(rb'\x1b', b'\x1b').replace(rb'\r', b'\r').replace(rb'\n', b'\n')
        stopped.hmp.send(typed)
        assert stopped.hmp.expect(re.escape(shown)).encode() == shown, typed


def test_completion_lists_candidates(stopped):
    stopped.hmp.send('info na\t')
    stopped.hmp.expect(rb'info name ')
    stopped.hmp.send('\x15info r\t')
    stopped.hmp.expect(rb'\r\nramblock +registers +roms +\r\n\(qemu\) info r')
    stopped.hmp.send('\x15p $cs.\t')
    stopped.hmp.expect(rb'\$cs\.base +\$cs\.limit')
    stopped.hmp.send('\x15help info sta\t')
    stopped.hmp.expect(rb'help info status ')
    stopped.hmp.send('\x15\n')
    stopped.hmp.expect(Hmp.PROMPT)


def test_clients_take_turns(rom):
    with Machine(*STOPPED, '-bios', rom, hmp=True) as machine:
        second = Stream(machine.path('hmp'))
        machine.hmp.command('info history')
        machine.hmp.close()
        machine.hmp = None
        banner = second.expect(Hmp.PROMPT)
        assert "type 'help' for more information\r\n(qemu) " in banner
        second.close()


def test_quit_ends_the_program(rom):
    with Machine(*STOPPED, '-bios', rom, hmp=True) as machine:
        machine.hmp.send('quit\n')
        assert machine.wait() == 0


def test_every_command_has_help_and_answers(stopped):
    """What `help` lists can be asked for by name, and every info topic answers."""
    for line in stopped.qmp.hmp('help').splitlines():
        name = line.split()[0].split('|')[0]
        assert stopped.qmp.hmp('help ' + name).startswith(line.split()[0] if name != 'log' else 'Log')
    topics = [line.split()[1] for line in stopped.qmp.hmp('help info').splitlines()]
    for wanted in ('status version name uuid accel kvm cpus registers qtree qom-tree pci mtree chardev pic irq '
                   'lapic mem tlb roms history jit').split():
        assert wanted in topics
    for topic in topics:
        assert 'unknown command' not in stopped.qmp.hmp('info ' + topic)


def test_stop_and_cont(rom):
    with Machine('-nodefaults', '-display', 'none', '-accel', 'tcg', '-bios', rom, hmp=True) as machine:
        assert machine.hmp.command('stop') == ''
        assert machine.hmp.command('info status') == 'VM status: paused\n'
        machine.qmp.event('STOP')
        assert machine.hmp.command('c') == ''
        machine.qmp.event('RESUME')
        assert machine.hmp.command('info status') == 'VM status: running\n'


def test_pmemsave(stopped, tmp_path):
    path = tmp_path / 'memory'
    assert stopped.qmp.hmp('pmemsave 0xffff0000 256 "%s"' % path) == ''
    assert path.read_bytes() == bytes(range(256))
    assert stopped.qmp.hmp('memsave 0xffff0010 16 "%s"' % path) == ''
    assert path.read_bytes() == bytes(range(16, 32))


# ---- anything may be typed ----

WORDS = ['x', 'xp', 'p', 'print', 'i', 'o', 'sum', 'info', 'help', 'gva2gpa', 'gpa2hva', 'gpa2hpa', 'cpu',
         'registers', 'status', 'mtree', '-f', '-a', 'qtree', 'pci', 'lapic', 'mem', 'tlb', 'log', 'none',
         'history', 'jit', 'stop', 'nmi', 'sendkey', 'ctrl-alt-delete', 'boot_set', 'ringbuf_read', 'rb0',
         '/8xw', '/3i', '/99c', '/999999999xb', '$pc', '$rsp', '$', '0', '1', '-1', '0x10', '0xfffffff0',
         '0xffffffffffffffff', '(', ')', '((', '+', '*', '/', '%', '"', '"a b"', "'", "'a'", '\\', '.', '.1']


def random_line(rng):
    kind = rng.random()
    if kind < 0.7:
        return ' '.join(rng.choice(WORDS) for _ in range(rng.randint(1, 6))).encode()
    size = rng.randint(0, 60)
    if kind < 0.95:
        return bytes(rng.randint(32, 126) for _ in range(size))
    return bytes(byte for byte in (rng.randint(1, 255) for _ in range(size)) if byte not in b'\r\n')


def harmless(line):
    """Not what ends the program, or writes where it should not."""
    return not re.match(rb'\s*(q|quit|memsave|pmemsave|logfile)\b', line)


def test_ten_thousand_random_lines(rom):
    rng = random.Random(20)
    with Machine(*STOPPED, '-bios', rom, '-m', '16', '-chardev', 'ringbuf,id=rb0', hmp=True) as machine:
        sock = machine.hmp.sock
        for _ in range(100):
            lines = [line for line in (random_line(rng) for _ in range(100)) if harmless(line)]
            data = b'\n'.join(lines) + b'\n'
            while data:
                readable, writable, _ = select.select([sock], [sock], [], TIMEOUT)
                assert readable or writable, 'the monitor hangs'
                if readable:
                    assert sock.recv(1 << 20), 'the monitor is gone'
                if writable:
                    data = data[sock.send(data[:4096]):]
        machine.hmp.send(b'\x03\x15\x1b[F\x15\np /x 0xabc123 \n')
        machine.hmp.expect(rb'\r\n0xabc123\r\n\(qemu\) ')
        assert machine.qmp.command('query-status')['running'] is False


# ---- on the terminal ----

class Terminal:
    """rhea on a pseudo terminal of its own."""

    def __init__(self, *args, state):
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        env = dict(os.environ, TERM='xterm', XDG_STATE_HOME=str(state), INPUTRC='/dev/null')
        self.process = subprocess.Popen(
            [binary(), *args], stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.buffer = b''

    def send(self, data):
        os.write(self.master, data)

    def expect(self, pattern):
        deadline = time.monotonic() + TIMEOUT
        while True:
            match = re.search(pattern, self.buffer, re.DOTALL)
            if match:
                taken, self.buffer = self.buffer[:match.end()], self.buffer[match.end():]
                return taken
            left = max(deadline - time.monotonic(), 0)
            assert select.select([self.master], [], [], left)[0], 'so far: %r' % self.buffer
            self.buffer += os.read(self.master, 65536)

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def finish(self, signal=None):
        if signal:
            self.process.send_signal(signal)
        try:
            return self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def monitor_on_terminal(rom, state):
    return Terminal(*STOPPED, '-bios', rom, '-monitor', 'stdio', state=state)


def test_readline_edits_completes_and_remembers(rom, tmp_path):
    with monitor_on_terminal(rom, tmp_path) as term:
        term.expect(rb'\(qemu\) ')
        assert not term.restored()
        term.send(b'inf\tstat\t\r')
        term.expect(rb'info status \r\nVM status: paused \(prelaunch\)\r\n\(qemu\) ')
        term.send(b'p 12\x01\x1b[C\x1b[C3\r')              # Ctrl-A, right, right, 3
        term.expect(rb'0x138\r\n\(qemu\) ')                 # 312
        term.send(b'info \t\t')
        term.expect(rb'accel .*version')
        term.send(b'\x15sendkey ctrl-dele\t')
        term.expect(rb'sendkey ctrl-delete ')
        term.send(b'\x15logfile /dev/nul\t')
        term.expect(rb'logfile /dev/null')
        term.send(b'\x15quit\r')
        assert term.finish() == 0
        assert term.restored()
    history = tmp_path / 'rhea' / 'history'
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert history.read_text().splitlines() == ['info status ', 'p 312', 'quit']
    with monitor_on_terminal(rom, tmp_path) as term:
        term.expect(rb'\(qemu\) ')
        term.send(b'\x1b[A\x1b[A\r')
        term.expect(rb'p 312\r\n0x138\r\n')
        term.send(b'quit\r')
        assert term.finish() == 0


@pytest.mark.parametrize('signal', [2, 15, 1], ids=['INT', 'TERM', 'HUP'])
def test_a_signal_leaves_the_terminal_as_it_was(rom, tmp_path, signal):
    with monitor_on_terminal(rom, tmp_path) as term:
        term.expect(rb'\(qemu\) ')
        assert term.finish(signal) == 0
        assert term.restored()


@pytest.mark.signals
def test_ctrl_c_on_a_monitor_ends_the_program(rom, tmp_path):
    with monitor_on_terminal(rom, tmp_path) as term:
        term.expect(rb'\(qemu\) ')
        term.send(b'\x03')
        assert term.finish() == 0
        assert term.restored()


def test_nographic_keys(rom, tmp_path):
    with Terminal('-nographic', '-S', '-accel', 'tcg', '-bios', rom, state=tmp_path) as term:
        term.send(b'\x01h')
        term.expect(rb'Ctrl-a c')
        term.send(b'\x01c')
        term.expect(rb"type 'help' for more information\r+\n\(qemu\) ")
        term.send(b'info chardev\r')
        term.expect(rb'serial0: filename=mux\r\nserial0-base: filename=stdio\r\n\(qemu\) ')
        term.send(b'\x01c\x01c')
        term.expect(rb'\(qemu\) ')
        term.send(b'\x01x')
        assert term.finish() == 0
        assert term.restored()


def test_stdin_that_ends_is_no_trouble(rom):
    result = subprocess.run([binary(), *STOPPED, '-bios', rom, '-monitor', 'stdio'],
                            input=b'info status\nquit\n', capture_output=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0
    assert b'VM status: paused (prelaunch)' in result.stdout


@pytest.mark.signals                            # what ends it
@pytest.mark.skipif(not shutil.which('tmux'), reason='tmux is not installed')
def test_in_tmux(rom, tmp_path):
    """What a person sees: the screen, not the bytes."""
    tmux = ['tmux', '-S', str(tmp_path / 'tmux')]
    command = ' '.join([binary(), *STOPPED, '-bios', rom, '-monitor', 'stdio'])
    env = dict(os.environ, XDG_STATE_HOME=str(tmp_path), INPUTRC='/dev/null')

    def screen():
        return subprocess.run(tmux + ['capture-pane', '-p', '-t', 'rhea'], capture_output=True, text=True,
                              check=True).stdout

    def await_screen(text):
        deadline = time.monotonic() + TIMEOUT
        while text not in screen():
            assert time.monotonic() < deadline, screen()
            time.sleep(0.05)

    subprocess.run(tmux + ['-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '24', '-s', 'rhea',
                           command], env=env, check=True)
    try:
        await_screen('(qemu)')
        subprocess.run(tmux + ['send-keys', '-t', 'rhea', 'info na', 'Tab', 'BSpace', 'Enter', 'p 1+1',
                               'Enter'], check=True)
        await_screen('(qemu) p 1+1\n0x2\n(qemu)')
        assert '(qemu) info name\n' in screen()
    finally:
        subprocess.run(tmux + ['kill-server'], check=False)
