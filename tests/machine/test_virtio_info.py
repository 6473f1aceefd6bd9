"""What the monitor shows of a virtio device whose driver, firmware's, has read one sector."""
import time

import pytest

from rhea import TIMEOUT, Machine

DISK = '/machine/peripheral/v/virtio-backend'


@pytest.mark.parametrize('thread', [[], ['-object', 'iothread,id=i0']], ids=['main loop', 'iothread'])
def test_queue_of_a_disk(thread):
    with Machine('-accel', 'tcg', '-nodefaults', '-display', 'none', *thread,
                 '-blockdev', 'null-co,node-name=d,read-zeroes=on,size=1M',
                 '-device', 'virtio-blk-pci,drive=d,id=v' + (',iothread=i0' if thread else '')) as machine:
        qmp = machine.qmp
        deadline = time.monotonic() + TIMEOUT
        while qmp.command('x-query-virtio-queue-status', path=DISK, queue=0)['used-idx'] == 0:
            assert time.monotonic() < deadline
        status = qmp.command('x-query-virtio-status', path=DISK)
        assert status['started'] and status['name'] == 'virtio-blk' and status['num-vqs'] == 1
        assert 'VIRTIO_F_VERSION_1' in status['guest-features']['transports']
        assert 'VIRTIO_BLK_F_FLUSH' in status['host-features']['dev-features']
        assert 'VIRTIO_CONFIG_S_DRIVER_OK' in status['status']['statuses']
        queue = qmp.command('x-query-virtio-queue-status', path=DISK, queue=0)
        assert queue['last-avail-idx'] == 1 and queue['inuse'] == 0 and queue['vring-desc'] != 0
        element = qmp.command('x-query-virtio-queue-element', path=DISK, queue=0, index=0)
        assert [(desc['len'], desc['flags']) for desc in element['descs']] == [
            (16, ['next']), (512, ['next', 'write']), (1, ['write'])]       # head, sector, status
        assert 'len 512 (next, write),\n' in qmp.hmp('info virtio-queue-element %s 0 0' % DISK)
