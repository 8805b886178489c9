create table t (id bigint primary key, gone text, stays int not null, wide int);
