"""The guest of scripts/driver-guest: Debian's stock kernel with drivers, at a shell on the serial port."""
import os

from rhea import Machine


class Linux(Machine):
    """`drivers`: the groups it loads, "net,usb". Extra words of the kernel's command line in `append`."""

    def __init__(self, folder, drivers, *args, memory='256', append='', **options):
        super().__init__('-accel', 'tcg', '-m', memory, '-nodefaults', '-kernel', os.path.join(folder, 'vmlinuz'),
                         '-initrd', os.path.join(folder, 'initrd'), '-append',
                         'console=ttyS0 quiet drivers=%s %s' % (drivers, append), *args,
                         serial='wait', **options)
        self.at_shell = False

    def booted(self):
        """Waits for the shell of a guest that starts, again perhaps."""
        self.serial.expect(r'Ready\.\r\n# ', 300)
        self.at_shell = True

    def wait_for_shell(self):
        if not self.at_shell:
            self.booted()

    def run(self, command, timeout=240):
        """What a command printed; it must not fail."""
        self.wait_for_shell()
        self.serial.send('echo be""gin; ' + command + '; echo done-$?\n')
        self.serial.expect(r'begin\r\n')                     # behind the prompt
        text = self.serial.expect(r'done-\d+\r\n', timeout).replace('\r\n', '\n')
        assert text.endswith('done-0\n'), text
        return text[:-len('done-0\n')]

    def start(self, command):
        """Leaves a command running in the guest."""
        self.run('{ %s & }' % command)

    def until(self, condition, timeout=60):
        """Until a test in the guest's shell holds."""
        self.run('n=0; until %s; do n=$((n+1)); [ $n -lt %d ] || break; sleep 0.1; done; %s'
                 % (condition, timeout * 10, condition), timeout + 60)
