"""What botocore signs, for the cases on standard input: a JSON list on standard output."""
import json
import sys

import boto3
from botocore.config import Config

out = []
for case in json.load(sys.stdin):
    s3 = boto3.client(
        "s3", endpoint_url=case["endpoint"], region_name=case["region"], aws_access_key_id=case["access_key"],
        aws_secret_access_key=case["secret_key"], aws_session_token=case.get("token") or None,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    at = {"Bucket": case["bucket"], "Key": case["key"]}
    fields = {"Content-Type": case["type"], "x-amz-meta-a": case["metadata"]}
    post = s3.generate_presigned_post(
        **at, Fields=fields, Conditions=[*({k: v} for k, v in fields.items()), ["content-length-range", 1, 1000]], ExpiresIn=300)
    put = {**at, "ContentType": case["type"], "ContentLength": case["size"], "Metadata": {"a": case["metadata"].strip()}}
    out.append({
        "post": post["fields"],
        "urls": [
            {"method": "PUT", "url": s3.generate_presigned_url("put_object", Params=put, ExpiresIn=300)},
            {"method": "GET", "url": s3.generate_presigned_url("get_object", Params=at, ExpiresIn=300)},
            {"method": "PUT", "url": s3.generate_presigned_url(
                "upload_part", Params={**at, "UploadId": case["upload_id"], "PartNumber": 7}, ExpiresIn=300)},
        ],
    })
json.dump(out, sys.stdout)
