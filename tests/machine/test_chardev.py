"""Character devices as their peers see them."""
import base64
import os
import re
import socket
import struct

from rhea import Machine, Stream, connect


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
