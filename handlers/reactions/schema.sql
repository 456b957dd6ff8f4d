-- The journal of the reactions: how far each has come, what was told, what could not be. It holds no personal data.

-- How far a reaction has come in what it follows, and the last event that it was done with there.
CREATE TABLE checkpoints (
  reaction TEXT NOT NULL,
  topic    TEXT NOT NULL,
  position TEXT NOT NULL,
  event    BLOB NOT NULL, -- 16 bytes; zeros when there was none yet
  PRIMARY KEY (reaction, topic)
) STRICT, WITHOUT ROWID;

-- The alerts that stand, as last told of in a notice.
CREATE TABLE standing (
  id   BLOB PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What changed in the alerts: the log that the alert channels follow.
CREATE TABLE notices (
  n        INTEGER PRIMARY KEY AUTOINCREMENT,
  id       BLOB NOT NULL UNIQUE,
  at       INTEGER NOT NULL, -- microseconds since 1970
  reaction TEXT NOT NULL,    -- the only one that it is for; empty for all
  body     TEXT NOT NULL
) STRICT;

-- Every attempt to tell something. One without an end was under way when traga was killed: its outcome is not known.
CREATE TABLE attempts (
  n        INTEGER PRIMARY KEY AUTOINCREMENT,
  reaction TEXT NOT NULL,
  channel  TEXT NOT NULL,
  message  TEXT NOT NULL,
  began    INTEGER NOT NULL,
  ended    INTEGER,
  outcome  TEXT NOT NULL, -- see Attempt in journal.go
  detail   TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_message ON attempts (reaction, message);

-- The poison queue: what was given up on.
CREATE TABLE parked (
  n        INTEGER PRIMARY KEY AUTOINCREMENT,
  reaction TEXT NOT NULL,
  channel  TEXT NOT NULL,
  message  TEXT NOT NULL,
  key      TEXT NOT NULL,    -- what follows with the same key stays behind; empty for none
  made     INTEGER NOT NULL, -- when the message was made
  at       INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  payload  BLOB NOT NULL,
  done     INTEGER,          -- when a replay told it
  UNIQUE (reaction, message)
) STRICT;
CREATE INDEX parked_open ON parked (reaction, key) WHERE done IS NULL;

-- Who asked for a replay of what: the log that the replays follow.
CREATE TABLE replays (
  n      INTEGER PRIMARY KEY AUTOINCREMENT,
  parked INTEGER NOT NULL REFERENCES parked,
  at     INTEGER NOT NULL
) STRICT;
