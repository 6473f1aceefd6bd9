"""The manual pages: their form, and that everything is in them."""
import json
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(os.environ.get('RHEA_BUILD', os.path.join(TOP, 'build')), 'completions')
PAGES = ['rhea.1', 'rhea-img.1', 'rhea-monitor.7', 'rhea-qmp-ref.7']

pytestmark = pytest.mark.skipif(not os.path.exists(os.path.join(FOLDER, 'rhea.1')), reason='the manual is not built')


@pytest.fixture(scope='module')
def tables():
    with open(os.path.join(FOLDER, 'tables.json'), encoding='utf-8') as file:
        return json.load(file)


def shown(page):
    """The text of a page as `man` shows it, hyphens plain."""
    path = os.path.join(FOLDER, page)
    result = subprocess.run(['man', '-l', '--warnings', path], capture_output=True, text=True, check=True,
                            env=dict(os.environ, MANWIDTH='200', LC_ALL='C.UTF-8', MAN_KEEP_FORMATTING=''))
    assert result.stderr == ''
    return result.stdout


@pytest.mark.parametrize('page', PAGES)
@pytest.mark.skipif(not shutil.which('mandoc'), reason='mandoc is not installed')
def test_form(page):
    result = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', os.path.join(FOLDER, page)],
                            capture_output=True, text=True, check=False)
    problems = [line for line in result.stdout.splitlines() if 'missing date' not in line]   # builds are reproducible
    assert problems == []


@pytest.mark.skipif(not shutil.which('man'), reason='man is not installed')
def test_everything_is_told(tables):
    for page, words in [
            ('rhea.1', ['-' + option['name'] for option in tables['options']]),
            ('rhea-img.1', [command['name'] + ' ' for command in tables['img']]),
            ('rhea-monitor.7', [command['name'] for command in tables['commands']] +
                               ['info ' + topic['name'] for topic in tables['topics']]),
            ('rhea-qmp-ref.7', ['query-status', 'DEVICE_DELETED', 'human-monitor-command'])]:
        text = shown(page)
        assert [word for word in words if word not in text] == []
