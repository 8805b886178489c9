create type word;
create function word_in(cstring) returns word language internal immutable strict as 'textin';
create function word_out(word) returns cstring language internal immutable strict as 'textout';
create function word_receive(internal) returns word language internal stable strict as 'textrecv';
create type word (input = word_in, output = word_out, receive = word_receive, like = text,
  category = 'S', default = 'a ''word''', collatable = true);
alter type word owner to upfront_writer;
comment on type word is 'as text';
comment on function word_in(cstring) is 'reads';
grant usage on type word to upfront_reader;
create function same(word, word) returns boolean language internal immutable strict as 'texteq';
create operator = (leftarg = word, rightarg = word, function = same);
create domain short as word;
create table t (a int, b word default 'x', c word[], d short);
create type other;
create function other_in(cstring) returns other language internal immutable strict as 'int4in';
create function other_out(other) returns cstring language internal immutable strict as 'int4out';
create type other (input = other_in, output = other_out, like = int4, delimiter = ';');
create function uses(other) returns int language sql as 'select 1';
