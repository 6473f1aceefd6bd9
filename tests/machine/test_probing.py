"""What a management tool asks a machine without a guest: CPU models, types, options."""
import re
import socket

import pytest

from conftest import kvm_usable
from rhea import Machine, run

NONE = ['-machine', 'none', '-nodefaults', '-display', 'none']


@pytest.fixture(scope='module')
def qmp():
    with Machine(*NONE, '-accel', 'tcg') as machine:
        yield machine.qmp


def expand(qmp, kind, name, **props):
    return qmp.command('query-cpu-model-expansion', type=kind, model={'name': name, 'props': props})['model']


def test_cpu_definitions(qmp):
    models = {model['name']: model for model in qmp.command('query-cpu-definitions')}
    listed = re.findall(r'^x86 (\S+)$', run('-cpu', 'help').stdout, re.MULTILINE)
    assert sorted(models) == sorted(listed)
    assert models['qemu64']['alias-of'] == 'qemu64-v1' and 'alias-of' not in models['qemu64-v1']
    assert models['qemu64']['typename'] == 'qemu64-x86_64-cpu'
    assert [name for name, model in models.items() if model['static']] == ['base']
    assert sorted(name for name, model in models.items() if not model['migration-safe']) == ['host', 'max']
    assert models['max']['unavailable-features'] == [] and models['host']['unavailable-features'] == ['kvm']
    assert 'avx512f' in models['Skylake-Server']['unavailable-features']


def test_a_static_expansion_is_the_model(qmp):
    """base with what it lists is the same CPU again."""
    for name in ('qemu64', 'Haswell', 'EPYC', 'max'):
        static = expand(qmp, 'static', name)
        assert static['name'] == 'base'
        assert expand(qmp, 'static', 'base', **static['props']) == static
    full = expand(qmp, 'full', 'Haswell', aes=False, **{'model-id': 'one, two'})
    assert full['name'] == 'Haswell' and full['props']['model-id'] == 'one, two'
    assert full['props']['aes'] is False and full['props']['lm'] is True and full['props']['family'] == 6


@pytest.mark.parametrize('model, message', [
    ({'name': 'nosuch'}, "CPU model 'nosuch' not found"),
    ({'name': 'qemu64', 'props': {'avxx': True}}, "Property 'qemu64-x86_64-cpu.avxx' not found"),
    ({'name': 'qemu64', 'props': []}, "Invalid parameter type for 'model.props', expected: object"),
    ({'name': 'qemu64', 'props': {'avx': [1]}}, "Invalid parameter type for 'avx', expected: string, integer or boolean"),
    ({'name': 'host'}, "CPU model 'host' requires KVM or HVF"),
])
def test_models_that_are_none(qmp, model, message):
    reply = qmp.execute('query-cpu-model-expansion', type='full', model=model)
    assert reply['error']['desc'] == message


def test_types(qmp):
    def properties(name):
        return {prop['name']: prop['type'] for prop in qmp.command('qom-list-properties', typename=name)}

    names = {kind['name'] for kind in qmp.command('qom-list-types')}
    assert {'tcg-accel', 'kvm-accel', 'max-x86_64-cpu', 'pc-i440fx-7.2-machine', 'pvpanic', 'secret'} <= names
    assert properties('max-x86_64-cpu')['unavailable-features'] == 'strList'
    assert properties('max-x86_64-cpu')['avx'] == 'bool'
    assert properties('none-machine')['memory-backend'] == 'string'
    assert qmp.execute('qom-list-properties', typename='x-machine')['error']['class'] == 'DeviceNotFound'


def test_a_cpu_in_the_object_tree():
    with Machine('-S', '-nodefaults', '-display', 'none', '-accel', 'tcg', '-cpu', 'Haswell,check=off') as machine:
        path = machine.qmp.command('query-cpus-fast')[0]['qom-path']
        for prop in machine.qmp.command('qom-list', path=path):
            if prop['type'] == 'bool':
                value = machine.qmp.command('qom-get', path=path, property=prop['name'])
                assert isinstance(value, bool), prop
        assert machine.qmp.command('qom-get', path=path, property='lm') is True
        assert 'hle' in machine.qmp.command('qom-get', path=path, property='unavailable-features')
        filtered = machine.qmp.command('qom-get', path=path, property='filtered-features')
        assert {'cpuid-register': 'EBX', 'cpuid-input-eax': 7, 'cpuid-input-ecx': 0} == {
            name: value for name, value in filtered[2].items() if name != 'features'}
        assert machine.qmp.execute('qom-set', path=path, property='lm', value=False)['error']['desc'] == \
            "Property 'Haswell-x86_64-cpu.lm' is not writable"


def test_options(qmp):
    options = {option['option']: option['parameters'] for option in qmp.command('query-command-line-options')}
    assert {'smp-opts', 'memory', 'boot-opts', 'machine', 'device'} <= options.keys()
    assert {'name': 'hpet', 'type': 'boolean', 'help': 'the HPET timers'} in options['machine']
    assert qmp.command('query-command-line-options', option='memory')[0]['parameters'] == options['memory']
    assert qmp.execute('query-command-line-options', option='x')['error']['desc'] == 'invalid option name: x'


@pytest.mark.skipif(not kvm_usable(), reason='no usable /dev/kvm')
def test_an_empty_machine_takes_the_first_engine():
    with Machine('-machine', 'none,accel=kvm:tcg', '-nodefaults', '-display', 'none') as machine:
        assert machine.qmp.command('query-kvm') == {'enabled': True, 'present': True}


@pytest.mark.parametrize('arguments, message', [
    (['-audiodev', 'alsa,id=a'], "does not accept value 'alsa'"), (['-audiodev', 'none'], "'id' is missing"),
    (['-machine', 'dump-guest-core=maybe'], "Parameter 'dump-guest-core'"),
    (['-nographic', '-daemonize'], '-nographic cannot be used with -daemonize'),
    (['-msg', 'timestamp=on', '-machine', 'nosuch'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z rhea: '),
])
def test_options_that_are_refused(arguments, message):
    result = run(*arguments)
    assert result.returncode == 1 and re.search(message, result.stderr), result.stderr


def test_daemon(tmp_path):
    """-nographic has nothing to show, so the parent leaves once the monitor listens."""
    result = run(*NONE, '-nographic', '-S', '-daemonize', '-pidfile', str(tmp_path / 'pid'),
                 '-qmp', 'unix:%s,server=on,wait=off' % (tmp_path / 'qmp'))
    assert result.returncode == 0, result.stderr
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / 'qmp'))
        sock.settimeout(20)
        assert b'QMP' in sock.recv(4096)
        sock.sendall(b'{"execute":"qmp_capabilities"}{"execute":"quit"}')
        while sock.recv(4096):
            pass
