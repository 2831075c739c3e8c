"""Files in Amazon S3: put there whole, read back, listed. With the credentials of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.files import replaced_file

_ADDRESS = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")
_GONE = {"404", "NoSuchKey", "NotFound"}


class ObjectFolder:
    """A folder in a bucket."""

    def __init__(self, address: str) -> None:
        match = _ADDRESS.fullmatch(address.rstrip("/"))
        if match is None:
            raise InvalidValueError(
                f"{address!r} is not a place in S3", remedy="Write it as s3://bucket/prefix, in lower case."
            )
        self.bucket, self.prefix = match["bucket"], match["prefix"] or ""
        self._client: Any = None

    def __str__(self) -> str:
        return self.address()

    def address(self, key: str = "") -> str:
        """Return the address of a key in this folder, or of the folder itself."""
        return f"s3://{self.bucket}/{self._key(key)}".rstrip("/")

    def put_file(self, path: Path, key: str) -> None:
        """Upload a file; writes to S3. Readers see the whole of it or nothing."""
        with self._told(f"put {self.address(key)}"):
            self._s3().upload_file(str(path), self.bucket, self._key(key))

    def get_file(self, key: str, path: Path) -> bool:
        """Download a file in one step; False when there is none."""
        try:
            with self._told(f"get {self.address(key)}"), replaced_file(path) as new, new.open("wb") as file:
                self._s3().download_fileobj(self.bucket, self._key(key), file)
        except FileNotFoundError:
            return False
        return True

    def read(self, key: str) -> str:
        """Return a file's text."""
        with self._told(f"get {self.address(key)}"):
            body = self._s3().get_object(Bucket=self.bucket, Key=self._key(key))["Body"]
            text: str = body.read().decode("utf-8", "replace")
            return text

    def keys(self, start: str) -> Iterator[str]:
        """Yield the keys in this folder that start so."""
        with self._told(f"list {self.address(start)}"):
            pages = self._s3().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._key(start)):
                for entry in page.get("Contents", ()):
                    yield str(entry["Key"])[len(self._key("")) :]

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _s3(self) -> Any:
        if self._client is None:
            config = Config(retries={"mode": "standard", "total_max_attempts": 5})
            self._client = boto3.Session().client("s3", config=config)
        return self._client

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE and not what.startswith("list"):
                raise FileNotFoundError(what) from error
            raise _refused(what, error) from error
        except (BotoCoreError, Boto3Error) as error:
            raise _refused(what, error) from error


def _refused(what: str, error: Exception) -> RunFailedError:
    return RunFailedError(
        f"S3 did not {what}: {error}",
        remedy="Check the bucket's name and Region, and what the credentials allow: s3:ListBucket on "
        "the bucket, s3:GetObject and s3:PutObject in the folder.",
    )
