"""Certificates for tests, made by GnuTLS's certtool."""
import os
import subprocess

CA = 'ca\ncert_signing_key\n'
SERVER = 'dns_name = localhost\nip_address = 127.0.0.1\ntls_www_server\nsigning_key\nencryption_key\n'
CLIENT = 'tls_www_client\nsigning_key\nencryption_key\n'
PSK = '0123456789abcdef0123456789abcdef'


class Authority:
    """A CA; `folder` holds what its certificates are signed with."""

    def __init__(self, folder, name='test CA'):
        os.mkdir(folder)
        self.folder = folder
        self.key('ca-key.pem')
        self.tool('--generate-self-signed', '--load-privkey', self.path('ca-key.pem'),
                  '--outfile', self.path('ca-cert.pem'), template='cn = %s\n%s' % (name, CA))

    def path(self, name):
        return os.path.join(self.folder, name)

    def tool(self, *arguments, template=None):
        if template is not None:
            with open(self.path('template'), 'w', encoding='ascii') as file:
                file.write(template + 'expiration_days = 2\n')
            arguments += ('--template', self.path('template'))
        subprocess.run(['certtool', *arguments], check=True, capture_output=True)

    def key(self, name):
        self.tool('--generate-privkey', '--key-type=ecdsa', '--curve=secp256r1', '--outfile', self.path(name))

    def pair(self, who, template):
        """WHO-cert.pem and WHO-key.pem, signed by this authority."""
        self.key(who + '-key.pem')
        self.tool('--generate-certificate', '--load-privkey', self.path(who + '-key.pem'),
                  '--load-ca-certificate', self.path('ca-cert.pem'), '--load-ca-privkey', self.path('ca-key.pem'),
                  '--outfile', self.path(who + '-cert.pem'), template='cn = %s\n%s' % (who, template))


def make_folder(path):
    """All files that credentials of any kind read."""
    authority = Authority(str(path))
    authority.pair('server', SERVER)
    authority.pair('client', CLIENT)
    with open(authority.path('keys.psk'), 'w', encoding='ascii') as file:
        file.write('qemu:%s\n' % PSK)
    return authority
