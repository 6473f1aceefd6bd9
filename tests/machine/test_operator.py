"""An operator at the monitor, as the terminal shows it: a session in tmux with a Linux guest."""
import os
import shutil
import subprocess
import time

import pytest

from rhea import Stream, binary

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which('tmux'), reason='tmux is not installed')]

TIMEOUT = 240


class Terminal:
    """A window of 100 columns and 30 rows with the monitor in it, the guest's shell beside it."""

    def __init__(self, folder, *args):
        self.tmux = ['tmux', '-S', os.path.join(folder, 'tmux')]
        serial = os.path.join(folder, 'serial')
        command = [binary(), '-accel', 'tcg', '-m', '256', '-display', 'none', '-nodefaults', '-monitor', 'stdio',
                   '-serial', 'unix:%s,server=on,wait=on' % serial, *args]
        env = dict(os.environ, XDG_STATE_HOME=folder, INPUTRC='/dev/null')
        env.pop('NO_COLOR', None)
        self.ask('-f', '/dev/null', 'new-session', '-d', '-x', '100', '-y', '30', '-s', 'rhea',
                 ' '.join("'%s'" % word for word in command), env=env)
        self.serial = Stream(serial)

    def ask(self, *args, **options):
        return subprocess.run([*self.tmux, *args], capture_output=True, text=True, check=True, **options).stdout

    def screen(self, *args):
        return self.ask('capture-pane', '-p', *args, '-t', 'rhea')

    def shows(self, text, *args):
        """Waits until it is on the screen; the rows from there on."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.screen(*args):
            assert time.monotonic() < deadline, self.screen(*args)
            time.sleep(0.05)
        return self.screen(*args)

    def keys(self, *keys):
        self.ask('send-keys', '-t', 'rhea', *keys)

    def type(self, line, *answers):
        """A line on an empty screen; what the screen shows with the prompt below it."""
        self.keys('C-l')
        self.keys('-l', line)
        self.keys('Enter')
        for answer in answers:
            self.shows(answer)
        deadline = time.monotonic() + TIMEOUT
        while True:
            rows = [row for row in self.screen().split('\n') if row]
            if rows and rows[-1] == '(qemu)' and any(line in row for row in rows[:-1]):
                return rows
            assert time.monotonic() < deadline, rows
            time.sleep(0.05)

    def close(self):
        self.serial.close()
        subprocess.run([*self.tmux, 'kill-server'], check=False)


@pytest.fixture
def terminal(drivers, tmp_path):
    image = tmp_path / 'disk'
    image.write_bytes(bytes(1 << 20))
    terminal = Terminal(str(tmp_path), '-kernel', drivers + '/vmlinuz', '-initrd', drivers + '/initrd', '-append',
                        'console=ttyS0 quiet drivers=blk', '-drive',
                        'if=none,id=d1,format=raw,file=%s' % image)
    yield terminal
    terminal.close()


def test_session(terminal, tmp_path):
    terminal.serial.expect(rb'Ready\.\r\n# ', 300)
    terminal.type('break do_sys_openat2', 'Breakpoint 1 at 0x')

    # the line that is being typed stays when the guest comes to the point
    terminal.keys('C-l')
    terminal.keys('-l', 'info back')
    terminal.serial.send('cat /proc/version\n')
    screen = terminal.shows('do_sys_openat2')
    assert [row for row in screen.split('\n') if row][-1] == '(qemu) info back'
    terminal.keys('Tab', 'Enter')
    rows = terminal.shows('#1 ').split('\n')
    assert any('do_sys_openat2' in row for row in rows if row.startswith('#0'))

    assert any('paused (debug)' in row for row in terminal.type('info status'))
    assert any('CPU 0 at 0x' in row for row in terminal.type('step', 'CPU 0 at'))
    terminal.type('delete')
    terminal.type('cont')
    terminal.serial.expect(rb'Linux version')

    terminal.type('watchpoint $rsp 8', 'Watchpoint')
    terminal.serial.send('cat /proc/version\n')
    rows = terminal.type('info status', 'paused (debug)')
    terminal.type('delete')
    terminal.type('cont')
    terminal.serial.expect(rb'Linux version')

    terminal.type('device_add virtio-blk-pci,drive=d1,id=vd1')
    terminal.serial.send('until grep vda /proc/partitions; do :; done\n')
    terminal.serial.expect(rb'1024 vda')
    core = tmp_path / 'core'
    terminal.type('dump-guest-memory %s 0 0x100000' % core)
    assert core.read_bytes()[:4] == b'\x7fELF'

    # errors name what is near, in color
    terminal.keys('C-l')
    terminal.keys('-l', 'device_del vd2')
    terminal.keys('Enter')
    assert '\x1b[33mDid you mean \'vd1\'?' in terminal.shows("Did you mean 'vd1'?", '-e')

    # pages
    terminal.type('cpu 0')
    terminal.keys('-l', 'info qtree')
    terminal.keys('Enter')
    assert terminal.shows('--More--').rstrip().split('\n')[-1] == '--More-- (space, Enter, q)'
    terminal.keys('q')
    terminal.type('cpu 0')

    # changes in reverse, and the screen as it was behind them
    terminal.keys('-l', 'watch -n 0.2 info registers')
    terminal.keys('Enter')
    terminal.shows('Every 0.2s: info registers')
    terminal.shows('\x1b[7m', '-e')
    terminal.keys('x')
    assert 'Every' not in terminal.shows('(qemu) watch -n 0.2 info registers')
    terminal.type('set color off')
    assert (tmp_path / 'rhea' / 'history').read_text().splitlines()[-2:] == ['watch -n 0.2 info registers',
                                                                            'set color off']
