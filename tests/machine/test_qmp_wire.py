"""What a QMP connection can beyond one request after the other: out of band, waiting, descriptors, memory."""
import array
import base64
import json
import mmap
import os
import socket
import time

import pytest

from rhea import Closed, Machine, Qmp, run

BOARD = ['-M', 'pc', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-S', '-m', '64']


@pytest.fixture(name='board')
def fixture_board():
    with Machine(*BOARD) as machine:
        yield machine


def other_monitor(path):
    """Arguments for a second QMP monitor."""
    return ['-chardev', 'socket,id=other,path=%s,server=on,wait=off' % path, '-mon',
            'chardev=other,mode=control']


def reconnect(machine, enable=()):
    machine.qmp.close()
    machine.qmp = Qmp(machine.path('qmp'), negotiate=False)
    machine.qmp.command('qmp_capabilities', enable=list(enable))
    return machine.qmp


def request(name, number, key='execute', **arguments):
    return json.dumps({key: name, 'id': number, 'arguments': arguments}) + '\n'


def refused(reply):
    return reply['error']['desc']


# ---- out of band ----

def test_oob_overtakes(board):
    """Behind a wait and a full queue of requests, an out-of-band one is answered at once."""
    assert board.qmp.greeting['QMP']['capabilities'] == ['oob']
    qmp = reconnect(board, ['oob'])
    qmp.send(request('wait-event', 0, event='RESUME') +
             ''.join(request('query-name', n) for n in range(1, 8)))
    qmp.send(request('query-yank', 'oob', key='exec-oob'))
    assert qmp.read() == {'return': [{'type': 'chardev', 'id': 'compat_monitor0'}], 'id': 'oob'}
    qmp.send(request('query-name', 'oob', key='exec-oob'))
    assert qmp.read()['error']['desc'] == 'The command query-name does not support OOB'
    qmp.send(request('yank', 'y', key='exec-oob', instances=[{'type': 'chardev', 'id': 'nosuch'}]))
    assert qmp.read() == {'id': 'y', 'error': {'class': 'DeviceNotFound', 'desc': 'Instance not found'}}


def test_reading_stops_at_a_full_queue(tmp_path):
    """More than the queue holds waits in the socket, out-of-band requests too, and loses nothing."""
    path = str(tmp_path / 'other')
    with Machine(*BOARD, *other_monitor(path)) as machine:
        other = Qmp(path)
        qmp = reconnect(machine, ['oob'])
        qmp.send(request('wait-event', 0, event='RESUME'))
        for number in range(1, 21):
            qmp.send(request('query-name', number))
            time.sleep(0.01)                            # one piece of input each
        qmp.send(request('query-yank', 'oob', key='exec-oob'))
        with pytest.raises(TimeoutError):
            qmp.expect(rb'\r\n', timeout=0.3)
        other.command('cont')
        replies = [qmp.reply() for _ in range(22)]
        assert [reply['id'] for reply in replies if reply['id'] != 'oob'] == list(range(21))
        assert 'oob' in [reply['id'] for reply in replies]
        other.close()


def test_oob_during_a_command(board, tmp_path):
    """While the main thread carries out a command, another thread answers."""
    qmp = reconnect(board, ['oob'])
    path = str(tmp_path / 'memory')
    for _ in range(20):
        qmp.send(request('pmemsave', 'slow', val=0, size=48 << 20, filename=path) +
                 request('query-yank', 'oob', key='exec-oob'))
        if [qmp.read()['id'], qmp.read()['id']] == ['oob', 'slow']:
            return
    pytest.fail('the out-of-band request never came first')


def test_oob_needs_a_plain_device(tmp_path):
    with Machine(*BOARD, '-chardev', 'socket,id=m,path=%s/m,server=on,wait=off,mux=on' % tmp_path,
                 '-mon', 'chardev=m,mode=control', qmp=False) as machine:
        qmp = Qmp(str(tmp_path / 'm'), negotiate=False)
        assert qmp.greeting['QMP']['capabilities'] == []
        assert refused(qmp.execute('qmp_capabilities', enable=['oob'])) == 'Capability oob not available'
        qmp.command('qmp_capabilities')
        qmp.close()
        assert machine.process.poll() is None


def test_oob_clients_come_and_go(board):
    for _ in range(30):
        qmp = reconnect(board, ['oob'])
        qmp.send(request('query-status', 1) + request('query-yank', 2, key='exec-oob') +
                 request('wait-event', 3, event='STOP') + request('query-status', 4))
    assert reconnect(board).command('query-status')['running'] is False


def test_yank_cuts(board):
    peer = socket.socket(socket.AF_UNIX)
    board.qmp.command('chardev-add', id='c0', backend={'type': 'socket', 'data': {
        'addr': {'type': 'unix', 'data': {'path': board.path('c0')}}, 'server': True, 'wait': False}})
    peer.connect(board.path('c0'))
    peer.settimeout(10)
    assert {'type': 'chardev', 'id': 'c0'} in board.qmp.command('query-yank')
    board.qmp.command('query-chardev')
    board.qmp.command('yank', instances=[{'type': 'chardev', 'id': 'c0'}])
    assert peer.recv(1) == b''
    peer.close()
    board.qmp.command('chardev-remove', id='c0')
    assert {'type': 'chardev', 'id': 'c0'} not in board.qmp.command('query-yank')


# ---- wait-event ----

def test_wait_event_sees_what_a_command_caused(board):
    """RESUME is sent before cont is answered; the wait that follows still finds it."""
    qmp = board.qmp
    qmp.command('cont')
    found = qmp.command('wait-event', event='RESUME', timeout=10000)
    assert found['event']['event'] == 'RESUME' and not found['timed-out'] and 'missed' not in found
    again = qmp.command('wait-event', event='RESUME', timeout=0)
    assert again == {'timed-out': True, 'position': found['position']}
    assert qmp.command('wait-event', event=['STOP', 'RESUME'], timeout=0, since=0)['event'] == found['event']
    assert qmp.command('query-event-position') == {'position': found['position'], 'oldest': 0}


def test_wait_event_for_one_to_come(tmp_path):
    path = str(tmp_path / 'other')
    with Machine(*BOARD, *other_monitor(path)) as machine:
        other = Qmp(path)
        machine.qmp.send(request('wait-event', 1, event='STOP', timeout=60000) + request('query-name', 2))
        other.command('cont')
        other.command('stop')
        first, second = machine.qmp.reply(), machine.qmp.reply()
        assert (first['id'], first['return']['event']['event']) == (1, 'STOP')
        assert second == {'return': {}, 'id': 2}        # had to wait
        other.close()


def test_wait_event_match(board):
    qmp = board.qmp
    start = qmp.command('query-event-position')['position']
    qmp.command('system_reset')
    for match, found in [({'reason': 'host-qmp-system-reset'}, True), ({'guest': False}, True), ({}, True),
                         ({'guest': True}, False), ({'nosuch': 1}, False)]:
        reply = qmp.command('wait-event', event='RESET', match=match, since=start, timeout=0)
        assert reply['timed-out'] is not found, match


def test_wait_event_timeout(board):
    begin = time.monotonic()
    assert board.qmp.command('wait-event', event='STOP', timeout=200)['timed-out'] is True
    assert 0.19 < time.monotonic() - begin < 10


def test_wait_event_ends_with_its_client(board):
    board.qmp.send(request('wait-event', 1, event='STOP'))
    qmp = reconnect(board)
    qmp.command('cont')
    qmp.command('stop')
    assert qmp.command('wait-event', event='STOP')['event']['event'] == 'STOP'


def test_wait_event_says_what_is_lost(board):
    for _ in range(1100):
        board.qmp.command('system_reset')
    oldest = board.qmp.command('query-event-position')['oldest']
    assert oldest >= 1100 - 1024
    assert board.qmp.command('wait-event', event='RESET', since=0)['missed'] == oldest


@pytest.mark.parametrize('arguments, text', [
    ({'event': 'RESUM'}, "There is no event 'RESUM'"),
    ({'event': []}, "Parameter 'event' expects at least one name"),
    ({'event': 'STOP', 'match': 5}, "Invalid parameter type for 'match', expected: object"),
    ({'event': 'STOP', 'timeout': -1}, "Parameter 'timeout' expects milliseconds from 0 to 4294967295"),
    ({'event': 'STOP', 'since': 99}, "Parameter 'since' expects a position up to 0, that of the next event"),
])
def test_wait_event_refuses(board, arguments, text):
    assert refused(board.qmp.execute('wait-event', **arguments)) == text


# ---- descriptors ----

def send_fds(qmp, line, fds):
    qmp.sock.sendmsg([line.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])


def pass_fd(qmp, command, fd, **arguments):
    send_fds(qmp, request(command, 1, **arguments), [fd])
    return qmp.reply()


def open_fds(machine):
    return sorted(os.listdir('/proc/%d/fd' % machine.process.pid))


def test_getfd(board):
    before = open_fds(board)
    ours, theirs = socket.socketpair()
    assert pass_fd(board.qmp, 'getfd', theirs.fileno(), fdname='s') == {'return': {}, 'id': 1}
    theirs.close()
    board.qmp.command('chardev-add', id='c0', backend={'type': 'socket', 'data': {
        'addr': {'type': 'fd', 'data': {'str': 's'}}, 'server': False}})
    assert refused(board.qmp.execute('closefd', fdname='s')) == "File descriptor named 's' not found"
    board.qmp.command('chardev-remove', id='c0')
    assert ours.recv(1) == b''
    ours.close()
    assert open_fds(board) == before


def test_getfd_replaces_and_closes(board):
    before = open_fds(board)
    pairs = [os.pipe(), os.pipe()]
    for _, write in pairs:
        assert 'return' in pass_fd(board.qmp, 'getfd', write, fdname='p')
        os.close(write)
    assert os.read(pairs[0][0], 1) == b''               # the first one was closed
    board.qmp.command('closefd', fdname='p')
    assert os.read(pairs[1][0], 1) == b''
    assert open_fds(board) == before


def test_getfd_mistakes(board):
    before = open_fds(board)
    with open('/dev/null', 'rb') as null:
        fd = null.fileno()
        assert refused(pass_fd(board.qmp, 'getfd', fd, fdname='1a')) == \
            "Parameter 'fdname' expects a name not starting with a digit"
        assert refused(pass_fd(board.qmp, 'getfd', fd)) == "Parameter 'fdname' is missing"
        assert refused(board.qmp.execute('getfd', fdname='a')) == 'No file descriptor supplied via SCM_RIGHTS'
        assert 'return' in pass_fd(board.qmp, 'query-name', fd)         # nobody wants it
        assert 'return' in pass_fd(board.qmp, 'getfd', fd, fdname='a')
        assert refused(board.qmp.execute('netdev_add', type='tap', id='n0', fd='a')).startswith(
            'Unable to query TUNGETIFF on FD')
        send_fds(board.qmp, request('getfd', 2, fdname='a'), [fd] * 16)
        assert 'return' in board.qmp.reply()
    qmp = reconnect(board)                              # takes the name, and what nobody took
    assert refused(qmp.execute('closefd', fdname='a')) == "File descriptor named 'a' not found"
    assert open_fds(board) == before


def test_names_belong_to_a_connection(tmp_path):
    path = str(tmp_path / 'other')
    with Machine(*BOARD, *other_monitor(path)) as machine, open('/dev/null', 'rb') as null:
        other = Qmp(path)
        assert 'return' in pass_fd(machine.qmp, 'getfd', null.fileno(), fdname='a')
        assert refused(other.execute('closefd', fdname='a')) == "File descriptor named 'a' not found"
        other.close()


def test_getfd_of_the_human_monitor():
    with Machine(*BOARD, hmp=True) as machine, open('/dev/null', 'rb') as null:
        assert 'No file descriptor supplied' in machine.hmp.command('getfd a')
        send_fds(machine.hmp, 'getfd a\n', [null.fileno()])
        machine.hmp.expect(rb'\r?\n')
        assert machine.hmp.expect(machine.hmp.PROMPT) == '(qemu) '
        assert machine.hmp.command('closefd a') == ''
        assert 'not found' in machine.hmp.command('closefd a')


def test_fds_behind_a_wait(board):
    """Each request in the queue keeps the descriptor that came with it."""
    with open('/dev/null', 'rb') as null:
        board.qmp.send(request('wait-event', 0, event='STOP', timeout=300))
        for number in range(1, 4):
            send_fds(board.qmp, request('add-fd', number), [null.fileno()])
        replies = [board.qmp.reply() for _ in range(4)]
    assert [reply['return']['fdset-id'] for reply in replies[1:]] == [0, 1, 2]


def test_fd_sets(board, tmp_path):
    path = tmp_path / 'disk'
    path.write_bytes(b'boot' + bytes(1048572))
    with open(path, 'r+b') as disk, open(path, 'rb') as readonly:
        first = pass_fd(board.qmp, 'add-fd', disk.fileno(), **{'fdset-id': 7, 'opaque': 'rw'})['return']
        second = pass_fd(board.qmp, 'add-fd', readonly.fileno(), **{'fdset-id': 7})['return']
    assert first['fdset-id'] == second['fdset-id'] == 7
    assert board.qmp.command('query-fdsets') == [
        {'fdset-id': 7, 'fds': [{'fd': second['fd']}, {'fd': first['fd'], 'opaque': 'rw'}]}]
    path.rename(tmp_path / 'elsewhere')                 # nothing but the set leads there
    for node, read_only in (('n0', True), ('n1', False)):
        board.qmp.command('blockdev-add', driver='file', node_name=node, filename='/dev/fdset/7',
                          read_only=read_only, locking='off')
    board.qmp.command('remove-fd', fdset_id=7, fd=first['fd'])
    assert refused(board.qmp.execute('remove-fd', fdset_id=7, fd=first['fd'])) == \
        "File descriptor named 'fdset-id:7, fd:%d' not found" % first['fd']
    assert 'Permission denied' in refused(board.qmp.execute(
        'blockdev-add', driver='file', node_name='n2', filename='/dev/fdset/7', read_only=False))
    board.qmp.command('remove-fd', fdset_id=7)
    for node in ('n0', 'n1'):
        board.qmp.command('blockdev-del', node_name=node)
    assert board.qmp.command('query-fdsets') == []
    assert refused(board.qmp.execute('remove-fd', fdset_id=7)) == "File descriptor named 'fdset-id:7' not found"
    assert refused(board.qmp.execute('pmemsave', val=0, size=16, filename='/dev/fdset/7')) == \
        "Could not open '/dev/fdset/7': No such file or directory"


def test_fd_set_files(board, tmp_path):
    """Files of character devices and of saved memory; a copy is written where the original is."""
    with open(tmp_path / 'out', 'wb') as out:
        assert pass_fd(board.qmp, 'add-fd', out.fileno())['return']['fdset-id'] == 0
    board.qmp.command('memory-write', address=0x1000, data=base64.b64encode(b'saved memory').decode())
    board.qmp.command('pmemsave', val=0x1000, size=12, filename='/dev/fdset/0')
    assert (tmp_path / 'out').read_bytes() == b'saved memory'
    board.qmp.command('chardev-add', id='f', backend={'type': 'file', 'data': {'out': '/dev/fdset/0'}})
    assert (tmp_path / 'out').read_bytes() == b''
    board.qmp.command('chardev-remove', id='f')


def test_unused_sets_go_with_the_last_client(board, tmp_path):
    """While the machine runs; what a file was opened through stays."""
    with open('/dev/null', 'r+b') as null, open(tmp_path / 'out', 'wb') as out:
        assert pass_fd(board.qmp, 'add-fd', null.fileno())['return']['fdset-id'] == 0
        assert pass_fd(board.qmp, 'add-fd', out.fileno())['return']['fdset-id'] == 1
    qmp = reconnect(board)
    assert len(qmp.command('query-fdsets')) == 2        # the machine does not run
    qmp.command('chardev-add', id='f', backend={'type': 'file', 'data': {'out': '/dev/fdset/1'}})
    qmp.command('cont')
    assert [entry['fdset-id'] for entry in reconnect(board).command('query-fdsets')] == [1]


def test_too_many_fds(board):
    with open('/dev/null', 'rb') as null:
        for _ in range(1024):
            reply = pass_fd(board.qmp, 'add-fd', null.fileno(), **{'fdset-id': 0})
            if 'error' in reply:
                break
        assert 'error' in reply or refused(pass_fd(board.qmp, 'add-fd', null.fileno())) == \
            'Too many file descriptors are held: at most 1024, close some first'
    board.qmp.command('remove-fd', fdset_id=0)


# ---- memory ----

def read(qmp, address, size, **more):
    return base64.b64decode(qmp.command('memory-read', address=address, size=size, **more)['data'])


def write(qmp, address, data, **more):
    return qmp.execute('memory-write', address=address, data=base64.b64encode(data).decode(), **more)


def test_memory_read_write(board):
    qmp = board.qmp
    data = os.urandom(3 << 20)
    assert write(qmp, 0x200001, data) == {'return': {}}
    assert read(qmp, 0x200001, len(data)) == data
    assert read(qmp, 0x200001, 16, cpu_index=0) == data[:16]        # paging is off
    assert read(qmp, 0xfffffff0, 16)[0] == 0xea                     # the reset vector, in ROM
    assert write(qmp, 0xffff0000, b'\x90') == {'return': {}}        # which a debugger writes
    assert read(qmp, 0xffff0000, 1) == b'\x90'
    assert read(qmp, 0, 0) == b''
    assert len(read(qmp, 0x100000, 16 << 20)) == 16 << 20


@pytest.mark.parametrize('address, size, more, text', [
    (64 << 20, 1, {}, 'There is no memory at physical address 0x4000000: nothing is there'),
    ((64 << 20) - 4, 8, {}, 'There is no memory at physical address 0x4000000: nothing is there'),
    (0xfec00000, 4, {}, 'There is no memory at physical address 0xfec00000: a device is there'),
    (2**64 - 4, 8, {}, 'There is no memory at physical address 0xffffffffffffffff: addresses end there'),
    (0, (16 << 20) + 1, {}, '16777217 bytes are too many: at most 16 MiB go with one command'),
    (0, 4, {'cpu-index': 7}, "Parameter 'cpu-index' expects a CPU number"),
    ((64 << 20) - 4, 8, {'cpu-index': 0},
     'There is no memory at virtual address 0x4000000: nothing is there'),
])
def test_memory_refuses(board, address, size, more, text):
    assert refused(board.qmp.execute('memory-read', address=address, size=size, **more)) == text


def test_memory_write_refuses_whole(board):
    end = 64 << 20
    assert 'error' in write(board.qmp, end - 4, b'12345678')
    assert read(board.qmp, end - 4, 4) == bytes(4)
    for data in ('a', '!!!!', 'AA=A', '===='):
        assert refused(board.qmp.execute('memory-write', address=0, data=data)) == "Parameter 'data' expects base64"


def ram_at(ranges, address):
    return next(r for r in ranges if r['address'] <= address < r['address'] + r['size'])


def test_ram_fds_of_a_memfd(board):
    with Machine(*BOARD, '-object', 'memory-backend-memfd,id=m0,size=64M,share=on',
                 '-machine', 'memory-backend=m0') as machine:
        ram = ram_at(machine.qmp.command('query-ram-fds'), 0x100000)
        assert ram['shared'] and ram['name'] == 'm0' and not ram['read-only']
        assert ram['path'] == '/proc/%d/fd/%d' % (machine.process.pid, ram['fd'])
        with open(ram['path'], 'r+b') as file, mmap.mmap(file.fileno(), 0) as view:
            at = 0x300000 - ram['address'] + ram['offset']
            view[at:at + 5] = b'there'
            assert read(machine.qmp, 0x300000, 5) == b'there'


def test_ram_fds_of_a_file(tmp_path):
    path = tmp_path / 'ram'
    with Machine(*BOARD, '-object', 'memory-backend-file,id=m0,size=64M,mem-path=%s,share=on' % path,
                 '-machine', 'memory-backend=m0') as machine:
        write(machine.qmp, 0x300000, b'there')
        ram = ram_at(machine.qmp.command('query-ram-fds'), 0x300000)
        with open(path, 'rb') as file:
            file.seek(0x300000 - ram['address'] + ram['offset'])
            assert file.read(5) == b'there'


def test_ram_fds_of_anonymous_memory(board):
    """No descriptor is made up; the address in the process is true."""
    write(board.qmp, 0x300000, b'there')
    ram = ram_at(board.qmp.command('query-ram-fds'), 0x300000)
    assert not ram['shared'] and not {'fd', 'path', 'offset'} & set(ram)
    with open('/proc/%d/mem' % board.process.pid, 'rb') as memory:
        memory.seek(ram['host-address'] + 0x300000 - ram['address'])
        assert memory.read(5) == b'there'


def test_closing_is_not_an_error(board):
    board.qmp.send(request('quit', 1))
    with pytest.raises(Closed):
        while True:
            board.qmp.read()


# ---- -add-fd ----

def test_add_fd_option(tmp_path):
    path = tmp_path / 'out'
    with open(path, 'wb') as out:
        with Machine(*BOARD, '-add-fd', 'fd=%d,set=3,opaque=mine' % out.fileno(), '-chardev',
                     'file,id=f,path=/dev/fdset/3', pass_fds=[out.fileno()]) as machine:
            entry, = machine.qmp.command('query-fdsets')
            assert (entry['fdset-id'], entry['fds'][0]['opaque']) == (3, 'mine')


@pytest.mark.parametrize('text, message', [
    ('fd=3', 'set option is required and must be non-negative'),
    ('set=1', 'fd option is required and must be non-negative'),
    ('fd=1,set=1', 'fd cannot be a standard I/O stream'),
    ('fd=77,set=1', 'fd is not valid or already in use'),
    ('fd=x,set=1', "'x' is not a number"),
])
def test_add_fd_option_refuses(text, message):
    with open('/dev/null', 'rb') as null:
        result = run('-M', 'none', '-add-fd', text.replace('fd=3', 'fd=%d' % null.fileno()),
                     pass_fds=[null.fileno()])
    assert result.returncode == 1 and message in result.stderr, result.stderr
