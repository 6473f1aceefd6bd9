"""Network back ends: options, monitors, and guests that use them."""
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from linux import Linux
from rhea import Machine, binary, run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USERNET = '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n'


def stopped(*args, **options):
    return Machine('-S', '-nodefaults', '-accel', 'tcg', *args, **options)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


# ---- the command line ----

@pytest.mark.parametrize('args,error', [
    (['-netdev', 'user'], "-netdev user: Parameter 'id' is missing"),
    (['-netdev', 'bogus,id=n0'],
     "-netdev bogus,id=n0: Parameter 'type' does not accept value 'bogus'"),
    (['-netdev', 'usr,id=n0'], "Did you mean 'user'?"),
    (['-netdev', 'vde,id=n0'], "does not accept value 'vde'"),
    (['-netdev', 'bridge,id=n0'], "use 'tap' with ifname= or fd="),
    (['-netdev', 'user,id=n0,bogus=1'], "-netdev user,id=n0,bogus=1: Invalid parameter 'bogus'"),
    (['-netdev', 'user,id=n0,restrct=on'], "Did you mean 'restrict'?"),
    (['-netdev', 'user,id=a,net=10.0.2.0/33'],
     'Invalid netmask provided (must be in range 4-32)'),
    (['-netdev', 'user,id=a,ipv4=off,ipv6=off'], 'IPv4 and IPv6 disabled'),
    (['-netdev', 'user,id=a,ipv4=off,net=10.0.2.0/24'],
     'IPv4 disabled but netmask/host/dns provided'),
    (['-netdev', 'user,id=a,smb=/tmp'], 'smb= is not supported'),
    (['-netdev', 'user,id=a,domainname=' + 'x' * 300],
     "'domainname' parameter cannot exceed 255 bytes"),
    (['-netdev', 'user,id=a,hostfwd=tcp::5555'],
     "Invalid host forwarding rule 'tcp::5555' (Bad host port separator)"),
    (['-netdev', 'user,id=a,guestfwd=foo'], "Invalid guest forwarding rule 'foo'"),
    (['-netdev', 'user,id=a,guestfwd=tcp:1.2.3.4:80-cmd:cat'],
     "Conflicting/invalid host:port in guest forwarding rule 'tcp:1.2.3.4:80-cmd:cat'"),
    (['-netdev', 'user,id=a', '-netdev', 'user,id=a'], "Duplicate ID 'a' for netdev"),
    (['-netdev', 'tap,id=a,ifname=x,script=/nowhere/x'], '/nowhere/x'),
    (['-nic', 'user,model=e100'], 'Unsupported NIC model: e100'),
    (['-nic', 'user,mac=zz'], 'invalid syntax for ethernet address'),
    (['-net', 'nic,model=bogus'], 'Unsupported NIC model: bogus'),
    (['-net', 'nic,netdev=zz'], "netdev 'zz' not found"),
    (['-net', 'bogus'], "Parameter 'type' does not accept value 'bogus'"),
    (['-redir', 'tcp:5555::22'], 'Use -nic user,hostfwd=tcp::5555-:22'),
    (['-device', 'e1000,netdev=zz'], "Property 'e1000.netdev' can't find value 'zz'"),
    (['-device', 'e1000,mac=zz'], "Property 'e1000.mac' doesn't take value 'zz'"),
    (['-netdev', 'user,id=n', '-device', 'e1000,netdev=n', '-device', 'e1000,netdev=n'],
     "Property 'e1000.netdev' can't take value 'n', it's in use"),
])
def test_refused(args, error):
    result = run('-S', '-display', 'none', '-nodefaults', '-accel', 'tcg', *args)
    assert result.returncode == 1
    assert error in result.stderr


@pytest.mark.parametrize('args,first', [
    (['-netdev', 'help'], 'Available netdev backend types:'),
    (['-net', 'nic,model=help'], 'Supported NIC models:'),
    (['-nic', 'user,model=?'], 'Supported NIC models:'),
])
def test_help(args, first):
    result = run(*args)
    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == first
    assert len(result.stdout.splitlines()) > 3


NETWORKS = [
    ([], True, 'hub 0\n'
     ' \\ hub0port1: #net000: index=0,type=user,net=10.0.2.0,restrict=off\n'
     ' \\ hub0port0: e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n', ''),
    (['-nic', 'none'], True, '', ''),
    (['-netdev', 'user,id=n0'], False, 'n0: index=0,type=user,net=10.0.2.0,restrict=off\n',
     'warning: netdev n0 has no peer'),
    (['-device', 'e1000,id=x'], False,
     'x: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n', 'warning: nic x has no peer'),
    (['-net', 'nic,model=virtio,macaddr=52:54:00:A5:41:1E', '-net', 'user'], False, 'hub 0\n'
     ' \\ hub0port1: #net000: index=0,type=user,net=10.0.2.0,restrict=off\n'
     ' \\ hub0port0: virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,'
     'macaddr=52:54:00:a5:41:1e\n', ''),
    (['-net', 'nic'], False, 'hub 0\n'
     ' \\ hub0port0: e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n',
     'warning: hub 0 is not connected to host network'),
    (['-net', 'user,net=192.168.5.0/24'], False, 'hub 0\n'
     ' \\ hub0port0: #net000: index=0,type=user,net=192.168.5.0,restrict=off\n',
     'warning: hub 0 with no nics'),
    (['-net', 'nic,model=e1000', '-net', 'user', '-nic', 'user,model=rtl8139,id=foo,restrict=on'],
     False, 'hub 0\n'
     ' \\ hub0port1: #net000: index=0,type=user,net=10.0.2.0,restrict=off\n'
     ' \\ hub0port0: e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:57\n'
     'rtl8139.0: index=0,type=nic,model=rtl8139,macaddr=52:54:00:12:34:56\n'
     ' \\ foo: index=0,type=user,net=10.0.2.0,restrict=on\n', ''),
    (['-net', 'nic,netdev=u', '-netdev', 'user,id=u'], False,
     'e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n'
     ' \\ u: index=0,type=user,net=10.0.2.0,restrict=off\n', ''),
    (['-net', 'nic,vlan=0', '-net', 'user,vlan=0,name=u'], False, 'hub 0\n'
     ' \\ hub0port1: u: index=0,type=user,net=10.0.2.0,restrict=off\n'
     ' \\ hub0port0: e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n',
     'use -netdev with an id'),
]


@pytest.mark.parametrize('args,defaults,network,warning', NETWORKS)
def test_info_network(args, defaults, network, warning):
    parts = ['-S', '-display', 'none', '-accel', 'tcg'] + ([] if defaults else ['-nodefaults'])
    with Machine(*parts, *args) as machine:
        assert machine.qmp.hmp('info network') == network
        assert warning in machine.errors()


# ---- monitors ----

def test_back_ends_come_and_go():
    with stopped('-netdev', 'user,id=hostnet0', '-device', 'e1000,netdev=hostnet0,id=net0',
                 hmp=True) as machine:
        qmp, hmp = machine.qmp, machine.hmp.command
        nic = ('net0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n'
               ' \\ hostnet0: index=0,type=user,net=10.0.2.0,restrict=off\n')
        assert hmp('info network') == nic
        assert hmp('netdev_add user,id=n2,net=192.168.76.0/24') == ''
        added = 'n2: index=0,type=user,net=192.168.76.0,restrict=off\n'
        assert hmp('info network') == nic + added
        assert hmp('netdev_del n2') == ''
        assert hmp('netdev_del n2').startswith("Error: Device 'n2' not found")
        assert hmp('netdev_add') == "Error: Parameter 'id' is missing\n"
        assert "does not accept value 'nosuch'" in hmp('netdev_add nosuch,id=x')
        assert hmp('netdev_del net0').startswith("Error: Device 'net0' not found")
        # Its NIC keeps the name of one that was deleted, as with QEMU.
        qmp.command('netdev_del', id='hostnet0')
        assert hmp('info network') == nic
        qmp.command('netdev_add', type='user', id='hostnet0', hostfwd=[
            {'str': 'tcp:127.0.0.1:%d-:22' % free_port()}], dnssearch=[{'str': 'example.org'}],
            restrict=True)
        assert hmp('info network') == nic + nic.splitlines(True)[1][3:].replace('=off', '=on')
        error = qmp.execute('netdev_add', type='user', id='hostnet0')['error']
        assert error['desc'] == "Duplicate ID 'hostnet0' for netdev"
        error = qmp.execute('netdev_del', id='nosuch')['error']
        assert error['class'] == 'DeviceNotFound'
        error = qmp.execute('netdev_add', type='stream', id='x')['error']
        assert error['desc'] == "Parameter 'addr' is missing"


def test_forwarded_ports():
    port, other = free_port(), free_port()
    with stopped('-netdev', 'user,id=u', '-netdev', 'hubport,id=h,hubid=0', hmp=True) as machine:
        hmp = machine.hmp.command
        assert hmp('info usernet') == 'Hub -1 (u):\n' + USERNET
        assert hmp('hostfwd_add tcp:127.0.0.1:%d-10.0.2.15:22' % port) == ''
        assert hmp('hostfwd_add u udp::%d-:23' % other) == ''
        lines = hmp('info usernet').splitlines()[2:]
        assert [line.split()[0:1] + line.split()[2:6] for line in lines] == [
            ['TCP[HOST_FORWARD]', '127.0.0.1', str(port), '10.0.2.15', '22'],
            ['UDP[HOST_FORWARD]', '127.0.0.1', str(other), '10.0.2.15', '23']]
        rule = 'tcp:127.0.0.1:%d-:24' % port
        assert hmp('hostfwd_add ' + rule) == "Could not set up host forwarding rule '%s'\n" % rule
        assert hmp('hostfwd_remove tcp:127.0.0.1:%d' % port) == \
            'host forwarding rule for tcp:127.0.0.1:%d removed\n' % port
        assert hmp('hostfwd_remove u udp::%d' % other) == \
            'host forwarding rule for udp::%d removed\n' % other
        assert hmp('hostfwd_remove tcp::77') == 'host forwarding rule for tcp::77 not found\n'
        assert hmp('hostfwd_add x tcp::1-:1').startswith("unrecognized netdev id 'x'")
        assert hmp('hostfwd_add h tcp::1-:1') == 'invalid device specified\n'
        assert hmp('hostfwd_remove foo') == 'invalid format\n'
        assert hmp('info usernet') == 'Hub -1 (u):\n' + USERNET


def test_a_forward_without_an_address_is_for_this_host():
    port = free_port()
    with stopped('-netdev', 'user,id=u,hostfwd=tcp::%d-:22' % port) as machine:
        assert 'listens on 127.0.0.1 only; tcp:0.0.0.0:%d-:22 listens' % port in machine.errors()
        assert '127.0.0.1 %d' % port in re.sub(' +', ' ', machine.qmp.hmp('info usernet'))


def test_stream_events():
    with stopped('-netdev', 'hubport,id=h,hubid=0') as server, stopped() as client:
        path = server.path('net')
        server.qmp.command('netdev_add', type='stream', id='a', server=True,
                           addr={'type': 'unix', 'path': path})
        client.qmp.command('netdev_add', type='stream', id='b',
                           addr={'type': 'unix', 'path': path})
        for machine, name in (server, 'a'), (client, 'b'):
            assert machine.qmp.event('NETDEV_STREAM_CONNECTED')['data'] == {
                'netdev-id': name, 'addr': {'type': 'unix', 'path': path}}
        client.qmp.command('netdev_del', id='b')
        assert server.qmp.event('NETDEV_STREAM_DISCONNECTED')['data'] == {'netdev-id': 'a'}
        port = free_port()
        server.qmp.command('netdev_add', type='stream', id='c', server=True,
                           addr={'type': 'inet', 'host': '127.0.0.1', 'port': str(port)})
        with socket.create_connection(('127.0.0.1', port)):
            addr = server.qmp.event('NETDEV_STREAM_CONNECTED')['data']['addr']
            assert (addr['type'], addr['host'], addr['ipv4']) == ('inet', '127.0.0.1', True)


def test_links():
    with stopped('-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n,id=net0') as machine:
        qmp = machine.qmp
        qmp.command('set_link', name='net0', up=False)
        qmp.command('set_link', name='n', up=False)
        qmp.command('set_link', name='net0', up=True)
        assert qmp.hmp('set_link n on') == ''
        assert qmp.execute('set_link', name='x', up=True)['error']['class'] == 'DeviceNotFound'


# ---- guests ----

class WebServer:
    """Serves one body at any path on the loopback; `url` from a user network."""

    def __init__(self, body):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = 'http://10.0.2.2:%d/file' % self.server.server_port
        self.sha256 = hashlib.sha256(body).hexdigest()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()


def lease(guest):
    """What udhcpc learned."""
    return guest.run('ip link set eth0 up && udhcpc -i eth0 -n -q -s /etc/dhcp')


def use_lease(guest):
    text = lease(guest)
    for line in ('ip=10.0.2.15', 'mask=24', 'router=10.0.2.2', 'dns=10.0.2.3', 'hostname=vmhost'):
        assert line + '\n' in text


def use_tftp(guest):
    assert 'hello tftp' in guest.run('tftp -g -r f.txt -l /o.txt 10.0.2.2 && cat /o.txt')


def use_download(guest, web):
    text = guest.run('wget -q -O - %s | sha256sum' % web.url, 600)
    assert web.sha256 in text


def use_forward(guest, port):
    """The host calls the guest, both talk."""
    guest.run('(echo hi from guest | nc -l -p 8080 > /in.txt &)')
    guest.until('netstat -ltn | grep -q :8080')
    with socket.create_connection(('127.0.0.1', port), 30) as sock:
        sock.sendall(b'hi from host\n')
        sock.shutdown(socket.SHUT_WR)
        got = b''
        while b'\n' not in got:
            got += sock.recv(100)
    assert got == b'hi from guest\n'
    guest.until('grep -q "hi from host" /in.txt')


def use_guest_forward(guest):
    assert 'HELLO' in guest.run('echo hello | nc -w 5 10.0.2.100 7')


def use_links(guest, name):
    guest.qmp.command('set_link', name=name, up=False)
    guest.until('[ $(cat /sys/class/net/eth0/carrier) = 0 ]')
    guest.qmp.command('set_link', name=name, up=True)
    guest.until('[ $(cat /sys/class/net/eth0/carrier) = 1 ]')
    guest.until('ping -c 1 -W 1 10.0.2.2 > /dev/null')


@pytest.mark.slow
@pytest.mark.parametrize('model', ['e1000', 'rtl8139', 'virtio-net-pci'])
def test_a_guest_on_a_user_network(drivers, model, tmp_path):
    (tmp_path / 'f.txt').write_text('hello tftp\n')
    port = free_port()
    netdev = ('user,id=n0,hostname=vmhost,tftp=%s,hostfwd=tcp:127.0.0.1:%d-:8080,'
              'guestfwd=tcp:10.0.2.100:7-cmd:tr a-z A-Z' % (tmp_path, port))
    dump = tmp_path / 'dump.pcap'
    with WebServer(os.urandom(1 << 20) * 100) as web, \
            Linux(drivers, 'net', '-netdev', netdev, '-device', model + ',netdev=n0,id=net0',
                  '-object', 'filter-dump,id=d,netdev=n0,maxlen=100,file=%s' % dump) as guest:
        use_lease(guest)
        use_tftp(guest)
        use_download(guest, web)
        use_forward(guest, port)
        use_guest_forward(guest)
        use_links(guest, 'net0')
        use_links(guest, 'n0')
        guest.qmp.command('object-del', id='d')
        data = dump.read_bytes()
        assert data[:4] == b'\xd4\xc3\xb2\xa1' and b'hello tftp' in data


@pytest.mark.slow
def test_restrict_keeps_the_guest_in(drivers):
    with WebServer(b'x') as web, \
            Linux(drivers, 'net', '-nic', 'user,model=virtio-net-pci,restrict=on') as guest:
        assert 'ip=10.0.2.15' in lease(guest)
        guest.run('! wget -q -T 5 -O - ' + web.url)


def pair(kind, folder):
    """Options of two back ends that meet."""
    port = free_port()
    path = os.path.join(folder, 'net')
    return {
        'socket': ('socket,id=n,listen=127.0.0.1:%d' % port,
                   'socket,id=n,connect=127.0.0.1:%d' % port),
        'stream': ('stream,id=n,server=on,addr.type=unix,addr.path=' + path,
                   'stream,id=n,addr.type=unix,addr.path=' + path),
        'dgram': tuple('dgram,id=n,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s'
                       % (path + a, path + b) for a, b in ('ab', 'ba')),
    }[kind]


DEVICE = 'virtio-net-pci,netdev=n,mac=52:54:00:00:00:0'


def talk(first, second):
    """Addresses, a ping, and a file from one guest to the other."""
    for number, guest in (1, first), (2, second):
        guest.run('ip link set eth0 up && ip addr add 10.9.0.%d/24 dev eth0' % number)
    second.until('ping -c 1 -W 1 10.9.0.1 > /dev/null')
    first.run('dd if=/dev/urandom of=/file bs=1M count=8 2> /dev/null')
    digest = re.search(r'[0-9a-f]{64}', first.run('sha256sum /file')).group()
    first.run('httpd -p 7000 -h /')
    assert digest in second.run('wget -q -O - http://10.9.0.1:7000/file | sha256sum', 300)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['socket', 'stream', 'dgram'])
def test_two_guests_talk(drivers, kind, tmp_path):
    one, two = pair(kind, str(tmp_path))
    with Linux(drivers, 'net', '-netdev', one, '-device', DEVICE + '1') as first, \
            Linux(drivers, 'net', '-netdev', two, '-device', DEVICE + '2') as second:
        talk(first, second)


# ---- a network namespace of the test's own ----

class Namespace:
    """A network and mounts of its own, whose root is whoever runs the test; `rhea` runs the program in it."""

    def __init__(self, folder):
        self.process = subprocess.Popen(['unshare', '-rnm', 'sh', '-c', 'echo ready; exec cat'],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            pytest.skip('no network namespaces here')
        self.enter = ['nsenter', '--preserve-credentials', '-U', '-n', '-m', '-t',
                      str(self.process.pid)]
        self.run('ip link set lo up')
        self.rhea = os.path.join(folder, 'rhea')
        with open(self.rhea, 'w', encoding='utf-8') as script:
            script.write('#!/bin/sh\nexec %s %s "$@"\n' % (' '.join(self.enter), binary()))
        os.chmod(self.rhea, 0o755)

    def run(self, command):
        return subprocess.run([*self.enter, 'sh', '-c', command], check=True, capture_output=True,
                              text=True).stdout

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def namespace(tmp_path):
    made = Namespace(str(tmp_path))
    yield made
    made.close()


NAME_SERVER = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(('127.0.0.1', 53))
print('ready', flush=True)
while True:
    query, sender = sock.recvfrom(512)
    question = query[12:query.index(0, 12) + 5]
    known = question == b'\\3www\\4rhea\\4test\\0\\0\\1\\0\\1'
    answer = b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc0\\0\\2\\7' if known else b''
    flags = b'\\x81\\x80\\0\\1' if known else b'\\x81\\x83\\0\\1'
    sock.sendto(query[:2] + flags + bytes([0, known, 0, 0, 0, 0]) + question + answer, sender)
"""


@pytest.mark.slow
def test_guests_look_up_names_where_their_host_does(drivers, namespace, tmp_path):
    """Each NIC in turn is told of 10.0.2.3, behind which is the server of /etc/resolv.conf."""
    (tmp_path / 'resolv.conf').write_text('nameserver 127.0.0.1\n')
    namespace.run('mount --bind %s /etc/resolv.conf' % (tmp_path / 'resolv.conf'))
    server = subprocess.Popen([*namespace.enter, sys.executable, '-c', NAME_SERVER], stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == b'ready\n'
        nics = ('virtio-net-pci', 'e1000', 'rtl8139')
        args = [word for model in nics for word in ('-nic', 'user,model=' + model)]
        with Linux(drivers, 'net', *args, program=namespace.rhea) as guest:
            for nic in ('eth0', 'eth1', 'eth2'):
                guest.run('ip link set %s up && udhcpc -i %s -n -q -s /etc/dhcp' % (nic, nic))
                assert guest.run('cat /etc/resolv.conf') == 'nameserver 10.0.2.3\n'
                assert '192.0.2.7' in guest.run('nslookup -type=a www.rhea.test')
                guest.run('! nslookup -type=a nowhere.rhea.test')
                guest.run('ip addr flush dev %s; ip link set %s down; rm /etc/resolv.conf' % (nic, nic))
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


# ---- tap ----

@pytest.fixture
def taps(namespace):
    """The namespace, if it can have tap interfaces."""
    try:
        namespace.run('test -w /dev/net/tun')
    except subprocess.CalledProcessError:
        pytest.skip('no tap interfaces here')
    return namespace


def test_tap_scripts(taps, tmp_path):
    script = tmp_path / 'script'
    script.write_text('#!/bin/sh\necho $0 $1 >> %s/log\n' % tmp_path)
    script.chmod(0o755)
    with Machine('-S', '-nodefaults', '-accel', 'tcg', '-netdev',
                 'tap,id=a,ifname=tapa,script=%s,downscript=no' % script, '-netdev',
                 'tap,id=b,script=no,downscript=%s' % script, '-netdev',
                 'tap,id=c,ifname=tapc,script=no,downscript=no,vnet_hdr=off,vhost=on',
                 program=taps.rhea) as machine:
        assert machine.qmp.hmp('info network') == (
            'a: index=0,type=tap,ifname=tapa,script=%s,downscript=no\n'
            'b: index=0,type=tap,ifname=tap0,script=no,downscript=%s\n'
            'c: index=0,type=tap,ifname=tapc,script=no,downscript=no\n' % (script, script))
        assert 'netdev c: vhost is not used' in machine.errors()
        assert (tmp_path / 'log').read_text() == '%s tapa\n' % script
        machine.qmp.command('netdev_del', id='b')
        machine.qmp.command('netdev_del', id='a')
        assert (tmp_path / 'log').read_text() == '%s tapa\n%s tap0\n' % (script, script)
        assert 'tapa' not in taps.run('ip link')
        error = machine.qmp.execute('netdev_add', type='tap', id='d', ifname='tapc', script='no',
                                    downscript='no')['error']
        assert error['desc'].endswith('Device or resource busy')
        machine.qmp.command('netdev_add', type='tap', id='e', ifname='tape', script='no',
                            downscript=str(script))
        machine.qmp.command('quit')
        machine.wait()
        assert (tmp_path / 'log').read_text().endswith('%s tape\n' % script)


@pytest.mark.slow
def test_two_guests_on_a_bridge(drivers, taps):
    taps.run('ip link add br0 type bridge && ip link set br0 up; for tap in tap1 tap2; do '
             'ip tuntap add $tap mode tap && ip link set $tap master br0 up; done')
    tap = 'tap,id=n,script=no,downscript=no,ifname=tap'
    with Linux(drivers, 'net', '-netdev', tap + '1', '-device', DEVICE + '1',
               program=taps.rhea) as first, \
            Linux(drivers, 'net', '-netdev', tap + '2,vnet_hdr=off', '-device', DEVICE + '2',
                  program=taps.rhea) as second:
        talk(first, second)


@pytest.mark.slow
@pytest.mark.parametrize('model', ['e1000', 'virtio-net-pci'])
def test_a_guest_and_its_host_on_a_tap(drivers, taps, model, tmp_path):
    """Large packets both ways: segmentation is the kernel's where the NIC can pass it on."""
    taps.run('ip tuntap add tap0 mode tap && ip link set tap0 up && '
             'ip addr add 10.9.0.9/24 dev tap0')
    body = os.urandom(1 << 20) * 50
    (tmp_path / 'file').write_bytes(body)
    digest = hashlib.sha256(body).hexdigest()
    server = subprocess.Popen([*taps.enter, sys.executable, '-m', 'http.server', '-d',
                               str(tmp_path), '8000'], stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
    try:
        with Linux(drivers, 'net', '-netdev', 'tap,id=n,ifname=tap0,script=no,downscript=no', '-device',
                   model + ',netdev=n', program=taps.rhea) as guest:
            guest.run('ip link set eth0 up && ip addr add 10.9.0.1/24 dev eth0')
            guest.until('wget -q -O - http://10.9.0.9:8000/ > /dev/null')
            text = guest.run('wget -q -O - http://10.9.0.9:8000/file | tee /file | sha256sum', 600)
            assert digest in text
            guest.run('(nc -l -p 7000 < /file &)')
            guest.until('netstat -ltn | grep -q :7000')
            assert digest in taps.run(
                "%s -c 'import hashlib, socket; s = socket.create_connection((\"10.9.0.1\", 7000));"
                "h = hashlib.sha256(); [h.update(d) for d in iter(lambda: s.recv(65536), b\"\")];"
                "print(h.hexdigest())'" % sys.executable)
    finally:
        server.terminate()
        server.wait()
