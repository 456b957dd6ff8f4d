-- The log. What stands here is never changed: the triggers refuse it for every program that opens the file.
--
-- One way round them is known: INSERT OR REPLACE from a program that leaves recursive_triggers off deletes a row
-- without asking. A trigger on INSERT could stop it, but would double the cost of every append. Such a row
-- betrays itself by its checksum, or by the hole that it leaves, and in the ledger in any case.

CREATE TABLE streams (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE events (
  position    INTEGER PRIMARY KEY,                  -- from 1, without gaps
  stream      INTEGER NOT NULL REFERENCES streams,
  revision    INTEGER NOT NULL,                     -- place in the stream, from 0, without gaps
  id          BLOB    NOT NULL CHECK (length(id) = 16),
  recorded_at INTEGER NOT NULL,                     -- microseconds since 1970 in UTC, never decreasing
  type        TEXT    NOT NULL,
  metadata    BLOB    NOT NULL,
  data        BLOB    NOT NULL,
  checksum    INTEGER NOT NULL                      -- CRC-32C of the event, its stream's name included: see row.go
) STRICT;

CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
CREATE UNIQUE INDEX events_by_id     ON events (id);

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'the log is append-only: an event is never changed'); END;

CREATE TRIGGER events_never_go BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'the log is append-only: an event is never deleted'); END;

CREATE TRIGGER streams_never_change BEFORE UPDATE ON streams
BEGIN SELECT raise(ABORT, 'the log is append-only: a stream is never renamed'); END;

CREATE TRIGGER streams_never_go BEFORE DELETE ON streams
BEGIN SELECT raise(ABORT, 'the log is append-only: a stream is never deleted'); END;
