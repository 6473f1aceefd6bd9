"""`type` and sendkey: what a guest's keyboard gets, and when."""
import hashlib
import json
import random
import string

import pytest

from boot_sector import assemble
from linux import Linux
from rhea import Machine
from test_firmware import needs_seabios

# Everything a US keyboard has, in lines that a terminal in its usual mode takes.
LINE = string.ascii_letters + string.digits + string.punctuation + ' '


def text(length, seed):
    pick = random.Random(seed)
    lines = ''.join(pick.choice(LINE) if i % 64 != 63 else '\n' for i in range(length - 1))
    return lines + '\n'


@pytest.mark.slow
@pytest.mark.parametrize('keyboard', [['-vga', 'std'], ['-usb', '-device', 'usb-kbd']], ids=['ps2', 'usb'])
def test_a_text_arrives_intact(drivers, keyboard):
    """Whatever reads the guest's screen hears every character, over PS/2 and over USB."""
    words = text(4096, 5)
    with Linux(drivers, 'usb', *keyboard) as guest:
        if 'usb-kbd' in keyboard:
            guest.until('grep -q "QEMU USB Keyboard" /proc/bus/input/devices')
        guest.start('head -c %d < /dev/tty1 > /tmp/typed' % len(words))
        guest.run('sleep 1')        # USB's driver drops what comes in the first 50 ms after an open
        # another layout's keys are pressed, not this one's characters
        assert guest.qmp.execute('type', text='é')['error']['desc'] == (
            "layout 'en-us' has no keys for 'é' (U+00E9), character 1 of the text")
        guest.qmp.timeout = 600
        assert guest.qmp.command('type', text=words, wait=True) == {}
        guest.until('[ $(stat -c %%s /tmp/typed) = %d ]' % len(words))
        assert guest.run('md5sum < /tmp/typed').split()[0] == hashlib.md5(words.encode()).hexdigest()


# Says so and reads no keyboard.
DEAF = """
        .code16
        mov     $0x3f8, %dx
        mov     $'!', %al
        out     %al, %dx
1:      cli
        hlt
        jmp     1b
        .org    510
        .word   0xaa55
"""


@needs_seabios
def test_a_reset_ends_it(tmp_path):
    disk = tmp_path / 'disk'
    disk.write_bytes(assemble(tmp_path, DEAF).ljust(1 << 20, b'\0'))
    with Machine('-nodefaults', '-drive', 'format=raw,file=%s' % disk, serial='wait', hmp=True) as machine:
        machine.serial.expect('!')
        machine.qmp.send(json.dumps({'execute': 'type', 'arguments': {'text': 'never read', 'wait': True}}))
        machine.hmp.command('info status')
        machine.hmp.command('system_reset')
        assert machine.qmp.reply()['error']['desc'] == 'the machine was reset before everything was typed'


def test_a_standing_machine():
    with Machine('-nodefaults', '-S') as machine:
        assert machine.qmp.execute('type', text='a', wait=True)['error']['desc'] == 'VM not running'
        assert machine.qmp.command('type', text='a') == {}


@pytest.mark.parametrize('arguments,error', [
    ({'text': ''}, 'there is no text to type'),
    ({'text': 'a' * 65537}, 'the text has 65537 characters, at most 65536 can be typed at once'),
    ({'text': 'a', 'layout': 'us'}, "could not read keymap file: 'us'"),
    ({'text': 'привет'}, "layout 'en-us' has no keys for 'п' (U+043F), character 1 of the text"),
    ({'text': 'ls', 'layout': 'ru'}, "layout 'ru' has no keys for 'l' (U+006C), character 1 of the text"),
])
def test_refusals(arguments, error):
    with Machine('-nodefaults', '-S') as machine:
        assert machine.qmp.execute('type', **arguments)['error']['desc'].startswith(error)
