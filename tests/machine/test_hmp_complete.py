"""Tab completion: every argument that is an id, a name or one of some words has candidates.

The monitor is asked for the arguments of each command (`help CMD`), and what Tab offers for each.  FREE
lists the arguments that can be anything, with the reason; all others must complete.
"""
import re

import pytest

from rhea import Hmp, Machine

# (command, argument): why nothing completes
FREE = {
    ('boot_set', 'bootdevice'): 'letters in any order',
    ('hostfwd_add', 'arg2'): 'a rule', ('hostfwd_remove', 'arg2'): 'a rule',
    ('mouse_move', 'dx'): 'a number', ('mouse_move', 'dy'): 'a number', ('mouse_move', 'dz'): 'a number',
    ('mouse_button', 'state'): 'a number', ('sendkey', 'hold_ms'): 'a number', ('type', 'text'): 'any text',
    ('ringbuf_read', 'size'): 'a number', ('ringbuf_write', 'data'): 'any text',
    ('info virtio-queue-status', 'queue'): 'a number', ('info virtio-queue-element', 'queue'): 'a number',
    ('info virtio-queue-element', 'index'): 'a number',
    ('balloon', 'value'): 'a number', ('block_resize', 'size'): 'a number',
    ('qom-set', 'value'): 'any text', ('drive_add', 'place'): 'of no importance', ('watch', '-n s'): 'a number',
    ('i', 'index'): 'a number', ('memsave', 'size'): 'a number', ('pmemsave', 'size'): 'a number',
    ('sum', 'size'): 'a number', ('o', 'value'): 'a number',
    ('dump-guest-memory', 'begin'): 'a number', ('dump-guest-memory', 'length'): 'a number',
    ('getfd', 'name'): 'a new name', ('closefd', 'name'): 'names are those of the QMP client that sent them',
    **{('block_set_io_throttle', name): 'a number' for name in 'bps bps_rd bps_wr iops iops_rd iops_wr'.split()},
    # file names are the terminal's to complete; a socket's monitor does not look into the host's folders
    ('snapshot_blkdev', 'new-image-file'): 'a file',
    ('logfile', 'filename'): 'a file', ('memsave', 'file'): 'a file', ('pmemsave', 'file'): 'a file',
    ('change', 'filename'): 'a file', ('dump-guest-memory', 'filename'): 'a file', ('symbol-file', 'file'): 'a file',
    ('set_password', 'password'): 'a secret',
    ('screendump', 'filename'): 'a file', ('screendump', 'head'): 'a number',
    ('i', 'addr'): 'a port', ('o', 'addr'): 'a port',
}

# What stands before an argument whose candidates depend on it
BEFORE = {
    ('qom-get', 'property'): 'nic0', ('qom-set', 'property'): 'nic0', ('set_link', 'up'): 'net1',
    ('chardev-change', 'args'): 'rb0', ('set', 'value'): 'pager', ('change', 'format'): 'cd0 x',
    ('change', 'mode'): 'cd0 x raw', ('expire_password', 'time'): 'vnc',
}


@pytest.fixture(scope='module')
def machine():
    with Machine('-S', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-smp', '2',
                 '-chardev', 'ringbuf,id=rb0', '-object', 'iothread,id=io0', '-netdev', 'user,id=net1',
                 '-object', 'tls-creds-anon,id=tls0', '-device', 'e1000,netdev=net1,id=nic0',
                 '-drive', 'if=ide,media=cdrom,id=cd0',
                 '-device', 'virtio-scsi-pci,id=scsi0', '-device', 'virtio-balloon-pci,id=balloon0',
                 '-device', 'VGA,id=video0', '-vnc', '127.0.0.1:500,to=900', hmp=True) as running:
        yield running


def candidates(machine, line):
    """What Tab shows behind `line`: a list, or what it adds to the line."""
    hmp = machine.hmp
    hmp.send(line)
    hmp.send('\t\t\x15p /x 0xabc123\n')
    shown = hmp.expect(rb'\r\n0xabc123\r\n\(qemu\) ')
    shown = re.sub(r'\x1b\[\d*[A-Z]', '\x1b', shown)
    listed = re.findall(r'\r\n((?:(?!0xabc123|\(qemu\)).*\r\n)+)\(qemu\) ', shown)
    if listed:
        return listed[0].split()
    states = [state for state in shown.split('\x1b') if state.startswith(line)]
    longest = max(states, key=len, default=line)
    return [longest[len(line):]] if len(longest) > len(line) else []


def arguments(machine, command):
    """Names in the order they are typed, flags first."""
    lines = machine.qmp.hmp('help ' + command).splitlines()[1:]
    return [re.match(r'    (-\w \w+|\S+)', line)[1] for line in lines if re.match(r'    \S', line)]


def commands(machine):
    names = [line.split()[0].split('|')[0] for line in machine.qmp.hmp('help').splitlines()]
    topics = [line.split()[1].split('|')[0] for line in machine.qmp.hmp('help info').splitlines()]
    return [name for name in names if name not in ('info', 'log')] + ['info ' + topic for topic in topics]


def test_every_id_and_word_completes(machine):
    missing, seen = [], set()
    for command in commands(machine):
        before = ''
        for name in arguments(machine, command):
            place = (command, name)
            seen.add(place)
            if re.fullmatch(r'-\w', name) or name == 'fmt':
                continue
            flag = re.match(r'-\w', name)
            line = command + ' ' + (flag[0] if flag else BEFORE.get(place, before).strip())
            found = candidates(machine, line.strip() + ' ')
            if bool(found) == (place in FREE):
                missing.append((place, found))
            if not flag:
                before += ' ' + (found[0].strip() if found else 'x')
    assert not missing, missing
    assert set(FREE) <= seen


# a line, what must be among its candidates
OFFERED = [
    ('', ['info', 'quit', 'device_add']), ('info ', ['status', 'qtree']), ('help ', ['device_add']),
    ('help info ', ['status']), ('device_add ', ['e1000', 'virtio-blk-pci']),
    ('device_add e1000,', ['netdev=', 'mac=', 'bus=', 'id=', 'addr=']), ('device_add e1000,netdev=', ['net1']),
    ('device_add scsi-hd,bus=', ['scsi0.0']), ('device_add e1000,multifunction=', ['on', 'off']),
    ('device_add virtio-blk-pci,iothread=', ['io0']), ('device_add driver=e1000,netdev=', ['net1']),
    ('object_add ', ['iothread', 'rng-random']), ('object_add rng-random,', ['filename=', 'id=']),
    ('netdev_add ', ['user', 'tap']), ('netdev_add user,', ['hostfwd=', 'restrict=']),
    ('netdev_add user,restrict=', ['on', 'off']), ('netdev_add stream,id=x,', ['addr.']),
    ('chardev-add ', ['socket', 'null']), ('chardev-add socket,', ['path=', 'server=', 'mux=', 'id=']),
    ('chardev-add socket,server=', ['on', 'off']), ('chardev-change rb0 socket,', ['path=']),
    ('chardev-add socket,tls-creds=', ['tls0']),
    ('qom-list /', ['machine', 'objects']), ('qom-list /objects/', ['io0']), ('qom-get nic0 ', ['mac', 'netdev']),
    ('type -l ', ['de-ch', 'en-us']), ('sendkey ctrl-', ['alt', 'delete']), ('watchdog_action ', ['pause', 'reset']), ('cpu ', ['0', '1']),
    ('set ', ['color', 'pager', 'terminal']), ('set pager ', ['on', 'off']), ('json ', ['info', 'query-status']),
    ('json info ', ['status']), ('watch ', ['info']), ('watch -n 2 info ', ['status']), ('eject ', ['cd0']),
    ('eject -f ', ['cd0']), ('log unimp,', ['guest_errors']), ('info block -', ['-n', '-v']),
]


@pytest.mark.parametrize('line,words', OFFERED, ids=[line or 'empty' for line, _ in OFFERED])
def test_offered(machine, line, words):
    found = candidates(machine, line)
    assert set(words) <= {word.strip() for word in found}, found


def test_nothing_for_what_does_not_exist(machine):
    for line in ['nosuch ', 'info nosuch ', 'stop ', 'device_add nosuch,', 'qom-list /nosuch/', 'set pagr x ']:
        assert candidates(machine, line) == []


def test_prompt_is_as_before(machine):
    machine.hmp.send('\n')
    machine.hmp.expect(Hmp.PROMPT)
