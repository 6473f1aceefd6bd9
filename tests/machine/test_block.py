"""Disks: the command line, monitors, locks between processes, and errors of the host."""
import os
import re
import resource

import pytest

from boot_sector import assemble
from rhea import Machine, run

PAUSED = ['-accel', 'tcg', '-S', '-display', 'none']
BARE = PAUSED + ['-nodefaults']


def image(tmp_path, name='disk.raw', size=1 << 20):
    path = tmp_path / name
    path.write_bytes(b'')
    os.truncate(path, size)
    return str(path)


# ---- the command line ----

# Arguments ("%" is an image), what standard error must say.
MISTAKES = [
    (['nosuch.img'], "nosuch.img: Could not open 'nosuch.img': No such file or directory"),
    (['-hda', 'nosuch.img'], "-hda nosuch.img: Could not open 'nosuch.img': No such file"),
    (['-drive', 'file=%,format=raw,if=scsi'], 'does not support if=scsi,bus=0,unit=0'),
    (['-drive', 'file=%,format=raw,if=floppy'], 'does not support if=floppy,bus=0,unit=0'),
    (['-drive', 'file=%,format=raw,index=4'], 'does not support if=ide,bus=2,unit=0'),
    (['-drive', 'file=%,format=raw,if=virtioo'], "Did you mean 'virtio'?"),
    (['-drive', 'file=%,format=raaw'], "Did you mean 'raw'?"),
    (['-drive', 'file=%,format=raw,cache=fast'], 'invalid cache option'),
    (['-drive', 'file=%,format=raw,bogus=1'], "does not support the option 'bogus'"),
    (['-drive', 'file=iscsi://x/y'], "Unknown protocol 'iscsi'"),
    (['-drive', 'file=%,format=raw,throttling.iops-total=9,iops=9'],
     "'throttling.iops-total' and its alias 'iops' can't be used at the same time"),
    (['-drive', 'file=%,format=raw,iops_max=9'],
     'bps_max/iops_max require corresponding bps/iops values'),
    (['-drive', 'file=%,format=raw,index=0', '-hda', '%'], 'drive with bus=0, unit=0 (index=0)'),
    (['-drive', 'file=%,format=raw,if=virtio', '-drive', 'file=%,format=raw,if=virtio'],
     'Failed to get "write" lock\nIs another process using the image [%]?'),
    (['-drive', 'if=none,id=d', '-device', 'virtio-blk-pci,drive=d'],
     'Device needs media, but drive is empty'),
    (['-device', 'virtio-blk-pci,drive=d'], "can't find value 'd'"),
    (['-drive', 'file=%,format=raw,if=none,id=d,readonly=on', '-device', 'ide-hd,drive=d'],
     'Block node is read-only'),
    (['-blockdev', 'file,filename=%,node-name=f', '-device', 'virtio-blk-pci,drive=f',
      '-device', 'virtio-blk-pci,drive=f'], "Permission conflict on node 'f'"),
    (['-blockdev', 'nosuch,node-name=n'], "Parameter 'driver' does not accept value 'nosuch'"),
    (['-blockdev', 'raw,node-name=r,file=f'], "Cannot find device='f' nor node-name='f'"),
]


@pytest.mark.parametrize('arguments,text', MISTAKES, ids=lambda value: ' '.join(value)[:40])
def test_a_mistake_is_refused(arguments, text, tmp_path):
    path = image(tmp_path)
    result = run(*BARE, *[word.replace('%', path) for word in arguments])
    assert result.returncode == 1
    assert text.replace('%', path) in result.stderr


def test_a_guessed_raw_image_is_warned_of(tmp_path):
    path = image(tmp_path)
    with Machine(*BARE, path) as machine:
        assert machine.errors().startswith(
            "WARNING: Image format was not specified for '%s' and probing guessed raw.\n" % path)


def test_formats_are_listed():
    result = run('-drive', 'format=help')
    assert result.returncode == 0
    assert re.match(r'Supported formats: .*\bqcow2\b.*\braw\b', result.stdout)


# ---- what monitors show ----

def test_info_block(tmp_path):
    path, cd = image(tmp_path), image(tmp_path, 'boot.iso', 4096)
    with Machine(*PAUSED, '-net', 'none',
                 '-drive', 'file=%s,format=raw,if=virtio,cache=none' % path,
                 '-drive', 'file=%s,format=raw,if=none,id=x,readonly=on,detect-zeroes=on' % cd) \
            as machine:
        text = re.sub(r'#block\d+', '#block', machine.qmp.hmp('info block'))
        text = re.sub(r'device\[\d+\]\n', 'device[n]\n', text)
        assert text == ('virtio0 (#block): %s (raw)\n'
                        '    Attached to:      /machine/peripheral-anon/device[0]/virtio-backend\n'
                        '    Cache mode:       writeback, direct\n'
                        '\n'
                        'x (#block): %s (raw, read-only)\n'
                        '    Removable device: not locked, tray closed\n'
                        '    Cache mode:       writeback\n'
                        '    Detect zeroes:    on\n'
                        '\n'
                        'ide1-cd0: [not inserted]\n'
                        '    Attached to:      /machine/unattached/device[n]\n'
                        '    Removable device: not locked, tray closed\n' % (path, cd))
        assert machine.qmp.hmp('info block nosuch') == ''
        verbose = machine.qmp.hmp('info block -v virtio0')
        assert ('\nImages:\nimage: %s\nfile format: raw\nvirtual size: 1 MiB (1048576 bytes)\n'
                'disk size: ' % path) in verbose
        nodes = machine.qmp.hmp('info block -n')
        assert nodes.count('(raw') == 2 and nodes.count('(file') == 2
        assert machine.qmp.hmp('info blockstats').startswith(
            'virtio0: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0 flush_operations=0 '
            'wr_total_time_ns=0 rd_total_time_ns=0 flush_total_time_ns=0 rd_merged=0 wr_merged=0 '
            'idle_time_ns=0\n')


def test_drives_come_and_go(tmp_path):
    path = image(tmp_path)
    with Machine(*BARE) as machine:
        hmp = machine.qmp.hmp
        assert hmp('drive_add 0 file=nosuch.img,if=none') == \
            "Could not open 'nosuch.img': No such file or directory\n"
        assert hmp('drive_add 0 if=nosuch').startswith("unsupported bus type 'nosuch'\n")
        assert hmp('drive_add 0 file=%s,format=raw,if=none,id=d' % path) == 'OK\n'
        assert hmp('drive_add 0 if=none,id=d') == "Duplicate ID 'd' for drive\n"
        assert hmp('device_add virtio-blk-pci,drive=d,id=v') == ''
        assert 'Attached to:      /machine/peripheral/v/virtio-backend' in hmp('info block d')
        assert hmp('block_resize d 2M') == ''
        assert os.stat(path).st_size == 2 << 20
        assert hmp('eject d') == "Error: Device 'd' is not removable\n"
        assert hmp('block_resize nosuch 1G') == \
            "Error: Cannot find device='nosuch' nor node-name=''\n"
        assert hmp('drive_del d') == ''
        assert '[not inserted]' in hmp('info block')
        assert hmp('drive_del d') == "Device 'd' not found\n"
        assert hmp('eject') == \
            'eject: block device name expected\nTry "help eject" for more information\n'


def test_nodes_come_and_go(tmp_path):
    path = image(tmp_path)
    with Machine(*BARE) as machine:
        qmp = machine.qmp
        qmp.command('blockdev-add', driver='file', node_name='f', filename=path)
        qmp.command('blockdev-add', driver='raw', node_name='r', file='f', offset=512, size=1024)
        nodes = qmp.command('query-named-block-nodes', flat=True)
        assert [node['node-name'] for node in nodes] == ['r', 'f']
        assert nodes[0]['image']['virtual-size'] == 1024
        assert qmp.execute('blockdev-del', node_name='f')['error']['desc'] == 'Node f is in use'
        assert qmp.execute('blockdev-add', driver='raw', node_name='s', file='f',
                           bogus=1)['error']['desc'] == "Parameter 'bogus' is unexpected"
        qmp.command('device_add', driver='virtio-blk-pci', id='v', drive='r')
        drive = qmp.command('query-block')[0]
        assert (drive['device'], drive['qdev']) == ('', '/machine/peripheral/v/virtio-backend')
        assert drive['inserted']['node-name'] == 'r' and drive['io-status'] == 'ok'
        stats = qmp.command('query-blockstats')[0]
        assert stats['node-name'] == 'r' and stats['parent']['node-name'] == 'f'
        assert qmp.execute('blockdev-del', node_name='r')['error']['desc'] == 'Node r is in use'


def test_a_medium_is_changed(tmp_path):
    first, second = image(tmp_path, 'a.iso', 2048), image(tmp_path, 'b.iso', 4096)
    with Machine(*BARE, '-drive', 'file=%s,format=raw,media=cdrom,id=cd' % first) as machine:
        qmp = machine.qmp
        qmp.command('eject', device='cd')
        assert qmp.event('DEVICE_TRAY_MOVED')['data']['tray-open'] is True
        assert 'inserted' not in qmp.command('query-block')[0]
        qmp.command('blockdev-change-medium', device='cd', filename=second, format='raw')
        assert qmp.event('DEVICE_TRAY_MOVED')['data'] == {
            'device': 'cd', 'id': qmp.command('query-block')[0]['qdev'], 'tray-open': False}
        inserted = qmp.command('query-block')[0]['inserted']
        assert inserted['image']['virtual-size'] == 4096 and inserted['ro'] is True
        assert qmp.hmp('change cd nosuch.img raw') == \
            "Error: Could not open 'nosuch.img': No such file or directory\n"
        assert 'inserted' in qmp.command('query-block')[0]     # a mistake costs no medium
        qmp.command('blockdev-add', driver='file', node_name='f', filename=first, read_only=True)
        qmp.command('blockdev-open-tray', device='cd')
        qdev = qmp.command('query-block')[0]['qdev']
        qmp.command('blockdev-remove-medium', id=qdev)
        qmp.command('blockdev-insert-medium', id=qdev, node_name='f')
        qmp.command('blockdev-close-tray', id=qdev)
        drive = qmp.command('query-block')[0]
        assert drive['inserted']['node-name'] == 'f' and drive['tray_open'] is False
        assert qmp.execute('eject')['error']['desc'] == "Need exactly one of 'device' and 'id'"
        assert qmp.execute('eject', id='x')['error']['class'] == 'DeviceNotFound'


def test_an_image_in_use_is_locked(tmp_path):
    path = image(tmp_path)
    disk = 'file=%s,format=raw,if=virtio' % path
    with Machine(*BARE, '-drive', disk):
        result = run(*BARE, '-drive', disk)
        assert 'Failed to get "write" lock\nIs another process' in result.stderr
        result = run(*BARE, '-drive', disk + ',readonly=on')
        assert 'Failed to get shared "write" lock' in result.stderr
        with Machine(*BARE, '-drive', disk + ',file.locking=off'):
            pass
    with Machine(*BARE, '-drive', disk + ',readonly=on'), \
            Machine(*BARE, '-drive', disk + ',readonly=on'):
        pass


# ---- a guest that writes ----

# Writes 2 MiB in pieces of 32 KiB, each of its own number, reads them back, and says OK or NO.
BOOT_SECTOR = """
    .code16
    .globl _start
_start:
    ljmp $0, $1f
1:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    mov %dl, drive
    mov $0x43, %bp                  /* INT 13h AH: extended write */
pass:
    movl $64, lba
piece:
    cmp $0x43, %bp
    jne 2f
    mov $0x8000, %di
    mov $0x4000, %cx
    mov lba, %ax
    rep stosw
2:  mov $packet, %si
    mov drive, %dl
    mov %bp, %ax
    shl $8, %ax
    int $0x13
    jc bad
    mov $0x8000, %di
    mov $0x4000, %cx
    mov lba, %ax
    repe scasw
    jne bad
    addl $64, lba
    cmpl $64 + 64 * 64, lba
    jb piece
    dec %bp                         /* AH 42h: extended read */
    cmp $0x42, %bp
    je pass
    mov $'O', %al
    call put
    mov $'K', %al
    jmp last
bad:
    mov $'N', %al
    call put
    mov $'O', %al
last:
    call put
    mov $'\\n', %al
    call put
3:  hlt
    jmp 3b
put:
    mov $0x3f8, %dx
    out %al, %dx
    ret
packet:
    .byte 16, 0
    .word 64
    .word 0x8000, 0
lba:
    .long 0, 0
drive:
    .byte 0
    .org 510
    .word 0xaa55
"""


@pytest.fixture(scope='module')
def boot_sector(tmp_path_factory):
    return assemble(tmp_path_factory.mktemp('boot'), BOOT_SECTOR)


def bootable(tmp_path, boot_sector, size=4 << 20):
    path = image(tmp_path, 'boot.raw', size)
    with open(path, 'r+b') as file:
        file.write(boot_sector)
    return path


RUNNING = ['-accel', 'tcg', '-display', 'none', '-nodefaults', '-m', '32']


@pytest.mark.parametrize('interface', ['ide', 'virtio'])
@pytest.mark.parametrize('options', ['', ',cache=none', ',aio=threads', ',cache=writethrough'])
def test_firmware_reads_and_writes(interface, options, boot_sector, tmp_path):
    path = bootable(tmp_path, boot_sector)
    with Machine(*RUNNING, '-drive', 'file=%s,format=raw,if=%s%s' % (path, interface, options),
                 serial=True) as machine:
        assert machine.serial.expect(r'(OK|NO)\n') == 'OK\n'
        stats = machine.qmp.command('query-blockstats')[0]['stats']
        assert stats['wr_bytes'] == 2 << 20 and stats['rd_bytes'] >= 2 << 20
        assert stats['wr_highest_offset'] == (64 + 64 * 64) * 512
    with open(path, 'rb') as file:
        file.seek(64 * 512)
        assert file.read(4) == b'\x40\x00\x40\x00'


def test_a_snapshot_leaves_the_image_alone(boot_sector, tmp_path):
    path = bootable(tmp_path, boot_sector)
    before = open(path, 'rb').read()
    with Machine(*RUNNING, '-snapshot', '-drive', 'file=%s,format=raw' % path,
                 serial=True) as machine:
        assert machine.serial.expect(r'(OK|NO)\n') == 'OK\n'
        drive = machine.qmp.command('query-block')[0]['inserted']
        assert drive['drv'] == 'qcow2' and drive['backing_file'] == path
    assert open(path, 'rb').read() == before


@pytest.mark.parametrize('interface', ['ide', 'virtio'])
def test_a_host_error_stops_the_machine(interface, boot_sector, tmp_path):
    """The host lets the image be written up to 1 MiB; then it changes its mind."""
    path = bootable(tmp_path, boot_sector)
    with Machine(*RUNNING, '-S', '-drive', 'file=%s,format=raw,werror=stop,if=%s' %
                 (path, interface), serial=True) as machine:
        pid, qmp = machine.process.pid, machine.qmp
        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
        qmp.command('cont')
        event = qmp.event('BLOCK_IO_ERROR')['data']
        assert event['action'] == 'stop' and event['operation'] == 'write'
        assert event['nospace'] is False
        qmp.event('STOP')
        assert qmp.command('query-status')['status'] == 'io-error'
        assert qmp.command('query-block')[0]['io-status'] == 'failed'
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        qmp.command('cont')
        assert machine.serial.expect(r'(OK|NO)\n') == 'OK\n'
        assert qmp.command('query-block')[0]['io-status'] == 'ok'


def test_a_host_error_is_reported_to_the_guest(boot_sector, tmp_path):
    path = bootable(tmp_path, boot_sector)
    with Machine(*RUNNING, '-S', '-drive', 'file=%s,format=raw,werror=report,if=virtio' % path,
                 serial=True) as machine:
        unlimited = resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
        machine.qmp.command('cont')
        assert machine.serial.expect(r'(OK|NO)\n') == 'NO\n'
        assert machine.qmp.event('BLOCK_IO_ERROR')['data']['action'] == 'report'
