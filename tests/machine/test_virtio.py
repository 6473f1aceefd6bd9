"""Virtio devices under Linux: disks, balloon, console ports, random numbers; old and new interface."""
import hashlib
import os
import random
import time

import pytest

from linux import Linux
from rhea import Machine, Stream

pytestmark = pytest.mark.slow


def make_disk(tmp_path, megabytes=16):
    path = tmp_path / 'disk.raw'
    with open(path, 'wb') as disk:
        disk.truncate(megabytes << 20)
    return str(path)


def drive(path, **options):
    more = ''.join(',%s=%s' % item for item in options.items())
    return ['-drive', 'file=%s,if=none,id=d0,format=raw%s' % (path, more)]


# ---- disks ----

@pytest.mark.parametrize('device', [
    'virtio-blk-pci',
    'virtio-blk-pci,iothread=t0',
    'virtio-blk-pci,disable-modern=on,vectors=0',
    'virtio-blk-pci,ioeventfd=off,event_idx=off,indirect_desc=off,queue-size=16',
    'virtio-blk-pci-non-transitional,iothread=t0,page-per-vq=on',
], ids=['plain', 'iothread', 'legacy', 'simple', 'non-transitional'])
def test_disk(drivers, tmp_path, device):
    path = make_disk(tmp_path)
    args = drive(path) + ['-object', 'iothread,id=t0', '-device', device + ',drive=d0,serial=disk-7']
    with Linux(drivers, 'blk', *args) as guest:
        assert guest.run('cat /sys/block/vda/size /sys/block/vda/serial') == '32768\ndisk-7'
        sums = guest.run('dd if=/dev/urandom of=/tmp/x bs=64k count=128 2>/dev/null; md5sum < /tmp/x; '
                         'dd if=/tmp/x of=/dev/vda bs=64k conv=fsync 2>/dev/null; '
                         'echo 3 > /proc/sys/vm/drop_caches; '
                         'dd if=/dev/vda bs=4k count=2048 2>/dev/null | md5sum').split()
        assert sums[0] == sums[2]
        with open(path, 'rb') as disk:
            assert hashlib.md5(disk.read(8 << 20)).hexdigest() == sums[0]
        guest.run('mke2fs -F /dev/vda >/dev/null 2>&1; mkdir -p /mnt; mount /dev/vda /mnt; '
                  'cp /tmp/x /mnt; umount /mnt; mount /dev/vda /mnt; cmp /tmp/x /mnt/x; umount /mnt')
        guest.run('! dd if=/dev/vda of=/dev/null bs=512 skip=32768 count=1 iflag=direct 2>/dev/null'
                  ' | grep .')


def test_discard_makes_holes(drivers, tmp_path):
    path = make_disk(tmp_path)
    with Linux(drivers, 'blk', *drive(path, discard='unmap'),
               '-device', 'virtio-blk-pci,drive=d0') as guest:
        guest.run('dd if=/dev/urandom of=/dev/vda bs=1M count=8 conv=fsync 2>/dev/null')
        assert os.stat(path).st_blocks * 512 >= 8 << 20
        guest.run('blkdiscard /dev/vda')
        assert os.stat(path).st_blocks * 512 < 1 << 20


def test_read_only_disk(drivers, tmp_path):
    path = make_disk(tmp_path)
    with Linux(drivers, 'blk', *drive(path, readonly='on'),
               '-device', 'virtio-blk-pci,drive=d0') as guest:
        assert guest.run('cat /sys/block/vda/ro') == '1\n'
        guest.run('! dd if=/dev/zero of=/dev/vda count=1 2>/dev/null')


@pytest.mark.parametrize('iothread', ['', ',iothread=t0'], ids=['main', 'iothread'])
def test_reset_and_stops_at_work(drivers, tmp_path, iothread):
    """The machine stops and goes on, and is reset, while requests are under way."""
    path = make_disk(tmp_path)
    with Linux(drivers, 'blk', *drive(path), '-object', 'iothread,id=t0',
               '-device', 'virtio-blk-pci,drive=d0' + iothread) as guest:
        guest.run('dd if=/dev/urandom of=/dev/vda bs=1M count=16 2>/dev/null; sync')
        guest.start('(while :; do dd if=/dev/vda of=/dev/null bs=64k iflag=direct 2>/dev/null; done)')
        for _ in range(20):
            guest.qmp.command('stop')
            before = guest.qmp.hmp('info blockstats')
            assert guest.qmp.hmp('info blockstats').split('idle')[0] == before.split('idle')[0]
            guest.qmp.command('cont')
        assert guest.run('echo alive') == 'alive\n'
        guest.qmp.command('system_reset')
        guest.booted()
        guest.run('dd if=/dev/vda of=/dev/null bs=64k iflag=direct')


@pytest.mark.parametrize('iothread', ['', ',iothread=t0'], ids=['main', 'iothread'])
def test_disks_come_and_go(drivers, tmp_path, iothread):
    path = make_disk(tmp_path)
    with Linux(drivers, 'blk', '-object', 'iothread,id=t0') as guest:
        for turn in range(5):
            guest.qmp.command('blockdev-add', driver='raw', node_name='n0',
                              file={'driver': 'file', 'filename': path})
            guest.qmp.hmp('device_add virtio-blk-pci,drive=n0,id=v0' + iothread)
            guest.until('( : < /dev/vda ) 2>/dev/null')     # the node is there before what it stands for
            guest.run('dd if=/dev/vda of=/dev/null bs=64k iflag=direct')
            guest.qmp.command('device_del', id='v0')
            while guest.qmp.event('DEVICE_DELETED')['data'].get('device') != 'v0':
                pass
            guest.until('[ ! -e /dev/vda ]')
            guest.qmp.command('blockdev-del', node_name='n0')
        assert 'virtio' not in guest.qmp.hmp('info qtree')
        threads = os.listdir('/proc/%d/task' % guest.process.pid)
        assert len(threads) < 40


# ---- balloon ----

def resident(guest):
    with open('/proc/%d/statm' % guest.process.pid, encoding='ascii') as statm:
        return int(statm.read().split()[1]) * 4096


def test_balloon(drivers):
    with Linux(drivers, 'balloon', '-device', 'virtio-balloon-pci,id=b0') as guest:
        guest.run('dd if=/dev/zero of=/tmp/x bs=1M count=100 2>/dev/null; rm /tmp/x')
        before = resident(guest)
        assert guest.qmp.hmp('info balloon') == 'balloon: actual=256\n'
        guest.qmp.command('balloon', value=128 << 20)
        while guest.qmp.command('query-balloon')['actual'] > 128 << 20:
            guest.qmp.event('BALLOON_CHANGE')
        assert before - resident(guest) > 64 << 20
        guest.qmp.hmp('balloon 256')
        guest.until('[ $(free -m | awk \'/Mem/ { print $2 }\') -gt 200 ]')
        path = '/machine/peripheral/b0'
        guest.qmp.command('qom-set', path=path, property='guest-stats-polling-interval', value=1)
        deadline = time.monotonic() + 30
        while True:
            stats = guest.qmp.command('qom-get', path=path, property='guest-stats')
            if stats['stats']['stat-total-memory'] < 256 << 20 or time.monotonic() > deadline:
                break
        assert 150 << 20 < stats['stats']['stat-total-memory'] < 256 << 20
        assert abs(stats['last-update'] - time.time()) < 60


def test_balloon_errors(demo):
    with Machine('-S', '-nodefaults', '-accel', 'tcg') as machine:
        error = machine.qmp.execute('query-balloon')['error']
        assert error == {'class': 'DeviceNotActive', 'desc': 'No balloon device has been activated'}
        assert machine.qmp.hmp('info balloon') == 'Error: No balloon device has been activated\n'
        machine.qmp.command('device_add', driver='virtio-balloon-pci', id='b0')
        error = machine.qmp.execute('balloon', value=0)['error']
        assert error['desc'] == "Parameter 'target' expects a size"
        error = machine.qmp.execute('device_add', driver='virtio-balloon')['error']
        assert error['desc'] == 'Only one balloon device is supported'


# ---- console and ports ----

def test_console_and_ports(drivers, tmp_path):
    console, port = str(tmp_path / 'console'), str(tmp_path / 'port')
    args = ['-device', 'virtio-serial-pci,id=vs',
            '-chardev', 'socket,id=c0,path=%s,server=on,wait=off' % console,
            '-chardev', 'socket,id=c1,path=%s,server=on,wait=off' % port,
            '-device', 'virtconsole,chardev=c0', '-chardev', 'null,id=c2',
            '-device', 'virtserialport,bus=vs.0,chardev=c1,name=org.rhea.0,id=p1']
    with Linux(drivers, 'console', *args) as guest:
        line, pipe = Stream(console), Stream(port)
        guest.until('[ -e /dev/hvc0 -a -e /dev/vport0p1 ]')
        assert 'org.rhea.0\n' in guest.run('cat /sys/class/virtio-ports/*/name')
        guest.start('(read word; echo got-$word) < /dev/hvc0 > /dev/hvc0')
        line.send('hello\n')
        line.expect('got-hello')

        data = random.Random(1).randbytes(400000).hex()
        guest.start('cat < /dev/vport0p1 > /tmp/x')
        event = guest.qmp.event('VSERPORT_CHANGE')
        assert event['data'] == {'id': 'p1', 'open': True}
        pipe.send(data)
        guest.until('[ $(wc -c < /tmp/x) -ge %d ]' % len(data))
        md5 = hashlib.md5(data.encode()).hexdigest()
        assert guest.run('md5sum < /tmp/x').split()[0] == md5
        guest.run('kill $!')
        assert guest.qmp.event('VSERPORT_CHANGE')['data'] == {'id': 'p1', 'open': False}
        guest.start('cat /tmp/x > /dev/vport0p1')       # more than anything on the way holds
        assert hashlib.md5(pipe.expect(data[-64:] + '$').encode()).hexdigest() == md5

        guest.qmp.hmp('device_add virtserialport,chardev=c2,name=late,id=p2')
        guest.until('grep -q late /sys/class/virtio-ports/*/name')
        guest.qmp.command('device_del', id='p2')
        guest.until('! grep -q late /sys/class/virtio-ports/*/name')


@pytest.mark.parametrize('args,error', [
    (['virtio-serial-pci,max_ports=0'], 'Maximum number of serial ports not specified'),
    (['virtserialport'], "No 'virtio-serial-bus' bus found for device 'virtserialport'"),
    (['virtio-serial-pci', 'virtserialport,nr=0'], 'Port number 0 on virtio-serial devices reserved'),
    (['virtio-serial-pci', 'virtconsole,nr=3', 'virtserialport,nr=3'], 'A port already exists at id 3'),
    (['virtio-serial-pci', 'virtserialport,nr=40'], 'Out-of-range port id specified, max. allowed: 30'),
    (['virtio-serial-pci', 'virtserialport,name=a', 'virtserialport,name=a'],
     'A port already exists by name a'),
    (['virtio-blk-pci'], 'drive property not set'),
    (['virtio-rng-pci,period=0'], "'period' parameter expects a positive integer"),
    (['virtio-rng-pci,packed=on'], 'packed rings are not modelled'),
    (['virtio-rng-pci,disable-legacy=on,disable-modern=on'], 'neither modern nor legacy mode'),
])
def test_refused(args, error):
    devices = [word for arg in args for word in ('-device', arg)]
    with Machine('-S', '-nodefaults', '-accel', 'tcg', *devices, qmp=False) as machine:
        assert machine.wait() == 1
        assert error in machine.errors()


# ---- random numbers ----

@pytest.mark.parametrize('device', ['virtio-rng-pci', 'virtio-rng-pci,disable-modern=on',
                                    'virtio-rng-pci,rng=r0,max-bytes=4096,period=100'])
def test_random_numbers(drivers, device):
    with Linux(drivers, 'rng', '-object', 'rng-random,id=r0,filename=/dev/urandom',
               '-device', device) as guest:
        assert guest.run('cat /sys/class/misc/hw_random/rng_current') == 'virtio_rng.0\n'
        sums = guest.run('for i in 1 2; do dd if=/dev/hwrng bs=512 count=4 2>/dev/null | md5sum; done')
        first, second = sums.split()[0::2]
        assert first != second
