"""Each info topic beside QEMU 7.2's, on the machine of test_seed_machine.py.

SAME prints the same text.  SHAPED prints the same lines once what differs by nature (see SHAPES) is made
alike.  Topics compared there, and topics QEMU does not have, are in lists of their own; a topic in no list
fails the test.
"""
import re
import shutil
import subprocess

import pytest

import test_seed_machine as seed
from rhea import Machine, binary

pytestmark = seed.pytestmark

DISK = '/machine/peripheral/virtio-disk0/virtio-backend'
SAME = ['registers', 'registers -a', 'registers 1', 'lapic', 'lapic 5', 'pic', 'irq', 'status', 'name', 'uuid', 'kvm',
        'mem', 'tlb', 'memory_size_summary', 'hotpluggable-cpus', 'numa', 'mice', 'usernet', 'history',
        'block -v', 'block -n', 'block nosuch', 'qom-tree /objects', 'qom-tree /nosuch', 'nosuch',
        'virtio', 'virtio-queue-status %s 0' % DISK, 'virtio-status /machine',
        'dump', 'block-jobs', 'snapshots', 'version xtra', 'registers -x', 'lapic foo']

# topic: patterns and what they become on both sides
SHAPES = {
    'cpus': [(r'thread_id=\d+', 'thread_id=N')],
    'version': [(r'^(7\.2\.\d+) ?\(?.*', r'\1 PACKAGE')],
    'jit': [(r'\d+(\.\d+)?', 'N'), (r'(?m)^TLB? (?!count|inval|flush).*\n', ''), (r'(?m)^(TB avg|cross|direct|TB hash).*\n', ''),
            (r'(?s)\n\[TCG profiler.*', ''), (r'(?m)^(TB|TLB|gen) .*', 'COUNTER'), (r'(COUNTER\n?)+', 'COUNTERS\n')],
    'vnc': [(r':\d+ ', ':PORT ')],
    # features are in the order of their bits, without an explanation; QEMU has no name for the bus
    'virtio-status ' + DISK: [(r'(?m)^(\t|  unknown-features).*\n', ''), (r'bus_name: .*', 'bus_name: NAME')],
    # the blocks are those of our devices
    'ramblock': [(r'(?m)^(?! *Block Name).*\n', '')],
    # sizes are those of our tables; QEMU loads one ROM more, which patches Windows for its APIC
    'roms': [(r'fw=genroms/kvmvapic.bin .*\n', ''), (r'size=0x[0-9a-f]+', 'size=N')],
}

ELSEWHERE = {'qtree', 'qom-tree', 'qdm', 'pci', 'block', 'network', 'chardev', 'usb', 'memdev', 'iothreads',
             'balloon', 'blockstats'}             # test_seed_machine.py
OURS = {'accel', 'backtrace', 'breakpoints', 'symbol', 'symbols'}
# regions are laid out as our devices are made; QEMU has no words for a queue that is not set up
DIFFERENT = {'mtree', 'virtio-queue-element'}


def listings(program, folder):
    folder.mkdir()
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', str(folder / 'disk'), '1G'], check=True)
    with Machine(*seed.arguments(folder), program=program) as machine:
        found = {topic: machine.qmp.hmp('info ' + topic) for topic in SAME + list(SHAPES)}
        found['mtree'] = machine.qmp.hmp('info mtree')
        found['mtree -f'] = machine.qmp.hmp('info mtree -f')
        found['topics'] = machine.qmp.hmp('help info')
        return found


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    if not shutil.which('qemu-img'):
        pytest.skip('qemu-img is not installed')
    folder = tmp_path_factory.mktemp('layout')
    return listings(seed.QEMU, folder / 'qemu'), listings(binary(), folder / 'rhea')


def plain(text):
    """Without hints that follow an error, and what we name in one."""
    text = re.sub(r"Did you mean .*\n", '', text)
    return seed.generic(re.sub(r"(end of line): '.*'", r'\1', text))


@pytest.mark.parametrize('topic', SAME)
def test_same(both, topic):
    qemu, rhea = both
    assert plain(rhea[topic]) == plain(qemu[topic])


def shape(text, patterns):
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize('topic', list(SHAPES))
def test_shaped(both, topic):
    qemu, rhea = both
    assert shape(rhea[topic], SHAPES[topic]) == shape(qemu[topic], SHAPES[topic])


MTREE_LINE = (r'  +[0-9a-f]{16}-[0-9a-f]{16} \(prio -?\d+, (i/o|ram|rom|romd|container)\): \S.*|address-space: .+|'
              r'memory-region: .+|')
FLAT_LINE = (r'  [0-9a-f]{16}-[0-9a-f]{16} \(prio -?\d+, (i/o|ram|rom|romd)\): \S.*|FlatView #\d+|'
             r' AS ".*", root: .*| Root memory region: .*|  No rendered FlatView|')


def test_mtree_lines_have_their_form(both):
    for texts in both:
        assert [line for line in texts['mtree'].split('\n') if not re.fullmatch(MTREE_LINE, line)] == []
        assert [line for line in texts['mtree -f'].split('\n') if not re.fullmatch(FLAT_LINE, line)] == []


def test_each_topic_is_compared(both):
    topics = {line.split()[1] for line in both[1]['topics'].splitlines()}
    compared = {topic.split()[0] for topic in SAME} | {topic.split()[0] for topic in SHAPES} | ELSEWHERE | OURS | DIFFERENT
    assert topics <= compared
    assert {topic.split()[0] for topic in ELSEWHERE | set(SHAPES) | DIFFERENT} <= topics
