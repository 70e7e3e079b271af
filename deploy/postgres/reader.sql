-- The account that Grafana reads with: it sees every table and changes none. Run once by psql, on an empty data folder.
\getenv password POSTGRES_READER_PASSWORD
CREATE ROLE reader LOGIN PASSWORD :'password' CONNECTION LIMIT 20 IN ROLE pg_read_all_data;
ALTER ROLE reader SET default_transaction_read_only = on;
ALTER ROLE reader SET statement_timeout = '30s';
