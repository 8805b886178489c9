create type mood as enum ('awful', 'sad', 'meh', 'ok', 'great');
create table t (m mood default 'meh');
