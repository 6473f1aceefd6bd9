"""The nbd client against qemu-nbd, through rhea-img."""
import os
import shutil
import socket
import subprocess
import threading

import pytest

from rhea import image_tool
from test_img import SIZE, fixture_ours, fixture_raw   # noqa: F401 (fixtures)


@pytest.fixture(name='serve')
def fixture_serve(tmp_path):
    """serve(image, options…) starts a server on nbd.sock and returns it when it listens."""
    if shutil.which('qemu-nbd') is None:
        pytest.skip('no qemu-nbd')
    servers = []

    def start(image, *options):
        pid_file = tmp_path / f'pid{len(servers)}'
        subprocess.run(['qemu-nbd', '--fork', '--pid-file', pid_file, '-t', '-e', '8', *options,
                        image], cwd=tmp_path, check=True)
        servers.append(int(pid_file.read_text()))
        return servers[-1]

    yield start
    for pid in servers:
        try:
            os.kill(pid, 15)
        except ProcessLookupError:
            pass


def blank(tmp_path):
    with open(tmp_path / 'target.raw', 'wb') as out:
        out.truncate(SIZE)
    return 'target.raw'


def test_copy_there_and_back(ours, raw, serve, tmp_path):
    serve(blank(tmp_path), '-f', 'raw', '-k', str(tmp_path / 'nbd.sock'))
    ours('convert', '-n', '-O', 'raw', '-W', '-m', '8', raw, 'nbd:unix:nbd.sock')
    ours('compare', '-f', 'raw', '-F', 'raw', raw, 'nbd+unix:///?socket=nbd.sock')
    ours('convert', '-f', 'raw', '-O', 'qcow2', 'nbd+unix:///?socket=nbd.sock', 'back.qcow2')
    ours('compare', raw, 'back.qcow2')
    assert ours('info', '-f', 'raw', 'nbd:unix:nbd.sock') == (
        'image: nbd+unix://?socket=nbd.sock\nfile format: raw\n'
        'virtual size: 9 MiB (9437696 bytes)\ndisk size: unavailable\n')


def test_tcp_and_export_name(ours, raw, serve, tmp_path):
    serve(raw, '-f', 'raw', '-b', '127.0.0.1', '-p', '20809', '-x', 'disk one', '-r')
    ours('compare', '-f', 'raw', '-F', 'raw', raw, 'nbd://127.0.0.1:20809/disk%20one')
    ours('compare', '-f', 'raw', '-F', 'raw', raw, 'nbd:127.0.0.1:20809:exportname=disk one')
    for address, text in (('nbd://127.0.0.1:20809/other', "NBD export 'other' does not exist"),
                          ('nbd://127.0.0.1:1/', 'Connection refused'),
                          ('nbd+unix:///x', 'socket=PATH')):
        done = subprocess.run([image_tool(), 'info', address], cwd=tmp_path, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 1 and text in done.stderr
    done = subprocess.run([image_tool(), 'convert', '-n', '-O', 'raw', raw,
                           'nbd:127.0.0.1:20809:exportname=disk one'], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and 'read-only' in done.stderr


def pump(source, sink, most):
    """Copies bytes until one side ends or `most` have gone through; then ends both."""
    try:
        while most > 0:
            data = source.recv(min(most, 65536))
            if not data:
                break
            sink.sendall(data)
            most -= len(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def cutting_proxy(listener, server, limits):
    """Forwards one connection after the other, each until so many bytes came from the client."""
    for limit in limits:
        client, _ = listener.accept()
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(server)
        back = threading.Thread(target=pump, args=(upstream, client, 1 << 40))
        back.start()
        pump(client, upstream, limit)
        back.join()
        client.close()
        upstream.close()


def test_connection_comes_back(ours, raw, serve, tmp_path):
    """The connection breaks in the middle of a request, twice; nothing is lost."""
    target, server, front = blank(tmp_path), str(tmp_path / 'nbd.sock'), str(tmp_path / 'front')
    serve(target, '-f', 'raw', '-k', server)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(front)
    listener.listen()
    proxy = threading.Thread(target=cutting_proxy,
                             args=(listener, server, (500000, 700000, 1 << 40)), daemon=True)
    proxy.start()
    ours('convert', '-n', '--target-image-opts', '-S', '0', raw,
         f'driver=raw,file.driver=nbd,file.path={front},file.reconnect-delay=30')
    proxy.join()
    ours('compare', '-f', 'raw', '-F', 'raw', raw, target)


def test_lost_connection_is_an_error(raw, serve, tmp_path):
    target, server, front = blank(tmp_path), str(tmp_path / 'nbd.sock'), str(tmp_path / 'front')
    serve(target, '-f', 'raw', '-k', server)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(front)
    listener.listen()
    proxy = threading.Thread(target=cutting_proxy, args=(listener, server, (500000,)), daemon=True)
    proxy.start()
    done = subprocess.run([image_tool(), 'convert', '-n', '-S', '0', '-O', 'raw', raw,
                           f'nbd:unix:{front}'], cwd=tmp_path, capture_output=True, text=True,
                          check=False)
    listener.close()
    proxy.join()
    assert done.returncode == 1 and 'Input/output error' in done.stderr
