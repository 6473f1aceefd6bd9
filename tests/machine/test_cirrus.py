"""The Cirrus card and bochs-display: pictures beside QEMU's of the same guest, and Linux on them."""
import os
import random
import shutil
import struct

import pytest

from boot_sector import assemble
from linux import Linux
from rhea import Machine, binary, run
from test_display import BYTES, DOTS, MODES, TEXT, boot_disk, picture

needs_qemu = pytest.mark.skipif(shutil.which('qemu-system-x86_64') is None, reason='needs qemu-system-x86_64')

CIRRUS_MODES = {
    'text': MODES['text'], 'planes': MODES['planes'], 'cga 4': MODES['cga 4'], '256': MODES['256'],
    '640 8': (0x4f02, 0x101, BYTES), '800 8': (0x4f02, 0x103, BYTES), '1024 8': (0x4f02, 0x105, BYTES),
    '800 15': (0x4f02, 0x113, BYTES), '800 16': (0x4f02, 0x114, BYTES), '1024 16': (0x4f02, 0x117, BYTES),
    '640 24': (0x4f02, 0x112, BYTES), '800 24': (0x4f02, 0x115, BYTES),
    'back to text': (3, 0, 'movw $0x4f02, %ax\nmovw $0x101, %bx\nint $0x10\nmovw $3, %ax\nint $0x10\n' + TEXT),
    'back to planes': (0x12, 0, DOTS.replace('COUNT', '480')),
}


def same_picture(folder, disk, *arguments):
    """A color of 5 or 6 bits becomes one of 8 in QEMU's own way."""
    ours = picture(binary(), disk, str(folder / 'ours.ppm'), *arguments)
    theirs = picture('qemu-system-x86_64', disk, str(folder / 'theirs.ppm'), *arguments)
    assert ours[:2] == theirs[:2]
    assert len(set(ours[2])) > 1
    different = [i for i, (a, b) in enumerate(zip(ours[2], theirs[2])) if abs(a - b) > 7]
    assert not different, 'first at %d, %d' % (different[0] // 3 % ours[0], different[0] // 3 // ours[0])


@needs_qemu
@pytest.mark.slow
@pytest.mark.parametrize('name', CIRRUS_MODES)
def test_same_modes_as_qemu(name, tmp_path):
    same_picture(tmp_path, boot_disk(str(tmp_path), *CIRRUS_MODES[name]), '-vga', 'cirrus')


# ---- blits and the pointer ----

# Sets a mode, writes to ports what a list says, which lies behind the boot sector; port 1: so many
# dwords are written to the window at a0000, port 0: done.
PROGRAM = '''
        .code16
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    $0x0240, %ax
        movw    $2, %cx
        movw    $0x80, %dx
        movw    $0x7e00, %bx
        int     $0x13
        movw    $0x4f02, %ax
        movw    $MODE, %bx
        int     $0x10
        movw    $0xa000, %ax
        movw    %ax, %es
        cld
        xorw    %di, %di
        xorw    %cx, %cx
1:      movw    %di, %ax
        mulb    %ah
        stosb
        loop    1b
        movl    $0x12345678, %ebx
        movw    $0x7e00, %si
2:      lodsw
        movw    %ax, %dx
        lodsw
        cmpw    $1, %dx
        jb      4f
        je      3f
        outw    %ax, %dx
        jmp     2b
3:      movw    %ax, %cx
        xorw    %di, %di
5:      movl    %ebx, %eax
        stosl
        imull   $0x01010105, %ebx
        incl    %ebx
        andw    $0x3ff, %di
        loop    5b
        jmp     2b
4:      movw    $0x3f8, %dx
        movb    $'D', %al
        outb    %al, %dx
        cli
        hlt
        .org    510
        .word   0xaa55
'''
GFX, SEQ = 0x3ce, 0x3c4
BACKWARDS, FROM_CPU, TRANSPARENT, PATTERN, EXPAND = 1, 4, 8, 0x40, 0x80
INVERT, SOLID = 2, 4
# All but 0x90 and 0xda, nor and nand, which QEMU has the other way round.
ROPS = [0x00, 0x05, 0x06, 0x09, 0x0b, 0x0d, 0x0e, 0x50, 0x59, 0x6d, 0x95, 0xad, 0xd0, 0xd6]
KINDS = [(0, 0), (BACKWARDS, 0), (TRANSPARENT, 0), (PATTERN, 0), (EXPAND, 0), (EXPAND | TRANSPARENT, 0),
         (EXPAND | TRANSPARENT, INVERT), (EXPAND | PATTERN, 0), (EXPAND | PATTERN | TRANSPARENT, 0),
         (EXPAND | PATTERN | TRANSPARENT, INVERT), (EXPAND | PATTERN, SOLID), (FROM_CPU, 0),
         (FROM_CPU | EXPAND, 0), (FROM_CPU | EXPAND | TRANSPARENT, 0)]


class Script:
    """What the program writes."""

    def __init__(self):
        self.bytes = b''

    def port(self, port, index, value):
        self.bytes += struct.pack('<HBB', port, index, value)

    def registers(self, first, value, count):
        for i in range(count):
            self.port(GFX, first + i, value >> 8 * i & 0xff)

    def feed(self, dwords):
        self.bytes += struct.pack('<HH', 1, dwords)

    def color(self, low, value):
        for index in (low, low + 0x10, low + 0x12, low + 0x14):
            self.port(GFX, index, value & 0xff)
            value >>= 8

    def blit(self, **what):
        blit = {'mode': 0, 'ext': 0, 'rop': 0x0d, 'skip': 0, 'pixel': 1, 'fg': 0, 'bg': 0, 'key': 0, 'start': 0,
                'source': 0, 'pitch': 0, 'source_pitch': None, **what}
        self.color(0, blit['bg'])
        self.color(1, blit['fg'])
        self.registers(0x20, blit['width'] * blit['pixel'] - 1, 2)
        self.registers(0x22, blit['height'] - 1, 2)
        self.registers(0x24, blit['pitch'], 2)
        self.registers(0x26, blit['source_pitch'] or blit['pitch'], 2)
        self.registers(0x28, blit['start'], 3)
        self.registers(0x2c, blit['source'], 3)
        self.port(GFX, 0x2f, blit['skip'])
        self.port(GFX, 0x30, blit['mode'] | (blit['pixel'] - 1) << 4)
        self.port(GFX, 0x32, blit['rop'])
        self.port(GFX, 0x33, blit['ext'])
        self.registers(0x34, blit['key'], 2)
        self.port(GFX, 0x31, 2)
        if blit['mode'] & FROM_CPU:
            line = (blit['width'] + 7) // 8 if blit['mode'] & EXPAND else (blit['width'] * blit['pixel'] + 3) & ~3
            self.feed((line * blit['height'] + 3) // 4)

    def disk(self, folder, mode):
        path = str(folder / 'disk')
        with open(path, 'wb') as out:
            out.write(assemble(str(folder), PROGRAM.replace('MODE', str(mode))))
            out.write(self.bytes + bytes(4))
            assert len(self.bytes) < 0x40 * 512
            out.truncate(1 << 20)
        return path


def random_blits(script, kinds, pixel, seed):
    """On a picture of 800 by 600, sources among it."""
    dice = random.Random(seed)
    pitch = 800 * pixel
    for number in range(len(kinds) * 2):
        mode, ext = kinds[number % len(kinds)]
        if mode & TRANSPARENT and not mode & EXPAND and pixel > 2:
            continue
        width, height = dice.randrange(9, 120), dice.randrange(1, 40)
        start = dice.randrange(50, 400) * pitch + dice.randrange(200, 600) * pixel
        source = dice.randrange(10, 80) * pitch + dice.randrange(130, 600) * pixel
        if mode & BACKWARDS:
            start, source = start + 40 * pitch, source + 40 * pitch
        if mode & (PATTERN | EXPAND):
            source &= ~255                      # where QEMU looks for patterns of all kinds
        skip = dice.randrange(0, 8) if mode & (PATTERN | EXPAND) and pixel != 3 and not ext & SOLID else 0
        script.blit(mode=mode, ext=ext, rop=dice.choice(ROPS), width=width, height=height, pixel=pixel, pitch=pitch,
                    start=start, source=source, skip=skip, fg=dice.getrandbits(32), bg=dice.getrandbits(32),
                    key=dice.getrandbits(16))


@needs_qemu
@pytest.mark.slow
@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('mode,pixel', [(0x103, 1), (0x114, 2), (0x115, 3)])
def test_same_blits_as_qemu(mode, pixel, seed, tmp_path):
    script = Script()
    for row in range(8):                        # something to copy everywhere
        script.blit(width=800, height=60, pixel=pixel, pitch=800 * pixel, start=(row + 1) * 60 * 800 * pixel,
                    source=row * 30 * 800 * pixel, rop=[0x0d, 0x59, 0xd0, 0x95][row % 4])
    random_blits(script, KINDS, pixel, seed)
    # what is over of the CPU's last dwords QEMU writes to memory
    script.blit(mode=EXPAND | PATTERN, ext=SOLID, width=800, height=10, pixel=pixel, pitch=800 * pixel, fg=0x112233)
    same_picture(tmp_path, script.disk(tmp_path, mode), '-vga', 'cirrus')


@needs_qemu
@pytest.mark.parametrize('large', [False, True])
def test_same_pointer_as_qemu(large, tmp_path):
    """Black, as its colors are after reset; blits draw its pattern into the last 16 KiB of memory."""
    script = Script()
    script.blit(width=800, height=300, pixel=3, pitch=2400, start=200 * 2400, source=0)
    for row in range(32):
        script.blit(mode=EXPAND | PATTERN, ext=SOLID, width=8, height=4, pitch=8, start=0x3fc400 + 32 * row,
                    fg=row * 37 & 0xff)
    script.port(SEQ, 0x13, 4)
    script.port(SEQ, 0x10 | 5 << 5, 30)
    script.port(SEQ, 0x11 | 3 << 5, 40)
    script.port(SEQ, 0x12, 5 if large else 1)
    same_picture(tmp_path, script.disk(tmp_path, 0x115), '-vga', 'cirrus')


# ---- listings ----

CARDS = ['cirrus-vga,id=c,addr=4', 'bochs-display,id=b,addr=5', 'bochs-display,id=e,addr=6,vgamem=5M,xres=1366,yres=768']


def listing(program, topic):
    devices = [word for card in CARDS for word in ('-device', card)]
    with Machine('-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none', '-S', *devices,
                 program=program) as machine:
        return machine.qmp.hmp('info ' + topic)


@needs_qemu
def test_same_listings_as_qemu():
    ours, theirs = (listing(program, 'pci') for program in (binary(), 'qemu-system-x86_64'))
    assert ours == theirs
    trees = [listing(program, 'qtree') for program in (binary(), 'qemu-system-x86_64')]
    for card in CARDS:
        name = 'dev: %s, id "%s"' % (card.split(',')[0], card.split('id=')[1][0])
        ours, theirs = (tree[tree.index(name) + 1:].split('dev: ')[0] for tree in trees)
        assert ours == theirs


@pytest.mark.parametrize('card,text', [
    ('cirrus-vga,vgamem_mb=5', "Invalid cirrus_vga ram size '5'"),
    ('bochs-display,vgamem=1M', 'bochs-display: video memory too small'),
    ('bochs-display,vgamem=512M', 'bochs-display: video memory too big'),
])
def test_memory_sizes(card, text):
    result = run('-nodefaults', '-display', 'none', '-device', card)
    assert result.returncode == 1
    assert text in result.stderr


# ---- Linux ----

@pytest.mark.slow
@pytest.mark.parametrize('group,card,width,height,bits,append', [
    ('display', 'cirrus-vga', 800, 600, 16, 'video=800x600'),
    ('display', 'cirrus-vga', 800, 600, 24, 'video=800x600-24'),
    ('cirrusfb', 'cirrus-vga', 640, 480, 8, ''),
    ('display', 'VGA,xres=1024,yres=768', 1024, 768, 32, ''),
    ('display', 'bochs-display,xres=1366,yres=768', 1366, 768, 32, ''),
])
def test_linux_console(drivers, group, card, width, height, bits, append, tmp_path):
    """The text of a frame buffer console: each of its characters is drawn alike, so lines repeat."""
    path = str(tmp_path / 'screen.ppm')
    with Linux(drivers, group, '-device', card, append='console=tty0 console=ttyS0 ' + append) as machine:
        assert machine.run('cat /sys/class/graphics/fb0/virtual_size') .split(',')[0] == str(width)
        assert machine.run('cat /sys/class/graphics/fb0/bits_per_pixel') == '%d\n' % bits
        machine.run('setterm -cursor off > /dev/tty0; clear > /dev/tty0; yes hamburgefonstiv | head -n 100 > /dev/tty0; '
                    'sleep 1')
        machine.qmp.command('screendump', filename=path)
    with open(path, 'rb') as image:
        _, size, _, pixels = image.read().split(b'\n', 3)
    assert size == b'%d %d' % (width, height)
    rows = [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]
    lines = [b''.join(rows[y:y + 16]) for y in range(0, height - 31, 16)]
    assert len(set(lines[0])) > 1
    assert len(set(lines[:-1])) == 1
