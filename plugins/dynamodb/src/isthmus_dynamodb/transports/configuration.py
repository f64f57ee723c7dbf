"""Session, credentials, region and endpoint as botocore, the base of boto3, reads them when a database opens.

Importing botocore takes longer than anything else here, so whoever needs none of this does not load it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    InvalidRegionError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.loaders import Loader, create_loader

from isthmus.errors import ConfigurationError, Unauthenticated
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports.access import Access
from isthmus_dynamodb.transports.endpoints import Endpoint

CREDENTIAL_ERRORS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    NoAuthTokenError,
    SSOError,
)
_NO_CREDENTIALS = (
    "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in the option"
    " profile, or give access_key_id and secret_access_key (for DynamoDB Local any text will do)"
)


def open_access(options: Options) -> Access:
    """Read the AWS configuration and make a client; no request is sent to the service.

    :raises ConfigurationError: no region, an unknown profile, or a file that can't be read
    :raises Unauthenticated: no credentials
    """
    with configuration_errors():
        session = _session(options)
        credentials = _credentials(session)
        ca_bundle = options.ca_bundle or session.get_config_variable("ca_bundle")
        _check_ca_bundle(ca_bundle)
        client = _client(session, options, ca_bundle)
        meta = client.meta
        endpoint = Endpoint.of(meta.endpoint_url)
    signing_name = meta.service_model.signing_name
    return Access(options, lambda: client, credentials, meta.region_name, signing_name, endpoint, ca_bundle)


def client_of(options: Options) -> Any:
    """A boto3 client.

    The arguments and errors are those of :func:`open_access`.
    """
    return open_access(options).client


def reload_credentials(options: Options) -> Any:
    """The credentials as the AWS configuration gives them now, whatever was known before."""
    with configuration_errors():
        return _credentials(_session(options))


@contextmanager
def configuration_errors() -> Iterator[None]:
    """Turn botocore's complaints about the configuration into errors of the tree."""
    try:
        yield
    except NoRegionError:
        raise ConfigurationError("there is no region: write dynamodb://eu-west-1/, or set AWS_DEFAULT_REGION") from None
    except InvalidRegionError:
        raise ConfigurationError("the region is no name of a region: write dynamodb://eu-west-1/") from None
    except ProfileNotFound as error:
        raise ConfigurationError(f"{error}: check the option profile and AWS_PROFILE") from None
    except CREDENTIAL_ERRORS as error:
        raise unauthenticated(error) from error
    except (BotoCoreError, ValueError) as error:
        # An endpoint with a password, or what a program for credentials has printed, is neither repeated nor kept.
        reason = type(error).__name__ if "@" in str(error) else str(error)
        raise ConfigurationError(f"the AWS configuration can't be used: {reason}") from None


def unauthenticated(error: Exception) -> Unauthenticated:
    """Credentials that are missing or could not be had."""
    if isinstance(error, NoCredentialsError):
        return Unauthenticated(_NO_CREDENTIALS)
    reason = error.response["Error"].get("Code", "refused") if isinstance(error, ClientError) else type(error).__name__
    return Unauthenticated(f"AWS credentials could not be had ({reason}): check the profile or role that gives them")


def _session(options: Options) -> Any:
    session = botocore.session.Session(profile=options.profile)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    if options.access_key_id is not None and options.secret_access_key is not None:
        session.set_credentials(options.access_key_id, options.secret_access_key, options.session_token)
    return session


@cache
def _loader(data_path: str | None) -> Loader:
    """What reads the service's model from disk. It remembers it, so later databases open in a tenth of the time."""
    return create_loader(data_path)


def _credentials(session: Any) -> Any:
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return credentials


def _client(session: Any, options: Options, ca_bundle: str | None) -> Any:
    config = Config(
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        max_pool_connections=options.max_connections,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    return session.create_client(
        "dynamodb", region_name=options.region, endpoint_url=options.endpoint, verify=ca_bundle, config=config
    )


def _check_ca_bundle(path: str | None) -> None:
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise ConfigurationError(f"the CA bundle {path!r} holds no certificate in PEM form") from None
    except OSError:
        raise ConfigurationError(f"the CA bundle {path!r} can't be read: check ca_bundle and AWS_CA_BUNDLE") from None
