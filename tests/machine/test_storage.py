"""IDE and SCSI: firmware boots from each kind of drive; monitors move media and devices."""
import os
import re

import pytest

from rhea import Machine

IPXE = '/usr/lib/ipxe/ipxe.iso'
RESCUE = '/usr/lib/grub-rescue/grub-rescue-cdrom.iso'
needs_rescue = pytest.mark.skipif(not os.path.exists(RESCUE), reason='no grub-rescue-pc package')

DRIVE = 'if=none,id=d,format=raw,snapshot=off,readonly=%s,file=' + RESCUE
SCSI = ['-device', 'virtio-scsi-pci,id=s']


def grub_prompt(machine):
    """From GRUB's menu to its prompt.  SeaBIOS moves the cursor wherever its timer finds the text."""
    machine.serial.text_only = True
    machine.serial.expect('GNU GRUB.*executed automatically', 60)
    machine.serial.send('c')
    machine.serial.expect('grub> ', 60)


@needs_rescue
@pytest.mark.slow
@pytest.mark.parametrize('args', [
    ['-cdrom', RESCUE],
    ['-drive', DRIVE % 'on', '-device', 'ide-cd,drive=d,bus=ide.0,unit=1'],
    [*SCSI, '-drive', DRIVE % 'on', '-device', 'scsi-cd,drive=d,bus=s.0'],
    [*SCSI, '-drive', DRIVE % 'on', '-device', 'scsi-hd,drive=d,bus=s.0,scsi-id=3,lun=2'],
], ids=['ide-cd', 'ide-cd slave', 'scsi-cd', 'scsi-hd'])
def test_grub_reaches_its_prompt(args):
    with Machine('-accel', 'tcg', '-nodefaults', '-machine', 'graphics=off', '-display', 'none', *args,
                 serial='wait') as machine:
        grub_prompt(machine)
        machine.serial.send('ls\r')
        machine.serial.expect(r'\((cd|hd)\d*\)', 60)


@needs_rescue
@pytest.mark.slow
def test_grub_boots_from_an_ide_disk(tmp_path):
    path = tmp_path / 'disk.img'
    with open(RESCUE, 'rb') as rescue:
        path.write_bytes(rescue.read())
    with Machine('-accel', 'tcg', '-nodefaults', '-machine', 'graphics=off', '-display', 'none',
                 '-drive', 'if=ide,format=raw,file=%s' % path, serial='wait') as machine:
        grub_prompt(machine)
        machine.serial.send('ls\r')
        machine.serial.expect(r'\(hd0\)', 60)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(IPXE), reason='no ipxe package')
def test_ipxe_reaches_its_prompt_and_the_network():
    """From its CD: the NIC brings no ROM of its own.  Its screen is the serial port by SeaBIOS."""
    with Machine('-accel', 'tcg', '-nodefaults', '-machine', 'graphics=off', '-display', 'none', '-cdrom', IPXE,
                 '-netdev', 'user,id=n', '-device', 'e1000,netdev=n,romfile=', serial='wait') as machine:
        machine.serial.text_only = True
        machine.serial.expect('iPXE initialising devices.*Press Ctrl-B for the iPXE command line')
        machine.serial.send('\x02')
        machine.serial.expect('iPXE> ')
        machine.serial.send('dhcp\r')
        machine.serial.expect('Configuring.*ok.*iPXE> ')
        machine.serial.send('show net0/ip\r')
        machine.serial.expect(r'10\.0\.2\.15')


def stopped(*args, **options):
    return Machine('-accel', 'tcg', '-nodefaults', '-display', 'none', '-S', *args, **options)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / 'disk.img'
    with open(path, 'wb') as image:
        image.truncate(16 << 20)
    return str(path)


def test_ide_in_the_tree(disk):
    with stopped('-drive', 'if=ide,format=raw,file=' + disk, '-device', 'ide-cd,bus=ide.1') as machine:
        tree = machine.qmp.hmp('info qtree')
        pci = machine.qmp.hmp('info pci')
    assert 'class IDE controller, addr 00:01.1, pci id 8086:7010 (sub 1af4:1100)' in tree
    assert re.search(r'bus: ide.0\s+type IDE\s+dev: ide-hd', tree)
    assert re.search(r'bus: ide.1\s+type IDE\s+dev: ide-cd', tree)
    for line in ('serial = "QM00001"', 'serial = "QM00003"', 'cyls = 32 (0x20)',
                 'bios-chs-trans = "none"'):
        assert line in tree
    assert 'IDE controller: PCI device 8086:7010' in pci


@pytest.mark.parametrize('args,error', [
    (['-device', 'ide-hd'], 'No drive specified'),
    (['-device', 'piix3-ide'], 'ports 1f0 and 170 belong to another IDE controller'),
    (['-device', 'virtio-scsi-pci,iothread=t', '-object', 'iothread,id=t'], 'iothread=: virtio-scsi'),
    (['-device', 'ide-cd,unit=2'], "Can't create IDE unit 2, bus supports only 2 units"),
    (['-device', 'ide-cd,unit=0,bus=ide.0', '-device', 'ide-cd,unit=0,bus=ide.0'],
     'IDE unit 0 is in use'),
    (['-drive', 'if=none,id=d,driver=null-co,readonly=on', '-device', 'ide-hd,drive=d'],
     'Block node is read-only'),
    (['-drive', 'if=none,id=d,driver=null-co,size=1M', '-device',
      'ide-hd,drive=d,logical_block_size=4096,physical_block_size=4096'],
     'logical_block_size must be 512 for IDE'),
    (['-device', 'scsi-cd'], "No 'SCSI' bus found for device 'scsi-cd'"),
    ([*SCSI, '-device', 'scsi-hd'], 'drive property not set'),
    ([*SCSI, '-device', 'scsi-cd,scsi-id=256'], 'bad scsi device id: 256'),
    (['-device', 'virtio-scsi-pci,num_queues=0'], 'Invalid number of queues'),
])
def test_refused(args, error):
    with stopped(*args, qmp=False) as machine:
        assert machine.wait() == 1
        assert error in machine.errors()


def test_scsi_disks_come_and_go(disk):
    with stopped(*SCSI) as machine:
        for _ in range(20):
            machine.qmp.command('blockdev-add', **{'driver': 'raw', 'node-name': 'n', 'file': {
                'driver': 'file', 'filename': disk}})
            machine.qmp.command('device_add', driver='scsi-hd', id='d', drive='n', bus='s.0')
            assert 'dev: scsi-hd, id "d"' in machine.qmp.hmp('info qtree')
            machine.qmp.command('device_del', id='d')
            assert machine.qmp.event('DEVICE_DELETED')['data']['device'] == 'd'
            machine.qmp.command('blockdev-del', **{'node-name': 'n'})
        assert 'scsi-hd' not in machine.qmp.hmp('info qtree')


@pytest.mark.parametrize('args', [
    ['-drive', 'if=none,id=cd,media=cdrom,file.driver=null-co,driver=raw', '-device', 'ide-cd,drive=cd'],
    [*SCSI, '-drive', 'if=none,id=cd,media=cdrom,file.driver=null-co,driver=raw', '-device',
     'scsi-cd,drive=cd'],
], ids=['ide-cd', 'scsi-cd'])
def test_trays(args):
    with stopped(*args) as machine:
        machine.qmp.command('blockdev-open-tray', device='cd')
        event = machine.qmp.event('DEVICE_TRAY_MOVED')
        assert event['data']['tray-open'] is True
        machine.qmp.command('blockdev-close-tray', device='cd')
        assert machine.qmp.event('DEVICE_TRAY_MOVED')['data']['tray-open'] is False
        assert machine.qmp.hmp('eject cd') == ''
        assert '[not inserted]' in machine.qmp.hmp('info block')
