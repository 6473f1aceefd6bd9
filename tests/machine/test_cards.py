"""Network boot through each NIC's option ROM; cards for serial and parallel ports; watchdogs."""
import os

import pytest

from rhea import Machine, run

TCG = ('-accel', 'tcg', '-nodefaults')

# Real mode: out 0x501 with 0x15, which isa-debug-exit makes into the exit code 0x2b.
BOOT_PROGRAM = bytes.fromhex('b015ba0105ee') + b'\xf4\xeb\xfd'


def has_rom(name):
    return any(os.path.exists(os.path.join(folder, name))
               for folder in ('/usr/share/qemu', '/usr/lib/ipxe/qemu'))


@pytest.mark.parametrize('device,rom', [
    ('e1000', 'efi-e1000.rom'),
    ('rtl8139', 'efi-rtl8139.rom'),
    ('virtio-net-pci', 'efi-virtio.rom'),
    ('virtio-net-pci,disable-legacy=on', 'efi-virtio.rom'),
])
def test_network_boot(tmp_path, device, rom):
    if not has_rom(rom):
        pytest.skip('no ' + rom)
    (tmp_path / 'boot').write_bytes(BOOT_PROGRAM.ljust(512, b'\0'))
    result = run(*TCG, '-m', '64', '-netdev', f'user,id=n,tftp={tmp_path},bootfile=boot',
                 '-device', device + ',netdev=n,bootindex=0', '-device', 'isa-debug-exit')
    assert result.returncode == 0x2b, result.stderr


def test_a_rom_that_is_named_must_be_there():
    result = run(*TCG, '-S', '-device', 'e1000,romfile=nosuch.rom')
    assert result.returncode == 1
    assert "could not find ROM file 'nosuch.rom'" in result.stderr


QTREE = """      dev: pci-serial-2x, id ""
        chardev1 = "c1"
        chardev2 = "c2"
        prog_if = 2 (0x2)
        addr = 04.0
""", """      dev: i6300esb, id ""
        addr = 03.0
""", """      dev: pci-serial, id ""
        prog_if = 2 (0x2)
        addr = 02.0
""", """          dev: isa-parallel, id ""
            index = 0 (0x0)
            iobase = 888 (0x378)
            irq = 7 (0x7)
            chardev = "c"
""", """        class Class 0880, addr 00:03.0, pci id 8086:25ab (sub 1af4:1100)
        bar 0: mem at 0xffffffffffffffff [0xe]
""", """        class Serial port, addr 00:04.0, pci id 1b36:0003 (sub 1af4:1100)
        bar 0: i/o at 0xffffffffffffffff [0xe]
"""


def test_cards_in_the_tree():
    chardevs = [arg for name in ('c', 'c1', 'c2') for arg in ('-chardev', 'null,id=' + name)]
    with Machine(*TCG, '-S', *chardevs, '-device', 'pci-serial', '-device', 'i6300esb',
                 '-device', 'pci-serial-2x,chardev1=c1,chardev2=c2',
                 '-device', 'isa-parallel,chardev=c') as machine:
        tree = machine.qmp.hmp('info qtree').replace('\r\n', '\n')
    for part in QTREE:
        assert part in tree


@pytest.mark.parametrize('args,error', [
    (['-watchdog-action', 'foo'], "Parameter 'watchdog' does not accept value 'foo'"),
    (['-action', 'watchdog=foo'], "Parameter 'watchdog' does not accept value 'foo'"),
    (['-device', 'isa-parallel'], "Can't create parallel device, empty char device"),
    (['-device', 'virtio-net-pci,speed=-2'], "'speed' must be between 0 and INT_MAX"),
])
def test_refused(args, error):
    result = run(*TCG, '-S', *args)
    assert result.returncode == 1
    assert error in result.stderr


def test_watchdog_actions():
    with Machine(*TCG, '-S', '-device', 'i6300esb', '-watchdog-action', 'none') as machine:
        qmp = machine.qmp
        for action in ('reset', 'shutdown', 'poweroff', 'inject-nmi', 'pause', 'debug', 'none'):
            assert qmp.command('watchdog-set-action', action=action) == {}
            assert qmp.command('set-action', watchdog=action) == {}
            assert qmp.hmp('watchdog_action ' + action) == ''
        assert 'error' in qmp.execute('watchdog-set-action', action='bogus')
        assert qmp.hmp('watchdog_action bogus').strip() == 'Error: invalid parameter value: bogus'
