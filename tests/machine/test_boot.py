"""Debian's kernel in the guest: boot, shell, power, several CPUs."""
import os
import re
import time

import pytest

from rhea import Machine

pytestmark = pytest.mark.slow
PROMPT = r'~? # '


def boot(demo, *args, append='', memory='512', **options):
    return Machine('-accel', 'tcg', '-m', memory, '-nodefaults', '-kernel', os.path.join(demo, 'vmlinuz'),
                   '-initrd', os.path.join(demo, 'initrd'), '-append', 'console=ttyS0 ' + append, *args,
                   serial='wait', **options)


def shell(machine, command, timeout=60):
    """What a command printed in the guest's shell."""
    machine.serial.send(command + '; echo done-$?\n')
    text = machine.serial.expect(r'\r\ndone-\d+', timeout)
    return text.replace('\r\n', '\n')


def test_boot_to_a_shell_and_power_off(demo):
    with boot(demo) as machine:
        machine.serial.expect(PROMPT, 120)
        assert 'Linux' in shell(machine, 'uname -a')
        assert 'DSDT' in shell(machine, 'ls /sys/firmware/acpi/tables')
        machine.serial.send('poweroff\n')
        event = machine.qmp.event('SHUTDOWN')
        assert event['data'] == {'guest': True, 'reason': 'guest-shutdown'}
        assert machine.wait() == 0


def test_reboot_resets_the_machine(demo):
    with boot(demo, append='quiet') as machine:
        machine.serial.expect(PROMPT, 120)
        machine.serial.send('reboot\n')
        event = machine.qmp.event('RESET')
        assert event['data'] == {'guest': True, 'reason': 'guest-reset'}
        machine.serial.expect(PROMPT, 120)


def test_no_reboot_leaves(demo):
    with boot(demo, '-no-reboot', append='quiet run=reboot~-f') as machine:
        assert machine.wait(120) == 0


def test_power_button_shuts_the_guest_down(demo):
    with boot(demo, append='quiet') as machine:
        machine.serial.expect(PROMPT, 120)
        machine.qmp.command('system_powerdown')
        machine.qmp.event('POWERDOWN')
        machine.qmp.event('SHUTDOWN')
        assert machine.wait() == 0


@pytest.mark.parametrize('cpus', [2, 4])
def test_all_cpus_come_up(demo, cpus):
    with boot(demo, '-smp', str(cpus), append='quiet') as machine:
        machine.serial.expect(PROMPT, 180)
        assert '\n%d\n' % cpus in shell(machine, 'nproc')
        assert len(machine.qmp.command('query-cpus-fast')) == cpus


@pytest.mark.parametrize('memory,at_least_kib', [('128', 80000), ('6G', 5900000)])
def test_memory_is_found(demo, memory, at_least_kib):
    with boot(demo, append='quiet', memory=memory) as machine:
        machine.serial.expect(PROMPT, 180)
        text = shell(machine, 'grep MemTotal /proc/meminfo')
        assert int(text.split('MemTotal:')[1].split()[0]) > at_least_kib


def test_the_guest_keeps_time(demo):
    with boot(demo, append='quiet') as machine:
        machine.serial.expect(PROMPT, 120)
        begin = time.monotonic()
        shell(machine, 'sleep 2')
        took = time.monotonic() - begin
        assert 1.9 < took < 6
        guest = int(re.search(r'\n(\d{9,})\n', shell(machine, 'date +%s')).group(1))
        assert abs(guest - time.time()) < 10


def test_stop_and_cont(demo):
    with boot(demo, append='quiet') as machine:
        machine.serial.expect(PROMPT, 120)
        machine.qmp.command('stop')
        machine.qmp.event('STOP')
        assert machine.qmp.command('query-status')['status'] == 'paused'
        machine.serial.send('echo a''live\n')
        assert 'paused' in machine.qmp.hmp('info status')
        machine.qmp.command('cont')
        machine.qmp.event('RESUME')
        machine.serial.expect('alive\r\n')


def uptime(machine):
    return float(re.search(r'\n(\d+\.\d+) ', shell(machine, 'cat /proc/uptime')).group(1))


def test_time_stands_while_the_machine_does(demo):
    """Also for the counter of the CPU, which Linux takes its time from."""
    with boot(demo, append='quiet') as machine:
        machine.serial.expect(PROMPT, 120)
        begin, before = time.monotonic(), uptime(machine)
        machine.qmp.command('stop')
        stopped = time.monotonic()
        time.sleep(3)                                       # the passing of time is what is tested
        stood = time.monotonic() - stopped
        machine.qmp.command('cont')
        passed = uptime(machine) - before
        assert passed < time.monotonic() - begin - stood + 0.5


def test_smbios_strings_reach_the_guest(demo):
    with boot(demo, '-smbios', 'type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,serial=80590690',
              '-smbios', 'type=3,asset=shelf,, left', append='quiet') as machine:
        machine.serial.expect(PROMPT, 120)
        shell(machine, 'mkdir -p /sys; mount -t sysfs none /sys')
        text = shell(machine, 'cd /sys/class/dmi/id; cat sys_vendor product_name product_serial chassis_asset_tag')
        assert 'OpenStack Foundation\nOpenStack Nova\n80590690\nshelf, left\n' in text


@pytest.mark.parametrize('memory', [
    ['-object', 'memory-backend-ram,size=100M,id=m0', '-object', 'memory-backend-memfd,size=156M,id=m1',
     '-numa', 'node,memdev=m0,cpus=0', '-numa', 'node,memdev=m1,cpus=1'],
    ['-numa', 'node,mem=100M,cpus=0', '-numa', 'node,mem=156M,cpus=1'],
], ids=['memdev', 'mem'])
def test_numa_nodes_reach_the_guest(demo, memory):
    with boot(demo, '-smp', '2', *memory, '-numa', 'dist,src=0,dst=1,val=30', append='quiet',
              memory='256') as machine:
        machine.serial.expect(PROMPT, 120)
        assert machine.qmp.hmp('info numa') == (
            '2 nodes\nnode 0 cpus: 0\nnode 0 size: 100 MB\nnode 0 plugged: 0 MB\n'
            'node 1 cpus: 1\nnode 1 size: 156 MB\nnode 1 plugged: 0 MB\n')
        nodes = [cpu['props']['node-id'] for cpu in machine.qmp.command('query-cpus-fast')]
        assert nodes == [0, 1]
        text = shell(machine, 'cd /sys/devices/system/node; cat node0/cpulist node1/cpulist node0/distance')
        assert '\n0\n1\n10 30\n' in text
        text = shell(machine, 'grep MemTotal node0/meminfo node1/meminfo')
        sizes = [int(size) for size in re.findall(r'MemTotal: +(\d+) kB', text)]
        assert len(sizes) == 2 and sizes[0] < 102400 and 102400 < sizes[0] + sizes[1] < 262144
