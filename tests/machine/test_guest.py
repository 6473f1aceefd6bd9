"""Bare-metal guests of tests/guest on both engines.

A payload prints "ok …" and "bad …" lines on the debug console and leaves through isa-debug-exit: 33 all
was well, 35 something was bad, 37 the host's kvm cannot do what is tested.
"""
import os
import subprocess

import pytest

import rhea

PAYLOADS = [
    # name, arguments
    ('faults', []),
    ('modes', []),
    ('paging32', []),
    ('paging64', []),
]
GOOD, BAD, UNAVAILABLE = 33, 35, 37


def image(name):
    path = os.path.join(os.path.dirname(rhea.binary()), 'tests', 'guest', name + '.bin')
    if not os.path.exists(path):
        pytest.skip('not built: ' + path)
    return path


def run(accel, name, args, tmp_path):
    log = tmp_path / 'debugcon'
    done = subprocess.run(
        [rhea.binary(), '-accel', accel, '-cpu', 'qemu64,check=off', '-m', '128', '-display', 'none',
         '-nodefaults', '-no-reboot', '-bios', image(name), '-debugcon', 'file:%s' % log, '-device',
         'isa-debug-exit,iobase=0xf4,iosize=1', *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=rhea.TIMEOUT, check=False)
    return done, log.read_text(errors='replace') if log.exists() else ''


@pytest.mark.parametrize('name,args', PAYLOADS, ids=[row[0] for row in PAYLOADS])
def test_payload(accel, name, args, tmp_path):
    done, text = run(accel, name, args, tmp_path)
    if done.returncode == UNAVAILABLE and accel == 'kvm' and 'bad' not in text:
        pytest.skip("this host's kvm cannot do it; before that:\n" + text)
    assert done.returncode == GOOD and 'bad' not in text, text + done.stderr
