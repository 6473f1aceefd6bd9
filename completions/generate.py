#!/usr/bin/env python3
"""The program's tables -> completions for bash, zsh and fish.

usage: generate.py TABLES.json OUTDIR
"""
import os
import sys

sys.dont_write_bytecode = True

import bash_zsh  # noqa: E402
import fish  # noqa: E402
from model import Tables  # noqa: E402


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tables = Tables(sys.argv[1])
    files = {'rhea.bash': bash_zsh.bash(tables), 'rhea-img.bash': bash_zsh.bash_img(tables),
             '_rhea': bash_zsh.zsh(tables), '_rhea-img': bash_zsh.zsh_img(tables),
             'rhea.fish': fish.rhea(tables), 'rhea-img.fish': fish.rhea_img(tables)}
    for name, lines in files.items():
        with open(os.path.join(sys.argv[2], name), 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
