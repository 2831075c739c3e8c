"""moto's sts, iam, organizations and s3, made durable, authenticated and obedient to the sandbox's clock.

double          what the rest of the sandbox calls
early_double    the same before moto is imported: the administrator's first requests do not wait for it
administrator   what is known without moto
exchange        one request: permission before moto acts, state saved after
application     an HTTP request to moto and its answer
memory          moto's memory and the state file, kept in step
snapshots       how a service's memory becomes bytes, and only safe bytes become memory
moto_settings   what has to differ from a stock moto: clock, ids, secrets, permissions
managed_policies, organization, reserved_roles, access_keys, access_policies,
session_keys, iam_resources, object_bodies
                one noun each
"""
