"""The viewers people have: what they show, what is typed into them, and whom they cannot let in.

The guest is GRUB's shell from Debian's rescue CD: text that is known, and it answers.
"""
import contextlib
import http.server
import functools
import os
import shutil
import subprocess
import threading
import time

import pytest

from rfb import Viewer
from rhea import TIMEOUT, Machine
from test_vnc import ANY, port

CD = '/usr/lib/grub-rescue/grub-rescue-cdrom.iso'
NOVNC = '/usr/share/novnc'
WIDTH = 1280                           # of the X server's screen

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not os.path.exists(CD), reason='no grub-rescue-pc')]


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason='no ' + ', '.join(missing))


@pytest.fixture(scope='module')
def grub():
    """At its prompt; a server without and one with the password `secret`."""
    with Machine('-display', 'none', '-accel', 'tcg', '-nodefaults', '-vga', 'std', '-cdrom', CD, '-boot', 'd',
                 '-object', 'secret,id=s,data=secret', '-vnc', ANY + ',websocket=on,share=ignore',
                 '-vnc', ANY + ',password-secret=s') as vm:
        with Viewer(port(vm)) as viewer:
            viewer.wait(lambda seen: bright(seen) > 20000)      # the bar of the menu
            viewer.type('c')
            viewer.wait(lambda seen: bright(seen) < 20000)
        yield vm


def bright(viewer):
    """Pixels that are not black."""
    return sum(1 for value in viewer.pixels[::4] if value > 64)


def display(vm, number=-1):
    """HOST:N as viewers take it."""
    return '127.0.0.1:%d' % (port(vm, number)[1] - 5900)


def pixels(path, *how):
    """Red, green and blue of a picture of any format."""
    return subprocess.run(['convert', path, *how, '-depth', '8', 'rgb:-'], check=True, capture_output=True).stdout


def dump(vm):
    path = vm.path('dump.ppm')
    vm.qmp.command('screendump', filename=path)
    return pixels(path)


def without_cursor(vm, look):
    """look() gives what the screen shows, but for the moments when the cursor blinks between them."""
    deadline = time.monotonic() + TIMEOUT
    while look() != dump(vm):
        assert time.monotonic() < deadline


def password_file(tmp_path, password):
    """As vncpasswd has written it for ever: DES with a key everybody knows."""
    key = bytes(int('{:08b}'.format(byte)[::-1], 2) for byte in (23, 82, 107, 6, 35, 78, 88, 7))
    path = tmp_path / password
    path.write_bytes(subprocess.run(
        ['openssl', 'enc', '-des-ecb', '-nopad', '-provider', 'legacy', '-provider', 'default', '-K', key.hex()],
        input=password.encode().ljust(8, b'\0'), capture_output=True, check=True).stdout)
    return str(path)


# ---- those that take one picture ----

@needs('gvnccapture', 'convert')
def test_gvnccapture(grub):
    picture = grub.path('capture.png')

    def look():
        subprocess.run(['gvnccapture', '-q', display(grub), picture], check=True, timeout=TIMEOUT)
        return pixels(picture)
    without_cursor(grub, look)


@needs('vncsnapshot')
def test_vncsnapshot(grub, tmp_path):
    picture = grub.path('snapshot.jpg')

    def take(password):
        return subprocess.run(['vncsnapshot', '-allowblank', '-passwd', password_file(tmp_path, password),
                               display(grub, 0), picture], check=False, capture_output=True, text=True, timeout=TIMEOUT)
    done = take('secret')
    assert done.returncode == 0 and '720x400 screen' in done.stderr + done.stdout, done.stderr
    assert os.path.getsize(picture) > 1000
    done = take('wrong')
    assert 'authentication failed' in done.stderr + done.stdout


# ---- those with windows ----

class Desktop:
    """An X server without a screen."""

    def __init__(self):
        reading, writing = os.pipe()
        self.process = subprocess.Popen(['Xvfb', '-displayfd', str(writing), '-screen', '0', '%dx1024x24' % WIDTH],
                                        pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as file:
            number = file.readline().strip()
        self.env = dict(os.environ, DISPLAY=':' + number)

    @contextlib.contextmanager
    def run(self, *command):
        program = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield program
        finally:
            program.kill()
            program.communicate()

    def xdotool(self, *words):
        return subprocess.run(['xdotool', *words], env=self.env, check=True, capture_output=True, text=True,
                              timeout=TIMEOUT).stdout

    def picture(self, path):
        subprocess.run(['import', '-window', 'root', path], env=self.env, check=True, timeout=TIMEOUT)
        return path

    def until_shown(self, machine):
        """The guest's whole screen is somewhere in the picture; where."""
        path = machine.path('desktop.png')
        deadline = time.monotonic() + TIMEOUT
        while True:
            place = find(pixels(self.picture(path)), WIDTH, dump(machine), 720)
            if place:
                return place
            assert time.monotonic() < deadline, path
            time.sleep(0.2)


def rows(picture, width):
    return [picture[at:at + 3 * width] for at in range(0, len(picture), 3 * width)]


def find(whole, width, part, part_width):
    """Where the part is in the whole, as x, y; None: nowhere."""
    whole, part = rows(whole, width), rows(part, part_width)
    first = max(range(len(part)), key=lambda n: sum(part[n][::3]))     # a row with much on it
    for y, row in enumerate(whole):
        x = row.find(part[first])
        top = y - first
        if x >= 0 and top >= 0 and all(whole[top + n][x:x + 3 * part_width] == part[n] for n in range(len(part))):
            return x // 3, top
    return None


@pytest.fixture(scope='module')
def desktop():
    found = Desktop()
    yield found
    found.process.terminate()
    found.process.wait()


def type_and_see(desktop, vm, text):
    """What is typed into the viewer's window is on the guest's screen and in the window."""
    desktop.until_shown(vm)
    x, y = desktop.until_shown(vm)
    desktop.xdotool('mousemove', str(x + 300), str(y + 200), 'click', '1')
    window = desktop.xdotool('getmouselocation', '--shell').split('WINDOW=')[1].split()[0]
    if window != '0':
        desktop.xdotool('windowfocus', window)
    with Viewer(port(vm)) as own:
        before = own.picture()[2]
        desktop.xdotool('type', '--delay', '60', text)
        own.wait(lambda seen: bright(seen) > sum(1 for value in before[::4] if value > 64) + 15 * len(text))
    desktop.until_shown(vm)
    desktop.xdotool('key', 'ctrl+c')


@needs('xtigervncviewer', 'Xvfb', 'xdotool', 'import')
def test_tigervnc(grub, desktop, tmp_path):
    viewer = ['xtigervncviewer', '-SecurityTypes', 'VncAuth', '-Log', '*:stderr:30', '-passwd']
    at = '127.0.0.1::%d' % port(grub, 0)[1]
    with desktop.run(*viewer, password_file(tmp_path, 'secret'), at):
        type_and_see(desktop, grub, 'echo Tiger {VNC} "&" $@')
    with desktop.run(*viewer, password_file(tmp_path, 'wrong'), at) as program:
        while 'Authentication failed' not in (line := program.stdout.readline()):
            assert line


@needs('gvncviewer', 'Xvfb', 'xdotool', 'import')
def test_gvncviewer(grub, desktop):
    with desktop.run('gvncviewer', display(grub)):
        type_and_see(desktop, grub, 'echo g-vnc (viewer)')


@pytest.mark.long
@needs('chromium', 'Xvfb', 'xdotool', 'import')
@pytest.mark.skipif(not os.path.exists(NOVNC), reason='no novnc')
def test_novnc(grub, desktop, tmp_path):
    """In a browser, through the server's own WebSocket."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=NOVNC)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = 'http://127.0.0.1:%d/vnc_lite.html?host=127.0.0.1&port=%d' % (
            server.server_port, port(grub, websocket=True)[1])
        with desktop.run('chromium', '--no-sandbox', '--disable-gpu', '--no-first-run', '--window-size=1200,1000',
                         '--window-position=0,0', '--user-data-dir=%s' % tmp_path, '--app=' + page):
            type_and_see(desktop, grub, 'echo no-VNC [in] a #browser')
        server.shutdown()
