"""VNC servers: options, who is let in, what monitors tell; viewers people use are in test_vnc_viewers.py."""
import os
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

import rfb
from rfb import Refused, Viewer
from rhea import TIMEOUT, Closed, Machine, binary, connect


def machine(*servers, **options):
    """Its screen shows the firmware's text mode: nothing runs."""
    args = [arg for server in servers for arg in ('-vnc', server)]
    more = options.pop('args', [])
    return Machine('-display', 'none', '-accel', 'tcg', '-S', '-nodefaults', '-vga', 'std', *args, *more, **options)


def port(vm, number=-1, websocket=False):
    """Where a server listens; servers are listed newest first."""
    server = vm.qmp.command('query-vnc-servers')[number]
    return next(('127.0.0.1', int(at['service'])) for at in server['server'] if at['websocket'] == websocket)


def is_picture(viewer):
    """Something that may be a blank screen came."""
    width, height, pixels = viewer.picture()
    return 100 < width < 2000 and len(pixels) == 4 * width * height


ANY = '127.0.0.1:500,to=900'           # a port nobody has


# ---- the command line ----

def run(*args):
    """What a start that must fail says."""
    done = subprocess.run([binary(), '-display', 'none', '-accel', 'tcg', '-S', '-nodefaults', '-machine', 'none', *args],
                          capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize('text, why', [
    ('bogus', 'no vnc port specified'),
    ('127.0.0.1:abc', "can't convert to a number: abc"),
    ('127.0.0.1:-1', "can't convert to a number: -1"),
    ('127.0.0.1:99999', 'port 99999 out of range'),
    (':13,bogus=1', "Invalid parameter 'bogus'"),
    (':13,pasword=on', "Did you mean 'password'"),
    (':13,password=maybe', "Parameter 'password' expects 'on' or 'off'"),
    (':13,share=bogus', 'unknown vnc share= option'),
    (':13,reverse=on', r"Failed to connect to '127\.0\.0\.1:13'"),
    (':13,reverse=on,websocket=on', 'Cannot use websockets in reverse mode'),
    (':13,password-secret=s', "No secret with id 's'"),
    (':13,password=on,password-secret=s', "'password' flag is redundant with 'password-secret'"),
    (':13,display=foo', "Device 'foo' not found"),
    (':13,audiodev=foo', "Audiodev 'foo' not found"),
    (':13,tls-creds=foo', "No TLS credentials with id 'foo'"),
    (':13,sasl=on', 'no SASL'),
    (':13,sasl-authz=x', "'sasl-authz' provided but SASL auth is not enabled"),
    (':13,tls-authz=x', 'no authz objects'),
    (':13,connections=0', 'at least 1'),
    (':13,websocket=abc', "can't convert to a number: abc"),
    ('unix:', 'a path is missing'),
    ('unix:/nosuch/folder/vnc', 'Failed to bind socket to /nosuch/folder/vnc: No such file'),
    ('nosuch.invalid:1', 'address resolution failed for nosuch.invalid:5901'),
])
def test_refused_options(text, why):
    error = run('-vnc', text)
    assert '-vnc %s: ' % text in error
    assert re.search(why, error)


def test_refused_lines():
    assert 'VNC requires a display argument' in run('-display', 'vnc')
    assert "Duplicate ID 'a' for vnc" in run('-vnc', ANY + ',id=a', '-vnc', ANY + ',id=a')
    error = run('-k', 'en-ss')
    assert "could not read keymap file: 'en-ss'" in error and "Did you mean 'en-us'" in error


def test_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        number = taken.getsockname()[1] - 5900
        assert 'Failed to bind socket to 127.0.0.1:%d: Address already in use' % (number + 5900) in \
            run('-vnc', '127.0.0.1:%d' % number)
        with machine('127.0.0.1:%d,to=%d' % (number, number + 50)) as vm:
            found = port(vm)[1]
            assert number + 5900 < found <= number + 5950
            assert 'VNC server running on 127.0.0.1:%d\n' % found in vm.errors()


def test_no_server():
    with machine('none', '', 'none,password=on') as vm:
        assert vm.qmp.command('query-vnc') == {'enabled': False}
        assert vm.qmp.hmp('info vnc') == 'None\n'


def test_warnings():
    """Who can reach it is said, and old spellings."""
    with machine(':641,to=900') as vm:
        assert port(vm)[0] == '127.0.0.1'
        assert 'listens on 127.0.0.1 only; -vnc 0.0.0.0:641 ' in vm.errors()
    with machine('0.0.0.0:642,to=900') as vm:
        assert re.search('warning: -vnc 0.0.0.0:642: .*without a password', vm.errors())
    with machine('0.0.0.0:643,to=900,password') as vm:
        assert "warning: -vnc 0.0.0.0:643,to=900,password: short-form boolean option 'password' deprecated\n" \
               'Please use password=on instead\n' in vm.errors()
        assert 'without a password' not in vm.errors()


def test_all_options():
    """What libvirt and people write."""
    text = (ANY + ',id=one,share=force-shared,lossy=on,non-adaptive=on,key-delay-ms=3,lock-key-sync=off,'
            'power-control=off,connections=5,head=0,display=v,audiodev=a,ipv4=on,websocket=on')
    with Machine('-display', 'vnc=' + text, '-audiodev', '{"id":"a","driver":"none"}', '-k', 'de', '-nodefaults', '-S',
                 '-accel', 'tcg', '-device', 'VGA,id=v') as vm:
        server, = vm.qmp.command('query-vnc-servers')
        assert (server['id'], server['display'], len(server['server'])) == ('one', 'v', 2)
        group, = vm.qmp.command('query-command-line-options', option='vnc')
        assert {key.split('=')[0] for key in text.split(',')[1:]} <= {p['name'] for p in group['parameters']}


# ---- who is let in ----

def test_no_password():
    with machine(ANY) as vm:
        for version in (b'003.003', b'003.007', b'003.008', b'003.889'):
            with connect(port(vm)) as sock:
                if version == b'003.889':
                    sock.recv(12)
                    sock.sendall(b'RFB 003.889\n')
                    assert sock.recv(4) == b'\0\0\0\1'  # taken for 3.3
                    continue
                with Viewer(sock, version=version) as viewer:
                    assert viewer.name
                    assert is_picture(viewer)
        with connect(port(vm)) as sock:
            sock.sendall(b'GET / HTTP/1.1\r\n\r\n')
            sock.settimeout(TIMEOUT)
            while sock.recv(4096):                      # our version, then nothing more
                pass


def refused(at, password, why='Authentication failed', **options):
    with pytest.raises(Refused, match=why):
        Viewer(at, password=password, **options)


def test_password():
    with machine(ANY + ',password=on') as vm:
        at = port(vm)
        with pytest.raises(Refused, match=r'only \[2\] is offered'):
            Viewer(at)
        refused(at, 'secret')                           # none is set
        assert vm.qmp.command('query-vnc')['auth'] == 'vnc'
        vm.qmp.command('set_password', protocol='vnc', password='secret-and-more')
        with Viewer(at, password='secret-a') as viewer:
            assert is_picture(viewer)
        Viewer(at, password='secret-and-more').close()
        Viewer(at, password='secret-and-less', version=b'003.003').close()
        refused(at, 'secret')
        refused(at, '')
        vm.qmp.command('expire_password', protocol='vnc', time='now')
        refused(at, 'secret-a')
        vm.qmp.command('expire_password', protocol='vnc', time='+100')
        Viewer(at, password='secret-a').close()
        vm.qmp.command('expire_password', protocol='vnc', time='%d' % (time.time() - 1))
        refused(at, 'secret-a')
        vm.qmp.command('expire_password', protocol='vnc', time='never')
        vm.qmp.command('change-vnc-password', password='Änder')
        Viewer(at, password='Änder').close()
        vm.qmp.command('change-vnc-password', password='')
        Viewer(at, password='').close()
        log = vm.errors()
        assert re.search(r"VNC server 'default': a viewer at 127\.0\.0\.1:\d+ was refused: no password has been set", log)
        assert log.count('wrong password') == 2 and log.count('the password has expired') == 2


def test_secret():
    with machine(ANY + ',password-secret=s', args=['-object', 'secret,id=s,data=hush']) as vm:
        Viewer(port(vm), password='hush').close()
        refused(port(vm), 'hash')


def test_guessing_is_slow():
    """Each wrong answer of an address doubles the wait for its next; others go in as ever."""
    with machine(ANY + ',password-secret=s', args=['-object', 'secret,id=s,data=hush']) as vm:
        at, times = port(vm), []
        for _ in range(4):
            began = time.monotonic()
            refused(at, 'guess')
            times.append(time.monotonic() - began)
        assert times[3] > 0.9 and times[2] > 0.4
        other = socket.socket()
        other.bind(('127.0.0.2', 0))
        other.connect(at)
        began = time.monotonic()
        Viewer(other, password='hush').close()
        assert time.monotonic() - began < times[3]
        began = time.monotonic()
        Viewer(at, password='hush').close()             # right, but it has to wait; then all is forgotten
        assert time.monotonic() - began > 1
        began = time.monotonic()
        Viewer(at, password='hush').close()
        assert time.monotonic() - began < 1


def test_unix_socket(tmp_path):
    path = str(tmp_path / 'vnc')
    with machine('unix:' + path) as vm:
        with Viewer(path) as viewer:
            assert is_picture(viewer)
            event = vm.qmp.event('VNC_CONNECTED')['data']
            assert event['server'] == {'host': '', 'service': path, 'family': 'unix', 'websocket': False, 'auth': 'none'}
        info = vm.qmp.command('query-vnc')
        assert (info['host'], info['service'], info['family']) == ('', path, 'unix')
        vm.qmp.command('quit')
        vm.wait()
        assert not os.path.exists(path)


def test_reverse():
    with socket.socket() as listening:
        listening.bind(('127.0.0.1', 0))
        listening.listen()
        with machine('127.0.0.1:%d,reverse=on' % listening.getsockname()[1]) as vm:
            with Viewer(listening.accept()[0]) as viewer:
                assert is_picture(viewer)
                assert len(vm.qmp.command('query-vnc')['clients']) == 1


def test_connections():
    with machine(ANY + ',connections=2') as vm:
        with Viewer(port(vm)), Viewer(port(vm)):
            with pytest.raises((Closed, ConnectionError)):
                Viewer(port(vm))
        vm.qmp.event('VNC_DISCONNECTED')
        vm.qmp.event('VNC_DISCONNECTED')
        Viewer(port(vm)).close()


def test_handed_over():
    """add_client: a socket that comes over QMP."""
    with machine(ANY + ',password=on') as vm:
        for skip, offered in ((True, rfb.NONE), (False, rfb.PASSWORD)):
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(vm.qmp.sock, [b'{"execute":"getfd","arguments":{"fdname":"v"}}'], [theirs.fileno()])
                assert vm.qmp.reply() == {'return': {}}
            vm.qmp.command('add_client', protocol='vnc', fdname='v', skipauth=skip)
            if skip:
                Viewer(ours).close()
            else:
                with pytest.raises(Refused, match=r'only \[%d\] is offered' % offered):
                    Viewer(ours)
        assert "protocol 'x' is invalid" in vm.qmp.execute('add_client', protocol='x', fdname='v')['error']['desc']
        for name in ('v', '0'):
            assert 'has not been found' in vm.qmp.execute('add_client', protocol='vnc', fdname=name)['error']['desc']


# ---- what monitors tell ----

def test_events_and_queries():
    with machine(ANY) as vm:
        at = port(vm)
        viewer = Viewer(at)
        mine = viewer.sock.getsockname()
        server = {'host': '127.0.0.1', 'service': str(at[1]), 'family': 'ipv4', 'websocket': False, 'auth': 'none'}
        client = {'host': '127.0.0.1', 'service': str(mine[1]), 'family': 'ipv4', 'websocket': False}
        for name in ('VNC_CONNECTED', 'VNC_INITIALIZED'):
            assert vm.qmp.event(name)['data'] == {'server': server, 'client': client}
        assert vm.qmp.command('query-vnc') == {
            'enabled': True, 'host': '127.0.0.1', 'service': str(at[1]), 'family': 'ipv4', 'auth': 'none', 'clients': [client]}
        assert vm.qmp.command('query-vnc-servers') == [
            {'id': 'default', 'server': [server], 'clients': [client], 'auth': 'none'}]
        assert vm.qmp.hmp('info vnc') == (
            'default:\n  Server: 127.0.0.1:%d (ipv4)\n    Auth: none (Sub: none)\n  Client: 127.0.0.1:%d (ipv4)\n'
            '    x509_dname: none\n    sasl_username: none\n' % (at[1], mine[1]))
        viewer.close()
        assert vm.qmp.event('VNC_DISCONNECTED')['data'] == {'server': server, 'client': client}


def test_several():
    with machine(ANY + ',websocket=on,display=v,head=0', ANY + ',password=on', ANY + ',id=third',
                 args=['-device', 'bochs-display,id=v']) as vm:
        servers = vm.qmp.command('query-vnc-servers')
        assert [server['id'] for server in servers] == ['third', 'vnc2', 'default']
        assert [at['websocket'] for at in servers[2]['server']] == [True, False]
        assert re.fullmatch(
            r'third:\n  Server: 127\.0\.0\.1:\d+ \(ipv4\)\n    Auth: none \(Sub: none\)\n'
            r'vnc2:\n  Server: 127\.0\.0\.1:\d+ \(ipv4\)\n    Auth: vnc \(Sub: none\)\n'
            r'default:\n  Server: 127\.0\.0\.1:\d+ \(ipv4 \(Websocket\)\)\n    Auth: none \(Sub: none\)\n'
            r'  Server: 127\.0\.0\.1:\d+ \(ipv4\)\n    Auth: none \(Sub: none\)\n  Display: v\n', vm.qmp.hmp('info vnc'))
        vm.qmp.command('set_password', protocol='vnc', password='x', display='vnc2', connected='keep')
        Viewer(port(vm, 1), password='x').close()
        with Viewer(port(vm, 0)) as one, Viewer(port(vm, 2)) as other:
            assert is_picture(one) and is_picture(other)


@pytest.mark.parametrize('command, arguments, why', [
    ('set_password', {'protocol': 'vnc', 'password': 'x'}, 'Could not set password'),
    ('set_password', {'protocol': 'vnc', 'password': 'x', 'display': 'dfault'}, 'Could not set password'),
    ('set_password', {'protocol': 'vnc', 'password': 'x', 'connected': 'fail'}, "Invalid parameter 'connected'"),
    ('set_password', {'protocol': 'spice', 'password': 'x'}, "does not accept value 'spice'"),
    ('change-vnc-password', {'password': 'x'}, 'Could not set password'),
    ('expire_password', {'protocol': 'vnc', 'time': 'soon'}, "'time' does not accept value 'soon'"),
    ('expire_password', {'protocol': 'vnc', 'time': 'now', 'display': 'x'}, 'Could not set password expire time'),
    ('display-reload', {'type': 'vnc', 'tls-certs': True}, 'vnc tls is not enabled'),
    ('display-update', {'type': 'vnc', 'addresses': [{'type': 'fd', 'str': '3'}]}, "of type 'inet' and 'unix'"),
])
def test_refused_commands(command, arguments, why):
    with machine(ANY) as vm:
        assert why in vm.qmp.execute(command, **arguments)['error']['desc']
        assert "Did you mean 'default'?" in vm.qmp.hmp('set_password vnc x -d dfault')


def test_other_addresses():
    """display-update: new ones are there, the old are not; those who look go on."""
    with machine(ANY) as vm:
        old, path = port(vm), vm.path('vnc')
        with Viewer(old) as viewer:
            vm.qmp.command('display-update', type='vnc', addresses=[
                {'type': 'inet', 'host': '127.0.0.1', 'port': '6500', 'to': 6900}, {'type': 'unix', 'path': path}])
            assert is_picture(viewer)
            with pytest.raises(ConnectionRefusedError):
                connect(old, timeout=0)
            Viewer(path).close()
            at = next(s for s in vm.qmp.command('query-vnc-servers')[0]['server'] if s['family'] == 'ipv4')
            Viewer((at['host'], int(at['service']))).close()
            again = [{'type': 'unix', 'path': path}]
            vm.qmp.command('display-update', type='vnc', addresses=again)
            Viewer(path).close()
            wrong = [{'type': 'unix', 'path': '/nosuch/x'}]
            assert 'error' in vm.qmp.execute('display-update', type='vnc', addresses=wrong)
            Viewer(path).close()


def test_password_prompt():
    with machine(ANY + ',password=on', hmp=True) as vm:
        vm.hmp.send('change vnc password\n')
        vm.hmp.expect('Password: $')
        vm.hmp.send('hux\x7fsh\n')
        shown = vm.hmp.expect(vm.hmp.PROMPT)
        assert 'h' not in shown and shown.count('*') == 5
        Viewer(port(vm), password='hush').close()
        vm.hmp.send('change vnc passwd\n')
        vm.hmp.expect('Password: $')
        vm.hmp.send('\x03')                             # never mind
        vm.hmp.expect(vm.hmp.PROMPT)
        Viewer(port(vm), password='hush').close()
        assert vm.qmp.hmp('change vnc password') == 'terminal does not support password prompting\n'
        assert vm.qmp.hmp('change vnc password other') == ''
        Viewer(port(vm), password='other').close()


# ---- many at once ----

def memory(vm):
    with open('/proc/%d/status' % vm.process.pid, encoding='ascii') as file:
        return int(re.search(r'VmRSS:\s+(\d+)', file.read())[1])


def test_ten_viewers_one_asleep():
    """Nine go on and the monitor answers while one has asked for much and reads nothing."""
    with machine(ANY) as vm:
        at = port(vm)
        viewers = [Viewer(at) for _ in range(10)]
        asleep = viewers.pop()
        asleep.sock.setblocking(False)
        asked = struct.pack('>BBHHHH', 3, 0, 0, 0, asleep.width, asleep.height)
        before = None
        for turn in range(30):
            try:
                asleep.sock.send(asked * 20)
            except BlockingIOError:
                pass
            for viewer in viewers:
                viewer.ask()
            for viewer in viewers:
                viewer.update()
            began = time.monotonic()
            vm.qmp.command('query-status')
            assert time.monotonic() - began < 5
            before = memory(vm) if turn == 5 else before
        assert memory(vm) - before < 8192               # KiB
        assert len(vm.qmp.command('query-vnc')['clients']) == 10
        for viewer in viewers + [asleep]:
            viewer.close()


@pytest.mark.signals
def test_ends_with_viewers():
    """Leaving does not wait for those who read nothing, nor for those who think about a password."""
    with machine(ANY, ANY + ',password=on') as vm:
        viewers = [Viewer(port(vm)) for _ in range(3)]
        for viewer in viewers:
            viewer.send(struct.pack('>BBHHHH', 3, 0, 0, 0, 720, 400) * 50)
        thinking = connect(port(vm, 0))
        thinking.sendall(b'RFB 003.008\n')
        began = time.monotonic()
        vm.process.send_signal(signal.SIGTERM)
        assert vm.wait() == 0
        assert time.monotonic() - began < 20
