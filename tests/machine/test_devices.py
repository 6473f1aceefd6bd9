"""-device, -object, -boot and -readconfig, from the outside."""
import json

import pytest

from rhea import Machine, run

TCG = ('-accel', 'tcg', '-nodefaults')


# ---- what is refused, word for word ----

HMP_ERRORS = [
    ('device_add', "Error: Parameter 'driver' is missing"),
    ('device_add nosuch', "Error: 'nosuch' is not a valid device model name"),
    ('device_add e1000,bus=nosuch', "Error: Bus 'nosuch' not found"),
    ('device_add e1000,addr=zz', "Error: Property 'e1000.addr' doesn't take value 'zz'"),
    ('device_add e1000,foo=bar', "Error: Property 'e1000.foo' not found"),
    ('device_add e1000,id=1bad', "Error: Parameter 'id' expects an identifier"),
    ('device_add e1000,id=n0', "Error: Duplicate device ID 'n0'"),
    ('device_add e1000,addr=4', "Error: PCI: slot 4 function 0 not available for e1000, "
                                'in use by e1000,id=n0'),
    ('device_add e1000,addr=7.1', "Error: PCI: single function device can't be populated in "
                                  'function 7.1'),
    ('device_add isa-serial', "Error: Bus 'isa.0' does not support hotplugging"),
    ('device_add ide-hd', "Error: Bus 'ide.1' does not support hotplugging"),
    ('device_add e1000,acpi-index=9', 'Error: a PCI device with acpi-index = 9 already exist'),
    ('device_add e1000,bootindex=3', 'Error: The bootindex 3 has already been used'),
    ('device_del nosuch', "Error: Device 'nosuch' not found"),
    ('device_del /machine/unattached', 'Error: /machine/unattached is not a hotpluggable device'),
    ('object_add nosuch,id=x', "Error: Parameter 'qom-type' does not accept value 'nosuch'"),
    ('object_del nosuch', "Error: object 'nosuch' not found"),
    ('object_del pc.ram', "Error: object 'pc.ram' is in use, can not be deleted"),
]


@pytest.fixture(scope='module')
def stopped():
    with Machine(*TCG, '-S', '-device', 'e1000,id=n0,addr=4,acpi-index=9,bootindex=3',
                 '-device', 'e1000,id=n7,addr=7') as machine:
        yield machine


@pytest.mark.parametrize('line,error', HMP_ERRORS)
def test_hmp_error(stopped, line, error):
    assert stopped.qmp.hmp(line).split('\n')[0] == error


COMMAND_LINE_ERRORS = [
    (['-device', 'e1000,id=a', '-device', 'e1000,id=a'], "Duplicate device ID 'a'"),
    (['-device', '{"driver":"e1000","addr":"zz"}'], "Property 'e1000.addr' doesn't take value 'zz'"),
    (['-device', '{"driver":"e1000"'], 'JSON parse error'),
    (['-device', 'PIIX3'], "'PIIX3' is not a valid device model name"),
    (['-object', 'iothread,id=a', '-object', 'iothread,id=a'], "Duplicate ID 'a' for object"),
    (['-object', 'rng-random,id=a,filename=/nowhere'], "Could not open '/nowhere'"),
    (['-object', 'memory-backend-ram,id=pc.ram,size=1M'], "'pc.ram' is reserved"),
    (['-machine', 'memory-backend=x'], "Memory backend 'x' not found"),
    (['-object', 'memory-backend-ram,id=m,size=64M', '-machine', 'memory-backend=m', '-m', '65'],
     'Machine memory size does not match the size of the memory backend'),
    (['-boot', 'z'], "Invalid boot device 'z'"),
    (['-boot', 'cc'], "Boot device 'c' was given twice"),
    (['-boot', 'order=cdna'], 'Too many boot devices for PC'),
    (['-boot', 'once=e'], "Invalid boot device for PC: 'e'"),
    (['-boot', 'reboot-timeout=70000'],
     'reboot timeout is invalid, it should be a value between -1 and 65535'),
    (['-boot', 'bogus=1'], "Invalid parameter 'bogus'"),
    (['-global', 'bogus'], 'expected DRIVER.PROPERTY=VALUE'),
    (['-global', 'e1000.bogus=1', '-device', 'e1000'], "Property 'e1000.bogus' not found"),
    (['-readconfig', '/nowhere'], "Could not open '/nowhere': No such file or directory"),
]


@pytest.mark.parametrize('args,error', COMMAND_LINE_ERRORS)
def test_command_line_error(args, error):
    result = run(*TCG, '-S', *args)
    assert result.returncode == 1
    assert error in result.stderr


def test_unused_globals_are_named():
    with Machine(*TCG, '-S', '-global', 'bogus.x=1', '-global', 'kvm-pit.lost_tick_policy=discard',
                 '-global', 'e1000.addr=9', '-global', 'PIIX4_PM.disable_s3=1',
                 '-global', 'driver=i440FX-pcihost,property=short_root_bus,value=1') as machine:
        assert machine.errors() == 'rhea: warning: global bogus.x has invalid class name\n'
        assert 'short_root_bus = 1 (0x1)' in machine.qmp.hmp('info qtree')
        assert 'disable_s3 = 1 (0x1)' in machine.qmp.hmp('info qtree')


# ---- objects ----

def test_objects_come_and_go():
    with Machine(*TCG, '-S', '-m', '64', '-object', '{"qom-type":"iothread","id":"io0"}') as machine:
        qmp = machine.qmp
        qmp.command('object-add', **{'qom_type': 'iothread', 'id': 'io1', 'poll_max_ns': 0})
        qmp.command('object-add', **{'qom_type': 'memory-backend-ram', 'id': 'm1', 'size': 1 << 20})
        threads = qmp.command('query-iothreads')
        assert [(t['id'], t['poll-max-ns']) for t in threads] == [('io0', 32768), ('io1', 0)]
        assert len({t['thread-id'] for t in threads}) == 2
        assert qmp.command('query-memdev') == [
            {'id': name, 'size': size, 'merge': True, 'dump': True, 'prealloc': False, 'share': False,
             'reserve': True, 'host-nodes': [], 'policy': 'default'}
            for name, size in (('pc.ram', 64 << 20), ('m1', 1 << 20))]
        assert {'name': 'io1', 'type': 'child<iothread>'} in qmp.command('qom-list', path='/objects')
        assert qmp.command('qom-get', path='/objects/m1', property='size') == 1 << 20
        assert qmp.execute('object-add', **{'qom_type': 'iothread', 'id': 'io1'})['error']['desc'] == \
            "attempt to add duplicate property 'io1' to object (type 'container')"
        for name in ('io0', 'io1', 'm1'):
            qmp.command('object-del', id=name)
        assert qmp.command('query-iothreads') == []


def test_what_a_device_uses_cannot_be_deleted():
    with Machine(*TCG, '-S', '-object', 'rng-builtin,id=r0',
                 '-device', 'virtio-rng-pci,rng=r0,id=d0') as machine:
        reply = machine.qmp.execute('object-del', id='r0')
        assert reply['error']['desc'] == "object 'r0' is in use, can not be deleted"
        machine.qmp.command('device_del', id='d0')
        machine.qmp.command('system_reset')
        while machine.qmp.event('DEVICE_DELETED')['data'].get('device') != 'd0':
            pass
        machine.qmp.command('object-del', id='r0')


def test_memory_of_the_machine_can_be_a_backend(tmp_path):
    file = tmp_path / 'ram'
    with Machine(*TCG, '-S', '-object', 'memory-backend-file,id=m,size=8M,share=on,mem-path=%s' % file,
                 '-machine', 'memory-backend=m') as machine:
        assert machine.qmp.command('query-memory-size-summary')['base-memory'] == 8 << 20
        assert file.stat().st_size == 8 << 20
    with Machine(*TCG, '-S', '-m', '8', '-mem-path', str(tmp_path / 'new'), '-mem-prealloc') as machine:
        memory, = machine.qmp.command('query-memdev')
        assert (memory['id'], memory['prealloc']) == ('pc.ram', True)
        assert (tmp_path / 'new').stat().st_size == 8 << 20


# ---- help ----

def test_help_of_objects():
    assert 'List of user creatable objects:\n' in run('-object', 'help').stdout
    assert run('-object', 'iothread,help').stdout.startswith('iothread options:\n')
    assert run('-object', 'rng-builtin,help').stdout == 'There are no options for rng-builtin.\n'


# ---- booting ----

def fw_cfg_file(machine, name):
    """A file's bytes, read through the ports as firmware does."""
    def item(key, count, skip=0):
        machine.qmp.hmp('o /h 0x510 0x%x' % key)
        return bytes(int(machine.qmp.hmp('i /b 0x511').split('=')[1], 16) for _ in range(skip + count))
    count = int.from_bytes(item(0x19, 4), 'big')
    directory = item(0x19, 4 + 64 * count)[4:]
    for at in range(0, 64 * count, 64):
        entry = directory[at:at + 64]
        if entry[8:].rstrip(b'\0').decode() == name:
            return item(int.from_bytes(entry[4:6], 'big'), int.from_bytes(entry[0:4], 'big'))
    return None


def test_boot_order_has_paths_by_bootindex():
    with Machine(*TCG, '-S', '-boot', 'strict=on,menu=on,splash-time=5,reboot-timeout=9',
                 '-device', 'e1000,id=b,addr=5,bootindex=2', '-device', 'e1000,id=a,addr=3.1,bootindex=1'
                 ) as machine:
        assert fw_cfg_file(machine, 'bootorder') == (b'/pci@i0cf8/ethernet@3,1/ethernet-phy@0\n'
                                                     b'/pci@i0cf8/ethernet@5/ethernet-phy@0\nHALT\0')
        assert fw_cfg_file(machine, 'etc/boot-menu-wait') == b'\5\0'
        assert fw_cfg_file(machine, 'etc/boot-fail-wait') == b'\x09\0\0\0'
        machine.qmp.command('qom-set', path='b', property='bootindex', value=-1)
        machine.qmp.command('system_reset')
        machine.qmp.event('RESET')
        assert fw_cfg_file(machine, 'bootorder') == b'/pci@i0cf8/ethernet@3,1/ethernet-phy@0\nHALT\0'


def cmos(machine, at):
    machine.qmp.hmp('o /b 0x70 0x%x' % at)
    return int(machine.qmp.hmp('i /b 0x71').split('=')[1], 16)


def test_boot_once_ends_with_the_first_reset():
    with Machine(*TCG, '-S', '-boot', 'order=cd,once=n') as machine:
        assert cmos(machine, 0x3d) == 0x04
        machine.qmp.command('system_reset')
        machine.qmp.event('RESET')
        assert cmos(machine, 0x3d) == 0x32


# ---- -readconfig ----

def test_options_in_a_file(tmp_path):
    config = tmp_path / 'machine.cfg'
    config.write_text('''
# a machine
[machine]
  accel = "tcg"
[memory]
  size = "64"
[object "io1"]
  qom-type = "iothread"
[global]
  driver = "e1000"
  property = "romfile"
  value = ""
[device "n1"]
  driver = "e1000"
  addr = "0x7"
''')
    with Machine('-nodefaults', '-S', '-readconfig', str(config)) as machine:
        assert machine.qmp.command('query-memory-size-summary')['base-memory'] == 64 << 20
        assert [t['id'] for t in machine.qmp.command('query-iothreads')] == ['io1']
        tree = machine.qmp.hmp('info qtree')
        assert 'dev: e1000, id "n1"' in tree and 'addr = 07.0' in tree


CONFIG_ERRORS = [
    ('garbage', ':1: parse error'),
    ('x = "1"', ':1: no group defined'),
    ('[bogus "a"]\nx = "1"', ":1: There is no option group 'bogus'"),
    ('[machine]\ntype = pc', ':2: parse error'),
    ('[global]\ndriver = "a"', "Parameter 'property' is missing"),
    ('[device "a"]\nfoo = "b"', "Parameter 'driver' is missing"),
]


@pytest.mark.parametrize('text,error', CONFIG_ERRORS)
def test_mistakes_in_a_file(tmp_path, text, error):
    config = tmp_path / 'bad.cfg'
    config.write_text(text)
    result = run(*TCG, '-S', '-readconfig', str(config))
    assert result.returncode == 1
    assert error in result.stderr


def test_device_add_takes_json_values():
    with Machine(*TCG, '-S') as machine:
        machine.qmp.send(json.dumps({'execute': 'device_add', 'arguments': {
            'driver': 'e1000', 'id': 'n0', 'multifunction': True, 'rombar': 0}}))
        assert machine.qmp.reply() == {'return': {}}
        tree = machine.qmp.hmp('info qtree')
        assert 'multifunction = true' in tree and 'rombar = 0 (0x0)' in tree
