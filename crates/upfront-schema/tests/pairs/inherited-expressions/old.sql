CREATE TABLE events (id int, state varchar(9), note varchar(9)) PARTITION BY RANGE (id);
CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (9);
CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (9) TO (99) PARTITION BY RANGE (id);
CREATE TABLE events_high_all PARTITION OF events_high DEFAULT;
CREATE TABLE base (kind varchar(9), CONSTRAINT old_kind CHECK (kind IN ('x', 'y')));
CREATE TABLE derived () INHERITS (base);
