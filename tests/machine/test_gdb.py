"""gdb's door: packets on both engines and beside QEMU, and gdb itself with a Linux kernel."""
import re
import shutil
import socket
import subprocess

import pytest

import rhea
from gdb_client import Gdb, Rsp
from linux import Linux
from rhea import Machine
from test_guest import GOOD, image, kvm_emulates
from test_seed_machine import QEMU, qemu_is_7_2

FREE = 0x8000
COUNT, MIRROR, QUIT, WRITTEN = FREE, FREE + 8, FREE + 16, FREE + 24
RIP, CR0, XMM0 = 16, 27, 49
ST_OFFSET = 16 * 8 + 8 + 4 + 6 * 4 + 3 * 8 + 6 * 8      # in g's answer
FTAG_OFFSET = ST_OFFSET + 8 * 10 + 2 * 4
STOPPED = 'T05thread:p01.01;'


def labels(path):
    """Names of an object file or a program, and their addresses."""
    names = subprocess.run(['nm', path], capture_output=True, text=True, check=True).stdout
    return {name: int(addr, 16) for addr, name in re.findall(r'^([0-9a-f]+) \w (\S+)$', names, re.M)}


class Payload:
    """tests/guest/gdb.S before its first instruction, and a client."""

    def __init__(self, folder, *args, accel='tcg', program=None):
        self.log = folder / 'debugcon'
        self.at = {name: 0xf0000 + addr for name, addr in labels(image('gdb').replace('.bin', '.o')).items()}
        self.socket = str(folder / 'gdb')
        self.machine = Machine('-accel', accel, '-m', '16', '-display', 'none', '-nodefaults', '-no-reboot', '-S',
                               '-bios', image('gdb'), '-debugcon', 'file:%s' % self.log,
                               '-device', 'isa-debug-exit,iobase=0xf4,iosize=1',
                               '-gdb', 'unix:%s,server=on,wait=off' % self.socket, *args, program=program)
        try:
            self.gdb = Rsp(self.socket)
        except Exception:
            self.machine.__exit__(None, None, None)
            raise

    def run_to(self, name, kind=1):
        """Stops at a label; what gdb was told."""
        point = '%d,%x,1' % (kind, self.at[name])
        assert self.gdb.command('Z' + point) == 'OK'
        stop = self.gdb.command('vCont;c')
        assert self.gdb.command('z' + point) == 'OK'
        return stop

    def finish(self):
        """Lets the payload end: it looks at what the debugger wrote."""
        assert self.gdb.command('M%x,4:cefaedfe' % WRITTEN) == 'OK'
        assert self.gdb.command('M%x,4:01000000' % QUIT) == 'OK'
        assert self.gdb.command('D;1') == 'OK'
        assert self.machine.wait() == GOOD, self.log.read_text()
        assert self.log.read_text() == 'ok gdb\n'

    def resident_kib(self):
        with open('/proc/%d/status' % self.machine.process.pid, encoding='ascii') as status:
            return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1])

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.gdb.close()
        self.machine.__exit__(*problem)


@pytest.fixture
def steady(accel):
    """An engine whose break points and steps can be relied on."""
    if accel == 'kvm' and kvm_emulates():
        pytest.skip('an emulating kvm does not model this')
    return accel


# ---- packets ----

def test_hardware_break_point(accel, tmp_path):
    with Payload(tmp_path, accel=accel) as guest:
        assert guest.gdb.command('?') == STOPPED
        assert guest.run_to('work') == STOPPED + 'hwbreak:;'
        assert guest.gdb.register(RIP) == guest.at['work']
        assert guest.gdb.register(1) == 0x11111111
        assert guest.gdb.command('p%x' % (XMM0 + 1)) == '11111111' * 4
        assert guest.gdb.memory(COUNT, 4) == b'\1\0\0\0'
        guest.finish()


def test_software_break_point(steady, tmp_path):
    with Payload(tmp_path, accel=steady) as guest:
        assert guest.run_to('again') == STOPPED + 'hwbreak:;'   # memory is in place behind the firmware's start
        assert guest.run_to('work', kind=0) == STOPPED + 'swbreak:;'
        assert guest.gdb.register(RIP) == guest.at['work']
        code = guest.gdb.memory(guest.at['work'], 16)
        assert guest.gdb.command('Z0,%x,1' % guest.at['work']) == 'OK'
        assert guest.gdb.memory(guest.at['work'], 16) == code   # the guest's own bytes
        assert guest.gdb.command('vCont;c') == STOPPED + 'swbreak:;'
        assert guest.gdb.memory(COUNT, 4) == b'\2\0\0\0'
        guest.finish()


def test_step(steady, tmp_path):
    with Payload(tmp_path, accel=steady) as guest:
        guest.run_to('again')
        assert guest.gdb.command('vCont;s:p1.1;c:p1.-1') == STOPPED
        assert guest.gdb.register(RIP) == guest.at['counted']
        assert guest.gdb.command('s') == STOPPED
        assert guest.gdb.register(RIP) == guest.at['work']
        assert guest.gdb.command('S05;%x' % guest.at['counted']) == STOPPED
        assert guest.gdb.register(RIP) == guest.at['work']
        guest.finish()


@pytest.mark.parametrize('kind,name', [(2, 'watch'), (3, 'rwatch'), (4, 'awatch')])
def test_watch_point(steady, kind, name, tmp_path):
    if steady == 'kvm' and name == 'rwatch':
        pytest.skip('the CPU has no such watch point')
    with Payload(tmp_path, accel=steady) as guest:
        guest.run_to('again')
        where = COUNT if name == 'rwatch' else MIRROR
        assert guest.gdb.command('Z%d,%x,4' % (kind, where)) == 'OK'
        assert guest.gdb.command('vCont;c') == '%s%s:%x;' % (STOPPED, name, where)
        if name != 'rwatch':
            assert guest.gdb.register(RIP) == guest.at['mirrored']
        assert guest.gdb.command('z%d,%x,4' % (kind, where)) == 'OK'
        guest.finish()


def test_interrupt(accel, tmp_path):
    with Payload(tmp_path, accel=accel) as guest:
        guest.gdb.packet('vCont;c')
        guest.machine.qmp.event('RESUME')
        guest.gdb.send(b'\x03')
        assert guest.gdb.reply() == 'T02thread:p01.01;'
        assert guest.machine.qmp.command('query-status')['status'] == 'paused'
        guest.run_to('again')
        guest.finish()


def test_registers_are_written(accel, tmp_path):
    with Payload(tmp_path, accel=accel) as guest:
        guest.run_to('again')
        all_of_them = guest.gdb.command('g')
        assert guest.gdb.command('P1=efbeadde00000000') == 'OK'
        assert guest.gdb.register(1) == 0xdeadbeef
        assert guest.gdb.command('G' + all_of_them) == 'OK'
        assert guest.gdb.command('g') == all_of_them
        assert guest.gdb.command('P%x=%s' % (CR0, '000000a0' * 2)) == 'E22'
        assert guest.gdb.command('g') == all_of_them
        guest.finish()


def test_threads(tmp_path):
    with Payload(tmp_path, '-smp', '3') as guest:
        assert guest.gdb.command('qfThreadInfo') == 'mp01.01'
        assert guest.gdb.command('qsThreadInfo') == 'mp01.02'
        assert guest.gdb.command('qsThreadInfo') == 'mp01.03'
        assert guest.gdb.command('qsThreadInfo') == 'l'
        for thread, text in ((1, 'CPU#0 [running]'), (3, 'CPU#2 [halted ]')):
            assert bytes.fromhex(guest.gdb.command('qThreadExtraInfo,p1.%d' % thread)).decode() == text
        assert guest.gdb.command('Hgp1.3') == 'OK'
        assert guest.gdb.register(RIP) == 0xfff0
        assert guest.gdb.command('Tp1.3') == 'OK'
        assert guest.gdb.command('Tp1.4') == 'E22'
        guest.gdb.command('Hgp1.1')
        guest.run_to('again')
        guest.finish()


def test_physical_memory(tmp_path):
    with Payload(tmp_path) as guest:
        assert guest.gdb.command('qqemu.PhyMemMode') == '0'
        assert guest.gdb.command('Qqemu.PhyMemMode:1') == 'OK'
        assert guest.gdb.command('X9000,3:}\x03ab') == 'OK'
        assert guest.gdb.memory(0x9000, 3) == b'#ab'
        assert guest.gdb.command('mfffffff0000,4') == 'E14'
        assert guest.gdb.command('Qqemu.PhyMemMode:0') == 'OK'
        assert guest.gdb.memory(0x9000, 3) == b'#ab'


@pytest.mark.skipif(not qemu_is_7_2(), reason='QEMU 7.2 is not installed to compare with')
def test_values_are_those_of_qemu(tmp_path):
    """
    The same guest at the same place: registers, memory, threads.  Not compared: QEMU shows the x87
    registers by their places instead of st(0) to st(7), and 0 for ftag and the last operation's addresses.
    """
    before = ('?', 'qC', 'qAttached', 'vCont?', 'p10', 'p11', 'mfffffff0,10')
    behind = ('m%x,20' % FREE, 'mf0000,40', 'p0', 'p12', 'p1b', 'p31', 'p41', 'p80', 'Hg2', 'p10',
              'qThreadExtraInfo,p1.2', 'm', 'Hg9', 'T9', 'vMustReplyEmpty', 'Z5,0,1', 'Z0', 'Hg1')
    seen = []
    for program in (None, shutil.which(QEMU)):
        folder = tmp_path / ('qemu' if program else 'rhea')
        folder.mkdir()
        with Payload(folder, '-smp', '2', '-cpu', 'qemu64,check=off', program=program) as guest:
            guest.gdb.command('qXfer:features:read:target.xml:0,ff')    # without it QEMU has no p
            answers = [guest.gdb.command(packet) for packet in before]
            answers.append(guest.run_to('work')[:len(STOPPED)])
            answers += [guest.gdb.command(packet) for packet in behind]
            registers = bytearray.fromhex(guest.gdb.command('g'))
            registers[ST_OFFSET:ST_OFFSET + 80] = bytes(80)
            registers[FTAG_OFFSET:FTAG_OFFSET + 20] = bytes(20)
            seen.append(answers + [registers.hex()])
    assert seen[0] == seen[1]


# ---- doors, clients that come and go ----

def test_loopback_by_default(tmp_path):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    with Machine('-S', '-display', 'none', '-gdb', 'tcp::%d' % port):
        Rsp(('127.0.0.1', port)).close()
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(('127.0.0.2', port))


@pytest.mark.parametrize('args,words', [
    (['-gdb', 'bogus'], "-gdb bogus: 'bogus' is not a valid char driver"),
    (['-gdb', 'tcp:1234'], "-gdb tcp:1234: '1234' is not an address"),
    (['-gdb', 'mon:stdio'], '-gdb mon:stdio: '),
    (['-M', 'none', '-gdb', 'null'], 'meaningless to attach gdb to a machine without any CPU'),
])
def test_bad_devices(args, words):
    done = rhea.run('-S', '-display', 'none', *args)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def test_gdbserver_command(tmp_path):
    path = str(tmp_path / 'gdb')
    with Machine('-S', '-display', 'none') as machine:
        device = 'unix:%s,server=on,wait=off' % path
        assert machine.qmp.hmp('gdbserver ' + device) == "Waiting for gdb connection on device '%s'\n" % device
        gdb = Rsp(path)
        assert gdb.command('?') == STOPPED
        assert 'gdb' in [row['label'] for row in machine.qmp.command('query-chardev')]
        assert machine.qmp.hmp('gdbserver none') == 'Disabled gdbserver\n'
        with pytest.raises(rhea.Closed):
            gdb.reply()
        assert 'gdb' not in [row['label'] for row in machine.qmp.command('query-chardev')]
        assert machine.qmp.hmp('gdbserver bogus').startswith("Error: 'bogus' is not a valid char driver")


def test_client_that_leaves(tmp_path):
    """Its points go with it; the machine stays as it is, stopped or not, and the next client stops it."""
    with Payload(tmp_path) as guest:
        qmp = guest.machine.qmp
        guest.run_to('again')
        assert guest.gdb.command('Z1,%x,1' % guest.at['work']) == 'OK'
        guest.gdb.packet('vCont;c')
        assert guest.gdb.reply() == STOPPED + 'hwbreak:;'
        guest.gdb.close()
        guest.gdb = Rsp(guest.socket)
        assert qmp.command('query-status')['status'] == 'debug'
        guest.gdb.packet('vCont;c')
        qmp.event('RESUME')
        guest.gdb.close()
        guest.gdb = Rsp(guest.socket)
        assert qmp.command('query-status')['status'] == 'paused'
        assert int.from_bytes(guest.gdb.memory(COUNT, 4), 'little') > 0
        guest.finish()


def test_client_that_never_reads(tmp_path):
    """Its packets wait in its own socket; nothing piles up, and the next client is served."""
    with Payload(tmp_path) as guest:
        before = guest.resident_kib()
        guest.gdb.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(100):
                guest.gdb.send(b'$m0,2000#8b' * 1000)
        assert guest.resident_kib() - before < 8 * 1024
        guest.gdb.close()
        guest.gdb = Rsp(guest.socket)
        assert guest.gdb.command('?') == STOPPED
        guest.run_to('again')
        guest.finish()


def test_monitor_command(tmp_path):
    with Payload(tmp_path) as guest:
        assert guest.gdb.monitor('info status')[0].startswith('VM status: paused')
        text, answer = guest.gdb.monitor('xp/60000xb 0')
        assert answer == 'OK' and len(text) > 300000
        assert guest.gdb.monitor('gdbserver none')[0].startswith('Error: gdb cannot change the device')
        assert guest.gdb.command('qRcmd,7') == 'E22'
        guest.run_to('again')
        guest.finish()


def test_the_end_is_told(tmp_path):
    with Payload(tmp_path) as guest:
        assert guest.gdb.command('Z1,9000,1') == 'OK'
        guest.gdb.packet('vCont;c')
        guest.machine.qmp.event('RESUME')
        guest.machine.qmp.command('quit')
        assert guest.gdb.reply() == 'W00'
        assert guest.machine.wait() == 0


@pytest.mark.parametrize('packet,answer', [('k', None), ('vKill;1', 'OK')])
def test_kill(packet, answer, tmp_path):
    with Payload(tmp_path) as guest:
        guest.gdb.packet(packet)
        assert answer is None or guest.gdb.reply() == answer
        assert guest.machine.wait() == 0


def test_monitor_and_gdb_break_each_for_itself(tmp_path):
    with Payload(tmp_path) as guest:
        guest.machine.qmp.hmp('break 0x%x' % guest.at['counted'])
        guest.gdb.packet('vCont;c')
        assert guest.gdb.reply() == STOPPED                     # a trap that is none of its own
        assert guest.gdb.command('Z1,%x,1' % guest.at['counted']) == 'OK'
        assert guest.gdb.command('z1,%x,1' % guest.at['counted']) == 'OK'
        guest.gdb.packet('vCont;c')
        assert guest.gdb.reply() == STOPPED
        guest.machine.qmp.hmp('delete 1')
        guest.finish()


# ---- gdb itself ----

PROBE = r'''
#include <stdio.h>
volatile long counter;
static int work(int n)
{
    counter += n;
    return n * 2;
}
int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i <= 5; i++) {
        total += work(i);
    }
    printf("counter %ld total %d\n", counter, total);
    return 0;
}
'''

# A program whose only use is its symbols: all at their addresses in one section that has no bytes.
KERNEL = '''
        .section .kernel, "ax", @nobits
base:   .skip   0x4000000
'''
KERNEL_BASE = 0xffffffff81000000
KERNEL_NAMES = ['start_kernel', '__per_cpu_offset', 'cpu_number']

needs_gdb = pytest.mark.skipif(not shutil.which('gdb') or not shutil.which('gcc'), reason='needs gdb and gcc')


@pytest.fixture(scope='module')
def probed(demo, tmp_path_factory):
    """The demo guest with a small program of ours in it, and the addresses of some of its kernel's names."""
    folder = tmp_path_factory.mktemp('probe')
    (folder / 'probe.c').write_text(PROBE)
    (folder / 'root').mkdir()
    subprocess.run(['gcc', '-g', '-O0', '-static', '-no-pie', '-Wl,-Ttext-segment=0x10000000', '-o', 'root/probe',
                    'probe.c'], cwd=folder, check=True)
    more = subprocess.run('echo probe | cpio -o -H newc --quiet -R 0:0 | gzip -1', shell=True, check=True,
                          cwd=folder / 'root', capture_output=True).stdout
    with open(demo + '/initrd', 'rb') as initrd:
        (folder / 'initrd').write_bytes(initrd.read() + more)
    shutil.copy(demo + '/vmlinuz', folder)
    with Probed(folder) as guest:
        text = guest.ask("grep -E ' (%s)$' /proc/kallsyms" % '|'.join(KERNEL_NAMES))
    found = re.findall(r'^([0-9a-f]{16}) \w (\S+)\r?$', text, re.M)
    assert {name for _, name in found} == set(KERNEL_NAMES), text
    lines = [KERNEL]
    for addr, name in found:
        addr = int(addr, 16)
        lines.append('.globl %s\n.set %s, %s' % (name, name, 'base + 0x%x' % (addr - KERNEL_BASE)
                                                 if addr >= KERNEL_BASE else '0x%x' % addr))
        if name == 'start_kernel':
            lines.append('.type %s, @function' % name)
    (folder / 'kernel.S').write_text('\n'.join(lines) + '\n')
    subprocess.run(['as', '-o', 'kernel.o', 'kernel.S'], cwd=folder, check=True)
    subprocess.run(['ld', '--section-start=.kernel=0x%x' % KERNEL_BASE, '-e', '0', '-o', 'kernel', 'kernel.o'],
                   cwd=folder, check=True)
    return folder


class Probed(Machine):
    def __init__(self, folder, *args):
        super().__init__('-accel', 'tcg', '-smp', '2', '-m', '256', '-display', 'none', '-nodefaults',
                         '-kernel', str(folder / 'vmlinuz'), '-initrd', str(folder / 'initrd'), '-append',
                         'console=ttyS0 quiet nokaslr no_timer_check', *args, serial='wait')

    def ask(self, command):
        self.serial.expect(r'/ # ', 300)
        self.serial.send(command + '; echo do""ne\n')
        return self.serial.expect('done\r\n')


@needs_gdb
@pytest.mark.slow
def test_gdb_and_linux(probed, tmp_path):
    path = str(tmp_path / 'gdb')
    with Probed(probed, '-S', '-gdb', 'unix:%s,server=on,wait=off' % path) as guest, \
            Gdb('symbol-file %s/kernel' % probed, 'add-symbol-file %s/root/probe' % probed, 'target remote ' + path,
                timeout=300) as gdb:
        early_kernel(gdb)
        gdb.start('continue')
        guest.serial.expect(r'/ # ', 300)
        gdb.interrupt()
        per_cpu_variable(gdb)
        user_program(guest, gdb)
        assert 'detached' in gdb.run('detach')
        guest.serial.expect('counter 15 total 30\r\n', 300)
        guest.ask('true')


def early_kernel(gdb):
    gdb.run('hbreak start_kernel')
    assert 'hit Breakpoint 1, 0x' in gdb.run('continue')
    assert gdb.value('(long)$rip') == gdb.value('(long)&start_kernel')
    assert '[ NXE LMA LME SCE ]' in gdb.run('info registers efer')
    threads = gdb.run('info threads')
    assert re.search(r'\* 1 .*CPU#0 \[running\].*start_kernel', threads), threads
    assert re.search(r'  2 .*CPU#1 \[halted \]', threads), threads
    gdb.run('stepi')
    assert gdb.value('(long)$rip') != gdb.value('(long)&start_kernel')
    gdb.run('delete')


def per_cpu_variable(gdb):
    """cpu_number, by the kernel's table of offsets and by the GS base of each CPU that is in the kernel."""
    for cpu in (0, 1):
        offset = 'unsigned long *)&__per_cpu_offset'
        assert gdb.value('*(int *)(((%s)[%d] + (long)&cpu_number)' % (offset, cpu)) == cpu
        gdb.run('thread %d' % (cpu + 1))
        if gdb.value('$cs & 3') == 0:
            assert gdb.value('*(int *)($gs_base + (long)&cpu_number)') == cpu
    gdb.run('thread 1')


def user_program(guest, gdb):
    gdb.run('break main')
    guest.serial.send('/probe\n')
    assert re.search(r'hit Breakpoint \d+, main \(argc=', gdb.run('continue'))
    gdb.run('delete')
    gdb.run('break work')
    assert re.search(r'hit Breakpoint \d+, work \(n=', gdb.run('continue'))
    gdb.run('delete')
    gdb.run('watch counter')
    text = gdb.run('continue')
    assert 'Old value = 0' in text and 'New value = 1' in text, text
    gdb.run('delete')
    gdb.run('next')
    assert re.search(r'#0 .*work \(n=1\).*\n#1 .* in main \(argc=1', gdb.run('backtrace'))
    assert 'Value returned is' in gdb.run('finish')
    assert gdb.value('counter') == 1
