-- name: live_schema
-- Where the tables are that the sink writes and everybody reads; NULL where there are none.
SELECT quote_ident(nspname)
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = to_regclass('schema_migrations');

-- name: versions
SELECT
    nspname,
    obj_description(pg_namespace.oid, 'pg_namespace'),
    (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relnamespace = pg_namespace.oid
        AND relkind = 'r')
FROM pg_namespace
WHERE nspname ~ '^(rebuild|before)_[0-9]+$'
ORDER BY substring(nspname FROM '[0-9]+')::bigint, nspname;

-- name: size
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM unnest(ARRAY[{tables}]) AS oid;

-- name: lock_out
-- One rebuild of a database at a time; held to the end of this transaction, which stays open through the rebuild.
SELECT pg_try_advisory_xact_lock(hashtext('threads-agent-stack rebuild'));

-- name: stay_open
SELECT set_config('idle_in_transaction_session_timeout', '0', true);

-- name: be_brief
SELECT set_config('lock_timeout', '{lock_timeout_ms}', true);

-- name: create
CREATE SCHEMA {version};
COMMENT ON SCHEMA {version} IS '{comment}';
CREATE TABLE {version}.rebuild_positions (
    topic text,
    partition integer,
    topic_id text,  -- of a topic made again it is another
    first_offset bigint NOT NULL,  -- that the log still has
    next_offset bigint NOT NULL,  -- to go on at
    compacted boolean NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- name: drop
DROP SCHEMA {version} CASCADE;

-- name: positions
SELECT topic, partition, topic_id, next_offset FROM {version}.rebuild_positions;

-- name: keep_positions
INSERT INTO {version}.rebuild_positions (topic, partition, topic_id, first_offset, next_offset, compacted)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (topic, partition) DO UPDATE SET
    topic_id = EXCLUDED.topic_id, first_offset = EXCLUDED.first_offset, next_offset = EXCLUDED.next_offset,
    compacted = EXCLUDED.compacted;

-- name: ledgers_differ
SELECT version, name, checksum FROM {live}.schema_migrations
EXCEPT SELECT version, name, checksum FROM {version}.schema_migrations
UNION ALL (
    SELECT version, name, checksum FROM {version}.schema_migrations
    EXCEPT SELECT version, name, checksum FROM {live}.schema_migrations
);

-- name: columns
-- Generated columns follow from others.
SELECT attname
FROM pg_attribute
WHERE attrelid = '{version}.{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum;

-- name: sums
SELECT
    (SELECT count(*) FROM {live}.{table}),
    (SELECT coalesce(sum(hashtextextended(ROW({columns})::text, 0)), 0)::text FROM {live}.{table}),
    (SELECT count(*) FROM {version}.{table}),
    (SELECT coalesce(sum(hashtextextended(ROW({columns})::text, 0)), 0)::text FROM {version}.{table});

-- name: make_differing
DROP TABLE IF EXISTS {version}.differing_{table};
CREATE UNLOGGED TABLE {version}.differing_{table} AS SELECT {key} FROM {version}.{table} WITH NO DATA;
ALTER TABLE {version}.differing_{table} ADD PRIMARY KEY ({key});

-- name: find_differing
INSERT INTO {version}.differing_{table} ({key})
SELECT {either_key}
FROM {live}.{table} AS live
FULL JOIN {version}.{table} AS rebuilt ON {same_key}
WHERE ({live_columns}) IS DISTINCT FROM ({rebuilt_columns});

-- name: find_changed
-- What was written since a comparison began, whatever wrote it: the transactions that were open then, and later ones.
INSERT INTO {version}.differing_{table} ({key})
SELECT {key} FROM {live}.{table} WHERE age(xmin) <= age('{since}'::xid8::xid)
UNION
SELECT {key} FROM {version}.{table} WHERE age(xmin) <= age('{since}'::xid8::xid)
ON CONFLICT DO NOTHING;

-- name: settle
DELETE FROM {version}.differing_{table} AS differing
USING {live}.{table} AS live, {version}.{table} AS rebuilt
WHERE {differing_is_live} AND {same_key} AND ({live_columns}) IS NOT DISTINCT FROM ({rebuilt_columns});

-- name: settle_gone
DELETE FROM {version}.differing_{table} AS differing
WHERE
    NOT EXISTS (SELECT FROM {live}.{table} AS live WHERE {differing_is_live})
    AND NOT EXISTS (SELECT FROM {version}.{table} AS rebuilt WHERE {differing_is_rebuilt});

-- name: leave_out
DELETE FROM {version}.differing_{table} WHERE run_id = %s;

-- name: analyze
ANALYZE {version}.differing_{table};

-- name: kinds
SELECT difference, count(*) FROM ({classified}) AS classified GROUP BY difference;

-- name: sample
SELECT difference, {key}, of_live, of_rebuilt
FROM (
    SELECT *, row_number() OVER (PARTITION BY difference ORDER BY {key}) AS number FROM ({classified}) AS classified
) AS numbered
WHERE number <= {limit}
ORDER BY difference, number;

-- name: classified
-- gone: the live row's record is no longer in the log, and would make the row still. live: only the live version has it,
-- though its record is in the log. rebuilt: only the rebuilt version has it. different: both have it, not alike.
SELECT
    {differing_key},
    CASE
        WHEN live.{first_key} IS NULL THEN 'rebuilt'
        WHEN {is_gone} THEN 'gone'
        WHEN rebuilt.{first_key} IS NULL THEN 'live'
        ELSE 'different'
    END AS difference,
    to_jsonb(live) AS of_live,
    to_jsonb(rebuilt) AS of_rebuilt
FROM {version}.differing_{table} AS differing
LEFT JOIN {live}.{table} AS live ON {differing_is_live}
LEFT JOIN {version}.{table} AS rebuilt ON {differing_is_rebuilt}
{join_positions}

-- name: carry_rows
INSERT INTO {version}.{table} AS kept ({columns})
SELECT {live_column_list}
FROM {version}.differing_{table} AS differing
JOIN {live}.{table} AS live ON {differing_is_live}
LEFT JOIN {version}.{table} AS rebuilt ON {differing_is_rebuilt}
{join_positions}
WHERE {is_gone}
ON CONFLICT ({key}) DO UPDATE SET
    {assignments};

-- name: carried_frame
SELECT {live_frame_columns}, live.{partition}, live.{offset}
FROM {version}.differing_{table} AS differing
JOIN {live}.{table} AS live ON {differing_is_live}
LEFT JOIN {version}.{table} AS rebuilt ON {differing_is_rebuilt}
{join_positions}
WHERE {is_gone}
ORDER BY live.{partition}, live.{offset};

-- name: instant
-- What is older than every transaction under way is seen by what follows.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint;

-- name: lock_writers
-- Readers go on; who writes waits.
LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE;

-- name: lock_all
LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;

-- name: relations
SELECT relname, relkind::text
FROM pg_class
WHERE relnamespace = '{version}'::regnamespace AND relkind IN ('r', 'v')
    AND relname <> 'rebuild_positions' AND relname !~ '^differing_'
ORDER BY relkind, relname;

-- name: foreign_dependents
-- What somebody else made on our tables: views, materialized views and references would go on with the old ones.
SELECT DISTINCT reader.oid::regclass::text
FROM pg_depend
JOIN pg_rewrite ON pg_rewrite.oid = pg_depend.objid AND pg_depend.classid = 'pg_rewrite'::regclass
JOIN pg_class AS reader ON reader.oid = pg_rewrite.ev_class
JOIN pg_class AS ours ON ours.oid = pg_depend.refobjid AND pg_depend.refclassid = 'pg_class'::regclass
WHERE
    ours.relnamespace = '{live}'::regnamespace AND ours.relname = ANY(%(names)s)
    AND NOT (reader.relnamespace = '{live}'::regnamespace AND reader.relname = ANY(%(names)s))
UNION
SELECT conrelid::regclass::text
FROM pg_constraint
JOIN pg_class AS ours ON ours.oid = confrelid
WHERE contype = 'f' AND ours.relnamespace = '{live}'::regnamespace AND ours.relname = ANY(%(names)s)
ORDER BY 1;

-- name: own_indexes
-- Indexes that somebody else made on our tables, as statements for those of the rebuilt version.
SELECT replace(indexdef, format(' ON %%I.%%I ', schemaname, tablename), format(' ON {version}.%%I ', tablename))
FROM pg_indexes
WHERE
    quote_ident(schemaname) = %(live)s AND tablename = ANY(%(names)s)
    AND (tablename, indexname) NOT IN (SELECT tablename, indexname FROM pg_indexes WHERE schemaname = '{version}')
ORDER BY indexname;

-- name: grants
-- Whoever may read the live tables may read those that take their place.
SELECT format(
    'GRANT %%s ON {version}.%%I TO %%s%%s',
    privilege_type, relname,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
)
FROM pg_class, aclexplode(relacl)
WHERE relnamespace = '{live}'::regnamespace AND relname = ANY(%(names)s) AND grantee <> relowner
ORDER BY 1;

-- name: create_before
CREATE SCHEMA {before};
COMMENT ON SCHEMA {before} IS '{comment}';

-- name: swap_table
ALTER TABLE {live}.{table} SET SCHEMA {before};
ALTER TABLE {version}.{table} SET SCHEMA {live};

-- name: swap_view
ALTER VIEW {live}.{table} SET SCHEMA {before};
ALTER VIEW {version}.{table} SET SCHEMA {live};
