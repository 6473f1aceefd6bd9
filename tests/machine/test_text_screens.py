"""Screens of characters, read back from their pixels: text consoles over VNC, and a VGA without a BIOS."""
import time

import pytest

from linux import Linux
from rfb import Viewer
from rhea import TIMEOUT, Machine

UNIFONT = '/usr/share/unifont/unifont.hex'
ROWS = 16


def glyphs(characters):
    """Rows of dots of 8 pixels' width to the character they are."""
    wanted = {'%04X' % ord(character): character for character in characters}
    known = {}
    with open(UNIFONT, encoding='ascii') as lines:
        for line in lines:
            code, dots = line.strip().split(':')
            if code in wanted:
                known[bytes.fromhex(dots)] = wanted[code]
    return known


GLYPHS = glyphs(''.join(map(chr, range(0x20, 0x7f))) + 'ü─█')


def read_text(width, height, pixel, cell=8):
    """Lines of a picture whose pixels are dark or not; what is no known character is a question mark."""
    lines = []
    for top in range(0, height - ROWS + 1, ROWS):
        line = ''
        for left in range(0, width - cell + 1, cell):
            dots = bytes(sum(pixel(left + x, top + y) << 7 - x for x in range(8)) for y in range(ROWS))
            line += GLYPHS.get(dots, '?')
        lines.append(line.rstrip())
    return '\n'.join(lines).rstrip()


def viewer_text(viewer):
    return read_text(viewer.width, viewer.height, lambda x, y: viewer.pixels[4 * (y * viewer.width + x)] > 0)


def screendump_text(machine, cell=9):
    """What a VGA shows in text mode."""
    path = machine.path('screen.ppm')
    machine.qmp.command('screendump', filename=path)
    with open(path, 'rb') as image:
        _, size, _, pixels = image.read().split(b'\n', 3)
    width, height = map(int, size.split())
    return read_text(width, height, lambda x, y: pixels[3 * (y * width + x)] > 0, cell)


# ---- text consoles ----

def with_viewer(tmp_path, *args):
    at = str(tmp_path / 'vnc')
    return at, Machine('-accel', 'tcg', '-S', '-vnc', 'unix:' + at, '-display', 'none', *args)


def test_a_monitor_on_a_console(tmp_path):
    at, machine = with_viewer(tmp_path, '-nodefaults', '-machine', 'none', '-monitor', 'vc')
    with machine, Viewer(at) as viewer:
        viewer.wait(lambda v: viewer_text(v).endswith('(qemu) █'))
        assert (viewer.width, viewer.height) == (640, 384)
        viewer.type('info statux')
        for keysym in (0xff08, ord('s'), 0xff0d):               # BackSpace, Return
            viewer.key(keysym, True)
            viewer.key(keysym, False)
        viewer.wait(lambda v: 'VM status: paused (prelaunch)' in viewer_text(v))
        viewer.key(0xff52, True)                                # Up: the line again
        viewer.key(0xff52, False)
        viewer.wait(lambda v: viewer_text(v).endswith('(qemu) info status█'))


def test_a_port_on_a_console(tmp_path):
    at, machine = with_viewer(tmp_path, '-nodefaults', '-debugcon', 'vc:400x100')
    with machine, Viewer(at) as viewer:
        assert (viewer.width, viewer.height) == (400, 100)
        for character in 'hello':
            machine.qmp.hmp('o /b 0xe9 %d' % ord(character))
        viewer.wait(lambda v: viewer_text(v) == 'hello█')


def test_consoles_nobody_asked_for(tmp_path):
    """The guest's screen comes first, Ctrl-Alt-2 shows the monitor; ports are on the consoles behind it."""
    at = str(tmp_path / 'vnc')
    with Machine('-accel', 'tcg', '-S', '-vnc', 'unix:' + at, qmp=False):
        with Viewer(at, timeout=TIMEOUT) as viewer:
            for keysym in (0xffe3, 0xffe9, ord('2')):           # Control, Alt
                viewer.key(keysym, True)
            for keysym in (ord('2'), 0xffe9, 0xffe3):
                viewer.key(keysym, False)
            viewer.wait(lambda v: viewer_text(v).endswith('(qemu) █'))
            viewer.type('info chardev\n')
            viewer.wait(lambda v: viewer_text(v).endswith('parallel0: filename=vc\nserial0: filename=vc\n'
                                                          'compat_monitor0: filename=vc\n(qemu) █'))


CONSOLES = {
    (): ['parallel0', 'serial0'], ('-serial', 'none'): ['parallel0'],
    ('-serial', 'null', '-parallel', 'none'): [], ('-serial', 'mon:vc'): ['parallel0', 'serial0-base'],
    ('-chardev', 'null,id=n', '-device', 'isa-serial,chardev=n'): ['parallel0'],
    ('-chardev', 'null,id=n', '-device', 'isa-parallel,chardev=n'): ['serial0'],
    ('-nodefaults',): [], ('-machine', 'none'): [],
}


@pytest.mark.parametrize('args', CONSOLES)
def test_consoles_beside_others(args, tmp_path):
    with Machine('-accel', 'tcg', '-S', '-vnc', 'unix:%s' % (tmp_path / 'vnc'), *args) as machine:
        devices = machine.qmp.command('query-chardev')
        assert sorted(device['label'] for device in devices if device['filename'] == 'vc') == CONSOLES[args]


def test_no_consoles_without_a_display():
    with Machine('-accel', 'tcg', '-S', '-display', 'none') as machine:
        assert 'vc' not in [device['filename'] for device in machine.qmp.command('query-chardev')]


def test_consoles_come_and_go(tmp_path):
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-display', 'none') as machine:
        qmp = machine.qmp
        assert qmp.command('chardev-add', id='c', backend={'type': 'vc', 'data': {'cols': 40, 'rows': 10}}) == {}
        assert qmp.hmp('info chardev').splitlines()[0] == 'c: filename=vc'
        assert 'vc' in [kind['name'] for kind in qmp.command('query-chardev-backends')]
        qmp.command('chardev-remove', id='c')
        reply = qmp.execute('chardev-add', id='c', backend={'type': 'vc', 'data': {'rows': 9999}})
        assert reply['error']['desc'] == "Parameter 'rows' expects a number from 1 to 512"
        assert machine.qmp.hmp('chardev-add vc,id=d,width=800,height=600') == ''


# ---- a VGA that no BIOS has set up ----

@pytest.mark.slow
def test_a_kernel_without_a_bios_has_a_text_screen(drivers):
    with Linux(drivers, '', '-vga', 'std', '-display', 'none') as machine:
        machine.run("printf '\\033[2J\\033[Hgl\\303\\274ck \\342\\224\\200\\342\\226\\210 42' > /dev/tty0")
        deadline = time.monotonic() + TIMEOUT
        while screendump_text(machine).split('\n')[0].rstrip('?') != 'glück ─█ 42':
            assert time.monotonic() < deadline, screendump_text(machine)
