"""QMP as its clients meet it: the wire, negotiation, errors, events, introspection, and what is not QMP."""
import json
import os
import random
import socket
import subprocess

import pytest

from rhea import Closed, Machine, Qmp, Stream, binary, connect

EMPTY = ['-M', 'none', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-S', '-name', 'vm1']
BOARD = ['-M', 'pc', '-accel', 'tcg', '-display', 'none', '-nodefaults', '-S']


def error(desc, kind='GenericError', **more):
    return dict({'error': {'class': kind, 'desc': desc}}, **more)


def not_found(command, **more):
    return error('The command %s has not been found' % command, 'CommandNotFound', **more)


def parse_error(text):
    return error('JSON parse error, ' + text)


NAME = {'return': {'name': 'vm1'}}
STATUS = {'return': {'status': 'prelaunch', 'singlestep': False, 'running': False}}
VALUE = parse_error('expecting value')

# What is written at once, the replies to it.
CONVERSATION = [
    ('{"execute":"query-status"}\n', [STATUS]),
    ('{"execute":"query-name","id":1}\n', [dict(NAME, id=1)]),
    ('{"execute":"query-name","id":"abc"}\n', [dict(NAME, id='abc')]),
    ('{"id":{"a":[1,2]},"execute":"query-name"}\n', [dict(NAME, id={'a': [1, 2]})]),
    ('{"execute":"query-name","id":null}\n', [dict(NAME, id=None)]),
    ('{"execute":"query-name","id":1.5}\n', [dict(NAME, id=1.5)]),
    ('{"execute":"stop"}\n', [{'return': {}}]),
    ('{"execute":"query-kvm"}\n', [{'return': {'enabled': False, 'present': True}}]),
    ('{"execute":"query-name","arguments":{}}\n', [NAME]),
    ("{'execute':'query-name'}\n", [NAME]),
    ('{"execute":"query-name"}', [NAME]),
    ('\n\n\n', []),
    ('  {"execute" : "query-name" }  \n', [NAME]),
    ('{"execute":"query-name","id":1}{"execute":"query-status","id":2}\n',
     [dict(NAME, id=1), dict(STATUS, id=2)]),
    ('{"execute":"query-name","id":1}\n{"execute":"nosuch","id":3}\n{"execute":"query-status","id":4}\n',
     [dict(NAME, id=1), not_found('nosuch', id=3), dict(STATUS, id=4)]),
    ('{"execute":"que', []),
    ('ry-name"}\n', [NAME]),
    ('{"execute":"nosuch"}\n', [not_found('nosuch')]),
    ('{"execute":"query-status","arguments":{"foo":1}}\n', [error("Parameter 'foo' is unexpected")]),
    ('{"execute":"query-status","foo":1}\n', [error("QMP input member 'foo' is unexpected")]),
    ('{"arguments":{}}\n', [error("QMP input lacks member 'execute'")]),
    ('{}\n', [error("QMP input lacks member 'execute'")]),
    ('[]\n', [error('QMP input must be a JSON object')]),
    ('5\n', [error('QMP input must be a JSON object')]),
    ('"abc"\n', [error('QMP input must be a JSON object')]),
    ('null\n', [error('QMP input must be a JSON object')]),
    ('{"execute":5}\n', [error("QMP input member 'execute' must be a string")]),
    ('{"execute":"query-status","arguments":5}\n', [error("QMP input member 'arguments' must be an object")]),
    ('{"execute":"query-status","arguments":[]}\n', [error("QMP input member 'arguments' must be an object")]),
    ('{"execute":"memsave"}\n', [error("Parameter 'val' is missing")]),
    ('{"execute":"memsave","arguments":{"val":"a"}}\n',
     [error("Invalid parameter type for 'val', expected: integer")]),
    ('{"execute":"memsave","arguments":{"val":1.5}}\n',
     [error("Invalid parameter type for 'val', expected: integer")]),
    ('{"execute":"memsave","arguments":{"val":99999999999999999999}}\n',
     [error("Invalid parameter type for 'val', expected: integer")]),
    ('{"execute":"set-action","arguments":{"reboot":"bogus"}}\n',
     [error("Parameter 'reboot' does not accept value 'bogus'")]),
    ('{"execute":"chardev-remove","arguments":{"id":"nosuch"}}\n', [error("Chardev 'nosuch' not found")]),
    ('{"execute":"qom-get","arguments":{"path":"/nosuch","property":"x"}}\n',
     [error("Device '/nosuch' not found", 'DeviceNotFound')]),
    ('{"execute":"qom-get","arguments":{"path":"/machine","property":"nosuch"}}\n',
     [error("Property 'none-machine.nosuch' not found")]),
    ('{"execute":"qom-get","arguments":{"path":"/machine","property":"type"}}\n', [{'return': 'none-machine'}]),
    ('{"execute":"device-list-properties","arguments":{"typename":"nosuch"}}\n',
     [error("Device 'nosuch' not found", 'DeviceNotFound')]),
    ('{"execute":"device-list-properties","arguments":{"typename":"device"}}\n',
     [error("Parameter 'typename' expects a non-abstract device type")]),
    ('{"execute":"qom-list-properties","arguments":{"typename":"nosuch"}}\n',
     [error("Class 'nosuch' not found", 'DeviceNotFound')]),
    ('{"execute":"human-monitor-command","arguments":{"command-line":"nosuch"}}\n',
     [{'return': "unknown command: 'nosuch'\r\n"}]),
    ('{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}\n',
     [{'return': 'VM status: paused (prelaunch)\r\n'}]),
    ('{"execute":"human-monitor-command","arguments":{"command-line":"info registers","cpu-index":7}}\n',
     [error("Parameter 'cpu-index' expects a CPU number")]),
    ('{"execute":"memsave","arguments":{"val":0,"size":1,"filename":"/dev/null","cpu-index":-1}}\n',
     [error("Parameter 'cpu-index' expects a CPU number")]),
    ('{"execute":"system_wakeup"}\n', [error('Unable to wake up: guest is not in suspended state')]),
    ('{"execute":"cpu","arguments":{"index":1}}\n', [not_found('cpu')]),
    ('{"execute":"query-cpus"}\n', [not_found('query-cpus')]),
    # not JSON
    ('{"execute":"query-name",}\n', [VALUE]),
    ('{"execute" "query-name"}\n', [parse_error('missing : in object pair')]),
    ('{execute:"query-name"}\n', [parse_error("invalid keyword 'execute'")]),
    ('}\n', [VALUE]),
    (']\n', [VALUE]),
    ('nonsense\n', [parse_error("invalid keyword 'nonsense'")]),
    ('{"a":tru}\n', [parse_error("invalid keyword 'tru'")]),
    ('{"execute":"query-name"\n', []),
    ('}\n', [NAME]),
    ('{"execute":"query-name","execute":"query-status"}\n', [parse_error('duplicate key')]),
    ('{"execute":"query-name","id":"\\u00e9\\n\\t\\"\\\\"}\n', [dict(NAME, id='é\n\t"\\')]),
    ('{"execute":"query-name","id":"é"}\n', [dict(NAME, id='é')]),
    (b'{"execute":"query-name","id":"\xff"}\n', [parse_error('stray \'"\ufffd\''), VALUE]),
    ('{"execute":"query-name","id":"\\ud800"}\n', [parse_error('\\ud800 is not a valid Unicode character')]),
    ('{"execute":"query-name","id":"unterminated\n', [parse_error('stray \'"unterminated\n\'')]),
    ('{"execute":"query-name","id":9223372036854775808}\n', [dict(NAME, id=9223372036854775808)]),
    ('{"execute":"query-name","id":1e3}\n', [dict(NAME, id=1000)]),
    ('{"execute":"query-name","id":-0}\n', [dict(NAME, id=0)]),
    (b'\0\n', [parse_error("stray ''")]),
    ('{"execute":"query-name","id":%p}\n', [parse_error("stray '%'"), VALUE]),
    # out of band
    ('{"exec-oob":"query-status","id":1}\n', [error('The command query-status does not support OOB', id=1)]),
    ('{"execute":"query-status","exec-oob":"query-status"}\n',
     [error("QMP input member 'execute' clashes with 'exec-oob'")]),
    ('{"execute":"query-name","id":"after"}\n', [dict(NAME, id='after')]),
]

EXPECTING = error("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound')


@pytest.fixture(name='empty')
def empty_machine():
    """A machine without anything in it: only the protocol."""
    with Machine(*EMPTY) as machine:
        yield machine


def test_conversation():
    with Machine(*EMPTY, '-qmp', 'null') as machine:
        qmp = machine.qmp
        qmp.close()
        qmp = Qmp(machine.path('qmp'), negotiate=False)
        assert qmp.greeting['QMP']['capabilities'] == ['oob']
        version = qmp.greeting['QMP']['version']
        assert version['qemu'] == {'major': 7, 'minor': 2, 'micro': 22}
        assert version['package'].startswith('rhea ')
        assert qmp.raw('{"execute":"query-status"}\n') == EXPECTING
        assert qmp.raw('{"execute":"nosuch"}\n') == EXPECTING
        assert qmp.raw('{"exec-oob":"query-status"}\n') == error("QMP input member 'exec-oob' is unexpected")
        reply = qmp.raw('{"execute":"qmp_capabilities","arguments":{"enable":["bogus"]}}\n')
        assert reply['error']['class'] == 'GenericError'
        assert qmp.raw('{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}\n') == {'return': {}}
        assert qmp.raw('{"execute":"qmp_capabilities"}\n') == error(
            'Capabilities negotiation is already complete, command ignored', 'CommandNotFound')
        for sent, replies in CONVERSATION:
            qmp.send(sent)
            for reply in replies:
                assert qmp.reply() == reply, sent
        assert qmp.command('query-version') == version
        qmp.close()


def test_reply_bytes(empty):
    empty.qmp.send('{"execute":"query-name","id":"\\u00e9\x7f"}')
    assert empty.qmp.expect(rb'\r\n') == '{"return": {"name": "vm1"}, "id": "\\u00E9\\u007F"}\r\n'
    empty.qmp.send('{"execute":"nosuch","id":1}')
    assert empty.qmp.expect(rb'\r\n').startswith('{"id": 1, "error": {"class": "CommandNotFound", "desc": ')


PRETTY = """{
    "return": {
        "running": false,
        "singlestep": false,
        "status": "prelaunch"
    }
}
"""


def test_pretty(tmp_path):
    path = str(tmp_path / 'pretty')
    with Machine(*EMPTY, '-qmp-pretty', 'unix:%s,server=on,wait=off' % path):
        stream = Stream(path)
        stream.expect(r'^\{\r\n    "QMP": \{.*\r\n\}\r\n')
        stream.send('{"execute":"qmp_capabilities"}')
        assert stream.expect(r'\r\n\}\r\n') == '{\r\n    "return": {\r\n    }\r\n}\r\n'
        stream.send('{"execute":"query-status"}')
        reply = stream.expect(r'\r\n\}\r\n')
        assert reply.replace('\r\n', '\n') == PRETTY
        stream.close()


def test_one_client_at_a_time(empty):
    waiting = connect(empty.path('qmp'))
    waiting.settimeout(0.2)
    with pytest.raises(socket.timeout):
        waiting.recv(1)
    empty.qmp.close()
    waiting.settimeout(30)
    greeting = waiting.recv(65536)
    assert b'"QMP"' in greeting
    waiting.sendall(b'{"execute":"query-name"}')
    assert json.loads(waiting.recv(65536)) == EXPECTING
    waiting.close()


def test_several_monitors_hear_events(tmp_path):
    path = str(tmp_path / 'second')
    with Machine(*EMPTY, '-qmp', 'unix:%s,server=on,wait=off' % path) as machine:
        other = Qmp(path)
        silent = machine.qmp
        assert other.command('query-name') == {'name': 'vm1'}
        other.command('cont')
        for client in (other, silent):
            event = client.event('RESUME')
            assert set(event) == {'timestamp', 'event'}
            assert set(event['timestamp']) == {'seconds', 'microseconds'}
        other.close()


def test_tcp():
    with socket.socket() as probe:                          # a port nobody has
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with Machine(*EMPTY, '-qmp', 'tcp:127.0.0.1:%d,server=on,wait=off' % port):
        client = Qmp(('127.0.0.1', port))
        assert client.command('query-name') == {'name': 'vm1'}
        client.close()


def test_stdio():
    requests = b'{"execute":"qmp_capabilities"}{"execute":"query-name"}{"execute":"quit"}'
    run = subprocess.run([binary(), *EMPTY, '-qmp', 'stdio'], input=requests, capture_output=True,
                         timeout=60, check=True)
    messages = [json.loads(line) for line in run.stdout.splitlines()]
    assert 'QMP' in messages[0]
    assert messages[1:3] == [{'return': {}}, NAME]
    assert messages[3]['event'] == 'SHUTDOWN'
    assert messages[3]['data'] == {'guest': False, 'reason': 'host-qmp-quit'}
    assert messages[4] == {'return': {}}


def test_events_come_before_replies(empty):
    qmp = empty.qmp
    rows = [('cont', 'RESUME', None), ('stop', 'STOP', None),
            ('system_reset', 'RESET', {'guest': False, 'reason': 'host-qmp-system-reset'}),
            ('system_powerdown', 'POWERDOWN', None)]
    for command, event, data in rows:
        qmp.send(json.dumps({'execute': command, 'id': command}))
        message = qmp.read()
        assert (message.get('event'), message.get('data')) == (event, data)
        assert qmp.read() == {'return': {}, 'id': command}
    assert qmp.command('set-action', reboot='shutdown', shutdown='pause') == {}
    qmp.send('{"execute":"system_reset"}')
    message = qmp.read()
    assert message['event'] == 'SHUTDOWN'
    assert message['data'] == {'guest': False, 'reason': 'host-qmp-system-reset'}


def test_quit(empty):
    empty.qmp.send('{"execute":"quit","id":"bye"}')
    assert empty.qmp.read()['event'] == 'SHUTDOWN'
    assert empty.qmp.read() == {'return': {}, 'id': 'bye'}
    with pytest.raises(Closed):
        empty.qmp.read()
    assert empty.wait() == 0


def test_slow_client(empty):
    """Requests without reading the replies: input waits meanwhile, and nothing is lost."""
    request = b'{"execute":"query-commands"}'
    empty.qmp.sock.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):                    # until it is not taken any more
        while sent < 1 << 26:
            sent += empty.qmp.sock.send(request[sent % len(request):] + request * 1000)
    empty.qmp.sock.setblocking(True)
    replies = {len(empty.qmp.reply()['return']) for _ in range(sent // len(request))}
    assert len(replies) == 1
    empty.qmp.send(request[sent % len(request):] if sent % len(request) else b'')
    assert 'return' in (empty.qmp.reply() if sent % len(request) else {'return': None})
    assert empty.qmp.command('query-name') == {'name': 'vm1'}


# ---- what hostile or broken clients send ----

def ping(qmp, tag):
    """Whatever came before: after a byte that no JSON has, the next line is a request again."""
    qmp.send(b'\xff\n' + json.dumps({'execute': 'query-name', 'id': tag}).encode() + b'\n')
    while qmp.reply().get('id') != tag:
        pass


def test_nesting(empty):
    qmp = empty.qmp
    assert qmp.raw(b'[' * 1030) == error('JSON nesting depth limit exceeded')
    ping(qmp, 'deep')
    deep = b'{"execute":"query-name","id":' + b'[' * 800 + b']' * 800 + b'}'
    assert 'return' in qmp.raw(deep)


def test_huge_message(empty):
    qmp = empty.qmp
    block = b'x' * (1 << 20)
    qmp.send(b'{"execute":"')
    for _ in range(3):
        qmp.send(block)
    reply = qmp.raw(b'"}')
    assert reply['error']['class'] == 'CommandNotFound'
    ping(qmp, 'huge')


def random_bytes(rng):
    kind = rng.randrange(3)
    if kind == 0:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
    alphabet = b'{}[]:,"\'\\u0123456789-+.eE truefalsnxcid_' if kind == 1 else bytes(range(32, 127))
    return bytes(rng.choice(alphabet) for _ in range(rng.randrange(1, 60)))


def test_random_bytes(empty):
    rng = random.Random(20240229)
    for round_number in range(100):
        empty.qmp.send(b''.join(random_bytes(rng) for _ in range(100)))
        ping(empty.qmp, round_number)
    assert empty.process.poll() is None


SAMPLES = [
    {'execute': 'query-status'}, {'execute': 'query-pci'}, {'execute': 'query-cpus-fast', 'id': 7},
    {'execute': 'query-qmp-schema'}, {'execute': 'stop'}, {'execute': 'cont'},
    {'execute': 'qom-list', 'arguments': {'path': '/machine'}},
    {'execute': 'qom-get', 'arguments': {'path': '/machine', 'property': 'type'}},
    {'execute': 'qom-list-types', 'arguments': {'implements': 'device', 'abstract': True}},
    {'execute': 'device-list-properties', 'arguments': {'typename': 'isa-serial'}},
    {'execute': 'human-monitor-command', 'arguments': {'command-line': 'info mtree', 'cpu-index': 0}},
    {'execute': 'set-action', 'arguments': {'reboot': 'reset', 'panic': 'none'}},
    {'execute': 'ringbuf-read', 'arguments': {'device': 'x', 'size': 5, 'format': 'utf8'}},
    {'execute': 'inject-nmi'}, {'execute': 'system_reset'}, {'exec-oob': 'query-name', 'id': [1]},
]
VALUES = [None, True, 0, -1, 2 ** 63, 2 ** 64, 1.5, '', 'x' * 300, '\0', [], {}, [[]], {'a': 1}, '/machine']


def mutate_value(rng, value):
    """The same request with something in it exchanged, dropped or added."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        value = dict(value)
        key = rng.choice(sorted(value))
        what = rng.randrange(4)
        if what == 0:
            del value[key]
        elif what == 1:
            value[key + 'x'] = value.pop(key)
        elif what == 2:
            value[rng.choice(['id', 'arguments', 'execute', 'extra'])] = rng.choice(VALUES)
        else:
            value[key] = mutate_value(rng, value[key])
        return value
    return rng.choice(VALUES)


def mutated(rng):
    text = json.dumps(mutate_value(rng, rng.choice(SAMPLES))).encode()
    if rng.random() < 0.3:
        at = rng.randrange(len(text))
        text = text[:at] + bytes([rng.randrange(256)]) + text[at + rng.randrange(2):]
    return text


def test_mutated_commands():
    rng = random.Random(20231201)
    with Machine(*BOARD) as machine:
        for round_number in range(100):
            machine.qmp.send(b'\n'.join(mutated(rng) for _ in range(100)))
            ping(machine.qmp, round_number)
        assert machine.process.poll() is None


# ---- introspection ----

def by_name(schema):
    return {entry['name']: entry for entry in schema}


def references(entry):
    """Names of the types an entry speaks of."""
    kind = entry['meta-type']
    if kind == 'array':
        return [entry['element-type']]
    if kind in ('object', 'alternate'):
        return [m['type'] for m in entry['members']] + [v['type'] for v in entry.get('variants', [])]
    if kind == 'command':
        return [entry['arg-type'], entry['ret-type']]
    return [entry['arg-type']] if kind == 'event' else []


def test_schema_is_closed(empty):
    schema = empty.qmp.command('query-qmp-schema')
    entries = by_name(schema)
    assert len(entries) == len(schema)
    used = set()
    for entry in schema:
        for name in references(entry):
            assert name in entries, entry
            assert entries[name]['meta-type'] not in ('command', 'event')
            used.add(name)
        if entry['meta-type'] == 'object' and 'tag' in entry:
            tag = next(m for m in entry['members'] if m['name'] == entry['tag'])
            assert entries[tag['type']]['values'] == [v['case'] for v in entry['variants']]
    for entry in schema:
        assert entry['meta-type'] in ('command', 'event') or entry['name'] in used
    commands = {e['name'] for e in schema if e['meta-type'] == 'command'}
    assert commands == {c['name'] for c in empty.qmp.command('query-commands')}
    events = {e['name'] for e in schema if e['meta-type'] == 'event'}
    assert events == {e['name'] for e in empty.qmp.command('query-events')}


def check_value(entries, name, value, path):
    """A reply against what the schema says of it."""
    entry = entries[name]
    kind = entry['meta-type']
    if kind == 'builtin':
        allowed = {'string': str, 'int': int, 'number': (int, float), 'boolean': bool}.get(entry['json-type'])
        assert allowed is None or isinstance(value, allowed), path
    elif kind == 'enum':
        assert value in entry['values'], path
    elif kind == 'array':
        for index, item in enumerate(value):
            check_value(entries, entry['element-type'], item, '%s[%d]' % (path, index))
    elif kind == 'object':
        members = list(entry['members'])
        if 'tag' in entry:
            variant = next(v for v in entry['variants'] if v['case'] == value[entry['tag']])
            members += entries[variant['type']]['members']
        for member in members:
            if member['name'] in value or 'default' not in member:
                check_value(entries, member['type'], value[member['name']], path + '.' + member['name'])
        assert set(value) <= {member['name'] for member in members}, path


# Queries about what a machine need not have, or that want one of two arguments
ABOUT_ABSENT = {'query-balloon', 'query-backtrace', 'query-symbol', 'query-symbol-source', 'x-query-jit', 'x-query-usb'}


@pytest.mark.parametrize('machine_args', [EMPTY, BOARD], ids=['none', 'pc'])
def test_replies_keep_to_the_schema(machine_args):
    """Every query that needs no argument answers, and with the type that it says."""
    with Machine(*machine_args) as machine:
        entries = by_name(machine.qmp.command('query-qmp-schema'))
        for name, entry in entries.items():
            if entry['meta-type'] != 'command' or not name.startswith(('query-', 'x-query-')):
                continue
            if any('default' not in member for member in entries[entry['arg-type']]['members']):
                continue
            reply = machine.qmp.execute(name)
            if 'error' in reply and name in ABOUT_ABSENT:
                continue
            check_value(entries, entry['ret-type'], reply['return'], name)
        check_value(entries, entries['qom-list-types']['ret-type'], machine.qmp.command('qom-list-types'),
                    'qom-list-types')


# ---- commands that need a board ----

def test_board_queries():
    with Machine(*BOARD, '-smp', '4,sockets=2,cores=2', '-m', '64') as machine:
        qmp = machine.qmp
        cpus = qmp.command('query-cpus-fast')
        assert [(c['cpu-index'], c['props']['socket-id'], c['props']['core-id']) for c in cpus] == \
            [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1)]
        for cpu in cpus:
            assert os.path.isdir('/proc/%d/task/%d' % (machine.process.pid, cpu['thread-id']))
            assert cpu['target'] == 'x86_64'
            assert qmp.command('qom-get', path=cpu['qom-path'], property='type').endswith('-x86_64-cpu')
        assert qmp.command('query-memory-size-summary')['base-memory'] == 64 << 20
        devices = qmp.command('query-pci')[0]['devices']
        assert [(d['slot'], d['function'], d['id']['vendor'], d['id']['device']) for d in devices][:2] == \
            [(0, 0, 0x8086, 0x1237), (1, 0, 0x8086, 0x7000)]


def test_every_object_can_be_listed():
    with Machine(*BOARD) as machine:
        todo, seen = ['/'], 0
        while todo:
            path = todo.pop()
            for prop in machine.qmp.command('qom-list', path=path):
                inner = path.rstrip('/') + '/' + prop['name']
                value = machine.qmp.command('qom-get', path=path, property=prop['name'])
                if prop['type'].startswith('child<'):
                    assert value == inner
                    todo.append(inner)
            seen += 1
        assert seen > 30


def test_every_type_lists_its_properties(empty):
    for entry in empty.qmp.command('qom-list-types', implements='device', abstract=False):
        if not entry['name'].endswith('-x86_64-cpu'):
            empty.qmp.command('device-list-properties', typename=entry['name'])


def test_memory_is_saved(tmp_path):
    path = str(tmp_path / 'dump')
    with Machine(*BOARD) as machine:
        machine.qmp.command('pmemsave', val=0xfffffff0, size=16, filename=path)
        with open(path, 'rb') as file:
            assert file.read()[:1] == b'\xea'               # the far jump at the reset vector
        machine.qmp.command('memsave', val=0, size=5000, filename=path)
        assert os.path.getsize(path) == 5000
        assert machine.qmp.execute('pmemsave', val=0, size=-1, filename=path)['error']['class'] == \
            'GenericError'
        assert 'error' in machine.qmp.execute('pmemsave', val=0, size=1, filename=str(tmp_path))


def test_ring_buffer():
    with Machine(*EMPTY, '-chardev', 'ringbuf,id=r0,size=8') as machine:
        qmp = machine.qmp
        qmp.command('ringbuf-write', device='r0', data='abc')
        assert qmp.command('ringbuf-read', device='r0', size=2) == 'ab'
        qmp.command('ringbuf-write', device='r0', data='gAA=', format='base64')
        assert qmp.command('ringbuf-read', device='r0', size=9, format='base64') == 'Y4AA'
        for arguments, text in [
                ({'device': 'r1', 'size': 1}, "Device 'r1' not found"),
                ({'device': 'compat_monitor0', 'size': 1}, 'compat_monitor0 is not a ringbuf device'),
                ({'device': 'r0', 'size': 0}, 'size must be greater than zero')]:
            assert qmp.execute('ringbuf-read', **arguments) == error(text)
        assert qmp.execute('ringbuf-write', device='r0', data='g!', format='base64') == \
            error('Base64 data contains invalid characters')


def test_send_key():
    with Machine(*BOARD) as machine:
        keys = [{'type': 'qcode', 'data': 'ctrl'}, {'type': 'number', 'data': 0x1e}]
        assert machine.qmp.command('send-key', keys=keys, hold_time=1) == {}
        assert machine.qmp.command('send-key', keys=[]) == {}
        for keys, text in [
                ([{'type': 'qcode', 'data': 'nosuch'}], "Parameter 'data' does not accept value 'nosuch'"),
                ([{'type': 'number', 'data': 'x'}],
                 "Invalid parameter type for 'keys[0].data', expected: integer"),
                ([{'type': 'qcode', 'data': 'a', 'q': 1}], "Parameter 'keys[0].q' is unexpected")]:
            assert machine.qmp.execute('send-key', keys=keys) == error(text)
