"""Nothing a guest was told is safe may be lost: a killed process, a full host disk."""
import os
import random
import subprocess
import time

import pytest

from linux import Linux
from rhea import check_image

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get('RHEA_CRASH_ROUNDS', '2'))
STRIDE = 137                                            # sectors between records: a cluster each

# Each record is on stable storage, as far as a guest can know, before it is told of.
WRITER = ('i=0; while true; do i=$((i+1)); printf "%%-511d\\n" $i | '
          'dd of=/dev/vda bs=512 seek=$((i*%d)) conv=notrunc,fsync 2>/dev/null; echo "@$i@"; done\n' % STRIDE)


def records_told(text):
    return [int(word) for word in text.split('@')[1::2] if word.isdigit()]


def check_records(image, count):
    """The image's tables hold, and every record the guest was told of is there."""
    check_image(image, allowed=(0, 3))                                         # 3: leaked clusters only
    subprocess.run(['qemu-img', 'convert', '-O', 'raw', image, image + '.raw'], check=True)
    with open(image + '.raw', 'rb') as disk:
        for number in range(1, count + 1):
            disk.seek(number * STRIDE * 512)
            assert disk.read(512).decode().strip() == str(number), number
    os.unlink(image + '.raw')


@pytest.mark.parametrize('cache', ['none', 'writeback'])
def test_a_killed_process_loses_nothing_that_was_synced(drivers, tmp_path, cache):
    for turn in range(ROUNDS):
        image = str(tmp_path / ('disk-%d.qcow2' % turn))
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '1G'], check=True)
        with Linux(drivers, 'blk', '-drive', 'file=%s,format=qcow2,if=virtio,cache=%s' % (image, cache)) as machine:
            machine.wait_for_shell()
            machine.serial.send(WRITER)
            text = machine.serial.expect('@%d@' % random.randint(3, 200), 120)
            deadline = time.monotonic() + random.random() / 20          # somewhere inside the next record
            while time.monotonic() < deadline:
                pass
            machine.process.kill()
            machine.process.wait()
            check_records(image, max(records_told(text)))
            machine.process.returncode = 0                              # as it was meant to end
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
