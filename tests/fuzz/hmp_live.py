#!/usr/bin/python3
"""Types lines at a live machine's monitor: its own commands with arguments right, odd and wrong.

    tests/fuzz/hmp_live.py --tables build/completions/tables.json [--seconds N] [--seed N] [--rhea PATH] [--log FILE]

Words come from the tables and from what Tab offers.  Each line must be answered, the process must live
and not grow without bound.  What was typed is in the log, so that a failure can be played again with
the same seed.
"""
import json
import os
import re
import time

import live
from live import rhea

LETHAL = {'quit', 'q'}                                      # and their place in `json` and `watch`
LINES_PER_MACHINE = 3000
NUMBERS = ['0', '1', '2', '7', '64', '255', '4096', '0x10000', '0x7fffffff', '0xffffffff', '0x100000000',
           '0x7fffffffffffffff', '0xffffffffffffffff', '-1', '1<<63', '$rip', '$cr3', '$nosuch', '(', '1/0', '.5', '1.5G']
FORMATS = ['/8xb', '/4xw', '/2xg', '/3i', '/5c', '/9999x', '/0d', '/z']
ODD = ['"', '"a b"', "'", '\\', '-f', '-x', '--', ',', '=', ',,=', 'x' * 300, 'é', '{', '{"a":1}', '%s%n', '/']
KEYS = [b'\t', b'\t\t', b'\x15', b'\x17', b'\x7f', b'\x01', b'\x05', b'\x0b', b'\x1b[A', b'\x1b[B', b'\x1b[D', b'\x1b', b'\x04']


class Fuzzer(live.LiveFuzzer):
    def __init__(self, tables, *given):
        super().__init__(*given)
        self.commands = ([(row['name'], row['args']) for row in tables['commands'] if row['name'] not in LETHAL] +
                         [('info ' + row['name'], row['args']) for row in tables['topics']])
        self.types = [row for name in ('devices', 'objects', 'chardevs', 'netdevs') for row in tables[name]
                      if row['name'] != 'tap']              # would change the host's network
        self.words = {'nic0', 'net1', 'rb0', 'cd0', 'disk0', 'io0', 'qcow2', 'raw', 'on', 'off', '/machine', 'pause'}
        self.typed = 0

    def start(self):
        disk = os.path.join(self.folder, 'disk.raw')
        with open(disk, 'wb') as file:
            file.truncate(1 << 20)
        self.machine = rhea.Machine(
            '-accel', 'tcg', '-m', '32', '-smp', '2', '-nodefaults', '-display', 'none', '-no-shutdown',
            '-chardev', 'ringbuf,id=rb0', '-object', 'iothread,id=io0', '-netdev', 'hubport,id=net1,hubid=0',
            '-device', 'e1000,netdev=net1,id=nic0', '-device', 'virtio-balloon-pci,id=balloon0', '-usb',
            '-device', 'usb-tablet,id=tablet', '-drive', 'if=none,id=disk0,format=raw,file=' + disk,
            '-device', 'virtio-blk-pci,drive=disk0,id=vd0', '-drive', 'if=ide,media=cdrom,id=cd0',
            hmp=True, program=self.program)

    # ---- lines ----

    def option_text(self):
        row = self.random.choice(self.types)
        parts = [row['name']] + ['id=' + self.random.choice(['a', 'b', 'nic0', '1'])] * (self.random.random() < 0.7)
        for key in self.random.sample(row['keys'], min(len(row['keys']), self.random.choice([0, 1, 1, 2, 4]))):
            parts.append(key['name'] + '=' + self.random.choice(key.get('values') or [self.word()]))
        return ','.join(parts)

    def path(self):
        return os.path.join(self.folder, self.random.choice(['a', 'b', 'disk.raw', 'nosuch/x']))

    def word(self):
        choice = self.random.random()
        if choice < 0.5:
            return self.random.choice(sorted(self.words))
        return self.random.choice(NUMBERS if choice < 0.8 else ODD)

    def argument(self, arg):
        if self.random.random() < 0.1:
            return self.random.choice(ODD)
        kind = arg['kind']
        if kind in ('flag', 'option'):
            return arg['flag'] + (' ' + self.word() if kind == 'option' else '') if self.random.random() < 0.4 else ''
        if kind == 'file' or arg['name'] == 'file':
            return '"%s"' % self.path()
        if 'values' in arg:
            return self.random.choice(arg['values'] + [self.word()])
        if kind in ('expression', 'size'):
            return self.random.choice(NUMBERS)
        if kind == 'format':
            return self.random.choice(FORMATS)
        if kind == 'bool':
            return self.random.choice(['on', 'off', 'maybe'])
        if kind == 'line':
            return self.line(nested=True)
        if arg['name'] in ('device', 'object', 'args', 'netdev') and self.random.random() < 0.8:
            return self.option_text()
        return self.word()

    def line(self, nested=False):
        name, args = self.random.choice(self.commands)
        if nested and name in ('json', 'watch', 'help'):
            name, args = 'info status', []
        words = [name]
        for arg in args:
            if self.random.random() < 0.95:
                words.append(self.argument(arg))
        return ' '.join(words + [self.word()] * (self.random.random() < 0.05))

    def keys(self):
        """Editing keys, and Tab at any place."""
        line = self.line().encode()
        for _ in range(self.random.choice([1, 2, 5])):
            at = self.random.randrange(len(line) + 1)
            line = line[:at] + self.random.choice(KEYS) + line[at:]
        return line

    def harmless(self, data):
        """Neither leaves, nor names a file outside of the folder."""
        text = data.decode(errors='replace')
        outside = re.search(r'(?<![\w.])/(?!machine|objects|backend|chardevs|[0-9]*[a-z]*\b)', text.replace(self.folder, ''))
        return not outside and not re.search(r'\b(q|quit|tap|stdio|pty)\b', text)

    # ---- the conversation ----

    def type(self, data):
        self.log.write(data + b'\n')
        self.log.flush()
        self.typed += 1
        self.machine.hmp.send(data + b'\x1b[F\x15\n')       # whatever is left of a line goes
        self.machine.hmp.send(b'print /x 0x7ab1e + %d\n' % self.typed)
        self.learn(self.machine.hmp.expect(rb'\r\n0x%x\r\n\(qemu\) ' % (0x7ab1e + self.typed)))

    def run(self, line):
        """The same through QMP, which echoes nothing."""
        self.log.write(line.encode() + b'\n')
        self.log.flush()
        self.typed += 1
        self.learn(self.machine.qmp.hmp(line))
        del self.machine.qmp.events[:-10]

    def learn(self, shown):
        for word in re.findall(r"[\w./#-]{2,40}", shown)[:200]:
            if len(self.words) < 1500 and not word.startswith('/'):
                self.words.add(word)

    def one(self):
        choice = self.random.random()
        if choice < 0.8:
            line = self.line()
            if self.harmless(line.encode()):
                self.run(line)
            return
        data = self.keys() if choice < 0.97 else bytes(self.random.randrange(1, 256)
                                                       for _ in range(self.random.randrange(60)))
        if self.harmless(data):
            self.type(data)

    def run_machine(self, end):
        self.start()
        with self.machine:
            for number in range(LINES_PER_MACHINE):
                if time.monotonic() > end:
                    break
                if number % 100 == 99:
                    self.check()
                try:
                    self.one()
                except (rhea.Closed, ConnectionError):
                    if self.ended():
                        break
                    raise


def main():
    options = live.parser(__doc__)
    options.add_argument('--tables', required=True)
    arguments = options.parse_args()
    with open(arguments.tables, encoding='utf-8') as file:
        tables = json.load(file)
    fuzzer = live.run(arguments, lambda *given: Fuzzer(tables, *given))
    print('%d lines' % fuzzer.typed)


if __name__ == '__main__':
    main()
