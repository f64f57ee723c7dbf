"""Making connections: TLS, name look-up and connecting, each within the time that is left."""

from __future__ import annotations

import socket
import ssl
import time

from attrs import frozen

from isthmus_dynamodb.transports.access import Access
from isthmus_dynamodb.transports.endpoints import Endpoint
from isthmus_dynamodb.transports.looking_up import look_up
from isthmus_dynamodb.transports.troubles import no_connection


@frozen
class Dialer:
    """What is needed to make connections to one endpoint.

    :param tls: the certificates to trust, or ``None`` for plain HTTP
    :param connect_timeout: bound of look-up, connection and handshake together, seconds
    """

    endpoint: Endpoint
    tls: ssl.SSLContext | None
    connect_timeout: float

    @classmethod
    def of(cls, access: Access) -> Dialer:
        """A dialer as the options and the AWS configuration say."""
        tls = _context(access.ca_bundle) if access.endpoint.tls else None
        return cls(access.endpoint, tls, access.options.connect_timeout)

    def until(self, deadline: float | None) -> float:
        """When an attempt to connect that starts now ends, on the monotonic clock."""
        end = time.monotonic() + self.connect_timeout
        return end if deadline is None or deadline > end else deadline

    def dial(self, deadline: float | None) -> socket.socket:
        """A connected socket.

        :raises NotSent: there is no connection
        :raises Unavailable: the certificate is refused; another attempt would not help
        :raises DeadlineExceeded: the deadline ended the attempt
        """
        end = self.until(deadline)
        try:
            sock = self._connect(end)
            try:
                return self._secure(sock, end)
            except BaseException:
                sock.close()
                raise
        except (OSError, ValueError) as error:
            raise no_connection(self.endpoint.url, error, deadline) from error

    def _connect(self, end: float) -> socket.socket:
        addresses = look_up(self.endpoint.host, self.endpoint.port, end)
        failure: OSError = OSError("the name has no address")
        for position, (family, kind, protocol, _name, address) in enumerate(addresses):
            share = left_until(end) / (len(addresses) - position)
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(share)
                sock.connect(address)
                prepare(sock)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def _secure(self, sock: socket.socket, end: float) -> socket.socket:
        if self.tls is None:
            return sock
        sock.settimeout(left_until(end))
        return self.tls.wrap_socket(sock, server_hostname=self.endpoint.host)


def prepare(sock: socket.socket) -> None:
    """Send at once, and notice dead peers."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def left_until(end: float) -> float:
    """Seconds until ``end``; never zero, which would mean not to wait at all."""
    return max(0.001, end - time.monotonic())


def _context(ca_bundle: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_bundle)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
