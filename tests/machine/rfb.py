"""A VNC viewer as small as can be: RFC 6143 with raw pixels, for tests.

Viewer          a connection that is past its login
Refused         the server did not let it in; the text is its reason
"""
import os
import socket
import ssl
import struct
import subprocess
import time

from rhea import TIMEOUT, Closed, connect

NONE, PASSWORD, VENCRYPT = 1, 2, 19
TLS_NONE, TLS_PASSWORD, X509_NONE, X509_PASSWORD = 257, 258, 260, 261
RAW, COPY_RECT, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE = 0, 1, -223, -308
POINTER_TYPE, LED_STATE, EXTENDED_KEYS = -257, -261, -258


class Refused(Exception):
    pass


def answer(challenge, password):
    """7.2.2: DES, with the bits of each byte of the key the other way round."""
    key = bytes(int('{:08b}'.format(byte)[::-1], 2) for byte in password.encode()[:8].ljust(8, b'\0'))
    return subprocess.run(['openssl', 'enc', '-des-ecb', '-nopad', '-provider', 'legacy', '-provider', 'default',
                           '-K', key.hex()], input=challenge, capture_output=True, check=True).stdout


class Viewer:
    """`at`: a UNIX socket's path, (host, port), or a socket; `tls`: an SSLContext for VeNCrypt."""

    def __init__(self, at, password=None, shared=True, version=b'003.008', tls=None, timeout=TIMEOUT):
        self.sock = at if isinstance(at, (socket.socket, ssl.SSLSocket)) else connect(at, timeout)
        self.sock.settimeout(timeout)
        self.tls = tls
        self.encodings = []
        self.other = []                                 # rectangles that are no pixels: encoding, x, y, w, h, data
        self.version = version
        try:
            self.login(password)
            self.send(struct.pack('B', shared))
            self.read_server_init()
        except Exception:
            self.close()
            raise

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- bytes ----

    def send(self, data):
        self.sock.sendall(data)

    def read(self, size):
        data = b''
        while len(data) < size:
            part = self.sock.recv(min(size - len(data), 1 << 20))
            if not part:
                raise Closed(data)
            data += part
        return data

    def unpack(self, layout):
        return struct.unpack('>' + layout, self.read(struct.calcsize('>' + layout)))

    def text(self):
        return self.read(self.unpack('I')[0]).decode()

    # ---- login: 7.1, 7.2 ----

    def login(self, password):
        self.greeting = self.read(12)
        self.send(b'RFB ' + self.version + b'\n')
        wanted = VENCRYPT if self.tls else PASSWORD if password is not None else NONE
        if self.version == b'003.003':
            self.types = list(self.unpack('I'))
            if self.types == [0]:
                raise Refused(self.text())
        else:
            self.types = list(self.read(self.unpack('B')[0]))
            if not self.types:
                raise Refused(self.text())
            if wanted not in self.types:
                raise Refused('only %r is offered' % self.types)
            self.send(bytes([wanted]))
        if wanted == VENCRYPT:
            self.vencrypt(password)
        if password is not None:
            self.challenge = self.read(16)
            self.send(answer(self.challenge, password))
        if (password is not None or wanted == VENCRYPT or self.version == b'003.008') and self.unpack('I')[0] != 0:
            raise Refused(self.text() if self.version == b'003.008' else '')

    def vencrypt(self, password):
        assert self.read(2) == b'\0\2'
        self.send(b'\0\2')
        assert self.read(1) == b'\0'
        self.sub_types = self.unpack('%dI' % self.unpack('B'))
        wanted = [t for t in self.sub_types if t in ((TLS_PASSWORD, X509_PASSWORD) if password is not None
                                                      else (TLS_NONE, X509_NONE))]
        if not wanted:
            raise Refused('only %r is offered' % (self.sub_types,))
        self.send(struct.pack('>I', wanted[0]))
        assert self.read(1) == b'\1'
        self.sock = self.tls.wrap_socket(self.sock, server_hostname='localhost')

    def read_server_init(self):
        self.width, self.height, *_ = self.unpack('HHBBBBHHHBBBxxx')
        self.name = self.text()
        self.pixels = bytearray(4 * self.width * self.height)
        self.send(struct.pack('>BxxxBBBBHHHBBBxxx', 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))

    # ---- what it says: 7.5 ----

    def set_encodings(self, *encodings):
        self.encodings = encodings
        self.send(struct.pack('>BxH%di' % len(encodings), 2, len(encodings), *encodings))

    def ask(self, incremental=False):
        self.send(struct.pack('>BBHHHH', 3, incremental, 0, 0, self.width, self.height))

    def key(self, keysym, down):
        self.send(struct.pack('>BBxxI', 4, down, keysym))

    def type(self, text):
        for character in text:
            keysym = 0xff0d if character == '\n' else ord(character)
            self.key(keysym, True)
            self.key(keysym, False)

    def pointer(self, x, y, buttons=0):
        self.send(struct.pack('>BBHH', 5, buttons, x, y))

    # ---- what it hears: 7.6 ----

    def read_rectangle(self):
        x, y, w, h, encoding = self.unpack('HHHHi')
        if encoding == RAW:
            for line in range(h):
                at = 4 * ((y + line) * self.width + x)
                self.pixels[at:at + 4 * w] = self.read(4 * w)
            return
        data = b''
        if encoding in (DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE):
            if encoding == EXTENDED_DESKTOP_SIZE:
                data = self.read(4)
                data += self.read(16 * data[0])
            self.width, self.height = w, h
            self.pixels = bytearray(4 * w * h)
        elif encoding == LED_STATE:
            data = self.read(1)
        self.other.append((encoding, x, y, w, h, data))

    def update(self):
        """The next FramebufferUpdate; everything else in front of it is read over."""
        while True:
            kind = self.unpack('B')[0]
            if kind == 0:
                for _ in range(self.unpack('xH')[0]):
                    self.read_rectangle()
                return
            if kind == 3:
                self.read(3)
                self.text()
            else:
                assert kind == 2, kind                  # a bell

    def picture(self):
        """The whole screen, as (width, height, bytes of B, G, R, nothing)."""
        self.ask()
        self.update()
        return self.width, self.height, bytes(self.pixels)

    def wait(self, seen, timeout=TIMEOUT):
        """Updates until seen(viewer)."""
        deadline = time.monotonic() + timeout
        self.ask()
        while True:
            self.update()
            if seen(self):
                return
            assert time.monotonic() < deadline
            self.ask(incremental=True)


def save(viewer, path):
    """For people: what the viewer sees, as PPM."""
    pixels = viewer.pixels
    with open(path, 'wb') as file:
        file.write(b'P6\n%d %d\n255\n' % (viewer.width, viewer.height))
        file.write(bytes(pixels[at + 2 - c] for at in range(0, len(pixels), 4) for c in range(3)))
    return os.path.getsize(path)
