"""The command line: what is accepted, and how mistakes are answered."""
import os
import signal

import pytest

from rhea import Machine, run

# Arguments, what standard error must contain.
MISTAKES = [
    (['-bogus'], '-bogus: invalid option'),
    (['-kernal', 'x'], "Did you mean '-kernel'?"),
    (['-m'], '-m: requires an argument'),
    (['-m', 'lots'], "-m lots: Parameter 'size'"),
    (['-m', 'siz=1'], "Invalid parameter 'siz'"),
    (['-smp', '0'], 'must be greater than zero'),
    (['-smp', '3,cores=2,threads=2'], 'Invalid CPU topology'),
    (['-smp', '4,maxcpus=2'], 'Invalid CPU topology'),
    (['-machine', 'pcc'], "Did you mean 'pc'?"),
    (['-machine', 'pc,acpii=on'], "Property 'pc-machine.acpii' not found"),
    (['-machine', 'pc,acpi=perhaps'], "Parameter 'acpi'"),
    (['-accel', 'kvn'], "Did you mean 'kvm'?"),
    (['-accel', 'tcg,thread=single'], "'multi'"),
    (['-cpu', 'qemu46'], "Did you mean 'qemu64'?"),
    (['-cpu', 'qemu64,+bogusflag'], 'bogusflag'),
    (['-device', 'isa-seriel'], "Did you mean 'isa-serial'?"),
    (['-device', 'isa-serial,indx=1'], "Property 'isa-serial.indx' not found"),
    (['-device', 'isa-serial,index=many'], 'index'),
    (['-device', 'isa-serial,id=1x'], "Parameter 'id' expects an identifier"),
    (['-device', 'isa-serial,bus=nowhere'], "Bus 'nowhere' not found"),
    (['-serial', 'bogus:x'], '-serial bogus:x'),
    (['-chardev', 'nul,id=a'], "Did you mean 'null'?"),
    (['-chardev', 'null'], 'id'),
    (['-mon', 'chardev=nobody'], 'nobody'),
    (['-mon', 'nobody,mode=controll'], "Did you mean 'control'?"),
    (['-uuid', '12'], 'failed to parse UUID'),
    (['-smbios', 'type=1,manufactur=x'], "Did you mean 'manufacturer'?"),
    (['-smbios', 'type=9,x=y'], 'SMBIOS type 9'),
    (['-smbios', 'type=0,release=1'], 'MAJOR.MINOR'),
    (['-smbios', 'file=/dev/null'], 'not one SMBIOS structure'),
    (['-machine', 'pc-1.4'], 'unsupported machine type'),
    (['-overcommit', 'mem-lok=on'], "Did you mean 'mem-lock'?"),
    (['-realtime', 'mloc=on'], "Did you mean 'mlock'?"),
    (['-balloon', 'vmware'], "'virtio' or 'none'"),
    (['-spice', 'port=1'], 'no such display'),
    (['-display', 'nne'], "Did you mean 'none'?"),
    (['-rtc', 'base=whenever'], 'whenever'),
    (['-rtc', 'clock=sundial'], 'sundial'),
    (['-d', 'in_asn'], "Did you mean 'in_asm'?"),
    (['-D', '/nonexistent/log', '-d', 'int'], '/nonexistent/log'),
    (['-kernel', '/nonexistent'], '/nonexistent'),
    (['-bios', '/nonexistent'], '/nonexistent'),
    (['-display', 'gtk'], 'gtk'),
    (['-curses'], 'write -display curses'),
    (['disk.img'], 'disk.img'),
    (['-pidfile', '/nonexistent/pid'], '/nonexistent/pid'),
    (['-global', 'bogus'], 'DRIVER.PROPERTY=VALUE'),
    (['-global', 'isa-serial.indx=1', '-serial', 'null'], 'isa-serial.indx'),
]


@pytest.mark.parametrize('arguments,text', MISTAKES, ids=lambda value: ' '.join(value)[:40])
def test_a_mistake_is_refused(arguments, text):
    result = run('-accel', 'tcg', *arguments) if '-accel' not in arguments else run(*arguments)
    assert result.returncode == 1
    assert text in result.stderr
    assert result.stderr.startswith('rhea: ')


@pytest.mark.parametrize('arguments,text', [
    (['-help'], '-kernel FILE'),
    (['-version'], 'rhea'),
    (['-machine', 'help'], 'pc-i440fx-7.2'),
    (['-cpu', 'help'], 'qemu64'),
    (['-accel', 'help'], 'tcg'),
    (['-device', 'help'], 'name "isa-serial"'),
    (['-device', 'isa-serial,help'], 'iobase'),
    (['-chardev', 'help'], 'socket'),
    (['-d', 'help'], 'in_asm'),
    (['-display', 'help'], 'none'),
], ids=lambda value: ' '.join(value)[:40])
def test_help_is_printed(arguments, text):
    result = run(*arguments)
    assert result.returncode == 0
    assert text in result.stdout
    assert result.stderr == ''


@pytest.mark.parametrize('arguments,text', [
    (['-no-hpet'], '-machine hpet=off'),
    (['-no-acpi'], '-machine acpi=off'),
    (['-realtime', 'mlock=off'], '-overcommit mem-lock=off'),
    (['-machine', 'pc-i440fx-trusty'], "'pc-i440fx-7.2' takes its place"),
    (['-machine', 'pc-0.12'], "'pc-i440fx-7.2' takes its place"),
    (['-cpu', 'SandyBridge,+osxsave,check=off'], "CPU flag 'osxsave'"),
    (['-balloon', 'none'], 'no balloon'),
    (['-balloon', 'virtio'], '-device virtio-balloon'),
    (['-usb'], '-machine usb=on'),
    (['-usbdevice', 'tablet'], '-device usb-tablet'),
    (['-net', 'none'], '-nic'),
], ids=lambda value: ' '.join(value)[:40])
def test_an_old_spelling_is_carried_out_with_one_line(arguments, text):
    with Machine('-accel', 'tcg', '-S', '-nodefaults', *arguments) as machine:
        assert machine.qmp.command('query-status')['status'] == 'prelaunch'
        warnings = machine.errors().splitlines()
        assert len(warnings) == 1 and text in warnings[0], warnings


def test_names_and_uuid_reach_the_monitors():
    with Machine('-accel', 'tcg', '-nodefaults', '-S', '-name', 'web,process=webvm',
                 '-uuid', '1f8e6f7e-5a70-4780-89c1-464dc0e7f308') as machine:
        assert machine.qmp.command('query-name') == {'name': 'web'}
        assert machine.qmp.command('query-uuid') == {'UUID': '1f8e6f7e-5a70-4780-89c1-464dc0e7f308'}
        assert machine.qmp.hmp('info uuid') == '1f8e6f7e-5a70-4780-89c1-464dc0e7f308\n'


@pytest.mark.signals
def test_pidfile_and_signals():
    with Machine('-accel', 'tcg', '-nodefaults', '-S') as machine:
        machine.process.send_signal(signal.SIGTERM)
        event = machine.qmp.event('SHUTDOWN')
        assert event['data'] == {'guest': False, 'reason': 'host-signal'}
        assert machine.wait() == 0


def test_daemonize_returns_when_the_machine_stands(tmp_path):
    pidfile, socket = tmp_path / 'pid', tmp_path / 'qmp'
    result = run('-accel', 'tcg', '-nodefaults', '-S', '-display', 'none', '-daemonize', '-pidfile', str(pidfile),
                 '-qmp', 'unix:%s,server=on,wait=off' % socket)
    assert result.returncode == 0, result.stderr
    pid = int(pidfile.read_text())
    from rhea import Closed, Qmp
    qmp = Qmp(str(socket))
    assert qmp.command('query-status')['status'] == 'prelaunch'
    qmp.command('quit')
    with pytest.raises(Closed):
        while True:
            qmp.read()
    assert pid != os.getpid()


def test_daemonize_reports_a_failed_start():
    result = run('-accel', 'tcg', '-daemonize', '-display', 'none', '-kernel', '/nonexistent')
    assert result.returncode == 1
    assert '/nonexistent' in result.stderr
