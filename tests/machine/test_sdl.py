"""-display sdl under Xvfb: pictures, keys, mouse, windows, and a window system that goes."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from boot_sector import assemble
from rhea import TIMEOUT, Machine, binary, run
from test_display import MODES, boot_disk

WIDTH, HEIGHT = 1600, 1200

pytestmark = [
    pytest.mark.skipif(any(shutil.which(tool) is None for tool in ('Xvfb', 'openbox', 'xdotool', 'import')),
                       reason='needs xvfb, openbox, xdotool and imagemagick'),
    pytest.mark.skipif('sdl' not in subprocess.run([binary(), '-display', 'help'], capture_output=True, text=True,
                                                   check=False).stdout.split(),
                       reason='built without SDL'),
]

# Sends "K" and each byte of the keyboard, "M" and each of the mouse, to the serial port.
INPUT = '''
        .code16
        .macro  wait_8042
9:      inb     $0x64, %al
        testb   $2, %al
        jnz     9b
        .endm
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        wait_8042
        movb    $0xa8, %al
        outb    %al, $0x64
        wait_8042
        movb    $0xd4, %al
        outb    %al, $0x64
        wait_8042
        movb    $0xf4, %al
        outb    %al, $0x60
        movb    $'D', %al
        call    put
1:      inb     $0x64, %al
        testb   $1, %al
        jz      1b
        testb   $0x20, %al
        movb    $'K', %al
        jz      2f
        movb    $'M', %al
2:      call    put
        inb     $0x60, %al
        call    put
        jmp     1b
put:    movw    $0x3f8, %dx
        outb    %al, %dx
        ret
        .org    510
        .word   0xaa55
'''


def wait_until(condition, what, timeout=TIMEOUT):
    """The first true value of condition(); the window system tells nobody, so it is asked again and again."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, 'waited for ' + what
        time.sleep(0.02)


class Screen:
    """An X server with a window manager, and what there is on it."""

    def __init__(self, width=WIDTH, height=HEIGHT):
        ready, wrote = os.pipe()
        self.server = subprocess.Popen(['Xvfb', '-displayfd', str(wrote), '-screen', '0', '%dx%dx24' % (width, height),
                                        '-nolisten', 'tcp', '-noreset'], pass_fds=[wrote],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(wrote)
        with os.fdopen(ready) as pipe:
            self.env = dict(os.environ, DISPLAY=':' + pipe.readline().strip(), LC_ALL='C.UTF-8')
        self.env.pop('WAYLAND_DISPLAY', None)
        self.env.pop('SDL_VIDEODRIVER', None)
        # A window that comes while the manager starts may be overlooked: SDL would wait for it forever.
        self.folder = tempfile.TemporaryDirectory()
        config, up = (os.path.join(self.folder.name, name) for name in ('rc.xml', 'up'))
        with open(config, 'w', encoding='ascii') as out:
            out.write('<openbox_config xmlns="http://openbox.org/3.4/rc"/>')
        self.manager = subprocess.Popen(['openbox', '--config-file', config, '--startup', 'touch ' + up], env=self.env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(up), 'openbox')

    def tool(self, *args, check=True):
        return subprocess.run(args, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=check,
                              timeout=TIMEOUT).stdout

    def xdotool(self, *args, check=True):
        return self.tool('xdotool', *map(str, args), check=check).decode()

    def windows(self, name='^Rhea'):
        """Titles of the windows that are shown, by window."""
        found = self.xdotool('search', '--onlyvisible', '--name', name, check=False).split()
        return {window: self.xdotool('getwindowname', window).strip() for window in found}

    def window(self, name='^Rhea'):
        """The one window of that name, all of it on the screen, with the keyboard's focus."""
        window, = wait_until(lambda: self.windows(name), 'a window ' + name)
        self.xdotool('windowmove', window, 0, 0, 'windowactivate', '--sync', window)
        return window

    def size(self, window):
        return tuple(map(int, re.search(r'Geometry: (\d+)x(\d+)',
                                        self.xdotool('getwindowgeometry', window)).groups()))

    def picture(self, window):
        return ppm(self.tool('import', '-window', window, '-depth', '8', 'ppm:-', check=False))

    def stop(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGCONT)
            self.server.terminate()
        self.server.wait()
        self.manager.wait()                             # it goes with the server
        self.folder.cleanup()


def ppm(data):
    if data.count(b'\n') < 3:
        return None
    magic, size, depth, pixels = data.split(b'\n', 3)
    assert (magic, depth) == (b'P6', b'255')
    return tuple(map(int, size.split())), pixels


@pytest.fixture
def screen():
    screen = Screen()
    yield screen
    screen.stop()


@contextlib.contextmanager
def machine_on(screen, *args, display='sdl', **options):
    with Machine('-accel', 'tcg', '-m', '64', '-nodefaults', '-display', display, *args, env=screen.env,
                 **options) as machine:
        yield machine


@contextlib.contextmanager
def guest_on(screen, disk, *args, **options):
    """One that boots a sector, which says D on the serial port when it is ready."""
    with machine_on(screen, '-vga', 'std', '-drive', 'file=%s,format=raw,if=ide,snapshot=on' % disk, *args,
                    serial=True, **options) as machine:
        machine.serial.expect('D')
        yield machine


def input_disk(folder):
    path = os.path.join(folder, 'disk')
    with open(path, 'wb') as out:
        out.write(assemble(folder, INPUT))
        out.truncate(1 << 20)
    return path


def dumped(machine, path, **arguments):
    machine.qmp.command('screendump', filename=str(path), **arguments)
    with open(path, 'rb') as image:
        return ppm(image.read())


def same_picture(screen, machine, window, path, **arguments):
    """Waits until the window shows what screendump says; returns it."""
    return wait_until(lambda: (lambda ours: ours if ours == screen.picture(window) else None)(
        dumped(machine, path, **arguments)), 'the picture')


def magnified(picture, factor):
    (width, height), pixels = picture
    lines = [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]
    wide = [b''.join(line[x:x + 3] * factor for x in range(0, len(line), 3)) for line in lines]
    return (width * factor, height * factor), b''.join(line * factor for line in wide)


# ---- pictures ----

@pytest.mark.parametrize('name', ['text', '256', 'vbe 24'])
def test_window_shows_what_screendump_does(name, screen, tmp_path):
    mode, mode_bx, draw = MODES[name]
    disk = boot_disk(str(tmp_path), mode, mode_bx, draw)
    with guest_on(screen, disk) as machine:
        window = screen.window()
        size, pixels = same_picture(screen, machine, window, tmp_path / 'x.ppm')
        assert screen.size(window) == size
        assert len(set(pixels)) > 1


def test_user_resizes(screen, tmp_path):
    disk = boot_disk(str(tmp_path), *MODES['256'])
    with guest_on(screen, disk) as machine:
        window = screen.window()
        width, height = screen.size(window)
        picture = same_picture(screen, machine, window, tmp_path / 'x.ppm')

        # A whole number of pixels for each, in the middle of what is left.
        screen.xdotool('windowsize', window, width * 2, height * 2)
        wait_until(lambda: screen.picture(window) == magnified(picture, 2), 'pixels twice as large')

        # Any size, in the picture's proportions.
        screen.xdotool('windowsize', window, width * 3 // 2, height * 2)
        wait_until(lambda: screen.size(window) == (width * 3 // 2, height * 2), 'the size')

        def letterbox():
            size, pixels = screen.picture(window)
            border = (size[1] - height * 3 // 2) // 2
            line = size[0] * 3
            return pixels[:border * line] == bytes(border * line) and any(pixels[border * line:(border + 20) * line])
        wait_until(letterbox, 'a black border')

        # Back with Ctrl-Alt-U; larger and smaller by quarters.
        for key, size in (('u', (width, height)), ('equal', (width * 5 // 4, height * 5 // 4)),
                          ('equal', (width * 3 // 2, height * 3 // 2)),
                          ('minus', (width * 5 // 4, height * 5 // 4)), ('u', (width, height))):
            screen.xdotool('key', 'ctrl+alt+' + key)
            wait_until(lambda: screen.size(window) == size, 'size %s' % (size,))    # noqa: B023
        wait_until(lambda: screen.picture(window) == picture, 'the picture as it was')


def test_window_follows_the_guests_mode(screen, tmp_path):
    disk = boot_disk(str(tmp_path), *MODES['vbe 24'])
    with machine_on(screen, '-vga', 'std', '-drive', 'file=%s,format=raw,if=ide,snapshot=on' % disk, '-S',
                    serial=True) as machine:
        window = screen.window()
        assert screen.windows()[window] == 'Rhea [Stopped]'
        assert screen.size(window) == (640, 480)
        machine.qmp.command('cont')
        machine.serial.expect('D')
        wait_until(lambda: screen.size(window) == (1024, 768), 'the size of the mode')
        same_picture(screen, machine, window, tmp_path / 'x.ppm')


# ---- keys and mouse ----

class Bytes:
    """What the guest of INPUT got."""

    def __init__(self, machine):
        self.serial = machine.serial

    def expect(self, tag, data):
        """Waits for these bytes of keyboard or mouse, one after another, others of its kind not between."""
        pattern = b''.join(re.escape(bytes([ord(tag), byte])) for byte in data)
        self.serial.expect(pattern)


def test_typing(screen, tmp_path):
    with guest_on(screen, input_disk(str(tmp_path))) as machine:
        window = screen.window()
        got = Bytes(machine)
        screen.xdotool('key', 'a')
        got.expect('K', [0x1e, 0x9e])
        screen.xdotool('key', 'shift+z')
        got.expect('K', [0x2a, 0x2c, 0xaa, 0xac])
        screen.xdotool('key', 'Up')
        got.expect('K', [0xe0, 0x48, 0xe0, 0xc8])
        # Hot-keys are not for the guest, what is held with them is.
        screen.xdotool('key', 'ctrl+alt+u')
        got.expect('K', [0x1d, 0x38, 0x9d, 0xb8])
        # Whoever looks elsewhere holds no keys.
        screen.xdotool('keydown', 'b')
        got.expect('K', [0x30])
        screen.xdotool('windowminimize', window)
        got.expect('K', [0xb0])


def test_mouse_is_grabbed_and_let_go(screen, tmp_path):
    with guest_on(screen, input_disk(str(tmp_path)), '-name', 'mice') as machine:
        window = screen.window()
        title = lambda: screen.windows()[window]        # noqa: E731
        got = Bytes(machine)
        assert title() == 'Rhea (mice)'
        screen.xdotool('mousemove', '--window', window, 100, 100, 'click', 1)
        wait_until(lambda: title() == 'Rhea (mice) - Press Ctrl-Alt-G to exit grab', 'the grab')
        screen.xdotool('mousemove_relative', '--', 5, 3)
        got.expect('M', [0x28, 0x05, 0xfd])             # up is positive: 3 down
        screen.xdotool('click', 3)
        got.expect('M', [0x0a, 0, 0, 0x08, 0, 0])
        machine.qmp.command('stop')
        wait_until(lambda: title() == 'Rhea (mice) [Stopped]', 'the title')
        machine.qmp.command('cont')
        screen.xdotool('key', 'ctrl+alt+g')
        wait_until(lambda: title() == 'Rhea (mice)', 'the end of the grab')


def test_other_grab_keys(screen):
    with machine_on(screen, '-vga', 'std', display='sdl,grab-mod=rctrl') as machine:
        window = screen.window()
        screen.xdotool('key', 'ctrl+alt+g', 'Control_R+g')
        wait_until(lambda: screen.windows()[window] == 'Rhea - Press Right-Ctrl-G to exit grab', 'the grab')
        assert machine.qmp.command('query-status')['running']


# ---- windows ----

@pytest.mark.parametrize('how', ['key', 'option', 'display'])
def test_full_screen(how, screen, tmp_path):
    disk = boot_disk(str(tmp_path), *MODES['text'])
    args = ['-full-screen'] if how == 'option' else []
    with guest_on(screen, disk, *args, display='sdl,full-screen=on' if how == 'display' else 'sdl') as machine:
        window = screen.window()
        if how == 'key':
            assert screen.size(window) == (720, 400)
            screen.xdotool('key', 'ctrl+alt+f')
        wait_until(lambda: screen.size(window) == (WIDTH, HEIGHT), 'the whole screen')
        screen.xdotool('key', 'ctrl+alt+f')
        wait_until(lambda: screen.size(window) == (720, 400), 'the size it had')
        same_picture(screen, machine, window, tmp_path / 'x.ppm')


def test_a_window_for_each_adapter(screen, tmp_path):
    with machine_on(screen, '-vga', 'std', '-device', 'bochs-display,id=second', '-name', 'two') as machine:
        titles = wait_until(lambda: (lambda found: found if len(found) == 2 else None)(screen.windows()), 'two windows')
        assert sorted(titles.values()) == ['Rhea (two)', 'Rhea (two) second']
        second = [window for window, title in titles.items() if title.endswith('second')][0]
        same_picture(screen, machine, second, tmp_path / 'x.ppm', device='second')


def test_beside_another_display(screen, tmp_path):
    disk = boot_disk(str(tmp_path), *MODES['256'])
    vnc = 'unix:%s' % (tmp_path / 'vnc')
    with guest_on(screen, disk, '-vnc', vnc) as machine:
        same_picture(screen, machine, screen.window(), tmp_path / 'x.ppm')
        assert machine.qmp.command('query-vnc')['enabled']


def close(screen, window):
    """As a window manager does it."""
    screen.tool('/usr/bin/python3', '-c', CLOSE, window)


# WM_DELETE_WINDOW (ICCCM 4.2.8.1), with no more than libX11.
CLOSE = '''
import ctypes, sys
x = ctypes.CDLL('libX11.so.6')
x.XOpenDisplay.restype = ctypes.c_void_p
for name in ('XInternAtom', 'XSendEvent', 'XCloseDisplay'):
    getattr(x, name).restype = ctypes.c_ulong
display = ctypes.c_void_p(x.XOpenDisplay(None))
class Message(ctypes.Structure):
    _fields_ = [('type', ctypes.c_int), ('serial', ctypes.c_ulong), ('send_event', ctypes.c_int),
                ('display', ctypes.c_void_p), ('window', ctypes.c_ulong), ('message_type', ctypes.c_ulong),
                ('format', ctypes.c_int), ('data', ctypes.c_long * 5), ('pad', ctypes.c_long * 24)]
atom = lambda name: x.XInternAtom(display, name, 0)
window = int(sys.argv[1])
message = Message(33, 0, 1, display, window, atom(b'WM_PROTOCOLS'), 32, (ctypes.c_long * 5)(atom(b'WM_DELETE_WINDOW')))
x.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
x.XCloseDisplay(display)
'''


@pytest.mark.parametrize('args', [[], ['-no-shutdown']])
def test_closing_the_window_ends_the_machine(args, screen):
    with machine_on(screen, '-vga', 'std', *args) as machine:
        close(screen, screen.window())
        assert machine.qmp.event('SHUTDOWN')['data'] == {'guest': False, 'reason': 'host-ui'}
        assert machine.wait() == 0


def test_window_close_off(screen):
    with machine_on(screen, '-vga', 'std', display='sdl,window-close=off') as machine:
        window = screen.window()
        close(screen, window)
        screen.xdotool('key', 'ctrl+alt+g')             # comes after it
        wait_until(lambda: 'exit grab' in screen.windows()[window], 'the grab')
        assert machine.qmp.command('query-status')['running']


def test_text_consoles_come_and_go(screen):
    with machine_on(screen, '-vga', 'std', '-chardev', 'vc,id=hmp', '-mon', 'hmp', '-chardev', 'vc,id=other',
                    '-mon', 'other') as machine:
        first = screen.window()
        assert len(screen.windows()) == 1
        screen.xdotool('key', 'ctrl+alt+2')
        wait_until(lambda: len(screen.windows()) == 2, 'the monitor')
        text = screen.window(' ')
        before = screen.picture(text)
        screen.xdotool('type', '--delay', 1, 'stop')
        screen.xdotool('key', 'Return')
        wait_until(lambda: machine.qmp.command('query-status')['status'] == 'paused', 'what was typed')
        wait_until(lambda: screen.picture(text) != before, 'what the monitor says')
        screen.xdotool('type', '--delay', 1, 'cont')
        screen.xdotool('key', 'ctrl+j')
        wait_until(lambda: machine.qmp.command('query-status')['running'], 'what was typed')
        close(screen, text)
        wait_until(lambda: list(screen.windows()) == [first], 'the window to close')
        screen.xdotool('windowactivate', '--sync', first, 'key', 'ctrl+alt+3')
        wait_until(lambda: len(screen.windows()) == 2, 'the other monitor')
        assert machine.qmp.command('query-status')['running']


# ---- the window system ----

def test_no_window_system():
    env = {name: value for name, value in os.environ.items() if name not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    result = run('-display', 'sdl', '-nodefaults', '-S', env=env)
    assert result.returncode == 1
    assert '-display sdl: cannot open a window: ' in result.stderr and '$DISPLAY' in result.stderr


@pytest.mark.parametrize('option, text', [
    ('gl=on', "only 'gl=off'"), ('grab-mod=alt', "'grab-mod'"), ('window_close=off', "window-close"),
    ('full-screen=maybe', "'full-screen'"), ('alt_grab=on', "'alt_grab'"),
])
def test_refused(option, text):
    result = run('-display', 'sdl,' + option, '-nodefaults', '-S')
    assert result.returncode == 1 and text in result.stderr


def test_display_twice(screen):
    result = run('-display', 'sdl', '-display', 'sdl', '-nodefaults', '-S', env=screen.env)
    assert result.returncode == 1 and 'windows already' in result.stderr


def test_server_dies(screen, tmp_path):
    """The machine ends in order: what its disks were told is in their files."""
    with machine_on(screen, '-vga', 'std') as machine:
        screen.window()
        screen.server.kill()
        assert machine.qmp.event('SHUTDOWN')['data'] == {'guest': False, 'reason': 'host-ui'}
        assert machine.wait() == 0
        assert 'the window system has gone' in machine.errors()


def test_server_dies_and_the_machine_goes_on(screen, tmp_path):
    with machine_on(screen, '-vga', 'std', display='sdl,window-close=off') as machine:
        screen.window()
        screen.server.kill()
        wait_until(lambda: 'the window system has gone' in machine.errors(), 'the loss')
        assert machine.qmp.command('query-status')['running']
        assert dumped(machine, tmp_path / 'x.ppm')
        machine.qmp.command('quit')
        assert machine.wait() == 0


def test_server_that_does_not_answer(screen, tmp_path):
    disk = boot_disk(str(tmp_path), *MODES['256'])
    with machine_on(screen, '-vga', 'std', '-drive', 'file=%s,format=raw,if=ide,snapshot=on' % disk, '-S',
                    serial=True) as machine:
        screen.window()
        screen.server.send_signal(signal.SIGSTOP)
        machine.qmp.command('cont')
        machine.serial.expect('D')                      # it draws, for nobody
        assert dumped(machine, tmp_path / 'x.ppm')[0] == (640, 400)
        machine.qmp.command('quit')
        assert machine.wait(20) == 0


@pytest.mark.signals
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(number, screen):
    with machine_on(screen, '-vga', 'std') as machine:
        screen.window()
        machine.process.send_signal(number)
        assert machine.qmp.event('SHUTDOWN')['data']['reason'] == 'host-signal'
        assert machine.wait() == 0
        assert screen.windows() == {}
