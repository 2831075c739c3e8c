"""The trail: what happened, in CloudTrail's record shapes; its lookups, and its delivery into S3."""
