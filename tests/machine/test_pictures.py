"""Real guests on the screen: the same picture through screendump, two VNC viewers and a window."""
import os
import shutil
import subprocess
import time

import pytest

from linux import Linux
from rhea import Machine
from test_sdl import Screen, ppm, wait_until

INSTALLER = '/usr/lib/debian-installer/images/12/amd64/%s/debian-installer/amd64/'
TIMEOUT = 600

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(any(shutil.which(tool) is None for tool in ('Xvfb', 'import', 'gvnccapture', 'vncsnapshot')),
                       reason='needs xvfb, imagemagick, gvncviewer and vncsnapshot'),
    pytest.mark.skipif(not os.path.isdir(INSTALLER % 'gtk'), reason='no debian-installer-12-netboot-amd64'),
]


def installer(kind):
    folder = INSTALLER % kind
    return ['-kernel', folder + 'linux', '-initrd', folder + 'initrd.gz', '-append', 'quiet']


# Arguments, and how many colours there are when it is there.
FIRMWARE = {
    'SeaBIOS': (['-nic', 'none'], 2),
    'GRUB': (['-cdrom', '/usr/lib/grub-rescue/grub-rescue-cdrom.iso', '-boot', 'd', '-nic', 'none'], 2),
    'memtest86+': (['-kernel', '/boot/memtest86+x64.bin'], 4),
    'installer in text mode': (installer('text'), 4),
    'installer in graphics mode': (installer('gtk'), 50),
}
CONSOLES = {
    'bochs-drm 1024×768': ('VGA,xres=1024,yres=768', '', (1024, 768)),
    'bochs-drm 1366×768': ('VGA,xres=1366,yres=768', '', (1366, 768)),
    'cirrus 800×600': ('cirrus-vga', ' video=800x600', (800, 600)),
}


def read(path):
    with open(path, 'rb') as image:
        return ppm(image.read())


def converted(path):
    return ppm(subprocess.run(['convert', path, '-depth', '8', 'ppm:-'], check=True, capture_output=True).stdout)


def dumped(machine, path):
    machine.qmp.command('screendump', filename=path)
    return read(path)


def colours(picture):
    return len({picture[1][at:at + 3] for at in range(0, len(picture[1]), 3)})


def settle(machine, least, path):
    """Until a picture of so many colours is still there a few seconds later, but for what blinks or counts."""
    last = None
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        picture = dumped(machine, path)
        if last is not None and picture[0] == last[0] and colours(picture) >= least and \
                sum(a != b for a, b in zip(picture[1], last[1])) < len(picture[1]) / 100:
            return
        last = picture
        time.sleep(5)
    raise AssertionError('no picture of %d colours' % least)


def close(one, other):
    """JPEG of the best quality: sharp edges lose most."""
    assert one[0] == other[0]
    assert sum(abs(a - b) for a, b in zip(one[1], other[1])) / len(one[1]) < 8


def same_everywhere(machine, screen, folder):
    """A machine that stands is seen alike by all; the pictures stay in `folder`."""
    machine.qmp.command('stop')
    picture = dumped(machine, str(folder / 'screendump.ppm'))
    display = '127.0.0.1:%d' % (int(machine.qmp.command('query-vnc')['service']) - 5900)
    subprocess.run(['gvnccapture', '-q', display, str(folder / 'gvnccapture.png')], check=True)
    assert converted(str(folder / 'gvnccapture.png')) == picture
    subprocess.run(['vncsnapshot', '-quiet', '-quality', '100', display, str(folder / 'vncsnapshot.jpg')], check=True)
    close(converted(str(folder / 'vncsnapshot.jpg')), picture)
    wait_until(lambda: screen.picture(screen.window()) == picture, 'the picture in the window')


DISPLAYS = ['-display', 'sdl', '-vnc', '127.0.0.1:400,to=900']


@pytest.fixture
def wide_screen():
    screen = Screen(1600, 1200)
    yield screen
    screen.stop()


@pytest.mark.parametrize('name', FIRMWARE)
def test_firmware_and_installers(name, wide_screen, tmp_path):
    arguments, least = FIRMWARE[name]
    with Machine('-accel', 'tcg', '-m', '1024', *DISPLAYS, *arguments, env=wide_screen.env) as machine:
        settle(machine, least, str(tmp_path / 'now.ppm'))
        same_everywhere(machine, wide_screen, tmp_path)


@pytest.mark.parametrize('name', CONSOLES)
def test_linux_console(name, drivers, wide_screen, tmp_path):
    card, mode, size = CONSOLES[name]
    with Linux(drivers, 'display', '-device', card, *DISPLAYS, append='console=tty0 console=ttyS0' + mode,
               env=wide_screen.env) as machine:
        machine.run('clear > /dev/tty0; ls -l / > /dev/tty0')
        settle(machine, 2, str(tmp_path / 'now.ppm'))
        same_everywhere(machine, wide_screen, tmp_path)
        assert read(str(tmp_path / 'screendump.ppm'))[0] == size
