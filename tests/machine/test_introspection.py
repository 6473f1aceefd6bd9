"""query-qmp-schema beside QEMU 7.2's, and what query commands answer for the same machine.

Every difference stands here with its reason, what is left out in docs/qmp-differences.md; anything
else fails, and so does a row that is no longer needed.
"""
import os
import re
import subprocess

import pytest

from conftest import TOP
from introspection import Schema, differences
from rhea import Machine, binary
from test_seed_machine import QEMU, arguments, pytestmark      # noqa: F401: needs QEMU 7.2

def table(title):
    """The names in one table of the document."""
    with open(os.path.join(TOP, 'docs', 'qmp-differences.md'), encoding='utf-8') as file:
        section = file.read().split('## %s\n' % title)[1].split('\n## ')[0]
    return set(re.findall('`([^`]+)`', ' '.join(line.split('|')[1] for line in section.splitlines() if '|' in line)))


LEFT_OUT, NEW = table('Left out'), table('New')

# ---- arguments and results that are not the same ----

NO_FORMATS = ('blkdebug|blklogwrites|blkreplay|blkverify|bochs|cloop|compress|copy-before-write|copy-on-read|dmg|'
              'ftps?|gluster|host_cdrom|https?|iscsi|luks|nfs|null-aio|nvme|parallels|preallocate|qcow|qed|quorum|'
              'rbd|replication|snapshot-access|ssh|throttle|vdi|vhdx|vmdk|vpc|vvfat')
NODE = r'(blockdev-add|blockdev-create\.options/qcow2\.file)'
SOCKET = r'(chardev-(add|change)\.backend/socket\.data\.addr|netdev_add/dgram\.local|NETDEV_STREAM_CONNECTED\.addr)'
DIFFERENT = [
    (r'(blockdev-add|blockdev-create\.options|query-blockstats returns\[\]\.driver-specific)\.driver=(%s) is missing'
     % NO_FORMATS, 'no such format or protocol'),
    (NODE + r'/file\.(aio-max-batch|drop-cache|pr-manager|x-check-cache-dropped) is missing', 'no such setting'),
    (NODE + r'/nbd\.(open-timeout|tls-creds|tls-hostname|x-dirty-bitmap) is missing', 'no TLS, no bitmaps'),
    (NODE + r'/nbd\.server\.type=(fd|vsock) is missing', 'host and port, or a path'),
    (NODE + r'/nbd\.server/(inet\.(ipv4|ipv6|keep-alive|mptcp|numeric|to)|unix\.(abstract|tight)) is missing',
     'host and port, or a path'),
    (NODE + r'/qcow2\.(cache-clean-interval|data-file|encrypt|l2-cache-entry-size|overlap-check|'
            r'pass-discard-(other|snapshot)) is missing', 'no such setting'),
    (r'blockdev-create\.options/(file\.extent-size-hint|qcow2\.(data-file|data-file-raw|encrypt|extended-l2)) '
     r'is missing', 'no such setting'),
    (r'query-block(-jobs)? returns\[\]\.status=(paused|ready|standby|undefined) is missing', 'no such job'),
    (r'(query-jobs returns\[\]|JOB_STATUS_CHANGE)\.status=(paused|ready|standby|undefined) is missing',
     'no such job'),
    (r'query-jobs returns\[\]\.type=(amend|backup|commit|mirror|snapshot-(delete|load|save)|stream) is missing',
     'no such job'),
    (r'query-(block returns\[\]\.inserted|named-block-nodes returns\[\])\.(dirty-bitmaps|image\.(compressed|encrypted)) '
     r'is missing', 'no bitmaps; no format knows the others'),
    (r'query-(block returns\[\]\.inserted|named-block-nodes returns\[\])\.image\.format-specific'
     r'(\.type=(luks|rbd|vmdk)|/qcow2\.data\.(bitmaps|data-file|data-file-raw|encrypt)) is missing',
     'no such format; no bitmaps, external data files or encryption'),
    (r'query-blockstats returns\[\]\.stats\.((flush|rd|wr)_latency_histogram|timed_stats\[\]\..*) is missing',
     'no such statistics'),
    (r'transaction\.actions\[\]\.type=(block-dirty-bitmap-.*|(blockdev|drive)-backup|'
     r'blockdev-snapshot-internal-sync) is missing', 'no bitmaps, backups or internal snapshots'),
    (r'chardev-(add|change)\.backend\.type=(braille|console|dbus|msmouse|mux|qemu-vdagent|spiceport|'
     r'spicevmc|testdev|vc|wctablet) is missing', 'no such back end; a mux is made with mux=on'),
    (r'chardev-(add|change)\.backend/socket\.data\.(tls-authz|tn3270) is missing', 'no authz objects, no 3270'),
    (SOCKET + r'(\.type=vsock|/inet\.(data\.)?(keep-alive|mptcp)) is missing', 'no such setting'),
    (r'netdev_add\.type=(bridge|l2tpv3|netmap|nic|none|vde|vhost-user|vhost-vdpa) is missing', 'no such back end'),
    (r'netdev_add/tap\.(br|fds|helper|poll-us|queues|vhostfds?|vhostforce) is missing', 'one queue, no vhost'),
    (r'netdev_add/user\.smb(server)? is missing', 'no file server'),
    (r'(dump-guest-memory|query-dump-guest-memory-capability returns\.formats\[\])(\.format)?='
     r'(kdump-(lzo|snappy|zlib)|win-dmp) is missing', 'ELF alone'),
    (r'object-add\.qom-type=(authz-.*|can-.*|colo-compare|cryptodev-.*|dbus-vmstate|filter-(buffer|mirror|'
     r'redirector|replay|rewriter)|input-(barrier|linux)|main-loop|memory-backend-epc|pef-guest|pr-manager-helper|'
     r'qtest|rng-egd|s390-pv-guest|secret_keyring|sev-guest|thread-context|throttle-group|tls-cipher-suites|x-.*) is missing',
     'no such object'),
    (r'object-add/.*\.(file|netdev|mem-path|size) is optional', 'properties tell of themselves when they are missing'),
    (r'object-add/filter-dump\.(insert is string, not enum|status is enum, not string)', 'as -object has them'),
    (r'object-add/memory-backend-file\.host-nodes is string, not array', 'a list as -object has it: 0-3'),
    (r'object-add/.*\.(prealloc-context|opened|loaded) is missing', 'of no use'),
    (r'query-migrate returns\..* is missing', 'no migration yet'),
    (r'(migrate-set-capabilities\.capabilities|query-migrate-capabilities returns)\[\]\.capability=.* is missing',
     'no migration yet'),
    (r'(query-yank returns|yank\.instances)\[\]\.type=migration is missing', 'no migration yet'),
    (r'(query-cpus-fast returns\[\]\.target|query-target returns\.arch)=.* is missing', 'x86_64 alone'),
    (r'x-query-virtio-status returns\.vhost-dev is missing', 'no vhost'),
    (r'(expire|set)_password\.protocol=spice is missing', 'no spice'),
    (r'display-update/vnc\.addresses\[\](\.type=vsock|/inet\.(keep-alive|mptcp)) is missing', 'no such setting'),
    (r'GUEST_(PANICKED|CRASHLOADED)\.info is missing', 'only Hyper-V and s390 guests say more'),
]


def schema(program):
    with Machine('-machine', 'none', '-nodefaults', '-display', 'none', program=program) as machine:
        return Schema(machine.qmp.command('query-qmp-schema'))


@pytest.fixture(scope='module')
def schemas():
    return schema(binary()), schema(QEMU)


def test_commands_and_events(schemas):
    ours, theirs = ((s.names('command') | s.names('event')) for s in schemas)
    assert sorted(theirs - ours) == sorted(LEFT_OUT)
    assert sorted(ours - theirs) == sorted(NEW)


def test_what_is_left_out_is_unknown():
    with Machine('-machine', 'none', '-nodefaults', '-display', 'none') as machine:
        for name in LEFT_OUT:
            if name.lower() == name:
                assert machine.qmp.execute(name)['error']['class'] == 'CommandNotFound', name


def all_differences(ours, theirs):
    for kind in ('command', 'event'):
        for name in sorted(ours.names(kind) & theirs.names(kind)):
            mine, other = ours[name], theirs[name]
            yield from differences(ours, mine['arg-type'], theirs, other['arg-type'], name)
            if kind == 'command':
                yield from differences(ours, mine['ret-type'], theirs, other['ret-type'], name + ' returns')


def test_arguments_and_results(schemas):
    found = list(all_differences(*schemas))
    unknown = [text for text in found if not any(re.fullmatch(row, text) for row, _ in DIFFERENT)]
    assert not unknown, '\n'.join(unknown)
    unused = [row for row, _ in DIFFERENT if not any(re.fullmatch(row, text) for text in found)]
    assert not unused, '\n'.join(unused)


# ---- what the queries answer ----

ANSWERS = [
    (r'query-command-line-options\[\]\.parameters\[\]\.default is str there', 'defaults are not texts'),
    (r'query-migrate\.blocked-reasons.* here', 'no migration yet'),
]


def paths(value, at=''):
    """Every place in a reply with the JSON type of what is there; the elements of a list are one place."""
    yield at, type(value).__name__
    if isinstance(value, dict):
        for name, member in value.items():
            yield from paths(member, '%s.%s' % (at, name))
    elif isinstance(value, list):
        for element in value:
            yield from paths(element, at + '[]')


def answers(program, folder):
    """The places of all replies on a cloud's machine."""
    folder.mkdir()
    subprocess.run([QEMU.replace('system-x86_64', 'img'), 'create', '-q', '-f', 'qcow2', str(folder / 'disk'), '1G'],
                   check=True)
    with Machine(*arguments(folder), program=program) as machine:
        schema = Schema(machine.qmp.command('query-qmp-schema'))
        queries = [name for name in schema.names('command') if name.startswith(('query-', 'x-query-')) and all(
            'default' in member for member in schema[schema[name]['arg-type']]['members'])]
        replies = {name: machine.qmp.execute(name) for name in queries if name not in ('query-qmp-schema', )}
    return {name: set(paths(reply.get('return', reply.get('error')), name)) for name, reply in replies.items()}


def test_answers(tmp_path):
    ours, theirs = answers(binary(), tmp_path / 'ours'), answers(QEMU, tmp_path / 'theirs')
    found = set()
    for name in ours.keys() & theirs.keys():
        found |= {'%s is %s here' % place for place in ours[name] - theirs[name]}
        found |= {'%s is %s there' % place for place in theirs[name] - ours[name]}
    unknown = [text for text in sorted(found) if not any(re.fullmatch(row, text) for row, _ in ANSWERS)]
    assert not unknown, '\n'.join(unknown)
    unused = [row for row, _ in ANSWERS if not any(re.fullmatch(row, text) for text in found)]
    assert not unused, '\n'.join(unused)
