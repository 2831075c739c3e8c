-- The sandbox's state: Identity Center's own nouns, one table each. Times are epoch seconds of the sandbox's clock.
-- A JSON column is named *_json. Raise SCHEMA_VERSION in store.py with every change here.

CREATE TABLE metadata (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE id_counter (kind TEXT PRIMARY KEY, next_value INTEGER NOT NULL) STRICT;

CREATE TABLE instance (
    instance_arn TEXT PRIMARY KEY,
    identity_store_id TEXT NOT NULL UNIQUE,
    owner_account_id TEXT NOT NULL UNIQUE,              -- one instance an account, whatever the Region
    kind TEXT NOT NULL CHECK (kind IN ('ORGANIZATION', 'ACCOUNT')),
    region TEXT NOT NULL,
    name TEXT,
    status TEXT NOT NULL,
    permission_sets_enabled INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL,
    settings_json TEXT NOT NULL DEFAULT '{}'            -- encryption and network configuration
) STRICT;

-- An instance that was deleted is remembered: AWS answers AccessDenied for it, not NotFound.
CREATE TABLE deleted_instance (instance_arn TEXT PRIMARY KEY, deleted_at REAL NOT NULL) STRICT;

CREATE TABLE access_control_attributes (
    instance_arn TEXT PRIMARY KEY REFERENCES instance ON DELETE CASCADE,
    attributes_json TEXT NOT NULL
) STRICT;

-- What only the console can set; the console's own service reads and writes it.
CREATE TABLE console_setting (
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    name TEXT NOT NULL,
    value_json TEXT NOT NULL,
    PRIMARY KEY (instance_arn, name)
) STRICT;

CREATE TABLE permission_set (
    permission_set_arn TEXT PRIMARY KEY,
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    session_duration TEXT NOT NULL,
    relay_state TEXT,
    inline_policy TEXT,
    permissions_boundary_json TEXT,
    revision INTEGER NOT NULL DEFAULT 1,                -- grows with every change that must be provisioned
    created_at REAL NOT NULL,
    UNIQUE (instance_arn, name)
) STRICT;

CREATE TABLE permission_set_managed_policy (
    permission_set_arn TEXT NOT NULL REFERENCES permission_set ON DELETE CASCADE,
    policy_arn TEXT NOT NULL,
    attached_order INTEGER NOT NULL,
    PRIMARY KEY (permission_set_arn, policy_arn)
) STRICT;

CREATE TABLE permission_set_customer_managed_policy (
    permission_set_arn TEXT NOT NULL REFERENCES permission_set ON DELETE CASCADE,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    attached_order INTEGER NOT NULL,
    PRIMARY KEY (permission_set_arn, name, path)
) STRICT;

CREATE TABLE provisioned_permission_set (
    permission_set_arn TEXT NOT NULL REFERENCES permission_set ON DELETE CASCADE,
    account_id TEXT NOT NULL,
    provisioned_revision INTEGER NOT NULL,
    role_name TEXT NOT NULL,
    provisioned_at REAL NOT NULL,
    PRIMARY KEY (permission_set_arn, account_id)
) STRICT;

-- AWS gives account assignments no id: the key is the five-tuple (the instance is part of the permission set's ARN).
CREATE TABLE account_assignment (
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    permission_set_arn TEXT NOT NULL REFERENCES permission_set,
    account_id TEXT NOT NULL,
    principal_type TEXT NOT NULL CHECK (principal_type IN ('USER', 'GROUP')),
    principal_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (permission_set_arn, account_id, principal_type, principal_id)
) STRICT;

-- Assignments and provisioning are asynchronous: a request is due at a time, and settled by whatever call comes after it.
CREATE TABLE asynchronous_request (
    request_id TEXT PRIMARY KEY,
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('CREATE_ASSIGNMENT', 'DELETE_ASSIGNMENT', 'PROVISION')),
    status TEXT NOT NULL CHECK (status IN ('IN_PROGRESS', 'SUCCEEDED', 'FAILED')),
    failure_reason TEXT,
    detail_json TEXT NOT NULL,                           -- PermissionSetArn, TargetId, PrincipalType, PrincipalId as requested
    created_at REAL NOT NULL,
    due_at REAL NOT NULL
) STRICT;
CREATE INDEX asynchronous_request_pending ON asynchronous_request (status, due_at);

CREATE TABLE tag (
    resource_arn TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (resource_arn, tag_key)
) STRICT;

CREATE TABLE identity_user (
    user_id TEXT PRIMARY KEY,
    identity_store_id TEXT NOT NULL REFERENCES instance (identity_store_id) ON DELETE CASCADE,
    user_name TEXT NOT NULL,
    user_name_folded TEXT NOT NULL,
    email_folded TEXT,
    user_status TEXT NOT NULL DEFAULT 'ENABLED',
    profile_json TEXT NOT NULL,                          -- the attributes as in DescribeUser, without ids and timestamps
    revision INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL, created_by TEXT NOT NULL,
    updated_at REAL NOT NULL, updated_by TEXT NOT NULL,
    UNIQUE (identity_store_id, user_name_folded),
    UNIQUE (identity_store_id, email_folded)
) STRICT;

CREATE TABLE identity_group (
    group_id TEXT PRIMARY KEY,
    identity_store_id TEXT NOT NULL REFERENCES instance (identity_store_id) ON DELETE CASCADE,
    display_name TEXT NOT NULL,
    display_name_folded TEXT NOT NULL,
    profile_json TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL, created_by TEXT NOT NULL,
    updated_at REAL NOT NULL, updated_by TEXT NOT NULL,
    UNIQUE (identity_store_id, display_name_folded)
) STRICT;

CREATE TABLE group_membership (
    membership_id TEXT PRIMARY KEY,
    identity_store_id TEXT NOT NULL REFERENCES instance (identity_store_id) ON DELETE CASCADE,
    group_id TEXT NOT NULL REFERENCES identity_group ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    created_at REAL NOT NULL, created_by TEXT NOT NULL,
    UNIQUE (group_id, user_id)
) STRICT;

-- moto's memory, a row a service, written in the same transaction as what caused it.
CREATE TABLE double_state (
    service TEXT PRIMARY KEY,
    moto_version TEXT NOT NULL,
    state BLOB NOT NULL
) STRICT;

-- Switches for tests and lessons: the clock's offset, latency, faults.
CREATE TABLE switch (name TEXT PRIMARY KEY, value_json TEXT NOT NULL) STRICT;
