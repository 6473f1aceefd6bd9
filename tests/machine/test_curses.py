"""-display curses, as a terminal shows it: rhea in a window of tmux."""
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from boot_sector import assemble
from rhea import TIMEOUT, Qmp, Stream, binary, run

pytestmark = pytest.mark.skipif(not shutil.which('tmux'), reason='tmux is not installed')

# Code page 437's upper half, and what VGA's font has for control codes.
UPPER = bytes(range(0x80, 0xff)).decode('cp437')
BOX = bytes(range(0xb3, 0xdb)).decode('cp437')

PROLOGUE = '''
        .code16
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        cld
'''
EPILOGUE = '''
        .org    510
        .word   0xaa55
'''
# Every code on every attribute's row, then all of the attributes; no cursor.
TEXT = PROLOGUE + '''
        movw    $3, %ax
        int     $0x10
        movw    $0x2000, %cx
        movb    $1, %ah
        int     $0x10
        movw    $0xb800, %ax
        movw    %ax, %es
        xorw    %di, %di
        movw    $0x0700, %ax
        movw    $256, %cx
1:      stosw
        incb    %al
        loop    1b
        movw    $160 * 6, %di
        movw    $0x0041, %ax
        movw    $256, %cx
2:      stosw
        incb    %ah
        loop    2b
        cli
        hlt
''' + EPILOGUE
# Mode 13: rows of pixels in the colors 0 to 199.
BARS = PROLOGUE + '''
        movw    $0x13, %ax
        int     $0x10
        movw    $0xa000, %ax
        movw    %ax, %es
        xorw    %di, %di
        xorw    %ax, %ax
1:      movw    $320, %cx
        rep     stosb
        incw    %ax
        cmpw    $200, %ax
        jne     1b
        cli
        hlt
''' + EPILOGUE
# Keys the BIOS gives go to the serial port, scan code and character.
KEYS = PROLOGUE + '''
        movw    $0x3f8, %dx
        movb    $'>', %al
        outb    %al, %dx
1:      movb    $0x10, %ah
        int     $0x16
        pushw   %ax
        movb    %ah, %al
        call    put
        popw    %ax
        call    put
        jmp     1b
put:    movw    $0x3fd, %dx
        pushw   %ax
2:      inb     %dx, %al
        testb   $0x20, %al
        jz      2b
        popw    %ax
        movw    $0x3f8, %dx
        outb    %al, %dx
        ret
''' + EPILOGUE
# What the mouse port sends, on the serial port.
MOUSE = PROLOGUE + '''
        cli
        movb    $0xa8, %al
        outb    %al, $0x64
        movb    $0xd4, %al
        outb    %al, $0x64
        movb    $0xf4, %al
        outb    %al, $0x60
1:      inb     $0x64, %al
        testb   $1, %al
        jz      1b
        inb     $0x60, %al
        movw    $0x3f8, %dx
        outb    %al, %dx
        jmp     1b
''' + EPILOGUE


def boot_disk(folder, source):
    path = os.path.join(folder, 'disk')
    with open(path, 'wb') as out:
        out.write(assemble(folder, source))
        out.truncate(1 << 20)
    return ['-drive', 'format=raw,file=' + path]


def wait_for(condition, what, timeout=TIMEOUT):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


class Terminal:
    """A shell in tmux, in which rhea is started."""

    def __init__(self, folder, *args, columns=100, rows=30, env={}, errors='2>errors', options=''):
        self.folder = str(folder)
        self.tmux = ['tmux', '-S', self.path('tmux')]
        with open(self.path('tmux.conf'), 'w', encoding='ascii') as conf:
            conf.write('set -g default-terminal tmux-256color\nset -s escape-time 0\n' + options)
        with open(self.path('rc'), 'w', encoding='ascii') as rc:
            rc.write("PS1='$ '; unset PROMPT_COMMAND\n")
            rc.writelines("export %s='%s'\n" % each for each in {'LC_ALL': 'C.UTF-8', 'COLORTERM': '', **env}.items())
        self.ask('-f', self.path('tmux.conf'), 'new-session', '-d', '-x', str(columns), '-y', str(rows), '-s', 'rhea',
                 '-c', self.folder, 'bash --rcfile ./rc', env=dict(os.environ, LC_ALL='C.UTF-8'))
        self.shows('$')
        self.qmp = None
        if args:
            words = [binary(), '-display', 'curses', '-nodefaults', '-m', '64', '-net', 'none', '-vga', 'std',
                     '-qmp', 'unix:%s,server=on,wait=off' % self.path('qmp'), '-pidfile', self.path('pid'), *args]
            self.command(' '.join("'%s'" % word for word in words) + ' ' + errors)
            self.qmp = Qmp(self.path('qmp'))
            self.shows('cpu ')

    def path(self, name):
        return os.path.join(self.folder, name)

    def ask(self, *args, **options):
        return subprocess.run([*self.tmux, *args], capture_output=True, text=True, check=True, **options).stdout

    def screen(self, *args):
        return self.ask('capture-pane', '-p', *args, '-t', 'rhea')

    def rows(self, *args):
        return self.screen(*args).split('\n')

    def shows(self, text, *args, timeout=TIMEOUT):
        wait_for(lambda: text in self.screen(*args), lambda: 'no %r in\n%s' % (text, self.screen(*args)), timeout)
        return self.screen(*args)

    def hides(self, text):
        wait_for(lambda: text not in self.screen(), self.screen)

    def keys(self, *keys):
        self.ask('send-keys', '-t', 'rhea', *keys)

    def type(self, text):
        self.keys('-l', text)

    def command(self, line):
        """A line for the shell."""
        with open(self.path('script'), 'w', encoding='utf-8') as out:
            out.write(line + '\n')
        self.type('. ./script; echo "status $?"')
        self.keys('Enter')

    def pid(self):
        with open(self.path('pid'), encoding='ascii') as file:
            return int(file.read())

    def modes(self):
        """What the pane's terminal is set to; a program that draws is in the alternate screen."""
        tty = self.ask('display', '-p', '-t', 'rhea', '#{pane_tty}').strip()
        return subprocess.run(['stty', '-a', '-F', tty], capture_output=True, text=True, check=True).stdout

    def flags(self):
        return self.ask('display', '-p', '-t', 'rhea', '#{alternate_on}#{mouse_any_flag}#{cursor_flag}').strip()

    def close(self):
        if self.qmp:
            self.qmp.close()
        if os.path.exists(self.path('pid')):
            try:
                os.kill(self.pid(), signal.SIGTERM)
            except ProcessLookupError:
                pass
        subprocess.run([*self.tmux, 'kill-server'], check=False)


@pytest.fixture
def terminal(tmp_path):
    made = []

    def start(*args, **options):
        made.append(Terminal(tmp_path, *args, **options))
        return made[-1]
    yield start
    for each in made:
        each.close()


# ---- what is seen ----

def text_rows(screen):
    """The guest's 25 rows, which stand in the middle of 100 columns and 30 rows, 29 without the status line."""
    return [row.ljust(100)[10:90] for row in screen[2:27]]


def test_text_is_what_the_code_page_says(terminal, tmp_path):
    term = terminal(*boot_disk(str(tmp_path), TEXT))
    term.shows(BOX[:20])
    text = ''.join(text_rows(term.rows()))
    assert text[0x20:0x7f] == bytes(range(0x20, 0x7f)).decode('ascii')
    assert text[1:8] == '☺☻♥♦♣♠•' and text[0x7f] == '⌂'
    assert text[0x80:0xff] == UPPER


def test_charset(terminal, tmp_path):
    term = terminal('-display', 'none', *boot_disk(str(tmp_path), TEXT))
    term.qmp.command('quit')
    term.shows('status 0')
    term.close()
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    disk = boot_disk(str(tmp_path), TEXT)
    term = Terminal(tmp_path)
    try:
        term.command("'%s' -display curses,charset=CP866 -nodefaults -vga std %s" % (binary(), ' '.join(disk)))
        assert bytes(range(0x80, 0xf0)).decode('cp866')[:20] in term.shows('АБВГДЕЖЗ')
        assert '☺☻♥♦♣♠•' in term.screen()
    finally:
        term.close()


# VGA's attributes in ANSI's numbers; bit 7 blinks.
@pytest.mark.parametrize('attr,codes', [
    (0x01, '34'), (0x04, '31'), (0x0e, '93'), (0x1f, '97;44'), (0x4e, '93;41'), (0x71, '34;47'), (0x87, '5')])
def test_colors(terminal, tmp_path, attr, codes):
    term = terminal(*boot_disk(str(tmp_path), TEXT))
    term.shows('A' * 70)
    row = term.rows('-e')[2 + 6 + attr // 80]
    seen, states, look = 0, [], {}
    for part in row.split('\x1b['):
        code, _, chars = part.partition('m') if part != row.split('\x1b[')[0] else ('', '', part)
        for number in code.split(';') if code else []:
            if number in ('0', ''):
                look = {}
            elif number == '5':
                look['blink'] = number
            elif number.startswith(('3', '9')):
                look['fg'] = number
            else:
                look['bg'] = number
        states += [dict(look)] * len(chars)
        seen += len(chars)
    assert set(codes.split(';')) <= set(states[10 + attr % 80].values()), (states[10 + attr % 80], row)


@pytest.mark.parametrize('env,code', [({'COLORTERM': 'truecolor'}, '38;2;'), ({}, '38;5;')])
def test_graphics_are_half_blocks(terminal, tmp_path, env, code):
    term = terminal(*boot_disk(str(tmp_path), BARS), env=env)
    # 320 × 200 in 29 rows of cells twice as high as wide; two dots of the same color are a space
    wait_for(lambda: len([row for row in term.rows() if '▀' * 92 in row]) >= 25, term.screen)
    assert not any('▀' * 94 in row for row in term.rows())
    assert code in term.screen('-e')


def test_a_terminal_of_ascii(terminal, tmp_path):
    term = terminal(*boot_disk(str(tmp_path), TEXT), env={'LC_ALL': 'C'})
    term.shows('ABCDEFG')
    assert 'aaaxuuukkuxkjjjkmvwtqnttmlvwtqnvvwwmmllnnjl0' in term.screen()         # VT100's line drawing


def test_seabios_and_screens(terminal, tmp_path):
    term = terminal('-serial', 'vc', '-monitor', 'vc', '-name', 'x')
    term.shows('SeaBIOS (version')
    status = term.rows()[29]
    assert status.startswith(' running  tcg  cpu ') or status.startswith(' running  kvm  cpu '), status
    assert '[1 VGA] 2 monitor1 3 serial0 ' in status and 'disk' in status and 'net' in status
    term.keys('M-2')                                                # in one burst
    term.shows('(qemu)')
    assert '[2 monitor1]' in term.rows()[29]
    term.type('info name')
    term.keys('Enter')
    term.shows('\n          x')
    term.type('info qtree')
    term.keys('Enter')
    term.hides('info name')
    term.shows('(qemu)')
    term.keys('S-PPage', 'S-PPage')                                 # a text console's own
    term.hides('(qemu)')
    term.keys('M-1')
    term.shows('SeaBIOS (version')
    term.keys('Escape')                                             # by hand
    time.sleep(0.1)
    term.keys('2')
    term.shows('[2 monitor1]')
    term.keys('M-9')                                                # there is none
    term.type('stop')
    term.keys('Enter')
    term.shows(' paused ')
    term.type('quit')
    term.keys('Enter')
    term.shows('status 0')


def test_resize_pan_and_status(terminal, tmp_path):
    term = terminal(*boot_disk(str(tmp_path), TEXT), rows=30)
    term.shows(BOX[:20])
    term.ask('resize-window', '-t', 'rhea', '-x', '60', '-y', '6')
    term.shows('Alt-PgUp')
    assert '☺☻♥♦♣♠•' in term.screen()
    term.keys('M-PageDown')
    term.keys('M-PageDown')
    term.hides('☺☻♥♦♣♠•')
    term.keys('M-PageUp')
    term.keys('M-PageUp')
    term.shows('☺☻♥♦♣♠•')
    term.keys('M-End')
    term.hides('☺☻♥♦♣♠•')
    term.ask('resize-window', '-t', 'rhea', '-x', '80', '-y', '25')
    term.shows('☺☻♥♦♣♠•')
    assert 'running' in term.rows()[24]
    term.keys('M-0')
    term.hides('running')
    term.keys('M-0')
    term.shows('running')
    for size in ((1, 1), (2, 50), (200, 2), (300, 100)):
        term.ask('resize-window', '-t', 'rhea', '-x', str(size[0]), '-y', str(size[1]))
    term.shows('☺☻♥♦♣♠•')


RESCUE = '/usr/lib/grub-rescue/grub-rescue-cdrom.iso'
MEMTEST = '/usr/lib/memtest86+/memtest86+x64.iso'
INSTALLER = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/'


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(RESCUE), reason='no grub-rescue-pc package')
def test_grub_menu(terminal):
    term = terminal('-cdrom', RESCUE)
    assert '┌────────' in term.shows('│*GNU/Linux  ')
    term.keys('Down')
    term.shows('│*GNU (aka GNU/Hurd)  ')
    term.keys('Down', 'Down', 'Up', 'Up', 'Up')
    term.shows('│*GNU/Linux  ')
    term.keys('c')
    term.shows('grub>')
    term.type('echo "[Rhea] {$prefix}" ~^')
    term.keys('Enter')
    term.shows(')/boot/grub} ~^')


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(MEMTEST), reason='no memtest86+ package')
def test_memtest(terminal):
    term = terminal('-cdrom', MEMTEST)
    assert '─┴────' in term.shows('Press <F1> to configure')
    assert '\x1b[44m' in term.screen('-e') or ';44m' in term.screen('-e')     # blue, as it should be
    term.keys('F1')
    term.shows('<F10> Exit menu')
    term.keys('F10')
    term.shows('#0')                                    # a test runs


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists(INSTALLER), reason='no debian-installer-12-netboot-amd64 package')
def test_debian_installer(terminal):
    """Its text screens, without a frame buffer: language, country, keyboard."""
    term = terminal('-accel', 'tcg', '-m', '1024', '-kernel', INSTALLER + 'linux', '-initrd', INSTALLER + 'initrd.gz',
                    '-append', 'vga=normal fb=false nomodeset quiet')
    screen = term.shows('[!!] Select a language', timeout=900)
    assert '┌─' in screen and '└─' in screen
    term.keys('Down', 'Up', 'Enter')
    term.shows('Select your location', timeout=300)
    term.keys('Home')
    term.keys('Enter')
    term.shows('Configure the keyboard', timeout=300)
    term.keys('Enter')
    term.shows('etect', timeout=600)


# ---- what is typed ----

def serial(folder):
    return ['-serial', 'unix:%s,server=on,wait=off' % os.path.join(folder, 'serial')]


def test_keys(terminal, tmp_path):
    term = terminal('-S', *boot_disk(str(tmp_path), KEYS), *serial(str(tmp_path)))
    port = Stream(term.path('serial'))
    term.qmp.command('cont')
    port.expect('>')
    # scan code and character, as the BIOS has them
    for key, scan, char in (('a', 0x1e, 'a'), ('A', 0x1e, 'A'), ('Up', 0x48, '\xe0'), ('F1', 0x3b, '\0'),
                            ('F12', 0x86, '\0'), ('C-c', 0x2e, '\x03'), ('C-z', 0x2c, '\x1a'), ('C-s', 0x1f, '\x13'),
                            ('M-x', 0x2d, '\0'), ('Tab', 0x0f, '\t'), ('BTab', 0x0f, '\0'), ('Enter', 0x1c, '\r'),
                            ('BSpace', 0x0e, '\b'), ('NPage', 0x51, '\xe0'), ('DC', 0x53, '\xe0'),
                            ('C-Left', 0x73, '\xe0'), ('~', 0x29, '~'), ('Escape', 0x01, '\x1b')):
        term.keys(key)
        while len(port.buffer) < 2:
            port.fill(time.monotonic() + TIMEOUT)
        assert port.buffer == bytes((scan, ord(char))), (key, port.buffer)
        port.buffer = b''
    port.close()


@pytest.mark.slow
def test_a_paste_arrives_whole(terminal, tmp_path):
    term = terminal('-S', *boot_disk(str(tmp_path), KEYS), *serial(str(tmp_path)))
    port = Stream(term.path('serial'))
    term.qmp.command('cont')
    port.expect('>')
    text = ''.join('%04d The quick, brown "fox" jumps!\r' % n for n in range(130))
    with open(term.path('text'), 'w', encoding='ascii', newline='') as out:
        out.write(text)
    term.ask('load-buffer', term.path('text'))
    term.ask('paste-buffer', '-t', 'rhea')
    typed = b''
    deadline = time.monotonic() + 120
    while len(typed) < 2 * len(text):
        port.fill(deadline)
        typed += port.buffer
        port.buffer = b''
    assert typed[1::2].decode('ascii') == text
    port.close()


def test_a_paste_into_the_monitor(terminal):
    """Longer than a text console's keyboard takes at once."""
    term = terminal('-monitor', 'vc', '-S')
    term.keys('M-2')
    term.shows('(qemu)')
    with open(term.path('text'), 'w', encoding='ascii', newline='') as out:
        out.write('p 1\r' * 2000 + 'p 42*1000\r')
    term.ask('load-buffer', term.path('text'))
    term.ask('paste-buffer', '-t', 'rhea')
    term.shows('0xa410')


# ---- terminals that do not do as they are told ----

class Pty:
    """rhea on a terminal whose other side is ours."""

    def __init__(self, folder, *args):
        self.master, slave = pty.openpty()
        fcntl_size = struct.pack('HHHH', 30, 100, 0, 0)
        import fcntl
        fcntl.ioctl(slave, termios.TIOCSWINSZ, fcntl_size)
        self.process = subprocess.Popen(
            [binary(), '-display', 'curses', '-nodefaults', '-vga', 'std', '-m', '64', '-qmp',
             'unix:%s/qmp,server=on,wait=off' % folder, *args], stdin=slave, stdout=slave, start_new_session=True,
            env=dict(os.environ, TERM='xterm-256color', LC_ALL='C.UTF-8', COLORTERM=''))
        os.close(slave)
        self.qmp = Qmp('%s/qmp' % folder)

    def read_until(self, text):
        seen = b''
        deadline = time.monotonic() + TIMEOUT
        while text not in seen:
            assert time.monotonic() < deadline, seen
            seen += os.read(self.master, 65536)
        return seen

    def close(self):
        self.qmp.close()
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def own_pty(tmp_path):
    made = []

    def start(*args):
        made.append(Pty(str(tmp_path), *args))
        return made[-1]
    yield start
    for each in made:
        each.close()


def test_a_terminal_that_takes_nothing_holds_nothing_up(own_pty, tmp_path):
    """Nobody reads what is drawn: the guest runs, monitors answer, the end comes soon."""
    term = own_pty(*boot_disk(str(tmp_path), BARS), '-serial', 'null')
    for _ in range(20):
        term.qmp.command('system_reset')
        time.sleep(0.05)
    started = time.monotonic()
    assert term.qmp.command('query-status')['status'] == 'running'
    assert time.monotonic() - started < 1
    term.qmp.command('quit')
    assert term.process.wait(10) == 0


def test_mouse(own_pty, tmp_path):
    term = own_pty('-S', *boot_disk(str(tmp_path), MOUSE), *serial(str(tmp_path)))
    port = Stream(str(tmp_path / 'serial'))
    term.qmp.command('cont')
    assert b'\x1b[?1003h' in term.read_until(b'Booting from Hard Disk')
    port.expect(rb'\xfa')
    # the screen begins at column 10, row 2; cells are 8 × 16 pixels
    os.write(term.master, b'\x1b[<35;31;11M')
    time.sleep(0.1)
    os.write(term.master, b'\x1b[<35;32;12M\x1b[<0;32;12M\x1b[<0;32;12m')
    packets = b''
    deadline = time.monotonic() + TIMEOUT
    while len(packets) < 9:
        port.fill(deadline)
        packets += port.buffer
        port.buffer = b''
    assert packets[:9] == bytes((0x28, 8, 0xf0, 0x09, 0, 0, 0x08, 0, 0)), packets.hex()
    port.close()


# ---- the end ----

def send(signum):
    return lambda term: os.kill(term.pid(), signum)


@pytest.mark.signals
@pytest.mark.parametrize('end,status', [
    (lambda term: term.qmp.command('quit'), 0), (send(signal.SIGTERM), 0), (send(signal.SIGINT), 0),
    (send(signal.SIGHUP), 0), (send(signal.SIGABRT), 134), (send(signal.SIGSEGV), 139), (send(signal.SIGQUIT), 131)],
    ids=['quit', 'TERM', 'INT', 'HUP', 'ABRT', 'SEGV', 'QUIT'])
def test_the_terminal_is_as_it_was(terminal, end, status):
    term = terminal()
    before = term.modes()
    term.type('echo the line before')
    term.keys('Enter')
    term.close_on_exit = True
    term.command("ulimit -c 0; ASAN_OPTIONS=$ASAN_OPTIONS:handle_segv=0 '%s' -display curses -nodefaults -vga std "
                 '-pidfile pid -qmp unix:qmp,server=on,wait=off' % binary())
    term.qmp = Qmp(term.path('qmp'))
    term.shows('cpu ')
    assert term.flags()[:2] == '11' and term.modes() != before
    end(term)
    screen = term.shows('status %d' % status)
    assert 'the line before' in screen
    assert term.flags() == '001'
    wait_for(lambda: term.modes() == before, lambda: before + term.modes())


@pytest.mark.signals
def test_stop_and_continue(terminal):
    term = terminal('-serial', 'vc')
    term.shows('SeaBIOS')
    os.kill(term.pid(), signal.SIGTSTP)
    term.hides('SeaBIOS')
    term.shows('$')
    assert term.flags()[0] == '0'
    term.type('fg')
    term.keys('Enter')
    term.shows('SeaBIOS')
    assert term.flags()[:2] == '11'


def test_messages_wait_for_the_end(terminal):
    """What would be written over the picture is told in the status line, and whole at the end."""
    term = terminal('-d', 'guest_errors', '-monitor', 'vc', errors='')
    term.shows('SeaBIOS')
    term.keys('M-2')
    term.shows('(qemu)')
    term.type('log cpu_reset')
    term.keys('Enter')
    before = term.rows()[:29]
    term.type('system_reset')
    term.keys('Enter')
    term.shows('(qemu) system_reset')
    assert len(before) == 29
    time.sleep(0.5)
    assert not any('EAX=' in row for row in term.rows()[:29])
    term.type('quit')
    term.keys('Enter')
    term.shows('status 0')
    assert 'CPU Reset' in term.screen('-S', '-200')


@pytest.mark.parametrize('args,message', [
    (['-display', 'curses,charset=CP4370'], "there is no character set 'CP4370'"),
    (['-display', 'curses,chars=x'], "Invalid parameter 'chars'"),
    (['-display', 'curses', '-serial', 'mon:stdio'], 'the curses display cannot have the terminal'),
    (['-display', 'curses', '-serial', 'stdio'], 'the stdio character device has it'),
    (['-display', 'curses', '-daemonize'], 'curses display cannot be used with -daemonize'),
])
def test_errors(terminal, args, message):
    term = terminal()
    before = term.modes()
    term.command("'%s' -nodefaults %s" % (binary(), ' '.join(args)))
    term.shows('status 1')
    assert message in term.screen().replace('\n', '')
    assert term.modes() == before


def test_an_error_after_the_start(terminal):
    term = terminal()
    before = term.modes()
    term.command("'%s' -nodefaults -vga std -display curses -vnc nowhere" % binary())
    term.shows('status 1')
    assert '-vnc nowhere' in term.screen()
    assert term.modes() == before and term.flags() == '001'


def test_no_terminal():
    result = run('-display', 'curses', '-nodefaults')
    assert result.returncode == 1
    assert 'We need a terminal output' in result.stderr


def test_unknown_terminal(terminal):
    term = terminal()
    for name in ('dumb', 'no-such-terminal'):
        term.command("TERM=%s '%s' -nodefaults -display curses" % (name, binary()))
        term.shows("'%s' (TERM)" % name)


def test_stdio_is_taken(terminal):
    term = terminal('-monitor', 'vc')
    reply = term.qmp.execute('chardev-add', id='c', backend={'type': 'stdio', 'data': {}})
    assert 'the curses display has it' in reply['error']['desc']
