"""VMware's mouse, as a guest's driver uses it: calls through a port, results in the CPU's registers."""
import os

import pytest

from boot_sector import assemble
from rhea import Machine
from test_firmware import needs_seabios

# Enables the mouse, asks for positions, says so; then waits for four words of the queue and sends them, 4 bytes
# each, on the serial port. cx: command, ebx: argument.
DRIVER = """
        .code16
        cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     $41, %ecx
        mov     $0x45414552, %ebx       # enable
        call    backdoor
        mov     $39, %ecx
        mov     $1, %ebx
        call    backdoor                # the version
        call    send
        mov     $41, %ecx
        mov     $0x53424152, %ebx       # positions
        call    backdoor
        mov     $'!', %al
        call    put
wait:   mov     $40, %ecx
        call    backdoor
        cmp     $4, %ax
        jb      wait
        mov     $39, %ecx
        mov     $4, %ebx
        call    backdoor
        mov     %ebx, %esi
        mov     %ecx, %edi
        call    send
        mov     %esi, %eax
        call    send
        mov     %edi, %eax
        call    send
        jmp     wait

backdoor:
        mov     $0x564d5868, %eax
        mov     $0x5658, %dx
        in      %dx, %eax
        ret

send:   mov     $4, %bp
1:      call    put
        shr     $8, %eax
        dec     %bp
        jnz     1b
        ret

put:    push    %dx
        mov     $0x3f8, %dx
        out     %al, %dx
        pop     %dx
        ret
        .org    510
        .word   0xaa55
"""

ENGINES = ['tcg', pytest.param('kvm', marks=pytest.mark.skipif(
    not os.access('/dev/kvm', os.R_OK | os.W_OK), reason='no KVM'))]


def event(kind, **data):
    return {'type': kind, 'data': data}


@needs_seabios
@pytest.mark.parametrize('engine', ENGINES)
def test_a_driver_reads_positions(engine, tmp_path):
    disk = tmp_path / 'disk'
    disk.write_bytes(assemble(tmp_path, DRIVER).ljust(1 << 20, b'\0'))
    with Machine('-accel', engine, '-nodefaults', '-drive', 'format=raw,file=%s' % disk, serial='wait') as machine:
        machine.serial.expect(b'\x4a\x55\x42\x34!', 120)
        assert machine.qmp.hmp('info mice') == '  Mouse #2: QEMU PS/2 Mouse\n* Mouse #3: vmmouse (absolute)\n'
        machine.qmp.command('input-send-event', events=[event('abs', axis='x', value=0x4000),
                                                        event('abs', axis='y', value=0x7fff),
                                                        event('btn', button='right', down=True)])
        machine.serial.expect(b'\x10\0\0\0' b'\x01\x80\0\0' b'\xff\xff\0\0', 60)
        machine.qmp.command('system_reset')
        machine.qmp.event('RESET')
        machine.serial.expect(b'\x4a\x55\x42\x34!', 120)


def test_it_can_be_left_out():
    with Machine('-nodefaults', '-machine', 'pc,vmport=off', '-S') as machine:
        assert 'vmmouse' not in machine.qmp.hmp('info qtree')
