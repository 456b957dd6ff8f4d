-- The ledger's tree: see package events/ledger. What stands here is never changed, as in the log itself.

CREATE TABLE nodes (
  place  INTEGER PRIMARY KEY, -- of the row's first hash, in the order of tlog.StoredHashIndex
  hashes BLOB    NOT NULL     -- of the nodes that a run of leaves completed, 32 bytes each
) STRICT;

CREATE TABLE heads (
  place  INTEGER PRIMARY KEY, -- of the leaf in the tree, from 0
  events INTEGER NOT NULL,    -- how many events' leaves stand before it
  leaf   BLOB    NOT NULL
) STRICT;

CREATE INDEX heads_by_events ON heads (events);

CREATE TABLE checkpoints (
  size      INTEGER PRIMARY KEY, -- of the tree
  signed_at INTEGER NOT NULL,    -- microseconds since 1970, by the clock of who had it signed
  note      BLOB    NOT NULL     -- as the signer wrote it
) STRICT;

CREATE TABLE cosignatures (
  size      INTEGER NOT NULL REFERENCES checkpoints,
  witness   TEXT    NOT NULL,    -- name of its key
  signed_at INTEGER NOT NULL,    -- seconds since 1970, by the witness's clock
  line      BLOB    NOT NULL,    -- as it stands below the note
  PRIMARY KEY (size, witness, signed_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX cosignatures_by_witness ON cosignatures (witness, signed_at);

CREATE TRIGGER nodes_never_change BEFORE UPDATE ON nodes
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a hash is never changed'); END;

CREATE TRIGGER nodes_never_go BEFORE DELETE ON nodes
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a hash is never deleted'); END;

CREATE TRIGGER heads_never_change BEFORE UPDATE ON heads
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a leaf is never changed'); END;

CREATE TRIGGER heads_never_go BEFORE DELETE ON heads
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a leaf is never deleted'); END;

CREATE TRIGGER checkpoints_never_change BEFORE UPDATE ON checkpoints
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a checkpoint is never changed'); END;

CREATE TRIGGER checkpoints_never_go BEFORE DELETE ON checkpoints
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a checkpoint is never deleted'); END;

CREATE TRIGGER cosignatures_never_change BEFORE UPDATE ON cosignatures
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a cosignature is never changed'); END;

CREATE TRIGGER cosignatures_never_go BEFORE DELETE ON cosignatures
BEGIN SELECT raise(ABORT, 'the ledger is append-only: a cosignature is never deleted'); END;
