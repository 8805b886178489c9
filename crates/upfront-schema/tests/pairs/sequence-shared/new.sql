create sequence s;
create table t (a bigserial, b bigint default nextval('s'));
