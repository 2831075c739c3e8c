"""A local Identity Center that unmodified AWS clients take for AWS.

The package is one process on loopback. It answers ``sso-admin`` and ``identitystore`` with handlers of its
own, driven by botocore's service models, and keeps moto behind the same port for ``sts``, ``iam``,
``organizations`` and ``s3``. It does not import the helper package, and the helper package does not import
it: they speak AWS's protocols.
"""

__version__ = "0.1.0"
