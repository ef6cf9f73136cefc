package s3d

func multipartOperations() []operation { return nil }
