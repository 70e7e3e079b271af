-- name: review_in_force
SELECT
    event_id AS review_id, revision AS review_revision, decision AS review_decision, reason AS review_reason,
    reviewed_by, reviewed_at
FROM draft_reviews_in_force AS standing
WHERE
    standing.draft_id = drafts.draft_id
    AND standing.content_digest = encode(sha256(convert_to(drafts.text, 'UTF8')), 'hex')
