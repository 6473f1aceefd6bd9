"""Changes of the block graph while a guest writes: snapshots, transactions, jobs."""
import json
import os
import re
import shutil
import struct
import subprocess
import time

import pytest

from boot_sector import assemble
from rhea import Machine

RUNNING = ['-accel', 'tcg', '-display', 'none', '-nodefaults', '-m', '32']
PAUSED = RUNNING + ['-S']

# Writes numbers 1, 2, … for ever: n fills sector 64 + n % 64. A dot for every 64.
WRITER = """
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
    xor %ebx, %ebx
next:
    inc %ebx
    mov %ebx, %eax
    mov $0x8000, %di
    mov $128, %cx
    rep stosl
    mov %ebx, %eax
    and $63, %eax
    jnz 2f
    mov $0x3f8, %dx
    push %ax
    mov $'.', %al
    out %al, %dx
    pop %ax
2:  add $64, %eax
    mov %eax, lba
    mov $packet, %si
    mov drive, %dl
    mov $0x4300, %ax
    push %ebx
    int $0x13
    pop %ebx
    jnc next
    mov $'!', %al
    mov $0x3f8, %dx
    out %al, %dx
3:  hlt
    jmp 3b
packet:
    .byte 16, 0
    .word 1
    .word 0x8000, 0
lba:
    .long 0, 0
drive:
    .byte 0
    .org 510
    .word 0xaa55
"""


@pytest.fixture(scope='module')
def writer(tmp_path_factory):
    return assemble(tmp_path_factory.mktemp('writer'), WRITER)


def qemu_img(*args):
    return subprocess.run(['qemu-img', *args], check=True, capture_output=True, text=True).stdout


def disk(tmp_path, writer, name='disk.qcow2', size=4 << 20):
    """A qcow2 image that boots the writer."""
    raw, path = str(tmp_path / 'boot.raw'), str(tmp_path / name)
    with open(raw, 'wb') as file:
        file.write(writer)
        file.truncate(size)
    qemu_img('convert', '-f', 'raw', '-O', 'qcow2', raw, path)
    return path


def qcow2(tmp_path, name, size=4 << 20):
    path = str(tmp_path / name)
    qemu_img('create', '-q', '-f', 'qcow2', path, str(size))
    return path


def numbers(path):
    """The numbers a guest had written, from an image that may stand on others."""
    raw = path + '.raw'
    qemu_img('convert', '-U', '-O', 'raw', path, raw)
    with open(raw, 'rb') as file:
        file.seek(64 * 512)
        sectors = [file.read(512) for _ in range(64)]
    os.unlink(raw)
    assert all(sector == sector[:4] * 128 for sector in sectors)       # none is half of one
    return sorted(struct.unpack('<I', sector[:4])[0] for sector in sectors)


def check_numbers(path):
    """Follow one another: the image is what the disk was at one moment.  That moment."""
    found = numbers(path)
    assert found == list(range(found[0], found[0] + 64)), found
    assert 'No errors were found' in qemu_img('check', '-U', path)
    return found[-1]


def wait_for_writes(machine):
    machine.serial.expect(r'\.\.\.')


# ---- snapshots ----

@pytest.mark.parametrize('interface', ['ide', 'virtio'])
def test_snapshot_sync_under_a_writing_guest(interface, writer, tmp_path):
    first = disk(tmp_path, writer)
    with Machine(*RUNNING, '-drive', 'file=%s,if=%s,id=d,cache=unsafe' % (first, interface),
                 serial=True) as machine:
        qmp, names, ends = machine.qmp, [first], []
        for turn in range(3):
            wait_for_writes(machine)
            names.append(str(tmp_path / ('snap%d.qcow2' % turn)))
            qmp.command('blockdev-snapshot-sync', device='d', snapshot_file=names[-1])
            ends.append(check_numbers(names[-2]))
        wait_for_writes(machine)
        chain = qmp.command('query-block')[0]['inserted']
        assert chain['file'] == names[-1] and chain['backing_file_depth'] == 3
        assert chain['cache']['no-flush'] is True                          # as the node below
        qmp.command('stop')
        assert [check_numbers(name) for name in names[:-1]] == ends        # they stay as they are
        assert ends == sorted(ends) and check_numbers(names[-1]) > ends[-1]
        read_only = {node['file']: node['ro'] for node in
                     qmp.command('query-named-block-nodes', flat=True)}
        assert read_only == {name: name != names[-1] for name in names}


def test_a_transaction_is_all_or_nothing(tmp_path):
    disks = [qcow2(tmp_path, 'd%d.qcow2' % n) for n in range(2)]
    drives = [word for n, path in enumerate(disks)
              for word in ('-drive', 'file=%s,if=virtio,id=d%d' % (path, n))]

    def action(n, name):
        return {'type': 'blockdev-snapshot-sync', 'data': {
            'device': 'd%d' % n, 'snapshot-file': str(tmp_path / name)}}

    with Machine(*PAUSED, *drives) as machine:
        qmp = machine.qmp
        before = qmp.command('query-block')
        for last, text in [
                ({'type': 'abort', 'data': {}}, 'Transaction aborted using Abort action'),
                (action(1, 'nosuch/b.qcow2'), "Could not create '%s': No such file or directory"
                                              % (tmp_path / 'nosuch/b.qcow2'))]:
            reply = qmp.execute('transaction', actions=[action(0, 'a.qcow2'), last])
            assert reply['error']['desc'] == text
            assert qmp.command('query-block') == before
        reply = qmp.execute('transaction', actions=[action(0, 'a.qcow2')],
                            properties={'completion-mode': 'grouped'})
        assert reply['error']['desc'] == ("Action 'blockdev-snapshot-sync' does not support "
                                          "Transaction property completion-mode = grouped")
        qmp.command('transaction', actions=[])
        qmp.command('transaction', actions=[action(0, 'a.qcow2'), action(1, 'b.qcow2')])
        assert [drive['inserted']['backing_file'] for drive in qmp.command('query-block')] == disks


def test_a_window_has_no_name(tmp_path):
    path = qcow2(tmp_path, 'raw')
    with Machine(*PAUSED, '-drive', 'file=%s,format=raw,offset=512,if=virtio,id=d' % path) as machine:
        reply = machine.qmp.execute('blockdev-snapshot-sync', device='d',
                                    snapshot_file=str(tmp_path / 'over'))
        assert 'is a window of its file' in reply['error']['desc']


def test_what_a_backing_file_is_called(tmp_path):
    path = qcow2(tmp_path, 'disk.qcow2')
    with Machine(*PAUSED, '-drive', 'file=%s,if=virtio,id=d,node-name=low' % path) as machine:
        qmp = machine.qmp
        change = {'device': 'd', 'backing_file': 'elsewhere.qcow2'}
        assert qmp.execute('change-backing-file', image_node_name='low', **change)['error'][
            'desc'] == 'not allowing backing file change on an image without a backing file'
        for name in ('mid', 'top'):
            qmp.command('blockdev-snapshot-sync', device='d', snapshot_node_name=name,
                        snapshot_file=str(tmp_path / name))
        qmp.command('change-backing-file', image_node_name='mid', **change)     # read-only, now
        info = json.loads(qemu_img('info', '-U', '--output=json', str(tmp_path / 'mid')))
        assert info['backing-filename'] == 'elsewhere.qcow2'
        assert info['backing-filename-format'] == 'qcow2'
        assert [node['ro'] for node in qmp.command('query-named-block-nodes', flat=True)
                if node['node-name'] == 'mid'] == [True]


# ---- jobs ----

def job_statuses(qmp, until='concluded'):
    statuses = []
    while until not in statuses:
        statuses.append(qmp.event('JOB_STATUS_CHANGE')['data']['status'])
    return statuses


def create(qmp, **options):
    """Runs blockdev-create to its end: the job's statuses and its error, if any."""
    qmp.command('blockdev-create', job_id='job', options={name.replace('_', '-'): value
                                                          for name, value in options.items()})
    statuses = job_statuses(qmp)
    job = qmp.command('query-jobs')[0]
    assert (job.pop('id'), job.pop('type'), job.pop('status')) == ('job', 'create', 'concluded')
    assert (job.pop('current-progress'), job.pop('total-progress')) == (1, 1)
    qmp.command('job-dismiss', id='job')
    assert job_statuses(qmp, 'null') == ['null'] and qmp.command('query-jobs') == []
    return statuses, job.get('error')


WELL = ['created', 'running', 'waiting', 'pending', 'concluded']
BADLY = ['created', 'running', 'aborting', 'concluded']

# Options of a qcow2 image of 1 MiB in node "f"; what qemu-img says of it.
QCOW2_OPTIONS = [
    ({}, {'cluster-size': 65536}),
    ({'cluster_size': 4096, 'refcount_bits': 8}, {'cluster-size': 4096}),
    ({'version': 'v2'}, {'cluster-size': 65536}),
    ({'lazy_refcounts': True, 'compression_type': 'zstd'}, {'cluster-size': 65536}),
    ({'backing_file': 'low.qcow2', 'backing_fmt': 'qcow2'}, {'backing-filename': 'low.qcow2'}),
    ({'preallocation': 'metadata'}, {}),
    ({'preallocation': 'falloc'}, {}),
    ({'preallocation': 'full'}, {}),
]


@pytest.mark.parametrize('options,facts', QCOW2_OPTIONS, ids=lambda value: ','.join(value)[:40])
def test_an_image_is_made_in_a_node(options, facts, tmp_path):
    path = str(tmp_path / 'new')
    qcow2(tmp_path, 'low.qcow2')
    with open(path, 'wb') as file:
        file.write(os.urandom(3 << 20))                 # what was there before does not show
    with Machine(*PAUSED) as machine:
        qmp = machine.qmp
        qmp.command('blockdev-add', driver='file', node_name='f', filename=path)
        assert create(qmp, driver='qcow2', file='f', size=1 << 20, **options) == (WELL, None)
        info = json.loads(qemu_img('info', '-U', '--output=json', path))
        assert info['virtual-size'] == 1 << 20 and info['format'] == 'qcow2'
        assert facts.items() <= info.items()
        assert 'No errors were found' in qemu_img('check', '-U', path)
        backing = {'backing': None} if 'backing_file' in options else {}
        qmp.command('blockdev-add', driver='qcow2', node_name='n', file='f', **backing)
        if not backing:
            qmp.command('blockdev-del', node_name='n')
            qmp.command('blockdev-del', node_name='f')
            assert 'identical' in qemu_img('compare', '-F', 'raw', path, '/dev/null')


# Options, why the job fails.
JOB_MISTAKES = [
    ({'driver': 'file', 'filename': '/nosuch/x', 'size': 512},
     "Could not create '/nosuch/x': No such file or directory"),
    ({'driver': 'qcow2', 'file': 'nosuch', 'size': 512},
     "Cannot find device='nosuch' nor node-name='nosuch'"),
    ({'driver': 'qcow2', 'file': 'f', 'size': 1000}, 'Image size must be a multiple of 512 bytes'),
    ({'driver': 'qcow2', 'file': 'f', 'size': 512, 'cluster_size': 12345},
     'Cluster size must be a power of two between 512 and 2048k'),
    ({'driver': 'qcow2', 'file': 'f', 'size': 512, 'backing_fmt': 'raw'},
     'Backing format cannot be used without backing file'),
    ({'driver': 'qcow2', 'file': 'f', 'size': 1 << 63}, 'Image size must be less than 8 EiB!'),
]

# Arguments, why no job is made.
CREATE_MISTAKES = [
    ({'driver': 'raw'}, 'Driver does not support blockdev-create'),
    ({'driver': 'raw', 'size': 1}, "Parameter 'options.size' is unexpected"),
    ({'driver': 'qcow2', 'size': 1}, "Parameter 'options.file' is missing"),
    ({'driver': 'nosuch'}, "Parameter 'driver' does not accept value 'nosuch'"),
]


def test_mistakes_of_jobs(tmp_path):
    path = qcow2(tmp_path, 'f.img')
    with Machine(*PAUSED) as machine:
        qmp = machine.qmp
        qmp.command('blockdev-add', driver='file', node_name='f', filename=path)
        for options, error in JOB_MISTAKES:
            assert create(qmp, **options) == (BADLY, error)
        for options, error in CREATE_MISTAKES:
            reply = qmp.execute('blockdev-create', job_id='job', options=options)
            assert reply['error']['desc'] == error
        new = {'driver': 'file', 'filename': str(tmp_path / 'new'), 'size': 512}
        reply = qmp.execute('blockdev-create', job_id='1', options=new)
        assert reply['error']['desc'] == "Invalid job ID '1'"
        qmp.command('blockdev-create', job_id='job', options=new)
        reply = qmp.execute('blockdev-create', job_id='job', options=new)
        assert reply['error']['desc'] == "Job ID 'job' already in use"
        assert job_statuses(qmp) == WELL
        assert qmp.execute('job-dismiss', id='nosuch')['error']['desc'] == 'Job not found'
        assert qmp.command('query-block-jobs') == []


def test_an_image_is_made_in_a_node_of_its_own(tmp_path):
    path = str(tmp_path / 'new')
    open(path, 'wb').close()
    with Machine(*PAUSED) as machine:
        assert create(machine.qmp, driver='qcow2', size=1 << 20, preallocation='metadata',
                      file={'driver': 'file', 'filename': path}) == (WELL, None)
        assert machine.qmp.command('query-named-block-nodes', flat=True) == []
    assert 'No errors were found' in qemu_img('check', path)


# ---- what libvirt does ----

def test_an_external_snapshot_as_libvirt_makes_it(writer, tmp_path):
    first, second = disk(tmp_path, writer), str(tmp_path / 'snap.qcow2')
    open(second, 'wb').close()
    storage = {'driver': 'file', 'filename': first, 'node-name': 'libvirt-1-storage',
               'auto-read-only': True, 'discard': 'unmap'}
    form = {'node-name': 'libvirt-1-format', 'read-only': False, 'driver': 'qcow2',
            'file': 'libvirt-1-storage'}
    device = {'driver': 'virtio-blk-pci', 'id': 'virtio-disk0', 'drive': 'libvirt-1-format',
              'bootindex': 1}
    with Machine(*RUNNING, '-blockdev', json.dumps(storage), '-blockdev', json.dumps(form),
                 '-device', json.dumps(device), serial=True) as machine:
        qmp = machine.qmp
        wait_for_writes(machine)
        size = qmp.command('query-named-block-nodes', flat=True)[0]['image']['virtual-size']
        qmp.command('blockdev-add', driver='file', filename=second, auto_read_only=True,
                    node_name='libvirt-2-storage', discard='unmap')
        assert create(qmp, driver='qcow2', file='libvirt-2-storage', size=size,
                      cluster_size=65536, backing_file=first, backing_fmt='qcow2') == (WELL, None)
        qmp.command('blockdev-add', node_name='libvirt-2-format', read_only=False, driver='qcow2',
                    file='libvirt-2-storage', backing=None)
        qmp.command('transaction', actions=[{'type': 'blockdev-snapshot', 'data': {
            'node': 'libvirt-1-format', 'overlay': 'libvirt-2-format'}}])
        end = check_numbers(first)
        wait_for_writes(machine)
        inserted = qmp.command('query-block')[0]['inserted']
        assert inserted['node-name'] == 'libvirt-2-format' and inserted['backing_file'] == first
        reply = qmp.execute('blockdev-del', node_name='libvirt-1-format')
        assert reply['error']['desc'] == 'Node libvirt-1-format is in use'
        qmp.command('stop')
        assert check_numbers(first) == end and check_numbers(second) > end


# ---- the human monitor ----

def test_commit_under_a_writing_guest(writer, tmp_path):
    first, second = disk(tmp_path, writer), str(tmp_path / 'snap.qcow2')
    with Machine(*RUNNING, '-drive', 'file=%s,if=virtio,id=d' % first, serial=True) as machine:
        hmp = machine.qmp.hmp
        assert hmp('commit d') == "'commit' error for 'd': Operation not supported\n"
        assert hmp('snapshot_blkdev d %s' % second) == ''
        ends = []
        for line in ('commit d', 'commit all'):
            wait_for_writes(machine)
            assert hmp(line) == ''
            ends.append(check_numbers(first))
        wait_for_writes(machine)
        assert hmp('stop') == ''
        assert ends == sorted(ends) and check_numbers(first) == ends[-1] < check_numbers(second)
        assert hmp('info block d').splitlines()[-1] == \
            '    Backing file:     %s (chain depth: 1)' % first
        assert '%s (qcow2, read-only)' % first in hmp('info block -n')


HEAD = 'ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT\n'


def test_info_snapshots(tmp_path):
    first, second = qcow2(tmp_path, 'a.qcow2'), qcow2(tmp_path, 'b.qcow2')
    for name, path in [('both', first), ('both', second), ('some', second)]:
        qemu_img('snapshot', '-c', name, path)
    drives = ['-drive', 'if=none,id=a,file=' + first, '-drive', 'if=none,id=b,file=' + second]

    def snapshots(*args):
        with Machine(*PAUSED, *args) as machine:
            return re.sub(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d', 'YYYY-MM-DD hh:mm:ss',
                          machine.qmp.hmp('info snapshots'))

    row = '%-9s %-16s      0 B YYYY-MM-DD hh:mm:ss 00:00:00.000          0\n'
    common = 'List of snapshots present on all disks:\n'
    assert snapshots() == 'no block device can store vmstate for snapshot\n'
    assert snapshots(*drives[:2]) == common + HEAD + row % ('--', 'both')
    partial = "\nList of partial (non-loadable) snapshots on 'b':\n" + HEAD + row % ('2', 'some')
    assert snapshots(*drives) == common + HEAD + row % ('--', 'both') + partial
    raw = str(tmp_path / 'raw')
    with open(raw, 'wb') as file:
        file.truncate(4096)
    other = ['-drive', 'if=none,id=r,format=raw,file=' + raw]
    assert snapshots(*drives[:2], *other).startswith(common + 'None\n\nList of partial')
    assert snapshots(*other) == 'no block device can store vmstate for snapshot\n'


# ---- limits ----

def limits(qmp, drive):
    inserted = [entry['inserted'] for entry in qmp.command('query-block')
                if drive in (entry['device'], entry.get('qdev'))][0]
    return {name: value for name, value in inserted.items()
            if value and (name == 'group' or re.match('bps|iops', name))}


def test_limits_are_told(tmp_path):
    first, second = qcow2(tmp_path, 'a.qcow2'), qcow2(tmp_path, 'b.qcow2')
    none = dict.fromkeys(['bps', 'bps_rd', 'bps_wr', 'iops', 'iops_rd', 'iops_wr'], 0)
    with Machine(*PAUSED, '-drive', 'if=virtio,id=a,file=%s,throttling.bps-total=9,bps_max=20,'
                 'throttling.bps-total-max-length=3,throttling.group=g' % first,
                 '-drive', 'if=none,id=b,file=' + second,
                 '-device', 'virtio-blk-pci,drive=b,id=vb') as machine:
        qmp = machine.qmp
        assert limits(qmp, 'a') == {'bps': 9, 'bps_max': 20, 'bps_max_length': 3, 'group': 'g'}
        qdev = '/machine/peripheral/vb/virtio-backend'

        def throttle(**args):
            return qmp.raw(json.dumps({'execute': 'block_set_io_throttle',
                                       'arguments': {**none, **args}}))

        assert throttle(id=qdev, iops=1000) == {'return': {}}       # blkdeviotune
        assert limits(qmp, 'b') == {'iops': 1000, 'group': qdev}
        assert throttle(device='b', group='g', iops_wr=5, iops_size=512) == {'return': {}}
        assert limits(qmp, 'a') == limits(qmp, 'b') == {'iops_wr': 5, 'iops_size': 512, 'group': 'g'}
        assert qmp.hmp('info block b').endswith(
            '    I/O throttling:   bps=0 bps_rd=0 bps_wr=0 bps_max=0 bps_rd_max=0 bps_wr_max=0 iops=0 '
            'iops_rd=0 iops_wr=5 iops_max=0 iops_rd_max=0 iops_wr_max=0 iops_size=512 group=g\n')
        assert throttle(device='a') == {'return': {}}
        assert limits(qmp, 'a') == {} and limits(qmp, 'b')['iops_wr'] == 5
        for args, error in [({'device': 'a', 'iops': 5, 'iops_rd': 4}, 'bps/iops/max total values and'),
                            ({'device': 'a', 'iops': -1}, 'bps/iops/max values must be within'),
                            ({}, "Need exactly one of 'device' and 'id'"),
                            ({'id': 'nosuch'}, "Device 'nosuch' not found")]:
            assert throttle(**args)['error']['desc'].startswith(error)


def test_a_guest_keeps_to_its_limits(writer, tmp_path):
    first = disk(tmp_path, writer)
    with Machine(*RUNNING, '-drive', 'file=%s,if=virtio,id=d' % first, serial=True) as machine:
        hmp = machine.qmp.hmp
        wait_for_writes(machine)
        assert hmp('block_set_io_throttle d 0 0 0 0 0 100') == ''
        begin = time.monotonic()
        wait_for_writes(machine)                                # at least 128 writes, 10 of them free
        assert time.monotonic() - begin > 1
        assert hmp('snapshot_blkdev d %s' % (tmp_path / 'over')) == ''      # what waits is no obstacle
        assert hmp('block_set_io_throttle d 0 0 0 0 0 0') == ''
        wait_for_writes(machine)


# ---- what queries tell ----

def shape(value):
    """Members and types, whatever their order."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return sorted((shape(element) for element in value), key=lambda each: json.dumps(each, sort_keys=True))
    return type(value).__name__


def shapes_of(program, args):
    with Machine(*args, program=program) as machine:
        return {str(query): shape(machine.qmp.command(query[0], **dict(query[1:]))) for query in [
            ('query-block',), ('query-named-block-nodes',), ('query-named-block-nodes', ('flat', True)),
            ('query-blockstats',), ('query-blockstats', ('query_nodes', True)), ('query-jobs',),
            ('query-block-jobs',)]}


@pytest.mark.skipif(shutil.which('qemu-system-x86_64') is None, reason='qemu-system-x86_64 is not installed')
def test_queries_have_the_members_qemus_have(tmp_path):
    low, top, raw = qcow2(tmp_path, 'low'), str(tmp_path / 'top'), str(tmp_path / 'raw')
    qemu_img('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', low, top)
    qemu_img('snapshot', '-c', 's', top)
    with open(raw, 'wb') as file:
        file.truncate(1000)
    node = {'driver': 'raw', 'node-name': 'r', 'discard': 'unmap', 'detect-zeroes': 'unmap',
            'file': {'driver': 'file', 'filename': raw, 'node-name': 'f'}}
    args = [*PAUSED, '-drive', 'file=%s,if=virtio,id=d,cache=none,iops=5,iops_max=9,iops_size=512' % top,
            '-blockdev', json.dumps(node), '-device', 'ide-hd,drive=r,id=hd',
            '-drive', 'if=none,id=e', '-device', 'ide-cd,drive=e,id=cd',
            '-drive', 'file=%s,if=none,readonly=on,format=raw,id=u,file.locking=off' % raw,
            '-blockdev', 'null-co,node-name=n']
    ours, theirs = shapes_of(None, args), shapes_of(shutil.which('qemu-system-x86_64'), args)
    for query in ours:
        assert ours[query] == theirs[query], query


def test_a_write_behind_the_threshold_is_told_once(writer, tmp_path):
    path = str(tmp_path / 'raw')
    with open(path, 'wb') as file:
        file.write(writer)
        file.truncate(1 << 20)
    with Machine(*RUNNING, '-drive', 'file=%s,format=raw,if=virtio,file.node-name=f,node-name=r' % path,
                 serial=True) as machine:
        qmp = machine.qmp
        wait_for_writes(machine)
        reply = qmp.execute('block-set-write-threshold', node_name='r', write_threshold=1)
        assert reply['error']['desc'].endswith("in node 'f', the file of 'r'")
        reply = qmp.execute('block-set-write-threshold', node_name='nosuch', write_threshold=1)
        assert reply['error']['desc'] == "Device 'nosuch' not found"
        last = 128 * 512                                        # the end of the furthest write
        qmp.command('block-set-write-threshold', node_name='f', write_threshold=last)
        wait_for_writes(machine)
        thresholds = {node['node-name']: node['write_threshold']
                      for node in qmp.command('query-named-block-nodes', flat=True)}
        assert thresholds == {'r': 0, 'f': last}
        qmp.command('block-set-write-threshold', node_name='f', write_threshold=last - 1)
        assert qmp.event('BLOCK_WRITE_THRESHOLD')['data'] == {
            'node-name': 'f', 'amount-exceeded': 1, 'write-threshold': last - 1}
        wait_for_writes(machine)
        assert not any(node['write_threshold'] for node in qmp.command('query-named-block-nodes', flat=True))
        assert 'BLOCK_WRITE_THRESHOLD' not in [event['event'] for event in qmp.events]


def test_discards_are_counted(tmp_path):
    path = qcow2(tmp_path, 'd.qcow2')
    with Machine(*PAUSED, '-drive', 'if=none,id=d,discard=unmap,file=' + path) as machine:
        file = machine.qmp.command('query-blockstats')[0]['parent']['driver-specific']
        assert file == {'driver': 'file', 'discard-nb-ok': 0, 'discard-nb-failed': 0, 'discard-bytes-ok': 0}
