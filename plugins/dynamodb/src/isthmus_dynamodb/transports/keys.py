"""The caller's credentials: fresh for each request, and read anew once when the service says that they expired."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any, NoReturn

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from isthmus.errors import DeadlineExceeded, IsthmusError
from isthmus_dynamodb.native import NotSent
from isthmus_dynamodb.transports.access import Access
from isthmus_dynamodb.transports.configuration import reload_credentials, unauthenticated
from isthmus_dynamodb.transports.credentials import Credentials
from isthmus_dynamodb.transports.sharing import NoThread, SharedWork, await_for, wait_for

# Credentials that last for less are waited for; the others are used while a thread refreshes them. Seconds.
_URGENT = 60
# What is pointless is not tried again for so long, seconds.
_PAUSE = 10.0


class Keys:
    """Hands out credentials; safe to use from several threads.

    Who gives those of roles, containers and single sign-on may be slow: one thread asks for all callers, and each of
    them waits no longer than its deadline.
    """

    def __init__(self, access: Access) -> None:
        self._options = access.options
        self._source: Any = access.credentials
        self._work = SharedWork()
        # botocore's object beside our own.
        self._pair: tuple[Any, Credentials | None] = (None, None)
        self._next_refresh = 0.0
        self._fruitless: tuple[Credentials | None, float] = (None, 0.0)

    def ready(self) -> Credentials | None:
        """The credentials for a request that is sent now; ``None`` if they have to be obtained first."""
        source = self._source
        if source is None or (isinstance(source, RefreshableCredentials) and source.refresh_needed()):
            return self._while_refreshing(source)
        return self._own(source)

    def _while_refreshing(self, source: Any) -> Credentials | None:
        if source is None or self._known is None or source.refresh_needed(_URGENT):
            return None
        if time.monotonic() >= self._next_refresh:
            self._refreshed()
        return self._known

    @property
    def _known(self) -> Credentials | None:
        return self._pair[1]

    def _own(self, source: Any) -> Credentials:
        frozen = source.get_frozen_credentials()
        known = self._pair
        if known[1] is not None and known[0] == frozen:
            return known[1]
        own = _copied(frozen)
        self._pair = (frozen, own)
        return own

    # ---- credentials that have to be obtained ----

    def obtain(self, deadline: float | None) -> Credentials:
        """Credentials that another service has to give first.

        :raises Unauthenticated: they could not be had
        :raises NotSent: who gives them can't be reached
        :raises DeadlineExceeded: they did not come in time
        """
        try:
            return wait_for(self._refreshed(), deadline)
        except Exception as error:
            _fail(error, deadline)

    async def aobtain(self, deadline: float | None) -> Credentials:
        """As ``obtain``, on an event loop."""
        try:
            return await await_for(self._refreshed(), deadline)
        except Exception as error:
            _fail(error, deadline)

    def _refreshed(self) -> Future[Credentials]:
        return self._work.start("refresh", self._refresh)

    def _refresh(self) -> Credentials:
        try:
            if self._source is None:
                self._source = reload_credentials(self._options)
            return self._own(self._source)
        finally:
            self._next_refresh = time.monotonic() + _PAUSE

    # ---- credentials that the service refused ----

    def renew(self, refused: Credentials, deadline: float | None) -> bool:
        """Whether there are other credentials than the refused ones, after reading the AWS configuration again.

        That is done once for all whose request was refused. It says no when the deadline passes before.
        """
        if not self._may_change(refused):
            return False
        try:
            return self._known != refused or wait_for(self._reloaded(refused), deadline)
        except Exception:
            return False

    async def arenew(self, refused: Credentials, deadline: float | None) -> bool:
        """As ``renew``, on an event loop."""
        if not self._may_change(refused):
            return False
        try:
            return self._known != refused or await await_for(self._reloaded(refused), deadline)
        except Exception:
            return False

    def _may_change(self, refused: Credentials) -> bool:
        """False for credentials of the options, and where reading was in vain a moment ago."""
        in_vain, until = self._fruitless
        return self._options.access_key_id is None and (in_vain != refused or time.monotonic() >= until)

    def _reloaded(self, refused: Credentials) -> Future[bool]:
        return self._work.start("reload", lambda: self._reload(refused))

    def _reload(self, refused: Credentials) -> bool:
        changed = False
        try:
            source = reload_credentials(self._options)
            changed = _copied(source.get_frozen_credentials()) != refused
        finally:
            if not changed:
                self._fruitless = (refused, time.monotonic() + _PAUSE)
        if changed:
            self._source = source
            self._own(source)
        return changed

    def forget(self) -> None:
        """Begin anew in a forked process; what a thread of the parent was obtaining is obtained again."""
        if len(self._work):
            # That thread may hold a lock of botocore's object for ever.
            self._source = None
        self._work.forget()


def _copied(frozen: Any) -> Credentials:
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def _fail(error: Exception, deadline: float | None) -> NoReturn:
    """Raise what a caller is told: an error of its own, since many wait for the same credentials.

    Neither locals of botocore nor texts that it could not read are kept with it: they may hold a secret.
    """
    if isinstance(error, TimeoutError) and deadline is not None and time.monotonic() >= deadline:
        raise DeadlineExceeded(
            "the deadline passed before AWS credentials were refreshed: check the profile or role that gives them"
        ) from None
    if isinstance(error, IsthmusError):
        raise type(error)(str(error)) from None
    if isinstance(error, NoConnection | HTTPClientError | NoThread):
        raise NotSent(f"AWS credentials could not be refreshed ({type(error).__name__})") from _bare(error)
    raise unauthenticated(error) from (_bare(error) if isinstance(error, BotoCoreError | ClientError) else None)


def _bare(error: Exception) -> Exception:
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
