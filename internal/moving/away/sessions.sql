-- Who is logged in. 2592000 is your SessionTTL in seconds, :now the time in Unix seconds.
SELECT id, subject, created_at, issued_at AS last_used_at, expires_at, user_agent, ip
FROM refresh_tokens
WHERE revoked_at = 0 AND expires_at > :now AND created_at > :now - 2592000
