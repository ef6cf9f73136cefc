"""boto3 on the site of the environment, with a bucket for each test."""
import functools
import json
import os
import pathlib
import ssl
import unittest
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["ENDPOINT"]
REGION = os.environ["AWS_REGION"]
OURS = os.environ.get("OURS") == "1"
KEYS = json.loads((pathlib.Path(__file__).parent.parent / "testdata" / "keys.json").read_text("utf-8"))
MIB = 1 << 20
ONCE = {"total_max_attempts": 1}  # what fails at first is to be seen


def client(**more):
    return boto3.client("s3", endpoint_url=ENDPOINT, config=Config(signature_version="s3v4", retries=ONCE, s3={"addressing_style": "path", **more}))


# One each for all tests: boto3 takes its time to make them.
@functools.cache
def shared():
    return client()


@functools.cache
def resource():
    return boto3.resource("s3", endpoint_url=ENDPOINT, config=Config(retries=ONCE, s3={"addressing_style": "path"}))


def pattern(n):
    """Bytes of which no two stretches look the same."""
    block = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(1 << 16))
    return b"".join(i.to_bytes(4, "big") + block[4:] for i in range(n // len(block) + 1))[:n]


def exchange(method, url, body=None, headers=None):
    """One request without any SDK: its status, headers and body."""
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE")) if url.startswith("https") else None
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if body is not None and not request.has_header("Content-type"):
        request.add_header("Content-type", "application/octet-stream")
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read()


def form(fields, filename, content, media="application/octet-stream"):
    """A multipart form with a file as its last part."""
    boundary = uuid.uuid4().hex
    lines = []
    for name, value in fields.items():
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: {media}\r\n\r\n'.encode())
    lines.append(content)
    lines.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(lines), {"Content-type": f"multipart/form-data; boundary={boundary}"}


class BucketTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.s3 = shared()
        self.bucket = "py-" + uuid.uuid4().hex
        self.s3.create_bucket(Bucket=self.bucket, **self.place())
        self.addCleanup(self.remove)

    @staticmethod
    def place():
        return {} if REGION == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": REGION}}

    def remove(self):
        bucket = resource().Bucket(self.bucket)
        bucket.objects.all().delete()
        bucket.delete()

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def content(self, key, **more):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **more)["Body"].read()

    def refused(self, status, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual((answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]), (status, code), str(caught.exception))
