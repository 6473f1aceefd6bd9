"""The scripts of docs/examples, against rhea and against QEMU."""
import os
import shutil
import subprocess

import pytest

from rhea import Machine, binary

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs', 'examples')
PROGRAMS = {'rhea': binary(), 'qemu': shutil.which('qemu-system-x86_64')}


@pytest.fixture(params=PROGRAMS)
def program(request):
    if PROGRAMS[request.param] is None:
        pytest.skip('qemu-system-x86_64 is not installed')
    return PROGRAMS[request.param]


def example(name, *args):
    return subprocess.run([os.path.join(EXAMPLES, name), *args], check=True, capture_output=True, text=True,
                          timeout=120).stdout


@pytest.mark.skipif(not (shutil.which('jq') and shutil.which('socat')), reason='needs jq and socat')
def test_disks(program, tmp_path):
    paths = [str(tmp_path / 'a'), str(tmp_path / 'b')]
    for path in paths:
        with open(path, 'wb') as image:
            image.truncate(3 << 20)
    with Machine('-S', '-accel', 'tcg', '-nodefaults', '-display', 'none',
                 '-drive', 'if=none,id=first,format=raw,file=' + paths[0], '-device', 'virtio-blk-pci,drive=first',
                 '-blockdev', 'file,node-name=f,filename=' + paths[1], '-device', 'ide-hd,drive=f,id=second',
                 '-drive', 'if=none,id=empty,media=cdrom', '-device', 'ide-cd,drive=empty',
                 program=program) as machine:
        machine.qmp.close()
        lines = example('disks.sh', machine.path('qmp')).splitlines()
        assert sorted(lines) == ['first\t3145728\t' + paths[0], 'second\t3145728\t' + paths[1]]


@pytest.mark.slow
def test_powerdown(program, demo):
    with Machine('-accel', 'tcg', '-m', '256', '-nodefaults', '-display', 'none', '-no-shutdown',
                 '-kernel', demo + '/vmlinuz', '-initrd', demo + '/initrd', '-append', 'console=ttyS0 quiet',
                 serial='wait', program=program) as machine:
        machine.serial.expect('# ', 120)
        machine.qmp.close()
        assert example('powerdown.py', machine.path('qmp')) == (
            'the guest has shut down: guest-shutdown\n')
