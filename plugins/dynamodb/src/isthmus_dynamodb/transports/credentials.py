"""What signs requests, who is asked for it, and the credentials of the options, which never change."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from isthmus_dynamodb.options import Options


@frozen
class Credentials:
    """Access key, secret key and token for one request; only the access key is shown."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


class KeySource(Protocol):
    """What a transport asks for credentials."""

    def ready(self) -> Credentials | None:
        """The credentials for a request that is sent now; ``None`` if they have to be obtained first."""

    def obtain(self, deadline: float | None) -> Credentials:
        """Credentials that another service has to give first."""

    async def aobtain(self, deadline: float | None) -> Credentials:
        """As ``obtain``, on an event loop."""

    def renew(self, refused: Credentials, deadline: float | None) -> bool:
        """Whether there are other credentials than the refused ones by now."""

    async def arenew(self, refused: Credentials, deadline: float | None) -> bool:
        """As ``renew``, on an event loop."""

    def forget(self) -> None:
        """Begin anew in a forked process."""


class GivenKeys:
    """Hands out the same credentials each time.

    :param options: those of a database, with an access key
    """

    def __init__(self, options: Options) -> None:
        self._own = Credentials(options.access_key_id or "", options.secret_access_key or "", options.session_token)

    def ready(self) -> Credentials:
        return self._own

    def obtain(self, _deadline: float | None) -> Credentials:
        return self._own

    async def aobtain(self, _deadline: float | None) -> Credentials:
        return self._own

    def renew(self, _refused: Credentials, _deadline: float | None) -> bool:
        return False

    async def arenew(self, _refused: Credentials, _deadline: float | None) -> bool:
        return False

    def forget(self) -> None:
        """Nothing is shared with a parent."""
