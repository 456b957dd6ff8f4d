-- The ledger: the tags of streams here, its tree in the tables of events/internal/treefile, which follow in this step.
-- Step 3 says that the tree has the leaves of all events.

DROP TRIGGER streams_never_change;

ALTER TABLE streams ADD COLUMN tag BLOB CHECK (length(tag) = 16); -- random: stands for the stream in the ledger

UPDATE streams SET tag = randomblob(16);

CREATE TRIGGER streams_never_change BEFORE UPDATE ON streams
BEGIN SELECT raise(ABORT, 'the log is append-only: a stream is never renamed'); END;
