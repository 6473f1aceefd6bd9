"""Nothing a guest was told is safe may be lost: a killed process, a full host disk."""
import os
import random
import re
import subprocess
import time

import pytest

from linux import Linux
from rhea import check_image

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get('RHEA_CRASH_ROUNDS', '2'))
STRIDE = 137                                            # sectors between records: a cluster each

DISKS = {'vda': 'none', 'vdb': 'writeback'}              # their cache modes

# Each record is on stable storage, as far as a guest can know, before it is told of.
WRITER = ('write() { i=0; while true; do i=$((i+1)); printf "%%-511d\\n" $i | dd of=/dev/$1 bs=512 seek=$((i*%d)) '
          'conv=notrunc,fsync 2>/dev/null; echo "@$1:$i@"; done; }; write vda & write vdb &\n' % STRIDE)


def records_told(text, disk):
    return [int(number) for number in re.findall('@%s:([0-9]+)@' % disk, text)]


def check_records(image, count):
    """The image's tables hold, and every record the guest was told of is there."""
    check_image(image, allowed=(0, 3))                                         # 3: leaked clusters only
    subprocess.run(['qemu-img', 'convert', '-O', 'raw', image, image + '.raw'], check=True)
    with open(image + '.raw', 'rb') as disk:
        for number in range(1, count + 1):
            disk.seek(number * STRIDE * 512)
            assert disk.read(512).decode().strip() == str(number), number
    os.unlink(image + '.raw')


def killed_at_work(drivers, images):
    """Kills a process somewhere inside a record; what the guest had printed by then."""
    args = [word for disk, cache in DISKS.items()
            for word in ('-drive', 'file=%s,format=qcow2,if=virtio,cache=%s' % (images[disk], cache))]
    with Linux(drivers, 'blk', *args) as machine:
        machine.wait_for_shell()
        machine.serial.send(WRITER)
        text = machine.serial.expect('@vd[ab]:%d@' % random.randint(3, 200), 240)
        deadline = time.monotonic() + random.random() / 20
        while time.monotonic() < deadline:
            pass
        machine.process.kill()
        machine.process.wait()
        machine.process.returncode = 0                              # as it was meant to end
        return text


@pytest.mark.parametrize('turn', range(ROUNDS))
def test_a_killed_process_loses_nothing_that_was_synced(drivers, tmp_path, turn):
    images = {disk: str(tmp_path / disk) for disk in DISKS}
    for image in images.values():
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '1G'], check=True)
    text = killed_at_work(drivers, images)
    for disk, image in images.items():
        check_records(image, max(records_told(text, disk), default=0))
        os.unlink(image)


def test_a_full_host_disk_stops_the_guest_and_loses_nothing(drivers, tmp_path):
    folder = tmp_path / 'small'
    folder.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8M', 'tmpfs', str(folder)], check=False).returncode:
        pytest.skip('mounting a small file system needs root')
    try:
        image = str(folder / 'disk.qcow2')
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '64M'], check=True)
        with Linux(drivers, 'blk', '-drive', 'file=%s,format=qcow2,if=virtio,id=d,werror=stop' % image) as machine:
            machine.wait_for_shell()
            machine.serial.send('dd if=/dev/urandom of=/tmp/data bs=1M count=24 2>/dev/null; sha256sum < /tmp/data; '
                                'dd if=/tmp/data of=/dev/vda bs=1M conv=fsync; echo written-$?\n')
            event = machine.qmp.event('BLOCK_IO_ERROR', 120)['data']
            assert event['device'] == 'd' and event['operation'] == 'write'
            assert event['action'] == 'stop' and event['nospace']
            machine.qmp.event('STOP')
            assert machine.qmp.command('query-status')['status'] == 'io-error'
            assert machine.qmp.command('query-block')[0]['io-status'] == 'nospace'
            subprocess.run(['mount', '-o', 'remount,size=64M', str(folder)], check=True)
            machine.qmp.command('cont')
            text = machine.serial.expect('written-0', 120)
            machine.serial.send('echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vda bs=1M count=24 2>/dev/null | '
                                'sha256sum; poweroff -f\n')
            machine.qmp.event('SHUTDOWN', 120)
            text += machine.serial.expect('Power down', 60)
            sums = [word for word in text.split() if len(word) == 64]
            assert len(sums) == 2 and sums[0] == sums[1], text
        check_image(image)
    finally:
        subprocess.run(['umount', str(folder)], check=True)
