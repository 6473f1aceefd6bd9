"""Names of a real kernel's addresses and its chains of calls, seen from outside."""
import re

import pytest

from linux import Linux
from rhea import Machine

STOPPED = ['-nodefaults', '-display', 'none', '-S', '-accel', 'tcg']


@pytest.fixture(scope='module')
def guest(drivers):
    """At a shell; KASLR has moved its kernel, and user code runs on page tables of its own."""
    with Linux(drivers, 'net', '-smp', '2', '-device', 'virtio-net-pci', append='pti=on') as linux:
        linux.wait_for_shell()
        yield linux


def stop_until(guest, condition, tries=400):
    """Stops the guest again and again until it stands where it should; what the condition returned."""
    for _ in range(tries):
        guest.qmp.command('stop')
        found = condition()
        if found:
            return found
        guest.qmp.command('cont')
    raise AssertionError('never stood there')


def chain(guest, cpu):
    """The innermost first; a frame is 'name', or '?' where nobody knows."""
    return [frame.get('symbol', '?') for frame in guest.qmp.command('query-backtrace', cpu_index=cpu)]


@pytest.mark.slow
def test_the_kernel_agrees(guest):
    listed = {}
    for line in guest.run("grep -E ' (_text|start_kernel|schedule|linux_banner|jiffies|virtnet_poll)\\b' "
                          "/proc/kallsyms").splitlines():
        address, _, name = line.split()[:3]
        listed[name] = int(address, 16)
    assert len(listed) == 6                             # the last is a module's
    for name, address in listed.items():
        info = guest.qmp.command('query-symbol', name=name)
        assert info['address'] == address
        assert guest.qmp.hmp('p /x ' + name).startswith('0x%x <' % address)
    source = guest.qmp.command('query-symbol-source')
    assert source['source'] == 'kallsyms' and source['text'] == listed['_text']
    assert source['count'] == int(guest.run('wc -l < /proc/kallsyms'))
    assert guest.qmp.hmp('info symbols') == \
        'kallsyms: %d symbols, kernel at 0x%x\n' % (source['count'], source['text'])
    assert guest.qmp.hmp('info symbol schedule+3').startswith(
        '0x%x is schedule+0x3 (' % (listed['schedule'] + 3))
    assert 'schedule <' not in guest.qmp.hmp('xp /2xw 0x100000')


@pytest.mark.slow
def test_errors_suggest(guest):
    assert guest.qmp.hmp('p start_kernle') == \
        "no symbol 'start_kernle' in kallsyms\nDid you mean 'start_kernel'?\n" \
        'Try "help p" for more information\n'
    reply = guest.qmp.execute('query-symbol', name='start_kernle')
    assert reply['error']['desc'] == "no symbol 'start_kernle'"
    for arguments in {}, {'name': 'a', 'address': 1}:
        assert 'either' in guest.qmp.execute('query-symbol', **arguments)['error']['desc']
    assert 'no symbol lies at' in guest.qmp.execute('query-symbol', address=5)['error']['desc']
    assert 'CPU number' in guest.qmp.execute('query-backtrace', cpu_index=2)['error']['desc']


@pytest.mark.slow
def test_code_shows_names(guest):
    lines = guest.qmp.hmp('x /60i do_sys_open').splitlines()
    start = guest.qmp.command('query-symbol', name='do_sys_open')['address']
    assert lines[0].startswith('0x%x <do_sys_open>:  ' % start)
    assert lines[1].startswith('0x%x <do_sys_open+0x' % int(lines[1].split()[0], 16))
    calls = re.findall(r'callq +0x[0-9a-f]+ <(\w+)', '\n'.join(lines))
    assert 'do_sys_openat2' in calls
    assert guest.qmp.hmp('x /2xg linux_banner').split(':')[0] == \
        '%x <linux_banner>' % guest.qmp.command('query-symbol', name='linux_banner')['address']


@pytest.mark.slow
def test_idle_chain(guest):
    def idle():
        names = chain(guest, 1)
        return names if 'default_idle_call' in names or 'cpu_idle_poll' in names else None

    names = stop_until(guest, idle)
    guest.qmp.command('cont')
    assert names[-3:] == ['cpu_startup_entry', 'start_secondary',
                          'secondary_startup_64_no_verify'], names
    assert 'do_idle' in names


@pytest.mark.slow
def test_system_call_chain(guest):
    """From the kernel's depth, perhaps across an interrupt, to the program that called."""
    def reading():
        for cpu in 0, 1:
            frames = guest.qmp.command('query-backtrace', cpu_index=cpu)
            if 'vfs_read' in [frame.get('symbol') for frame in frames]:
                return cpu, frames
        return None

    guest.start('cat /dev/zero > /dev/null')
    cpu, frames = stop_until(guest, reading)
    text = guest.qmp.hmp('info backtrace %d' % cpu).splitlines()
    where = guest.qmp.command('human-monitor-command', command_line='info registers', cpu_index=cpu)
    guest.qmp.command('cont')
    guest.run('killall cat')
    names = [frame.get('symbol') for frame in frames]
    entry = names.index('entry_SYSCALL_64_after_hwframe')
    assert names[entry - 3:entry] == ['vfs_read', 'ksys_read', 'do_syscall_64'] or \
        'do_syscall_64' in names[:entry], names
    assert frames[entry + 1]['address'] < 1 << 47 and 'symbol' not in frames[entry + 1]
    assert frames[0]['how'] == 'registers'
    assert {frame['how'] for frame in frames[1:entry + 2]} == {'orc'}
    assert all(frame['stack'] for frame in frames[:entry + 1])
    for number, (line, frame) in enumerate(zip(text, frames)):
        match = re.match(r'#(\d+) +0x([0-9a-f]{16})( \?)?(?: ([\w.]+)(?:\+0x([0-9a-f]+))?)?$', line)
        assert match, line
        assert int(match[1]) == number and int(match[2], 16) == frame['address']
        assert (match[3] is not None) == (frame['how'] == 'guess') and match[4] == frame.get('symbol')
    assert re.search(r'RIP=%016x RFL=.* <%s' % (frames[0]['address'], re.escape(names[0])), where)


@pytest.mark.slow
def test_user_mode_hides_the_kernel(guest):
    """Tables of page table isolation show little of the kernel; its names are found all the same."""
    def looping():
        for cpu in 0, 1:
            registers = guest.qmp.command('human-monitor-command', command_line='info registers',
                                          cpu_index=cpu)
            if 'CPL=3' in registers:
                return registers
        return None

    guest.start('while :; do :; done')
    stop_until(guest, looping)
    text = guest.qmp.hmp('symbol-file')
    guest.qmp.command('cont')
    guest.run('kill $!')
    assert text.startswith('kallsyms: '), text


@pytest.mark.slow
def test_file_moves_with_the_kernel(guest, tmp_path):
    text = guest.qmp.command('query-symbol', name='_text')['address']
    end = guest.qmp.command('query-symbol', name='_etext')['address']
    linked = 0xffffffff81000000

    def system_map(name, size):
        path = tmp_path / name
        path.write_text('%016x T _text\n%016x T a_new_name\n%016x T _etext\n' %
                        (linked, linked + 0x40, linked + size))
        return str(path)

    wrong = guest.qmp.execute('symbol-file', filename=system_map('wrong', end - text + 0x1000))
    assert 'is not of the kernel that runs' in wrong['error']['desc']
    path = system_map('right', end - text)
    assert guest.qmp.hmp('symbol-file ' + path) == '%s: 3 symbols, kernel at 0x%x\n' % (path, text)
    assert guest.qmp.hmp('p /x a_new_name + 4') == '0x%x <a_new_name+0x4>\n' % (text + 0x44)
    guest.qmp.command('symbol-file')
    assert guest.qmp.command('query-symbol-source')['source'] == 'kallsyms'


@pytest.mark.slow
def test_reset_forgets(guest):
    """The last of this guest: what it knew is not told of the machine that begins."""
    assert guest.qmp.hmp('p /x _text').startswith('0x')
    guest.qmp.command('stop')
    guest.qmp.command('system_reset')
    guest.qmp.event('RESET')
    assert 'no symbols' in guest.qmp.execute('query-symbol-source')['error']['desc']


def test_no_guest_no_names():
    with Machine(*STOPPED) as machine:
        assert machine.qmp.hmp('p start') == \
            "invalid char 's' in expression\nTry \"help p\" for more information\n"
        assert machine.qmp.hmp('info backtrace') == '#0  0x00000000fffffff0\n'
        assert 'no kallsyms' in machine.qmp.hmp('info symbols')
        missing = machine.qmp.execute('symbol-file', filename='/nonexistent')
        assert missing['error']['desc'] == "cannot open '/nonexistent': No such file or directory"


def test_symbols_of_an_elf_file(tmp_path):
    """Any ELF file's names serve, where it was linked for."""
    with Machine(*STOPPED) as machine:
        machine.qmp.command('symbol-file', filename='/proc/self/exe')
        source = machine.qmp.command('query-symbol-source')
        assert source['source'] == '/proc/self/exe' and 'text' not in source
        info = machine.qmp.command('query-symbol', name='symbols_by_name')
        assert machine.qmp.hmp('p /x symbols_by_name') == '0x%x\n' % info['address']
        assert machine.qmp.command('query-symbol', address=info['address'] + 2)['offset'] == 2
