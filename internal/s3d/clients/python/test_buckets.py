import json
import unittest
import uuid

from world import ENDPOINT, REGION, BucketTest, exchange


class Buckets(BucketTest):
    def test_life(self):
        name = "py-" + uuid.uuid4().hex
        self.refused(404, "404", self.s3.head_bucket, Bucket=name)
        self.refused(404, "NoSuchBucket", self.s3.delete_bucket, Bucket=name)
        with self.assertRaises(self.s3.exceptions.NoSuchBucket):
            self.s3.list_objects_v2(Bucket=name)
        self.s3.create_bucket(Bucket=name, **self.place())
        self.s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig={"Delay": 1, "MaxAttempts": 1})
        self.assertEqual(self.s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"], REGION)
        self.assertEqual(self.s3.get_bucket_location(Bucket=name)["LocationConstraint"], None if REGION == "us-east-1" else REGION)
        self.assertIn(name, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])
        if REGION == "us-east-1":
            self.s3.create_bucket(Bucket=name)
        else:
            with self.assertRaises(self.s3.exceptions.BucketAlreadyOwnedByYou):
                self.s3.create_bucket(Bucket=name, **self.place())
        self.s3.put_object(Bucket=name, Key="left", Body=b"x")
        self.refused(409, "BucketNotEmpty", self.s3.delete_bucket, Bucket=name)
        self.s3.delete_object(Bucket=name, Key="left")
        self.s3.delete_bucket(Bucket=name)
        self.s3.get_waiter("bucket_not_exists").wait(Bucket=name, WaiterConfig={"Delay": 1, "MaxAttempts": 1})

    def test_cors(self):
        self.refused(404, "NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket)
        rules = [{
            "ID": "app", "AllowedOrigins": ["https://app.example"], "AllowedMethods": ["POST", "PUT"],
            "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 600,
        }]
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": rules})
        self.assertEqual(self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"], rules)
        status, headers, _ = exchange("OPTIONS", f"{ENDPOINT}/{self.bucket}/k", headers={
            "Origin": "https://app.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"], headers["Access-Control-Max-Age"]), (200, "https://app.example", "600"))
        status, headers, _ = exchange("OPTIONS", f"{ENDPOINT}/{self.bucket}/k", headers={
            "Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (403, None))
        self.s3.delete_bucket_cors(Bucket=self.bucket)
        self.refused(404, "NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket)

    def test_lifecycle(self):
        self.refused(404, "NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration, Bucket=self.bucket)
        rules = [
            {"ID": "q", "Status": "Enabled", "Filter": {"Prefix": "q/"}, "Expiration": {"Days": 1}},
            {"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        ]
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": rules})
        got = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"]
        self.assertEqual(sorted(got, key=lambda r: r["ID"]), sorted(rules, key=lambda r: r["ID"]))
        self.put("q/a")
        self.assertIn('rule-id="q"', self.s3.head_object(Bucket=self.bucket, Key="q/a")["Expiration"])
        self.s3.delete_bucket_lifecycle(Bucket=self.bucket)
        self.refused(404, "NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration, Bucket=self.bucket)

    def test_policy_and_public_access(self):
        blocked = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
        self.assertEqual(self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"], blocked)
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.bucket}/v/*"}]})
        self.refused(404, "NoSuchBucketPolicy", self.s3.get_bucket_policy, Bucket=self.bucket)
        self.refused(403, "AccessDenied", self.s3.put_bucket_policy, Bucket=self.bucket, Policy=policy)
        self.refused(400, "MalformedPolicy", self.s3.put_bucket_policy, Bucket=self.bucket, Policy="{}")
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocked, False))
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)
        self.assertEqual(json.loads(self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"]), json.loads(policy))
        self.assertTrue(self.s3.get_bucket_policy_status(Bucket=self.bucket)["PolicyStatus"]["IsPublic"])
        self.put("v/a", b"for all")
        self.assertEqual(exchange("GET", f"{ENDPOINT}/{self.bucket}/v/a")[2], b"for all")
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.assertEqual(exchange("GET", f"{ENDPOINT}/{self.bucket}/v/a")[0], 403)
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.refused(404, "NoSuchPublicAccessBlockConfiguration", self.s3.get_public_access_block, Bucket=self.bucket)

    def test_ownership(self):
        controls = self.s3.get_bucket_ownership_controls(Bucket=self.bucket)["OwnershipControls"]
        self.assertEqual(controls, {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        self.s3.put_bucket_ownership_controls(Bucket=self.bucket, OwnershipControls=controls)
        self.refused(400, "AccessControlListNotSupported", self.s3.put_object, Bucket=self.bucket, Key="k", ACL="public-read")
        self.refused(400, "AccessControlListNotSupported", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read")


if __name__ == "__main__":
    unittest.main()
