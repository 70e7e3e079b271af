-- name: tables_with
SELECT columns.table_schema, columns.table_name
FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE
    columns.column_name = %(column)s
    AND tables.table_type = 'BASE TABLE'
    AND columns.table_schema NOT LIKE 'pg\_%%'
ORDER BY columns.table_schema, columns.table_name;
