"""The guest's memory as a file: form, mistakes, and what debuggers find in it."""
import array
import base64
import fcntl
import os
import shutil
import socket
import struct
import subprocess

import pytest

from linux import Linux
from rhea import Machine

BOARD = ['-M', 'pc', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-S', '-m', '64']
PT_LOAD, PT_NOTE, NT_PRSTATUS = 1, 4, 1
EM_386, EM_X86_64 = 3, 62
QEMU = shutil.which('qemu-system-x86_64')


@pytest.fixture(name='board')
def fixture_board():
    with Machine(*BOARD) as machine:
        yield machine


def dump(machine, path, paging=False, **more):
    return machine.qmp.execute('dump-guest-memory', paging=paging, protocol='file:%s' % path, **more)


def give_pipe(machine):
    """A descriptor called "pipe" in the machine; its other end."""
    read, write = os.pipe()
    machine.qmp.sock.sendmsg([b'{"execute":"getfd","arguments":{"fdname":"pipe"}}'],
                             [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [write]))])
    os.close(write)
    assert machine.qmp.reply() == {'return': {}}
    return read


class Core:
    """An ELF core file of a PC, and the memory in it."""

    def __init__(self, path):
        self.file = open(path, 'rb')
        head = struct.unpack('<16sHHIQQQIHHHHHH', self.file.read(64))
        assert head[0][:7] == b'\x7fELF\x02\x01\x01' and head[1] == 4
        self.machine = head[2]
        count = head[10]
        if count == 0xffff:
            self.file.seek(head[6])
            count = struct.unpack('<IIQQQQIIQQ', self.file.read(64))[7]
        self.file.seek(head[5])
        headers = [struct.unpack('<IIQQQQQQ', self.file.read(56)) for _ in range(count)]
        self.loads = [h[2:7] for h in headers if h[0] == PT_LOAD]   # offset, virt, phys, file, memory
        note = next(h for h in headers if h[0] == PT_NOTE)
        self.notes = list(self.read_notes(self.at(note[2], note[5])))
        self.end = max(load[0] + load[3] for load in self.loads)

    def close(self):
        self.file.close()

    def at(self, offset, size):
        self.file.seek(offset)
        data = self.file.read(size)
        assert len(data) == size
        return data

    @staticmethod
    def read_notes(data):
        while data:
            name, size, kind = struct.unpack_from('<III', data)
            text = data[12:12 + name - 1].decode()
            start = 12 + (name + 3) // 4 * 4
            yield text, kind, data[start:start + size]
            data = data[start + (size + 3) // 4 * 4:]

    def phys(self, address, size):
        for offset, _, phys, length, _ in self.loads:
            if phys <= address and address + size <= phys + length:
                return self.at(offset + address - phys, size)
        raise KeyError(hex(address))

    def virt(self, address, size):
        for offset, virt, _, length, _ in self.loads:
            if virt <= address and address + size <= virt + length:
                return self.at(offset + address - virt, size)
        raise KeyError(hex(address))

    def state(self, index):
        """The QEMU note of a CPU: rip, cr3."""
        note = [data for name, _, data in self.notes if name == 'QEMU'][index]
        return {'rip': struct.unpack_from('<Q', note, 8 + 16 * 8)[0],
                'cr3': struct.unpack_from('<Q', note, 8 + 18 * 8 + 10 * 24 + 3 * 8)[0]}

    def translate(self, cr3, address):
        """Four levels of page tables, as the CPU walks them."""
        table = cr3
        for shift in (39, 30, 21, 12):
            entry = struct.unpack('<Q', self.phys((table & 0xffffffffff000) + (address >> shift & 511) * 8, 8))[0]
            assert entry & 1, hex(address)
            if shift == 12 or (entry & 0x80 and shift < 39):
                return (entry & 0xffffffffff000 & -(1 << shift)) + (address & (1 << shift) - 1)
            table = entry


# ---- form ----

def test_dump_without_paging(board, tmp_path):
    path = tmp_path / 'core'
    data = os.urandom(4096)
    board.qmp.command('memory-write', address=0x300000, data=base64.b64encode(data).decode())
    assert dump(board, path) == {'return': {}}
    assert os.stat(path).st_mode & 0o777 == 0o400
    core = Core(path)
    assert core.machine == EM_386                       # the CPU is in real mode
    assert core.phys(0x300000, 4096) == core.virt(0x300000, 4096) == data
    assert core.phys(0xfffffff0, 1) == b'\xea'
    assert [(name, kind, len(note)) for name, kind, note in core.notes] == [
        ('CORE', NT_PRSTATUS, 144), ('QEMU', 0, 440)]
    assert core.state(0)['rip'] == 0xfff0
    assert core.end == os.path.getsize(path)
    total = sum(load[3] for load in core.loads)
    core.close()
    assert board.qmp.command('query-dump') == {'status': 'completed', 'completed': total, 'total': total}
    event = board.qmp.event('DUMP_COMPLETED')['data']
    assert event == {'result': {'status': 'completed', 'completed': total, 'total': total}}
    assert board.qmp.command('query-status')['status'] == 'prelaunch'


def test_dump_limited(board, tmp_path):
    path = tmp_path / 'core'
    assert dump(board, path, begin=0x9f000, length=0x3000) == {'return': {}}
    core = Core(path)
    assert [load[1:4] for load in core.loads] == [(0x9f000, 0x9f000, 0x3000)]
    core.close()


@pytest.mark.skipif(QEMU is None, reason='qemu-system-x86_64 is not installed')
def test_dump_is_like_qemus(board, tmp_path):
    """The same memory in the same order, and the same notes, of a machine that has not run."""
    with Machine(*BOARD, program=QEMU) as qemu:
        assert dump(qemu, tmp_path / 'theirs') == {'return': {}}
    dump(board, tmp_path / 'ours')
    ours, theirs = Core(tmp_path / 'ours'), Core(tmp_path / 'theirs')
    assert [load[1:] for load in ours.loads] == [load[1:] for load in theirs.loads]
    assert ours.notes == theirs.notes
    ours.close()
    theirs.close()


def test_dump_of_several_cpus(tmp_path):
    with Machine(*BOARD, '-smp', '3') as machine:
        dump(machine, tmp_path / 'core')
        core = Core(tmp_path / 'core')
        assert [name for name, _, _ in core.notes] == ['CORE'] * 3 + ['QEMU'] * 3
        assert [struct.unpack_from('<I', note, 24)[0] for _, _, note in core.notes[:3]] == [1, 2, 3]
        core.close()


# ---- the operation ----

def test_dump_stops_and_goes_on(board, tmp_path):
    board.qmp.command('cont')
    dump(board, tmp_path / 'core')
    names = [event['event'] for event in board.qmp.events]
    assert names[-3:] == ['STOP', 'DUMP_COMPLETED', 'RESUME']
    assert board.qmp.command('query-status')['running'] is True


def test_dump_detached(board, tmp_path):
    """Into a pipe that nobody empties yet, so that it is under way for sure."""
    board.qmp.command('cont')
    read = give_pipe(board)
    board.qmp.command('dump-guest-memory', paging=False, protocol='fd:pipe', detach=True)
    assert board.qmp.command('query-dump')['status'] == 'active'
    assert board.qmp.command('query-status')['status'] == 'save-vm'
    for reply in (board.qmp.execute('cont'), dump(board, tmp_path / 'second')):
        assert reply['error']['desc'] == 'There is a dump in process, please wait.'
    assert board.qmp.hmp('info dump').startswith('Status: active\nFinished: 0.')
    with os.fdopen(read, 'rb') as pipe, open(tmp_path / 'core', 'wb') as file:
        shutil.copyfileobj(pipe, file)
    assert board.qmp.event('DUMP_COMPLETED')['data']['result']['status'] == 'completed'
    board.qmp.event('RESUME')
    assert board.qmp.hmp('info dump') == 'Status: completed\n'
    Core(tmp_path / 'core').close()


@pytest.mark.parametrize('how', ['quit', pytest.param('SIGTERM', marks=pytest.mark.signals)])
def test_dump_ends_with_the_process(board, how):
    read = give_pipe(board)
    board.qmp.command('dump-guest-memory', paging=False, protocol='fd:pipe', detach=True)
    if how == 'quit':
        board.qmp.command('quit')
    else:
        board.process.terminate()
    assert board.wait(20) == 0
    os.close(read)


def test_dump_to_a_reader_that_goes(board):
    os.close(give_pipe(board))
    reply = board.qmp.execute('dump-guest-memory', paging=False, protocol='fd:pipe')
    assert reply['error']['desc'] == 'dump: failed to save memory: Broken pipe'
    event = board.qmp.event('DUMP_COMPLETED')['data']
    assert event['result']['status'] == 'failed' and event['error'] == reply['error']['desc']
    assert board.qmp.command('query-dump')['status'] == 'failed'


def test_dump_on_a_full_disk(board):
    reply = dump(board, '/dev/full')
    assert reply['error']['desc'] == 'dump: failed to save memory: No space left on device'


def test_dump_client_goes(board, tmp_path):
    """Its dump goes on, and the next client sees it end."""
    board.qmp.send('{"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:%s"}}'
                   % (tmp_path / 'core'))
    board.qmp.close()
    board.qmp = type(board.qmp)(board.path('qmp'))
    while board.qmp.command('query-dump')['status'] in ('none', 'active'):
        pass
    Core(tmp_path / 'core').close()


@pytest.mark.parametrize('arguments, text', [
    ({'protocol': 'nosuch:x'}, "Invalid parameter 'protocol'"),
    ({'protocol': 'fd:nosuch'}, "File descriptor named 'nosuch' has not been found"),
    ({'protocol': 'file:/nosuch/x'}, "Could not open '/nosuch/x': No such file or directory"),
    ({'begin': 0}, "Parameter 'length' is missing"),
    ({'length': 4096}, "Parameter 'begin' is missing"),
    ({'begin': 0, 'length': 0}, "Invalid parameter 'length'"),
    ({'begin': 1 << 44, 'length': 4096}, 'dump: no guest memory to dump'),
    ({'format': 'win-dmp'}, "Parameter 'format' does not accept value 'win-dmp'"),
])
def test_dump_refuses(board, tmp_path, arguments, text):
    arguments = dict({'protocol': 'file:%s' % (tmp_path / 'core')}, **arguments)
    assert board.qmp.execute('dump-guest-memory', paging=False, **arguments)['error']['desc'] == text


def test_dump_from_the_human_monitor(board, tmp_path):
    path = tmp_path / 'core'
    assert board.qmp.hmp('info dump') == 'Status: none\n'
    assert board.qmp.hmp('dump-guest-memory %s' % path) == ''
    Core(path).close()
    assert board.qmp.hmp('dump-guest-memory %s 0x1000 0x2000' % (tmp_path / 'part')) == ''
    core = Core(tmp_path / 'part')
    assert sum(load[3] for load in core.loads) == 0x2000
    core.close()
    assert board.qmp.hmp('dump-guest-memory /dev/full') == \
        'Error: dump: failed to save memory: No space left on device\n'
    assert board.qmp.hmp('dump-guest-memory %s 0' % path) == "Error: Parameter 'length' is missing\n"
    os.mkfifo(tmp_path / 'fifo')                        # nobody reads it, nobody waits for that
    assert 'No such device or address' in board.qmp.hmp('dump-guest-memory %s' % (tmp_path / 'fifo'))
    board.qmp.hmp('dump-guest-memory -d %s' % (tmp_path / 'detached'))
    board.qmp.event('DUMP_COMPLETED')


def test_dump_shows_progress(tmp_path):
    """A monitor that waits for a slow file says how far it is."""
    fifo = str(tmp_path / 'fifo')
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1 << 20)
    with Machine(*BOARD, hmp=True) as machine:
        machine.hmp.send('dump-guest-memory %s\n' % fifo)
        machine.hmp.expect(rb'dumped \d %\r\n')
        os.set_blocking(reader, True)
        with os.fdopen(reader, 'rb') as pipe:
            assert len(pipe.read()) > 64 << 20
        machine.hmp.expect(machine.hmp.PROMPT)
        assert machine.hmp.command('info dump') == 'Status: completed\n'


# ---- debuggers ----

@pytest.mark.slow
def test_debuggers_find_the_kernel(drivers, tmp_path):
    """By physical memory and page tables, by the file's own virtual addresses, and with gdb."""
    with Linux(drivers, '') as guest:
        guest.run('echo 0 > /proc/sys/kernel/kptr_restrict')
        banner = int(guest.run('grep " linux_banner$" /proc/kallsyms').split()[0], 16)
        version = guest.run('cat /proc/version').strip()
        guest.qmp.command('stop')
        data = guest.qmp.command('memory-read', address=banner, size=len(version), cpu_index=0)['data']
        assert base64.b64decode(data).decode() == version
        assert guest.qmp.execute('memory-read', address=0xffffff0000000ff0, size=32, cpu_index=0)['error']['desc'] \
            == 'There is no memory at virtual address 0xffffff0000000ff0: no page is mapped there'
        guest.qmp.command('cont')
        for paging in (False, True):
            assert dump(guest, tmp_path / ('paging' if paging else 'plain'), paging=paging) == {'return': {}}
            guest.run('true')                           # it goes on
    plain, paging = Core(tmp_path / 'plain'), Core(tmp_path / 'paging')
    assert plain.machine == paging.machine == EM_X86_64
    at = plain.translate(plain.state(0)['cr3'], banner)
    assert plain.phys(at, len(version)).decode() == version
    assert paging.virt(banner, len(version)).decode() == version
    rip = struct.unpack_from('<Q', paging.notes[0][2], 112 + 16 * 8)[0]
    assert rip == paging.state(0)['rip'] and paging.virt(rip, 1)
    plain.close()
    paging.close()
    if shutil.which('gdb'):
        run = subprocess.run(['gdb', '-batch', '-nx', '-ex', 'set print elements 0', '-ex', 'target core %s' %
                              (tmp_path / 'paging'), '-ex', 'x/s %#x' % banner, '-ex', 'p/x $rip'],
                             capture_output=True, text=True, check=False)
        assert version in run.stdout.replace('\\n', ''), run.stdout + run.stderr
        assert '$1 = %#x' % rip in run.stdout
