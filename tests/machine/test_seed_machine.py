"""A cloud's machine, side by side with QEMU 7.2: the same command line, the same listings.

What differs is listed with its reason; anything else fails, and so does an entry of the list that
no longer differs.
"""
import difflib
import re
import shutil
import subprocess

import pytest

from rhea import Machine, binary
from test_devices import fw_cfg_file

QEMU = 'qemu-system-x86_64'


def qemu_is_7_2():
    if not shutil.which(QEMU):
        return False
    out = subprocess.run([QEMU, '--version'], capture_output=True, text=True, check=False).stdout
    return 'version 7.2' in out


pytestmark = pytest.mark.skipif(not qemu_is_7_2(), reason='QEMU 7.2 is not installed to compare with')


VNC = '127.0.0.1:300,to=900'           # a port nobody has: these tests run side by side


def arguments(folder):
    """The machine an OpenStack of 2014 made, in today's spelling."""
    cpu = ('SandyBridge,+erms,+smep,+fsgsbase,+pdpe1gb,+rdrand,+f16c,+dca,+pcid,+pdcm,+xtpr,+tm2,+est,'
           '+smx,+vmx,+ds_cpl,+monitor,+dtes64,+pbe,+tm,+ht,+ss,+acpi,+ds,+vme')
    return [
        '-name', 'instance-00000024', '-S', '-machine', 'pc-i440fx-7.2,accel=tcg,usb=off', '-cpu', cpu,
        '-m', '2048', '-overcommit', 'mem-lock=off', '-smp', '1,sockets=1,cores=1,threads=1',
        '-uuid', '1f8e6f7e-5a70-4780-89c1-464dc0e7f308',
        '-smbios', 'type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=2014.1,'
                   'serial=80590690-87d2-e311-b1b0-a0481cabdfb4,'
                   'uuid=1f8e6f7e-5a70-4780-89c1-464dc0e7f308',
        '-no-user-config', '-nodefaults',
        '-chardev', 'socket,id=charmonitor,path=%s/monitor,server=on,wait=off' % folder,
        '-mon', 'chardev=charmonitor,id=monitor,mode=control', '-rtc', 'base=utc,driftfix=slew',
        '-global', 'kvm-pit.lost_tick_policy=discard', '-no-hpet', '-no-shutdown',
        '-boot', 'strict=on', '-device', 'piix3-usb-uhci,id=usb,bus=pci.0,addr=0x1.0x2',
        '-drive', 'file=%s/disk,if=none,id=drive-virtio-disk0,format=qcow2,cache=none' % folder,
        '-device', 'virtio-blk-pci,scsi=off,bus=pci.0,addr=0x4,drive=drive-virtio-disk0,'
                   'id=virtio-disk0,bootindex=1',
        '-netdev', 'user,id=hostnet0',
        '-device', 'virtio-net-pci,netdev=hostnet0,id=net0,mac=fa:16:3e:d1:2d:99,bus=pci.0,addr=0x3',
        '-chardev', 'file,id=charserial0,path=%s/console.log' % folder,
        '-device', 'isa-serial,chardev=charserial0,id=serial0', '-chardev', 'pty,id=charserial1',
        '-device', 'isa-serial,chardev=charserial1,id=serial1', '-device', 'usb-tablet,id=input0',
        '-vnc', VNC, '-k', 'en-us', '-device', 'cirrus-vga,id=video0,bus=pci.0,addr=0x2',
        '-device', 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x5',
    ]


def listings(program, folder):
    folder.mkdir()
    subprocess.run([QEMU.replace('system-x86_64', 'img'), 'create', '-q', '-f', 'qcow2',
                    str(folder / 'disk'), '1G'], check=True)
    with Machine(*arguments(folder), program=program) as machine:
        return {topic: machine.qmp.hmp('info ' + topic) for topic in
                ('qtree', 'qom-tree', 'qdm', 'pci', 'block', 'network', 'chardev', 'usb', 'memdev',
                 'iothreads', 'balloon', 'blockstats')}


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    if not shutil.which('qemu-img'):
        pytest.skip('qemu-img is not installed')
    folder = tmp_path_factory.mktemp('seed')
    return listings(QEMU, folder / 'qemu'), listings(binary(), folder / 'rhea')


def tree_lines(text):
    """Each line of an indented listing with what it stands below: 'pci.0 > PIIX3 > addr = 01.0'."""
    lines, above = [], []
    for line in text.split('\n'):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        lines.append(' > '.join([name for _, name in above] + [line.strip()]))
        name = re.sub(r'^(dev|bus): ', '', line.strip())
        name = re.sub(r', id ""', '', name)
        above.append((indent, re.sub(r', id "(.*)"', r':\1', name)))
    return lines


def compare(expected, got, known):
    """Differences that `known` (pattern of a '-' or '+' line, reason) does not name; unused names."""
    unused = {pattern for pattern, _ in known}
    unexpected = []
    for line in difflib.unified_diff(expected, got, lineterm='', n=0):
        if line.startswith(('---', '+++', '@@')):
            continue
        names = [pattern for pattern, _ in known if re.search(pattern, line)]
        unused.difference_update(names)
        if not names:
            unexpected.append(line)
    return unexpected, sorted(unused)


def check(expected, got, known):
    unexpected, unused = compare(expected, got, known)
    assert not unexpected, '\n'.join(unexpected)
    assert not unused, unused


# ---- info qtree ----

ABSENT_PARTS = [
    (r'^-.*(kvmvapic|i440FX-pcihost.*kvmvapic)', 'the option ROM that patches Windows XP is not modelled'),
    (r'^-.*(isa-fdc|floppy-bus)', 'floppy drives are not modelled'),
    (r'^-.*(i2c|smbus-eeprom)', "no memory modules' data on the SMBus"),
]
QTREE_KNOWN = ABSENT_PARTS + [
    (r'^-.*PIIX4_PM > memory-hotplug-support', 'memory cannot be hot-plugged'),
    (r'^-.*PIIX4_PM > smm-compat', 'SMRAM never was as QEMU before 2.3 had it'),
    (r'^-.*PIIX4_PM > x-not-migrate-acpi-index', 'says how old machines migrate'),
]


def test_qtree(both):
    qemu, rhea = both
    check(tree_lines(qemu['qtree']), tree_lines(rhea['qtree']), QTREE_KNOWN)


# ---- info qom-tree ----

QOM_KNOWN = ABSENT_PARTS + [
    (r'^-.* \(irq\)', 'interrupt inputs are no objects'),
    (r'^-.*/fw_cfg .*/.x2from@', "fw_cfg's files are no memory regions"),
    (r'^-.*/virtio-pci-notify-pio-', 'modern-pio-notify is off: the region is not made'),
    (r'^-.*/serial \(serial\)', 'the UART is a part of isa-serial, not a device inside it'),
    (r'^[-+].*/(memory|smram)\[.\] \(memory-region\)', 'one view of memory in SMM serves all CPUs'),
    (r'^-.*/acpi-cpu-hotplug', 'CPUs cannot be hot-plugged'),
]


def qom_lines(text):
    """Without the numbers of nameless devices, which follow from how many there are."""
    return sorted(re.sub(r'/device\[\d+\]', '/device[]', line) for line in tree_lines(text))


def test_qom_tree(both):
    qemu, rhea = both
    check(qom_lines(qemu['qom-tree']), qom_lines(rhea['qom-tree']), QOM_KNOWN)


# ---- info qdm ----

def device_types(text):
    """Name → (category, bus, alias, whether users can add it)."""
    found, category = {}, None
    for line in text.split('\n'):
        match = re.match(r'name "([^"]+)"(?:, bus ([^,]+))?(?:, alias "([^"]+)")?', line)
        if match:
            found[match[1]] = (category, match[2], match[3], line.endswith(', no-user'))
        elif line.endswith('devices:'):
            category = line
    return found


QDM_KNOWN = {
    'apic': "it sits on a bus of its CPU's",
    'kvm-apic': 'the same',
    'i8042': "only the board's is there",
    'mc146818rtc': 'the same', 'vmmouse': 'the same',
}


def test_device_types_are_described_alike(both):
    qemu, rhea = (device_types(text['qdm']) for text in both)
    differing = {name: (found, qemu.get(name)) for name, found in rhea.items()
                 if found != qemu.get(name)}
    for name in QDM_KNOWN:
        assert differing.pop(name, None), name + ' does not differ any more'
    assert not differing


# ---- the rest ----

def generic(text):
    """Without what varies between runs: folders, generated names, terminals."""
    text = re.sub(r'/\S*/(disk|monitor|qmp)\b', r'\1', text)
    return re.sub(r'#block\d+', '#block', re.sub(r'/dev/pts/\d+', '/dev/pts/N', text))


@pytest.mark.parametrize('topic', ['pci', 'block', 'network', 'usb', 'memdev', 'iothreads', 'balloon',
                                   'blockstats'])
def test_the_same_text(both, topic):
    qemu, rhea = both
    assert generic(rhea[topic]) == generic(qemu[topic])


def test_the_same_chardevs(both):
    """In any order: QEMU's is that of a hash table."""
    qemu, rhea = ({line for line in generic(text['chardev']).split('\n')} for text in both)
    assert rhea == qemu


# ---- boot order ----

BOOT_DEVICES = [
    'ide-hd,drive=d0,bootindex=1,bus=ide.0,unit=0', 'ide-cd,drive=d1,bootindex=2,bus=ide.1,unit=1',
    'virtio-scsi-pci,id=s0,addr=7', 'scsi-hd,drive=d2,bootindex=3,scsi-id=2,lun=1',
    'piix3-usb-uhci,id=u,addr=1.2', 'usb-storage,drive=d3,bootindex=4',
    'virtio-blk-pci,drive=d4,bootindex=5,addr=8', 'rtl8139,addr=9,bootindex=6',
    'virtio-net-pci,addr=a,bootindex=7', 'usb-hub', 'usb-storage,drive=d5,bootindex=8,port=2.1',
]


def test_the_same_boot_order():
    """Paths of every kind of device there is to boot from, as firmware reads them."""
    args = ['-accel', 'tcg', '-nodefaults', '-S', '-boot', 'strict=on']
    for number in range(6):
        args += ['-drive', 'if=none,id=d%d,driver=null-co,size=1M' % number]
    for device in BOOT_DEVICES:
        args += ['-device', device]
    orders = []
    for program in (QEMU, binary()):
        with Machine(*args, program=program) as machine:
            orders.append(fw_cfg_file(machine, 'bootorder'))
    assert orders[0] == orders[1]
    assert orders[0].count(b'\n') == 8


# ---- the spelling of 2014 ----

HISTORIC = [('pc-i440fx-7.2,accel=tcg,usb=off', 'pc-i440fx-trusty,accel=tcg,usb=off'),
            ('mem-lock=off', 'mlock=off'), ('-overcommit', '-realtime'), ('server=on,wait=off', 'server,nowait')]


def test_the_original_spelling_starts(tmp_path):
    """Old names and options are taken, each with a line naming today's."""
    if not shutil.which('qemu-img'):
        pytest.skip('qemu-img is not installed')
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', str(tmp_path / 'disk'), '1G'], check=True)
    args = arguments(tmp_path)
    for today, then in HISTORIC:
        args = [arg.replace(today, then) if today in arg else arg for arg in args]
    args[args.index(VNC)] = '0.0.0.0:12'
    args[args.index('-cpu') + 1] = args[args.index('-cpu') + 1].replace('+vmx', '+vmx,+osxsave')
    with Machine(*args) as machine:
        assert 'virtio-disk0' in machine.qmp.hmp('info qtree')
        assert 'Server: 0.0.0.0:5912 (ipv4)' in machine.qmp.hmp('info vnc')
        warnings = machine.errors()
    for word in ('pc-i440fx-trusty', '-realtime', 'osxsave', '-vnc 0.0.0.0:12'):
        assert word in warnings, warnings
