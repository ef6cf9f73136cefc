package s3d

import "net/http"

func objectOperations() []operation {
	reading := []string{"x-amz-checksum-mode"}
	// What makes an object asks for itself: its tags are judged, too.
	writing := []string{metaPrefix, taggingHeader, "x-amz-storage-class"}
	return []operation{
		{
			name: "ListObjects", method: http.MethodGet, level: onBucket, action: "s3:ListBucket",
			query: []string{"prefix", "marker", "max-keys", "delimiter", "encoding-type"}, run: (*exchange).listObjectsV1,
		},
		{name: "DeleteObjects", method: http.MethodPost, level: onBucket, by: "delete", headers: checksumHeaders(), run: (*exchange).deleteObjects},
		{name: "GetObject", method: http.MethodGet, level: onObject, query: overrideQuery(), headers: reading, run: (*exchange).getObject},
		{name: "HeadObject", method: http.MethodHead, level: onObject, query: overrideQuery(), headers: reading, run: (*exchange).getObject},
		{name: "PutObject", method: http.MethodPut, level: onObject, headers: checksumHeaders(writing...), run: (*exchange).putObject},
		{name: "CopyObject", method: http.MethodPut, level: onObject, by: copySource, headers: append(copyHeaders(), writing...), run: (*exchange).copyObject},
		{name: "DeleteObject", method: http.MethodDelete, level: onObject, action: "s3:DeleteObject", run: (*exchange).deleteObject},
		{name: "GetObjectTagging", method: http.MethodGet, level: onObject, by: "tagging", run: (*exchange).getTags},
		{name: "PutObjectTagging", method: http.MethodPut, level: onObject, by: "tagging", headers: checksumHeaders(), run: (*exchange).putTags},
		{name: "DeleteObjectTagging", method: http.MethodDelete, level: onObject, by: "tagging", run: (*exchange).deleteTags},
	}
}
