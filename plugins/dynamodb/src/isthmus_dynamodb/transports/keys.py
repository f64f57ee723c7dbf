"""The caller's credentials: fresh for each request, and read anew once when the service says that they expired."""

from __future__ import annotations

import threading
from typing import Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from isthmus.errors import IsthmusError
from isthmus_dynamodb.native import NotSent
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports.access import Access, reload_credentials, unauthenticated


class Keys:
    """Hands out credentials; safe to use from several threads.

    botocore refreshes those of roles, containers and single sign-on before they expire.
    """

    def __init__(self, access: Access) -> None:
        self._options: Options = access.options
        self._credentials = access.credentials
        self._lock = threading.Lock()

    @property
    def waits(self) -> bool:
        """Whether ``current`` may have to ask another service first."""
        credentials = self._credentials
        return isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed()

    def current(self) -> Any:
        """Access key, secret key and token for a request that is sent now.

        :raises Unauthenticated: they could not be refreshed
        :raises NotSent: who gives them can't be reached
        """
        try:
            return self._credentials.get_frozen_credentials()
        except (NoConnection, HTTPClientError) as error:
            raise NotSent(f"AWS credentials could not be refreshed ({type(error).__name__})") from error
        except (BotoCoreError, ClientError) as error:
            raise unauthenticated(error) from error

    def renew(self, refused: Any) -> bool:
        """Read the AWS configuration again; whether that gave other credentials than the refused ones."""
        if self._options.access_key_id is not None:
            return False
        with self._lock:
            if self._credentials.get_frozen_credentials() != refused:
                return True
            try:
                credentials = reload_credentials(self._options)
                changed: bool = credentials.get_frozen_credentials() != refused
            except (IsthmusError, BotoCoreError, ClientError):
                return False
            if changed:
                self._credentials = credentials
            return changed
