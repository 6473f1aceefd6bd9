"""libvirt's own emulator driver inside one virsh, in a folder and a network namespace of its own.

Nothing of the system's libvirt is used or changed: qemu:///embed keeps everything below one folder.
"""
import os
import select
import shutil
import subprocess
import tempfile

import pytest

from rhea import TIMEOUT, binary

DRIVER = 'libvirt/connection-driver/libvirt_driver_qemu.so'
LIBRARIES = ('/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib')
CONFIG = '''stdio_handler = "file"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
'''
PROMPT = 'virsh # '


def missing():
    """Why libvirt cannot be used here; None: it can."""
    if os.geteuid() != 0:
        return 'libvirt needs root'
    if shutil.which('virsh') is None or not any(os.path.exists(os.path.join(d, DRIVER)) for d in LIBRARIES):
        return 'libvirt is not installed'
    if subprocess.run(['unshare', '-n', 'true'], check=False, capture_output=True).returncode != 0:
        return 'no network namespaces'
    return None


class VirshError(Exception):
    pass


class Virsh:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, 'root', 'etc'))
        with open(self.path('root', 'etc', 'qemu.conf'), 'w', encoding='utf-8') as file:
            file.write(CONFIG)
        uri = 'qemu:///embed?root=' + self.path('root')
        self.errors = open(self.path('stderr'), 'wb')
        self.process = subprocess.Popen(['unshare', '-n', 'sh', '-c', 'ip link set lo up; exec virsh -q -c "$0"', uri], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        self.read(PROMPT)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def read(self, end):
        """What comes until `end`, and nothing behind it: virsh waits for its next command then."""
        text = ''
        while not text.endswith(end):
            assert select.select([self.process.stdout], [], [], TIMEOUT)[0], text
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.path('stderr')
            text += data.decode()
        return text[:-len(end)]

    def ask(self, *words):
        """What a command printed, and what went wrong (empty: nothing)."""
        before = os.path.getsize(self.path('stderr'))
        line = ' '.join("'%s'" % word for word in words)
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()
        text = self.read(PROMPT).split('\n', 1)[1]              # the line is echoed
        with open(self.path('stderr'), encoding='utf-8') as file:
            file.seek(before)
            errors = [line for line in file.read().splitlines() if line.startswith('error:')]
        return text.strip(), '\n'.join(errors)

    def run(self, *words):
        """What a command printed; it must not fail."""
        text, error = self.ask(*words)
        if error:
            raise VirshError('%s: %s' % (' '.join(words), error))
        return text

    def inside(self, *command):
        """Runs a program where its domains listen."""
        return subprocess.run(['nsenter', '--net=/proc/%d/ns/net' % self.process.pid, *command], check=False,
                              capture_output=True, text=True, timeout=TIMEOUT)

    def close(self):
        self.process.stdin.close()
        self.process.wait(TIMEOUT)
        self.process.stdout.close()
        self.errors.close()


@pytest.fixture(scope='module')
def virsh():
    why = missing()
    if why:
        pytest.skip(why)
    folder = tempfile.mkdtemp(prefix='rhea-')               # short: sockets are far below it
    shell = Virsh(folder)
    yield shell
    shell.close()
    shutil.rmtree(folder)


def domain(kind, devices, boot=''):
    """A domain's description, much as virt-install writes it, but for a display."""
    return '''<domain type='%s'><name>guest</name>
  <memory unit='MiB'>256</memory><vcpu>2</vcpu><iothreads>1</iothreads>
  <os><type arch='x86_64' machine='pc'>hvm</type>%s</os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact' check='none'><model>qemu64</model></cpu>
  <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>
    <timer name='hpet' present='no'/></clock>
  <on_crash>preserve</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices><emulator>%s</emulator>
    <controller type='usb' index='0' model='piix3-uhci'/>
    <controller type='virtio-serial' index='0'/>
    <serial type='pty'/><console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <input type='tablet' bus='usb'/>
    <memballoon model='virtio'><stats period='1'/></memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <panic model='isa'/>
    %s</devices></domain>''' % (kind, boot, os.path.abspath(binary()), devices)
