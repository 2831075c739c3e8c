"""Warm calls, one after another and several at once, to the sandbox and to moto's own server."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.config import Config

Call = Callable[[], Any]
PEOPLE = 1000


def calls_of(endpoint_url: str, key: str, secret: str) -> dict[str, Call]:
    """Return calls by name, reads first; there are a thousand users, twenty groups, ten permission sets."""
    numbers = itertools.count()

    def client(service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        names = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=endpoint_url, config=config, **names
        )

    sso, store, sts, iam, s3 = (client(name) for name in ("sso-admin", "identitystore", "sts", "iam", "s3"))
    instance = sso.list_instances()["Instances"][0]
    arn, store_id = instance["InstanceArn"], instance["IdentityStoreId"]

    def create_user() -> Any:
        name = f"person{next(numbers)}"
        names = {"GivenName": "A", "FamilyName": "B"}
        return store.create_user(IdentityStoreId=store_id, UserName=name, DisplayName=name, Name=names)

    def get_object() -> bytes:
        return bytes(s3.get_object(Bucket="benchmark", Key="read")["Body"].read())

    def list_all_users() -> int:
        pages = store.get_paginator("list_users").paginate(IdentityStoreId=store_id)
        return sum(len(page["Users"]) for page in pages)

    user_id = create_user()["UserId"]
    for _ in range(PEOPLE - 1):
        create_user()
    for number in range(20):
        store.create_group(IdentityStoreId=store_id, DisplayName=f"team{number}")
    for number in range(10):
        sso.create_permission_set(InstanceArn=arn, Name=f"set{number}")
    s3.create_bucket(Bucket="benchmark")
    s3.put_object(Bucket="benchmark", Key="read", Body=b"x" * 1024)
    return {
        "identitystore DescribeUser": lambda: store.describe_user(IdentityStoreId=store_id, UserId=user_id),
        "identitystore ListUsers (a page of 100)": lambda: store.list_users(IdentityStoreId=store_id),
        "identitystore ListUsers (all of 1,000 and more)": list_all_users,
        "identitystore ListGroups (20 and more)": lambda: store.list_groups(IdentityStoreId=store_id),
        "sso-admin ListPermissionSets": lambda: sso.list_permission_sets(InstanceArn=arn),
        "sts GetCallerIdentity": sts.get_caller_identity,
        "iam ListUsers": iam.list_users,
        "s3 GetObject (1 KB)": get_object,
        "identitystore CreateUser": create_user,
        "identitystore CreateGroup": lambda: store.create_group(
            IdentityStoreId=store_id, DisplayName=f"group{next(numbers)}"
        ),
        "sso-admin CreatePermissionSet": lambda: sso.create_permission_set(
            InstanceArn=arn, Name=f"set{next(numbers) + 100}"
        ),
        "iam CreateUser": lambda: iam.create_user(UserName=f"user{next(numbers)}"),
        "s3 PutObject (1 KB)": lambda: s3.put_object(
            Bucket="benchmark", Key=f"key{next(numbers)}", Body=b"x" * 1024
        ),
    }


def seconds_in_turn(calls: Sequence[Call], count: int) -> list[list[float]]:
    """Return for each of some calls how long it took each time; what disturbs the one disturbs the other."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(count):
        for times, call in zip(found, calls, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return found


def calls_a_second(call: Call, *, threads: int, seconds: float) -> float:
    """Return how many calls are answered in a second when several threads ask."""
    end, counts = time.perf_counter() + seconds, [0] * threads

    def ask(index: int) -> None:
        while time.perf_counter() < end:
            call()
            counts[index] += 1

    workers = [threading.Thread(target=ask, args=(index,)) for index in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def read_beside_writes(read: Call, write: Call, *, count: int) -> tuple[float, float]:
    """Return the median seconds of a read alone, and while another thread writes without a pause."""
    alone = statistics.median(*seconds_in_turn([read], count))
    done = threading.Event()

    def write_on() -> None:
        while not done.is_set():
            write()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        beside = statistics.median(*seconds_in_turn([read], count))
    finally:
        done.set()
        writer.join()
    return alone, beside
