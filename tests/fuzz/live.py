"""What fuzzers of a live machine share: options, limits, watching the process, how long they run."""
import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'machine'))
import rhea  # noqa: E402

MEMORY_MAX_KIB = 2 << 20


class LiveFuzzer:
    """A subclass has start(), which sets self.machine, and run_machine(end)."""

    def __init__(self, seed, program, log, folder):
        self.random = random.Random(seed)
        self.program, self.log, self.folder = program, log, folder
        self.machine = None

    def check(self):
        with open('/proc/%d/status' % self.machine.process.pid, encoding='ascii') as status:
            rss = next(int(line.split()[1]) for line in status if line.startswith('VmRSS'))
        assert rss < MEMORY_MAX_KIB, 'the process has grown to %d KiB' % rss

    def ended(self, seconds=5):
        """Whether the process is leaving, which is no failure unless it crashed."""
        try:
            code = self.machine.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        assert code >= 0, 'died of signal %d: %s' % (-code, self.machine.errors())
        return True


def parser(doc):
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    options.add_argument('--seconds', type=float, default=60)
    options.add_argument('--seed', type=int, default=None)
    options.add_argument('--rhea', default=rhea.binary())
    options.add_argument('--log', default='/dev/null')
    return options


def run(arguments, make):
    """make(seed, program, log, folder) gives the fuzzer; it is run in a folder of its own."""
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    print('seed %d' % seed, flush=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))     # no test of the host's disk
    folder = tempfile.mkdtemp(prefix='rhea-fuzz-')
    program = os.path.abspath(arguments.rhea)
    end = time.monotonic() + arguments.seconds
    with open(arguments.log, 'wb') as log:
        os.chdir(folder)                                    # where relative names lead
        fuzzer = make(seed, program, log, folder)
        while time.monotonic() < end:
            fuzzer.run_machine(end)
    os.chdir('/')
    shutil.rmtree(folder)
    return fuzzer
