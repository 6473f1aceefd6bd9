"""Character devices as their peers see them."""
import base64
import os
import re
import socket
import struct

import pytest

from rhea import Machine, Stream, connect, run


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def receive(sock, size):
    data = b''
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, data
        data += piece
    return data


def read_frame(sock):
    head, length = receive(sock, 2)
    if length == 126:
        length, = struct.unpack('>H', receive(sock, 2))
    return head & 15, receive(sock, length)


def send_frame(sock, payload, opcode=2):
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    sock.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)


def test_a_monitor_over_telnet():
    port = free_port()
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-monitor',
                 'telnet:127.0.0.1:%d,server=on,wait=off' % port) as machine:
        with connect(('127.0.0.1', port)) as peer:
            assert receive(peer, 12) == b'\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00'
            peer.sendall(b'\xff\xfd\x01\xff\xfd\x03info st\xff\xf1atus\r\0')
            text = b''
            while b'prelaunch' not in text:
                text += receive(peer, 1)
            assert 'telnet:127.0.0.1:%d,server=on <-> 127.0.0.1:' % port in machine.qmp.hmp('info chardev')


def test_qmp_over_a_websocket():
    port = free_port()
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-qmp',
                 'websocket:127.0.0.1:%d,server=on,wait=off' % port):
        with connect(('127.0.0.1', port)) as peer:
            key = base64.b64encode(os.urandom(16)).decode()
            peer.sendall(('GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n' % key).encode())
            head = b''
            while not head.endswith(b'\r\n\r\n'):
                head += receive(peer, 1)
            assert head.startswith(b'HTTP/1.1 101 ')
            opcode, greeting = read_frame(peer)
            assert opcode == 2 and b'"QMP"' in greeting
            send_frame(peer, b'{"execute": "qmp_capabilities"}')
            assert b'"return"' in read_frame(peer)[1]
            send_frame(peer, b'ping', opcode=9)
            assert read_frame(peer) == (10, b'ping')
            send_frame(peer, struct.pack('>H', 1000), opcode=8)
            assert read_frame(peer)[0] == 8
            assert peer.recv(1) == b''


def test_a_browser_that_asks_for_a_page_is_told(tmp_path):
    path = str(tmp_path / 'ws')
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-chardev',
                 'socket,id=w,path=%s,server=on,wait=off,websocket=on' % path, '-mon', 'w'):
        peer = Stream(path)
        peer.send(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
        assert re.search(r'400 Bad Request', peer.expect(rb'only\n'))


def test_chardevs_are_added_changed_and_removed(tmp_path):
    first, second = str(tmp_path / 'first'), str(tmp_path / 'second')
    with Machine('-accel', 'tcg', '-S', '-nodefaults') as machine:
        inet = {'type': 'inet', 'data': {'host': '127.0.0.1', 'port': str(free_port())}}
        backends = {
            'n': {'type': 'null', 'data': {}},
            'f': {'type': 'file', 'data': {'out': first, 'logfile': second}},
            's': {'type': 'socket', 'data': {'addr': {'type': 'unix', 'data': {'path': str(tmp_path / 's')}}}},
            't': {'type': 'socket', 'data': {'addr': inet, 'telnet': True}},
            'r': {'type': 'ringbuf', 'data': {'size': 4096}},
        }
        for name, backend in backends.items():
            assert machine.qmp.command('chardev-add', id=name, backend=backend) == {}
        path = machine.qmp.command('chardev-add', id='p', backend={'type': 'pty', 'data': {}})['pty']
        assert path.startswith('/dev/pts/')
        shown = {info['label']: info['filename'] for info in machine.qmp.command('query-chardev')}
        assert shown['p'] == 'pty:' + path
        assert shown['s'] == 'disconnected:unix:%s,server=on' % (tmp_path / 's')
        assert shown['t'].startswith('disconnected:telnet:127.0.0.1:')
        for name in list(backends) + ['p']:
            machine.qmp.command('chardev-remove', id=name)
        assert len(machine.qmp.command('query-chardev')) == len(shown) - 6
        for arguments, text in [
                ({'id': '1', 'backend': {'type': 'null', 'data': {}}}, 'identifier'),
                ({'id': 'b', 'backend': {'type': 'socket', 'data': {'addr': inet, 'server': False}}}, 'connect'),
                ({'id': 'b', 'backend': {'type': 'udp', 'data': {
                    'remote': {'type': 'unix', 'data': {'path': '/x'}}}}}, "'inet'"),
                ({'id': 'b', 'backend': {'type': 'ringbuf', 'data': {'size': 3}}}, 'power')]:
            assert text in machine.qmp.execute('chardev-add', **arguments)['error']['desc']
        assert machine.qmp.hmp('chardev-add null,id=h') == ''
        assert machine.qmp.hmp('chardev-change h file,path=%s' % first) == ''
        assert 'h: filename=file' in machine.qmp.hmp('info chardev')
        assert 'not found' in machine.qmp.hmp('chardev-remove bogus')


@pytest.mark.parametrize('words, text', [
    (['-chardev', 'parallel,id=p,path=/dev/nosuch'], "Could not open '/dev/nosuch': No such file or directory"),
    (['-chardev', 'parallel,id=p,path=/dev/null'], "'/dev/null' is not a parallel port: Inappropriate ioctl for device"),
    (['-chardev', 'parport,id=p,path=/dev/nosuch'], "The alias 'parport' is deprecated, use 'parallel' instead"),
    (['-chardev', 'tty,id=p,path=/dev/nosuch'], "The alias 'tty' is deprecated, use 'serial' instead"),
    (['-parallel', '/dev/parport99'], "-parallel /dev/parport99: Could not open '/dev/parport99'"),
])
def test_ports_of_the_host_that_are_not_there(words, text):
    result = run('-accel', 'tcg', '-display', 'none', *words)
    assert result.returncode == 1 and text in result.stderr


def test_a_monitor_moves_to_another_socket(tmp_path):
    paths = [str(tmp_path / name) for name in 'ab']
    with Machine('-accel', 'tcg', '-S', '-nodefaults', '-chardev',
                 'socket,id=c,path=%s,server=on,wait=off' % paths[0], '-mon', 'c') as machine:
        Stream(paths[0]).expect(rb'\(qemu\) ')
        address = {'type': 'unix', 'data': {'path': paths[1]}}
        machine.qmp.command('chardev-change', id='c', backend={'type': 'socket', 'data': {'addr': address}})
        assert not os.path.exists(paths[0])
        peer = Stream(paths[1])
        peer.expect(rb'\(qemu\) ')
        peer.send(b'info status\n')
        peer.expect(rb'prelaunch')
        bad = {'type': 'socket', 'data': {'addr': {'type': 'unix', 'data': {'path': '/nonexistent/x'}}}}
        assert 'error' in machine.qmp.execute('chardev-change', id='c', backend=bad)
        peer.send(b'info name\n')                       # the failed change took nothing away
        peer.expect(rb'\(qemu\) ')


@pytest.mark.slow
def test_a_guest_talks_through_a_terminal_device(demo):
    master, slave = os.openpty()
    with Machine('-accel', 'tcg', '-nodefaults', '-m', '256', '-kernel', os.path.join(demo, 'vmlinuz'),
                 '-initrd', os.path.join(demo, 'initrd'), '-append', 'console=ttyS0 quiet',
                 '-serial', os.ttyname(slave)) as machine:
        text = b''
        while b'/ # ' not in text:
            text += os.read(master, 4096)
        os.write(master, b'echo sum-$((40+2))\r')
        while b'sum-42' not in text:
            text += os.read(master, 4096)
        assert machine.qmp.command('query-status')['running']
    os.close(slave)
    os.close(master)
