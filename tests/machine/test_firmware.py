"""SeaBIOS on the pc board, and the kernels that can be entered without it."""
import os
import re
import shutil
import struct
import subprocess
import time

import pytest

from rhea import Machine, binary

BIOS = '/usr/share/seabios/bios-256k.bin'
needs_seabios = pytest.mark.skipif(not os.path.exists(BIOS), reason='no seabios package')


def wait_for(path, text, timeout=120):
    """The file's text once it holds `text`."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            with open(path, encoding='latin-1') as log:
                so_far = log.read()
        except FileNotFoundError:
            so_far = ''
        if text in so_far:
            return so_far
        assert time.monotonic() < deadline, so_far[-2000:]
        time.sleep(0.05)


@needs_seabios
@pytest.mark.slow
@pytest.mark.parametrize('memory,cpus,ranges', [
    ('128', 1, ['0000000000100000 - 0000000007ffe000 = 1 RAM']),
    ('6G', 2, ['0000000000100000 - 00000000bfff', '0000000100000000 - 00000001c0000000 = 1 RAM']),
])
def test_seabios_finds_the_machine(accel, memory, cpus, ranges, tmp_path):
    path = str(tmp_path / 'log')
    with Machine('-accel', accel, '-m', memory, '-smp', str(cpus), '-nodefaults', '-display', 'none',
                 '-debugcon', 'file:' + path, '-global', 'isa-debugcon.iobase=0x402') as machine:
        log = wait_for(path, 'No bootable device.')
        pci = machine.qmp.hmp('info pci')
    assert 'Running on QEMU (i440fx)' in log
    assert 'QEMU fw_cfg DMA interface supported' in log
    assert 'Found %d cpu(s) max supported %d cpu(s)' % (cpus, cpus) in log
    assert re.findall(r'init bdf=(\S+ id=\S+)', log) == [
        '00:00.0 id=8086:1237', '00:01.0 id=8086:7000', '00:01.1 id=8086:7010',
        '00:01.3 id=8086:7113']
    assert re.search(r'table\(50434146\)=0x[0-9a-f]+ \(via rsdt\)', log)
    assert 'parse error' not in log
    for text in ranges:
        assert text in log
    assert 'IRQ 9, pin A' in pci


@needs_seabios
def test_a_reset_runs_the_firmware_again(tmp_path):
    path = str(tmp_path / 'log')
    with Machine('-accel', 'tcg', '-nodefaults', '-display', 'none', '-debugcon', 'file:' + path,
                 '-global', 'isa-debugcon.iobase=0x402') as machine:
        wait_for(path, 'No bootable device.')
        machine.qmp.command('system_reset')
        machine.qmp.event('RESET')
        deadline = time.monotonic() + 120
        while wait_for(path, '').count('No bootable device.') < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)


# Says "ok" on COM1 and powers off by the PIIX4 (32-bit code; both entries agree on that much).
# mov dx, 3f8; mov al, 'o'; out; mov al, 'k'; out; mov dx, cf8; mov eax, 80000b40; out; mov dx, cfc;
# mov eax, 601; out; mov dx, cf8; mov eax, 80000b80; out; mov dx, cfc; mov eax, 1; out;
# mov dx, 604; mov ax, 2000; out; hlt; jmp $
PAYLOAD = bytes.fromhex(
    '66baf803 b06f ee b06b ee'
    '66baf80c b8400b0080 ef 66bafc0c b801060000 ef'
    '66baf80c b8800b0080 ef 66bafc0c b801000000 ef'
    '66ba0406 66b80020 66ef f4 ebfe')


def pvh_image(entry=0x100000):
    header = struct.pack('<16sHHIQQQIHHHHHH', b'\x7fELF\2\1\1', 2, 62, 1, entry, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack('<IIQQQQQQ', 1, 5, 0x1000, entry, entry, len(PAYLOAD), 0x1000, 0x1000)
    note = struct.pack('<IIQQQQQQ', 4, 4, 0x800, 0, 0, 20, 20, 4)
    text = (header + load + note).ljust(0x800, b'\0')
    text += struct.pack('<III4sI', 4, 4, 18, b'Xen\0', entry)
    return text.ljust(0x1000, b'\0') + PAYLOAD


def multiboot_image():
    flags, load = 0x10003, 0x100000
    header = struct.pack('<8I', 0x1badb002, flags, -(0x1badb002 + flags) & 0xffffffff, load, load,
                         0, 0, load + 32)
    return header + PAYLOAD


def bzimage():
    image = bytearray(1024)
    image[0x1f1] = 1
    image[0x1fe:0x200] = b'\x55\xaa'
    image[0x201] = 0x66
    image[0x202:0x206] = b'HdrS'
    struct.pack_into('<H', image, 0x206, 0x20f)
    image[0x211] = 1
    image[0x234] = 1
    struct.pack_into('<I', image, 0x22c, 0x7fffffff)
    struct.pack_into('<H', image, 0x236, 1)
    struct.pack_into('<I', image, 0x238, 255)
    struct.pack_into('<QI', image, 0x258, 0x1000000, 0x100000)
    return bytes(image) + bytes(512) + PAYLOAD


@pytest.mark.parametrize('make', [pvh_image, multiboot_image, bzimage])
def test_kernels_are_entered(accel, make, tmp_path):
    kernel = tmp_path / 'kernel'
    path = str(tmp_path / 'serial')
    kernel.write_bytes(make())
    with Machine('-accel', accel, '-m', '64', '-nodefaults', '-display', 'none', '-kernel', str(kernel),
                 '-serial', 'file:' + path, '-S') as machine:
        machine.qmp.command('cont')
        assert machine.qmp.event('SHUTDOWN')['data']['reason'] == 'guest-shutdown'
        assert machine.wait() == 0
        assert wait_for(path, 'ok') == 'ok'


@pytest.mark.slow
def test_a_vmlinux_boots_by_its_pvh_note(demo, tmp_path):
    vmlinux = extract_vmlinux(os.path.join(demo, 'vmlinuz'), tmp_path)
    path = str(tmp_path / 'serial')
    with Machine('-accel', 'tcg', '-m', '512', '-nodefaults', '-kernel', vmlinux, '-initrd',
                 os.path.join(demo, 'initrd'), '-append', 'console=ttyS0', '-serial', 'file:' + path):
        wait_for(path, '/ # ', 180)


def extract_vmlinux(path, folder):
    """The ELF file inside a bzImage: payload_offset and payload_length name it (boot protocol 2.08)."""
    with open(path, 'rb') as file:
        image = file.read()
    offset, length = struct.unpack_from('<II', image, 0x248)
    start = (image[0x1f1] + 1) * 512 + offset
    payload = image[start:start + length - 4]
    for magic, tool in ((b'\x02\x21', 'lz4'), (b'\x28\xb5\x2f\xfd', 'zstd'), (b'\xfd7zXZ', 'xz'),
                        (b'\x1f\x8b', 'gzip')):
        if payload.startswith(magic):
            if not shutil.which(tool):
                pytest.skip('needs ' + tool)
            target = str(folder / 'vmlinux')
            with open(target, 'wb') as out:
                subprocess.run([tool, '-dc'], input=payload, stdout=out, stderr=subprocess.DEVNULL,
                               check=False)
            return target
    pytest.skip('unknown compression')
    return None


@pytest.mark.parametrize('args,message', [
    (['-kernel', '/no/such/file'], "could not open '/no/such/file'"),
    (['-kernel', '/etc/passwd'], 'is no kernel image that can be booted'),
    (['-bios', '/etc/passwd'], 'not a multiple of 64 KiB'),
    (['-bios', 'no-such-bios'], "could not find ROM file 'no-such-bios'"),
    (['-append', 'x'], '-append only allowed with -kernel option'),
    (['-m', '1'], 'at least 2 MiB'),
])
def test_what_cannot_be_booted_is_refused(args, message):
    run = subprocess.run([binary(), '-accel', 'tcg', '-nodefaults', '-display', 'none'] + args,
                         capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert message in run.stderr


def test_the_empty_board():
    with Machine('-accel', 'tcg', '-M', 'none', '-display', 'none') as machine:
        assert machine.qmp.hmp('info qtree') == 'bus: main-system-bus\n  type System\n'
        assert machine.qmp.command('query-status')['status'] in ('running', 'prelaunch')
