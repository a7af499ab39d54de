-- Ends a session here, because it goes on elsewhere. It ends one row, or none if the token is spent or the session is over.
-- :gen, :sid and :sub are claims of the verified token, 30 is the grace period.
UPDATE refresh_tokens SET revoked_at = :now, revoked_for = 'moved'
WHERE id = :sid AND subject = :sub AND revoked_at = 0
  AND (generation <= :gen OR generation = :gen + 1 AND issued_at >= :now - 30)
