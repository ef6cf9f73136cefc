// Generated from errors.go by codes_test.go; do not edit.

/** The codes of problem documents: docs/protocol.md. */
export type ProblemCode =
  | 'bad_request' // 400, The request is not understood
  | 'json_required' // 415, The request must be JSON
  | 'method_not_allowed' // 405, This method is not allowed here
  | 'cross_origin' // 403, Requests from this origin are not allowed
  | 'unauthenticated' // 401, Sign in first
  | 'credential_invalid' // 401, This key or token is not valid
  | 'not_permitted' // 403, You may not do this
  | 'token_spent' // 403, The upload token is used up
  | 'rate_limited' // 429, Too many uploads were begun
  | 'quota_exceeded' // 429, The quota is used up
  | 'not_found' // 404, There is nothing here
  | 'not_arrived' // 409, The file has not arrived
  | 'preset_unknown' // 400, There is no such preset
  | 'invalid_filename' // 400, The file name is not usable
  | 'invalid_metadata' // 400, The metadata is not usable
  | 'invalid_sha256' // 400, The SHA-256 is not usable
  | 'size_required' // 400, The file's size must be said
  | 'transfer_unavailable' // 400, Files do not travel this way here
  | 'grant_expired' // 410, The permission to upload ran out
  | 'size_mismatch' // 409, The parts are not the file that was announced
  | 'credential_expiring' // 503, The server's bucket credential is about to expire
  | 'type_not_allowed' // 415, This type of file is not allowed
  | 'too_large' // 413, The file is too large
  | 'too_small' // 400, The file is too small
  | 'empty_file' // 400, The file is empty
  | 'too_many_pixels' // 422, The picture has too many pixels
  | 'side_too_long' // 422, The picture is too wide or too high
  | 'too_many_frames' // 422, The animation is too long
  | 'too_many_scans' // 422, The picture is built to be slow to open
  | 'truncated' // 422, The file is cut short
  | 'corrupt' // 422, The picture is damaged
  | 'unsupported_image' // 422, This kind of picture is not supported
  | 'sha256_mismatch' // 422, The file is not the one announced
  | 'processing_failed' // 500, The picture could not be processed
  | 'records_unavailable' // 503, The records are not reachable
  | 'bucket_unavailable' // 503, The bucket is not reachable
  | 'sign_in_unavailable' // 503, Signing in does not work at the moment
  | 'internal'; // 500, Something went wrong on the server
