"""The signatures that botocore makes, at a given time, for what is on standard
input: a JSON list of them on standard output."""
import json
import sys

from botocore.auth import S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

out = []
for x in json.load(sys.stdin):
    key = Credentials(x["access_key"], x["secret_key"], x["token"] or None)
    if x["policy"]:
        auth, request = S3SigV4PostAuth(key, "s3", x["region"]), AWSRequest()
        request.context["timestamp"] = x["date"]
        out.append(auth.signature(x["policy"], request))
        continue
    # What add_auth does, but for the clock that it reads.
    auth = S3SigV4QueryAuth(key, "s3", x["region"], expires=x["expires"])
    request = AWSRequest(method=x["method"], url=x["url"], headers=x["headers"])
    request.context["timestamp"] = x["date"]
    auth._modify_request_before_signing(request)
    out.append(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
json.dump(out, sys.stdout)
