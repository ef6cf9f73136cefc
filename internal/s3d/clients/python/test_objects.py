import base64
import datetime
import hashlib
import io
import unittest

from world import KEYS, MIB, BucketTest, client, pattern

LISTING = ["a", "a/1", "a/2", "a/b/1", "b/1", "b/2", "c", "ü/1"]


class Objects(BucketTest):
    def test_put_get(self):
        for n in (0, 1, 70_000, MIB + 7):
            body = pattern(n)
            self.assertEqual(self.put("k", body)["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
            self.assertEqual(self.content("k"), body)
            self.put("k", io.BytesIO(body))
            self.assertEqual(self.content("k"), body)
        made = self.put("k", b"0123456789", ContentType="text/plain", CacheControl="max-age=60", Metadata={"album": "42"}, Tagging="a=b%20c")
        head = self.s3.head_object(Bucket=self.bucket, Key="k")
        self.assertEqual(
            (head["ContentLength"], head["ContentType"], head["CacheControl"], head["Metadata"], head["ETag"]),
            (10, "text/plain", "max-age=60", {"album": "42"}, made["ETag"]))
        self.assertLess(abs((head["LastModified"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()), 120)
        for given, want in {"bytes=2-4": b"234", "bytes=-3": b"789", "bytes=7-": b"789"}.items():
            self.assertEqual(self.content("k", Range=given), want)
        self.refused(416, "InvalidRange", self.s3.get_object, Bucket=self.bucket, Key="k", Range="bytes=10-")
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        self.assertEqual(self.content("k", IfMatch=made["ETag"], IfModifiedSince=yesterday), b"0123456789")
        self.refused(412, "PreconditionFailed", self.s3.get_object, Bucket=self.bucket, Key="k", IfMatch='"other"')
        self.refused(304, "304", self.s3.get_object, Bucket=self.bucket, Key="k", IfNoneMatch=made["ETag"])
        self.refused(412, "PreconditionFailed", self.s3.get_object, Bucket=self.bucket, Key="k", IfUnmodifiedSince=yesterday)
        got = self.s3.get_object(Bucket=self.bucket, Key="k", ResponseContentType="image/png", ResponseContentDisposition="attachment")
        self.assertEqual((got["ContentType"], got["ContentDisposition"]), ("image/png", "attachment"))
        with self.assertRaises(self.s3.exceptions.NoSuchKey):
            self.content("none")
        self.refused(404, "404", self.s3.head_object, Bucket=self.bucket, Key="none")

    def test_checksums(self):
        for name, sum_ in {"SHA256": hashlib.sha256, "SHA1": hashlib.sha1}.items():
            want = base64.b64encode(sum_(b"checked").digest()).decode()
            self.assertEqual(self.put("k", b"checked", ChecksumAlgorithm=name)["Checksum" + name], want)
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k", ChecksumMode="ENABLED")["Checksum" + name], want)
            self.assertEqual(self.content("k", ChecksumMode="ENABLED"), b"checked")
            self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["Contents"][0]["ChecksumAlgorithm"], [name])
        self.put("k", b"checked", ChecksumAlgorithm="CRC32")
        self.assertEqual(self.content("k", ChecksumMode="ENABLED"), b"checked")
        self.refused(400, "BadDigest", self.s3.put_object, Bucket=self.bucket, Key="bad", Body=b"x", ContentMD5="A" * 22 + "==")
        self.refused(400, "BadDigest", self.s3.put_object, Bucket=self.bucket, Key="bad", Body=b"x", ChecksumSHA256="A" * 43 + "=")

    def test_unsigned_payload(self):
        client(payload_signing_enabled=False).put_object(Bucket=self.bucket, Key="k", Body=b"unsigned")
        self.assertEqual(self.content("k"), b"unsigned")

    def test_conditional_put(self):
        # This boto3 may not know the parameter: the header does the same.
        def first(request, **_):
            request.headers["If-None-Match"] = "*"
        once = client()
        once.meta.events.register("before-sign.s3.PutObject", first)
        once.put_object(Bucket=self.bucket, Key="k", Body=b"first")
        self.refused(412, "PreconditionFailed", once.put_object, Bucket=self.bucket, Key="k", Body=b"second")
        self.assertEqual(self.content("k"), b"first")

    def test_list(self):
        for key in LISTING:
            self.put(key)
        for prefix, delimiter, keys, prefixes in (
            ("", "", LISTING, []),
            ("", "/", ["a", "c"], ["a/", "b/", "ü/"]),
            ("a/", "/", ["a/1", "a/2"], ["a/b/"]),
            ("ü", "/", [], ["ü/"]),
            ("none", "", [], []),
        ):
            for operation in ("list_objects_v2", "list_objects"):
                for size in (1, 2, 1000):
                    pages = list(self.s3.get_paginator(operation).paginate(
                        Bucket=self.bucket, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}))
                    self.assertEqual([o["Key"] for p in pages for o in p.get("Contents", [])], keys, (operation, prefix, size))
                    self.assertEqual([o["Prefix"] for p in pages for o in p.get("CommonPrefixes", [])], prefixes, (operation, prefix, size))
        after = self.s3.list_objects_v2(Bucket=self.bucket, StartAfter="b/1", FetchOwner=True)
        self.assertEqual([o["Key"] for o in after["Contents"]], ["b/2", "c", "ü/1"])
        self.assertTrue(all(o["Owner"]["ID"] for o in after["Contents"]))
        self.refused(400, "InvalidArgument", self.s3.list_objects_v2, Bucket=self.bucket, ContinuationToken="made up")

    def test_copy(self):
        key = "from ü+&?.txt"
        made = self.put(key, b"content", ContentType="text/plain", Metadata={"a": "1"}, Tagging="k=v")
        source = {"Bucket": self.bucket, "Key": key}
        result = self.s3.copy_object(Bucket=self.bucket, Key="to", CopySource=source)["CopyObjectResult"]
        self.assertEqual(result["ETag"], made["ETag"])
        head = self.s3.head_object(Bucket=self.bucket, Key="to")
        self.assertEqual((head["ContentType"], head["Metadata"]), ("text/plain", {"a": "1"}))
        self.s3.copy_object(
            Bucket=self.bucket, Key="to", CopySource=source, MetadataDirective="REPLACE", ContentType="image/png", Metadata={"b": "2"},
            TaggingDirective="REPLACE", Tagging="x=y")
        head = self.s3.head_object(Bucket=self.bucket, Key="to")
        self.assertEqual((head["ContentType"], head["Metadata"]), ("image/png", {"b": "2"}))
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="to")["TagSet"], [{"Key": "x", "Value": "y"}])
        self.refused(412, "PreconditionFailed", self.s3.copy_object, Bucket=self.bucket, Key="to", CopySource=source, CopySourceIfNoneMatch=made["ETag"])
        self.refused(404, "NoSuchKey", self.s3.copy_object, Bucket=self.bucket, Key="to", CopySource={"Bucket": self.bucket, "Key": "none"})
        self.s3.copy(source, self.bucket, "managed")
        self.assertEqual(self.content("managed"), b"content")

    def test_tags(self):
        self.put("k", Tagging="state=new")
        tags = [{"Key": "empty", "Value": ""}, {"Key": "größe", "Value": "100 + 1"}]
        self.s3.put_object_tagging(Bucket=self.bucket, Key="k", Tagging={"TagSet": tags})
        got = self.s3.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"]
        self.assertEqual(sorted(got, key=lambda t: t["Key"]), tags)
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="k")
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"], [])
        self.refused(400, "InvalidTag", self.s3.put_object_tagging, Bucket=self.bucket, Key="k", Tagging={"TagSet": [tags[0], tags[0]]})

    def test_keys(self):
        # Control characters, too: boto3 lists with encoding-type=url.
        keys = KEYS + ["new\nline", "car\rriage", "\x01\x1f"]
        for key in keys:
            self.put(key, key.encode())
        listed = [o["Key"] for o in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]]
        self.assertEqual(listed, sorted(keys, key=str.encode))
        for key in keys:
            self.assertEqual(self.content(key), key.encode())
            self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource={"Bucket": self.bucket, "Key": key})
            self.assertEqual(self.content("copy"), key.encode())
        self.refused(400, "KeyTooLongError", self.s3.put_object, Bucket=self.bucket, Key="x" * 1025)
        # No XML 1.0 can name it, so DeleteObjects cannot.
        self.s3.delete_object(Bucket=self.bucket, Key="\x01\x1f")

    def test_delete(self):
        for key in ("a", "b", "c&<d>", "new\nline"):
            self.put(key)
        self.s3.delete_object(Bucket=self.bucket, Key="none")
        gone = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in ("a", "none", "c&<d>")]})
        self.assertEqual(sorted(d["Key"] for d in gone["Deleted"]), ["a", "c&<d>", "none"])
        self.assertNotIn("Errors", gone)
        gone = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
        self.assertNotIn("Deleted", gone)
        self.s3.delete_object(Bucket=self.bucket, Key="new\nline")
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket))


if __name__ == "__main__":
    unittest.main()
