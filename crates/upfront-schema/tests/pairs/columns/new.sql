create table t (id bigint primary key, stays int, wide int not null, fresh text default 'x', filled int not null default 3);
