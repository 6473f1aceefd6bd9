"""rhea-img beside qemu-img: the same output, and images that travel both ways."""
import json
import os
import shutil
import subprocess

import pytest

import rhea

KINDS = [
    '', 'compat=0.10', 'cluster_size=512', 'cluster_size=4k,refcount_bits=64',
    'cluster_size=2M', 'compression_type=zstd', 'lazy_refcounts=on', 'refcount_bits=1',
    'preallocation=metadata', 'preallocation=falloc',
]
SIZE = 9 * 1024 * 1024 + 512


def run(tool, *args, cwd, status=0):
    done = subprocess.run([tool, *args], cwd=cwd, capture_output=True, text=True, check=False)
    text = f'{tool} {args}: {done.returncode}\n{done.stdout}{done.stderr}'
    assert done.returncode == status, text
    return done.stdout


@pytest.fixture(name='ours')
def fixture_ours(tmp_path):
    return lambda *args, status=0: run(rhea.image_tool(), *args, cwd=tmp_path, status=status)


@pytest.fixture(name='theirs')
def fixture_theirs(tmp_path):
    if shutil.which('qemu-img') is None or shutil.which('qemu-io') is None:
        pytest.skip('no qemu-img')
    return lambda *args, status=0: run('qemu-img', *args, cwd=tmp_path, status=status)


@pytest.fixture(name='raw')
def fixture_raw(tmp_path):
    """A disk with data, text that shrinks, zeroes and holes."""
    with open(tmp_path / 'disk.raw', 'wb') as out:
        out.truncate(SIZE)
        for offset, data in ((0, os.urandom(70000)), (1 << 20, b'rhea ' * 60000),
                             (3 << 20, bytes(200000)), (5 << 20, os.urandom(1 << 20)),
                             (SIZE - 700, os.urandom(700))):
            out.seek(offset)
            out.write(data)
    return 'disk.raw'


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('compress', [False, True])
def test_our_images_are_theirs(ours, theirs, raw, kind, compress):
    if compress and 'preallocation' in kind:
        pytest.skip('not at the same time')
    options = ['-o', kind] if kind else []
    ours('convert', '-O', 'qcow2', *options, *(['-c'] if compress else []), raw, 'out.qcow2')
    theirs('check', 'out.qcow2')
    theirs('compare', raw, 'out.qcow2')
    ours('check', 'out.qcow2')
    ours('compare', raw, 'out.qcow2')


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('compress', [False, True])
def test_their_images_are_ours(ours, theirs, raw, kind, compress):
    if compress and 'preallocation' in kind:
        pytest.skip('not at the same time')
    options = ['-o', kind] if kind else []
    theirs('convert', '-O', 'qcow2', *options, *(['-c'] if compress else []), raw, 'in.qcow2')
    ours('check', 'in.qcow2')
    ours('compare', raw, 'in.qcow2')
    ours('convert', '-O', 'raw', '-W', '-m', '4', 'in.qcow2', 'back.raw')
    theirs('compare', raw, 'back.raw')


@pytest.mark.parametrize('kind', KINDS)
def test_facts_agree(ours, theirs, raw, kind, tmp_path):
    options = ['-o', kind] if kind else []
    theirs('convert', '-O', 'qcow2', *options, raw, 'in.qcow2')
    theirs('create', '-f', 'qcow2', '-b', 'in.qcow2', '-F', 'qcow2', 'top.qcow2')
    subprocess.run(['qemu-io', '-c', 'write -P 7 64k 64k', '-c', 'write -z 2M 128k', 'top.qcow2'],
                   cwd=tmp_path, check=True, capture_output=True)
    for name in ('in.qcow2', 'top.qcow2', raw):
        for args in (['info', name], ['map', name], ['map', '--output=json', name],
                     ['measure', '-O', 'qcow2', name], ['measure', '-O', 'raw', name]):
            if kind == 'preallocation=metadata' and args[0] in ('map', 'measure'):
                continue                # they look for holes of the image file cluster by cluster
            assert ours(*args) == theirs(*args)
        assert json.loads(ours('info', '--output=json', name)) == \
            json.loads(theirs('info', '--output=json', name))
    for name in ('in.qcow2', 'top.qcow2'):
        assert ours('check', name) == theirs('check', name)
    assert ours('info', '--backing-chain', 'top.qcow2') == \
        theirs('info', '--backing-chain', 'top.qcow2')


def test_snapshots_travel(ours, theirs, raw):
    ours('convert', '-O', 'qcow2', raw, 'disk.qcow2')
    ours('snapshot', '-c', 'ours', 'disk.qcow2')
    theirs('snapshot', '-c', 'theirs', 'disk.qcow2')
    assert ours('snapshot', '-l', 'disk.qcow2') == theirs('snapshot', '-l', 'disk.qcow2')
    ours('check', 'disk.qcow2')
    theirs('check', 'disk.qcow2')
    ours('resize', '--shrink', 'disk.qcow2', '1M')
    ours('snapshot', '-a', 'theirs', 'disk.qcow2')
    theirs('compare', raw, 'disk.qcow2')
    ours('convert', '-l', 'ours', '-O', 'raw', 'disk.qcow2', 'view.raw')
    theirs('compare', raw, 'view.raw')
    ours('snapshot', '-d', 'ours', 'disk.qcow2')
    theirs('check', 'disk.qcow2')
    theirs('snapshot', '-d', 'theirs', 'disk.qcow2')
    ours('check', 'disk.qcow2')


def test_repair(ours, theirs, raw, tmp_path):
    ours('convert', '-O', 'qcow2', raw, 'disk.qcow2')
    with open(tmp_path / 'disk.qcow2', 'r+b') as image:
        image.seek(0x20000 + 2 * 5)         # the count of cluster 5
        image.write(bytes(2))
        image.seek(0x20000 + 2 * 2000)      # of one nobody uses
        image.write(b'\0\1')
    ours('check', 'disk.qcow2', status=2)
    ours('check', '-r', 'leaks', 'disk.qcow2', status=2)
    ours('check', '-r', 'all', 'disk.qcow2')
    theirs('check', 'disk.qcow2')
    theirs('compare', raw, 'disk.qcow2')


def test_dirty_image_is_repaired(ours, theirs, tmp_path):
    """Somebody died with lazy refcounts: opening for writing puts the counts right."""
    theirs('create', '-f', 'qcow2', '-o', 'lazy_refcounts=on', 'disk.qcow2', '16M')
    subprocess.run(['qemu-io', '-c', 'write -P 3 0 1M', '-c', 'flush', '-c', 'abort', 'disk.qcow2'],
                   cwd=tmp_path, check=False, capture_output=True)
    assert 'cleanly shut down: no' in ours('info', 'disk.qcow2')
    ours('check', 'disk.qcow2', status=2)
    ours('resize', 'disk.qcow2', '32M')
    ours('check', 'disk.qcow2')
    theirs('check', 'disk.qcow2')
    with open(tmp_path / 'want.raw', 'wb') as out:
        out.write(b'\3' * (1 << 20))
        out.truncate(32 << 20)
    ours('compare', 'disk.qcow2', 'want.raw')


def test_bitmaps_go_stale(ours, theirs):
    theirs('create', '-f', 'qcow2', 'disk.qcow2', '16M')
    theirs('bitmap', '--add', 'disk.qcow2', 'b0')
    ours('check', 'disk.qcow2')
    assert 'b0' in theirs('info', 'disk.qcow2')
    ours('snapshot', '-c', 'x', 'disk.qcow2')
    assert 'b0' not in theirs('info', 'disk.qcow2')
    ours('check', '-r', 'leaks', 'disk.qcow2')
    theirs('check', 'disk.qcow2')


def test_commit_and_rebase(ours, theirs, raw, tmp_path):
    ours('convert', '-O', 'qcow2', raw, 'base.qcow2')
    for name, backing in (('mid.qcow2', 'base.qcow2'), ('top.qcow2', 'mid.qcow2')):
        ours('create', '-f', 'qcow2', '-b', backing, '-F', 'qcow2', name)
        subprocess.run(['qemu-io', '-c', f'write -P {len(backing)} 300k 100k', name], cwd=tmp_path,
                       check=True, capture_output=True)
    theirs('convert', '-O', 'raw', 'top.qcow2', 'want.raw')
    ours('rebase', '-b', 'base.qcow2', '-F', 'qcow2', 'top.qcow2')
    theirs('compare', 'want.raw', 'top.qcow2')
    ours('rebase', '-b', '', 'top.qcow2')
    theirs('compare', 'want.raw', 'top.qcow2')
    ours('rebase', '-u', '-b', 'mid.qcow2', '-F', 'qcow2', 'top.qcow2')
    assert ours('commit', '-b', 'base.qcow2', 'top.qcow2') == 'Image committed.\n'
    theirs('compare', 'want.raw', 'base.qcow2')
    for name in ('base.qcow2', 'mid.qcow2', 'top.qcow2'):
        theirs('check', name)


REFUSED = [
    (['create', '-f', 'qcow2', '-o', 'extended_l2=on', 'x', '1M'], 'extended L2'),
    (['create', '-f', 'qcow2', '-o', 'encrypt.format=luks', 'x', '1M'], 'encrypted'),
    (['create', '-f', 'qcow2', '-o', 'data_file=y', 'x', '1M'], 'external data file'),
    (['create', '-f', 'qcow2', '-o', 'cluster_size=3k', 'x', '1M'], 'power of two'),
    (['create', '-f', 'qcow2', 'x', '9E'], 'Invalid image size'),
    (['convert', 'a', 'b', 'c'], 'joining'),
    (['check', '--object', 'secret,id=s', 'x'], '--object'),
    (['info', '--output=xml', 'x'], 'human or json'),
]


@pytest.mark.parametrize('args,text', REFUSED)
def test_refused(tmp_path, args, text):
    done = subprocess.run([rhea.image_tool(), *args], cwd=tmp_path, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1
    assert text in done.stderr
