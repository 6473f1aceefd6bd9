"""VNC with TLS: VeNCrypt for viewers, wss for browsers."""
import os
import re
import shutil
import ssl

import pytest

from rfb import Refused, Viewer, X509_NONE, X509_PASSWORD
from rhea import TIMEOUT, Closed, connect
from test_vnc import ANY, is_picture, machine, port, run
from tls import make_folder

pytestmark = pytest.mark.skipif(not shutil.which('certtool'), reason='no certtool to make certificates with')

@pytest.fixture(scope='module')
def certificates(tmp_path_factory):
    """A folder as tls-creds-x509 wants it, for server and client."""
    return make_folder(tmp_path_factory.mktemp('vnc') / 'tls').folder


def context(folder, client=False):
    tls = ssl.create_default_context(cafile=os.path.join(folder, 'ca-cert.pem'))
    if client:
        tls.load_cert_chain(os.path.join(folder, 'client-cert.pem'), os.path.join(folder, 'client-key.pem'))
    return tls


def x509(folder, verify='off'):
    return ['-object', 'tls-creds-x509,id=tls,endpoint=server,verify-peer=%s,dir=%s' % (verify, folder)]


SECRET = ['-object', 'secret,id=s,data=hush']


def test_certificate(certificates):
    with machine(ANY + ',tls-creds=tls', args=x509(certificates)) as vm:
        with Viewer(port(vm), tls=context(certificates)) as viewer:
            assert viewer.types == [19] and viewer.sub_types == (X509_NONE,)
            assert is_picture(viewer)
            viewer.type('a')
            server = vm.qmp.command('query-vnc-servers')[0]
            assert (server['auth'], server['vencrypt'], len(server['clients'])) == ('vencrypt', 'x509-none', 1)
            assert 'Auth: vencrypt (Sub: x509-none)\n' in vm.qmp.hmp('info vnc')
            assert vm.qmp.command('query-vnc')['auth'] == 'vencrypt+x509+none'
        assert vm.qmp.event('VNC_DISCONNECTED')
        with pytest.raises(Refused, match=r'only \[19\] is offered'):
            Viewer(port(vm))
        with pytest.raises(Refused, match='needs RFB 3.7'):
            Viewer(port(vm), version=b'003.003')
        with connect(port(vm)) as sock:                 # another type than was offered
            sock.settimeout(TIMEOUT)
            sock.recv(12)
            sock.sendall(b'RFB 003.008\n')
            assert sock.recv(2) == b'\1\x13'
            sock.sendall(b'\1')
            assert b'VeNCrypt alone' in sock.makefile('rb').read()
        Viewer(port(vm), tls=context(certificates)).close()


def test_password(certificates):
    with machine(ANY + ',tls-creds=tls,password-secret=s', args=x509(certificates) + SECRET) as vm:
        with Viewer(port(vm), password='hush', tls=context(certificates)) as viewer:
            assert viewer.sub_types == (X509_PASSWORD,)
            assert is_picture(viewer)
        with pytest.raises(Refused, match='Authentication failed'):
            Viewer(port(vm), password='hash', tls=context(certificates))
        assert 'wrong password' in vm.errors()


def test_anonymous():
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    anybody.maximum_version = ssl.TLSVersion.TLSv1_2
    anybody.set_ciphers('aNULL:@SECLEVEL=0')
    with machine(ANY + ',tls-creds=tls,password-secret=s',
                 args=['-object', 'tls-creds-anon,id=tls,endpoint=server'] + SECRET) as vm:
        with Viewer(port(vm), password='hush', tls=anybody) as viewer:
            assert is_picture(viewer)
            assert vm.qmp.command('query-vnc')['auth'] == 'vencrypt+tls+vnc'


def test_certificate_of_the_viewer(certificates):
    with machine(ANY + ',tls-creds=tls', args=x509(certificates, 'on')) as vm:
        with Viewer(port(vm), tls=context(certificates, client=True)) as viewer:
            assert is_picture(viewer)
            name = vm.qmp.event('VNC_INITIALIZED')['data']['client']['x509_dname']
            assert 'CN=client' in name
            assert 'x509_dname: %s\n' % name in vm.qmp.hmp('info vnc')
        with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
            Viewer(port(vm), tls=context(certificates))


def test_reload(certificates, tmp_path):
    folder = shutil.copytree(certificates, tmp_path / 'tls')
    with machine(ANY + ',tls-creds=tls', args=x509(folder)) as vm:
        with Viewer(port(vm), tls=context(certificates)) as viewer:
            vm.qmp.command('display-reload', type='vnc', tls_certs=True)
            assert is_picture(viewer)
            os.unlink(folder / 'server-cert.pem')
            assert 'server-cert.pem' in vm.qmp.execute('display-reload', type='vnc', tls_certs=True)['error']['desc']
            Viewer(port(vm), tls=context(certificates)).close()


def test_browser(certificates):
    """wss: TLS, a WebSocket inside, RFB inside that."""
    with machine(ANY + ',tls-creds=tls,websocket=on', args=x509(certificates)) as vm:
        sock = context(certificates).wrap_socket(connect(port(vm, websocket=True)), server_hostname='localhost')
        sock.settimeout(TIMEOUT)
        sock.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                     b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
                     b'Sec-WebSocket-Protocol: binary\r\n\r\n')
        answer = b''
        while b'RFB 003.008\n' not in answer:
            part = sock.recv(4096)
            assert part, answer
            answer += part
        assert b's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' in answer
        assert re.search(r'Client: 127\.0\.0\.1:\d+ \(ipv4 \(Websocket\)\)\n', vm.qmp.hmp('info vnc'))
        sock.close()
        assert vm.qmp.event('VNC_DISCONNECTED')['data']['client']['websocket']


def test_no_tls_at_all(certificates):
    """Whoever speaks something else is sent away, and others come in meanwhile."""
    with machine(ANY + ',tls-creds=tls', args=x509(certificates)) as vm:
        silent = connect(port(vm))
        for data in (b'GET / HTTP/1.1\r\n\r\n', b'RFB 003.008\n\x13\0\2\0\0\1\4garbage' + bytes(100)):
            with connect(port(vm)) as sock:
                sock.settimeout(TIMEOUT)
                sock.sendall(data)
                try:
                    while sock.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        Viewer(port(vm), tls=context(certificates)).close()
        silent.close()


@pytest.mark.parametrize('creds, why', [
    ('tls-creds-x509,id=tls,endpoint=client,verify-peer=off,dir=%s', 'server'),
    ('tls-creds-psk,id=tls,endpoint=server,dir=%s', 'pre-shared keys'),
])
def test_other_credentials(certificates, creds, why):
    assert why in run('-object', creds % certificates, '-vnc', ANY + ',tls-creds=tls')
