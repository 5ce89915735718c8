"""The stand-in for Cloud Object Storage: buckets, objects, versions, multipart uploads."""
