"""A whole Debian on a qcow2 disk, through SeaBIOS and GRUB, from every kind of disk there is; its installer."""
import os
import re
import subprocess

import pytest

from rhea import Machine, check_image

pytestmark = pytest.mark.slow

INSTALLER = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64'
needs_installer = pytest.mark.skipif(not os.path.isdir(INSTALLER), reason='no debian-installer-12-netboot-amd64')

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


def check_disk(image):
    """The image's own tables, then the guest's file system in it."""
    check_image(image)
    raw = image + '.raw'
    subprocess.run(['qemu-img', 'convert', '-O', 'raw', image, raw], check=True)
    fsck = subprocess.run(['e2fsck', '-fn', raw + '?offset=1048576'], check=False, capture_output=True, text=True)
    os.unlink(raw)
    assert fsck.returncode == 0, fsck.stdout


@pytest.mark.parametrize('kind', ['virtio', pytest.param('ide', marks=pytest.mark.long),
                                  pytest.param('scsi', marks=pytest.mark.long),
                                  pytest.param('usb', marks=pytest.mark.long)])
def test_debian_boots_writes_and_reboots(debian, tmp_path, kind):
    image = str(tmp_path / 'disk.qcow2')
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', debian, image], check=True)
    arguments = [word.replace('%s', image) for word in DISKS[kind]]
    with Machine('-accel', 'tcg', '-m', '512', '-nodefaults', *arguments, serial='wait') as machine:
        log_in(machine)
        machine.serial.send('dd if=/dev/urandom of=/root/data bs=64k count=64 conv=fsync\n')
        written = digest(machine)
        machine.serial.send('reboot\n')
        log_in(machine)
        assert digest(machine) == written
        machine.serial.send('poweroff\n')
        machine.qmp.event('SHUTDOWN', 120)
        assert machine.wait() == 0
    check_disk(image)


def expect_first_screen(machine):
    machine.serial.text_only = True
    machine.serial.expect('Select a language.*Choose the language', 600)


@pytest.mark.long
@needs_installer
def test_the_installer_asks_for_a_language():
    with Machine('-accel', 'tcg', '-m', '1G', '-nodefaults', '-kernel', INSTALLER + '/linux',
                 '-initrd', INSTALLER + '/initrd.gz', '-append', 'console=ttyS0', serial='wait') as machine:
        expect_first_screen(machine)


@pytest.mark.long
@needs_installer
def test_the_installer_comes_over_the_network(tmp_path):
    """iPXE from the NIC's ROM, PXELINUX, kernel and initial RAM disk: all by the user network's TFTP."""
    (tmp_path / 'debian-installer').symlink_to(os.path.dirname(INSTALLER))
    (tmp_path / 'pxelinux.0').symlink_to(INSTALLER + '/pxelinux.0')
    (tmp_path / 'ldlinux.c32').symlink_to(INSTALLER + '/boot-screens/ldlinux.c32')
    (tmp_path / 'pxelinux.cfg').mkdir()
    (tmp_path / 'pxelinux.cfg' / 'default').write_text(
        'default install\nlabel install\nkernel debian-installer/amd64/linux\n'
        'append initrd=debian-installer/amd64/initrd.gz console=ttyS0\n')
    with Machine('-accel', 'tcg', '-m', '1G', '-nodefaults', '-netdev',
                 'user,id=n,tftp=%s,bootfile=pxelinux.0' % tmp_path, '-device', 'virtio-net-pci,netdev=n',
                 serial='wait') as machine:
        expect_first_screen(machine)
