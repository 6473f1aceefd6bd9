"""Character devices over TLS: real clients, QEMU's as the peer both ways, and peers that do wrong."""
import json
import os
import shutil
import socket
import ssl
import subprocess

import pytest

from rhea import Machine, connect, run
from test_chardev import free_port, read_frame, send_frame
from test_seed_machine import QEMU
from tls import Authority, PSK, make_folder

BARE = ('-machine', 'none', '-nodefaults', '-display', 'none')
KINDS = ('anon', 'psk', 'x509')


@pytest.fixture(scope='module')
def certs(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp('tls') / 'certs').folder


def creds(kind, end, folder, more=''):
    return ['-object', 'tls-creds-%s,id=tls-%s,dir=%s,endpoint=%s%s' % (kind, end, folder, end, more)]


def server(kind, port, folder, more='', options=''):
    return creds(kind, 'server', folder, more) + [
        '-chardev', 'socket,id=c,host=localhost,ipv4=on,port=%d,server=on,wait=off,tls-creds=tls-server%s'
        % (port, options)]


def client(kind, port, folder, more='', options=''):
    return creds(kind, 'client', folder, more) + [
        '-chardev', 'socket,id=c,host=localhost,ipv4=on,port=%d,tls-creds=tls-client%s' % (port, options)]


def context(folder, certificate=True):
    made = ssl.create_default_context(cafile=os.path.join(folder, 'ca-cert.pem'))
    if certificate:
        made.load_cert_chain(os.path.join(folder, 'client-cert.pem'), os.path.join(folder, 'client-key.pem'))
    return made


def secure(port, folder, host='localhost', **options):
    return context(folder, **options).wrap_socket(connect(('127.0.0.1', port)), server_hostname=host)


def read_until(peer, wanted):
    text = b''
    while wanted not in text:
        piece = peer.recv(4096)
        assert piece, text
        text += piece
    return text


# ---- real clients ----

def ask(peer, **request):
    """A QMP request and its answer, whatever its size."""
    peer.sendall(json.dumps(request).encode())
    text = b''
    while not text.endswith(b'\r\n'):
        text += peer.recv(65536)
    return json.loads(text)


def test_qmp_over_tls(certs):
    port = free_port()
    with Machine(*BARE, *server('x509', port, certs), '-mon', 'c,mode=control') as machine:
        for enable in ([], ['oob'], []):                    # with oob its input is another thread's
            with secure(port, certs) as peer:
                read_until(peer, b'\r\n')
                assert ask(peer, execute='qmp_capabilities', arguments={'enable': enable}) == {'return': {}}
                assert len(ask(peer, execute='query-qmp-schema')['return']) > 500
                assert ask(peer, execute='query-name', id=1) == {'return': {}, 'id': 1}
                assert 'tcp:127.0.0.1:%d,server=on <-> 127.0.0.1:' % port in machine.qmp.hmp('info chardev')


def test_gnutls_and_openssl_talk_to_a_monitor(certs):
    port = free_port()
    pem = [os.path.join(certs, name) for name in ('ca-cert.pem', 'client-cert.pem', 'client-key.pem')]
    clients = {
        'x509': [['gnutls-cli', '--x509cafile', pem[0], '--x509certfile', pem[1], '--x509keyfile', pem[2],
                  '-p', str(port), 'localhost'],
                 ['openssl', 's_client', '-quiet', '-verify_return_error', '-CAfile', pem[0], '-cert', pem[1],
                  '-key', pem[2], '-connect', 'localhost:%d' % port]],
        'psk': [['gnutls-cli', '--priority', 'NORMAL:+ECDHE-PSK:+PSK', '--pskusername', 'qemu', '--pskkey', PSK,
                 '-p', str(port), 'localhost'],
                ['openssl', 's_client', '-quiet', '-psk', PSK, '-psk_identity', 'qemu',
                 '-connect', 'localhost:%d' % port]],
    }
    for kind, commands in clients.items():
        with Machine(*BARE, *server(kind, port, certs), '-mon', 'c'):
            for command in commands:
                with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL) as process:
                    shown = b''
                    while b'(qemu) ' not in shown:
                        shown += os.read(process.stdout.fileno(), 4096) or pytest.fail(shown)
                    process.stdin.write(b'info name\ninfo status\n')
                    process.stdin.flush()
                    while b'VM status' not in shown:
                        shown += os.read(process.stdout.fileno(), 4096) or pytest.fail(shown)
                    process.kill()


def test_telnet_and_websocket_go_through_tls(certs):
    ports = free_port(), free_port()
    tls = server('x509', ports[0], certs, options=',telnet=on')
    with Machine(*BARE, *tls, '-mon', 'c', '-chardev',
                 'socket,id=w,host=127.0.0.1,port=%d,server=on,wait=off,websocket=on,tls-creds=tls-server' % ports[1],
                 '-mon', 'w,mode=control') as machine:
        with secure(ports[0], certs) as peer:
            assert read_until(peer, b'(qemu) ').startswith(b'\xff\xfb\x01')
            assert 'telnet:127.0.0.1:%d,server=on <-> 127.0.0.1:' % ports[0] in machine.qmp.hmp('info chardev')
        with secure(ports[1], certs) as peer:
            peer.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                         b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
            read_until(peer, b'\r\n\r\n')
            assert b'"QMP"' in read_frame(peer)[1]
            send_frame(peer, b'{"execute": "qmp_capabilities"}')
            assert b'"return"' in read_frame(peer)[1]


def test_much_output_through_a_slow_reader(certs):
    port = free_port()
    with Machine(*BARE, *server('x509', port, certs), '-mon', 'c,mode=control'):
        with secure(port, certs) as peer:
            read_until(peer, b'"QMP"')
            peer.sendall(b'{"execute": "qmp_capabilities"}')
            read_until(peer, b'"return"')
            for _ in range(3):
                peer.sendall(b'{"execute": "query-qmp-schema"}')
                text = b''
                while not text.endswith(b'\r\n'):
                    text += peer.recv(100)
                assert len(json.loads(text)['return']) > 500


# ---- QEMU as the peer ----

@pytest.mark.skipif(shutil.which(QEMU) is None, reason='needs QEMU 7.2')
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('programs', [(None, QEMU), (QEMU, None)], ids=['serves-qemu', 'served-by-qemu'])
def test_qemu_is_the_other_end(certs, kind, programs):
    """Two machines joined by their serial ports, whose registers the monitors move."""
    port = free_port()
    board = ('-machine', 'pc', '-accel', 'tcg', '-S', '-nodefaults', '-display', 'none')
    uart = ('-device', 'isa-serial,chardev=c')
    with Machine(*board, *server(kind, port, certs), *uart, program=programs[0]) as first, \
            Machine(*board, *client(kind, port, certs), *uart, program=programs[1]) as second:
        for machine in (first, second):
            while 'c: filename=disconnected' in machine.qmp.hmp('info chardev'):
                pass
        for sender, receiver, byte in ((first, second, 0x41), (second, first, 0x5a)):
            sender.qmp.hmp('o /b 0x3f8 %d' % byte)
            while receiver.qmp.hmp('i /b 0x3fd').strip() != 'portb[0x03fd] = 0x61':     # data ready
                pass
            assert '= 0x%02x' % byte in receiver.qmp.hmp('i /b 0x3f8')


# ---- who is refused ----

REFUSED = [
    (['tls-creds=nobody,server=on,wait=off'], "No TLS credentials with id 'nobody'"),
    (['tls-creds=tls-client,server=on,wait=off'], 'Expected TLS credentials for a server endpoint'),
    (['tls-creds=tls-server'], 'Expected TLS credentials for a client endpoint'),
    (['tls-creds=tls-server,server=on,wait=off,tls-authz=a'], 'tls-authz is not supported'),
]


@pytest.mark.parametrize('options, text', REFUSED)
def test_wrong_options(certs, options, text):
    result = run(*BARE, *creds('anon', 'server', certs), *creds('anon', 'client', certs), '-chardev',
                 'socket,id=c,host=127.0.0.1,port=%d,%s' % (free_port(), options[0]))
    assert result.returncode == 1 and text in result.stderr


def test_not_over_a_path(certs, tmp_path):
    result = run(*BARE, *creds('anon', 'server', certs), '-chardev',
                 'socket,id=c,path=%s,server=on,wait=off,tls-creds=tls-server' % (tmp_path / 's'))
    assert "incompatible with 'unix' address type" in result.stderr


def closed(peer):
    """Whether the peer ends it, an alert in front or not."""
    try:
        while peer.recv(100) != b'':
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    return True


def test_clients_without_the_right_papers(certs, tmp_path):
    port = free_port()
    other = Authority(str(tmp_path / 'other'))
    other.pair('client', '')
    with Machine(*BARE, *server('x509', port, certs), '-mon', 'c') as machine:
        with connect(('127.0.0.1', port)) as peer:
            peer.sendall(b'info status\n')
            assert closed(peer)
        with secure(port, certs, certificate=False) as peer:
            assert closed(peer)
        with pytest.raises(ssl.SSLCertVerificationError):
            secure(port, other.folder)
        with pytest.raises(ssl.SSLCertVerificationError):
            secure(port, certs, host='example.org')
        mine = context(certs, certificate=False)
        mine.load_cert_chain(other.path('client-cert.pem'), other.path('client-key.pem'))
        with mine.wrap_socket(connect(('127.0.0.1', port)), server_hostname='localhost') as peer:
            assert closed(peer)
        with secure(port, certs) as peer:
            read_until(peer, b'(qemu) ')
        assert machine.errors().count('warning') == 1       # one line for all of them


@pytest.mark.parametrize('more, host, ok', [('', 'localhost', True), ('', '127.0.0.2', False),
                                            (',verify-peer=off', '127.0.0.2', True)])
def test_a_client_knows_its_server(certs, more, host, ok):
    side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    side.load_cert_chain(os.path.join(certs, 'server-cert.pem'), os.path.join(certs, 'server-key.pem'))
    with socket.create_server(('127.0.0.1' if host == 'localhost' else host, 0)) as listener:
        options = creds('x509', 'client', certs, more) + [
            '-chardev', 'socket,id=c,host=%s,ipv4=on,port=%d,tls-creds=tls-client'
            % (host, listener.getsockname()[1]), '-mon', 'c']
        with Machine(*BARE, *options, qmp=False):
            raw, _ = listener.accept()
            raw.settimeout(30)
            with raw:
                try:
                    peer = side.wrap_socket(raw, server_side=True)
                    text = read_until(peer, b'(qemu) ') if ok else peer.recv(1)
                except ssl.SSLError:
                    text = b''
                assert (b'(qemu) ' in text) == ok
                if not ok:
                    assert text == b''


# ---- coming back, and being cut ----

def test_a_client_comes_back(certs):
    side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    side.load_cert_chain(os.path.join(certs, 'server-cert.pem'), os.path.join(certs, 'server-key.pem'))
    with socket.create_server(('127.0.0.1', 0)) as listener:
        with Machine(*BARE, *client('x509', listener.getsockname()[1], certs, options=',reconnect=1'), '-mon', 'c'):
            for step in range(3):
                raw, _ = listener.accept()
                raw.settimeout(30)
                if step == 1:                               # a server that speaks something else
                    raw.sendall(b'HTTP/1.0 200 OK\r\n\r\n')
                    raw.close()
                    continue
                with side.wrap_socket(raw, server_side=True) as peer:
                    read_until(peer, b'(qemu) ')


def test_yank_and_chardev_commands(certs):
    port = free_port()
    with Machine(*BARE, *creds('x509', 'server', certs)) as machine:
        backend = {'type': 'socket', 'data': {'addr': {'type': 'inet', 'data': {
            'host': '127.0.0.1', 'port': str(port)}}, 'tls-creds': 'tls-server'}}
        machine.qmp.command('chardev-add', id='c', backend=backend)
        machine.qmp.command('object-del', id='tls-server')      # the device keeps what it has
        machine.qmp.command('human-monitor-command', **{'command-line': 'chardev-remove c'})
        assert 'error' in machine.qmp.execute('chardev-add', id='c', backend=backend)
        assert machine.qmp.hmp('object_add tls-creds-x509,id=tls-server,dir=%s,endpoint=server' % certs) == ''
        assert machine.qmp.hmp('chardev-add socket,id=c,host=127.0.0.1,port=%d,server=on,wait=off,'
                               'tls-creds=tls-server' % port) == ''
        with connect(('127.0.0.1', port)) as peer:              # cut within the handshake, and behind it
            while not yanked(machine):
                pass
            assert closed(peer)
        with secure(port, certs) as peer:
            while 'disconnected' in machine.qmp.hmp('info chardev'):
                pass
            assert yanked(machine)
            assert closed(peer)


def yanked(machine):
    machine.qmp.command('yank', instances=[{'type': 'chardev', 'id': 'c'}])
    return True


# ---- ports ----

@pytest.mark.parametrize('options, text', [
    ('socket,id=c,host=127.0.0.1,port=70000,server=on,wait=off', "'70000' is no port: at most 65535 is expected"),
    ('socket,id=c,host=127.0.0.1,port=65536', "'65536' is no port"),
    ('socket,id=c,host=127.0.0.1,port=0,to=65536,server=on,wait=off', "'to=65536' is no port"),
    ('udp,id=c,port=99999999999999999999999', 'is no port'),
    ('udp,id=c,port=1,localport=70000', "'70000' is no port"),
])
def test_ports_have_sixteen_bits(options, text):
    result = run(*BARE, '-chardev', options)
    assert result.returncode == 1 and text in result.stderr
