"""Fixtures: the engines there are, and the guests tests boot."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: takes more than a few seconds; left out with sanitizers')


def kvm_usable():
    try:
        os.close(os.open('/dev/kvm', os.O_RDWR))
        return True
    except OSError:
        return False


@pytest.fixture(params=['tcg', 'kvm'])
def accel(request):
    """Each engine in turn; without /dev/kvm the second is skipped."""
    if request.param == 'kvm' and not kvm_usable():
        pytest.skip('no usable /dev/kvm')
    return request.param


@pytest.fixture(scope='session')
def demo():
    """Folder with vmlinuz and initrd of the demo guest."""
    run = subprocess.run([os.path.join(TOP, 'scripts', 'demo-guest')], capture_output=True, text=True,
                         check=False)
    if run.returncode != 0:
        pytest.skip('the demo guest could not be prepared: ' + run.stderr.strip())
    return run.stdout.strip().splitlines()[-1]
