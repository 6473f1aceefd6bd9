"""Bare-metal guests of tests/guest on both engines.

A payload prints "ok …" and "bad …" lines on the debug console and leaves through isa-debug-exit: 33 all
was well, 35 something was bad, 37 the host's kvm cannot do what is tested.
"""
import functools
import os
import subprocess

import pytest

import rhea

PAYLOADS = [
    # name, arguments, whether an emulating kvm can be trusted with it
    ('debug', [], False),
    ('faults', [], True),
    ('io', ['-device', 'pc-testdev'], True),
    ('irq', [], True),
    ('modes', [], False),
    ('paging32', [], True),
    ('paging64', [], True),
    ('smc', [], True),
    ('smp', ['-smp', '2'], True),
    ('smp', ['-smp', '4'], True),
    ('timers', [], True),
]
IRQCHIPS = ['on', 'split', 'off']
GOOD, BAD, UNAVAILABLE = 33, 35, 37


def image(name):
    path = os.path.join(os.path.dirname(rhea.binary()), 'tests', 'guest', name + '.bin')
    if not os.path.exists(path):
        pytest.skip('not built: ' + path)
    return path


@functools.lru_cache(maxsize=None)
def kvm_emulates():
    """Whether this host's kvm runs supervisor code in an instruction emulator, as rhea's probe says."""
    done = subprocess.run([rhea.binary(), '-M', 'none', '-display', 'none', '-nodefaults', '-monitor',
                           'stdio'], input='info accel\nquit\n', capture_output=True, text=True,
                          timeout=rhea.TIMEOUT, check=False)
    return '(emulated)' in done.stdout


def run(accel, name, args, tmp_path):
    log = tmp_path / 'debugcon'
    done = subprocess.run(
        [rhea.binary(), '-accel', accel, '-cpu', 'qemu64,check=off', '-m', '128', '-display', 'none',
         '-nodefaults', '-no-reboot', '-bios', image(name), '-debugcon', 'file:%s' % log, '-device',
         'isa-debug-exit,iobase=0xf4,iosize=1', *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=rhea.TIMEOUT, check=False)
    return done, log.read_text(errors='replace') if log.exists() else ''


def check(done, text):
    assert done.returncode == GOOD and 'bad' not in text, text + done.stderr


@pytest.mark.parametrize('name,args,robust', PAYLOADS, ids=['-'.join([r[0], *r[1][1:]]) for r in PAYLOADS])
def test_payload(accel, name, args, robust, tmp_path):
    if accel == 'kvm' and not robust and kvm_emulates():
        pytest.skip("an emulating kvm does not model this")
    done, text = run(accel, name, args, tmp_path)
    if done.returncode == UNAVAILABLE and accel == 'kvm' and 'bad' not in text:
        pytest.skip("this host's kvm cannot do it; before that:\n" + text)
    check(done, text)


@pytest.mark.parametrize('chip', IRQCHIPS)
@pytest.mark.parametrize('name,args', [('irq', []), ('timers', []), ('smp', ['-smp', '2'])],
                         ids=['irq', 'timers', 'smp'])
def test_kernel_irqchip(name, args, chip, tmp_path):
    """The interrupt controllers in the kernel, half there, and in the process."""
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        pytest.skip('no usable /dev/kvm')
    check(*run('kvm', name, ['-machine', 'pc,kernel-irqchip=' + chip, *args], tmp_path))
