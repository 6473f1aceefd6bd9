"""Completion of command lines, in the shells themselves."""
import atexit
import functools
import os
import re
import select
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('RHEA_BUILD', os.path.join(TOP, 'build'))
FOLDER = os.path.join(BUILD, 'completions')

pytestmark = pytest.mark.skipif(not os.path.exists(os.path.join(FOLDER, 'rhea.bash')),
                                reason='the completions are not built')

# a line, words that Tab offers for its end, words that it does not
LINES = [
    ('rhea -dev', ['-device'], ['-machine']),
    ('rhea -', ['-machine', '-cpu', '-S', '-netdev'], []),
    ('rhea -machine ', ['pc', 'none', 'usb='], []),
    ('rhea -machine pc,', ['usb=', 'hpet='], ['pc']),
    ('rhea -machine pc,hpet=', ['on', 'off'], []),
    ('rhea -cpu qemu', ['qemu64'], ['host']),
    ('rhea -accel ', ['kvm', 'tcg'], []),
    ('rhea -device virtio-ne', ['virtio-net-pci'], ['e1000']),
    ('rhea -device e1000,', ['netdev=', 'mac=', 'addr=', 'id='], ['e1000']),
    ('rhea -device e1000,net', ['netdev='], ['mac=']),
    ('rhea -device e1000,multifunction=', ['on', 'off'], []),
    ('rhea -netdev user,id=n7 -device e1000,netdev=', ['n7'], ['on']),
    ('rhea -drive if=none,id=d7 -device virtio-blk-pci,drive=', ['d7'], []),
    ('rhea -chardev socket,id=c7 -device isa-serial,chardev=', ['c7'], []),
    ('rhea -netdev ', ['user', 'tap'], []),
    ('rhea -netdev user,', ['restrict=', 'hostfwd='], []),
    ('rhea -chardev socket,server=', ['on', 'off'], []),
    ('rhea -object ', ['iothread', 'rng-random'], []),
    ('rhea -object rng-random,', ['filename=', 'id='], []),
    ('rhea -drive if=', ['virtio', 'none', 'ide'], []),
    ('rhea -drive file=x,format=', ['qcow2', 'raw'], []),
    ('rhea -drive cache=none,', ['werror=', 'media='], []),
    ('rhea -watchdog-action ', ['pause', 'reset'], []),
    ('rhea -rtc clock=', ['host', 'vm'], []),
    ('rhea -smp ', ['cpus=', 'cores='], []),
    ('rhea -kernel {folder}/im', ['{folder}/image'], []),
    ('rhea -drive file={folder}/im', ['{folder}/image'], []),
    ('rhea-img ', ['create', 'convert', 'info'], []),
    ('rhea-img conv', ['convert'], ['create']),
    ('rhea-img create -f ', ['qcow2', 'raw'], []),
    ('rhea-img create -f qcow2 -o ', ['cluster_size=', 'compat='], []),
    ('rhea-img convert -', ['-O', '-f', '-p'], ['-r']),
    ('rhea-img convert -O ', ['qcow2'], []),
    ('rhea-img check -r ', ['leaks', 'all'], []),
    ('rhea-img info --out', ['--output='], []),
    ('rhea-img info --output=', ['json', 'human'], []),
    ('rhea-img info {folder}/im', ['{folder}/image'], []),
]


def last_part(word):
    """What stands behind the last separator: shells differ in how much they show."""
    return re.sub(r'^.*[,=:](?=.)', '', word.strip())


def run(command, line):
    result = subprocess.run(command, input=line, capture_output=True, text=True, timeout=60, check=False)
    return result.stdout


BASH = r'''
source "{file}"
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}}
compopt() {{ :; }}
{function}
printf '%s\n' "${{COMPREPLY[@]}}"
'''


def bash(program, line):
    script = BASH.format(file=os.path.join(FOLDER, program + '.bash'), line=line,
                         function='_' + program.replace('-', '_'))
    return run(['bash', '--norc', '-s'], script)


ZSH = r'''
PS1='ready> '; unset zle_bracketed_paste; unsetopt prompt_cr prompt_sp always_last_prompt
stty columns 4000 rows 4000 -echo
fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=100000
bindkey '^T' list-choices
print done
'''


@functools.lru_cache
def zsh_terminal():
    """An interactive zsh; its terminal."""
    master, slave = os.openpty()
    process = subprocess.Popen(['zsh', '-f', '-i'], stdin=slave, stdout=slave, stderr=slave,
                               env=dict(os.environ, TERM='dumb'), start_new_session=True)
    atexit.register(process.wait)
    atexit.register(process.kill)
    os.close(slave)
    os.write(master, ZSH.format(folder=FOLDER).encode())
    read_until(master, b'\ndone\nready> ')
    return master


def zsh(_program, line):
    """What zsh lists for the line."""
    os.write(zsh_terminal(), line.encode() + b'\x14\x15print the-end\n')
    return read_until(zsh_terminal(), b'\nthe-end\nready> ').decode()


def read_until(fd, pattern):
    data = b''
    while pattern not in data:
        assert select.select([fd], [], [], 60)[0], data
        data = (data + os.read(fd, 65536)).replace(b'\r', b'')
    return data


def fish(program, line):
    file = os.path.join(FOLDER, program + '.fish')
    shown = run(['fish', '--no-config'], "source '%s'; complete -C '%s'" % (file, line))
    return re.sub(r'(?m)^(--\w+)$', r'\1=', re.sub(r'(?m)\t.*', '', shown))  # fish adds the '=' by itself


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('files')
    (path / 'image').write_bytes(b'')
    return str(path)


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
@pytest.mark.parametrize('line,words,others', LINES, ids=[line for line, _, _ in LINES])
def test_line(shell, line, words, others, folder):
    if not shutil.which(shell):
        pytest.skip(shell + ' is not installed')
    line = line.replace('{folder}', folder)
    shown = {'bash': bash, 'zsh': zsh, 'fish': fish}[shell](line.split()[0], line)
    found = {last_part(word) for row in shown.splitlines() for word in re.split(r'\s+', row) if word}
    found |= {os.path.basename(word) for word in found}
    for word in words:
        word = os.path.basename(word.replace('{folder}', folder))
        assert last_part(word) in found, shown
    assert not set(others) & found, shown


@pytest.mark.parametrize('shell,names', [('bash', ['rhea.bash', 'rhea-img.bash']), ('zsh', ['_rhea', '_rhea-img']),
                                         ('fish', ['rhea.fish', 'rhea-img.fish'])])
def test_syntax(shell, names):
    if not shutil.which(shell):
        pytest.skip(shell + ' is not installed')
    for name in names:
        subprocess.run([shell, '-n', os.path.join(FOLDER, name)], check=True)
