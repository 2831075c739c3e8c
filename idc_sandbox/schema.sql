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

-- Lists are read by pages, in this order.
CREATE INDEX identity_user_in_order ON identity_user (identity_store_id, created_at, user_id);
CREATE INDEX identity_group_in_order ON identity_group (identity_store_id, created_at, group_id);
CREATE INDEX group_membership_of_group ON group_membership (group_id, created_at, membership_id);
CREATE INDEX group_membership_of_user ON group_membership (user_id, created_at, membership_id);
CREATE INDEX account_assignment_of_principal ON account_assignment (principal_id);
CREATE INDEX provisioned_permission_set_of_account ON provisioned_permission_set (account_id);

-- moto's memory, a row a service (of iam also one an account), written in the same transaction as what caused it.
CREATE TABLE double_state (
    service TEXT PRIMARY KEY,
    moto_version TEXT NOT NULL,
    state BLOB NOT NULL
) STRICT;

-- Switches for tests and lessons: the clock's offset, latency, faults.
CREATE TABLE switch (name TEXT PRIMARY KEY, value_json TEXT NOT NULL) STRICT;

-- The front door: how people prove who they are. Whatever opens a door (a link, a code, a cookie's token) is kept as its SHA-256.
CREATE TABLE user_password (
    user_id TEXT PRIMARY KEY REFERENCES identity_user ON DELETE CASCADE,
    password_hash TEXT,                                  -- argon2id; NULL: none is valid now
    must_change INTEGER NOT NULL DEFAULT 0,              -- an administrator made it, the user has not yet replaced it
    expires_at REAL,
    history_json TEXT NOT NULL DEFAULT '[]'              -- hashes of the last passwords that the user chose, newest first
) STRICT;

CREATE TABLE message (
    message_id TEXT PRIMARY KEY,
    to_address TEXT NOT NULL,
    to_address_folded TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN ('invitation', 'password-reset', 'one-time-password', 'email-otp', 'email-verification')
    ),
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    link TEXT,                                           -- a path of the pages
    sent_at REAL NOT NULL
) STRICT;
CREATE INDEX message_of_address ON message (to_address_folded, sent_at);

CREATE TABLE invitation (
    token_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('invitation', 'password-reset')),
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    used_at REAL,
    email_folded TEXT                                    -- to which it was mailed; NULL: that is not known any more
) STRICT;

-- Which address of a user's is theirs: the newest link counts, and an address that was changed since is not verified.
CREATE TABLE email_verification (
    user_id TEXT PRIMARY KEY REFERENCES identity_user ON DELETE CASCADE,
    email_folded TEXT NOT NULL,
    token_hash TEXT UNIQUE,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    verified_at REAL
) STRICT;

-- The practice phone's keys, in plain text as on a phone. A phone is one browser's, or the owner's.
CREATE TABLE phone_key (
    key_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    phone TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    added_at REAL NOT NULL,
    UNIQUE (phone, secret)
) STRICT;

CREATE TABLE mfa_device (
    device_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('totp', 'webauthn')),
    name TEXT NOT NULL,
    totp_secret TEXT,
    totp_last_step INTEGER,                              -- a code is good once: older and equal steps are refused
    credential_id TEXT UNIQUE,                           -- WebAuthn: base64url
    public_key BLOB,
    sign_count INTEGER,
    relying_party_id TEXT,
    registered_at REAL NOT NULL,
    last_used_at REAL
) STRICT;
CREATE INDEX mfa_device_of_user ON mfa_device (user_id);

-- What a registration or a sign-in with a device waits for; the newest of its kind counts.
CREATE TABLE device_challenge (
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN (
        'totp-registration', 'console-totp-registration', 'webauthn-registration',
        'console-webauthn-registration', 'webauthn-authentication'
    )),
    secret TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (user_id, kind)
) STRICT;

CREATE TABLE sign_in_failure (
    user_name_hash TEXT NOT NULL,
    client_hash TEXT NOT NULL,
    failed_at REAL NOT NULL
) STRICT;
CREATE INDEX sign_in_failure_of_user_name ON sign_in_failure (user_name_hash);
CREATE INDEX sign_in_failure_of_client ON sign_in_failure (client_hash);

-- A sign-in on its way through the pages; user_id is NULL for a user name that nobody has.
CREATE TABLE sign_in (
    sign_in_hash TEXT PRIMARY KEY,
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    user_id TEXT REFERENCES identity_user ON DELETE CASCADE,
    user_name TEXT NOT NULL DEFAULT '',                  -- as it was typed
    page TEXT NOT NULL,
    client TEXT NOT NULL,
    browser_hash TEXT NOT NULL DEFAULT '',               -- of the name of the browser that began it, where it ends
    browser_hashes_json TEXT NOT NULL DEFAULT '[]',
    code_hash TEXT,                                      -- of the code that was e-mailed last
    code_expires_at REAL,
    code_sent_at REAL,
    expires_at REAL NOT NULL,
    workflow_json TEXT NOT NULL DEFAULT '{}'             -- of its events: their AuthWorkflowID, and what was proved
) STRICT;

CREATE TABLE trusted_browser (
    token_hash TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    expires_at REAL NOT NULL,
    PRIMARY KEY (token_hash, user_id)
) STRICT;

CREATE TABLE portal_session (
    session_id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    ended_at REAL,
    browser_hash TEXT NOT NULL DEFAULT ''                -- of the name of the browser that signed in
) STRICT;
CREATE INDEX portal_session_of_user ON portal_session (user_id);

CREATE TABLE oidc_client (
    client_id TEXT PRIMARY KEY,
    client_name TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    grant_types_json TEXT NOT NULL,
    expires_at REAL NOT NULL
) STRICT;

CREATE TABLE device_authorization (
    device_code_hash TEXT PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    client_name TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'used')),
    session_id TEXT REFERENCES portal_session ON DELETE CASCADE,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    last_polled_at REAL,
    hasty_polls INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE authorization_code (
    code_hash TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES portal_session ON DELETE CASCADE,
    expires_at REAL NOT NULL,
    family_id TEXT                                       -- of the tokens that it was exchanged for
) STRICT;

-- Tokens of clients. A family is what one approval led to, through all its refreshments.
CREATE TABLE oidc_token (
    token_hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    family_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES portal_session ON DELETE CASCADE,
    expires_at REAL NOT NULL,
    used_at REAL                                         -- of a refresh token that has been replaced
) STRICT;
CREATE INDEX oidc_token_family ON oidc_token (family_id);

-- While changes of groups take time to reach the portal (the switch propagation_delay_s), who has left a group is still seen in it.
CREATE TABLE former_group_membership (
    group_id TEXT NOT NULL REFERENCES identity_group ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,
    visible_from REAL NOT NULL,
    removed_at REAL NOT NULL
) STRICT;
CREATE TRIGGER keep_former_group_membership AFTER DELETE ON group_membership
WHEN EXISTS (SELECT 1 FROM switch WHERE name = 'propagation_delay_s' AND CAST(value_json AS REAL) > 0)
    AND EXISTS (SELECT 1 FROM identity_user WHERE user_id = OLD.user_id)
    AND EXISTS (SELECT 1 FROM identity_group WHERE group_id = OLD.group_id)
BEGIN
    INSERT INTO former_group_membership VALUES (
        OLD.group_id, OLD.user_id, OLD.created_at,
        (julianday('now') - 2440587.5) * 86400.0
            + coalesce((SELECT CAST(value_json AS REAL) FROM switch WHERE name = 'clock_offset_s'), 0)
    );
END;

-- Version 7
-- A file of version 6 gets everything from here to the end, so here are only new tables and indexes.

-- Applications, and who and what may use them.
CREATE TABLE application (
    application_arn TEXT PRIMARY KEY,
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    account_id TEXT NOT NULL,                            -- whose account it was created from
    provider_arn TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL CHECK (status IN ('ENABLED', 'DISABLED')),
    portal_options_json TEXT NOT NULL,
    assignment_required INTEGER NOT NULL DEFAULT 1,
    background_sessions TEXT NOT NULL DEFAULT 'DISABLED',
    actor_policy_json TEXT,                              -- the IAM authentication method; NULL: there is none
    client_token TEXT, request_hash TEXT,                -- of the call that created it
    created_at REAL NOT NULL,
    created_from TEXT NOT NULL
) STRICT;
CREATE INDEX application_of_instance ON application (instance_arn);

CREATE TABLE application_assignment (
    application_arn TEXT NOT NULL REFERENCES application ON DELETE CASCADE,
    principal_type TEXT NOT NULL CHECK (principal_type IN ('USER', 'GROUP')),
    principal_id TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (application_arn, principal_type, principal_id)
) STRICT;
CREATE INDEX application_assignment_of_principal ON application_assignment (principal_id);

CREATE TABLE application_access_scope (
    application_arn TEXT NOT NULL REFERENCES application ON DELETE CASCADE,
    scope TEXT NOT NULL,
    authorized_targets_json TEXT,
    PRIMARY KEY (application_arn, scope)
) STRICT;

CREATE TABLE application_grant (
    application_arn TEXT NOT NULL REFERENCES application ON DELETE CASCADE,
    grant_type TEXT NOT NULL,
    grant_json TEXT NOT NULL,
    PRIMARY KEY (application_arn, grant_type)
) STRICT;

CREATE TABLE trusted_token_issuer (
    trusted_token_issuer_arn TEXT PRIMARY KEY,
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    name TEXT NOT NULL,
    issuer_url TEXT NOT NULL,
    claim_attribute_path TEXT NOT NULL,
    identity_store_attribute_path TEXT NOT NULL,
    client_token TEXT, request_hash TEXT,
    created_at REAL NOT NULL,
    UNIQUE (instance_arn, name)
) STRICT;

-- Regions beside the home Region; one that is being added or removed is so until due_at.
CREATE TABLE instance_region (
    instance_arn TEXT NOT NULL REFERENCES instance ON DELETE CASCADE,
    region TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ADDING', 'ACTIVE', 'REMOVING')),
    added_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    due_at REAL NOT NULL,
    PRIMARY KEY (instance_arn, region)
) STRICT;

-- The trail: an event a row, as CloudTrail writes it. Delivery goes by the number, so the newest row always stays.
-- Every call adds one: an index, or AUTOINCREMENT's own table, would be a page more to write for each.
CREATE TABLE trail_event (
    number INTEGER PRIMARY KEY,
    event_time REAL NOT NULL,
    account_id TEXT NOT NULL,                            -- whose event it is
    region TEXT NOT NULL,
    user_name TEXT NOT NULL,                             -- by which lookups find it
    record TEXT NOT NULL
) STRICT;

-- Athena's catalog, queries and saved queries. Definitions and requests are as the clients gave them.
CREATE TABLE athena_database (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    location TEXT NOT NULL,
    PRIMARY KEY (account_id, region, name)
) STRICT;

CREATE TABLE athena_table (
    table_id INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    database_name TEXT NOT NULL,
    name TEXT NOT NULL,
    definition_json TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (account_id, region, database_name, name)
) STRICT;

CREATE TABLE athena_partition (
    table_id INTEGER NOT NULL REFERENCES athena_table ON DELETE CASCADE,
    values_json TEXT NOT NULL,
    location TEXT NOT NULL,
    PRIMARY KEY (table_id, values_json)
) STRICT;

CREATE TABLE athena_query (
    query_id TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,                      -- in the order of submission
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    principal_arn TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    request_json TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    submitted_at REAL NOT NULL,
    started_at REAL,
    completed_at REAL,
    outcome_json TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX athena_query_of_account ON athena_query (account_id, region, number);
CREATE INDEX athena_query_of_state ON athena_query (state, number);

CREATE TABLE athena_named_query (
    named_query_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    request_json TEXT NOT NULL
) STRICT;

-- The organization's trail, there from the first day; the events behind delivered_through are not in S3 yet.
CREATE TABLE trail (
    name TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    has_bucket INTEGER NOT NULL DEFAULT 0,               -- it was made once; who deletes it stops the delivery
    last_number INTEGER,                                 -- of what is delivered: somebody has stopped it there
    started_at REAL NOT NULL,
    stopped_at REAL,
    delivered_through INTEGER NOT NULL DEFAULT 0,
    delivered_at REAL,
    delivery_error TEXT
) STRICT;
INSERT INTO trail (name, bucket, started_at)
VALUES ('organization-trail', 'aws-cloudtrail-logs-111122223333', (julianday('now') - 2440587.5) * 86400.0);

-- What `aws login` led to. A session is one once its code was exchanged; it ends at expires_at, or before when it is revoked.
CREATE TABLE login_session (
    session_arn TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    principal_arn TEXT NOT NULL,                         -- the user or the role, without a path
    principal_json TEXT NOT NULL,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_hash TEXT NOT NULL UNIQUE,
    code_challenge TEXT NOT NULL,
    code_expires_at REAL NOT NULL,
    key_thumbprint TEXT,                                 -- of the key that the client proves to hold; NULL: not exchanged yet
    password_hash TEXT,                                  -- of the user's password then, with the session's id; NULL: a role
    chain_secret TEXT NOT NULL,                          -- from which, and a refresh token, the next one follows
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    ended_at REAL,
    last_used_at REAL,
    user_agent TEXT,
    region TEXT NOT NULL
) STRICT;
CREATE INDEX login_session_of_account ON login_session (account_id);

CREATE TABLE login_refresh_token (
    token_hash TEXT PRIMARY KEY,
    session_arn TEXT NOT NULL REFERENCES login_session ON DELETE CASCADE,
    access_key_id TEXT                                   -- of the keys that it was exchanged for
) STRICT;

-- Account access manager: one application an instance, in a state until due_at, and who may have which IAM role.
CREATE TABLE access_application (
    application_arn TEXT PRIMARY KEY,
    instance_arn TEXT NOT NULL UNIQUE REFERENCES instance ON DELETE CASCADE,
    managed_application_arn TEXT NOT NULL,               -- Identity Center's own application beside it
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    tenant_id TEXT NOT NULL UNIQUE,
    is_deleting INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    due_at REAL NOT NULL
) STRICT;

CREATE TABLE entitlement (
    entitlement_id TEXT PRIMARY KEY,
    application_arn TEXT NOT NULL REFERENCES access_application ON DELETE CASCADE,
    principal_type TEXT NOT NULL CHECK (principal_type IN ('USER', 'GROUP')),
    principal_id TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (application_arn, principal_type, principal_id, role_arn)
) STRICT;
CREATE INDEX entitlement_of_principal ON entitlement (principal_id);
