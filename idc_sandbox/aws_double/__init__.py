"""moto's sts, iam, organizations and s3, made durable, authenticated and obedient to the sandbox's clock."""
