// Package access reads policy documents, strictly, and judges requests by them
// as S3 does: bucket policies, and those that IAM attaches to a user.
//
// A document is refused as a whole when it holds anything that this package
// does not know: an element, an operator, a condition key, an S3 action, a
// variable. Nothing is skipped, as a skipped Deny is a hole.
//
// # What is judged
//
//   - Effect, Action and NotAction, Resource and NotResource, all operators of
//     Condition but BinaryEquals, with ForAllValues:, ForAnyValue: and IfExists,
//     and policy variables with defaults. Wildcards are * and ?.
//   - Actions are compared without regard to case, as are the names of condition
//     keys; all else, names of elements and operators included, to the letter.
//   - A bucket policy needs a Principal, and every resource must lie within the
//     bucket. NotPrincipal is refused, as AWS advises against it.
//   - A policy of an identity may speak of other services. Their actions must be
//     well formed, and never match.
//
// # Principals
//
// An account ("111122223333", or the ARN of its root) is everybody in it under
// Deny. Under Allow it is the account itself and none of its users: S3 then
// "delegates authority to the account", whose own policies decide. Roles,
// services, federated and canonical users are read, and are never a caller here.
//
// Pages: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html,
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html.
package access
