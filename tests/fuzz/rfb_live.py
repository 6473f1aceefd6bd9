#!/usr/bin/python3
"""Viewers of a live machine's screen that say what viewers say, and what none would.

    tests/fuzz/rfb_live.py [--seconds N] [--seed N] [--rhea PATH] [--log FILE]

Several are there at once, behind RFB 3.3 to 3.8 and behind a WebSocket; some never read, some leave in
the middle of a message.  The process must live, answer its monitor and not grow without bound.
"""
import os
import select
import socket
import struct
import time

import live
from live import rhea

VIEWERS = 8
STEPS_PER_MACHINE = 4000
ENCODINGS = [0, 1, 2, 5, 6, 7, 16, 17, 9, -223, -224, -232, -239, -257, -258, -259, -261, -307, -308, -313, -312,
             -32, -23, -256, -247, -0x3f5e1a4e, 0x574d5664, 0x7fffffff, -1]
REQUEST = (b'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
           b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')


class Viewer:
    def __init__(self, fuzzer, path, websocket):
        self.random = fuzzer.random
        self.reads = self.random.random() < 0.7
        self.websocket = websocket
        self.socket = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.socket.setblocking(False)
        if websocket:
            self.raw(REQUEST)
        self.send(self.random.choice([b'RFB 003.008\n'] * 6 + [b'RFB 003.007\n', b'RFB 003.003\n', b'RFB 999.999\n']) +
                  self.random.choice([b'\1\1'] * 6 + [b'\1\0', b'\2\1', b'\x13\1']))

    def raw(self, data):
        try:
            return self.socket.send(data) == len(data)
        except BlockingIOError:
            return True                                     # it does not read us now: so be it
        except OSError:
            return False

    def send(self, data):
        if not self.websocket:
            return self.raw(data)
        mask = self.random.randbytes(4)
        body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        size = (bytes([0x80 | len(data)]) if len(data) < 126 else b'\xfe' + struct.pack('>H', len(data))
                if len(data) < 65536 else b'\xff' + struct.pack('>Q', len(data)))
        opcode = self.random.choice([0x82] * 20 + [0x02, 0x00, 0x89, 0x8a, 0x88, 0x83, 0xf2])
        return self.raw(bytes([opcode]) + size + mask + body)

    def number(self):
        return self.random.choice([0, 1, 15, 16, 64, 640, 720, 1024, 4096, 0x7fff, 0xfffe, 0xffff, self.random.getrandbits(16)])

    def pixel_format(self):
        bits = self.random.choice([8, 16, 32, 32, 32, 24, 0, 255])
        top = self.random.choice([255, 255, 31, 7, 1, 0, 65535, 254])
        shifts = [self.random.choice([0, 3, 5, 6, 8, 11, 16, 24, 31, 255]) for _ in range(3)]
        return struct.pack('>B3x4B3H3B3x', 0, bits, self.random.choice([8, 24, 32]), self.random.getrandbits(1),
                           self.random.choice([1, 1, 1, 0]), top, top, top, *shifts)

    def encodings(self):
        chosen = [self.random.choice(ENCODINGS) for _ in range(self.random.choice([0, 1, 3, 12, 300]))]
        return struct.pack('>BxH', 2, len(chosen)) + b''.join(struct.pack('>i', one) for one in chosen)

    def update_request(self):
        whole = self.random.random() < 0.7
        area = (0, 0, 0xffff, 0xffff) if whole else tuple(self.number() for _ in range(4))
        return struct.pack('>BB4H', 3, self.random.getrandbits(1), *area)

    def key(self):
        keysym = self.random.choice([0x20 + self.random.getrandbits(6), 0xff00 + self.random.getrandbits(8), 0xffe3, 0xffe9,
                                     0x31, 0x32, 0x39, 0x1000000 + self.random.getrandbits(16), self.random.getrandbits(32)])
        down = self.random.getrandbits(1)
        if self.random.random() < 0.5:
            return struct.pack('>BBxxI', 4, down, keysym)
        return struct.pack('>BBHII', 255, self.random.choice([0, 0, 0, 1, 2]), down, keysym,
                           self.random.choice([self.random.getrandbits(8), 0x1d, 0x38, 2, 3, self.random.getrandbits(32)]))

    def pointer(self):
        return struct.pack('>BBHH', 5, self.random.getrandbits(8), self.number(), self.number())

    def cut_text(self):
        size = self.random.choice([0, 5, 4000, 70000])
        told = self.random.choice([size] * 8 + [0xffffffff, 0x80000000, 1 << 20])
        return struct.pack('>B3xI', 6, told) + bytes(size)

    def desktop_size(self):
        screens = self.random.choice([0, 1, 1, 3, 255])
        return struct.pack('>BxHHBx', 251, self.number(), self.number(), screens) + self.random.randbytes(16 * screens)

    def rubbish(self):
        return self.random.randbytes(self.random.choice([1, 4, 20, 1000]))

    def step(self):
        """False: it is gone."""
        if self.reads:
            try:
                while self.socket.recv(1 << 16):
                    pass
                return False
            except BlockingIOError:
                pass
            except OSError:
                return False
        make = self.random.choice([self.update_request] * 10 + [self.key, self.pointer] * 6 +
                                  [self.pixel_format, self.encodings, self.cut_text, self.desktop_size] * 2 +
                                  [self.rubbish] * (self.random.random() < 0.1))
        message = make()
        if self.random.random() < 0.01:
            self.send(message[:self.random.randrange(len(message) + 1)])
            return False
        return self.send(message)


class Fuzzer(live.LiveFuzzer):
    def __init__(self, *given):
        super().__init__(*given)
        self.steps = self.viewers_made = 0
        self.port = 5760 + self.random.randrange(100)

    def start(self):
        self.path = os.path.join(self.folder, 'vnc')
        lossy = self.random.choice(['', ',lossy=on'])
        self.machine = rhea.Machine('-accel', 'tcg', '-m', '64', '-machine', 'usb=on', '-vga', 'std', '-device', 'usb-tablet',
                                    '-vnc', 'unix:%s%s' % (self.path, lossy),
                                    '-vnc', '127.0.0.1:90,to=9,id=w,websocket=127.0.0.1:%d' % self.port, program=self.program)

    def run_machine(self, end):
        self.start()
        with self.machine:
            viewers = []
            for step in range(STEPS_PER_MACHINE):
                if time.monotonic() > end:
                    break
                if len(viewers) < VIEWERS:
                    websocket = self.random.random() < 0.25
                    viewers.append(Viewer(self, ('127.0.0.1', self.port) if websocket else self.path, websocket))
                    self.viewers_made += 1
                viewer = self.random.choice(viewers)
                if not viewer.step():
                    viewer.socket.close()
                    viewers.remove(viewer)
                self.steps += 1
                if step % 200 == 0:
                    self.check()
                    self.machine.qmp.command('query-vnc')
                    select.select([], [], [], 0.02)
            for viewer in viewers:
                viewer.socket.close()
            self.machine.qmp.command('quit')
            assert self.ended(30), 'it does not end'


def main():
    fuzzer = live.run(live.parser(__doc__).parse_args(), Fuzzer)
    print('%d messages of %d viewers' % (fuzzer.steps, fuzzer.viewers_made))


if __name__ == '__main__':
    main()
