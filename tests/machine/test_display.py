"""Screens: pictures of what the guest shows, beside QEMU's of the same guest."""
import os
import shutil
import struct
import zlib

import pytest

from boot_sector import assemble
from rhea import Machine, binary

# A boot sector that sets a mode through the video BIOS, draws, and says so on the serial port.
SECTOR = '''
        .code16
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    $MODE, %ax
        movw    $MODE_BX, %bx
        int     $0x10
        cld
        DRAW
        movw    $0x3f8, %dx
        movb    $'D', %al
        outb    %al, %dx
        cli
        hlt
        .org    510
        .word   0xaa55
'''
TEXT = '''
        movw    $0x2000, %cx
        movb    $1, %ah
        int     $0x10
        movw    $0xb800, %ax
        movw    %ax, %es
        xorw    %di, %di
        xorw    %ax, %ax
        movw    $2000, %cx
1:      stosw
        addw    $0x0101, %ax
        andw    $0x7f7f, %ax
        loop    1b
'''
BYTES = '''
        movw    $0xa000, %ax
        movw    %ax, %es
        xorw    %di, %di
        xorw    %cx, %cx
1:      movw    %di, %ax
        xorb    %ah, %al
        stosb
        loop    1b
'''
DOTS = '''
        xorw    %cx, %cx
1:      movw    %cx, %dx
        movw    %cx, %ax
        movb    $0x0c, %ah
        xorw    %bx, %bx
        int     $0x10
        incw    %cx
        cmpw    $COUNT, %cx
        jne     1b
'''
MODES = {
    'text': (3, 0, TEXT), 'planes': (0x12, 0, DOTS.replace('COUNT', '480')),
    'cga 4': (4, 0, DOTS.replace('COUNT', '200')), 'cga 2': (6, 0, DOTS.replace('COUNT', '200')),
    'ega': (0x0d, 0, DOTS.replace('COUNT', '200')), '256': (0x13, 0, BYTES),
    'vbe 24': (0x4f02, 0x118, BYTES), 'vbe 16': (0x4f02, 0x114, BYTES), 'vbe 8': (0x4f02, 0x101, BYTES),
}


def boot_disk(folder, mode, mode_bx, draw):
    text = SECTOR.replace('MODE_BX', str(mode_bx)).replace('MODE', str(mode)).replace('DRAW', draw)
    path = os.path.join(folder, 'disk')
    with open(path, 'wb') as out:
        out.write(assemble(folder, text))
        out.truncate(1 << 20)
    return path


def picture(program, disk, path, *arguments):
    """What the guest has drawn, as (width, height, pixels)."""
    with Machine('-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none', *arguments,
                 '-drive', 'file=%s,format=raw,if=ide,snapshot=on' % disk, serial=True, program=program) as machine:
        machine.serial.expect('D')
        machine.qmp.command('screendump', filename=path)
    with open(path, 'rb') as image:
        magic, size, depth, pixels = image.read().split(b'\n', 3)
    assert (magic, depth) == (b'P6', b'255')
    width, height = map(int, size.split())
    assert len(pixels) == width * height * 3
    return width, height, pixels


@pytest.mark.parametrize('name', MODES)
@pytest.mark.skipif(shutil.which('qemu-system-x86_64') is None, reason='needs qemu-system-x86_64')
def test_same_picture_as_qemu(name, tmp_path):
    disk = boot_disk(str(tmp_path), *MODES[name])
    ours = picture(binary(), disk, str(tmp_path / 'ours.ppm'), '-vga', 'std')
    theirs = picture('qemu-system-x86_64', disk, str(tmp_path / 'theirs.ppm'), '-vga', 'std')
    assert ours[:2] == theirs[:2]
    assert len(set(ours[2])) > 1
    # QEMU makes 8 bits of a color's 6 in its own way.
    assert all(abs(a - b) <= 3 for a, b in set(zip(ours[2], theirs[2])))


def png_pixels(path):
    """A PNG of 8-bit RGB without filters it does not need: as (width, height, lines)."""
    with open(path, 'rb') as image:
        data = image.read()
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed = 8, b''
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b'IHDR':
            width, height, bits, color = struct.unpack('>IIBB', body[:10])
            assert (bits, color) == (8, 2)
        elif kind == b'IDAT':
            packed += body
        at += 12 + length
    return width, height, len(zlib.decompress(packed))


def test_screendump_doors(tmp_path):
    with Machine('-nodefaults', '-display', 'none', '-device', 'VGA,id=v', '-S') as machine:
        machine.qmp.command('screendump', filename=str(tmp_path / 'a.png'), format='png', device='v', head=0)
        width, height, size = png_pixels(tmp_path / 'a.png')
        assert (width, height, size) == (640, 480, 480 * (640 * 3 + 1))
        assert machine.qmp.hmp('screendump %s -f png v 0' % (tmp_path / 'b.png')) == ''
        assert png_pixels(tmp_path / 'b.png') == (width, height, size)
        for arguments, text in (({'filename': '/nosuch/x'}, "failed to open file '/nosuch/x'"),
                                ({'filename': 'x', 'head': 0}, "'head' must be specified together with 'device'"),
                                ({'filename': 'x', 'device': 'w'}, "Device 'w' not found"),
                                ({'filename': 'x', 'device': 'v', 'head': 1}, "has no screen 1")):
            assert text in machine.qmp.execute('screendump', **arguments)['error']['desc']


def test_screendump_without_a_screen(tmp_path):
    with Machine('-nodefaults', '-display', 'none', '-S') as machine:
        error = machine.qmp.execute('screendump', filename=str(tmp_path / 'x'))['error']
        assert error['desc'] == 'There is no console to take a screendump from'
