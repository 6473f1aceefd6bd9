"""Break points, watch points and steps from the monitor and QMP, on both engines.

The guest is tests/guest/debugger.S: a loop in RAM that calls and writes.
"""
import os
import re

import pytest

from rhea import Hmp, Machine, binary

LOOP, CALL, BEHIND_CALL, BEHIND_WRITE = 0x9000, 0x900b, 0x9010, 0x9015
WORK, WORK_CALL, WORK_BEHIND = 0x9040, 0x9048, 0x904d
COUNTER, WRITTEN = 0x8000, 0x8008
SYMBOLS = '00009000 T loop\n00009040 T work\n00009060 T deeper\n00008000 B counter\n00008008 B written\n'


class Guest(Machine):
    """The loop under a debugger, stopped before its first time round."""

    def __init__(self, accel, tmp_path, *args, **options):
        image = os.path.join(os.path.dirname(binary()), 'tests', 'guest', 'debugger.bin')
        if not os.path.exists(image):
            pytest.skip('not built: ' + image)
        names = tmp_path / 'System.map'
        names.write_text(SYMBOLS)
        super().__init__('-accel', accel, '-cpu', 'qemu64,check=off', '-m', '16', '-display', 'none', '-nodefaults',
                         '-bios', image, '-S', *args, **options)
        self.qmp.command('symbol-file', filename=str(names))
        self.first = self.qmp.command('breakpoint-add', symbol='loop', kind='hard', temporary=True)['id']
        self.qmp.command('cont')
        self.stop = self.qmp.event('BREAKPOINT')['data']

    def number(self, addr):
        return int(self.qmp.hmp('xp/1wx 0x%x' % addr).split(':')[1], 16)

    def cont(self):
        self.qmp.command('cont')
        return self.qmp.event('BREAKPOINT')['data']

    def watch(self, **arguments):
        """Sets a watch point, or skips where the host's kvm sees none."""
        reply = self.qmp.execute('breakpoint-add', **arguments)
        if 'watchpoints need -accel tcg here' in str(reply):
            pytest.skip(reply['error']['desc'])
        return reply['return']['id']


@pytest.fixture
def guest(accel, tmp_path):
    with Guest(accel, tmp_path) as machine:
        yield machine


def test_first_stop(guest):
    assert guest.stop == {'reason': 'breakpoint', 'cpu-index': 0, 'address': LOOP, 'symbol': 'loop', 'id': guest.first,
                          'kind': 'hard'}
    assert guest.qmp.command('query-status')['status'] == 'debug'
    assert guest.qmp.command('query-breakpoints') == []         # it was temporary


@pytest.mark.parametrize('kind', ['soft', 'hard'])
def test_break_is_passed_each_time(guest, kind):
    point = guest.qmp.command('breakpoint-add', address=WORK, kind=kind)['id']
    for hits in range(1, 6):
        stop = guest.cont()
        assert (stop['reason'], stop['id'], stop['address'], stop['symbol']) == ('breakpoint', point, WORK, 'work')
        assert guest.number(COUNTER) == hits
    assert guest.qmp.command('query-breakpoints') == [
        {'id': point, 'kind': kind, 'address': WORK, 'symbol': 'work', 'length': 1, 'temporary': False, 'hits': 5}]


def test_two_points_in_turn(guest):
    points = [guest.qmp.command('breakpoint-add', address=addr, kind=kind)['id']
              for addr, kind in [(WORK, 'soft'), (WORK + 1, 'soft'), (BEHIND_CALL, 'hard')]]
    assert [guest.cont()['id'] for _ in range(6)] == points * 2


def test_guest_code_is_seen_unchanged(guest):
    code = guest.qmp.hmp('x/8xb 0x9040')
    guest.qmp.command('breakpoint-add', address=WORK)
    guest.cont()
    assert guest.qmp.hmp('x/8xb 0x9040') == code
    elsewhere = guest.qmp.hmp('x/2xb 0x904f')
    guest.qmp.command('breakpoint-remove')
    guest.qmp.command('breakpoint-add', address=0x904f)         # behind the code: never met
    guest.qmp.command('cont')
    assert guest.qmp.hmp('x/2xb 0x904f') == elsewhere
    assert guest.qmp.command('query-status')['running']


def test_watch(guest):
    point = guest.watch(symbol='written', kind='write')
    for _ in range(3):
        stop = guest.cont()
        assert (stop['reason'], stop['id'], stop['watched'], stop['address']) == \
            ('watchpoint', point, WRITTEN, BEHIND_WRITE)
        assert guest.number(WRITTEN) == guest.number(COUNTER)
    assert guest.qmp.command('query-breakpoints')[0]['length'] == 8


def test_steps(guest):
    guest.qmp.command('breakpoint-add', symbol='work', temporary=True)
    guest.cont()
    step = guest.qmp.hmp('step 2')
    assert step == 'CPU 0 at 0x9043 work+0x3: movl     $3, %ecx\n'
    assert re.fullmatch(r'CPU 0 at 0x9048 work\+0x8: calll? +0x9060.*\n', guest.qmp.hmp('step'))
    # deeper calls itself, so it comes by its own call's end more than once
    assert guest.qmp.hmp('next').startswith('CPU 0 at 0x904d work+0xd: popl ')
    assert guest.qmp.hmp('finish').startswith('CPU 0 at 0x9010 loop+0x10: movl ')
    assert guest.qmp.command('query-breakpoints') == []


def test_steps_by_qmp(guest):
    guest.qmp.command('breakpoint-add', address=WORK_CALL, temporary=True)
    guest.cont()
    for mode, address in [('over', WORK_BEHIND), ('insn', WORK_BEHIND + 1), ('insn', BEHIND_CALL)]:
        guest.qmp.command('cpu-step', mode=mode)
        stop = guest.qmp.event('BREAKPOINT')['data']
        assert (stop['reason'], stop['address']) == ('step', address)
    guest.qmp.command('breakpoint-add', address=0x9060, temporary=True)
    guest.cont()
    guest.qmp.command('cpu-step', **{'cpu-index': 0}, mode='out')
    assert guest.qmp.event('BREAKPOINT')['data']['address'] == WORK_BEHIND


def test_step_to_a_point(guest):
    point = guest.qmp.command('breakpoint-add', address=WORK + 1)['id']
    guest.qmp.command('breakpoint-add', address=WORK, temporary=True)
    guest.cont()
    assert guest.qmp.hmp('step').startswith('Breakpoint %d, CPU 0 at 0x9041 work+0x1: ' % point)
    assert guest.qmp.hmp('step').startswith('CPU 0 at 0x9043 work+0x3: ')


def test_reset_keeps_points(guest):
    point = guest.qmp.command('breakpoint-add', address=WORK, kind='hard')['id']
    guest.cont()
    guest.qmp.command('system_reset')
    stop = guest.cont()
    assert (stop['id'], stop['address'], guest.number(COUNTER)) == (point, WORK, 1)


def test_delete(guest):
    points = [guest.qmp.command('breakpoint-add', address=addr)['id'] for addr in (LOOP + 6, WORK, WORK + 1)]
    assert guest.qmp.hmp('delete %d' % points[0]) == ''
    assert [point['id'] for point in guest.qmp.command('query-breakpoints')] == points[1:]
    assert guest.qmp.hmp('delete all') == ''
    assert guest.qmp.hmp('info breakpoints') == 'No break or watch points\n'
    guest.qmp.command('cont')
    assert guest.qmp.command('query-status')['running']


def test_list(guest):
    guest.qmp.hmp('break work')
    guest.qmp.hmp('break -h deeper+1')
    point = guest.qmp.command('query-breakpoints')[0]['id']
    guest.cont()
    assert guest.qmp.hmp('info breakpoints') == (
        'Num  Kind        Address              Hits Where\n'
        '%-4d soft        0x0000000000009040      1 work\n'
        '%-4d hard        0x0000000000009061      0 deeper+0x1\n' % (point, point + 1))


def test_terminal_is_told(accel, tmp_path):
    """A stop while somebody types: the line steps aside, and their CPU is the one that stopped."""
    with Guest(accel, tmp_path, hmp=True) as guest:
        guest.hmp.expect(r'Breakpoint 1, CPU 0 at 0x9000 loop: incl +.*?\r\n')
        guest.hmp.expect(Hmp.PROMPT)
        assert guest.hmp.command('break work') == 'Breakpoint 2 at 0x9040 work\n'
        guest.hmp.send('cont\r')
        guest.hmp.expect(r'Breakpoint 2, CPU 0 at 0x9040 work: pushl +%ebp\r\n')
        guest.hmp.expect(Hmp.PROMPT)
        guest.hmp.send('step\r')
        guest.hmp.expect(r'\nCPU 0 at 0x9041 work\+0x1: movl +%esp, %ebp\r\n')


ERRORS = [
    ('breakpoint-add', {}, "give either 'address' or 'symbol'"),
    ('breakpoint-add', {'address': 1, 'symbol': 'work'}, "give either 'address' or 'symbol'"),
    ('breakpoint-add', {'symbol': 'wirk'}, "no symbol 'wirk'"),
    ('breakpoint-add', {'address': 0, 'kind': 'nosuch'}, "kind"),
    ('breakpoint-add', {'address': 0, 'kind': 'write', 'length': 0}, 'a watch point covers 1 to 4096 bytes'),
    ('breakpoint-add', {'address': 0, 'kind': 'write', 'length': -1}, 'a watch point covers 1 to 4096 bytes'),
    ('breakpoint-remove', {'id': 99}, 'there is no point 99'),
    ('breakpoint-remove', {'id': 0}, 'there is no point 0'),
    ('breakpoint-remove', {'id': -1}, 'there is no point 0'),
    ('cpu-step', {'cpu-index': 7}, "Parameter 'cpu-index' expects a CPU number"),
    ('cpu-step', {'mode': 'nosuch'}, 'mode'),
]
LINES = [
    ('delete x', 'Error: \'x\' is neither a point\'s number nor "all"\n'),
    ('delete 99', 'Error: there is no point 99\n'),
    ('break', 'unexpected end of expression\nTry "help break" for more information\n'),
    ('break -x 1', 'break: unsupported option -x\nTry "help break" for more information\n'),
    ('watchpoint 1 5000', 'Error: a watch point covers 1 to 4096 bytes\n'),
    ('info breakpoints', 'No break or watch points\n'),
]


def test_errors(tmp_path):
    with Guest('tcg', tmp_path) as guest:
        for command, arguments, text in ERRORS:
            reply = guest.qmp.execute(command, **arguments)
            assert text in reply['error']['desc'], (command, arguments, reply)
        for line, text in LINES:
            assert guest.qmp.hmp(line).startswith(text.rstrip('\n')), line
        guest.qmp.command('cont')
        assert guest.qmp.hmp('step') == 'Error: the machine runs; stop it first\n'


@pytest.mark.slow
def test_linux(demo):
    """A kernel with two CPUs: names from its own tables, out of a function, over calls, no point lost."""
    with Machine('-accel', 'tcg', '-smp', '2', '-m', '256', '-nodefaults', '-display', 'none', '-kernel',
                 os.path.join(demo, 'vmlinuz'), '-initrd', os.path.join(demo, 'initrd'), '-append',
                 'console=ttyS0 quiet no_timer_check', serial='wait') as machine:
        machine.serial.expect('# ', 240)
        point = machine.qmp.command('breakpoint-add', symbol='do_sys_openat2')['id']
        machine.serial.send('cat /proc/version\n')
        stop = machine.qmp.event('BREAKPOINT', 60)['data']
        assert (stop['id'], stop['symbol']) == (point, 'do_sys_openat2')
        machine.qmp.command('breakpoint-remove')
        machine.qmp.command('cpu-step', **{'cpu-index': stop['cpu-index']}, mode='out')
        behind = machine.qmp.event('BREAKPOINT', 60)['data']
        assert behind['reason'] == 'step' and behind['symbol'].startswith('__x64_sys_openat+')
        machine.qmp.command('cont')
        machine.serial.expect('Linux version', 60)
