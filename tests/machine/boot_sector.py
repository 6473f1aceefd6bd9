"""Boot sectors: 16-bit code for guests that need no more than that."""
import subprocess


def assemble(folder, source):
    """The 512 bytes at 7c00 that `source` (as's syntax, ".org 510; .word 0xaa55" and all) stands for."""
    path = str(folder) + '/sector'
    with open(path + '.S', 'w', encoding='ascii') as out:
        out.write(source)
    subprocess.run(['as', '--32', '-o', path + '.o', path + '.S'], check=True)
    subprocess.run(['ld', '-m', 'elf_i386', '-Ttext', '0x7c00', '-e', '0x7c00', '--oformat', 'binary', '-o',
                    path + '.bin', path + '.o'], check=True)
    with open(path + '.bin', 'rb') as image:
        data = image.read()
    assert len(data) == 512
    return data
