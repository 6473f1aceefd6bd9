"""Devices that come and go under a running guest, and what stays behind: nothing."""
import contextlib
import os

import pytest

from rhea import Machine

ADDR = '0000:00:10.0'


@contextlib.contextmanager
def boot(demo, *args):
    """The demo guest with its shell ready."""
    machine = Machine('-accel', 'tcg', '-m', '256', '-nodefaults',
                      '-kernel', os.path.join(demo, 'vmlinuz'), '-initrd', os.path.join(demo, 'initrd'),
                      '-append', 'console=ttyS0 quiet', *args, serial='wait')
    with machine:
        machine.serial.expect(r'~? # ', 120)
        yield machine


def shell(machine, command):
    machine.serial.send(command + '; echo done-$?\n')
    return machine.serial.expect(r'\r\ndone-\d+', 60).replace('\r\n', '\n')


def wait_in_guest(machine, test):
    shell(machine, 'until %s; do :; done' % test)


def leave(machine, name):
    """Waits until the device is gone, its inner one first."""
    while machine.qmp.event('DEVICE_DELETED')['data'].get('device') != name:
        pass


def footprint(machine):
    """Of the process: descriptors, mappings; of the machine: objects, regions."""
    proc = '/proc/%d/' % machine.process.pid
    with open(proc + 'maps', encoding='utf-8') as maps:
        mappings = len(maps.readlines())
    return {'descriptors': len(os.listdir(proc + 'fd')), 'mappings': mappings,
            'objects': machine.qmp.hmp('info qom-tree'), 'tree': machine.qmp.hmp('info qtree'),
            'regions': machine.qmp.hmp('info mtree'), 'memory': machine.qmp.hmp('info ramblock')}


DEVICES = [{'driver': 'virtio-rng-pci'}, {'driver': 'e1000'},
           {'driver': 'virtio-net-pci', 'netdev': 'n0'}, {'driver': 'virtio-blk-pci', 'drive': 'disk0'}]


@pytest.mark.slow
@pytest.mark.parametrize('device', DEVICES, ids=[device['driver'] for device in DEVICES])
def test_fifty_times_leaves_nothing_behind(demo, device):
    with boot(demo, '-netdev', 'user,id=n0', '-blockdev', 'null-co,node-name=disk0,size=1M') as machine:
        for turn in range(53):
            if turn == 3:                              # what is made once has been made
                before = footprint(machine)
            machine.qmp.command('device_add', id='d0', addr='10', **device)
            wait_in_guest(machine, '[ -e /sys/bus/pci/devices/%s ]' % ADDR)
            machine.qmp.command('device_del', id='d0')
            leave(machine, 'd0')
            wait_in_guest(machine, '[ ! -e /sys/bus/pci/devices/%s ]' % ADDR)
        after = footprint(machine)
        assert abs(after.pop('mappings') - before.pop('mappings')) < 10
        assert after == before


@pytest.mark.slow
def test_the_guest_can_let_go_by_itself(demo):
    with boot(demo, '-device', 'e1000,id=d0,addr=10') as machine:
        slot = shell(machine, 'grep -l %s /sys/bus/pci/slots/*/address' % ADDR[:-2]).split('\n')
        slot = [line for line in slot if line.endswith('/address')][0]
        machine.serial.send('echo 0 > %s\n' % slot.replace('address', 'power'))
        leave(machine, 'd0')
        assert 'e1000' not in machine.qmp.hmp('info pci')
        assert machine.qmp.command('qom-list', path='/machine/peripheral') == [
            {'name': 'type', 'type': 'string'}]


@pytest.mark.slow
def test_acpi_index_reaches_the_guest(demo):
    with boot(demo, '-device', 'e1000,addr=10,acpi-index=7') as machine:
        assert '\n7\n' in shell(machine, 'cat /sys/bus/pci/devices/%s/acpi_index' % ADDR)


def test_reset_unplugs_what_was_asked_to_go():
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-device', 'e1000,id=d0') as machine:
        machine.qmp.command('device_del', id='d0')
        assert machine.qmp.execute('device_del', id='d0')['error']['desc'] == \
            'Device d0 is already in the process of unplug'
        machine.qmp.command('system_reset')
        leave(machine, 'd0')
        assert machine.qmp.execute('device_del', id='d0')['error'] == {
            'class': 'DeviceNotFound', 'desc': "Device 'd0' not found"}
        machine.qmp.command('device_add', driver='e1000', id='d0')


def test_usb_devices_go_at_once():
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-device', 'piix3-usb-uhci') as machine:
        machine.qmp.command('device_add', driver='usb-mouse', id='m0')
        machine.qmp.command('device_del', id='m0')
        leave(machine, 'm0')


def test_slots_and_events_as_firmware_sees_them():
    """The ports at ae00: what came, what shall go, what can go; event 1 of the general purpose block."""
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-device', 'e1000,id=cold,addr=5') as machine:
        def port(address):
            return int(machine.qmp.hmp('i /w 0x%x' % address).split('=')[1], 16)
        assert port(0xae0c) == 0xfffffffc               # all but the chipset's
        assert port(0xae00) == 0                        # it was there from the start
        machine.qmp.command('device_add', driver='e1000', id='hot', addr='10')
        assert port(0xafe0) & 2
        assert port(0xae00) == 1 << 0x10
        assert port(0xae00) == 0                        # reading took the news
        machine.qmp.command('device_del', id='cold')
        assert port(0xae04) == 1 << 5
        machine.qmp.hmp('o /w 0xae10 1')                # of a bus there is not
        assert port(0xae04) == 0
        machine.qmp.hmp('o /w 0xae08 0x20')
        machine.qmp.hmp('o /w 0xae10 0')
        assert port(0xae04) == 1 << 5
        machine.qmp.hmp('o /w 0xae08 0x20')             # bit 5: let go
        leave(machine, 'cold')
        machine.qmp.hmp('o /w 0xae08 0x2')              # slot 1 stays whatever the guest says
        assert 'PIIX3' in machine.qmp.hmp('info qtree')
