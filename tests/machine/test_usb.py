"""USB on the pc board: what people see of it, and firmware and Linux that use it."""
import hashlib
import os
import re

import pytest

from linux import Linux
from rhea import Machine, run
from test_firmware import needs_seabios

USB = ('-nodefaults', '-display', 'none', '-usb')


# ---- what people see ----

def test_without_usb():
    with Machine('-nodefaults', '-display', 'none', '-S') as machine:
        assert machine.qmp.hmp('info usb') == 'Error: USB support not enabled\n'
        assert machine.qmp.hmp('info mice') == '* Mouse #2: QEMU PS/2 Mouse\n'


def test_listings():
    with Machine(*USB, '-S', '-usbdevice', 'tablet') as machine:
        assert machine.qmp.hmp('info usb') == (
            '  Device 0.0, Port 1, Speed 12 Mb/s, Product QEMU USB Tablet\n')
        assert machine.qmp.hmp('info mice') == (
            '  Mouse #3: QEMU HID Tablet (absolute)\n* Mouse #2: QEMU PS/2 Mouse\n')
        assert machine.qmp.command('query-mice') == [
            {'name': 'QEMU HID Tablet', 'index': 3, 'current': False, 'absolute': True},
            {'name': 'QEMU PS/2 Mouse', 'index': 2, 'current': True, 'absolute': False}]
        tree = machine.qmp.hmp('info qtree')
    assert ('          dev: usb-tablet, id ""\n'
            '            usb_version = 2 (0x2)\n'
            '            display = ""\n'
            '            head = 0 (0x0)\n'
            '            port = ""\n'
            '            serial = ""\n'
            '            msos-desc = true\n'
            '            pcap = ""\n'
            '            addr 0.0, port 1, speed 12, name QEMU USB Tablet, attached\n') in tree


def test_plugging_and_unplugging():
    with Machine(*USB, '-S', '-device', 'usb-tablet,id=input0') as machine:
        qmp = machine.qmp
        qmp.hmp('device_add usb-mouse,id=um')
        qmp.hmp('device_add usb-kbd,id=uk')
        assert qmp.hmp('info usb') == (
            '  Device 0.0, Port 1, Speed 12 Mb/s, Product QEMU USB Tablet, ID: input0\n'
            '  Device 0.0, Port 2, Speed 12 Mb/s, Product QEMU USB Hub\n'
            '  Device 0.0, Port 2.1, Speed 12 Mb/s, Product QEMU USB Mouse, ID: um\n'
            '  Device 0.0, Port 2.2, Speed 12 Mb/s, Product QEMU USB Keyboard, ID: uk\n')
        assert qmp.hmp('info mice') == ('  Mouse #4: QEMU HID Mouse\n'
                                        '  Mouse #3: QEMU HID Tablet (absolute)\n'
                                        '* Mouse #2: QEMU PS/2 Mouse\n')
        qmp.hmp('mouse_set 3')
        assert qmp.hmp('info mice') == ('  Mouse #4: QEMU HID Mouse\n'
                                        '  Mouse #2: QEMU PS/2 Mouse\n'
                                        '* Mouse #3: QEMU HID Tablet (absolute)\n')
        for name in 'um', 'uk':
            qmp.command('device_del', id=name)
            assert qmp.event('DEVICE_DELETED')['data'] == {
                'device': name, 'path': '/machine/peripheral/' + name}
        assert qmp.hmp('info usb') == (
            '  Device 0.0, Port 1, Speed 12 Mb/s, Product QEMU USB Tablet, ID: input0\n'
            '  Device 0.0, Port 2, Speed 12 Mb/s, Product QEMU USB Hub\n')


@pytest.mark.parametrize('line,answer', [
    ('mouse_set 99', "Mouse at index '99' not found\n"),
    ('mouse_set 1', "Input device 'QEMU PS/2 Keyboard' is not a mouse\n"),
    ('device_add usb-tablet,port=9', 'Error: usb port 9 (bus usb-bus.0) not found (in use?)\n'),
    ('device_add usb-kbd,usb_version=3', 'Error: Invalid usb version 3 for usb hid device\n'),
    ('device_add usb-hub,ports=9', 'Error: num_ports (9) out of range (1..8)\n'),
    ('device_add usb-storage', 'Error: drive property not set\n'),
])
def test_hmp_refusals(line, answer):
    with Machine(*USB, '-S') as machine:
        assert machine.qmp.hmp(line) == answer


@pytest.mark.parametrize('word,text', [
    ('disk:x.raw', 'usb-storage'), ('bt', "could not add USB device 'bt'"),
    ('tablett', "Did you mean 'tablet'?"),
])
def test_usbdevice_refusals(word, text):
    result = run('-nodefaults', '-display', 'none', '-usbdevice', word)
    assert result.returncode == 1
    assert text in result.stderr


def event(kind, **data):
    return {'type': kind, 'data': data}


def test_input_send_event_is_checked_first():
    with Machine(*USB, '-S') as machine:
        rel = event('rel', axis='x', value=1)
        reply = machine.qmp.execute('input-send-event', events=[rel])
        assert reply['error']['desc'] == 'VM not running'
        reply = machine.qmp.execute('input-send-event', device='zz', events=[rel])
        assert reply['error'] == {'class': 'DeviceNotFound', 'desc': "Device 'zz' not found"}
        machine.qmp.command('cont')
        reply = machine.qmp.execute('input-send-event',
                                    events=[rel, event('abs', axis='x', value=1)])
        assert reply['error']['desc'] == 'Input handler not found for event type abs'
        machine.qmp.command('input-send-event',
                            events=[rel, event('btn', button='left', down=True)])


def test_input_send_event_at_a_screen():
    with Machine(*USB, '-device', 'VGA,id=screen', '-device', 'usb-mouse,id=mouse') as machine:
        rel = event('rel', axis='x', value=1)
        machine.qmp.command('input-send-event', device='screen', events=[rel])
        machine.qmp.command('input-send-event', device='screen', head=0, events=[rel])
        for device, head in ('screen', 1), ('mouse', 0):
            reply = machine.qmp.execute('input-send-event', device=device, head=head, events=[rel])
            assert reply['error']['desc'] == 'Device %s (head %d) is not bound to a QemuConsole' % (device, head)


# ---- firmware ----

# Prints the text in the second sector, then every key, on COM1 (the BIOS passes the drive in dl).
# xor ax,ax; mov ds,ax; mov es,ax; mov ax,201; mov bx,7e00; mov cx,2; mov dh,0; int 13;
# mov si,7e00; l: lodsb; test al,al; jz k; mov dx,3f8; out dx,al; jmp l;
# k: xor ah,ah; int 16; mov dx,3f8; out dx,al; jmp k
BOOT = bytes.fromhex('31c0 8ed8 8ec0 b80102 bb007e b90200 b600 cd13 be007e'
                     'ac 84c0 7406 baf803 ee ebf5 30e4 cd16 baf803 ee ebf6')


def boot_disk(path, text):
    path.write_bytes(BOOT.ljust(510, b'\0') + b'\x55\xaa' + text.encode().ljust(512 * 2047, b'\0'))
    return str(path)


@needs_seabios
def test_seabios_boots_from_a_stick_and_hears_a_keyboard(tmp_path):
    disk = boot_disk(tmp_path / 'disk', 'from the stick\n')
    with Machine(*USB, '-drive', 'if=none,id=d,format=raw,file=' + disk,
                 '-device', 'usb-storage,drive=d,bootindex=1', '-device', 'usb-kbd',
                 serial='wait') as machine:
        machine.serial.expect('from the stick\n', 120)
        for key in 'r', 'h', 'e', 'a':
            machine.qmp.hmp('sendkey ' + key)
        machine.serial.expect('rhea')
        listing = machine.qmp.hmp('info usb')
    assert re.search(r'Device 0\.[1-9]\d*, Port 1, .*QEMU USB MSD', listing)
    assert re.search(r'Device 0\.[1-9]\d*, Port 2\.1, .*QEMU USB Keyboard', listing)


# ---- Linux ----

@pytest.mark.slow
def test_linux_uses_keyboards_and_pointers(drivers):
    with Linux(drivers, 'usb', '-usb', '-device', 'usb-tablet', '-device', 'usb-kbd',
               '-device', 'usb-mouse') as guest:
        names = '/sys/class/input/event*/device/name'
        for name in 'Tablet', 'Keyboard', 'Mouse':
            guest.until('grep -q "QEMU USB %s" %s' % (name, names))
        assert 'error' not in guest.run('dmesg | grep -i usb')
        guest.run('for e in /dev/input/event*; do n=${e##*/}; cat $e > /tmp/$n & done')
        guest.run('sleep 1')        # the driver drops what comes in the first 50 ms after an open
        guest.qmp.hmp('sendkey shift-a')
        guest.qmp.hmp('mouse_set 3')
        guest.qmp.command('input-send-event', events=[event('abs', axis='x', value=0x4000),
                                                      event('abs', axis='y', value=0x1000)])
        guest.qmp.hmp('mouse_set 5')
        guest.qmp.hmp('mouse_move 5 -3 1')
        guest.qmp.hmp('mouse_button 1')
        log = ('for e in /dev/input/event*; do n=${e##*/}; '
               'echo "$(cat /sys/class/input/$n/device/name):" $(od -An -v -w24 -td2 /tmp/$n | '
               'while read a b c d e f g h t c v w; do '
               '[ $t = 0 -o $t = 4 ] || echo $t/$c/$v; done); done')
        guest.until('(%s) | grep -q "1/272/1"' % log)
        events = dict(line.split(':', 1) for line in guest.run(log).splitlines() if ':' in line)
        # type/code/value of linux/input-event-codes.h
        assert events['QEMU QEMU USB Keyboard'].split() == ['1/42/1', '1/30/1', '1/30/0', '1/42/0']
        assert events['QEMU QEMU USB Tablet'].split() == ['3/0/16384', '3/1/4096']
        assert [e for e in events['QEMU QEMU USB Mouse'].split() if not e.startswith('2/11/')] == [
            '2/0/5', '2/1/-3', '2/8/1', '1/272/1']
        assert events['AT Translated Set 2 keyboard'].strip() == ''


@pytest.mark.slow
def test_linux_reads_and_writes_a_stick(drivers, tmp_path):
    disk = tmp_path / 'disk'
    disk.write_bytes(bytes(4 << 20))
    cd = tmp_path / 'cd'
    cd.write_bytes(os.urandom(256 << 10))
    with Linux(drivers, 'usb', '-usb', '-drive', 'if=none,id=d,format=raw,file=%s' % disk,
               '-drive', 'if=none,id=c,format=raw,media=cdrom,file=%s' % cd,
               '-device', 'usb-storage,drive=c') as guest:
        guest.qmp.command('device_add', driver='usb-storage', drive='d', id='stick')
        guest.until('[ -b /dev/sda -a -b /dev/sr0 ]')
        guest.run('dd if=/dev/urandom of=/tmp/r bs=64k count=8 2>/dev/null')
        guest.run('dd if=/tmp/r of=/dev/sda bs=64k seek=3 conv=fsync 2>/dev/null')
        wrote = guest.run('md5sum < /tmp/r').split()[0]
        read = guest.run('dd if=/dev/sda bs=64k skip=3 count=8 iflag=direct 2>/dev/null | md5sum')
        assert read.split()[0] == wrote
        assert guest.run('md5sum < /dev/sr0').split()[0] == hashlib.md5(cd.read_bytes()).hexdigest()
        guest.qmp.command('device_del', id='stick')
        guest.until('[ ! -b /dev/sda ]')
    data = disk.read_bytes()
    assert hashlib.md5(data[3 << 16:11 << 16]).hexdigest() == wrote


@pytest.mark.slow
def test_linux_sees_devices_come_and_go(drivers):
    with Linux(drivers, 'usb', '-usb', '-device', 'usb-hub,id=hub,port=1') as guest:
        guest.until('ls /sys/bus/usb/devices | grep -q "^1-1$"')
        for _ in range(10):
            guest.qmp.command('device_add', driver='usb-mouse', id='m', port='1.3')
            guest.until('[ -e /sys/bus/usb/devices/1-1.3/product ]')
            guest.qmp.command('device_del', id='m')
            guest.until('[ ! -e /sys/bus/usb/devices/1-1.3 ]')
        guest.qmp.command('device_add', driver='usb-kbd', id='k', port='1.8')
        guest.until('[ -e /sys/bus/usb/devices/1-1.8/product ]')
        guest.qmp.command('device_del', id='hub')
        guest.until('[ ! -e /sys/bus/usb/devices/1-1 ]')
        deleted = {guest.qmp.event('DEVICE_DELETED')['data']['device'] for _ in range(12)}
        assert deleted == {'m', 'k', 'hub'}
