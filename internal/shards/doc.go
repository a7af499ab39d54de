// Package shards holds the tests on tables that several database servers share: PostgreSQL with postgres_fdw, and MariaDB with
// Spider. They run where REFRESHTOKENS_SHARDS is set (make test-shards). They start the servers from Debian's packages postgresql,
// mariadb-server and mariadb-plugin-spider, on loopback ports, with their data in a temporary directory.
package shards
