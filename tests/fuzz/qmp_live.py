#!/usr/bin/python3
"""Feeds a live machine QMP commands made from its own schema, with arguments right, odd and wrong.

    tests/fuzz/qmp_live.py [--seconds N] [--seed N] [--rhea PATH] [--log FILE]

Each request must be answered, within a few seconds, by a return or an error of a known class; the
process must live and not grow without bound.  What was sent is in the log, so that a failure can be
played again with the same seed.
"""
import array
import base64
import json
import os
import socket
import time

import live
from live import rhea

# Ends the machine, on purpose; what remains of the process is the test's.
LETHAL = {'quit'}
CLASSES = {'GenericError', 'CommandNotFound', 'DeviceNotActive', 'DeviceNotFound', 'KVMMissingCap'}
REQUESTS_PER_MACHINE = 3000
NUMBERS = [0, 1, 2, 7, 64, 255, 4095, 4096, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40,
           (1 << 63) - 1, -1, -2, -(1 << 31), -(1 << 63)]
WRONG = [None, True, -1, 1.5, 1 << 64, '', 'x' * 5000, [], {}, [[]], {'a': {'b': []}}, '\u0000', '\ud83d\ude00', '\u00e9']


class Fuzzer(live.LiveFuzzer):
    def __init__(self, *given):
        super().__init__(*given)
        self.words = set()
        self.sent = self.errors = 0

    # ---- the machine ----

    def start(self):
        disk = os.path.join(self.folder, 'disk.raw')
        with open(disk, 'wb') as file:
            file.truncate(1 << 20)
        self.machine = rhea.Machine(
            '-M', 'pc', '-accel', 'tcg', '-m', '32', '-nodefaults', '-display', 'none', '-no-reboot', '-no-shutdown',
            '-blockdev', 'file,node-name=f0,filename=%s' % disk, '-blockdev', 'raw,node-name=r0,file=f0',
            '-device', 'virtio-blk-pci,id=blk0,drive=r0', '-drive', 'if=none,id=cd0,media=cdrom',
            '-device', 'ide-cd,id=cd,drive=cd0', '-netdev', 'hubport,id=n0,hubid=0',
            '-device', 'virtio-net-pci,id=nic0,netdev=n0', '-device', 'virtio-balloon-pci,id=bal0',
            '-device', 'piix3-usb-uhci,id=uhci', '-device', 'usb-tablet,id=tab0', '-chardev', 'ringbuf,id=ring0',
            '-object', 'iothread,id=io0', '-device', 'pc-testdev',
            program=self.program)
        self.connect()
        schema = {entry['name']: entry for entry in self.machine.qmp.command('query-qmp-schema')}
        self.schema = schema
        self.commands = [entry for entry in schema.values() if entry['meta-type'] == 'command' and
                         entry['name'] not in LETHAL]

    def connect(self):
        """A new client now and then, half of them with out-of-band requests."""
        self.machine.qmp.close()
        self.machine.qmp = rhea.Qmp(self.machine.path('qmp'), negotiate=False, timeout=60)
        self.oob = self.random.random() < 0.5
        self.machine.qmp.command('qmp_capabilities', enable=['oob'] if self.oob else [])

    # ---- values ----

    def path(self):
        return os.path.join(self.folder, self.random.choice(['a', 'b', 'disk.raw', 'nosuch/x', '']))

    def text(self, name):
        choice = self.random.random()
        if 'file' in name or 'path' in name or name in ('out', 'in', 'logfile', 'device' if choice < 0.1 else ''):
            return self.path()
        if name == 'protocol':
            return 'file:' + self.path()
        if name == 'data':
            return base64.b64encode(bytes(self.random.randrange(64))).decode()
        if name == 'command-line':
            return self.random.choice(['info status', 'info block', 'info qtree', 'help', 'x/4i $pc', 'nosuch'])
        if choice < 0.6 and self.words:
            return self.random.choice(sorted(self.words))
        return self.random.choice(['a', 'b0', 'ide.0', 'pci.0', 'string', '1', '#x', 'a b', '/machine', 'x' * 300])

    def value(self, type_name, name='', depth=0):
        entry = self.schema[type_name]
        kind = entry['meta-type']
        if self.random.random() < 0.03:
            return self.random.choice(WRONG)
        if kind == 'builtin':
            return self.builtin(entry['json-type'], name)
        if kind == 'enum':
            return self.random.choice(entry['values'] if 'values' in entry else [m['name'] for m in entry['members']])
        if kind == 'array':
            return [self.value(entry['element-type'], name, depth + 1) for _ in range(self.random.choice([0, 1, 1, 2, 9]))]
        if kind == 'alternate':
            return self.value(self.random.choice(entry['members'])['type'], name, depth + 1)
        return self.object(entry, depth)

    def builtin(self, kind, name):
        if kind == 'int' or kind == 'number':
            return self.random.choice(NUMBERS)
        if kind == 'boolean':
            return self.random.random() < 0.5
        if kind == 'string':
            return self.text(name)
        if kind == 'null':
            return None
        return self.random.choice(WRONG + [self.text(name), self.random.choice(NUMBERS)])

    def object(self, entry, depth):
        result = {}
        for member in entry['members']:
            if 'default' in member and (depth > 3 or self.random.random() < 0.6):
                continue
            if 'default' not in member and self.random.random() < 0.02:
                continue
            result[member['name']] = self.value(member['type'], member['name'], depth + 1)
        tag = entry.get('tag')
        if tag in result:
            for variant in entry['variants']:
                if variant['case'] == result[tag]:
                    result.update(self.object(self.schema[variant['type']], depth + 1))
        if self.random.random() < 0.02:
            result['x' + self.text('')[:20]] = self.random.choice(WRONG)
        return result

    # ---- requests ----

    def request(self):
        command = self.random.choice(self.commands)
        key = 'exec-oob' if self.oob and self.random.random() < 0.1 else 'execute'
        message = {key: command['name'], 'id': self.sent}
        arguments = self.object(self.schema[command['arg-type']], 0)
        if command['name'] == 'device_add':
            arguments.setdefault('id', self.text('id'))
        if command['name'] == 'wait-event':                 # must end by itself
            arguments['timeout'] = self.random.choice([0, 1, 20])
        if arguments.get('type') == 'tap':                  # would change the host's network
            arguments['type'] = 'hubport'
        if arguments or self.random.random() < 0.5:
            message['arguments'] = arguments
        return message

    def learn(self, value):
        """Names the machine itself uses are good arguments."""
        if isinstance(value, dict):
            for inner in value.values():
                self.learn(inner)
        elif isinstance(value, list):
            for inner in value[:50]:
                self.learn(inner)
        elif isinstance(value, str) and 0 < len(value) < 80 and len(self.words) < 2000:
            self.words.add(value)

    def send(self, message):
        data = json.dumps(message).encode() + b'\n'
        self.log.write(data)
        self.log.flush()
        if self.random.random() < 0.02:
            at = self.random.randrange(len(data))
            data = data[:at] + bytes([self.random.randrange(256)]) + data[at + 1:]
        if self.random.random() < 0.1:
            with open('/dev/null', 'r+b') as null:
                self.machine.qmp.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                        array.array('i', [null.fileno()] * self.random.choice([1, 1, 3])))])
        else:
            self.machine.qmp.send(data)
        return data == json.dumps(message).encode() + b'\n'

    def one(self):
        message = self.request()
        self.sent += 1
        if not self.send(message):                          # what was broken may swallow what follows
            self.connect()
            return
        while True:
            reply = self.machine.qmp.reply()
            del self.machine.qmp.events[:-10]
            if reply.get('id') == message['id']:
                break
        if 'error' in reply:
            self.errors += 1
            assert reply['error']['class'] in CLASSES and reply['error']['desc'], reply
        elif message.get('execute', '').startswith(('query-', 'qom-list')):
            self.learn(reply['return'])

    def run_machine(self, end):
        self.start()
        with self.machine:
            for number in range(REQUESTS_PER_MACHINE):
                if time.monotonic() > end or self.machine.process.poll() is not None:
                    break
                if number % 100 == 99:
                    self.check()
                    self.connect()
                try:
                    self.one()
                except (rhea.Closed, ConnectionError):
                    if not self.ended(1):                   # it may have cut itself off
                        self.connect()


def main():
    fuzzer = live.run(live.parser(__doc__).parse_args(), Fuzzer)
    print('%d requests, %d of them refused' % (fuzzer.sent, fuzzer.errors))


if __name__ == '__main__':
    main()
