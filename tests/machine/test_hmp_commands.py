"""Every command of the human monitor, with good and with bad arguments.

A row of COMMANDS or TOPICS is a command, lines that work and lines that do not, each with a pattern of
what is printed.  A command without a row fails the test.
"""
import os
import re
import shutil
import subprocess

import pytest

from rhea import Machine, binary

TRY = r'Try "help [a-z0-9_ -]+" for more information\n'
EXPECTED = r'[a-z_-]+: (string|filename|block device name) expected\n' + TRY
EXTRA = r"[a-z_|?-]+: extraneous characters at the end of line: 'xtra'\n" + TRY
NO_EXPRESSION = r'unexpected end of expression\n' + TRY
NO_DEVICE = r"Error: Device 'nosuch[a-z]*' not found\n"

# command: (lines that work, lines that do not); carried out in this order on one stopped machine
COMMANDS = {
    'help': ([('help', r'(?s).*\nquit\|q  -- .*'), ('? stop', r'stop\|s  -- .*\nExample: stop\nQMP: stop\n'),
              ('help info pci', r'info pci  -- .*\nExample: info pci\nQMP: query-pci\n'),
              ('help log', r'(?s)Log items \(comma separated\):\nnone .*')],
             [('help nosuch', r"unknown command: 'nosuch'\n"),
              ('help info statsu', r"unknown command: 'info statsu'\nDid you mean 'info status'\?\n")]),
    'info': ([('info', r'(?s)info accel .*')], [('info nosuch', r"unknown command: 'info nosuch'\n")]),
    'stop': ([('stop', '')], [('stop xtra', EXTRA)]),
    'cont': ([('cont', ''), ('stop', '')], [('c xtra', EXTRA)]),
    'system_reset': ([('system_reset', '')], [('system_reset xtra', EXTRA)]),
    'system_powerdown': ([('system_powerdown', '')], [('system_powerdown xtra', EXTRA)]),
    'system_wakeup': ([], [('system_wakeup', r'Error: Unable to wake up: guest is not in suspended state\n'),
                           ('system_wakeup xtra', EXTRA)]),
    'nmi': ([('nmi', '')], [('nmi xtra', EXTRA)]),
    'cpu': ([('cpu 1', ''), ('cpu 0', '')],
            [('cpu', NO_EXPRESSION), ('cpu 7', r'invalid CPU index\n'), ('cpu 0 xtra', EXTRA)]),
    'boot_set': ([('boot_set dc', r'boot device list now set to dc\n')],
                 [('boot_set', EXPECTED), ('boot_set z', r"Invalid boot device 'z'\n"),
                  ('boot_set cc', r"Boot device 'c' was given twice\n")]),
    'watchdog_action': ([('watchdog_action pause', '')],
                        [('watchdog_action', EXPECTED),
                         ('watchdog_action puase', r"Error: invalid parameter value: puase\n"
                                                   r"Did you mean 'pause'\?\n")]),
    'sendkey': ([('sendkey ctrl-alt-delete', ''), ('sendkey a 50', '')],
                [('sendkey', EXPECTED), ('sendkey ctrl-alt-delte', r"invalid parameter: delte\n"
                                                                   r"Did you mean 'delete'\?\n")]),
    'type': ([('type root\\n', ''), ('type -l de z\\\\', '')],
             [('type', EXPECTED), (r'type \q', r"Error: '\\q' is no escape: .*\n"),
              ('type -l en-su x', r"Error: could not read keymap file: 'en-su'\nDid you mean 'en-us'\?\n"),
              ('type é', r"Error: layout 'en-us' has no keys for 'é' \(U\+00E9\), character 1 of the text\n")]),
    'mouse_move': ([('mouse_move 1 2', ''), ('mouse_move 1 2 -1', '')],
                   [('mouse_move 1', EXPECTED), ('mouse_move x y', r'Error: .*\n')]),
    'mouse_button': ([('mouse_button 1', ''), ('mouse_button 0', '')], [('mouse_button', NO_EXPRESSION)]),
    'mouse_set': ([('mouse_set 2', '')], [('mouse_set', NO_EXPRESSION),
                                          ('mouse_set 99', r"Mouse at index '99' not found\n"),
                                          ('mouse_set 1', r"Input device '.*' is not a mouse\n")]),
    'screendump': ([('screendump {folder}/screen.png -f png', ''), ('screendump {folder}/screen.ppm video0 0', '')],
                   [('screendump', EXPECTED), ('screendump x -f gif', r"Error: there is no format 'gif': .*\n"),
                    ('screendump x videoo', r"Error: Device 'videoo' not found\n(Did.*\n)?")]),
    'set_password': ([('set_password vnc x -d locked', ''), ('set_password vnc x -d locked keep', '')],
                     [('set_password vnc', EXPECTED), ('set_password bogus x', r'Error: invalid parameter value: bogus\n'),
                      ('set_password vnc x', r"Error: Could not set password\nVNC server 'default' asks for none: .*\n"),
                      ('set_password vnc x disconnect', r"Error: Invalid parameter 'connected'\n.*\n"),
                      ('set_password vnc x keap', r"Error: invalid parameter value: keap\nDid you mean 'keep'\?\n"),
                      ('set_password vnc x -d nosuch', r"Error: Could not set password\n.*'nosuch'\.\n")]),
    'expire_password': ([('expire_password vnc now', ''), ('expire_password vnc never -d locked', ''),
                         ('expire_password vnc +60', '')],
                        [('expire_password vnc', EXPECTED),
                         ('expire_password bogus now', r'Error: invalid parameter value: bogus\n'),
                         ('expire_password vnc soon', r"Error: Parameter 'time' does not accept value 'soon'\n.*\n")]),
    'log': ([('log unimp,guest_errors', ''), ('log none', '')],
            [('log', EXPECTED), ('log guest_erors', r"(?s)Log items .*guest_errors.*")]),
    'logfile': ([('logfile {folder}/log', '')],
                [('logfile', EXPECTED), ('logfile /nosuch/x', r'.*/nosuch/x.*: No such file or directory\n')]),
    'balloon': ([('balloon 100', '')],
                [('balloon', NO_EXPRESSION), ('balloon -1', r'enter a positive value\n' + TRY),
                 ('balloon x', r"(invalid char 'x' in expression|unknown symbol.*|.*'x'.*)\n(Did.*\n)?" + TRY),
                 ('balloon 0x7fffffffffffffff', r'number too large\n' + TRY)]),
    'device_add': ([('device_add virtio-rng-pci,id=r1', ''), ('device_add help', r'(?s).*name "e1000", bus PCI.*'),
                    ('device_add e1000,help', r'(?s)e1000 options:\n.*netdev=<str>.*')],
                   [('device_add', r"Error: Parameter 'driver' is missing\n"),
                    ('device_add e10000', r"Error: 'e10000' is not a valid device model name\n"
                                          r"Did you mean 'e1000'\?\n"),
                    ('device_add e1000,netdv=n0', r"Error: Property 'e1000.netdv' not found\n"
                                                  r"Did you mean 'netdev'\?\n"),
                    ('device_add e1000,netdev=nett1', r"(?s)Error: .*'nett1'.*Did you mean 'net1'\?\n")]),
    'device_del': ([('device_del r1', '')], [('device_del', EXPECTED),
                                             ('device_del nicc0', r"Error: Device 'nicc0' not found\n"
                                                                  r"Did you mean 'nic0'\?\n")]),
    'object_add': ([('object_add iothread,id=io1', ''), ('object_add help', r'(?s).*iothread.*')],
                   [('object_add', EXPECTED), ('object_add iothred,id=x', r"(?s)Error: .*Did you mean 'iothread'\?\n")]),
    'object_del': ([('object_del io1', '')], [('object_del', EXPECTED),
                                              ('object_del io00', r"(?s)Error: .*Did you mean 'io0'\?\n")]),
    'chardev-add': ([('chardev-add null,id=c1', '')],
                    [('chardev-add', EXPECTED), ('chardev-add nul,id=x', r"(?s)Error: .*Did you mean 'null'\?\n")]),
    'chardev-change': ([('chardev-change c1 ringbuf,size=512', '')],
                       [('chardev-change c1', EXPECTED),
                        ('chardev-change rb00 null', r"(?s)Error: .*Did you mean 'rb0'\?\n")]),
    'chardev-send-break': ([('chardev-send-break c1', '')],
                           [('chardev-send-break', EXPECTED), ('chardev-send-break nosuch', r'Error: .*\n')]),
    'chardev-remove': ([('chardev-remove c1', '')],
                       [('chardev-remove', EXPECTED), ('chardev-remove rb00', r"(?s)Error: .*Did you mean 'rb0'\?\n")]),
    'ringbuf_write': ([('ringbuf_write rb0 "a b"', '')],
                      [('ringbuf_write rb0', EXPECTED), ('ringbuf_write nosuch x', NO_DEVICE)]),
    'ringbuf_read': ([('ringbuf_read rb0 3', r'a b\n')],
                     [('ringbuf_read rb0', NO_EXPRESSION), ('ringbuf_read nosuch 3', NO_DEVICE)]),
    'netdev_add': ([('netdev_add user,id=n9', ''), ('netdev_add help', r'(?s)Available netdev backend types:\n.*')],
                   [('netdev_add', r"Error: Parameter 'id' is missing\n"),
                    ('netdev_add usr,id=x', r"(?s)Error: .*Did you mean 'user'\?\n"),
                    ('netdev_add user,id=x,hostnam=y', r"(?s)Error: .*Did you mean 'hostname'\?\n")]),
    'netdev_del': ([('netdev_del n9', '')], [('netdev_del', EXPECTED),
                                             ('netdev_del net11', r"Error: Device 'net11' not found\n"
                                                                  r"Did you mean 'net1'\?\n")]),
    'set_link': ([('set_link net1 off', ''), ('set_link nic0 on', '')],
                 [('set_link', EXPECTED), ('set_link net1', r"Expected 'on' or 'off'\n" + TRY),
                  ('set_link net1 maybe', r"Expected 'on' or 'off'\n" + TRY),
                  ('set_link nett on', r"Error: Device 'nett' not found\nDid you mean 'net1'\?\n")]),
    'hostfwd_add': ([('hostfwd_add net1 tcp:127.0.0.1:{port}-:22', '')],
                    [('hostfwd_add', EXPECTED), ('hostfwd_add net1 tcp:x', r"Invalid host forwarding rule 'tcp:x' .*\nExpected: .*\n"),
                     ('hostfwd_add nett tcp::1-:1', r".*\nDid you mean 'net1'\?\n")]),
    'hostfwd_remove': ([('hostfwd_remove net1 tcp:127.0.0.1:{port}',
                         r'host forwarding rule for tcp:127.0.0.1:{port} removed\n')],
                       [('hostfwd_remove', EXPECTED), ('hostfwd_remove net1 tcp:127.0.0.1:1', r'.*\n')]),
    'qom-list': ([('qom-list', r'/\n'), ('qom-list /objects', r'(?s)type \(string\)\n.*io0 \(child<iothread>\)\n.*')],
                 [('qom-list /nosuch', r"Error: Device '/nosuch' not found\n"),
                  ('qom-list /machine/periphral', r"Error: .*\nDid you mean 'peripheral'\?\n")]),
    'qom-get': ([('qom-get /machine/peripheral/nic0 mac', r'"52:54:00:12:34:56"\n'),
                 ('qom-get nic0 hotplugged', r'false\n')],
                [('qom-get', EXPECTED), ('qom-get nic0', EXPECTED),
                 ('qom-get nic0 macc', r"Error: Property 'e1000.macc' not found\nDid you mean 'mac'\?\n")]),
    'qom-set': ([('qom-set /objects/io0 poll-max-ns 1000', ''), ('qom-set -j io0 poll-max-ns 32768', '')],
                [('qom-set', EXPECTED), ('qom-set io0 poll-max-ns', EXPECTED),
                 ('qom-set -j io0 poll-max-ns {{', r'Error: JSON parse error: .*\n'),
                 ('qom-set io0 poll-max-nss 1', r"(?s)Error: .*Did you mean 'poll-max-ns'\?\n")]),
    'json': ([('json info status', r'(?s)\{{\n.*    "status": "(prelaunch|paused)"\n.*\}}\n'), ('json stop', r'\{{\n?\}}\n'),
              ('json ringbuf_write rb0 xyz', r'\{{\n?\}}\n'), ('json ringbuf_read rb0 3', r'"xyz"\n'),
              ('json query-named-block-nodes {{"flat": true}}', r'(?s)\[.*\]\n'),
              ('json query-named-block-nodes flat=true', r'(?s)\[.*\]\n')],
             [('json', EXPECTED), ('json info qtree', r'Error: no QMP command does what info qtree does\n'),
              ('json nosuch', r"unknown command: 'nosuch'\n"),
              ('json device_add e1000', r"(?s)Error: QMP's device_add has nothing for 'device' .*"),
              ('json query-named-block-nodes flt=true', r"Error: .*\nDid you mean 'flat'\?\n"),
              ('json human-monitor-command x', r'Error: .* makes no sense from inside a monitor\n'),
              ('json query-status {{', r'Error: arguments in JSON: .*\n')]),
    'watch': ([], [('watch', EXPECTED), ('watch info status', r'Error: .* this is not an interactive monitor\n')]),
    'set': ([('set', r'terminal: off\npager: off\ncolor: off\n'), ('set pager', r'pager: off\n')],
            [('set pagr', r"Error: there is no setting 'pagr'\nDid you mean 'pager'\?\n"),
             ('set pager maybe', r"Expected 'on' or 'off'\n" + TRY),
             ('set pager on', r'Error: only an interactive monitor can be set\n')]),
    'x': ([('x /2xb 0', r'0+: 0x.. 0x..\n'), ('x /1i $pc', r'0xfffffff0: .*\n')],
          [('x', NO_EXPRESSION), ('x /8q 0', r"invalid char in format: 'q'\n" + TRY)]),
    'xp': ([('xp /1xw 0', r'0+: 0x........\n')], [('xp', NO_EXPRESSION), ('xp /z 0', r"invalid char in format: 'z'\n" + TRY)]),
    'print': ([('p /x 0x10+1', r'0x11\n'), ('p /d $eax', r'-?\d+\n')],
              [('print', NO_EXPRESSION), ('p 1/0', r'division by zero\n' + TRY), ('p $nosuch', r'(?s)unknown register.*')]),
    'i': ([('i /b 0x80', r'portb\[0x0080\] = 0x..\n')], [('i', NO_EXPRESSION)]),
    'o': ([('o /b 0x80 1', '')], [('o /b 0x80', NO_EXPRESSION)]),
    'sum': ([('sum 0 16', r'\d{{5}}\n')], [('sum 0', NO_EXPRESSION), ('sum 0 0xffffffff', r'Error: at most 256 MiB.*\n')]),
    'gva2gpa': ([('gva2gpa 0x1234', r'gpa: 0x1234\n')], [('gva2gpa', NO_EXPRESSION)]),
    'gpa2hva': ([('gpa2hva 0', r'Host virtual address for 0x0 \(pc.ram\) is 0x[0-9a-f]+\n')],
                [('gpa2hva', NO_EXPRESSION), ('gpa2hva 0xfee00000', r'Memory at address 0xfee00000 is not RAM\n')]),
    'gpa2hpa': ([], [('gpa2hpa', NO_EXPRESSION), ('gpa2hpa 0xfee00000', r'Memory at address 0xfee00000 is not RAM\n')]),
    'memsave': ([('memsave 0 16 "{folder}/m"', '')], [('memsave 0 16', EXPECTED), ('memsave 0 16 "/nosuch/x"', r'Error: .*\n')]),
    'pmemsave': ([('pmemsave 0 16 "{folder}/p"', '')],
                 [('pmemsave 0 16', EXPECTED), ('pmemsave 0 16 "/nosuch/x"', r'Error: .*\n')]),
    'drive_add': ([('drive_add 0 if=none,id=d9,driver=null-co,size=1M', r'OK\n'),
                   ('drive_add 0 if=none,id=d8,driver=null-co,size=1M', r'OK\n'),
                   ('drive_add 0 if=none,id=d7', r'OK\n'), ('drive_add -n 0 driver=null-co,node-name=n9', '')],
                  [('drive_add -n 0 driver=null-co', r"'node-name' must be specified for the root node\n"),
                   ('drive_add', EXPECTED), ('drive_add 0 if=none,file=/nosuch', r'(?s).*/nosuch.*')]),
    'drive_del': ([('drive_del d9', '')],
                  [('drive_del', EXPECTED), ('drive_del nosuch', r"(?s)(Error: )?Device 'nosuch' not found\n.*")]),
    'eject': ([('eject cd0', '')], [('eject', EXPECTED), ('eject -x cd0', r'eject: unsupported option -x\n' + TRY),
                                    ('eject cd00', r"Error: Device 'cd00' not found\nDid you mean 'cd0'\?\n")]),
    'change': ([('change cd0 {folder}/iso raw', '')],
               [('change', EXPECTED), ('change cd0', EXPECTED), ('change vnc', EXPECTED),
                ('change vnc bogus', r"Expected 'password' after 'vnc'\n"),
                ('change vnc password x', r'Error: Could not set password\n.*password=on\.\n'),
                ('change cd0 {folder}/iso raww', r"(?s)Error: .*Did you mean 'raw'\?\n"),
                ('change cd0 {folder}/iso raw read-onyl', r"Error: .*\nDid you mean 'read-only'\?\n")]),
    'block_resize': ([('block_resize disk0 2M', '')],
                     [('block_resize', EXPECTED), ('block_resize disk0', r'invalid size\n' + TRY),
                      ('block_resize disk00 2M', r"(?s)Error: .*Did you mean 'disk0'\?\n")]),
    'block_set_io_throttle': (
        [('block_set_io_throttle disk0 1000000 0 0 0 0 0', ''), ('block_set_io_throttle disk0 0 0 0 0 0 0', '')],
        [('block_set_io_throttle', EXPECTED), ('block_set_io_throttle disk0 1 2', NO_EXPRESSION),
         ('block_set_io_throttle disk0 1 2 3 0 0 0', r'Error: bps/iops/max total values and .*\n'),
         ('block_set_io_throttle nosuch 1 0 0 0 0 0', NO_DEVICE)]),
    'snapshot_blkdev': ([('snapshot_blkdev disk0 {folder}/over.qcow2', '')],
                        [('snapshot_blkdev', EXPECTED),
                         ('snapshot_blkdev disk0', r"Error: Parameter 'snapshot-file' is missing\n"),
                         ('snapshot_blkdev -n disk0 {folder}/none.qcow2', r"Error: Could not open '.*none.qcow2': .*\n"),
                         ('snapshot_blkdev nosuch x', r"Error: Cannot find device='nosuch' nor node-name=''\n(Did.*\n)?")]),
    'commit': ([('commit disk0', ''), ('commit all', '')],
               [('commit', EXPECTED), ('commit nosuch', r"Device 'nosuch' not found\n"),
                ('commit d8', r"'commit' error for 'd8': Operation not supported\n"),
                ('commit d7', r"Device 'd7' has no medium\n")]),
    'symbol-file': ([], [('symbol-file', r'Error: no symbols: .*\n.*\n'), ('symbol-file /nosuch', r'Error: .*/nosuch.*\n')]),
    'gdbserver': ([('gdbserver none', r'Disabled gdbserver\n')], [('gdbserver bogus:', r"(?s).*'bogus:'.*"),
                                                                ('gdbserver none xtra', EXTRA)]),
    'break': ([('break 0x1000', r'Breakpoint 1 at 0x1000\n'), ('break -h 0x2000', r'Breakpoint 2 at 0x2000\n')],
              [('break', NO_EXPRESSION), ('break -x 0', r'break: unsupported option -x\n' + TRY),
               ('break nosuch', r"(?s).*expression.*")]),
    'watchpoint': ([('watchpoint 0x2000 4', r'Watchpoint 3 at 0x2000\n'), ('watchpoint -a 0x3000', r'Watchpoint 4 .*\n')],
                   [('watchpoint', NO_EXPRESSION), ('watchpoint -x 0', r'watchpoint: unsupported option -x\n' + TRY)]),
    'delete': ([('delete 1', ''), ('delete', '')], [('delete 9', r'Error: there is no point 9\n(Did.*\n)?'),
                                                    ('delete 9 xtra', EXTRA)]),
    'step': ([('step', r'CPU 0 at 0x.*: .*\n'), ('step 2', r'CPU 0 at 0x.*: .*\n')], [('step xtra', r"(?s).*expression.*")]),
    'next': ([('next', r'CPU 0 at 0x.*: .*\n')], [('next xtra', EXTRA)]),
    'finish': ([], [('finish', r'Error: nobody can tell where the function of CPU 0 returns to\n'),
                    ('finish xtra', EXTRA)]),
    'dump-guest-memory': ([('dump-guest-memory {folder}/core', '')],
                          [('dump-guest-memory', EXPECTED), ('dump-guest-memory /nosuch/x', r"Error: .*'/nosuch/x'.*\n"),
                           ('dump-guest-memory {folder}/x 0', r"Error: Parameter 'length' is missing\n")]),
    'getfd': ([], [('getfd', EXPECTED), ('getfd x', r'Error: No file descriptor supplied via SCM_RIGHTS\n')]),
    'closefd': ([], [('closefd', EXPECTED), ('closefd x', r"Error: File descriptor named 'x' not found\n")]),
    'quit': ([], [('quit xtra', EXTRA)]),
}

VIRTIO = '/machine/peripheral/vd0/virtio-backend'

# topic: (arguments that work with their patterns, arguments that do not)
TOPICS = {
    'status': ([('', r'VM status: paused( \(.*\))?\n')], []),
    'version': ([('', r'7\.2\.22 \(rhea .*\)\n')], []),
    'name': ([('', r'chalk\n')], []),
    'uuid': ([('', r'00000000-0000-0000-0000-000000000000\n')], []),
    'accel': ([('', r'(?s).*tcg.*')], []),
    'kvm': ([('', r'kvm support: disabled\n')], []),
    'jit': ([('', r'(?s)Translation buffer state:\n.*')], []),
    'memory_size_summary': ([('', r'base memory: 67108864\nplugged memory: 0\n')], []),
    'vnc': ([('', r'(?s)locked:\n  Server: :{folder}/locked \(unix\)\n    Auth: vnc \(Sub: none\)\ndefault:\n.*')], []),
    'chardev': ([('', r'(?s).*rb0: filename=ringbuf\n.*')], []),
    'history': ([('', r'')], []),
    'numa': ([('', r'0 nodes\n')], []),
    'cpus': ([('', r'\* CPU #0: thread_id=\d+\n  CPU #1: thread_id=\d+\n')], []),
    'registers': ([('', r'(?s)\nCPU#0\nEAX=.*'), (' -a', r'(?s)\nCPU#0\n.*\nCPU#1\n.*'), (' 1', r'(?s)\nCPU#1\nEAX=.*')],
                  [(' 2', r'CPU#2 not available\n'), (' -x', r'registers: unsupported option -x\n' + TRY)]),
    'lapic': ([('', r'(?s)dumping local APIC state for CPU 0 \n.*'), (' 1', r'(?s)dumping local APIC state for CPU 1 \n.*')],
              [(' 9', r'No CPU available\n')]),
    'mem': ([('', r'PG disabled\n')], []),
    'tlb': ([('', r'PG disabled\n')], []),
    'qtree': ([('', r'(?s)bus: main-system-bus\n  type System\n.*dev: e1000, id "nic0"\n.*')], []),
    'qdm': ([('', r'(?s)Controller/Bridge/Hub devices:\nname .*')], []),
    'hotpluggable-cpus': ([('', r'(?s)Hotpluggable CPUs:\n  type: ".*-x86_64-cpu"\n  vcpus_count: "1"\n'
                                r'  qom_path: "/machine.*"\n  CPUInstance Properties:\n    socket-id: "0"\n    core-id: "1"\n.*')], []),
    'iothreads': ([('', r'io0:\n  thread_id=\d+\n  poll-max-ns=32768\n  poll-grow=0\n  poll-shrink=0\n'
                        r'  aio-max-batch=0\n')], []),
    'memdev': ([('', r'(?s)memory backend: pc.ram\n  size:  67108864\n  merge: true\n.*')], []),
    'qom-tree': ([('', r'(?s)/machine \(.*'), (' /objects', r'(?s)/objects \(container\)\n  /io0 \(iothread\)\n.*')],
                 [(' /nosuch', r"(Error: )?Path '/nosuch' could not be resolved.\n")]),
    'pci': ([('', r'(?s)  Bus  0, device   0, function 0:\n    Host bridge: PCI device 8086:1237\n.*id "nic0"\n.*')], []),
    'mtree': ([('', r'(?s)address-space: memory\n.*'), (' -f', r'(?s)FlatView #0\n AS .*')],
              [(' -x', r'mtree: unsupported option -x\n' + TRY)]),
    'roms': ([('', r'(?s)addr=.* size=0x.* mem=rom name="bios-256k.bin"\n.*')], []),
    'pic': ([('', r'(?s)ioapic0: ver=0x20 .*pic1: .*pic0: .*')], []),
    'irq': ([('', r'IRQ statistics for ioapic:\n(.*\n)*IRQ statistics for isa-i8259:\n(.*\n)*')], []),
    'usb': ([('', r'  Device 0.0, Port 1, Speed 12 Mb/s, Product QEMU USB Tablet, ID: tablet\n')], []),
    'mice': ([('', r'(?s).*\* Mouse #2: QEMU PS/2 Mouse\n')], []),
    'balloon': ([('', r'balloon: actual=\d+\n')], []),
    'ramblock': ([('', r'(?s) +Block Name .*\n +pc\.ram    4 KiB  0x0000000000000000 0x0000000004000000 .*')], []),
    'virtio': ([('', r'(?s).*' + VIRTIO + r' \[virtio-blk\]\n.*')], []),
    'virtio-status': ([(' ' + VIRTIO, r'(?s)' + VIRTIO + r':\n  device_name:             virtio-blk \n.*')],
                      [(' /machine', r'(Error: )?Path /machine is not a VirtIODevice\n')]),
    'virtio-queue-status': ([(' %s 0' % VIRTIO, r'(?s)%s:\n.*  VRing:\n    num:          \d+\n.*' % VIRTIO)],
                            [(' %s 99' % VIRTIO, r'(Error: )?Invalid virtqueue number 99\n'),
                             (' %s 65536' % VIRTIO, r"(Error: )?Parameter 'queue' expects a number up to 65535\n")]),
    'virtio-queue-element': ([], [(' %s 0' % VIRTIO, r'(Error: )?the driver has not set the queue up\n'),
                                  (' %s 99' % VIRTIO, r'(Error: )?Invalid virtqueue number 99\n')]),
    'network': ([('', r'nic0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n'
                      r' \\ net1: index=0,type=user,net=10.0.2.0,restrict=off\n')], []),
    'usernet': ([('', r'(?s)Hub -1 \(net1\):\n  Protocol\[State\] .*')], []),
    'block': ([('', r'(?s).*disk0 \(#block\d+\): .*'), (' -v disk0', r'(?s)(\n)?disk0 .*\nImages:\nimage: .*'),
               (' -n', r'(?s)#block\d+: .*')], [(' -x', r'block: unsupported option -x\n' + TRY)]),
    'backtrace': ([('', r'(?s)#0 .*')], [(' 9', r'Error: .*CPU.*\n')]),
    'symbol': ([], [('', r'(?s).*expected.*'), (' nosuch', r'(?s).*expression.*')]),
    'breakpoints': ([('', r'(?s)(Num +Kind .*|.*)')], []),
    'dump': ([('', r'Status: (none|completed)\n')], []),
    'symbols': ([('', r'(?s).+')], []),
    'block-jobs': ([('', r'No active jobs\n')], []),
    'snapshots': ([('', r'(There is no snapshot available\.|no block device can store vmstate for snapshot)\n')], []),
    'blockstats': ([('', r'(?s).*disk0: rd_bytes=\d+ wr_bytes=.*')], []),
}


@pytest.fixture(scope='module')
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp('commands')
    (folder / 'iso').write_bytes(bytes(1 << 16))
    (folder / 'disk').write_bytes(bytes(1 << 20))
    with Machine('-S', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-name', 'chalk', '-m', '64', '-smp', '2',
                 '-chardev', 'ringbuf,id=rb0', '-object', 'iothread,id=io0', '-netdev', 'user,id=net1',
                 '-device', 'e1000,netdev=net1,id=nic0', '-device', 'virtio-balloon-pci,id=balloon0',
                 '-usb', '-device', 'usb-tablet,id=tablet',
                 '-drive', 'if=none,id=disk0,format=raw,file=%s' % (folder / 'disk'),
                 '-device', 'virtio-blk-pci,drive=disk0,id=vd0',
                 '-drive', 'if=ide,media=cdrom,id=cd0', '-device', 'VGA,id=video0',
                 '-vnc', 'unix:%s' % (folder / 'vnc'), '-vnc', 'unix:%s,id=locked,password=on' % (folder / 'locked'),
                 hmp=True) as running:
        running.test_folder = folder
        running.qmp.hmp('cont')
        running.qmp.hmp('stop')
        yield running


def fill(text):
    """Rows are formats: a folder to write in, a free port."""
    return text.replace('{{', '{').replace('}}', '}')


def check(machine, line, pattern):
    values = {'{folder}': str(machine.test_folder), '{port}': '15522'}
    for name, value in values.items():
        line, pattern = line.replace(name, value), pattern.replace(name, value)
    line, pattern = fill(line), fill(pattern)
    reply = machine.qmp.hmp(line)
    assert re.fullmatch(pattern, reply), '%s\n%s\n%r' % (line, reply, pattern)


@pytest.mark.parametrize('name', list(COMMANDS))
def test_command(machine, name):
    good, bad = COMMANDS[name]
    assert bad
    for line, pattern in good + bad:
        check(machine, line, pattern)


@pytest.mark.parametrize('name', list(TOPICS))
def test_topic(machine, name):
    good, bad = TOPICS[name]
    assert good or bad
    for args, pattern in good + bad:
        check(machine, 'info %s%s' % (name, args), pattern)
    assert 'xtra' in machine.qmp.hmp('info %s 0 0 0 xtra' % name)


def test_every_command_has_a_row(machine):
    names = {line.split()[0].split('|')[0] for line in machine.qmp.hmp('help').splitlines()}
    topics = {line.split()[1].split('|')[0] for line in machine.qmp.hmp('help info').splitlines()}
    assert names == set(COMMANDS)
    assert topics == set(TOPICS)


def test_every_command_explains_itself(machine):
    """Its arguments, an example that is a line of its own, and the QMP command, which exists."""
    known = {command['name'] for command in machine.qmp.command('query-commands')}
    for name in [*COMMANDS, *('info ' + topic for topic in TOPICS)]:
        if name in ('info', 'log'):
            continue                                    # these list topics and items instead
        text = machine.qmp.hmp('help ' + name)
        example = re.search(r'^Example: (.*)$', text, re.MULTILINE)
        twin = re.search(r'^QMP: (.*)$', text, re.MULTILINE)
        assert example and example[1].startswith(name), text
        assert not twin or twin[1] in known, text


def test_quit():
    with Machine('-S', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-machine', 'none', hmp=True) as machine:
        machine.hmp.send('quit\n')
        assert machine.wait() == 0


def test_from_the_command_line():
    """A monitor reads what is piped into it, line by line."""
    result = subprocess.run([binary(), '-machine', 'none', '-S', '-display', 'none', '-monitor', 'stdio'],
                            input='info status\nset\nquit\n', capture_output=True, text=True, timeout=60, check=False)
    assert 'VM status: paused (prelaunch)' in result.stdout
    assert 'terminal: off' in result.stdout


def listed(program):
    """Every command and "info topic" that help names."""
    with Machine('-S', '-nodefaults', '-display', 'none', '-machine', 'none', program=program) as machine:
        lines = machine.qmp.hmp('help') + machine.qmp.hmp('help info')
    return {match[1] for match in re.finditer(r'^((?:info )?[a-zA-Z_][\w-]*)[^\n]* -- ', lines, re.MULTILINE)}


@pytest.mark.skipif(shutil.which('qemu-system-x86_64') is None, reason='needs qemu-system-x86_64')
def test_differences_are_documented():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs', 'monitor-differences.md')
    with open(path, encoding='utf-8') as text:
        left_out, new = text.read().split('## Left out')[1].split('## New')
    names = [{name for row in re.findall(r'^\| (`.*?) \|', part, re.MULTILINE) for name in re.findall('`(.*?)`', row)}
             for part in (left_out, new)]
    ours, theirs = listed(binary()), listed('qemu-system-x86_64')
    assert names[0] == theirs - ours
    assert names[1] == ours - theirs - {'drive_add'}        # QEMU lists it in several lines
