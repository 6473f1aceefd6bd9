"""A whole Debian on a qcow2 disk, through SeaBIOS and GRUB, from every kind of disk there is."""
import os
import re
import subprocess

import pytest

from rhea import Machine

pytestmark = pytest.mark.slow

DISKS = {
    'virtio': ['-drive', 'file=%s,format=qcow2,if=virtio'],
    'ide': ['-drive', 'file=%s,format=qcow2,if=ide'],
    'scsi': ['-device', 'virtio-scsi-pci', '-drive', 'file=%s,format=qcow2,if=none,id=d', '-device', 'scsi-hd,drive=d'],
    'usb': ['-device', 'piix3-usb-uhci', '-drive', 'file=%s,format=qcow2,if=none,id=d',
            '-device', 'usb-storage,drive=d'],
}


def log_in(machine):
    machine.serial.expect('login: ', 300)
    machine.serial.send('root\n')
    machine.serial.expect('assword: ', 60)
    machine.serial.send('rhea\n')
    machine.serial.expect(r'~# ', 60)


def digest(machine):
    machine.serial.send('sha256sum /root/data\n')
    return re.search(r'[0-9a-f]{64}', machine.serial.expect(r'[0-9a-f]{64}  /root', 60)).group()


def check_image(image):
    """The image's own tables, then the guest's file system in it."""
    subprocess.run(['qemu-img', 'check', '-q', image], check=True)
    raw = image + '.raw'
    subprocess.run(['qemu-img', 'convert', '-O', 'raw', image, raw], check=True)
    fsck = subprocess.run(['e2fsck', '-fn', raw + '?offset=1048576'], check=False, capture_output=True, text=True)
    os.unlink(raw)
    assert fsck.returncode == 0, fsck.stdout


@pytest.mark.parametrize('kind', ['virtio', 'ide', pytest.param('scsi', marks=pytest.mark.long),
                                  pytest.param('usb', marks=pytest.mark.long)])
def test_debian_boots_writes_and_reboots(debian, tmp_path, kind):
    image = str(tmp_path / 'disk.qcow2')
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', debian, image], check=True)
    arguments = [word.replace('%s', image) for word in DISKS[kind]]
    with Machine('-accel', 'tcg', '-m', '512', '-nodefaults', *arguments, serial='wait') as machine:
        log_in(machine)
        machine.serial.send('dd if=/dev/urandom of=/root/data bs=64k count=64 conv=fsync\n')
        written = digest(machine)
        if kind == 'virtio':                            # once is enough for what all have in common
            machine.serial.send('reboot\n')
            log_in(machine)
            assert digest(machine) == written
        machine.serial.send('poweroff\n')
        machine.qmp.event('SHUTDOWN', 120)
        assert machine.wait() == 0
    check_image(image)
