#!/usr/bin/env python3
"""Each NAME.json here breaks one rule of the QMP schema; the generator must say what NAME.txt says.

usage: run.py GENERATE.PY
"""
import glob
import os
import subprocess
import sys
import tempfile


def complaint(generator, name):
    """What the generator says about a schema that it has to refuse."""
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run([sys.executable, generator, 'bad', out, name], capture_output=True,
                             text=True, check=False)
        if run.returncode == 0 or os.listdir(out):
            return 'accepted'
        return run.stderr.strip().removeprefix('generate.py: ')


def main():
    generator = os.path.abspath(sys.argv[1])
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    failures = 0
    for name in sorted(glob.glob('*.json')):
        with open(name[:-5] + '.txt', encoding='utf-8') as file:
            expected = file.read().strip()
        got = complaint(generator, name)
        if got != expected:
            failures += 1
            print(f'{name}:\n  expected: {expected}\n  got:      {got}')
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
