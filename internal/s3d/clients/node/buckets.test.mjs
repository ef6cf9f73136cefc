import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import * as s3 from '@aws-sdk/client-s3';

import { client, endpoint, exchange, place, refused, region, test } from './world.mjs';

test('buckets: make, find, list, delete', async (b) => {
  const Bucket = `js-${randomUUID()}`;
  const send = (Command, more = {}) => client.send(new Command({ Bucket, ...more }));
  await refused(404, 'NotFound', send(s3.HeadBucketCommand));
  await refused(404, 'NoSuchBucket', send(s3.DeleteBucketCommand));
  await assert.rejects(send(s3.ListObjectsV2Command), s3.NoSuchBucket);
  await send(s3.CreateBucketCommand, place);
  assert.equal((await send(s3.HeadBucketCommand)).BucketRegion, region);
  assert.equal((await send(s3.GetBucketLocationCommand)).LocationConstraint || 'us-east-1', region);
  if (region === 'us-east-1') await send(s3.CreateBucketCommand);
  else await assert.rejects(send(s3.CreateBucketCommand, place), s3.BucketAlreadyOwnedByYou);
  const names = [];
  for await (const page of s3.paginateListBuckets({ client, pageSize: 1 }, {})) names.push(...page.Buckets.map(({ Name }) => Name));
  assert.ok(names.includes(Bucket) && names.includes(b.name), String(names));
  await send(s3.PutObjectCommand, { Key: 'left', Body: 'x' });
  await refused(409, 'BucketNotEmpty', send(s3.DeleteBucketCommand));
  await send(s3.DeleteObjectCommand, { Key: 'left' });
  await send(s3.DeleteBucketCommand);
  await s3.waitUntilBucketNotExists({ client, maxWaitTime: 10 }, { Bucket });
});

test('settings: CORS', async (b) => {
  await refused(404, 'NoSuchCORSConfiguration', b.send(s3.GetBucketCorsCommand));
  const CORSRules = [{ ID: 'app', AllowedOrigins: ['https://app.example'], AllowedMethods: ['POST', 'PUT'], AllowedHeaders: ['*'], ExposeHeaders: ['ETag'], MaxAgeSeconds: 600 }];
  await b.send(s3.PutBucketCorsCommand, { CORSConfiguration: { CORSRules } });
  assert.deepEqual((await b.send(s3.GetBucketCorsCommand)).CORSRules, CORSRules);
  const preflight = (Origin) => exchange('OPTIONS', `${endpoint}/${b.name}/k`, undefined, { Origin, 'Access-Control-Request-Method': 'PUT' });
  const good = await preflight('https://app.example');
  assert.deepEqual([good.status, good.headers['access-control-allow-origin']], [200, 'https://app.example']);
  const evil = await preflight('https://evil.example');
  assert.deepEqual([evil.status, evil.headers['access-control-allow-origin']], [403, undefined]);
  await b.send(s3.DeleteBucketCorsCommand);
  await refused(404, 'NoSuchCORSConfiguration', b.send(s3.GetBucketCorsCommand));
});

test('settings: lifecycle', async (b) => {
  await refused(404, 'NoSuchLifecycleConfiguration', b.send(s3.GetBucketLifecycleConfigurationCommand));
  const Rules = [{ ID: 'q', Status: 'Enabled', Filter: { Prefix: 'q/' }, Expiration: { Days: 1 }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }];
  await b.send(s3.PutBucketLifecycleConfigurationCommand, { LifecycleConfiguration: { Rules } });
  assert.deepEqual((await b.send(s3.GetBucketLifecycleConfigurationCommand)).Rules, Rules);
  await b.send(s3.DeleteBucketLifecycleCommand);
  await refused(404, 'NoSuchLifecycleConfiguration', b.send(s3.GetBucketLifecycleConfigurationCommand));
});

test('settings: policy, public access, ownership', async (b) => {
  const all = (on) => ({ BlockPublicAcls: on, IgnorePublicAcls: on, BlockPublicPolicy: on, RestrictPublicBuckets: on });
  assert.deepEqual((await b.send(s3.GetPublicAccessBlockCommand)).PublicAccessBlockConfiguration, all(true));
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${b.name}/v/*` }] });
  await refused(404, 'NoSuchBucketPolicy', b.send(s3.GetBucketPolicyCommand));
  await refused(403, 'AccessDenied', b.send(s3.PutBucketPolicyCommand, { Policy }));
  await b.send(s3.PutPublicAccessBlockCommand, { PublicAccessBlockConfiguration: all(false) });
  await b.send(s3.PutBucketPolicyCommand, { Policy });
  assert.equal((await b.send(s3.GetBucketPolicyCommand)).Policy, Policy);
  assert.equal((await b.send(s3.GetBucketPolicyStatusCommand)).PolicyStatus.IsPublic, true);
  await b.put('v/a', 'for all');
  assert.equal(String((await exchange('GET', `${endpoint}/${b.name}/v/a`)).body), 'for all');
  await b.send(s3.DeleteBucketPolicyCommand);
  assert.equal((await exchange('GET', `${endpoint}/${b.name}/v/a`)).status, 403);
  await b.send(s3.DeletePublicAccessBlockCommand);
  await refused(404, 'NoSuchPublicAccessBlockConfiguration', b.send(s3.GetPublicAccessBlockCommand));

  const { OwnershipControls } = await b.send(s3.GetBucketOwnershipControlsCommand);
  assert.deepEqual(OwnershipControls, { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] });
  await b.send(s3.PutBucketOwnershipControlsCommand, { OwnershipControls });
  await refused(400, 'AccessControlListNotSupported', b.put('k', 'x', { ACL: 'public-read' }));
});
