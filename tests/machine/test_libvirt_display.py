"""A domain with a screen: what virsh says of it, and viewers, passwords and keys."""
import re
import shutil

import pytest

from conftest import kvm_usable
from rfb import Refused, Viewer
from test_libvirt import write
from virsh import domain, virsh        # noqa: F401: a fixture

pytestmark = pytest.mark.slow


def display(model, graphics):
    return "<video><model type='%s'/></video>%s" % (model, graphics)


def start(shell, kind, model, graphics):
    if kind == 'kvm' and not kvm_usable():
        pytest.skip('no usable /dev/kvm')
    shell.run('define', write(shell, 'guest.xml', domain(kind, display(model, graphics))))
    shell.run('start', 'guest')


@pytest.fixture(autouse=True)
def forgotten(virsh):                   # noqa: F811
    yield
    virsh.ask('destroy', 'guest')
    virsh.ask('undefine', 'guest')


VNC = "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>"


@pytest.mark.parametrize('kind', ['qemu', 'kvm'])
@pytest.mark.parametrize('model', ['vga', 'cirrus', 'bochs'])
def test_display(virsh, kind, model):   # noqa: F811
    start(virsh, kind, model, VNC)
    assert virsh.run('domdisplay', 'guest') == 'vnc://127.0.0.1:0'
    assert virsh.run('vncdisplay', 'guest') == '127.0.0.1:0'
    picture = virsh.path('screen.png')
    virsh.run('screenshot', 'guest', picture)
    with open(picture, 'rb') as file:
        assert file.read(8) == b'\x89PNG\r\n\x1a\n'
    virsh.run('send-key', 'guest', 'KEY_LEFTCTRL', 'KEY_LEFTALT', 'KEY_DELETE')
    virsh.run('send-key', 'guest', '--codeset', 'qnum', '30')
    assert '127.0.0.1:5900 (ipv4)' in virsh.run('qemu-monitor-command', 'guest', '--hmp', 'info vnc')
    if shutil.which('gvnccapture'):
        captured = virsh.inside('gvnccapture', '-q', '127.0.0.1:0', picture)
        assert captured.returncode == 0, captured.stderr
    virsh.run('reset', 'guest')
    virsh.run('destroy', 'guest')


def test_everything_there_is_to_say(virsh):     # noqa: F811
    """Socket, password, keymap, sharing; the password changes while it runs."""
    path = virsh.path('vnc')
    graphics = "<graphics type='vnc' socket='%s' passwd='%s' keymap='de' sharePolicy='force-shared'/>"
    start(virsh, 'qemu', 'vga', graphics % (path, 'hush'))
    assert virsh.run('domdisplay', 'guest').startswith('vnc+unix://')
    with Viewer(path, password='hush') as viewer:
        assert viewer.picture()[0] > 100
    virsh.run('update-device', 'guest', write(virsh, 'new.xml', graphics % (path, 'hash')), '--live')
    Viewer(path, password='hash').close()
    with pytest.raises(Refused, match='Authentication failed'):
        Viewer(path, password='hush')
    text = virsh.run('qemu-monitor-command', 'guest', '{"execute":"query-vnc"}')
    assert re.search(r'"family": ?"unix"', text) and re.search(r'"auth": ?"vnc"', text)


def test_for_browsers(virsh):           # noqa: F811
    start(virsh, 'qemu', 'vga', "<graphics type='vnc' port='5907' websocket='5717'><listen type='address' address='127.0.0.1'/>"
                                '</graphics>')
    assert virsh.run('vncdisplay', 'guest') == '127.0.0.1:7'
    text = virsh.run('qemu-monitor-command', 'guest', '--hmp', 'info vnc')
    assert '127.0.0.1:5717 (ipv4 (Websocket))' in text and '127.0.0.1:5907 (ipv4)' in text
