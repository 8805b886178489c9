create table t (a int);
create operator family f using btree;
alter operator family f using btree add
  operator 1 < (int4, int8), operator 3 = (int4, int8), function 1 (int4, int8) btint48cmp(int4, int8);
create operator class c for type int using btree family f as
  operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int, int);
create operator class "By itself" for type varbit using btree as
  operator 1 <, function 1 varbitcmp(varbit, varbit);
create operator class near for type point using gist as
  operator 1 <-> for order by float_ops, storage box,
  function 1 gist_point_consistent(internal, point, int2, oid, internal),
  function 2 gist_box_union(internal, internal), function 3 gist_point_compress(internal),
  function 5 gist_box_penalty(internal, internal, internal),
  function 6 gist_box_picksplit(internal, internal), function 7 gist_box_same(box, box, internal);
comment on operator class c using btree is 'mine';
comment on operator family f using btree is 'ours';
alter operator class "By itself" using btree owner to upfront_writer;
alter operator family f using btree owner to upfront_writer;
create index i on t (a c desc);
