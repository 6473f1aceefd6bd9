"""A domain's life with libvirt: its own emulator driver probes rhea, starts it and works with it.

Their screens are in test_libvirt_display.py.
"""
import os
import re
import select
import subprocess
import time
import tty

import pytest

from conftest import kvm_usable
from rhea import TIMEOUT
from virsh import domain, virsh        # noqa: F401: a fixture

pytestmark = pytest.mark.slow


def image(virsh, name, size='16M'):
    path = virsh.path(name)
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, size], check=True)
    return path


def iso(virsh, name):
    path = virsh.path(name)
    with open(path, 'wb') as file:
        file.truncate(1 << 20)
    return path


def write(virsh, name, text):
    path = virsh.path(name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def disk(path, target):
    return ("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
            "<target dev='%s' bus='virtio'/></disk>" % (path, target))


def nic(number, model='virtio'):
    """A tap device that libvirt makes in the namespace of the test."""
    return ("<interface type='ethernet'><mac address='52:54:00:11:22:%02x'/><target dev='tap%d'/>"
            "<model type='%s'/></interface>" % (number, number, model))


def until(question, answer):
    """Waits until virsh gives that answer."""
    deadline = time.monotonic() + TIMEOUT
    while (said := question()) != answer:
        assert time.monotonic() < deadline, said
        time.sleep(0.05)


def column(text, number):
    return [line.split()[number] for line in text.splitlines() if not line.startswith('-')]


@pytest.fixture(params=['qemu', 'kvm'])
def guest(request, virsh):             # noqa: F811
    """A domain whose firmware finds nothing to boot, running."""
    if request.param == 'kvm' and not kvm_usable():
        pytest.skip('no usable /dev/kvm')
    cd = ("<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='%s'/>"
          "<target dev='hdc' bus='ide'/><readonly/></disk>" % iso(virsh, 'one.iso'))
    text = domain(request.param, disk(image(virsh, 'root.qcow2'), 'vda') + cd + nic(1) +
                  "<controller type='scsi' index='0' model='virtio-scsi'/>")
    virsh.run('define', write(virsh, 'guest.xml', text))
    virsh.run('start', 'guest')
    return virsh


@pytest.fixture(autouse=True)
def forgotten(virsh):                   # noqa: F811
    yield
    virsh.ask('destroy', 'guest')
    virsh.ask('undefine', 'guest')


def test_probing(virsh):               # noqa: F811
    """Both engines are offered, with the CPU models that run on each."""
    kinds = ['qemu'] + (['kvm'] if kvm_usable() else [])
    for kind in kinds:
        text = virsh.run('domcapabilities', '--virttype', kind, '--machine', 'pc', '--emulatorbin',
                         os.path.abspath(os.environ.get('RHEA', 'build/rhea')))
        assert '<machine>pc-i440fx-7.2</machine>' in text
        assert "<mode name='custom' supported='yes'>" in text
        assert re.search("<model usable='yes' [^>]*>(qemu64|pentium3)</model>", text)
        assert "<value>virtio-non-transitional</value>" in text
        assert "<rng supported='yes'>" in text


def test_states(guest):
    assert guest.run('domstate', 'guest', '--reason') == 'running (booted)'
    assert 'running' in guest.run('list')
    guest.run('suspend', 'guest')
    assert guest.run('domstate', 'guest') == 'paused'
    guest.run('resume', 'guest')
    assert guest.run('domstate', 'guest') == 'running'
    guest.run('reset', 'guest')
    guest.run('inject-nmi', 'guest')
    guest.run('send-key', 'guest', 'KEY_LEFTCTRL', 'KEY_C')
    assert 'CPU time' in guest.run('vcpuinfo', 'guest')
    assert guest.run('qemu-monitor-command', 'guest', '--hmp', 'info status') == 'VM status: running'
    assert '"running":true' in guest.run('qemu-monitor-command', 'guest', '{"execute":"query-status"}')
    guest.run('shutdown', 'guest', '--mode', 'acpi')            # nobody in there listens
    guest.run('destroy', 'guest')
    assert guest.run('domstate', 'guest') == 'shut off'
    guest.run('start', 'guest')


def test_numbers(guest):
    blocks = guest.run('domblkstat', 'guest', 'vda')
    assert 'vda rd_req' in blocks and 'vda flush_operations 0' in blocks
    assert re.search(r'Capacity: +16777216', guest.run('domblkinfo', 'guest', 'vda'))
    assert re.search(r'tap1 tx_packets \d+', guest.run('domifstat', 'guest', 'tap1'))
    assert re.search(r'actual 262144\n', guest.run('dommemstat', 'guest'))
    stats = guest.run('domstats', 'guest')
    assert 'vcpu.current=2' in stats and 'balloon.current=262144' in stats and 'block.count=2' in stats
    assert 'iothread.count=1' in stats
    guest.run('setmem', 'guest', '200M', '--live')              # no driver, so nothing comes of it
    assert guest.run('ttyconsole', 'guest').startswith('/dev/pts/')


def test_devices_come(guest):
    """Taking them away again needs a guest that lets go: test_linux."""
    extra = write(guest, 'disk.xml', disk(image(guest, 'extra.qcow2'), 'vdb'))
    card = write(guest, 'nic.xml', nic(2, 'e1000'))
    guest.run('attach-device', 'guest', extra, '--live')
    guest.run('attach-device', 'guest', card, '--live')
    assert column(guest.run('domblklist', 'guest'), 0) == ['vda', 'vdb', 'hdc']
    assert column(guest.run('domiflist', 'guest'), 0) == ['tap1', 'tap2']
    guest.run('domif-setlink', 'guest', 'tap2', 'down')
    assert guest.run('domif-getlink', 'guest', 'tap2') == 'tap2 down'
    guest.run('domif-setlink', 'guest', 'tap2', 'up')
    guest.run('iothreadadd', 'guest', '2')
    guest.run('iothreaddel', 'guest', '2')
    guest.run('change-media', 'guest', 'hdc', iso(guest, 'two.iso'), '--live')
    assert column(guest.run('domblklist', 'guest'), 1)[-1].endswith('two.iso')
    guest.run('blockresize', 'guest', 'vda', '32M')
    assert re.search(r'Capacity: +33554432', guest.run('domblkinfo', 'guest', 'vda'))


def test_snapshot(guest):
    """An external one: from here on the guest writes to a new image."""
    overlay = guest.path('overlay.qcow2')
    if os.path.exists(overlay):
        os.unlink(overlay)
    guest.run('snapshot-create-as', 'guest', 'one', '--disk-only', '--no-metadata',
              '--diskspec', 'vda,file=' + overlay, '--diskspec', 'hdc,snapshot=no')
    assert column(guest.run('domblklist', 'guest'), 1)[0] == overlay
    info = subprocess.run(['qemu-img', 'info', '-U', overlay], capture_output=True, text=True, check=True).stdout
    assert 'backing file: ' + guest.path('root.qcow2') in info


def test_dump(guest):
    core = guest.path('core')
    guest.run('dump', 'guest', core, '--memory-only')
    with open(core, 'rb') as file:
        assert file.read(4) == b'\x7fELF'
    assert os.path.getsize(core) > 256 << 20
    assert guest.run('domstate', 'guest') == 'running'


class Console:
    """The guest's shell on the pseudo terminal of its serial port."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.seen = b''

    def until(self, pattern):
        deadline = time.monotonic() + 5 * TIMEOUT
        while not re.search(pattern, self.seen):
            assert select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0], self.seen[-2000:]
            self.seen += os.read(self.fd, 4096)

    def close(self):
        os.close(self.fd)

    def run(self, line, pattern):
        self.seen = b''
        os.write(self.fd, line + b'\n')
        self.until(pattern)


def linux(virsh, folder, words, devices):       # noqa: F811
    """A domain that boots this kernel, and its console."""
    boot = ('<kernel>%s</kernel><initrd>%s</initrd><cmdline>console=ttyS0 quiet no_timer_check %s</cmdline>'
            % (os.path.join(folder, 'vmlinuz'), os.path.join(folder, 'initrd'), words))
    virsh.run('define', write(virsh, 'guest.xml', domain('qemu', devices, boot)))
    virsh.run('start', 'guest', '--paused')
    console = Console(virsh.run('ttyconsole', 'guest'))
    virsh.run('resume', 'guest')
    return console


def test_power_button(virsh, demo):    # noqa: F811
    console = linux(virsh, demo, '', '')
    console.until(rb'/ # ')
    virsh.run('shutdown', 'guest', '--mode', 'acpi')
    until(lambda: virsh.run('domstate', 'guest', '--reason'), 'shut off (shutdown)')
    console.close()


def test_linux(virsh, drivers):        # noqa: F811
    """A guest with drivers: its console, its slots, its balloon."""
    extra = write(virsh, 'disk.xml', disk(image(virsh, 'extra.qcow2'), 'vdb'))
    card = write(virsh, 'nic.xml', nic(2))
    console = linux(virsh, drivers, 'drivers=balloon,net,blk', disk(image(virsh, 'root.qcow2'), 'vda') + nic(1))
    console.until(rb'Ready\.\r\n# ')
    console.run(b'grep -c processor /proc/cpuinfo; cat /sys/class/net/eth0/address',
                rb'\b2\r\n52:54:00:11:22:01\r\n')

    virsh.run('attach-device', 'guest', extra, '--live')
    virsh.run('attach-device', 'guest', card, '--live')
    console.run(b'until [ -e /sys/block/vdb ] && [ -e /sys/class/net/eth1 ]; do sleep 0.1; done; echo h""ere', rb'here')
    virsh.run('detach-device', 'guest', extra, '--live')
    virsh.run('detach-device', 'guest', card, '--live')
    assert column(virsh.run('domblklist', 'guest'), 0) == ['vda']
    assert column(virsh.run('domiflist', 'guest'), 0) == ['tap1']

    virsh.run('setmem', 'guest', '160M', '--live')
    until(lambda: re.search(r'actual (\d+)', virsh.run('dommemstat', 'guest')).group(1), '163840')
    until(lambda: 'usable' in virsh.run('dommemstat', 'guest'), True)       # the guest's own figures
    console.close()
