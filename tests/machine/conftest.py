"""Fixtures: the engines there are, and the guests tests boot."""
import fcntl
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: takes more than a few seconds; left out with sanitizers')
    config.addinivalue_line('markers', 'signals: sends the program a signal, which the thread sanitizer may keep '
                                       'until the program wakes for something else')
    config.addinivalue_line('markers', 'long: takes minutes; only with scripts/check --long')


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


def prepared(script):
    """What a script of scripts/ prepared and printed last; a failure skips the test."""
    path = os.path.join(TOP, 'scripts', script)
    with open(path, encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                # another worker may be preparing it
        run = subprocess.run([path], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip('%s failed: %s' % (script, run.stderr.strip()[-500:]))
    return run.stdout.strip().splitlines()[-1]


@pytest.fixture(scope='session')
def demo():
    """Folder with vmlinuz and initrd of the demo guest."""
    return prepared('demo-guest')


@pytest.fixture(scope='session')
def drivers():
    """Folder with vmlinuz and initrd of the guest that has drivers: linux.Linux boots it."""
    return prepared('driver-guest')


@pytest.fixture(scope='session')
def debian():
    """A disk image that boots a whole Debian."""
    return os.path.join(prepared('debian-guest'), 'disk.raw')
