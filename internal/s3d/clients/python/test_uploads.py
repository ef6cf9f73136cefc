import hashlib
import io
import unittest

from boto3.s3.transfer import TransferConfig

from world import KEYS, MIB, BucketTest, exchange, form, pattern, resource

PART = 5 * MIB  # the smallest that S3 takes, but for the last


class Multipart(BucketTest):
    def test_by_hand(self):
        at = {"Bucket": self.bucket, "Key": "large ü"}
        at["UploadId"] = self.s3.create_multipart_upload(**at, ContentType="video/mp4", Metadata={"a": "1"})["UploadId"]
        parts = [pattern(PART), pattern(PART)[::-1], b"the end"]
        done = [{"PartNumber": n, "ETag": self.s3.upload_part(**at, PartNumber=n, Body=parts[n - 1])["ETag"]} for n in (1, 2, 3)]
        listed = list(self.s3.get_paginator("list_parts").paginate(**at, PaginationConfig={"PageSize": 2}))
        self.assertEqual([(p["PartNumber"], p["ETag"], p["Size"]) for page in listed for p in page["Parts"]],
                         [(d["PartNumber"], d["ETag"], len(b)) for d, b in zip(done, parts)])
        uploads = self.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertEqual([(u["Key"], u["UploadId"]) for u in uploads], [(at["Key"], at["UploadId"])])
        self.refused(400, "InvalidPart", self.s3.complete_multipart_upload, **at,
                     MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}]})
        self.refused(400, "InvalidPartOrder", self.s3.complete_multipart_upload, **at, MultipartUpload={"Parts": done[::-1]})
        whole = self.s3.complete_multipart_upload(**at, MultipartUpload={"Parts": done})
        digest = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
        self.assertEqual((whole["ETag"], whole["Key"], whole["Bucket"]), (f'"{digest}-3"', at["Key"], self.bucket))
        self.assertEqual(self.content(at["Key"]), b"".join(parts))
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key=at["Key"])["Metadata"], {"a": "1"})
        with self.assertRaises(self.s3.exceptions.NoSuchUpload):
            self.s3.abort_multipart_upload(**at)

    def test_refused(self):
        at = {"Bucket": self.bucket, "Key": "k"}
        at["UploadId"] = self.s3.create_multipart_upload(**at)["UploadId"]
        small = [{"PartNumber": n, "ETag": self.s3.upload_part(**at, PartNumber=n, Body=b"small")["ETag"]} for n in (1, 2)]
        self.refused(400, "EntityTooSmall", self.s3.complete_multipart_upload, **at, MultipartUpload={"Parts": small})
        self.refused(400, "MalformedXML", self.s3.complete_multipart_upload, **at)
        self.s3.abort_multipart_upload(**at)
        self.refused(404, "NoSuchUpload", self.s3.list_parts, **at)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket))

    def test_managed(self):
        body = pattern(2 * PART + 12345)
        config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
        for more in ({}, {"ChecksumAlgorithm": "SHA256"}):
            seen = []
            self.s3.upload_fileobj(io.BytesIO(body), self.bucket, "k", ExtraArgs={"ContentType": "video/mp4", **more}, Config=config, Callback=seen.append)
            if not more:  # with a trailer it does not tell
                self.assertEqual(sum(seen), len(body))
            head = self.s3.head_object(Bucket=self.bucket, Key="k", ChecksumMode="ENABLED")
            self.assertTrue(head["ETag"].endswith('-3"'), head["ETag"])
            if more:
                self.assertTrue(head["ChecksumSHA256"].endswith("-3"), head)
            down = io.BytesIO()
            self.s3.download_fileobj(self.bucket, "k", down, Config=config)
            self.assertEqual(down.getvalue(), body)


class Signed(BucketTest):
    def sign(self, operation, **params):
        return self.s3.generate_presigned_url(operation, Params={"Bucket": self.bucket, **params}, ExpiresIn=60)

    def test_urls(self):
        for key in KEYS:
            body = key.encode()
            self.assertEqual(exchange("PUT", self.sign("put_object", Key=key, ContentType="text/plain"), body, {"Content-type": "text/plain"})[0], 200, key)
            status, headers, got = exchange("GET", self.sign("get_object", Key=key, ResponseContentDisposition='attachment; filename="a b"'))
            self.assertEqual((status, got, headers["Content-Disposition"]), (200, body, 'attachment; filename="a b"'), key)
        self.put("k")
        self.assertEqual(exchange("PUT", self.sign("put_object", Key="k", ContentType="text/plain"), b"x", {"Content-type": "text/html"})[0], 403)
        self.assertEqual(exchange("GET", self.sign("put_object", Key="k"))[0], 403)
        self.assertEqual(exchange("HEAD", self.sign("head_object", Key="k"))[0], 200)
        self.assertEqual(exchange("DELETE", self.sign("delete_object", Key="k"))[0], 204)
        self.refused(404, "404", self.s3.head_object, Bucket=self.bucket, Key="k")

    def test_post(self):
        fields = {"Content-Type": "image/png", "x-amz-meta-a": "1", "success_action_status": "201"}
        conditions = [["content-length-range", 1, 10], *({k: v} for k, v in fields.items())]
        post = self.s3.generate_presigned_post(self.bucket, "q/${filename}", Fields=fields, Conditions=conditions, ExpiresIn=60)
        status, headers, body = exchange("POST", post["url"], *form(post["fields"], "ü cat.png", b"0123456789"))
        self.assertEqual(status, 201, body)
        self.assertIn("<Key>q/ü cat.png</Key>".encode(), body)
        self.assertTrue(headers["ETag"] and headers["Location"])
        head = self.s3.head_object(Bucket=self.bucket, Key="q/ü cat.png")
        self.assertEqual((head["ContentType"], head["Metadata"], head["ContentLength"]), ("image/png", {"a": "1"}, 10))
        for change, content, want, code in (
            ({}, b"0123456789a", 400, b"EntityTooLarge"),
            ({}, b"", 400, b"EntityTooSmall"),
            ({"Content-Type": "text/html"}, b"x", 403, b"AccessDenied"),
            ({"key": "elsewhere"}, b"x", 403, b"AccessDenied"),
            ({"x-amz-meta-b": "2"}, b"x", 403, b"AccessDenied"),
            ({"x-amz-signature": "0" * 64}, b"x", 403, b"SignatureDoesNotMatch"),
        ):
            status, _, body = exchange("POST", post["url"], *form({**post["fields"], **change}, "cat.png", content))
            self.assertEqual(status, want, body)
            self.assertIn(b"<Code>" + code + b"</Code>", body)


class Resources(BucketTest):
    def test_all(self):
        s3 = resource()
        bucket = s3.Bucket(self.bucket)
        self.assertIsNotNone(bucket.creation_date)
        thing = bucket.put_object(Key="a/ü", Body=b"content")
        self.assertEqual(thing.get()["Body"].read(), b"content")
        self.assertEqual((thing.content_length, thing.metadata), (7, {}))
        s3.Object(self.bucket, "b").copy_from(CopySource={"Bucket": self.bucket, "Key": "a/ü"})
        self.assertEqual([o.key for o in bucket.objects.filter(Prefix="a/")], ["a/ü"])
        self.assertEqual([o.key for o in bucket.objects.all()], ["a/ü", "b"])
        upload = s3.Object(self.bucket, "c").initiate_multipart_upload()
        part = upload.Part(1)
        etag = part.upload(Body=b"part")["ETag"]
        self.assertEqual([p.part_number for p in upload.parts.all()], [1])
        upload.complete(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        self.assertEqual(s3.Object(self.bucket, "c").get()["Body"].read(), b"part")
        bucket.objects.filter(Prefix="a/").delete()
        self.assertEqual([o.key for o in bucket.objects.all()], ["b", "c"])


if __name__ == "__main__":
    unittest.main()
